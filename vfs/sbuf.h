/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbuf.h - a growing text buffer for generated files. The first failure to get memory sticks: every later call does nothing
 * and sbuf_error() says so, so that generators need no check at each line.
 */
#ifndef VFS_SBUF_H
#define VFS_SBUF_H

#include "base/base.h"

struct sbuf {
	char *data; /* owned; not NUL terminated */
	size_t len, cap;
	int err;
};
void sbuf_put(struct sbuf *b, const void *data, size_t n);
void sbuf_str(struct sbuf *b, const char *s);
void sbuf_printf(struct sbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* As the kernel's seq_escape(): each byte of s that is in esc as a backslash and three octal digits. */
void sbuf_escape(struct sbuf *b, const char *s, const char *esc);
/* Appends all that can be read from fd, at most max bytes (-EFBIG beyond). 0 or -errno. */
int sbuf_read_fd(struct sbuf *b, int fd, size_t max);
/* The same for a file below the directory dirfd, without following a link at the end. */
int sbuf_read_at(struct sbuf *b, int dirfd, const char *name, size_t max);
void sbuf_free(struct sbuf *b);
#define AUTO_SBUF __attribute__((cleanup(sbuf_free)))

#endif
