/* SPDX-License-Identifier: Apache-2.0 */
/* live_manifest.h - for sandbox-fuzz live. */
#ifndef TOOLS_FUZZ_LIVE_MANIFEST_H
#define TOOLS_FUZZ_LIVE_MANIFEST_H

#include <stddef.h>

/* Sorted by path. */
struct manifest {
	struct thing *v;
	size_t n, cap;
};
/* All of the directory top, but for what is to be written to, and some of the host's, two levels of each. Ends the program without memory. */
void manifest_make(struct manifest *m, const char *top);
/* Names what differs. Outside of top it may be somebody else's doing. */
void manifest_compare(const struct manifest *a, const struct manifest *b,
		      void (*differs)(const char *path, const char *how));
void manifest_free(struct manifest *m);

#endif
