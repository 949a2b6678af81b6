/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_limit.c - resource limits. RLIMIT_LOCKS carries our record's id and RLIMIT_CORE is really 1: the program's view of both is virtual.
 */
#include "kernel/syscall.h"

#include "kernel/cred.h"

#include <linux/capability.h>
#include <sys/resource.h>

#define N_LIMITS 16

static uint64_t *virtual_limit(struct record *r, uint32_t resource)
{
	if (resource == RLIMIT_LOCKS)
		return r->rlim_locks;
	return resource == RLIMIT_CORE ? r->rlim_core : NULL;
}

/* check_prlimit_permission() */
static bool may_prlimit(const struct cred *c, const struct cred *t)
{
	return (c->uid == t->euid && c->uid == t->suid && c->uid == t->uid && c->gid == t->egid && c->gid == t->sgid &&
		c->gid == t->gid) ||
	       cred_capable(c, CAP_SYS_RESOURCE);
}

static int set_own_virtual(struct call *c, uint32_t resource, const uint64_t next[2], uint64_t old[2])
{
	struct record *draft;
	uint64_t *limit;
	int err = 0;

	draft = call_change(c, &err);
	if (!draft)
		return err;
	limit = virtual_limit(draft, resource);
	if (next[1] > limit[1] && !cred_capable(draft->cred, CAP_SYS_RESOURCE)) {
		call_abandon(draft);
		return -EPERM;
	}
	old[0] = limit[0];
	old[1] = limit[1];
	limit[0] = next[0];
	limit[1] = next[1];
	return call_commit(c, draft, false);
}

/* pid 0: the caller. next may be NULL. */
static int limit_common(struct call *c, pid_t pid, uint32_t resource, const uint64_t *next, uint64_t old[2])
{
	struct record *target;
	const uint64_t *limit;
	int r = 0;

	if (resource >= N_LIMITS)
		return -EINVAL;
	if (next && next[0] > next[1])
		return -EINVAL;
	if (pid == vfs_tgid(&c->ctx) || pid == vfs_tid(&c->ctx))
		pid = 0;
	if (!pid) {
		limit = virtual_limit(c->rec, resource);
		if (!limit)
			return c->ops->rlimit(c, 0, (int)resource, next, old);
		if (next)
			return set_own_virtual(c, resource, next, old);
		old[0] = limit[0];
		old[1] = limit[1];
		return 0;
	}
	target = c->ops->record_of(c, pid);
	if (!target)
		return -ESRCH;
	limit = virtual_limit(target, resource);
	/* Init and what joins aren't the program's: a limit of processor time would end them, and the sandbox. */
	if (!may_prlimit(c->rec->cred, target->cred) || (next && !target->exe)) {
		r = -EPERM;
	} else if (!limit) {
		r = c->ops->rlimit(c, pid, (int)resource, next, old);
	} else {
		old[0] = limit[0];
		old[1] = limit[1];
		/* The state of another process can't be changed without a race against its own calls. */
		if (next && (next[0] != old[0] || next[1] != old[1]))
			r = -EPERM;
	}
	record_put(target);
	return r;
}

int64_t sys_getrlimit(struct call *c)
{
	uint64_t old[2] = {0, 0};
	int r = limit_common(c, 0, arg_u32(c, 0), NULL, old);

	return r < 0 ? r : c->ops->write(c, c->args[1], old, sizeof(old));
}

int64_t sys_setrlimit(struct call *c)
{
	uint64_t next[2], old[2];
	int r = c->ops->read(c, c->args[1], next, sizeof(next));

	return r < 0 ? r : limit_common(c, 0, arg_u32(c, 0), next, old);
}

int64_t sys_prlimit64(struct call *c)
{
	uint64_t next[2], old[2] = {0, 0};
	int r;

	if (arg_int(c, 0) < 0)
		return -ESRCH;
	if (c->args[2]) {
		r = c->ops->read(c, c->args[2], next, sizeof(next));
		if (r < 0)
			return r;
	}
	r = limit_common(c, arg_int(c, 0), arg_u32(c, 1), c->args[2] ? next : NULL, old);
	if (r < 0 || !c->args[3])
		return r;
	return c->ops->write(c, c->args[3], old, sizeof(old));
}
