/* SPDX-License-Identifier: Apache-2.0 */
/* effects.c - trace --effects: what answering a call took (base/effects.h), as text and as JSON. The forms are in sandbox-trace(1). */
#include "interposer/trace/format.h"

#include <inttypes.h>

static void words(const struct effects *e, struct text *t)
{
	const char *sep = "";
	text_puts(t, " [");
	if (e->walked || e->misses) {
		text_puts(t, e->misses ? "miss" : "hit");
		if (e->misses > 1)
			text_printf(t, " %ux", e->misses);
		sep = ", ";
	}
	if (e->trips) {
		text_printf(t, "%sgofer %ux %" PRIu64 "us", sep, e->trips, e->trip_ns / 1000);
		sep = ", ";
	}
	if (e->copy_ups) {
		text_printf(t, "%scopy-up %" PRIu64 " bytes", sep, e->copied);
		sep = ", ";
	}
	if (e->answered)
		text_printf(t, "%s%s", sep, e->answered);
	text_puts(t, "]");
}

static void members(const struct effects *e, struct text *t)
{
	const char *sep = "";
	if (e->walked || e->misses) {
		text_printf(t, "\"cache\":\"%s\",\"misses\":%u", e->misses ? "miss" : "hit", e->misses);
		sep = ",";
	}
	if (e->trips) {
		text_printf(t, "%s\"round_trips\":%u,\"round_trip_us\":%" PRIu64, sep, e->trips, e->trip_ns / 1000);
		sep = ",";
	}
	if (e->copy_ups) {
		text_printf(t, "%s\"copy_ups\":%u,\"copy_up_bytes\":%" PRIu64, sep, e->copy_ups, e->copied);
		sep = ",";
	}
	if (e->answered)
		text_printf(t, "%s\"answered\":\"%s\"", sep, e->answered);
}

void format_effects(const struct effects *e, bool json, struct text *t)
{
	if (json)
		members(e, t);
	else if (e->walked || e->misses || e->trips || e->copy_ups || e->answered)
		words(e, t);
}
