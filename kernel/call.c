/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c - what all handlers do with their arguments: paths, descriptors, changes of the process's record.
 */
#include "kernel/call.h"

#include <string.h>

ssize_t call_path(struct call *c, int arg, char buf[PATH_MAX])
{
	ssize_t n = c->ops->read_string(c, c->args[arg], buf, PATH_MAX);

	return n ? n : -ENOENT;
}

ssize_t call_path_at(struct call *c, int arg, char buf[PATH_MAX], int atflags)
{
	return atflags & AT_EMPTY_PATH ? c->ops->read_string(c, c->args[arg], buf, PATH_MAX) : call_path(c, arg, buf);
}

ssize_t call_path_or_null(struct call *c, int arg, char buf[PATH_MAX], int atflags)
{
	if (c->args[arg] || !(atflags & AT_EMPTY_PATH))
		return call_path_at(c, arg, buf, atflags);
	buf[0] = 0;
	return 0;
}

int call_struct(struct call *c, uint64_t addr, uint64_t size, void *buf, size_t known)
{
	uint64_t word;
	int r;

	if (size < known)
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	/* In steps, as the kernel goes: something else than zero before a bad address is what counts. */
	for (uint64_t at = known; at < size; at += sizeof(word)) {
		size_t n = MIN(size - at, sizeof(word));

		word = 0;
		r = c->ops->read(c, addr + at, &word, n);
		if (r < 0)
			return r;
		if (word)
			return -E2BIG;
	}
	return c->ops->read(c, addr, buf, known);
}

int call_file(struct call *c, int arg, struct vfile *f, int *hostfd)
{
	int fd = c->ops->get_fd(c, arg_int(c, arg)), r;

	memset(f, 0, sizeof(*f));
	*hostfd = -1;
	if (fd < 0)
		return fd;
	r = vfs_identify(fd, f);
	if (r < 0) {
		close_fd_(&fd);
		return r;
	}
	*hostfd = fd;
	return 0;
}

int call_base(struct call *c, int arg, const char *name, struct path *base)
{
	AUTO_CLOSE int fd = -1;
	AUTO_VFILE struct vfile f = {0};
	int r;

	memset(base, 0, sizeof(*base));
	if (name[0] == '/' || arg_int(c, arg) == AT_FDCWD)
		return 0;
	r = call_file(c, arg, &f, &fd);
	if (r < 0)
		return r;
	if (f.kind == VF_FOREIGN || !f.path.dentry || (f.kind != VF_DIR && !f.o_path && name[0]))
		return -ENOTDIR;
	*base = f.path;
	path_get(base);
	return 0;
}

int call_target_fd(struct call *c, int arg, bool o_path_ok, struct call_target *t)
{
	int r;

	memset(t, 0, sizeof(*t));
	t->hostfd = -1;
	r = call_file(c, arg, &t->file, &t->hostfd);
	if (r < 0)
		return r;
	if (t->file.o_path && !o_path_ok) {
		call_target_put(t);
		return -EBADF;
	}
	return 0;
}

int call_target(struct call *c, int dirarg, const char *name, int atflags, struct call_target *t)
{
	AUTO_PATH struct path base = {0};
	int r;

	memset(t, 0, sizeof(*t));
	t->hostfd = -1;
	if (dirarg >= 0 && !name[0] && (atflags & AT_EMPTY_PATH) && arg_int(c, dirarg) != AT_FDCWD)
		return call_target_fd(c, dirarg, true, t);
	if (dirarg >= 0) {
		r = call_base(c, dirarg, name, &base);
		if (r < 0)
			return r;
	}
	r = vfs_resolve(&c->ctx, base.dentry ? &base : NULL, name, atflags, &t->path);
	if (r < 0 || (atflags & AT_SYMLINK_NOFOLLOW))
		return r;
	r = vfs_magic_fd(&c->ctx, &t->path);
	if (r == -ENOENT)
		return 0;
	path_put(&t->path);
	if (r < 0)
		return r;
	t->hostfd = r;
	r = vfs_identify(t->hostfd, &t->file);
	if (r < 0)
		call_target_put(t);
	return MIN(r, 0);
}

void call_target_put(struct call_target *t)
{
	path_put(&t->path);
	vfile_put(&t->file);
	close_fd_(&t->hostfd);
	t->hostfd = -1;
}

struct record *call_change(struct call *c, int *err)
{
	struct record *now, *draft;

	task_lock();
	now = c->ops->current(c);
	if (!now) {
		task_unlock();
		*err = -ESRCH;
		return NULL;
	}
	draft = record_draft(now);
	record_put(now);
	if (!draft) {
		task_unlock();
		*err = -ENOMEM;
	}
	return draft;
}

int call_commit(struct call *c, struct record *draft, bool privileged)
{
	struct record *r = record_intern(draft);
	int err = -ENOMEM;

	if (r) {
		err = c->ops->set_record(c, r, privileged);
		record_put(r);
	}
	task_unlock();
	return err;
}

void call_abandon(struct record *draft)
{
	record_free_draft(draft);
	task_unlock();
}
