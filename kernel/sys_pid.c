/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_pid.c - calls that name another process: Linux's permission rule on the virtual credentials, then the host's own call.
 */
#include "kernel/syscall.h"

#include "kernel/cred.h"
#include "kernel/pending.h"
#include "kernel/sys_pid.h"

#include <limits.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

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

static int64_t check_ptrace(struct call *c, pid_t pid, bool realcreds)
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
	ok = t->exe && cred_may_ptrace(c->rec->cred, t->cred, t->dumpable && !pending_guards(t->pending), realcreds);
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
	int fd = arg_int(c, 0), got;
	pid_t pid;
	int64_t r;

	if (arg_u32(c, 2))
		return -EINVAL;
	if (fd < 0)
		return CALL_CONTINUE; /* PIDFD_SELF or nothing */
	/* The host would look up the number anew, and a thread could have put another process there: done here, for ourselves too. */
	pid = c->ops->pidfd_pid(c, fd);
	if (pid < 0)
		return pid;
	r = check_ptrace(c, pid, true);
	if (r != CALL_CONTINUE)
		return r;
	got = c->ops->get_fd_of(c, pid, arg_int(c, 1));
	if (got < 0)
		return got;
	/* Again: it may have gained privilege, or been another process, since. */
	r = check_ptrace(c, pid, true);
	if (r != CALL_CONTINUE) {
		close_fd_(&got);
		return r;
	}
	return call_return_fd(c, got, true);
}

int64_t sys_process_madvise(struct call *c)
{
	int fd = arg_int(c, 0);
	pid_t pid = fd < 0 ? (pid_t)vfs_tgid(&c->ctx) : c->ops->pidfd_pid(c, fd);

	return pid < 0 ? pid : check_ptrace(c, pid, false);
}

/*
 * An attach that was allowed before an execve of a set-uid program may take place after sys_execve looked for a tracer. Whatever the tracer does
 * then, be it to let go, comes by here before the stub checks in.
 */
static void note_tracer(struct call *c, pid_t pid)
{
	struct record *t;

	task_lock();
	t = c->ops->record_of(c, pid);
	if (t && pending_guards(t->pending))
		t->pending->traced = true;
	task_unlock();
	record_put(t);
}

int64_t sys_ptrace(struct call *c)
{
	switch (c->args[0]) {
	case PTRACE_ATTACH:
	case PTRACE_SEIZE:
		return check_ptrace(c, arg_int(c, 1), true);
	case PTRACE_TRACEME:
		return CALL_CONTINUE;
	case PTRACE_CONT:
	case PTRACE_DETACH:
	case PTRACE_KILL:
	case PTRACE_LISTEN:
	case PTRACE_SYSCALL:
		/* Lets it go on. */
		note_tracer(c, arg_int(c, 1));
		return CALL_CONTINUE;
	default:
		/* Attached to with our consent, else the host says ESRCH; but the consent may have been to what it was before an exec. */
		note_tracer(c, arg_int(c, 1));
		return check_ptrace(c, arg_int(c, 1), true);
	}
}

/* The largest piece copied under task_lock(), and MAX_RW_COUNT. */
#define VM_PIECE 65536
#define VM_MAX   ((uint64_t)0x7ffff000)

static int read_iov(struct call *c, int arg, struct iovec iov[IOV_MAX])
{
	uint64_t n = c->args[arg + 1];
	int r;

	if (n > IOV_MAX)
		return -EINVAL;
	r = n ? c->ops->read(c, c->args[arg], iov, n * sizeof(*iov)) : 0;
	for (uint64_t i = 0; !r && i < n; i++)
		if ((ssize_t)iov[i].iov_len < 0)
			r = -EINVAL;
	return r;
}

/* One piece, the check and the access in one critical section. All of it, or -errno. */
static int64_t vm_piece(struct call *c, pid_t pid, bool write, uint64_t local, uint64_t remote, void *buf, size_t n)
{
	int64_t r = write ? c->ops->read(c, local, buf, n) : 0;

	if (r < 0)
		return r;
	task_lock();
	r = check_ptrace(c, pid, true);
	if (r == CALL_CONTINUE)
		r = c->ops->access_of(c, pid, write, remote, buf, n);
	task_unlock();
	if (!r && !write)
		r = c->ops->write(c, local, buf, n);
	return r;
}

/*
 * Done here, not by the host after a check: between the two the process could have executed a set-uid program, and what is written to it
 * before its stub checks in would run with the new identity. Under task_lock() it is either the old program or seen to be guarded.
 */
