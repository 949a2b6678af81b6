/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c - opening, and attributes. A lower file is opened read-only by the gofer and never otherwise; an upper one is its
 * backing file. An upper file's size, blocks and times are the backing file's, as tracees write natively.
 */
#include "vfs/overlay/overlay.h"

#include "base/ns.h"

#define RDEV(maj, min) ((dev_t)makedev(maj, min))

/* [U] Before a descriptor is handed out: from now on the inode must outlive its names. */
static void mark_opened(struct ovl_inode *o, bool live)
{
	if (ov_is(o, OV_OPENED)) {
		/* It stays live, once it is: retire() takes that from unreferenced ones only. */
		vfs_rdlock();
		live = live && !(o->i.flags & I_LIVE);
		vfs_rdunlock();
		if (!live)
			return;
	}
	vfs_wrlock();
	ov_set(o, OV_OPENED);
	if (live)
		o->i.flags |= I_LIVE;
	if (!o->i.nlink)
		ovl_orphan_add(o);
	else if (ov_is(o, OV_LAYER))
		ovl_pin(o);
	vfs_wrunlock();
}

static int open_lower(struct ovl_inode *o, int flags, int *hostfd)
{
	struct gattr a;
	bool again = ov_is(o, OV_OPENED);
	int fd, r;

	/* O_NOATIME asks for ownership on the host; on a read-only mount there's no atime to keep. */
	flags &= ~(O_NOATIME | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND);
	fd = ovl_fdcache_reopen(o, flags);
	if (fd == -ENOENT || fd == -EACCES || fd == -EPERM) {
		bool cached = fd != -ENOENT;
		r = ovl_low_open(o, flags, &fd, &a);
		if (r)
			return r;
		if (again && !cached) {
			/* The second time: there will be a third. O_DIRECT and such must not stick to the cached description. */
			AUTO_CLOSE int keep = fd;
			ovl_fdcache_add(o, take_fd(&keep));
			fd = ovl_fdcache_reopen(o, flags);
			if (fd < 0) {
				r = ovl_low_open(o, flags, &fd, &a);
				if (r)
					return r;
			}
		}
	}
	if (fd < 0)
		return fd;
	*hostfd = fd;
	return 0;
}

int ovl_open(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, int flags, int *hostfd)
{
	struct ovl_inode *o = OVL(inode);
	bool write = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
	int r, fd;

	switch (inode->mode & S_IFMT) {
	case S_IFREG:
		break;
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		return -EISDIR;
	case S_IFCHR:
	case S_IFBLK:
		return S_ISCHR(inode->mode) ? dev_open(ctx, inode->rdev, flags, hostfd) : -ENXIO;
	case S_IFIFO:
		r = ovl_copy_up(ctx, d, inode, 0);
		if (r)
			return r;
		mark_opened(o, false);
		return ovl_open_fifo(ctx, o, flags, hostfd);
	default:
		return -ENXIO;
	}
	ovl_orphan_sweep(OVL_SB(inode->sb));
	vfs_rdlock();
	bool upper = inode->flags & I_UPPER;
	vfs_rdunlock();
	if (!upper && !write) {
		r = open_lower(o, flags, hostfd);
		if (!r) {
			ov_set(o, OV_LOWFD);
			mark_opened(o, false);
		}
		return r;
	}
	if (!upper) {
		r = ovl_copy_up(ctx, d, inode, flags & O_TRUNC ? 0 : INT64_MAX);
		if (r)
			return r;
	}
	mark_opened(o, write);
	if ((flags & O_TRUNC) && ovl_store(o) != filestore_get(0)) {
		/* ext4 writes a file that was truncated to disk when a descriptor is closed, lest a crash leaves it empty (auto_da_alloc). What is in
		 * a filestore need not survive one, so the descriptor that is closed is one of ours, while there's nothing to write. */
		r = filestore_truncate(ovl_store(o), o->id, 0);
		if (r)
			return r;
		flags &= ~O_TRUNC;
	}
	fd = filestore_open(ovl_store(o), o->id, flags & ~O_NOFOLLOW);
	if (fd < 0)
		return fd;
	if (write)
		ovl_quota_dirty(o);
	*hostfd = fd;
	return 0;
}

