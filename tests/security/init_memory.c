/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init_memory.c - looks into init, which was forked from the process that the user started: its memory holds that one's environment, also what
 * --clearenv keeps out, its arguments with the host's paths, and the supervisor's addresses. The runner's --hide is among the arguments. Nor may its
 * limits be changed: no time of a processor would end it, and the sandbox with it.
 */
#include "tests/security/t.h"

#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* What must not be readable of a process, by whom ever. */
static const char *const secret[] = {"environ", "auxv", "maps",           "smaps",      "smaps_rollup",
				     "mem",     "io",   "task/1/environ", "task/1/maps"};

/* How many bytes a file gives; -1: none can be had. */
static ssize_t bytes(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size);

	if (fd >= 0)
		close(fd);
	return n;
}

int main(int argc, char **argv)
{
	char path[128], buf[8192], word[8];
	struct iovec l = {word, sizeof(word)}, r = {(void *)0x400000, sizeof(word)};

	for (unsigned i = 0; i < sizeof(secret) / sizeof(*secret); i++) {
		snprintf(path, sizeof(path), "/proc/1/%s", secret[i]);
		CHECK(bytes(path, buf, sizeof(buf)) <= 0, "reading %s", path);
	}
	ssize_t n = bytes("/proc/1/cmdline", buf, sizeof(buf));
	CHECK(n < 0 || !memmem(buf, (size_t)n, argv[1], strlen(argv[1])), "its arguments have no path of the host's");
	/* proc_pid_stat(5): the addresses are fields 26 to 30, and 45 to 51. */
	n = bytes("/proc/1/stat", buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = '\0';
	char *at = strrchr(buf, ')'), *save = NULL;
	unsigned long seen = 0;
	int field = 3;
	for (char *w = at ? strtok_r(at + 1, " ", &save) : NULL; w; w = strtok_r(NULL, " ", &save), field++) {
		/* 26 and 27 are 1 where the reader may not know (do_task_stat()). */
		if ((field >= 26 && field <= 30) || (field >= 45 && field <= 51))
			seen |= strtoul(w, NULL, 10) & ~1UL;
	}
	CHECK(field > 51 && !seen, "addresses in /proc/1/stat: %#lx", seen);
	DENIED(ptrace(PTRACE_ATTACH, 1, 0, 0));
	DENIED(ptrace(PTRACE_SEIZE, 1, 0, 0));
	DENIED(process_vm_readv(1, &l, 1, &r, 1, 0));
	DENIED(process_vm_writev(1, &l, 1, &r, 1, 0));
	struct rlimit none = {0, 0};
	DENIED(prlimit(1, RLIMIT_CPU, &none, NULL));
	DENIED(prlimit(1, RLIMIT_NOFILE, &none, NULL));
	int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);
	for (int fd = 0; fd < 8; fd++)
		DENIED(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
	return t_done();
}
