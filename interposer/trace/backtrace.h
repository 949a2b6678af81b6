/* SPDX-License-Identifier: Apache-2.0 */
/* backtrace.h - the stack of a stopped thread, with the names of its functions. */
#ifndef INTERPOSER_TRACE_BACKTRACE_H
#define INTERPOSER_TRACE_BACKTRACE_H

#include "base/base.h"

#include <sys/types.h>
#include <sys/user.h>

#define BACKTRACE_FRAMES 256
struct frame {
	uint64_t ip;
	const char *file;     /* as the program's root names it, or what maps calls the mapping; NULL: in no mapping */
	uint64_t offset;      /* in the file */
	const char *function; /* demangled, or NULL */
	uint64_t distance;    /* from its beginning */
};
/*
 * Calls fn for each frame, the innermost first; strings are valid during the call and may have any bytes but NUL in them. The thread, by the
 * supervisor's number, must stand still, and other threads should, with regs as its registers. Safe in several threads.
 */
void backtrace_thread(pid_t tid, const struct user_regs_struct *regs, void (*fn)(void *arg, const struct frame *f),
		      void *arg);

#endif
