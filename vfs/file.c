/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c - what an open descriptor is: identification, fstat, locks.
 *
 * We hold no table of the tracees' descriptors: device and inode number of the descriptor itself say what it is.
 */
#include "vfs/core.h"

#include "base/ns.h"

#include <string.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <time.h>

int vfs_identify(int hostfd, struct vfile *out)
{
	struct stat st;
	struct inode *i;
	bool ours = false;

	*out = (struct vfile){.kind = VF_FOREIGN};
	if (fstat(hostfd, &st) < 0)
		return -errno;
	out->token = token_find(st.st_dev, st.st_ino, &out->path, &out->o_path);
	if (out->token) {
		out->inode = path_inode(&out->path);
		if (!out->inode) {
			path_put(&out->path);
			return -ENOENT;
		}
		out->kind = S_ISDIR(out->inode->mode) ? VF_DIR : VF_FILE;
		return 0;
	}
	vfs_rdlock();
	i = hostobj_find(st.st_dev, st.st_ino);
	if (i && iget_live(i)) {
		out->inode = i;
		ours = !S_ISREG(i->mode) || (i->flags & I_UPPER) || ((i->sb->flags & (SB_REMOTE | SB_RDONLY)) == SB_REMOTE);
		struct dentry *a = inode_has_alias(i) ? __atomic_load_n(&i->alias, __ATOMIC_RELAXED) : NULL;

		if (a && a->sb->mnt) {
			out->path = (struct path){a->sb->mnt, a};
			path_get(&out->path);
		}
	}
	vfs_rdunlock();
	if (!out->inode)
		return 0;
	if (!ours) {
		/* A donated lower file is never writable: this is something else that the host happens to show with the same numbers. */
		int fl = fcntl(hostfd, F_GETFL);

		if (fl < 0 || (fl & O_ACCMODE) != O_RDONLY) {
			vfile_put(out);
			return 0;
		}
	}
	out->kind = VF_FILE;
	return 0;
}

void vfile_put(struct vfile *f)
{
	path_put(&f->path);
	iput(f->inode);
	f->inode = NULL;
	f->token = NULL;
	f->kind = VF_FOREIGN;
}

static int64_t statx_ns(const struct statx_timestamp *t)
{
	return ns_join(t->tv_sec, t->tv_nsec);
}

int vfs_fstat(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, struct kstat *out)
{
	const struct vfs_config *cfg = vfs_config();
	struct statx sx;
	dev_t dev;

	if (f->kind != VF_FOREIGN)
		return inode_getattr(ctx, f->inode, &f->path, out);
	if (statx(hostfd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &sx) < 0)
		return -errno;
	dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	if (cfg->gofer && S_ISREG(sx.stx_mode) && vfs_dev_known(dev)) {
		int fl = fcntl(hostfd, F_GETFL);

		if (fl >= 0 && (fl & O_ACCMODE) == O_RDONLY && goferfs_fstat(hostfd, dev, out) == 0)
			return 0;
	}
	*out = (struct kstat){.dev = vfs_dev_known(dev) ? vfs_map_dev(dev) : dev,
			      .rdev = makedev(sx.stx_rdev_major, sx.stx_rdev_minor),
			      .ino = sx.stx_ino,
			      .mode = sx.stx_mode,
			      .nlink = sx.stx_nlink,
			      .blksize = sx.stx_blksize,
			      /* A socket may be one that we accepted for its holder. */
			      .uid = sx.stx_uid == cfg->tracee_kuid || S_ISSOCK(sx.stx_mode) ? ctx->cred->uid : sx.stx_uid,
			      .gid = sx.stx_gid == cfg->tracee_kgid || S_ISSOCK(sx.stx_mode) ? ctx->cred->gid : sx.stx_gid,
			      .size = (int64_t)sx.stx_size,
			      .blocks = (int64_t)sx.stx_blocks,
			      .atime = statx_ns(&sx.stx_atime),
			      .mtime = statx_ns(&sx.stx_mtime),
			      .ctime = statx_ns(&sx.stx_ctime),
			      .btime = statx_ns(&sx.stx_btime)};
	devpts_fix_stat(dev, out);
	return 0;
}

