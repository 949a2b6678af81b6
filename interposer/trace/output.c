/* SPDX-License-Identifier: Apache-2.0 */
/* output.c - see output.h. */
#include "interposer/trace/output.h"

#include "interposer/trace/summary.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define RESULT_COLUMN 40 /* strace's */
#define FLUSH_AT      32768

static const struct trace_options *opt;
static struct text out;
static size_t line_start; /* in out, of the line that is being made; below 0 bytes of it may be written already */
static size_t prefix;     /* bytes of its process's number */
static size_t written;    /* bytes of the open line that out no longer has */
static pid_t open_tid;    /* whose call the open line is; 0: none is open */
static struct timespec last;
static atomic_bool given_up;

void output_start(const struct trace_options *o)
{
	opt = o;
	format_start();
	out.n = line_start = written = 0;
	open_tid = 0;
	last = (struct timespec){0};
	summary_start(o);
}

void output_give_up(bool yes)
{
	given_up = yes;
}

size_t output_waiting(void)
{
	return out.n;
}

void output_flush(void)
{
	int fd = opt->fd >= 0 ? opt->fd : 2;
	size_t at = 0;
	while (at < out.n && !given_up) {
		ssize_t n = write(fd, out.p + at, out.n - at);
		if (n > 0) {
			at += (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};
			poll(&p, 1, -1);
		} else if (!(n < 0 && errno == EINTR)) {
			break; /* nobody reads any more: the program goes on */
		}
	}
	written += out.n > line_start ? out.n - line_start : 0;
	out.n = line_start = 0;
}

static void end_line(void)
{
	text_puts(&out, opt->tty ? "\r\n" : "\n");
	line_start = out.n;
	written = 0;
	open_tid = 0;
	if (out.n > FLUSH_AT && !opt->attached)
		output_flush();
}

static void close_open_line(void)
{
	if (!open_tid)
		return;
	text_puts(&out, " <unfinished ...>");
	end_line();
}

static void begin_line(const struct line_of *who)
{
	struct timespec now;
	struct tm tm;
	close_open_line();
	size_t before = out.n;
	if (opt->file)
		text_printf(&out, "%-5d ", who->shown_as);
	else if (who->several)
		text_printf(&out, "[pid %5d] ", who->shown_as);
	prefix = out.n - before;
	if (opt->clock == CLOCK_NONE && !opt->relative)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (opt->clock == CLOCK_EPOCH) {
		text_printf(&out, "%lld.%06ld ", (long long)now.tv_sec, now.tv_nsec / 1000);
	} else if (opt->clock != CLOCK_NONE && localtime_r(&now.tv_sec, &tm)) {
		text_printf(&out, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
		if (opt->clock == CLOCK_MICRO)
			text_printf(&out, ".%06ld", now.tv_nsec / 1000);
		text_puts(&out, " ");
	}
	if (opt->relative) {
		struct timespec now_mono;
		clock_gettime(CLOCK_MONOTONIC, &now_mono);
		int64_t us = last.tv_sec ? (now_mono.tv_sec - last.tv_sec) * INT64_C(1000000) +
					       (now_mono.tv_nsec - last.tv_nsec) / 1000
					 : 0;
		last = now_mono;
		text_printf(&out, "%6" PRId64 ".%06" PRId64 " ", us / 1000000, us % 1000000);
	}
}

static bool holds_lines(void)
{
	return opt->only_ok || opt->only_failed || opt->json || opt->per_process_files;
}

void output_entry(const struct line_of *who, const struct shown *s)
{
	if (!opt->lines || holds_lines())
		return;
	begin_line(who);
	text_put(&out, s->text.p, s->text.n);
	open_tid = who->tid;
}

/* --- JSON: the schema is in sandbox-trace(1) ----------------------------------------------------------------------- */

static void json_head(const struct line_of *who, const char *type)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	text_printf(&out, "{\"type\":\"%s\",\"pid\":%d,\"time\":%lld.%06ld", type, who->shown_as, (long long)now.tv_sec,
		    now.tv_nsec / 1000);
}

static void json_call(const struct line_of *who, const struct shown *s)
{
	struct text result = {0};
	size_t name_len = (size_t)(strchr(s->text.p, '(') - s->text.p);
	json_head(who, "call");
	text_puts(&out, ",\"name\":");
	text_json(&out, s->text.p, name_len);
	text_puts(&out, ",\"args\":[");
	bool first = true;
	for (int i = 0; i < s->n && i < s->next; i++) {
		if (s->from[i] == s->to[i])
			continue; /* one that the call doesn't look at */
		if (!first)
			text_puts(&out, ",");
		first = false;
		text_json(&out, s->text.p + s->from[i], s->to[i] - s->from[i]);
	}
	text_puts(&out, "]");
	if (!s->exiting) {
		text_puts(&out, ",\"result\":null");
	} else if (s->failed) {
		text_puts(&out, ",\"result\":-1,\"error\":\"");
		text_errno(&out, (int)-s->rval);
		text_puts(&out, "\"");
	} else {
		text_printf(&out, ",\"result\":%" PRId64, s->rval);
	}
	format_result(s, &result);
	text_puts(&out, ",\"text\":");
	if (s->exiting && result.n > 3)
		text_json(&out, result.p + 3, result.n - 3);
	else
		text_puts(&out, "\"?\"");
	text_printf(&out, ",\"duration\":%" PRId64 ".%06" PRId64, who->spent_ns / 1000000000,
		    who->spent_ns % 1000000000 / 1000);
	text_printf(&out, ",\"injected\":%s", who->injected ? "true" : "false");
	if (opt->effects) {
		text_puts(&out, ",\"effects\":{");
		format_effects(&s->effects, true, &out);
		text_puts(&out, "}");
	}
	if (s->stack.n) {
		text_puts(&out, ",\"stack\":");
		text_put(&out, s->stack.p, s->stack.n);
	}
	text_puts(&out, "}");
	free(result.p);
	end_line();
}

