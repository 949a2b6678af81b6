/* SPDX-License-Identifier: Apache-2.0 */
/* live_manifest.c - what the host looks like before and after. ctime tells of any change, so contents need not be read. */
#include "tools/fuzz/live_manifest.h"

#include "base/base.h"

#include <err.h>
#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

struct thing {
	uint64_t sum;
	char *path;
};

/* Of the scratch directory: what a sandbox is given to write to. */
static const char *const apart[] = {"rw", "store", "state"};
static struct manifest *making;
static bool whole; /* all levels */

static void add(uint64_t *sum, const void *p, size_t n)
{
	for (const uint8_t *c = p; n--; c++)
		*sum = (*sum ^ *c) * UINT64_C(0x100000001b3);
}

static int add_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct thing t = {UINT64_C(0xcbf29ce484222325), NULL};
	char link[PATH_MAX];
	ssize_t n;

	for (size_t i = 0; whole && ftw->level == 1 && i < ARRAY_SIZE(apart); i++)
		if (!strcmp(path + ftw->base, apart[i]))
			return FTW_SKIP_SUBTREE;
	if (!whole && ftw->level > 1)
		return FTW_SKIP_SIBLINGS;
	add(&t.sum, &st->st_ino, sizeof(st->st_ino));
	add(&t.sum, &st->st_mode, sizeof(st->st_mode));
	add(&t.sum, &st->st_uid, sizeof(st->st_uid));
	add(&t.sum, &st->st_gid, sizeof(st->st_gid));
	add(&t.sum, &st->st_nlink, sizeof(st->st_nlink));
	add(&t.sum, &st->st_mtim, sizeof(st->st_mtim));
	add(&t.sum, &st->st_ctim, sizeof(st->st_ctim));
	if (!S_ISDIR(st->st_mode))
		add(&t.sum, &st->st_size, sizeof(st->st_size));
	if (type == FTW_SL && (n = readlink(path, link, sizeof(link))) > 0)
		add(&t.sum, link, (size_t)n);
	if (making->n == making->cap) {
		making->cap = making->cap ? 2 * making->cap : 1024;
		making->v = reallocarray(making->v, making->cap, sizeof(*making->v));
	}
	if (!making->v || !(t.path = strdup(path)))
		err(2, "memory");
	making->v[making->n++] = t;
	return FTW_CONTINUE;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct thing *)a)->path, ((const struct thing *)b)->path);
}

void manifest_make(struct manifest *m, const char *top)
{
	static const char *const places[] = {"/etc", "/home", "/opt", "/srv", "/usr/bin", "/usr/local/bin"};

	*m = (struct manifest){0};
	making = m;
	whole = true;
	nftw(top, add_entry, 16, FTW_PHYS | FTW_ACTIONRETVAL);
	whole = false;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		nftw(places[i], add_entry, 16, FTW_PHYS | FTW_ACTIONRETVAL);
	qsort(m->v, m->n, sizeof(*m->v), by_path);
}

void manifest_free(struct manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].path);
	free(m->v);
	*m = (struct manifest){0};
}

void manifest_compare(const struct manifest *a, const struct manifest *b, void (*differs)(const char *path, const char *how))
{
	for (size_t i = 0, k = 0; i < a->n || k < b->n;) {
		int c = i == a->n ? 1 : k == b->n ? -1 : strcmp(a->v[i].path, b->v[k].path);

		if (c || a->v[i].sum != b->v[k].sum)
			differs(c > 0 ? b->v[k].path : a->v[i].path, c < 0 ? "gone" : c > 0 ? "appeared" : "changed");
		i += c <= 0;
		k += c >= 0;
	}
}
