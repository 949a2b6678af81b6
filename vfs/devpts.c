/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devpts.c - /dev/pts: the terminals of the sandbox's own devpts. They are opened natively and given out; only owner and mode
 * are ours, since natively all of them belong to the user who runs the sandbox.
 *
 * We open with O_NOCTTY always, because the opener is the supervisor. So a slave opened without O_NOCTTY does not become the
 * program's controlling terminal by itself; TIOCSCTTY, which login_tty(3) and openpty(3)'s users call, works natively.
 */
#include "vfs/pseudofs.h"

#include "base/ns.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define DEVPTS_MAGIC   0x1cd1
#define PTS_MAX        65536
#define PTS_OPEN_FLAGS (O_ACCMODE | O_APPEND | O_NONBLOCK)

/* Owner and mode by number, since the last ptmx that got this number. Changed under pts_lock. */
struct pts_attr {
	uid_t uid;
	gid_t gid;
	uint32_t mode;
};
static pthread_mutex_t pts_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pts_attr *pts_attrs;
static unsigned pts_nattrs;
static struct pnode *pts_slave; /* all N share it */

static struct pts_attr pts_get(unsigned n)
{
	struct pts_attr a = {.uid = 0, .gid = 5, .mode = 0620};

	pthread_mutex_lock(&pts_lock);
	if (n < pts_nattrs)
		a = pts_attrs[n];
	pthread_mutex_unlock(&pts_lock);
	return a;
}

static int pts_set(unsigned n, const struct pts_attr *a)
{
	int r = 0;

	if (n >= PTS_MAX)
		return -ENOSPC;
	pthread_mutex_lock(&pts_lock);
	if (n >= pts_nattrs) {
		unsigned count = MAX(n + 1, pts_nattrs * 2);
		struct pts_attr *p = realloc(pts_attrs, count * sizeof(*p));
		if (p) {
			for (unsigned i = pts_nattrs; i < count; i++)
				p[i] = (struct pts_attr){.uid = 0, .gid = 5, .mode = 0620};
			pts_attrs = p;
			pts_nattrs = count;
		} else {
			r = -ENOMEM;
		}
	}
	if (r == 0)
		pts_attrs[n] = *a;
	pthread_mutex_unlock(&pts_lock);
	return r;
}

/* The host's object. Numbers agree with fstat(2) of an open terminal, by which ttyname(3) finds the name. */
static int pts_host_stat(const struct pinode *p, struct stat *st)
{
	char name[16] = "ptmx";

	if (p->num >= 0)
		snprintf(name, sizeof(name), "%d", p->num);
	return fstatat(vfs_config()->devptsfd, name, st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static void pts_fill(struct pinode *p)
{
	struct stat st;

	p->inode.flags |= I_LIVE;
	if (pts_host_stat(p, &st) == 0) {
		p->inode.ino = st.st_ino;
		p->inode.rdev = st.st_rdev;
		p->inode.atime = ns_of(&st.st_atim);
		p->inode.mtime = ns_of(&st.st_mtim);
		p->inode.ctime = ns_of(&st.st_ctim);
		p->inode.btime = p->inode.ctime;
	}
	if (p->num >= 0) {
		struct pts_attr a = pts_get((unsigned)p->num);
		p->inode.uid = a.uid;
		p->inode.gid = a.gid;
		p->inode.mode = S_IFCHR | a.mode;
	}
}

static int pts_getattr(struct vfs_ctx *ctx, struct pinode *p, struct kstat *st)
{
	struct pinode now = *p;

	pts_fill(&now);
	inode_attrs(&now.inode, st);
	return 0;
}

void devpts_fix_stat(uint64_t host_dev, struct kstat *st)
{
	struct stat root;
	struct pts_attr a;

	if (!S_ISCHR(st->mode) || major(st->rdev) < 136 || major(st->rdev) > 143 || vfs_config()->devptsfd < 0 ||
	    fstat(vfs_config()->devptsfd, &root) < 0 || root.st_dev != host_dev)
		return;
	a = pts_get((major(st->rdev) - 136) * 256 + minor(st->rdev));
	st->uid = a.uid;
	st->gid = a.gid;
	st->mode = S_IFCHR | a.mode;
}

static int pts_setattr(struct vfs_ctx *ctx, struct pinode *p, const struct setattr *sa)
{
	if (p->num < 0)
		return sa->valid & (SA_MODE | SA_UID | SA_GID) ? -EPERM : 0;
	struct pts_attr a = pts_get((unsigned)p->num);
	if (sa->valid & SA_MODE)
		a.mode = sa->mode & 07777;
	if (sa->valid & SA_UID)
		a.uid = sa->uid;
	if (sa->valid & SA_GID)
		a.gid = sa->gid;
	int r = pts_set((unsigned)p->num, &a);
	if (r < 0)
		return r;
	vfs_wrlock();
	p->inode.uid = a.uid;
	p->inode.gid = a.gid;
	p->inode.mode = S_IFCHR | a.mode;
	vfs_wrunlock();
	return 0;
}

static int pts_slave_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", p->num);
	int fd = openat(vfs_config()->devptsfd, name, (flags & PTS_OPEN_FLAGS) | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*hostfd = fd;
	return 0;
}

static int pts_master_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	AUTO_CLOSE int fd =
	    openat(vfs_config()->devptsfd, "ptmx", (flags & PTS_OPEN_FLAGS) | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	unsigned n;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, TIOCGPTN, &n) < 0)
		return -errno;
	/* As devpts mounted with gid=5,mode=620: owner is who opened the master. */
	int r = pts_set(n, &(struct pts_attr){.uid = ctx->cred->uid, .gid = 5, .mode = 0620});
	if (r < 0)
		return r;
	*hostfd = take_fd(&fd);
	return 0;
}