/* --- The end of a call --------------------------------------------------------------------------------------------- */

static void pad(void)
{
	size_t column = written + (out.n - line_start);
	/* Where each process has a file, its number isn't written there. */
	if (opt->per_process_files)
		column -= MIN(column, prefix);
	for (; column < RESULT_COLUMN - 1; column++)
		text_put(&out, " ", 1);
}

/* Lines of their own; a process's number before each would break their form. */
static void put_more(const struct shown *s)
{
	if (!s->stack.n && !s->bytes.n)
		return;
	text_put(&out, s->bytes.p, s->bytes.n);
	text_put(&out, s->stack.p, s->stack.n);
	line_start = out.n;
}

void output_exit(const struct line_of *who, const struct shown *s)
{
	if (opt->summary)
		summary_add(who, s->c->nr, s->failed, who->spent_ns);
	if (!opt->lines || (opt->only_ok && s->failed) || (opt->only_failed && !s->failed))
		return;
	if (!s->text.p)
		return;
	if (opt->json) {
		json_call(who, s);
		return;
	}
	if (open_tid == who->tid) {
		text_put(&out, s->text.p + s->at_entry, s->text.n - s->at_entry);
	} else if (holds_lines() || !who->begun) {
		begin_line(who);
		text_put(&out, s->text.p, s->text.n);
	} else {
		begin_line(who);
		const char *end = strchr(s->text.p, '(');
		text_printf(&out, "<... %.*s resumed>", (int)(end - s->text.p), s->text.p);
		text_put(&out, s->text.p + s->at_entry, s->text.n - s->at_entry);
	}
	pad();
	format_result(s, &out);
	if (who->injected)
		text_puts(&out, " (INJECTED)");
	if (opt->effects)
		format_effects(&s->effects, false, &out);
	if (opt->spent)
		text_printf(&out, " <%" PRId64 ".%06" PRId64 ">", who->spent_ns / 1000000000,
			    who->spent_ns % 1000000000 / 1000);
	end_line();
	put_more(s);
}

void output_signal(const struct line_of *who, int sig, const void *siginfo, bool stopped)
{
	struct text info = {0};
	if (!opt->lines || !(opt->signals >> (sig - 1) & 1))
		return;
	if (siginfo)
		format_siginfo(&info, siginfo);
	if (opt->json) {
		json_head(who, stopped ? "stopped" : "signal");
		text_puts(&out, ",\"signal\":\"");
		text_signal(&out, sig);
		text_puts(&out, "\"");
		if (info.n) {
			text_puts(&out, ",\"info\":");
			text_json(&out, info.p, info.n);
		}
		text_puts(&out, "}");
	} else {
		begin_line(who);
		text_puts(&out, stopped ? "--- stopped by " : "--- ");
		text_signal(&out, sig);
		if (info.n)
			text_puts(&out, " ");
		text_put(&out, info.p, info.n);
		text_puts(&out, " ---");
	}
	free(info.p);
	end_line();
}

/* inside: the call that it won't return from (exit_group), or NULL. */
void output_gone(const struct line_of *who, int wstatus, const struct shown *inside)
{
	if (inside && opt->summary)
		summary_add(who, inside->c->nr, false, 0);
	if (!opt->lines)
		return;
	if (inside && inside->text.p && opt->json) {
		json_call(who, inside);
	} else if (inside && inside->text.p && !opt->only_ok && !opt->only_failed) {
		if (holds_lines() || !who->begun) {
			begin_line(who);
			text_put(&out, inside->text.p, inside->text.n);
		} else if (open_tid != who->tid) {
			const char *end = strchr(inside->text.p, '(');
			begin_line(who);
			text_printf(&out, "<... %.*s resumed>", (int)(end - inside->text.p), inside->text.p);
		}
		text_puts(&out, inside->next < inside->n ? " <unfinished ...>)" : ")");
		pad();
		text_puts(&out, " = ?");
		end_line();
		put_more(inside);
	}
	if (opt->quiet > 1)
		return;
	if (opt->json) {
		json_head(who, WIFEXITED(wstatus) ? "exit" : "killed");
		if (WIFEXITED(wstatus)) {
			text_printf(&out, ",\"status\":%d}", WEXITSTATUS(wstatus));
		} else {
			text_puts(&out, ",\"signal\":\"");
			text_signal(&out, WTERMSIG(wstatus));
			text_printf(&out, "\",\"core\":%s}", WCOREDUMP(wstatus) ? "true" : "false");
		}
	} else {
		begin_line(who);
		if (WIFEXITED(wstatus)) {
			text_printf(&out, "+++ exited with %d +++", WEXITSTATUS(wstatus));
		} else {
			text_puts(&out, "+++ killed by ");
			text_signal(&out, WTERMSIG(wstatus));
			text_puts(&out, WCOREDUMP(wstatus) ? " (core dumped) +++" : " +++");
		}
	}
	end_line();
}

void output_superseded(const struct line_of *who, pid_t by)
{
	if (!opt->lines)
		return;
	if (opt->json) {
		json_head(who, "superseded");
		text_printf(&out, ",\"by\":%d}", by);
	} else {
		begin_line(who);
		text_printf(&out, "+++ superseded by execve in pid %d +++", by);
	}
	end_line();
}

void output_summary(void)
{
	if (!opt->summary)
		return;
	close_open_line();
	summary_print(&out, end_line);
	output_flush();
}
