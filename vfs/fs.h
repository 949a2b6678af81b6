/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs.h - between the VFS core and its file systems. Included only inside vfs/.
 *
 * Lock letters at each operation:
 *   [R]  called with the lock held for reading or writing; must not block or change anything shared
 *   [W]  called with the lock held for writing; must not block
 *   [U]  called without the lock; may block and do RPCs; caller holds references; takes vfs_wrlock() itself to change
 *        cached state
 *
 * The dentry tree is also the storage of what lives in memory: a dentry with D_PINNED is never evicted (an upper entry of
 * the overlay, every entry of a tmpfs, a whiteout). All others are cache: they can be dropped whenever nothing refers
 * to them and are found again by lookup.
 */
#ifndef VFS_FS_H
#define VFS_FS_H

#include "vfs/lock.h"
#include "vfs/vfs.h"

#include <stdatomic.h>
#include <sys/queue.h>

struct super;
struct inode_ops;

struct inode {
	atomic_uint refs;
	uint32_t mode;
	const struct inode_ops *ops;
	struct super *sb;
	uint64_t ino;
	dev_t dev; /* as the program sees it */
	union {
		dev_t rdev; /* device node: inode_rdev(), inode_set_rdev() */
		void *sock; /* socket node: VFS_SOCK_KEY bytes (malloc), or NULL; freed by the core */
	};
	uid_t uid;
	gid_t gid;
	uint32_t nlink, blksize;
	uint32_t flags;  /* I_ */
	uint32_t dirver; /* directory: counts changes of its names [W] */
	int64_t size, blocks;
	int64_t atime, mtime, ctime, btime; /* ns */
	union {
		struct dirsnap *snap; /* directory: its names as last listed, vfs/readdir.c */
		char *link;           /* symlink: its text (malloc) once known; followed without ops->readlink */
		struct dentry *alias; /* all others: the name it was last opened by; weak, vfs/dcache.c */
	};
	/* The unions are the core's: zero at inode_init(), freed before ops->release. A file system may set link. */
};
#define I_LIVE      1U  /* size, blocks and times must be asked for: ops->getattr() */
#define I_DEAD      2U  /* removed directory: no new entries (ENOENT) */
#define I_LINKABLE  8U  /* O_TMPFILE without O_EXCL: link may give it a name though nlink is 0; set by the core */
#define I_IMMUTABLE 16U /* nobody may write, whatever the mode says: directories of processes in proc */
#define I_UPPER     4U  /* data is in the upper layer: a writable descriptor of its host object is one of ours */

static inline dev_t inode_rdev(const struct inode *i)
{
	return S_ISCHR(i->mode) || S_ISBLK(i->mode) ? i->rdev : 0;
}
static inline void inode_set_rdev(struct inode *i, dev_t rdev)
{
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		i->rdev = rdev;
}

struct dentry {
	atomic_uint refs;
	uint32_t flags; /* D_ */
	uint32_t hash;
	uint16_t namelen;
	uint16_t rule;         /* what a profile allows here: vfs/rules.c; 0: everything */
	struct dentry *parent; /* referenced; the root of a super is its own parent */
	struct inode *inode;   /* referenced; NULL: negative */
	struct dentry *hnext;  /* hash chain, vfs/dcache.c */
	LIST_HEAD(dchildren, dentry) children;
	LIST_ENTRY(dentry) sibling;
	union {
		TAILQ_ENTRY(dentry) lru; /* D_ONLRU */
		struct mount *mounted;   /* D_MOUNTPOINT: what covers it (topmost) */
	};
	struct super *sb;
	void *fsdata; /* the file system's: freed by super_ops->dentry_free */
	char *name;   /* NUL terminated; iname or, after a rename to a longer one, from malloc */
	char iname[];
};
#define D_PINNED     1U /* storage, not cache */
#define D_WHITEOUT   2U /* pinned negative: hides a lower name */
#define D_COMPLETE   4U /* directory: every existing child is in the tree; a miss is ENOENT */
#define D_MOUNTPOINT 8U
#define D_DEAD       16U  /* unhashed by unlink, rmdir or rename over it */
#define D_REFERENCED 32U  /* used since the last LRU turn; the only flag that changes under the lock for reading */
#define D_HASHED     64U  /* in the hash table and in the parent's list of children (dcache.c) */
#define D_ONLRU      128U /* dcache.c */
#define D_ALIAS      256U /* dead, owned by its inode as the name that /proc/PID/fd shows; its inode isn't referenced */

/* super flags */
#define SB_RDONLY   1U /* EROFS before any operation */
#define SB_REMOTE   2U /* namespace operations are [U] instead of [W]; names are looked up anew at each walk */
#define SB_NOEXEC   4U
#define SB_NODEV    8U
#define SB_DYNAMIC  16U /* contents change by themselves (proc): nothing is cached */
#define SB_NOCREATE 64U /* a lookup of a missing name itself ends in ENOENT, before any permission (proc) */
#define SB_RWBIND   32U /* descriptors of its files that we hand out may be writable and are the host's own files */

