/* SPDX-License-Identifier: Apache-2.0 */
/*
 * namei.c - changing names: mkdir, mknod, symlink, link, unlink, rmdir, rename, with the checks of Linux's fs/namei.c in their order.
 *
 * Each change: find the parents; then, until nothing has changed in between: look the names up, let the file system prepare (unlocked),
 * take the lock for writing, see that the names still stand where they stood, check, change. On SB_REMOTE the file system is asked
 * unlocked, the host decides races, and the tree follows.
 */
#include "vfs/core.h"

#include <linux/capability.h>
#include <linux/fs.h>
#include <string.h>

/* Where a name is to be made, removed or moved. */
struct place {
	struct path dir;  /* referenced */
	const char *name; /* in the caller's string */
	size_t len;
	enum last_type type;
	bool slash;
	struct dentry *d; /* referenced, by lookup() */
	unsigned tries;
};

/* Each retry means that somebody else got on; still, no tracee shall keep us here for ever. */
static bool again(struct place *w, int err)
{
	return err == -EAGAIN && ++w->tries < 10000;
}

static void place_put(struct place *w)
{
	dput(w->d);
	path_put(&w->dir);
}
#define AUTO_PLACE __attribute__((cleanup(place_put)))

static int find_parent(struct vfs_ctx *ctx, const struct path *base, const char *name, struct place *w)
{
	struct nameidata nd;
	int err = -ECHILD;

	for (int fast = 1; fast >= 0 && err == -ECHILD; fast--) {
		err = nd_start(&nd, ctx, base, name, 0, fast);
		if (!err)
			err = walk_parent(&nd);
		if (!err) {
			w->dir = nd.path;
			path_get(&w->dir);
			w->name = nd.last;
			w->len = nd.last_len;
			w->type = nd.last_type;
			w->slash = nd.want_dir;
		}
		nd_end(&nd);
	}
	return err;
}

/* By a rule. */
static int refuse(const struct place *w)
{
	rules_refused(&w->dir, w->name, w->len);
	return -EACCES;
}

static int lookup(struct place *w)
{
	dput(w->d);
	w->d = NULL;
	return lookup_one(&w->dir, w->name, w->len, &w->d);
}

static int prepare(struct place *w, bool removing)
{
	const struct inode *i = d_inode(w->dir.dentry);

	return i && i->ops->prepare ? i->ops->prepare(w->d, removing) : 0;
}

static bool is_remote(const struct place *w)
{
	return w->dir.dentry->sb->flags & SB_REMOTE;
}

static void lock_for(const struct place *w)
{
	if (is_remote(w))
		vfs_rdlock();
	else
		vfs_wrlock();
}

static void unlock_for(const struct place *w)
{
	if (is_remote(w))
		vfs_rdunlock();
	else
		vfs_wrunlock();
}

/* [R] Is the entry still where it was found? */
static bool still_there(const struct place *w)
{
	return w->d->parent == w->dir.dentry && !(w->d->flags & D_DEAD) && w->d->namelen == w->len &&
	       memcmp(w->d->name, w->name, w->len) == 0;
}

/* [R] */
static int may_change_dir(struct vfs_ctx *ctx, const struct place *w)
{
	const struct inode *i = w->dir.dentry->inode;

	if (!i || (i->flags & I_DEAD) || (w->dir.dentry->flags & D_DEAD))
		return -ENOENT;
	return inode_permission(ctx->cred, i, MAY_WRITE | MAY_EXEC);
}

/* [R] may_delete() */
static int may_delete(struct vfs_ctx *ctx, const struct place *w, bool isdir)
{
	const struct inode *dir = w->dir.dentry->inode, *i = w->d->inode;
	int err = may_change_dir(ctx, w);

	if (err)
		return err;
	if ((dir->mode & S_ISVTX) && ctx->cred->uid != i->uid && ctx->cred->uid != dir->uid &&
	    !vfs_capable(ctx->cred, CAP_FOWNER))
		return -EPERM;
	if (isdir && !S_ISDIR(i->mode))
		return -ENOTDIR;
	if (!isdir && S_ISDIR(i->mode))
		return -EISDIR;
	return 0;
}

