/* SPDX-License-Identifier: Apache-2.0 */
/* goferfs_fstat.c - attributes by descriptor alone. */
#include "vfs/core.h"

#include "gofer/client.h"

/* A lower file whose inode has left the cache while a tracee has it open: only the gofer sees the true owner. */
int goferfs_fstat(int hostfd, dev_t host_dev, struct kstat *out)
{
	const struct vfs_config *cfg = vfs_config();
	struct gattr a;
	int err = gofer_fstat(cfg->gofer, hostfd, &a);

	if (err)
		return err;
	*out = (struct kstat){.dev = vfs_map_dev(host_dev),
			      .ino = a.ino,
			      .mode = a.mode,
			      .nlink = a.nlink,
			      .blksize = a.blksize,
			      .uid = cfg->fakeroot && a.uid == cfg->host_uid ? 0 : a.uid,
			      .gid = cfg->fakeroot && a.gid == cfg->host_gid ? 0 : a.gid,
			      .size = a.size,
			      .blocks = a.blocks,
			      .atime = a.atime,
			      .mtime = a.mtime,
			      .ctime = a.ctime,
			      .btime = a.btime};
	return 0;
}
