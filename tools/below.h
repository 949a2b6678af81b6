/* SPDX-License-Identifier: Apache-2.0 */
/*
 * below.h - the kept layers that a sandbox lies on (--from), open and locked against changes.
 */
#ifndef TOOLS_BELOW_H
#define TOOLS_BELOW_H

#include "layer/layer.h"
#include "layer/stack.h"

struct below {
	struct layer v[STACK_MAX]; /* the topmost first */
	unsigned n;
};
void below_close(struct below *b);
#define AUTO_BELOW __attribute__((cleanup(below_close)))

/* "A:B" and what those lie on, as references: meta's from. Dies with a message. */
void below_parse(const char *from, struct layer_meta *meta);
/* Opens what l lies on. Dies if one is missing, in use or not what it was. */
void below_open(struct below *b, const struct layer *l);
/* Writes "A:B" to buf, or "-". */
void below_text(const struct layer_meta *meta, char *buf, size_t size);
/* Ends the process with a message if a sandbox lies on l, so that it mustn't change. */
void below_check_free(const struct layer *l);

/* What the layers show, for reading. */
int below_load(const struct below *b, struct model *m) MUST_CHECK;
/* A regular file that they show: descriptor or -errno. */
int below_read(const struct below *b, const struct model *m, int rootfd, const char *path) MUST_CHECK;

/*
 * Copies l with all that it lies on, and its binds, to a layer of its own on the bare root, under a name that sandbox gc knows. Locked; the caller
 * discards it, or puts it in l's place.
 */
int below_flatten(const struct layer *l, struct layer *out) MUST_CHECK;

#endif
