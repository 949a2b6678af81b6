/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attr.c - changing attributes: Linux's fs/attr.c, fs/open.c, fs/utimes.c, fs/xattr.c on virtual credentials.
 */
#include "vfs/core.h"

#include "base/ns.h"

#include <linux/capability.h>
#include <linux/xattr.h>
#include <string.h>

/* What a call is about. Holds a reference on the inode; the dentry is borrowed from path or vfile, NULL if the name is gone. */
struct target {
	struct inode *inode;
	struct dentry *dentry;
	bool ro, refused; /* changing it is EROFS; is EACCES by the profile */
};

static void target_put(struct target *t)
{
	iput(t->inode);
}
#define AUTO_TARGET __attribute__((cleanup(target_put)))

static int target_get(const struct path *p, const struct vfile *f, struct target *t)
{
	if (f) {
		if (f->kind == VF_FOREIGN)
			return -EPERM;
		p = &f->path;
	}
	vfs_rdlock();
	t->inode = f ? f->inode : p->dentry->inode;
	if (t->inode) {
		iget(t->inode);
		if (p->dentry && p->dentry->inode == t->inode && !(p->dentry->flags & D_DEAD))
			t->dentry = p->dentry;
		t->ro = (t->inode->sb->flags & SB_RDONLY) || (t->inode->sb->mnt && t->inode->sb->mnt->ro);
		t->refused = !inode_may_write(t->dentry, t->inode);
		if (t->refused && t->dentry)
			rules_refused_locked(p, NULL, 0);
	}
	vfs_rdunlock();
	return t->inode ? 0 : -ENOENT;
}

/* Said of a path, or of a descriptor's last name if that leads to it still. */
static void note_target(const struct path *p, const struct vfile *f, const struct target *t, unsigned what)
{
	if (unlikely(vfs_noting) && t->dentry)
		note_path(p ? p : &f->path, what);
}

static int do_setattr(struct vfs_ctx *ctx, struct target *t, const struct setattr *sa)
{
	return t->inode->ops->setattr ? t->inode->ops->setattr(ctx, t->dentry, t->inode, sa) : -EPERM;
}

int vfs_chmod(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, mode_t mode)
{
	AUTO_TARGET struct target t = {0};
	struct setattr sa = {.valid = SA_MODE};
	int err = target_get(p, f, &t);

	if (err)
		return err;
	if (t.ro || t.refused)
		return t.ro ? -EROFS : -EACCES;
	if (S_ISLNK(t.inode->mode))
		return -EOPNOTSUPP;
	vfs_rdlock();
	if (!inode_owner_or_capable(ctx->cred, t.inode))
		err = -EPERM;
	sa.mode = mode & 07777;
	if (!in_group(ctx->cred, t.inode->gid) && !vfs_capable(ctx->cred, CAP_FSETID))
		sa.mode &= ~(uint32_t)S_ISGID;
	vfs_rdunlock();
	if (!err)
		note_target(p, f, &t, VFS_NOTE_CHANGED);
	return err ? err : do_setattr(ctx, &t, &sa);
}

static void drop_file_caps(struct target *t)
{
	const struct inode_ops *o = t->inode->ops;

	/* Only what can be run has use for them, and asking costs a round trip. */
	if (S_ISREG(t->inode->mode) && (t->inode->mode & 0111) && o->getxattr && o->setxattr &&
	    o->getxattr(t->inode, XATTR_NAME_CAPS, NULL, 0) > 0)
		(void)o->setxattr(t->dentry, t->inode, XATTR_NAME_CAPS, NULL, 0, 0);
}

int vfs_chown(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, uid_t uid, gid_t gid)
{
	AUTO_TARGET struct target t = {0};
	const struct vfs_cred *c = ctx->cred;
	struct setattr sa = {0};
	bool owner;
	uint32_t mode;
	int err = target_get(p, f, &t);

	if (err)
		return err;
	if (t.ro || t.refused)
		return t.ro ? -EROFS : -EACCES;
	vfs_rdlock();
	owner = c->uid == t.inode->uid;
	if (uid != (uid_t)-1) {
		sa.valid |= SA_UID;
		sa.uid = uid;
		if (!(owner && uid == t.inode->uid) && !vfs_capable(c, CAP_CHOWN))
			err = -EPERM;
	}
	if (gid != (gid_t)-1) {
		sa.valid |= SA_GID;
		sa.gid = gid;
		if (!(owner && (in_group(c, gid) || gid == t.inode->gid)) && !vfs_capable(c, CAP_CHOWN))
			err = -EPERM;
	}
	mode = t.inode->mode;
	if (!S_ISDIR(mode)) {
		mode &= ~(uint32_t)S_ISUID;
		if ((mode & S_ISGID) && ((mode & S_IXGRP) || !(in_group(c, t.inode->gid) || vfs_capable(c, CAP_FSETID))))
			mode &= ~(uint32_t)S_ISGID;
		if (mode != t.inode->mode) {
			sa.valid |= SA_MODE;
			sa.mode = mode & 07777;
			if (!owner && !vfs_capable(c, CAP_FOWNER))
				err = -EPERM;
		}
	}
	vfs_rdunlock();
	if (err || !sa.valid)
		return err;
	note_target(p, f, &t, VFS_NOTE_CHANGED);
	err = do_setattr(ctx, &t, &sa);
	if (!err)
		drop_file_caps(&t);
	return err;
}

