/* SPDX-License-Identifier: Apache-2.0 */
/*
 * media.h - where the overlays' data goes: plans it from the options, makes filestores on the host's disk and removes them.
 *
 * A filestore is a directory ".sandbox.filestore.ID" of mode 0700. As long as someone has an exclusive flock(2) on it, its sandbox lives;
 * one without belongs to nobody any more, and the next start with the same path, or sandbox gc, removes it. The gofer never shows
 * such names.
 */
#ifndef INTERPOSER_MEDIA_H
#define INTERPOSER_MEDIA_H

#include "interposer/launch.h"
#include "vfs/vfs.h"

struct media_store {
	char *path;          /* of the store; NULL: a tmpfs */
	int lock;            /* the directory's descriptor that holds the lock */
	int tree;            /* a detached mount whose root is the directory: what the supervisor gets */
	uint64_t tmpfs_size; /* 0: the default */
	unsigned quota;
	const char *kept; /* data directory of a kept layer, of which tree is the mount; neither made nor removed here */
};
struct media {
	struct media_store stores[VFS_STORES];
	unsigned n;
	struct vfs_quota quotas[VFS_QUOTAS];
	int root;     /* for vfs_mount_root() */
	bool watched; /* a limit that no file system keeps */
	int *binds;   /* for vfs_mount_bind(), one for each of the options' mounts */
};

/* Plans, and makes the directories with their locks; from then on a die() of this process removes them. Dies with a message. */
void media_prepare(const struct launch_options *opt, struct media *m);
/* How many filestores a directory has, if one of ours is among them, else 0: its link count tells of them. */
uint32_t media_stores_in(const struct media *m, int dirfd);
/* Gives the directories to the uid that the supervisor really runs as. Only for root. */
void media_chown(const struct media *m, uid_t uid, gid_t gid);
/* What a die() of this process does, in others nothing. */
void media_give_up(void);
/* The last to use them has ended. */
void media_remove(struct media *m);
/* Removes the abandoned filestores in a directory: how many, or -errno. said: a line on stderr for each that couldn't be. */
int media_collect(const char *dir, bool say);

#endif
