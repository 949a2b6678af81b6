/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit_make.c - makes the objects of a layer on the host, under temporary names.
 *
 * What only moved is linked, not copied. Nothing that exists is changed here: all of the lower can still be read.
 */
#include "tools/commit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int commit_remove(int dirfd, const char *name)
{
	struct dirent *e;
	int r = 0;

	if (!unlinkat(dirfd, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		r = errno == ENOTDIR ? -EPERM : -errno;
		close_fd_(&fd);
		return r;
	}
	while (!r && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			r = commit_remove(fd, e->d_name);
	closedir(d);
	if (!r && unlinkat(dirfd, name, AT_REMOVEDIR))
		r = -errno;
	return r;
}

/* A file of the lower under another name: a link where that's possible, else a copy. */
static int link_lower(struct commit *c, int fromdir, const char *from, int dirfd, const char *name)
{
	struct stat st;

	if (!linkat(fromdir, from, dirfd, name, 0))
		return 0;
	if (errno != EXDEV && errno != EPERM && errno != EMLINK)
		return -errno;
	AUTO_CLOSE int old = openat(fromdir, from, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (old < 0 || fstat(old, &st))
		return -errno;
	if (S_ISREG(st.st_mode)) {
		AUTO_CLOSE int in = openat(fromdir, from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		AUTO_CLOSE int out = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (in < 0 || out < 0)
			return -errno;
		int r = commit_copy(c, in, out);
		if (r)
			return r;
	} else if (S_ISLNK(st.st_mode)) {
		char text[PATH_MAX];
		ssize_t n = readlinkat(old, "", text, sizeof(text) - 1);
		if (n < 0)
			return -errno;
		text[n] = '\0';
		if (symlinkat(text, dirfd, name))
			return -errno;
	} else if (mknodat(dirfd, name, (st.st_mode & S_IFMT) | 0600, st.st_rdev)) {
		return -errno;
	}
	return commit_attrs_like(old, &st, dirfd, name);
}

/* Everything below a lower directory that the model doesn't cover. cover: its inode, or NULL. */
static int clone_dir(struct commit *c, int from, int to, const struct layer_inode *cover)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d) {
		r = -errno;
		close_fd_(&fd);
		return r;
	}
	while (!r && (e = readdir(d))) {
		const char *n = e->d_name;
		struct stat st;
		if (!strcmp(n, ".") || !strcmp(n, "..") || (cover && model_find(c->m, cover, n, strlen(n))))
			continue;
		if (fstatat(fd, n, &st, AT_SYMLINK_NOFOLLOW)) {
			r = -errno;
		} else if (!S_ISDIR(st.st_mode)) {
			r = link_lower(c, fd, n, to, n);
		} else {
			AUTO_CLOSE int sub = openat(fd, n, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub < 0 || mkdirat(to, n, 0700)) {
				r = -errno;
				break;
			}
			AUTO_CLOSE int out = openat(to, n, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			r = out < 0 ? -errno : clone_dir(c, sub, out, NULL);
			if (!r)
				r = commit_attrs_like(sub, &st, to, n);
		}
	}
	closedir(d);
	return r;
}

static int make_dir(struct commit *c, int dirfd, const char *name, const char *where, const struct layer_inode *i,
		    const char *final)
{
	AUTO_CLOSE int low = -1;
	struct layer_entry *e;
	struct stat st;
	int r = 0;

	if (mkdirat(dirfd, name, 0700))
		return -errno;
	AUTO_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (i->low) {
		low = open_below(c->rootfd, i->low, O_RDONLY | O_DIRECTORY);
		if (low < 0 || fstat(low, &st))
			return low < 0 ? low : -errno;
		r = clone_dir(c, low, fd, i);
	}
	TAILQ_FOREACH(e, &i->children, sibling)
	{
		AUTO_FREE char *w = NULL;
		AUTO_FREE char *f = NULL;
		if (r || !e->child)
			continue;
		if (asprintf(&w, "%s/%s", where, e->name) < 0 || asprintf(&f, "%s/%s", final, e->name) < 0)
			return -ENOMEM;
		if (commit_wants(c, f, S_ISDIR(e->child->mode)))
			r = commit_make(c, fd, e->name, w, e, f);
	}
	if (!r && low >= 0)
		r = commit_attrs_like(low, &st, dirfd, name);
	if (!r && !(i->flags & JI_CLEAN))
		r = commit_attrs(c, dirfd, name, i, 0);
	return r;
}

/*
 * Is the new content to be written into the lower's own file, since it has links that stay? low: that file, O_PATH, or -errno. own: one of
 * those stands where it was and is in the model.
 */
static bool rewritten(const struct layer_inode *i, int low, bool *own)
{
	const struct layer_entry *e;
	unsigned names = 0;
	struct stat st;

	*own = false;
	TAILQ_FOREACH(e, &i->names, same)
	{
		names++;
		*own |= entry_own(e);
	}
	return (*own || i->nlink > names) && low >= 0 && !fstat(low, &st) && st.st_nlink > 1;
}

/* Opens the directory of a path below the root; *name: the path's last component. */
static int open_dir_of(const struct commit *c, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir = slash ? strndup(path, (size_t)(slash - path)) : strdup("");

	*name = slash ? slash + 1 : path;
	return dir ? open_below(c->rootfd, dir, O_RDONLY | O_DIRECTORY) : -ENOMEM;
}

int commit_make(struct commit *c, int dirfd, const char *name, const char *where, const struct layer_entry *e,
		const char *final)
{
	struct layer_inode *i = e->child;
	const char *old;
	int r;

	commit_did(c, COMMIT_OBJECT);
	r = commit_may_go_on();
	if (r)
		return r;
	if (S_ISDIR(i->mode))
		return make_dir(c, dirfd, name, where, i, final);
	if (i->priv) { /* another name of it has been made */
		AUTO_CLOSE int fd = open_dir_of(c, i->priv, &old);
		if (fd < 0)
			return fd;
		return linkat(fd, old, dirfd, name, 0) ? -errno : 0;
	}
	AUTO_CLOSE int low = i->low ? open_below(c->rootfd, i->low, O_PATH) : -1;
	bool own = false, changed = i->low && content_differs(c->l, i);
	if (i->low && (!changed || rewritten(i, low, &own))) {
		AUTO_CLOSE int fd = open_dir_of(c, i->low, &old);
		if (fd < 0)
			return fd;
		struct stat st;
		r = link_lower(c, fd, old, dirfd, name);
		if (!r && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW))
			r = -errno;
		if (!r && changed && !own)
			return commit_step(c, STEP_REWRITE, final, i, st.st_ino) ? 0 : -ENOMEM;
		return r ? r : commit_later(c, final, i, st.st_ino);
	}
	switch (i->mode & S_IFMT) {
	case S_IFREG:
		r = commit_file(c, dirfd, name, i, low);
		break;
	case S_IFLNK:
		r = symlinkat(i->link ? i->link : "", dirfd, name) ? -errno : 0;
		break;
	default:
		r = mknodat(dirfd, name, (i->mode & S_IFMT) | 0600, i->rdev) ? -errno : 0;
	}
	if (!r && !S_ISREG(i->mode))
		r = commit_attrs(c, dirfd, name, i, 0);
	if (!r && (TAILQ_FIRST(&i->names) != e || TAILQ_NEXT(e, same))) {
		i->priv = strdup(where);
		if (!i->priv)
			r = -ENOMEM;
	}
	return r;
}
