/* SPDX-License-Identifier: Apache-2.0 */
/*
 * other_user.c - all users of the sandbox are one user of the host, so that nothing but our own checks keeps them apart. A process of another
 * virtual user holds an open file that only it may read, and memory: neither may be got at. Needs root inside.
 */
#include "tests/security/t.h"

#include <grp.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

static char secret[64];
static volatile int flip_to, flip_a, flip_b;
static volatile bool stop;

static void *flip(void *arg)
{
	while (!stop) {
		dup2(flip_a, flip_to);
		dup2(flip_b, flip_to);
	}
	return NULL;
}

static int become(uid_t uid)
{
	return setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid) ? -1 : prctl(PR_SET_DUMPABLE, 1);
}

int main(int argc, char **argv)
{
	char path[64], buf[64];
	int ready[2], hold[2];

	if (geteuid()) {
		printf("needs root inside\n");
		return 77;
	}
	if (pipe(ready) || pipe(hold))
		return 1;
	pid_t victim = fork();
	if (!victim) {
		if (become(1234))
			_exit(1);
		int fd = open("/tmp/other-user", O_CREAT | O_TRUNC | O_RDWR, 0600);
		write(fd, "SECRET-OF-THE-HOST\n", 19);
		dup2(fd, 100);
		strcpy(secret, "SECRET-OF-THE-HOST");
		write(ready[1], "", 1);
		close(hold[1]);
		read(hold[0], buf, 1);
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], buf, 1) != 1 || become(4321))
		return 1;

	CHECK(!t_leaks("/tmp/other-user"), "its file by name");
	snprintf(path, sizeof(path), "/proc/%d/fd/100", victim);
	CHECK(!t_leaks(path), "its file by %s", path);
	DENIED(readlink(path, buf, sizeof(buf)));
	DENIED(open(path, O_PATH | O_NOFOLLOW | O_DIRECTORY));
	int o = open(path, O_PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", o);
	CHECK(o < 0 || !t_leaks(path), "its file by O_PATH");
	static const char *const names[] = {"mem",       "environ",    "auxv", "cwd/file", "root/etc/passwd",
					    "map_files", "fdinfo/100", "maps"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", victim, names[i]);
		int fd = open(path, O_RDONLY);
		/* Some may be opened by anybody and read by few. */
		CHECK(fd < 0 || read(fd, buf, sizeof(buf)) < 0, "%s", path);
		close(fd);
	}
	DENIED(ptrace(PTRACE_ATTACH, victim, 0, 0));
	DENIED(ptrace(PTRACE_SEIZE, victim, 0, 0));
	DENIED(syscall(SYS_kcmp, victim, getpid(), KCMP_FILE, 100, 0));
	struct iovec l = {buf, sizeof(buf)}, r = {secret, sizeof(secret)};
	DENIED(process_vm_readv(victim, &l, 1, &r, 1, 0));
	DENIED(process_vm_writev(victim, &l, 1, &r, 1, 0));
	DENIED(kill(victim, 0));
	int pidfd = (int)syscall(SYS_pidfd_open, victim, 0);
	DENIED(syscall(SYS_pidfd_getfd, pidfd, 100, 0));
	DENIED(syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0));

	/* The check sees a child of ours, the call the victim. */
	pid_t mine = fork();
	if (!mine) {
		pause();
		_exit(0);
	}
	pthread_t t;
	int leaks = 0;

	flip_b = pidfd;
	flip_a = (int)syscall(SYS_pidfd_open, mine, 0);
	flip_to = dup(flip_a);
	pthread_create(&t, NULL, flip, NULL);
	for (int i = 0; i < 20000; i++) {
		/* Then it sees ourselves. */
		if (i == 10000)
			flip_a = (int)syscall(SYS_pidfd_open, getpid(), 0);
		int fd = (int)syscall(SYS_pidfd_getfd, flip_to, 100, 0);

		leaks += t_leaks_fd(fd);
		if (fd >= 0)
			close(fd);
	}
	stop = true;
	pthread_join(t, NULL);
	kill(mine, SIGKILL);
	CHECK(!leaks, "pidfd_getfd with a descriptor that changes meanwhile: %d leaks", leaks);
	return t_done();
}
