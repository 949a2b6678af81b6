/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - a kept layer in memory: its inodes and the entries of its directories, as a journal tells them.
 *
 * What isn't in the model is the lower's. A directory with a lower path shows that directory's names, too, but for those that an
 * entry covers; one without is whole as it is. After model_load() the directories form a tree below the root, whatever the journal said.
 */
#ifndef LAYER_MODEL_H
#define LAYER_MODEL_H

#include "layer/journal.h"

#include <sys/queue.h>
#include <sys/stat.h>

struct layer_entry {
	struct layer_inode *parent, *child; /* child NULL: whiteout */
	struct layer_entry *hnext;
	TAILQ_ENTRY(layer_entry) sibling;
	TAILQ_ENTRY(layer_entry) same; /* other names of child */
	struct jstamp *stamp;          /* of what the lower has there, or NULL */
	uint32_t hash;
	bool has; /* the lower directory has this name */
	uint16_t len;
	char name[];
};

struct layer_inode {
	uint64_t id, ino, back, rdev;
	uint32_t flags; /* JI_ */
	uint32_t store; /* whose back: 0 the layer's own, n that of stacked layer n - 1 (stack.h) */
	uint32_t mode, uid, gid, nlink;
	int64_t size, atime, mtime, ctime, btime;
	char *low; /* JI_LOW; the stamp likewise */
	struct jstamp *stamp;
	char *link;
	uint8_t *xattrs; /* not NULL with JI_XATTR, also if there are none */
	uint32_t xattrs_len;
	bool gone, seen;
	struct layer_inode *hnext;
	TAILQ_HEAD(layer_entries, layer_entry) children;
	TAILQ_HEAD(layer_names, layer_entry) names;
	void *priv; /* the user's */
};

struct model {
	struct layer_inode *root; /* NULL: nothing was changed yet */
	struct layer_inode **inodes;
	struct layer_entry **entries;
	size_t n_inodes, n_entries, cap_inodes, cap_entries;
	uint64_t max_id, max_ino, max_back;
	off_t end; /* of the journal's whole frames */
	uint64_t seq;
};

int model_load(struct model *m, int journalfd, off_t limit) MUST_CHECK;
/* The same of what needn't be of a directory: then the root is a regular file, and all that there is. */
int model_load_any(struct model *m, int journalfd, off_t limit) MUST_CHECK;
/* Makes such a root the one name in a directory that is otherwise the lower's, of which the lower path is "". */
int model_put_below(struct model *m, const char *name) MUST_CHECK;
void model_free(struct model *m);
#define AUTO_MODEL __attribute__((cleanup(model_free)))
struct layer_entry *model_find(const struct model *m, const struct layer_inode *dir, const char *name, size_t len);
/* A new inode, without a name yet; the first one is the root. NULL: no memory. */
struct layer_inode *model_new(struct model *m);
struct layer_inode *model_inode(const struct model *m, uint64_t id);
/* Removes the entry, and what is below it or has no other name. */
void model_drop(struct model *m, struct layer_entry *e);
/* New or changed entry; child NULL: whiteout. NULL: no memory. */
struct layer_entry *model_set(struct model *m, struct layer_inode *dir, const char *name, size_t len,
			      struct layer_inode *child, bool has, const struct jstamp *stamp);
/* The whole model as a journal of few frames into an empty file, synced. */
int model_write(const struct model *m, int fd, off_t *end, uint64_t *seq) MUST_CHECK;
/* Path of e below the root, without a leading slash, malloc'ed; NULL: no memory. */
char *model_path(const struct layer_entry *e);
/* Removes the entry alone; what it led to stays until model_settle(). */
void model_unset(struct model *m, struct layer_entry *e);
/* Makes a tree of it again, as model_load() does: what can't be reached any more goes. Clears priv. */
int model_settle(struct model *m) MUST_CHECK;
/* By name, as tools print. */
int model_sorted(const struct layer_inode *dir, struct layer_entry ***out, size_t *n) MUST_CHECK;
/* Does the directory stand where the lower has it? path: where it stands. */
static inline bool layer_in_place(const struct layer_inode *i, const char *path)
{
	return i->low && !__builtin_strcmp(i->low, path);
}

#endif