static int time_of(const struct timespec *ts, bool atime, struct setattr *sa)
{
	if (ts->tv_nsec == UTIME_OMIT)
		return 0;
	if (ts->tv_nsec == UTIME_NOW) {
		sa->valid |= atime ? SA_ATIME_NOW : SA_MTIME_NOW;
		return 0;
	}
	if (ts->tv_nsec < 0 || ts->tv_nsec > 999999999)
		return -EINVAL;
	sa->valid |= atime ? SA_ATIME : SA_MTIME;
	/* Clamped, as timestamp_truncate() does to its file system's range. */
	*(atime ? &sa->atime : &sa->mtime) = ns_of(ts);
	return 0;
}

int vfs_utimens(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, const struct timespec times[2])
{
	AUTO_TARGET struct target t = {0};
	struct setattr sa = {0};
	bool touch = !times || (times[0].tv_nsec == UTIME_NOW && times[1].tv_nsec == UTIME_NOW);
	int err = 0;

	if (touch) {
		sa.valid = SA_ATIME_NOW | SA_MTIME_NOW;
	} else {
		err = time_of(&times[0], true, &sa);
		if (!err)
			err = time_of(&times[1], false, &sa);
		if (err || !sa.valid)
			return err;
	}
	err = target_get(p, f, &t);
	if (err)
		return err;
	if (t.ro || t.refused)
		return t.ro ? -EROFS : -EACCES;
	vfs_rdlock();
	if (!inode_owner_or_capable(ctx->cred, t.inode))
		err = touch ? inode_permission(ctx->cred, t.inode, MAY_WRITE) : -EPERM;
	vfs_rdunlock();
	if (!err)
		note_target(p, f, &t, VFS_NOTE_CHANGED);
	return err ? err : do_setattr(ctx, &t, &sa);
}

/* [R] file_remove_privs(): the mode after a write by c, or the same. */
static uint32_t mode_after_write(const struct vfs_cred *c, const struct inode *i)
{
	uint32_t mode = i->mode;

	if (!S_ISREG(mode) || vfs_capable(c, CAP_FSETID))
		return mode;
	mode &= ~(uint32_t)S_ISUID;
	if ((mode & S_ISGID) && ((mode & S_IXGRP) || !in_group(c, i->gid)))
		mode &= ~(uint32_t)S_ISGID;
	return mode;
}

int vfs_truncate(struct vfs_ctx *ctx, const struct path *p, int64_t length)
{
	AUTO_TARGET struct target t = {0};
	struct setattr sa = {.valid = SA_SIZE, .size = length};
	uint32_t mode;
	int err;

	if (length < 0)
		return -EINVAL;
	err = target_get(p, NULL, &t);
	if (err)
		return err;
	if (S_ISDIR(t.inode->mode))
		return -EISDIR;
	if (!S_ISREG(t.inode->mode))
		return -EINVAL;
	if (t.ro || t.refused)
		return t.ro ? -EROFS : -EACCES;
	vfs_rdlock();
	err = inode_permission(ctx->cred, t.inode, MAY_WRITE);
	mode = mode_after_write(ctx->cred, t.inode);
	if (mode != t.inode->mode) {
		sa.valid |= SA_MODE;
		sa.mode = mode & 07777;
	}
	vfs_rdunlock();
	if (!err && ctx->size_limit && (uint64_t)length > *ctx->size_limit) {
		struct kstat st;

		err = inode_getattr(ctx, t.inode, p, &st);
		if (!err && length > st.size)
			err = -EFBIG;
	}
	if (!err)
		err = do_setattr(ctx, &t, &sa);
	if (!err)
		note_target(p, NULL, &t, VFS_NOTE_WRITTEN);
	if (!err)
		drop_file_caps(&t);
	return err;
}

int vfs_killpriv(struct vfs_ctx *ctx, const struct vfile *f)
{
	AUTO_TARGET struct target t = {0};
	struct setattr sa = {.valid = SA_MODE};
	uint32_t mode;
	bool same;

	if (f->kind != VF_FILE || f->o_path || target_get(NULL, f, &t))
		return 0;
	vfs_rdlock();
	mode = mode_after_write(ctx->cred, t.inode);
	same = mode == t.inode->mode;
	vfs_rdunlock();
	drop_file_caps(&t);
	if (same)
		return 0;
	sa.mode = mode & 07777;
	return do_setattr(ctx, &t, &sa);
}

