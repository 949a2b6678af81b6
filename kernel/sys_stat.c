/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_stat.c - stat(2) and its relatives, access(2), readlink(2).
 */
#include "kernel/syscall.h"

#include "kernel/cred.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/sysmacros.h>

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif
#define STAT_FLAGS (AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)
#define NSEC       1000000000

/* Rounds down, so that times before 1970 have 0 <= nsec. */
static void split_ns(int64_t ns, int64_t *sec, int64_t *nsec)
{
	*sec = ns / NSEC;
	*nsec = ns % NSEC;
	if (*nsec < 0) {
		*nsec += NSEC;
		--*sec;
	}
}

static int stat_fd(struct call *c, int fdarg, struct kstat *st)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_CLOSE int fd = -1;
	int r = call_file(c, fdarg, &f, &fd);

	return r < 0 ? r : vfs_fstat(&c->ctx, &f, fd, st);
}

/* dirarg -1: the current directory. */
static int stat_path(struct call *c, int dirarg, int patharg, int atflags, struct kstat *st)
{
	AUTO_PATH struct path base = {0};
	char name[PATH_MAX];
	ssize_t n = call_path_or_null(c, patharg, name, atflags);
	int r;

	if (n < 0)
		return (int)n;
	if (n == 0 && dirarg >= 0 && arg_int(c, dirarg) != AT_FDCWD)
		return stat_fd(c, dirarg, st);
	if (dirarg >= 0) {
		r = call_base(c, dirarg, name, &base);
		if (r < 0)
			return r;
	}
	return vfs_stat(&c->ctx, base.dentry ? &base : NULL, name, atflags & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH), st);
}

static int put_stat(struct call *c, int arg, const struct kstat *k)
{
	struct stat st;
	int64_t sec, nsec;

	memset(&st, 0, sizeof(st));
	st.st_dev = k->dev;
	st.st_ino = k->ino;
	st.st_nlink = k->nlink;
	st.st_mode = k->mode;
	st.st_uid = k->uid;
	st.st_gid = k->gid;
	st.st_rdev = k->rdev;
	st.st_size = k->size;
	st.st_blksize = k->blksize;
	st.st_blocks = k->blocks;
	split_ns(k->atime, &sec, &nsec);
	st.st_atim = (struct timespec){sec, nsec};
	split_ns(k->mtime, &sec, &nsec);
	st.st_mtim = (struct timespec){sec, nsec};
	split_ns(k->ctime, &sec, &nsec);
	st.st_ctim = (struct timespec){sec, nsec};
	return c->ops->write(c, c->args[arg], &st, sizeof(st));
}

int64_t sys_stat(struct call *c)
{
	struct kstat k;
	int r = stat_path(c, -1, 0, 0, &k);

	return r < 0 ? r : put_stat(c, 1, &k);
}

int64_t sys_lstat(struct call *c)
{
	struct kstat k;
	int r = stat_path(c, -1, 0, AT_SYMLINK_NOFOLLOW, &k);

	return r < 0 ? r : put_stat(c, 1, &k);
}

int64_t sys_fstat(struct call *c)
{
	struct kstat k;
	int r = stat_fd(c, 0, &k);

	return r < 0 ? r : put_stat(c, 1, &k);
}

int64_t sys_newfstatat(struct call *c)
{
	struct kstat k;
	int flags = arg_int(c, 3), r;

	if (flags & ~STAT_FLAGS)
		return -EINVAL;
	r = stat_path(c, 0, 1, flags, &k);
	return r < 0 ? r : put_stat(c, 2, &k);
}

static struct statx_timestamp statx_time(int64_t ns)
{
	struct statx_timestamp t = {0};
	int64_t sec, nsec;

	split_ns(ns, &sec, &nsec);
	t.tv_sec = sec;
	t.tv_nsec = (uint32_t)nsec;
	return t;
}

