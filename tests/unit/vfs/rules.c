/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a profile, and notes of what was used, on a file system in memory. */
#include "tests/unit/vfs/memfs.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <linux/capability.h>
#include <sys/file.h>

#define EQ(a, b)                                                                         \
	do {                                                                             \
		long a_ = (a), b_ = (b);                                                 \
		cr_assert(a_ == b_, "%s: %ld, not %ld (line %d)", #a, a_, b_, __LINE__); \
	} while (0)
#define SEE   VFS_MAY_SEE
#define READ  VFS_MAY_READ
#define WRITE VFS_MAY_WRITE
#define EXEC  VFS_MAY_EXEC

static struct path root;
static const struct vfs_cred super_user = {.caps = ~UINT64_C(0)};
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

static int xopen(const char *name, int flags)
{
	struct open_how how = {.flags = (uint32_t)flags, .mode = flags & O_CREAT ? 0644 : 0};
	int fd = -1, err = vfs_open(&ctx, NULL, name, &how, &fd);

	if (!err)
		close(fd);
	return err;
}
static int xstat(const char *name)
{
	struct kstat st;

	return vfs_stat(&ctx, NULL, name, 0, &st);
}
static int xlink(const char *from, const char *to)
{
	AUTO_PATH struct path p = {0};
	int err = vfs_resolve(&ctx, NULL, from, 0, &p);

	return err ? err : vfs_link(&ctx, &p, NULL, NULL, to);
}
static int xchmod(const char *name)
{
	AUTO_PATH struct path p = {0};
	int err = vfs_resolve(&ctx, NULL, name, 0, &p);

	return err ? err : vfs_chmod(&ctx, &p, NULL, 0600);
}
static int mv(const char *from, const char *to)
{
	return vfs_rename(&ctx, NULL, from, NULL, to, 0);
}

TestSuite(rules, .init = setup, .fini = teardown);

Test(rules, the_nearest_rule_counts)
{
	static const struct vfs_rule rules[] = {
	    {"/usr/include", VFS_RULE_CHILDREN, READ}, {"/usr/include/secret", VFS_RULE_PATH, 0},
	    {"/tmp", VFS_RULE_BELOW, READ | WRITE},    {"/tmp/in", VFS_RULE_PATH, READ},
	    {"/tmp/a/b", VFS_RULE_BELOW, 0},
	};

	/* What is cached from before gets the rules, too. */
	EQ(xstat("/usr/include/stdio.h"), 0);
	EQ(xstat("/usr/link"), 0);
	EQ(xopen("/tmp/in", O_CREAT | O_WRONLY), 0);
	EQ(vfs_mkdir(&ctx, NULL, "/tmp/a", 0755), 0);
	EQ(vfs_mkdir(&ctx, NULL, "/tmp/a/b", 0755), 0);
	EQ(vfs_rules_set(rules, ARRAY_SIZE(rules)), 0);
	EQ(xstat("/usr"), 0);
	EQ(xstat("/usr/include/stdio.h"), 0);
	EQ(xstat("/usr/link"), -ENOENT);
	EQ(xstat("/usr/include/secret"), -ENOENT);
	EQ(xopen("/usr/include/secret", O_CREAT | O_WRONLY), -EACCES);
	EQ(vfs_mkdir(&ctx, NULL, "/usr/include/secret", 0755), -EACCES);
	EQ(vfs_unlink(&ctx, NULL, "/usr/include/secret"), -ENOENT);
	EQ(xopen("/usr/include/stdio.h", O_RDONLY), 0);
	EQ(xopen("/usr/include/stdio.h", O_RDWR), -EACCES);
	EQ(vfs_access(&ctx, NULL, "/usr/include/stdio.h", W_OK, 0), 0);
	EQ(vfs_access(&ctx, NULL, "/usr/include/secret", F_OK, 0), -ENOENT);
	EQ(xchmod("/usr/include/stdio.h"), -EACCES);
	EQ(vfs_unlink(&ctx, NULL, "/usr/include/stdio.h"), -EACCES);
	EQ(xopen("/usr/include/new.h", O_CREAT | O_WRONLY), -EACCES);
	EQ(xopen("/usr/new", O_CREAT | O_WRONLY), -EACCES);
	EQ(xopen("/tmp/in", O_RDONLY), 0);
	EQ(xopen("/tmp/in", O_WRONLY), -EACCES);
	EQ(xopen("/tmp/out", O_CREAT | O_RDWR), 0);
	EQ(xstat("/tmp/a/b"), -ENOENT);
	EQ(mv("/tmp/a/b", "/tmp/c"), -ENOENT);
	EQ(xopen("/tmp", O_RDWR | O_TMPFILE), 0);
	EQ(xopen("/usr", O_RDWR | O_TMPFILE), -EACCES);
}

Test(rules, no_rename_and_no_link_gives_more_rights)
{
	static const struct vfs_rule rules[] = {
	    {"/usr", VFS_RULE_BELOW, READ | WRITE}, {"/tmp", VFS_RULE_BELOW, READ | WRITE | EXEC},
	    {"/tmp/d/hid", VFS_RULE_PATH, 0},       {"/tmp/d/ro", VFS_RULE_PATH, READ},
	    {"/tmp/w", VFS_RULE_PATH, WRITE},
	};

	EQ(vfs_mkdir(&ctx, NULL, "/tmp/d", 0755), 0);
	EQ(xopen("/tmp/d/hid", O_CREAT | O_WRONLY), 0);
	EQ(xopen("/tmp/d/ro", O_CREAT | O_WRONLY), 0);
	EQ(vfs_rules_set(rules, ARRAY_SIZE(rules)), 0);
	EQ(mv("/usr/include/stdio.h", "/tmp/x"), -EXDEV);
	EQ(xlink("/usr/include/stdio.h", "/tmp/x"), -EXDEV);
	EQ(mv("/usr/include", "/tmp/x"), -EXDEV);
	EQ(mv("/usr/include", "/usr/other"), 0);
	EQ(xopen("/usr/other/stdio.h", O_RDWR), 0);
	EQ(xopen("/tmp/y", O_CREAT | O_RDWR), 0);
	EQ(mv("/tmp/y", "/usr/y"), 0);
	EQ(vfs_rename(&ctx, NULL, "/usr/y", NULL, "/tmp/d", RENAME_EXCHANGE), -EXDEV);
	/* With it would come what is hidden in it. */
	EQ(mv("/tmp/d", "/tmp/e"), -EXDEV);
	EQ(mv("/tmp/d/ro", "/tmp/e"), -EACCES);
	EQ(xlink("/tmp/d/ro", "/tmp/e"), -EXDEV);
	EQ(xopen("/tmp/w", O_CREAT | O_WRONLY), 0);
	EQ(xopen("/tmp/w", O_RDONLY), -EACCES);
	EQ(xlink("/tmp/w", "/tmp/v"), -EXDEV);
	EQ(mv("/tmp/w", "/tmp/v"), -EXDEV);
	/* A directory made where more is allowed, moved to where less is, and what is in it. */
	EQ(vfs_mkdir(&ctx, NULL, "/tmp/m", 0755), 0);
	EQ(xopen("/tmp/m/f", O_CREAT | O_WRONLY), 0);
	EQ(mv("/tmp/m", "/usr/m"), 0);
	EQ(xopen("/usr/m/f", O_WRONLY), 0);
	EQ(mv("/usr/m", "/tmp/m"), -EXDEV);
}

Test(rules, bounds)
{
	static char names[VFS_MAX_RULES + 2][16];
	struct vfs_rule *rules = calloc(VFS_MAX_RULES + 2, sizeof(*rules));

	for (int i = 0; i < VFS_MAX_RULES + 2; i++) {
		snprintf(names[i], sizeof(names[i]), "/%d", i);
		rules[i] = (struct vfs_rule){names[i], VFS_RULE_PATH, READ};
	}
	EQ(vfs_rules_set(rules, VFS_MAX_RULES + 2), -E2BIG);
	free(rules);
}

static unsigned noted(const char *path, char *asked, char *other);
static const char *want;
static void look(const struct vfs_note *n, void *arg)
{
	struct vfs_note *out = arg;

	if (!strcmp(n->path, want))
		*out = *n;
}
static unsigned noted(const char *path, char *asked, char *other)
{
	struct vfs_note n = {0};
	uint64_t lost;

	want = path;
	vfs_notes_walk(look, &n, &lost);
	EQ(lost, 0);
	snprintf(asked, PATH_MAX, "%s", n.asked ? n.asked : "");
	snprintf(other, PATH_MAX, "%s", n.other ? n.other : "");
	return n.what;
}

Test(rules, notes)
{
	char asked[PATH_MAX], other[PATH_MAX];

	vfs_notes_start();
	EQ(xopen("/usr/link", O_RDONLY), 0);
	EQ(noted("/usr/include/stdio.h", asked, other) & (VFS_NOTE_READ | VFS_NOTE_WRITTEN), VFS_NOTE_READ);
	cr_assert_str_eq(asked, "/usr/link");
	EQ(noted("/usr/link", asked, other), VFS_NOTE_LINK);
	EQ(xstat("/usr/none/./x//y"), -ENOENT);
	EQ(noted("/usr/none/x/y", asked, other), VFS_NOTE_MISSING);
	EQ(xstat("/usr/abs/none"), -ENOENT);
	EQ(noted("/usr/include/none", asked, other), VFS_NOTE_MISSING);
	EQ(xopen("/tmp/f", O_CREAT | O_WRONLY), 0);
	EQ(mv("/tmp/f", "/tmp/g"), 0);
	EQ(noted("/tmp/f", asked, other) & (VFS_NOTE_CREATED | VFS_NOTE_MOVED), VFS_NOTE_CREATED | VFS_NOTE_MOVED);
	cr_assert_str_eq(other, "/tmp/g");
	EQ(vfs_unlink(&ctx, NULL, "/tmp/g"), 0);
	EQ(noted("/tmp/g", asked, other) & (VFS_NOTE_DELETED | VFS_NOTE_MOVED_TO), VFS_NOTE_DELETED | VFS_NOTE_MOVED_TO);
	EQ(vfs_mkdir(&ctx, NULL, "/tmp/d", 0755), 0);
	EQ(noted("/tmp/d", asked, other) & (VFS_NOTE_CREATED | VFS_NOTE_DIR), VFS_NOTE_CREATED | VFS_NOTE_DIR);
	EQ(xstat("/tmp/d/../none"), -ENOENT);
	cr_assert(noted("/tmp/d", asked, other) & VFS_NOTE_SEEN);
	EQ(xopen("/tmp/d/x", O_RDONLY), -ENOENT);
	EQ(noted("/tmp/d/x", asked, other), VFS_NOTE_MISSING);
}
