/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path.c - from an object to its name, as Linux's d_path().
 */
#include "vfs/core.h"

#include <stdio.h>
#include <string.h>

static bool put_front(char *buf, size_t *at, const char *s, size_t len)
{
	if (*at < len)
		return false;
	*at -= len;
	memcpy(buf + *at, s, len);
	return true;
}

/* [R] Writes the path at the end of buf; *at: where it starts. suffix goes after it. */
static int build(const struct vfs_ctx *ctx, const struct path *p, const char *suffix, char *buf, size_t size, size_t *at)
{
	struct path q = *p;
	bool any = false;

	*at = size;
	if (!put_front(buf, at, suffix, strlen(suffix) + 1))
		return -ERANGE;
	for (;;) {
		if (q.dentry == ctx->root->dentry && q.mnt == ctx->root->mnt)
			break;
		if (q.dentry == q.mnt->root) {
			if (q.mnt->parent) {
				q = (struct path){q.mnt->parent, q.mnt->mountpoint};
				continue;
			}
			if (!any && !put_front(buf, at, "/", 1))
				return -ERANGE;
			return put_front(buf, at, "(unreachable)", 13) ? 0 : -ERANGE;
		}
		if (!put_front(buf, at, q.dentry->name, q.dentry->namelen) || !put_front(buf, at, "/", 1))
			return -ERANGE;
		any = true;
		q.dentry = q.dentry->parent;
	}
	return any || put_front(buf, at, "/", 1) ? 0 : -ERANGE;
}

static int finish(char *buf, size_t size, size_t at, int err)
{
	if (err)
		return err;
	memmove(buf, buf + at, size - at);
	return (int)(size - at);
}

/*
 * [U] Where nothing is cached, each lookup replaces the entry, so that D_DEAD says nothing: does the name still lead to something?
 * Names of such a file system don't move.
 */
static bool is_deleted(const struct path *p)
{
	struct dentry *d = p->dentry;

	if (!(d->sb->flags & SB_DYNAMIC)) {
		vfs_rdlock();
		bool dead = d->flags & D_DEAD;
		vfs_rdunlock();
		return dead;
	}
	for (; d->parent != d; d = d->parent) {
		struct lookup_result r = {0};
		struct inode *dir = d_inode(d->parent);
		int n;

		if (!dir || !dir->ops->lookup)
			continue;
		n = dir->ops->lookup(d->parent, d->name, d->namelen, "", &r, 1);
		if (n != 1 || !r.inode)
			return true;
		iput(r.inode);
	}
	return false;
}

int vfs_getpath(struct vfs_ctx *ctx, const struct path *p, char *buf, size_t size)
{
	size_t at = 0;
	int err;

	if (is_deleted(p))
		return -ENOENT;
	vfs_rdlock();
	err = build(ctx, p, "", buf, size, &at);
	vfs_rdunlock();
	return finish(buf, size, at, err);
}

int vfs_vfile_path(struct vfs_ctx *ctx, const struct vfile *f, char *buf, size_t size)
{
	size_t at = 0;
	bool deleted;
	int err, n;

	if (f->kind == VF_FOREIGN)
		return -ENOENT;
	if (!f->path.dentry) {
		/* O_TMPFILE, or a name that was forgotten with a cached entry. */
		n = snprintf(buf, size, "/#%lu (deleted)", (unsigned long)f->inode->ino);
		return (size_t)n < size ? n + 1 : -ERANGE;
	}
	deleted = is_deleted(&f->path);
	vfs_rdlock();
	err = build(ctx, &f->path, deleted ? " (deleted)" : "", buf, size, &at);
	vfs_rdunlock();
	return finish(buf, size, at, err);
}
