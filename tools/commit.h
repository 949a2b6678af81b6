/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.h - between the files of a commit.
 */
#ifndef TOOLS_COMMIT_H
#define TOOLS_COMMIT_H

#include "tools/cmd.h"

#include <linux/limits.h>

#define COMMIT_TEMP ".sandbox-commit."

struct commit {
	struct layer *l;
	struct model *m;
	const struct commit_options *o;
	int rootfd;
	char **paths; /* filters */
	int n_paths;
	bool after_crash; /* an earlier one didn't end */
	unsigned next_temp, warned;
	uint64_t done, total; /* for the progress bar */
	unsigned conflicts;
	struct step *steps, **tail;
	char path[PATH_MAX];
};

/* commit_check.c: lists on stderr what the host changed under the layer. Number of conflicts in c->conflicts; 0 or -errno. */
int commit_check(struct commit *c) MUST_CHECK;

/* commit_make.c: builds e's object as dirfd/name, of which where is the path below the root, and everything in it. */
int commit_make(struct commit *c, int dirfd, const char *name, const char *where, const struct layer_entry *e,
		const char *final) MUST_CHECK;
/* Owner, mode, xattrs and times of i to an object; back: take times from the backing file. */
int commit_attrs(struct commit *c, int dirfd, const char *name, const struct layer_inode *i) MUST_CHECK;
/* Overwrites an existing file that has other links. */
int commit_rewrite(struct commit *c, int dirfd, const char *name, const struct layer_inode *i) MUST_CHECK;
int commit_remove(int dirfd, const char *name) MUST_CHECK; /* with all that's in it */
/* Attributes to be set when everything stands at its final place. */
int commit_later(struct commit *c, const char *path, const struct layer_inode *i) MUST_CHECK;
bool commit_wants(const struct commit *c, const char *path, bool dir);

#endif
