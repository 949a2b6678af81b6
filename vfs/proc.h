/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc.h - between the files that make up /proc. Included only by vfs/proc*.c.
 */
#ifndef VFS_PROC_H
#define VFS_PROC_H

#include "vfs/pseudofs.h"

#include <limits.h>

/* Largest native file that we copy: maps of a process with the most mappings that Linux allows stay below. */
#define PROC_FILE_MAX (64U << 20)

/* What the kernel folder registered; never NULL, its members may be. */
const struct vfs_proc_ops *proc_ops(void);
/* 0 and *out to be released by proc_info_put(), or -ESRCH. */
int proc_info(const struct pinode *p, struct vfs_task_info *out);
void proc_info_put(struct vfs_task_info *info);
/*
 * May ctx look into p's process? Ask after the native object was opened: it's then bound to a process of that time, and if
 * the number was given to another process since, the old one's files have no content any more.
 */
bool proc_may_inspect(struct vfs_ctx *ctx, const struct pinode *p);
/* The same for what comes from its memory: not of a process that runs no program yet (struct record's exe). */
bool proc_may_read_memory(struct vfs_ctx *ctx, const struct pinode *p);

/* Opens it; flags: access mode and O_NONBLOCK. Descriptor or -errno. */
int proc_native_open(const struct pinode *p, int flags);
/* Appends its content. */
int proc_native_read(const struct pinode *p, struct sbuf *out);
/* Names in the native directory of p for which keep() is true, to out: (ino is computed for node). */
int proc_native_list(const struct pinode *p, const char *name, int (*add)(struct pinode *, int num, struct dirlist *),
		     struct dirlist *out);
/* pnode_ops.exists: the host has it too. */
bool proc_native_exists(const struct pinode *dir, const struct pnode *child);

extern const struct pnode_ops proc_donate_ops;         /* the native file, read-only */
extern const struct pnode_ops proc_donate_rw_ops;      /* and for writing, where the kernel itself checks who writes */
extern const struct pnode_ops proc_donate_inspect_ops; /* only for who may look into the process */
extern const struct pnode_ops proc_mem_ops;            /* the memory of a process that ctx may look into */
extern const struct pnode_ops proc_denied_write_ops;   /* text; opening for writing is EPERM */

/* proc_pid.c: directory node of a process. */
const struct pnode *proc_pid_tree(void);
int proc_pid_lookup(struct pinode *root, const char *name, struct pinode **out);
int proc_pid_list(struct vfs_ctx *ctx, struct pinode *root, struct dirlist *out);
/* proc_status.c, proc_mem.c, proc_maps.c, proc_mounts.c */
extern const struct pnode_ops proc_status_ops, proc_stat_ops, proc_limits_ops, proc_cmdline_ops;
extern const struct pnode_ops proc_environ_ops, proc_auxv_ops;
extern const struct pnode_ops proc_maps_ops;
/* Which file of ours is the host object, with the name that it was last opened by: as vfs_identify(), without a descriptor. NULL: none. */
struct inode *mapped_inode(dev_t dev, uint64_t ino, struct vfile *out);
extern const struct pnode_ops proc_mounts_ops, proc_mountinfo_ops, proc_mountstats_ops;
/* proc_fd.c, proc_link.c */
extern const struct pnode_ops proc_fd_dir_ops, proc_fdinfo_dir_ops;
void proc_fd_init(void);
extern const struct pnode_ops proc_cwd_ops, proc_root_ops, proc_exe_ops, proc_ns_ops;
/* proc_sys.c */
void proc_sys_add(struct pnode *root);

#endif
