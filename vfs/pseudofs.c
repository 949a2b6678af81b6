/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pseudofs.c - trees of named nodes as a file system. See pseudofs.h.
 *
 * Generated content is given out as a sealed memfd, reopened read-only: complete at open time, as a single read of the native
 * file would be; whatever the program does to the descriptor stays with that descriptor.
 */
#include "vfs/pseudofs.h"

#include "base/log.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

const struct pnode_ops pseudo_dir_ops;

static int text_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	sbuf_put(out, p->node->arg, p->node->arglen);
	return out->err;
}
const struct pnode_ops pseudo_text_ops = {.generate = text_generate};

static ssize_t link_readlink(struct vfs_ctx *ctx, struct pinode *p, char *buf, size_t size)
{
	size_t n = MIN(size, p->node->arglen);

	memcpy(buf, p->node->arg, n);
	return (ssize_t)n;
}
const struct pnode_ops pseudo_link_ops = {.readlink = link_readlink};

/* --- trees ----------------------------------------------------------------------------------------------------------- */

static struct pnode *pnode_make(struct pnode *parent, const char *name, size_t len, uint32_t mode,
				const struct pnode_ops *ops)
{
	struct pnode *n = xcalloc(1, sizeof(*n));
	char *copy = xcalloc(1, len + 1);

	memcpy(copy, name, len);
	n->name = copy;
	n->mode = mode;
	n->ops = ops;
	n->parent = parent;
	TAILQ_INIT(&n->children);
	if (parent)
		TAILQ_INSERT_TAIL(&parent->children, n, sibling);
	return n;
}

struct pnode *pnode_root(uint32_t mode, const struct pnode_ops *ops)
{
	return pnode_make(NULL, "", 0, S_IFDIR | mode, ops);
}

struct pnode *pnode_single(const char *name, uint32_t mode, const struct pnode_ops *ops)
{
	return pnode_make(NULL, name, strlen(name), mode, ops);
}

static struct pnode *pnode_child(const struct pnode *dir, const char *name, size_t len)
{
	struct pnode *n;

	TAILQ_FOREACH(n, &dir->children, sibling)
	{
		if (strlen(n->name) == len && memcmp(n->name, name, len) == 0)
			return n;
	}
	return NULL;
}

struct pnode *pnode_add(struct pnode *root, const struct pnode_row *row, const struct pnode_ops *dir_ops)
{
	struct pnode *dir = root;
	const char *s = row->path;

	for (const char *slash; (slash = strchr(s, '/')); s = slash + 1) {
		size_t len = (size_t)(slash - s);
		struct pnode *next = pnode_child(dir, s, len);
		dir = next ? next : pnode_make(dir, s, len, S_IFDIR | 0555, dir_ops);
	}
	struct pnode *n = pnode_child(dir, s, strlen(s));
	if (!n)
		n = pnode_make(dir, s, strlen(s), row->mode, row->ops);
	n->mode = row->mode;
	n->ops = row->ops;
	n->arg = row->arg;
	n->arglen = row->arg ? strlen(row->arg) : 0;
	return n;
}

/* --- inodes ---------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
	return h ^ (h >> 29);
}

uint64_t pseudo_ino(const struct pnode *node, pid_t pid, pid_t tid, int num)
{
	uint64_t h = 1;

	/* Names, not addresses: the number is the same in each run and tells nothing of our memory. */
	for (const struct pnode *n = node; n; n = n->parent) {
		for (const char *s = n->name; *s; s++)
			h = mix(h, (unsigned char)*s);
		h = mix(h, '/');
	}
	h = mix(mix(mix(h, (uint32_t)pid), (uint32_t)tid), (uint32_t)num);
	return (h & ((UINT64_C(1) << 48) - 1)) | UINT64_C(1) << 20;
}

void pinode_set_ino(struct pinode *p)
{
	p->inode.ino = pseudo_ino(p->node, p->pid, p->tid, p->num);
}

static const struct inode_ops pseudo_inode_ops;

static struct pinode *pinode_make(struct super *sb, const struct pnode *node)
{
	struct pinode *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	inode_init(&p->inode, sb, &pseudo_inode_ops, node->mode);
	p->inode.dev = sb->dev;
	p->inode.nlink = S_ISDIR(node->mode) ? 2 : 1;
	p->inode.blksize = S_ISREG(node->mode) && !(sb->flags & SB_DYNAMIC) ? 4096 : 1024;
	p->node = node;
	p->num = -1;
	return p;
}

