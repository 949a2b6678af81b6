/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_prctl.c - the options of prctl(2) that are virtual. Harmless ones pass in the filter; what neither knows is EINVAL.
 */
#include "kernel/syscall.h"

#include "kernel/cred.h"

#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

enum change { KEEPCAPS, SECUREBITS, CAPBSET, AMBIENT };

static int64_t change_cred(struct call *c, enum change what, uint64_t a, uint64_t b)
{
	struct record *draft;
	int err = 0;

	draft = call_change(c, &err);
	if (!draft)
		return err;
	switch (what) {
	case KEEPCAPS:
		err = cred_keepcaps(draft->cred, a);
		break;
	case SECUREBITS:
		err = cred_securebits(draft->cred, a);
		break;
	case CAPBSET:
		err = cred_bset_drop(draft->cred, a);
		break;
	case AMBIENT:
		err = cred_ambient(draft->cred, a, b);
		break;
	}
	if (err < 0) {
		call_abandon(draft);
		return err;
	}
	return call_commit(c, draft, true);
}

static int64_t set_dumpable(struct call *c, uint64_t value)
{
	struct record *draft;
	int err = 0;

	if (value > 1)
		return -EINVAL;
	draft = call_change(c, &err);
	if (!draft)
		return err;
	draft->dumpable = value;
	return call_commit(c, draft, false);
}

static int64_t set_no_new_privs(struct call *c)
{
	struct record *draft;
	int err = 0;

	if (c->args[1] != 1 || c->args[2] || c->args[3] || c->args[4])
		return -EINVAL;
	draft = call_change(c, &err);
	if (!draft)
		return err;
	draft->cred->no_new_privs = true;
	return call_commit(c, draft, false);
}

static int64_t ambient(struct call *c)
{
	if (c->args[1] == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (c->args[2] || c->args[3] || c->args[4])
			return -EINVAL;
	} else if (c->args[2] > CAP_CHECKPOINT_RESTORE || c->args[3] || c->args[4]) {
		return -EINVAL;
	}
	if (c->args[1] == PR_CAP_AMBIENT_IS_SET)
		return !!(c->rec->cred->ambient & CAP_BIT(c->args[2]));
	return change_cred(c, AMBIENT, c->args[1], c->args[2]);
}

int64_t sys_prctl(struct call *c)
{
	const struct cred *cr = c->rec->cred;

	switch (arg_u32(c, 0)) {
	case PR_GET_DUMPABLE:
		return c->rec->dumpable;
	case PR_SET_DUMPABLE:
		return set_dumpable(c, c->args[1]);
	case PR_GET_KEEPCAPS:
		return cr->keep_caps;
	case PR_SET_KEEPCAPS:
		return change_cred(c, KEEPCAPS, c->args[1], 0);
	case PR_GET_SECUREBITS:
		return cr->securebits;
	case PR_SET_SECUREBITS:
		return change_cred(c, SECUREBITS, c->args[1], 0);
	case PR_CAPBSET_READ:
		if (c->args[1] > CAP_CHECKPOINT_RESTORE)
			return -EINVAL;
		return !!(cr->bounding & CAP_BIT(c->args[1]));
	case PR_CAPBSET_DROP:
		return change_cred(c, CAPBSET, c->args[1], 0);
	case PR_CAP_AMBIENT:
		return ambient(c);
	case PR_GET_NO_NEW_PRIVS:
		if (c->args[1] || c->args[2] || c->args[3] || c->args[4])
			return -EINVAL;
		return cr->no_new_privs;
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privs(c);
	case PR_SET_SECCOMP:
		return c->args[1] == SECCOMP_MODE_FILTER ? seccomp_may_filter(c) : CALL_CONTINUE;
	case PR_SET_MM:
		return -EPERM;
	default:
		/* PR_GET_AUXV too: the stub's vector isn't the program's. */
		return -EINVAL;
	}
}
