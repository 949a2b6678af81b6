/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core.h - what the files of the VFS core tell each other; file systems include fs.h only.
 */
#ifndef VFS_CORE_H
#define VFS_CORE_H

#include "base/effects.h"
#include "vfs/fs.h"

#include <linux/limits.h>

#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4

/* --- mount.c: mounts are never removed, so a path's reference on its mount costs nothing. --- */
struct mount {
	int id;
	bool ro;
	struct super *sb;
	struct dentry *root;
	struct mount *parent;      /* NULL: the root mount */
	struct dentry *mountpoint; /* referenced */
	TAILQ_ENTRY(mount) link;
};
struct mount *mount_root(void);
static inline bool path_rdonly(const struct path *p)
{
	return p->mnt->ro || (p->dentry->sb->flags & SB_RDONLY);
}

/* --- dcache.c --- */
uint32_t name_hash(const char *name, size_t len);
void dcache_trim(void);                          /* [W] */
void dcache_limit(size_t entries, size_t bytes); /* before the first call; tests */
void dcache_count(bool hit);
void dcache_stats(struct vfs_stats *out);
/* What there is, looked at in steps, so that nobody waits for long; what changes meanwhile is counted or not. */
struct dcache_census {
	size_t dentries, negative, pinned, whiteouts, bytes;
	size_t lru_entries, lru_bytes, max_entries, max_bytes, buckets;
};
void dcache_census(struct dcache_census *out);
void d_cover(struct dentry *d, struct mount *m); /* [W] d becomes a mount point; referenced for ever by the caller */
/* [W] -ENOMEM, or the next d_delete(), d_move() or d_exchange() under this hold of the lock finds the memory it needs. */
int d_reserve(void);
void d_kill(struct dentry *d);                       /* [W] out of the tree, D_DEAD; freed if unreferenced */
void d_put_alias(struct inode *i);                   /* [W] inode.c: i is going away */
void d_set_alias(struct dentry *d, struct inode *i); /* not under the lock */
/*
 * Without the lock, of a referenced dentry that a lookup gave: such a one may become positive at any time, and never loses its inode (an
 * unlinked one keeps it, in d_release()). Not for a vfile's path, which can be a forgotten name.
 */
static inline struct inode *d_inode(const struct dentry *d)
{
	return __atomic_load_n(&d->inode, __ATOMIC_ACQUIRE);
}
static inline void d_touch(struct dentry *d)
{
	if (!(__atomic_load_n(&d->flags, __ATOMIC_RELAXED) & D_REFERENCED))
		__atomic_fetch_or(&d->flags, D_REFERENCED, __ATOMIC_RELAXED);
}

/* Who has the data of i, or will have it: for effects.answered. */
static inline const char *sb_layer(const struct super *sb, const struct inode *i)
{
	return sb->ops && sb->ops->layer ? sb->ops->layer(i) : sb->type;
}
/* A name was made or removed, or an open object answered. */
static inline void effect_answered(const struct super *sb, const struct inode *i)
{
	if (effects_wanted())
		effects.answered = sb_layer(sb, i);
}

/* --- inode.c --- */
bool vfs_dev_known(uint64_t host_dev);
bool iget_live(struct inode *i); /* false: it's dying */
/* References to inode and (via its own path) whatever p names now, or NULL when that has gone. */
struct inode *path_inode(const struct path *p);
uint64_t inode_count(void);
void inode_stats(struct vfs_stats *out);
bool in_group(const struct vfs_cred *c, gid_t gid);
bool inode_owner_or_capable(const struct vfs_cred *c, const struct inode *i);  /* [R] */
int path_permission(const struct vfs_cred *c, const struct path *p, int mask); /* takes the lock; with EROFS */
static inline bool inode_has_alias(const struct inode *i)
{
	return !S_ISDIR(i->mode) && !S_ISLNK(i->mode);
}

/* --- walk.c --- */
enum last_type { LAST_NORM, LAST_ROOT, LAST_DOT, LAST_DOTDOT };
#define WALK_FOLLOW 1U /* a final symlink too */
#define WALK_MAGIC  2U /* stop at a final magic link that has no path (follow gives -ENXIO): nd.magic */
#define MAX_LINKS   40

struct nameidata {
	struct vfs_ctx *ctx;
	struct path root, path; /* referenced unless fast */
	bool fast;     /* under the read lock from nd_start() to nd_end(), no references, -ECHILD when it can't go on */
	bool want_dir; /* a slash followed the last component */
	bool magic;
	bool dotdot;
	bool rooted; /* root was the start, a bound, or compared with */
	uint64_t resolve;
	struct mount *mnt0; /* RESOLVE_NO_XDEV */
	const char *p;      /* what is left of the present string */
	const char *asked;  /* the name that the walk began with, and where; borrowed */
	const struct path *from;
	int links, depth;
	unsigned trusted; /* SB_REMOTE: levels that the last lookup has just confirmed */
	const char *last;
	size_t last_len;
	enum last_type last_type;
	struct {
		const char *rest;
		char *text; /* owned */
	} stack[MAX_LINKS];
	char *text; /* owned: the string p is in */
};
int nd_start(struct nameidata *nd, struct vfs_ctx *ctx, const struct path *base, const char *name, uint64_t resolve,
	     bool fast);
