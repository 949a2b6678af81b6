/* SPDX-License-Identifier: Apache-2.0 */
/* proc_ops.c - how vfs/'s /proc looks into live processes: struct vfs_proc_ops. pids here are the tracees' own. */
#include "interposer/live.h"
#include "interposer/trace/trace.h"

#include "kernel/pending.h"
#include "kernel/task.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

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
	/* A debugger asks at the exec's stop, before the process has made a call that settles it. */
	if (r->pending && r->pending->copied && execroot_running(remote_host_pid(guest)) == r->pending->stub_ino) {
		path_put(&out->exe);
		out->exe = r->pending->path;
		path_get(&out->exe);
		out->cmdline_prefix = NULL;
		out->cmdline_prefix_len = 0;
	}
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

static ssize_t read_mem(pid_t guest, uint64_t addr, void *buf, size_t len)
{
	pid_t pid = remote_host_pid(guest);
	struct iovec l = {buf, len}, r = {(void *)(uintptr_t)addr, len};
	if (pid <= 0)
		return -ESRCH;
	ssize_t n = process_vm_readv(pid, &l, 1, &r, 1, 0);
	return n < 0 ? -errno : n;
}

static bool may_inspect(struct vfs_ctx *ctx, pid_t guest)
{
	if (guest == vfs_tgid(ctx) || guest == vfs_tid(ctx))
		return true;
	struct record *r = record_of(guest);
	if (!r)
		return false;
	bool ok = task_may_inspect(ctx->cred, r);
	record_put(r);
	return ok;
}

static bool hold_cpus(pid_t guest)
{
	pid_t tid = remote_host_pid(guest);
	return tid > 0 && trace_hold_cpus(tid);
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
	    .hold_cpus = hold_cpus,
	    .release_cpus = trace_release_cpus,
	    .task_info = task_info,
	    .task_info_release = task_info_release,
	    .task_fd = task_fd,
	    .may_inspect = may_inspect,
	    .is_stub = execroot_is_stub,
	    .task_rlimit = task_rlimit,
	    .read_mem = read_mem,
	};
	vfs_set_proc_ops(&ops);
}
