/* SPDX-License-Identifier: Apache-2.0 */
/*
 * low.c - the lower of an overlay: an export of the gofer, or kept layers stacked on one (--from; layer/stack.h).
 *
 * With layers the lower's paths are those that the stack shows. What a layer has data of is a file of its store, which is an export, too,
 * and read-only like the root: so a descriptor of it that a tracee gets is worth no more than one of a lower file. Attributes are the
 * layer's, as inside. All of it is immutable while we run: the layers are locked.
 */
#include "vfs/overlay/overlay.h"

#include "layer/stack.h"

#include <inttypes.h>

#define NOWHERE UINT64_MAX /* device of what has no descriptor: no host has that number */

struct ovl_stack {
	struct model m;
	struct model_links links;
	uint64_t dev, was; /* of the root, now and in the stamps */
	uint32_t exports[STACK_MAX];
	unsigned n;
};

static struct gofer *gofer(void)
{
	return vfs_config()->gofer;
}

static unsigned slashes(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* 0, or -ENOENT where nothing of the mode's type is there. */
static int one(uint32_t export, const char *path, uint32_t mode, struct gattr *a, char *link, size_t size)
{
	unsigned n = 0;
	int r = gofer_walk(gofer(), export, path, slashes(path), a, 1, &n, link, size);

	if (r && r != -ENOTDIR)
		return r;
	return r || !n || (a->mode & S_IFMT) != (mode & S_IFMT) ? -ENOENT : 0;
}

static uint64_t now_dev(const struct ovl_stack *s, uint64_t dev)
{
	return dev == s->was ? s->dev : dev;
}

static struct layer_inode *link_of(const struct ovl_stack *s, uint64_t dev, uint64_t ino, int64_t btime)
{
	return model_links_find(&s->links, dev == s->dev ? s->was : dev, ino, btime);
}

static uint64_t shown_dev(const struct ovl_stack *s, const struct layer_inode *i)
{
	return i->low && i->stamp ? now_dev(s, i->stamp->dev) : s->dev;
}

/* What the layer knows counts over the object's own. */
static void cover(const struct ovl_stack *s, const struct layer_inode *i, struct ovl_lattr *l)
{
	struct gattr *a = &l->a;

	l->layer = true;
	l->dev = shown_dev(s, i);
	l->ino = i->ino;
	a->mode = i->mode;
	a->uid = i->uid;
	a->gid = i->gid;
	a->nlink = i->nlink;
	a->rdev = i->rdev;
	a->atime = MAX(i->atime, i->back ? a->atime : i->atime);
	a->mtime = MAX(i->mtime, i->back ? a->mtime : i->mtime);
	a->ctime = MAX(i->ctime, i->back ? a->mtime : i->ctime);
	if (i->back || !i->low)
		a->btime = i->btime;
}

static uint32_t store_of(const struct ovl_stack *s, const struct layer_inode *i)
{
	return i->store && i->store <= s->n ? s->exports[i->store - 1] : UINT32_MAX;
}

/* Attributes of an object that the model has: 0, -ENOENT where the host has removed what it lies on. */
static int node_attr(const struct ovl_stack *s, const struct layer_inode *i, struct ovl_lattr *l, char *link, size_t size)
{
	char id[24];
	int r;

	*l = (struct ovl_lattr){.node = i};
	if (i->back && S_ISREG(i->mode)) {
		snprintf(id, sizeof(id), "%" PRIu64, i->back);
		r = one(store_of(s, i), id, S_IFREG, &l->a, NULL, 0);
		if (!r)
			cover(s, i, l);
		return r;
	}
	if (i->low && !i->back) {
		r = one(0, i->low, i->mode, &l->a, link, size);
		if (!r) {
			l->dev = l->a.dev;
			l->ino = l->a.ino;
			if (!(i->flags & JI_CLEAN))
				cover(s, i, l);
			return 0;
		}
		if (r != -ENOENT || !S_ISDIR(i->mode))
			return r;
	}
	if (S_ISREG(i->mode))
		return -ENOENT;
	l->a = (struct gattr){.dev = NOWHERE, .ino = i->id, .blksize = 4096, .size = S_ISDIR(i->mode) ? 4096 : 0};
	cover(s, i, l);
	if (S_ISLNK(i->mode)) {
		const char *text = i->link ? i->link : "";
		l->a.size = (int64_t)strlen(text);
		if (link)
			snprintf(link, size, "%s", text);
	}
	return 0;
}

/* An object of the root that no name in the model leads to, perhaps another link of one that the model has. */
static int from_root(const struct ovl_stack *s, const struct gattr *a, struct ovl_lattr *out)
{
	const struct layer_inode *i = s && !S_ISDIR(a->mode) ? link_of(s, a->dev, a->ino, a->btime) : NULL;

	if (i)
		return node_attr(s, i, out, NULL, 0);
	*out = (struct ovl_lattr){.a = *a, .dev = a->dev, .ino = a->ino};
	return 0;
}

static int root_walk(const struct ovl_sb *os, const char *path, unsigned skip, struct ovl_lattr *out, unsigned max,
		     unsigned *n, char *link, size_t size)
{
	struct gattr a[LOOKUP_BATCH];
	int r;

	*n = 0;
	r = gofer_walk(gofer(), os->export, path, skip, a, MIN(max, (unsigned)LOOKUP_BATCH), n, link, size);
	if (r)
		return r;
	*n = MIN(*n, max);
	for (unsigned i = 0; i < *n; i++) {
		r = from_root(os->stack, &a[i], &out[i]);
		if (r) {
			*n = i;
			return r == -ENOENT ? 0 : r;
		}
	}
	return 0;
}

int ovl_low_walk(const struct ovl_sb *os, const char *path, unsigned skip, struct ovl_lattr *out, unsigned max, unsigned *n,
		 char *link, size_t size)
{
	const struct ovl_stack *s = os->stack;
	const struct layer_inode *dir = s ? s->m.root : NULL;
	char host[PATH_MAX];
	int r;

	if (!dir)
		return root_walk(os, path, skip, out, max, n, link, size);
	*n = 0;
	if (size)
		link[0] = '\0';
	if (!*path) {
		r = node_attr(s, dir, out, NULL, 0);
		*n = !r;
		return r;
	}
	for (unsigned level = 0; *path && *n < max; level++) {
		size_t len = strcspn(path, "/");
		const struct layer_entry *e = model_find(&s->m, dir, path, len);
		if (!e && dir->low) {
			unsigned more = 0, depth = *dir->low ? slashes(dir->low) + 1 : 0;
			if (snprintf(host, sizeof(host), "%s%s%s", dir->low, *dir->low ? "/" : "", path) >= PATH_MAX)
				return -ENAMETOOLONG;
			r = root_walk(os, host, depth + (skip > level ? skip - level : 0), out + *n, max - *n, &more, link,
				      size);
			*n += more;
			return r;
		}
		if (!e || !e->child)
			return 0;
		dir = e->child;
		if (level >= skip) {
			r = node_attr(s, dir, &out[*n], link, size);
			if (r)
				return r == -ENOENT ? 0 : r;
			++*n;
		}
		if (!S_ISDIR(dir->mode))
			return 0;
		path += len + (path[len] == '/');
	}
	return 0;
}

/* The model's object that o is, or NULL: then host (PATH_MAX) is the path in the root. */
static int find(const struct ovl_inode *o, const struct layer_inode **i, char *host)
{
	const struct ovl_stack *s = OVL_SB(o->i.sb)->stack;

	*i = o->low->node;
	if (*i)
		return 0;
	if (!s)
		return snprintf(host, PATH_MAX, "%s", o->low->path) < PATH_MAX ? 0 : -ENAMETOOLONG;
	return model_resolve(&s->m, o->low->path, i, host);
}

int ovl_low_open(const struct ovl_inode *o, int flags, int *fd, struct gattr *a)
{
	const struct ovl_sb *os = OVL_SB(o->i.sb);
	const struct layer_inode *i;
	char host[PATH_MAX];

	if (!os->stack)
		return gofer_open(gofer(), os->export, o->low->path, flags, fd, a);
	int r = find(o, &i, host);
	if (r)
		return r;
	if (i && i->back) {
		snprintf(host, sizeof(host), "%" PRIu64, i->back);
		return gofer_open(gofer(), store_of(os->stack, i), host, flags, fd, a);
	}
	if (i && !i->low)
		return -ENOENT;
	return gofer_open(gofer(), 0, i ? i->low : host, flags, fd, a);
}

struct filter {
	const struct model *m;
	const struct layer_inode *dir;
	bool (*fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type);
	void *arg;
	bool stopped;
};

/* An entry that says no more than that the root has it. */
static bool transparent(const struct layer_entry *e)
{
	return e->has && e->child && (e->child->flags & JI_CLEAN) && !e->child->ino;
}

static bool uncovered(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	struct filter *f = arg;
	const struct layer_entry *e = model_find(f->m, f->dir, name, len);

	if (e && !transparent(e))
		return true;
	f->stopped = !f->fn(f->arg, name, len, ino, type);
	return !f->stopped;
}

int ovl_low_readdir(const struct ovl_inode *o,
		    bool (*fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type), void *arg)
{
	const struct ovl_sb *os = OVL_SB(o->i.sb);
	const struct layer_inode *dir;
	const struct layer_entry *e;
	char host[PATH_MAX];

	if (!os->stack)
		return gofer_readdir(gofer(), os->export, o->low->path, fn, arg);
	int r = find(o, &dir, host);
	if (r)
		return r;
	if (!dir)
		return gofer_readdir(gofer(), 0, host, fn, arg);
	struct filter f = {.m = &os->stack->m, .dir = dir, .fn = fn, .arg = arg};
	TAILQ_FOREACH(e, &dir->children, sibling)
	if (!f.stopped && e->child && !transparent(e))
		f.stopped = !fn(arg, e->name, e->len, e->child->ino, (unsigned char)((e->child->mode & S_IFMT) >> 12));
	if (!dir->low || f.stopped)
		return 0;
	r = gofer_readdir(gofer(), 0, dir->low, uncovered, &f);
	/* Removed on the host: what the layers have in it is still there. */
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

/* Those of nodes whose data a layer has, in one round trip for each layer. */
static int data_attrs(const struct ovl_stack *s, const struct layer_inode *const *nodes, unsigned n, struct ovl_lattr *out)
{
	char ids[LOW_ATTRS_MAX][24];
	const char *ask[LOW_ATTRS_MAX];
	struct gattr a[LOW_ATTRS_MAX];
	unsigned at[LOW_ATTRS_MAX];
	int r = 0;

	for (uint32_t store = 1; store <= s->n && !r; store++) {
		unsigned k = 0;
		for (unsigned i = 0; i < n; i++) {
			if (!nodes[i] || nodes[i]->store != store)
				continue;
			snprintf(ids[k], sizeof(ids[k]), "%" PRIu64, nodes[i]->back);
			ask[k] = ids[k];
			at[k++] = i;
		}
		if (k)
			r = gofer_getattrs(gofer(), store_of(s, nodes[at[0]]), "", ask, k, a);
		for (unsigned i = 0; i < k && !r; i++) {
			if (!S_ISREG(a[i].mode))
				continue;
			out[at[i]] = (struct ovl_lattr){.a = a[i], .node = nodes[at[i]]};
			cover(s, nodes[at[i]], &out[at[i]]);
		}
	}
	return r;
}

int ovl_low_getattrs(const struct ovl_inode *dir, const char *const *names, unsigned n, struct ovl_lattr *out)
{
	const struct ovl_sb *os = OVL_SB(dir->i.sb);
	const struct layer_inode *d = NULL, *data[LOW_ATTRS_MAX];
	const char *ask[LOW_ATTRS_MAX];
	unsigned at[LOW_ATTRS_MAX], k = 0;
	struct gattr a[LOW_ATTRS_MAX];
	char host[PATH_MAX];
	int r = find(dir, &d, host);

	for (unsigned i = 0; i < n && !r; i++) {
		const struct layer_entry *e = d ? model_find(&os->stack->m, d, names[i], strlen(names[i])) : NULL;
		const struct layer_inode *c = e ? e->child : NULL;
		out[i] = (struct ovl_lattr){0};
		data[i] = NULL;
		if (c && c->back && S_ISREG(c->mode)) {
			data[i] = c;
		} else if (c) {
			r = node_attr(os->stack, c, &out[i], NULL, 0);
			if (r == -ENOENT) {
				out[i] = (struct ovl_lattr){0};
				r = 0;
			}
		} else if (!e && (!d || d->low)) {
			ask[k] = names[i];
			at[k++] = i;
		}
	}
	if (!r && d)
		r = data_attrs(os->stack, data, n, out);
	if (r || !k)
		return r;
	r = gofer_getattrs(gofer(), os->export, d ? d->low : host, ask, k, a);
	for (unsigned i = 0; i < k && !r; i++) {
		r = a[i].mode ? from_root(os->stack, &a[i], &out[at[i]]) : 0;
		if (r == -ENOENT) {
			out[at[i]] = (struct ovl_lattr){0};
			r = 0;
		}
	}
	return r;
}

/* *i: a layer has its attributes; else host is the path in the root. -ENODATA: there are none. */
static int xattrs_of(const struct ovl_inode *o, const struct layer_inode **i, char *host)
{
	int r = find(o, i, host);

	if (!r && *i && !((*i)->flags & JI_XATTR)) {
		if (!(*i)->low)
			return -ENODATA;
		if (snprintf(host, PATH_MAX, "%s", (*i)->low) >= PATH_MAX)
			return -ENAMETOOLONG;
		*i = NULL;
	}
	return r;
}

ssize_t ovl_low_listxattr(const struct ovl_inode *o, char *buf, size_t size)
{
	const struct layer_inode *i;
	const char *name;
	const uint8_t *value;
	uint32_t len;
	char host[PATH_MAX];
	size_t n = 0;
	int r = xattrs_of(o, &i, host);

	if (r)
		return r == -ENODATA ? 0 : r;
	if (!i)
		return gofer_listxattr(gofer(), OVL_SB(o->i.sb)->export, host, buf, size);
	for (const uint8_t *p = i->xattrs, *end = p + i->xattrs_len; jxattr_next(&p, end, &name, &value, &len);) {
		size_t l = strlen(name) + 1;
		if (n + l > size)
			return -ERANGE;
		memcpy(buf + n, name, l);
		n += l;
	}
	return (ssize_t)n;
}

ssize_t ovl_low_getxattr(const struct ovl_inode *o, const char *want, void *buf, size_t size)
{
	const struct layer_inode *i;
	const char *name;
	const uint8_t *value;
	uint32_t len;
	char host[PATH_MAX];
	int r = xattrs_of(o, &i, host);

	if (r)
		return r;
	if (!i)
		return gofer_getxattr(gofer(), OVL_SB(o->i.sb)->export, host, want, buf, size);
	for (const uint8_t *p = i->xattrs, *end = p + i->xattrs_len; jxattr_next(&p, end, &name, &value, &len);) {
		if (strcmp(name, want))
			continue;
		if (size && len > size)
			return -ERANGE;
		if (size)
			memcpy(buf, value, len);
		return len;
	}
	return -ENODATA;
}

uint64_t ovl_low_dev(const struct ovl_inode *o)
{
	const struct ovl_stack *s = OVL_SB(o->i.sb)->stack;

	return o->low->node ? shown_dev(s, o->low->node) : o->low->dev;
}

int ovl_low_stack(struct ovl_sb *os)
{
	const struct vfs_config *cfg = vfs_config();
	struct ovl_stack *s = calloc(1, sizeof(*s));
	int journals[STACK_MAX];
	struct gattr root;
	int r;

	if (!s || cfg->n_layers > STACK_MAX) {
		free(s);
		return s ? -E2BIG : -ENOMEM;
	}
	for (; s->n < cfg->n_layers; s->n++) {
		s->exports[s->n] = cfg->layers[s->n].export;
		journals[s->n] = cfg->layers[s->n].journal;
	}
	r = one(0, "", S_IFDIR, &root, NULL, 0);
	if (!r)
		r = model_load_stack(&s->m, journals, s->n);
	if (!r)
		r = model_links(&s->m, &s->links);
	if (r) {
		model_free(&s->m);
		free(s);
		return r;
	}
	s->dev = root.dev;
	s->was = s->m.root ? s->m.root->stamp->dev : root.dev;
	vfs_reserve_ino(s->m.max_ino);
	os->stack = s;
	return 0;
}
