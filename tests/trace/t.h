/* SPDX-License-Identifier: Apache-2.0 */
/*
 * t.h - for programs that make calls and print the lines that a trace must have, in that order, among others. The runner compares them with
 * what `sandbox trace` shows, and with what an installed strace shows. "trace options:" in a comment at the top adds options.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline void line(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

/* "CALL = RESULT", for a call that has just returned r, or failed with errno. */
#define expect(r, ...)                                                                \
	do {                                                                          \
		long r_ = (long)(r);                                                  \
		int e_ = errno;                                                       \
		printf(__VA_ARGS__);                                                  \
		if (r_ == -1)                                                         \
			printf(" = -1 %s (%s)\n", strerrorname_np(e_), strerror(e_)); \
		else                                                                  \
			printf(" = %ld\n", r_);                                       \
	} while (0)
#define ok(...) expect(0, __VA_ARGS__)