struct super_ops {
	/* [U] df. */
	int (*statfs)(struct super *sb, struct statfs *out);
	/* [W] before a dentry of this super is freed: fsdata. May be NULL. */
	void (*dentry_free)(struct dentry *d);
	/* Which of its layers has the data of i; NULL: of what is made now. A literal. May be NULL: the super's type. Without the lock, too. */
	const char *(*layer)(const struct inode *i);
};
struct super {
	const struct super_ops *ops;
	uint32_t flags;
	dev_t dev;
	const char *type; /* as /proc/mounts names it: "overlay", "tmpfs", "proc"... */
	struct dentry *root;
	struct mount *mnt; /* the one mount of this super, set by vfs/mount.c */
	void *priv;
};

/* One level of a multi-component lookup's answer. */
struct lookup_result {
	struct inode *inode; /* referenced for the core; NULL: the name doesn't exist */
	void *fsdata;        /* for the new dentry */
};
#define LOOKUP_BATCH 32

struct setattr {
	unsigned valid; /* SA_ */
	uint32_t mode;
	uid_t uid;
	gid_t gid;
	int64_t size;
	int64_t atime, mtime; /* ns */
};
#define SA_MODE      1U
#define SA_UID       2U
#define SA_GID       4U
#define SA_SIZE      8U
#define SA_ATIME     16U
#define SA_MTIME     32U
#define SA_ATIME_NOW 64U
#define SA_MTIME_NOW 128U

/* A growing list of directory entries, without "." and "..". */
struct dirlist;
int dirlist_add(struct dirlist *l, const char *name, size_t len, uint64_t ino, unsigned char dtype);

struct inode_ops {
	/*
	 * [U] Looks name up in dir. rest is the remainder of the path after name ("" or "b/c"): a file system whose lookups
	 * are dear may answer more levels in out[1...]. Returns the number of levels filled (at least 1; the last may be negative),
	 * or -errno. Stops at a symlink, non-directory or missing name. The core inserts what is not there already.
	 */
	int (*lookup)(struct dentry *dir, const char *name, size_t len, const char *rest, struct lookup_result *out,
		      int max);
	/* [U] All names, for getdents. Also sets D_COMPLETE where that can be known. */
	int (*readdir)(struct vfs_ctx *ctx, struct dentry *dir, struct dirlist *out);
	/* [U] Link text; at most size bytes, the count or -errno. inode is the link's. ctx for magic links (/proc/self). */
	ssize_t (*readlink)(struct vfs_ctx *ctx, struct inode *inode, char *buf, size_t size);
	/*
	 * [U] Magic link (/proc/PID/fd/N, cwd, root, exe): jumps to an object. -ENOSYS: follow readlink's text. -ENXIO: the object
	 * has no path in the VFS (pipe, socket, what the user passed in): as a final component, opening it calls the link inode's own
	 * ops->open (d: the link's), and stat its ops->getattr, which must accept a NULL ctx; anywhere else it's ENOTDIR.
	 */
	int (*follow)(struct vfs_ctx *ctx, struct inode *inode, struct path *out);
	/* [U] What such a link without a path stands for: a descriptor, duplicated into ours, or -errno. */
	int (*dup)(struct vfs_ctx *ctx, struct inode *inode);
	/* [U] For I_LIVE: the present values, by inode_attrs() and what the file system knows better; the mount is filled in already. */
	int (*getattr)(struct vfs_ctx *ctx, struct inode *inode, struct kstat *st);
	/*
	 * [U] A fresh host descriptor for this open (not for directories: the core makes tokens; not for O_PATH).
	 * flags: access mode, O_APPEND, O_NONBLOCK, O_TRUNC, O_DIRECT, O_SYNC... permission was checked, O_TRUNC is the file
	 * system's to do. d may be NULL for an inode without a name (O_TMPFILE, magic links).
	 */
	int (*open)(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, int flags, int *hostfd);
	/* [U] Permission was checked, ids and mode are final. Size: truncate. */
	int (*setattr)(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, const struct setattr *sa);
	ssize_t (*getxattr)(struct inode *inode, const char *name, void *buf, size_t size); /* [U] */
	ssize_t (*listxattr)(struct inode *inode, char *buf, size_t size);                  /* [U] */
	int (*setxattr)(struct dentry *d, struct inode *inode, const char *name, const void *v, size_t n,
			int flags); /* [U] v NULL: remove */

