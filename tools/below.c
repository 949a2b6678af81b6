/* SPDX-License-Identifier: Apache-2.0 */
/*
 * below.c - see below.h. While a sandbox lies on another, that one doesn't change: who would run, commit or discard it holds its lock and asks
 * below_check_free(); who makes a sandbox on it shares the lock until it's there.
 */
#include "tools/below.h"

#include "base/log.h"
#include "tools/cmd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void below_close(struct below *b)
{
	while (b->n)
		layer_close(&b->v[--b->n]);
}

static void open_or_die(struct layer *l, const char *name)
{
	if (!layer_name_ok(name))
		die("--from: \"%s\" is not a sandbox's name", name);
	int r = layer_open(l, name, LAYER_SHARE, NULL);
	if (r == -ENOENT)
		die("there is no sandbox named %s to lie on; see sandbox ls", name);
	if (r == -EBUSY)
		die("sandbox %s is in use: nothing can lie on it meanwhile", name);
	if (r)
		die("can't open sandbox %s: %s", name, strerror(-r));
	if (!faccessat(l->dirfd, "plan", F_OK, AT_SYMLINK_NOFOLLOW))
		die("a commit of %s was interrupted: sandbox commit %s finishes it", name, name);
}

/* Of what comes twice the last counts: it has to be below all that lie on it. */
static void add_last(struct layer_meta *m, const struct layer_ref *r)
{
	for (unsigned i = 0; i < m->n_from; i++) {
		if (strcmp(m->from[i].name, r->name))
			continue;
		free(m->from[i].name);
		m->n_from--;
		memmove(&m->from[i], &m->from[i + 1], (m->n_from - i) * sizeof(*m->from));
	}
	if (m->n_from == STACK_MAX)
		die("--from: more than %d sandboxes one on top of the other", STACK_MAX);
	if (layer_add_ref(m, r))
		die("out of memory");
}

void below_parse(const char *from, struct layer_meta *meta)
{
	AUTO_FREE char *copy = xstrdup(from);
	char *rest = copy, *name;

	while ((name = strsep(&rest, ":"))) {
		AUTO_LAYER struct layer l = LAYER_INIT;
		open_or_die(&l, name);
		add_last(meta, &(struct layer_ref){name, l.meta.id, l.meta.generation});
		for (unsigned i = 0; i < l.meta.n_from; i++)
			add_last(meta, &l.meta.from[i]);
	}
}

void below_open(struct below *b, const struct layer *l)
{
	b->n = 0;
	if (l->meta.n_from > STACK_MAX)
		die("sandbox %s lies on too many others", l->name);
	for (unsigned i = 0; i < l->meta.n_from; i++) {
		const struct layer_ref *r = &l->meta.from[i];
		struct layer *p = &b->v[b->n++];
		*p = LAYER_INIT;
		open_or_die(p, r->name);
		if (layer_check_ref(p, r))
			die("sandbox %s has changed since %s was made on it", r->name,
			    layer_name_ok(l->name) ? l->name : "this one");
		if (strcmp(p->meta.root, l->meta.root) || p->meta.root_ino != l->meta.root_ino)
			die("sandbox %s was made on the root %s, not on %s", r->name, p->meta.root, l->meta.root);
		if (p->meta.fakeroot != l->meta.fakeroot)
			die("sandbox %s was made %s --fakeroot", r->name, p->meta.fakeroot ? "with" : "without");
	}
}

void below_text(const struct layer_meta *meta, char *buf, size_t size)
{
	size_t n = 0;

	snprintf(buf, size, "-");
	for (unsigned i = 0; i < meta->n_from && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? ":" : "", meta->from[i].name);
}

void below_check_free(const struct layer *l)
{
	AUTO_FREE char *who = NULL;
	int r = layer_dependent(l->name, &who);

	if (r)
		die("can't read the list of sandboxes: %s", strerror(-r));
	if (who)
		die("sandbox %s lies on %s, which can't change therefore: discard or commit %s first, or run on top "
		    "with --from %s",
		    who, l->name, who, l->name);
}

int below_load(const struct below *b, struct model *m)
{
	int journals[STACK_MAX];

	for (unsigned i = 0; i < b->n; i++)
		journals[i] = b->v[i].journalfd;
	return model_load_stack(m, journals, b->n);
}

int below_read(const struct below *b, const struct model *m, int rootfd, const char *path)
{
	const struct layer_inode *i;
	char host[PATH_MAX];
	int r = model_resolve(m, path, &i, host);

	if (r)
		return r;
	if (i && i->back && i->store && i->store <= b->n)
		return layer_open_back(b->v[i->store - 1].storefd, i->back, O_RDONLY);
	if (i && !i->low)
		return -ENOENT;
	return open_below(rootfd, i ? i->low : host, O_RDONLY | O_NONBLOCK);
}

/* The backing files of all layers in one store, and the model changed to that. */
static int gather(const struct layer *l, const struct below *b, struct model *m, const struct layer *out)
{
	uint64_t next = 0;
	char old[24], new[24];
	int r = 0;

	for (size_t k = 0; k < m->cap_inodes; k++) {
		for (struct layer_inode *i = m->inodes[k]; i && !r; i = i->hnext) {
			if (!i->back)
				continue;
			next++;
			snprintf(old, sizeof(old), "%" PRIu64, i->back);
			snprintf(new, sizeof(new), "%" PRIu64, next);
			/* l's own may be shared: one of the two goes before anything is written. */
			if (i->store || linkat(l->storefd, old, out->storefd, new, 0))
				r = layer_copy_back(i->store ? b->v[i->store - 1].storefd : l->storefd, i->back, out, next);
			i->back = next;
			i->store = 0;
		}
	}
	return r;
}

int below_flatten(const struct layer *l, struct layer *out)
{
	AUTO_BELOW struct below b = {0};
	AUTO_MODEL struct model m = {0};
	AUTO_MODEL struct model own = {0};
	struct layer_meta meta = l->meta;
	char tmp[32];
	uint64_t v;
	int r;

	below_open(&b, l);
	meta.from = NULL;
	meta.n_from = 0;
	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		return -EIO;
	snprintf(tmp, sizeof(tmp), ".run-%016" PRIx64, v);
	r = below_load(&b, &m);
	if (!r)
		r = model_load(&own, l->journalfd, -1);
	if (!r)
		r = model_merge(&m, &own, 0);
	if (r)
		return r;
	r = layer_open(out, tmp, LAYER_CREATE | LAYER_LOCK, &meta);
	if (!r)
		r = gather(l, &b, &m, out);
	if (!r)
		r = layer_store_model(out, &m);
	if (!r)
		r = layer_link_binds(l, out);
	if (r && out->dirfd >= 0)
		(void)!layer_discard(out);
	return r;
}
