/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base.h - what every folder may use: cleanup attributes, container_of, small
 * arithmetic. Nothing here allocates behind the caller's back or prints.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)
#define MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define MAX(a, b)                       ((a) > (b) ? (a) : (b))
#define UNUSED                          __attribute__((unused))
#define MUST_CHECK                      __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first)         __attribute__((format(printf, fmt, first)))

/* The kernel's own restart code: as a notification's error it restarts the call after a signal handler with
 * SA_RESTART and gives EINTR after one without; see seccomp_unotify(2) and kernel/signal.c. */
#define ERESTARTSYS 512

static inline void close_fd_(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
}
static inline void free_ptr_(void *p)
{
	free(*(void **)p);
}
/* Owning locals: closed or freed when they leave scope. */
#define AUTO_CLOSE __attribute__((cleanup(close_fd_)))
#define AUTO_FREE  __attribute__((cleanup(free_ptr_)))

/* Hands an owned descriptor or pointer on to another owner. */
static inline int take_fd(int *fd)
{
	int v = *fd;
	*fd = -1;
	return v;
}
#define take_ptr(p)                            \
	({                                     \
		__typeof__(p) take_ptr_ = (p); \
		(p) = NULL;                    \
		take_ptr_;                     \
	})

#endif
