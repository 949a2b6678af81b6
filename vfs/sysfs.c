/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sysfs.c - the small part of /sys that programs read to find out about processors, memory and huge pages. The file system itself is a
 * skeleton of directories; the launcher mounts read-only exports of the host's own files on some of them (interposer/supervisor.c), so that
 * nothing is read before a program asks, however many processors there are. What would tell of the host's devices isn't there.
 */
#include "vfs/pseudofs.h"

#define SYSFS_MAGIC 0x62656572

static const char *const sys_dirs[] = {
    "devices/system",
    "kernel/mm/transparent_hugepage",
    "fs/cgroup",
    "class/net",
    "devices/virtual",
    "block",
    "bus",
    "dev/block",
    "dev/char",
    "firmware",
    "module",
    "power",
};

int sysfs_new(struct super **out)
{
	struct pnode *root = pnode_root(0555, &pseudo_dir_ops);

	for (size_t i = 0; i < ARRAY_SIZE(sys_dirs); i++)
		pnode_add(root, &(struct pnode_row){sys_dirs[i], S_IFDIR | 0555, &pseudo_dir_ops, NULL}, &pseudo_dir_ops);
	*out = pseudo_super("sysfs", 0, SYSFS_MAGIC, vfs_new_dev(), root);
	return 0;
}
