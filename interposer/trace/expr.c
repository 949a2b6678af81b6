/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr.c - strace's -e expressions: sets of calls by name and by class, faults to inject. Classes come from the table's argument kinds, and
 * from short lists of what kinds can't tell.
 */
#include "interposer/trace/trace.h"

#include "base/log.h"
#include "kernel/syscall.h"

#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void add(trace_set *s, int nr)
{
	s->bits[nr / 64] |= UINT64_C(1) << (nr % 64);
}

static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = list; (p = strstr(p, name)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}

static bool has_kind(const struct syscall_desc *d, enum arg_kind a, enum arg_kind b)
{
	for (int i = 0; i < d->nargs; i++)
		if (d->args[i] == a || d->args[i] == b)
			return true;
	return false;
}

static bool is_file(const struct syscall_desc *d)
{
	return has_kind(d, ARG_PATH, ARG_PATH) || listed("getcwd", d->name);
}
static bool is_desc(const struct syscall_desc *d)
{
	return has_kind(d, ARG_FD, ARG_DIRFD) || listed("open creat poll ppoll select pselect6 pipe pipe2 epoll_create "
							"epoll_create1 eventfd eventfd2 timerfd_create inotify_init "
							"inotify_init1 memfd_create memfd_secret userfaultfd pidfd_open "
							"close_range perf_event_open io_uring_setup",
							d->name);
}
static bool is_process(const struct syscall_desc *d)
{
	return listed(
	    "fork vfork clone clone3 execve execveat exit exit_group wait4 waitid kill tkill tgkill rt_sigqueueinfo "
	    "rt_tgsigqueueinfo pidfd_send_signal arch_prctl unshare",
	    d->name);
}
static bool is_network(const struct syscall_desc *d)
{
	return has_kind(d, ARG_SOCKIN, ARG_SOCKOUT) ||
	       listed("socket socketpair shutdown listen sendmsg recvmsg sendmmsg recvmmsg setsockopt getsockopt sendfile",
		      d->name);
}
static bool is_memory(const struct syscall_desc *d)
{
	return listed("brk mmap munmap mprotect mremap madvise msync mincore mlock mlock2 munlock mlockall munlockall "
		      "remap_file_pages mbind "
		      "set_mempolicy get_mempolicy migrate_pages move_pages shmat shmdt pkey_mprotect map_shadow_stack "
		      "mseal process_madvise",
		      d->name);
}
static bool is_signal(const struct syscall_desc *d)
{
	return !strncmp(d->name, "rt_sig", 6) ||
	       listed("kill tkill tgkill pause sigaltstack signalfd signalfd4 rt_tgsigqueueinfo pidfd_send_signal", d->name);
}
static bool is_any(const struct syscall_desc *d)
{
	return true;
}

static const struct {
	const char *name;
	bool (*is)(const struct syscall_desc *d);
} classes[] = {{"%file", is_file},      {"%desc", is_desc},     {"%process", is_process}, {"%network", is_network},
	       {"%net", is_network},    {"%memory", is_memory}, {"%signal", is_signal},   {"%all", is_any},
	       {"all", is_any},         {"file", is_file},      {"desc", is_desc},        {"process", is_process},
	       {"network", is_network}, {"memory", is_memory},  {"signal", is_signal}};

static void add_matching(trace_set *s, const char *pattern)
{
	regex_t re;
	bool any = false;
	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		die("-e: \"/%s\" is no regular expression", pattern);
	for (int nr = 0; nr < SYSCALL_MAX; nr++)
		if (syscall_desc(nr) && !regexec(&re, syscall_desc(nr)->name, 0, NULL, 0)) {
			add(s, nr);
			any = true;
		}
	regfree(&re);
	if (!any)
		die("-e: no call matches \"/%s\"", pattern);
}

