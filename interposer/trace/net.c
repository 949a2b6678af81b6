/* SPDX-License-Identifier: Apache-2.0 */
/* net.c - arguments of socket calls: addresses, options, messages with their control data. */
#include "interposer/trace/format.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define MAX_CONTROL 4096

void format_sockaddr(struct shown *s, uint64_t addr, uint64_t len)
{
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_nl nl;
		char bytes[128];
	} u;
	struct text *t = &s->text;
	char ip[INET6_ADDRSTRLEN];
	memset(&u, 0, sizeof u);
	len = MIN(len, sizeof u);
	if (len < 2 || !format_fetch(s, addr, &u, len)) {
		format_addr(t, addr);
		return;
	}
	text_puts(t, "{sa_family=");
	text_value(t, names_family, u.sa.sa_family, "AF_???");
	switch (u.sa.sa_family) {
	case AF_UNIX:
		if (len == 2)
			break;
		text_puts(t, ", sun_path=");
		if (u.un.sun_path[0]) {
			text_quote(t, u.un.sun_path, strnlen(u.un.sun_path, len - 2), s->opt->hex, false);
		} else {
			text_puts(t, "@");
			text_quote(t, u.un.sun_path + 1, len - 3, s->opt->hex, false);
		}
		break;
	case AF_INET:
		if (len < sizeof u.in)
			break;
		text_printf(t, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", ntohs(u.in.sin_port),
			    inet_ntop(AF_INET, &u.in.sin_addr, ip, sizeof ip));
		break;
	case AF_INET6:
		if (len < sizeof u.in6 - 4)
			break;
		text_printf(t,
			    ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u), inet_pton(AF_INET6, \"%s\", &sin6_addr), "
			    "sin6_scope_id=%u",
			    ntohs(u.in6.sin6_port), ntohl(u.in6.sin6_flowinfo),
			    inet_ntop(AF_INET6, &u.in6.sin6_addr, ip, sizeof ip), u.in6.sin6_scope_id);
		break;
	case AF_NETLINK:
		text_printf(t, ", nl_pid=%d, nl_groups=%#08x", (int)u.nl.nl_pid, u.nl.nl_groups);
		break;
	default:
		if (len == 2)
			break;
		text_puts(t, ", sa_data=");
		text_quote(t, u.bytes + 2, len - 2, s->opt->hex, false);
	}
	text_puts(t, "}");
}

static bool put_endpoint(struct text *t, const struct sockaddr_storage *sa)
{
	char ip[INET6_ADDRSTRLEN];
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;
	if (sa->ss_family == AF_INET)
		text_printf(t, "%s:%u", inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip), ntohs(in->sin_port));
	else if (sa->ss_family == AF_INET6)
		text_printf(t, "[%s]:%u", inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip), ntohs(in6->sin6_port));
	else
		return false;
	return true;
}

void format_socket(struct text *t, int host, uint64_t ino)
{
	struct sockaddr_storage sa;
	int family = 0, type = 0, proto = 0;
	socklen_t n = sizeof family;
	getsockopt(host, SOL_SOCKET, SO_DOMAIN, &family, &n);
	n = sizeof type;
	getsockopt(host, SOL_SOCKET, SO_TYPE, &type, &n);
	n = sizeof proto;
	getsockopt(host, SOL_SOCKET, SO_PROTOCOL, &proto, &n);
	const char *v6 = family == AF_INET6 ? "v6" : "";
	if (family == AF_UNIX)
		text_printf(t, "<UNIX-%s:[%" PRIu64 "]>",
			    type == SOCK_STREAM  ? "STREAM"
			    : type == SOCK_DGRAM ? "DGRAM"
						 : "SEQPACKET",
			    ino);
	else if (family == AF_NETLINK)
		text_printf(t, "<NETLINK:[%" PRIu64 "]>", ino);
	else if (family != AF_INET && family != AF_INET6)
		text_printf(t, "<socket:[%" PRIu64 "]>", ino);
	else {
		text_printf(t, "<%s%s:[", proto == IPPROTO_TCP ? "TCP" : proto == IPPROTO_UDP ? "UDP" : "RAW", v6);
		n = sizeof sa;
		/* strace has the inode's number where there is no address yet. */
		bool bound =
		    !getsockname(host, (void *)&sa, &n) &&
		    (family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port : ((struct sockaddr_in6 *)&sa)->sin6_port);
		if (!bound || !put_endpoint(t, &sa))
			text_printf(t, "%" PRIu64, ino);
		n = sizeof sa;
		if (bound && !getpeername(host, (void *)&sa, &n)) {
			text_puts(t, "->");
			put_endpoint(t, &sa);
		}
		text_puts(t, "]>");
	}
}

