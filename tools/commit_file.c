/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit_file.c - regular files and everything's attributes, for a commit.
 *
 * Where a backing file is on the file system that its content goes to, it becomes the host's file itself, by a link(2): the layer gives up
 * its own name of it when it forgets what was applied. But not while anybody has it open: a descriptor of the sandbox's, passed to some
 * process, must not reach a file of the host's. F_SETLEASE tells (vfs/filestore.c). Else its data are cloned or copied.
 */
#include "tools/commit.h"

#include "base/log.h"
#include "base/ns.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#define SMALL 16384 /* bytes: such a file without holes is copied by one read and write */

void commit_did(struct commit *c, uint64_t bytes)
{
	c->done += bytes;
	if (c->total)
		progress("commit", c->done, c->total);
}

/* --- Data --- */

static int copy_range(struct commit *c, int in, int out, off_t off, off_t end)
{
	AUTO_FREE char *buf = NULL;

	while (off < end) {
		int stop = commit_may_go_on();
		if (stop)
			return stop;
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
		commit_did(c, (uint64_t)n);
	}
	return 0;
}

int commit_copy(struct commit *c, int in, int out)
{
	static bool no_clone;
	off_t off = 0, end;
	struct stat st;
	int r = 0;

	if (fstat(in, &st))
		return -errno;
	if (st.st_size <= SMALL && st.st_blocks * 512 >= st.st_size) {
		char small[SMALL];
		ssize_t n = pread(in, small, sizeof(small), 0);
		commit_did(c, (uint64_t)MAX(n, 0));
		return n < 0 ? -errno : n ? journal_write(out, small, (size_t)n, 0) : 0;
	}
	if (ftruncate(out, st.st_size))
		return -errno;
	if (!no_clone && !ioctl(out, FICLONE, in)) {
		commit_did(c, (uint64_t)st.st_size);
		return 0;
	}
	no_clone = true;
	while (!r && off < st.st_size && (off = lseek(in, off, SEEK_DATA)) >= 0) {
		end = lseek(in, off, SEEK_HOLE);
		if (end < 0)
			return -errno;
		r = copy_range(c, in, out, off, end);
		off = end;
	}
	return r ? r : off < 0 && errno != ENXIO ? -errno : 0;
}

/* Do all of its names go to the host? */
static bool all_wanted(const struct commit *c, const struct layer_inode *i)
{
	const struct layer_entry *e;

	if (!c->n_paths)
		return true;
	TAILQ_FOREACH(e, &i->names, same)
	{
		AUTO_FREE char *path = model_path(e);
		if (!path || !path_selected(path, c->paths, c->n_paths))
			return false;
	}
	return true;
}

/*
 * fd: of the backing file, opened here alone. Extended attributes on it are a security module's label, which a link would take to where
 * others belong. Another link is what an interrupted commit left, or a forged journal's.
 */
static bool may_give(const struct commit *c, int fd, const struct stat *st, const struct layer_inode *i)
{
	return st->st_nlink == 1 && flistxattr(fd, NULL, 0) <= 0 && all_wanted(c, i) && !fcntl(fd, F_SETLEASE, F_WRLCK);
}

/* --- Attributes --- */

/* What an ordinary user may not do on the host is told once, and doesn't stop the rest. */
static int soft(struct commit *c, int err, const char *what, const char *name)
{
	if (err != EPERM && err != EOPNOTSUPP)
		return -err;
	if (!c->warned++)
		log_msg("%s: can't set its %s: %s (further ones aren't listed)", name, what, strerror(err));
	return 0;
}

/* An object: by a descriptor, or with O_PATH by its name in /proc, which calls without an AT_EMPTY_PATH take. */
struct object {
	int fd;
	char proc[32]; /* empty: fd is a real one */
};

static void by_path(struct object *o, int fd)
{
	o->fd = fd;
	snprintf(o->proc, sizeof(o->proc), "/proc/self/fd/%d", fd);
}

static ssize_t list_xattrs(const struct object *o, char *list, size_t size)
{
	return *o->proc ? listxattr(o->proc, list, size) : flistxattr(o->fd, list, size);
}

static int set_xattr(const struct object *o, const char *key, const void *value, size_t size)
{
	return *o->proc ? setxattr(o->proc, key, value, size, 0) : fsetxattr(o->fd, key, value, size, 0);
}

static int set_xattrs(struct commit *c, const struct object *o, const struct layer_inode *i, const char *name)
{
	const uint8_t *p = i->xattrs, *end = p + i->xattrs_len, *value;
	char list[65536];
	const char *key;
	uint32_t size;
	int r = 0;
	ssize_t n = list_xattrs(o, list, sizeof(list));

	for (const char *s = list; n > 0 && s < list + n; s += strlen(s) + 1) {
		bool kept = false;
		for (p = i->xattrs; jxattr_next(&p, end, &key, &value, &size);)
			kept |= !strcmp(key, s);
		/* Labels are the host's own affair. */
		if (!kept && strncmp(s, "security.selinux", 16) &&
		    (*o->proc ? removexattr(o->proc, s) : fremovexattr(o->fd, s)))
			r = r ? r : soft(c, errno, "extended attributes", name);
	}
	for (p = i->xattrs; !r && jxattr_next(&p, end, &key, &value, &size);)
		if (set_xattr(o, key, value, size))
			r = soft(c, errno, "extended attributes", name);
	return r;
}

