/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit_check.c - did the host change what the sandbox saw? Compared with the stamps that the journal recorded at the first change.
 *
 * Where the host has made the same of it, down to the data, nothing is lost, and it's no conflict.
 */
#include "tools/commit.h"

#include "base/log.h"
#include "base/ns.h"
#include "tools/binds.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

static void conflict(struct commit *c, const char *path, const char *what)
{
	c->conflicts++;
	AUTO_FREE char *shown = layer_shown(c->l, path);
	fprintf(stderr, "conflict: ");
	fprint_visible(stderr, shown);
	fprintf(stderr, ": the host %s\n", what);
}

static bool unchanged(const struct stat *st, const struct jstamp *s)
{
	return st->st_ino == s->ino && (st->st_mode & S_IFMT) == (s->mode & S_IFMT) &&
	       (S_ISDIR(st->st_mode) || st->st_size == s->size) && ns_of(&st->st_mtim) == s->mtime &&
	       ns_of(&st->st_ctim) == s->ctime;
}

static off_t next_data(int fd, off_t off, off_t size)
{
	off_t at = lseek(fd, off, SEEK_DATA);

	return at >= 0 ? at : errno == ENXIO ? size : off;
}

static bool same_data(int a, int b, off_t size)
{
	char x[16384], y[sizeof(x)];

	for (off_t off = 0; off < size;) {
		off = MIN(next_data(a, off, size), next_data(b, off, size));
		size_t want = (size_t)MIN((off_t)sizeof(x), size - off);
		if (!want)
			break;
		ssize_t n = pread(a, x, want, off);
		if (n <= 0 || pread(b, y, (size_t)n, off) != n || memcmp(x, y, (size_t)n))
			return false;
		off += n;
	}
	return true;
}

/* Is the host's object of that name what the commit would make of it, so that nothing is lost? */
static bool applied(const struct commit *c, int dirfd, const char *name, const struct stat *st, const struct layer_inode *i,
		    bool own)
{
	char text[PATH_MAX];
	struct stat b;

	if (st->st_mode != i->mode || st->st_uid != host_uid(c->l, i->uid) || st->st_gid != host_gid(c->l, i->gid) ||
	    (i->flags & JI_XATTR))
		return false;
	if (S_ISLNK(i->mode)) {
		ssize_t n = readlinkat(dirfd, name, text, sizeof(text));
		return i->link && n == (ssize_t)strlen(i->link) && !memcmp(text, i->link, (size_t)n);
	}
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		return st->st_rdev == i->rdev;
	if (!S_ISREG(i->mode))
		return S_ISFIFO(i->mode);
	if (!i->back)
		return own ? ns_of(&st->st_mtim) == i->mtime : !i->low && !st->st_size;
	AUTO_CLOSE int in = layer_open_back(c->l->storefd, i->back, O_RDONLY);
	AUTO_CLOSE int fd = in < 0 ? -1 : openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(in, &b) || b.st_size != st->st_size || flistxattr(fd, NULL, 0) > 0)
		return false;
	return same_data(in, fd, b.st_size);
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

/*
 * A directory that both have. Its times tell of its names, too, so a change of its attributes alone shows where nothing else came after it.
 * wanted: what the sandbox made of its attributes is to be applied.
 */
static void check_merged(struct commit *c, const struct stat *st, const struct layer_inode *i, const struct jstamp *s,
			 bool wanted)
{
	if (!S_ISDIR(st->st_mode))
		conflict(c, c->path, "has put something else in the directory's place");
	else if (!wanted || (i->flags & JI_CLEAN))
		return;
	else if (st->st_mode != s->mode && st->st_mode != i->mode)
		conflict(c, c->path, "has changed its mode");
	else if ((st->st_uid != host_uid(c->l, s->uid) && st->st_uid != host_uid(c->l, i->uid)) ||
		 (st->st_gid != host_gid(c->l, s->gid) && st->st_gid != host_gid(c->l, i->gid)))
		conflict(c, c->path, "has changed its owner");
	else if ((i->flags & JI_XATTR) && st->st_ino == s->ino && ns_of(&st->st_ctim) != s->ctime &&
		 ns_of(&st->st_ctim) != ns_of(&st->st_mtim))
		conflict(c, c->path, "has changed its attributes");
}

/* wanted: else it only leads to what is. */
static void check_one(struct commit *c, int dirfd, const struct layer_entry *e, bool wanted)
{
	const struct layer_inode *i = e->child;
	const bool own = entry_own(e);
	const struct jstamp *s = own ? i->stamp : e->stamp;
	struct stat st;

	if (fstatat(dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW)) {
		if (e->has && i)
			conflict(c, c->path, "has removed it");
		return;
	}
	if (!e->has) {
		if (!i || !applied(c, dirfd, e->name, &st, i, false))
			conflict(c, c->path, "has made a file there");
		return;
	}
	if (!s || !s->ino)
		return; /* not known what it was */
	if (own && S_ISDIR(i->mode)) {
		check_merged(c, &st, i, s, wanted);
		return;
	}
	if (S_ISDIR(st.st_mode) && S_ISDIR(s->mode) && st.st_ino == s->ino) {
		if (newer_below(dirfd, e->name, s->seen))
			conflict(c, c->path, "has changed what's in it");
		return;
	}
	if (!unchanged(&st, s) && !(i && applied(c, dirfd, e->name, &st, i, own)))
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
		bool is_dir = e->child && S_ISDIR(e->child->mode);
		if (commit_wants(c, c->path, is_dir)) {
			check_one(c, fd, e, path_selected(c->path, c->paths, c->n_paths));
			if (is_dir && entry_own(e))
				r = check_dir(c, e->child, at + e->len);
		}
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
