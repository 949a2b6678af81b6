/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h - the metadata of a kept layer as a file that is only appended to.
 *
 * After a head of 16 bytes come frames: magic, length, sequence, CRC-32C, then records. A frame is one atomic change: a reader takes it whole
 * or not at all, and nothing after the first that is torn. Records are upserts, so the last one of a key counts.
 *
 * Numbers are little endian. The reader trusts nothing: a layer may have been written by a supervisor that was taken over.
 */
#ifndef LAYER_JOURNAL_H
#define LAYER_JOURNAL_H

#include "base/base.h"

#include <sys/types.h>

#define JOURNAL_ROOT 1U /* id of the root directory */
#define JOURNAL_ID_MAX \
	(UINT64_C(1) << 62) /* of ids and backing files: whoever counts on from the last can't come round to 0 */

/* A host object as the sandbox first saw it: what a commit compares with. ids as shown inside; times in ns. */
struct jstamp {
	uint64_t dev, ino;
	int64_t size, mtime, ctime, btime;
	int64_t seen; /* when this was recorded */
	uint32_t mode, uid, gid, nlink;
};

#define JI_LOW   1U  /* low: it comes from that object of the lower */
#define JI_LINK  2U  /* link */
#define JI_XATTR 4U  /* xattrs holds all of them; the lower's don't count */
#define JI_CLEAN 8U  /* nothing but its place in the tree is known to matter: an unchanged parent */
#define JI_STAMP 16U /* with JI_LOW: stamp. Without, an earlier record's still counts */
struct jinode {
	uint64_t id;   /* never reused within a layer */
	uint64_t ino;  /* number that programs see */
	uint64_t back; /* backing file in the store, or 0 */
	uint64_t rdev;
	uint32_t flags, mode, uid, gid, nlink;
	int64_t size, atime, mtime, ctime, btime;
	const char *low; /* path in the lower, without a leading slash; NUL terminated */
	struct jstamp stamp;
	const char *link;
	/* name NUL, uint32 size, value; repeated */
	const uint8_t *xattrs;
	uint32_t xattrs_len;
};

#define JE_HAS      1U /* the lower directory has an entry of this name */
#define JE_WHITEOUT 2U /* and it's hidden; child is 0 */
#define JE_STAMP    4U /* stamp: the lower's object of that name */
#define JE_WAS      8U /* was: the inode that has that stamp */
struct jentry {
	uint64_t was;
	uint64_t parent, child; /* child 0 without JE_WHITEOUT: nothing is known of the name any more */
	uint32_t flags;
	const char *name; /* NUL terminated */
	uint16_t len;
	struct jstamp stamp;
};

struct jtimes {
	uint64_t id;
	int64_t atime, mtime, ctime;
	uint32_t nlink;
};

/* Frames being made. fail is sticky: no memory, or a record too long. */
struct jbuf {
	uint8_t *p;
	size_t len, cap, frame; /* frame: where the open one starts, or SIZE_MAX */
	bool fail;
};
#define JBUF_INIT ((struct jbuf){.frame = SIZE_MAX})
void jbuf_free(struct jbuf *b);
/* Records; the first one opens a frame. */
void jbuf_inode(struct jbuf *b, const struct jinode *i);
void jbuf_entry(struct jbuf *b, const struct jentry *e);
void jbuf_times(struct jbuf *b, const struct jtimes *t);
void jbuf_gone(struct jbuf *b, uint64_t id);
/* Closes the open frame, if any. */
void jbuf_end(struct jbuf *b, uint64_t seq);
void jbuf_head(struct jbuf *b); /* of a new file */

/* Each returns 0 or -errno, which ends the reading. What they get is valid for the call; names and paths are checked. */
struct journal_ops {
	int (*inode)(void *arg, const struct jinode *i);
	int (*entry)(void *arg, const struct jentry *e);
	int (*times)(void *arg, const struct jtimes *t);
	int (*gone)(void *arg, uint64_t id);
};
/*
 * Reads [0, limit) of the file (limit < 0: all). *end: where the last whole frame ends; *seq: its number. -EBADMSG: not a journal; an
 * empty file or torn head is a journal without frames (*end 0). 0 or -errno.
 */
int journal_read(int fd, off_t limit, const struct journal_ops *ops, void *arg, off_t *end, uint64_t *seq) MUST_CHECK;
int journal_write(int fd, const void *p, size_t len, off_t at) MUST_CHECK;

/* One xattr after the other: false at the end or where the blob is malformed. */
bool jxattr_next(const uint8_t **p, const uint8_t *end, const char **name, const uint8_t **value, uint32_t *size);
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
