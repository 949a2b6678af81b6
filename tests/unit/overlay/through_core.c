/* SPDX-License-Identifier: Apache-2.0 */
/*
 * through_core.c - the overlay as programs see it: by vfs.h, over a scratch lower, several threads at once.
 */
#include "tests/unit/overlay/fake_gofer.h"
#include "vfs/vfs.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <pthread.h>

static char scratch[64];
static struct path root;
static const struct vfs_cred cred = {.caps = ~UINT64_C(0)};

static void start(void)
{
	int base;

	strcpy(scratch, "/dev/shm/ovltestXXXXXX");
	cr_assert(mkdtemp(scratch));
	base = open(scratch, O_RDONLY | O_DIRECTORY);
	mkdirat(base, "lower", 0755);
	mkdirat(base, "store", 0755);
	mkdirat(base, "token", 0755);
	mkdirat(base, "lower/d", 0755);
	mkdirat(base, "lower/d/e", 0755);
	close(openat(base, "lower/d/e/f", O_CREAT | O_RDWR, 0644));
	cr_assert_eq(symlinkat("d/e", base, "lower/link"), 0);
	fake_root = openat(base, "lower", O_RDONLY | O_DIRECTORY);
	struct vfs_config cfg = {
	    .procfd = open("/proc", O_PATH | O_DIRECTORY),
	    .filestore = openat(base, "store", O_RDONLY | O_DIRECTORY),
	    .token_rw = openat(base, "token", O_RDONLY | O_DIRECTORY),
	    .token_ro = openat(base, "token", O_RDONLY | O_DIRECTORY),
	    .guest_procfd = -1,
	    .devptsfd = -1,
	    .dev_null = -1,
	    .dev_zero = -1,
	    .dev_full = -1,
	    .dev_random = -1,
	    .dev_urandom = -1,
	};
	close(base);
	cr_assert_eq(vfs_init(&cfg), 0);
	cr_assert_eq(vfs_mount_root(VFS_UPPER_MEMORY), 0);
	vfs_root(&root);
}
static int rm(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}
static void stop(void)
{
	nftw(scratch, rm, 16, FTW_DEPTH | FTW_PHYS);
}
TestSuite(overlay_core, .init = start, .fini = stop, .timeout = 120);

static struct vfs_ctx new_ctx(void)
{
	return (struct vfs_ctx){.cred = &cred, .root = &root, .cwd = &root, .umask = 022};
}
static int open_(const char *name, int flags)
{
	struct vfs_ctx ctx = new_ctx();
	struct open_how how = {.flags = (unsigned)flags, .mode = flags & (O_CREAT | O_TMPFILE) ? 0644 : 0};
	int fd = -1, r = vfs_open(&ctx, NULL, name, &how, &fd);

	return r ? r : fd;
}
static char *list(const char *name)
{
	static char text[4096];
	char buf[4096];
	struct vfs_ctx ctx = new_ctx();
	AUTO_CLOSE int fd = open_(name, O_RDONLY | O_DIRECTORY);
	AUTO_VFILE struct vfile f = {0};
	ssize_t n;

	text[0] = 0;
	cr_assert_geq(fd, 0);
	cr_assert_eq(vfs_identify(fd, &f), 0);
	while ((n = vfs_getdents(&ctx, &f, fd, buf, sizeof(buf), false)) > 0)
		for (ssize_t at = 0; at < n;) {
			struct dirent64 *e = (struct dirent64 *)(buf + at);
			if (e->d_name[0] != '.') {
				strcat(text, e->d_name);
				strcat(text, " ");
			}
			at += e->d_reclen;
		}
	cr_assert_eq(n, 0);
	return text;
}

Test(overlay_core, one_round_trip_for_a_deep_path)
{
	struct vfs_ctx ctx = new_ctx();
	struct kstat st;
	unsigned calls = fake_calls;

	cr_expect_eq(vfs_stat(&ctx, NULL, "/d/e/f", 0, &st), 0);
	cr_expect_eq(fake_calls, calls + 1);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/link/f", 0, &st), 0);
	cr_expect_eq(fake_calls, calls + 2);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/d/e/f/g", 0, &st), -ENOTDIR);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/d/no/f", 0, &st), -ENOENT);
}

static void replace_d(void)
{
	struct vfs_ctx ctx = new_ctx();

	cr_assert_eq(vfs_rename(&ctx, NULL, "/d", NULL, "/old", 0), 0);
	cr_assert_eq(vfs_mkdir(&ctx, NULL, "/d", 0755), 0);
}

