/* SPDX-License-Identifier: Apache-2.0 */
/*
 * note.c - which paths were used, and how: a table of path strings with a set of bits each, for sandbox files and sandbox learn.
 *
 * A path is noted as it was at the moment of the call, with the lock of the VFS held, so that it's exact: a later rename makes other paths. The
 * table is bounded; what finds no room is counted.
 */
#include "vfs/core.h"

#include <pthread.h>
#include <string.h>

#define MAX_NOTES ((uint32_t)1 << 20)
#define MAX_TEXT  ((size_t)128 << 20)

struct rec {
	uint32_t what, hash;
	uint32_t next;         /* index + 1 */
	uint32_t asked, other; /* into text; 0: none */
	uint32_t path;
};
bool vfs_noting;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER; /* inside the lock of the VFS */
static struct rec *recs;
static uint32_t n_recs, cap_recs, *table, n_table;
static char *text;
static size_t n_text, cap_text;
static uint64_t lost;
static bool network;

void vfs_notes_start(void)
{
	n_text = 1; /* 0 is no string */
	vfs_noting = true;
}

void vfs_note_network(void)
{
	pthread_mutex_lock(&mu);
	network = true;
	pthread_mutex_unlock(&mu);
}

/* The offset of a copy, or 0. */
static uint32_t keep(const char *s, size_t len)
{
	if (n_text + len + 1 > cap_text) {
		size_t cap = MIN(MAX(2 * cap_text, (size_t)65536), MAX_TEXT);
		char *p = n_text + len + 1 > cap ? NULL : realloc(text, cap);

		if (!p)
			return 0;
		text = p;
		cap_text = cap;
	}
	memcpy(text + n_text, s, len);
	text[n_text + len] = 0;
	n_text += len + 1;
	return (uint32_t)(n_text - len - 1);
}

static bool rehash(void)
{
	uint32_t n = n_table ? 2 * n_table : 4096, *t = calloc(n, sizeof(*t));

	if (!t)
		return n_table;
	for (uint32_t i = 0; i < n_recs; i++) {
		recs[i].next = t[recs[i].hash & (n - 1)];
		t[recs[i].hash & (n - 1)] = i + 1;
	}
	free(table);
	table = t;
	n_table = n;
	return true;
}

/* The path's record, made if it's new; NULL: no room. Under mu; the pointer is good until the next call. */
static struct rec *intern(const char *path, size_t len)
{
	uint32_t h = name_hash(path, len), at;
	struct rec *p;

	if (n_recs >= n_table && !rehash())
		return NULL;
	for (uint32_t i = table[h & (n_table - 1)]; i; i = recs[i - 1].next)
		if (recs[i - 1].hash == h && !strcmp(text + recs[i - 1].path, path))
			return &recs[i - 1];
	if (n_recs == cap_recs) {
		uint32_t cap = cap_recs ? 2 * cap_recs : 1024;

		p = cap > MAX_NOTES ? NULL : reallocarray(recs, cap, sizeof(*recs));
		if (!p)
			return NULL;
		recs = p;
		cap_recs = cap;
	}
	at = keep(path, len);
	if (!at)
		return NULL;
	recs[n_recs] = (struct rec){.hash = h, .path = at, .next = table[h & (n_table - 1)]};
	table[h & (n_table - 1)] = n_recs + 1;
	return &recs[n_recs++];
}

static struct rec *add(const char *path, unsigned what)
{
	struct rec *r = intern(path, strlen(path));

	if (r)
		r->what |= what;
	else
		lost++;
	return r;
}

char *note_build(const struct path *p, const char *name, size_t len, char *buf, size_t size)
{
	struct path q = *p;
	char *at = buf + size;

	*--at = 0;
	if (name) {
		if (len + 2 > size)
			return NULL;
		at -= len;
		memcpy(at, name, len);
		*--at = '/';
	}
	for (;;) {
		if (q.dentry == q.mnt->root) {
			if (!q.mnt->parent)
				break;
			q = (struct path){q.mnt->parent, q.mnt->mountpoint};
			continue;
		}
		if ((size_t)(at - buf) < q.dentry->namelen + 1U)
			return NULL;
		at -= q.dentry->namelen;
		memcpy(at, q.dentry->name, q.dentry->namelen);
		*--at = '/';
		q.dentry = q.dentry->parent;
	}
	if (!*at)
		*--at = '/';
	return at;
}

static unsigned kind_of(const struct path *p)
{
	return p->dentry->inode && S_ISDIR(p->dentry->inode->mode) ? VFS_NOTE_DIR : 0;
}