static int64_t vm_copy(struct call *c, bool write)
{
	AUTO_FREE struct iovec *iov = calloc(2 * IOV_MAX, sizeof(*iov));
	AUTO_FREE void *buf = malloc(VM_PIECE);
	struct iovec *l = iov, *r = iov + IOV_MAX;
	uint64_t nl = c->args[2], nr = c->args[4], il = 0, ir = 0, done = 0;
	pid_t pid = arg_int(c, 0);
	int64_t err;

	if (pid <= 0)
		return -ESRCH;
	if (is_self(c, pid))
		return CALL_CONTINUE;
	if (c->args[5])
		return -EINVAL;
	if (!iov || !buf)
		return -ENOMEM;
	err = read_iov(c, 1, l);
	if (!err)
		err = read_iov(c, 3, r);
	if (!err && (err = check_ptrace(c, pid, true)) == CALL_CONTINUE)
		err = 0;
	if (err)
		return err;
	while (il < nl && ir < nr && done < VM_MAX) {
		uint64_t at = (uintptr_t)r[ir].iov_base, to = (uintptr_t)l[il].iov_base;
		size_t n = MIN(MIN(l[il].iov_len, r[ir].iov_len), MIN((uint64_t)VM_PIECE, VM_MAX - done));

		if (n) {
			err = vm_piece(c, pid, write, to, at, buf, n);
			/* Up to the page that isn't there, as the host does. */
			if (err == -EFAULT && n > 4096 - MAX(at & 4095, to & 4095)) {
				n = 4096 - MAX(at & 4095, to & 4095);
				err = vm_piece(c, pid, write, to, at, buf, n);
			}
			if (err)
				return done ? (int64_t)done : err;
			/* Two gigabytes take a while: others are answered meanwhile. */
			c->ops->may_block(c);
			if (c->ops->interrupted(c))
				return (int64_t)(done + n);
		}
		done += n;
		l[il] = (struct iovec){(void *)(uintptr_t)(to + n), l[il].iov_len - n};
		r[ir] = (struct iovec){(void *)(uintptr_t)(at + n), r[ir].iov_len - n};
		if (!r[ir].iov_len)
			ir++;
		if (!l[il].iov_len)
			il++;
	}
	return (int64_t)done;
}

int64_t sys_process_vm_readv(struct call *c)
{
	return vm_copy(c, false);
}

int64_t sys_process_vm_writev(struct call *c)
{
	return vm_copy(c, true);
}

int64_t sys_process_access(struct call *c)
{
	pid_t pid = arg_int(c, 0);

	/* 0 is the caller. */
	return pid == 0 ? CALL_CONTINUE : pid < 0 ? -ESRCH : check_ptrace(c, pid, true);
}

int64_t sys_kcmp(struct call *c)
{
	for (int i = 0; i < 2; i++) {
		int64_t r = arg_int(c, i) <= 0 ? -ESRCH : check_ptrace(c, arg_int(c, i), true);

		if (r != CALL_CONTINUE)
			return r;
	}
	return CALL_CONTINUE;
}

int64_t sys_sched(struct call *c)
{
	return arg_int(c, 0) < 0 ? -EINVAL : check_nice(c, arg_int(c, 0));
}

int64_t sys_sched_getaffinity(struct call *c)
{
	cpu_set_t cpus;
	ssize_t n = c->ops->true_cpus(c, arg_int(c, 0), arg_u32(c, 1), &cpus);

	if (n <= 0)
		return n ? n : CALL_CONTINUE;
	return c->ops->write(c, c->args[2], &cpus, (size_t)n) ? -EFAULT : n;
}

/* All users of the sandbox are one user of the host, so that "all processes of a user" can't be left to it. */
static int64_t check_user(struct call *c, uint32_t who)
{
	if (cred_capable(c->rec->cred, CAP_SYS_NICE))
		return CALL_CONTINUE;
	return who && who != c->rec->cred->uid ? -ESRCH : -EPERM;
}

/* which: PRIO_PROCESS and so on; argument 1 is who. */
static int64_t check_whose(struct call *c, uint32_t which)
{
	switch (which) {
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

int64_t sys_setpriority(struct call *c)
{
	return check_whose(c, arg_u32(c, 0));
}

_Static_assert(IOPRIO_WHO_PGRP - IOPRIO_WHO_PROCESS == PRIO_PGRP && IOPRIO_WHO_USER - IOPRIO_WHO_PROCESS == PRIO_USER,
	       "the same kinds in the same order");

int64_t sys_ioprio_set(struct call *c)
{
	return check_whose(c, arg_u32(c, 0) - IOPRIO_WHO_PROCESS);
}
