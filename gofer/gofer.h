/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gofer.h - starting the file server. Called by the command in a process of its own.
 */
#ifndef GOFER_GOFER_H
#define GOFER_GOFER_H

#include "base/base.h"

struct gofer_export {
	int rootfd; /* O_PATH descriptor of the export's root, inside a mount tree made by gofer_open_export() */
	bool ro;
};

/*
 * An export's root: a detached clone of the mounts at path (open_tree(2) CLONE|RECURSIVE, or not recursive), nosuid and nodev,
 * and read-only if ro (mount_setattr(2)). Needs CAP_SYS_ADMIN in the mount namespace's owner; the descriptor works anywhere afterwards.
 * A file can be exported as well as a directory. 0 or -errno.
 */
int gofer_open_export(const char *path, bool ro, int *rootfd) MUST_CHECK;

/*
 * Filestores, directories of sandboxes' changed data, are called this and 16 hexadecimal digits. They may lie in what is exported; the server never
 * shows them: their names don't exist and can't be made.
 */
#define GOFER_STORE_PREFIX ".sandbox.filestore."
#define GOFER_STORE_ID_LEN 16
bool gofer_is_store(const char *name, size_t len);
/* What running sandboxes are found by (interposer/registry.h): hidden in the same way, all names that begin so. */
#define GOFER_CONTROL_PREFIX ".sandbox.control."
bool gofer_is_hidden(const char *name, size_t len);

/* The same for a directory, not recursive and writable: one from which no ".." leads out. */
int gofer_open_store(const char *path, int *rootfd) MUST_CHECK;

/*
 * Serves until every connection has ended, then returns. Before the first request it confines itself: empty root (or Landlock
 * where it has no capabilities), only the capabilities that file access needs, no_new_privs, seccomp filter. One thread a connection.
 * All descriptors but the exports', the sockets' and 2 must be closed by the caller. uid_may_chown: set owners of new files.
 */
int gofer_serve(const struct gofer_export *exports, unsigned n_exports, const int *socks, unsigned n_socks);

#endif