int ovl_getattr(struct vfs_ctx *ctx, struct inode *inode, struct kstat *st)
{
	struct ovl_inode *o = OVL(inode);
	struct kstat b = {0};
	int r = 0;

	vfs_rdlock();
	bool live = inode->flags & I_LIVE;
	inode_attrs(inode, st);
	vfs_rdunlock();
	if (!live)
		return 0;
	r = filestore_stat(ovl_store(o), o->id, &b);
	if (r)
		return r;
	st->size = b.size;
	st->blocks = b.blocks;
	/* Times that were set are stored in both places; the backing file's are later only when it was read or written since. */
	st->atime = MAX(st->atime, b.atime);
	st->mtime = MAX(st->mtime, b.mtime);
	st->ctime = MAX(st->ctime, b.mtime);
	return 0;
}

int ovl_setattr(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, const struct setattr *sa)
{
	struct ovl_inode *o = OVL(inode);
	unsigned times = sa->valid & (SA_ATIME | SA_MTIME | SA_ATIME_NOW | SA_MTIME_NOW);
	int64_t now = vfs_now();
	struct kstat was = {.size = -1};
	bool no_change = false;
	int r = ovl_keep_room(inode->sb);

	if (r)
		return r;
	if (sa->valid & SA_SIZE) {
		if (!S_ISREG(inode->mode))
			return S_ISDIR(inode->mode) ? -EISDIR : -EINVAL;
		r = ovl_getattr(ctx, inode, &was);
		if (!r)
			r = ovl_copy_up(ctx, d, inode, sa->size);
		/* truncate(2) to the size that it has already changes nothing where there's no data to cut (tmpfs): ftruncate(2) would. */
		no_change = was.size == sa->size && !was.blocks;
		if (!r && !no_change)
			r = filestore_truncate(ovl_store(o), o->id, sa->size);
		ovl_quota_dirty(o);
		if (r)
			return r;
	}
	vfs_rdlock();
	bool back = times && S_ISREG(inode->mode) && (inode->flags & I_UPPER);
	vfs_rdunlock();
	if (back) {
		struct timespec ts[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
		if (times & (SA_ATIME | SA_ATIME_NOW))
			ts[0] = ns_split(times & SA_ATIME_NOW ? now : sa->atime);
		if (times & (SA_MTIME | SA_MTIME_NOW))
			ts[1] = ns_split(times & SA_MTIME_NOW ? now : sa->mtime);
		r = filestore_utimens(ovl_store(o), o->id, ts);
		if (r)
			return r;
	}
	vfs_wrlock();
	ovl_keep_see(o);
	if (sa->valid & SA_MODE)
		inode->mode = (inode->mode & S_IFMT) | (sa->mode & 07777);
	if (sa->valid & SA_UID)
		inode->uid = sa->uid;
	if (sa->valid & SA_GID)
		inode->gid = sa->gid;
	if (sa->valid & SA_SIZE) {
		inode->flags |= I_LIVE;
		inode->size = sa->size;
		if (!no_change)
			inode->mtime = now;
	}
	if (times & (SA_ATIME | SA_ATIME_NOW))
		inode->atime = times & SA_ATIME_NOW ? now : sa->atime;
	if (times & (SA_MTIME | SA_MTIME_NOW))
		inode->mtime = times & SA_MTIME_NOW ? now : sa->mtime;
	if (sa->valid != SA_SIZE || !no_change)
		inode->ctime = now;
	if (inode->nlink)
		ovl_pin(o);
	if (d && !(d->flags & D_DEAD))
		d_pin(d);
	if (inode->nlink)
		ovl_keep_inode(o);
	if (d && !(d->flags & D_DEAD))
		ovl_keep_entry(d, inode);
	vfs_wrunlock();
	return 0;
}
