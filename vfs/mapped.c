/* SPDX-License-Identifier: Apache-2.0 */
/* mapped.c - the files behind mappings, for those who look into a process from outside. */
#include "vfs/core.h"
#include "vfs/proc.h"

int vfs_mapped_file(struct vfs_ctx *ctx, dev_t dev, uint64_t ino, char *path, size_t size, struct kstat *st, int *hostfd)
{
	AUTO_VFILE struct vfile f = {0};
	if (!mapped_inode(dev, ino, &f))
		return -ENOENT;
	ssize_t n = vfs_vfile_path(ctx, &f, path, size);
	if (n < 0)
		path[0] = '\0';
	int err = inode_getattr(ctx, f.inode, f.path.dentry ? &f.path : NULL, st);
	return err || !hostfd ? err : vfile_reopen(ctx, &f, O_RDONLY | O_CLOEXEC, hostfd);
}
