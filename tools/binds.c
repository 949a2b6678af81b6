/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binds.c - see binds.h.
 */
#include "tools/binds.h"

#include "base/log.h"
#include "tools/cmd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

void binds_open(struct layer_binds *b, const struct layer *l)
{
	int r = layer_binds(l, b);

	if (r)
		die("can't open the copy-on-write binds of %s: %s", l->name, strerror(-r));
}

/* What stands before "/PATH". */
static const char *layer_at(const struct layer *l)
{
	return l->meta.dst && strcmp(l->meta.dst, "/") ? l->meta.dst : "";
}

char *layer_shown(const struct layer *l, const char *path)
{
	return l->meta.file ? xstrdup(l->meta.dst) : xasprintf("%s/%s", layer_at(l), path);
}

static char *source_of(const struct layer_meta *m)
{
	return m->file ? xasprintf("%s/%s", strcmp(m->root, "/") ? m->root : "", m->file) : xstrdup(m->root);
}

char *layer_source(const struct layer *l)
{
	return source_of(&l->meta);
}

bool binds_paths(const struct layer *l, char **paths, int n, char ***out, int *n_out)
{
	const char *at = layer_at(l);
	char *top = (char *)(uintptr_t)(at + (*at == '/'));

	*out = NULL;
	*n_out = 0;
	if (path_selected(top, paths, n))
		return true;
	if (l->meta.file)
		return false;
	*out = xcalloc((size_t)n, sizeof(**out));
	for (int i = 0; i < n; i++)
		if (path_selected(paths[i], &top, 1))
			(*out)[(*n_out)++] = paths[i] + strlen(top) + !!*top;
	return *n_out;
}

static bool has_changes(const struct layer *l)
{
	int r = layer_is_empty(l);

	if (r < 0)
		die("can't read the journal of %s: %s", l->name, strerror(-r));
	return !r;
}

unsigned binds_changed(const struct layer *l, const char *what)
{
	AUTO_BINDS struct layer_binds b;
	unsigned n = 0;

	binds_open(&b, l);
	for (unsigned i = 0; i < b.n; i++) {
		if (!has_changes(&b.v[i]))
			continue;
		n++;
		AUTO_FREE char *source = layer_source(&b.v[i]);
		log_msg("sandbox %s: the changes of the copy-on-write bind %s (of %s) %s", l->name, b.v[i].meta.dst, source,
			what);
	}
	return n;
}

/* Nothing is in it: it can be another directory's. */
static void reuse(struct layer *b, const struct layer_meta *meta)
{
	const struct model none = {0};
	int r = layer_store_model(b, &none);

	free(b->meta.root);
	free(b->meta.file);
	b->meta.root = xstrdup(meta->root);
	b->meta.file = meta->file ? xstrdup(meta->file) : NULL;
	b->meta.root_dev = meta->root_dev;
	b->meta.root_ino = meta->root_ino;
	if (!r)
		r = layer_write_meta(b);
	if (r)
		die("can't make %s anew: %s", b->name, strerror(-r));
}

/* The number in b of the layer for the bind of meta->root on meta->dst. */
static unsigned find(const struct layer *l, struct layer_binds *b, const struct layer_meta *meta)
{
	unsigned i = 0;

	while (i < b->n && strcmp(b->v[i].meta.dst, meta->dst))
		i++;
	if (i == b->n) {
		int r = layer_add_bind(l, b, meta);
		if (r)
			die("can't make a layer for the copy-on-write bind %s: %s", meta->dst, strerror(-r));
		return i;
	}
	struct layer *v = &b->v[i];
	AUTO_FREE char *old = layer_source(v);
	AUTO_FREE char *new = source_of(meta);
	bool same = !strcmp(old, new) && !v->meta.file == !meta->file;
	if ((!same || v->meta.root_ino != meta->root_ino) && !has_changes(v))
		reuse(v, meta);
	else if (!same)
		die("sandbox %s has changes of a copy-on-write bind of %s on %s, not of %s: commit or discard them first",
		    l->name, old, meta->dst, new);
	return i;
}

void binds_for_run(const struct layer *l, struct launch_options *opt, struct layer_binds *b)
{
	binds_open(b, l);
	AUTO_FREE bool *used = xcalloc(b->n + opt->n_mounts + 1, sizeof(*used));
	for (unsigned i = 0; i < b->n; i++)
		if (!faccessat(b->v[i].dirfd, "plan", F_OK, AT_SYMLINK_NOFOLLOW))
			die("a commit of %s was interrupted: sandbox commit %s finishes it", l->name, l->name);
	for (unsigned i = 0; i < opt->n_mounts; i++) {
		struct launch_mount *m = &opt->mounts[i];
		struct layer_meta meta = l->meta;
		struct stat st;
		if (!launch_is_cow(opt, m))
			continue;
		AUTO_FREE char *top = xstrdup(m->dst);
		path_filters(&top, 1);
		AUTO_FREE char *dst = xasprintf("/%s", top);
		AUTO_FREE char *src = realpath(m->src, NULL);
		if (!src || stat(src, &st))
			die("%s: %s", m->src, strerror(errno));
		meta.file = NULL;
		if (!S_ISDIR(st.st_mode)) {
			if (!S_ISREG(st.st_mode))
				die("--cow-bind %s: of single files only regular ones can be kept", m->src);
			meta.file = strrchr(src, '/');
			*meta.file++ = '\0';
			if (stat(*src ? src : "/", &st))
				die("%s: %s", src, strerror(errno));
		}
		meta.root = (char *)(uintptr_t)(*src ? src : "/");
		meta.dst = dst;
		meta.root_dev = st.st_dev;
		meta.root_ino = st.st_ino;
		meta.id = 0;
		meta.command = NULL;
		meta.from = NULL;
		meta.n_from = 0;
		unsigned k = find(l, b, &meta);
		if (used[k])
			die("two copy-on-write binds on %s: only one can be kept", dst);
		used[k] = true;
		m->keep = xasprintf("%s/data", b->v[k].path);
	}
	for (unsigned i = 0; i < b->n; i++)
		if (!used[i] && has_changes(&b->v[i])) {
			AUTO_FREE char *source = layer_source(&b->v[i]);
			log_msg("sandbox %s: the changes of the copy-on-write bind %s (of %s) stay as they are: this run "
				"hasn't got it",
				l->name, b->v[i].meta.dst, source);
		}
}
