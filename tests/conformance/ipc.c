/* SPDX-License-Identifier: Apache-2.0 */
/* ipc.c - FIFOs, sockets by path, locks: between processes. */
#include "tests/conformance/t.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

static void fifos(void)
{
	char buf[16];

	fflush(stdout);
	pid_t p = fork();

	if (!p) {
		int w = open("fifo", O_WRONLY);

		write(w, "through", 7);
		_exit(0);
	}
	int r = open("fifo", O_RDONLY);

	usleep(1000);
	R(read(r, buf, sizeof(buf)));
	waitpid(p, NULL, 0);
	R(read(r, buf, sizeof(buf)));
	close(r);
	mkfifo("f2", 0600);
	rename("f2", "f3");
	p = fork();
	if (!p) {
		r = open("f3", O_RDONLY);
		_exit(read(r, buf, sizeof(buf)) == 3 ? 0 : 1);
	}
	int w = open("f3", O_WRONLY), st;

	R(write(w, "abc", 3));
	waitpid(p, &st, 0);
	printf("reader: %d\n", WEXITSTATUS(st));
	close(w);
	t_stat("f3");
}

static struct sockaddr_un name_of(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	strncpy(a.sun_path, path, sizeof(a.sun_path) - 1);
	return a;
}
#define ADDR(path) (const struct sockaddr *)&(struct sockaddr_un[]){name_of(path)}, sizeof(struct sockaddr_un)

static void sockets(void)
{
	char buf[64];
	int s = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un a;
	socklen_t len = sizeof(a);

	R(connect(t, ADDR("sock")));
	R(bind(s, ADDR("sock")));
	t_stat("sock");
	R(bind(t, ADDR("sock")));
	R(bind(t, ADDR("nope/sock")));
	R(connect(t, ADDR("file")));
	R(connect(t, ADDR("sock")));
	R(listen(s, 4));
	R(getsockname(s, (struct sockaddr *)&a, &len));
	printf("name \"%s\" len %d\n", a.sun_path, (int)len);
	O(open("sock", O_RDONLY));
	fflush(stdout);
	pid_t p = fork();

	if (!p) {
		struct ucred c;
		socklen_t cl = sizeof(c);
		int k = socket(AF_UNIX, SOCK_STREAM, 0);

		if (connect(k, ADDR("sock")))
			_exit(errno);
		if (getsockopt(k, SOL_SOCKET, SO_PEERCRED, &c, &cl) || c.pid != getppid() || c.uid != getuid())
			_exit(200);
		write(k, "hello", 5);
		_exit(0);
	}
	int c = accept(s, NULL, NULL), st;
	struct ucred cr;

	len = sizeof(cr);
	R(c >= 0);
	R(read(c, buf, sizeof(buf)));
	R(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cr, &len));
	printf("peer is the child: %d, uid %d gid %d\n", cr.pid == p, (int)cr.uid, (int)cr.gid);
	len = sizeof(a);
	R(getpeername(c, (struct sockaddr *)&a, &len));
	waitpid(p, &st, 0);
	printf("client %d\n", WEXITSTATUS(st));
	R(rename("sock", "moved"));
	R(connect(t, ADDR("moved")));
	R(getpeername(t, (struct sockaddr *)&a, (len = sizeof(a), &len)));
	R(unlink("moved"));
	close(t);
	t = socket(AF_UNIX, SOCK_STREAM, 0);
	R(connect(t, ADDR("moved")));
	close(t);
	close(s);
	close(c);

	/* Who connected, with a name and without, also when it has ended. */
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	R(bind(s, ADDR("named")));
	R(listen(s, 4));
	for (int bound = 0; bound < 2; bound++) {
		fflush(stdout);
		p = fork();
		if (!p) {
			int k = socket(AF_UNIX, SOCK_STREAM, 0);

			connect(k, ADDR("nothing"));
			if (bound && bind(k, ADDR("client")))
				_exit(1);
			if (connect(k, ADDR("named")) || getsockname(k, (struct sockaddr *)&a, (len = sizeof(a), &len)))
				_exit(2);
			printf("client's own name \"%s\" len %d\n", len > 2 ? a.sun_path : "", (int)len);
			write(k, "hello", 5);
			fflush(stdout);
			_exit(0);
		}
		waitpid(p, &st, 0);
		memset(&a, 0, sizeof(a));
		c = accept4(s, (struct sockaddr *)&a, (len = sizeof(a), &len), SOCK_CLOEXEC);
		printf("client %d accepted %d \"%s\" len %d cloexec %d\n", WEXITSTATUS(st), c >= 0, a.sun_path, (int)len,
		       fcntl(c, F_GETFD));
		len = sizeof(cr);
		R(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cr, &len));
		printf("peer is the child: %d, uid %d gid %d\n", cr.pid == p, (int)cr.uid, (int)cr.gid);
		memset(&a, 0, sizeof(a));
		R(recvfrom(c, buf, sizeof(buf), 0, (struct sockaddr *)&a, (len = sizeof(a), &len)));
		printf("from \"%s\" len %d\n", a.sun_path, (int)len);
		close(c);
	}
	fcntl(s, F_SETFL, O_NONBLOCK);
	R(accept(s, (struct sockaddr *)&a, &len));
	close(s);

	int d1 = socket(AF_UNIX, SOCK_DGRAM, 0), d2 = socket(AF_UNIX, SOCK_DGRAM, 0);

	R(bind(d1, ADDR("dgram1")));
	R(bind(d2, ADDR("dgram2")));
	R(sendto(d2, "datagram", 8, 0, ADDR("dgram1")));
	len = sizeof(a);
	memset(&a, 0, sizeof(a));
	R(recvfrom(d1, buf, sizeof(buf), 0, (struct sockaddr *)&a, &len));
	printf("from \"%s\" len %d\n", a.sun_path, (int)len);
	R(connect(d2, ADDR("dgram1")));
	R(send(d2, "more", 4, 0));
	R(recv(d1, buf, sizeof(buf), 0));
	R(sendto(d2, "x", 1, 0, ADDR("nope")));
	close(d1);
	R(send(d2, "x", 1, 0));
	close(d2);
	/* An abstract name, and descriptors over a pair. */
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	a = (struct sockaddr_un){.sun_family = AF_UNIX, .sun_path = "\0conformance-test"};
	R(bind(s, (struct sockaddr *)&a, 2 + 17));
	R(listen(s, 1));
	t = socket(AF_UNIX, SOCK_STREAM, 0);
	R(connect(t, (struct sockaddr *)&a, 2 + 17));
	close(s);
	close(t);

	int sv[2];

	R(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	int fd = open("file", O_RDONLY);
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec io = {buf, 1};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	R(sendmsg(sv[0], &m, 0));
	close(fd);
	memset(control, 0, sizeof(control));
	R(recvmsg(sv[1], &m, 0));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	R(read(fd, buf, 16));
	close(fd);
	close(sv[0]);
	close(sv[1]);
}

