/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - sandbox files and sandbox learn: what their own options say, and the runs. */
#ifndef TOOLS_FILES_H
#define TOOLS_FILES_H

#include "interposer/launch.h"

#include <stdio.h>

struct files_options {
	const char *file;   /* -o; of files NULL: standard error */
	bool json, tree;    /* files */
	unsigned kinds;     /* files: VFS_NOTE_ bits that are shown */
	const char *prefix; /* files: only what is below, or NULL */
	bool merge;         /* learn: adds to the profile in file */
};
#define FILES_DEFAULT   \
	(VFS_NOTE_ALL & \
	 ~(VFS_NOTE_SEEN | VFS_NOTE_LINK | VFS_NOTE_DIR | VFS_NOTE_STICKY | VFS_NOTE_PRIVATE | VFS_NOTE_TMPFILE))
/* KIND[,KIND...] of --only. Dies. */
unsigned files_kinds(const char *list);
void files_help(void);
void learn_help(void);

/* Run the command as the options say (run_sandbox()); the status to exit with. */
int run_files(struct launch_options *opt, const struct files_options *f);
/* options: those of the run, which go into the profile. */
struct profile;
struct used;
int run_learn(struct launch_options *opt, const struct files_options *f, const struct profile *options);

/* What they make of a run's paths: the list as text, tree or JSON; the profile's rules and others that allow all of it. Both die without memory. */
void files_print(FILE *out, const struct files_options *f, const struct used *u);
void learn_rules(struct profile *p, const struct used *u);

#endif
