/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dir.c - changes of names. All but prepare and tmpfile run with the lock held for writing and only change the tree: nothing is
 * asked of the lower. Whether a name needs a whiteout when it goes is known: see fsdata in overlay.h.
 */
#include "vfs/overlay/overlay.h"

static bool lower_has(const struct dentry *d)
{
	return (d->flags & D_WHITEOUT) || (d->inode && d->fsdata);
}
static uint32_t leave(const struct dentry *d)
{
	return lower_has(d) ? D_WHITEOUT | D_PINNED : 0;
}
static void place(struct dentry *d, bool has)
{
	d->flags &= ~D_WHITEOUT;
	d->fsdata = (void *)(uintptr_t)has;
}
static void touch_dir(struct dentry *dir)
{
	ovl_keep_see(OVL(dir->inode));
	dir->inode->mtime = dir->inode->ctime = vfs_now();
	d_pin(dir);
}
/* A directory gets or loses subdirectories. Link count 1 (btrfs and others) means "not counted" and stays. */
static void count_subdirs(struct dentry *dir, int delta)
{
	struct inode *i = dir->inode;

	if (i->nlink >= 2 && (int64_t)i->nlink + delta >= 2)
		i->nlink += (uint32_t)delta;
}
static int writable(const struct dentry *d)
{
	return (d->parent->inode->flags & I_DEAD) ? -ENOENT : 0;
}

/* A lower directory is listed at most once; then its list tells. */
int ovl_prepare(struct dentry *d, bool removing)
{
	struct ovl_sb *os = OVL_SB(d->sb);
	struct ovl_names *owned;
	const struct ovl_names *l;
	struct inode *dir = NULL;
	int r;

	ovl_orphan_sweep(os);
	filestore_reclaim(os->store);
	ovl_quota_refresh(os, removing);
	if (!removing)
		return ovl_keep_room(d->sb); /* a removal makes room, and there is some in reserve */
	vfs_rdlock();
	if (d->inode && S_ISDIR(d->inode->mode) && OVL(d->inode)->low && !(d->flags & D_COMPLETE)) {
		dir = d->inode;
		iget(dir);
	}
	vfs_rdunlock();
	if (!dir)
		return 0;
	r = ovl_names_get(dir, &l, &owned);
	if (!r) {
		vfs_wrlock();
		unsigned i = 0;
		for (; i < l->n; i++)
			if (!d_lookup(d, l->e[i].name, l->e[i].len))
				break;
		if (i == l->n && d->inode == dir)
			d->flags |= D_COMPLETE;
		vfs_wrunlock();
		free(owned);
	}
	iput(dir);
	return r;
}

/* Not known to be complete: prepare found a lower name that no whiteout hides. */
static bool is_empty(struct dentry *d)
{
	struct dentry *c;

	if (OVL(d->inode)->low && !(d->flags & D_COMPLETE))
		return false;
	LIST_FOREACH(c, &d->children, sibling)
	if (c->inode)
		return false;
	return true;
}

/* A name of d's inode goes. The caller unhashes d afterwards. */
static void drop_link(struct dentry *d)
{
	struct inode *i = d->inode;

	ovl_keep_see(OVL(i));
	i->ctime = vfs_now();
	if (S_ISDIR(i->mode)) {
		ovl_keep_gone(OVL(i));
		i->nlink = 0;
		i->flags |= I_DEAD;
		count_subdirs(d->parent, -1);
		return; /* the core lets go of the whiteouts in it */
	}
	if (i->nlink)
		i->nlink--;
	ovl_pin(OVL(i));
	if (i->nlink)
		ovl_keep_inode(OVL(i));
	else
		ovl_keep_gone(OVL(i));
	if (!i->nlink)
		ovl_orphan_add(OVL(i));
}

int ovl_mknod(struct dentry *d, uint32_t mode, dev_t rdev, uid_t uid, gid_t gid, const char *target)
{
	struct inode *dir = d->parent->inode;
	bool has = lower_has(d);
	struct ovl_inode *o;
	int r = writable(d);

	vfs_assert_locked(1);
	if (r)
		return r;
	if (d->inode)
		return -EEXIST;
	r = ovl_new_inode(dir, mode, rdev, uid, gid, target, &o);
	if (r)
		return r;
	d_instantiate(d, &o->i);
	place(d, has);
	d_pin(d);
	if (S_ISDIR(mode)) {
		d->flags |= D_COMPLETE; /* no lower: new, or opaque in place of one that was removed */
		count_subdirs(d->parent, 1);
	}
	touch_dir(d->parent);
	ovl_keep_inode(o);
	ovl_keep_entry(d, NULL);
	ovl_keep_times(d->parent);
	return 0;
}