	/*
	 * Namespace: [W], or [U] on SB_REMOTE. d is the negative (create...) or positive (unlink...) dentry in the tree whose
	 * parent is the directory. uid, gid, mode: those of the new inode, final. On [W] the operation itself updates the tree
	 * (d_instantiate, d_delete, d_move below); on [U] the core does after success. A [W] operation that finds prepare()'s
	 * work undone returns -EAGAIN: everything is looked up, prepared and checked again.
	 */
	int (*mknod)(struct dentry *d, uint32_t mode, dev_t rdev, uid_t uid, gid_t gid, const char *link_target);
	/* [U] Before any namespace change in dir or of d: anything that may block, such as listing a directory for rmdir or copying
	 * parents up. Called again with every retry, must be cheap when there's nothing to do. May be NULL. */
	int (*prepare)(struct dentry *d, bool removing);
	int (*link)(struct inode *inode, struct dentry *from, struct dentry *d);
	int (*unlink)(struct dentry *d);
	int (*rmdir)(struct dentry *d);
	int (*rename)(struct dentry *from, struct dentry *to, unsigned flags);
	/* [U] O_TMPFILE: an inode without a name, nlink 0. */
	int (*tmpfile)(struct dentry *dir, uint32_t mode, uid_t uid, gid_t gid, struct inode **out);

	void (*release)(struct inode *inode); /* [W] last reference is gone: free it */
};

/* vfs/dcache.c. The cache's references: a dentry holds its parent and its inode. */
void dget(struct dentry *d);
void dput(struct dentry *d); /* not under the lock */
/* [R] The inode's attributes as they stand in it; those of the mount are left alone. */
void inode_attrs(const struct inode *i, struct kstat *st);
void iget(struct inode *i);
void iput(struct inode *i);        /* not under the lock */
void iput_locked(struct inode *i); /* [W] */
/* [R] Child of that name, or NULL; not referenced. */
struct dentry *d_lookup(struct dentry *parent, const char *name, size_t len);
/* [W] New child; takes over the inode's reference (NULL: negative); returned unreferenced but in the tree. NULL: no memory,
 * and inode and fsdata stay the caller's. An unreferenced, unpinned dentry may be evicted when the lock is dropped. */
struct dentry *d_add(struct dentry *parent, const char *name, size_t len, struct inode *inode, void *fsdata);
struct dentry *d_make_root(struct super *sb, struct inode *inode);
/* [W] Negative becomes positive; takes over the reference. */
void d_instantiate(struct dentry *d, struct inode *inode);
/* [W] The name is gone. keep_negative: it stays as a (cached or, with D_WHITEOUT in flags, pinned) negative entry, in a new
 * dentry if anyone still refers to the old one, which gets D_DEAD. */
void d_delete(struct dentry *d, uint32_t negative_flags);
/* [W] from takes to's place (to, if positive, becomes D_DEAD); its old place is left as d_delete() leaves it. */
void d_move(struct dentry *from, struct dentry *to, uint32_t negative_flags);
void d_exchange(struct dentry *a, struct dentry *b);
/* [W] pins d and all its ancestors up to the first already pinned. */
void d_pin(struct dentry *d);

/* vfs/inode.c: host object (st_dev, st_ino of a descriptor that we hand out) -> inode. [W] except the lookup [R]. */
struct hostobj {
	struct hostobj *next;
	struct inode *inode; /* NULL: not in the table */
	uint64_t ino;
	uint32_t dev; /* the kernel's own device numbers have 32 bits */
};
/* h, the inode's own, stands for the host object from now on; another one that did is taken out. No reference is held: release must del it. */
void hostobj_add(struct hostobj *h, dev_t dev, uint64_t ino, struct inode *inode);
void hostobj_del(struct hostobj *h); /* one that isn't in the table is ignored */
struct inode *hostobj_find(dev_t dev, uint64_t ino);
/* Initialises the generic part with one reference and times now. */
void inode_init(struct inode *i, struct super *sb, const struct inode_ops *ops, uint32_t mode);
uint64_t vfs_new_ino(void);
void vfs_reserve_ino(uint64_t last); /* numbers up to this one are taken */
/* The device number the sandbox shows for a file system of the host; the same for the same host device. */
dev_t vfs_map_dev(uint64_t host_dev);
dev_t vfs_new_dev(void);
int64_t vfs_now(void); /* CLOCK_REALTIME_COARSE in ns: the granularity of the host's own file times */
/* [R] May cred do mask (MAY_*: 4 r, 2 w, 1 x) on inode? 0 or -EACCES. Linux's generic_permission(). */
int inode_permission(const struct vfs_cred *cred, const struct inode *inode, int mask);

/*
 * vfs/filestore.c: backing files of upper data, in one store for each medium. Store 0 is vfs_config.filestore, n is stores[n - 1].
 * Files are named by the decimal id in the store's directory. An id is never reused while a descriptor may be open on it, and a
 * freed file keeps its data for who has it open. Nothing here takes the lock of vfs/lock.h; free may be called with it held.
 */
