/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_info.c - a record as /proc shows it. The one who knows the processes (interposer) finds the record by pid.
 */
#include "kernel/pending.h"
#include "kernel/task.h"

#include <linux/capability.h>

void task_info_fill(struct record *r, struct vfs_task_info *info)
{
	const struct cred *c = r->cred;

	record_get(r);
	*info = (struct vfs_task_info){
	    .uid = c->uid,
	    .euid = c->euid,
	    .suid = c->suid,
	    .fsuid = c->fsuid,
	    .gid = c->gid,
	    .egid = c->egid,
	    .sgid = c->sgid,
	    .fsgid = c->fsgid,
	    .ngroups = c->ngroups,
	    .groups = c->groups,
	    .cap_inh = c->inheritable,
	    .cap_prm = c->permitted,
	    .cap_eff = c->effective,
	    .cap_bnd = c->bounding,
	    .cap_amb = c->ambient,
	    .no_new_privs = c->no_new_privs,
	    .umask = r->umask,
	    .cwd = r->cwd,
	    .root = r->root,
	    .rec = r,
	};
	path_get(&info->cwd);
	path_get(&info->root);
	if (!r->exe)
		return;
	info->exe = r->exe->path;
	path_get(&info->exe);
	info->cmdline_prefix = r->exe->cmdline_prefix;
	info->cmdline_prefix_len = r->exe->cmdline_prefix_len;
}

void task_info_release(struct vfs_task_info *info)
{
	path_put(&info->cwd);
	path_put(&info->root);
	path_put(&info->exe);
	record_put(info->rec);
	info->rec = NULL;
}

bool task_may_inspect(const struct vfs_cred *who, const struct record *t)
{
	const struct cred *c = t->cred;

	if (vfs_capable(who, CAP_SYS_PTRACE))
		return true;
	/* Its memory may be that of the new program already, while the credentials are still the old one's until the check-in. */
	if (t->pending && t->pending->private_)
		return false;
	return who->uid == c->uid && who->uid == c->euid && who->uid == c->suid && who->gid == c->gid &&
	       who->gid == c->egid && who->gid == c->sgid && t->dumpable && !pending_guards(t->pending) &&
	       !(c->permitted & ~who->caps);
}
