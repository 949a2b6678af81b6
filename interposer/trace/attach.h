/* SPDX-License-Identifier: Apache-2.0 */
/* attach.h - sandbox trace -p: a trace of a sandbox that runs already, as a request (interposer/control.h) and the supervisor's end of it. */
#ifndef INTERPOSER_TRACE_ATTACH_H
#define INTERPOSER_TRACE_ATTACH_H

#include "interposer/control.h"
#include "interposer/trace/trace.h"

/* struct trace_options without pointers and without types of which not every value is one. */
struct control_trace {
	struct control_head head;
	int32_t pid;    /* as the sandbox numbers it; 0: all processes */
	uint32_t flags; /* attach_wire.c */
	uint32_t clock, sort, quiet, hex, strsize;
	uint32_t n_paths, n_injects;
	uint64_t signals;
	trace_set wanted, raw;
	uint64_t read_fds[TRACE_FDS / 64], write_fds[TRACE_FDS / 64];
	struct {
		trace_set calls;
		int64_t result;
		uint32_t fakes, signal, delay_enter_us, delay_exit_us, first, last, step;
	} injects[TRACE_INJECTS];
	char paths[TRACE_PATHS][TRACE_PATH_MAX]; /* NUL terminated */
};

/* The kind's options; head and pid are the caller's. */
void attach_pack(struct control_trace *q, const struct trace_options *t);
/* Checks everything. paths of *t point into *q. 0 or -EINVAL. */
int attach_unpack(struct trace_options *t, const struct control_trace *q) MUST_CHECK;

/*
 * Begins a trace; returns at once. Lines go to out, a pipe, until everything that is traced has ended or the other end of sock is closed: then the
 * processes are let go, and what they have shown until then is written if somebody reads it. A reader who stalls stops what is traced, nobody
 * else. done(arg, n, NULL) when n threads have been taken, or done(arg, -errno, why); never on the caller's thread, and before out is closed.
 * On 0 sock and out belong to the trace, else -errno and they're the caller's. Main thread.
 */
int attach_start(const struct control_trace *q, int sock, int out,
		 void (*done)(int sock, int r, const char *why)) MUST_CHECK;
/* Everything inside has ended: waits until that has been written, but not for a reader who stalls. */
void attach_finish(void);
/* A trace by attach_start() runs. */
bool attach_runs(void);

#endif
