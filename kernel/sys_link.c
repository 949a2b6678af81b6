/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_link.c - link(2), unlink(2), symlink(2), rename(2).
 */
#include "kernel/syscall.h"

#include <stdio.h>

static int name_and_base(struct call *c, int dirarg, int patharg, char name[PATH_MAX], struct path *base)
{
	ssize_t n = call_path(c, patharg, name);

	*base = (struct path){0};
	if (n < 0)
		return (int)n;
	return dirarg < 0 ? 0 : call_base(c, dirarg, name, base);
}

static int64_t link_common(struct call *c, int odir, int oarg, int ndir, int narg, int flags)
{
	AUTO_TARGET struct call_target from = {.hostfd = -1};
	AUTO_PATH struct path base = {0};
	char oname[PATH_MAX], nname[PATH_MAX];
	ssize_t n;
	int r;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	n = call_path_at(c, oarg, oname, flags);
	if (n < 0)
		return n;
	r = call_target(c, odir, oname, (flags & AT_EMPTY_PATH) | (flags & AT_SYMLINK_FOLLOW ?: AT_SYMLINK_NOFOLLOW), &from);
	if (r < 0)
		return r;
	r = name_and_base(c, ndir, narg, nname, &base);
	if (r < 0)
		return r;
	if (from.hostfd >= 0 && from.file.kind == VF_FOREIGN)
		return -EXDEV;
	return vfs_link(&c->ctx, call_target_path(&from), call_target_file(&from), base.dentry ? &base : NULL, nname);
}

int64_t sys_link(struct call *c)
{
	return link_common(c, -1, 0, -1, 1, 0);
}

int64_t sys_linkat(struct call *c)
{
	return link_common(c, 0, 1, 2, 3, arg_int(c, 4));
}

int64_t sys_unlink(struct call *c)
{
	char name[PATH_MAX];
	ssize_t n = call_path(c, 0, name);

	return n < 0 ? n : vfs_unlink(&c->ctx, NULL, name);
}

int64_t sys_unlinkat(struct call *c)
{
	AUTO_PATH struct path base = {0};
	char name[PATH_MAX];
	int r;

	if (arg_int(c, 2) & ~AT_REMOVEDIR)
		return -EINVAL;
	r = name_and_base(c, 0, 1, name, &base);
	if (r < 0)
		return r;
	if (arg_int(c, 2) & AT_REMOVEDIR)
		return vfs_rmdir(&c->ctx, base.dentry ? &base : NULL, name);
	return vfs_unlink(&c->ctx, base.dentry ? &base : NULL, name);
}

static int64_t symlink_common(struct call *c, int dirarg, int patharg)
{
	AUTO_PATH struct path base = {0};
	char target[PATH_MAX], name[PATH_MAX];
	ssize_t n = call_path(c, 0, target);
	int r;

	if (n < 0)
		return n;
	if (n == 0)
		return -ENOENT;
	r = name_and_base(c, dirarg, patharg, name, &base);
	return r < 0 ? r : vfs_symlink(&c->ctx, target, base.dentry ? &base : NULL, name);
}

int64_t sys_symlink(struct call *c)
{
	return symlink_common(c, -1, 1);
}

int64_t sys_symlinkat(struct call *c)
{
	return symlink_common(c, 1, 2);
}

static int64_t rename_common(struct call *c, int odir, int oarg, int ndir, int narg, unsigned flags)
{
	AUTO_PATH struct path obase = {0}, nbase = {0};
	char oname[PATH_MAX], nname[PATH_MAX];
	int r;

	if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) ||
	    ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))))
		return -EINVAL;
	r = name_and_base(c, odir, oarg, oname, &obase);
	if (r < 0)
		return r;
	r = name_and_base(c, ndir, narg, nname, &nbase);
	if (r < 0) {
		/* The way to the first name is looked for before the second descriptor: what's wrong there comes first. */
		int first = vfs_rename(&c->ctx, obase.dentry ? &obase : NULL, oname, NULL, "/", flags & RENAME_NOREPLACE);

		return first == -EBUSY || first == -EEXIST || first == -EXDEV ? r : first;
	}
	return vfs_rename(&c->ctx, obase.dentry ? &obase : NULL, oname, nbase.dentry ? &nbase : NULL, nname, flags);
}

int64_t sys_rename(struct call *c)
{
	return rename_common(c, -1, 0, -1, 1, 0);
}

int64_t sys_renameat(struct call *c)
{
	return rename_common(c, 0, 1, 2, 3, 0);
}

int64_t sys_renameat2(struct call *c)
{
	return rename_common(c, 0, 1, 2, 3, arg_u32(c, 4));
}
