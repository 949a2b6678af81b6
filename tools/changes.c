/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes.c - what a layer changes, as a list: the model beside the host's root.
 */
#include "tools/cmd.h"

#include "base/ns.h"

#include <linux/limits.h>
#include <string.h>

struct walk {
	const struct layer *l;
	const struct model *m;
	int rootfd;
	int (*fn)(void *arg, const struct change *c);
	void *arg;
	char **moved; /* borrowed lower paths of what stands elsewhere; sorted after the first pass */
	size_t n_moved, cap_moved;
	bool collecting;
	char path[PATH_MAX];
};

bool entry_own(const struct layer_entry *e)
{
	const char *dir = e->parent->low, *low = e->child ? e->child->low : NULL;
	size_t n = dir ? strlen(dir) : 0;

	if (!e->has || !dir || !low || strncmp(low, dir, n))
		return false;
	if (n && low[n++] != '/')
		return false;
	return !strcmp(low + n, e->name);
}

bool attrs_differ(const struct layer_inode *i)
{
	const struct jstamp *s = i->stamp;

	return s && (i->mode != s->mode || i->uid != s->uid || i->gid != s->gid || (i->flags & JI_XATTR));
}

bool content_differs(const struct layer *l, const struct layer_inode *i)
{
	struct stat st;

	if (!i->back || !S_ISREG(i->mode))
		return false;
	/* Opened for writing and never written. */
	return layer_stat_back(l->storefd, i->back, &st) || !i->stamp || st.st_size != i->stamp->size ||
	       ns_of(&st.st_mtim) != i->stamp->mtime;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Does something in the tree come from that lower path, which it left? */
static bool moved_from(const struct walk *w, const char *path)
{
	return w->n_moved && bsearch(&path, w->moved, w->n_moved, sizeof(path), by_text);
}

static bool stays(const struct layer_inode *i)
{
	const struct layer_entry *e;

	TAILQ_FOREACH(e, &i->names, same)
	if (entry_own(e))
		return true;
	return false;
}

static int one(struct walk *w, const struct layer_entry *e, struct change *c)
{
	const struct layer_inode *i = e->child;
	struct stat st;

	*c = (struct change){.e = e, .path = w->path};
	if (!i) {
		c->kind = 'D';
		if (e->stamp && e->stamp->mode) {
			c->mode = e->stamp->mode;
			c->uid = e->stamp->uid;
			c->gid = e->stamp->gid;
			c->size = e->stamp->size;
			c->dir = S_ISDIR(e->stamp->mode);
		}
		return 0;
	}
	c->dir = S_ISDIR(i->mode);
	c->mode = i->mode;
	c->uid = i->uid;
	c->gid = i->gid;
	c->size = c->dir ? 0 : i->size;
	if (i->back && S_ISREG(i->mode) && !layer_stat_back(w->l->storefd, i->back, &st))
		c->size = st.st_size;
	if (entry_own(e)) {
		c->content = content_differs(w->l, i);
		bool times = !c->dir && !(i->flags & JI_CLEAN) && i->stamp && !i->back && i->mtime != i->stamp->mtime;
		if (c->content || (!(i->flags & JI_CLEAN) && attrs_differ(i)) || times)
			c->kind = 'M';
		return 0;
	}
	/* Else it's another link of what stands where it was. */
	if (i->low && TAILQ_FIRST(&i->names) == e && !stays(i)) {
		c->kind = 'R';
		c->from = i->low;
		c->content = content_differs(w->l, i);
		return 0;
	}
	c->kind = e->has ? 'M' : 'A';
	c->content = true;
	return 0;
}

static int push(struct walk *w, char *low)
{
	if (w->n_moved == w->cap_moved) {
		size_t cap = w->cap_moved ? 2 * w->cap_moved : 64;
		char **v = reallocarray(w->moved, cap, sizeof(*v));
		if (!v)
			return -ENOMEM;
		w->moved = v;
		w->cap_moved = cap;
	}
	w->moved[w->n_moved++] = low;
	return 0;
}

static int walk(struct walk *w, const struct layer_inode *dir, size_t len)
{
	struct layer_entry **v;
	size_t n;
	int r = model_sorted(dir, &v, &n);

	for (size_t k = 0; k < n && !r; k++) {
		const struct layer_entry *e = v[k];
		struct change c = {0};
		if (len + e->len + 2 > sizeof(w->path)) {
			r = -ENAMETOOLONG;
			break;
		}
		size_t at = len;
		if (at)
			w->path[at++] = '/';
		memcpy(w->path + at, e->name, e->len + 1U);
		if (w->collecting) {
			if (e->child && e->child->low && !stays(e->child))
				r = push(w, e->child->low);
		} else {
			r = one(w, e, &c);
			/* Where it went is told as R. */
			if (!r && c.kind && !(c.kind == 'D' && moved_from(w, w->path)))
				r = w->fn(w->arg, &c);
		}
		if (!r && e->child && S_ISDIR(e->child->mode))
			r = walk(w, e->child, at + e->len);
	}
	w->path[len] = '\0';
	free(v);
	return r;
}

int layer_changes(const struct layer *l, const struct model *m, int rootfd, int (*fn)(void *arg, const struct change *c),
		  void *arg)
{
	struct walk w = {.l = l, .m = m, .rootfd = rootfd, .fn = fn, .arg = arg};
	struct change c = {.kind = 'M', .dir = true, .path = ""};

	if (!m->root)
		return 0;
	if (!(m->root->flags & JI_CLEAN) && attrs_differ(m->root)) {
		c.mode = m->root->mode;
		c.uid = m->root->uid;
		c.gid = m->root->gid;
		int r = fn(arg, &c);
		if (r)
			return r;
	}
	w.collecting = true;
	int r = walk(&w, m->root, 0);
	w.collecting = false;
	if (w.n_moved)
		qsort(w.moved, w.n_moved, sizeof(*w.moved), by_text);
	if (!r)
		r = walk(&w, m->root, 0);
	free(w.moved);
	return r;
}