static int pts_lookup(struct pinode *dir, const char *name, struct pinode **out)
{
	struct stat st;
	int n = pseudo_number(name);

	if (n < 0 || n >= PTS_MAX || vfs_config()->devptsfd < 0)
		return -ENOENT;
	if (fstatat(vfs_config()->devptsfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -ENOENT;
	struct pinode *p = pinode_new(dir, pts_slave);
	if (!p)
		return -ENOMEM;
	p->num = n;
	pts_fill(p);
	*out = p;
	return 0;
}

static int pts_list(struct vfs_ctx *ctx, struct pinode *dir, struct dirlist *out)
{
	int r = 0;
	AUTO_CLOSE int fd =
	    vfs_config()->devptsfd < 0 ? -1 : openat(vfs_config()->devptsfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	DIR *dirp = fdopendir(fd);
	if (!dirp)
		return -errno;
	take_fd(&fd);
	for (struct dirent *e; r == 0 && (e = readdir(dirp));) {
		if (pseudo_number(e->d_name) >= 0)
			r = dirlist_add(out, e->d_name, strlen(e->d_name), e->d_ino, DT_CHR);
	}
	closedir(dirp);
	return r;
}

static bool pts_master_exists(const struct pinode *dir, const struct pnode *child)
{
	return vfs_config()->devptsfd >= 0;
}

static const struct pnode_ops pts_root_ops = {.lookup = pts_lookup, .list = pts_list};
static const struct pnode_ops pts_master_ops = {
    .open = pts_master_open, .getattr = pts_getattr, .setattr = pts_setattr, .fill = pts_fill, .exists = pts_master_exists};
static const struct pnode_ops pts_slave_ops = {.open = pts_slave_open, .getattr = pts_getattr, .setattr = pts_setattr};

int devpts_new(struct super **out)
{
	static struct pnode *root;
	struct stat st;
	dev_t dev = 0;

	if (vfs_config()->devptsfd >= 0 && fstat(vfs_config()->devptsfd, &st) == 0)
		dev = vfs_map_dev(st.st_dev);
	else
		dev = vfs_new_dev();
	if (!root) {
		root = pnode_root(0755, &pts_root_ops);
		pnode_add(root, &(struct pnode_row){"ptmx", S_IFCHR | 0666, &pts_master_ops, NULL}, &pseudo_dir_ops);
		pts_slave = pnode_single("slave-", S_IFCHR | 0620, &pts_slave_ops);
	}
	*out = pseudo_super("devpts", SB_DYNAMIC, DEVPTS_MAGIC, dev, root);
	return 0;
}
