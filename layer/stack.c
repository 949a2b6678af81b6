/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.c - see stack.h. Merging goes by objects, not by paths, so that moves need no order: first each inode of the upper layer gets its counterpart below
 * or a new one, then these take its state, then its entries are set.
 */
#include "layer/stack.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define FOR_EACH_INODE(m, k, i)                      \
	for (size_t k = 0; k < (m)->cap_inodes; k++) \
		for (struct layer_inode *i = (m)->inodes[k]; i; i = i->hnext)

struct merge {
	struct model *m;
	struct model_links links; /* of m before */
	uint64_t shift;           /* of the numbers of new inodes, lest they are those of others */
	uint32_t store;
};

static int by_number(const void *a, const void *b)
{
	const struct model_link *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return (x->ino > y->ino) - (x->ino < y->ino);
}

int model_links(const struct model *m, struct model_links *out)
{
	*out = (struct model_links){.v = malloc((m->n_inodes + 1) * sizeof(*out->v))};
	if (!out->v)
		return -ENOMEM;
	FOR_EACH_INODE(m, k, i)
	{
		const struct jstamp *s = i->low ? i->stamp : NULL;
		if (S_ISDIR(i->mode) || (s && !s->ino))
			continue;
		out->v[out->n++] = (struct model_link){.dev = s ? s->dev : m->root->stamp->dev,
						       .ino = s ? s->ino : i->ino,
						       .btime = s ? s->btime : i->btime,
						       .i = i};
	}
	qsort(out->v, out->n, sizeof(*out->v), by_number);
	return 0;
}

struct layer_inode *model_links_find(const struct model_links *l, uint64_t dev, uint64_t ino, int64_t btime)
{
	const struct model_link key = {.dev = dev, .ino = ino};
	const struct model_link *found = l->n ? bsearch(&key, l->v, l->n, sizeof(key), by_number) : NULL;

	return found && found->btime == btime ? found->i : NULL;
}

int model_resolve(const struct model *m, const char *path, const struct layer_inode **node, char *host)
{
	const struct layer_inode *dir = m->root;

	*node = NULL;
	if (!dir) /* an empty layer hides nothing */
		return snprintf(host, PATH_MAX, "%s", path) < PATH_MAX ? 0 : -ENAMETOOLONG;
	while (*path) {
		size_t len = strcspn(path, "/");
		if (!S_ISDIR(dir->mode))
			return -ENOTDIR;
		const struct layer_entry *e = model_find(m, dir, path, len);
		if (!e) {
			if (!dir->low)
				return -ENOENT;
			int n = snprintf(host, PATH_MAX, "%s%s%s", dir->low, *dir->low ? "/" : "", path);
			return n < PATH_MAX ? 0 : -ENAMETOOLONG;
		}
		if (!e->child)
			return -ENOENT;
		dir = e->child;
		path += len + (path[len] == '/');
	}
	*node = dir;
	return 0;
}

static struct jstamp *copy_stamp(const struct jstamp *s)
{
	struct jstamp *c = calloc(1, sizeof(*c));

	if (c && s)
		*c = *s;
	return c;
}

/* i is an object of the root of which nothing was known but that it's there. */
static void learn(struct layer_inode *i, const struct layer_inode *like)
{
	const struct jstamp *s = like->stamp;

	*i->stamp = *s;
	i->mode = s->mode ? s->mode : like->mode;
	i->nlink = s->nlink;
	i->uid = s->uid;
	i->gid = s->gid;
	i->ino = like->ino;
	i->rdev = like->rdev;
	i->size = s->size;
	i->atime = i->mtime = s->mtime;
	i->ctime = s->ctime;
	i->btime = s->btime;
}

static struct layer_inode *link_of(const struct merge *g, const struct jstamp *s)
{
	return model_links_find(&g->links, s->dev, s->ino, s->btime);
}

/* An object of the root as an entry of dir. like: what is known of it; NULL: a directory of which nothing is. */
static struct layer_inode *show(struct merge *g, struct layer_inode *dir, const char *name, size_t len,
				const struct layer_inode *like)
{
	struct layer_inode *i = like && !S_ISDIR(like->mode) ? link_of(g, like->stamp) : NULL;

	if (!i) {
		i = model_new(g->m);
		if (!i)
			return NULL;
		i->flags = JI_LOW | JI_CLEAN;
		i->stamp = copy_stamp(NULL);
		i->mode = S_IFDIR | 0755;
		i->nlink = 2;
		if (like && i->stamp)
			learn(i, like);
		if (!i->stamp || asprintf(&i->low, "%s%s%.*s", dir->low, *dir->low ? "/" : "", (int)len, name) < 0) {
			i->low = NULL;
			return NULL;
		}
	}
	return model_set(g->m, dir, name, len, i, true, i->stamp) ? i : NULL;
}

/* u's object below: *out, NULL if there is none (any more), or none of its type. */
static int find_below(struct merge *g, const struct layer_inode *u, struct layer_inode **out)
{
	struct layer_inode *dir = g->m->root;
	const char *p = u->low;

	*out = NULL;
	while (*p) {
		size_t len = strcspn(p, "/");
		const struct layer_entry *e = S_ISDIR(dir->mode) ? model_find(g->m, dir, p, len) : NULL;
		if (!S_ISDIR(dir->mode) || (e && !e->child) || (!e && !dir->low))
			return 0;
		dir = e ? e->child : show(g, dir, p, len, p[len] ? NULL : u);
		if (!dir)
			return -ENOMEM;
		p += len + (p[len] == '/');
	}
	if ((dir->mode & S_IFMT) != (u->mode & S_IFMT))
		return 0;
	*out = dir;
	if ((dir->flags & JI_CLEAN) && !dir->ino)
		learn(dir, u);
	return 0;
}

