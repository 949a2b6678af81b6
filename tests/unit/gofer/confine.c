/* SPDX-License-Identifier: Apache-2.0 */
/* confine.c - a gofer that an attacker has taken over: what its confinement leaves it. Each test confines a process of its own. */
#include "gofer/server.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* An export of a scratch directory with one file. */
static int make_export(char dir[32], bool ro, struct gofer_export *e)
{
	char path[64];

	strcpy(dir, "/tmp/confine.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/file", dir);
	AUTO_CLOSE int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, "in", 2) != 2)
		return -1;
	*e = (struct gofer_export){.ro = ro};
	return gofer_open_export(dir, ro, &e->rootfd);
}

static void remove_export(const char *dir)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/file", dir);
	unlink(path);
	rmdir(dir);
}

#define MUST(ok)                                                               \
	do {                                                                   \
		if (!(ok)) {                                                   \
			dprintf(2, "%s: not so (%s)\n", #ok, strerror(errno)); \
			bad++;                                                 \
		}                                                              \
	} while (0)

static int child_status(pid_t p)
{
	int st = -1;

	waitpid(p, &st, 0);
	return st;
}

static int climb(const struct server *srv, pid_t other)
{
	static const char *const up[] = {"..", "../..", "../../..", "../../../.."};
	static const char *const wanted[] = {"etc/passwd",
					     "sys/kernel/core_pattern",
					     "1/root/etc/passwd",
					     "self/root/etc/passwd",
					     "sysrq-trigger",
					     "self/cwd/../environ",
					     "kcore",
					     "1/environ"};
	char path[128];
	int bad = 0, fd;

	if (gofer_confine(srv))
		return 100;
	MUST(open("/etc/passwd", O_RDONLY) < 0);
	MUST(openat(srv->exports[0].rootfd, "../etc/passwd", O_RDONLY) < 0);
	MUST(openat(srv->exports[0].rootfd, "../../etc/passwd", O_RDONLY) < 0);
	for (size_t i = 0; i < ARRAY_SIZE(up); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(wanted); k++) {
			snprintf(path, sizeof(path), "%s/%s", up[i], wanted[k]);
			fd = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
			if (fd >= 0)
				dprintf(2, "opened %s\n", path), bad++;
			if (openat(AT_FDCWD, path, O_WRONLY | O_NONBLOCK) >= 0)
				dprintf(2, "opened %s for writing\n", path), bad++;
		}
		snprintf(path, sizeof(path), "%s/%d/root/etc/passwd", up[i], other);
		MUST(openat(AT_FDCWD, path, O_RDONLY) < 0);
	}
	/* And what it's for still works. */
	int file = openat(srv->exports[0].rootfd, "file", O_PATH | O_CLOEXEC);
	snprintf(path, sizeof(path), "%d", file);
	MUST((fd = open(path, O_RDONLY)) >= 0);
	MUST(srv->exports[0].ro ? open(path, O_WRONLY) < 0 : open(path, O_WRONLY) >= 0);
	return bad;
}

static void try_climb(bool ro)
{
	struct gofer_export e;
	struct server srv = {.exports = &e, .n_exports = 1, .writable = !ro};
	char dir[32];

	cr_assert_eq(make_export(dir, ro, &e), 0, "an ordinary user would need a user namespace here");
	/* A process of the same user, with no capabilities and a root to climb into. */
	pid_t other = fork();
	if (!other) {
		struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
		struct __user_cap_data_struct none[2] = {0};

		syscall(SYS_capset, &head, none);
		prctl(PR_SET_DUMPABLE, 1);
		pause();
		_exit(0);
	}
	pid_t p = fork();
	if (!p)
		_exit(climb(&srv, other));
	int st = child_status(p);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	remove_export(dir);
	cr_assert(WIFEXITED(st));
	cr_assert_eq(WEXITSTATUS(st), 0, "%d ways out", WEXITSTATUS(st));
}

Test(confine, read_only)
{
	if (geteuid())
		return;
	try_climb(true);
}

Test(confine, writable)
{
	if (geteuid())
		return;
	try_climb(false);
}

/* Each ends the process. */
static void forbidden(int which)
{
	switch (which) {
	case 0:
		syscall(SYS_execve, "/bin/true", NULL, NULL);
		break;
	case 1:
		syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		break;
	case 2:
		syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
		break;
	case 3:
		syscall(SYS_ptrace, 16, getppid(), 0, 0);
		break;
	case 4:
		syscall(SYS_kill, 1, 0);
		break;
	case 5:
		syscall(SYS_mount, "x", "/", "tmpfs", 0, 0);
		break;
	case 6:
		syscall(SYS_mkdirat, AT_FDCWD, "x", 0755);
		break;
	}
	_exit(1);
}

Test(confine, calls)
{
	struct server srv = {.exports = NULL, .n_exports = 0};

	for (int i = 0; i < 7; i++) {
		pid_t p = fork();
		if (!p) {
			if (gofer_confine_calls(&srv) && geteuid())
				_exit(2);
			forbidden(i);
		}
		int st = child_status(p);
		cr_expect(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS, "call %d: status %x", i, (unsigned)st);
	}
}