static int length_arg(int nr)
{
	switch (nr) {
	case SYS_accept:
	case SYS_accept4:
	case SYS_getsockname:
	case SYS_getpeername:
		return 2;
	case SYS_getsockopt:
		return 4;
	case SYS_recvfrom:
		return 5;
	}
	return -1;
}

void format_remember(struct shown *s)
{
	int i = length_arg(s->c->nr);
	s->len_before = 0;
	if (i >= 0)
		format_fetch(s, s->c->args[i], &s->len_before, sizeof s->len_before);
}

static void show_socklen(struct shown *s, int i)
{
	uint32_t len;
	if (!format_in(s, i, &len, sizeof len))
		return;
	if (len == s->len_before || s->failed)
		text_printf(&s->text, "[%u]", len);
	else
		text_printf(&s->text, "[%u => %u]", s->len_before, len);
}

static void put_socktype(struct text *t, uint32_t v)
{
	static const struct value_name types[] = {{1, "SOCK_STREAM"}, {2, "SOCK_DGRAM"},     {3, "SOCK_RAW"},
						  {4, "SOCK_RDM"},    {5, "SOCK_SEQPACKET"}, {0, NULL}};
	text_value(t, types, v & 0xf, "SOCK_???");
	text_printf(t, "%s%s", v & SOCK_CLOEXEC ? "|SOCK_CLOEXEC" : "", v & SOCK_NONBLOCK ? "|SOCK_NONBLOCK" : "");
}

static void show_socktype(struct shown *s, int i)
{
	put_socktype(&s->text, (uint32_t)s->c->args[i]);
}

static void show_protocol(struct shown *s, int i)
{
	static const struct value_name ip[] = {{0, "IPPROTO_IP"},     {1, "IPPROTO_ICMP"},  {6, "IPPROTO_TCP"},
					       {17, "IPPROTO_UDP"},   {41, "IPPROTO_IPV6"}, {58, "IPPROTO_ICMPV6"},
					       {132, "IPPROTO_SCTP"}, {255, "IPPROTO_RAW"}, {0, NULL}};
	static const struct value_name nl[] = {
	    {NETLINK_ROUTE, "NETLINK_ROUTE"},         {NETLINK_USERSOCK, "NETLINK_USERSOCK"},
	    {NETLINK_SOCK_DIAG, "NETLINK_SOCK_DIAG"}, {NETLINK_AUDIT, "NETLINK_AUDIT"},
	    {NETLINK_NETFILTER, "NETLINK_NETFILTER"}, {NETLINK_KOBJECT_UEVENT, "NETLINK_KOBJECT_UEVENT"},
	    {NETLINK_GENERIC, "NETLINK_GENERIC"},     {0, NULL}};
	static const struct value_name ether[] = {
	    {3, "ETH_P_ALL"}, {0x800, "ETH_P_IP"}, {0x806, "ETH_P_ARP"}, {0x86dd, "ETH_P_IPV6"}, {0, NULL}};
	uint32_t v = (uint32_t)s->c->args[i], family = (uint32_t)s->c->args[0];
	if (family == AF_INET || family == AF_INET6) {
		text_value(&s->text, ip, v, "IPPROTO_???");
	} else if (family == AF_NETLINK) {
		text_value(&s->text, nl, v, "NETLINK_???");
	} else if (family == AF_PACKET) {
		text_puts(&s->text, "htons(");
		text_value(&s->text, ether, ntohs((uint16_t)v), "ETH_P_???");
		text_puts(&s->text, ")");
	} else {
		text_printf(&s->text, "%u", v);
	}
}

