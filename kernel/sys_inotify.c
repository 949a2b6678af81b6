/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_inotify.c - inotify(7): no watch is ever placed on a host inode, so none can be added.
 */
#include "kernel/syscall.h"

#include <sys/inotify.h>

/* The instance is a real one: it can be polled and closed, and never becomes readable. */
int64_t sys_inotify_init(struct call *c)
{
	return CALL_CONTINUE;
}

int64_t sys_inotify_init1(struct call *c)
{
	return CALL_CONTINUE;
}

/* ENOSPC, the watch limit: tail -f, node and others then poll. Other errors come first, as in Linux. */
int64_t sys_inotify_add_watch(struct call *c)
{
	AUTO_PATH struct path p = {0};
	uint32_t mask = arg_u32(c, 2);
	char name[PATH_MAX];
	ssize_t n;
	int fd, r;

	if (!(mask & (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED)) ||
	    ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE)))
		return -EINVAL;
	fd = c->ops->get_fd(c, arg_int(c, 0));
	if (fd < 0)
		return fd;
	close_fd_(&fd);
	n = call_path(c, 1, name);
	if (n < 0)
		return n;
	r = vfs_resolve(&c->ctx, NULL, name, mask & IN_DONT_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0, &p);
	return r < 0 ? r : -ENOSPC;
}

int64_t sys_inotify_rm_watch(struct call *c)
{
	int fd = c->ops->get_fd(c, arg_int(c, 0));

	if (fd < 0)
		return fd;
	close_fd_(&fd);
	return -EINVAL;
}
