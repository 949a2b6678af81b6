/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_dir.c - getdents(2), mkdir(2), rmdir(2), mknod(2).
 */
#include "kernel/syscall.h"

#include <sys/sysmacros.h>

/* One answer; a program that asks for more calls again. Bounds what a tracee makes us allocate. */
#define GETDENTS_MAX (128U << 10)

static int64_t getdents_common(struct call *c, bool legacy)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_CLOSE int fd = -1;
	AUTO_FREE char *buf = NULL;
	size_t size = MIN(arg_u32(c, 2), GETDENTS_MAX);
	ssize_t n;
	int r = call_file(c, 0, &f, &fd);

	if (r < 0)
		return r;
	if (f.o_path)
		return -EBADF;
	if (f.kind != VF_DIR)
		return -ENOTDIR;
	buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	n = vfs_getdents(&c->ctx, &f, fd, buf, size, legacy);
	if (n <= 0)
		return n;
	r = c->ops->write(c, c->args[1], buf, (size_t)n);
	return r < 0 ? r : n;
}

int64_t sys_getdents(struct call *c)
{
	return getdents_common(c, true);
}

int64_t sys_getdents64(struct call *c)
{
	return getdents_common(c, false);
}

static int name_and_base(struct call *c, int dirarg, int patharg, char name[PATH_MAX], struct path *base)
{
	ssize_t n = call_path(c, patharg, name);

	*base = (struct path){0};
	if (n < 0)
		return (int)n;
	return dirarg < 0 ? 0 : call_base(c, dirarg, name, base);
}

static int64_t mkdir_common(struct call *c, int dirarg, int patharg)
{
	AUTO_PATH struct path base = {0};
	char name[PATH_MAX];
	int r = name_and_base(c, dirarg, patharg, name, &base);

	return r < 0 ? r : vfs_mkdir(&c->ctx, base.dentry ? &base : NULL, name, arg_u32(c, patharg + 1) & 07777);
}

int64_t sys_mkdir(struct call *c)
{
	return mkdir_common(c, -1, 0);
}

int64_t sys_mkdirat(struct call *c)
{
	return mkdir_common(c, 0, 1);
}

int64_t sys_rmdir(struct call *c)
{
	char name[PATH_MAX];
	ssize_t n = call_path(c, 0, name);

	return n < 0 ? n : vfs_rmdir(&c->ctx, NULL, name);
}

static int64_t mknod_common(struct call *c, int dirarg, int patharg)
{
	AUTO_PATH struct path base = {0};
	char name[PATH_MAX];
	mode_t mode = arg_u32(c, patharg + 1) & (S_IFMT | 07777);
	uint32_t dev = arg_u32(c, patharg + 2); /* new_decode_dev() */
	int r;

	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	r = name_and_base(c, dirarg, patharg, name, &base);
	if (r < 0)
		return r;
	return vfs_mknod(&c->ctx, base.dentry ? &base : NULL, name, mode,
			 makedev((dev & 0xfff00) >> 8, (dev & 0xff) | ((dev >> 12) & 0xfff00)));
}

int64_t sys_mknod(struct call *c)
{
	return mknod_common(c, -1, 0);
}

int64_t sys_mknodat(struct call *c)
{
	return mknod_common(c, 0, 1);
}
