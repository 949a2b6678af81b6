/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memfs.h - a small file system for tests of the VFS core: a fixed lower tree that lookups find (and count), and pinned
 * entries in memory over it. Stands in for every file system that the core mounts.
 */
#include "gofer/client.h"
#include "vfs/core.h"

#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

struct lnode {
	const char *name;
	mode_t mode;
	const char *target;
	const struct lnode *kids;
};
static const struct lnode inc[] = {{"stdio.h", S_IFREG | 0644, 0, 0}, {"secret", S_IFREG | 0600, 0, 0}, {0}};
static const struct lnode usr[] = {{"include", S_IFDIR | 0755, 0, inc},
				   {"link", S_IFLNK | 0777, "include/stdio.h", 0},
				   {"abs", S_IFLNK | 0777, "/usr/include", 0},
				   {0}};
static const struct lnode none[] = {{0}};
static const struct lnode top[] = {{"usr", S_IFDIR | 0755, 0, usr},
				   {"tmp", S_IFDIR | 01777, 0, none},
				   {"priv", S_IFDIR | 0700, 0, none},
				   {"loop", S_IFLNK | 0777, "loop", 0},
				   {"dangling", S_IFLNK | 0777, "tmp/made", 0},
				   {"magic", S_IFLNK | 0777, 0, 0},
				   {"bin", S_IFREG | 0755, 0, 0},
				   {0}};
static const struct lnode root_node = {"/", S_IFDIR | 0755, 0, top};

struct minode {
	struct inode i;
	int fd;
	struct hostobj obj, low_obj;
	const struct lnode *low;
	char *target;
};
static atomic_uint n_lookups, n_readdirs, n_live;
static struct path magic_to;

static struct minode *mnew(struct super *sb, uint32_t mode, const char *target);

static int m_lookup(struct dentry *dir, const char *name, size_t len, const char *rest, struct lookup_result *out, int max)
{
	const struct lnode *at = ((struct minode *)dir->inode)->low;
	int n = 0;

	atomic_fetch_add(&n_lookups, 1);
	for (; n < max; n++) {
		const struct lnode *k = at ? at->kids : NULL;

		for (; k && k->name && (strncmp(k->name, name, len) != 0 || k->name[len]); k++)
			;
		if (!k || !k->name)
			return n + 1;
		vfs_wrlock();
		struct minode *m = (struct minode *)hostobj_find(dir->sb->dev, (uintptr_t)k);
		if (m) {
			iget(&m->i); /* one inode for one file, as of every file system */
		} else {
			m = mnew(dir->sb, k->mode, k->target);
			m->low = k;
			hostobj_add(&m->low_obj, dir->sb->dev, (uintptr_t)k, &m->i);
		}
		vfs_wrunlock();
		out[n].inode = &m->i;
		if (!S_ISDIR(k->mode) || !*rest)
			return n + 1;
		at = k;
		name = rest;
		len = strcspn(rest, "/");
		rest += len + (rest[len] == '/');
	}
	return n;
}
static int m_readdir(struct vfs_ctx *ctx, struct dentry *dir, struct dirlist *out)
{
	const struct lnode *k = ((struct minode *)dir->inode)->low ? ((struct minode *)dir->inode)->low->kids : NULL;
	struct dentry *c;
	int err = 0;

	atomic_fetch_add(&n_readdirs, 1);
	vfs_rdlock();
	LIST_FOREACH(c, &dir->children, sibling)
	if (c->inode && !err && (c->flags & D_PINNED))
		err = dirlist_add(out, c->name, c->namelen, c->inode->ino, (unsigned char)(c->inode->mode >> 12));
	for (; k && k->name && !err; k++) {
		c = d_lookup(dir, k->name, strlen(k->name));
		if (!c || !(c->flags & D_PINNED))
			err = dirlist_add(out, k->name, strlen(k->name), 1, (unsigned char)(k->mode >> 12));
	}
	vfs_rdunlock();
	return err;
}
static ssize_t m_readlink(struct vfs_ctx *ctx, struct inode *inode, char *buf, size_t size)
{
	const char *t = ((struct minode *)inode)->target;
	size_t n = t ? MIN(strlen(t), size) : 0;

	if (t)
		memcpy(buf, t, n);
	return (ssize_t)n;
}
static int m_follow(struct vfs_ctx *ctx, struct inode *inode, struct path *out)
{
	if (((struct minode *)inode)->target)
		return -ENOSYS;
	if (!magic_to.dentry)
		return -ENXIO;
	*out = magic_to;
	path_get(out);
	return 0;
}
static int m_open(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, int flags, int *hostfd)
{
	struct minode *m = (struct minode *)inode;
	char p[64];

	if (flags & (O_WRONLY | O_RDWR)) {
		vfs_wrlock();
		inode->flags |= I_UPPER;
		vfs_wrunlock();
	}
	snprintf(p, sizeof(p), "/proc/self/fd/%d", m->fd);
	*hostfd = open(p, flags);
	return *hostfd < 0 ? -errno : 0;
}
static int m_setattr(struct vfs_ctx *ctx, struct dentry *d, struct inode *i, const struct setattr *sa)
{
	vfs_wrlock();
	if (sa->valid & SA_MODE)
		i->mode = (i->mode & S_IFMT) | sa->mode;
	if (sa->valid & SA_UID)
		i->uid = sa->uid;
	if (sa->valid & SA_GID)
		i->gid = sa->gid;
	if (sa->valid & SA_SIZE)
		i->size = sa->size;
	vfs_wrunlock();
	return 0;
}
static int m_mknod(struct dentry *d, uint32_t mode, dev_t rdev, uid_t uid, gid_t gid, const char *target)
{
	struct minode *m = mnew(d->sb, mode, target);

	m->i.uid = uid;
	m->i.gid = gid;
	if (S_ISDIR(mode))
		d->flags |= D_COMPLETE;
	d_instantiate(d, &m->i);
	d_pin(d);
	return 0;
}
static uint32_t left_by(const struct dentry *d)
{
	return d->inode && ((struct minode *)d->inode)->low ? D_WHITEOUT : 0;
}
static int m_link(struct inode *inode, struct dentry *from, struct dentry *d)
{
	iget(inode);
	inode->nlink++;
	d_instantiate(d, inode);
	d_pin(d);
	return 0;
}
static int m_unlink(struct dentry *d)
{
	d->inode->nlink--;
	d_delete(d, left_by(d));
	return 0;
}
static bool m_empty(const struct dentry *d)
{
	const struct dentry *c;

	if (((struct minode *)d->inode)->low)
		return false;
	LIST_FOREACH(c, &d->children, sibling)
	if (c->inode)
		return false;
	return true;
}
static int m_rmdir(struct dentry *d)
{
	if (!m_empty(d))
		return -ENOTEMPTY;
	d_delete(d, 0);
	return 0;
}
static int m_rename(struct dentry *from, struct dentry *to, unsigned flags)
{
	if (flags & RENAME_EXCHANGE) {
		d_exchange(from, to);
		return 0;
	}
	if (to->inode && S_ISDIR(to->inode->mode) && !m_empty(to))
		return -ENOTEMPTY;
	d_move(from, to, left_by(from));
	d_pin(from);
	return 0;
}
static int m_tmpfile(struct dentry *dir, uint32_t mode, uid_t uid, gid_t gid, struct inode **out)
{
	vfs_wrlock();
	*out = &mnew(dir->sb, mode, NULL)->i;
	vfs_wrunlock();
	(*out)->nlink = 0;
	return 0;
}
static void m_release(struct inode *inode)
{
	struct minode *m = (struct minode *)inode;

	hostobj_del(&m->low_obj);
	if (m->fd >= 0) {
		hostobj_del(&m->obj);
		close(m->fd);
	}
	free(m->target);
	free(m);
	atomic_fetch_sub(&n_live, 1);
}
static const struct inode_ops m_ops = {.lookup = m_lookup,
				       .readdir = m_readdir,
				       .readlink = m_readlink,
				       .open = m_open,
				       .setattr = m_setattr,
				       .mknod = m_mknod,
				       .link = m_link,
				       .unlink = m_unlink,
				       .rmdir = m_rmdir,
				       .rename = m_rename,
				       .tmpfile = m_tmpfile,
				       .release = m_release};