static void show_sockopt(struct shown *s, int i)
{
#define N(x)          \
	{             \
		x, #x \
	}
	static const struct value_name sol[] = {N(SO_DEBUG),
						N(SO_REUSEADDR),
						N(SO_TYPE),
						N(SO_ERROR),
						N(SO_DONTROUTE),
						N(SO_BROADCAST),
						N(SO_SNDBUF),
						N(SO_RCVBUF),
						N(SO_KEEPALIVE),
						N(SO_OOBINLINE),
						N(SO_PRIORITY),
						N(SO_LINGER),
						N(SO_REUSEPORT),
						N(SO_PASSCRED),
						N(SO_PEERCRED),
						N(SO_RCVLOWAT),
						N(SO_SNDLOWAT),
						{20, "SO_RCVTIMEO_OLD"},
						{21, "SO_SNDTIMEO_OLD"},
						N(SO_BINDTODEVICE),
						N(SO_ATTACH_FILTER),
						N(SO_DETACH_FILTER),
						{29, "SO_TIMESTAMP_OLD"},
						N(SO_ACCEPTCONN),
						N(SO_PEERSEC),
						N(SO_SNDBUFFORCE),
						N(SO_RCVBUFFORCE),
						N(SO_PASSSEC),
						N(SO_MARK),
						N(SO_PROTOCOL),
						N(SO_DOMAIN),
						N(SO_PEEK_OFF),
						N(SO_BUSY_POLL),
						N(SO_INCOMING_CPU),
						N(SO_COOKIE),
						N(SO_PEERGROUPS),
						{0, NULL}};
	static const struct value_name tcp[] = {
	    N(TCP_NODELAY), N(TCP_MAXSEG),   N(TCP_CORK),       N(TCP_KEEPIDLE),     N(TCP_KEEPINTVL),
	    N(TCP_KEEPCNT), N(TCP_SYNCNT),   N(TCP_LINGER2),    N(TCP_DEFER_ACCEPT), N(TCP_WINDOW_CLAMP),
	    N(TCP_INFO),    N(TCP_QUICKACK), N(TCP_CONGESTION), N(TCP_USER_TIMEOUT), N(TCP_FASTOPEN),
	    N(TCP_ULP),     {0, NULL}};
	static const struct value_name ip[] = {N(IP_TOS),
					       N(IP_TTL),
					       N(IP_HDRINCL),
					       N(IP_OPTIONS),
					       N(IP_RECVOPTS),
					       N(IP_PKTINFO),
					       N(IP_MTU_DISCOVER),
					       N(IP_RECVERR),
					       N(IP_RECVTTL),
					       N(IP_RECVTOS),
					       N(IP_MTU),
					       N(IP_FREEBIND),
					       N(IP_MULTICAST_IF),
					       N(IP_MULTICAST_TTL),
					       N(IP_MULTICAST_LOOP),
					       N(IP_ADD_MEMBERSHIP),
					       N(IP_DROP_MEMBERSHIP),
					       {0, NULL}};
	static const struct value_name ip6[] = {N(IPV6_UNICAST_HOPS),   N(IPV6_MULTICAST_IF),   N(IPV6_MULTICAST_HOPS),
						N(IPV6_MULTICAST_LOOP), N(IPV6_ADD_MEMBERSHIP), N(IPV6_MTU),
						N(IPV6_RECVERR),        N(IPV6_V6ONLY),         N(IPV6_RECVPKTINFO),
						N(IPV6_PKTINFO),        N(IPV6_TCLASS),         {0, NULL}};
#undef N
	uint32_t v = (uint32_t)s->c->args[i];
	switch ((uint32_t)s->c->args[1]) {
	case SOL_SOCKET:
		text_value(&s->text, sol, v, "SO_???");
		break;
	case SOL_TCP:
		text_value(&s->text, tcp, v, "TCP_???");
		break;
	case SOL_IP:
		text_value(&s->text, ip, v, "IP_???");
		break;
	case SOL_IPV6:
		text_value(&s->text, ip6, v, "IPV6_???");
		break;
	default:
		text_printf(&s->text, "%#x", v);
	}
}