static int counterpart(struct merge *g, struct layer_inode *u)
{
	struct layer_inode *i = NULL;
	int r = u->low ? find_below(g, u, &i) : 0;

	if (r)
		return r;
	if (!i) {
		/* What lost its lower is there with what it has of its own: a directory always, a file if that's the data. */
		if (u->low && !u->back && !S_ISDIR(u->mode))
			return 0;
		i = model_new(g->m);
		if (!i)
			return -ENOMEM;
		i->ino = u->low ? ++g->m->max_ino : u->ino + g->shift;
		g->m->max_ino = MAX(g->m->max_ino, i->ino);
		u->flags &= ~JI_CLEAN;
	}
	u->priv = i;
	return 0;
}

static void take_state(struct merge *g, struct layer_inode *u)
{
	struct layer_inode *i = u->priv;

	if (u->flags & JI_CLEAN)
		return;
	i->flags = (i->flags & ~JI_CLEAN) | (u->flags & (JI_LINK | JI_XATTR));
	i->mode = u->mode;
	i->uid = u->uid;
	i->gid = u->gid;
	i->nlink = u->nlink;
	i->rdev = u->rdev;
	i->size = u->size;
	i->atime = u->atime;
	i->mtime = u->mtime;
	i->ctime = u->ctime;
	i->btime = u->btime;
	if (u->flags & JI_XATTR) {
		free(i->xattrs);
		i->xattrs = take_ptr(u->xattrs);
		i->xattrs_len = u->xattrs_len;
		u->xattrs_len = 0;
	}
	if (u->link) {
		free(i->link);
		i->link = take_ptr(u->link);
	}
	if (u->back) {
		i->back = u->back;
		i->store = g->store;
	}
}

static int take_entry(struct merge *g, struct layer_inode *dir, const struct layer_entry *u)
{
	struct layer_inode *child = u->child ? u->child->priv : NULL;
	struct layer_entry *e = model_find(g->m, dir, u->name, u->len);
	/* Where m has nothing, u has seen the root itself. */
	bool has = e ? e->has : u->has && dir->low;
	const struct jstamp *stamp = u->stamp;
	const struct layer_inode *seen = stamp && !e ? link_of(g, stamp) : NULL;

	/* But for a file whose change m knows by another name: the layer has seen it as changed. */
	if (seen && seen->stamp)
		stamp = seen->stamp;
	if (child || has)
		return model_set(g->m, dir, u->name, u->len, child, has, stamp) ? 0 : -ENOMEM;
	if (e)
		model_unset(g->m, e);
	return 0;
}

/* Of the root itself the stamps' device is the same number in all layers, whatever the host called it then. */
static void rename_device(struct model *u, uint64_t to)
{
	uint64_t from = u->root->stamp ? u->root->stamp->dev : to;

	FOR_EACH_INODE(u, k, i)
	if (i->stamp && i->stamp->dev == from)
		i->stamp->dev = to;
	for (size_t k = 0; k < u->cap_entries; k++)
		for (struct layer_entry *e = u->entries[k]; e; e = e->hnext)
			if (e->stamp && e->stamp->dev == from)
				e->stamp->dev = to;
}

static uint64_t shift_of(const struct model *m, const struct model *u)
{
	uint64_t least = UINT64_MAX;

	FOR_EACH_INODE(u, k, i)
	if (!i->low)
		least = MIN(least, i->ino);
	return least <= m->max_ino ? m->max_ino - least + 1 : 0;
}

static int begin(struct merge *g, const struct model *u)
{
	struct layer_inode *root;

	if (g->m->root)
		return 0;
	root = g->m->root = model_new(g->m);
	if (!root)
		return -ENOMEM;
	root->flags = JI_LOW | JI_CLEAN;
	root->mode = S_IFDIR | 0755;
	root->nlink = 2;
	root->ino = u->root->ino;
	root->stamp = copy_stamp(u->root->stamp);
	root->low = strdup("");
	return root->stamp && root->low ? 0 : -ENOMEM;
}

int model_merge(struct model *m, struct model *u, uint32_t store)
{
	struct merge g = {.m = m, .store = store};
	struct layer_entry *e;
	int r;

	if (!u->root)
		return 0;
	r = begin(&g, u);
	if (!r)
		r = model_links(m, &g.links);
	if (r)
		goto out;
	rename_device(u, m->root->stamp->dev);
	g.shift = shift_of(m, u);
	FOR_EACH_INODE(u, k, i)
	{
		i->priv = NULL;
		if (!r && i != u->root)
			r = counterpart(&g, i);
	}
	u->root->priv = m->root;
	FOR_EACH_INODE(u, k, i)
	if (i->priv && !r)
		take_state(&g, i);
	FOR_EACH_INODE(u, k, i)
	{
		if (i->priv && S_ISDIR(i->mode))
			TAILQ_FOREACH(e, &i->children, sibling)
		r = r ? r : take_entry(&g, i->priv, e);
	}
	if (!r)
		r = model_settle(m);
out:
	free(g.links.v);
	FOR_EACH_INODE(u, k, i)
	i->priv = NULL;
	return r;
}

int model_load_stack(struct model *m, const int *journals, unsigned n)
{
	int r = 0;

	*m = (struct model){0};
	while (n-- && !r) {
		AUTO_MODEL struct model u = {0};
		r = model_load(&u, journals[n], -1);
		if (!r)
			r = model_merge(m, &u, n + 1);
	}
	if (r)
		model_free(m);
	return r;
}
