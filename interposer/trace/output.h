/* SPDX-License-Identifier: Apache-2.0 */
/* output.h - lines of a trace, the unfinished one among them, and the summary. Used by the tracer's thread alone. */
#ifndef INTERPOSER_TRACE_OUTPUT_H
#define INTERPOSER_TRACE_OUTPUT_H

#include "interposer/trace/format.h"

struct line_of {        /* who an event is of */
	pid_t tid;      /* the supervisor's number */
	pid_t shown_as; /* the tracees' own */
	pid_t process;  /* the tracees' own number of its process */
	bool several;   /* there is more than one process: say which */
	int64_t spent_ns;
	bool injected;
	bool begun; /* output_entry() was called for the call */
};
void output_start(const struct trace_options *opt);
/* The call has begun: its line stays open. */
void output_entry(const struct line_of *who, const struct shown *s);
void output_exit(const struct line_of *who, const struct shown *s);
void output_signal(const struct line_of *who, int sig, const void *siginfo, bool stopped);
void output_gone(const struct line_of *who, int wstatus, const struct shown *inside);
void output_superseded(const struct line_of *who, pid_t by);
void output_flush(void);
/* From now on (or no more) lines that nobody takes at once are lost; interrupts nothing. Any thread. */
void output_give_up(bool yes);
size_t output_waiting(void); /* bytes */
void output_summary(void);

#endif
