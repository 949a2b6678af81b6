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

int vfs_getpath(struct vfs_ctx *ctx, const struct path *p, char *buf, size_t size)
{
	size_t at = 0;
	int err;

	vfs_rdlock();
	err = p->dentry->flags & D_DEAD ? -ENOENT : build(ctx, p, "", buf, size, &at);
	vfs_rdunlock();
	return finish(buf, size, at, err);
}

int vfs_vfile_path(struct vfs_ctx *ctx, const struct vfile *f, char *buf, size_t size)
{
	size_t at = 0;
	int err, n;

	if (f->kind == VF_FOREIGN)
		return -ENOENT;
	if (!f->path.dentry) {
		/* O_TMPFILE, or a name that was forgotten with a cached entry. */
		n = snprintf(buf, size, "/#%lu (deleted)", (unsigned long)f->inode->ino);
		return (size_t)n < size ? n + 1 : -ERANGE;
	}
	vfs_rdlock();
	err = build(ctx, &f->path, f->path.dentry->flags & D_DEAD ? " (deleted)" : "", buf, size, &at);
	vfs_rdunlock();
	return finish(buf, size, at, err);
}
