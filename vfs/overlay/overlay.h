/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay.h - private to vfs/overlay/: copy-on-write over one export of the gofer, and tmpfs (the same without a lower).
 *
 * The dentry tree is the storage: names that were made, moved or removed are pinned dentries, and what isn't in the tree is
 * asked of the lower. An inode is in one of these states:
 *   clean      everything is the lower's; cached, evictable
 *   changed    attributes, names or xattrs differ: OV_PINNED holds a reference for the sandbox's life, because other lower
 *              links of the file must find the same inode (through hostobj_find() of the lower's dev:ino)
 *   I_UPPER    the data too is ours, in the filestore (regular files and FIFOs)
 *   orphan     no name is left but a tracee may have it open: the orphan list holds the reference, see orphan.c
 * Directories have one name only, so their inode lives and is pinned with its dentry, and isn't registered.
 *
 * A dentry's fsdata is not a pointer but a truth value: "the lower directory has an entry of this name", for positive ones;
 * for negative ones D_WHITEOUT says the same.
 */
#ifndef VFS_OVERLAY_OVERLAY_H
#define VFS_OVERLAY_OVERLAY_H

#include "gofer/client.h"
#include "vfs/fs.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* quota.c. A limit, for one or more overlays together. */
struct ovl_quota {
	uint64_t size, inodes;        /* 0: none */
	_Atomic uint64_t used, taken; /* bytes known of; bytes that writes were allowed since then */
	_Atomic uint64_t n;           /* inodes */
	bool hard;                    /* size is kept by the store's own file system */
};

struct ovl_sb {
	struct super sb;
	uint32_t export;
	bool has_lower;
	struct ovl_stack *stack; /* kept layers on top of the export (low.c), or NULL */
	struct keep *keep;       /* where its changes are recorded (keep.c), or NULL */
	struct filestore *store;
	struct ovl_quota own;   /* tmpfs */
	struct ovl_quota *q[2]; /* what counts here; first the nearest */
	unsigned nq;
	bool sized; /* one of q limits the size */
};

struct ovl_xattr {
	struct ovl_xattr *next;
	uint32_t size;
	char *value; /* behind the name, same allocation */
	char name[];
};

/* Names of a lower directory, sorted; immutable once published in ovl_inode.names, freed with the inode. */
struct ovl_name {
	uint64_t ino;
	const char *name;
	uint16_t len;
	unsigned char type;
};
struct ovl_names {
	unsigned n;
	atomic_uint last_miss; /* index of the last lookup that missed the cache, plus 1; a hint, and all that changes */
	size_t bytes;
	struct ovl_name e[];
};

/* Where an inode comes from. */
struct ovl_low {
	struct hostobj obj;             /* dev and ino also while it isn't registered */
	const struct layer_inode *node; /* in os->stack, or NULL; as long as that */
	char path[];                    /* in the export, by which it was found */
};

/* Attributes of a lower object. */
struct ovl_lattr {
	struct gattr a;    /* dev and ino are those that a descriptor of it shows */
	uint64_t dev, ino; /* what the sandbox shows; a device number of the host's */
	const struct layer_inode *node;
	bool layer; /* known to a stacked layer: ids are as inside, and the host doesn't know these attributes */
};

struct ovl_fd;

/* atomic bits of ovl_inode.st */
#define OV_PINNED  2U    /* one reference is held for the sandbox's life; changed [W] */
#define OV_OPENED  4U    /* a descriptor was handed out once */
#define OV_XATTR   8U    /* xattrs holds all of them; the lower's don't count any more */
#define OV_NOXATTR 16U   /* the lower has none */
#define OV_ORPHAN  32U   /* on the orphan list; changed [W] */
#define OV_COUNTED 64U   /* in the inode quotas */
#define OV_DIRTY   128U  /* on quota.c's list */
#define OV_NAMED   256U  /* directory: the journal has its entry */
#define OV_LAYER   1024U /* a stacked layer's (low.c): once opened it's pinned, since nobody else has its attributes */
#define OV_LOWFD   512U  /* a descriptor of the lower's data was handed out: it may outlive the copy-up */

struct ovl_inode {
	struct inode i;
	atomic_uint st;           /* OV_ */
	bool copying;             /* guarded by the copy mutex of copyup.c */
	uint64_t jid;             /* number in the journal, 0: not in it; changed [W] */
	uint64_t id;              /* I_UPPER: the backing file */
	struct hostobj obj;       /* and as the host knows it */
	struct ovl_low *low;      /* immutable; NULL: no lower */
	struct ovl_xattr *xattrs; /* [W] */
	union {
		_Atomic(struct ovl_names *) names; /* directory */
		struct ovl_fd *fd;                 /* regular file: cached descriptor, guarded by fdcache.c's mutex */
	};
	TAILQ_ENTRY(ovl_inode) orphan, dirty;
	int64_t charged; /* in 512 bytes: its part of the quotas' used; guarded by quota.c's mutex */
};

static inline struct ovl_inode *OVL(const struct inode *i)
{
	return container_of((struct inode *)(uintptr_t)i, struct ovl_inode, i);
}
/* Path in the export, or NULL. */
static inline const char *ovl_lower(const struct ovl_inode *o)
{
	return o->low ? o->low->path : NULL;
}
static inline struct ovl_sb *OVL_SB(const struct super *sb)
{
	return container_of((struct super *)(uintptr_t)sb, struct ovl_sb, sb);
}
static inline struct filestore *ovl_store(const struct ovl_inode *o)
{
	return OVL_SB(o->i.sb)->store;
}
static inline bool ov_is(const struct ovl_inode *o, unsigned bit)
{
	return atomic_load_explicit(&((struct ovl_inode *)(uintptr_t)o)->st, memory_order_acquire) & bit;
}
static inline void ov_set(struct ovl_inode *o, unsigned bit)
{
	atomic_fetch_or(&o->st, bit);
}
static inline void ov_clear(struct ovl_inode *o, unsigned bit)
{
	atomic_fetch_and(&o->st, ~bit);
}

extern const struct inode_ops ovl_ops;

/* inode.c */
struct ovl_inode *ovl_inode_new(struct super *sb, uint32_t mode);
/* [W] The inode of a lower object, referenced: an existing one where a link of the file is known. NULL: no memory. */
struct inode *ovl_lower_inode(struct super *sb, const struct ovl_lattr *l, const char *path, size_t len);
void ovl_lower_attrs(struct inode *i, const struct ovl_lattr *l); /* the times, owner, mode and link count */
/* A new inode of the upper, unregistered and without a name; ids and device like a new entry of dir. [W] */
int ovl_new_inode(const struct inode *dir, uint32_t mode, dev_t rdev, uid_t uid, gid_t gid, const char *target,
		  struct ovl_inode **out);
void ovl_pin(struct ovl_inode *o); /* [W] idempotent */
void ovl_release(struct inode *inode);

/* low.c: the lower, as gofer/client.h describes the calls; paths are the lower's. An object is its inode, whose lower isn't NULL. [U] */
#define LOW_ATTRS_MAX 64
int ovl_low_walk(const struct ovl_sb *os, const char *path, unsigned skip, struct ovl_lattr *out, unsigned max, unsigned *n,
		 char *link, size_t size) MUST_CHECK;
int ovl_low_open(const struct ovl_inode *o, int flags, int *fd, struct gattr *a) MUST_CHECK;
int ovl_low_readdir(const struct ovl_inode *o,
		    bool (*fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type),
		    void *arg) MUST_CHECK;
int ovl_low_getattrs(const struct ovl_inode *dir, const char *const *names, unsigned n, struct ovl_lattr *out) MUST_CHECK;
ssize_t ovl_low_listxattr(const struct ovl_inode *o, char *buf, size_t size) MUST_CHECK;
ssize_t ovl_low_getxattr(const struct ovl_inode *o, const char *name, void *buf, size_t size) MUST_CHECK;
uint64_t ovl_low_dev(const struct ovl_inode *o); /* of a stacked layer's object: as the host calls it */
int ovl_low_stack(struct ovl_sb *os) MUST_CHECK; /* reads the layers of vfs_config(); before the first of the calls above */

/* lookup.c */
int ovl_lookup(struct dentry *dir, const char *name, size_t len, const char *rest, struct lookup_result *out, int max);
int ovl_readdir(struct vfs_ctx *ctx, struct dentry *dir, struct dirlist *out);
ssize_t ovl_readlink(struct vfs_ctx *ctx, struct inode *inode, char *buf, size_t size);
/* names.c. [U] The lower's names of a directory. Borrowed if *owned stays NULL (then valid as long as the inode is referenced), else
 * the caller's to free. */
int ovl_names_get(struct inode *dir, const struct ovl_names **out, struct ovl_names **owned);
/* Index or -1. */
int ovl_names_find(const struct ovl_names *l, const char *name, size_t len);
void ovl_names_free(struct ovl_names *l); /* a published one: gives the memory account back */

/* dir.c */
int ovl_mknod(struct dentry *d, uint32_t mode, dev_t rdev, uid_t uid, gid_t gid, const char *target);
int ovl_prepare(struct dentry *d, bool removing);
int ovl_link(struct inode *inode, struct dentry *from, struct dentry *d);
int ovl_unlink(struct dentry *d);
int ovl_rmdir(struct dentry *d);
int ovl_rename(struct dentry *from, struct dentry *to, unsigned flags);
int ovl_tmpfile(struct dentry *dir, uint32_t mode, uid_t uid, gid_t gid, struct inode **out);

/* copyup.c. [U] Gives inode its backing file, with the first limit bytes of the lower's data. */
int ovl_copy_up(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, int64_t limit);
/* file.c */
int ovl_open(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, int flags, int *hostfd);
int ovl_getattr(struct vfs_ctx *ctx, struct inode *inode, struct kstat *st);
int ovl_setattr(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, const struct setattr *sa);
/* fifo.c */
int ovl_open_fifo(struct vfs_ctx *ctx, struct ovl_inode *o, int flags, int *hostfd);
/* fdcache.c */
int ovl_fdcache_reopen(struct ovl_inode *o, int flags); /* fresh descriptor, or -ENOENT (not cached), -EACCES... */
void ovl_fdcache_add(struct ovl_inode *o, int fd);      /* takes fd over */
void ovl_fdcache_drop(struct ovl_inode *o);
/* orphan.c */
void ovl_orphan_add(struct ovl_inode *o);           /* [W] the last name is gone */
void ovl_orphan_del(struct ovl_inode *o);           /* [W] has a name again */
void ovl_orphan_sweep(const struct ovl_sb *for_op); /* [U] before a change of this one, when it's time; NULL: now */
unsigned ovl_orphans(void);
/* quota.c */
void ovl_quota_init(struct ovl_sb *os, unsigned store, uint64_t size); /* size: of a tmpfs, 0: none */
/* One inode more (or, -1, less): 0 or -ENOSPC. */
int ovl_quota_inode(struct ovl_sb *os, int delta);
/* Is there room for so many bytes, as far as is known? */
bool ovl_quota_room(const struct ovl_sb *os, uint64_t bytes);
/* From now on o may be written to. [U] */
void ovl_quota_dirty(struct ovl_inode *o);
void ovl_quota_release(struct ovl_inode *o); /* [W] */
/* [U] Before a change: counts anew what may have been written to, if that was long ago; and, unless it only removes, looks for what
 * was deleted and not given back yet if there's no room for more. */
void ovl_quota_refresh(struct ovl_sb *os, bool removing);
void ovl_quota_count(struct ovl_sb *os); /* [U] in any case */
/* How long until the keeper should call ovl_quota_watch() again, in ns; -1: never. */
int64_t ovl_quota_watch(void);
/* xattr.c */
ssize_t ovl_getxattr(struct inode *inode, const char *name, void *buf, size_t size);
ssize_t ovl_listxattr(struct inode *inode, char *buf, size_t size);
int ovl_setxattr(struct dentry *d, struct inode *inode, const char *name, const void *v, size_t n, int flags);
void ovl_xattrs_free(struct ovl_xattr *x);

/*
 * keep.c: changes of a kept layer, recorded [W] as parts of one frame for each hold of the lock. All do nothing on other supers.
 * see: before the first change of an inode. inode: it has changed. times: only nlink and times of a directory have. entry: what
 * the name d stood for has changed to what it stands for now; d is alive. left: d has gone or moved from dir, whiteout or nothing is left.
 */
void ovl_keep_see(struct ovl_inode *o);
void ovl_keep_inode(struct ovl_inode *o);
void ovl_keep_times(struct dentry *dir);
void ovl_keep_gone(struct ovl_inode *o);
void ovl_keep_entry(struct dentry *d, const struct inode *before);
void ovl_keep_left(struct dentry *dir, const char *name, size_t len, bool whiteout, const struct inode *before);
/* The backing file's data may be needed until the journal's record of its end is on the disk. */
void ovl_keep_free(const struct ovl_inode *o);
int ovl_keep_room(const struct super *sb);              /* [U] 0, or why nothing can be recorded: -ENOSPC, -EIO */
int ovl_keep_load(void);                                /* before the first overlay is made */
int ovl_keep_replay(struct ovl_sb *os, unsigned store); /* nothing if store is not a kept one */
/* keep_build.c */
struct model;
int ovl_keep_build(struct ovl_sb *os, const struct model *m);
/* xattr.c. [W] Makes blob (jxattr_next()) the inode's attributes; and back, malloc'ed. */
int ovl_xattrs_load(struct ovl_inode *o, const uint8_t *blob, size_t len);
int ovl_xattrs_save(const struct ovl_inode *o, uint8_t **blob, uint32_t *len);

/* What --stats shows. */
extern _Atomic uint64_t ovl_copy_ups, ovl_copy_up_bytes, ovl_upper_files;

#endif
