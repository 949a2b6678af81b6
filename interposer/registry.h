/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - how a running sandbox is found and spoken to: a record and a socket of its front process in a directory that only its user
 * can enter.
 *
 *   .sandbox.control.PID.ID      the record: version, pids, start, name, medium, root, command; each ended by a NUL. flock(2)ed by
 *                                the front process as long as it lives
 *   .sandbox.control.PID.ID.s    its listening socket
 *
 * in /run/sandbox for root, else $XDG_RUNTIME_DIR/sandbox or /run/user/UID/sandbox, else /tmp/sandbox-UID: mode 0700 and ours, or it's not
 * used. ID is random, so a name never comes back. The gofer shows no such name to any program inside.
 */
#ifndef INTERPOSER_REGISTRY_H
#define INTERPOSER_REGISTRY_H

#include "base/base.h"

#include <sys/types.h>

struct registered {
	pid_t front, supervisor; /* as the front process sees them */
	int64_t started;         /* s since the epoch */
	char *name;              /* "" without --name */
	char *medium, *root, *command;
	char file[64];   /* of the record */
	unsigned dir;    /* internal: which directory */
	char *fields[8]; /* internal */
};

struct registration {
	int dirfd, lockfd;
	int listener; /* non-blocking; peers are checked with registry_peer_ok() */
	char file[64];
};
#define REGISTRATION_INIT ((struct registration){.dirfd = -1, .lockfd = -1, .listener = -1})
/* argv: the command. Clears what dead sandboxes left, too. 0 or -errno, -EPERM if the directory isn't safe. */
int registry_add(struct registration *r, pid_t supervisor, const char *name, const char *medium, const char *root,
		 char *const *argv) MUST_CHECK;
/* Also after a failure. */
void registry_remove(struct registration *r);
/* The other end of a connection is of our own user. */
bool registry_peer_ok(int sock);

/* Those that live, in order of their start. Freed by registry_free(). 0 or -errno. */
int registry_list(struct registered **out, size_t *n) MUST_CHECK;
void registry_free(struct registered *list, size_t n);
/* A connection to its front process. Descriptor or -errno. */
int registry_connect(const struct registered *r) MUST_CHECK;
/* Removes what dead sandboxes left: how many. */
int registry_gc(void);

#endif