int ovl_link(struct inode *inode, struct dentry *from, struct dentry *d)
{
	struct ovl_inode *o = OVL(inode);
	bool has = lower_has(d);
	int r = writable(d);

	if (r)
		return r;
	if (d->inode)
		return -EEXIST;
	if (S_ISDIR(inode->mode))
		return -EPERM;
	if (!inode->nlink && !(inode->flags & I_LINKABLE))
		return -ENOENT;
	ovl_pin(o);
	ovl_keep_see(o);
	inode->nlink++;
	inode->ctime = vfs_now();
	iget(inode);
	d_instantiate(d, inode);
	place(d, has);
	d_pin(d);
	ovl_orphan_del(o);
	touch_dir(d->parent);
	ovl_keep_inode(o);
	if (from && from->inode == inode && !(from->flags & D_DEAD))
		ovl_keep_entry(from, inode);
	ovl_keep_entry(d, NULL);
	ovl_keep_times(d->parent);
	return 0;
}

static void remove_name(struct dentry *d)
{
	struct dentry *dir = d->parent;

	touch_dir(dir);
	uint32_t left = leave(d);
	drop_link(d);
	ovl_keep_left(dir, d->name, d->namelen, left, d->inode);
	ovl_keep_times(dir);
	d_delete(d, left);
}

int ovl_unlink(struct dentry *d)
{
	if (!d->inode)
		return -ENOENT;
	if (S_ISDIR(d->inode->mode))
		return -EISDIR;
	remove_name(d);
	return 0;
}

int ovl_rmdir(struct dentry *d)
{
	if (!d->inode)
		return -ENOENT;
	if (!S_ISDIR(d->inode->mode))
		return -ENOTDIR;
	if (!is_empty(d))
		return -ENOTEMPTY;
	remove_name(d);
	return 0;
}

static void moved(struct dentry *d, const struct inode *before)
{
	ovl_pin(OVL(d->inode));
	d->inode->ctime = vfs_now();
	d_pin(d);
	ovl_keep_inode(OVL(d->inode));
	ovl_keep_entry(d, before);
	ovl_keep_times(d->parent);
}

static int exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *da = a->parent, *db = b->parent;
	bool has_a = lower_has(a), has_b = lower_has(b);
	int dir_a = S_ISDIR(a->inode->mode), dir_b = S_ISDIR(b->inode->mode);

	if (a->inode == b->inode)
		return 0;
	struct inode *ia = a->inode, *ib = b->inode;
	touch_dir(da);
	touch_dir(db);
	ovl_keep_see(OVL(ia));
	ovl_keep_see(OVL(ib));
	d_exchange(a, b);
	place(a, has_b);
	place(b, has_a);
	count_subdirs(da, dir_b - dir_a);
	count_subdirs(db, dir_a - dir_b);
	moved(a, ib);
	moved(b, ia);
	return 0;
}

int ovl_rename(struct dentry *from, struct dentry *to, unsigned flags)
{
	struct dentry *df = from->parent, *dt = to->parent;
	int r = writable(to);

	if (r)
		return r;
	if (!from->inode || ((flags & RENAME_EXCHANGE) && !to->inode))
		return -ENOENT;
	if (flags & RENAME_EXCHANGE)
		return exchange(from, to);
	bool dir = S_ISDIR(from->inode->mode), has = lower_has(to);
	if (to->inode) {
		if (flags & RENAME_NOREPLACE)
			return -EEXIST;
		if (to->inode == from->inode)
			return 0;
		if (dir != (bool)S_ISDIR(to->inode->mode))
			return dir ? -ENOTDIR : -EISDIR;
		if (dir && !is_empty(to))
			return -ENOTEMPTY;
	}
	touch_dir(df);
	touch_dir(dt);
	struct inode *victim = to->inode;
	uint32_t left = leave(from);
	ovl_keep_see(OVL(from->inode));
	if (victim) {
		iget(victim);
		drop_link(to);
	}
	ovl_keep_left(df, from->name, from->namelen, left, from->inode);
	d_move(from, to, left);
	place(from, has);
	if (dir && df != dt) {
		count_subdirs(df, -1);
		count_subdirs(dt, 1);
	}
	moved(from, victim);
	if (df != dt)
		ovl_keep_times(df);
	if (victim)
		iput_locked(victim);
	return 0;
}

int ovl_tmpfile(struct dentry *dir, uint32_t mode, uid_t uid, gid_t gid, struct inode **out)
{
	struct ovl_inode *o;
	int r;

	ovl_orphan_sweep(OVL_SB(dir->sb));
	filestore_reclaim(OVL_SB(dir->sb)->store);
	ovl_quota_refresh(OVL_SB(dir->sb), false);
	vfs_wrlock();
	r = dir->inode->flags & I_DEAD ? -ENOENT : ovl_new_inode(dir->inode, mode, 0, uid, gid, NULL, &o);
	if (!r)
		o->i.nlink = 0;
	vfs_wrunlock();
	if (!r)
		*out = &o->i;
	return r;
}
