/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mount.c - the mount tree. It's built before the first call of a tracee and only grows; mounts are never removed, so nobody counts
 * references on them. A mount on a place that is covered already covers the root of what covers it.
 */
#include "base/log.h"
#include "vfs/core.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/statvfs.h>

static TAILQ_HEAD(, mount) mounts = TAILQ_HEAD_INITIALIZER(mounts);
static int next_id = 20;

/* What set-up does, it does as the sandbox's root. */
static const struct vfs_cred setup_cred = {.caps = ~UINT64_C(0)};

struct mount *mount_root(void)
{
	return TAILQ_FIRST(&mounts);
}

static void setup_ctx(struct vfs_ctx *ctx, struct path *root)
{
	*root = (struct path){mount_root(), mount_root()->root};
	*ctx = (struct vfs_ctx){.cred = &setup_cred, .root = root, .cwd = root, .umask = 022, .tgid = 1, .tid = 1};
}

static int mount_add(struct super *sb, const struct path *at, bool ro)
{
	struct mount *m = calloc(1, sizeof(*m));
	bool same_type;

	if (!m)
		return -ENOMEM;
	m->sb = sb;
	m->root = sb->root;
	m->ro = ro;
	vfs_wrlock();
	m->id = next_id++;
	same_type = !at || (at->dentry->inode && S_ISDIR(at->dentry->inode->mode) == S_ISDIR(sb->root->inode->mode));
	if (same_type) {
		sb->mnt = m;
		TAILQ_INSERT_TAIL(&mounts, m, link);
		if (at) {
			m->parent = at->mnt;
			m->mountpoint = at->dentry;
			dget(at->dentry);
			at->dentry->mounted = m;
			at->dentry->flags |= D_MOUNTPOINT;
		}
	}
	vfs_wrunlock();
	if (!same_type) {
		bool dir = S_ISDIR(sb->root->inode->mode);

		free(m);
		return dir ? -ENOTDIR : -EISDIR;
	}
	return 0;
}

int vfs_mount_root(int upper)
{
	struct super *sb;
	int err;

	if (mount_root())
		return -EBUSY;
	err = overlay_new(0, upper == VFS_UPPER_NONE ? SB_RDONLY : 0, (unsigned)MAX(upper, 0), &sb);
	return err ? err : mount_add(sb, NULL, upper == VFS_UPPER_NONE);
}

void vfs_root(struct path *out)
{
	*out = (struct path){mount_root(), mount_root()->root};
	while (out->dentry->flags & D_MOUNTPOINT)
		*out = (struct path){out->dentry->mounted, out->dentry->mounted->root};
	path_get(out);
}

/* The place of a mount, made with its parents where it's missing. */
static int mount_point(const char *dst, bool dir, struct path *out)
{
	AUTO_FREE char *copy = NULL;
	struct vfs_ctx ctx;
	struct path root;
	int err;

	if (!mount_root())
		return -ENODEV;
	if (*dst != '/')
		return -EINVAL;
	setup_ctx(&ctx, &root);
	err = vfs_resolve(&ctx, NULL, dst, 0, out);
	if (err != -ENOENT)
		return err;
	copy = strdup(dst);
	if (!copy)
		return -ENOMEM;
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/';)
		copy[--n] = 0;
	for (char *s = copy + 1; *s; s++) {
		if (*s != '/')
			continue;
		*s = 0;
		err = vfs_mkdir(&ctx, NULL, copy, 0755);
		*s = '/';
		/* Anything else that is in the way shows at the end. */
		if (err && err != -EEXIST)
			return err;
	}
	err = dir ? vfs_mkdir(&ctx, NULL, copy, 0755) : vfs_mknod(&ctx, NULL, copy, S_IFREG | 0644, 0);
	if (err && err != -EEXIST)
		return err;
	return vfs_resolve(&ctx, NULL, copy, 0, out);
}

static int mount_at(struct super *sb, const char *dst, bool ro)
{
	AUTO_PATH struct path at = {0};
	int err = mount_point(dst, S_ISDIR(sb->root->inode->mode), &at);

	log_event(LF_VFS, LL_INFO, "mount", LOG_STR("type", sb->type), LOG_STR("on", dst), LOG_INT("result", err));
	return err ? err : mount_add(sb, &at, ro);
}

int vfs_mount_bind(uint32_t export, const char *dst, bool ro, int upper)
{
	struct super *sb;
	int err;

	if (upper == VFS_UPPER_NONE)
		err = goferfs_new(export, ro ? SB_RDONLY : 0, &sb);
	else
		err = overlay_new(export, ro ? SB_RDONLY : 0, (unsigned)upper, &sb);
	return err ? err : mount_at(sb, dst, ro);
}

