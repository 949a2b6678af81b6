/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inode_attrs.c - what stat shows of an inode. On its own, so that file systems link without the core.
 */
#include "vfs/fs.h"

void inode_attrs(const struct inode *i, struct kstat *st)
{
	st->dev = i->dev;
	st->rdev = i->rdev;
	st->ino = i->ino;
	st->mode = i->mode;
	st->nlink = i->nlink;
	st->blksize = i->blksize;
	st->uid = i->uid;
	st->gid = i->gid;
	st->size = i->size;
	st->blocks = i->blocks;
	st->atime = i->atime;
	st->mtime = i->mtime;
	st->ctime = i->ctime;
	st->btime = i->btime;
}
