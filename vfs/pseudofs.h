/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pseudofs.h - what proc, devpts and sys share: trees of named nodes, made from tables, whose inodes exist only while someone
 * holds them. Included only inside vfs/.
 *
 * A node is made once, at start, and lives for ever; it is read without a lock. A pinode is one inode: a node together with
 * the process or descriptor it's about.
 */
#ifndef VFS_PSEUDOFS_H
#define VFS_PSEUDOFS_H

#include "vfs/fs.h"
#include "vfs/sbuf.h"

struct pnode;
struct pinode {
	struct inode inode;
	const struct pnode *node;
	pid_t pid; /* proc: process, else 0 */
	pid_t tid; /* proc: thread below PID/task, else 0 */
	int num;   /* descriptor or terminal number, else -1 */
};
static inline struct pinode *pinode_of(struct inode *i)
{
	return container_of(i, struct pinode, inode);
}

/* Behaviour of a node; all run without the lock and any may be NULL. */
struct pnode_ops {
	/* Content of a regular file, whole. */
	int (*generate)(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out);
	/* As inode_ops.open, instead of generate. */
	int (*open)(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd);
	ssize_t (*readlink)(struct vfs_ctx *ctx, struct pinode *p, char *buf, size_t size);
	int (*follow)(struct vfs_ctx *ctx, struct pinode *p, struct path *out);
	int (*dup)(struct vfs_ctx *ctx, const struct pinode *p);
	int (*getattr)(struct vfs_ctx *ctx, struct pinode *p, struct kstat *st);
	int (*setattr)(struct vfs_ctx *ctx, struct pinode *p, const struct setattr *sa);
	/* Directory: children beside the static ones. lookup gives a new pinode, -ENOENT for none. */
	int (*lookup)(struct pinode *dir, const char *name, struct pinode **out);
	int (*list)(struct vfs_ctx *ctx, struct pinode *dir, struct dirlist *out);
	/* Is this static child there, in this directory? NULL: always. */
	bool (*exists)(const struct pinode *dir, const struct pnode *child);
	/* Attributes of a new inode that depend on the process (owner). */
	void (*fill)(struct pinode *p);
};

struct pnode {
	const char *name;
	uint32_t mode; /* type and permissions */
	const struct pnode_ops *ops;
	const char *arg; /* the table's: text, native name, ... */
	size_t arglen;
	struct pnode *parent;
	TAILQ_HEAD(pchildren, pnode) children;
	TAILQ_ENTRY(pnode) sibling;
};

/* One row of a table. path is below the tree's root, directories on the way are made (0555). */
struct pnode_row {
	const char *path;
	uint32_t mode;
	const struct pnode_ops *ops;
	const char *arg;
};

/* Start-up only: end the process when memory runs out. */
struct pnode *pnode_root(uint32_t mode, const struct pnode_ops *ops);
/* A node outside of any tree, for the entries of a directory's own lookup(). name only makes inode numbers differ. */
struct pnode *pnode_single(const char *name, uint32_t mode, const struct pnode_ops *ops);
/* dir_ops: of directories that must be made. arg is borrowed. */
struct pnode *pnode_add(struct pnode *root, const struct pnode_row *row, const struct pnode_ops *dir_ops);

/* sb->priv is the root node. */
struct super *pseudo_super(const char *type, uint32_t flags, long magic, dev_t dev, const struct pnode *root);

/* A new inode with one reference; like: the inode whose process (and super) it inherits. NULL: no memory. */
struct pinode *pinode_new(const struct pinode *like, const struct pnode *node);
/* Inode number: stable for a place in the tree, so that what stat and getdents tell agree. */
void pinode_set_ino(struct pinode *p);
uint64_t pseudo_ino(const struct pnode *node, pid_t pid, pid_t tid, int num);

/* A fresh read-only descriptor of a sealed copy of the content. */
int pseudo_donate(const void *data, size_t len, int *hostfd);
/* Decimal number as proc spells it: no sign, no leading zero. -1: not one. */
int pseudo_number(const char *name);
/* Opens our own descriptor fd anew, as open(2) of /proc/self/fd/N does. New descriptor or -errno. */
int pseudo_reopen(int fd, int flags);

extern const struct pnode_ops pseudo_text_ops; /* content is arg */
extern const struct pnode_ops pseudo_link_ops; /* link to arg */
extern const struct pnode_ops pseudo_dir_ops;

#endif
