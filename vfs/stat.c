/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stat.c - stat(2), access(2), readlink(2). What the cache knows is answered within the fast pass, under one hold of the lock.
 */
#include "vfs/core.h"

#include <string.h>

static void fill_stat(const struct inode *i, const struct path *p, struct kstat *st)
{
	*st = (struct kstat){0};
	inode_attrs(i, st);
	if (p && p->dentry) {
		st->mnt_id = (uint64_t)p->mnt->id;
		st->mnt_root = p->dentry == p->mnt->root;
	} else if (i->sb->mnt) {
		st->mnt_id = (uint64_t)i->sb->mnt->id;
	}
}

int inode_getattr(struct vfs_ctx *ctx, struct inode *i, const struct path *p, struct kstat *st)
{
	bool live;

	effect_answered(i->sb, i);
	vfs_rdlock();
	fill_stat(i, p, st);
	live = i->flags & I_LIVE;
	vfs_rdunlock();
	return live && i->ops->getattr ? i->ops->getattr(ctx, i, st) : 0;
}

static int path_getattr(struct vfs_ctx *ctx, const struct path *p, bool magic, struct kstat *out)
{
	struct inode *i = path_inode(p);
	int err;

	if (!i)
		return -ENOENT;
	err = inode_getattr(ctx, i, p, out);
	if (!err && magic && !(i->flags & I_LIVE) && i->ops->getattr)
		err = i->ops->getattr(ctx, i, out);
	iput(i);
	return err;
}

int vfs_stat(struct vfs_ctx *ctx, const struct path *base, const char *name, int atflags, struct kstat *out)
{
	unsigned flags = atflags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	AUTO_PATH struct path p = {0};
	struct nameidata nd;
	bool magic = false;
	int err;

	if (!*name && (atflags & AT_EMPTY_PATH))
		return path_getattr(ctx, base && base->dentry ? base : ctx->cwd, false, out);
	err = nd_start(&nd, ctx, base, name, 0, true);
	if (!err)
		err = walk_full(&nd, flags);
	if (!err) {
		const struct inode *i = nd.path.dentry->inode;

		if (!i) {
			err = -ENOENT;
		} else if (likely(!(i->flags & I_LIVE))) {
			fill_stat(i, &nd.path, out);
		} else {
			p = nd.path;
			path_get(&p);
		}
	}
	nd_end(&nd);
	if (err != -ECHILD) {
		dcache_count(true);
		return err || !p.dentry ? err : path_getattr(ctx, &p, false, out);
	}
	err = resolve_path(ctx, base, name, flags | WALK_MAGIC, 0, &p, &magic);
	return err ? err : path_getattr(ctx, &p, magic, out);
}

int vfs_access(struct vfs_ctx *ctx, const struct path *base, const char *name, int mode, int atflags)
{
	AUTO_PATH struct path p = {0};
	int err;

	if (mode & ~(MAY_READ | MAY_WRITE | MAY_EXEC))
		return -EINVAL;
	err = vfs_resolve(ctx, base, name, atflags, &p);
	if (err)
		return err;
	if ((mode & MAY_EXEC) && (p.dentry->sb->flags & SB_NOEXEC)) {
		struct inode *i = path_inode(&p);
		bool reg = i && S_ISREG(i->mode);

		iput(i);
		if (reg)
			return -EACCES;
	}
	return path_permission(ctx->cred, &p, mode);
}

static ssize_t copy_link(const char *text, char *buf, size_t size)
{
	size_t n = strlen(text);

	n = MIN(n, size);
	memcpy(buf, text, n);
	return (ssize_t)n;
}

static ssize_t path_readlink(struct vfs_ctx *ctx, const struct path *p, bool empty, char *buf, size_t size)
{
	struct inode *i = path_inode(p);
	ssize_t n;
	char text[PATH_MAX];

	if (!i)
		return -ENOENT;
	if (!S_ISLNK(i->mode)) {
		n = empty ? -ENOENT : -EINVAL;
	} else {
		n = i->ops->readlink ? i->ops->readlink(ctx, i, text, sizeof(text) - 1) : -EINVAL;
		if (n >= 0) {
			char *keep = NULL;

			text[n] = 0;
			if (dir_cacheable(i->sb) && (keep = strdup(text))) {
				vfs_wrlock();
				if (!i->link)
					i->link = take_ptr(keep);
				vfs_wrunlock();
				free(keep);
			}
			n = MIN(n, (ssize_t)size);
			memcpy(buf, text, (size_t)n);
		}
	}
	iput(i);
	return n;
}

ssize_t vfs_readlink(struct vfs_ctx *ctx, const struct path *base, const char *name, char *buf, size_t size)
{
	AUTO_PATH struct path p = {0};
	struct nameidata nd;
	ssize_t n;

	if (!size)
		return -EINVAL;
	if (!*name)
		return path_readlink(ctx, base && base->dentry ? base : ctx->cwd, true, buf, size);
	n = nd_start(&nd, ctx, base, name, 0, true);
	if (!n)
		n = walk_full(&nd, 0);
	if (!n) {
		const struct inode *i = nd.path.dentry->inode;

		if (!i || !S_ISLNK(i->mode))
			n = i ? -EINVAL : -ENOENT;
		else if (i->link)
			n = copy_link(i->link, buf, size);
		else
			n = -ECHILD;
	}
	nd_end(&nd);
	if (n != -ECHILD) {
		dcache_count(true);
		return n;
	}
	n = resolve_path(ctx, base, name, 0, 0, &p, NULL);
	return n ? n : path_readlink(ctx, &p, false, buf, size);
}
