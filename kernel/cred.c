/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cred.c - Linux's credential arithmetic (kernel/sys.c, security/commoncap.c, kernel/cred.c), so that root inside behaves as
 * root does although the host sees one ordinary user.
 */
#include "kernel/cred.h"

#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <string.h>

#define UID_NONE ((uid_t)-1)
#define GID_NONE ((gid_t)-1)
/* CAP_FS_SET and CAP_NFSD_SET's common part, as cap_raise_fs_set() has it. */
#define CAP_FS_BITS                                                                                           \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) | \
	 CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_LINUX_IMMUTABLE) | CAP_BIT(CAP_MAC_OVERRIDE))

struct cred *cred_dup(const struct cred *c)
{
	size_t size = sizeof(*c) + (size_t)c->ngroups * sizeof(gid_t);
	struct cred *n = malloc(size);

	if (n)
		memcpy(n, c, size);
	return n;
}

bool cred_capable(const struct cred *c, int cap)
{
	return c->effective & CAP_BIT(cap);
}

static bool secure_bit(const struct cred *c, int bit)
{
	return c->securebits & (1U << bit);
}

static void drop_after_uid_change(struct cred *c, const struct cred *old)
{
	if (secure_bit(c, SECURE_NO_SETUID_FIXUP))
		return;
	if ((old->uid == 0 || old->euid == 0 || old->suid == 0) && c->uid != 0 && c->euid != 0 && c->suid != 0) {
		if (!secure_bit(c, SECURE_KEEP_CAPS))
			c->permitted = c->effective = 0;
		/* Programs older than ambient capabilities expect this step to drop all at the next exec. */
		c->ambient = 0;
	}
	if (old->euid == 0 && c->euid != 0)
		c->effective = 0;
	if (old->euid != 0 && c->euid == 0)
		c->effective = c->permitted;
}

int cred_setuid(struct cred *c, uid_t uid)
{
	const struct cred old = *c;

	if (uid == UID_NONE)
		return -EINVAL;
	if (cred_capable(c, CAP_SETUID))
		c->uid = c->suid = uid;
	else if (uid != c->uid && uid != c->suid)
		return -EPERM;
	c->euid = c->fsuid = uid;
	drop_after_uid_change(c, &old);
	return 0;
}

int cred_setreuid(struct cred *c, uid_t r, uid_t e)
{
	const struct cred old = *c;
	bool cap = cred_capable(c, CAP_SETUID);

	if (r != UID_NONE && r != old.uid && r != old.euid && !cap)
		return -EPERM;
	if (e != UID_NONE && e != old.uid && e != old.euid && e != old.suid && !cap)
		return -EPERM;
	if (r != UID_NONE)
		c->uid = r;
	if (e != UID_NONE)
		c->euid = e;
	if (r != UID_NONE || (e != UID_NONE && e != old.uid))
		c->suid = c->euid;
	c->fsuid = c->euid;
	drop_after_uid_change(c, &old);
	return 0;
}

static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == (uint32_t)-1 || id == a || id == b || id == c;
}

int cred_setresuid(struct cred *c, uid_t r, uid_t e, uid_t s)
{
	const struct cred old = *c;

	/* No change leaves a different fsuid alone. */
	if ((r == UID_NONE || r == c->uid) && (e == UID_NONE || (e == c->euid && e == c->fsuid)) &&
	    (s == UID_NONE || s == c->suid))
		return 0;
	if (!cred_capable(c, CAP_SETUID) && !(one_of(r, c->uid, c->euid, c->suid) && one_of(e, c->uid, c->euid, c->suid) &&
					      one_of(s, c->uid, c->euid, c->suid)))
		return -EPERM;
	if (r != UID_NONE)
		c->uid = r;
	if (e != UID_NONE)
		c->euid = e;
	if (s != UID_NONE)
		c->suid = s;
	c->fsuid = c->euid;
	drop_after_uid_change(c, &old);
	return 0;
}

int cred_setgid(struct cred *c, gid_t gid)
{
	if (gid == GID_NONE)
		return -EINVAL;
	if (cred_capable(c, CAP_SETGID))
		c->gid = c->sgid = gid;
	else if (gid != c->gid && gid != c->sgid)
		return -EPERM;
	c->egid = c->fsgid = gid;
	return 0;
}