static int copy_xattrs(int from, const struct object *to)
{
	char list[65536], value[65536];
	struct object a;

	by_path(&a, from);
	ssize_t n = list_xattrs(&a, list, sizeof(list));
	for (const char *s = list; n > 0 && s < list + n; s += strlen(s) + 1) {
		ssize_t v = getxattr(a.proc, s, value, sizeof(value));
		if (v >= 0 && set_xattr(to, s, value, (size_t)v) && errno != EPERM && errno != EOPNOTSUPP)
			return -errno;
	}
	return 0;
}

/* now: as the object is; back: its backing file or NULL. */
static int dress(struct commit *c, const struct object *o, const char *name, const struct layer_inode *i,
		 const struct stat *now, const struct stat *back)
{
	uid_t uid = host_uid(c->l, i->uid);
	gid_t gid = host_gid(c->l, i->gid);
	bool link = S_ISLNK(i->mode);
	int r = 0;

	if ((now->st_uid != uid || now->st_gid != gid) && fchownat(o->fd, "", uid, gid, AT_EMPTY_PATH))
		r = soft(c, errno, "owner", name);
	if (!r && (i->flags & JI_XATTR) && !link)
		r = set_xattrs(c, o, i, name);
	/* After the owner, whose change clears bits. */
	if (!r && !link && (*o->proc ? chmod(o->proc, i->mode & 07777) : fchmod(o->fd, i->mode & 07777)))
		r = soft(c, errno, "mode", name);
	int64_t atime = i->atime, mtime = i->mtime;
	if (back && S_ISREG(back->st_mode)) {
		atime = MAX(atime, ns_of(&back->st_atim));
		mtime = MAX(mtime, ns_of(&back->st_mtim));
	}
	struct timespec ts[2] = {ns_split(atime), ns_split(mtime)};
	if (!r && utimensat(o->fd, "", ts, AT_EMPTY_PATH))
		r = soft(c, errno, "times", name);
	return r;
}

int commit_attrs(struct commit *c, int dirfd, const char *name, const struct layer_inode *i, uint64_t ino)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st, b;
	struct object o;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if ((st.st_mode & S_IFMT) != (i->mode & S_IFMT))
		return -EBUSY;
	if (ino && st.st_ino != ino) {
		log_msg("%s: somebody has replaced it meanwhile: its attributes stay", name);
		return 0;
	}
	by_path(&o, fd);
	bool back = i->back && !layer_stat_back(c->l->storefd, i->back, &b);
	return dress(c, &o, name, i, &st, back ? &b : NULL);
}

int commit_attrs_like(int from, const struct stat *st, int dirfd, const char *name)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct timespec ts[2] = {st->st_atim, st->st_mtim};
	struct object o;
	int r = 0;

	if (fd < 0)
		return -errno;
	by_path(&o, fd);
	if (fchownat(fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) && errno != EPERM)
		return -errno;
	if (!S_ISLNK(st->st_mode)) {
		r = copy_xattrs(from, &o);
		if (!r && chmod(o.proc, st->st_mode & 07777))
			r = -errno;
	}
	if (!r && utimensat(fd, "", ts, AT_EMPTY_PATH))
		r = -errno;
	return r;
}

/* --- Files --- */

int commit_file(struct commit *c, int dirfd, const char *name, const struct layer_inode *i, int low)
{
	AUTO_CLOSE int in = layer_open_back(c->l->storefd, i->back, O_RDONLY);
	AUTO_CLOSE int out = -1;
	char id[24];
	struct stat back, st;

	if (in < 0)
		return in;
	if (fstat(in, &back))
		return -errno;
	struct object o = {.fd = in};
	snprintf(id, sizeof(id), "%" PRIu64, i->back);
	if (may_give(c, in, &back, i) && !linkat(c->l->storefd, id, dirfd, name, 0)) {
		st = back;
		commit_did(c, (uint64_t)back.st_size);
	} else {
		o.fd = out = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (out < 0 || fstat(out, &st))
			return -errno;
		int r = commit_copy(c, in, out);
		if (r)
			return r;
	}
	int r = low >= 0 && !(i->flags & JI_XATTR) ? copy_xattrs(low, &o) : 0;
	return r ? r : dress(c, &o, name, i, &st, &back);
}

static int open_to_write(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 || errno != EACCES)
		return fd < 0 ? -errno : fd;
	/* The user's own, but read-only: its mode will be set afterwards anyway. */
	AUTO_CLOSE int path = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct object o;
	struct stat st;
	if (path < 0 || fstat(path, &st) || !S_ISREG(st.st_mode))
		return -EACCES;
	by_path(&o, path);
	if (chmod(o.proc, (st.st_mode & 07777) | S_IWUSR))
		return -EACCES;
	fd = open(o.proc, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int commit_rewrite(struct commit *c, int dirfd, const char *name, const struct layer_inode *i, uint64_t ino)
{
	AUTO_CLOSE int in = layer_open_back(c->l->storefd, i->back, O_RDONLY);
	AUTO_CLOSE int out = in < 0 ? -1 : open_to_write(dirfd, name);
	struct stat st, back;

	if (in < 0 || out < 0)
		return in < 0 ? in : out;
	if (fstat(in, &back) || fstat(out, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (ino && st.st_ino != ino))
		return -EBUSY;
	if (ftruncate(out, 0))
		return -errno;
	int r = commit_copy(c, in, out);
	struct object o = {.fd = out};
	return r ? r : dress(c, &o, name, i, &st, &back);
}