/* --- Extended attributes --- */

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* xattr_permission() and cap_inode_setxattr(). */
static int xattr_may(struct vfs_ctx *ctx, const struct target *t, const char *name, bool write)
{
	const struct vfs_cred *c = ctx->cred;
	size_t len = strlen(name);
	bool user;
	int err;

	if (!len || len > XATTR_NAME_MAX)
		return -ERANGE;
	if (write && (t->ro || t->refused))
		return t->ro ? -EROFS : -EACCES;
	/* Who may comes first, then whether there is such a namespace, and whether a name follows. */
	if (has_prefix(name, XATTR_TRUSTED_PREFIX)) {
		if (!vfs_capable(c, CAP_SYS_ADMIN))
			return write ? -EPERM : -ENODATA;
		return name[XATTR_TRUSTED_PREFIX_LEN] ? 0 : -EINVAL;
	}
	if (has_prefix(name, XATTR_SECURITY_PREFIX)) {
		if (write && !vfs_capable(c, strcmp(name, XATTR_NAME_CAPS) == 0 ? CAP_SETFCAP : CAP_SYS_ADMIN))
			return -EPERM;
		return name[XATTR_SECURITY_PREFIX_LEN] ? 0 : -EINVAL;
	}
	if (has_prefix(name, XATTR_SYSTEM_PREFIX))
		return -EOPNOTSUPP;
	user = has_prefix(name, XATTR_USER_PREFIX);
	if (user && !S_ISREG(t->inode->mode) && !S_ISDIR(t->inode->mode))
		return write ? -EPERM : -ENODATA;
	vfs_rdlock();
	if (user && write && S_ISDIR(t->inode->mode) && (t->inode->mode & S_ISVTX) && !inode_owner_or_capable(c, t->inode))
		err = -EPERM;
	else
		err = inode_permission(c, t->inode, write ? MAY_WRITE : MAY_READ);
	vfs_rdunlock();
	if (err)
		return err;
	return !user ? -EOPNOTSUPP : name[XATTR_USER_PREFIX_LEN] ? 0 : -EINVAL;
}

ssize_t vfs_getxattr(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, const char *name, void *buf,
		     size_t size)
{
	AUTO_TARGET struct target t = {0};
	int err = target_get(p, f, &t);

	if (!err)
		err = xattr_may(ctx, &t, name, false);
	if (err)
		return err;
	return t.inode->ops->getxattr ? t.inode->ops->getxattr(t.inode, name, buf, MIN(size, (size_t)XATTR_SIZE_MAX))
				      : -EOPNOTSUPP;
}

ssize_t vfs_listxattr(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, char *buf, size_t size)
{
	AUTO_TARGET struct target t = {0};
	AUTO_FREE char *all = NULL;
	ssize_t n, out = 0;
	int err = target_get(p, f, &t);

	if (err)
		return err;
	if (!t.inode->ops->listxattr)
		return 0;
	all = malloc(XATTR_LIST_MAX);
	if (!all)
		return -ENOMEM;
	n = t.inode->ops->listxattr(t.inode, all, XATTR_LIST_MAX);
	if (n < 0)
		return n;
	/* trusted.* is shown to those only who could read it; namespaces that we don't have aren't shown. */
	for (ssize_t at = 0; at < n;) {
		size_t len = strnlen(all + at, (size_t)(n - at)) + 1;
		bool show = has_prefix(all + at, XATTR_USER_PREFIX) || has_prefix(all + at, XATTR_SECURITY_PREFIX) ||
			    (has_prefix(all + at, XATTR_TRUSTED_PREFIX) && vfs_capable(ctx->cred, CAP_SYS_ADMIN));

		if (at + (ssize_t)len > n)
			break;
		if (show) {
			if (size) {
				if ((size_t)out + len > size)
					return -ERANGE;
				memcpy(buf + out, all + at, len);
			}
			out += (ssize_t)len;
		}
		at += (ssize_t)len;
	}
	return out;
}

int vfs_setxattr(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, const char *name, const void *value,
		 size_t size, int flags)
{
	AUTO_TARGET struct target t = {0};
	int err;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	err = target_get(p, f, &t);
	if (!err)
		err = xattr_may(ctx, &t, name, true);
	if (err)
		return err;
	note_target(p, f, &t, VFS_NOTE_CHANGED);
	/* NULL means removal to the file system. */
	return t.inode->ops->setxattr ? t.inode->ops->setxattr(t.dentry, t.inode, name, value ? value : "", size, flags)
				      : -EOPNOTSUPP;
}

int vfs_removexattr(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, const char *name)
{
	AUTO_TARGET struct target t = {0};
	int err = target_get(p, f, &t);

	if (!err)
		err = xattr_may(ctx, &t, name, true);
	if (err)
		return err;
	note_target(p, f, &t, VFS_NOTE_CHANGED);
	return t.inode->ops->setxattr ? t.inode->ops->setxattr(t.dentry, t.inode, name, NULL, 0, 0) : -EOPNOTSUPP;
}
