/* SPDX-License-Identifier: Apache-2.0 */
/* tracee.c - see tracee.h. */
#include "interposer/trace/tracee.h"
#include "interposer/trace/together.h"

#include "base/log.h"
#include "interposer/supervisor.h"

#include <string.h>
#include <time.h>

#define BUCKETS   1024
#define STUB_SPAN ((uint64_t)(stub_image_end - stub_image) + 65536)

pthread_mutex_t trace_mu = PTHREAD_MUTEX_INITIALIZER;
const struct trace_options *trace_opt;
bool trace_joins;
static struct tracee *buckets[BUCKETS];
static unsigned n_tracees;

int64_t trace_now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

struct tracee *tracee_find(pid_t tid)
{
	for (struct tracee *t = buckets[(unsigned)tid % BUCKETS]; t; t = t->next)
		if (t->tid == tid)
			return t;
	return NULL;
}

static void insert(struct tracee *t)
{
	t->next = buckets[(unsigned)t->tid % BUCKETS];
	buckets[(unsigned)t->tid % BUCKETS] = t;
}

static void unlink_tracee(struct tracee *t)
{
	struct tracee **p = &buckets[(unsigned)t->tid % BUCKETS];
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
}

struct tracee *tracee_get(pid_t tid)
{
	struct tracee *t = tracee_find(tid);
	if (t)
		return t;
	t = calloc(1, sizeof *t);
	if (!t)
		die("out of memory");
	t->tid = tid;
	t->live.call = (struct call){.pid = tid, .ops = &live_ops, .ret_fd = -1};
	t->cpu = together_newborn();
	t->shown.opt = trace_opt;
	t->shown.c = &t->live.call;
	insert(t);
	n_tracees++;
	/* Asked while it lives, and kept. */
	tracee_line(t);
	return t;
}

bool tracee_is_ours(pid_t tid)
{
	return !execroot_running(tid);
}

void tracee_drop(struct tracee *t)
{
	unlink_tracee(t);
	n_tracees--;
	free(t->shown.text.p);
	free(t->shown.extra.p);
	free(t->shown.stack.p);
	free(t->shown.bytes.p);
	free(t);
}

void tracee_renumber(struct tracee *t, pid_t tid)
{
	unlink_tracee(t);
	t->tid = tid;
	t->live.call.pid = tid;
	t->live.guest_tgid = 0;
	insert(t);
	tracee_line(t);
}

void tracee_each(void (*fn)(struct tracee *t))
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		for (struct tracee *t = buckets[i], *next; t; t = next) {
			next = t->next;
			fn(t);
		}
	}
}

bool tracee_several(void)
{
	return n_tracees > 1;
}

struct line_of tracee_line(struct tracee *t)
{
	pid_t tgid = -1, tid = -1;
	live_ops.guest_pids(&t->live.call, &tgid, &tid);
	return (struct line_of){.tid = t->tid,
				.shown_as = tid,
				.process = tgid,
				.several = n_tracees > 1,
				.injected = t->injected,
				.begun = t->begun,
				.spent_ns = t->inside ? trace_now_ns() - t->entered_ns : 0};
}

bool tracee_in_stub(const struct tracee *t, uint64_t ip)
{
	return ip + STUB_SPAN >= t->stub_ip && ip <= t->stub_ip + STUB_SPAN;
}

bool trace_wants(int nr)
{
	return !trace_opt->filtered || trace_set_has(&trace_opt->wanted, (uint64_t)(int64_t)nr);
}

bool trace_injects(int nr)
{
	for (unsigned i = 0; i < trace_opt->n_injects; i++)
		if (trace_set_has(&trace_opt->injects[i].calls, (uint64_t)(int64_t)nr))
			return true;
	return false;
}

const struct trace_inject *trace_injected(struct tracee *t, int nr)
{
	for (unsigned i = 0; i < trace_opt->n_injects; i++) {
		const struct trace_inject *in = &trace_opt->injects[i];
		if (!trace_set_has(&in->calls, (uint64_t)(int64_t)nr))
			continue;
		unsigned n = ++t->inject_counts[i];
		if (n >= in->first && n <= in->last && (in->step ? (n - in->first) % in->step == 0 : n == in->first))
			return in;
	}
	return NULL;
}
