/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sysfs.c - the small part of /sys that programs read to find out about processors, memory and huge pages. All of it is
 * copied from the host's /sys when the file system is made, so that nothing of it need stay open.
 */
#include "base/log.h"
#include "vfs/pseudofs.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define SYSFS_MAGIC   0x62656572
#define SYS_FILE_MAX  16384
#define SYS_MAX_DEPTH 6

/* Copied whole: files directly named here, and below directories the names of sys_names only. */
static const char *const sys_files[] = {
    "devices/system/cpu/online",
    "devices/system/cpu/possible",
    "devices/system/cpu/present",
    "devices/system/cpu/offline",
    "devices/system/cpu/isolated",
    "devices/system/cpu/kernel_max",
    "devices/system/cpu/smt/active",
    "devices/system/cpu/smt/control",
    "devices/system/node/online",
    "devices/system/node/possible",
    "devices/system/node/has_cpu",
    "devices/system/node/has_memory",
    "devices/system/node/has_normal_memory",
    "devices/system/clocksource/clocksource0/current_clocksource",
    "devices/system/clocksource/clocksource0/available_clocksource",
    "kernel/mm/transparent_hugepage/enabled",
    "kernel/mm/transparent_hugepage/defrag",
    "kernel/mm/transparent_hugepage/shmem_enabled",
    "kernel/mm/transparent_hugepage/use_zero_page",
    "kernel/mm/transparent_hugepage/hpage_pmd_size",
};
static const char *const sys_cpu_dirs[] = {"topology", "cache"};
static const char *const sys_dirs[] = {
    "fs/cgroup", "class/net", "devices/virtual", "block", "bus", "dev/block", "dev/char", "firmware", "module", "power",
};

static void sys_copy_file(struct pnode *root, int sysfd, const char *path)
{
	AUTO_SBUF struct sbuf b = {0};

	if (sbuf_read_at(&b, sysfd, path, SYS_FILE_MAX) < 0)
		return;
	sbuf_put(&b, "", 1);
	if (b.err)
		die("out of memory");
	pnode_add(root, &(struct pnode_row){path, S_IFREG | 0444, &pseudo_text_ops, b.data}, &pseudo_dir_ops);
	b.data = NULL; /* the node's, for ever */
}

/* Regular files below path; links of the host's tree are left out. */
static void sys_copy_tree(struct pnode *root, int sysfd, const char *path, int depth)
{
	AUTO_CLOSE int fd = openat(sysfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dirp = fd < 0 || depth > SYS_MAX_DEPTH ? NULL : fdopendir(fd);

	if (!dirp)
		return;
	take_fd(&fd);
	for (struct dirent *e; (e = readdir(dirp));) {
		AUTO_FREE char *sub = xasprintf("%s/%s", path, e->d_name);
		if (e->d_name[0] == '.' || strcmp(e->d_name, "power") == 0 || strcmp(e->d_name, "uevent") == 0)
			continue;
		if (e->d_type == DT_DIR)
			sys_copy_tree(root, sysfd, sub, depth + 1);
		else if (e->d_type == DT_REG)
			sys_copy_file(root, sysfd, sub);
	}
	closedir(dirp);
}

static void sys_copy_cpus(struct pnode *root, int sysfd)
{
	for (int cpu = 0; cpu < 8192; cpu++) {
		AUTO_FREE char *dir = xasprintf("devices/system/cpu/cpu%d", cpu);
		AUTO_FREE char *online = xasprintf("%s/online", dir);
		struct stat st;

		if (fstatat(sysfd, dir, &st, AT_SYMLINK_NOFOLLOW) < 0)
			break;
		pnode_add(root, &(struct pnode_row){dir, S_IFDIR | 0555, &pseudo_dir_ops, NULL}, &pseudo_dir_ops);
		sys_copy_file(root, sysfd, online);
		for (size_t i = 0; i < ARRAY_SIZE(sys_cpu_dirs); i++) {
			AUTO_FREE char *sub = xasprintf("%s/%s", dir, sys_cpu_dirs[i]);
			sys_copy_tree(root, sysfd, sub, 0);
		}
	}
}

static void sys_copy_nodes(struct pnode *root, int sysfd)
{
	for (int node = 0; node < 1024; node++) {
		static const char *const names[] = {"cpumap", "cpulist", "distance", "meminfo"};
		AUTO_FREE char *dir = xasprintf("devices/system/node/node%d", node);
		struct stat st;

		if (fstatat(sysfd, dir, &st, AT_SYMLINK_NOFOLLOW) < 0)
			break;
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			AUTO_FREE char *file = xasprintf("%s/%s", dir, names[i]);
			sys_copy_file(root, sysfd, file);
		}
	}
}

int sysfs_new(struct super **out)
{
	struct pnode *root = pnode_root(0555, &pseudo_dir_ops);
	int sysfd = vfs_config()->sysfd;

	for (size_t i = 0; i < ARRAY_SIZE(sys_dirs); i++)
		pnode_add(root, &(struct pnode_row){sys_dirs[i], S_IFDIR | 0555, &pseudo_dir_ops, NULL}, &pseudo_dir_ops);
	for (size_t i = 0; sysfd >= 0 && i < ARRAY_SIZE(sys_files); i++)
		sys_copy_file(root, sysfd, sys_files[i]);
	if (sysfd >= 0) {
		sys_copy_cpus(root, sysfd);
		sys_copy_nodes(root, sysfd);
	}
	*out = pseudo_super("sysfs", 0, SYSFS_MAGIC, vfs_new_dev(), root);
	return 0;
}
