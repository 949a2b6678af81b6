/* SPDX-License-Identifier: Apache-2.0 */
/* tar.h - sandbox-tar: sandbox export and sandbox import. */
#ifndef TOOLS_TAR_TAR_H
#define TOOLS_TAR_TAR_H

#include "tools/cmd.h"

struct archive;

int tar_export(int argc, char **argv);
int tar_import(int argc, char **argv);

/* A reader of layer tars, not opened yet; dies. It knows the compressions that the library does by itself: for the others it would start
 * programs on what may be hostile. */
struct archive *import_reader(void);
/* All of the archive as an empty model beside the root; file data goes into l's store. 0 or -errno, said on stderr where an entry is at
 * fault. m is to be freed in any case. */
int import_model(const struct layer *l, struct model *m, int rootfd, struct archive *a) MUST_CHECK;

#endif
