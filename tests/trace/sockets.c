/* SPDX-License-Identifier: Apache-2.0 */
/* sockets.c - addresses of all families, options, messages with descriptors and credentials. */
#include "t.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(void)
{
	int sv[2], one = 1;
	socklen_t len = 4;
	char buf[100];

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv);
	ok("socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, [%d, %d])", sv[0], sv[1]);
	setsockopt(sv[1], SOL_SOCKET, SO_PASSCRED, &one, 4);
	ok("setsockopt(%d, SOL_SOCKET, SO_PASSCRED, [1], 4)", sv[1]);
	getsockopt(sv[0], SOL_SOCKET, SO_TYPE, &one, &len);
	ok("getsockopt(%d, SOL_SOCKET, SO_TYPE, [1], [4])", sv[0]);

	char control[CMSG_SPACE(8) + CMSG_SPACE(12)] = {0};
	struct iovec iov = {"data", 4};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fds[2] = {0, 1};
	struct ucred cred = {getpid(), getuid(), getgid()};
	*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(8)};
	memcpy(CMSG_DATA(c), fds, 8);
	c = CMSG_NXTHDR(&m, c);
	*c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS, .cmsg_len = CMSG_LEN(12)};
	memcpy(CMSG_DATA(c), &cred, 12);
	long r = sendmsg(sv[0], &m, MSG_NOSIGNAL);
	expect(r,
	       "sendmsg(%d, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"data\", iov_len=4}], msg_iovlen=1, "
	       "msg_control=[{cmsg_len=24, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[0, 1]}, "
	       "{cmsg_len=28, cmsg_level=SOL_SOCKET, cmsg_type=SCM_CREDENTIALS, cmsg_data={pid=%d, uid=%u, gid=%u}}], "
	       "msg_controllen=%zu, msg_flags=0}, MSG_NOSIGNAL)",
	       sv[0], cred.pid, cred.uid, cred.gid, (size_t)m.msg_controllen);
	m = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	iov = (struct iovec){buf, sizeof buf};
	r = recvmsg(sv[1], &m, MSG_DONTWAIT);
	expect(r,
	       "recvmsg(%d, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"data\", iov_len=100}], msg_iovlen=1, "
	       "msg_controllen=0, msg_flags=MSG_CTRUNC}, MSG_DONTWAIT)",
	       sv[1]);
	r = recvmsg(sv[1], &m, MSG_DONTWAIT);
	expect(r, "recvmsg(%d, {msg_namelen=0}, MSG_DONTWAIT)", sv[1]);
	struct mmsghdr mm = {{.msg_iov = &(struct iovec){"xyz", 3}, .msg_iovlen = 1}};
	r = sendmmsg(sv[0], &mm, 1, 0);
	expect(r,
	       "sendmmsg(%d, [{msg_hdr={msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base=\"xyz\", iov_len=3}], "
	       "msg_iovlen=1, msg_controllen=0, msg_flags=0}, msg_len=3}], 1, 0)",
	       sv[0]);
	r = syscall(SYS_recvfrom, sv[1], buf, 100, MSG_PEEK, NULL, NULL);
	expect(r, "recvfrom(%d, \"xyz\", 100, MSG_PEEK, NULL, NULL)", sv[1]);

	struct sockaddr_in in = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}};
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
	expect(s, "socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP)");
	one = 1;
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, 4);
	ok("setsockopt(%d, SOL_TCP, TCP_NODELAY, [1], 4)", s);
	struct linger li = {1, 5};
	setsockopt(s, SOL_SOCKET, SO_LINGER, &li, sizeof li);
	ok("setsockopt(%d, SOL_SOCKET, SO_LINGER, {l_onoff=1, l_linger=5}, 8)", s);
	r = bind(s, (void *)&in, sizeof in);
	expect(r, "bind(%d, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr(\"127.0.0.1\")}, 16)", s);
	listen(s, 5);
	len = 100;
	getsockname(s, (void *)&in, &len);
	ok("getsockname(%d, {sa_family=AF_INET, sin_port=htons(%u), sin_addr=inet_addr(\"127.0.0.1\")}, [100 => 16])", s,
	   ntohs(in.sin_port));
	int cs = socket(AF_INET, SOCK_STREAM, 0);
	r = connect(cs, (void *)&in, sizeof in);
	expect(r, "connect(%d, {sa_family=AF_INET, sin_port=htons(%u), sin_addr=inet_addr(\"127.0.0.1\")}, 16)", cs,
	       ntohs(in.sin_port));
	struct sockaddr_in peer;
	len = sizeof peer;
	int as = accept4(s, (void *)&peer, &len, SOCK_CLOEXEC);
	expect(as,
	       "accept4(%d, {sa_family=AF_INET, sin_port=htons(%u), sin_addr=inet_addr(\"127.0.0.1\")}, [16], SOCK_CLOEXEC)",
	       s, ntohs(peer.sin_port));
	r = accept(s, NULL, NULL);
	expect(r, "accept(%d, NULL, NULL)", s);
	shutdown(cs, SHUT_WR);
	ok("shutdown(%d, SHUT_WR)", cs);
	struct sockaddr_in6 in6 = {AF_INET6, htons(53), 0, IN6ADDR_LOOPBACK_INIT, 0};
	int s6 = socket(AF_INET6, SOCK_DGRAM, IPPROTO_IP);
	r = connect(s6, (void *)&in6, sizeof in6);
	expect(r,
	       "connect(%d, {sa_family=AF_INET6, sin6_port=htons(53), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, \"::1\", "
	       "&sin6_addr), sin6_scope_id=0}, 28)",
	       s6);
	struct sockaddr_un un = {AF_UNIX, "nowhere\n"};
	int us = socket(AF_UNIX, SOCK_DGRAM, 0);
	r = connect(us, (void *)&un, sizeof un);
	expect(r, "connect(%d, {sa_family=AF_UNIX, sun_path=\"nowhere\\n\"}, 110)", us);
	memcpy(un.sun_path, "\0abc", 4);
	r = connect(us, (void *)&un, 6);
	expect(r, "connect(%d, {sa_family=AF_UNIX, sun_path=@\"abc\"}, 6)", us);
	struct sockaddr_nl nl = {AF_NETLINK, 0, 0, 1};
	int ns = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	expect(ns, "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)");
	r = bind(ns, (void *)&nl, sizeof nl);
	expect(r, "bind(%d, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=0x000001}, 12)", ns);
	r = connect(us, NULL, 16);
	expect(r, "connect(%d, NULL, 16)", us);
	return 0;
}
