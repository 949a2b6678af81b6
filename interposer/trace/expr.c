/* SPDX-License-Identifier: Apache-2.0 */
/* expr.c - strace's -e expressions: what is shown and how, faults to inject. */
#include "interposer/trace/trace.h"

#include "base/log.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int64_t parse_error(const char *s)
{
	for (int e = 1; e < 134; e++)
		if (strerrorname_np(e) && !strcmp(strerrorname_np(e), s))
			return -e;
	char *end;
	long v = strtol(s, &end, 10);
	if (*end || v < 1 || v > 4095)
		die("-e inject: \"%s\" is no error", s);
	return -v;
}

/* N, N..LAST, and behind either + or +STEP */
static void parse_when(struct trace_inject *in, const char *s)
{
	char *end;
	unsigned long first = strtoul(s, &end, 10), last = UINT_MAX, step = 0;
	if (!strncmp(end, "..", 2)) {
		const char *at = end + 2;
		last = strtoul(at, &end, 10);
		step = 1;
		if (*at < '0' || *at > '9' || last < first || last > 65535)
			first = 0;
	}
	if (*end == '+') {
		const char *at = end + 1;
		step = *at ? strtoul(at, &end, 10) : 1;
		if (!*at)
			end++;
		if (!step)
			first = 0;
	}
	if (*end || !first || first > 65535 || step > 65535 || s[0] < '0' || s[0] > '9')
		die("-e inject: when=%s: wanted are N, N+, N+STEP, and N..LAST for N", s);
	in->first = (unsigned)first;
	in->last = (unsigned)last;
	in->step = (unsigned)step;
}

static int parse_signal(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);
	if (*s && !*end && n > 0 && n < 65)
		return (int)n;
	const char *name = strncmp(s, "SIG", 3) ? s : s + 3;
	for (int sig = 1; sig < 32; sig++)
		if (sigabbrev_np(sig) && !strcmp(sigabbrev_np(sig), name))
			return sig;
	if (!strcmp(name, "IO"))
		return SIGIO;
	die("-e: \"%s\" is no signal", s);
}

/* Microseconds, or with ms or s behind them. */
static unsigned parse_delay(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);
	unsigned long unit = !strcmp(end, "s") ? 1000000 : !strcmp(end, "ms") ? 1000 : !*end || !strcmp(end, "us") ? 1 : 0;
	if (s[0] < '0' || s[0] > '9' || !unit || n > 60000000 / unit)
		die("-e inject: \"%s\" is no delay up to 60 s", s);
	return (unsigned)(n * unit);
}

static void parse_inject(struct trace_options *t, const char *text)
{
	AUTO_FREE char *copy = xstrdup(text);
	char *rest = copy, *word = strsep(&rest, ":");
	bool have = false;
	if (t->n_injects == TRACE_INJECTS)
		die("-e inject: at most %d", TRACE_INJECTS);
	struct trace_inject *in = &t->injects[t->n_injects++];
	*in = (struct trace_inject){.first = 1, .last = UINT_MAX, .step = 1};
	trace_parse_set(&in->calls, word);
	while ((word = strsep(&rest, ":"))) {
		char *end;
		if (!strncmp(word, "when=", 5)) {
			parse_when(in, word + 5);
			continue;
		}
		if (!strncmp(word, "signal=", 7)) {
			in->signal = parse_signal(word + 7);
			have = true;
			continue;
		}
		unsigned *delay = !strncmp(word, "delay_enter=", 12)  ? &in->delay_enter_us
				  : !strncmp(word, "delay=", 6)       ? &in->delay_enter_us
				  : !strncmp(word, "delay_exit=", 11) ? &in->delay_exit_us
								      : NULL;
		if (delay) {
			*delay = parse_delay(strchr(word, '=') + 1);
			have = true;
			continue;
		}
		if (in->fakes)
			die("-e inject: one error or retval is enough: %s", text);
		if (!strncmp(word, "error=", 6)) {
			in->result = parse_error(word + 6);
		} else if (!strncmp(word, "retval=", 7)) {
			in->result = (int64_t)strtoll(word + 7, &end, 0);
			if (*end || !word[7] || in->result < 0)
				die("-e inject: retval=%s is not a number from 0 on", word + 7);
		} else {
			die("-e inject: \"%s\" is not supported; there are error=, retval=, signal=, delay_enter=, "
			    "delay_exit= and when=",
			    word);
		}
		have = in->fakes = true;
	}
	if (!have)
		die("-e inject: %s: an error=, a retval=, a signal= or a delay is needed", text);
}

/* -e signal=[!]SET: names with or without SIG, with commas. */
static uint64_t parse_signals(const char *text)
{
	bool inverted = text[0] == '!';
	AUTO_FREE char *copy = xstrdup(text + inverted);
	char *rest = copy, *word;
	uint64_t set = 0;
	while ((word = strsep(&rest, ","))) {
		if (!strcmp(word, "all"))
			set = UINT64_MAX;
		else if (strcmp(word, "none"))
			set |= UINT64_C(1) << (parse_signal(word) - 1);
	}
	return inverted ? ~set : set;
}

static void parse_status(struct trace_options *t, const char *text)
{
	if (!strcmp(text, "successful"))
		t->only_ok = true;
	else if (!strcmp(text, "failed"))
		t->only_failed = true;
	else if (strcmp(text, "all"))
		die("-e status=%s is not supported; there are successful, failed and all", text);
}

