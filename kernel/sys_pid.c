/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_pid.c - calls that name another process: Linux's permission rule on the virtual credentials, then the host's own call.
 */
#include "kernel/syscall.h"

#include "kernel/cred.h"
#include "kernel/sys_pid.h"

#include <linux/capability.h>
#include <linux/ioprio.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

static bool is_self(struct call *c, pid_t pid)
{
	return pid == vfs_tgid(&c->ctx) || pid == vfs_tid(&c->ctx);
}

static bool same_session(struct call *c, pid_t pid)
{
	pid_t host = c->ops->host_pid(c, pid), a, b;

	if (host <= 0 || c->pid <= 0)
		return false;
	a = getsid(host);
	b = getsid(c->pid);
	return a > 0 && a == b;
}

int64_t pid_check_kill(struct call *c, pid_t pid, int sig)
{
	struct record *t;
	bool ok;

	if (is_self(c, pid))
		return CALL_CONTINUE;
	if (pid == 1) {
		/* Our init. Like any init without handlers it takes no notice, and its signals are not the program's to send. */
		return cred_capable(c->rec->cred, CAP_KILL) || c->rec->cred->euid == 0 ? 0 : -EPERM;
	}
	t = c->ops->record_of(c, pid);
	if (!t)
		return -ESRCH;
	ok = cred_may_kill(c->rec->cred, t->cred);
	record_put(t);
	return ok || (sig == SIGCONT && same_session(c, pid)) ? CALL_CONTINUE : -EPERM;
}

int64_t pid_check_ptrace(struct call *c, pid_t pid, bool realcreds)
{
	struct record *t;
	bool ok;

	if (is_self(c, pid))
		return CALL_CONTINUE;
	if (pid == 1)
		return -EPERM;
	t = c->ops->record_of(c, pid);
	if (!t)
		return -ESRCH;
	ok = cred_may_ptrace(c->rec->cred, t->cred, t->dumpable, realcreds);
	record_put(t);
	return ok ? CALL_CONTINUE : -EPERM;
}

static int64_t check_nice(struct call *c, pid_t pid)
{
	struct record *t;
	bool ok;

	if (pid == 0 || is_self(c, pid))
		return CALL_CONTINUE;
	if (pid == 1)
		return -EPERM;
	t = c->ops->record_of(c, pid);
	if (!t)
		return -ESRCH;
	ok = cred_may_nice(c->rec->cred, t->cred);
	record_put(t);
	return ok ? CALL_CONTINUE : -EPERM;
}

static bool signal_valid(int sig)
{
	return sig >= 0 && sig <= 64;
}

/* Groups go to the host as they are: init and supervisor are in none that can be named. Members of other virtual users are hit too. */
int64_t sys_kill(struct call *c)
{
	pid_t pid = arg_int(c, 0);

	if (!signal_valid(arg_int(c, 1)))
		return -EINVAL;
	return pid <= 0 ? CALL_CONTINUE : pid_check_kill(c, pid, arg_int(c, 1));
}

int64_t sys_tkill(struct call *c)
{
	if (arg_int(c, 0) <= 0 || !signal_valid(arg_int(c, 1)))
		return -EINVAL;
	return pid_check_kill(c, arg_int(c, 0), arg_int(c, 1));
}

int64_t sys_tgkill(struct call *c)
{
	if (arg_int(c, 0) <= 0 || arg_int(c, 1) <= 0 || !signal_valid(arg_int(c, 2)))
		return -EINVAL;
	/* The host makes sure that the thread is the group's. */
	if (arg_int(c, 0) == vfs_tgid(&c->ctx))
		return CALL_CONTINUE;
	return pid_check_kill(c, arg_int(c, 1), arg_int(c, 2));
}

int64_t sys_rt_sigqueueinfo(struct call *c)
{
	pid_t pid = arg_int(c, 0);

	return pid <= 0 ? -ESRCH : pid_check_kill(c, pid, arg_int(c, 1));
}

int64_t sys_rt_tgsigqueueinfo(struct call *c)
{
	if (arg_int(c, 0) <= 0 || arg_int(c, 1) <= 0)
		return -EINVAL;
	return pid_check_kill(c, arg_int(c, 1), arg_int(c, 2));
}

int64_t sys_pidfd_send_signal(struct call *c)
{
	int fd = arg_int(c, 0);
	pid_t pid = fd < 0 ? (pid_t)vfs_tgid(&c->ctx) : c->ops->pidfd_pid(c, fd); /* PIDFD_SELF is negative */

	return pid < 0 ? pid : pid_check_kill(c, pid, arg_int(c, 1));
}

int64_t sys_pidfd_getfd(struct call *c)
{
	int fd = arg_int(c, 0);
	pid_t pid = fd < 0 ? (pid_t)vfs_tgid(&c->ctx) : c->ops->pidfd_pid(c, fd);

	return pid < 0 ? pid : pid_check_ptrace(c, pid, true);
}

int64_t sys_process_madvise(struct call *c)
{
	int fd = arg_int(c, 0);
	pid_t pid = fd < 0 ? (pid_t)vfs_tgid(&c->ctx) : c->ops->pidfd_pid(c, fd);

	return pid < 0 ? pid : pid_check_ptrace(c, pid, false);
}

int64_t sys_ptrace(struct call *c)
{
	switch (c->args[0]) {
	case PTRACE_ATTACH:
	case PTRACE_SEIZE:
		return pid_check_ptrace(c, arg_int(c, 1), true);
	default:
		/* TRACEME, or a tracee that was attached to with our consent: else the host says ESRCH. */
		return CALL_CONTINUE;
	}
}

int64_t sys_process_access(struct call *c)
{
	pid_t pid = arg_int(c, 0);

	/* 0 is the caller for all but process_vm_*, where the host says ESRCH. */
	return pid == 0 ? CALL_CONTINUE : pid < 0 ? -ESRCH : pid_check_ptrace(c, pid, true);
}

int64_t sys_kcmp(struct call *c)
{
	for (int i = 0; i < 2; i++) {
		int64_t r = arg_int(c, i) <= 0 ? -ESRCH : pid_check_ptrace(c, arg_int(c, i), true);

		if (r != CALL_CONTINUE)
			return r;
	}
	return CALL_CONTINUE;
}

int64_t sys_sched(struct call *c)
{
	return arg_int(c, 0) < 0 ? -EINVAL : check_nice(c, arg_int(c, 0));
}

/* All users of the sandbox are one user of the host, so that "all processes of a user" can't be left to it. */
static int64_t check_user(struct call *c, uint32_t who)
{
	if (cred_capable(c->rec->cred, CAP_SYS_NICE))
		return CALL_CONTINUE;
	return who && who != c->rec->cred->uid ? -ESRCH : -EPERM;
}

int64_t sys_setpriority(struct call *c)
{
	switch (arg_int(c, 0)) {
	case PRIO_PROCESS:
		return check_nice(c, arg_int(c, 1));
	case PRIO_PGRP:
		return CALL_CONTINUE;
	case PRIO_USER:
		return check_user(c, arg_u32(c, 1));
	default:
		return -EINVAL;
	}
}

int64_t sys_ioprio_set(struct call *c)
{
	switch (arg_int(c, 0)) {
	case IOPRIO_WHO_PROCESS:
		return check_nice(c, arg_int(c, 1));
	case IOPRIO_WHO_PGRP:
		return CALL_CONTINUE;
	case IOPRIO_WHO_USER:
		return check_user(c, arg_u32(c, 1));
	default:
		return -EINVAL;
	}
}
