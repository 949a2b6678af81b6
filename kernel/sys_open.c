/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_open.c - open(2), openat2(2), creat(2): flags as Linux checks them, then the VFS.
 */
#include "kernel/syscall.h"

#define O_PATH_FLAGS       (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)
#define KERNEL_O_LARGEFILE 0100000 /* glibc's O_LARGEFILE is 0 on x86_64 */
#define VALID_OPEN_FLAGS                                                                                          \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_ASYNC | \
	 O_DIRECT | KERNEL_O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE)
#define VALID_RESOLVE \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED)

static bool will_create(uint64_t flags)
{
	return flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY));
}

/* What is written through O_SYNC and O_DSYNC is on the disk then; so must be the name that it's found by. */
static int promise(struct call *c, const struct open_how *how)
{
	if (!(how->flags & O_DSYNC) || (how->flags & O_PATH) || (how->flags & O_ACCMODE) == O_RDONLY)
		return 0;
	c->ops->may_block(c);
	return vfs_sync(false);
}

static int64_t open_common(struct call *c, int dirarg, int patharg, const struct open_how *how)
{
	AUTO_PATH struct path base = {0};
	char name[PATH_MAX];
	ssize_t n;
	AUTO_CLOSE int fd = -1;
	int r = vfs_open_check(how);

	if (r < 0)
		return r; /* before the name is read and the directory is looked for */
	n = call_path(c, patharg, name);
	if (n < 0)
		return n;
	if (dirarg >= 0) {
		/* There an absolute name starts at the descriptor, too. */
		r = call_base(c, dirarg, how->resolve & RESOLVE_IN_ROOT ? "." : name, &base);
		if (r < 0)
			return r;
	}
	r = vfs_open(&c->ctx, base.dentry ? &base : NULL, name, how, &fd);
	if (!r)
		r = promise(c, how);
	if (r < 0)
		return r;
	return call_return_fd(c, take_fd(&fd), how->flags & O_CLOEXEC);
}

/* build_open_how(): open ignores what it doesn't know. */
static int64_t open_legacy(struct call *c, int dirarg, int patharg, uint32_t flags, uint32_t mode)
{
	struct open_how how = {.flags = flags & VALID_OPEN_FLAGS, .mode = mode & 07777};

	if (how.flags & O_PATH)
		how.flags &= O_PATH_FLAGS;
	if (!will_create(how.flags))
		how.mode = 0;
	return open_common(c, dirarg, patharg, &how);
}

int64_t sys_open(struct call *c)
{
	return open_legacy(c, -1, 0, arg_u32(c, 1), arg_u32(c, 2));
}

int64_t sys_creat(struct call *c)
{
	return open_legacy(c, -1, 0, O_CREAT | O_WRONLY | O_TRUNC, arg_u32(c, 1));
}

int64_t sys_openat(struct call *c)
{
	return open_legacy(c, 0, 1, arg_u32(c, 2), arg_u32(c, 3));
}

int64_t sys_openat2(struct call *c)
{
	struct open_how how;
	int r = call_struct(c, c->args[2], c->args[3], &how, sizeof(how));

	if (r < 0)
		return r;
	if ((how.flags & ~(uint64_t)VALID_OPEN_FLAGS) || (how.resolve & ~(uint64_t)VALID_RESOLVE))
		return -EINVAL;
	if ((how.resolve & RESOLVE_BENEATH) && (how.resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (will_create(how.flags) ? (how.mode & ~UINT64_C(07777)) != 0 : how.mode != 0)
		return -EINVAL;
	if ((how.flags & O_PATH) && (how.flags & ~(uint64_t)O_PATH_FLAGS))
		return -EINVAL;
	if ((how.resolve & RESOLVE_CACHED) && (how.flags & (O_TRUNC | O_CREAT | (O_TMPFILE & ~O_DIRECTORY))))
		return -EAGAIN;
	return open_common(c, 0, 1, &how);
}
