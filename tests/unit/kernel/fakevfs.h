/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fakevfs.h - the VFS functions that kernel/ calls, for tests that need none of its behaviour: everything is ENOSYS, but a table of
 * executables. path references are counted, so that a test can see leaks.
 */
#ifndef TESTS_FAKEVFS_H
#define TESTS_FAKEVFS_H

#include "vfs/vfs.h"

#include <string.h>
#include <sys/mman.h>

struct fake_exec {
	const char *name;
	const void *data;
	size_t size;
	uint32_t mode;
	uid_t uid;
	bool unreadable;
};
static const struct fake_exec *fake_execs;
static size_t n_fake_execs;
static int fake_path_refs;

void path_get(const struct path *p)
{
	if (p->dentry)
		fake_path_refs++;
}

void path_put(struct path *p)
{
	if (p->dentry)
		fake_path_refs--;
	memset(p, 0, sizeof(*p));
}

void vfile_put(struct vfile *f)
{
	memset(f, 0, sizeof(*f));
}

bool vfs_noting;
void vfs_note_network(void)
{
}
int vfs_identify(int hostfd, struct vfile *out)
{
	memset(out, 0, sizeof(*out));
	return 0;
}

int vfs_open_exec(struct vfs_ctx *ctx, const struct path *base, const char *name, int atflags, struct vfs_exec *out)
{
	for (size_t i = 0; i < n_fake_execs; i++) {
		const struct fake_exec *e = &fake_execs[i];

		if (strcmp(e->name, name))
			continue;
		memset(out, 0, sizeof(*out));
		out->fd = memfd_create("x", MFD_CLOEXEC);
		if (pwrite(out->fd, e->data, e->size, 0) != (ssize_t)e->size)
			return -EIO;
		out->st.mode = e->mode | S_IFREG;
		out->st.uid = out->st.gid = e->uid;
		out->readable = !e->unreadable;
		out->path = (struct path){NULL, (struct dentry *)e};
		path_get(&out->path);
		return 0;
	}
	return -ENOENT;
}

/* One AF_UNIX name, if fake_sock is set. */
static bool fake_sock;

int vfs_sock_key(struct vfs_ctx *ctx, const struct path *base, const char *name, uint8_t key[VFS_SOCK_KEY])
{
	memset(key, getpid(), VFS_SOCK_KEY);
	return fake_sock ? 0 : -ENOENT;
}

int vfs_sock_bind(struct vfs_ctx *ctx, const struct path *base, const char *name, uint8_t key[VFS_SOCK_KEY])
{
	if (fake_sock)
		return -EEXIST;
	fake_sock = true;
	return vfs_sock_key(ctx, base, name, key);
}

#define C struct vfs_ctx *ctx
#define P const struct path *a
#define N const char *n
#define F const struct vfile *f
#define FAKE(proto)             \
	int proto               \
	{                       \
		return -ENOSYS; \
	}
#define FAKE_SIZED(proto)       \
	ssize_t proto           \
	{                       \
		return -ENOSYS; \
	}
FAKE(vfs_resolve(C, P, N, int fl, struct path *out))
FAKE(vfs_magic_fd(C, P))
FAKE(vfs_sync(bool data))
FAKE(vfs_getpath(C, P, char *b, size_t s))
FAKE(vfs_stat(C, P, N, int fl, struct kstat *out))
FAKE(vfs_fstat(C, F, int fd, struct kstat *out))
FAKE(vfs_access(C, P, N, int mode, int fl))
FAKE_SIZED(vfs_readlink(C, P, N, char *b, size_t s))
FAKE(vfs_statfs(C, P, struct statfs *out))
FAKE(vfs_vfile_statfs(C, F, int fd, struct statfs *out))
FAKE(vfs_may_chdir(C, P))
FAKE(vfs_open(C, P, N, const struct open_how *how, int *fd))
int vfs_open_check(const struct open_how *how)
{
	return 0;
}
FAKE_SIZED(vfs_getdents(C, F, int fd, void *b, size_t s, bool legacy))
FAKE(vfs_mkdir(C, P, N, mode_t mode))
FAKE(vfs_mknod(C, P, N, mode_t mode, dev_t dev))
FAKE(vfs_symlink(C, const char *t, P, N))
FAKE(vfs_link(C, const struct path *from, F, P, N))
FAKE(vfs_unlink(C, P, N))
FAKE(vfs_rmdir(C, P, N))
FAKE(vfs_rename(C, P, N, const struct path *b, const char *m, unsigned fl))
FAKE(vfs_chmod(C, P, F, mode_t mode))
FAKE(vfs_chown(C, P, F, uid_t u, gid_t g))
FAKE(vfs_utimens(C, P, F, const struct timespec t[2]))
FAKE(vfs_truncate(C, P, int64_t l))
FAKE(vfs_killpriv(C, F))
FAKE(vfs_setfl(C, F, int fd, int flags))
FAKE(vfs_may_grow(int fd, int64_t off, uint64_t n))
bool vfs_space_take(uint64_t n)
{
	return true;
}
FAKE_SIZED(vfs_getxattr(C, P, F, N, void *b, size_t s))
FAKE_SIZED(vfs_listxattr(C, P, F, char *b, size_t s))
FAKE(vfs_setxattr(C, P, F, N, const void *v, size_t s, int fl))
FAKE(vfs_removexattr(C, P, F, N))
FAKE(vfs_flock(C, F, int fd, int op, int *rep))
FAKE(vfs_prepare_lock(C, F, int fd, int *rep))
#undef C
#undef P
#undef N
#undef F

#endif
