/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_xattr.c - extended attributes: names and sizes as fs/xattr.c checks them, then the VFS.
 */
#include "kernel/syscall.h"

#include <linux/xattr.h>
#include <string.h>

#define XATTR_MAX 65536 /* XATTR_SIZE_MAX and XATTR_LIST_MAX */

/* setxattrat(2), getxattrat(2): Linux 6.13. */
struct xattrat_args {
	uint64_t value;
	uint32_t size, flags;
};

static int target_at(struct call *c, int dirarg, int patharg, int atflags, struct call_target *t)
{
	char name[PATH_MAX];
	ssize_t n = call_path_empty(c, patharg, name, atflags & AT_EMPTY_PATH);

	return n < 0 ? (int)n : call_target(c, dirarg, name, atflags, t);
}

static int read_name(struct call *c, int arg, char name[XATTR_NAME_MAX + 1])
{
	ssize_t n = c->ops->read_string(c, c->args[arg], name, XATTR_NAME_MAX + 1);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

static bool foreign(const struct call_target *t)
{
	return t->hostfd >= 0 && t->file.kind == VF_FOREIGN;
}

static int64_t set_target(struct call *c, struct call_target *t, int namearg, uint64_t value, uint64_t size, int flags)
{
	char name[XATTR_NAME_MAX + 1];
	AUTO_FREE char *buf = NULL;
	int r;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	r = read_name(c, namearg, name);
	if (r < 0)
		return r;
	if (size > XATTR_MAX)
		return -E2BIG;
	buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	if (size) {
		r = c->ops->read(c, value, buf, size);
		if (r < 0)
			return r;
	}
	if (foreign(t))
		return -EOPNOTSUPP;
	return vfs_setxattr(&c->ctx, call_target_path(t), call_target_file(t), name, buf, size, flags);
}

static int64_t get_target(struct call *c, struct call_target *t, int namearg, uint64_t value, uint64_t size)
{
	char name[XATTR_NAME_MAX + 1];
	AUTO_FREE char *buf = NULL;
	ssize_t n;
	int r = read_name(c, namearg, name);

	if (r < 0)
		return r;
	if (foreign(t))
		return -EOPNOTSUPP;
	size = MIN(size, XATTR_MAX);
	buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	n = vfs_getxattr(&c->ctx, call_target_path(t), call_target_file(t), name, buf, size);
	if (n <= 0 || !size)
		return n;
	r = c->ops->write(c, value, buf, (size_t)n);
	return r < 0 ? r : n;
}

static int64_t list_target(struct call *c, struct call_target *t, uint64_t list, uint64_t size)
{
	AUTO_FREE char *buf = NULL;
	ssize_t n;
	int r;

	if (foreign(t))
		return 0;
	size = MIN(size, XATTR_MAX);
	buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	n = vfs_listxattr(&c->ctx, call_target_path(t), call_target_file(t), buf, size);
	if (n <= 0 || !size)
		return n;
	r = c->ops->write(c, list, buf, (size_t)n);
	return r < 0 ? r : n;
}

static int64_t remove_target(struct call *c, struct call_target *t, int namearg)
{
	char name[XATTR_NAME_MAX + 1];
	int r = read_name(c, namearg, name);

	if (r < 0)
		return r;
	if (foreign(t))
		return -EOPNOTSUPP;
	return vfs_removexattr(&c->ctx, call_target_path(t), call_target_file(t), name);
}

/* The four calls in their path, link and descriptor forms. */
#define XATTR_CALL(call_, open_, ...)                                                                                         \
	int64_t call_(struct call *c)                                                                                         \
	{                                                                                                                     \
		AUTO_TARGET struct call_target t = {.hostfd = -1};                                                            \
		int r = open_;                                                                                                \
                                                                                                                              \
		return r < 0 ? r : __VA_ARGS__;                                                                               \
	}
#define BY_PATH target_at(c, -1, 0, 0, &t)
#define BY_LINK target_at(c, -1, 0, AT_SYMLINK_NOFOLLOW, &t)
#define BY_FD	call_target_fd(c, 0, false, &t)
XATTR_CALL(sys_setxattr, BY_PATH, set_target(c, &t, 1, c->args[2], c->args[3], arg_int(c, 4)))
XATTR_CALL(sys_lsetxattr, BY_LINK, set_target(c, &t, 1, c->args[2], c->args[3], arg_int(c, 4)))
XATTR_CALL(sys_fsetxattr, BY_FD, set_target(c, &t, 1, c->args[2], c->args[3], arg_int(c, 4)))
XATTR_CALL(sys_getxattr, BY_PATH, get_target(c, &t, 1, c->args[2], c->args[3]))
XATTR_CALL(sys_lgetxattr, BY_LINK, get_target(c, &t, 1, c->args[2], c->args[3]))
XATTR_CALL(sys_fgetxattr, BY_FD, get_target(c, &t, 1, c->args[2], c->args[3]))
XATTR_CALL(sys_listxattr, BY_PATH, list_target(c, &t, c->args[1], c->args[2]))
XATTR_CALL(sys_llistxattr, BY_LINK, list_target(c, &t, c->args[1], c->args[2]))
XATTR_CALL(sys_flistxattr, BY_FD, list_target(c, &t, c->args[1], c->args[2]))
XATTR_CALL(sys_removexattr, BY_PATH, remove_target(c, &t, 1))
XATTR_CALL(sys_lremovexattr, BY_LINK, remove_target(c, &t, 1))
XATTR_CALL(sys_fremovexattr, BY_FD, remove_target(c, &t, 1))

static int read_args(struct call *c, struct xattrat_args *a)
{
	uint64_t size = c->args[5];
	char tail[256];
	int r;

	if (size < sizeof(*a))
		return -EINVAL;
	if (size > 4096)
		return -E2BIG;
	r = c->ops->read(c, c->args[4], a, sizeof(*a));
	for (uint64_t at = sizeof(*a); !r && at < size;) {
		size_t n = MIN(size - at, sizeof(tail));

		r = c->ops->read(c, c->args[4] + at, tail, n);
		for (size_t i = 0; !r && i < n; i++)
			if (tail[i])
				return -E2BIG;
		at += n;
	}
	return r;
}

static int open_at(struct call *c, struct call_target *t)
{
	if (arg_int(c, 2) & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return target_at(c, 0, 1, arg_int(c, 2), t);
}

int64_t sys_setxattrat(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	struct xattrat_args a;
	int r = read_args(c, &a);

	if (r < 0 || (r = open_at(c, &t)) < 0)
		return r;
	return set_target(c, &t, 3, a.value, a.size, (int)a.flags);
}

int64_t sys_getxattrat(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	struct xattrat_args a;
	int r = read_args(c, &a);

	if (r < 0)
		return r;
	if (a.flags)
		return -EINVAL;
	r = open_at(c, &t);
	return r < 0 ? r : get_target(c, &t, 3, a.value, a.size);
}

int64_t sys_listxattrat(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	int r = open_at(c, &t);

	return r < 0 ? r : list_target(c, &t, c->args[3], c->args[4]);
}

int64_t sys_removexattrat(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	int r = open_at(c, &t);

	return r < 0 ? r : remove_target(c, &t, 3);
}
