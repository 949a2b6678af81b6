/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c - see model.h. Two hash tables with chains, one of inodes by id and one of entries by directory and name.
 */
#include "layer/model.h"

#include <string.h>

static uint32_t hash_id(uint64_t id)
{
	return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static uint32_t hash_name(const struct layer_inode *dir, const char *name, size_t len)
{
	return crc32c(hash_id(dir->id), name, len);
}

#define GROW(table, cap, n, type, hash_of)                                             \
	({                                                                             \
		bool ok_ = true;                                                       \
		if ((n) >= (cap)) {                                                    \
			size_t c_ = (cap) ? 2 * (cap) : 256;                           \
			type **t_ = calloc(c_, sizeof(*t_));                           \
			ok_ = t_;                                                      \
			for (size_t i_ = 0; t_ && i_ < (cap); i_++) {                  \
				for (type *e_ = (table)[i_], *next_; e_; e_ = next_) { \
					next_ = e_->hnext;                             \
					type **b_ = &t_[(hash_of) & (c_ - 1)];         \
					e_->hnext = *b_;                               \
					*b_ = e_;                                      \
				}                                                      \
			}                                                              \
			if (t_) {                                                      \
				free(table);                                           \
				(table) = t_;                                          \
				(cap) = c_;                                            \
			}                                                              \
		}                                                                      \
		ok_;                                                                   \
	})

struct layer_inode *model_inode(const struct model *m, uint64_t id)
{
	struct layer_inode *i = m->cap_inodes ? m->inodes[hash_id(id) & (m->cap_inodes - 1)] : NULL;

	while (i && i->id != id)
		i = i->hnext;
	return i;
}

static struct layer_inode *get_inode(struct model *m, uint64_t id)
{
	struct layer_inode *i = model_inode(m, id);

	if (i)
		return i;
	if (!GROW(m->inodes, m->cap_inodes, m->n_inodes, struct layer_inode, hash_id(e_->id)))
		return NULL;
	i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	i->id = id;
	TAILQ_INIT(&i->children);
	TAILQ_INIT(&i->names);
	i->hnext = m->inodes[hash_id(id) & (m->cap_inodes - 1)];
	m->inodes[hash_id(id) & (m->cap_inodes - 1)] = i;
	m->n_inodes++;
	m->max_id = MAX(m->max_id, id);
	return i;
}

static void clear_inode(struct layer_inode *i)
{
	free(take_ptr(i->low));
	free(take_ptr(i->stamp));
	free(take_ptr(i->link));
	free(take_ptr(i->xattrs));
	i->xattrs_len = 0;
}

static void free_inode(struct model *m, struct layer_inode *i)
{
	struct layer_inode **b = &m->inodes[hash_id(i->id) & (m->cap_inodes - 1)];

	while (*b != i)
		b = &(*b)->hnext;
	*b = i->hnext;
	m->n_inodes--;
	clear_inode(i);
	free(i);
}

struct layer_entry *model_find(const struct model *m, const struct layer_inode *dir, const char *name, size_t len)
{
	uint32_t h = hash_name(dir, name, len);
	struct layer_entry *e = m->cap_entries ? m->entries[h & (m->cap_entries - 1)] : NULL;

	while (e && (e->hash != h || e->parent != dir || e->len != len || memcmp(e->name, name, len)))
		e = e->hnext;
	return e;
}

/* The entry alone. */
static void free_entry(struct model *m, struct layer_entry *e)
{
	struct layer_entry **b = &m->entries[e->hash & (m->cap_entries - 1)];

	while (*b != e)
		b = &(*b)->hnext;
	*b = e->hnext;
	m->n_entries--;
	TAILQ_REMOVE(&e->parent->children, e, sibling);
	if (e->child)
		TAILQ_REMOVE(&e->child->names, e, same);
	free(e->stamp);
	free(e);
}

void model_unset(struct model *m, struct layer_entry *e)
{
	free_entry(m, e);
}

/* Not recursive: a directory's entries are taken one by one from the deepest. */
void model_drop(struct model *m, struct layer_entry *e)
{
	struct layer_inode *c, *stop = e->parent;

	for (;;) {
		struct layer_entry *first;
		while ((c = e->child) && (first = TAILQ_FIRST(&c->children)))
			e = first;
		struct layer_inode *dir = e->parent;
		free_entry(m, e);
		if (c && TAILQ_EMPTY(&c->names) && c != m->root)
			free_inode(m, c);
		if (dir == stop)
			return;
		/* The entry that led here; a directory in the tree has one. */
		e = TAILQ_FIRST(&dir->names);
	}
}

struct layer_entry *model_set(struct model *m, struct layer_inode *dir, const char *name, size_t len,
			      struct layer_inode *child, bool has, const struct jstamp *stamp)
{
	struct layer_entry *e = model_find(m, dir, name, len);

	if (!e) {
		if (!GROW(m->entries, m->cap_entries, m->n_entries, struct layer_entry, e_->hash))
			return NULL;
		e = calloc(1, sizeof(*e) + len + 1);
		if (!e)
			return NULL;
		memcpy(e->name, name, len);
		e->len = (uint16_t)len;
		e->parent = dir;
		e->hash = hash_name(dir, name, len);
		struct layer_entry **b = &m->entries[e->hash & (m->cap_entries - 1)];
		e->hnext = *b;
		*b = e;
		m->n_entries++;
		TAILQ_INSERT_TAIL(&dir->children, e, sibling);
	} else if (e->child) {
		TAILQ_REMOVE(&e->child->names, e, same);
	}
	e->child = child;
	if (child)
		TAILQ_INSERT_TAIL(&child->names, e, same);
	e->has = has;
	if (!has)
		free(take_ptr(e->stamp));
	else if (stamp && !e->stamp) {
		/* The first one counts: what was there before the sandbox changed it. */
		e->stamp = malloc(sizeof(*stamp));
		if (!e->stamp)
			return NULL;
		*e->stamp = *stamp;
	}
	return e;
}

struct layer_inode *model_new(struct model *m)
{
	struct layer_inode *i = get_inode(m, m->n_inodes ? m->max_id + 1 : JOURNAL_ROOT);

	if (i)
		i->seen = true;
	return i;
}

/* --- From the journal --- */

static int on_inode(void *arg, const struct jinode *j)
{
	struct model *m = arg;
	struct layer_inode *i = get_inode(m, j->id);

	if (!i)
		return -ENOMEM;
	struct jstamp *stamp = take_ptr(i->stamp);
	clear_inode(i);
	i->stamp = stamp;
	i->gone = false;
	i->ino = j->ino;
	i->back = j->back;
	i->rdev = j->rdev;
	i->flags = j->flags;
	i->mode = j->mode;
	i->uid = j->uid;
	i->gid = j->gid;
	i->nlink = j->nlink;
	i->size = j->size;
	i->atime = j->atime;
	i->mtime = j->mtime;
	i->ctime = j->ctime;
	i->btime = j->btime;
	if (j->low) {
		i->low = strdup(j->low);
		if (!i->stamp)
			i->stamp = calloc(1, sizeof(*i->stamp));
		if (!i->low || !i->stamp)
			return -ENOMEM;
		if (j->flags & JI_STAMP)
			*i->stamp = j->stamp;
	}
	if (j->link && !(i->link = strdup(j->link)))
		return -ENOMEM;
	if (j->flags & JI_XATTR) {
		i->xattrs = malloc((size_t)j->xattrs_len + 1);
		if (!i->xattrs)
			return -ENOMEM;
		memcpy(i->xattrs, j->xattrs, j->xattrs_len);
		i->xattrs_len = j->xattrs_len;
	}
	m->max_ino = MAX(m->max_ino, j->low || j->ino > JOURNAL_ID_MAX ? 0 : j->ino);
	m->max_back = MAX(m->max_back, j->back);
	return 0;
}

static int on_entry(void *arg, const struct jentry *j)
{
	struct model *m = arg;
	struct layer_inode *dir = get_inode(m, j->parent), *child = j->child ? get_inode(m, j->child) : NULL;
	const struct layer_inode *was = j->flags & JE_WAS ? model_inode(m, j->was) : NULL;
	const struct jstamp *stamp = j->flags & JE_STAMP ? &j->stamp : was ? was->stamp : NULL;
	struct layer_entry *e;

	if (!dir || (j->child && !child))
		return -ENOMEM;
	if (j->child || (j->flags & JE_WHITEOUT))
		return model_set(m, dir, j->name, j->len, child, j->flags & JE_HAS, stamp) ? 0 : -ENOMEM;
	e = model_find(m, dir, j->name, j->len);
	if (e)
		free_entry(m, e);
	return 0;
}

static int on_times(void *arg, const struct jtimes *t)
{
	struct layer_inode *i = model_inode(arg, t->id);

	if (!i)
		return 0;
	i->atime = t->atime;
	i->mtime = t->mtime;
	i->ctime = t->ctime;
	i->nlink = t->nlink;
	i->flags &= ~JI_CLEAN;
	return 0;
}

static int on_gone(void *arg, uint64_t id)
{
	struct model *m = arg;
	struct layer_inode *i = model_inode(m, id);
	struct layer_entry *e;

	if (!i || i->id == JOURNAL_ROOT)
		return 0;
	i->gone = true;
	while ((e = TAILQ_FIRST(&i->children)))
		free_entry(m, e);
	return 0;
}

/* Marks what can be reached; an entry that leads to nothing, or to a directory that has a place already, goes. */
static void mark(struct model *m)
{
	struct layer_inode *dir = m->root, *next;
	struct layer_entry *e, *tmp;

	dir->seen = true;
	if (!S_ISDIR(dir->mode))
		return; /* sweep() takes all else */
	/* A queue through priv. */
	struct layer_inode *last = dir;
	for (; dir; dir = next) {
		for (e = TAILQ_FIRST(&dir->children); e; e = tmp) {
			struct layer_inode *c = e->child;
			tmp = TAILQ_NEXT(e, sibling);
			if (!c)
				continue;
			if (c->gone || !(c->mode & S_IFMT) || (S_ISDIR(c->mode) && c->seen)) {
				free_entry(m, e);
				continue;
			}
			c->seen = true;
			if (S_ISDIR(c->mode)) {
				last->priv = c;
				last = c;
			}
		}
		next = dir->priv;
		dir->priv = NULL;
	}
}

/* A lower file that changed through a descriptor, so that no name was told: it stands at its lower path. */
static int attach(struct model *m, struct layer_inode *i)
{
	struct layer_inode *dir = m->root;
	const char *p = i->low, *slash;

	if (!dir->low || *dir->low)
		return 0;
	for (; (slash = strchr(p, '/')); p = slash + 1) {
		size_t len = (size_t)(slash - p);
		struct layer_entry *e = model_find(m, dir, p, len);
		if (!e) {
			struct layer_inode *d = get_inode(m, m->max_id + 1);
			if (!d)
				return -ENOMEM;
			d->flags = JI_LOW | JI_CLEAN;
			d->mode = S_IFDIR | 0755;
			d->seen = true;
			d->low = strndup(i->low, (size_t)(slash - i->low));
			d->stamp = calloc(1, sizeof(*d->stamp));
			e = d->low && d->stamp ? model_set(m, dir, p, len, d, true, NULL) : NULL;
			if (!e)
				return -ENOMEM;
		}
		if (!e->child || !S_ISDIR(e->child->mode) || !e->child->low ||
		    strncmp(e->child->low, i->low, (size_t)(slash - i->low)) || e->child->low[slash - i->low])
			return 0;
		dir = e->child;
	}
	if (!*p || model_find(m, dir, p, strlen(p)))
		return 0;
	i->seen = true;
	return model_set(m, dir, p, strlen(p), i, true, i->stamp) ? 0 : -ENOMEM;
}

static int sweep(struct model *m)
{
	struct layer_inode *i, *next;
	struct layer_entry *e;
	size_t cap = m->cap_inodes;
	const bool tree = m->root && S_ISDIR(m->root->mode);
	int r = 0;

	for (size_t k = 0; k < cap && tree; k++) {
		for (i = m->inodes[k]; i && cap == m->cap_inodes; i = next) {
			next = i->hnext;
			if (!i->seen && !i->gone && i->low && i->nlink && !(i->flags & JI_CLEAN) && !S_ISDIR(i->mode) &&
			    (i->mode & S_IFMT))
				r = r ? r : attach(m, i);
		}
		if (cap != m->cap_inodes) { /* grown: chains have moved */
			cap = m->cap_inodes;
			k = SIZE_MAX;
		}
	}
	for (size_t k = 0; k < m->cap_inodes; k++)
		for (i = m->inodes[k]; i; i = i->hnext)
			while ((!i->seen || !S_ISDIR(i->mode)) && (e = TAILQ_FIRST(&i->children)))
				free_entry(m, e);
	for (size_t k = 0; k < m->cap_inodes; k++) {
		for (i = m->inodes[k]; i; i = next) {
			next = i->hnext;
			/* A name of it may be left in the lower that the sandbox never looked at. */
			if (tree && !i->seen && !i->gone && i->low && i->nlink && !S_ISDIR(i->mode) &&
			    !(i->flags & JI_CLEAN))
				i->seen = true;
			if (!i->seen)
				free_inode(m, i);
		}
	}
	return r;
}

int model_settle(struct model *m)
{
	for (size_t k = 0; k < m->cap_inodes; k++) {
		for (struct layer_inode *i = m->inodes[k]; i; i = i->hnext) {
			i->seen = false;
			i->priv = NULL;
		}
	}
	if (m->root)
		mark(m);
	return sweep(m);
}

static int load(struct model *m, int fd, off_t limit, bool file)
{
	static const struct journal_ops ops = {on_inode, on_entry, on_times, on_gone};
	int r;

	*m = (struct model){.max_id = JOURNAL_ROOT};
	r = journal_read(fd, limit, &ops, m, &m->end, &m->seq);
	if (!r) {
		m->root = model_inode(m, JOURNAL_ROOT);
		if (m->root && !S_ISDIR(m->root->mode) && !(file && S_ISREG(m->root->mode) && m->root->low))
			m->root = NULL;
		r = model_settle(m);
	}
	if (r)
		model_free(m);
	return r;
}

int model_load(struct model *m, int fd, off_t limit)
{
	return load(m, fd, limit, false);
}

int model_load_any(struct model *m, int fd, off_t limit)
{
	return load(m, fd, limit, true);
}

int model_put_below(struct model *m, const char *name)
{
	struct layer_inode *file = m->root, *dir = get_inode(m, m->max_id + 1);
	AUTO_FREE char *low = strdup(name);

	if (!dir || !low || !(dir->low = strdup("")) || !(dir->stamp = calloc(1, sizeof(*dir->stamp))))
		return -ENOMEM;
	dir->seen = true;
	dir->mode = S_IFDIR | 0755;
	dir->nlink = 2;
	dir->flags = JI_CLEAN | JI_LOW;
	free(file->low);
	file->low = take_ptr(low);
	m->root = dir;
	return model_set(m, dir, name, strlen(name), file, true, file->stamp) ? 0 : -ENOMEM;
}

void model_free(struct model *m)
{
	for (size_t k = 0; k < m->cap_entries; k++) {
		for (struct layer_entry *e = m->entries[k], *next; e; e = next) {
			next = e->hnext;
			free(e->stamp);
			free(e);
		}
	}
	for (size_t k = 0; k < m->cap_inodes; k++) {
		for (struct layer_inode *i = m->inodes[k], *next; i; i = next) {
			next = i->hnext;
			clear_inode(i);
			free(i);
		}
	}
	free(m->entries);
	free(m->inodes);
	*m = (struct model){0};
}

/* --- Back to a journal --- */

static void put_inode(struct jbuf *b, const struct layer_inode *i)
{
	struct jinode j = {
	    .id = i->id,
	    .ino = i->ino,
	    .back = i->back,
	    .rdev = i->rdev,
	    .flags = (i->flags & ~JI_STAMP) | (i->low ? JI_STAMP : 0),
	    .mode = i->mode,
	    .uid = i->uid,
	    .gid = i->gid,
	    .nlink = i->nlink,
	    .size = i->size,
	    .atime = i->atime,
	    .mtime = i->mtime,
	    .ctime = i->ctime,
	    .btime = i->btime,
	    .low = i->low,
	    .link = i->link,
	    .xattrs = i->xattrs,
	    .xattrs_len = i->xattrs_len,
	};

	if (i->stamp)
		j.stamp = *i->stamp;
	jbuf_inode(b, &j);
}

int model_write(const struct model *m, int fd, off_t *end, uint64_t *seq)
{
	struct jbuf b = JBUF_INIT;
	off_t at = 0;
	int r = 0;

	*seq = 0;
	jbuf_head(&b);
	/* Inodes first: the order within a journal that ends up whole doesn't matter, and it's renamed into place only then. */
	for (size_t k = 0; k < m->cap_inodes + m->cap_entries && !r && !b.fail; k++) {
		if (k < m->cap_inodes) {
			for (const struct layer_inode *i = m->inodes[k]; i; i = i->hnext)
				put_inode(&b, i);
		} else {
			for (const struct layer_entry *e = m->entries[k - m->cap_inodes]; e; e = e->hnext) {
				struct jentry j = {.parent = e->parent->id,
						   .child = e->child ? e->child->id : 0,
						   .flags = (e->has ? JE_HAS : 0) | (e->child ? 0 : JE_WHITEOUT) |
							    (e->stamp ? JE_STAMP : 0),
						   .name = e->name,
						   .len = e->len};
				if (e->stamp)
					j.stamp = *e->stamp;
				jbuf_entry(&b, &j);
			}
		}
		if (b.len < (1U << 20))
			continue;
		jbuf_end(&b, ++*seq);
		if (!b.fail)
			r = journal_write(fd, b.p, b.len, at);
		at += (off_t)b.len;
		b.len = 0;
	}
	if (b.frame != SIZE_MAX)
		jbuf_end(&b, ++*seq);
	if (!r && b.fail)
		r = -ENOMEM;
	if (!r)
		r = journal_write(fd, b.p, b.len, at);
	*end = at + (off_t)b.len;
	jbuf_free(&b);
	if (!r && fsync(fd))
		r = -errno;
	return r;
}

char *model_path(const struct layer_entry *e)
{
	size_t len = 0;
	char *s;

	for (const struct layer_entry *p = e; p; p = TAILQ_FIRST(&p->parent->names))
		len += p->len + 1U;
	s = malloc(len);
	if (!s)
		return NULL;
	s[--len] = '\0';
	for (const struct layer_entry *p = e;;) {
		len -= p->len;
		memcpy(s + len, p->name, p->len);
		p = TAILQ_FIRST(&p->parent->names);
		if (!p)
			return s;
		s[--len] = '/';
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct layer_entry *const *)a)->name, (*(struct layer_entry *const *)b)->name);
}

int model_sorted(const struct layer_inode *dir, struct layer_entry ***out, size_t *n)
{
	struct layer_entry *e;
	size_t k = 0;

	*n = 0;
	TAILQ_FOREACH(e, &dir->children, sibling)
	++*n;
	*out = malloc((*n + 1) * sizeof(struct layer_entry *));
	if (!*out)
		return -ENOMEM;
	TAILQ_FOREACH(e, &dir->children, sibling)
	(*out)[k++] = e;
	qsort(*out, *n, sizeof(struct layer_entry *), by_name);
	return 0;
}