static void locks(void)
{
	int a = open("file", O_RDWR), b = open("file", O_RDWR), r = open("readonly", O_RDONLY);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10}, q;

	R(flock(a, LOCK_SH));
	R(flock(b, LOCK_SH | LOCK_NB));
	R(flock(b, LOCK_EX | LOCK_NB));
	R(flock(a, LOCK_UN));
	R(flock(b, LOCK_EX | LOCK_NB));
	R(flock(a, LOCK_SH | LOCK_NB));
	R(flock(a, 99));
	R(flock(99, LOCK_SH));
	CHILD("flock held by the parent", int c = open("file", O_RDONLY); R(flock(c, LOCK_SH | LOCK_NB)));
	CHILD("flock through the inherited descriptor", R(flock(b, LOCK_SH | LOCK_NB)));
	R(flock(a, LOCK_SH | LOCK_NB));
	flock(a, LOCK_UN);
	flock(b, LOCK_UN);
	R(flock(r, LOCK_EX | LOCK_NB));
	CHILD("flock on a read-only file", int c = open("readonly", O_RDONLY); R(flock(c, LOCK_SH | LOCK_NB)));
	flock(r, LOCK_UN);

	R(fcntl(a, F_SETLK, &l));
	CHILD("record lock held by the parent", R(fcntl(a, F_SETLK, &l)); q = l; R(fcntl(a, F_GETLK, &q));
	      printf("type %d start %ld len %ld by parent %d\n", q.l_type, (long)q.l_start, (long)q.l_len,
		     q.l_pid == getppid()));
	l.l_type = F_UNLCK;
	R(fcntl(a, F_SETLK, &l));
	l.l_type = F_RDLCK;
	R(fcntl(r, F_SETLK, &l));
	l.l_type = F_WRLCK;
	R(fcntl(r, F_SETLK, &l));
	l.l_pid = 0;
	R(fcntl(a, F_OFD_SETLK, &l));
	R(fcntl(b, F_OFD_SETLK, &l));
	close(b);
	/* A blocking lock is granted when its holder goes. */
	int go[2];

	pipe(go);
	fflush(stdout);
	pid_t p = fork();

	if (!p) {
		int c = open("hard", O_RDWR);

		if (flock(c, LOCK_EX))
			_exit(1);
		write(go[1], "x", 1);
		usleep(50000);
		_exit(0);
	}
	read(go[0], &(char){0}, 1);
	R(flock(a, LOCK_EX | LOCK_NB));
	R(flock(a, LOCK_EX));
	waitpid(p, NULL, 0);
	close(a);
	close(r);
}

int main(void)
{
	umask(022);
	fifos();
	sockets();
	locks();
	return 0;
}
