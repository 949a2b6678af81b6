/* SPDX-License-Identifier: Apache-2.0 */
/* stacks.h - stacks as text: of a traced thread (trace -k), and of all threads of a running sandbox (sandbox stacks). */
#ifndef INTERPOSER_TRACE_STACKS_H
#define INTERPOSER_TRACE_STACKS_H

#include "interposer/trace/text.h"

#include <sys/types.h>

/* Of a thread that has stopped for the calling one, its tracer: a line " > file(function+0xN) [0xOFFSET]" a frame, as strace -k prints them. */
void stack_lines(struct text *t, pid_t tid);
/* The same as a JSON array. */
void stack_json(struct text *t, pid_t tid);
/*
 * Stops all threads of the sandbox, or of one process by its number inside (0: all), and lets them go on when they have been looked at. A thread
 * whose call is being answered stops only at its end: it's said to be in that call. 0, or -ESRCH: no such process, -EBUSY: a trace runs,
 * -EAGAIN: no thread. Any thread; needs trace_tracer().
 */
int stacks_text(struct text *t, pid_t guest, bool json);

#endif
