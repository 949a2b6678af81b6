/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int out_fd = STDERR_FILENO;

void log_set_fd(int fd)
{
	out_fd = fd;
}

void log_clean(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p; p++) {
		if ((*p < 32 && *p != '\n' && *p != '\t') || *p == 127)
			*p = '?';
		else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

static void log_va(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static void log_va(const char *fmt, va_list ap)
{
	char line[2048] = "sandbox: ";
	size_t used = strlen(line);
	int n = vsnprintf(line + used, sizeof line - used - 1, fmt, ap);
	if (n > 0)
		used = MIN(used + (size_t)n, sizeof line - 2);
	line[used] = '\0';
	log_clean(line);
	line[used++] = '\n';
	/* A message that can't be written has nowhere to be reported. */
	if (write(out_fd, line, used) < 0)
		return;
}

void log_msg(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_va(fmt, ap);
	va_end(ap);
}

static void (*die_hook)(void);

void (*log_set_die_hook(void (*hook)(void)))(void)
{
	void (*old)(void) = die_hook;

	die_hook = hook;
	return old;
}

void die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_va(fmt, ap);
	va_end(ap);
	if (die_hook)
		die_hook();
	_exit(125);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);
	if (!p)
		die("out of memory");
	return p;
}

char *xstrdup(const char *s)
{
	char *p = strdup(s);
	if (!p)
		die("out of memory");
	return p;
}

char *xasprintf(const char *fmt, ...)
{
	char *p = NULL;
	va_list ap;
	va_start(ap, fmt);
	int n = vasprintf(&p, fmt, ap);
	va_end(ap);
	if (n < 0)
		die("out of memory");
	return p;
}