int64_t sys_statx(struct call *c)
{
	int flags = arg_int(c, 2), r;
	uint32_t mask = arg_u32(c, 3);
	struct statx x;
	struct kstat k;

	if (mask & STATX__RESERVED)
		return -EINVAL;
	if ((flags & ~STAT_FLAGS) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	r = stat_path(c, 0, 1, flags, &k);
	if (r < 0)
		return r;
	memset(&x, 0, sizeof(x));
	x.stx_mask = STATX_BASIC_STATS | (mask & STATX_MNT_ID_UNIQUE ? STATX_MNT_ID_UNIQUE : STATX_MNT_ID);
	x.stx_blksize = k.blksize;
	x.stx_nlink = k.nlink;
	x.stx_uid = k.uid;
	x.stx_gid = k.gid;
	x.stx_mode = (uint16_t)k.mode;
	x.stx_ino = k.ino;
	x.stx_size = (uint64_t)k.size;
	x.stx_blocks = (uint64_t)k.blocks;
	x.stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
	if (k.mnt_root)
		x.stx_attributes |= STATX_ATTR_MOUNT_ROOT;
	x.stx_atime = statx_time(k.atime);
	x.stx_mtime = statx_time(k.mtime);
	x.stx_ctime = statx_time(k.ctime);
	if (k.btime) {
		x.stx_mask |= STATX_BTIME;
		x.stx_btime = statx_time(k.btime);
	}
	x.stx_rdev_major = major(k.rdev);
	x.stx_rdev_minor = minor(k.rdev);
	x.stx_dev_major = major(k.dev);
	x.stx_dev_minor = minor(k.dev);
	x.stx_mnt_id = k.mnt_id;
	return c->ops->write(c, c->args[4], &x, sizeof(x));
}

static int64_t access_common(struct call *c, int dirarg, int patharg, int mode, int flags)
{
	const struct cred *cr = c->rec->cred;
	const struct vfs_cred *saved = c->ctx.cred;
	struct vfs_cred real = *saved;
	AUTO_PATH struct path base = {0};
	char name[PATH_MAX];
	ssize_t n;
	int r;

	if ((mode & ~(R_OK | W_OK | X_OK)) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	n = call_path_at(c, patharg, name, flags);
	if (n < 0)
		return n;
	if (dirarg >= 0) {
		r = call_base(c, dirarg, name, &base);
		if (r < 0)
			return r;
	}
	/* access_override_creds(): the real ids, and capabilities as exec would give them. */
	real.uid = cr->uid;
	real.gid = cr->gid;
	if (!(cr->securebits & (1U << SECURE_NO_SETUID_FIXUP)))
		real.caps = cr->uid == 0 ? cr->permitted : 0;
	if (!(flags & AT_EACCESS))
		c->ctx.cred = &real;
	r = vfs_access(&c->ctx, base.dentry ? &base : NULL, name, mode, flags & (AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
	c->ctx.cred = saved;
	return r;
}

int64_t sys_access(struct call *c)
{
	return access_common(c, -1, 0, arg_int(c, 1), 0);
}

int64_t sys_faccessat(struct call *c)
{
	return access_common(c, 0, 1, arg_int(c, 2), 0);
}

int64_t sys_faccessat2(struct call *c)
{
	return access_common(c, 0, 1, arg_int(c, 2), arg_int(c, 3));
}

static int64_t readlink_common(struct call *c, int dirarg, int patharg)
{
	AUTO_PATH struct path base = {0};
	char name[PATH_MAX], text[PATH_MAX];
	int size = arg_int(c, patharg + 2), r;
	ssize_t n;

	if (size <= 0)
		return -EINVAL;
	n = call_path_at(c, patharg, name, dirarg < 0 ? 0 : AT_EMPTY_PATH);
	if (n < 0)
		return n;
	if (dirarg >= 0) {
		r = call_base(c, dirarg, name, &base);
		if (r < 0)
			return r;
		/* readlinkat(2): "" is the link that an O_PATH descriptor stands for, else ENOENT. */
		if (n == 0 && !base.dentry)
			return -ENOENT;
	}
	n = vfs_readlink(&c->ctx, base.dentry ? &base : NULL, name, text, MIN((size_t)size, sizeof(text)));
	if (n < 0)
		return n;
	r = c->ops->write(c, c->args[patharg + 1], text, (size_t)n);
	return r < 0 ? r : n;
}

int64_t sys_readlink(struct call *c)
{
	return readlink_common(c, -1, 0);
}

int64_t sys_readlinkat(struct call *c)
{
	return readlink_common(c, 0, 1);
}
