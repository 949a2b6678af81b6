/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cred.h - Linux's rules for changing credentials, on a struct cred. Pure functions: no lock, no tracee.
 * They follow kernel/sys.c and security/commoncap.c of Linux 6.18. Each edits *c, which the caller owns; on error it is unchanged.
 */
#ifndef KERNEL_CRED_H
#define KERNEL_CRED_H

#include "kernel/task.h"

#define CAP_ALL_VALID ((UINT64_C(1) << 41) - 1) /* CAP_CHECKPOINT_RESTORE is the last */

int cred_setuid(struct cred *c, uid_t uid) MUST_CHECK;
int cred_setreuid(struct cred *c, uid_t r, uid_t e) MUST_CHECK;
int cred_setresuid(struct cred *c, uid_t r, uid_t e, uid_t s) MUST_CHECK;
int cred_setgid(struct cred *c, gid_t gid) MUST_CHECK;
int cred_setregid(struct cred *c, gid_t r, gid_t e) MUST_CHECK;
int cred_setresgid(struct cred *c, gid_t r, gid_t e, gid_t s) MUST_CHECK;
/* Whether the id was one that may be set; the call itself returns the old one in any case. */
bool cred_setfsuid(struct cred *c, uid_t uid);
bool cred_setfsgid(struct cred *c, gid_t gid);
int cred_capset(struct cred *c, uint64_t eff, uint64_t prm, uint64_t inh) MUST_CHECK;
int cred_securebits(struct cred *c, unsigned long bits) MUST_CHECK;
int cred_keepcaps(struct cred *c, unsigned long on) MUST_CHECK;
int cred_bset_drop(struct cred *c, unsigned long cap) MUST_CHECK;
int cred_ambient(struct cred *c, unsigned long op, unsigned long cap) MUST_CHECK;
/* execve(2) of a file with that mode and owner. traced: by someone who could not trace the result. Returns AT_SECURE. */
bool cred_exec(struct cred *c, uint32_t mode, uid_t uid, gid_t gid, bool traced);
/* Does the change make the process undumpable (commit_creds())? */
bool cred_undumpable(const struct cred *old, const struct cred *new_);
/* kill(2): may c signal a process of t? SIGCONT's exception is the caller's. */
bool cred_may_kill(const struct cred *c, const struct cred *t);
/* ptrace_may_access(); attach: PTRACE_MODE_*_REALCREDS, else FSCREDS. dumpable: the target's. */
bool cred_may_ptrace(const struct cred *c, const struct cred *t, bool dumpable, bool realcreds);
/* sched_setscheduler(2) and its like: same owner or CAP_SYS_NICE. */
bool cred_may_nice(const struct cred *c, const struct cred *t);

#endif
