/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pending.h - an execve that was let through and has not checked in yet.
 *
 * Shared by the records that carry it (a fork between execve and check-in copies the record's id), used at most once: the
 * descriptors are taken out at check-in. pending_count() bounds the descriptors that forged or failed execs can hold.
 */
#ifndef KERNEL_PENDING_H
#define KERNEL_PENDING_H

#include "base/base.h"
#include "kernel/exec.h"
#include "vfs/vfs.h"

#include <linux/limits.h>
#include <stdatomic.h>

struct pending_exec {
	atomic_uint refs;
	pid_t tgid;            /* who called execve, in the tracees' numbering */
	int exe_fd, interp_fd; /* guarded by task_lock(); -1 when taken */
	bool used;             /* guarded by task_lock() */
	bool private_;         /* honour the check-in only from stub_ino */
	bool traced;           /* somebody traced the caller: no privilege, however the check-in finds it */
	bool copied;           /* a copy of the program runs instead of the stub: no check-in, see exec_settle() */
	uint64_t stub_ino;     /* or the copy's */
	struct path path;      /* of the executable that gets loaded */
	uint32_t mode;         /* of it, with the set-id bits that the mount lets count */
	uid_t uid;
	gid_t gid;
	bool readable; /* else the process isn't dumpable */
	bool exec_stack;
	bool script;
	unsigned n_prefix;
	size_t prefix_len;
	char *prefix; /* n_prefix words, NUL separated */
	char name[];  /* the literal string of the call */
};

/* refs 1, descriptors -1. NULL: no memory, or too many are under way. */
struct pending_exec *pending_new(const char *name) MUST_CHECK;
void pending_get(struct pending_exec *p);
void pending_put(struct pending_exec *p);
/* Under task_lock(): closes the descriptors and makes it useless. */
void pending_cancel(struct pending_exec *p);
unsigned pending_count(void);
/*
 * An exec whose check-in gives or hides something: until then the process is as little its old user's to look into as afterwards. Who
 * could change its memory or registers before the stub checks in would own what comes after.
 */
static inline bool pending_guards(const struct pending_exec *p)
{
	return p && p->private_;
}

#endif
