/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binds.h - the copy-on-write binds of a kept sandbox: each has a layer of its own, of which the root is the bind's source.
 */
#ifndef TOOLS_BINDS_H
#define TOOLS_BINDS_H

#include "interposer/launch.h"
#include "layer/layer.h"

/* Dies with a message. */
void binds_open(struct layer_binds *b, const struct layer *l);
#define AUTO_BINDS __attribute__((cleanup(layer_binds_close)))
/* A path of the layer as it is inside, below the bind's place; malloc'ed. */
char *layer_shown(const struct layer *l, const char *path);
/* What the bind is of, malloc'ed. */
char *layer_source(const struct layer *l);
/*
 * Which paths of the layer the filters of the whole sandbox mean (path_filters()). false: none. *out is the caller's to free, the strings
 * are those of paths; *n_out 0 with true: all.
 */
bool binds_paths(const struct layer *l, char **paths, int n, char ***out, int *n_out) MUST_CHECK;
/* How many of l's binds have changes; of each a line on stderr that ends with what. */
unsigned binds_changed(const struct layer *l, const char *what);
/*
 * The layers for opt's copy-on-write binds, made where they're missing; mounts[].keep tells their places and lives as long as the process.
 * l is locked. Dies with a message if what there is can't go with them.
 */
void binds_for_run(const struct layer *l, struct launch_options *opt, struct layer_binds *b);

#endif
