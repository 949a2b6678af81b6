/* SPDX-License-Identifier: Apache-2.0 */
/* effects.c - see effects.h. */
#include "base/effects.h"

atomic_bool effects_on;
_Thread_local struct effects effects;

void effects_add(struct effects *to, const struct effects *e)
{
	to->walked |= e->walked;
	to->misses += e->misses;
	to->trips += e->trips;
	to->copy_ups += e->copy_ups;
	to->copied += e->copied;
	to->trip_ns += e->trip_ns;
	if (e->answered)
		to->answered = e->answered;
}