void new_owner(const struct vfs_ctx *ctx, const struct inode *dir, mode_t *mode, uid_t *uid, gid_t *gid)
{
	const struct vfs_cred *c = ctx->cred;

	*uid = c->uid;
	*gid = dir->mode & S_ISGID ? dir->gid : c->gid;
	/* vfs_prepare_mode(): the group's right to execute counts as it was asked for. */
	if ((dir->mode & S_ISGID) && !S_ISDIR(*mode) && (*mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    !in_group(c, dir->gid) && !vfs_capable(c, CAP_FSETID))
		*mode &= ~(mode_t)S_ISGID;
	if (!S_ISLNK(*mode))
		*mode &= ~ctx->umask;
	if ((dir->mode & S_ISGID) && S_ISDIR(*mode))
		*mode |= S_ISGID;
}

/* w->d is a negative entry: makes the object. -EAGAIN: again. */
static int make(struct vfs_ctx *ctx, struct place *w, mode_t mode, dev_t rdev, const char *target, const uint8_t *sock)
{
	AUTO_FREE uint8_t *key = NULL;
	const struct inode_ops *ops;
	uid_t uid;
	gid_t gid;
	int err;

	if (sock) {
		key = malloc(VFS_SOCK_KEY);
		if (!key)
			return -ENOMEM;
		memcpy(key, sock, VFS_SOCK_KEY);
	}
	lock_for(w);
	err = may_change_dir(ctx, w);
	if (!err && !still_there(w))
		err = -EAGAIN;
	else if (!err && w->d->inode)
		err = -EEXIST;
	if (!err && (S_ISCHR(mode) || S_ISBLK(mode)) && !vfs_capable(ctx->cred, CAP_MKNOD) && !(S_ISCHR(mode) && rdev == 0))
		err = -EPERM; /* anybody may make a whiteout */
	if (!err && !w->dir.dentry->inode->ops->mknod)
		err = -EPERM;
	if (err) {
		unlock_for(w);
		return err;
	}
	ops = w->dir.dentry->inode->ops;
	new_owner(ctx, w->dir.dentry->inode, &mode, &uid, &gid);
	if (is_remote(w)) {
		unlock_for(w);
		return ops->mknod(w->d, mode, rdev, uid, gid, target);
	}
	err = ops->mknod(w->d, mode, rdev, uid, gid, target);
	if (!err && key && w->d->inode && !w->d->inode->sock)
		w->d->inode->sock = take_ptr(key);
	unlock_for(w);
	return err;
}

static int create_at(struct vfs_ctx *ctx, struct place *w, mode_t mode, dev_t rdev, const char *target, const uint8_t *sock)
{
	int err;

	do {
		err = lookup(w);
		if (err)
			return err;
		if (d_hidden(w->d))
			return refuse(w);
		if (d_inode(w->d)) {
			if (unlikely(vfs_noting))
				note_name(&w->dir, w->name, w->len, VFS_NOTE_SEEN);
			return -EEXIST;
		}
		if ((w->slash && !S_ISDIR(mode)) || (w->dir.dentry->sb->flags & SB_NOCREATE))
			return -ENOENT;
		if (path_rdonly(&w->dir))
			return -EROFS;
		if (!d_may(w->d, VFS_MAY_WRITE))
			return refuse(w);
		err = prepare(w, false);
		if (!err)
			err = make(ctx, w, mode, rdev, target, sock);
	} while (again(w, err));
	if (unlikely(vfs_noting) && !err)
		note_name(&w->dir, w->name, w->len,
			  VFS_NOTE_CREATED | (S_ISDIR(mode) ? VFS_NOTE_DIR : 0) |
			      ((mode & 0777) == (S_ISDIR(mode) ? 0700 : 0600) ? VFS_NOTE_PRIVATE : 0));
	return err;
}

int create_in(struct vfs_ctx *ctx, const struct path *dir, const char *name, size_t len, mode_t mode, struct dentry **made)
{
	AUTO_PLACE struct place w = {.dir = *dir, .name = name, .len = len};
	int err;

	path_get(&w.dir);
	err = create_at(ctx, &w, mode, 0, NULL, NULL);
	*made = err || is_remote(&w) ? NULL : take_ptr(w.d);
	return err;
}

static int create(struct vfs_ctx *ctx, const struct path *base, const char *name, mode_t mode, dev_t rdev,
		  const char *target, const uint8_t *sock)
{
	AUTO_PLACE struct place w = {0};
	int err = find_parent(ctx, base, name, &w);

	if (err)
		return err;
	return w.type != LAST_NORM ? -EEXIST : create_at(ctx, &w, mode, rdev, target, sock);
}

int vfs_mkdir(struct vfs_ctx *ctx, const struct path *base, const char *name, mode_t mode)
{
	return create(ctx, base, name, (mode & (S_IRWXU | S_IRWXG | S_IRWXO | S_ISVTX)) | S_IFDIR, 0, NULL, NULL);
}

int vfs_mknod(struct vfs_ctx *ctx, const struct path *base, const char *name, mode_t mode, dev_t rdev)
{
	switch (mode & S_IFMT) {
	case 0:
		mode |= S_IFREG;
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	case S_IFCHR:
	case S_IFBLK:
		break;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
	return create(ctx, base, name, mode & (S_IFMT | 07777), S_ISCHR(mode) || S_ISBLK(mode) ? rdev : 0, NULL, NULL);
}

int vfs_symlink(struct vfs_ctx *ctx, const char *target, const struct path *base, const char *name)
{
	size_t len = strlen(target);

	if (!len)
		return -ENOENT;
	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	return create(ctx, base, name, S_IFLNK | 0777, 0, target, NULL);
}

int vfs_sock_bind(struct vfs_ctx *ctx, const struct path *base, const char *name, uint8_t key[VFS_SOCK_KEY])
{
	int err = vfs_sock_new_key(key);

	if (!err)
		err = create(ctx, base, name, S_IFSOCK | 0777, 0, NULL, key);
	return err == -EEXIST ? -EADDRINUSE : err;
}

/* [R] may_linkat() with fs.protected_hardlinks set, as every distribution has it. */
static int may_link(struct vfs_ctx *ctx, const struct inode *i)
{
	if (inode_owner_or_capable(ctx->cred, i))
		return 0;
	if (!S_ISREG(i->mode) || (i->mode & S_ISUID) || (i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return inode_permission(ctx->cred, i, MAY_READ | MAY_WRITE) ? -EPERM : 0;
}

/* A link is another way to the same file: it may give no more rights than the one that it was found by. Without one: a file that never had a name. */
static int rules_link(const struct dentry *from, const struct inode *i, const struct dentry *to)
{
	bool unnamed;

	if (!d_may(to, VFS_MAY_WRITE))
		return -EACCES;
	vfs_rdlock();
	unnamed = i->flags & I_LINKABLE;
	vfs_rdunlock();
	if (unnamed)
		return 0;
	return from ? rules_move(from->rule, to->rule, false) : -EXDEV;
}

int vfs_link(struct vfs_ctx *ctx, const struct path *from, const struct vfile *from_file, const struct path *base,
	     const char *name)
{
	AUTO_PLACE struct place w = {0};
	struct inode *i = NULL;
	struct dentry *fd;
	bool named = false;
	int err;

	if (from_file && from_file->kind == VF_FOREIGN)
		return -EXDEV;
	fd = from ? from->dentry : from_file->path.dentry;
	vfs_rdlock();
	i = from ? from->dentry->inode : from_file->inode;
	if (i)
		iget(i);
	vfs_rdunlock();
	if (!i)
		return -ENOENT;
	err = find_parent(ctx, base, name, &w);
	if (!err && w.type != LAST_NORM)
		err = -EEXIST;
	while (!err) {
		err = lookup(&w);
		if (err)
			break;
		err = d_hidden(w.d)         ? -EACCES
		      : d_inode(w.d)        ? -EEXIST
		      : w.slash             ? -ENOENT
		      : path_rdonly(&w.dir) ? -EROFS
		      : unlikely(w.d->rule) ? rules_link(fd, i, w.d)
					    : 0;
		if (!err && i->sb != w.dir.dentry->sb)
			err = -EXDEV;
		if (!err) {
			vfs_rdlock();
			err = may_link(ctx, i);
			named = fd && !(fd->flags & D_DEAD);
			vfs_rdunlock();
		}
		if (!err)
			err = prepare(&w, false);
		/* The source's own directory matters too: copying the file up needs it. */
		if (!err && named && i->ops->prepare)
			err = i->ops->prepare(fd, false);
		if (err)
			break;
		lock_for(&w);
		err = may_change_dir(ctx, &w);
		if (!err && !still_there(&w))
			err = -EAGAIN;
		else if (!err && w.d->inode)
			err = -EEXIST;
		else if (!err && S_ISDIR(i->mode))
			err = -EPERM;
		else if (!err && !i->nlink && !(i->flags & I_LINKABLE))
			err = -ENOENT;
		else if (!err && !w.dir.dentry->inode->ops->link)
			err = -EPERM;
		if (err) {
			unlock_for(&w);
		} else {
			const struct inode_ops *ops = w.dir.dentry->inode->ops;
			struct dentry *src = fd && fd->inode == i && !(fd->flags & D_DEAD) ? fd : NULL;

			if (is_remote(&w)) {
				unlock_for(&w);
				err = src ? ops->link(i, src, w.d) : -ENOENT;
			} else {
				err = ops->link(i, src, w.d);
				if (!err)
					i->flags &= ~I_LINKABLE;
				unlock_for(&w);
			}
		}
		if (!again(&w, err))
			break;
		err = 0;
	}
	iput(i);
	if (unlikely(vfs_noting) && !err) {
		note_name(&w.dir, w.name, w.len, VFS_NOTE_CREATED);
		if (named)
			note_path(from ? from : &from_file->path, VFS_NOTE_LINKED);
	}
	return err;
}

/* After the host removed what w->d named. */
static void follow_removal(struct place *w)
{
	vfs_wrlock();
	if (!(w->d->flags & D_DEAD))
		d_delete(w->d, 0);
	vfs_wrunlock();
}

/* unlink(2) and rmdir(2) once the parent is found. */
static int remove_at(struct vfs_ctx *ctx, struct place *w, bool isdir)
{
	const struct inode_ops *ops;
	struct inode *victim;
	bool mounted;
	int err;

	if (path_rdonly(&w->dir))
		return -EROFS;
	err = lookup(w);
	if (err)
		return err;
	if (unlikely(w->d->rule) && d_inode(w->d) && !d_may(w->d, VFS_MAY_WRITE))
		return d_hidden(w->d) ? (refuse(w), -ENOENT) : refuse(w);
	/* Checked before prepare(), too: who may not remove shall not make us list. */
	vfs_rdlock();
	if (!w->d->inode)
		err = -ENOENT;
	else if (w->slash && !isdir)
		err = S_ISDIR(w->d->inode->mode) ? -EISDIR : -ENOTDIR;
	else
		err = may_delete(ctx, w, isdir);
	mounted = w->d->flags & D_MOUNTPOINT;
	vfs_rdunlock();
	if (!err && !mounted)
		err = prepare(w, true);
	if (err)
		return err;
	lock_for(w);
	if (!still_there(w))
		err = w->dir.dentry->flags & D_DEAD ? -ENOENT : -EAGAIN;
	else if (!w->d->inode)
		err = -ENOENT;
	else
		err = may_delete(ctx, w, isdir);
	if (!err && (w->d->flags & D_MOUNTPOINT))
		err = -EBUSY;
	ops = w->dir.dentry->inode ? w->dir.dentry->inode->ops : NULL;
	if (!err && !(isdir ? ops->rmdir : ops->unlink))
		err = -EPERM;
	if (!err && !is_remote(w))
		err = d_reserve();
	if (err) {
		unlock_for(w);
		return err;
	}
	victim = w->d->inode;
	iget(victim);
	if (is_remote(w)) {
		unlock_for(w);
		err = isdir ? ops->rmdir(w->d) : ops->unlink(w->d);
		if (!err)
			follow_removal(w);
	} else {
		err = isdir ? ops->rmdir(w->d) : ops->unlink(w->d);
		if (!err && isdir)
			victim->flags |= I_DEAD;
		unlock_for(w);
	}
	iput(victim);
	if (unlikely(vfs_noting) && !err)
		note_name(&w->dir, w->name, w->len, VFS_NOTE_DELETED | (isdir ? VFS_NOTE_DIR : 0));
	return err;
}

int vfs_unlink(struct vfs_ctx *ctx, const struct path *base, const char *name)
{
	AUTO_PLACE struct place w = {0};
	int err = find_parent(ctx, base, name, &w);

	if (!err && w.type != LAST_NORM)
		err = -EISDIR;
	if (err)
		return err;
	do
		err = remove_at(ctx, &w, false);
	while (again(&w, err));
	return err;
}

int vfs_rmdir(struct vfs_ctx *ctx, const struct path *base, const char *name)
{
	AUTO_PLACE struct place w = {0};
	int err = find_parent(ctx, base, name, &w);

	if (err)
		return err;
	switch (w.type) {
	case LAST_DOTDOT:
		return -ENOTEMPTY;
	case LAST_DOT:
		return -EINVAL;
	case LAST_ROOT:
		return -EBUSY;
	case LAST_NORM:
		break;
	}
	do
		err = remove_at(ctx, &w, true);
	while (again(&w, err));
	return err;
}

/* [R] Is a an ancestor of (or the same as) d? Within one file system. */
static bool is_ancestor(const struct dentry *a, const struct dentry *d)
{
	for (; d != a; d = d->parent)
		if (d->parent == d)
			return false;
	return true;
}

/* [R] back: what is at n goes to o's place: -1 nothing, 0 a file, 1 a directory. */
static int rules_rename(const struct dentry *o, const struct dentry *n, bool odir, int back)
{
	int err;

	if (!d_may(o, VFS_MAY_WRITE) || !d_may(n, VFS_MAY_WRITE))
		return -EACCES;
	err = rules_move(o->rule, n->rule, odir);
	return err || back < 0 ? err : rules_move(n->rule, o->rule, back);
}

/* [R] The checks of do_renameat2() and vfs_rename(), names found. 1: nothing to do. */
static int may_rename(struct vfs_ctx *ctx, const struct place *o, const struct place *n, unsigned flags)
{
	bool exchange = flags & RENAME_EXCHANGE, odir, ndir;
	int err;

	if (!o->d->inode || d_hidden(o->d))
		return -ENOENT;
	if (d_hidden(n->d))
		return -EACCES;
	if ((flags & RENAME_NOREPLACE) && n->d->inode)
		return -EEXIST;
	odir = S_ISDIR(o->d->inode->mode);
	ndir = n->d->inode && S_ISDIR(n->d->inode->mode);
	if (exchange) {
		if (!n->d->inode)
			return -ENOENT;
		if (!ndir && n->slash)
			return -ENOTDIR;
	}
	if (!odir && (o->slash || (!exchange && n->slash)))
		return -ENOTDIR;
	if (odir && is_ancestor(o->d, n->dir.dentry))
		return -EINVAL;
	if (ndir && is_ancestor(n->d, o->dir.dentry))
		return exchange ? -EINVAL : -ENOTEMPTY;
	if (unlikely(o->d->rule)) {
		err = rules_rename(o->d, n->d, odir, exchange ? (ndir ? 1 : 0) : -1);
		if (err)
			return err;
	}
	if (o->d->inode == n->d->inode)
		return 1;
	err = may_delete(ctx, o, odir);
	if (err)
		return err;
	if (!n->d->inode)
		err = may_change_dir(ctx, n);
	else
		err = may_delete(ctx, n, exchange ? ndir : odir);
	if (err)
		return err;
	/* ".." of a directory that gets another parent is written. */
	if (o->dir.dentry != n->dir.dentry) {
		if (odir)
			err = inode_permission(ctx->cred, o->d->inode, MAY_WRITE);
		if (!err && exchange && ndir)
			err = inode_permission(ctx->cred, n->d->inode, MAY_WRITE);
		if (err)
			return err;
	}
	if ((o->d->flags | n->d->flags) & D_MOUNTPOINT)
		return -EBUSY;
	if (flags & RENAME_WHITEOUT)
		return -EINVAL; /* as overlayfs says: it's the file system's to refuse */
	return o->dir.dentry->inode->ops->rename ? 0 : -EPERM;
}

static int rename_at(struct vfs_ctx *ctx, struct place *o, struct place *n, unsigned flags)
{
	const struct inode_ops *ops;
	struct inode *victim;
	bool gone, isdir;
	int err;

	err = lookup(o);
	if (!err && !d_inode(o->d))
		err = -ENOENT;
	if (!err)
		err = lookup(n);
	if (err)
		return err;
	vfs_rdlock();
	err = may_rename(ctx, o, n, flags);
	vfs_rdunlock();
	if (err == -EACCES && !d_may(o->d, VFS_MAY_WRITE))
		refuse(o);
	else if (err == -EACCES && !d_may(n->d, VFS_MAY_WRITE))
		refuse(n);
	if (err)
		return err == 1 ? 0 : err;
	err = prepare(o, true);
	if (!err)
		err = prepare(n, d_inode(n->d) != NULL);
	if (err)
		return err;
	lock_for(o);
	if (!still_there(o) || !still_there(n))
		err = (o->dir.dentry->flags | n->dir.dentry->flags) & D_DEAD ? -ENOENT : -EAGAIN;
	else
		err = may_rename(ctx, o, n, flags);
	if (!err && !is_remote(o))
		err = d_reserve();
	if (err) {
		unlock_for(o);
		return err == 1 ? 0 : err;
	}
	ops = o->dir.dentry->inode->ops;
	isdir = S_ISDIR(o->d->inode->mode);
	victim = n->d->inode;
	if (victim)
		iget(victim);
	gone = victim && S_ISDIR(victim->mode) && !(flags & RENAME_EXCHANGE);
	if (is_remote(o)) {
		unlock_for(o);
		err = ops->rename(o->d, n->d, flags);
		vfs_wrlock();
		if (!err && still_there(o) && still_there(n)) {
			if (d_reserve()) {
				/* Only cache: looked up again. */
				d_kill(o->d);
				d_kill(n->d);
			} else if (flags & RENAME_EXCHANGE)
				d_exchange(o->d, n->d);
			else if (!is_ancestor(o->d, n->dir.dentry))
				d_move(o->d, n->d, 0);
		}
		vfs_wrunlock();
	} else {
		err = ops->rename(o->d, n->d, flags);
		if (!err && gone)
			victim->flags |= I_DEAD;
		unlock_for(o);
	}
	iput(victim);
	if (unlikely(vfs_noting) && !err)
		note_moved(&o->dir, o->name, o->len, &n->dir, n->name, n->len, isdir);
	return err;
}

int vfs_rename(struct vfs_ctx *ctx, const struct path *obase, const char *oname, const struct path *nbase, const char *nname,
	       unsigned flags)
{
	AUTO_PLACE struct place o = {0};
	AUTO_PLACE struct place n = {0};
	int err;

	if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) ||
	    ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))))
		return -EINVAL;
	err = find_parent(ctx, obase, oname, &o);
	if (!err)
		err = find_parent(ctx, nbase, nname, &n);
	if (err)
		return err;
	if (o.dir.mnt != n.dir.mnt)
		return -EXDEV;
	if (o.type != LAST_NORM)
		return -EBUSY;
	if (n.type != LAST_NORM)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (path_rdonly(&o.dir))
		return -EROFS;
	do
		err = rename_at(ctx, &o, &n, flags);
	while (again(&o, err));
	return err;
}