/* The answer tells of names in the old directory. */
Test(overlay_core, directory_replaced_while_the_lower_is_asked)
{
	struct vfs_ctx ctx = new_ctx();
	struct kstat st;

	fake_meanwhile = replace_d;
	cr_expect_eq(vfs_stat(&ctx, NULL, "/d/e/f", 0, &st), -ENOENT);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/d/e", 0, &st), -ENOENT);
	cr_expect_str_eq(list("/d"), "");
	cr_expect_eq(vfs_stat(&ctx, NULL, "/old/e/f", 0, &st), 0);
	cr_expect_eq(vfs_rmdir(&ctx, NULL, "/d"), 0);
}

Test(overlay_core, listing)
{
	struct vfs_ctx ctx = new_ctx();

	cr_expect_str_eq(list("/"), "d link ");
	close(open_("/new", O_CREAT | O_WRONLY));
	cr_expect_eq(vfs_unlink(&ctx, NULL, "/link"), 0);
	cr_expect_str_eq(list("/"), "new d ");
	cr_expect_eq(vfs_rmdir(&ctx, NULL, "/d"), -ENOTEMPTY);
	cr_expect_eq(vfs_rename(&ctx, NULL, "/d/e", NULL, "/e", 0), 0);
	cr_expect_str_eq(list("/e"), "f ");
	cr_expect_str_eq(list("/d"), "");
	cr_expect_eq(vfs_rmdir(&ctx, NULL, "/d"), 0);
	cr_expect_eq(vfs_mkdir(&ctx, NULL, "/d", 0755), 0);
	cr_expect_str_eq(list("/d"), "");
}

Test(overlay_core, unlinked_file_is_still_itself)
{
	struct vfs_ctx ctx = new_ctx();
	AUTO_VFILE struct vfile f = {0};
	struct kstat st;
	AUTO_CLOSE int fd = open_("/gone", O_CREAT | O_RDWR);

	cr_assert_geq(fd, 0);
	cr_expect_eq(write(fd, "abc", 3), 3);
	cr_expect_eq(vfs_unlink(&ctx, NULL, "/gone"), 0);
	for (int k = 0; k < 500; k++) {
		close(open_("/other", O_CREAT | O_RDWR));
		cr_assert_eq(vfs_unlink(&ctx, NULL, "/other"), 0);
	}
	cr_assert_eq(vfs_identify(fd, &f), 0);
	cr_assert_eq(f.kind, VF_FILE);
	cr_expect_eq(vfs_fstat(&ctx, &f, fd, &st), 0);
	cr_expect_eq(st.nlink, 0);
	cr_expect_eq(st.size, 3);
}

static void *churn(void *arg)
{
	struct vfs_ctx ctx = new_ctx();
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct kstat st;

	for (int k = 0; k < 4000; k++) {
		char a[32], b[32];
		int fd;
		snprintf(a, sizeof(a), "/d/n%u", rand_r(&seed) % 8);
		snprintf(b, sizeof(b), "/%s/n%u", rand_r(&seed) % 2 ? "d" : "x", rand_r(&seed) % 8);
		switch (rand_r(&seed) % 9) {
		case 0:
			fd = open_(a, O_CREAT | O_RDWR);
			if (fd >= 0 && write(fd, "x", 1) == 1)
				close(fd);
			break;
		case 1:
			(void)!vfs_unlink(&ctx, NULL, a);
			break;
		case 2:
			(void)!vfs_rename(&ctx, NULL, a, NULL, b, rand_r(&seed) % 3);
			break;
		case 3:
			(void)!vfs_mkdir(&ctx, NULL, rand_r(&seed) % 2 ? "/x" : b, 0755);
			break;
		case 4:
			(void)!vfs_rmdir(&ctx, NULL, rand_r(&seed) % 2 ? "/x" : b);
			break;
		case 5:
			(void)!vfs_stat(&ctx, NULL, b, 0, &st);
			break;
		case 6: {
			AUTO_PATH struct path p = {0};
			if (!vfs_resolve(&ctx, NULL, a, 0, &p))
				(void)!vfs_link(&ctx, &p, NULL, NULL, b);
			break;
		}
		case 7:
			(void)!vfs_rename(&ctx, NULL, "/d/e", NULL, "/x/e", RENAME_NOREPLACE);
			(void)!vfs_rename(&ctx, NULL, "/x/e", NULL, "/d/e", 0);
			break;
		default:
			fd = open_("/d/e/f", O_RDWR);
			if (fd >= 0)
				close(fd);
		}
	}
	return NULL;
}
Test(overlay_core, churn_of_several_threads)
{
	pthread_t t[4];
	struct vfs_stats st;

	for (uintptr_t k = 0; k < ARRAY_SIZE(t); k++)
		pthread_create(&t[k], NULL, churn, (void *)(k + 1));
	for (unsigned k = 0; k < ARRAY_SIZE(t); k++)
		pthread_join(t[k], NULL);
	vfs_get_stats(&st);
	cr_expect_lt(st.upper_files, 400);
	cr_expect_eq(faccessat(fake_root, "d/e/f", F_OK, 0), 0);
}