static void put_ucred(struct text *t, const struct ucred *u)
{
	text_printf(t, "{pid=%d, uid=%u, gid=%u}", u->pid, u->uid, u->gid);
}

static void show_optval(struct shown *s, int i)
{
	bool out = s->c->nr == SYS_getsockopt;
	uint32_t len = (uint32_t)s->c->args[4], level = (uint32_t)s->c->args[1], name = (uint32_t)s->c->args[2];
	union {
		int v;
		struct linger linger;
		struct ucred cred;
	} u;
	struct text *t = &s->text;
	if (out && (s->failed || !format_fetch(s, s->c->args[4], &len, sizeof len)))
		len = 0;
	bool sol = level == SOL_SOCKET;
	if (sol && name == SO_LINGER && len == sizeof u.linger && format_fetch(s, s->c->args[i], &u, sizeof u.linger))
		text_printf(t, "{l_onoff=%d, l_linger=%d}", u.linger.l_onoff, u.linger.l_linger);
	else if (sol && name == SO_PEERCRED && len == sizeof u.cred && format_fetch(s, s->c->args[i], &u, sizeof u.cred))
		put_ucred(t, &u.cred);
	else if (len == sizeof u.v && format_fetch(s, s->c->args[i], &u.v, sizeof u.v)) {
		text_puts(t, "[");
		if (sol && name == SO_ERROR && u.v > 0)
			text_errno(t, u.v);
		else
			text_printf(t, "%d", u.v);
		text_puts(t, "]");
	} else if (len && len <= 4096)
		format_bytes(s, s->c->args[i], len);
	else
		format_addr(t, s->c->args[i]);
}

/* A datagram's control data, item by item, as the kernel walks it: a length that doesn't fit ends the list. */
static void put_control(struct shown *s, uint64_t addr, uint64_t size)
{
	static const struct value_name types[] = {
	    {SCM_RIGHTS, "SCM_RIGHTS"}, {SCM_CREDENTIALS, "SCM_CREDENTIALS"}, {SO_TIMESTAMP, "SO_TIMESTAMP_OLD"}, {0, NULL}};
	char buf[MAX_CONTROL];
	struct text *t = &s->text;
	size_t n = MIN(size, sizeof buf);
	if (!format_fetch(s, addr, buf, n)) {
		format_addr(t, addr);
		return;
	}
	text_puts(t, "[");
	for (size_t at = 0; at + sizeof(struct cmsghdr) <= n;) {
		struct cmsghdr h;
		memcpy(&h, buf + at, sizeof h);
		if (at)
			text_puts(t, ", ");
		text_printf(t, "{cmsg_len=%zu, cmsg_level=", (size_t)h.cmsg_len);
		text_value(t, names_level, (uint32_t)h.cmsg_level, "SOL_???");
		text_puts(t, ", cmsg_type=");
		if (h.cmsg_level == SOL_SOCKET)
			text_value(t, types, (uint32_t)h.cmsg_type, "SCM_???");
		else
			text_printf(t, "%#x", (unsigned)h.cmsg_type);
		if (h.cmsg_len < sizeof h || h.cmsg_len > n - at) {
			text_puts(t, "}");
			if (h.cmsg_len > n - at && n < size)
				text_puts(t, ", ...");
			break;
		}
		size_t len = h.cmsg_len - sizeof h;
		const char *data = buf + at + sizeof h;
		struct ucred cred;
		if (len)
			text_puts(t, ", cmsg_data=");
		if (h.cmsg_level == SOL_SOCKET && h.cmsg_type == SCM_RIGHTS && len >= sizeof(int)) {
			for (size_t k = 0; k + sizeof(int) <= len; k += sizeof(int)) {
				int fd;
				memcpy(&fd, data + k, sizeof fd);
				text_puts(t, k ? ", " : "[");
				format_fd(s, fd);
			}
			text_puts(t, "]");
		} else if (h.cmsg_level == SOL_SOCKET && h.cmsg_type == SCM_CREDENTIALS && len >= sizeof cred) {
			memcpy(&cred, data, sizeof cred);
			put_ucred(t, &cred);
		} else if (len) {
			text_quote(t, data, MIN(len, (size_t)s->opt->strsize), 2, len > s->opt->strsize);
		}
		text_puts(t, "}");
		if (CMSG_ALIGN(h.cmsg_len) > n - at)
			break;
		at += CMSG_ALIGN(h.cmsg_len);
	}
	text_puts(t, "]");
}