int vfs_setfl(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, int flags)
{
	int now = fcntl(hostfd, F_GETFL);
	bool may;

	if (now < 0)
		return -errno;
	vfs_rdlock();
	may = (now & O_NOATIME) || inode_owner_or_capable(ctx->cred, f->inode);
	vfs_rdunlock();
	if (!may)
		return -EPERM;
	if (fcntl(hostfd, F_SETFL, flags) == 0)
		return 0;
	/* The host's owner is somebody else. A lower file is on a read-only mount, where there's no atime to keep. */
	return errno == EPERM && fcntl(hostfd, F_SETFL, flags & ~O_NOATIME) == 0 ? 0 : -errno;
}

int vfs_vfile_statfs(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, struct statfs *out)
{
	struct path p = f->path;

	if (f->kind == VF_FOREIGN)
		return fstatfs(hostfd, out) < 0 ? -errno : 0;
	if (p.dentry)
		return vfs_statfs(ctx, &p, out);
	if (!f->inode->sb->ops || !f->inode->sb->ops->statfs)
		return -ENOSYS;
	return f->inode->sb->ops->statfs(f->inode->sb, out);
}

/* --- Locks: on upper data only, or on a read-write bind, where the host is meant to see them. --- */

int vfile_reopen(struct vfs_ctx *ctx, const struct vfile *f, int flags, int *fd)
{
	struct dentry *d = f->path.dentry;

	if (d && (d->inode != f->inode || (d->flags & D_DEAD)))
		d = NULL;
	return f->inode->ops->open ? f->inode->ops->open(ctx, d, f->inode, flags, fd) : -ENXIO;
}

int vfs_prepare_lock(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, int *replace)
{
	AUTO_CLOSE int fd = -1;
	struct super *sb;
	struct stat a, b;
	int fl, err;
	off_t pos;

	*replace = -1;
	if (f->kind != VF_FILE || f->o_path || !S_ISREG(f->inode->mode))
		return 0;
	sb = f->inode->sb;
	if ((sb->flags & SB_REMOTE) && !(sb->flags & SB_RDONLY))
		return 0;
	fl = fcntl(hostfd, F_GETFL);
	if (fl < 0)
		return -errno;
	if ((fl & O_ACCMODE) != O_RDONLY)
		return 0; /* only upper data is open for writing */
	if (!(f->inode->flags & I_UPPER)) {
		/* A read-only bind has no upper whose file could stand in. */
		if (sb->flags & SB_REMOTE)
			return -ENOLCK;
		/* Opening for writing is what copies up, also where names and data are read-only to the program. */
		err = vfile_reopen(ctx, f, O_WRONLY | O_CLOEXEC, &fd);
		if (err)
			return err;
		close(take_fd(&fd));
	}
	err = vfile_reopen(ctx, f, (fl & (O_APPEND | O_NONBLOCK | O_DIRECT)) | O_RDONLY | O_CLOEXEC, &fd);
	if (err)
		return err;
	/* A descriptor from before a copy-up still shows the lower file. */
	if (fstat(fd, &a) < 0 || fstat(hostfd, &b) < 0)
		return -errno;
	if (a.st_dev == b.st_dev && a.st_ino == b.st_ino)
		return 0;
	pos = lseek(hostfd, 0, SEEK_CUR);
	if (pos > 0 && lseek(fd, pos, SEEK_SET) < 0)
		return -errno;
	*replace = take_fd(&fd);
	return 0;
}

int vfs_flock(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, int op, int *replace)
{
	struct timespec wait = {.tv_nsec = 1000000};
	bool told = false;
	int err, fd;

	*replace = -1;
	if (f->o_path)
		return -EBADF;
	switch (op & ~LOCK_NB) {
	case LOCK_UN:
		break;
	case LOCK_SH:
	case LOCK_EX:
		err = vfs_prepare_lock(ctx, f, hostfd, replace);
		if (err)
			return err;
		break;
	default:
		return -EINVAL;
	}
	fd = *replace >= 0 ? *replace : hostfd;
	for (;;) {
		if (f->kind == VF_DIR)
			err = token_flock(f->token, f->inode, op & ~LOCK_NB);
		else
			err = flock(fd, op | LOCK_NB) < 0 ? -errno : 0;
		if (!err)
			return 0;
		if (err == -EINTR)
			continue;
		if (err != -EWOULDBLOCK || (op & LOCK_NB))
			break;
		if (!told && ctx->may_block)
			ctx->may_block(ctx);
		told = true;
		if (ctx->interrupted && ctx->interrupted(ctx)) {
			err = -ERESTARTSYS;
			break;
		}
		nanosleep(&wait, NULL);
		wait.tv_nsec = MIN(wait.tv_nsec * 2, 50000000L);
	}
	if (*replace >= 0)
		close(take_fd(replace));
	return err;
}
