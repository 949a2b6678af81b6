/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_mounts.c - mounts, mountinfo and mountstats: the sandbox's own mounts, in the formats of fstab(5) and
 * proc_pid_mountinfo(5), escaped as the kernel does in fs/proc_namespace.c.
 */
#include "vfs/proc.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define MOUNT_ESC " \t\n\\#"

static const char *mount_options(const struct mount_info *m, char *buf, size_t size)
{
	bool nosuid =
	    strcmp(m->sb->type, "proc") == 0 || strcmp(m->sb->type, "sysfs") == 0 || strcmp(m->sb->type, "devpts") == 0;

	snprintf(buf, size, "%s%s%s%s,relatime", m->ro || (m->sb->flags & SB_RDONLY) ? "ro" : "rw", nosuid ? ",nosuid" : "",
		 m->sb->flags & SB_NODEV ? ",nodev" : "", m->sb->flags & SB_NOEXEC ? ",noexec" : "");
	return buf;
}

static const char *super_options(const struct mount_info *m)
{
	if (strcmp(m->sb->type, "devpts") == 0)
		return "rw,gid=5,mode=620,ptmxmode=666";
	return m->sb->flags & SB_RDONLY ? "ro" : "rw";
}

static void put_mounts(const struct mount_info *m, const char *mountpoint, void *arg)
{
	struct sbuf *out = arg;
	char opt[64];

	sbuf_printf(out, "%s ", m->sb->type);
	sbuf_escape(out, mountpoint, MOUNT_ESC);
	sbuf_printf(out, " %s %s%s 0 0\n", m->sb->type, mount_options(m, opt, sizeof(opt)),
		    strcmp(m->sb->type, "devpts") ? "" : ",gid=5,mode=620,ptmxmode=666");
}

static void put_mountinfo(const struct mount_info *m, const char *mountpoint, void *arg)
{
	struct sbuf *out = arg;
	char opt[64];

	sbuf_printf(out, "%d %d %u:%u ", m->id, m->parent_id, major(m->sb->dev), minor(m->sb->dev));
	sbuf_escape(out, m->root, MOUNT_ESC);
	sbuf_str(out, " ");
	sbuf_escape(out, mountpoint, MOUNT_ESC);
	sbuf_printf(out, " %s - %s %s %s\n", mount_options(m, opt, sizeof(opt)), m->sb->type, m->sb->type, super_options(m));
}

static void put_mountstats(const struct mount_info *m, const char *mountpoint, void *arg)
{
	struct sbuf *out = arg;

	sbuf_printf(out, "device %s mounted on ", m->sb->type);
	sbuf_escape(out, mountpoint, MOUNT_ESC);
	sbuf_printf(out, " with fstype %s\n", m->sb->type);
}

static int mounts_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	vfs_for_each_mount(ctx, put_mounts, out);
	return out->err;
}
static int mountinfo_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	vfs_for_each_mount(ctx, put_mountinfo, out);
	return out->err;
}
static int mountstats_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	vfs_for_each_mount(ctx, put_mountstats, out);
	return out->err;
}
const struct pnode_ops proc_mounts_ops = {.generate = mounts_generate};
const struct pnode_ops proc_mountinfo_ops = {.generate = mountinfo_generate};
const struct pnode_ops proc_mountstats_ops = {.generate = mountstats_generate};
