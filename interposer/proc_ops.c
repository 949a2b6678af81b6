/* SPDX-License-Identifier: Apache-2.0 */
/* proc_ops.c - how vfs/'s /proc looks into live processes: struct vfs_proc_ops. pids here are the tracees' own. */
#include "interposer/live.h"

#include "kernel/task.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static struct record *record_of(pid_t guest)
{
	pid_t pid = remote_host_pid(guest);
	return pid > 0 ? live_record(pid) : NULL;
}

static int task_info(pid_t guest, struct vfs_task_info *out)
{
	struct record *r = record_of(guest);
	if (!r)
		return -ESRCH;
	task_info_fill(r, out);
	record_put(r);
	return 0;
}

static int task_fd(pid_t guest, int fd)
{
	pid_t pid = remote_host_pid(guest);
	if (pid <= 0)
		return -ESRCH;
	AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return -errno;
	int got = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	return got < 0 ? -errno : got;
}

/* ptrace_may_access(PTRACE_MODE_READ_FSCREDS), kernel/ptrace.c. */
static bool may_inspect(struct vfs_ctx *ctx, pid_t guest)
{
	if (guest == ctx->tgid || guest == ctx->tid)
		return true;
	struct record *r = record_of(guest);
	if (!r)
		return false;
	const struct cred *c = r->cred;
	uid_t uid = ctx->cred->uid;
	gid_t gid = ctx->cred->gid;
	bool same = uid == c->uid && uid == c->euid && uid == c->suid && gid == c->gid && gid == c->egid && gid == c->sgid;
	bool ok = vfs_capable(ctx->cred, CAP_SYS_PTRACE) || (same && r->dumpable && !(c->permitted & ~ctx->cred->caps));
	record_put(r);
	return ok;
}

static int task_rlimit(pid_t guest, int resource, uint64_t *soft, uint64_t *hard)
{
	struct record *r = record_of(guest);
	if (!r)
		return -ESRCH;
	const uint64_t *lim = resource == RLIMIT_LOCKS ? r->rlim_locks : resource == RLIMIT_CORE ? r->rlim_core : NULL;
	if (lim) {
		*soft = lim[0];
		*hard = lim[1];
	}
	record_put(r);
	return lim ? 0 : -EINVAL;
}

void remote_register_proc_ops(void)
{
	static const struct vfs_proc_ops ops = {
	    .task_info = task_info,
	    .task_info_release = task_info_release,
	    .task_fd = task_fd,
	    .may_inspect = may_inspect,
	    .is_stub = execroot_is_stub,
	    .task_rlimit = task_rlimit,
	};
	vfs_set_proc_ops(&ops);
}
