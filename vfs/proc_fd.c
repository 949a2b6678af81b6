/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_fd.c - fd and fdinfo of a process. Numbers are listed from the native directory; what a descriptor is comes from a
 * duplicate of it. A descriptor that has a path in the VFS is followed there, with all checks of a path; any other is opened
 * anew as the host does it, never with more access than the descriptor itself gives, and a directory of the host never.
 */
#include "vfs/proc.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

static struct pnode *fd_node, *fdinfo_node;

/* Duplicate of the descriptor. The check comes after: then the descriptor is of a process that we know the checks of. */
static int fd_dup(struct vfs_ctx *ctx, const struct pinode *p)
{
	int r;

	if (p->pid == vfs_tgid(ctx) && ctx->get_fd) {
		r = ctx->get_fd(ctx, p->num);
		return r == -EBADF ? -ENOENT : r;
	}
	AUTO_CLOSE int fd = proc_ops()->task_fd ? proc_ops()->task_fd(p->pid, p->num) : -EACCES;
	if (fd < 0)
		return fd == -EBADF || fd == -ESRCH ? -ENOENT : fd;
	if (!proc_may_inspect(ctx, p))
		return -EACCES;
	return take_fd(&fd);
}

static bool is_our_pts(const struct stat *st)
{
	struct stat pts;

	return S_ISCHR(st->st_mode) && major(st->st_rdev) >= 136 && major(st->st_rdev) < 144 &&
	       vfs_config()->devptsfd >= 0 && fstat(vfs_config()->devptsfd, &pts) == 0 && pts.st_dev == st->st_dev;
}

static const char *device_name(dev_t rdev)
{
	static const struct {
		unsigned maj, min;
		const char *name;
	} names[] = {{1, 3, "/dev/null"},    {1, 5, "/dev/zero"}, {1, 7, "/dev/full"}, {1, 8, "/dev/random"},
		     {1, 9, "/dev/urandom"}, {5, 0, "/dev/tty"},  {5, 2, "/dev/ptmx"}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (rdev == makedev(names[i].maj, names[i].min))
			return names[i].name;
	}
	return NULL;
}

