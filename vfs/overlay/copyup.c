/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copyup.c - a lower file's data becomes ours, at the first open for writing or truncation.
 *
 * Done without the lock; who comes meanwhile for the same file waits. The lower's registration stays, so that descriptors
 * opened before still resolve to the inode (their data stays the old, as in Linux's overlayfs). Holes stay holes.
 */
#include "base/log.h"
#include "vfs/overlay/overlay.h"

#include "base/ns.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

#define CHUNK     (1U << 18)
#define LONG_COPY (1 << 18) /* bytes: below, the thread keeps the lead */

/* One mutex for all: held for instants only. */
static pthread_mutex_t copy_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t copy_cond = PTHREAD_COND_INITIALIZER;

/* Copies [off, end). Both descriptors are ours alone. The lower may be a file that the host truncates: a short read ends it. */
static int copy_range(int in, int out, int64_t off, int64_t end, char **buf)
{
	bool native = true;

	while (off < end) {
		size_t want = (size_t)MIN(end - off, (int64_t)(native ? CHUNK * 16 : CHUNK));
		ssize_t n;
		if (native) {
			off_t i = off, o = off;
			n = copy_file_range(in, &i, out, &o, want, 0);
			if (n < 0 && errno == ENOSPC)
				return -ENOSPC;
			if (n <= 0) {
				native = false;
				continue;
			}
		} else {
			if (!*buf && !(*buf = malloc(CHUNK)))
				return -ENOMEM;
			n = pread(in, *buf, want, off);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return n < 0 ? -errno : 0;
			for (ssize_t done = 0; done < n;) {
				ssize_t w = pwrite(out, *buf + done, (size_t)(n - done), off + done);
				if (w < 0 && errno == EINTR)
					continue;
				if (w <= 0)
					return w < 0 ? -errno : -EIO;
				done += w;
			}
		}
		off += n;
		atomic_fetch_add(&ovl_copy_up_bytes, (uint64_t)n);
	}
	return 0;
}

static int copy_data(int in, int out, int64_t size)
{
	AUTO_FREE char *buf = NULL;
	int64_t off = 0, end;
	int r;

	if (ftruncate(out, size))
		return -errno;
	while (off < size) {
		off = lseek(in, off, SEEK_DATA);
		if (off < 0)
			return errno == ENXIO ? 0 : -errno;
		end = lseek(in, off, SEEK_HOLE);
		if (end < 0)
			return -errno;
		if (off >= size)
			break;
		r = copy_range(in, out, off, MIN(end, size), &buf);
		if (r)
			return r;
		off = end;
	}
	return 0;
}

/* The backing file of id with the first limit bytes of inode's lower data. */
static int fill(struct inode *inode, uint64_t id, int64_t limit)
{
	AUTO_CLOSE int in = -1;
	AUTO_CLOSE int out = -1;
	struct gattr a;
	int r;

	if (limit <= 0)
		return 0;
	r = ovl_low_open(OVL(inode), O_RDONLY, &in, &a);
	if (r)
		return r;
	out = filestore_open(ovl_store(OVL(inode)), id, O_RDWR);
	if (out < 0)
		return out;
	if (!ovl_quota_room(OVL_SB(inode->sb), (uint64_t)MIN(limit, a.blocks * 512)))
		return -ENOSPC;
	/* A whole clone is one call where the file systems can do that. */
	r = limit >= a.size && !ioctl(out, FICLONE, in) ? 0 : copy_data(in, out, MIN(limit, a.size));
	/* Before the journal says that the data is here: a loss of power would take what the program never lost otherwise. */
	if (!r && OVL_SB(inode->sb)->keep && fdatasync(out))
		r = -errno;
	return r;
}

static int copy_up(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, int64_t limit)
{
	struct ovl_inode *o = OVL(inode);
	struct filestore *fs = ovl_store(o);
	uint64_t id, dev, ino;
	int64_t atime, mtime;
	bool reg = S_ISREG(inode->mode);
	int r;

	vfs_rdlock();
	bool done = inode->flags & I_UPPER;
	limit = MIN(limit, inode->size);
	atime = inode->atime;
	mtime = inode->mtime;
	vfs_rdunlock();
	if (done)
		return 0;
	if (!o->low || (!reg && !S_ISFIFO(inode->mode)))
		return -EINVAL;
	r = ovl_keep_room(inode->sb);
	if (r)
		return r;
	if (reg && limit > LONG_COPY && ctx && ctx->may_block)
		ctx->may_block(ctx);
	r = ovl_quota_inode(OVL_SB(inode->sb), 1);
	if (r)
		return r;
	r = reg ? filestore_new(fs, &id, &dev, &ino) : filestore_mkfifo(fs, &id, &dev, &ino);
	if (r) {
		ovl_quota_inode(OVL_SB(inode->sb), -1);
		return r;
	}
	r = reg ? fill(inode, id, limit) : 0;
	if (!r) {
		struct timespec ts[2] = {ns_split(atime), ns_split(mtime)};
		r = filestore_utimens(fs, id, ts);
	}
	if (r) {
		filestore_free(fs, id);
		ovl_quota_inode(OVL_SB(inode->sb), -1);
		return r;
	}
	log_event(LF_VFS, LL_INFO, "copy-up", LOG_INT("ino", inode->ino), LOG_INT("bytes", limit), LOG_INT("file", id));
	atomic_fetch_add(&ovl_copy_ups, 1);
	atomic_fetch_add(&ovl_upper_files, 1);
	vfs_wrlock();
	ovl_keep_see(o);
	o->id = id;
	hostobj_add(&o->obj, dev, ino, inode);
	inode->flags |= I_UPPER;
	ov_set(o, OV_COUNTED);
	if (reg)
		inode->flags |= I_LIVE;
	if (inode->nlink)
		ovl_pin(o);
	if (d && !(d->flags & D_DEAD))
		d_pin(d);
	if (inode->nlink)
		ovl_keep_inode(o);
	if (d && !(d->flags & D_DEAD))
		ovl_keep_entry(d, inode);
	vfs_wrunlock();
	ovl_fdcache_drop(o);
	ovl_quota_dirty(o);
	return 0;
}

int ovl_copy_up(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, int64_t limit)
{
	struct ovl_inode *o = OVL(inode);
	int r;

	pthread_mutex_lock(&copy_mutex);
	while (o->copying) {
		if (ctx && ctx->may_block) {
			pthread_mutex_unlock(&copy_mutex);
			ctx->may_block(ctx);
			pthread_mutex_lock(&copy_mutex);
			if (!o->copying)
				break;
		}
		pthread_cond_wait(&copy_cond, &copy_mutex);
	}
	o->copying = true;
	pthread_mutex_unlock(&copy_mutex);
	r = copy_up(ctx, d, inode, limit);
	pthread_mutex_lock(&copy_mutex);
	o->copying = false;
	pthread_cond_broadcast(&copy_cond);
	pthread_mutex_unlock(&copy_mutex);
	return r;
}
