/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_cred.c - user and group ids, groups, capabilities: rules in cred.c, state in the process's record.
 */
#include "kernel/syscall.h"

#include "kernel/cred.h"

#include <linux/capability.h>
#include <string.h>

int64_t sys_getuid(struct call *c)
{
	return c->rec->cred->uid;
}

int64_t sys_geteuid(struct call *c)
{
	return c->rec->cred->euid;
}

int64_t sys_getgid(struct call *c)
{
	return c->rec->cred->gid;
}

int64_t sys_getegid(struct call *c)
{
	return c->rec->cred->egid;
}

static int64_t put_three(struct call *c, uint32_t a, uint32_t b, uint32_t d)
{
	uint32_t v[3] = {a, b, d};

	for (int i = 0; i < 3; i++) {
		int r = c->ops->write(c, c->args[i], &v[i], sizeof(v[i]));

		if (r < 0)
			return r;
	}
	return 0;
}

int64_t sys_getresuid(struct call *c)
{
	const struct cred *cr = c->rec->cred;

	return put_three(c, cr->uid, cr->euid, cr->suid);
}

int64_t sys_getresgid(struct call *c)
{
	const struct cred *cr = c->rec->cred;

	return put_three(c, cr->gid, cr->egid, cr->sgid);
}

enum id_call { SETUID, SETREUID, SETRESUID, SETGID, SETREGID, SETRESGID };

static int apply(struct cred *cr, enum id_call which, uint32_t a, uint32_t b, uint32_t d)
{
	switch (which) {
	case SETUID:
		return cred_setuid(cr, a);
	case SETREUID:
		return cred_setreuid(cr, a, b);
	case SETRESUID:
		return cred_setresuid(cr, a, b, d);
	case SETGID:
		return cred_setgid(cr, a);
	case SETREGID:
		return cred_setregid(cr, a, b);
	case SETRESGID:
		return cred_setresgid(cr, a, b, d);
	}
	return -EINVAL;
}

static int64_t change_ids(struct call *c, enum id_call which)
{
	struct record *draft;
	struct cred old;
	int err = 0;

	draft = call_change(c, &err);
	if (!draft)
		return err;
	old = *draft->cred;
	err = apply(draft->cred, which, arg_u32(c, 0), arg_u32(c, 1), arg_u32(c, 2));
	if (err < 0) {
		call_abandon(draft);
		return err;
	}
	if (cred_undumpable(&old, draft->cred))
		draft->dumpable = false;
	return call_commit(c, draft, true);
}

int64_t sys_setuid(struct call *c)
{
	return change_ids(c, SETUID);
}

int64_t sys_setreuid(struct call *c)
{
	return change_ids(c, SETREUID);
}

int64_t sys_setresuid(struct call *c)
{
	return change_ids(c, SETRESUID);
}

int64_t sys_setgid(struct call *c)
{
	return change_ids(c, SETGID);
}

int64_t sys_setregid(struct call *c)
{
	return change_ids(c, SETREGID);
}

int64_t sys_setresgid(struct call *c)
{
	return change_ids(c, SETRESGID);
}

/* The old id in any case; there is no error. */
static int64_t change_fsid(struct call *c, bool group)
{
	uint32_t id = arg_u32(c, 0), old;
	struct record *draft;
	struct cred before;
	int err = 0;
	bool ok;

	draft = call_change(c, &err);
	if (!draft)
		return group ? c->rec->cred->fsgid : c->rec->cred->fsuid;
	before = *draft->cred;
	old = group ? before.fsgid : before.fsuid;
	ok = id != old && (group ? cred_setfsgid(draft->cred, id) : cred_setfsuid(draft->cred, id));
	if (!ok) {
		call_abandon(draft);
		return old;
	}
	if (cred_undumpable(&before, draft->cred))
		draft->dumpable = false;
	/* Without memory or process the id stays what it was, which the program finds out as it would with a refused id. */
	err = call_commit(c, draft, true);
	(void)err;
	return old;
}

int64_t sys_setfsuid(struct call *c)
{
	return change_fsid(c, false);
}

int64_t sys_setfsgid(struct call *c)
{
	return change_fsid(c, true);
}

int64_t sys_getgroups(struct call *c)
{
	const struct cred *cr = c->rec->cred;
	int size = arg_int(c, 0), r;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return cr->ngroups;
	if (cr->ngroups > size)
		return -EINVAL;
	r = cr->ngroups ? c->ops->write(c, c->args[1], cr->groups, (size_t)cr->ngroups * sizeof(gid_t)) : 0;
	return r < 0 ? r : cr->ngroups;
}