void note_locked(const struct path *p, unsigned what)
{
	char buf[2 * PATH_MAX];
	const char *s = note_build(p, NULL, 0, buf, sizeof(buf));

	if (!s)
		return;
	pthread_mutex_lock(&mu);
	add(s, what | kind_of(p));
	pthread_mutex_unlock(&mu);
}

void note_path(const struct path *p, unsigned what)
{
	vfs_rdlock();
	note_locked(p, what);
	vfs_rdunlock();
}

void note_name(const struct path *dir, const char *name, size_t len, unsigned what)
{
	char buf[2 * PATH_MAX], *s;

	vfs_rdlock();
	s = note_build(dir, name, len, buf, sizeof(buf));
	if ((what & VFS_NOTE_CREATED) && dir->dentry->inode && (dir->dentry->inode->mode & S_ISVTX))
		what |= VFS_NOTE_STICKY;
	vfs_rdunlock();
	if (!s)
		return;
	pthread_mutex_lock(&mu);
	add(s, what);
	pthread_mutex_unlock(&mu);
}

/* [R] The name that the walk began with, made absolute, as text. */
static const char *asked_name(const struct nameidata *nd, char *buf, size_t size)
{
	return nd->asked[0] == '/' ? nd->asked : note_build(nd->from, nd->asked, strlen(nd->asked), buf, size);
}

void note_walked(const struct nameidata *nd)
{
	char buf[2 * PATH_MAX], by[2 * PATH_MAX];
	const char *s = note_build(&nd->path, NULL, 0, buf, sizeof(buf)), *asked = NULL;
	struct rec *r;

	if (!s)
		return;
	if (nd->links)
		asked = asked_name(nd, by, sizeof(by));
	pthread_mutex_lock(&mu);
	r = add(s, VFS_NOTE_SEEN | kind_of(&nd->path));
	if (r && asked && !r->asked && strcmp(asked, s)) {
		uint32_t at = keep(asked, strlen(asked)); /* the records stay where they are */

		r->asked = at;
	}
	pthread_mutex_unlock(&mu);
}

/* Adds what follows the missing component; of ".." there nothing can be said. */
void note_missing(const struct nameidata *nd, const char *name, size_t len)
{
	char buf[2 * PATH_MAX], rest[PATH_MAX], *o = rest;
	const char *s, *tail = nd->depth || strstr(nd->p, "..") ? "" : nd->p;

	if (!len || len + strlen(tail) + 2 > sizeof(rest))
		return;
	memcpy(o, name, len);
	o += len;
	while (*tail) {
		size_t n;

		tail += strspn(tail, "/");
		n = strcspn(tail, "/");
		if (n && !(n == 1 && *tail == '.')) {
			*o++ = '/';
			memcpy(o, tail, n);
			o += n;
		}
		tail += n;
	}
	s = note_build(&nd->path, rest, (size_t)(o - rest), buf, sizeof(buf));
	if (!s)
		return;
	pthread_mutex_lock(&mu);
	add(s, VFS_NOTE_MISSING);
	pthread_mutex_unlock(&mu);
}

void note_moved(const struct path *odir, const char *oname, size_t olen, const struct path *ndir, const char *nname,
		size_t nlen, bool isdir)
{
	char b1[2 * PATH_MAX], b2[2 * PATH_MAX];
	const char *from, *to;
	struct rec *r;

	vfs_rdlock();
	from = note_build(odir, oname, olen, b1, sizeof(b1));
	to = note_build(ndir, nname, nlen, b2, sizeof(b2));
	vfs_rdunlock();
	if (!from || !to)
		return;
	pthread_mutex_lock(&mu);
	r = add(from, VFS_NOTE_MOVED | (isdir ? VFS_NOTE_DIR : 0));
	if (r)
		r->other = keep(to, strlen(to));
	r = add(to, VFS_NOTE_MOVED_TO | (isdir ? VFS_NOTE_DIR : 0));
	if (r)
		r->other = keep(from, strlen(from));
	pthread_mutex_unlock(&mu);
}

bool vfs_notes_walk(void (*fn)(const struct vfs_note *n, void *arg), void *arg, uint64_t *n_lost)
{
	pthread_mutex_lock(&mu);
	for (uint32_t i = 0; i < n_recs; i++) {
		const struct rec *r = &recs[i];
		struct vfs_note n = {.path = text + r->path,
				     .asked = r->asked ? text + r->asked : NULL,
				     .other = r->other ? text + r->other : NULL,
				     .what = r->what};

		fn(&n, arg);
	}
	*n_lost = lost;
	pthread_mutex_unlock(&mu);
	return network;
}
