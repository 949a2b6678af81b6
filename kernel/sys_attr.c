/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_attr.c - chmod(2), chown(2), utimensat(2), truncate(2) and their relatives.
 */
#include "kernel/syscall.h"

#include <sys/time.h>
#include <utime.h>
#include <sys/resource.h>
#include <signal.h>

/* Attributes of what isn't ours (a pipe, a file that the user passed in) are not the program's to change. */
static bool foreign(const struct call_target *t)
{
	return t->hostfd >= 0 && t->file.kind == VF_FOREIGN;
}

static int target_path(struct call *c, int dirarg, int patharg, int atflags, struct call_target *t)
{
	char name[PATH_MAX];
	ssize_t n = call_path_at(c, patharg, name, atflags);

	t->hostfd = -1;
	return n < 0 ? (int)n : call_target(c, dirarg, name, atflags, t);
}

static int64_t chmod_target(struct call *c, struct call_target *t, int r, uint32_t mode)
{
	if (r < 0)
		return r;
	if (foreign(t))
		return -EPERM;
	return vfs_chmod(&c->ctx, call_target_path(t), call_target_file(t), mode & 07777);
}

int64_t sys_chmod(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};

	return chmod_target(c, &t, target_path(c, -1, 0, 0, &t), arg_u32(c, 1));
}

int64_t sys_fchmod(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};

	return chmod_target(c, &t, call_target_fd(c, 0, false, &t), arg_u32(c, 1));
}

int64_t sys_fchmodat(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};

	return chmod_target(c, &t, target_path(c, 0, 1, 0, &t), arg_u32(c, 2));
}

int64_t sys_fchmodat2(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};

	if (arg_int(c, 3) & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return chmod_target(c, &t, target_path(c, 0, 1, arg_int(c, 3), &t), arg_u32(c, 2));
}

static int64_t chown_target(struct call *c, struct call_target *t, int r, uid_t uid, gid_t gid)
{
	if (r < 0)
		return r;
	if (foreign(t))
		return -EPERM;
	return vfs_chown(&c->ctx, call_target_path(t), call_target_file(t), uid, gid);
}

int64_t sys_chown(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};

	return chown_target(c, &t, target_path(c, -1, 0, 0, &t), arg_u32(c, 1), arg_u32(c, 2));
}

int64_t sys_lchown(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};

	return chown_target(c, &t, target_path(c, -1, 0, AT_SYMLINK_NOFOLLOW, &t), arg_u32(c, 1), arg_u32(c, 2));
}

int64_t sys_fchown(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};

	return chown_target(c, &t, call_target_fd(c, 0, false, &t), arg_u32(c, 1), arg_u32(c, 2));
}

int64_t sys_fchownat(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};

	if (arg_int(c, 4) & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return chown_target(c, &t, target_path(c, 0, 1, arg_int(c, 4), &t), arg_u32(c, 2), arg_u32(c, 3));
}

static int64_t utimens_target(struct call *c, struct call_target *t, int r, const struct timespec *ts)
{
	if (r < 0)
		return r;
	if (foreign(t))
		return -EPERM;
	return vfs_utimens(&c->ctx, call_target_path(t), call_target_file(t), ts);
}

int64_t sys_utime(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	struct timespec ts[2] = {{0, 0}, {0, 0}};
	struct utimbuf u;

	if (c->args[1]) {
		int r = c->ops->read(c, c->args[1], &u, sizeof(u));

		if (r < 0)
			return r;
		ts[0].tv_sec = u.actime;
		ts[1].tv_sec = u.modtime;
	}
	return utimens_target(c, &t, target_path(c, -1, 0, 0, &t), c->args[1] ? ts : NULL);
}

static int64_t utimes_common(struct call *c, int dirarg, int patharg)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	uint64_t addr = c->args[patharg + 1];
	struct timespec ts[2];
	struct timeval tv[2];
	int r;

	if (addr) {
		r = c->ops->read(c, addr, tv, sizeof(tv));
		if (r < 0)
			return r;
		for (int i = 0; i < 2; i++) {
			if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
				return -EINVAL;
			ts[i] = (struct timespec){tv[i].tv_sec, tv[i].tv_usec * 1000};
		}
	}
	if (dirarg >= 0 && !c->args[patharg] && arg_int(c, dirarg) != AT_FDCWD)
		r = call_target_fd(c, dirarg, false, &t);
	else
		r = target_path(c, dirarg, patharg, 0, &t);
	return utimens_target(c, &t, r, addr ? ts : NULL);
}