static void parse_fds(struct trace_fds *set, const char *text)
{
	bool inverted = text[0] == '!';
	AUTO_FREE char *copy = xstrdup(text + inverted);
	char *rest = copy, *word, *end;
	*set = (struct trace_fds){.above = false};
	while ((word = strsep(&rest, ","))) {
		if (!strcmp(word, "all")) {
			memset(set->bits, 0xff, sizeof(set->bits));
			set->above = true;
			continue;
		}
		if (!strcmp(word, "none"))
			continue;
		unsigned long fd = strtoul(word, &end, 10);
		if (*end || *word < '0' || *word > '9' || fd >= TRACE_FDS)
			die("-e: \"%s\" is no descriptor from 0 to %d", word, TRACE_FDS - 1);
		set->bits[fd / 64] |= UINT64_C(1) << (fd % 64);
	}
	for (size_t i = 0; inverted && i < ARRAY_SIZE(set->bits); i++)
		set->bits[i] = ~set->bits[i];
	set->above ^= inverted;
}

/* What -q says in letters. */
static void parse_quiet(struct trace_options *t, const char *text)
{
	AUTO_FREE char *copy = xstrdup(text);
	char *rest = copy, *word;
	while ((word = strsep(&rest, ","))) {
		if (!strcmp(word, "all") || !strcmp(word, "exit") || !strcmp(word, "exits"))
			t->quiet = 2;
		else if (!strcmp(word, "attach") || !strcmp(word, "personality") || !strcmp(word, "path-resolution") ||
			 !strcmp(word, "path-resolve"))
			t->quiet = MAX(t->quiet, 1U);
		else if (strcmp(word, "none"))
			die("-e quiet=%s is not supported; there are attach, path-resolution, personality, exit, all and "
			    "none",
			    word);
	}
}

static void parse_decode_fds(struct trace_options *t, const char *text)
{
	AUTO_FREE char *copy = xstrdup(text);
	char *rest = copy, *word;
	while ((word = strsep(&rest, ","))) {
		if (!strcmp(word, "all") || !strcmp(word, "dev") || !strcmp(word, "socket"))
			t->fd_paths = t->fd_details = true;
		else if (!strcmp(word, "path"))
			t->fd_paths = true;
		else if (strcmp(word, "none"))
			die("-e decode-fds=%s is not supported; there are path, socket, dev, all and none", word);
	}
}

static void parse_raw(struct trace_options *t, const char *text)
{
	trace_parse_set(&t->raw, text);
}

static void parse_read(struct trace_options *t, const char *text)
{
	parse_fds(&t->read_fds, text);
}

static void parse_write(struct trace_options *t, const char *text)
{
	parse_fds(&t->write_fds, text);
}

static void parse_abbrev(struct trace_options *t, const char *text)
{
	if (strcmp(text, "none") != 0 && strcmp(text, "all") != 0)
		die("-e abbrev=%s is not supported; there are none (as -v) and all", text);
	t->verbose = !strcmp(text, "none");
}

static void parse_signal_set(struct trace_options *t, const char *text)
{
	t->signals = parse_signals(text);
}

static void parse_fault(struct trace_options *t, const char *text)
{
	/* strace's older form: ENOSYS without a word. */
	AUTO_FREE char *whole = xasprintf("%s%s", text, strstr(text, ":error=") ? "" : ":error=ENOSYS");
	parse_inject(t, whole);
}

static void parse_trace(struct trace_options *t, const char *text)
{
	/* Calls that the table doesn't have, too. */
	t->filtered = strcmp(text, "all") && strcmp(text, "%all");
	trace_parse_set(&t->wanted, text);
}

void trace_expression(struct trace_options *t, const char *expr)
{
	static const struct {
		const char *name;
		void (*parse)(struct trace_options *t, const char *text);
	} qualifiers[] = {{"trace", parse_trace},
			  {"t", parse_trace},
			  {"signal", parse_signal_set},
			  {"signals", parse_signal_set},
			  {"s", parse_signal_set},
			  {"status", parse_status},
			  {"inject", parse_inject},
			  {"fault", parse_fault},
			  {"raw", parse_raw},
			  {"x", parse_raw},
			  {"read", parse_read},
			  {"reads", parse_read},
			  {"r", parse_read},
			  {"write", parse_write},
			  {"writes", parse_write},
			  {"w", parse_write},
			  {"abbrev", parse_abbrev},
			  {"a", parse_abbrev},
			  {"quiet", parse_quiet},
			  {"q", parse_quiet},
			  {"silent", parse_quiet},
			  {"silence", parse_quiet},
			  {"decode-fds", parse_decode_fds},
			  {"decode-fd", parse_decode_fds}};
	const char *value = strchr(expr, '=');
	for (size_t i = 0; value && i < ARRAY_SIZE(qualifiers); i++)
		if (!strncmp(qualifiers[i].name, expr, (size_t)(value - expr)) && !qualifiers[i].name[value - expr]) {
			qualifiers[i].parse(t, value + 1);
			return;
		}
	if (value)
		die("-e %s is not supported; there are trace=, signal=, status=, inject=, fault=, raw=, read=, write=, "
		    "abbrev=, "
		    "quiet= and decode-fds=",
		    expr);
	parse_trace(t, expr);
}

void trace_defaults(struct trace_options *t)
{
	*t = (struct trace_options){.on = true, .lines = true, .strsize = 32, .fd = -1, .signals = UINT64_MAX};
}
