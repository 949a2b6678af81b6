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
 * The stacks of all threads of the sandbox, or of one process by its number inside (guest, 0: all). The threads stop for it together, and go on
 * when they have been looked at; one whose call is being answered stops only at its end, and is said to be in that call. Returns at once: a thread
 * writes to fd, at most max bytes from its start, and calls done with the length, or with -ESRCH: no such process, -EBUSY: a trace runs; fd stays open
 * until then. -EAGAIN: no thread. Main thread.
 */
int stacks_start(int fd, size_t max, pid_t guest, bool json, void (*done)(void *arg, ssize_t len), void *arg);

#endif