void nd_end(struct nameidata *nd);
/* Walks to the parent of the last component: path, last, last_type. */
int walk_parent(struct nameidata *nd);
/* The whole way. */
int walk_full(struct nameidata *nd, unsigned flags);
/* Goes where a last component that isn't LAST_NORM leads. */
int walk_dots(struct nameidata *nd);
/* The last component after walk_parent(), not followed, mounts crossed if cross: referenced; may be negative. */
int walk_last(struct nameidata *nd, bool cross, struct path *out);
/* Goes on with the text of a symlink found by walk_last(): then walk_parent() again. 1: it was a magic link, nd->path is there. */
int walk_link(struct nameidata *nd, const struct path *link, bool last);
/* Child of dir by name, referenced, positive or negative, not crossing mounts. No permission check. */
int lookup_one(const struct path *dir, const char *name, size_t len, struct dentry **out);
/* Fast pass, then slow pass: a referenced path. */
int resolve_path(struct vfs_ctx *ctx, const struct path *base, const char *name, unsigned flags, uint64_t resolve,
		 struct path *out, bool *magic);

/* --- stat.c --- */
int inode_getattr(struct vfs_ctx *ctx, struct inode *i, const struct path *p, struct kstat *st);

/* --- file.c --- */
/* Another open file description of f's file, by the name it was opened by while that is still its; no permission is checked. */
int vfile_reopen(struct vfs_ctx *ctx, const struct vfile *f, int flags, int *fd);

/* --- namei.c --- */
/* mknod of a regular file for open: 0, -EEXIST when somebody was faster. mode is without the umask. *made: the new entry, referenced; NULL on
 * SB_REMOTE, where it must be looked up. */
int create_in(struct vfs_ctx *ctx, const struct path *dir, const char *name, size_t len, mode_t mode, struct dentry **made);
/* Owner and, with the umask applied, mode of what ctx makes in dir. */
void new_owner(const struct vfs_ctx *ctx, const struct inode *dir, mode_t *mode, uid_t *uid, gid_t *gid); /* [R] */

/* --- sock.c --- */
int vfs_sock_new_key(uint8_t key[VFS_SOCK_KEY]);

/* --- token.c --- */
struct token;
int token_init(const struct vfs_config *cfg);
/* New descriptor that stands for p: a directory, or with o_path anything. */
int token_open(const struct path *p, bool o_path, int flags, int *hostfd);
/* A referenced path if that host object is a token. */
struct token *token_find(dev_t dev, uint64_t ino, struct path *p, bool *o_path);
/* flock(2) on a directory: op is LOCK_SH, LOCK_EX or LOCK_UN; never waits: -EWOULDBLOCK. The caller holds the description. */
int token_flock(struct token *t, const struct inode *dir, int op);
struct dirsnap **token_snap(struct token *t); /* under token_lock() */
void token_lock(struct token *t);
void token_unlock(struct token *t);
struct token_counts {
	size_t total, open, locks;
};
/* fn for some of those that are open, without a lock held. */
void token_dump(void (*fn)(void *arg, const struct path *p, bool o_path, bool locked), void *arg, struct token_counts *out);

/* --- rules.c --- */
#define RULE_HIDDEN 1 /* the one rule that allows nothing */
uint16_t rules_child(uint16_t dir, const char *name, size_t len);
unsigned rules_of(uint16_t rule); /* VFS_MAY_ */
/* Of names in the directory that no rule has. */
unsigned rules_unnamed(uint16_t dir);
bool rules_hide_names(uint16_t dir); /* are there hidden names in the directory, though it may be listed? */
/* Opening by a rule: 0 or -EACCES. access(2) isn't asked, as of Landlock's rules. Of directories: reading one is up to getdents, since it may be
 * opened for what is in it; writing is up to each name. */
int rules_open(const struct path *p, const struct inode *i, int mask);
/* For vfs_rules_refused(): name in dir, or dir itself. rules_refused() takes the lock, [R] the other. */
void rules_refused(const struct path *dir, const char *name, size_t len);
void rules_refused_locked(const struct path *dir, const char *name, size_t len);
/* May what is at one place be put to another? 0 or -EXDEV. */
int rules_move(uint16_t from, uint16_t to, bool isdir);
void rules_relabel(struct dentry *d); /* [W] d has another parent or name */
extern bool rules_on;
extern _Thread_local bool rules_suspended; /* a walk passes what is hidden */
static inline bool d_hidden(const struct dentry *d)
{
	return d->rule == RULE_HIDDEN;
}
static inline bool d_may(const struct dentry *d, unsigned may)
{
	return likely(!d->rule) || (rules_of(d->rule) & may) == may;
}
/* Changing an open object whose name isn't known any more: only what no name leads to, or what was changed before. [R] */
static inline bool inode_may_write(const struct dentry *d, const struct inode *i)
{
	return likely(!rules_on) || (d ? d_may(d, VFS_MAY_WRITE) : !i->nlink || (i->flags & I_UPPER));
}

/* --- note.c: only while vfs_noting --- */
/* [R] The path of p and "/name" (NULL: of p) at the end of buf: where it starts, or NULL when there's no room. */
char *note_build(const struct path *p, const char *name, size_t len, char *buf, size_t size);
void note_path(const struct path *p, unsigned what);                                 /* takes the lock */
void note_locked(const struct path *p, unsigned what);                               /* [R] */
void note_name(const struct path *dir, const char *name, size_t len, unsigned what); /* takes the lock */
/* [R] A walk's end, and that nd->p's component, at name, doesn't exist. */
void note_walked(const struct nameidata *nd);
void note_missing(const struct nameidata *nd, const char *name, size_t len);
void note_moved(const struct path *odir, const char *oname, size_t olen, const struct path *ndir, const char *nname,
		size_t nlen, bool isdir);

/* --- readdir.c --- */
void snap_drop(struct inode *i); /* [W] */
void snap_put(struct dirsnap *s);
/* [R] Is it certain that dir, which isn't remote, has no such name outside the tree? */
bool snap_excludes(const struct inode *dir, const char *name, size_t len);
bool dir_cacheable(const struct super *sb);

#endif
