/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_fcntl.c - fcntl(2) and ioctl(2): what the filter's lists (filter_rules.c) don't let pass.
 */
#include "kernel/syscall.h"

#include "kernel/sys_lock.h"
#include "kernel/sys_pid.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

/* The call's descriptor, if it's good for more than its name. */
static int open_file(struct call *c, struct vfile *f, int *fd)
{
	int r = call_file(c, 0, f, fd);

	return r < 0 ? r : f->o_path ? -EBADF : 0;
}

/* A bad descriptor comes before a bad request. answer: what is said of a good one. */
static int64_t refuse(struct call *c, int answer)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_CLOSE int fd = -1;
	int r = open_file(c, &f, &fd);

	return r < 0 ? r : answer;
}

static int64_t refuse_notify(struct call *c)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_CLOSE int fd = -1;
	int r = open_file(c, &f, &fd);

	if (r < 0)
		return r;
	if (!(arg_u32(c, 2) & ~(uint32_t)DN_MULTISHOT))
		return 0; /* none any more: there was none */
	return f.kind == VF_DIR ? -EINVAL : -ENOTDIR;
}

/* Only with O_NOATIME does F_SETFL come here. */
static int64_t set_flags(struct call *c)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_CLOSE int fd = -1;
	int r = open_file(c, &f, &fd);

	if (r < 0)
		return r;
	return f.kind == VF_FOREIGN ? CALL_CONTINUE : vfs_setfl(&c->ctx, &f, fd, arg_int(c, 2));
}

int64_t sys_fcntl(struct call *c)
{
	int pid;

	switch (arg_u32(c, 1)) {
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
	case F_NOTIFY:
		return refuse_notify(c);
	case F_SETFL:
		return set_flags(c);
	case F_GETLEASE:
		return refuse(c, F_UNLCK); /* there are none */
	default:
		/* Leases, write hints, F_SETOWN_EX: as on a file system without them. */
		return refuse(c, -EINVAL);
	}
}

int64_t sys_ioctl(struct call *c)
{
	switch (arg_u32(c, 1)) {
	case TIOCSTI:
		return refuse(c, -EIO); /* dev.tty.legacy_tiocsti=0 */
	case TIOCLINUX:
		return refuse(c, -EPERM);
	case FICLONE:
	case FICLONERANGE:
	case FIDEDUPERANGE:
		return refuse(c, -EOPNOTSUPP);
	default:
		return refuse(c, -ENOTTY);
	}
}
