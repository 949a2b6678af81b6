/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_ops.c - the operations of the file server on its exports.
 *
 * Safety: every path goes through at_path() or at_parent(), which check its form and resolve it beneath the export's root without following
 * links; what they return is an O_PATH descriptor, so nothing is opened for real before its type is known. The working directory is
 * /proc/self/fd (server_confine.c): the name "N" there means the object of descriptor N itself, for calls that have no
 * descriptor form for O_PATH.
 */
#include "gofer/server.h"

#include "base/ns.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#define STAT_MASK  (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)
#define OPEN_FLAGS (O_ACCMODE | O_TRUNC | O_APPEND | O_NONBLOCK | O_DIRECT | O_SYNC | O_DSYNC | O_NOATIME)

struct fd_name {
	char s[12];
};
/* Name of descriptor fd in the working directory. */
static struct fd_name fd_name(int fd)
{
	struct fd_name n;
	snprintf(n.s, sizeof n.s, "%d", fd);
	return n;
}

static const struct gofer_export *get_export(const struct conn *c, uint32_t export)
{
	return export < c->srv->n_exports ? &c->srv->exports[export] : NULL;
}

/* The export's root is the descriptor's object itself: "" in openat2(2) would need AT_EMPTY_PATH, which it lacks. */
static int root_dup(const struct gofer_export *e)
{
	int fd = fcntl(e->rootfd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* Does a component of path, which has passed wire_check_path(), name what is ours? */
static bool hidden(const char *path)
{
	/* Both kinds of names begin so. */
	for (const char *p = path; (p = strstr(p, ".sandbox.")); p++)
		if ((p == path || p[-1] == '/') && gofer_is_hidden(p, strcspn(p, "/")))
			return true;
	return false;
}

/* O_PATH descriptor of path, which has passed wire_check_path(), or with other flags a descriptor for use. */
static int open_beneath(const struct gofer_export *e, const char *path, uint64_t flags)
{
	struct open_how how = {
	    .flags = flags | O_CLOEXEC | O_NOFOLLOW,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	for (int tries = 0;; tries++) {
		int fd = (int)syscall(SYS_openat2, e->rootfd, path, &how, sizeof how);
		if (fd >= 0)
			return fd;
		if (errno == EINTR || (errno == EAGAIN && tries < 32))
			continue;
		/* A directory on the way was moved out of the export meanwhile. */
		return errno == EXDEV ? -ENOENT : -errno;
	}
}

/* Checks export and path; *fd is an O_PATH descriptor, the caller's. 0, -errno, OP_MALFORMED. */
static int at_path(const struct conn *c, uint32_t export, const struct wire_str *path, bool change, int *fd)
{
	const struct gofer_export *e = get_export(c, export);
	if (!e || wire_check_path(path->s, path->len, NULL))
		return OP_MALFORMED;
	if (change && e->ro)
		return -EROFS;
	if (hidden(path->s))
		return -ENOENT;
	int r = path->len ? open_beneath(e, path->s, O_PATH) : root_dup(e);
	*fd = r;
	return MIN(r, 0);
}

/* The same for the directory that path's last component is in. *name points into path. The root itself has no parent: -EBUSY. */
static int at_parent(const struct conn *c, uint32_t export, const struct wire_str *path, int *fd, const char **name)
{
	const struct gofer_export *e = get_export(c, export);
	if (!e || wire_check_path(path->s, path->len, NULL))
		return OP_MALFORMED;
	if (e->ro)
		return -EROFS;
	if (!path->len)
		return -EBUSY;
	if (hidden(path->s))
		return -EPERM;
	const char *slash = strrchr(path->s, '/');
	int r;
	if (slash) {
		char dir[WIRE_PATH_MAX];
		size_t n = (size_t)(slash - path->s);
		memcpy(dir, path->s, n);
		dir[n] = 0;
		r = open_beneath(e, dir, O_PATH | O_DIRECTORY);
	} else {
		r = root_dup(e);
	}
	*name = slash ? slash + 1 : path->s;
	*fd = r;
	return MIN(r, 0);
}

static int64_t ns(const struct statx_timestamp *t)
{
	return ns_join(t->tv_sec, t->tv_nsec);
}

/* name "": of fd itself. */
static int get_attr(int fd, const char *name, struct gattr *a)
{
	struct statx st;
	if (statx(fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STAT_MASK, &st) < 0)
		return -errno;
	*a = (struct gattr){
	    .dev = makedev(st.stx_dev_major, st.stx_dev_minor),
	    .ino = st.stx_ino,
	    .rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor),
	    .mode = st.stx_mode,
	    .nlink = st.stx_nlink,
	    .blksize = st.stx_blksize,
	    .uid = st.stx_uid,
	    .gid = st.stx_gid,
	    .mnt_id = (uint32_t)st.stx_mnt_id,
	    .size = (int64_t)st.stx_size,
	    .blocks = (int64_t)st.stx_blocks,
	    .atime = ns(&st.stx_atime),
	    .mtime = ns(&st.stx_mtime),
	    .ctime = ns(&st.stx_ctime),
	    .btime = st.stx_mask & STATX_BTIME ? ns(&st.stx_btime) : 0,
	};
	return 0;
}

/* Text of the symlink fd (O_PATH) into the scratch buffer. */
static int get_link(struct conn *c, int fd, struct wire_str *link)
{
	ssize_t n = readlinkat(fd, "", (char *)c->scratch, WIRE_PATH_MAX - 1);
	if (n < 0)
		return -errno;
	c->scratch[n] = 0;
	*link = (struct wire_str){(const char *)c->scratch, (uint32_t)n};
	return 0;
}

/*
 * The hot call. Directories on the way are opened and asked by descriptor, the last component by name, unless it's a symlink whose text must be
 * that of the very object whose attributes are sent.
 */
int gofer_op_walk(struct conn *c, const struct walk_req *q, struct walk_rep *r)
{
	const struct gofer_export *e = get_export(c, q->export);
	unsigned total;
	if (!e || wire_check_path(q->path.s, q->path.len, &total) || q->max > WIRE_WALK_MAX || q->skip > total)
		return OP_MALFORMED;
	r->link = (struct wire_str){"", 0};
	r->attrs.v = c->attrs;
	if (!q->max)
		return 0;
	if (!total) {
		struct gattr *a = &c->attrs[0];
		int err = get_attr(e->rootfd, "", a);
		r->attrs.n = 1;
		/* Some file systems don't count subdirectories: 1. */
		if (!err && S_ISDIR(a->mode) && a->nlink >= e->hidden + 2)
			a->nlink -= e->hidden;
		return err;
	}
	char path[WIRE_PATH_MAX];
	memcpy(path, q->path.s, q->path.len + 1);
	unsigned at = MIN(q->skip, total - 1);
	char *name = path;
	for (unsigned k = 0; k < at; k++)
		name = strchr(name, '/') + 1;
	AUTO_CLOSE int held = -1;
	int dir = e->rootfd;
	if (at) {
		name[-1] = 0;
		if (hidden(path))
			return 0;
		held = dir = open_beneath(e, path, O_PATH | O_DIRECTORY);
		if (dir == -ENOENT || dir == -ENOTDIR || dir == -ELOOP)
			return 0; /* what the client knew of the path has changed */
		if (dir < 0)
			return dir;
	}
	for (; r->attrs.n < q->max; at++) {
		char *slash = strchr(name, '/');
		struct gattr *a = &c->attrs[r->attrs.n];
		int err;
		if (slash)
			*slash = 0;
		if (gofer_is_hidden(name, strlen(name)))
			return 0;
		if (at + 1 == total) {
			err = get_attr(dir, name, a);
			if (err || !S_ISLNK(a->mode)) {
				r->attrs.n += !err;
				return err == -ENOENT || err == -ENOTDIR ? 0 : err;
			}
		}
		AUTO_CLOSE int next = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		err = next < 0 ? -errno : get_attr(next, "", a);
		if (err)
			return err == -ENOENT || err == -ENOTDIR ? 0 : err;
		r->attrs.n++;
		if (S_ISLNK(a->mode))
			return get_link(c, next, &r->link);
		if (!S_ISDIR(a->mode) || !slash)
			return 0;
		close_fd_(&held);
		held = dir = take_fd(&next);
		name = slash + 1;
	}
	return 0;
}

int gofer_op_open(struct conn *c, const struct open_req *q, struct open_rep *r)
{
	AUTO_CLOSE int fd = -1;
	int flags = (int)(q->flags & OPEN_FLAGS);
	int err = at_path(c, q->export, &q->path, (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC), &fd);
	if (err)
		return err;
	err = get_attr(fd, "", &r->attr);
	if (err)
		return err;
	if (!S_ISREG(r->attr.mode))
		return S_ISDIR(r->attr.mode) ? -EISDIR : S_ISLNK(r->attr.mode) ? -ELOOP : -ENXIO;
	c->reply_fd = open(fd_name(fd).s, flags | O_CLOEXEC | O_NOCTTY);
	if (c->reply_fd < 0)
		return -errno;
	return flags & O_TRUNC ? get_attr(c->reply_fd, "", &r->attr) : 0;
}

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

int gofer_op_readdir(struct conn *c, const struct readdir_req *q, struct readdir_rep *r)
{
	const struct gofer_export *e = get_export(c, q->export);
	if (!e || wire_check_path(q->path.s, q->path.len, NULL))
		return OP_MALFORMED;
	/* O_DIRECTORY: nothing else is opened, so no check by O_PATH is needed first. */
	int flags = O_RDONLY | O_DIRECTORY | O_NONBLOCK;
	if (hidden(q->path.s))
		return -ENOENT;
	AUTO_CLOSE int fd =
	    q->path.len ? open_beneath(e, q->path.s, (uint64_t)flags) : openat(e->rootfd, ".", flags | O_CLOEXEC);
	if (fd < 0)
		return q->path.len ? fd : -errno;
	/* A packet holds what one getdents64(2) of this many bytes gives: its records are never smaller than ours by more than the padding. */
	struct wire_out entries = {.p = c->scratch, .cap = 61440};
	for (;;) {
		_Alignas(struct linux_dirent64) char buf[16384];
		ssize_t n = syscall(SYS_getdents64, fd, buf, sizeof buf);
		if (n < 0)
			return -errno;
		for (ssize_t off = 0; off < n;) {
			const struct linux_dirent64 *d = (const struct linux_dirent64 *)(buf + off);
			size_t len = strlen(d->d_name);
			off += d->d_reclen;
			if ((len == 1 && d->d_name[0] == '.') || (len == 2 && d->d_name[0] == '.' && d->d_name[1] == '.'))
				continue;
			if (gofer_is_hidden(d->d_name, len))
				continue;
			if (wire_put_dirent(&entries, d->d_ino, d->d_type, d->d_name, len))
				continue;
			struct readdir_rep part = {.more = 1, .entries = {entries.p, (uint32_t)entries.len}};
			struct wire_out o;
			gofer_start_reply(c, OP_READDIR, 0, &o);
			wire_put_readdir_rep(&o, &part);
			if (gofer_send_reply(c, OP_READDIR, 0, &o))
				return OP_MALFORMED;
			entries.len = 0;
			if (!wire_put_dirent(&entries, d->d_ino, d->d_type, d->d_name, len))
				return -EOVERFLOW;
		}
		if (!n)
			break;
	}
	r->entries = (struct wire_blob){entries.p, (uint32_t)entries.len};
	return 0;
}

int gofer_op_getattrs(struct conn *c, const struct getattrs_req *q, struct getattrs_rep *r)
{
	AUTO_CLOSE int dir = -1;
	if (q->count > WIRE_NAMES_MAX)
		return OP_MALFORMED;
	const char *name = q->names.p, *end = name + q->names.len;
	for (uint32_t k = 0; k < q->count; k++) {
		const char *nul = memchr(name, 0, (size_t)(end - name));
		unsigned n;
		if (!nul || wire_check_path(name, (size_t)(nul - name), &n) || n != 1)
			return OP_MALFORMED;
		name = nul + 1;
	}
	if (name != end)
		return OP_MALFORMED;
	int err = at_path(c, q->export, &q->path, false, &dir);
	if (err)
		return err;
	name = q->names.p;
	for (uint32_t k = 0; k < q->count; k++, name += strlen(name) + 1) {
		err = gofer_is_hidden(name, strlen(name)) ? -ENOENT : get_attr(dir, name, &c->attrs[k]);
		if (err == -ENOENT)
			c->attrs[k] = (struct gattr){0};
		else if (err)
			return err;
	}
	r->attrs = (struct wire_attrs){.v = c->attrs, .n = q->count};
	return 0;
}

int gofer_op_fstat(struct conn *c, const struct fstat_req *q, struct fstat_rep *r)
{
	return get_attr(c->request_fd, "", &r->attr);
}

int gofer_op_statfs(struct conn *c, const struct statfs_req *q, struct statfs_rep *r)
{
	AUTO_CLOSE int fd = -1;
	struct statfs st;
	int err = at_path(c, q->export, &q->path, false, &fd);
	if (err)
		return err;
	if (fstatfs(fd, &st) < 0)
		return -errno;
	uint64_t fsid;
	memcpy(&fsid, &st.f_fsid, sizeof fsid);
	*r = (struct statfs_rep){
	    .type = (uint64_t)st.f_type,
	    .bsize = (uint64_t)st.f_bsize,
	    .blocks = st.f_blocks,
	    .bfree = st.f_bfree,
	    .bavail = st.f_bavail,
	    .files = st.f_files,
	    .ffree = st.f_ffree,
	    .fsid = fsid,
	    .namelen = (uint64_t)st.f_namelen,
	    .frsize = (uint64_t)st.f_frsize,
	    .flags = (uint64_t)st.f_flags,
	};
	return 0;
}

static bool xattr_name_ok(const struct wire_str *name)
{
	return name->len && name->len <= WIRE_NAME_MAX;
}

/* n: what the system call returned for a buffer of size bytes. */
static int xattr_reply(struct conn *c, ssize_t n, uint32_t size, uint32_t *length, struct wire_blob *value)
{
	if (n < 0)
		return -errno;
	*length = (uint32_t)n;
	*value = (struct wire_blob){c->scratch, size ? (uint32_t)n : 0};
	return 0;
}

/*
 * at_path(), or with an empty path the descriptor that came with the request: of a regular file that may have lost its name, opened through
 * this very export, else EXDEV. The mount tells: it's a clone that nobody else has. What lies on a mount below it can't be changed so.
 */
static int at_object(const struct conn *c, uint32_t export, const struct wire_str *path, bool change, int *fd)
{
	const struct gofer_export *e = get_export(c, export);
	struct gattr root, a;
	int err;
	if (c->request_fd < 0)
		return at_path(c, export, path, change, fd);
	if (!e || path->len)
		return OP_MALFORMED;
	if (change && e->ro)
		return -EROFS;
	err = get_attr(e->rootfd, "", &root);
	if (!err)
		err = get_attr(c->request_fd, "", &a);
	if (err)
		return err;
	if (a.mnt_id != root.mnt_id || !S_ISREG(a.mode))
		return -EXDEV;
	*fd = fcntl(c->request_fd, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

int gofer_op_getxattr(struct conn *c, const struct getxattr_req *q, struct getxattr_rep *r)
{
	AUTO_CLOSE int fd = -1;
	if (!xattr_name_ok(&q->name))
		return OP_MALFORMED;
	int err = at_object(c, q->export, &q->path, false, &fd);
	if (err)
		return err;
	ssize_t n = getxattr(fd_name(fd).s, q->name.s, c->scratch, MIN(q->size, (uint32_t)WIRE_XATTR_MAX));
	return xattr_reply(c, n, q->size, &r->length, &r->value);
}

int gofer_op_listxattr(struct conn *c, const struct listxattr_req *q, struct listxattr_rep *r)
{
	AUTO_CLOSE int fd = -1;
	int err = at_object(c, q->export, &q->path, false, &fd);
	if (err)
		return err;
	ssize_t n = listxattr(fd_name(fd).s, (char *)c->scratch, MIN(q->size, (uint32_t)WIRE_XATTR_MAX));
	return xattr_reply(c, n, q->size, &r->length, &r->value);
}

int gofer_op_setxattr(struct conn *c, const struct setxattr_req *q, UNUSED struct setxattr_rep *r)
{
	AUTO_CLOSE int fd = -1;
	if (!xattr_name_ok(&q->name) || q->value.len > WIRE_XATTR_MAX)
		return OP_MALFORMED;
	int err = at_object(c, q->export, &q->path, true, &fd);
	if (err)
		return err;
	return setxattr(fd_name(fd).s, q->name.s, q->value.p, q->value.len, (int)q->flags) < 0 ? -errno : 0;
}

int gofer_op_removexattr(struct conn *c, const struct removexattr_req *q, UNUSED struct removexattr_rep *r)
{
	AUTO_CLOSE int fd = -1;
	if (!xattr_name_ok(&q->name))
		return OP_MALFORMED;
	int err = at_object(c, q->export, &q->path, true, &fd);
	if (err)
		return err;
	return removexattr(fd_name(fd).s, q->name.s) < 0 ? -errno : 0;
}

/*
 * Owner and exact mode of a new object (O_PATH or real descriptor), whose group may have come from a set-group-id directory and whose mode from a
 * default ACL. An ordinary user can't give files away; only a group that isn't his stays as the host made it.
 */
static int settle(int fd, uint32_t mode, uint32_t uid, uint32_t gid, struct gattr *a)
{
	int err = get_attr(fd, "", a);
	if (err)
		return err;
	bool changed = false;
	if (a->uid != uid || a->gid != gid) {
		if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0)
			changed = true;
		else if (errno != EPERM || a->uid != uid)
			return -errno;
	}
	if (!S_ISLNK(a->mode) && (changed || (a->mode & 07777) != (mode & 07777))) {
		if (fchmodat(AT_FDCWD, fd_name(fd).s, mode & 07777, 0) < 0)
			return -errno;
		changed = true;
	}
	return changed ? get_attr(fd, "", a) : 0;
}

int gofer_op_create(struct conn *c, const struct create_req *q, struct create_rep *r)
{
	AUTO_CLOSE int dir = -1;
	const char *name;
	int err = at_parent(c, q->export, &q->path, &dir, &name);
	if (err == -EBUSY)
		return -EEXIST;
	if (err)
		return err;
	int flags = (int)(q->flags & OPEN_FLAGS & ~(uint32_t)O_TRUNC);
	c->reply_fd = openat(dir, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, q->mode & 07777);
	if (c->reply_fd < 0)
		return -errno;
	err = settle(c->reply_fd, q->mode, q->uid, q->gid, &r->attr);
	if (err)
		unlinkat(dir, name, 0);
	return err;
}

int gofer_op_mknod(struct conn *c, const struct mknod_req *q, struct mknod_rep *r)
{
	AUTO_CLOSE int dir = -1;
	const char *name;
	int err = at_parent(c, q->export, &q->path, &dir, &name);
	if (err == -EBUSY)
		return -EEXIST;
	if (err)
		return err;
	mode_t mode = q->mode & 07777;
	switch (q->mode & S_IFMT) {
	case S_IFDIR:
		err = mkdirat(dir, name, mode);
		break;
	case S_IFIFO:
		err = mknodat(dir, name, S_IFIFO | mode, 0);
		break;
	case S_IFLNK:
		err = symlinkat(q->target.s, dir, name);
		break;
	default:
		return -EPERM;
	}
	if (err < 0)
		return -errno;
	AUTO_CLOSE int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = settle(fd, q->mode, q->uid, q->gid, &r->attr);
	if (err)
		unlinkat(dir, name, S_ISDIR(q->mode) ? AT_REMOVEDIR : 0);
	return err;
}

int gofer_op_link(struct conn *c, const struct link_req *q, UNUSED struct link_rep *r)
{
	AUTO_CLOSE int from = -1;
	AUTO_CLOSE int to = -1;
	const char *from_name, *to_name;
	int err = at_parent(c, q->export, &q->path, &from, &from_name);
	if (!err)
		err = at_parent(c, q->export, &q->to, &to, &to_name);
	if (err)
		return err == -EBUSY ? -EPERM : err;
	return linkat(from, from_name, to, to_name, 0) < 0 ? -errno : 0;
}

int gofer_op_unlink(struct conn *c, const struct unlink_req *q, UNUSED struct unlink_rep *r)
{
	AUTO_CLOSE int dir = -1;
	const char *name;
	int err = at_parent(c, q->export, &q->path, &dir, &name);
	if (err)
		return err;
	return unlinkat(dir, name, q->dir ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
}

int gofer_op_rename(struct conn *c, const struct rename_req *q, UNUSED struct rename_rep *r)
{
	AUTO_CLOSE int from = -1;
	AUTO_CLOSE int to = -1;
	const char *from_name, *to_name;
	int err = at_parent(c, q->export, &q->path, &from, &from_name);
	if (!err)
		err = at_parent(c, q->export, &q->to, &to, &to_name);
	if (err)
		return err;
	if (q->flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	/* glibc's renameat2() makes another call when flags is 0, which the filter doesn't know. */
	return syscall(SYS_renameat2, from, from_name, to, to_name, q->flags) < 0 ? -errno : 0;
}

static struct timespec to_timespec(uint32_t valid, uint32_t set, uint32_t now, int64_t v)
{
	if (valid & now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	if (!(valid & set))
		return (struct timespec){.tv_nsec = UTIME_OMIT};
	return ns_split(v);
}

/* By truncate(2), which leaves the times alone if the size is that already. */
static int set_size(int fd, const struct gattr *a, int64_t size)
{
	if (!S_ISREG(a->mode))
		return S_ISDIR(a->mode) ? -EISDIR : -EINVAL;
	return truncate(fd_name(fd).s, size) < 0 ? -errno : 0;
}

/* Size, owner, mode, times: each would undo what comes before it in any other order (chown(2) drops set-id bits). */
int gofer_op_setattr(struct conn *c, const struct setattr_req *q, UNUSED struct setattr_rep *r)
{
	AUTO_CLOSE int fd = -1;
	struct gattr a;
	int err = at_object(c, q->export, &q->path, true, &fd);
	if (!err)
		err = get_attr(fd, "", &a);
	if (!err && (q->valid & GS_SIZE))
		err = set_size(fd, &a, q->size);
	if (err)
		return err;
	if (q->valid & (GS_UID | GS_GID)) {
		uid_t uid = q->valid & GS_UID ? q->uid : (uid_t)-1;
		gid_t gid = q->valid & GS_GID ? q->gid : (gid_t)-1;
		if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	}
	if (q->valid & GS_MODE) {
		if (S_ISLNK(a.mode))
			return -EOPNOTSUPP;
		if (fchmodat(AT_FDCWD, fd_name(fd).s, q->mode & 07777, 0) < 0)
			return -errno;
	}
	if (q->valid & (GS_ATIME | GS_MTIME | GS_ATIME_NOW | GS_MTIME_NOW)) {
		struct timespec ts[2] = {
		    to_timespec(q->valid, GS_ATIME, GS_ATIME_NOW, q->atime),
		    to_timespec(q->valid, GS_MTIME, GS_MTIME_NOW, q->mtime),
		};
		if (utimensat(fd, "", ts, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
	}
	return 0;
}
