/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - sandbox --explain: notes what was refused while it happens, and says at the end what to do about it. */
#ifndef INTERPOSER_TRACE_EXPLAIN_H
#define INTERPOSER_TRACE_EXPLAIN_H

#include "interposer/launch.h"

struct call;
extern bool explain_on; /* set before the first call, then constant */
/* fd: where explain_print() writes. */
void explain_start(const struct launch_options *opt, int fd);
/* kernel_call() for a filter that refuses nothing itself (filter_install_tracee()), with notes. Any thread. */
int64_t explain_call(struct call *c);
/* As text nothing when nothing was refused; JSON always. */
void explain_print(void);

#endif
