/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h - the command line of sandbox(1) as a struct launch_options.
 */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include "interposer/launch.h"

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION };

/* What becomes of the changes. */
enum kept_action { KEPT_DEFAULT, KEPT_DISCARD, KEPT_COMMIT, KEPT_KEEP, KEPT_ASK };
struct kept_options {
	const char *name;                 /* --name: the layer to run on */
	const char *from;                 /* --from, or NULL */
	enum kept_action after, on_error; /* KEPT_DEFAULT: not given */
	const char *keep;                 /* --keep's name */
};
/* As the last options_parse() found them. */
const struct kept_options *options_kept(void);

/*
 * Parses argv up to the command's name. env is the caller's environment; *out gets an edited copy. A bad option or value
 * prints one line and ends the process with status 125. What *out points to lives until the process ends or options_free().
 */
enum options_action options_parse(int argc, char **argv, char **env, struct launch_options *out);
void options_free(struct launch_options *opt);
/* 0 to 2^32-2, or dies with the option's name. */
uint32_t option_id(const char *option, const char *s);
/* Prints the help text on stdout: it fits a terminal of 80 columns and 24 lines. */
void options_help(void);

#endif