/* Where a descriptor of a native file of the tracees' proc stands, relative to its root: we gave it out. */
static bool proc_text(int fd, const char *native, char *buf, size_t size)
{
	char name[32], base[PATH_MAX];
	struct statfs fs;
	struct stat a, b;

	if (vfs_config()->guest_procfd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return false;
	if (fstat(fd, &a) < 0 || fstat(vfs_config()->guest_procfd, &b) < 0 || a.st_dev != b.st_dev)
		return false;
	snprintf(name, sizeof(name), "self/fd/%d", vfs_config()->guest_procfd);
	ssize_t n = readlinkat(vfs_config()->procfd, name, base, sizeof(base) - 1);
	if (n < 0)
		return false;
	base[n] = '\0';
	if (n == 1)
		n = 0;
	if (strncmp(native, base, (size_t)n) != 0 || native[n] != '/')
		return false;
	snprintf(buf, size, "/proc%.*s", (int)MIN(strlen(native + n), size - 6), native + n);
	return true;
}

/* Text of a descriptor that isn't one of ours. Names of the host's files must not be seen. */
static int foreign_text(int fd, char *buf, size_t size)
{
	char name[32], native[PATH_MAX];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (is_our_pts(&st)) {
		snprintf(buf, size, "/dev/pts/%u", (major(st.st_rdev) - 136) * 256 + minor(st.st_rdev));
		return 0;
	}
	const char *dev = S_ISCHR(st.st_mode) ? device_name(st.st_rdev) : NULL;
	if (dev) {
		snprintf(buf, size, "%s", dev);
		return 0;
	}
	snprintf(name, sizeof(name), "self/fd/%d", fd);
	ssize_t n = readlinkat(vfs_config()->procfd, name, native, sizeof(native) - 1);
	if (n < 0)
		return -errno;
	native[n] = '\0';
	/* "pipe:[1]", "socket:[1]", "anon_inode:[eventfd]": of the kernel's making. */
	bool memfd = strncmp(native, "/memfd:", 7) == 0 && fcntl(fd, F_GET_SEALS) >= 0 && st.st_nlink == 0;
	if (native[0] != '/' || memfd)
		snprintf(buf, size, "%s", native);
	else if (!proc_text(fd, native, buf, size))
		snprintf(buf, size, "host:[%" PRIu64 "]", (uint64_t)st.st_ino);
	return 0;
}

static ssize_t fd_readlink(struct vfs_ctx *ctx, struct pinode *p, char *buf, size_t size)
{
	char text[PATH_MAX + 16];
	AUTO_CLOSE int fd = fd_dup(ctx, p);
	AUTO_VFILE struct vfile f = {0};

	if (fd < 0)
		return fd;
	int r = vfs_identify(fd, &f);
	if (r < 0)
		return r;
	r = f.kind == VF_FOREIGN ? foreign_text(fd, text, sizeof(text)) : vfs_vfile_path(ctx, &f, text, sizeof(text));
	if (r < 0)
		return r;
	size_t n = MIN(strlen(text), size);
	memcpy(buf, text, n);
	return (ssize_t)n;
}

static int fd_follow(struct vfs_ctx *ctx, struct pinode *p, struct path *out)
{
	AUTO_CLOSE int fd = fd_dup(ctx, p);
	AUTO_VFILE struct vfile f = {0};

	if (fd < 0)
		return fd;
	int r = vfs_identify(fd, &f);
	if (r < 0)
		return r;
	if (f.kind == VF_FOREIGN || !f.path.dentry)
		return -ENXIO;
	vfs_rdlock();
	/* A file's last name may be another file's by now. A directory is where it is, even removed. */
	bool named = f.kind == VF_DIR || (f.path.dentry->inode == f.inode && !(f.path.dentry->flags & D_DEAD));
	vfs_rdunlock();
	if (!named)
		return -ENXIO;
	path_get(&f.path);
	*out = f.path;
	return 0;
}

/* Of what the descriptor is: asked only for what follow gives no path of. */
static int fd_getattr(struct vfs_ctx *ctx, struct pinode *p, struct kstat *st)
{
	AUTO_VFILE struct vfile f = {0};

	if (!ctx)
		return -EACCES;
	AUTO_CLOSE int fd = fd_dup(ctx, p);
	if (fd < 0)
		return fd;
	int r = vfs_identify(fd, &f);
	return r < 0 ? r : vfs_fstat(ctx, &f, fd, st);
}

static int access_mask(int flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return 4;
	case O_WRONLY:
		return 2;
	default:
		return 6;
	}
}

/* One of ours without a name. Permission first, as for a path: the link had no inode of the file for the core to check. */
static int reopen_ours(struct vfs_ctx *ctx, const struct vfile *f, int fd, int flags, int *hostfd)
{
	int mask = access_mask(flags) | (flags & O_TRUNC ? 2 : 0);

	if ((mask & 2) && (f->inode->sb->flags & SB_RDONLY))
		return -EROFS;
	vfs_rdlock();
	int r = inode_permission(ctx->cred, f->inode, mask);
	if (!r && !rules_may_reopen(f->inode, fd, mask))
		r = -EACCES;
	vfs_rdunlock();
	if (r < 0)
		return r;
	return f->inode->ops->open ? f->inode->ops->open(ctx, NULL, f->inode, flags, hostfd) : -ENXIO;
}

/* A native file of proc binds to what its process is now, which may have more rights than when it was first opened. */
static bool may_reopen_proc(struct vfs_ctx *ctx, int fd)
{
	char name[32], native[PATH_MAX], text[PATH_MAX + 16];
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	if (fs.f_type != PROC_SUPER_MAGIC)
		return true;
	snprintf(name, sizeof(name), "self/fd/%d", fd);
	ssize_t n = readlinkat(vfs_config()->procfd, name, native, sizeof(native) - 1);
	if (n < 0)
		return false;
	native[n] = '\0';
	if (!proc_text(fd, native, text, sizeof(text)))
		return false;
	char *pid = text + strlen("/proc/");
	pid[strcspn(pid, "/")] = '\0';
	struct pinode p = {.pid = pseudo_number(pid)};
	return p.pid < 0 || proc_may_inspect(ctx, &p);
}

