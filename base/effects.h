/* SPDX-License-Identifier: Apache-2.0 */
/*
 * effects.h - what answering one call took, for sandbox trace --effects: vfs/ and gofer/ add to the thread's own record while somebody wants it.
 *
 * A thread answers one call at a time, so the record needs no lock. Off, each place costs a branch on a byte.
 */
#ifndef BASE_EFFECTS_H
#define BASE_EFFECTS_H

#include "base/base.h"

#include <stdatomic.h>

struct effects {
	bool walked;       /* a name was looked up */
	unsigned misses;   /* names that the cache didn't know */
	unsigned trips;    /* requests to the gofer */
	unsigned copy_ups; /* files that got data of their own... */
	uint64_t copied;   /* ...and the bytes copied for it */
	uint64_t trip_ns;  /* what the requests took */
	const char *
	    answered; /* who answered last: a layer of the overlay, or the kind of file system; a literal; NULL: nobody was asked */
};
extern atomic_bool effects_on;
extern _Thread_local struct effects effects;

static inline bool effects_wanted(void)
{
	return unlikely(atomic_load_explicit(&effects_on, memory_order_relaxed));
}
void effects_add(struct effects *to, const struct effects *e);

#endif
