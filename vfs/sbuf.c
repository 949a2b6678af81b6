/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbuf.c - growing text buffer of generated files. What grows here follows a tracee's wishes (its maps, its argv), so no
 * failure ends the process: it's kept in the buffer and becomes the open's ENOMEM.
 */
#include "vfs/sbuf.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool sbuf_reserve(struct sbuf *b, size_t n)
{
	if (b->err)
		return false;
	if (b->cap - b->len >= n)
		return true;
	size_t cap = MAX(b->cap * 2, b->len + n + 256);
	char *data = realloc(b->data, cap);
	if (!data) {
		b->err = -ENOMEM;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

void sbuf_put(struct sbuf *b, const void *data, size_t n)
{
	if (n == 0 || !sbuf_reserve(b, n))
		return;
	memcpy(b->data + b->len, data, n);
	b->len += n;
}

void sbuf_str(struct sbuf *b, const char *s)
{
	sbuf_put(b, s, strlen(s));
}

void sbuf_printf(struct sbuf *b, const char *fmt, ...)
{
	va_list ap;

	if (!sbuf_reserve(b, 256))
		return;
	va_start(ap, fmt);
	int n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->err = -EINVAL;
		return;
	}
	if ((size_t)n >= b->cap - b->len) {
		if (!sbuf_reserve(b, (size_t)n + 1))
			return;
		va_start(ap, fmt);
		n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

void sbuf_escape(struct sbuf *b, const char *s, const char *esc)
{
	for (; *s; s++) {
		if (strchr(esc, *s))
			sbuf_printf(b, "\\%03o", (unsigned char)*s);
		else
			sbuf_put(b, s, 1);
	}
}

int sbuf_read_fd(struct sbuf *b, int fd, size_t max)
{
	size_t start = b->len;

	for (;;) {
		if (!sbuf_reserve(b, 4096))
			return b->err;
		ssize_t n = read(fd, b->data + b->len, b->cap - b->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		b->len += (size_t)n;
		if (b->len - start > max) {
			b->len = start + max;
			return -EFBIG;
		}
	}
}

int sbuf_read_at(struct sbuf *b, int dirfd, const char *name, size_t max)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	return sbuf_read_fd(b, fd, max);
}

void sbuf_free(struct sbuf *b)
{
	free(b->data);
	*b = (struct sbuf){0};
}
