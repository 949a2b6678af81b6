/* SPDX-License-Identifier: Apache-2.0 */
/* ehframe.h - a search table for .eh_frame sections that have none: linkers leave .eh_frame_hdr out of static programs. */
#ifndef INTERPOSER_TRACE_EHFRAME_H
#define INTERPOSER_TRACE_EHFRAME_H

#include "base/base.h"

/* As in .eh_frame_hdr: where a function begins, and its frame description, both relative to the section's address. */
struct ehframe_entry {
	int32_t start, fde;
};
/* section: size bytes that stand at addr. The entries, sorted, the caller's; NULL: none, or no memory. */
struct ehframe_entry *ehframe_table(const unsigned char *section, size_t size, uint64_t addr, size_t *n);

#endif
