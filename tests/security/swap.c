/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swap.c - a second thread changes path strings, structures and descriptors while they are being used. Each is valid in both forms; what comes out
 * must be one of the two things named, never a mixture, never the hidden file, never a native resolution. FULL makes it 100,000 tries of each.
 */
#include "tests/security/t.h"

#include <limits.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

static char path[PATH_MAX], exec_path[64];
static char flag[PATH_MAX];
static atomic_bool stop;

static void *swapper(void *arg)
{
	char good[PATH_MAX] = "file", bad[PATH_MAX];

	snprintf(bad, sizeof(bad), "%s", flag);
	while (!atomic_load(&stop)) {
		memcpy(path, bad, strlen(bad) + 1);
		memcpy(path, good, strlen(good) + 1);
	}
	return NULL;
}

static void *exec_swapper(void *arg)
{
	while (!atomic_load(&stop)) {
		memcpy(exec_path, "/bin/true\0x", 12);
		memcpy(exec_path, "/bin/false\0", 12);
	}
	return NULL;
}

/* --- Structures and descriptors --- */

static struct open_how how;
static union {
	struct sockaddr sa;
	struct sockaddr_un un;
	struct sockaddr_in in;
} address;
static int flip_at, flip_with[2]; /* a number that is now the one, now the other descriptor */

static void *how_swapper(void *arg)
{
	while (!atomic_load(&stop)) {
		how.flags = O_RDONLY;
		how.resolve = RESOLVE_BENEATH;
		how.flags = O_PATH;
		how.resolve = 0;
	}
	return NULL;
}

static void *address_swapper(void *arg)
{
	static const char *const names[] = {"listener", "private"};

	for (unsigned i = 0; !atomic_load(&stop); i++) {
		address.un.sun_family = AF_UNIX;
		strcpy(address.un.sun_path, names[i % 2]);
		address.in.sin_family = AF_INET;
		address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	return NULL;
}

static void *flipper(void *arg)
{
	for (unsigned i = 0; !atomic_load(&stop); i++)
		dup2(flip_with[i % 2], flip_at);
	return NULL;
}

static void *mount_swapper(void *arg)
{
	while (!atomic_load(&stop)) {
		memcpy(path, "/dev", 5);
		memcpy(path, "/tmp", 5);
	}
	return NULL;
}

static void begin(pthread_t *t, void *(*fn)(void *))
{
	atomic_store(&stop, false);
	pthread_create(t, NULL, fn, NULL);
}
static void end(pthread_t t)
{
	atomic_store(&stop, true);
	pthread_join(t, NULL);
}

static int listen_at(const char *name)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(un.sun_path, name);
	if (bind(s, (struct sockaddr *)&un, sizeof(un)) || listen(s, 16))
		CHECK(false, "a listener at %s: %s", name, strerrorname_np(errno));
	return s;
}

static void opens(void)
{
	int dir = open(".", O_PATH | O_DIRECTORY), leaks = 0, other = 0;
	pthread_t t;

	begin(&t, how_swapper);
	for (int i = 0; i < t_tries(5000, 100000); i++) {
		int fd = (int)syscall(SYS_openat2, dir, i % 2 ? "../hidden/flag" : "dir/../file", &how, sizeof(how));

		leaks += t_leaks_fd(fd);
		if (fd >= 0 && i % 2)
			other++;
		close(fd);
	}
	end(t);
	CHECK(!leaks && !other, "openat2 with a structure that changes: %d leaks, %d that have no name", leaks, other);

	flip_at = dup(dir);
	flip_with[0] = open("..", O_PATH | O_DIRECTORY);
	flip_with[1] = open("dir", O_RDONLY | O_DIRECTORY);
	begin(&t, flipper);
	for (int i = 0; i < t_tries(5000, 100000); i++) {
		int fd = openat(flip_at, i % 2 ? "hidden/flag" : "../hidden/flag", O_RDONLY);

		leaks += t_leaks_fd(fd);
		close(fd);
	}
	end(t);
	CHECK(!leaks, "openat by a directory that changes: %d leaks", leaks);
}