struct filestore;
struct filestore *filestore_get(unsigned n); /* no reference: stores live for ever */
int filestore_new(struct filestore *fs, uint64_t *id, uint64_t *host_dev, uint64_t *host_ino); /* empty file */
int filestore_open(struct filestore *fs, uint64_t id, int flags);        /* fresh descriptor, owned by the caller */
int filestore_stat(struct filestore *fs, uint64_t id, struct kstat *st); /* size, blocks, times only */
int filestore_utimens(struct filestore *fs, uint64_t id, const struct timespec ts[2]);
void filestore_free(struct filestore *fs, uint64_t id); /* name is gone */
int filestore_mkfifo(struct filestore *fs, uint64_t *id, uint64_t *host_dev, uint64_t *host_ino);
int filestore_truncate(struct filestore *fs, uint64_t id, int64_t size);
/* A file of an earlier run: its host object, -ENOENT if there's none of that type. */
int filestore_ident(struct filestore *fs, uint64_t id, mode_t type, uint64_t *host_dev, uint64_t *host_ino);
void filestore_reserve(struct filestore *fs, uint64_t last_id); /* ids up to this one are taken */
int filestore_dir(const struct filestore *fs);                  /* its directory: not to be closed */
int filestore_sync(const struct filestore *fs);                 /* data of all files to the disk */
/* Has anyone but us a descriptor or a mapping of it? Not to be asked while we ourselves hold one. Regular files and FIFOs. */
bool filestore_busy(struct filestore *fs, uint64_t id);
/* Can anyone write to it by a descriptor or mapping that exists? Regular files. */
bool filestore_written(struct filestore *fs, uint64_t id);
/* Not under the lock: gives space of freed files back and readies them for reuse. Cheap when there is nothing to do. NULL: all. */
void filestore_reclaim(struct filestore *fs);
/* By the keeper: makes files ahead, in stores that are in use. */
void filestore_refill(void);
int filestore_statfs(struct filestore *fs, struct statfs *out);
/*
 * Is it worth a wait to give these bytes back, since what's free is less than 16 times that? As the free part grows each time, the
 * removal of a tree of n files waits some log n times.
 */
bool filestore_scarce(const struct filestore *fs, int64_t bytes);
struct filestore_counts {
	uint64_t last_id;
	unsigned pool;
	size_t freed; /* not yet looked at */
};
void filestore_counts(struct filestore *fs, struct filestore_counts *out);
/* Bytes that its files use: looks at each one, so it's for the end. */
uint64_t filestore_usage(struct filestore *fs);
/* vfs/keeper.c: there is something to tidy up. Any lock may be held. */
void vfs_keeper_kick(void);

/* File systems. Each makes a super whose root dentry is ready. */
/* Upper over the gofer's export; its data is kept in store (filestore_get(); 0 for a read-only one). */
int overlay_new(uint32_t export, uint32_t flags, unsigned store, struct super **out);
int tmpfs_new(uint64_t size, uint32_t mode, struct super **out); /* overlay without a lower */
/* Adds the overlays' share: copy_ups, copy_up_bytes, upper_files, upper_bytes. */
void overlay_get_stats(struct vfs_stats *out);
int goferfs_new(uint32_t export, uint32_t flags, struct super **out); /* straight to the host; SB_RDONLY for ro binds */
/* Attributes of a lower file that is open in a tracee and unknown to the cache; host_dev: its device as the host has it. 0 or -errno. */
int goferfs_fstat(int hostfd, dev_t host_dev, struct kstat *out);
int procfs_new(struct super **out);
int devfs_new(struct super **out);
int devpts_new(struct super **out);
/* fstat of a terminal: owner and mode are those that its path shows. */
void devpts_fix_stat(uint64_t host_dev, struct kstat *st);
int sysfs_new(struct super **out);

/* vfs/devfs.c: opens the sandbox's own device of that number for ctx; for every device node of every file system. flags as
 * in inode_ops.open. -ENXIO for what the sandbox doesn't have. May block no longer than an open of a terminal does. */
int dev_open(struct vfs_ctx *ctx, dev_t rdev, int flags, int *hostfd);

/* vfs/rules.c: a profile's rules are of names; a file whose name was forgotten may be opened again only for what hostfd is open for. mask: 4 r,
 * 2 w. [R] */
bool rules_may_reopen(const struct inode *inode, int hostfd, int mask);

/* For /proc/mounts and mountinfo: calls fn for each mount in order, under the lock for reading. */
struct mount_info {
	int id, parent_id;
	const struct super *sb;
	const char *root; /* path of the mount's root inside its file system: "/" */
	bool ro;
};
void vfs_for_each_mount(struct vfs_ctx *ctx, void (*fn)(const struct mount_info *, const char *mountpoint, void *arg),
			void *arg);

#endif
