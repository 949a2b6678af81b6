/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit_check.c - did the host change what the sandbox saw? Compared with the stamps that the journal recorded at the first change.
 *
 * What looks already as the layer wants it is no conflict: so a commit that was killed can be run again.
 */
#include "tools/commit.h"

#include "base/log.h"
#include "base/ns.h"
#include "tools/binds.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static void conflict(struct commit *c, const char *path, const char *what)
{
	c->conflicts++;
	fprintf(stderr, "conflict: %s/%s: the host %s\n", layer_at(c->l), path, what);
}

static bool unchanged(const struct stat *st, const struct jstamp *s)
{
	return st->st_ino == s->ino && (st->st_mode & S_IFMT) == (s->mode & S_IFMT) &&
	       (S_ISDIR(st->st_mode) || st->st_size == s->size) && ns_of(&st->st_mtim) == s->mtime &&
	       ns_of(&st->st_ctim) == s->ctime;
}

static bool applied(const struct commit *c, const struct stat *st, const struct layer_inode *i, bool own)
{
	int64_t size = i->size, mtime = i->mtime;
	struct stat b;

	if (!i->mode || (st->st_mode & S_IFMT) != (i->mode & S_IFMT))
		return false;
	if (S_ISDIR(i->mode) && own)
		return true;
	if (i->back && S_ISREG(i->mode) && !layer_stat_back(c->l->storefd, i->back, &b)) {
		size = b.st_size;
		mtime = MAX(mtime, ns_of(&b.st_mtim));
	}
	return st->st_mode == i->mode && st->st_uid == host_uid(c->l, i->uid) &&
	       (!S_ISREG(i->mode) || st->st_size == size) && ns_of(&st->st_mtim) == mtime;
}

/* Anything below changed after the sandbox removed it? */
static bool newer_below(int dirfd, const char *name, int64_t seen)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;
	bool found = false;

	if (!d) {
		close_fd_(&fd);
		return false;
	}
	while (!found && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		found = ns_of(&st.st_ctim) > seen || (S_ISDIR(st.st_mode) && newer_below(fd, e->d_name, seen));
	}
	closedir(d);
	return found;
}

static void check_one(struct commit *c, int dirfd, const struct layer_entry *e)
{
	const struct layer_inode *i = e->child;
	const struct jstamp *s = entry_own(e) ? i->stamp : e->stamp;
	struct stat st;
	bool there = !fstatat(dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW);

	if (there && i && applied(c, &st, i, entry_own(e)) && !(entry_own(e) && S_ISDIR(i->mode) && attrs_differ(i)))
		return;
	if (!e->has) {
		if (there)
			conflict(c, c->path, "has made a file there");
		return;
	}
	if (!there) {
		if (i)
			conflict(c, c->path, "has removed it");
		return;
	}
	if (!s || !s->ino)
		return; /* not known what it was */
	if (entry_own(e) && S_ISDIR(i->mode)) {
		if (st.st_mode != s->mode && st.st_mode != i->mode)
			conflict(c, c->path, "has changed its mode");
		return;
	}
	if (S_ISDIR(st.st_mode) && S_ISDIR(s->mode) && st.st_ino == s->ino) {
		if (newer_below(dirfd, e->name, s->seen))
			conflict(c, c->path, "has changed what's in it");
		return;
	}
	if (!unchanged(&st, s))
		conflict(c, c->path, "has changed it");
}

static int check_dir(struct commit *c, const struct layer_inode *dir, size_t len)
{
	AUTO_CLOSE int fd = open_below(c->rootfd, c->path, O_RDONLY | O_DIRECTORY);
	struct layer_entry **v;
	size_t n;
	int r;

	if (fd < 0) {
		/* Merged into a directory that isn't there any more: its entry was a conflict already. */
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? 0 : fd;
	}
	r = model_sorted(dir, &v, &n);
	for (size_t k = 0; k < n && !r; k++) {
		struct layer_entry *e = v[k];
		size_t at = len;
		if (len + e->len + 2 > sizeof(c->path)) {
			r = -ENAMETOOLONG;
			break;
		}
		if (at)
			c->path[at++] = '/';
		memcpy(c->path + at, e->name, e->len + 1U);
		if (path_selected(c->path, c->paths, c->n_paths))
			check_one(c, fd, e);
		if (e->child && S_ISDIR(e->child->mode) && entry_own(e) &&
		    (path_selected(c->path, c->paths, c->n_paths) || path_above(c->path, c->paths, c->n_paths)))
			r = check_dir(c, e->child, at + e->len);
		c->path[len] = '\0';
	}
	free(v);
	return r;
}

int commit_check(struct commit *c)
{
	c->path[0] = '\0';
	return c->m->root ? check_dir(c, c->m->root, 0) : 0;
}
