/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report.c - the workers' half of a trace: a call that our kernel answers is shown by the worker that answers it, which knows arguments and result,
 * so the process doesn't stop for it. What a worker can't see the end of, because the host runs it, is handed over to the tracer: the process stops
 * at each call from there on, makes this one again, and goes on without stops after it.
 */
#include "interposer/trace/tracee.h"

#include "base/log.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>

atomic_bool trace_reports;
static __thread struct {
	struct shown shown;
	struct line_of who;
	int64_t entered_ns;
	bool active;   /* it's ours to show */
	bool collects; /* it's the tracer's to show, who needs the effects */
} mine;

#define FLUSH_MS 20

static bool dirty; /* the file lacks lines: flusher() was told */
static pthread_cond_t got_dirty = PTHREAD_COND_INITIALIZER;

static void *flusher(void *arg)
{
	static const struct timespec soon = {0, FLUSH_MS * 1000000L};
	pthread_mutex_lock(&trace_mu);
	for (;;) {
		while (!dirty)
			pthread_cond_wait(&got_dirty, &trace_mu);
		pthread_mutex_unlock(&trace_mu);
		nanosleep(&soon, NULL);
		pthread_mutex_lock(&trace_mu);
		dirty = false;
		output_flush();
	}
	return NULL;
}

void trace_shown(void)
{
	if (trace_opt->fd < 0) {
		output_flush();
	} else if (!dirty) {
		dirty = true;
		pthread_cond_signal(&got_dirty);
	}
}

void report_start(void)
{
	pthread_t thread;
	effects_on = trace_opt->effects;
	trace_reports = trace_opt->reports || trace_opt->effects;
	int err = trace_opt->fd >= 0 ? pthread_create(&thread, NULL, flusher, NULL) : 0;
	if (err)
		die("can't start a thread: %s", strerror(err));
	if (trace_opt->fd >= 0)
		pthread_detach(thread);
}

/* To be added to what the tracer will show. An execve is two calls, and one that was handed over is made again: it's the sum. */
static void hand_over_effects(pid_t tid)
{
	pthread_mutex_lock(&trace_mu);
	struct tracee *t = tracee_find(tid);
	/* What the stub does on the way to the program isn't shown, nor what only workers would show and don't. */
	if (t && t->exec != EXEC_LOADING && (t->each || t->inside || !trace_opt->reports))
		effects_add(&t->shown.effects, &effects);
	pthread_mutex_unlock(&trace_mu);
}

enum trace_verdict trace_enter(struct call *c, uint64_t ip, bool foreign)
{
	mine.active = false;
	mine.collects = effects_wanted();
	if (mine.collects)
		effects = (struct effects){0};
	if (!trace_opt->reports)
		return TRACE_GO_ON;
	if (foreign ? trace_opt->filtered : !trace_wants(c->nr))
		return TRACE_GO_ON;
	if (!trace_path_wanted(c, foreign))
		return TRACE_GO_ON;
	pthread_mutex_lock(&trace_mu);
	struct tracee *t = tracee_find(c->pid);
	/* Who isn't traced is the sandbox's own code, or a process that could not be taken. */
	bool show = t && !t->each && !t->inside;
	if (t && show && t->exec != EXEC_NONE) {
		if (tracee_in_stub(t, ip))
			show = false;
		else
			t->exec = EXEC_NONE;
	}
	/* Faults are the tracer's to inject. */
	bool hand_over = show && !foreign && trace_injects(c->nr);
	mine.who = (struct line_of){.tid = c->pid, .several = tracee_several()};
	if (t) {
		mine.who.process = t->live.guest_tgid;
		mine.who.shown_as = t->live.guest_tid;
	}
	pthread_mutex_unlock(&trace_mu);
	if (!show)
		return TRACE_GO_ON;
	if (hand_over && trace_take_over(c->pid))
		return TRACE_AGAIN;
	if (!mine.who.shown_as)
		c->ops->guest_pids(c, &mine.who.process, &mine.who.shown_as);
	mine.shown.opt = trace_opt;
	mine.shown.c = c;
	mine.shown.foreign = foreign;
	mine.entered_ns = trace_opt->spent || trace_opt->summary || trace_opt->json ? trace_now_ns() : 0;
	if (trace_opt->lines)
		format_entry(&mine.shown);
	mine.active = true;
	return TRACE_GO_ON;
}

void trace_blocks(const struct call *c)
{
	if (!mine.active || mine.shown.c != c || mine.who.begun)
		return;
	pthread_mutex_lock(&trace_mu);
	output_entry(&mine.who, &mine.shown);
	mine.who.begun = true;
	trace_shown();
	pthread_mutex_unlock(&trace_mu);
}

bool trace_continues(const struct call *c)
{
	if (!mine.active)
		return false;
	/* Where the tracer can't take it its result is not to be had: it's left out. */
	mine.active = false;
	return trace_take_over(c->pid);
}

void trace_leave(const struct call *c, int64_t r)
{
	if (!mine.active) {
		if (mine.collects)
			hand_over_effects(c->pid);
		return;
	}
	mine.shown.effects = effects;
	mine.active = false;
	mine.shown.rval = r;
	mine.shown.failed = r < 0 && r >= -4095;
	if (mine.entered_ns)
		mine.who.spent_ns = trace_now_ns() - mine.entered_ns;
	if (trace_opt->lines)
		format_exit(&mine.shown);
	pthread_mutex_lock(&trace_mu);
	output_exit(&mine.who, &mine.shown);
	trace_shown();
	pthread_mutex_unlock(&trace_mu);
}
