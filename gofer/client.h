/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - the supervisor's side of the gofer protocol (PROTOCOL.md).
 *
 * The server keeps no state for us: every request names an export and a path below it, "" for its root, otherwise components
 * joined by '/', none of them empty, "." or "..". Export 0 is the lower root; binds are 1, 2, ... in the order of the command line.
 * Calls block; each thread uses a connection of its own (there are as many as gofer_client_new() got; a thread without one
 * waits for one). Returns 0 or -errno of the host; -EIO when the gofer is gone.
 */
#ifndef GOFER_CLIENT_H
#define GOFER_CLIENT_H

#include "base/base.h"

#include <sys/statfs.h>
#include <sys/types.h>

struct gofer;

/* Attributes of a host file, ids and device numbers as the host has them; times in ns since the epoch. */
struct gattr {
	uint64_t dev, ino, rdev;
	uint32_t mode, nlink, blksize;
	uint32_t uid, gid;
	uint32_t mnt_id; /* 32 bits are enough to tell mounts of one tree apart */
	int64_t size, blocks;
	int64_t atime, mtime, ctime, btime;
};

/* socks: connected SOCK_SEQPACKET sockets, owned by the client after success. Of two or more the last carries no requests: it's the
 * one to poll. So n = threads + 1. */
int gofer_client_new(const int *socks, int n, struct gofer **out) MUST_CHECK;
void gofer_client_free(struct gofer *g);
/* One of the sockets: readable or hung up means that the gofer died. (With a single socket only hung up does.) */
int gofer_client_pollfd(const struct gofer *g);
uint64_t gofer_round_trips(const struct gofer *g);
/* How many connections carry requests, how many of them are in use now, and how many threads wait for one. */
void gofer_queue(const struct gofer *g, unsigned *connections, unsigned *busy, unsigned *waiting);

/*
 * Walks path; attributes of the components from number skip on (0: the first), at most max. *n: how many exist of those. Stops
 * after a symlink or non-directory. link: text of a symlink that stopped the walk, NUL terminated (size PATH_MAX), else "".
 * skip == number of components: attributes of the last only. Returns 0 also when a component doesn't exist (*n tells),
 * -errno for all else. With path "" the root itself is component 0.
 */
int gofer_walk(struct gofer *g, uint32_t export, const char *path, unsigned skip, struct gattr *attrs, unsigned max,
	       unsigned *n, char *link, size_t link_size) MUST_CHECK;
/* Regular files only (else -ENXIO for FIFOs, sockets and devices, -EISDIR, -ELOOP for symlinks). flags: access mode, O_TRUNC,
 * O_APPEND, O_NONBLOCK, O_DIRECT, O_SYNC, O_DSYNC, O_NOATIME. */
int gofer_open(struct gofer *g, uint32_t export, const char *path, int flags, int *fd, struct gattr *attr) MUST_CHECK;
/* fn returns false to stop; it runs while a connection is held: it must not call the gofer. d_type and ino as getdents64 gives them; name is
 * one component, without "." and "..". */
int gofer_readdir(struct gofer *g, uint32_t export, const char *path,
		  bool (*fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type),
		  void *arg) MUST_CHECK;
/* Attributes of the named children of a directory, in order; mode 0 for one that doesn't exist. links: for symlinks among
 * them nothing is read. n at most 64. */
int gofer_getattrs(struct gofer *g, uint32_t export, const char *dir, const char *const *names, unsigned n,
		   struct gattr *attrs) MUST_CHECK;
/* Attributes of a descriptor that we hold, as the host's own user namespace shows them. */
int gofer_fstat(struct gofer *g, int fd, struct gattr *attr) MUST_CHECK;
int gofer_statfs(struct gofer *g, uint32_t export, const char *path, struct statfs *out) MUST_CHECK;
ssize_t gofer_getxattr(struct gofer *g, uint32_t export, const char *path, const char *name, void *buf,
		       size_t size) MUST_CHECK;
ssize_t gofer_listxattr(struct gofer *g, uint32_t export, const char *path, char *buf, size_t size) MUST_CHECK;
/* By a descriptor of a regular file that gofer_open() gave for this export, whatever its names are by now: -EXDEV if it isn't. */
ssize_t gofer_fgetxattr(struct gofer *g, uint32_t export, int fd, const char *name, void *buf, size_t size) MUST_CHECK;
ssize_t gofer_flistxattr(struct gofer *g, uint32_t export, int fd, char *buf, size_t size) MUST_CHECK;

/* Changes: -EROFS on an export that is read-only. New objects get mode (already masked) and uid:gid where the gofer may. */
int gofer_create(struct gofer *g, uint32_t export, const char *path, int flags, uint32_t mode, uint32_t uid, uint32_t gid,
		 int *fd, struct gattr *attr) MUST_CHECK; /* O_CREAT|O_EXCL, regular file */
int gofer_mknod(struct gofer *g, uint32_t export, const char *path, uint32_t mode, uint32_t uid, uint32_t gid,
		const char *link_target, struct gattr *attr) MUST_CHECK; /* directory, FIFO, symlink (link_target) */
int gofer_link(struct gofer *g, uint32_t export, const char *from, const char *to) MUST_CHECK;
int gofer_unlink(struct gofer *g, uint32_t export, const char *path, bool dir) MUST_CHECK;
int gofer_rename(struct gofer *g, uint32_t export, const char *from, const char *to, unsigned flags) MUST_CHECK;
/* valid: GS_ bits. */
#define GS_MODE      1U
#define GS_UID       2U
#define GS_GID       4U
#define GS_SIZE      8U
#define GS_ATIME     16U
#define GS_MTIME     32U
#define GS_ATIME_NOW 64U
#define GS_MTIME_NOW 128U
struct gsetattr {
	uint32_t valid, mode, uid, gid;
	int64_t size, atime, mtime;
};
int gofer_setattr(struct gofer *g, uint32_t export, const char *path, const struct gsetattr *sa) MUST_CHECK;
int gofer_setxattr(struct gofer *g, uint32_t export, const char *path, const char *name, const void *value, size_t size,
		   int flags) MUST_CHECK; /* value NULL: remove */
/* By descriptor, as gofer_fgetxattr(). */
int gofer_fsetattr(struct gofer *g, uint32_t export, int fd, const struct gsetattr *sa) MUST_CHECK;
int gofer_fsetxattr(struct gofer *g, uint32_t export, int fd, const char *name, const void *value, size_t size,
		    int flags) MUST_CHECK;

#endif
