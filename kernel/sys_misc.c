/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_misc.c - calls whose registers alone decide: clone(2), unshare(2), personality(2), seccomp(2) and such.
 */
#include "kernel/syscall.h"

#include "kernel/cred.h"

#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sched.h>

#define CLONE_NEW_BITS \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | 0x80u)

/* CHECK rows that the filter always lets pass: all users of the sandbox are one user of the host and its namespaces bound them. */
int64_t sys_native(struct call *c)
{
	return CALL_CONTINUE;
}

/* Comes here only with flags that the filter refuses. EINVAL for what no program needs, EPERM for namespaces. */
int64_t sys_clone(struct call *c)
{
	uint32_t flags = arg_u32(c, 0);

	if (flags & CLONE_NEW_BITS & ~0xffu)
		return -EPERM;
	if (flags & CLONE_PARENT)
		return -EINVAL;
	/* A process that shares its current directory with another: ours is kept by process. */
	if ((flags & CLONE_FS) && !(flags & (CLONE_THREAD | CLONE_VFORK)))
		return -EPERM;
	return CALL_CONTINUE;
}

int64_t sys_unshare(struct call *c)
{
	if (arg_u32(c, 0) & CLONE_NEW_BITS)
		return -EPERM;
	return (arg_u32(c, 0) & CLONE_FILES) && !c->ops->thread_fds(c) ? -EINVAL : CALL_CONTINUE;
}

int64_t sys_close_range(struct call *c)
{
	return (arg_u32(c, 2) & CLOSE_RANGE_UNSHARE) && !c->ops->thread_fds(c) ? -EINVAL : CALL_CONTINUE;
}

/* Only the filter's list passes: others change how the host resolves paths or maps memory. */
int64_t sys_personality(struct call *c)
{
	uint32_t p = arg_u32(c, 0);

	return p == 0 || p == 0xffffffff || p == 0x0040000 /* ADDR_NO_RANDOMIZE */ ? CALL_CONTINUE : -EINVAL;
}

/* The host name is given at the start; the UTS namespace is owned by a user that no tracee is. */
int64_t sys_names(struct call *c)
{
	return -EPERM;
}

/*
 * seccomp_set_mode_filter(): the real no_new_privs is always set, so it's for us to keep a program from giving a filter of its own to one that
 * gains privilege at exec.
 */
int64_t seccomp_may_filter(const struct call *c)
{
	return c->rec->cred->no_new_privs || cred_capable(c->rec->cred, CAP_SYS_ADMIN) ? CALL_CONTINUE : -EACCES;
}

int64_t sys_seccomp(struct call *c)
{
	if (arg_u32(c, 0) == SECCOMP_SET_MODE_FILTER && (arg_u32(c, 1) & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return -EBUSY; /* as when another listener is there, which is so */
	return arg_u32(c, 0) == SECCOMP_SET_MODE_FILTER ? seccomp_may_filter(c) : CALL_CONTINUE;
}

/* Page cache statistics of a descriptor that the program holds; a directory's are those of an empty one. */
int64_t sys_cachestat(struct call *c)
{
	return CALL_CONTINUE;
}
