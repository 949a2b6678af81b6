/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_gofer.h - the gofer's client interface on a scratch directory, for tests that run without a server. Reads only: what
 * copies on write never changes the lower, so the changing calls fail the test by -EROFS.
 */
#ifndef TESTS_FAKE_GOFER_H
#define TESTS_FAKE_GOFER_H

#include "gofer/client.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static int fake_root = -1;                   /* the lower */
static atomic_uint fake_calls;               /* round trips */
static void (*_Atomic fake_meanwhile)(void); /* runs once, before a walk's answer arrives */
static unsigned fake_delay_us;               /* each open takes so long */

static const char *fake_path(const char *p)
{
	return *p ? p : ".";
}
static int64_t fake_ns(const struct statx_timestamp *t)
{
	return t->tv_sec * 1000000000 + t->tv_nsec;
}
static int fake_attr(int dfd, const char *p, struct gattr *a)
{
	struct statx s;

	if (statx(dfd, p, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_ALL, &s))
		return -errno;
	*a = (struct gattr){
	    .dev = makedev(s.stx_dev_major, s.stx_dev_minor),
	    .ino = s.stx_ino,
	    .rdev = makedev(s.stx_rdev_major, s.stx_rdev_minor),
	    .mode = s.stx_mode,
	    .nlink = s.stx_nlink,
	    .blksize = s.stx_blksize,
	    .uid = s.stx_uid,
	    .gid = s.stx_gid,
	    .size = (int64_t)s.stx_size,
	    .blocks = (int64_t)s.stx_blocks,
	    .atime = fake_ns(&s.stx_atime),
	    .mtime = fake_ns(&s.stx_mtime),
	    .ctime = fake_ns(&s.stx_ctime),
	    .btime = fake_ns(&s.stx_btime),
	};
	return 0;
}

int gofer_client_new(const int *socks, int n, struct gofer **out)
{
	*out = NULL;
	return 0;
}
void gofer_client_free(struct gofer *g)
{
}
int gofer_client_pollfd(const struct gofer *g)
{
	return -1;
}
uint64_t gofer_round_trips(const struct gofer *g)
{
	return fake_calls;
}

static int fake_walk(struct gofer *g, uint32_t export, const char *path, unsigned skip, struct gattr *attrs, unsigned max,
		     unsigned *n, char *link, size_t link_size)
{
	char part[PATH_MAX];
	unsigned comp = 0;
	struct gattr a;
	size_t len = 0;

	fake_calls++;
	*n = 0;
	if (link_size)
		link[0] = 0;
	if (!*path) {
		*n = 1;
		return fake_attr(fake_root, "", attrs);
	}
	for (;;) {
		len += strcspn(path + len, "/");
		memcpy(part, path, len);
		part[len] = 0;
		int r = fake_attr(fake_root, part, &a);
		if (r)
			return r == -ENOENT || r == -ENOTDIR ? 0 : r;
		if (comp++ >= skip && *n < max)
			attrs[(*n)++] = a;
		if (S_ISLNK(a.mode) && link_size) {
			ssize_t k = readlinkat(fake_root, part, link, link_size - 1);
			link[k < 0 ? 0 : k] = 0;
		}
		if (!S_ISDIR(a.mode) || !path[len])
			return 0;
		len++;
	}
}

int gofer_walk(struct gofer *g, uint32_t export, const char *path, unsigned skip, struct gattr *attrs, unsigned max,
	       unsigned *n, char *link, size_t link_size)
{
	int r = fake_walk(g, export, path, skip, attrs, max, n, link, link_size);
	void (*fn)(void) = atomic_exchange(&fake_meanwhile, NULL);

	if (fn)
		fn();
	return r;
}

int gofer_open(struct gofer *g, uint32_t export, const char *path, int flags, int *fd, struct gattr *attr)
{
	fake_calls++;
	if (fake_delay_us)
		usleep(fake_delay_us);
	*fd = openat(fake_root, path, flags | O_NOFOLLOW | O_CLOEXEC);
	return *fd < 0 ? -errno : fake_attr(*fd, "", attr);
}

