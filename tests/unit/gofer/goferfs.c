/* SPDX-License-Identifier: Apache-2.0 */
/*
 * goferfs.c - a read-write bind through the whole VFS: what the program does is on the host, what the host does is seen.
 */
#include "gofer/client.h"
#include "gofer/gofer.h"
#include "vfs/vfs.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

static char root[64], bind_dir[64];

static char *on_host(const char *name)
{
	static char p[4][256];
	static unsigned k;
	char *s = p[k++ % 4];
	snprintf(s, 256, "%s/%s", bind_dir, name);
	return s;
}

static int export_dir(const char *path, bool ro)
{
	int fd;
	if (gofer_open_export(path, ro, &fd))
		fd = open(path, O_PATH | O_CLOEXEC);
	return fd;
}

static void start(void)
{
	int pairs[3][2];
	struct gofer *g;
	strcpy(root, "/tmp/goferfs-root-XXXXXX");
	strcpy(bind_dir, "/tmp/goferfs-bind-XXXXXX");
	cr_assert(mkdtemp(root) && mkdtemp(bind_dir));
	cr_assert(chmod(root, 0755) == 0 && chmod(bind_dir, 0755) == 0);
	char mnt[128];
	snprintf(mnt, sizeof mnt, "%s/mnt", root);
	cr_assert_eq(mkdir(mnt, 0755), 0);
	struct gofer_export e[2] = {{.rootfd = export_dir(root, true), .ro = true}, {.rootfd = export_dir(bind_dir, false)}};
	for (int k = 0; k < 3; k++)
		cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pairs[k]), 0);
	if (!fork()) {
		int socks[3] = {pairs[0][1], pairs[1][1], pairs[2][1]};
		for (int k = 0; k < 3; k++)
			close(pairs[k][0]);
		_exit(-gofer_serve(e, 2, socks, 3));
	}
	int mine[3];
	for (int k = 0; k < 3; k++) {
		close(pairs[k][1]);
		mine[k] = pairs[k][0];
	}
	cr_assert_eq(gofer_client_new(mine, 3, &g), 0);
	struct vfs_config cfg = {.gofer = g,
				 .procfd = open("/proc", O_PATH | O_DIRECTORY),
				 .guest_procfd = -1,
				 .devptsfd = -1,
				 .dev_null = -1,
				 .dev_zero = -1,
				 .dev_full = -1,
				 .dev_random = -1,
				 .dev_urandom = -1,
				 .token_rw = -1,
				 .token_ro = -1,
				 .filestore = -1,
				 .hostname = "test"};
	cr_assert_eq(vfs_init(&cfg), 0);
	cr_assert_eq(vfs_mount_root(VFS_UPPER_NONE), 0);
	cr_assert_eq(vfs_mount_bind(1, "/mnt", false, VFS_UPPER_NONE), 0);
}

static int rm(const char *p, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(p);
}

static void stop(void)
{
	nftw(root, rm, 16, FTW_DEPTH | FTW_PHYS);
	nftw(bind_dir, rm, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(goferfs, .init = start, .fini = stop, .timeout = 30);

Test(goferfs, coherent)
{
	struct path top;
	struct kstat st;
	struct stat hs;
	char buf[64];
	int fd = -1;
	vfs_root(&top);
	struct vfs_cred cred = {.uid = getuid(), .gid = getgid(), .caps = getuid() ? 0 : ~UINT64_C(0)};
	struct vfs_ctx ctx = {.cred = &cred, .root = &top, .cwd = &top, .umask = 022, .tgid = 1, .tid = 1};
	struct open_how creat = {.flags = O_RDWR | O_CREAT | O_EXCL, .mode = 0666};
	struct open_how rdonly = {.flags = O_RDONLY};

	cr_assert_eq(vfs_mkdir(&ctx, NULL, "/mnt/d", 0777), 0);
	int err = vfs_open(&ctx, NULL, "/mnt/d/f", &creat, &fd);
	cr_assert_eq(err, 0, "%d", err);
	cr_assert_eq(write(fd, "hello", 5), 5);
	cr_assert_eq(stat(on_host("d/f"), &hs), 0);
	cr_expect(hs.st_size == 5 && (hs.st_mode & 07777) == 0644);
	cr_assert_eq(vfs_stat(&ctx, NULL, "/mnt/d/f", 0, &st), 0);
	cr_expect(st.size == 5 && st.ino == hs.st_ino && st.nlink == 1);
	AUTO_VFILE struct vfile f = {0};
	cr_assert_eq(vfs_identify(fd, &f), 0);
	cr_expect_eq(f.kind, VF_FILE);

	/* The host changes things behind our back. */
	cr_assert_eq(truncate(on_host("d/f"), 100), 0);
	cr_assert_eq(vfs_stat(&ctx, NULL, "/mnt/d/f", 0, &st), 0);
	cr_expect_eq(st.size, 100);
	cr_assert_eq(rename(on_host("d"), on_host("e")), 0);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/mnt/d/f", 0, &st), -ENOENT);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/mnt/e/f", 0, &st), 0);
	cr_expect_eq(st.ino, hs.st_ino);
	cr_assert_eq(symlink("e/f", on_host("l")), 0);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/mnt/l", 0, &st), 0);
	cr_expect_eq(vfs_readlink(&ctx, NULL, "/mnt/l", buf, sizeof buf), 3);
	cr_assert_eq(mkfifo(on_host("fifo"), 0666), 0);
	int other;
	cr_expect_eq(vfs_open(&ctx, NULL, "/mnt/fifo", &rdonly, &other), -ENXIO);

	/* We change things. */
	cr_expect_eq(vfs_rename(&ctx, NULL, "/mnt/e", NULL, "/mnt/g", 0), 0);
	cr_expect_eq(access(on_host("g/f"), F_OK), 0);
	AUTO_PATH struct path p = {0};
	cr_assert_eq(vfs_resolve(&ctx, NULL, "/mnt/g/f", 0, &p), 0);
	cr_expect_eq(vfs_chmod(&ctx, &p, NULL, 0600), 0);
	cr_expect_eq(vfs_chmod(&ctx, NULL, &f, 0640), 0);
	cr_assert_eq(stat(on_host("g/f"), &hs), 0);
	cr_expect_eq(hs.st_mode & 07777, 0640);
	cr_expect_eq(vfs_truncate(&ctx, &p, 7), 0);
	cr_expect_eq(vfs_link(&ctx, &p, NULL, NULL, "/mnt/hard"), 0);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/mnt/hard", 0, &st), 0);
	cr_expect(st.nlink == 2 && st.size == 7 && st.ino == hs.st_ino);
	cr_expect_eq(vfs_symlink(&ctx, "x", NULL, "/mnt/s"), 0);
	cr_expect_eq(vfs_rmdir(&ctx, NULL, "/mnt/g"), -ENOTEMPTY);
	cr_expect_eq(vfs_unlink(&ctx, NULL, "/mnt/g/f"), 0);
	cr_expect_eq(vfs_rmdir(&ctx, NULL, "/mnt/g"), 0);
	cr_expect_eq(access(on_host("g"), F_OK), -1);
	cr_expect_eq(vfs_unlink(&ctx, NULL, "/mnt/hard"), 0);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/mnt/hard", 0, &st), -ENOENT);
	/* Nameless, but still open: its size is seen to change. */
	cr_assert_eq(ftruncate(fd, 1234), 0);
	cr_expect_eq(vfs_fstat(&ctx, &f, fd, &st), 0);
	cr_expect(st.size == 1234 && st.nlink == 0, "%lld %u", (long long)st.size, st.nlink);
	close(fd);
	path_put(&top);
}
