/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dirlist.h - what dirlist_add() fills, for readdir.c and for tests of a file system's own listing.
 */
#ifndef VFS_DIRLIST_H
#define VFS_DIRLIST_H

#include <stddef.h>
#include <stdint.h>

struct dirlist {
	char *buf; /* records: ino (8), type (1), name length (1), name, NUL */
	size_t len, cap;
	uint32_t *off;
	size_t n, off_cap;
};
#define REC_HEAD 10 /* bytes before the name */

#endif