static int reopen_foreign(struct vfs_ctx *ctx, int *fd, int flags, int *hostfd)
{
	struct stat st;
	int have = fcntl(*fd, F_GETFL);

	if (have < 0 || fstat(*fd, &st) < 0)
		return -errno;
	if (have & O_PATH)
		return -EACCES;
	int want = access_mask(flags) | (flags & O_TRUNC ? 2 : 0);
	bool own_kind = S_ISFIFO(st.st_mode) || is_our_pts(&st);
	switch (st.st_mode & S_IFMT) {
	case S_IFSOCK:
	case 0: /* anon_inode */
		return -ENXIO;
	case S_IFCHR:
		if (device_name(st.st_rdev) && st.st_rdev != makedev(5, 2))
			return dev_open(ctx, st.st_rdev, flags, hostfd);
		break;
	case S_IFIFO:
	case S_IFREG:
		break;
	default:
		return -EACCES;
	}
	/* A pipe can be opened for its other end, as natively; but not a FIFO that the user passed in, which has a name. */
	struct statfs fs;
	if (S_ISFIFO(st.st_mode) && (fstatfs(*fd, &fs) < 0 || fs.f_type != PIPEFS_MAGIC))
		own_kind = false;
	if (!own_kind && (want & ~access_mask(have)))
		return -EACCES;
	int keep =
	    flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECT | O_DSYNC | O_SYNC | (S_ISREG(st.st_mode) ? O_TRUNC : 0));
	/* Who may only append mustn't write elsewhere by opening again. */
	keep |= have & O_APPEND;
	/* A FIFO without its other end would hold us, and nobody could interrupt it: never wait. */
	int r = pseudo_reopen(*fd, keep | (S_ISFIFO(st.st_mode) ? O_NONBLOCK : 0));
	if (r >= 0 && S_ISFIFO(st.st_mode) && !(flags & O_NONBLOCK) && fcntl(r, F_SETFL, keep) < 0) {
		int err = -errno;
		close(r);
		return err;
	}
	if (r >= 0 && !may_reopen_proc(ctx, r)) {
		close(r);
		return -EACCES;
	}
	/* An object of another user (the tracees' pipes are, when root started us), opened as it is: the duplicate does as well. */
	if ((r == -EACCES || r == -EPERM) && !S_ISREG(st.st_mode) && (flags & O_ACCMODE) == (have & O_ACCMODE))
		r = take_fd(fd);
	if (r < 0)
		return r;
	*hostfd = r;
	return 0;
}

static int fd_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	AUTO_CLOSE int fd = fd_dup(ctx, p);
	AUTO_VFILE struct vfile f = {0};

	if (fd < 0)
		return fd;
	int r = vfs_identify(fd, &f);
	if (r < 0)
		return r;
	if (f.kind == VF_FOREIGN)
		return reopen_foreign(ctx, &fd, flags, hostfd);
	if (f.kind == VF_DIR || S_ISDIR(f.inode->mode) || S_ISLNK(f.inode->mode))
		return -ENXIO;
	return reopen_ours(ctx, &f, fd, flags, hostfd);
}
static const struct pnode_ops fd_link_ops = {
    .readlink = fd_readlink, .follow = fd_follow, .dup = fd_dup, .getattr = fd_getattr, .open = fd_open};

/* --- fdinfo ------------------------------------------------------------------------------------------------------------ */

static int fdinfo_native(const struct pinode *p, char *buf, size_t size, const char *dir)
{
	int n = p->tid ? snprintf(buf, size, "%d/task/%d/%s/%d", p->pid, p->tid, dir, p->num)
		       : snprintf(buf, size, "%d/%s/%d", p->pid, dir, p->num);

	return (size_t)n < size ? 0 : -ENAMETOOLONG;
}