/* Which of the sandbox's own calls it looks at: a socket of another family gets there natively, where an AF_UNIX path would be looked up. */
static void sockets(void)
{
	int listener = listen_at("listener"), odd = 0, made = 0;
	struct sockaddr_un un;
	struct stat st;
	socklen_t len;
	pthread_t t;

	mkdir("closed", 0700);
	begin(&t, address_swapper);
	for (int i = 0; i < t_tries(5000, 100000); i++) {
		int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

		/* "private" doesn't exist: who is connected is so with our listener. */
		if (!connect(s, &address.sa, sizeof(address.un))) {
			len = sizeof(un);
			if (getpeername(s, (struct sockaddr *)&un, &len) || un.sun_family != AF_UNIX ||
			    strcmp(un.sun_path, "listener"))
				odd++;
		}
		close(s);
		for (int got; (got = accept(listener, NULL, NULL)) >= 0;)
			close(got);
	}
	CHECK(!odd, "connect to an address that changes: %d odd peers", odd);
	unlink("listener");
	for (int i = 0; i < t_tries(2500, 100000); i++) {
		int s = socket(AF_UNIX, SOCK_STREAM, 0);

		if (!bind(s, &address.sa, sizeof(address.un))) {
			len = sizeof(un);
			memset(&un, 0, sizeof(un));
			/* It has the name that it says it has, or a mixture of both that was there for an instant. */
			if (getsockname(s, (struct sockaddr *)&un, &len) || un.sun_family != AF_UNIX || !un.sun_path[0] ||
			    lstat(un.sun_path, &st) || !S_ISSOCK(st.st_mode) || unlink(un.sun_path))
				odd++;
			made++;
		}
		close(s);
	}
	end(t);
	CHECK(!odd && made, "bind to an address that changes: %d of %d odd", odd, made);

	/* Now the socket changes its family: what's looked at is the one, what the host sees the other. */
	address.un.sun_family = AF_UNIX;
	strcpy(address.un.sun_path, "native");
	flip_with[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
	flip_with[1] = socket(AF_INET, SOCK_DGRAM, 0);
	begin(&t, flipper);
	for (int i = 0; i < t_tries(5000, 100000); i++) {
		if (!bind(flip_at, &address.sa, sizeof(address.un))) {
			made = !lstat("native", &st) && S_ISSOCK(st.st_mode) && !unlink("native");
			odd += !made;
			close(flip_with[0]);
			flip_with[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
		}
		connect(flip_at, &address.sa, sizeof(address.un));
		sendto(flip_at, "x", 1, MSG_DONTWAIT, &address.sa, sizeof(address.un));
	}
	end(t);
	CHECK(!odd, "bind, connect and sendto by a socket that changes its family: %d that nothing here shows", odd);
}

static void mounts(void)
{
	pthread_t t;
	int done = 0;

	begin(&t, mount_swapper);
	for (int i = 0; i < t_tries(20000, 100000); i++) {
		done += !mount(path, path, "tmpfs", i % 2 ? MS_BIND : 0, NULL);
		done += !umount2(path, MNT_DETACH);
		done += !syscall(SYS_pivot_root, path, path);
	}
	end(t);
	CHECK(!done, "mount, umount2 and pivot_root with strings that change: %d went through", done);
}

int main(int argc, char **argv)
{
	pthread_t t;
	int leaks = 0, odd = 0;

	snprintf(flag, sizeof(flag), "%s/hidden/flag", argc > 1 ? argv[1] : "..");
	strcpy(path, "file");
	pthread_create(&t, NULL, swapper, NULL);
	for (int i = 0; i < t_tries(10000, 400000); i++) {
		struct stat st;
		int fd = open(path, O_RDONLY);

		if (fd >= 0) {
			leaks += t_leaks_fd(fd);
			close(fd);
		}
		if (i % 4 == 0 && !stat(path, &st))
			leaks += st.st_size == 19;
		if (i % 4 == 1 && !link(path, "raced")) {
			leaks += t_leaks("raced");
			unlink("raced");
		}
		if (i % 4 == 2 && !rename(path, "raced")) {
			leaks += t_leaks("raced");
			rename("raced", "file");
		}
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	CHECK(leaks == 0, "open, stat, link and rename with a string that changes: %d leaks", leaks);

	atomic_store(&stop, false);
	pthread_create(&t, NULL, exec_swapper, NULL);
	/* vfork, so that the child runs on the memory that is being changed. */
	for (int i = 0; i < t_tries(1000, 100000); i++) {
		int st;
		pid_t p = vfork();

		if (!p) {
			execl(exec_path, "x", NULL);
			_exit(errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 50 : 51);
		}
		waitpid(p, &st, 0);
		if (!WIFEXITED(st) || (WEXITSTATUS(st) > 1 && WEXITSTATUS(st) != 50))
			odd++;
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	CHECK(odd == 0, "exec with a string that changes: %d odd results", odd);
	opens();
	sockets();
	mounts();
	return t_done();
}
