/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sock.c - names of AF_UNIX sockets: the node carries a random key, under which the socket itself is bound in the tracees' own network
 * namespace. The making of the node is a creation like others: namei.c.
 */
#include "vfs/core.h"

#include <string.h>
#include <sys/random.h>

int vfs_sock_new_key(uint8_t key[VFS_SOCK_KEY])
{
	return getrandom(key, VFS_SOCK_KEY, 0) == VFS_SOCK_KEY ? 0 : -EIO;
}

/* unix_find_bsd(): follow links, write permission, a socket. */
int vfs_sock_key(struct vfs_ctx *ctx, const struct path *base, const char *name, uint8_t key[VFS_SOCK_KEY])
{
	AUTO_PATH struct path p = {0};
	const struct inode *i;
	int err = vfs_resolve(ctx, base, name, 0, &p);

	if (err)
		return err;
	vfs_rdlock();
	i = p.dentry->inode;
	err = i ? inode_permission(ctx->cred, i, MAY_WRITE) : -ENOENT;
	if (!err && !d_may(p.dentry, VFS_MAY_WRITE))
		err = -EACCES;
	if (!err && (!S_ISSOCK(i->mode) || !i->sock))
		err = -ECONNREFUSED;
	if (!err)
		memcpy(key, i->sock, VFS_SOCK_KEY);
	if (unlikely(vfs_noting) && !err)
		note_locked(&p, VFS_NOTE_WRITTEN);
	vfs_rdunlock();
	return err;
}
