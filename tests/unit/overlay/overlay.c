/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overlay.c - what copy-on-write means, tested at the file system's own operations on the real dentry cache, over a scratch
 * lower. The walk is this file's own and simple; each test makes a lower, an upper and a filestore of its own.
 */
#include "tests/unit/overlay/fake_gofer.h"
#include "vfs/core.h"
#include "vfs/dirlist.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <pthread.h>
#include <sys/resource.h>

static struct vfs_config cfg;
static struct super *sb;
static struct dentry *root;
static char scratch[64];

/* Names of a directory in the file system's order, each followed by a space. */
static const char *list(struct dentry *d)
{
	static char text[1024];
	struct dirlist l = {0};
	size_t len = 0;

	cr_assert_eq(d->inode->ops->readdir(NULL, d, &l), 0);
	text[0] = 0;
	for (size_t i = 0; i < l.n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", l.buf + l.off[i] + REC_HEAD);
	cr_assert_lt(len, sizeof(text));
	free(l.buf);
	free(l.off);
	return text;
}
#define assert_list(d, want) cr_expect_str_eq(list(d), want)

static int low(const char *name)
{
	return openat(fake_root, name, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
}
static void low_file(const char *name, const char *text)
{
	AUTO_CLOSE int fd = low(name);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}
static void low_dir(const char *name)
{
	cr_assert_eq(mkdirat(fake_root, name, 0755), 0);
}

static void start_base(void)
{
	int base;

	strcpy(scratch, "/dev/shm/ovltestXXXXXX");
	cr_assert(mkdtemp(scratch));
	base = open(scratch, O_RDONLY | O_DIRECTORY);
	mkdirat(base, "lower", 0755);
	mkdirat(base, "store", 0755);
	mkdirat(base, "token", 0755);
	fake_root = openat(base, "lower", O_RDONLY | O_DIRECTORY);
	cfg = (struct vfs_config){
	    .procfd = open("/proc", O_PATH | O_DIRECTORY),
	    .filestore = openat(base, "store", O_RDONLY | O_DIRECTORY),
	    .token_rw = openat(base, "token", O_RDONLY | O_DIRECTORY),
	    .token_ro = openat(base, "token", O_RDONLY | O_DIRECTORY),
	    .guest_procfd = -1,
	    .devptsfd = -1,
	    .dev_null = open("/dev/null", O_PATH),
	    .dev_zero = -1,
	    .dev_full = -1,
	    .dev_random = -1,
	    .dev_urandom = -1,
	};
	close(base);
	cr_assert_eq(vfs_init(&cfg), 0);
}
static void mount_it(void)
{
	cr_assert_eq(overlay_new(0, 0, 0, &sb), 0);
	root = sb->root;
}
static int rm(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}
static void stop(void)
{
	nftw(scratch, rm, 16, FTW_DEPTH | FTW_PHYS);
}
TestSuite(overlay, .init = start_base, .fini = stop, .timeout = 120);

/* Referenced, or NULL if a component on the way is missing. The last may be negative. */
static struct dentry *D(const char *path)
{
	struct dentry *d = root, *c;

	dget(d);
	while (*path) {
		size_t len = strcspn(path, "/");
		const char *rest = path + len + (path[len] == '/');
		struct lookup_result r[LOOKUP_BATCH] = {0};
		if (!d->inode) {
			dput(d);
			return NULL;
		}
		vfs_rdlock();
		c = d_lookup(d, path, len);
		if (c)
			dget(c);
		vfs_rdunlock();
		if (!c) {
			int n = d->flags & D_COMPLETE ? 1 : d->inode->ops->lookup(d, path, len, "", r, 1);
			cr_assert_eq(n, 1, "lookup: %d", n);
			vfs_wrlock();
			c = d_lookup(d, path, len);
			if (c && r[0].inode)
				iput_locked(r[0].inode);
			if (!c)
				c = d_add(d, path, len, r[0].inode, r[0].fsdata);
			dget(c);
			vfs_wrunlock();
		}
		dput(d);
		d = c;
		path = rest;
	}
	return d;
}
static bool exists(const char *path)
{
	struct dentry *d = D(path);
	bool is = d && d->inode;

	dput(d);
	return is;
}
static int make(const char *path, uint32_t mode)
{
	struct dentry *d = D(path);
	int r;

	r = root->inode->ops->prepare(d, false);
	vfs_wrlock();
	if (!r)
		r = d->inode ? -EEXIST
			     : d->parent->inode->ops->mknod(d, mode, makedev(1, 3), 7, 8, S_ISLNK(mode) ? "target" : NULL);
	vfs_wrunlock();
	dput(d);
	return r;
}
static int unlink_(const char *path)
{
	struct dentry *d = D(path);
	int r = root->inode->ops->prepare(d, true);

	vfs_wrlock();
	if (!r)
		r = !d->inode ? -ENOENT : S_ISDIR(d->inode->mode) ? root->inode->ops->rmdir(d) : root->inode->ops->unlink(d);
	vfs_wrunlock();
	dput(d);
	return r;
}
static int rename_(const char *a, const char *b, unsigned flags)
{
	struct dentry *da = D(a), *db = D(b);
	int r = root->inode->ops->prepare(da, true);

	if (!r)
		r = root->inode->ops->prepare(db, true);
	vfs_wrlock();
	if (!r)
		r = root->inode->ops->rename(da, db, flags);
	vfs_wrunlock();
	dput(da);
	dput(db);
	return r;
}
static int link_(const char *a, const char *b)
{
	struct dentry *da = D(a), *db = D(b);
	int r;

	vfs_wrlock();
	r = root->inode->ops->link(da->inode, da, db);
	vfs_wrunlock();
	dput(da);
	dput(db);
	return r;
}
static int open_(const char *path, int flags)
{
	struct dentry *d = D(path);
	int fd = -1, r = d && d->inode ? d->inode->ops->open(NULL, d, d->inode, flags, &fd) : -ENOENT;

	dput(d);
	return r ? r : fd;
}
static struct kstat stat_(const char *path)
{
	struct dentry *d = D(path);
	struct kstat st = {0};

	cr_assert(d && d->inode, "%s is missing", path);
	cr_assert_eq(d->inode->ops->getattr(NULL, d->inode, &st), 0);
	dput(d);
	return st;
}
static struct inode *by_fd(int fd)
{
	struct stat st;
	struct inode *i;

	fstat(fd, &st);
	vfs_rdlock();
	i = hostobj_find(st.st_dev, st.st_ino);
	vfs_rdunlock();
	return i;
}
static void expect_text(const char *path, const char *text)
{
	char buf[256] = "";
	AUTO_CLOSE int fd = open_(path, O_RDONLY);

	cr_assert_geq(fd, 0, "%s: %d", path, fd);
	cr_expect_geq(read(fd, buf, sizeof(buf) - 1), 0);
	cr_expect_str_eq(buf, text);
}
static void append(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open_(path, O_WRONLY | O_APPEND);

	cr_assert_geq(fd, 0, "%s: %d", path, fd);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

Test(overlay, whiteout)
{
	low_file("a", "old");
	low_file("b", "b");
	mount_it();
	expect_text("a", "old");
	cr_expect_eq(unlink_("a"), 0);
	cr_expect_not(exists("a"));
	assert_list(root, "b ");
	cr_expect_eq(make("a", S_IFREG | 0600), 0);
	cr_expect_eq(make("a", S_IFREG | 0600), -EEXIST);
	expect_text("a", "");
	assert_list(root, "a b ");
	cr_expect_eq(unlink_("a"), 0);
	cr_expect_not(exists("a"), "the lower file shines through again");
	cr_expect_eq(unlink_("a"), -ENOENT);
	cr_expect_eq(faccessat(fake_root, "a", F_OK, 0), 0);
}

Test(overlay, copy_up)
{
	low_file("f", "lower");
	mount_it();
	struct kstat before = stat_("f");
	AUTO_CLOSE int old = open_("f", O_RDONLY);
	append("f", "+upper");
	expect_text("f", "lower+upper");
	struct kstat after = stat_("f");
	cr_expect_eq(before.ino, after.ino);
	cr_expect_eq(before.dev, after.dev);
	cr_expect_eq(after.size, 11);
	cr_expect_gt(after.mtime, 0);
	AUTO_CLOSE int new = open_("f", O_RDONLY);
	cr_expect_eq(by_fd(old), by_fd(new), "descriptors of before and after are one inode");
	AUTO_CLOSE int trunc = open_("f", O_RDWR | O_TRUNC);
	cr_assert_geq(trunc, 0);
	cr_expect_eq(stat_("f").size, 0);
	char buf[8] = "";
	AUTO_CLOSE int lowfd = openat(fake_root, "f", O_RDONLY);
	cr_expect_eq(read(lowfd, buf, 8), 5);
}

Test(overlay, times_and_modes)
{
	low_file("f", "lower");
	mount_it();
	struct dentry *d = D("f");
	struct setattr sa = {
	    .valid = SA_MODE | SA_UID | SA_MTIME | SA_ATIME, .mode = 04711, .uid = 5, .mtime = 1000000007, .atime = 2};
	unsigned calls = fake_calls;
	cr_expect_eq(d->inode->ops->setattr(NULL, d, d->inode, &sa), 0);
	cr_expect_eq(fake_calls, calls, "no data is copied for these");
	cr_expect_not(d->inode->flags & I_UPPER);
	AUTO_CLOSE int fd = open_("f", O_RDWR);
	struct kstat st = stat_("f");
	cr_expect_eq(st.mode, S_IFREG | 04711);
	cr_expect_eq(st.uid, 5);
	cr_expect_eq(st.mtime, 1000000007, "copying up keeps times");
	sa = (struct setattr){.valid = SA_MTIME, .mtime = 5};
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_expect_gt(stat_("f").mtime, 1000000007);
	cr_expect_eq(d->inode->ops->setattr(NULL, d, d->inode, &sa), 0);
	cr_expect_eq(stat_("f").mtime, 5);
	sa = (struct setattr){.valid = SA_SIZE, .size = 3};
	cr_expect_eq(d->inode->ops->setattr(NULL, d, d->inode, &sa), 0);
	expect_text("f", "xow");
	dput(d);
}

/* Nanoseconds count forwards also there. */
Test(overlay, copy_up_of_a_file_from_before_the_epoch)
{
	struct timespec ts[2] = {{-2, 5}, {-3, 7}};
	low_file("f", "lower");
	cr_assert_eq(utimensat(fake_root, "f", ts, 0), 0);
	mount_it();
	cr_expect_eq(stat_("f").mtime, -2999999993);
	AUTO_CLOSE int fd = open_("f", O_RDWR);
	cr_assert_geq(fd, 0);
	cr_expect_eq(stat_("f").mtime, -2999999993);
}

Test(overlay, hard_links_of_the_lower_stay_linked)
{
	low_file("one", "x");
	cr_assert_eq(linkat(fake_root, "one", fake_root, "two", 0), 0);
	mount_it();
	cr_expect_eq(stat_("one").nlink, 2);
	append("one", "y");
	expect_text("two", "xy");
	cr_expect_eq(link_("two", "three"), 0);
	cr_expect_eq(stat_("one").nlink, 3);
	cr_expect_eq(unlink_("one"), 0);
	cr_expect_eq(stat_("two").nlink, 2);
	append("three", "z");
	expect_text("two", "xyz");
}

Test(overlay, changed_inode_survives_its_dentries)
{
	low_file("one", "x");
	cr_assert_eq(linkat(fake_root, "one", fake_root, "two", 0), 0);
	mount_it();
	struct dentry *d = D("one");
	struct setattr sa = {.valid = SA_MODE, .mode = 0700};
	cr_expect_eq(d->inode->ops->setattr(NULL, NULL, d->inode, &sa), 0, "by a descriptor");
	dput(d);
	dcache_limit(0, 0);
	vfs_wrlock();
	dcache_trim(); /* twice: once for those that are marked as used */
	dcache_trim();
	cr_expect_null(d_lookup(root, "one", 3));
	vfs_wrunlock();
	cr_expect_eq(stat_("two").mode, S_IFREG | 0700);
}

Test(overlay, rmdir_and_opaque)
{
	low_dir("d");
	low_file("d/x", "1");
	low_file("d/y", "2");
	mount_it();
	cr_expect_eq(unlink_("d"), -ENOTEMPTY);
	cr_expect_eq(unlink_("d/x"), 0);
	cr_expect_eq(unlink_("d"), -ENOTEMPTY);
	cr_expect_eq(unlink_("d/y"), 0);
	cr_expect_eq(make("d/new", S_IFREG), 0);
	cr_expect_eq(unlink_("d"), -ENOTEMPTY);
	cr_expect_eq(unlink_("d/new"), 0);
	struct kstat before = stat_("");
	cr_expect_eq(unlink_("d"), 0);
	cr_expect_eq(stat_("").nlink, before.nlink - 1);
	cr_expect_not(exists("d"));
	cr_expect_eq(make("d", S_IFDIR | 0755), 0);
	cr_expect_not(exists("d/x"));
	struct dentry *d = D("d");
	assert_list(d, "");
	dput(d);
	cr_expect_eq(stat_("d").nlink, 2);
	cr_expect_eq(unlink_("d"), 0);
	cr_expect_not(exists("d"));
}

Test(overlay, rename_across_layers)
{
	low_dir("d");
	low_dir("d/sub");
	low_file("d/sub/f", "deep");
	low_file("d/g", "g");
	low_file("h", "h");
	mount_it();
	cr_expect_eq(make("up", S_IFDIR | 0755), 0);
	cr_expect_eq(rename_("d", "up/moved", 0), 0);
	cr_expect_not(exists("d"));
	expect_text("up/moved/sub/f", "deep");
	struct dentry *d = D("up/moved");
	assert_list(d, "g sub ");
	dput(d);
	cr_expect_eq(stat_("up").nlink, 3);
	/* A new directory in the old place has nothing of the old one's. */
	cr_expect_eq(make("d", S_IFDIR | 0755), 0);
	cr_expect_not(exists("d/g"));
	cr_expect_eq(rename_("h", "up/moved/sub/f", 0), 0);
	expect_text("up/moved/sub/f", "h");
	cr_expect_eq(unlink_("up/moved/sub/f"), 0);
	cr_expect_not(exists("up/moved/sub/f"));
	cr_expect_eq(rename_("up/moved/sub", "d", 0), 0, "over an empty directory");
	assert_list(root, "up d ");
	cr_expect_eq(rename_("up", "d", 0), 0, "d is empty again");
	expect_text("d/moved/g", "g");
	cr_expect_eq(make("x", S_IFREG), 0);
	cr_expect_eq(rename_("x", "d/moved/g", RENAME_NOREPLACE), -EEXIST);
	cr_expect_eq(rename_("x", "d", 0), -EISDIR);
	cr_expect_eq(rename_("d", "x", 0), -ENOTDIR);
}

Test(overlay, exchange)
{
	low_dir("d");
	low_file("d/f", "in d");
	low_file("l", "lower");
	mount_it();
	cr_expect_eq(make("u", S_IFREG | 0644), 0);
	append("u", "upper");
	cr_expect_eq(rename_("u", "l", RENAME_EXCHANGE), 0);
	expect_text("u", "lower");
	expect_text("l", "upper");
	cr_expect_eq(unlink_("u"), 0);
	cr_expect_eq(unlink_("l"), 0);
	cr_expect_not(exists("u"));
	cr_expect_not(exists("l"));
	cr_expect_eq(make("e", S_IFDIR | 0755), 0);
	cr_expect_eq(make("e/n", S_IFREG | 0755), 0);
	cr_expect_eq(rename_("e", "d", RENAME_EXCHANGE), 0);
	expect_text("e/f", "in d");
	cr_expect(exists("d/n"));
	cr_expect_not(exists("d/f"));
	cr_expect_eq(rename_("d", "nowhere", RENAME_EXCHANGE), -ENOENT);
}

Test(overlay, unlinked_open_file)
{
	mount_it();
	cr_expect_eq(make("f", S_IFREG | 0640), 0);
	int fd = open_("f", O_RDWR);
	cr_assert_eq(write(fd, "data", 4), 4);
	cr_expect_eq(unlink_("f"), 0);
	for (int k = 0; k < 300; k++) { /* sweeps pass */
		cr_expect_eq(make("g", S_IFREG | 0640), 0);
		close(open_("g", O_RDWR));
		cr_expect_eq(unlink_("g"), 0);
	}
	struct inode *i = by_fd(fd);
	cr_assert(i);
	struct kstat st = {0};
	cr_expect_eq(i->ops->getattr(NULL, i, &st), 0);
	cr_expect_eq(st.size, 4);
	cr_expect_eq(st.nlink, 0);
	cr_expect_eq(st.uid, 7);
	cr_expect_eq(st.mode, S_IFREG | 0640);
	struct stat host;
	fstat(fd, &host);
	close(fd);
	struct statfs sf;
	cr_expect_eq(sb->ops->statfs(sb, &sf), 0);
	vfs_rdlock();
	cr_expect_null(hostobj_find(host.st_dev, host.st_ino), "nobody has it open any more");
	vfs_rdunlock();
}

/* Each end alone keeps a FIFO that has no name any more: its descriptor must go on to stand for it. */
Test(overlay, fifo_without_a_name_is_held_by_either_end)
{
	uint64_t id, dev, ino;

	mount_it();
	struct filestore *fs = filestore_get(0);
	cr_assert_eq(filestore_mkfifo(fs, &id, &dev, &ino), 0);
	cr_expect(!filestore_busy(fs, id));
	int r = filestore_open(fs, id, O_RDONLY | O_NONBLOCK), w = filestore_open(fs, id, O_WRONLY | O_NONBLOCK);
	cr_assert(r >= 0 && w >= 0);
	cr_expect(filestore_busy(fs, id));
	close(r);
	cr_expect(filestore_busy(fs, id), "a writer");
	r = filestore_open(fs, id, O_RDONLY | O_NONBLOCK);
	close(w);
	cr_expect(filestore_busy(fs, id), "a reader");
	close(r);
	cr_expect(!filestore_busy(fs, id));
	w = filestore_open(fs, id, O_RDWR | O_NONBLOCK);
	cr_expect(filestore_busy(fs, id), "both");
	cr_expect_eq(write(w, "data", 4), 4);
	cr_expect(filestore_busy(fs, id));
	char buf[8];
	cr_expect_eq(read(w, buf, sizeof(buf)), 4, "nothing was taken out");
	close(w);
	cr_expect(!filestore_busy(fs, id));
}

Test(overlay, tmpfile_and_link)
{
	struct inode *i;
	int fd = -1;

	mount_it();
	cr_assert_eq(root->inode->ops->tmpfile(root, S_IFREG | 0600, 1, 2, &i), 0);
	cr_assert_eq(i->ops->open(NULL, NULL, i, O_RDWR, &fd), 0);
	cr_assert_eq(write(fd, "tmp", 3), 3);
	struct dentry *d = D("named");
	i->flags |= I_LINKABLE; /* the core does */
	vfs_wrlock();
	cr_expect_eq(i->ops->link(i, NULL, d), 0);
	i->flags &= ~I_LINKABLE;
	vfs_wrunlock();
	dput(d);
	iput(i);
	expect_text("named", "tmp");
	cr_expect_eq(stat_("named").nlink, 1);
	cr_expect_eq(unlink_("named"), 0);
	i = by_fd(fd);
	cr_assert(i);
	d = D("again");
	vfs_wrlock();
	cr_expect_eq(i->ops->link(i, NULL, d), -ENOENT, "only O_TMPFILE's files come back");
	vfs_wrunlock();
	dput(d);
	close(fd);
}

Test(overlay, holes)
{
	struct stat st;
	AUTO_CLOSE int lfd = low("sparse");

	cr_assert_eq(ftruncate(lfd, 1 << 30), 0);
	cr_assert_eq(pwrite(lfd, "mid", 3, 500 << 20), 3);
	mount_it();
	AUTO_CLOSE int fd = open_("sparse", O_RDWR);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_expect_eq(st.st_size, 1 << 30);
	cr_expect_lt(st.st_blocks, 64);
	char buf[3];
	cr_expect_eq(pread(fd, buf, 3, 500 << 20), 3);
	cr_expect_arr_eq(buf, "mid", 3);
	cr_expect_eq(lseek(fd, 0, SEEK_DATA), 500 << 20);
}

Test(overlay, special_files)
{
	char buf[64] = "";
	struct dentry *d;

	cr_assert_eq(symlinkat("where", fake_root, "link"), 0);
	cr_assert_eq(mkfifoat(fake_root, "fifo", 0644), 0);
	mount_it();
	d = D("link");
	cr_expect_eq(d->inode->ops->readlink(NULL, d->inode, buf, sizeof(buf)), 5);
	cr_expect_str_eq(buf, "where");
	dput(d);
	cr_expect_eq(make("l2", S_IFLNK | 0777), 0);
	d = D("l2");
	cr_expect_eq(d->inode->ops->readlink(NULL, d->inode, buf, sizeof(buf)), 6);
	dput(d);
	cr_expect_eq(stat_("l2").size, 6);
	cr_expect_eq(open_("fifo", O_WRONLY | O_NONBLOCK), -ENXIO);
	AUTO_CLOSE int r = open_("fifo", O_RDONLY | O_NONBLOCK);
	AUTO_CLOSE int w = open_("fifo", O_WRONLY);
	cr_expect_eq(write(w, "through", 7), 7);
	cr_expect_eq(read(r, buf, 64), 7);
	cr_expect_eq(make("null", S_IFCHR | 0666), 0);
	AUTO_CLOSE int n = open_("null", O_RDWR);
	cr_expect_eq(write(n, "x", 1), 1);
	cr_expect_eq(read(n, buf, 1), 0);
	cr_expect_eq(stat_("null").rdev, makedev(1, 3));
}

static void *fifo_writer(void *arg)
{
	AUTO_CLOSE int fd = open_("p", O_WRONLY);

	usleep(20000);
	return write(fd, "hello", 5) == 5 ? arg : NULL;
}
Test(overlay, fifo_openers_wait_for_each_other)
{
	pthread_t t;
	char buf[8] = "";
	void *ok;

	mount_it();
	for (int k = 0; k < 20; k++) {
		cr_assert_eq(make("p", S_IFIFO | 0600), 0);
		pthread_create(&t, NULL, fifo_writer, buf);
		if (k & 1)
			usleep(5000);
		AUTO_CLOSE int fd = open_("p", O_RDONLY);
		cr_assert_geq(fd, 0);
		cr_expect_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
		cr_expect_eq(read(fd, buf, 8), 5);
		pthread_join(t, &ok);
		cr_expect(ok);
		cr_expect_eq(unlink_("p"), 0);
	}
}

Test(overlay, xattrs)
{
	char buf[256];

	low_file("f", "x");
	AUTO_CLOSE int lfd = low("f");
	fsetxattr(lfd, "user.low", "1", 1, 0);
	mount_it();
	struct dentry *d = D("f");
	const struct inode_ops *o = d->inode->ops;
	ssize_t n = o->listxattr(d->inode, buf, sizeof(buf));
	cr_expect_geq(n, 0);
	cr_expect_eq(o->setxattr(d, d->inode, "user.a", "value", 5, XATTR_REPLACE), -ENODATA);
	cr_expect_eq(o->setxattr(d, d->inode, "user.a", "value", 5, 0), 0);
	cr_expect_eq(o->setxattr(d, d->inode, "user.a", "v", 1, XATTR_CREATE), -EEXIST);
	cr_expect_eq(o->setxattr(d, d->inode, "user.e", "", 0, XATTR_CREATE), 0);
	cr_expect_eq(o->getxattr(d->inode, "user.e", buf, 10), 0);
	cr_expect_eq(o->getxattr(d->inode, "user.a", buf, 2), -ERANGE);
	cr_expect_eq(o->getxattr(d->inode, "user.a", NULL, 0), 5);
	cr_expect_eq(o->listxattr(d->inode, buf, sizeof(buf)), n + 14);
	cr_expect_eq(o->listxattr(d->inode, buf, 3), -ERANGE);
	cr_expect_eq(o->setxattr(d, d->inode, "user.a", "vv", 2, 0), 0);
	cr_expect_eq(o->getxattr(d->inode, "user.a", buf, 10), 2);
	cr_expect_eq(o->setxattr(d, d->inode, "user.a", NULL, 0, 0), 0);
	cr_expect_eq(o->getxattr(d->inode, "user.a", buf, 10), -ENODATA);
	static char big[65536];
	int r = 0;
	for (int k = 0; k < 4 && !r; k++) {
		snprintf(buf, sizeof(buf), "user.big%d", k);
		r = o->setxattr(d, d->inode, buf, big, sizeof(big), 0);
	}
	cr_expect_eq(r, -ENOSPC);
	dput(d);
}

Test(overlay, repeated_opens_ask_nobody)
{
	low_file("f", "x");
	mount_it();
	for (int k = 0; k < 2; k++)
		close(open_("f", O_RDONLY));
	unsigned calls = fake_calls;
	int a = open_("f", O_RDONLY), b = open_("f", O_RDONLY);
	char c;
	cr_expect_eq(fake_calls, calls);
	cr_expect_eq(read(a, &c, 1), 1);
	cr_expect_eq(read(b, &c, 1), 1, "each open has its own offset");
	close(a);
	close(b);
	for (int k = 0; k < 600; k++) {
		char name[16];
		snprintf(name, sizeof(name), "n%d", k);
		low_file(name, "y");
		for (int j = 0; j < 3; j++)
			close(open_(name, O_RDONLY));
	}
	int fd = dup(0);
	cr_expect_lt(fd, 320, "at most 256 are kept");
	close(fd);
}

static void *opener(void *arg)
{
	int fd = open_("f", O_RDWR);

	return (void *)(intptr_t)fd;
}
Test(overlay, concurrent_copy_up_is_one)
{
	pthread_t t[8];
	struct stat st, first = {0};

	low_file("f", "x");
	mount_it();
	fake_delay_us = 20000;
	for (int k = 0; k < 8; k++)
		pthread_create(&t[k], NULL, opener, NULL);
	for (int k = 0; k < 8; k++) {
		void *fd;
		pthread_join(t[k], &fd);
		cr_assert_geq((intptr_t)fd, 0);
		fstat((int)(intptr_t)fd, &st);
		if (!k)
			first = st;
		cr_expect_eq(st.st_ino, first.st_ino);
		close((int)(intptr_t)fd);
	}
	fake_delay_us = 0;
}

Test(overlay, big_directory)
{
	char name[32];

	low_dir("big");
	for (int k = 0; k < 50000; k++) {
		snprintf(name, sizeof(name), "big/%05d", k);
		cr_assert_eq(mknodat(fake_root, name, S_IFREG | 0644, 0), 0);
	}
	mount_it();
	struct dentry *d = D("big");
	cr_assert_eq(d->inode->ops->prepare(d, true), 0); /* lists */
	unsigned calls = fake_calls;
	for (int k = 0; k < 50000; k++) {
		snprintf(name, sizeof(name), "big/%05d", k);
		cr_assert(exists(name));
	}
	cr_expect_lt(fake_calls - calls, 2000, "%u round trips", fake_calls - calls);
	calls = fake_calls;
	cr_expect_not(exists("big/nothing"));
	cr_expect_eq(fake_calls, calls);
	cr_expect_eq(unlink_("big"), -ENOTEMPTY);
	for (int k = 0; k < 50000; k++) {
		snprintf(name, sizeof(name), "big/%05d", k);
		cr_assert_eq(unlink_(name), 0);
	}
	cr_expect_eq(unlink_("big"), 0);
	dput(d);
	cr_expect_not(exists("big"));
}

#ifdef __SANITIZE_ADDRESS__
#define MEASURED 0 /* quarantine and red zones count too */
#else
#define MEASURED 1
#endif
static long rss(void)
{
	long pages = 0, total;
	FILE *f = fopen("/proc/self/statm", "r");

	cr_assert_eq(fscanf(f, "%ld %ld", &total, &pages), 2);
	fclose(f);
	return pages * 4;
}
static void cycles(int from, int to)
{
	char name[32];

	for (int k = from; k < to; k++) {
		snprintf(name, sizeof(name), "tmp%d", k);
		cr_assert_eq(make(name, S_IFREG | 0600), 0);
		AUTO_CLOSE int fd = open_(name, O_RDWR);
		cr_assert_eq(write(fd, "x", 1), 1);
		cr_assert_eq(unlink_(name), 0);
	}
}
Test(overlay, memory_stays_flat)
{
	struct statfs sf;

	cr_assert_eq(tmpfs_new(0, 01777, &sb), 0);
	root = sb->root;
	cycles(0, 20000);
	long before = rss();
	cycles(20000, 80000);
	cr_expect(!MEASURED || rss() - before < 1200, "%ld KiB more", rss() - before);
	cr_expect_eq(filestore_statfs(filestore_get(0), &sf), 0);
	struct vfs_stats st = {0};
	overlay_get_stats(&st);
	cr_expect_leq(st.upper_files, 256);
}

Test(overlay, million_files_need_no_descriptors)
{
	struct rlimit rl = {64, 64};
	char name[32];

	setrlimit(RLIMIT_NOFILE, &rl);
	cr_assert_eq(tmpfs_new(0, 01777, &sb), 0);
	root = sb->root;
	long before = rss();
	for (int k = 0; k < 100000; k++) {
		snprintf(name, sizeof(name), "file%07d", k);
		cr_assert_eq(make(name, S_IFREG | 0600), 0);
		if (!(k % 100)) {
			AUTO_CLOSE int fd = open_(name, O_RDWR);
			cr_assert_geq(fd, 0);
		}
	}
	cr_expect(!MEASURED || (rss() - before) * 1024 / 100000 < 640); /* with hash tables and host objects */
}

Test(overlay, tmpfs_limit)
{
	struct statfs sf;
	static char block[65536];

	cr_assert_eq(tmpfs_new(1 << 20, 0755, &sb), 0);
	root = sb->root;
	cr_expect_eq(make("a", S_IFREG | 0600), 0);
	AUTO_CLOSE int fd = open_("a", O_RDWR);
	for (int k = 0; k < 16; k++)
		cr_assert_eq(write(fd, block, sizeof(block)), (ssize_t)sizeof(block));
	cr_expect_eq(sb->ops->statfs(sb, &sf), 0);
	cr_expect_eq(sf.f_bfree, 0);
	cr_expect_eq(sf.f_blocks, 256);
	cr_expect_eq(make("b", S_IFREG | 0600), -ENOSPC);
	cr_expect_eq(unlink_("a"), 0);
	close(take_fd(&fd));
	cr_expect_eq(sb->ops->statfs(sb, &sf), 0);
	cr_expect_eq(sf.f_bfree, 256);
	cr_expect_eq(make("b", S_IFREG | 0600), 0);
}
