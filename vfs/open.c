/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.c - open(2), openat2(2), and the opening part of execve(2): Linux's do_filp_open() and build_open_flags().
 */
#include "vfs/core.h"

#include <linux/capability.h>

#ifndef O_TMPFILE_BIT
#define O_TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)
#endif
#define OPEN_KNOWN                                                                                                \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_ASYNC | \
	 O_DIRECT | O_LARGEFILE | 0100000 | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE)
#define RESOLVE_KNOWN \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED)

/* An open in progress. */
struct opening {
	struct vfs_ctx *ctx;
	int flags;
	int acc; /* MAY_ */
	mode_t mode;
	uint64_t resolve;
	bool created; /* by this call: no permission is checked on it */
};

static int check_flags(const struct open_how *how, struct opening *o)
{
	static const int acc[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};

	if ((how->flags >> 32) || (how->resolve && (how->flags & ~(uint64_t)OPEN_KNOWN)))
		return -EINVAL;
	if (how->resolve & ~(uint64_t)RESOLVE_KNOWN)
		return -EINVAL;
	if ((how->resolve & RESOLVE_BENEATH) && (how->resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	o->flags = (int)how->flags & OPEN_KNOWN;
	o->resolve = how->resolve;
	if (o->flags & O_PATH) {
		o->flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
		return 0;
	}
	if ((o->flags & (O_DIRECTORY | O_CREAT)) == (O_DIRECTORY | O_CREAT))
		return -EINVAL;
	o->acc = acc[o->flags & O_ACCMODE];
	if (o->flags & O_TMPFILE_BIT) {
		if ((o->flags & O_TMPFILE) != O_TMPFILE || !(o->acc & MAY_WRITE))
			return -EINVAL;
	}
	if (o->flags & O_TRUNC)
		o->acc |= MAY_WRITE;
	if ((o->resolve & RESOLVE_CACHED) && (o->flags & (O_TRUNC | O_CREAT | O_TMPFILE_BIT)))
		return -EAGAIN;
	o->mode = (mode_t)how->mode & 07777;
	return 0;
}

/* Asks the file system. i is referenced by the caller. */
static int fs_open(struct opening *o, struct dentry *d, struct inode *i, int *hostfd)
{
	struct vfs_ctx *ctx = o->ctx;
	int flags = (o->flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW | O_DIRECTORY | O_TMPFILE_BIT | O_NOCTTY)) | O_CLOEXEC;
	int err;

	if (!i->ops->open)
		return -ENXIO;
	if (S_ISFIFO(i->mode) && !(flags & O_NONBLOCK) && ctx->may_block)
		ctx->may_block(ctx);
	for (;;) {
		err = i->ops->open(ctx, d, i, flags, hostfd);
		if (err != -EINTR)
			return err;
		if (ctx->interrupted && ctx->interrupted(ctx))
			return -ERESTARTSYS;
	}
}

/* may_open(): the checks on an object that exists. */
static int may_open(struct opening *o, const struct path *p, const struct inode *i)
{
	const struct vfs_cred *c = o->ctx->cred;
	int err = 0;

	switch (i->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (o->acc & MAY_WRITE)
			return -EISDIR;
		break;
	case S_IFBLK:
	case S_IFCHR:
		if (p->dentry->sb->flags & SB_NODEV)
			return -EACCES;
		break;
	default:
		break;
	}
	if (!o->created && (o->flags & O_TRUNC) && path_rdonly(p))
		err = -EROFS; /* truncating asks for the mount first */
	else if (!o->created)
		err = path_permission(c, p, o->acc);
	if (!err)
		err = rules_open(p, i, o->acc);
	if (err)
		return err;
	if (S_ISSOCK(i->mode))
		return -ENXIO;
	vfs_rdlock();
	if ((o->flags & O_NOATIME) && !inode_owner_or_capable(c, i))
		err = -EPERM;
	vfs_rdunlock();
	return err;
}

/*
 * may_create_in_sticky() with the sysctls protected_regular and protected_fifos 0, which govern files and FIFOs alone: O_CREAT of what somebody else has put
 * into a sticky directory that all may write to.
 */
static int may_create_in_sticky(const struct vfs_cred *c, const struct path *p, const struct inode *i)
{
	if (S_ISREG(i->mode) || S_ISFIFO(i->mode))
		return 0;
	vfs_rdlock();
	const struct inode *dir = p->dentry->parent->inode;
	bool other =
	    dir && (dir->mode & (S_ISVTX | S_IWOTH)) == (S_ISVTX | S_IWOTH) && i->uid != dir->uid && i->uid != c->uid;
	vfs_rdunlock();
	return other ? -EACCES : 0;
}

/* do_open(): p is what the name led to. magic: the link itself, whose object has no path. */
static int open_path(struct opening *o, const struct path *p, bool magic, int *hostfd)
{
	struct inode *i = path_inode(p);
	bool dir;
	int err = 0;

	if (!i)
		return -ENOENT;
	dir = S_ISDIR(i->mode);
	if (magic) {
		err = o->flags & O_DIRECTORY                                  ? -ENOTDIR
		      : (o->flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ? -EEXIST
									      : 0;
		if (!err)
			err = o->flags & O_PATH ? token_open(p, true, o->flags, hostfd) : fs_open(o, p->dentry, i, hostfd);
		iput(i);
		return err;
	}
	if ((o->flags & O_CREAT) && !o->created) {
		if (o->flags & O_EXCL)
			err = -EEXIST;
		else if (dir)
			err = -EISDIR;
		else
			err = may_create_in_sticky(o->ctx->cred, p, i);
	}
	if (!err && (o->flags & O_DIRECTORY) && !dir)
		err = -ENOTDIR;
	if (!err && (o->flags & O_PATH)) {
		err = token_open(p, true, o->flags, hostfd);
	} else {
		if (!err)
			err = may_open(o, p, i);
		if (!err && dir && (o->flags & O_DIRECT))
			err = -EINVAL;
		else if (!err && dir)
			err = token_open(p, false, o->flags, hostfd);
		else if (!err)
			err = fs_open(o, p->dentry, i, hostfd);
		if (unlikely(vfs_noting) && !err)
			note_path(p, (o->acc & MAY_READ && !dir ? VFS_NOTE_READ : 0) |
					 (o->acc & MAY_WRITE ? VFS_NOTE_WRITTEN : 0));
		if (!err && !dir) {
			d_set_alias(p->dentry, i);
			if ((o->acc & MAY_WRITE) && !o->created && S_ISREG(i->mode) &&
			    (!(i->sb->flags & SB_REMOTE) || (o->flags & O_TRUNC))) {
				/* Writes happen natively, where we can't see them: what a write would drop goes now. On a bind the host sees to
				 * that, but for O_TRUNC, which the gofer does with its own privileges. */
				struct vfile f = {.kind = VF_FILE, .inode = i, .path = *p};

				err = vfs_killpriv(o->ctx, &f);
				if (err)
					close(take_fd(hostfd));
			}
		}
	}
	iput(i);
	return err;
}

/* O_CREAT, slow pass: walks to the parent, makes what is missing, follows a last symlink to where it points. */
static int open_create(struct opening *o, const struct path *base, const char *name, struct path *out, bool *magic)
{
	struct nameidata nd;
	struct path next = {0};
	int err = nd_start(&nd, o->ctx, base, name, o->resolve, false);

	*magic = false;
	while (!err) {
		err = walk_parent(&nd);
		if (err)
			break;
		if (nd.last_type != LAST_NORM || nd.want_dir) {
			err = nd.last_type != LAST_NORM ? walk_dots(&nd) : 0;
			if (!err)
				err = nd.last_type != LAST_NORM && (o->flags & O_EXCL) ? -EEXIST : -EISDIR;
			break;
		}
		path_put(&next);
		err = walk_last(&nd, true, &next);
		if (err)
			break;
		if (!d_inode(next.dentry)) {
			/* The name is in the caller's string or in nd.text: both live until nd_end(). */
			mode_t mode = S_IFREG | o->mode;
			struct dentry *made = NULL;

			err = create_in(o->ctx, &nd.path, nd.last, nd.last_len, mode, &made);
			if (err == -EEXIST && !(o->flags & O_EXCL)) {
				err = 0;
				nd.p = nd.last; /* somebody was faster: look again */
				continue;
			}
			if (err)
				break;
			if (made) {
				*out = (struct path){nd.path.mnt, made};
				o->created = true;
				break;
			}
			/* The host may show another's file by now: without checks only if it's the caller's own. */
			path_put(&next);
			nd.trusted = 0;
			err = walk_last(&nd, true, &next);
			if (!err && !d_inode(next.dentry))
				err = -ENOENT;
			if (!err) {
				o->created = d_inode(next.dentry)->uid == o->ctx->cred->uid;
				if (!o->created)
					o->flags &= ~(O_CREAT | O_EXCL);
				*out = next;
				path_get(out);
			}
			break;
		}
		if (o->flags & O_EXCL) {
			err = -EEXIST;
			break;
		}
		if (!S_ISLNK(d_inode(next.dentry)->mode) || (o->flags & O_NOFOLLOW)) {
			*out = next;
			path_get(out);
			break;
		}
		err = walk_link(&nd, &next, true);
		if (err == -ENXIO) {
			*magic = true;
			*out = next;
			path_get(out);
			err = 0;
			break;
		}
		if (err == 1) {
			*out = nd.path;
			path_get(out);
			err = 0;
			break;
		}
	}
	path_put(&next);
	nd_end(&nd);
	return err;
}

static int open_tmpfile(struct opening *o, const struct path *base, const char *name, int *hostfd)
{
	AUTO_PATH struct path dir = {0};
	struct inode *di, *i = NULL;
	mode_t mode = S_IFREG | o->mode;
	uid_t uid;
	gid_t gid;
	int err = resolve_path(o->ctx, base, name, o->flags & O_NOFOLLOW ? 0 : WALK_FOLLOW, o->resolve, &dir, NULL);

	if (err)
		return err;
	di = path_inode(&dir);
	if (!di)
		return -ENOENT;
	if (!S_ISDIR(di->mode))
		err = -ENOTDIR;
	else if (path_rdonly(&dir))
		err = -EROFS;
	else
		err = path_permission(o->ctx->cred, &dir, MAY_WRITE | MAY_EXEC);
	if (!err && unlikely(dir.dentry->rule) && !(rules_unnamed(dir.dentry->rule) & VFS_MAY_WRITE))
		err = -EACCES;
	if (!err && !di->ops->tmpfile)
		err = -EOPNOTSUPP;
	if (!err) {
		vfs_rdlock();
		new_owner(o->ctx, di, &mode, &uid, &gid);
		vfs_rdunlock();
		err = di->ops->tmpfile(dir.dentry, mode, uid, gid, &i);
	}
	if (!err) {
		if (!(o->flags & O_EXCL)) {
			vfs_wrlock();
			i->flags |= I_LINKABLE;
			vfs_wrunlock();
		}
		err = fs_open(o, NULL, i, hostfd);
		if (unlikely(vfs_noting) && !err)
			note_path(&dir, VFS_NOTE_TMPFILE);
		iput(i);
	}
	iput(di);
	return err;
}

int vfs_open_check(const struct open_how *how)
{
	struct opening o = {0};

	return check_flags(how, &o);
}

int vfs_open(struct vfs_ctx *ctx, const struct path *base, const char *name, const struct open_how *how, int *hostfd)
{
	struct opening o = {.ctx = ctx};
	AUTO_PATH struct path p = {0};
	bool magic = false;
	int err = check_flags(how, &o);

	*hostfd = -1;
	if (err)
		return err;
	if (o.flags & O_TMPFILE_BIT)
		return open_tmpfile(&o, base, name, hostfd);
	if ((o.flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL)) {
		unsigned flags = o.flags & O_NOFOLLOW ? 0 : WALK_FOLLOW | WALK_MAGIC;

		err = resolve_path(ctx, base, name, flags, o.resolve, &p, &magic);
		/* Where a name is to be made, a trailing slash is the finding that counts. */
		if ((err != -ENOENT && err != -ENOTDIR && err != -ELOOP) || !(o.flags & O_CREAT))
			return err ? err : open_path(&o, &p, magic, hostfd);
	}
	err = open_create(&o, base, name, &p, &magic);
	return err ? err : open_path(&o, &p, magic, hostfd);
}

int vfs_open_exec(struct vfs_ctx *ctx, const struct path *base, const char *name, int atflags, struct vfs_exec *out)
{
	struct opening o = {.ctx = ctx, .flags = O_RDONLY, .acc = MAY_EXEC};
	AUTO_PATH struct path p = {0};
	struct inode *i;
	int err = vfs_resolve(ctx, base, name, atflags, &p);

	*out = (struct vfs_exec){.fd = -1};
	if (err)
		return err;
	i = path_inode(&p);
	if (!i)
		return -ENOENT;
	if (S_ISLNK(i->mode))
		err = -ELOOP;
	else if (!S_ISREG(i->mode) || (p.dentry->sb->flags & SB_NOEXEC))
		err = -EACCES;
	else
		err = path_permission(ctx->cred, &p, MAY_EXEC);
	if (!err)
		err = rules_open(&p, i, MAY_EXEC);
	if (!err)
		err = fs_open(&o, p.dentry, i, &out->fd);
	if (!err)
		err = inode_getattr(ctx, i, &p, &out->st);
	if (!err) {
		d_set_alias(p.dentry, i);
		if (unlikely(vfs_noting))
			note_path(&p, VFS_NOTE_EXECUTED);
		out->readable = path_permission(ctx->cred, &p, MAY_READ) == 0 && d_may(p.dentry, VFS_MAY_READ);
		out->path = p;
		p = (struct path){0};
	} else if (out->fd >= 0) {
		close(take_fd(&out->fd));
	}
	iput(i);
	return err;
}
