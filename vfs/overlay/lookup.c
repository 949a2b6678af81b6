/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lookup.c - names that aren't in the tree: asked of the lower, several levels in one round trip.
 *
 * What is in the tree counts: the core drops an answer for which a dentry (a whiteout, say) has appeared meanwhile. So an
 * answer of the lower, which never changes, can't be outdated.
 */
#include "vfs/overlay/overlay.h"

#define PREFETCH LOW_ATTRS_MAX

static bool hides_lower(const struct dentry *d)
{
	return (d->flags & D_WHITEOUT) || d->fsdata;
}

/* Attributes of the up to 64 names from list[first] on that aren't in the tree, in one round trip. Result for the first
 * in *out. */
static int prefetch(struct dentry *dir, struct ovl_names *l, unsigned first, struct lookup_result *out)
{
	struct super *sb = dir->sb;
	const char *names[PREFETCH], *base = ovl_lower(OVL(dir->inode));
	char path[PATH_MAX];
	struct ovl_lattr a[PREFETCH];
	unsigned n = 0, i = first;
	struct inode *ino;
	int r;

	vfs_rdlock();
	for (; i < l->n && n < PREFETCH; i++)
		if (!n || !d_lookup(dir, l->e[i].name, l->e[i].len))
			names[n++] = l->e[i].name;
	vfs_rdunlock();
	atomic_store(&l->last_miss, i);
	r = ovl_low_getattrs(OVL(dir->inode), names, n, a);
	if (r)
		return r;
	vfs_wrlock();
	for (unsigned k = n; k-- > 0;) {
		size_t len = strlen(names[k]);
		int plen = snprintf(path, sizeof(path), "%s%s%s", base, *base ? "/" : "", names[k]);
		if (!a[k].a.mode || (size_t)plen >= sizeof(path) ||
		    (k && ((dir->flags & D_DEAD) || d_lookup(dir, names[k], len))))
			continue;
		ino = ovl_lower_inode(sb, &a[k], path, (size_t)plen);
		if (!k)
			*out = (struct lookup_result){ino, (void *)1};
		else if (ino && !d_add(dir, names[k], len, ino, (void *)1))
			iput_locked(ino);
	}
	vfs_wrunlock();
	return out->inode ? 1 : a[0].a.mode ? -ENOMEM : 1;
}

/* How many components of rest can be part of the same walk, and their total length. */
static unsigned plan(const char *rest, size_t room, unsigned max, char *buf, size_t *pos)
{
	unsigned n = 0;

	while (n < max) {
		while (*rest == '/')
			rest++;
		size_t len = strcspn(rest, "/");
		if (!len || len > NAME_MAX || (rest[0] == '.' && (len == 1 || (len == 2 && rest[1] == '.'))) ||
		    *pos + len + 2 > room)
			break;
		buf[(*pos)++] = '/';
		memcpy(buf + *pos, rest, len);
		*pos += len;
		rest += len;
		n++;
	}
	buf[*pos] = '\0';
	return n;
}

