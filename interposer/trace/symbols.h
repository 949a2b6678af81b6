/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbols.h - what a backtrace needs of an ELF file: segments, where its unwinding table is, and the names of its functions.
 *
 * Files come from the sandbox and may say anything: sizes and counts are bounded, nothing is mapped (a file that shrinks meanwhile gives short
 * reads), and what makes no sense is left out.
 */
#ifndef INTERPOSER_TRACE_SYMBOLS_H
#define INTERPOSER_TRACE_SYMBOLS_H

#include "base/base.h"

struct module;

/* Opens a file by an absolute path, for debug information that stands elsewhere: a descriptor of the caller's or -errno. */
struct debug_files {
	int (*open)(void *arg, const char *path);
	void *arg;
};

/* fd: readable, not closed; path: its absolute name, by which files of debug links are found, or "". NULL: not ELF of this machine, or no memory. */
struct module *module_read(int fd, const char *path, const struct debug_files *debug);
/* The same of an image in memory (the vdso), which is copied. */
struct module *module_of_image(const void *image, size_t size);
void module_free(struct module *m);
/* What it holds, about; 0 of NULL. */
size_t module_bytes(const struct module *m);

/* The address in the file's own numbering (st_value's) of what stands at an offset of it; false: in no segment. */
bool module_address(const struct module *m, uint64_t offset, uint64_t *addr);
/* Address in the same numbering of .eh_frame_hdr, or 0: then the table is ours. */
uint64_t module_unwind_header(const struct module *m);
/* Borrowed, n entries relative to *addr; NULL: none. */
const struct ehframe_entry *module_unwind_table(const struct module *m, uint64_t *addr, size_t *n);
/* Function at that address: its name, borrowed and mangled, and the distance from its beginning; NULL: unknown. */
const char *module_function(const struct module *m, uint64_t addr, uint64_t *distance);

#endif
