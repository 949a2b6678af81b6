/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.c - makes the mount tree an export is served from.
 *
 * What a tracee does to a descriptor that was opened through this tree is judged by the tree's flags, so "read-only" here is what makes
 * fchmod(2), futimens(3), xattrs and reopening for writing fail on it.
 */
#include "gofer/gofer.h"

#include <fcntl.h>
#include <sys/mount.h>

int gofer_open_export(const char *path, bool ro, int *rootfd)
{
	/* Recursive also because the kernel refuses to uncover what mounts of a more privileged namespace hide (EINVAL). */
	AUTO_CLOSE int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (fd < 0)
		return -errno;
	struct mount_attr attr = {
	    .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (ro ? MOUNT_ATTR_RDONLY : 0),
	    /* Left shared, a mount made later on the host would appear in here without these flags. */
	    .propagation = MS_PRIVATE,
	};
	if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
		return -errno;
	*rootfd = take_fd(&fd);
	return 0;
}