int gofer_readdir(struct gofer *g, uint32_t export, const char *path,
		  bool (*fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type), void *arg)
{
	int fd = openat(fake_root, fake_path(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	fake_calls++;
	if (!d)
		return -errno;
	while ((e = readdir(d)))
		if (!fn(arg, e->d_name, strlen(e->d_name), e->d_ino, e->d_type))
			break;
	closedir(d);
	return 0;
}

int gofer_getattrs(struct gofer *g, uint32_t export, const char *dir, const char *const *names, unsigned n,
		   struct gattr *attrs)
{
	AUTO_CLOSE int fd = openat(fake_root, fake_path(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fake_calls++;
	if (fd < 0)
		return -errno;
	for (unsigned i = 0; i < n; i++)
		if (fake_attr(fd, names[i], &attrs[i]))
			attrs[i] = (struct gattr){0};
	return 0;
}

int gofer_fstat(struct gofer *g, int fd, struct gattr *attr)
{
	return fake_attr(fd, "", attr);
}
int gofer_statfs(struct gofer *g, uint32_t export, const char *path, struct statfs *out)
{
	return fstatfs(fake_root, out) ? -errno : 0;
}

static int fake_opath(const char *path, char *proc)
{
	int fd = openat(fake_root, fake_path(path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	snprintf(proc, 32, "/proc/self/fd/%d", fd);
	return fd < 0 ? -errno : fd;
}
ssize_t gofer_getxattr(struct gofer *g, uint32_t export, const char *path, const char *name, void *buf, size_t size)
{
	char proc[32];
	AUTO_CLOSE int fd = fake_opath(path, proc);
	ssize_t r = fd < 0 ? fd : getxattr(proc, name, buf, size);

	fake_calls++;
	return r < 0 ? -errno : r;
}
ssize_t gofer_listxattr(struct gofer *g, uint32_t export, const char *path, char *buf, size_t size)
{
	char proc[32];
	AUTO_CLOSE int fd = fake_opath(path, proc);
	ssize_t r = fd < 0 ? fd : listxattr(proc, buf, size);

	fake_calls++;
	return r < 0 ? -errno : r;
}

int gofer_create(struct gofer *g, uint32_t export, const char *path, int flags, uint32_t mode, uint32_t uid, uint32_t gid,
		 int *fd, struct gattr *attr)
{
	return -EROFS;
}
int gofer_mknod(struct gofer *g, uint32_t export, const char *path, uint32_t mode, uint32_t uid, uint32_t gid,
		const char *link_target, struct gattr *attr)
{
	return -EROFS;
}
int gofer_link(struct gofer *g, uint32_t export, const char *from, const char *to)
{
	return -EROFS;
}
int gofer_unlink(struct gofer *g, uint32_t export, const char *path, bool dir)
{
	return -EROFS;
}
int gofer_rename(struct gofer *g, uint32_t export, const char *from, const char *to, unsigned flags)
{
	return -EROFS;
}
int gofer_setattr(struct gofer *g, uint32_t export, const char *path, const struct gsetattr *sa)
{
	return -EROFS;
}
int gofer_setxattr(struct gofer *g, uint32_t export, const char *path, const char *name, const void *value, size_t size,
		   int flags)
{
	return -EROFS;
}
/* Only a read-write bind asks by descriptor. */
ssize_t gofer_fgetxattr(struct gofer *g, uint32_t export, int fd, const char *name, void *buf, size_t size)
{
	return -EXDEV;
}
ssize_t gofer_flistxattr(struct gofer *g, uint32_t export, int fd, char *buf, size_t size)
{
	return -EXDEV;
}
int gofer_fsetattr(struct gofer *g, uint32_t export, int fd, const struct gsetattr *sa)
{
	return -EROFS;
}
int gofer_fsetxattr(struct gofer *g, uint32_t export, int fd, const char *name, const void *value, size_t size, int flags)
{
	return -EROFS;
}

#endif
