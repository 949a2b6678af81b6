/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit_make.c - makes the objects of a layer on the host, under temporary names.
 *
 * What only moved is linked, not copied. Nothing that exists is changed here: all of the lower can still be read.
 */
#include "tools/commit.h"

#include "base/log.h"
#include "base/ns.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#define SMALL 16384 /* bytes: such a file without holes is copied by one read and write */

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

static int copy_data(struct commit *c, int in, int out)
{
	static bool no_clone;
	off_t off = 0, end, size;
	AUTO_FREE char *buf = NULL;
	struct stat st;

	if (fstat(in, &st))
		return -errno;
	size = st.st_size;
	if (size <= SMALL && st.st_blocks * 512 >= size) {
		char small[SMALL];
		ssize_t n = pread(in, small, sizeof(small), 0);
		c->done += (uint64_t)MAX(n, 0);
		progress("commit", c->done, c->total);
		return n < 0 ? -errno : n ? journal_write(out, small, (size_t)n, 0) : 0;
	}
	if (ftruncate(out, size))
		return -errno;
	if (!no_clone && !ioctl(out, FICLONE, in)) {
		c->done += (uint64_t)size;
		return 0;
	}
	no_clone = true;
	while (off < size && (off = lseek(in, off, SEEK_DATA)) >= 0) {
		end = lseek(in, off, SEEK_HOLE);
		if (end < 0)
			return -errno;
		for (; off < end;) {
			off_t i = off, o = off;
			ssize_t n = copy_file_range(in, &i, out, &o, (size_t)MIN(end - off, (off_t)8 << 20), 0);
			if (n < 0 && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != EINTR)
				return -errno;
			if (n <= 0) {
				if (!buf && !(buf = malloc(1 << 18)))
					return -ENOMEM;
				n = pread(in, buf, (size_t)MIN(end - off, (off_t)1 << 18), off);
				if (n < 0 && errno == EINTR)
					continue;
				if (n <= 0)
					return n ? -errno : -EIO;
				int r = journal_write(out, buf, (size_t)n, off);
				if (r)
					return r;
			}
			off += n;
			c->done += (uint64_t)n;
			progress("commit", c->done, c->total);
		}
	}
	return off < 0 && errno != ENXIO ? -errno : 0;
}

/* What an ordinary user may not do on the host is told once, and doesn't stop the rest. */
static int soft(struct commit *c, int err, const char *what, const char *name)
{
	if (err != EPERM && err != EOPNOTSUPP)
		return -err;
	if (!c->warned++)
		log_msg("%s: can't set its %s: %s (further ones aren't listed)", name, what, strerror(err));
	return 0;
}

static int set_xattrs(struct commit *c, const char *proc, const struct layer_inode *i, const char *name)
{
	const uint8_t *p = i->xattrs, *end = p + i->xattrs_len, *value;
	char list[65536];
	const char *key;
	uint32_t size;
	int r = 0;
	ssize_t n = listxattr(proc, list, sizeof(list));

	for (const char *s = list; n > 0 && s < list + n; s += strlen(s) + 1) {
		bool kept = false;
		for (p = i->xattrs; jxattr_next(&p, end, &key, &value, &size);)
			kept |= !strcmp(key, s);
		/* Labels are the host's own affair. */
		if (!kept && strncmp(s, "security.selinux", 16) && removexattr(proc, s))
			r = r ? r : soft(c, errno, "extended attributes", name);
	}
	for (p = i->xattrs; !r && jxattr_next(&p, end, &key, &value, &size);)
		if (setxattr(proc, key, value, size, 0))
			r = soft(c, errno, "extended attributes", name);
	return r;
}

int commit_attrs(struct commit *c, int dirfd, const char *name, const struct layer_inode *i)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	uid_t uid = host_uid(c->l, i->uid);
	gid_t gid = host_gid(c->l, i->gid);
	char proc[32];
	struct stat st, b;
	int r = 0;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if ((st.st_mode & S_IFMT) != (i->mode & S_IFMT))
		return -EBUSY;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if ((st.st_uid != uid || st.st_gid != gid) && fchownat(fd, "", uid, gid, AT_EMPTY_PATH))
		r = soft(c, errno, "owner", name);
	if (!r && (i->flags & JI_XATTR) && !S_ISLNK(i->mode))
		r = set_xattrs(c, proc, i, name);
	/* After the owner, whose change clears bits. */
	if (!r && !S_ISLNK(i->mode) && chmod(proc, i->mode & 07777))
		r = soft(c, errno, "mode", name);
	int64_t atime = i->atime, mtime = i->mtime;
	if (i->back && !layer_stat_back(c->l->storefd, i->back, &b) && S_ISREG(b.st_mode)) {
		atime = MAX(atime, ns_of(&b.st_atim));
		mtime = MAX(mtime, ns_of(&b.st_mtim));
	}
	struct timespec ts[2] = {ns_split(atime), ns_split(mtime)};
	if (!r && utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW))
		r = soft(c, errno, "times", name);
	return r;
}

