/* SPDX-License-Identifier: Apache-2.0 */
/* used.h - which paths a command used (sandbox files, sandbox learn), as the supervisor told at its end. */
#ifndef TOOLS_USED_H
#define TOOLS_USED_H

#include "interposer/launch.h"

#include <limits.h>

/* Paths are shorter: a program may go down a tree further than PATH_MAX. */
#define USED_PATH_MAX ((size_t)2 * PATH_MAX)

struct used {
	struct vfs_note *notes; /* in the order of a tree */
	size_t n;
	uint64_t lost; /* paths that there was no room for */
	bool network;
	char *text; /* what they point into */
};
/* A descriptor for launch_options.notes_fd. */
int used_open(void);
/* After the run; closes fd. False, with a message, when the sandbox didn't come to its end. Nothing in it is trusted. */
bool used_load(struct used *u, int fd);
void used_free(struct used *u);
/* Of VFS_NOTE_ bits, one at a time; NULL after the last. Only those that sandbox files can show. */
struct used_kind {
	unsigned bit;
	const char *name;
};
extern const struct used_kind used_kinds[];
/* What is worth saying: of what was made here not that it was missing before, nor that it was looked at. */
unsigned used_kinds_of(const struct vfs_note *n);

/* Text for people and JSON: backslashes doubled; what isn't UTF-8, and control characters, as \xNN. The caller's to free. */
char *path_escape(const char *path);
/* In place. False: not what path_escape() makes. */
bool path_unescape(char *s);

#endif
