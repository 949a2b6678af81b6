/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracee.h - the processes that are traced: what the tracer's thread (observe.c) and the workers (report.c) know of them.
 *
 * Everything here, and the output (output.h), is guarded by trace_mu. Order of locks: nothing is taken while it's held but what the host
 * operations of a call take themselves.
 */
#ifndef INTERPOSER_TRACE_TRACEE_H
#define INTERPOSER_TRACE_TRACEE_H

#include "interposer/live.h"
#include "interposer/trace/output.h"

enum exec_state {
	EXEC_NONE,
	EXEC_DONE,    /* the host has executed the stub; its entry is at the next exit */
	EXEC_CHECKIN, /* the stub runs and has not checked in */
	EXEC_LOADING, /* it maps the program */
};

struct tracee {
	pid_t tid;
	struct tracee *next;
	struct live live; /* its call is the one that is shown */
	struct shown shown;
	bool each;                       /* stops at each call: the tracer shows what it does, workers don't */
	bool begun;                      /* output_entry() was called */
	bool inside, shows, checking_in; /* between entry and exit; of a call that is shown; of the stub's check-in */
	bool leaving;                    /* to be let go at its next stop */
	bool starting;                   /* still our own code, before the first program: nothing of it is shown */
	enum exec_state exec;
	uint64_t stub_ip;
	int64_t entered_ns;
	const struct trace_inject *injected;
	unsigned delay_us, delay_exit_us; /* before it goes on; after the call */
	unsigned inject_counts[TRACE_INJECTS];
	int cpu;               /* where together.h keeps it, or one of its words */
	unsigned stopped_tick; /* together.c's: of the last stop; what was measured last, and when */
	int64_t wanted_ns, wanted_at;
};

extern pthread_mutex_t trace_mu;
extern const struct trace_options *trace_opt; /* constant once the first call is made */
extern bool trace_joins;                      /* commands that join are traced, too; under trace_mu */

struct tracee *tracee_find(pid_t tid);
/* Makes one when there is none. */
struct tracee *tracee_get(pid_t tid);
void tracee_drop(struct tracee *t);
/* An exec by a thread that isn't the leader takes the leader's number. */
void tracee_renumber(struct tracee *t, pid_t tid);
struct line_of tracee_line(struct tracee *t);
bool tracee_several(void);
/* Which may drop the one that it's given. */
void tracee_each(void (*fn)(struct tracee *t));

/* Is the address in the loader stub that the process runs? */
bool tracee_in_stub(const struct tracee *t, uint64_t ip);
/* paths.c: -P. The paths are looked up once, when a trace begins. */
void trace_paths_start(const struct trace_options *o);
/* Does the call, which has only begun, name one of the paths or a descriptor of one? */
bool trace_path_wanted(struct call *c, bool foreign);
bool trace_injects(int nr);
/* What is to be put in the place of t's call nr, counted; or NULL. */
const struct trace_inject *trace_injected(struct tracee *t, int nr);
bool trace_wants(int nr);
int64_t trace_now_ns(void);

/* report.c: lines were added. At once on standard error, where the program's own output should keep its place among them; soon in a file. */
void report_start(void);
void trace_shown(void);

/* The process has not executed a program yet: it's a copy of the sandbox's own. */
bool tracee_is_ours(pid_t tid);

/* observe.c, by any thread, without trace_mu: the thread tid is to stop when its call returns, and at each call from then on. False: it can't be. */
bool trace_take_over(pid_t tid);

/* observe.c, for the thread that is the tracer (its own, or attach.c's), which says so first, and how it takes threads (PTRACE_SEIZE). */
void trace_set_tracer(long options);
/* From now on (or no more) it comes to trace_take_asked() when other threads want it. */
void trace_serves(bool yes);
/* What waitpid(2) told it. Without trace_mu. */
void trace_event(pid_t pid, int wstatus);
/* Does what other threads have asked of it: they interrupt its wait by SIGUSR2. */
void trace_take_asked(void);
extern bool trace_leaving; /* what stops now and is new is to be let go; under trace_mu */

#endif
