/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - the command line of sandbox(1) as a struct launch_options.
 */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include "interposer/launch.h"
#include "tools/files.h"

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_ATTACH };

/* What becomes of the changes. */
enum kept_action { KEPT_DEFAULT, KEPT_DISCARD, KEPT_COMMIT, KEPT_KEEP, KEPT_ASK };
struct kept_options {
	const char *name;                 /* --name: the layer to run on */
	const char *from;                 /* --from, or NULL */
	enum kept_action after, on_error; /* KEPT_DEFAULT: not given */
	const char *keep;                 /* --keep's name */
};
/* As the last options_parse() found them. */
enum front { FRONT_RUN, FRONT_TRACE, FRONT_FILES, FRONT_LEARN };
enum front options_front(void);
const struct files_options *options_files(void);
struct profile *options_learnt(void);
const struct kept_options *options_kept(void);
const char *options_attach_to(void); /* sandbox trace -p, or NULL */

/*
 * Parses argv up to the command's name. env is the caller's environment; *out gets an edited copy. A bad option or value
 * prints one line and ends the process with status 125. What *out points to lives until the process ends or options_free().
 */
enum options_action options_parse(int argc, char **argv, char **env, struct launch_options *out);
void options_free(struct launch_options *opt);
/* Prints the help text on stdout: it fits a terminal of 80 columns and 24 lines. */
void options_help(void);

#endif
