/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c - see summary.h. */
#include "interposer/trace/summary.h"

#include "interposer/supervisor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* So many processes are told apart; how many there are is the program's choice. */
#define MAX_PROCESSES 4096

struct count {
	unsigned nr; /* TRACE_CALLS: what the table doesn't have */
	uint64_t calls, errors;
	int64_t ns;
};
struct process {
	pid_t pid;
	char name[16];        /* what it executed last */
	struct count *counts; /* of the calls that it made, in no order */
	unsigned n, size;
};

static const struct trace_options *opt;
static struct count totals[TRACE_CALLS + 1];
static struct process *processes; /* by their first call */
static unsigned n_processes;
static uint64_t untold; /* calls of processes beyond MAX_PROCESSES */

void summary_start(const struct trace_options *o)
{
	opt = o;
	for (unsigned i = 0; i <= TRACE_CALLS; i++)
		totals[i] = (struct count){.nr = i};
	for (unsigned i = 0; i < n_processes; i++)
		free(processes[i].counts);
	free(processes);
	processes = NULL;
	n_processes = 0;
	untold = 0;
}

static void take_name(struct process *p, pid_t tid)
{
	char path[32];
	snprintf(path, sizeof path, "%d/comm", tid);
	AUTO_CLOSE int fd = openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, p->name, sizeof p->name - 1);
	if (n <= 0)
		return;
	p->name[n] = 0;
	p->name[strcspn(p->name, "\n")] = 0;
}

static struct process *process_of(const struct line_of *who)
{
	/* The one that called last calls again, mostly. */
	static unsigned last;
	if (last < n_processes && processes[last].pid == who->process)
		return &processes[last];
	for (unsigned i = n_processes; i-- > 0;)
		if (processes[i].pid == who->process) {
			last = i;
			return &processes[i];
		}
	if (n_processes == MAX_PROCESSES)
		return NULL;
	if (!processes)
		processes = calloc(MAX_PROCESSES, sizeof *processes);
	if (!processes)
		return NULL;
	processes[n_processes].pid = who->process;
	take_name(&processes[n_processes], who->tid);
	return &processes[n_processes++];
}

static struct count *count_of(struct process *p, unsigned nr)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->counts[i].nr == nr)
			return &p->counts[i];
	if (p->n == p->size) {
		unsigned size = p->size ? 2 * p->size : 16;
		struct count *more = realloc(p->counts, size * sizeof *more);
		if (!more)
			return NULL;
		p->counts = more;
		p->size = size;
	}
	p->counts[p->n] = (struct count){.nr = nr};
	return &p->counts[p->n++];
}

static void add(struct count *c, bool failed, int64_t ns)
{
	c->calls++;
	c->errors += failed;
	c->ns += ns;
}

void summary_add(const struct line_of *who, int number, bool failed, int64_t ns)
{
	unsigned nr = number >= 0 && number < TRACE_CALLS ? (unsigned)number : TRACE_CALLS;
	add(&totals[nr], failed, ns);
	if (!opt->by_process)
		return;
	struct process *p = process_of(who);
	struct count *c = p ? count_of(p, nr) : NULL;
	if (!c) {
		untold++;
		return;
	}
	add(c, failed, ns);
	if (nr == SYS_execve && !failed)
		take_name(p, who->tid);
}

static int compare(const void *a, const void *b)
{
	const struct count *x = a, *y = b;
	const struct syscall_desc *dx = syscall_desc((int)x->nr), *dy = syscall_desc((int)y->nr);
	int64_t l = 0, r = 0;
	switch (opt->sort) {
	case SORT_TIME:
		l = x->ns, r = y->ns;
		break;
	case SORT_CALLS:
		l = (int64_t)x->calls, r = (int64_t)y->calls;
		break;
	case SORT_ERRORS:
		l = (int64_t)x->errors, r = (int64_t)y->errors;
		break;
	case SORT_AVERAGE:
		l = x->ns / (int64_t)MAX(x->calls, 1U), r = y->ns / (int64_t)MAX(y->calls, 1U);
		break;
	case SORT_NAME:
		return dx && dy ? strcmp(dx->name, dy->name) : !dx - !dy;
	case SORT_NOTHING:
		break;
	}
	return l != r ? (l < r ? 1 : -1) : (x->nr > y->nr) - (x->nr < y->nr);
}

static void put_line(struct text *out, double percent, const struct count *c, const char *name)
{
	char e[24] = "";
	if (c->errors)
		snprintf(e, sizeof e, "%" PRIu64, c->errors);
	text_printf(out, "%6.2f %11.6f %11" PRIu64 " %9" PRIu64 " %9s %s", percent, (double)c->ns / 1e9,
		    c->calls ? (uint64_t)c->ns / 1000 / c->calls : 0, c->calls, e, name);
}

/* Sorts them. */
static void put_table(struct text *out, void (*end_line)(void), struct count *v, unsigned n)
{
	static const char rule[] = "------ ----------- ----------- --------- --------- ----------------";
	struct count sum = {0};
	for (unsigned i = 0; i < n; i++) {
		sum.calls += v[i].calls;
		sum.errors += v[i].errors;
		sum.ns += v[i].ns;
	}
	qsort(v, n, sizeof *v, compare);
	text_puts(out, "% time     seconds  usecs/call     calls    errors syscall");
	end_line();
	text_puts(out, rule);
	end_line();
	for (unsigned i = 0; i < n; i++) {
		const struct syscall_desc *d = syscall_desc((int)v[i].nr);
		if (!v[i].calls)
			continue;
		put_line(out, sum.ns ? 100.0 * (double)v[i].ns / (double)sum.ns : 0, &v[i], d ? d->name : "(unknown)");
		end_line();
	}
	text_puts(out, rule);
	end_line();
	put_line(out, 100.0, &sum, "total");
	end_line();
}

void summary_print(struct text *out, void (*end_line)(void))
{
	for (unsigned i = 0; i < n_processes; i++) {
		struct process *p = &processes[i];
		text_printf(out, "Process %d ", p->pid);
		text_quote(out, p->name, strlen(p->name), 0, false);
		text_puts(out, ":");
		end_line();
		put_table(out, end_line, p->counts, p->n);
		end_line();
	}
	if (untold) {
		text_printf(out, "%" PRIu64 " calls of other processes", untold);
		end_line();
	}
	if (opt->by_process) {
		text_puts(out, "All processes:");
		end_line();
	}
	put_table(out, end_line, totals, TRACE_CALLS + 1);
}
