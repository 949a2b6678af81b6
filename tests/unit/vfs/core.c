/* SPDX-License-Identifier: Apache-2.0 */
/* The VFS core on a file system in memory: walks, names, descriptors, listings, the cache's bound. */
#include "tests/unit/vfs/memfs.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <linux/capability.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/file.h>
#include <time.h>

#define EQ(a, b)                                                                         \
	do {                                                                             \
		long a_ = (a), b_ = (b);                                                 \
		cr_assert(a_ == b_, "%s: %ld, not %ld (line %d)", #a, a_, b_, __LINE__); \
	} while (0)

static struct path root;
static const struct vfs_cred super_user = {.caps = ~UINT64_C(0)}, alice = {.uid = 1000, .gid = 1000},
			     bob = {.uid = 1001, .gid = 1001};
static struct vfs_ctx ctx = {.cred = &super_user, .root = &root, .cwd = &root, .umask = 022, .tgid = 1, .tid = 1};

static char tokens[] = "/tmp/tokenXXXXXX";
static int rm(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}
static void teardown(void)
{
	nftw(tokens, rm, 16, FTW_DEPTH | FTW_PHYS);
}
static void setup(void)
{
	struct vfs_config cfg = {.token_rw = -1, .procfd = -1, .tracee_kuid = getuid(), .tracee_kgid = getgid()};

	cr_assert(mkdtemp(tokens));
	cfg.token_rw = cfg.token_ro = open(tokens, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EQ(vfs_init(&cfg), 0);
	EQ(vfs_mount_root(VFS_UPPER_MEMORY), 0);
	vfs_root(&root);
}

static int xopen(const char *name, int flags, mode_t mode)
{
	struct open_how how = {.flags = (uint32_t)flags, .mode = mode};
	int fd = -1, err = vfs_open(&ctx, NULL, name, &how, &fd);

	return err ? err : fd;
}
static int xstat(const char *name, struct kstat *st)
{
	return vfs_stat(&ctx, NULL, name, 0, st);
}

TestSuite(core, .init = setup, .fini = teardown);

Test(core, walk)
{
	struct kstat st;
	char buf[PATH_MAX], longname[300];
	unsigned n;

	EQ(xstat("/usr/include/stdio.h", &st), 0);
	EQ(n_lookups, 1); /* the whole path in one */
	cr_assert(S_ISREG(st.mode));
	EQ(xstat("/usr/link", &st), 0);
	cr_assert(S_ISREG(st.mode));
	EQ(xstat("/usr/abs/../abs//stdio.h", &st), 0);
	EQ(xstat("/usr/include/nothing", &st), -ENOENT);
	n = n_lookups;
	EQ(xstat("/usr/include/nothing", &st), -ENOENT);
	EQ(xstat("/usr/link", &st), 0);
	EQ(xstat("/usr/abs/stdio.h", &st), 0);
	EQ(n_lookups, n);
	EQ(xstat("/usr/include/nothing/x", &st), -ENOENT);
	EQ(xstat("/usr/include/stdio.h/x", &st), -ENOTDIR);
	EQ(xstat("/usr/include/stdio.h/", &st), -ENOTDIR);
	EQ(xstat("/usr/include/", &st), 0);
	EQ(xstat("/usr/link/", &st), -ENOTDIR);
	EQ(xstat("/loop", &st), -ELOOP);
	EQ(xstat("/loop/x", &st), -ELOOP);
	EQ(xstat("", &st), -ENOENT);
	EQ(xstat("/../../usr/.", &st), 0);
	memset(longname, 'a', 256);
	longname[256] = 0;
	EQ(xstat(longname, &st), -ENAMETOOLONG);
	longname[255] = 0;
	EQ(xstat(longname, &st), -ENOENT);
	EQ(vfs_readlink(&ctx, NULL, "/usr/link", buf, sizeof(buf)), 15);
	EQ(vfs_readlink(&ctx, NULL, "/usr/link", buf, 3), 3);
	EQ(vfs_readlink(&ctx, NULL, "/usr", buf, sizeof(buf)), -EINVAL);
	ctx.cred = &alice;
	EQ(xstat("/priv/x", &st), -EACCES);
	EQ(vfs_access(&ctx, NULL, "/usr/include/secret", R_OK, 0), -EACCES);
	EQ(vfs_access(&ctx, NULL, "/usr/include/secret", F_OK, 0), 0);
	ctx.cred = &super_user;
}

Test(core, names)
{
	struct kstat st;
	struct path p;

	EQ(vfs_mkdir(&ctx, NULL, "/tmp/a/", 0777), 0);
	EQ(vfs_mkdir(&ctx, NULL, "/tmp/a", 0777), -EEXIST);
	EQ(vfs_mkdir(&ctx, NULL, "/", 0777), -EEXIST);
	EQ(vfs_mknod(&ctx, NULL, "/tmp/f", S_IFREG | 0666, 0), 0);
	EQ(vfs_mknod(&ctx, NULL, "/tmp/g/", S_IFREG | 0666, 0), -ENOENT);
	EQ(xstat("/tmp/f", &st), 0);
	EQ(st.mode, S_IFREG | 0644);
	EQ(vfs_unlink(&ctx, NULL, "/tmp/a"), -EISDIR);
	EQ(vfs_unlink(&ctx, NULL, "/tmp/f/"), -ENOTDIR);
	EQ(vfs_unlink(&ctx, NULL, "/tmp/."), -EISDIR);
	EQ(vfs_rmdir(&ctx, NULL, "/tmp/f"), -ENOTDIR);
	EQ(vfs_rmdir(&ctx, NULL, "/tmp/a/."), -EINVAL);
	EQ(vfs_rmdir(&ctx, NULL, "/tmp/a/.."), -ENOTEMPTY);
	EQ(vfs_rmdir(&ctx, NULL, "/"), -EBUSY);
	EQ(vfs_mkdir(&ctx, NULL, "/tmp/a/b", 0777), 0);
	EQ(vfs_rmdir(&ctx, NULL, "/tmp/a"), -ENOTEMPTY);
	EQ(vfs_rename(&ctx, NULL, "/tmp/a", NULL, "/tmp/a/b/c", 0), -EINVAL);
	EQ(vfs_rename(&ctx, NULL, "/tmp/a/b", NULL, "/tmp/a", 0), -ENOTEMPTY);
	EQ(vfs_rename(&ctx, NULL, "/tmp/a", NULL, "/tmp/f", 0), -ENOTDIR);
	EQ(vfs_rename(&ctx, NULL, "/tmp/f", NULL, "/tmp/a", 0), -EISDIR);
	EQ(vfs_rename(&ctx, NULL, "/tmp/f", NULL, "/tmp/a", RENAME_NOREPLACE), -EEXIST);
	EQ(vfs_rename(&ctx, NULL, "/tmp/f", NULL, "/tmp/x/", 0), -ENOTDIR);
	EQ(vfs_rename(&ctx, NULL, "/tmp/none", NULL, "/tmp/x", 0), -ENOENT);
	EQ(vfs_rename(&ctx, NULL, "/tmp/f", NULL, "/tmp/x", RENAME_EXCHANGE), -ENOENT);
	EQ(vfs_rename(&ctx, NULL, "/tmp/f", NULL, "/tmp/a/a-much-longer-name-than-before", 0), 0);
	EQ(xstat("/tmp/f", &st), -ENOENT);
	EQ(xstat("/tmp/a/a-much-longer-name-than-before", &st), 0);
	EQ(vfs_rename(&ctx, NULL, "/tmp/a/a-much-longer-name-than-before", NULL, "/tmp/a/b", RENAME_EXCHANGE), 0);
	EQ(vfs_resolve(&ctx, NULL, "/tmp/a/a-much-longer-name-than-before", 0, &p), 0);
	EQ(vfs_rmdir(&ctx, NULL, "/tmp/a/a-much-longer-name-than-before"), 0);
	EQ(vfs_mkdir(&ctx, &p, "x", 0777), -ENOENT);
	EQ(vfs_stat(&ctx, &p, "x", 0, &st), -ENOENT);
	char buf[64];
	EQ(vfs_getpath(&ctx, &p, buf, sizeof(buf)), -ENOENT);
	path_put(&p);
	/* sticky */
	ctx.cred = &alice;
	EQ(vfs_mknod(&ctx, NULL, "/tmp/alice", S_IFREG | 0666, 0), 0);
	ctx.cred = &bob;
	EQ(vfs_unlink(&ctx, NULL, "/tmp/alice"), -EPERM);
	EQ(vfs_unlink(&ctx, NULL, "/bin"), -EACCES);
	ctx.cred = &super_user;
	EQ(vfs_unlink(&ctx, NULL, "/usr/include/stdio.h"), 0);
	EQ(xstat("/usr/include/stdio.h", &st), -ENOENT);
	EQ(vfs_symlink(&ctx, "", NULL, "/tmp/s"), -ENOENT);
	EQ(vfs_symlink(&ctx, "alice", NULL, "/tmp/s"), 0);
	EQ(xstat("/tmp/s", &st), 0);
	EQ(vfs_resolve(&ctx, NULL, "/tmp/alice", 0, &p), 0);
	EQ(vfs_link(&ctx, &p, NULL, NULL, "/tmp/alice2"), 0);
	EQ(vfs_link(&ctx, &p, NULL, NULL, "/tmp/alice2"), -EEXIST);
	path_put(&p);
	EQ(xstat("/tmp/alice2", &st), 0);
	EQ(st.nlink, 2);
}

Test(core, open_and_identify)
{
	struct vfile f;
	struct kstat st;
	char buf[PATH_MAX];
	int fd, fd2;

	EQ(xopen("/dangling", O_CREAT | O_EXCL | O_RDWR, 0666), -EEXIST);
	EQ(xopen("/dangling", O_CREAT | O_NOFOLLOW | O_RDWR, 0666), -ELOOP);
	EQ(xopen("/tmp/x/", O_CREAT | O_RDWR, 0666), -EISDIR);
	EQ(xopen("/tmp", O_CREAT | O_RDWR, 0666), -EISDIR);
	EQ(xopen("/tmp", O_RDWR, 0), -EISDIR);
	EQ(xopen("/bin", O_DIRECTORY, 0), -ENOTDIR);
	EQ(xopen("/usr/link", O_NOFOLLOW, 0), -ELOOP);
	fd = xopen("/dangling", O_CREAT | O_RDWR, 0666);
	cr_assert(fd >= 0);
	EQ(xstat("/tmp/made", &st), 0);
	EQ(vfs_identify(fd, &f), 0);
	EQ(f.kind, VF_FILE);
	cr_assert(vfs_vfile_path(&ctx, &f, buf, sizeof(buf)) > 0);
	cr_assert_str_eq(buf, "/tmp/made");
	/* the inode is kept by whoever has it open: here f */
	EQ(vfs_unlink(&ctx, NULL, "/tmp/made"), 0);
	cr_assert(vfs_vfile_path(&ctx, &f, buf, sizeof(buf)) > 0);
	cr_assert_str_eq(buf, "/tmp/made (deleted)");
	path_put(&f.path); /* now the inode owns the dead name */
	struct vfile g;
	EQ(vfs_identify(fd, &g), 0);
	cr_assert(vfs_vfile_path(&ctx, &g, buf, sizeof(buf)) > 0);
	cr_assert_str_eq(buf, "/tmp/made (deleted)");
	iput(f.inode);
	vfile_put(&g);
	EQ(vfs_identify(fd, &g), 0);
	EQ(g.kind, VF_FOREIGN);
	close(fd);

	fd = xopen("/usr", O_RDONLY, 0);
	fd2 = xopen("/usr", O_RDONLY, 0);
	cr_assert(fd >= 0 && fd2 >= 0);
	EQ(vfs_identify(fd, &f), 0);
	EQ(f.kind, VF_DIR);
	EQ(vfs_fstat(&ctx, &f, fd, &st), 0);
	cr_assert(S_ISDIR(st.mode));
	cr_assert(vfs_vfile_path(&ctx, &f, buf, sizeof(buf)) == 5);
	EQ(vfs_stat(&ctx, &f.path, "link", 0, &st), 0);
	vfile_put(&f);
	close(fd);
	close(fd2);

	fd = xopen("/usr/link", O_PATH | O_NOFOLLOW, 0);
	cr_assert(fd >= 0);
	EQ(vfs_identify(fd, &f), 0);
	cr_assert(f.o_path && f.kind == VF_FILE);
	EQ(vfs_readlink(&ctx, &f.path, "", buf, sizeof(buf)), 15);
	EQ(read(fd, buf, 1), -1);
	vfile_put(&f);
	close(fd);
	/* set-id bits go at open for writing */
	EQ(vfs_mknod(&ctx, NULL, "/tmp/suid", S_IFREG | 06777, 0), 0);
	ctx.umask = 0;
	ctx.cred = &alice;
	EQ(vfs_mknod(&ctx, NULL, "/tmp/suid2", S_IFREG | 06777, 0), 0);
	fd = xopen("/tmp/suid2", O_WRONLY, 0);
	cr_assert(fd >= 0);
	close(fd);
	EQ(xstat("/tmp/suid2", &st), 0);
	EQ(st.mode, S_IFREG | 0777);
	ctx.cred = &super_user;
	/* O_TMPFILE */
	fd = xopen("/tmp", O_TMPFILE | O_RDWR, 0600);
	cr_assert(fd >= 0);
	close(fd);
	EQ(xopen("/tmp", O_TMPFILE, 0600), -EINVAL);
}

Test(core, tokens_are_reused)
{
	struct stat a, b;
	unsigned i;
	int fd;

	for (i = 0; i < 2000; i++) {
		fd = xopen("/usr", O_RDONLY, 0);
		cr_assert(fd >= 0);
		fstat(fd, i ? &b : &a);
		close(fd);
		fd = xopen("/usr/link", i & 1 ? O_PATH : O_PATH | O_NOFOLLOW, 0);
		cr_assert(fd >= 0);
		close(fd);
	}
	/* at most one batch of directories was made */
	DIR *d = fdopendir(dup(vfs_config()->token_rw));
	for (i = 0; readdir(d); i++)
		;
	closedir(d);
	cr_assert(i < 300, "%u tokens", i);
	struct path p;
	EQ(vfs_resolve(&ctx, NULL, "/usr/include/stdio.h", 0, &p), 0);
	/* the O_PATH tokens of link's target have been given back but for the last batch */
	cr_assert(p.dentry->refs < 300, "%u references", p.dentry->refs);
	path_put(&p);
}

struct linux_dirent64 {
	uint64_t ino, off;
	uint16_t reclen;
	uint8_t type;
	char name[];
} __attribute__((packed));

static unsigned list(int fd, size_t size)
{
	struct vfile f;
	char buf[4096];
	unsigned n = 0;
	ssize_t got;

	EQ(vfs_identify(fd, &f), 0);
	while ((got = vfs_getdents(&ctx, &f, fd, buf, size, false)) > 0)
		for (ssize_t at = 0; at < got; at += ((struct linux_dirent64 *)(buf + at))->reclen)
			n++;
	EQ(got, 0);
	vfile_put(&f);
	return n;
}

Test(core, getdents)
{
	struct kstat st;
	struct vfile f;
	char buf[4096], name[64];
	unsigned n;
	int fd;

	fd = xopen("/usr", O_RDONLY, 0);
	EQ(list(fd, sizeof(buf)), 5);
	EQ(list(fd, sizeof(buf)), 0);
	lseek(fd, 0, SEEK_SET);
	EQ(list(fd, 32), 5);
	EQ(n_readdirs, 1);
	n = n_lookups;
	EQ(xstat("/usr/not-there", &st), -ENOENT); /* the listing told */
	EQ(n_lookups, n);
	EQ(vfs_mkdir(&ctx, NULL, "/usr/new", 0755), 0);
	lseek(fd, 0, SEEK_SET);
	EQ(list(fd, sizeof(buf)), 6);
	EQ(vfs_rmdir(&ctx, NULL, "/usr/new"), 0);
	lseek(fd, 0, SEEK_SET);
	EQ(list(fd, sizeof(buf)), 5);
	lseek(fd, INT64_MAX, SEEK_SET);
	EQ(list(fd, sizeof(buf)), 0);
	lseek(fd, 4, SEEK_SET);
	EQ(list(fd, sizeof(buf)), 1);
	lseek(fd, 0, SEEK_SET);
	EQ(vfs_identify(fd, &f), 0);
	EQ(vfs_getdents(&ctx, &f, fd, buf, 8, false), -EINVAL);
	cr_assert(vfs_getdents(&ctx, &f, fd, buf, sizeof(buf), true) > 0);
	vfile_put(&f);
	close(fd);
	EQ(vfs_mkdir(&ctx, NULL, "/tmp/many", 0755), 0);
	for (n = 0; n < 3000; n++) {
		snprintf(name, sizeof(name), "/tmp/many/%u", n);
		EQ(vfs_symlink(&ctx, "x", NULL, name), 0);
	}
	n = n_readdirs;
	fd = xopen("/tmp/many", O_RDONLY, 0);
	EQ(list(fd, 1000), 3002);
	EQ(n_readdirs, n);
	for (n = 0; n < 3000; n++) {
		snprintf(name, sizeof(name), "/tmp/many/%u", n);
		EQ(vfs_unlink(&ctx, NULL, name), 0);
	}
	EQ(vfs_rmdir(&ctx, NULL, "/tmp/many"), 0);
	lseek(fd, 0, SEEK_SET);
	EQ(vfs_identify(fd, &f), 0);
	EQ(vfs_getdents(&ctx, &f, fd, buf, sizeof(buf), false), -ENOENT);
	vfile_put(&f);
	close(fd);
}

Test(core, mounts_and_beneath)
{
	struct kstat st, st2;
	struct path jail;
	char buf[PATH_MAX];
	struct open_how how = {.flags = O_RDONLY | O_PATH};
	int fd;

	EQ(vfs_mount_special("tmpfs", "/mnt/deep/er", 0), 0);
	EQ(vfs_mount_bind(1, "/rw", false, VFS_UPPER_NONE), 0);
	EQ(vfs_hide("/usr/include/secret"), 0);
	EQ(vfs_hide("/nothing"), 0);
	EQ(xstat("/mnt/deep/er", &st), 0);
	cr_assert(st.mnt_root);
	EQ(xstat("/mnt/deep/er/..", &st), 0);
	EQ(xstat("/mnt/deep", &st2), 0);
	EQ(st.ino, st2.ino);
	EQ(vfs_rmdir(&ctx, NULL, "/mnt/deep/er"), -EBUSY);
	EQ(vfs_mknod(&ctx, NULL, "/mnt/deep/er/f", S_IFREG | 0644, 0), 0);
	EQ(vfs_rename(&ctx, NULL, "/mnt/deep/er/f", NULL, "/tmp/f", 0), -EXDEV);
	EQ(xstat("/usr/include/secret", &st), 0);
	EQ(st.mode, S_IFREG);
	fd = xopen("/usr/include/secret", O_RDONLY, 0);
	EQ(read(fd, buf, 10), 0);
	close(fd);
	EQ(xopen("/usr/include/secret", O_WRONLY, 0), -EROFS);
	/* remote: always asked, one call a path */
	unsigned n = n_lookups;
	EQ(xstat("/rw/usr/include/stdio.h", &st), 0);
	EQ(n_lookups, n + 1);
	EQ(xstat("/rw/usr/include/stdio.h", &st), 0);
	EQ(n_lookups, n + 2);
	/* chroot */
	EQ(vfs_resolve(&ctx, NULL, "/usr", 0, &jail), 0);
	struct vfs_ctx j = ctx;
	j.root = j.cwd = &jail;
	EQ(vfs_stat(&j, NULL, "/../../include/../../include/stdio.h", 0, &st), 0);
	EQ(vfs_stat(&j, NULL, "/usr", 0, &st), -ENOENT);
	EQ(vfs_getpath(&j, &jail, buf, sizeof(buf)), 2);
	cr_assert(vfs_getpath(&j, &root, buf, sizeof(buf)) > 0);
	cr_assert_str_eq(buf, "(unreachable)/");
	how.resolve = RESOLVE_BENEATH;
	EQ(vfs_open(&ctx, &jail, "../tmp", &how, &fd), -EXDEV);
	EQ(vfs_open(&ctx, &jail, "/usr", &how, &fd), -EXDEV);
	EQ(vfs_open(&ctx, &jail, "abs", &how, &fd), -EXDEV);
	EQ(vfs_open(&ctx, &jail, "include/../link", &how, &fd), 0);
	close(fd);
	how.resolve = RESOLVE_IN_ROOT;
	EQ(vfs_open(&ctx, &jail, "../../include", &how, &fd), 0);
	close(fd);
	how.resolve = RESOLVE_NO_SYMLINKS;
	EQ(vfs_open(&ctx, &jail, "link", &how, &fd), -ELOOP);
	how.resolve = RESOLVE_NO_XDEV;
	EQ(vfs_open(&ctx, NULL, "/mnt/deep/er", &how, &fd), -EXDEV);
	how.resolve = 1 << 20;
	EQ(vfs_open(&ctx, &jail, "link", &how, &fd), -EINVAL);
	/* magic links */
	how.resolve = 0;
	EQ(xstat("/magic", &st), 0);
	EQ(xstat("/magic/x", &st), -ENOTDIR);
	fd = xopen("/magic", O_RDONLY, 0);
	cr_assert(fd >= 0);
	close(fd);
	magic_to = jail;
	EQ(xstat("/magic/include/stdio.h", &st), 0);
	how.resolve = RESOLVE_NO_MAGICLINKS;
	EQ(vfs_open(&ctx, NULL, "/magic", &how, &fd), -ELOOP);
	path_put(&jail);
}

Test(core, attributes)
{
	struct kstat st;
	struct path p;
	const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};

	EQ(vfs_mknod(&ctx, NULL, "/tmp/f", S_IFREG | 0666, 0), 0);
	EQ(vfs_resolve(&ctx, NULL, "/tmp/f", 0, &p), 0);
	ctx.cred = &alice;
	EQ(vfs_chmod(&ctx, &p, NULL, 0777), -EPERM);
	EQ(vfs_chown(&ctx, &p, NULL, 1000, (gid_t)-1), -EPERM);
	EQ(vfs_utimens(&ctx, &p, NULL, NULL), -EACCES);
	EQ(vfs_utimens(&ctx, &p, NULL, now), -EPERM);
	EQ(vfs_truncate(&ctx, &p, 10), -EACCES);
	ctx.cred = &super_user;
	EQ(vfs_chmod(&ctx, &p, NULL, 06777), 0);
	EQ(vfs_chown(&ctx, &p, NULL, 1000, 1000), 0);
	EQ(xstat("/tmp/f", &st), 0);
	EQ(st.mode, S_IFREG | 0777);
	EQ(vfs_setxattr(&ctx, &p, NULL, "bogus.x", "a", 1, 0), -EOPNOTSUPP);
	ctx.cred = &alice;
	EQ(vfs_getxattr(&ctx, &p, NULL, "trusted.x", NULL, 0), -ENODATA);
	EQ(vfs_setxattr(&ctx, &p, NULL, "trusted.x", "a", 1, 0), -EPERM);
	EQ(vfs_truncate(&ctx, &p, -1), -EINVAL);
	ctx.cred = &super_user;
	path_put(&p);
}

Test(core, cache_is_bounded)
{
	struct vfs_stats s;
	struct kstat st;
	char name[64];

	dcache_limit(1000, 1U << 20);
	for (unsigned n = 0; n < 20000; n++) {
		snprintf(name, sizeof(name), "/usr/include/missing%u", n);
		EQ(xstat(name, &st), -ENOENT);
		EQ(xstat("/usr/include/stdio.h", &st), 0);
	}
	vfs_get_stats(&s);
	cr_assert(s.dentries < 1200, "%lu", s.dentries);
	cr_assert(s.dcache_evicted > 15000);
	cr_assert(n_lookups < 20100, "%u", n_lookups); /* stdio.h was in use and stayed */
	for (unsigned n = 0; n < 5000; n++) {
		snprintf(name, sizeof(name), "/tmp/f%u", n);
		int fd = xopen(name, O_CREAT | O_RDWR, 0666);
		cr_assert(fd >= 0);
		close(fd);
		EQ(vfs_unlink(&ctx, NULL, name), 0);
	}
	vfs_get_stats(&s);
	cr_assert(s.dentries < 1200, "%lu", s.dentries);
	cr_assert(n_live < 1200);
}

/* A read-write bind: the file system is asked unlocked, the tree follows. */
Test(core, remote_names)
{
	struct kstat st;
	struct path p, q;
	int fd;

	EQ(vfs_mount_bind(1, "/rw", false, VFS_UPPER_NONE), 0);
	EQ(vfs_resolve(&ctx, NULL, "/rw/usr", 0, &p), 0);
	EQ(vfs_resolve(&ctx, NULL, "/rw/usr/include", 0, &q), 0);
	EQ(vfs_stat(&ctx, &p, "include/stdio.h", 0, &st), 0);
	EQ(vfs_stat(&ctx, &q, "../link", 0, &st), 0);
	EQ(vfs_unlink(&ctx, NULL, "/rw/bin/"), -ENOTDIR);
	EQ(vfs_rmdir(&ctx, NULL, "/rw/usr/include"), -ENOTEMPTY);
	EQ(vfs_rename(&ctx, NULL, "/rw/usr", NULL, "/rw/usr/include/x", 0), -EINVAL);
	fd = xopen("/rw/usr", O_RDONLY, 0);
	cr_assert(fd >= 0);
	close(fd);
	EQ(vfs_mount_bind(2, "/ro", true, VFS_UPPER_NONE), 0);
	EQ(vfs_mkdir(&ctx, NULL, "/ro/x", 0777), -EROFS);
	EQ(vfs_unlink(&ctx, NULL, "/ro/bin"), -EROFS);
	EQ(xopen("/ro/bin", O_WRONLY, 0), -EROFS);
	EQ(xopen("/ro/new", O_CREAT | O_WRONLY, 0666), -EROFS);
	path_put(&p);
	path_put(&q);
	EQ(vfs_mount_special("proc", "/proc", 0), 0);
	unsigned live = n_live;
	for (int n = 0; n < 1000; n++)
		EQ(xstat("/proc/usr/include/stdio.h", &st), 0);
	cr_assert(n_live < live + 10, "%u", n_live - live);
}

/* A file's descriptor identifies it while names come and go, and a lower file's is never a writable one. */
Test(core, exec_and_links)
{
	struct vfs_exec x;
	struct vfile f;
	int fd;

	EQ(vfs_open_exec(&ctx, NULL, "/bin", 0, &x), 0);
	cr_assert(x.readable);
	EQ(vfs_identify(x.fd, &f), 0);
	EQ(f.kind, VF_FILE);
	vfile_put(&f);
	close(x.fd);
	path_put(&x.path);
	EQ(vfs_open_exec(&ctx, NULL, "/usr/include/stdio.h", 0, &x), -EACCES);
	EQ(vfs_open_exec(&ctx, NULL, "/usr", 0, &x), -EACCES);
	EQ(vfs_open_exec(&ctx, NULL, "/usr/link", AT_SYMLINK_NOFOLLOW, &x), -ELOOP);
	fd = xopen("/bin", O_RDWR, 0);
	int fd2 = xopen("/bin", O_RDWR, 0), replace;
	EQ(vfs_identify(fd, &f), 0);
	EQ(vfs_flock(&ctx, &f, fd, LOCK_EX, &replace), 0);
	EQ(replace, -1);
	EQ(vfs_flock(&ctx, &f, fd2, LOCK_EX | LOCK_NB, &replace), -EWOULDBLOCK);
	EQ(vfs_flock(&ctx, &f, fd, 77, &replace), -EINVAL);
	vfile_put(&f);
	close(fd);
	close(fd2);
}

static atomic_bool stop;
static void *churn(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	char a[64], b[64], buf[4096];
	struct kstat st;
	struct vfile f;

	while (!stop) {
		unsigned r = (unsigned)rand_r(&seed);
		snprintf(a, sizeof(a), "/tmp/d%u/%s", r % 3, r & 64 ? "x" : "y/z");
		snprintf(b, sizeof(b), "/tmp/d%u", (r >> 8) % 3);
		switch (r >> 12 & 7) {
		case 0:
			(void)!vfs_mkdir(&ctx, NULL, b, 0777);
			break;
		case 1:
			(void)!vfs_mkdir(&ctx, NULL, a, 0777);
			break;
		case 2:
			(void)!vfs_rename(&ctx, NULL, a, NULL, b, 0);
			break;
		case 3:
			(void)!vfs_rmdir(&ctx, NULL, r & 1 ? a : b);
			break;
		case 4: {
			int fd = xopen(a, O_CREAT | O_RDWR, 0666);
			if (fd >= 0) {
				if (vfs_identify(fd, &f) == 0) {
					(void)!vfs_vfile_path(&ctx, &f, buf, sizeof(buf));
					vfile_put(&f);
				}
				close(fd);
			}
			break;
		}
		case 5:
			(void)!vfs_unlink(&ctx, NULL, a);
			break;
		case 6: {
			int fd = xopen(b, O_RDONLY, 0);
			if (fd >= 0) {
				if (vfs_identify(fd, &f) == 0) {
					(void)!vfs_getdents(&ctx, &f, fd, buf, sizeof(buf), false);
					(void)!vfs_stat(&ctx, &f.path, "../d1/x", 0, &st);
					vfile_put(&f);
				}
				close(fd);
			}
			break;
		}
		default:
			(void)!vfs_rename(&ctx, NULL, a, NULL, b, RENAME_EXCHANGE);
		}
	}
	return NULL;
}

Test(core, threads)
{
	pthread_t t[4];

	dcache_limit(50, 1U << 14);
	for (uintptr_t n = 0; n < 4; n++)
		pthread_create(&t[n], NULL, churn, (void *)(n + 1));
	sleep(2);
	stop = true;
	for (int n = 0; n < 4; n++)
		pthread_join(t[n], NULL);
}

Test(core, speed)
{
	struct timespec a, b;
	struct kstat st;

	for (int n = 0; n < 10; n++)
		EQ(xstat("/usr/include/stdio.h", &st), 0);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int n = 0; n < 1000000; n++)
		(void)!xstat("/usr/include/stdio.h", &st);
	clock_gettime(CLOCK_MONOTONIC, &b);
	cr_log_info("cached stat: %.0f ns", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / 1e6);
}
