/* SPDX-License-Identifier: Apache-2.0 */
/*
 * t.h - for the programs that attack from inside. Each is run as "program TOP" in the directory TOP/w, with TOP/hidden covered by --hide, or with
 * the words that follow "sandbox options:" in its first lines: the host's files named "flag" must stay out of reach, and nothing under TOP may
 * change on the host (the runner compares). A line that starts with FAIL fails the test. Natively, without a sandbox, the attacks succeed: that is
 * how the tests were tried.
 */
#ifndef TESTS_SECURITY_T_H
#define TESTS_SECURITY_T_H

#include "tests/conformance/t.h"

static int t_failures;

#define CHECK(ok, ...)                           \
	do {                                     \
		bool ok_ = (ok);                 \
		printf(ok_ ? "PASS " : "FAIL "); \
		printf(__VA_ARGS__);             \
		printf("\n");                    \
		t_failures += !ok_;              \
	} while (0)

/* The call must fail; any error will do unless the caller looks at errno. */
#define DENIED(...)                                                                                                     \
	({                                                                                                              \
		errno = 0;                                                                                              \
		long r_ = (long)(__VA_ARGS__);                                                                          \
		int e_ = errno;                                                                                         \
		CHECK(r_ < 0, "%s -> %ld %s", #__VA_ARGS__, r_ < 0 ? -1 : r_, r_ < 0 && e_ ? strerrorname_np(e_) : ""); \
		r_;                                                                                                     \
	})

/* Does what is readable through fd (or the file name) contain the host's secret? */
static inline bool t_leaks_fd(int fd)
{
	char buf[256] = "";

	return fd >= 0 && pread(fd, buf, sizeof(buf) - 1, 0) > 0 && strstr(buf, "SECRET-OF-THE-HOST");
}
static inline bool t_leaks(const char *name)
{
	int fd = open(name, O_RDONLY);
	bool leaks = t_leaks_fd(fd);

	if (fd >= 0)
		close(fd);
	return leaks;
}

/* How often: the first number, or with FULL in the environment the second. */
static inline int t_tries(int few, int all)
{
	return getenv("FULL") ? all : few;
}

/* The sandbox must have survived the attack. */
static inline int t_done(void)
{
	struct stat st;
	int ws = -1, p[2];
	char c = 0;

	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(9);
	}
	waitpid(pid, &ws, 0);
	CHECK(pid > 0 && !ws && !stat("/bin", &st) && !pipe(p) && write(p[1], "x", 1) == 1 && read(p[0], &c, 1) == 1 &&
		  c == 'x',
	      "the sandbox goes on: wait status %x", (unsigned)ws);
	printf("done\n");
	return t_failures != 0;
}

#endif
