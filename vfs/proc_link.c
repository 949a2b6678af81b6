/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_link.c - cwd, root and exe of a process, from its record, and the names of its namespaces, of which a sandbox has one
 * set that can't be entered.
 */
#include "vfs/proc.h"

#include <stdio.h>
#include <string.h>

static int link_path(struct vfs_ctx *ctx, const struct pinode *p, const struct path *(*pick)(const struct vfs_task_info *),
		     struct path *out)
{
	struct vfs_task_info info;

	*out = (struct path){0};
	if (proc_info(p, &info) < 0)
		return -ENOENT;
	int r = -ENOENT;
	const struct path *from = pick(&info);
	if (!proc_may_inspect(ctx, p))
		r = -EACCES;
	else if (from->dentry) {
		path_get(from);
		*out = *from;
		r = 0;
	}
	proc_info_put(&info);
	return r;
}

static ssize_t link_text(struct vfs_ctx *ctx, const struct path *path, char *buf, size_t size)
{
	char text[PATH_MAX + 16];
	struct inode *i;

	vfs_rdlock();
	i = path->dentry->inode;
	if (i)
		iget(i);
	vfs_rdunlock();
	/* Borrows both: not for vfile_put(). */
	struct vfile f = {.kind = i && S_ISDIR(i->mode) ? VF_DIR : VF_FILE, .inode = i, .path = *path};
	int r = i ? vfs_vfile_path(ctx, &f, text, sizeof(text)) : -ENOENT;
	if (i)
		iput(i);
	if (r < 0)
		return r;
	size_t n = MIN(strlen(text), size);
	memcpy(buf, text, n);
	return (ssize_t)n;
}

#define LINK_OPS(name)                                                                                \
	static const struct path *pick_##name(const struct vfs_task_info *info)                       \
	{                                                                                             \
		return &info->name;                                                                   \
	}                                                                                             \
	static int name##_follow(struct vfs_ctx *ctx, struct pinode *p, struct path *out)             \
	{                                                                                             \
		return link_path(ctx, p, pick_##name, out);                                           \
	}                                                                                             \
	static ssize_t name##_readlink(struct vfs_ctx *ctx, struct pinode *p, char *buf, size_t size) \
	{                                                                                             \
		AUTO_PATH struct path path;                                                           \
		int r = link_path(ctx, p, pick_##name, &path);                                        \
		return r < 0 ? r : link_text(ctx, &path, buf, size);                                  \
	}                                                                                             \
	const struct pnode_ops proc_##name##_ops = {.follow = name##_follow, .readlink = name##_readlink}

LINK_OPS(cwd);
LINK_OPS(root);
LINK_OPS(exe);

/* One set of namespaces, with numbers of no meaning on the host (its own start at 0xF0000000 - 8). */
static const struct {
	const char *name, *type;
	uint32_t ino;
} namespaces[] = {
    {"cgroup", "cgroup", 4026540001}, {"ipc", "ipc", 4026540002},
    {"mnt", "mnt", 4026540003},       {"net", "net", 4026540004},
    {"pid", "pid", 4026540005},       {"pid_for_children", "pid", 4026540005},
    {"time", "time", 4026540006},     {"time_for_children", "time", 4026540006},
    {"user", "user", 4026540007},     {"uts", "uts", 4026540008},
};

static size_t ns_index(const struct pinode *p)
{
	size_t i;

	for (i = 0; i + 1 < ARRAY_SIZE(namespaces) && strcmp(namespaces[i].name, p->node->name) != 0; i++)
		;
	return i;
}

static ssize_t ns_readlink(struct vfs_ctx *ctx, struct pinode *p, char *buf, size_t size)
{
	char text[40];
	size_t i = ns_index(p);

	if (!proc_may_inspect(ctx, p))
		return -EACCES;
	int n = snprintf(text, sizeof(text), "%s:[%u]", namespaces[i].type, namespaces[i].ino);
	n = (int)MIN((size_t)n, size);
	memcpy(buf, text, (size_t)n);
	return n;
}

static int ns_follow(struct vfs_ctx *ctx, struct pinode *p, struct path *out)
{
	return proc_may_inspect(ctx, p) ? -ENXIO : -EACCES;
}

/* Of what the link leads to: programs compare two processes' namespaces by device and inode number. */
static int ns_getattr(struct vfs_ctx *ctx, struct pinode *p, struct kstat *st)
{
	inode_attrs(&p->inode, st);
	st->ino = namespaces[ns_index(p)].ino;
	st->mode = S_IFREG | 0444;
	st->uid = 0;
	st->gid = 0;
	return 0;
}

static int ns_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	return -EACCES;
}
const struct pnode_ops proc_ns_ops = {.readlink = ns_readlink, .follow = ns_follow, .getattr = ns_getattr, .open = ns_open};
