/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binds.c - the layers of a layer's copy-on-write binds, in its directory: they have its lock and go where it goes.
 */
#include "layer/layer.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void layer_binds_close(struct layer_binds *b)
{
	while (b->n)
		layer_close(&b->v[--b->n]);
	free(take_ptr(b->v));
}

static int add(const struct layer *l, struct layer_binds *b, uint64_t number, unsigned flags, const struct layer_meta *meta)
{
	AUTO_FREE char *name = NULL;
	struct layer *v = reallocarray(b->v, b->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	b->v = v;
	if (asprintf(&name, "%s/binds/%" PRIu64, l->name, number) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	int r = layer_open(&v[b->n], name, flags, meta);
	if (!r && !v[b->n].meta.dst)
		r = -EBADMSG;
	if (r)
		layer_close(&v[b->n]);
	else
		b->n++;
	return r;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The numbers of those there are, sorted. */
static int numbers(const struct layer *l, uint64_t **out, size_t *n)
{
	int fd = openat(l->dirfd, "binds", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	*out = NULL;
	*n = 0;
	if (!d) {
		r = errno == ENOENT ? 0 : -errno;
		close_fd_(&fd);
		return r;
	}
	while (!r && (e = readdir(d))) {
		char *end;
		uint64_t k = strtoull(e->d_name, &end, 10);
		if (!isdigit((unsigned char)e->d_name[0]) || *end)
			continue;
		uint64_t *v = reallocarray(*out, *n + 1, sizeof(*v));
		if (v) {
			*out = v;
			v[(*n)++] = k;
		} else {
			r = -ENOMEM;
		}
	}
	closedir(d);
	if (*n)
		qsort(*out, *n, sizeof(**out), by_number);
	return r;
}

int layer_binds(const struct layer *l, struct layer_binds *b)
{
	AUTO_FREE uint64_t *v = NULL;
	size_t n;
	int r = numbers(l, &v, &n);

	*b = (struct layer_binds){0};
	for (size_t i = 0; i < n && !r; i++)
		r = add(l, b, v[i], 0, NULL);
	if (r)
		layer_binds_close(b);
	return r;
}

int layer_add_bind(const struct layer *l, struct layer_binds *b, const struct layer_meta *meta)
{
	AUTO_FREE uint64_t *v = NULL;
	size_t n;

	if (mkdirat(l->dirfd, "binds", 0700) && errno != EEXIST)
		return -errno;
	int r = numbers(l, &v, &n);
	return r ? r : add(l, b, n ? v[n - 1] + 1 : 0, LAYER_CREATE, meta);
}

int layer_load(const struct layer *l, struct model *m)
{
	int r = l->meta.file ? model_load_any(m, l->journalfd, -1) : model_load(m, l->journalfd, -1);

	if (r || !l->meta.file || !m->root)
		return r;
	return S_ISREG(m->root->mode) ? model_put_below(m, l->meta.file) : -EBADMSG;
}

int layer_is_empty(const struct layer *l)
{
	AUTO_MODEL struct model m = {0};
	int r = model_load_any(&m, l->journalfd, -1);

	if (r)
		return r;
	return !m.root || (!m.n_entries && m.n_inodes == 1 && (m.root->flags & JI_CLEAN));
}

/* A directory or file as to/name, likewise owned: directories are made, all else is linked. */
static int link_tree(int from, int to, const char *name, unsigned depth)
{
	struct stat st;
	struct dirent *e;
	int r = 0;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return linkat(from, name, to, name, 0) ? -errno : 0;
	if (depth > 8)
		return -ELOOP;
	if (mkdirat(to, name, 0700))
		return -errno;
	AUTO_CLOSE int b = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int a = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = a < 0 ? NULL : fdopendir(a);
	if (!d || b < 0 || fchown(b, st.st_uid, st.st_gid))
		r = -errno;
	while (!r && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			r = link_tree(a, b, e->d_name, depth + 1);
	if (d)
		closedir(d);
	else
		close_fd_(&a);
	return r;
}

int layer_link_binds(const struct layer *from, const struct layer *to)
{
	int r = link_tree(from->dirfd, to->dirfd, "binds", 0);

	return r == -ENOENT ? 0 : r;
}