static int compare_gid(const void *a, const void *b)
{
	gid_t x = *(const gid_t *)a, y = *(const gid_t *)b;

	return x < y ? -1 : x > y;
}

int64_t sys_setgroups(struct call *c)
{
	uint32_t n = arg_u32(c, 0);
	AUTO_FREE struct cred *next = NULL;
	struct record *draft;
	int err = 0;

	/* Before the size, as may_setgroups() comes first. */
	if (!cred_capable(c->rec->cred, CAP_SETGID))
		return -EPERM;
	if (n > NGROUPS_MAX)
		return -EINVAL;
	next = malloc(sizeof(*next) + n * sizeof(gid_t));
	if (!next)
		return -ENOMEM;
	if (n) {
		err = c->ops->read(c, c->args[1], next->groups, n * sizeof(gid_t));
		if (err < 0)
			return err;
		for (uint32_t i = 0; i < n; i++)
			if (next->groups[i] == (gid_t)-1)
				return -EINVAL;
		qsort(next->groups, n, sizeof(gid_t), compare_gid);
	}
	draft = call_change(c, &err);
	if (!draft)
		return err;
	if (!cred_capable(draft->cred, CAP_SETGID)) {
		call_abandon(draft);
		return -EPERM;
	}
	memcpy(next, draft->cred, offsetof(struct cred, groups));
	next->ngroups = (int)n;
	free(draft->cred);
	draft->cred = take_ptr(next);
	return call_commit(c, draft, true);
}

/* Number of 32-bit groups of the version, or -EINVAL after telling the program which version we speak. */
static int cap_words(struct call *c)
{
	uint32_t version;
	uint32_t speak = _LINUX_CAPABILITY_VERSION_3;
	int r = c->ops->read(c, c->args[0], &version, sizeof(version));

	if (r < 0)
		return r;
	switch (version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return 1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return 2;
	}
	r = c->ops->write(c, c->args[0], &speak, sizeof(speak));
	return r < 0 ? r : -EINVAL;
}

static int cap_pid(struct call *c, uint32_t *pid)
{
	return c->ops->read(c, c->args[0] + offsetof(struct __user_cap_header_struct, pid), pid, sizeof(*pid));
}

int64_t sys_capget(struct call *c)
{
	struct __user_cap_data_struct d[2];
	struct record *target = NULL;
	const struct cred *cr = c->rec->cred;
	uint32_t pid = 0;
	int words = cap_words(c), r;

	if (words < 0 || !c->args[1])
		return !c->args[1] && (words == -EINVAL || words > 0) ? 0 : words;
	r = cap_pid(c, &pid);
	if (r < 0)
		return r;
	if ((int)pid < 0)
		return -EINVAL;
	if (pid && (pid_t)pid != vfs_tgid(&c->ctx) && (pid_t)pid != vfs_tid(&c->ctx)) {
		target = c->ops->record_of(c, (pid_t)pid);
		if (!target)
			return -ESRCH;
		cr = target->cred;
	}
	for (int i = 0; i < 2; i++) {
		d[i].effective = (uint32_t)(cr->effective >> (32 * i));
		d[i].permitted = (uint32_t)(cr->permitted >> (32 * i));
		d[i].inheritable = (uint32_t)(cr->inheritable >> (32 * i));
	}
	r = c->ops->write(c, c->args[1], d, (size_t)words * sizeof(d[0]));
	record_put(target);
	return r;
}

int64_t sys_capset(struct call *c)
{
	struct __user_cap_data_struct d[2] = {{0, 0, 0}, {0, 0, 0}};
	struct record *draft;
	struct cred old;
	uint32_t pid = 0;
	int words = cap_words(c), err;

	if (words < 0)
		return words;
	err = cap_pid(c, &pid);
	if (err < 0)
		return err;
	if (pid && (pid_t)pid != vfs_tid(&c->ctx))
		return -EPERM;
	err = c->ops->read(c, c->args[1], d, (size_t)words * sizeof(d[0]));
	if (err < 0)
		return err;
	draft = call_change(c, &err);
	if (!draft)
		return err;
	old = *draft->cred;
	err = cred_capset(draft->cred, d[0].effective | (uint64_t)d[1].effective << 32,
			  d[0].permitted | (uint64_t)d[1].permitted << 32,
			  d[0].inheritable | (uint64_t)d[1].inheritable << 32);
	if (err < 0) {
		call_abandon(draft);
		return err;
	}
	if (cred_undumpable(&old, draft->cred))
		draft->dumpable = false;
	return call_commit(c, draft, true);
}
