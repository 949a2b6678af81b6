/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_lock.c - flock(2) and record locks: never on a host file that others can see (vfs_flock).
 */
#include "kernel/syscall.h"

#include "kernel/sys_lock.h"

#include <sys/file.h>

/* The copied-up file takes the place of the lower one, with the same close-on-exec flag. Consumes replace. */
static int put_replacement(struct call *c, int fdarg, int replace)
{
	AUTO_CLOSE int fd = replace;
	int cloexec, r;

	if (fd < 0)
		return 0;
	cloexec = c->ops->fd_cloexec(c, arg_int(c, fdarg));
	if (cloexec < 0)
		return cloexec;
	r = c->ops->put_fd(c, fd, arg_int(c, fdarg), cloexec);
	return r < 0 ? r : 0;
}

int64_t sys_flock(struct call *c)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_CLOSE int fd = -1;
	int op = arg_int(c, 1), replace = -1, r, r2;

	/* Since 5.18 accepted and without any effect, even on no descriptor. */
	if (op & LOCK_MAND)
		return 0;
	switch (op & ~LOCK_NB) {
	case LOCK_SH:
	case LOCK_EX:
	case LOCK_UN:
		break;
	default:
		return -EINVAL;
	}
	r = call_file(c, 0, &f, &fd);
	if (r < 0)
		return r;
	if (f.o_path)
		return -EBADF;
	/* Also on a descriptor that the user passed in it's done here: the host would look up the number anew, and a thread could have put a
	 * lower file there meanwhile. */
	r = vfs_flock(&c->ctx, &f, fd, op, &replace);
	r2 = put_replacement(c, 0, replace);
	return r < 0 ? r : r2;
}

int64_t lock_fcntl(struct call *c)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_CLOSE int fd = -1;
	int replace = -1, r;

	r = call_file(c, 0, &f, &fd);
	if (r < 0)
		return r;
	if (f.o_path)
		return -EBADF;
	if (f.kind == VF_FILE) {
		r = vfs_prepare_lock(&c->ctx, &f, fd, &replace);
		if (r < 0)
			return r;
		r = put_replacement(c, 0, replace);
		if (r < 0)
			return r;
	}
	return CALL_CONTINUE;
}