static struct inode_ops m_magic_ops;

static struct minode *mnew(struct super *sb, uint32_t mode, const char *target)
{
	struct minode *m = calloc(1, sizeof(*m));
	struct stat st;

	m_magic_ops = m_ops;
	m_magic_ops.follow = m_follow;
	inode_init(&m->i, sb, S_ISLNK(mode) && !target ? &m_magic_ops : &m_ops, mode);
	m->fd = -1;
	m->target = target ? strdup(target) : NULL;
	if (S_ISREG(mode) || (S_ISLNK(mode) && !target)) {
		m->fd = memfd_create("m", MFD_CLOEXEC);
		fstat(m->fd, &st);
		if (S_ISREG(mode))
			hostobj_add(&m->obj, st.st_dev, st.st_ino, &m->i);
	}
	atomic_fetch_add(&n_live, 1);
	return m;
}
static int m_statfs(struct super *sb, struct statfs *out)
{
	memset(out, 0, sizeof(*out));
	return 0;
}
static const struct super_ops m_sops = {.statfs = m_statfs};

static int mem_super(uint32_t flags, const struct lnode *low, uint32_t mode, struct super **out)
{
	struct super *sb = calloc(1, sizeof(*sb));

	sb->ops = &m_sops;
	sb->flags = flags;
	sb->dev = vfs_new_dev();
	sb->type = "mem";
	vfs_wrlock();
	struct minode *m = mnew(sb, S_IFDIR | mode, NULL);
	vfs_wrunlock();
	m->low = low;
	sb->root = d_make_root(sb, &m->i);
	if (!low)
		sb->root->flags |= D_COMPLETE;
	*out = sb;
	return 0;
}
int overlay_new(uint32_t export, uint32_t flags, unsigned store, struct super **out)
{
	return mem_super(flags, &root_node, 0755, out);
}
int tmpfs_new(uint64_t size, uint32_t mode, struct super **out)
{
	return mem_super(0, NULL, mode, out);
}
int goferfs_new(uint32_t export, uint32_t flags, struct super **out)
{
	return mem_super(flags | SB_REMOTE, &root_node, 0755, out);
}
int procfs_new(struct super **out)
{
	return mem_super(SB_DYNAMIC, &root_node, 0555, out);
}
int devfs_new(struct super **out)
{
	return -ENODEV;
}
void devpts_fix_stat(uint64_t host_dev, struct kstat *st)
{
}

int devpts_new(struct super **out)
{
	return -ENODEV;
}
int sysfs_new(struct super **out)
{
	return -ENODEV;
}
void overlay_get_stats(struct vfs_stats *out)
{
}
int gofer_fstat(struct gofer *g, int fd, struct gattr *attr)
{
	return -EIO;
}
