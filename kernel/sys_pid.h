/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_pid.h - permission of one process over another, by virtual credentials. CALL_CONTINUE, or -EPERM, -ESRCH. The decision depends on
 * registers and records only, so the call may go on.
 */
#ifndef KERNEL_SYS_PID_H
#define KERNEL_SYS_PID_H

#include "kernel/call.h"

/* pid > 0, in the tracees' numbering; a thread's number counts for its process. */
int64_t pid_check_kill(struct call *c, pid_t pid, int sig);

#endif
