/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_fcntl.c - fcntl(2) and ioctl(2): what the filter's lists (filter_rules.c) don't let pass.
 */
#include "kernel/syscall.h"

#include "kernel/sys_lock.h"
#include "kernel/sys_pid.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

static bool is_o_path(struct call *c, int *flags)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_CLOSE int fd = -1;

	if (call_file(c, 0, &f, &fd) < 0 || !f.o_path)
		return false;
	*flags = f.o_path_flags;
	return true;
}

int64_t sys_fcntl(struct call *c)
{
	int pid, flags;

	switch (arg_u32(c, 1)) {
	case F_GETFL:
		return is_o_path(c, &flags) ? flags : CALL_CONTINUE;
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return lock_fcntl(c);
	case F_SETOWN:
		pid = arg_int(c, 2);
		/* Groups, and none: the signals reach only what the sandbox's one kernel user may signal anyway. */
		if (pid <= 0 || pid == vfs_tgid(&c->ctx) || pid == vfs_tid(&c->ctx))
			return CALL_CONTINUE;
		return pid_check_kill(c, pid, 0);
	default:
		/* Leases, F_NOTIFY, write hints, F_SETOWN_EX: as on a file system without them. */
		return -EINVAL;
	}
}

int64_t sys_fsync(struct call *c)
{
	int flags;

	return is_o_path(c, &flags) ? -EBADF : CALL_CONTINUE;
}

int64_t sys_ioctl(struct call *c)
{
	switch (arg_u32(c, 1)) {
	case TIOCSTI:
		return -EIO; /* dev.tty.legacy_tiocsti=0 */
	case TIOCLINUX:
		return -EPERM;
	case FICLONE:
	case FICLONERANGE:
	case FIDEDUPERANGE:
		return -EOPNOTSUPP;
	default:
		return -ENOTTY;
	}
}
