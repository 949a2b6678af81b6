/* SPDX-License-Identifier: Apache-2.0 */
/* ns.h - times as 64-bit nanoseconds since the epoch: 1677 to 2262. */
#ifndef BASE_NS_H
#define BASE_NS_H

#include "base/base.h"

#include <time.h>

/* A file system may hold any 64-bit second, and who owns a file chooses it: what doesn't fit is the nearest that does. */
static inline int64_t ns_join(int64_t sec, int64_t nsec)
{
	int64_t v;

	if (__builtin_mul_overflow(sec, INT64_C(1000000000), &v) || __builtin_add_overflow(v, nsec, &v))
		return sec < 0 ? INT64_MIN : INT64_MAX;
	return v;
}
static inline int64_t ns_of(const struct timespec *t)
{
	return ns_join(t->tv_sec, t->tv_nsec);
}
/* The nanoseconds count forwards also before the epoch, as utimensat(2) wants them. */
static inline struct timespec ns_split(int64_t v)
{
	int64_t sec = v / 1000000000, nsec = v % 1000000000;

	if (nsec < 0) {
		sec--;
		nsec += 1000000000;
	}
	return (struct timespec){.tv_sec = sec, .tv_nsec = nsec};
}

#endif
