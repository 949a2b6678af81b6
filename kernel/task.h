/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.h - state of a process that the host kernel can't keep for us.
 *
 * A record is immutable and interned: two processes in the same state share one. Its id stands in the process's RLIMIT_LOCKS (soft value),
 * which Linux copies on fork, atomically, and doesn't otherwise use (2.4 and later). So a child has its parent's state without a call of ours.
 * Ids are never reused. A change makes a new record and stores its id; changes are serialised by task_lock().
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include "base/base.h"
#include "vfs/vfs.h"

#include <pthread.h>
#include <stdatomic.h>

struct cred {
	uid_t uid, euid, suid, fsuid;
	gid_t gid, egid, sgid, fsgid;
	uint64_t inheritable, permitted, effective, bounding, ambient;
	uint32_t securebits;
	bool no_new_privs, keep_caps;
	int ngroups;
	gid_t groups[]; /* sorted */
};

/* An execve that was let through and has not checked in yet. Owns its descriptors. */
struct pending_exec;
/* What a process runs. */
struct exe {
	struct path path;
	char *cmdline_prefix; /* see vfs_task_info */
	size_t cmdline_prefix_len;
};

struct record {
	atomic_uint refs;
	uint64_t id;
	struct cred *cred;     /* owned */
	struct vfs_cred vcred; /* fsuid, fsgid, effective of cred, borrowed groups */
	struct path cwd, root;
	mode_t umask;
	/* Owned. NULL: none yet; then the process is init or one of its children before their first exec, and its memory is a copy of the sandbox's
	 * own, which no program may look into. */
	struct exe *exe;
	struct pending_exec *pending; /* referenced, may be NULL */
	bool dumpable;
	uint64_t rlim_locks[2], rlim_core[2]; /* as the program sees them */
};

void task_init(void);
/* Draft for a change: a private copy of old (NULL: zeros), to be edited and given to record_intern(), or freed by record_free_draft(). */
struct record *record_draft(const struct record *old) MUST_CHECK;
void record_free_draft(struct record *draft);
/* The interned record equal to draft, referenced; draft is consumed. NULL: no memory. */
struct record *record_intern(struct record *draft) MUST_CHECK;
/* Referenced, or NULL for an id that no record has. */
struct record *record_find(uint64_t id);
void record_get(struct record *r);
void record_put(struct record *r);
/* Serialises changes of process state: two threads of one process that both change something. Taken by the handler around
 * "read the present record, draft, intern, set_record". */
void task_lock(void);
void task_unlock(void);
/* Under task_lock(): drops the records that no process refers to. each calls mark for the id of every live process. */
void record_collect(void (*each)(void (*mark)(uint64_t id, void *arg), void *arg));
/* How many records there are: collect when it has doubled since the last collection. */
size_t record_count(void);

struct cred *cred_dup(const struct cred *c) MUST_CHECK;
bool cred_capable(const struct cred *c, int cap);

/* What /proc shows of a process in state r (struct vfs_proc_ops.task_info): paths referenced, groups and prefix borrowed from r, whose
 * reference goes into info->rec. Dropped by task_info_release(). */
void task_info_fill(struct record *r, struct vfs_task_info *info);
void task_info_release(struct vfs_task_info *info);
/* PTRACE_MODE_READ_FSCREDS of who (a vfs_ctx's credentials) over a process in state t. */
bool task_may_inspect(const struct vfs_cred *who, const struct record *t);

#endif