int commit_rewrite(struct commit *c, int dirfd, const char *name, const struct layer_inode *i)
{
	AUTO_CLOSE int in = layer_open_back(c->l->storefd, i->back, O_RDONLY);
	AUTO_CLOSE int out = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (in < 0)
		return in;
	if (out < 0 || fstat(out, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBUSY;
	if (ftruncate(out, 0))
		return -errno;
	return copy_data(c, in, out);
}

static int copy_xattrs(int from, int to)
{
	char a[32], b[32], list[65536], value[65536];

	snprintf(a, sizeof(a), "/proc/self/fd/%d", from);
	snprintf(b, sizeof(b), "/proc/self/fd/%d", to);
	ssize_t n = listxattr(a, list, sizeof(list));
	for (const char *s = list; n > 0 && s < list + n; s += strlen(s) + 1) {
		ssize_t v = getxattr(a, s, value, sizeof(value));
		if (v >= 0 && setxattr(b, s, value, (size_t)v, 0) && errno != EPERM && errno != EOPNOTSUPP)
			return -errno;
	}
	return 0;
}

static int like(int from, int dirfd, const char *name, const struct stat *st)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct timespec ts[2] = {st->st_atim, st->st_mtim};
	char proc[32];
	int r = 0;

	if (fd < 0)
		return -errno;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (fchownat(fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) && errno != EPERM)
		return -errno;
	if (!S_ISLNK(st->st_mode)) {
		r = copy_xattrs(from, fd);
		if (!r && chmod(proc, st->st_mode & 07777))
			r = -errno;
	}
	if (!r && utimensat(dirfd, name, ts, AT_SYMLINK_NOFOLLOW))
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
		int r = copy_data(c, in, out);
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
	return like(old, dirfd, name, &st);
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
				r = like(sub, to, n, &st);
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
		r = like(low, dirfd, name, &st);
	if (!r && !(i->flags & JI_CLEAN))
		r = commit_attrs(c, dirfd, name, i);
	return r;
}

/* Will the lower's own file get the new content where it is? */
static bool rewritten(const struct commit *c, const struct layer_inode *i)
{
	const struct layer_entry *e;
	struct stat st;

	TAILQ_FOREACH(e, &i->names, same)
	if (entry_own(e) && e->parent->low) {
		AUTO_CLOSE int fd = open_below(c->rootfd, i->low, O_PATH);
		return fd >= 0 && !fstat(fd, &st) && st.st_nlink > 1;
	}
	return false;
}

int commit_make(struct commit *c, int dirfd, const char *name, const char *where, const struct layer_entry *e,
		const char *final)
{
	struct layer_inode *i = e->child;
	const char *slash;
	int r;

	if (S_ISDIR(i->mode))
		return make_dir(c, dirfd, name, where, i, final);
	if (i->priv) { /* another name of it has been made */
		const char *first = i->priv;
		slash = strrchr(first, '/');
		AUTO_FREE char *dir = slash ? strndup(first, (size_t)(slash - first)) : strdup("");
		AUTO_CLOSE int fd = dir ? open_below(c->rootfd, dir, O_RDONLY | O_DIRECTORY) : -ENOMEM;
		if (fd < 0)
			return fd;
		return linkat(fd, slash ? slash + 1 : first, dirfd, name, 0) ? -errno : 0;
	}
	if (i->low && (!content_differs(c->l, i) || rewritten(c, i))) {
		slash = strrchr(i->low, '/');
		AUTO_FREE char *dir = slash ? strndup(i->low, (size_t)(slash - i->low)) : strdup("");
		AUTO_CLOSE int fd = dir ? open_below(c->rootfd, dir, O_RDONLY | O_DIRECTORY) : -ENOMEM;
		if (fd < 0)
			return fd;
		r = link_lower(c, fd, slash ? slash + 1 : i->low, dirfd, name);
		return r ? r : commit_later(c, final, i);
	}
	switch (i->mode & S_IFMT) {
	case S_IFREG: {
		AUTO_CLOSE int in = layer_open_back(c->l->storefd, i->back, O_RDONLY);
		AUTO_CLOSE int out = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (in < 0)
			return in;
		if (out < 0)
			return -errno;
		r = copy_data(c, in, out);
		if (!r && i->low && !(i->flags & JI_XATTR)) {
			AUTO_CLOSE int old = open_below(c->rootfd, i->low, O_PATH);
			r = old < 0 ? 0 : copy_xattrs(old, out);
		}
		break;
	}
	case S_IFLNK:
		r = symlinkat(i->link ? i->link : "", dirfd, name) ? -errno : 0;
		break;
	default:
		r = mknodat(dirfd, name, (i->mode & S_IFMT) | 0600, i->rdev) ? -errno : 0;
	}
	if (!r)
		r = commit_attrs(c, dirfd, name, i);
	if (!r && TAILQ_FIRST(&i->names) != e)
		i->priv = strdup(where);
	else if (!r && TAILQ_NEXT(e, same))
		i->priv = strdup(where);
	return r;
}