static void add_named(trace_set *s, const char *name)
{
	/* A question mark: no matter if there's no such call. */
	const bool may_lack = name[0] == '?';
	name += may_lack;
	if (name[0] == '/') {
		add_matching(s, name + 1);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (strcmp(name, classes[i].name))
			continue;
		for (int nr = 0; nr < SYSCALL_MAX; nr++)
			if (syscall_desc(nr) && classes[i].is(syscall_desc(nr)))
				add(s, nr);
		return;
	}
	for (int nr = 0; nr < SYSCALL_MAX; nr++)
		if (syscall_desc(nr) && !strcmp(syscall_desc(nr)->name, name)) {
			add(s, nr);
			return;
		}
	if (may_lack)
		return;
	die("-e: there is no call or class \"%s\"", name);
}

static void parse_set(trace_set *s, const char *text)
{
	bool inverted = text[0] == '!';
	AUTO_FREE char *copy = xstrdup(text + inverted);
	char *rest = copy, *word;
	*s = (trace_set){{0}};
	while ((word = strsep(&rest, ",")))
		if (strcmp(word, "none"))
			add_named(s, word);
	for (size_t i = 0; inverted && i < ARRAY_SIZE(s->bits); i++)
		s->bits[i] = ~s->bits[i];
}

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

/* N, N+, N+STEP */
static void parse_when(struct trace_inject *in, const char *s)
{
	char *end;
	unsigned long first = strtoul(s, &end, 10), step = 0;
	if (*end == '+') {
		const char *at = end + 1;
		step = *at ? strtoul(at, &end, 10) : 1;
		if (!*at)
			end++;
		if (!step)
			first = 0;
	}
	if (*end || !first || first > 65535 || step > 65535 || s[0] < '0' || s[0] > '9')
		die("-e inject: when=%s: wanted are N, N+ and N+STEP", s);
	in->first = (unsigned)first;
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
	*in = (struct trace_inject){.first = 1, .step = 1};
	parse_set(&in->calls, word);
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

void trace_expression(struct trace_options *t, const char *expr)
{
	if (!strncmp(expr, "inject=", 7)) {
		parse_inject(t, expr + 7);
		return;
	}
	if (!strncmp(expr, "fault=", 6)) {
		/* strace's older form: ENOSYS without a word. */
		AUTO_FREE char *text = NULL;
		if (asprintf(&text, "%s%s", expr + 6, strstr(expr, ":error=") ? "" : ":error=ENOSYS") < 0)
			die("out of memory");
		parse_inject(t, text);
		return;
	}
	if (!strncmp(expr, "signal=", 7) || !strncmp(expr, "signals=", 8)) {
		t->signals = parse_signals(strchr(expr, '=') + 1);
		return;
	}
	if (!strncmp(expr, "status=", 7)) {
		parse_status(t, expr + 7);
		return;
	}
	if (!strncmp(expr, "trace=", 6))
		expr += 6;
	else if (!strncmp(expr, "t=", 2))
		expr += 2;
	else if (strchr(expr, '='))
		die("-e %s is not supported; there are trace=, signal=, status=, inject= and fault=", expr);
	/* Calls that the table doesn't have, too. */
	t->filtered = strcmp(expr, "all") && strcmp(expr, "%all");
	parse_set(&t->wanted, expr);
}

void trace_narrow_to_paths(struct trace_options *t)
{
	for (int nr = 0; nr < TRACE_CALLS; nr++) {
		const struct syscall_desc *d = syscall_desc(nr);
		bool names = d && (is_file(d) || has_kind(d, ARG_FD, ARG_DIRFD) ||
				   listed("poll ppoll select pselect6 symlink symlinkat", d->name));
		if (!t->filtered || !names)
			t->wanted.bits[nr / 64] &= ~(UINT64_C(1) << (nr % 64));
		if (!t->filtered && names)
			add(&t->wanted, nr);
	}
	t->filtered = true;
}

bool trace_wants_refused(const struct trace_options *t)
{
	for (int nr = 0; nr < SYSCALL_MAX; nr++) {
		const struct syscall_desc *d = syscall_desc(nr);
		if ((!d || d->verdict == VERDICT_DENY || d->verdict == VERDICT_CHECK) &&
		    (!t->filtered || trace_set_has(&t->wanted, (uint64_t)nr)))
			return true;
	}
	return false;
}

void trace_defaults(struct trace_options *t)
{
	*t = (struct trace_options){.on = true, .lines = true, .strsize = 32, .fd = -1, .signals = UINT64_MAX};
}
