/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - a growing line. Without memory for it the rest is left out: a trace must not end a program. */
#ifndef INTERPOSER_TRACE_TEXT_H
#define INTERPOSER_TRACE_TEXT_H

#include "base/base.h"

struct text {
	char *p;
	size_t n, size;
};
void text_put(struct text *t, const char *s, size_t n);
void text_puts(struct text *t, const char *s);
void text_printf(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Between quotes, as strace escapes. hex: 0, 1 (only what isn't ASCII), 2 (all). more: followed by three dots. */
void text_quote(struct text *t, const char *s, size_t n, unsigned hex, bool more);
/* A JSON string of n bytes of ASCII. */
void text_json(struct text *t, const char *s, size_t n);
void text_errno(struct text *t, int err);
void text_signal(struct text *t, int sig);

/* Names of values; tables end with a NULL name. */
struct value_name {
	uint64_t value;
	const char *name;
};
/* A|B|0x40; unknown: what strace calls the family ("O_???"). */
void text_flags(struct text *t, const struct value_name *names, uint64_t v, const char *unknown);
void text_value(struct text *t, const struct value_name *names, uint64_t v, const char *unknown);

#endif
