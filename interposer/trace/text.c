/* SPDX-License-Identifier: Apache-2.0 */
/* text.c - see text.h. */
#include "interposer/trace/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool room(struct text *t, size_t n)
{
	if (t->n + n < t->size)
		return true;
	size_t size = MAX(2 * t->size, t->n + n + 256);
	char *p = realloc(t->p, size);
	if (!p)
		return false;
	t->p = p;
	t->size = size;
	return true;
}

void text_put(struct text *t, const char *s, size_t n)
{
	if (!n || !room(t, n))
		return;
	memcpy(t->p + t->n, s, n);
	t->n += n;
}

void text_puts(struct text *t, const char *s)
{
	text_put(t, s, strlen(s));
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	char buf[512];
	va_start(ap, fmt);
	int n = vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	if (n > 0)
		text_put(t, buf, MIN((size_t)n, sizeof buf - 1));
}

void text_quote(struct text *t, const char *s, size_t n, unsigned hex, bool more)
{
	bool all_hex = hex > 1;
	for (size_t i = 0; hex == 1 && i < n; i++)
		all_hex = all_hex || !(isprint((unsigned char)s[i]) || isspace((unsigned char)s[i]));
	text_put(t, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		static const char special[] = "\"\\\t\n\v\f\r", letters[] = "\"\\tnvfr";
		const char *at = c ? strchr(special, c) : NULL;
		if (all_hex)
			text_printf(t, "\\x%02x", c);
		else if (at)
			text_printf(t, "\\%c", letters[at - special]);
		else if (c >= ' ' && c < 0x7f)
			text_put(t, (const char *)&c, 1);
		else if (i + 1 < n && s[i + 1] >= '0' && s[i + 1] <= '9')
			text_printf(t, "\\%03o", c);
		else
			text_printf(t, "\\%o", c);
	}
	text_puts(t, more ? "\"..." : "\"");
}

void text_json(struct text *t, const char *s, size_t n)
{
	text_put(t, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '"' || c == '\\')
			text_printf(t, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			text_printf(t, "\\u%04x", c);
		else
			text_put(t, s + i, 1);
	}
	text_put(t, "\"", 1);
}

void text_errno(struct text *t, int err)
{
	const char *name = strerrorname_np(err);
	if (name)
		text_puts(t, name);
	else
		text_printf(t, "E%d", err);
}

/* strace's names: the first two real-time signals are the C library's own. */
void text_signal(struct text *t, int sig)
{
	const char *name = sig > 0 && sig < 32 ? sigabbrev_np(sig) : NULL;
	if (sig == SIGIO)
		text_puts(t, "SIGIO");
	else if (name)
		text_printf(t, "SIG%s", name);
	else if (sig == 32)
		text_puts(t, "SIGRTMIN");
	else if (sig > 32 && sig < 64)
		text_printf(t, "SIGRT_%d", sig - 32);
	else if (sig == 64)
		text_puts(t, "SIGRT_32");
	else
		text_printf(t, "%d", sig);
}

void text_flags(struct text *t, const struct value_name *names, uint64_t v, const char *unknown)
{
	bool first = true;
	uint64_t left = v;
	for (; names->name; names++) {
		/* A name of several bits takes all of them; one of none stands for an empty set. */
		if (names->value ? (left & names->value) != names->value : v != 0)
			continue;
		text_printf(t, "%s%s", first ? "" : "|", names->name);
		first = false;
		left &= ~names->value;
	}
	if (left && !first)
		text_printf(t, "|%#" PRIx64, left);
	else if (left)
		text_printf(t, "%#" PRIx64 " /* %s */", left, unknown);
	else if (first)
		text_puts(t, "0");
}

void text_value(struct text *t, const struct value_name *names, uint64_t v, const char *unknown)
{
	for (; names->name; names++)
		if (names->value == v) {
			text_puts(t, names->name);
			return;
		}
	text_printf(t, "%#" PRIx64 " /* %s */", v, unknown);
}