int vfs_mount_special(const char *type, const char *dst, uint64_t size)
{
	struct super *sb;
	int err;

	if (strcmp(type, "tmpfs") == 0)
		err = tmpfs_new(size, 01777, &sb);
	else if (strcmp(type, "proc") == 0)
		err = procfs_new(&sb);
	else if (strcmp(type, "dev") == 0)
		err = devfs_new(&sb);
	else if (strcmp(type, "devpts") == 0)
		err = devpts_new(&sb);
	else if (strcmp(type, "sys") == 0)
		err = sysfs_new(&sb);
	else
		return -ENODEV;
	return err ? err : mount_at(sb, dst, false);
}

/* --- What vfs_hide() puts over a path: one empty object of mode 000. --- */

static void hidden_release(struct inode *i)
{
	free(i);
}

static int hidden_readdir(struct vfs_ctx *ctx, struct dentry *dir, struct dirlist *out)
{
	return 0;
}

static int hidden_open(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, int flags, int *hostfd)
{
	int fd;

	if (flags & (O_WRONLY | O_RDWR))
		return -EROFS;
	/* Nothing in it, and reading it says so: an end of file that no one can write to. */
	fd = openat(vfs_config()->token_ro, "empty", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*hostfd = fd;
	return 0;
}

static int hidden_statfs(struct super *sb, struct statfs *out)
{
	memset(out, 0, sizeof(*out));
	out->f_type = 0x01021994; /* TMPFS_MAGIC */
	out->f_bsize = 4096;
	out->f_namelen = NAME_MAX;
	return 0;
}

static const struct inode_ops hidden_ops = {.readdir = hidden_readdir, .open = hidden_open, .release = hidden_release};
static const struct super_ops hidden_sops = {.statfs = hidden_statfs};

int vfs_hide(const char *path)
{
	AUTO_PATH struct path at = {0};
	struct vfs_ctx ctx;
	struct path root;
	struct super *sb;
	struct inode *i;
	int err;

	if (!mount_root())
		return -ENODEV;
	setup_ctx(&ctx, &root);
	err = vfs_resolve(&ctx, NULL, path, 0, &at);
	if (err == -ENOENT || err == -ENOTDIR)
		return 0;
	if (err)
		return err;
	sb = calloc(1, sizeof(*sb));
	i = calloc(1, sizeof(*i));
	if (!sb || !i) {
		free(sb);
		free(i);
		return -ENOMEM;
	}
	sb->ops = &hidden_sops;
	sb->flags = SB_RDONLY | SB_NOEXEC | SB_NODEV;
	sb->dev = vfs_new_dev();
	sb->type = "tmpfs";
	inode_init(i, sb, &hidden_ops, S_ISDIR(at.dentry->inode->mode) ? S_IFDIR : S_IFREG);
	sb->root = d_make_root(sb, i);
	if (!sb->root) {
		free(sb);
		iput(i);
		return -ENOMEM;
	}
	return mount_add(sb, &at, true);
}

/* --- Telling about mounts --- */

int vfs_statfs(struct vfs_ctx *ctx, const struct path *p, struct statfs *out)
{
	struct super *sb = p->dentry->sb;
	int err;

	if (!sb->ops || !sb->ops->statfs)
		return -ENOSYS;
	err = sb->ops->statfs(sb, out);
	if (!err && path_rdonly(p))
		out->f_flags |= ST_RDONLY;
	return err;
}

void vfs_for_each_mount(struct vfs_ctx *ctx, void (*fn)(const struct mount_info *, const char *mountpoint, void *arg),
			void *arg)
{
	AUTO_FREE char *buf = malloc(PATH_MAX);
	struct mount *m;

	if (!buf)
		return;
	/* The list only grows, so it can be walked in steps; vfs_getpath() takes the lock itself. */
	for (m = mount_root(); m; m = TAILQ_NEXT(m, link)) {
		struct mount_info info = {.id = m->id,
					  .parent_id = m->parent ? m->parent->id : 1,
					  .sb = m->sb,
					  .root = "/",
					  .ro = m->ro || (m->sb->flags & SB_RDONLY)};
		struct path p = {m, m->root};

		/* Like Linux: what the caller's root can't reach isn't shown. */
		if (vfs_getpath(ctx, &p, buf, PATH_MAX) < 0 || buf[0] != '/')
			continue;
		vfs_rdlock();
		fn(&info, buf, arg);
		vfs_rdunlock();
	}
}
