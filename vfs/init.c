/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init.c - set-up and counters.
 */
#include "vfs/core.h"

static struct vfs_config config;

int vfs_init(const struct vfs_config *cfg)
{
	config = *cfg;
	return token_init(cfg);
}

const struct vfs_config *vfs_config(void)
{
	return &config;
}

void vfs_get_stats(struct vfs_stats *out)
{
	*out = (struct vfs_stats){0};
	dcache_stats(out);
	inode_stats(out);
	overlay_get_stats(out);
}
