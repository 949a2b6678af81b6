/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.h - between the files of a commit.
 */
#ifndef TOOLS_COMMIT_H
#define TOOLS_COMMIT_H

#include "tools/cmd.h"

#include <linux/limits.h>

/* Names of what is not in its place yet: this, a random token of the commit's own, a number. */
#define COMMIT_TEMP     ".sandbox-commit."
#define COMMIT_NAME_MAX 64

enum step_kind { STEP_PLACE, STEP_ATTRS, STEP_REWRITE, STEP_REMOVE, STEP_DIR };
struct step {
	struct step *next;
	enum step_kind kind;
	const struct layer_inode *i;
	char temp[COMMIT_NAME_MAX];
	uint64_t ino; /* of what was made as temp, or else of what stood there when the step was planned; 0: unknown */
	char path[];  /* of the object */
};

struct commit {
	struct layer *l;
	struct model *m;
	const struct commit_options *o;
	int rootfd;
	char **paths; /* filters */
	int n_paths;
	unsigned next_temp, warned;
	char temp[40];        /* the names' beginning */
	uint64_t done, total; /* for the progress bar */
	unsigned conflicts;
	struct step *steps, **tail;
	/* The directory that was used last, which the next step is likely to be in, too. */
	int dirfd;
	char *dir;
	char path[PATH_MAX];
};

struct step *commit_step(struct commit *c, enum step_kind kind, const char *path, const struct layer_inode *i, uint64_t ino);
/* All steps in the order of the stages, and what they changed on the disk. */
int commit_carry_out(struct commit *c) MUST_CHECK;
/* Frees the steps and filters. */
void commit_end(struct commit *c);

/* -EINTR when a signal asked to stop, in the stage that can be undone. */
int commit_may_go_on(void) MUST_CHECK;

/* commit_plan.c: makes the plan of c's steps last. From then on the commit can only be finished. */
int commit_write_plan(struct commit *c) MUST_CHECK;
/* The host has it: the layer forgets it, and the plan goes. */
int commit_settle(struct commit *c) MUST_CHECK;
/* Carries out what an interrupted commit had planned; nothing if there's no plan. The model is not to be used after it. */
int commit_finish(struct commit *c) MUST_CHECK;
/* Chooses c->temp, so that what is left after a crash can be told from everything else. */
int commit_mark(struct commit *c) MUST_CHECK;

/* commit_check.c: lists on stderr what the host changed under the layer. Number of conflicts in c->conflicts; 0 or -errno. */
int commit_check(struct commit *c) MUST_CHECK;

/*
 * commit_make.c: builds e's object as dirfd/name, of which where is the path below the root, and everything in it. final: the path that it
 * will have.
 */
int commit_make(struct commit *c, int dirfd, const char *name, const char *where, const struct layer_entry *e,
		const char *final) MUST_CHECK;
int commit_remove(int dirfd, const char *name) MUST_CHECK; /* with all that's in it */
/* Attributes to be set when everything stands at its final place. */
int commit_later(struct commit *c, const char *path, const struct layer_inode *i, uint64_t ino) MUST_CHECK;
bool commit_wants(const struct commit *c, const char *path, bool dir);

/* commit_file.c: a regular file of i's backing file as dirfd/name. low: O_PATH, what it was on the host, or -1. */
int commit_file(struct commit *c, int dirfd, const char *name, const struct layer_inode *i, int low) MUST_CHECK;
/* Overwrites an existing file that has other links. -EBUSY: it's not the one of that number. */
int commit_rewrite(struct commit *c, int dirfd, const char *name, const struct layer_inode *i, uint64_t ino) MUST_CHECK;
/* Data from one file to an empty one, holes as holes, from the start of both. */
int commit_copy(struct commit *c, int in, int out) MUST_CHECK;
/*
 * Owner, mode, xattrs and times of i to an object of that number (0: any): whoever may write to the directory could have put a link of
 * somebody else's file there. Such a one stays as it is, and a message says so.
 */
int commit_attrs(struct commit *c, int dirfd, const char *name, const struct layer_inode *i, uint64_t ino) MUST_CHECK;
/* Owner, mode, xattrs and times of from (O_PATH, of which st is told) to dirfd/name. */
int commit_attrs_like(int from, const struct stat *st, int dirfd, const char *name) MUST_CHECK;
/* The bar; bytes copied, or one more object. */
void commit_did(struct commit *c, uint64_t bytes);
#define COMMIT_OBJECT 65536U /* bytes that an object counts for, beside its data */

#endif