int ovl_lookup(struct dentry *dir, const char *name, size_t len, const char *rest, struct lookup_result *out, int max)
{
	struct super *sb = dir->sb;
	struct ovl_inode *o = OVL(dir->inode);
	struct ovl_names *l = atomic_load(&o->names);
	const char *lower = ovl_lower(o);
	char path[PATH_MAX], link[PATH_MAX];
	struct ovl_lattr a[LOOKUP_BATCH];
	unsigned skip = 0, want, n = 0, done = 0;
	size_t pos = 0;
	int r;

	out[0] = (struct lookup_result){0};
	if (!lower || (dir->inode->flags & I_DEAD))
		return 1;
	if (l) {
		int at = ovl_names_find(l, name, len);
		if (at < 0)
			return 1;
		unsigned last = atomic_load(&l->last_miss), here = (unsigned)at;
		/* The second miss in a row, going forward: more will come. */
		if (!rest[strspn(rest, "/")] && last && here + 1 > last && here + 1 - last <= 4)
			return prefetch(dir, l, here, out);
		atomic_store(&l->last_miss, here + 1);
	}
	pos = strlen(lower);
	if (pos + len + 2 > sizeof(path))
		return -ENAMETOOLONG;
	memcpy(path, lower, pos);
	if (pos) {
		skip = 1;
		for (const char *p = lower; *p; p++)
			skip += *p == '/';
		path[pos++] = '/';
	}
	memcpy(path + pos, name, len);
	pos += len;
	want = 1 + plan(rest, sizeof(path), MIN((unsigned)max, LOOKUP_BATCH) - 1, path, &pos);
	link[0] = '\0';
	r = ovl_low_walk(OVL_SB(sb), path, skip, a, want, &n, link, sizeof(link));
	if (r == -ENOTDIR)
		r = 0;
	if (r)
		return r;
	n = MIN(n, want);
	size_t end = skip ? strlen(lower) + 1 : 0; /* cut the path level by level */
	vfs_wrlock();
	for (; done < n; done++) {
		size_t clen = strcspn(path + end, "/");
		struct inode *i = ovl_lower_inode(sb, &a[done], path, end + clen);
		if (!i)
			break;
		if (S_ISLNK(i->mode) && done + 1 == n && link[0] && !i->link)
			i->link = strdup(link);
		out[done] = (struct lookup_result){i, (void *)1};
		end += clen + 1;
		if (!S_ISDIR(i->mode)) {
			done++;
			break;
		}
	}
	vfs_wrunlock();
	if (done < n && (!done || S_ISDIR(out[done - 1].inode->mode)))
		return done ? (int)done : -ENOMEM;
	if (done < want && (!done || S_ISDIR(out[done - 1].inode->mode)))
		out[done++] = (struct lookup_result){0};
	return (int)done;
}

int ovl_readdir(struct vfs_ctx *ctx, struct dentry *dir, struct dirlist *out)
{
	struct ovl_names *owned = NULL;
	const struct ovl_names *l = NULL;
	struct dentry *c;
	int r = 0;

	if (OVL(dir->inode)->low && !(dir->inode->flags & I_DEAD)) {
		r = ovl_names_get(dir->inode, &l, &owned);
		if (r)
			return r;
	}
	/* In one go, so that a name that is moved meanwhile is seen once. The tree's own entries first: they are few. */
	vfs_rdlock();
	if (dir->inode->flags & I_DEAD)
		l = NULL;
	TAILQ_FOREACH(c, &dir->children, sibling)
	{
		if (!c->inode || (l && hides_lower(c) && ovl_names_find(l, c->name, c->namelen) >= 0))
			continue;
		r = dirlist_add(out, c->name, c->namelen, c->inode->ino, (unsigned char)((c->inode->mode & S_IFMT) >> 12));
		if (r < 0)
			break;
	}
	for (unsigned i = 0; r >= 0 && l && i < l->n; i++) {
		const struct ovl_name *e = &l->e[i];
		c = d_lookup(dir, e->name, e->len);
		if (!c)
			r = dirlist_add(out, e->name, e->len, e->ino, e->type);
		else if (c->inode)
			r = dirlist_add(out, e->name, e->len, c->inode->ino,
					(unsigned char)((c->inode->mode & S_IFMT) >> 12));
	}
	vfs_rdunlock();
	free(owned);
	return MIN(r, 0);
}

/* The core keeps the text in inode->link. */
ssize_t ovl_readlink(struct vfs_ctx *ctx, struct inode *inode, char *buf, size_t size)
{
	const struct ovl_inode *o = OVL(inode);
	char link[PATH_MAX] = "";
	struct ovl_lattr a;
	unsigned got = 0, depth = 0;
	ssize_t n = -1;

	if (!S_ISLNK(inode->mode))
		return -EINVAL;
	vfs_rdlock();
	if (inode->link) {
		n = (ssize_t)MIN(strlen(inode->link), size);
		memcpy(buf, inode->link, (size_t)n);
	}
	vfs_rdunlock();
	if (n >= 0)
		return n;
	if (!o->low)
		return -EIO;
	for (const char *p = ovl_lower(o); *p; p++)
		depth += *p == '/';
	int r = ovl_low_walk(OVL_SB(inode->sb), ovl_lower(o), depth, &a, 1, &got, link, sizeof(link));
	if (r)
		return r;
	n = (ssize_t)MIN(strlen(link), size);
	memcpy(buf, link, (size_t)n);
	return n;
}
