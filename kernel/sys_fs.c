/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_fs.c - current directory, root, umask; statfs(2); sync(2).
 */
#include "kernel/syscall.h"

#include <linux/capability.h>

/* p's reference is consumed. which: offset of the path in struct record. */
static int change_path(struct call *c, struct path *p, size_t which)
{
	struct record *draft;
	struct path *at;
	int err = 0;

	draft = call_change(c, &err);
	if (!draft)
		return err;
	at = (struct path *)((char *)draft + which);
	path_put(at);
	*at = *p;
	*p = (struct path){0};
	return call_commit(c, draft, false);
}

static int chdir_path(struct call *c, struct path *p, size_t which)
{
	int r = vfs_may_chdir(&c->ctx, p);

	return r < 0 ? r : change_path(c, p, which);
}

/* Argument 0, a path. The caller drops *p. */
static int resolve_arg(struct call *c, struct path *p)
{
	char name[PATH_MAX];
	ssize_t n = call_path(c, 0, name);

	return n < 0 ? (int)n : vfs_resolve(&c->ctx, NULL, name, 0, p);
}

int64_t sys_chdir(struct call *c)
{
	AUTO_PATH struct path p = {0};
	int r = resolve_arg(c, &p);

	return r < 0 ? r : chdir_path(c, &p, offsetof(struct record, cwd));
}

int64_t sys_fchdir(struct call *c)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_PATH struct path p = {0};
	AUTO_CLOSE int fd = -1;
	int r = call_file(c, 0, &f, &fd);

	if (r < 0)
		return r;
	if (f.kind != VF_DIR || !f.path.dentry)
		return -ENOTDIR;
	p = f.path;
	path_get(&p);
	return chdir_path(c, &p, offsetof(struct record, cwd));
}

int64_t sys_chroot(struct call *c)
{
	AUTO_PATH struct path p = {0};
	int r = resolve_arg(c, &p);

	if (r < 0)
		return r;
	r = vfs_may_chdir(&c->ctx, &p);
	if (r < 0)
		return r;
	if (!cred_capable(c->rec->cred, CAP_SYS_CHROOT))
		return -EPERM;
	return change_path(c, &p, offsetof(struct record, root));
}

int64_t sys_getcwd(struct call *c)
{
	char buf[PATH_MAX];
	int n, r;

	n = vfs_getpath(&c->ctx, &c->rec->cwd, buf, sizeof(buf));
	if (n == -ERANGE)
		return -ENAMETOOLONG;
	if (n < 0)
		return n;
	if ((uint64_t)n > c->args[1])
		return -ERANGE;
	r = c->ops->write(c, c->args[0], buf, (size_t)n);
	return r < 0 ? r : n;
}

int64_t sys_umask(struct call *c)
{
	mode_t mask = arg_u32(c, 0) & 0777, old;
	struct record *draft;
	int err = 0;

	draft = call_change(c, &err);
	if (!draft)
		return err;
	old = draft->umask;
	if (old == mask) {
		call_abandon(draft);
		return old;
	}
	draft->umask = mask;
	err = call_commit(c, draft, false);
	return err < 0 ? err : (int64_t)old;
}

int64_t sys_statfs(struct call *c)
{
	AUTO_PATH struct path p = {0};
	char name[PATH_MAX];
	struct statfs st = {0};
	ssize_t n = call_path(c, 0, name);
	int r;

	if (n < 0)
		return n;
	r = vfs_resolve(&c->ctx, NULL, name, 0, &p);
	if (r < 0)
		return r;
	r = vfs_statfs(&c->ctx, &p, &st);
	return r < 0 ? r : c->ops->write(c, c->args[1], &st, sizeof(st));
}

int64_t sys_fstatfs(struct call *c)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_CLOSE int fd = -1;
	struct statfs st = {0};
	int r = call_file(c, 0, &f, &fd);

	if (r < 0)
		return r;
	r = vfs_vfile_statfs(&c->ctx, &f, fd, &st);
	return r < 0 ? r : c->ops->write(c, c->args[1], &st, sizeof(st));
}

/* ustat(2) wants the device of a mounted file system: ours are none that the host knows. */
int64_t sys_ustat(struct call *c)
{
	return -EINVAL;
}

/* Without a kept layer the changes end with the sandbox, and the lower isn't written: there is nothing to flush, and the host isn't to be made to. */
int64_t sys_sync(struct call *c)
{
	c->ops->may_block(c);
	(void)!vfs_sync(true);
	return 0;
}

/* The names and attributes first, then the host's kernel sees to the data. */
int64_t sys_fsync(struct call *c)
{
	c->ops->may_block(c);
	int r = vfs_sync(false);

	return r ? r : CALL_CONTINUE;
}

int64_t sys_syncfs(struct call *c)
{
	int fd = c->ops->get_fd(c, arg_int(c, 0));

	if (fd < 0)
		return fd;
	close_fd_(&fd);
	c->ops->may_block(c);
	return vfs_sync(true);
}
