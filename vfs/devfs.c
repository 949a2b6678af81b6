/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devfs.c - /dev. A tmpfs, so that programs can make entries of their own in it as they can natively, populated with the few
 * devices that a sandbox has. Opening a device node, here or in any other file system, goes by its number through
 * dev_open(): no device of the host other than those of vfs_config can be reached by mknod.
 */
#include "vfs/fs.h"
#include "vfs/pseudofs.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define DEV_OPEN_FLAGS  (O_ACCMODE | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC)
#define TTY_SLAVE_MAJOR 136 /* 8 majors of 256 minors for pts, Documentation/admin-guide/devices.txt */

/* Number of the caller's controlling terminal from /proc/PID/stat (proc_pid_stat(5), tty_nr), 0: none. */
static unsigned ctty_of(pid_t tgid)
{
	AUTO_SBUF struct sbuf b = {0};
	char name[32];
	unsigned tty = 0;

	if (vfs_config()->guest_procfd < 0 || tgid <= 0)
		return 0;
	snprintf(name, sizeof(name), "%d/stat", tgid);
	if (sbuf_read_at(&b, vfs_config()->guest_procfd, name, 4096) < 0)
		return 0;
	sbuf_put(&b, "", 1);
	if (b.err)
		return 0;
	/* The name before it may hold anything, parentheses too: what counts is behind the last one. */
	const char *s = strrchr(b.data, ')');
	if (!s || sscanf(s + 1, " %*c %*d %*d %*d %u", &tty) != 1)
		return 0;
	return tty;
}

static int pts_open(unsigned n, int flags)
{
	char name[16];

	if (vfs_config()->devptsfd < 0)
		return -ENXIO;
	snprintf(name, sizeof(name), "%u", n);
	int fd = openat(vfs_config()->devptsfd, name, (flags & DEV_OPEN_FLAGS) | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -ENXIO : -errno;
	return fd;
}

/*
 * /dev/tty: the caller's controlling terminal, not ours, so that the host's /dev/tty is of no use. A terminal that the user
 * passed in and that the caller still holds as one of its first descriptors is that descriptor's open file; any other must be
 * one of the sandbox's own.
 */
static int tty_open(struct vfs_ctx *ctx, int flags)
{
	unsigned nr = ctty_of(vfs_tgid(ctx));
	unsigned major_nr = (nr >> 8) & 0xfff, minor_nr = (nr & 0xff) | ((nr >> 12) & 0xfff00);
	struct stat pts;

	if (!nr)
		return -ENXIO;
	bool have_pts = vfs_config()->devptsfd >= 0 && fstat(vfs_config()->devptsfd, &pts) == 0;
	for (int i = 0; ctx->get_fd && i < 3; i++) {
		AUTO_CLOSE int fd = ctx->get_fd(ctx, i);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(major_nr, minor_nr))
			continue;
		if (have_pts && st.st_dev == pts.st_dev)
			break;
		int have = fcntl(fd, F_GETFL);
		if (have < 0 || ((have & O_ACCMODE) != O_RDWR && (have & O_ACCMODE) != (flags & O_ACCMODE)))
			continue;
		int r = pseudo_reopen(fd, flags & DEV_OPEN_FLAGS);
		/* Its node may be one that we may not open, or gone from our sight: then it's shared. */
		return r >= 0 ? r : take_fd(&fd);
	}
	if (major_nr < TTY_SLAVE_MAJOR || major_nr >= TTY_SLAVE_MAJOR + 8)
		return -ENXIO;
	return pts_open((major_nr - TTY_SLAVE_MAJOR) * 256 + minor_nr, flags);
}

int dev_open(struct vfs_ctx *ctx, dev_t rdev, int flags, int *hostfd)
{
	const struct vfs_config *cfg = vfs_config();
	int path_fd = -1, r;

	if (rdev == makedev(1, 3))
		path_fd = cfg->dev_null;
	else if (rdev == makedev(1, 5))
		path_fd = cfg->dev_zero;
	else if (rdev == makedev(1, 7))
		path_fd = cfg->dev_full;
	else if (rdev == makedev(1, 8))
		path_fd = cfg->dev_random;
	else if (rdev == makedev(1, 9))
		path_fd = cfg->dev_urandom;

	if (path_fd >= 0)
		r = pseudo_reopen(path_fd, flags & DEV_OPEN_FLAGS);
	else if (rdev == makedev(5, 0))
		r = tty_open(ctx, flags);
	else
		r = -ENXIO;
	if (r < 0)
		return r;
	*hostfd = r;
	return 0;
}

static const struct dev_row {
	const char *name;
	uint32_t mode;
	unsigned major_nr, minor_nr;
	const char *target;
} dev_rows[] = {
    {"null", S_IFCHR | 0666, 1, 3, NULL},
    {"zero", S_IFCHR | 0666, 1, 5, NULL},
    {"full", S_IFCHR | 0666, 1, 7, NULL},
    {"random", S_IFCHR | 0666, 1, 8, NULL},
    {"urandom", S_IFCHR | 0666, 1, 9, NULL},
    {"tty", S_IFCHR | 0666, 5, 0, NULL},
    {"ptmx", S_IFLNK | 0777, 0, 0, "pts/ptmx"},
    {"fd", S_IFLNK | 0777, 0, 0, "/proc/self/fd"},
    {"stdin", S_IFLNK | 0777, 0, 0, "/proc/self/fd/0"},
    {"stdout", S_IFLNK | 0777, 0, 0, "/proc/self/fd/1"},
    {"stderr", S_IFLNK | 0777, 0, 0, "/proc/self/fd/2"},
    {"shm", S_IFDIR | 01777, 0, 0, NULL},
    {"pts", S_IFDIR | 0755, 0, 0, NULL},
    {"mqueue", S_IFDIR | 01777, 0, 0, NULL},
};

static int dev_make(struct super *sb, const struct dev_row *row)
{
	const struct inode_ops *ops = sb->root->inode->ops;
	int r = 0;

	vfs_wrlock();
	struct dentry *d = d_add(sb->root, row->name, strlen(row->name), NULL, NULL);
	if (d)
		dget(d);
	vfs_wrunlock();
	if (!d)
		return -ENOMEM;
	if (ops->prepare)
		r = ops->prepare(d, false);
	if (r == 0) {
		vfs_wrlock();
		r = ops->mknod(d, row->mode, makedev(row->major_nr, row->minor_nr), 0, 0, row->target);
		vfs_wrunlock();
	}
	dput(d);
	return r;
}

int devfs_new(struct super **out)
{
	int r = tmpfs_new(0, 0755, out);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dev_rows); i++)
		r = dev_make(*out, &dev_rows[i]);
	return r;
}
