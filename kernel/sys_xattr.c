/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_xattr.c - extended attributes: names and sizes as fs/xattr.c checks them, then the VFS.
 */
#include "kernel/syscall.h"

#include <linux/xattr.h>
#include <string.h>

#define XATTR_MAX 65536 /* XATTR_SIZE_MAX and XATTR_LIST_MAX */

/* Linux 6.13. */
#define SYS_LISTXATTRAT   465
#define SYS_REMOVEXATTRAT 466

struct xattrat_args {
	uint64_t value;
	uint32_t size, flags;
};

/* What a call names: its path, its path without following a last link, its descriptor, or the *at form. */
enum form { PATH, LINK, FD, AT };

static int open_target(struct call *c, enum form form, struct call_target *t)
{
	char name[PATH_MAX];
	bool at = form == AT;
	int flags = at ? arg_int(c, 2) : form == LINK ? AT_SYMLINK_NOFOLLOW : 0;
	ssize_t n;

	if (form == FD)
		return call_target_fd(c, 0, false, t);
	n = call_path_or_null(c, at, name, flags);
	/* As fsetxattr(2) then, and fs/xattr.c looks only two of the four up in the current directory. */
	if (n == 0 && (arg_int(c, 0) != AT_FDCWD || c->nr == SYS_LISTXATTRAT || c->nr == SYS_REMOVEXATTRAT))
		return call_target_fd(c, 0, false, t);
	return n < 0 ? (int)n : call_target(c, at ? 0 : -1, name, flags, t);
}

static bool bad_form(const struct call *c, enum form form)
{
	return form == AT && (arg_int(c, 2) & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
}

static int read_name(struct call *c, enum form form, char name[XATTR_NAME_MAX + 1])
{
	ssize_t n = c->ops->read_string(c, c->args[form == AT ? 3 : 1], name, XATTR_NAME_MAX + 1);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

static bool foreign(const struct call_target *t)
{
	return t->hostfd >= 0 && t->file.kind == VF_FOREIGN;
}

/* As in fs/xattr.c the name and the value are looked at first, then the file is looked for. */
static int64_t set_xattr(struct call *c, enum form form, uint64_t value, uint64_t size, int flags)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	char name[XATTR_NAME_MAX + 1];
	AUTO_FREE char *buf = NULL;
	int r;

	if (bad_form(c, form) || (flags & ~(XATTR_CREATE | XATTR_REPLACE)))
		return -EINVAL;
	r = read_name(c, form, name);
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
	r = open_target(c, form, &t);
	if (r < 0)
		return r;
	if (foreign(&t))
		return -EOPNOTSUPP;
	return vfs_setxattr(&c->ctx, call_target_path(&t), call_target_file(&t), name, buf, size, flags);
}

static int64_t get_xattr(struct call *c, enum form form, uint64_t value, uint64_t size)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	char name[XATTR_NAME_MAX + 1];
	AUTO_FREE char *buf = NULL;
	ssize_t n;
	int r;

	if (bad_form(c, form))
		return -EINVAL;
	r = read_name(c, form, name);
	if (r < 0)
		return r;
	r = open_target(c, form, &t);
	if (r < 0)
		return r;
	if (foreign(&t))
		return -EOPNOTSUPP;
	size = MIN(size, XATTR_MAX);
	buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	n = vfs_getxattr(&c->ctx, call_target_path(&t), call_target_file(&t), name, buf, size);
	if (n <= 0 || !size)
		return n;
	r = c->ops->write(c, value, buf, (size_t)n);
	return r < 0 ? r : n;
}

static int64_t list_xattr(struct call *c, enum form form, uint64_t list, uint64_t size)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	AUTO_FREE char *buf = NULL;
	ssize_t n;
	int r;

	if (bad_form(c, form))
		return -EINVAL;
	r = open_target(c, form, &t);
	if (r < 0)
		return r;
	if (foreign(&t))
		return 0;
	size = MIN(size, XATTR_MAX);
	buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	n = vfs_listxattr(&c->ctx, call_target_path(&t), call_target_file(&t), buf, size);
	if (n <= 0 || !size)
		return n;
	r = c->ops->write(c, list, buf, (size_t)n);
	return r < 0 ? r : n;
}

static int64_t remove_xattr(struct call *c, enum form form)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	char name[XATTR_NAME_MAX + 1];
	int r;

	if (bad_form(c, form))
		return -EINVAL;
	r = read_name(c, form, name);
	if (r < 0)
		return r;
	r = open_target(c, form, &t);
	if (r < 0)
		return r;
	if (foreign(&t))
		return -EOPNOTSUPP;
	return vfs_removexattr(&c->ctx, call_target_path(&t), call_target_file(&t), name);
}

/* The four calls in their path, link and descriptor forms. */
#define XATTR_CALLS(prefix, form)                                                 \
	int64_t sys_##prefix##setxattr(struct call *c)                            \
	{                                                                         \
		return set_xattr(c, form, c->args[2], c->args[3], arg_int(c, 4)); \
	}                                                                         \
	int64_t sys_##prefix##getxattr(struct call *c)                            \
	{                                                                         \
		return get_xattr(c, form, c->args[2], c->args[3]);                \
	}                                                                         \
	int64_t sys_##prefix##listxattr(struct call *c)                           \
	{                                                                         \
		return list_xattr(c, form, c->args[1], c->args[2]);               \
	}                                                                         \
	int64_t sys_##prefix##removexattr(struct call *c)                         \
	{                                                                         \
		return remove_xattr(c, form);                                     \
	}
XATTR_CALLS(, PATH)
XATTR_CALLS(l, LINK)
XATTR_CALLS(f, FD)

static int read_args(struct call *c, struct xattrat_args *a)
{
	return call_struct(c, c->args[4], c->args[5], a, sizeof(*a));
}

int64_t sys_setxattrat(struct call *c)
{
	struct xattrat_args a;
	int r = read_args(c, &a);

	return r < 0 ? r : set_xattr(c, AT, a.value, a.size, (int)a.flags);
}

int64_t sys_getxattrat(struct call *c)
{
	struct xattrat_args a;
	int r = read_args(c, &a);

	if (r < 0)
		return r;
	return a.flags ? -EINVAL : get_xattr(c, AT, a.value, a.size);
}

int64_t sys_listxattrat(struct call *c)
{
	return list_xattr(c, AT, c->args[3], c->args[4]);
}

int64_t sys_removexattrat(struct call *c)
{
	return remove_xattr(c, AT);
}
