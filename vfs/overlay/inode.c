/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inode.c - inodes of the overlay: made from a lower object or new, found again through other links, freed.
 */
#include "vfs/overlay/overlay.h"

_Atomic uint64_t ovl_copy_ups, ovl_copy_up_bytes, ovl_upper_files;

const struct inode_ops ovl_ops = {
    .lookup = ovl_lookup,
    .readdir = ovl_readdir,
    .readlink = ovl_readlink,
    .getattr = ovl_getattr,
    .open = ovl_open,
    .setattr = ovl_setattr,
    .getxattr = ovl_getxattr,
    .listxattr = ovl_listxattr,
    .setxattr = ovl_setxattr,
    .mknod = ovl_mknod,
    .prepare = ovl_prepare,
    .link = ovl_link,
    .unlink = ovl_unlink,
    .rmdir = ovl_rmdir,
    .rename = ovl_rename,
    .tmpfile = ovl_tmpfile,
    .release = ovl_release,
};

struct ovl_inode *ovl_inode_new(struct super *sb, uint32_t mode)
{
	struct ovl_inode *o = calloc(1, sizeof(*o));

	if (o)
		inode_init(&o->i, sb, &ovl_ops, mode);
	return o;
}

/* Another link of a known file. A count falls to 0 only under the lock that we hold, so what the table shows is alive. */
static struct inode *find_lower(const struct super *sb, const struct gattr *a, bool *taken)
{
	struct inode *i = hostobj_find(a->dev, a->ino);

	*taken = i;
	if (!i || i->ops != &ovl_ops || i->sb != sb || !OVL(i)->low)
		return NULL;
	/* A kept inode may be older than the host's present use of the number. */
	if (OVL(i)->jid && i->btime != a->btime)
		return NULL;
	iget(i);
	return i;
}

void ovl_lower_attrs(struct inode *i, const struct ovl_lattr *l)
{
	const struct vfs_config *cfg = vfs_config();
	const struct gattr *a = &l->a;
	bool fake = cfg->fakeroot && !l->layer;

	i->mode = a->mode;
	i->uid = fake && a->uid == cfg->host_uid ? 0 : a->uid;
	i->gid = fake && a->gid == cfg->host_gid ? 0 : a->gid;
	i->nlink = a->nlink;
	i->atime = a->atime;
	i->mtime = a->mtime;
	i->ctime = a->ctime;
}

struct inode *ovl_lower_inode(struct super *sb, const struct ovl_lattr *l, const char *path, size_t len)
{
	const struct gattr *a = &l->a;
	bool taken = false, dir = S_ISDIR(a->mode);
	struct inode *i = dir ? NULL : find_lower(sb, a, &taken);

	if (i)
		return i;
	struct ovl_low *low = malloc(sizeof(*low) + len + 1);
	struct ovl_inode *o = low ? ovl_inode_new(sb, a->mode) : NULL;
	if (!o) {
		free(low);
		return NULL;
	}
	i = &o->i;
	low->obj = (struct hostobj){.dev = (uint32_t)a->dev, .ino = a->ino};
	low->node = l->node;
	memcpy(low->path, path, len);
	low->path[len] = '\0';
	o->low = low;
	i->ino = l->ino;
	i->dev = vfs_map_dev(l->dev);
	inode_set_rdev(i, a->rdev);
	ovl_lower_attrs(i, l);
	i->blksize = a->blksize;
	i->size = a->size;
	i->blocks = a->blocks;
	i->btime = a->btime;
	if (l->layer)
		ov_set(o, OV_LAYER);
	if (!dir && !taken)
		hostobj_add(&low->obj, a->dev, a->ino, i);
	return i;
}

void ovl_pin(struct ovl_inode *o)
{
	vfs_assert_locked(1);
	if (o->low && !S_ISDIR(o->i.mode) && !ov_is(o, OV_PINNED)) {
		ov_set(o, OV_PINNED);
		iget(&o->i);
	}
}

int ovl_new_inode(const struct inode *dir, uint32_t mode, dev_t rdev, uid_t uid, gid_t gid, const char *target,
		  struct ovl_inode **out)
{
	struct ovl_sb *os = OVL_SB(dir->sb);
	struct ovl_inode *o;
	struct inode *i;
	uint64_t dev, ino;
	int r = 0;

	if (!S_ISDIR(mode) && !ovl_quota_room(os, 1))
		return -ENOSPC;
	r = ovl_quota_inode(os, 1);
	if (r)
		return r;
	o = ovl_inode_new(dir->sb, mode);
	if (!o) {
		ovl_quota_inode(os, -1);
		return -ENOMEM;
	}
	ov_set(o, OV_COUNTED);
	i = &o->i;
	i->ino = vfs_new_ino();
	i->dev = dir->dev;
	i->uid = uid;
	i->gid = gid;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	i->blksize = 4096;
	if (S_ISDIR(mode))
		i->size = 4096;
	inode_set_rdev(i, rdev);
	if (S_ISLNK(mode)) {
		i->link = strdup(target);
		i->size = (int64_t)strlen(target);
		if (!i->link)
			r = -ENOMEM;
	} else if (S_ISREG(mode)) {
		r = filestore_new(os->store, &o->id, &dev, &ino);
	} else if (S_ISFIFO(mode)) {
		r = filestore_mkfifo(os->store, &o->id, &dev, &ino);
	}
	if (r) {
		iput_locked(i);
		return r;
	}
	if (o->id) {
		i->flags |= I_UPPER;
		atomic_fetch_add(&ovl_upper_files, 1);
		hostobj_add(&o->obj, dev, ino, i);
	}
	*out = o;
	return 0;
}

void ovl_release(struct inode *i)
{
	struct ovl_inode *o = OVL(i);

	vfs_assert_locked(1);
	if (o->low)
		hostobj_del(&o->low->obj);
	ovl_quota_release(o);
	if (o->id) {
		hostobj_del(&o->obj);
		if (OVL_SB(i->sb)->keep)
			ovl_keep_free(o);
		else
			filestore_free(ovl_store(o), o->id);
		atomic_fetch_sub(&ovl_upper_files, 1);
	}
	if (S_ISDIR(i->mode))
		ovl_names_free(o->names);
	else
		ovl_fdcache_drop(o);
	ovl_xattrs_free(o->xattrs);
	free(o->low);
	free(o);
}
