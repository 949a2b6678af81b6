/* SPDX-License-Identifier: Apache-2.0 */
/*
 * together.h - the tracer and the one tracee that runs share a CPU.
 *
 * A stop wakes the tracer and the tracer wakes the tracee; on another CPU, which has gone to sleep meanwhile, each of the two costs several times
 * what the switch on the same one does. So while stops are frequent and only one tracee at a time has something to do, the tracer and each tracee
 * that stops are kept on one CPU. As soon as the tracees would use more than that, all may run everywhere again; and so they may when stops get rare.
 *
 * The program doesn't see it: its calls and /proc tell the CPUs that it may use (trace.h). The first program that sets an affinity itself ends it
 * for the whole sandbox.
 */
#ifndef INTERPOSER_TRACE_TOGETHER_H
#define INTERPOSER_TRACE_TOGETHER_H

#include "interposer/trace/tracee.h"

/* struct tracee's cpu, if it isn't one. */
#define CPU_ANY     (-1) /* where the program may run */
#define CPU_UNKNOWN (-2) /* a child is where its parent was when it was born */

/* All under trace_mu. */
/* What a tracee that is new begins with. */
int together_newborn(void);
/* parent has stopped after the birth of child, which it may have begun before a program's own affinity: child is to have what parent has. */
void together_forked(const struct tracee *parent, pid_t child);
/* By the tracer, before it lets a stopped one go on. */
void together_place(struct tracee *t);
/* t may run everywhere: it's let go. */
void together_leave(struct tracee *t);
/* So may all; until the next stop. */
void together_end(void);

#endif