int cred_setregid(struct cred *c, gid_t r, gid_t e)
{
	const struct cred old = *c;
	bool cap = cred_capable(c, CAP_SETGID);

	if (r != GID_NONE && r != old.gid && r != old.egid && !cap)
		return -EPERM;
	if (e != GID_NONE && e != old.gid && e != old.egid && e != old.sgid && !cap)
		return -EPERM;
	if (r != GID_NONE)
		c->gid = r;
	if (e != GID_NONE)
		c->egid = e;
	if (r != GID_NONE || (e != GID_NONE && e != old.gid))
		c->sgid = c->egid;
	c->fsgid = c->egid;
	return 0;
}

int cred_setresgid(struct cred *c, gid_t r, gid_t e, gid_t s)
{
	if ((r == GID_NONE || r == c->gid) && (e == GID_NONE || (e == c->egid && e == c->fsgid)) &&
	    (s == GID_NONE || s == c->sgid))
		return 0;
	if (!cred_capable(c, CAP_SETGID) && !(one_of(r, c->gid, c->egid, c->sgid) && one_of(e, c->gid, c->egid, c->sgid) &&
					      one_of(s, c->gid, c->egid, c->sgid)))
		return -EPERM;
	if (r != GID_NONE)
		c->gid = r;
	if (e != GID_NONE)
		c->egid = e;
	if (s != GID_NONE)
		c->sgid = s;
	c->fsgid = c->egid;
	return 0;
}

bool cred_setfsuid(struct cred *c, uid_t uid)
{
	uid_t old = c->fsuid;

	if (uid == UID_NONE ||
	    (uid != c->uid && uid != c->euid && uid != c->suid && uid != c->fsuid && !cred_capable(c, CAP_SETUID)))
		return false;
	c->fsuid = uid;
	if (!secure_bit(c, SECURE_NO_SETUID_FIXUP)) {
		if (old == 0 && uid != 0)
			c->effective &= ~CAP_FS_BITS;
		if (old != 0 && uid == 0)
			c->effective |= c->permitted & CAP_FS_BITS;
	}
	return true;
}

bool cred_setfsgid(struct cred *c, gid_t gid)
{
	if (gid == GID_NONE ||
	    (gid != c->gid && gid != c->egid && gid != c->sgid && gid != c->fsgid && !cred_capable(c, CAP_SETGID)))
		return false;
	c->fsgid = gid;
	return true;
}

int cred_capset(struct cred *c, uint64_t eff, uint64_t prm, uint64_t inh)
{
	eff &= CAP_ALL_VALID;
	prm &= CAP_ALL_VALID;
	inh &= CAP_ALL_VALID;
	if (!cred_capable(c, CAP_SETPCAP) && (inh & ~(c->inheritable | c->permitted)))
		return -EPERM;
	if ((inh & ~(c->inheritable | c->bounding)) || (prm & ~c->permitted) || (eff & ~prm))
		return -EPERM;
	c->effective = eff;
	c->permitted = prm;
	c->inheritable = inh;
	c->ambient &= prm & inh;
	return 0;
}

int cred_securebits(struct cred *c, unsigned long bits)
{
	unsigned long old = c->securebits, locks = SECURE_ALL_LOCKS | 0xa00, all = SECURE_ALL_BITS | 0x500;
	unsigned long unprivileged = 0xf00; /* SECBIT_EXEC_RESTRICT_FILE, DENY_INTERACTIVE and their locks: 6.14 */

	if ((((old & locks) >> 1) & (old ^ bits)) || (old & locks & ~bits) || (bits & ~(locks | all)))
		return -EPERM;
	if (!cred_capable(c, CAP_SETPCAP) && ((old ^ bits) & ~unprivileged))
		return -EPERM;
	c->securebits = (uint32_t)bits;
	c->keep_caps = secure_bit(c, SECURE_KEEP_CAPS);
	return 0;
}

int cred_keepcaps(struct cred *c, unsigned long on)
{
	if (on > 1)
		return -EINVAL;
	if (secure_bit(c, SECURE_KEEP_CAPS_LOCKED))
		return -EPERM;
	if (on)
		c->securebits |= 1U << SECURE_KEEP_CAPS;
	else
		c->securebits &= ~(1U << SECURE_KEEP_CAPS);
	c->keep_caps = on;
	return 0;
}