/* proc_pid_fdinfo(5). Locks name files by the host's numbers, so their lines are left out. */
static int fdinfo_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	char name[64];
	AUTO_SBUF struct sbuf native = {0};
	AUTO_VFILE struct vfile f = {0};
	struct kstat st;
	int r = fdinfo_native(p, name, sizeof(name), "fdinfo");

	if (r < 0)
		return r;
	AUTO_CLOSE int dup = fd_dup(ctx, p);
	if (dup < 0)
		return dup;
	r = sbuf_read_at(&native, vfs_config()->guest_procfd, name, PROC_FILE_MAX);
	if (r < 0)
		return r;
	r = vfs_identify(dup, &f);
	if (r == 0)
		r = vfs_fstat(ctx, &f, dup, &st);
	if (r < 0)
		return r;
	for (size_t pos = 0; pos < native.len;) {
		const char *line = native.data + pos, *nl = memchr(line, '\n', native.len - pos);
		size_t len = nl ? (size_t)(nl - line) + 1 : native.len - pos;

		pos += len;
		if (len > 7 && memcmp(line, "mnt_id:", 7) == 0)
			sbuf_printf(out, "mnt_id:\t%" PRIu64 "\n", st.mnt_id);
		else if (len > 4 && memcmp(line, "ino:", 4) == 0)
			sbuf_printf(out, "ino:\t%" PRIu64 "\n", st.ino);
		else if (len > 5 && memcmp(line, "lock:", 5) == 0)
			continue;
		else
			sbuf_put(out, line, len);
	}
	return out->err;
}
static const struct pnode_ops fdinfo_ops = {.generate = fdinfo_generate};

/* --- directories ------------------------------------------------------------------------------------------------------- */

/*
 * Existence, and what the descriptor was opened for, come from the native fdinfo: reading that takes the right to trace the
 * process, which we have, where fd itself is for its owner, which we aren't.
 */
static int make_entry(struct pinode *dir, const char *name, const struct pnode *node, struct pinode **out)
{
	char path[64];
	AUTO_SBUF struct sbuf info = {0};
	int n = pseudo_number(name);
	struct pinode like = {.pid = dir->pid, .tid = dir->tid, .num = n};

	if (n < 0 || vfs_config()->guest_procfd < 0 || fdinfo_native(&like, path, sizeof(path), "fdinfo") < 0)
		return -ENOENT;
	if (sbuf_read_at(&info, vfs_config()->guest_procfd, path, PROC_FILE_MAX) < 0)
		return -ENOENT;
	sbuf_put(&info, "", 1);
	if (info.err)
		return info.err;
	struct pinode *p = pinode_new(dir, node);
	if (!p)
		return -ENOMEM;
	p->num = n;
	if (S_ISLNK(node->mode)) {
		/* tid_fd_update_inode() in fs/proc/fd.c. */
		const char *at = strstr(info.data, "flags:");
		int flags = at ? (int)strtol(at + strlen("flags:"), NULL, 8) : O_RDWR;
		int mask = flags & O_PATH ? 0 : access_mask(flags);
		p->inode.mode = S_IFLNK | (mask & 4 ? 0500 : 0) | (mask & 2 ? 0300 : 0);
		p->inode.size = 64;
	}
	pinode_set_ino(p);
	*out = p;
	return 0;
}

static int fd_lookup(struct pinode *dir, const char *name, struct pinode **out)
{
	return make_entry(dir, name, fd_node, out);
}
static int fdinfo_lookup(struct pinode *dir, const char *name, struct pinode **out)
{
	return make_entry(dir, name, fdinfo_node, out);
}

static int add_fd(struct pinode *dir, int num, struct dirlist *out)
{
	const struct pnode *node = dir->node->ops == &proc_fd_dir_ops ? fd_node : fdinfo_node;
	char name[16];
	int n = snprintf(name, sizeof(name), "%d", num);

	return dirlist_add(out, name, (size_t)n, pseudo_ino(node, dir->pid, dir->tid, num),
			   node == fd_node ? DT_LNK : DT_REG);
}

static int fd_list(struct vfs_ctx *ctx, struct pinode *dir, struct dirlist *out)
{
	return proc_may_inspect(ctx, dir) ? proc_native_list(dir, "fdinfo", add_fd, out) : -EACCES;
}
const struct pnode_ops proc_fd_dir_ops = {.lookup = fd_lookup, .list = fd_list};
const struct pnode_ops proc_fdinfo_dir_ops = {.lookup = fdinfo_lookup, .list = fd_list};

void proc_fd_init(void)
{
	fd_node = pnode_single("fd-", S_IFLNK | 0700, &fd_link_ops);
	fdinfo_node = pnode_single("fdinfo-", S_IFREG | 0444, &fdinfo_ops);
}
