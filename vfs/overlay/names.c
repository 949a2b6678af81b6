/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names.c - the names of a lower directory, kept after its first listing: then a listing, a lookup of a name that isn't
 * there and rmdir's emptiness check need no gofer. Sorted, so that lookups are binary searches, and so that what is likely
 * to be looked up next (ls sorts; others go by the order that we list in) stands next.
 */
#include "vfs/overlay/overlay.h"

#define NAMES_BYTES_MAX (5U << 20) /* of all kept lists together; beyond, they are made anew each time */
static atomic_size_t kept_bytes;

struct collect {
	struct ovl_names *l;
	size_t cap;
	char *text; /* all names, one behind the other; e[].name is an offset until the end */
	size_t text_len, text_cap;
	bool failed;
};

static bool collect(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	struct collect *c = arg;

	if (!len || len > NAME_MAX || memchr(name, '/', len) ||
	    (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))))
		return true;
	if (c->l->n == c->cap) {
		size_t cap = 2 * c->cap;
		struct ovl_names *l = realloc(c->l, sizeof(*l) + cap * sizeof(l->e[0]));
		if (!l)
			return !(c->failed = true);
		c->l = l;
		c->cap = cap;
	}
	if (c->text_len + len + 1 > c->text_cap) {
		size_t cap = 2 * c->text_cap + len;
		char *t = realloc(c->text, cap);
		if (!t)
			return !(c->failed = true);
		c->text = t;
		c->text_cap = cap;
	}
	memcpy(c->text + c->text_len, name, len);
	c->text[c->text_len + len] = '\0';
	c->l->e[c->l->n++] = (struct ovl_name){ino, (const char *)(uintptr_t)c->text_len, (uint16_t)len, type};
	c->text_len += len + 1;
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct ovl_name *)a)->name, ((const struct ovl_name *)b)->name);
}

static int read_names(const struct inode *dir, struct ovl_names **out)
{
	struct collect c = {.cap = 32, .text_cap = 512};
	int r = -ENOMEM;

	c.l = calloc(1, sizeof(*c.l) + c.cap * sizeof(c.l->e[0]));
	c.text = malloc(c.text_cap);
	if (!c.l || !c.text)
		goto out;
	r = ovl_low_readdir(OVL(dir), collect, &c);
	if (!r && c.failed)
		r = -ENOMEM;
	if (r)
		goto out;
	/* One allocation: entries, then text. */
	size_t head = sizeof(*c.l) + c.l->n * sizeof(c.l->e[0]);
	struct ovl_names *l = realloc(c.l, head + c.text_len);
	if (!l) {
		r = -ENOMEM;
		goto out;
	}
	c.l = NULL;
	char *text = (char *)l + head;
	memcpy(text, c.text, c.text_len);
	for (unsigned i = 0; i < l->n; i++)
		l->e[i].name = text + (uintptr_t)l->e[i].name;
	qsort(l->e, l->n, sizeof(l->e[0]), by_name);
	l->bytes = head + c.text_len;
	*out = l;
out:
	free(c.l);
	free(c.text);
	return r;
}

int ovl_names_get(struct inode *dir, const struct ovl_names **out, struct ovl_names **owned)
{
	struct ovl_inode *o = OVL(dir);
	struct ovl_names *l = atomic_load(&o->names), *none = NULL;
	int r;

	*owned = NULL;
	*out = l;
	if (l)
		return 0;
	r = read_names(dir, &l);
	if (r)
		return r;
	*out = l;
	if (atomic_fetch_add(&kept_bytes, l->bytes) + l->bytes <= NAMES_BYTES_MAX &&
	    atomic_compare_exchange_strong(&o->names, &none, l))
		return 0;
	atomic_fetch_sub(&kept_bytes, l->bytes);
	*owned = l;
	return 0;
}

int ovl_names_find(const struct ovl_names *l, const char *name, size_t len)
{
	unsigned lo = 0, hi = l->n;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;
		int c = strncmp(l->e[mid].name, name, len);
		if (!c)
			c = l->e[mid].name[len] ? 1 : 0;
		if (!c)
			return (int)mid;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

void ovl_names_free(struct ovl_names *l)
{
	if (!l)
		return;
	atomic_fetch_sub(&kept_bytes, l->bytes);
	free(l);
}