int64_t sys_utimes(struct call *c)
{
	return utimes_common(c, -1, 0);
}

int64_t sys_futimesat(struct call *c)
{
	return utimes_common(c, 0, 1);
}

static bool nsec_valid(long nsec)
{
	return nsec == UTIME_NOW || nsec == UTIME_OMIT || (nsec >= 0 && nsec < 1000000000);
}

int64_t sys_utimensat(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	int flags = arg_int(c, 3), r;
	struct timespec ts[2];

	if (c->args[2]) {
		r = c->ops->read(c, c->args[2], ts, sizeof(ts));
		if (r < 0)
			return r;
		if (ts[0].tv_nsec == UTIME_OMIT && ts[1].tv_nsec == UTIME_OMIT)
			return 0;
	}
	if (!c->args[1] && arg_int(c, 0) != AT_FDCWD) {
		if (flags)
			return -EINVAL;
		r = call_target_fd(c, 0, false, &t);
	} else {
		if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
			return -EINVAL;
		r = target_path(c, 0, 1, flags, &t);
	}
	/* Only now, as vfs_utimes() has it. */
	if (r >= 0 && c->args[2] && (!nsec_valid(ts[0].tv_nsec) || !nsec_valid(ts[1].tv_nsec)))
		return -EINVAL;
	return utimens_target(c, &t, r, c->args[2] ? ts : NULL);
}

int64_t sys_truncate(struct call *c)
{
	AUTO_PATH struct path p = {0};
	char name[PATH_MAX];
	uint64_t limit[2];
	ssize_t n;
	int r;

	if ((int64_t)c->args[1] < 0)
		return -EINVAL;
	n = call_path(c, 0, name);
	if (n < 0)
		return n;
	r = vfs_resolve(&c->ctx, NULL, name, 0, &p);
	if (r < 0)
		return r;
	/* The host would compare with our limit, not the caller's. */
	if (!c->ops->rlimit(c, 0, RLIMIT_FSIZE, NULL, limit))
		c->ctx.size_limit = &limit[0];
	r = vfs_truncate(&c->ctx, &p, (int64_t)c->args[1]);
	if (r == -EFBIG && c->ctx.size_limit && c->args[1] > limit[0])
		c->ops->raise(c, SIGXFSZ);
	c->ctx.size_limit = NULL;
	return r;
}

/*
 * The host truncates: the descriptor is writable only if our open gave it so. What is ours is the virtual set-id bit. A descriptor that
 * another thread swaps meanwhile truncates another file that the program may write anyway; its set-id bit went at open.
 */
static int64_t killpriv_and_continue(struct call *c)
{
	AUTO_TARGET struct call_target t = {.hostfd = -1};
	int r = call_target_fd(c, 0, false, &t), mode;

	if (r < 0)
		return r;
	mode = fcntl(t.hostfd, F_GETFL);
	if (t.file.kind == VF_FILE && mode >= 0 && (mode & O_ACCMODE) != O_RDONLY) {
		r = vfs_killpriv(&c->ctx, &t.file);
		if (r < 0)
			return r;
	}
	return CALL_CONTINUE;
}

int64_t sys_ftruncate(struct call *c)
{
	return (int64_t)c->args[1] < 0 ? -EINVAL : killpriv_and_continue(c);
}

int64_t sys_fallocate(struct call *c)
{
	int64_t r = killpriv_and_continue(c);

	/* Only without a mode but KEEP_SIZE and ZERO_RANGE is space taken; INSERT_RANGE moves what is there. */
	return r == CALL_CONTINUE && !(arg_u32(c, 1) & ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE))
		   ? space_check(c)
		   : r;
}

/* File attributes of ioctl(FS_IOC_FSGETXATTR): no file system of ours has them. */
int64_t sys_file_getattr(struct call *c)
{
	return -EOPNOTSUPP;
}

int64_t sys_file_setattr(struct call *c)
{
	return -EOPNOTSUPP;
}
