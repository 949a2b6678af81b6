/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep.c - several kept overlays at once: each change is in the journal of its own, also when the process dies after the call.
 */
#include "layer/model.h"
#include "tests/unit/overlay/fake_gofer.h"
#include "vfs/vfs.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <signal.h>
#include <sys/wait.h>

static char scratch[64];
static int base;
static struct path root;
static const struct vfs_cred cred = {.caps = ~UINT64_C(0)};

static void start(void)
{
	strcpy(scratch, "/dev/shm/ovltestXXXXXX");
	cr_assert(mkdtemp(scratch));
	base = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const char *const dirs[] = {"lower", "lower/d", "lower/d/e", "token",  "store",
					   "0",     "0/store", "1",         "1/store"};
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		cr_assert_eq(mkdirat(base, dirs[i], 0755), 0);
	fake_root = openat(base, "lower", O_RDONLY | O_DIRECTORY);
}
static int rm(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}
static void stop(void)
{
	nftw(scratch, rm, 16, FTW_DEPTH | FTW_PHYS);
}
TestSuite(keep, .init = start, .fini = stop, .timeout = 60);

static int journal(unsigned k)
{
	char name[16];

	snprintf(name, sizeof(name), "%u/journal", k);
	return openat(base, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* The root, and with bind an overlay of the same lower on /mnt, in stores 1 and 2. */
static void mount_all(bool bind)
{
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

	for (unsigned k = 0; k < 1U + bind; k++) {
		char name[16];
		snprintf(name, sizeof(name), "%u", k);
		int dir = openat(base, name, O_RDONLY | O_DIRECTORY);
		cfg.stores[k] = (struct vfs_store){.dir = openat(dir, "store", O_RDONLY | O_DIRECTORY),
						   .quota = 1,
						   .keep = true,
						   .journal = journal(k),
						   .keep_dir = dir};
	}
	cr_assert_eq(vfs_init(&cfg), 0);
	cr_assert_eq(vfs_mount_root(1), 0);
	if (bind)
		cr_assert_eq(vfs_mount_bind(1, "/mnt", false, 2), 0);
	cr_assert_eq(vfs_keep_start(), 0);
	vfs_root(&root);
}

static struct vfs_ctx new_ctx(void)
{
	return (struct vfs_ctx){.cred = &cred, .root = &root, .cwd = &root, .umask = 022};
}

/* In a process of its own, which is killed afterwards. */
static void and_die(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		fn();
		kill(getpid(), SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static bool has(unsigned k, const char *name)
{
	AUTO_CLOSE int fd = journal(k);
	AUTO_MODEL struct model m = {0};

	cr_assert_eq(model_load(&m, fd, -1), 0);
	cr_assert(m.root);
	const struct layer_entry *e = model_find(&m, m.root, name, strlen(name));
	return e && e->child;
}

static void both(void)
{
	mount_all(true);
	struct vfs_ctx ctx = new_ctx();
	cr_assert_eq(vfs_mkdir(&ctx, NULL, "/of-root", 0755), 0);
	cr_assert_eq(vfs_mkdir(&ctx, NULL, "/mnt/of-bind", 0755), 0);
	cr_assert_eq(vfs_rename(&ctx, NULL, "/mnt/d/e", NULL, "/mnt/moved", 0), 0);
	cr_assert_eq(vfs_rmdir(&ctx, NULL, "/d/e"), 0);
	cr_assert_eq(vfs_rename(&ctx, NULL, "/of-root", NULL, "/mnt/no", 0), -EXDEV);
	cr_assert_eq(vfs_sync(true), 0);
}

static void root_alone(void)
{
	mount_all(false);
	struct vfs_ctx ctx = new_ctx();
	cr_assert_eq(vfs_mkdir(&ctx, NULL, "/later", 0755), 0);
}

Test(keep, each_has_its_own_changes)
{
	and_die(both);
	cr_expect(has(0, "of-root") && !has(0, "of-bind") && !has(0, "moved"));
	cr_expect(has(1, "of-bind") && has(1, "moved") && !has(1, "of-root"));
	and_die(root_alone);
	cr_expect(has(0, "later") && !has(1, "later") && has(1, "of-bind"));

	mount_all(true);
	struct vfs_ctx ctx = new_ctx();
	struct kstat a, b;
	cr_expect_eq(vfs_stat(&ctx, NULL, "/of-root", 0, &a), 0);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/later", 0, &a), 0);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/d/e", 0, &a), -ENOENT);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/mnt/moved", 0, &a), 0);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/mnt/d/e", 0, &a), -ENOENT);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/mnt/of-bind", 0, &a), 0);
	/* Both count on from all numbers that were ever given. */
	cr_expect_eq(vfs_mkdir(&ctx, NULL, "/new", 0755), 0);
	cr_expect_eq(vfs_stat(&ctx, NULL, "/new", 0, &b), 0);
	cr_expect_gt(b.ino, a.ino);
	vfs_keep_end();
}

static void broken(void)
{
	mount_all(true);
	struct vfs_ctx ctx = new_ctx();
	/* A journal that can't be written: that overlay alone fails. */
	AUTO_CLOSE int ro = open("/dev/full", O_RDWR);
	cr_assert_geq(dup2(ro, vfs_config()->stores[1].journal), 0);
	(void)!vfs_mkdir(&ctx, NULL, "/mnt/first", 0755);
	cr_assert_eq(vfs_mkdir(&ctx, NULL, "/mnt/second", 0755), -EIO);
	cr_assert_eq(vfs_sync(false), -EIO);
	cr_assert_eq(vfs_mkdir(&ctx, NULL, "/still", 0755), 0);
}

Test(keep, one_that_fails_leaves_the_other)
{
	and_die(broken);
	cr_expect(has(0, "still"));
}
