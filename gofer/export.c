/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.c - makes the mount tree an export is served from.
 *
 * What a tracee does to a descriptor that was opened through this tree is judged by the tree's flags, so "read-only" here is what makes
 * fchmod(2), futimens(3), xattrs and reopening for writing fail on it.
 */
#include "gofer/gofer.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>

bool gofer_is_store(const char *name, size_t len)
{
	const size_t n = sizeof GOFER_STORE_PREFIX - 1;
	if (len != n + GOFER_STORE_ID_LEN || memcmp(name, GOFER_STORE_PREFIX, n))
		return false;
	for (size_t i = n; i < len; i++)
		if (!strchr("0123456789abcdef", name[i]))
			return false;
	return true;
}

bool gofer_is_hidden(const char *name, size_t len)
{
	const size_t n = sizeof GOFER_CONTROL_PREFIX - 1;
	return gofer_is_store(name, len) || (len >= n && !memcmp(name, GOFER_CONTROL_PREFIX, n));
}

static int clone_mounts(const char *path, bool ro, unsigned flags, int *rootfd)
{
	AUTO_CLOSE int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
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

int gofer_open_export(const char *path, bool ro, int *rootfd)
{
	/* Recursive also because the kernel refuses to uncover what mounts of a more privileged namespace hide (EINVAL). */
	return clone_mounts(path, ro, AT_RECURSIVE, rootfd);
}

int gofer_open_store(const char *path, int *rootfd)
{
	return clone_mounts(path, false, AT_SYMLINK_NOFOLLOW, rootfd);
}