struct pinode *pinode_new(const struct pinode *like, const struct pnode *node)
{
	struct pinode *p = pinode_make(like->inode.sb, node);

	if (!p)
		return NULL;
	p->pid = like->pid;
	p->tid = like->tid;
	p->num = like->num;
	p->inode.uid = like->inode.uid;
	p->inode.gid = like->inode.gid;
	pinode_set_ino(p);
	if (node->ops->fill)
		node->ops->fill(p);
	return p;
}

static bool child_exists(const struct pinode *dir, const struct pnode *child)
{
	return !child->ops->exists || child->ops->exists(dir, child);
}

static int pseudo_lookup(struct dentry *dir, const char *name, size_t len, const char *rest, struct lookup_result *out,
			 int max)
{
	struct pinode *d = pinode_of(dir->inode), *p = NULL;
	const struct pnode *n = pnode_child(d->node, name, len);
	char copy[NAME_MAX + 1];

	out[0] = (struct lookup_result){0};
	if (n && child_exists(d, n)) {
		p = pinode_new(d, n);
		if (!p)
			return -ENOMEM;
	} else if (!n && d->node->ops->lookup && len <= NAME_MAX) {
		memcpy(copy, name, len);
		copy[len] = '\0';
		int r = d->node->ops->lookup(d, copy, &p);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r < 0)
			p = NULL;
	}
	if (p)
		out[0].inode = &p->inode;
	return 1;
}

static unsigned char mode_dtype(uint32_t mode)
{
	return (unsigned char)((mode & S_IFMT) >> 12);
}

static int pseudo_readdir(struct vfs_ctx *ctx, struct dentry *dir, struct dirlist *out)
{
	struct pinode *d = pinode_of(dir->inode);
	const struct pnode *n;

	TAILQ_FOREACH(n, &d->node->children, sibling)
	{
		if (!child_exists(d, n))
			continue;
		int r =
		    dirlist_add(out, n->name, strlen(n->name), pseudo_ino(n, d->pid, d->tid, d->num), mode_dtype(n->mode));
		if (r < 0)
			return r;
	}
	return d->node->ops->list ? d->node->ops->list(ctx, d, out) : 0;
}

static ssize_t pseudo_readlink(struct vfs_ctx *ctx, struct inode *inode, char *buf, size_t size)
{
	struct pinode *p = pinode_of(inode);

	return p->node->ops->readlink ? p->node->ops->readlink(ctx, p, buf, size) : -EINVAL;
}

static int pseudo_dup(struct vfs_ctx *ctx, struct inode *inode)
{
	const struct pinode *p = pinode_of(inode);

	return p->node->ops->dup ? p->node->ops->dup(ctx, p) : -ENOENT;
}

static int pseudo_follow(struct vfs_ctx *ctx, struct inode *inode, struct path *out)
{
	struct pinode *p = pinode_of(inode);

	return p->node->ops->follow ? p->node->ops->follow(ctx, p, out) : -ENOSYS;
}

static int pseudo_getattr(struct vfs_ctx *ctx, struct inode *inode, struct kstat *st)
{
	struct pinode *p = pinode_of(inode);

	if (p->node->ops->getattr)
		return p->node->ops->getattr(ctx, p, st);
	inode_attrs(inode, st);
	return 0;
}

static int pseudo_open(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, int flags, int *hostfd)
{
	struct pinode *p = pinode_of(inode);
	AUTO_SBUF struct sbuf b = {0};

	if (p->node->ops->open)
		return p->node->ops->open(ctx, p, flags, hostfd);
	if (!p->node->ops->generate)
		return -ENXIO;
	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	int r = p->node->ops->generate(ctx, p, &b);
	if (r == 0)
		r = b.err;
	return r < 0 ? r : pseudo_donate(b.data, b.len, hostfd);
}

static int pseudo_setattr(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, const struct setattr *sa)
{
	struct pinode *p = pinode_of(inode);

	if (p->node->ops->setattr)
		return p->node->ops->setattr(ctx, p, sa);
	/* proc_setattr(): a new size is accepted and means nothing, which is what O_TRUNC needs. */
	return sa->valid & ~(SA_SIZE | SA_MTIME | SA_MTIME_NOW) || !(sa->valid & SA_SIZE) ? -EPERM : 0;
}

