/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.h - kept layers one on top of the other, as one model beside the root.
 *
 * What a layer didn't change itself comes from what is below it. So of a file of which it changed the mode alone the data are those of the
 * layers below, and if it isn't there, nor is the file. A file with data of its own is whole. Directories are merged unless one hides
 * what is below (it was made anew) or has been moved: then it shows what is below its old place.
 */
#ifndef LAYER_STACK_H
#define LAYER_STACK_H

#include "layer/model.h"

#define STACK_MAX 32 /* layers */

/*
 * Puts u on top of m. u's lower paths and JE_HAS tell of what m shows, or of the bare root, where it was made on that. Afterwards m's tell of the
 * root. store: becomes the store of u's backing files. u is used up but for model_free().
 */
int model_merge(struct model *m, struct model *u, uint32_t store) MUST_CHECK;
/* The journals of n layers, the topmost first, merged. That of journals[k] has the store k + 1. */
int model_load_stack(struct model *m, const int *journals, unsigned n) MUST_CHECK;

/*
 * What stands at a path: *node if the model has it, else *node is NULL and host (PATH_MAX) the path in the root that shows through. 0 or
 * -ENOENT, -ENOTDIR, -ENAMETOOLONG. Whether the root has anything there isn't known here.
 */
int model_resolve(const struct model *m, const char *path, const struct layer_inode **node, char *host) MUST_CHECK;

/* The model's files by the numbers that they show: other links of one of the root's show its change, too. */
struct model_links {
	struct model_link {
		uint64_t dev, ino;
		int64_t btime;
		struct layer_inode *i;
	} * v;
	size_t n;
};
int model_links(const struct model *m, struct model_links *out) MUST_CHECK;
/* NULL if there's none. btime: that of the file, lest the number has been used again. */
struct layer_inode *model_links_find(const struct model_links *l, uint64_t dev, uint64_t ino, int64_t btime);

#endif