int cred_bset_drop(struct cred *c, unsigned long cap)
{
	if (!cred_capable(c, CAP_SETPCAP))
		return -EPERM;
	if (cap > CAP_CHECKPOINT_RESTORE)
		return -EINVAL;
	c->bounding &= ~CAP_BIT(cap);
	return 0;
}

int cred_ambient(struct cred *c, unsigned long op, unsigned long cap)
{
	if (op == PR_CAP_AMBIENT_CLEAR_ALL) {
		if (cap)
			return -EINVAL;
		c->ambient = 0;
		return 0;
	}
	if (cap > CAP_CHECKPOINT_RESTORE)
		return -EINVAL;
	switch (op) {
	case PR_CAP_AMBIENT_RAISE:
		if (!(c->permitted & c->inheritable & CAP_BIT(cap)) || secure_bit(c, SECURE_NO_CAP_AMBIENT_RAISE))
			return -EPERM;
		c->ambient |= CAP_BIT(cap);
		return 0;
	case PR_CAP_AMBIENT_LOWER:
		c->ambient &= ~CAP_BIT(cap);
		return 0;
	default:
		return -EINVAL;
	}
}

static bool in_group(const struct cred *c, gid_t gid)
{
	int lo = 0, hi = c->ngroups;

	if (gid == c->egid)
		return true;
	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (c->groups[mid] == gid)
			return true;
		if (c->groups[mid] < gid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

/* cap_bprm_creds_from_file() without file capabilities: security.capability is stored but gives nothing. */
bool cred_exec(struct cred *c, uint32_t mode, uid_t uid, gid_t gid, bool traced)
{
	const struct cred old = *c;
	bool effective = false, id_changed, secure;
	uid_t euid = c->euid;
	gid_t egid = c->egid;

	if (!c->no_new_privs) {
		if (mode & S_ISUID)
			euid = uid;
		if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
			egid = gid;
	}
	id_changed = euid != old.euid || !(egid == old.egid || in_group(c, egid));
	c->euid = euid;
	c->egid = egid;
	c->permitted = 0;
	if (!secure_bit(c, SECURE_NOROOT)) {
		if (c->euid == 0 || c->uid == 0)
			c->permitted = c->bounding | c->inheritable;
		effective = c->euid == 0;
	}
	if ((id_changed || (c->permitted & ~old.permitted)) && (traced || c->no_new_privs)) {
		if (c->no_new_privs || !(old.effective & CAP_BIT(CAP_SETUID))) {
			c->euid = c->uid;
			c->egid = c->gid;
		}
		c->permitted &= old.permitted;
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (id_changed)
		c->ambient = 0;
	c->permitted |= c->ambient;
	c->effective = effective ? c->permitted : c->ambient;
	c->securebits &= ~(1U << SECURE_KEEP_CAPS);
	c->keep_caps = false;
	secure = id_changed || c->euid != old.uid || c->egid != old.gid ||
		 (c->uid != 0 && (effective || (c->permitted & ~c->ambient)));
	return secure;
}

bool cred_undumpable(const struct cred *old, const struct cred *new_)
{
	return old->euid != new_->euid || old->egid != new_->egid || old->fsuid != new_->fsuid ||
	       old->fsgid != new_->fsgid || (new_->permitted & ~old->permitted);
}

bool cred_may_kill(const struct cred *c, const struct cred *t)
{
	return c->euid == t->suid || c->euid == t->uid || c->uid == t->suid || c->uid == t->uid || cred_capable(c, CAP_KILL);
}

bool cred_may_ptrace(const struct cred *c, const struct cred *t, bool dumpable, bool realcreds)
{
	uid_t u = realcreds ? c->uid : c->fsuid;
	gid_t g = realcreds ? c->gid : c->fsgid;
	uint64_t caps = realcreds ? c->permitted : c->effective;
	bool cap = cred_capable(c, CAP_SYS_PTRACE);

	if (cap)
		return true;
	if (u != t->uid || u != t->euid || u != t->suid || g != t->gid || g != t->egid || g != t->sgid)
		return false;
	return dumpable && !(t->permitted & ~caps);
}

bool cred_may_nice(const struct cred *c, const struct cred *t)
{
	return c->euid == t->euid || c->euid == t->uid || cred_capable(c, CAP_SYS_NICE);
}