static int pseudo_mknod(struct dentry *d, uint32_t mode, dev_t rdev, uid_t uid, gid_t gid, const char *target)
{
	/* proc answers ENOENT to creat(2) and mkdir(2) of a new name; sysfs EPERM. */
	return d->sb->flags & SB_DYNAMIC ? -ENOENT : -EPERM;
}
static int pseudo_link(struct inode *inode, struct dentry *from, struct dentry *d)
{
	return -EPERM;
}
static int pseudo_unlink(struct dentry *d)
{
	return -EPERM;
}
static int pseudo_rename(struct dentry *from, struct dentry *to, unsigned flags)
{
	return -EPERM;
}
static int pseudo_tmpfile(struct dentry *dir, uint32_t mode, uid_t uid, gid_t gid, struct inode **out)
{
	return -EOPNOTSUPP;
}
static ssize_t pseudo_getxattr(struct inode *inode, const char *name, void *buf, size_t size)
{
	return -EOPNOTSUPP;
}
static ssize_t pseudo_listxattr(struct inode *inode, char *buf, size_t size)
{
	return 0;
}
static int pseudo_setxattr(struct dentry *d, struct inode *inode, const char *name, const void *v, size_t n, int flags)
{
	return -EOPNOTSUPP;
}

static void pseudo_release(struct inode *inode)
{
	free(pinode_of(inode));
}

static const struct inode_ops pseudo_inode_ops = {
    .lookup = pseudo_lookup,
    .readdir = pseudo_readdir,
    .readlink = pseudo_readlink,
    .follow = pseudo_follow,
    .dup = pseudo_dup,
    .getattr = pseudo_getattr,
    .open = pseudo_open,
    .setattr = pseudo_setattr,
    .getxattr = pseudo_getxattr,
    .listxattr = pseudo_listxattr,
    .setxattr = pseudo_setxattr,
    .mknod = pseudo_mknod,
    .link = pseudo_link,
    .unlink = pseudo_unlink,
    .rmdir = pseudo_unlink,
    .rename = pseudo_rename,
    .tmpfile = pseudo_tmpfile,
    .release = pseudo_release,
};

/* --- supers ---------------------------------------------------------------------------------------------------------- */

struct pseudo_sb {
	struct super sb;
	long magic;
};

static int pseudo_statfs(struct super *sb, struct statfs *out)
{
	*out = (struct statfs){
	    .f_type = container_of(sb, struct pseudo_sb, sb)->magic, .f_bsize = 4096, .f_frsize = 4096, .f_namelen = 255};
	return 0;
}
static const struct super_ops pseudo_super_ops = {.statfs = pseudo_statfs};

struct super *pseudo_super(const char *type, uint32_t flags, long magic, dev_t dev, const struct pnode *root)
{
	struct pseudo_sb *ps = xcalloc(1, sizeof(*ps));

	ps->magic = magic;
	ps->sb = (struct super){.ops = &pseudo_super_ops, .flags = flags, .dev = dev, .type = type};
	struct pinode *p = pinode_make(&ps->sb, root);
	if (!p)
		die("out of memory");
	p->inode.ino = 1;
	if (root->ops->fill)
		root->ops->fill(p);
	ps->sb.root = d_make_root(&ps->sb, &p->inode);
	return &ps->sb;
}

/* --- helpers --------------------------------------------------------------------------------------------------------- */

int pseudo_reopen(int fd, int flags)
{
	char name[32];

	snprintf(name, sizeof(name), "self/fd/%d", fd);
	int r = openat(vfs_config()->procfd, name, flags | O_CLOEXEC | O_NOCTTY);
	return r < 0 ? -errno : r;
}

int pseudo_donate(const void *data, size_t len, int *hostfd)
{
	AUTO_CLOSE int fd = memfd_create("file", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0)
		return -errno;
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)data + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	/* What fstat(2) shows of it; nearly all such files are. */
	if (fchmod(fd, 0444) < 0)
		return -errno;
	int r = pseudo_reopen(fd, O_RDONLY);
	if (r < 0)
		return r;
	*hostfd = r;
	return 0;
}

int pseudo_number(const char *name)
{
	long v = 0;

	if (!name[0] || (name[0] == '0' && name[1]))
		return -1;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return -1;
		v = v * 10 + (*name - '0');
		if (v > INT32_MAX)
			return -1;
	}
	return (int)v;
}
