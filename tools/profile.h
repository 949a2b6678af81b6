/* SPDX-License-Identifier: Apache-2.0 */
/* profile.h - sandbox-profile(5): a file of options and of paths with what may be done there. */
#ifndef TOOLS_PROFILE_H
#define TOOLS_PROFILE_H

#include "interposer/launch.h"

struct profile {
	struct profile_option {
		char **words; /* a long option's name and its values, NULL-terminated */
		unsigned line;
	} * options;
	size_t n_options;
	struct vfs_rule *rules; /* paths are owned */
	size_t n_rules;
	bool has_paths; /* else everything is allowed */
};
/* Dies with FILE:LINE and what is wrong. */
void profile_load(struct profile *p, const char *file);
void profile_free(struct profile *p);
void profile_add_option(struct profile *p, char *const *words);
void profile_add_rule(struct profile *p, const char *path, enum vfs_rule_scope scope, unsigned may);
/* Dies if a file can't be made where this one is to be. */
void profile_check_place(const char *file);
/* Writes it to a file that takes the place of an old one whole. Dies. */
void profile_save(const struct profile *p, const char *file);

#endif
