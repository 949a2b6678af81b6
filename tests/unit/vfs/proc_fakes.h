/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_fakes.h - the little of the VFS core that proc, devpts, dev and sys need, for their unit tests: the real proc of the
 * test's own process is the native one, host objects are what a test registers.
 */
#ifndef TESTS_UNIT_VFS_PROC_FAKES_H
#define TESTS_UNIT_VFS_PROC_FAKES_H

#include "vfs/core.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static struct vfs_config fake_cfg;
const struct vfs_config *vfs_config(void)
{
	return &fake_cfg;
}

void vfs_rdlock(void)
{
}
void vfs_rdunlock(void)
{
}
void vfs_wrlock(void)
{
}
void vfs_wrunlock(void)
{
}

static int fake_inodes; /* made and not released */
void iget(struct inode *i)
{
	atomic_fetch_add(&i->refs, 1);
}
void iput(struct inode *i)
{
	if (i && atomic_fetch_sub(&i->refs, 1) == 1) {
		fake_inodes--;
		i->ops->release(i);
	}
}
bool iget_live(struct inode *i)
{
	iget(i);
	return true;
}
void inode_init(struct inode *i, struct super *sb, const struct inode_ops *ops, uint32_t mode)
{
	fake_inodes++;
	atomic_store(&i->refs, 1);
	i->sb = sb;
	i->ops = ops;
	i->mode = mode;
}
int inode_permission(const struct vfs_cred *cred, const struct inode *inode, int mask)
{
	unsigned shift = cred->uid == inode->uid ? 6 : 0;

	return (mask & ~(inode->mode >> shift)) & 7 ? -EACCES : 0;
}
dev_t vfs_new_dev(void)
{
	return makedev(0, 77);
}
dev_t vfs_map_dev(uint64_t host_dev)
{
	return host_dev;
}

struct dentry *d_make_root(struct super *sb, struct inode *inode)
{
	struct dentry *d = calloc(1, sizeof(*d) + 1);

	d->inode = inode;
	d->sb = sb;
	d->parent = d;
	return d;
}
struct dentry *d_add(struct dentry *parent, const char *name, size_t len, struct inode *inode, void *fsdata)
{
	return NULL;
}
void dget(struct dentry *d)
{
}
void dput(struct dentry *d)
{
}
void path_get(const struct path *p)
{
}
void path_put(struct path *p)
{
	*p = (struct path){0};
}
int tmpfs_new(uint64_t size, uint32_t mode, struct super **out)
{
	return -ENOSYS;
}

/* One host object stands for a file of ours. */
static struct {
	dev_t dev;
	uint64_t ino;
	struct inode inode;
	struct dentry *dentry;
} fake_obj;
struct inode *hostobj_find(dev_t dev, uint64_t ino)
{
	return fake_obj.ino && fake_obj.dev == dev && fake_obj.ino == ino ? &fake_obj.inode : NULL;
}
bool rules_may_reopen(const struct inode *inode, int hostfd, int mask)
{
	return true;
}
int vfs_identify(int hostfd, struct vfile *out)
{
	struct stat st;

	*out = (struct vfile){0};
	if (fstat(hostfd, &st) < 0)
		return -errno;
	if (hostobj_find(st.st_dev, st.st_ino)) {
		out->kind = VF_FILE;
		out->inode = &fake_obj.inode;
		out->path.dentry = fake_obj.dentry;
	}
	return 0;
}
void vfile_put(struct vfile *f)
{
	*f = (struct vfile){0};
}
int vfs_vfile_path(struct vfs_ctx *ctx, const struct vfile *f, char *buf, size_t size)
{
	return snprintf(buf, size, "%s", f->inode == &fake_obj.inode ? "/virtual\nname" : "/some/where") + 1;
}
int vfs_fstat(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, struct kstat *out)
{
	struct stat st;

	if (fstat(hostfd, &st) < 0)
		return -errno;
	*out = (struct kstat){.ino = st.st_ino, .mode = st.st_mode, .mnt_id = 4711};
	return 0;
}
void vfs_for_each_mount(struct vfs_ctx *ctx, void (*fn)(const struct mount_info *, const char *, void *), void *arg)
{
	static const struct super overlay = {.type = "overlay"}, proc = {.type = "proc", .flags = SB_NOEXEC | SB_NODEV};

	fn(&(struct mount_info){1, 0, &overlay, "/", false}, "/", arg);
	fn(&(struct mount_info){2, 1, &proc, "/", false}, "/a b\\c#d", arg);
}

/* --- walking ----------------------------------------------------------------------------------------------------------- */

struct dirlist {
	char names[65536];
	size_t len;
	int count;
};
int dirlist_add(struct dirlist *l, const char *name, size_t len, uint64_t ino, unsigned char dtype)
{
	if (l->len + len + 2 > sizeof(l->names))
		return -ENOMEM;
	l->names[l->len++] = ' ';
	memcpy(l->names + l->len, name, len);
	l->len += len;
	l->count++;
	return ino == 0 || dtype == 0 ? -EINVAL : 0;
}
static bool dirlist_has(struct dirlist *l, const char *name)
{
	char word[300];

	snprintf(word, sizeof(word), " %s ", name);
	l->names[l->len] = ' ';
	l->names[l->len + 1] = '\0';
	return strstr(l->names, word) != NULL;
}

/* Inode of a path below sb, without following links; referenced. NULL and *err. */
static struct inode *fake_walk(struct super *sb, const char *path, int *err)
{
	struct inode *at = sb->root->inode;
	char copy[256], *save = NULL;

	iget(at);
	snprintf(copy, sizeof(copy), "%s", path);
	for (char *w = strtok_r(copy, "/", &save); w; w = strtok_r(NULL, "/", &save)) {
		struct dentry *d = d_make_root(sb, at);
		struct lookup_result res[LOOKUP_BATCH] = {0};
		int r = S_ISDIR(at->mode) ? at->ops->lookup(d, w, strlen(w), "", res, LOOKUP_BATCH) : -ENOTDIR;

		free(d);
		iput(at);
		at = r < 0 ? NULL : res[0].inode;
		*err = r < 0 ? r : -ENOENT;
		if (!at)
			return NULL;
	}
	*err = 0;
	return at;
}

static int fake_open(struct super *sb, struct vfs_ctx *ctx, const char *path, int flags)
{
	int err, fd = -1;
	struct inode *i = fake_walk(sb, path, &err);

	if (!i)
		return err;
	err = i->ops->open(ctx, NULL, i, flags, &fd);
	iput(i);
	return err < 0 ? err : fd;
}

/* Content as a NUL terminated string in a static buffer, or NULL. */
static char *fake_read(struct super *sb, struct vfs_ctx *ctx, const char *path)
{
	static char buf[1 << 20];
	size_t len = 0;
	int fd = fake_open(sb, ctx, path, O_RDONLY);

	if (fd < 0)
		return NULL;
	for (ssize_t n; len < sizeof(buf) - 1 && (n = read(fd, buf + len, sizeof(buf) - 1 - len)) > 0;)
		len += (size_t)n;
	close(fd);
	buf[len] = '\0';
	return buf;
}

static int fake_readlink(struct super *sb, struct vfs_ctx *ctx, const char *path, char *buf, size_t size)
{
	int err;
	struct inode *i = fake_walk(sb, path, &err);

	if (!i)
		return err;
	ssize_t n = i->ops->readlink(ctx, i, buf, size - 1);
	iput(i);
	if (n >= 0)
		buf[n] = '\0';
	return (int)n;
}

#endif