/* left: how much of the data there is, in a message that was received. */
static bool put_msghdr(struct shown *s, uint64_t addr, bool reading, uint64_t left)
{
	struct msghdr m;
	struct text *t = &s->text;
	if (!format_fetch(s, addr, &m, sizeof m)) {
		format_addr(t, addr);
		return false;
	}
	text_puts(t, "{msg_name=");
	if (m.msg_name && m.msg_namelen)
		format_sockaddr(s, (uint64_t)(uintptr_t)m.msg_name, m.msg_namelen);
	else
		format_addr(t, (uint64_t)(uintptr_t)m.msg_name);
	text_printf(t, ", msg_namelen=%u, msg_iov=", m.msg_namelen);
	format_iovec(s, (uint64_t)(uintptr_t)m.msg_iov, m.msg_iovlen, reading, left);
	text_printf(t, ", msg_iovlen=%zu", (size_t)m.msg_iovlen);
	if (m.msg_controllen) {
		text_puts(t, ", msg_control=");
		put_control(s, (uint64_t)(uintptr_t)m.msg_control, m.msg_controllen);
	}
	text_printf(t, ", msg_controllen=%zu, msg_flags=", (size_t)m.msg_controllen);
	text_flags(t, names_msg, (uint32_t)m.msg_flags, "MSG_???");
	text_puts(t, "}");
	return true;
}

static void show_msghdr(struct shown *s, int i)
{
	bool reading = s->c->nr == SYS_recvmsg;
	if (reading && s->failed) {
		/* strace shows no more of one that received nothing. */
		struct msghdr m;
		if (format_in(s, i, &m, sizeof m))
			text_printf(&s->text, "{msg_namelen=%u}", m.msg_namelen);
		return;
	}
	put_msghdr(s, s->c->args[i], reading, reading ? (uint64_t)s->rval : 0);
}

static void show_mmsghdr(struct shown *s, int i)
{
	struct text *t = &s->text;
	if (s->failed || s->rval < 0) {
		format_addr(t, s->c->args[i]);
		return;
	}
	text_puts(t, "[");
	for (int64_t k = 0; k < s->rval; k++) {
		uint64_t at = s->c->args[i] + (uint64_t)k * sizeof(struct mmsghdr);
		unsigned len = 0;
		if (k)
			text_puts(t, ", ");
		if (k == FORMAT_ITEMS && !s->opt->verbose) {
			text_puts(t, "...");
			break;
		}
		format_fetch(s, at + offsetof(struct mmsghdr, msg_len), &len, sizeof len);
		text_puts(t, "{msg_hdr=");
		if (!put_msghdr(s, at, s->c->nr == SYS_recvmmsg, len))
			break;
		text_printf(t, ", msg_len=%u}", len);
	}
	text_puts(t, "]");
}

const struct decoder net_decoders[] = {
    IN("socket", 1, show_socktype),      IN("socket", 2, show_protocol),      IN("socketpair", 1, show_socktype),
    IN("socketpair", 2, show_protocol),  OUT("accept", 2, show_socklen),      OUT("accept4", 2, show_socklen),
    OUT("getsockname", 2, show_socklen), OUT("getpeername", 2, show_socklen), OUT("recvfrom", 5, show_socklen),
    IN("setsockopt", 2, show_sockopt),   IN("getsockopt", 2, show_sockopt),   IN("setsockopt", 3, show_optval),
    OUT("getsockopt", 3, show_optval),   OUT("getsockopt", 4, show_socklen),  IN("sendmsg", 1, show_msghdr),
    OUT("recvmsg", 1, show_msghdr),      OUT("sendmmsg", 1, show_mmsghdr),    OUT("recvmmsg", 1, show_mmsghdr),
};
const size_t n_net_decoders = ARRAY_SIZE(net_decoders);
