/* SPDX-License-Identifier: Apache-2.0 */
/* attrs.c - modes, owners, times, sizes, extended attributes, statx, access. */
#include "tests/conformance/t.h"

#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

static void modes(void)
{
	R(chmod("file", 0600));
	t_stat("file");
	t_stat("hard");
	R(chmod("file", 07777));
	t_stat("file");
	R(chmod("link", 0640));
	t_stat("link");
	t_stat("file");
	R(chmod("nope", 0600));
	R(chmod("dangling", 0600));
	R(chmod("dir", 0711));
	t_stat("dir");
	R(fchmodat(AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
	R(fchmodat(AT_FDCWD, "file", 0604, 0));
	int fd = open("file", O_RDONLY);

	R(fchmod(fd, 0666));
	R(fchmod(99, 0666));
	t_stat("file");
	close(fd);
	for (int m = 0; m < 0777; m += 0111) {
		char name[16];

		umask(m);
		snprintf(name, sizeof(name), "u%o", m);
		close(open(name, O_CREAT | O_WRONLY, 0666));
		t_stat(name);
		strcat(name, "d");
		mkdir(name, 0777);
		t_stat(name);
	}
	R(umask(022));
	R(umask(07777022));
	R(umask(022));
	mkdir("setgid", 0755);
	R(chmod("setgid", 02775));
	R(mkdir("setgid/sub", 0755));
	t_stat("setgid/sub");
	mkdir("sticky", 01777);
	R(chmod("sticky", 01777));
	t_stat("sticky");
	/* Writing drops set-uid for an ordinary user. */
	t_put("suid", "x", 0755);
	R(chmod("suid", 06755));
	t_stat("suid");
	if (getuid()) {
		t_put("suid", "y", 0755);
		t_stat("suid");
	}
}

static void owners(void)
{
	R(chown("file", -1, -1));
	R(chown("file", getuid(), getgid()));
	R(chown("nope", 1, 1));
	R(lchown("link", getuid(), -1));
	R(chown("file", 1234, 4321));
	t_stat("file");
	R(lchown("link", 77, 78));
	t_stat("link");
	chmod("script", 06755);
	R(chown("script", 5, -1));
	t_stat("script");
	R(fchownat(AT_FDCWD, "", 1, 1, AT_EMPTY_PATH));
	R(fchownat(AT_FDCWD, "dir", 0, 0, 0x8000));
}

static void show_times(const char *name)
{
	struct stat st;

	lstat(name, &st);
	printf("%s: atime %ld.%09ld mtime %ld.%09ld\n", name, (long)st.st_atime, st.st_atim.tv_nsec, (long)st.st_mtime,
	       st.st_mtim.tv_nsec);
}

static void times_(void)
{
	struct timespec t[2] = {{1000, 123456789}, {2000, 987654321}}, omit[2] = {{0, UTIME_OMIT}, {5, 0}},
			bad[2] = {{0, 1000000000}, {0, 0}};
	struct stat st;

	t_put("t", "t", 0644);
	R(utimensat(AT_FDCWD, "t", t, 0));
	show_times("t");
	R(utimensat(AT_FDCWD, "t", omit, 0));
	show_times("t");
	R(utimensat(AT_FDCWD, "t", bad, 0));
	R(utimensat(AT_FDCWD, "nope", t, 0));
	R(utimensat(AT_FDCWD, "link", t, AT_SYMLINK_NOFOLLOW));
	show_times("link");
	R(utimensat(AT_FDCWD, "t", t, 0x8000));
	R(utime("t", &(struct utimbuf){11, 12}));
	R(utimes("t", (struct timeval[2]){{13, 500000}, {14, 0}}));
	show_times("t");
	R(utimensat(AT_FDCWD, "t", NULL, 0));
	stat("t", &st);
	printf("now is later than 2020: %d\n", st.st_mtime > 1600000000);
	utimensat(AT_FDCWD, "dir", t, 0);
	show_times("dir");
	t_put("dir/new", "n", 0644);
	stat("dir", &st);
	printf("making a name changes the directory's mtime: %d\n", st.st_mtime != 2000);
	utimensat(AT_FDCWD, "t", t, 0);
	int fd = open("t", O_WRONLY);

	R(write(fd, "x", 1));
	close(fd);
	stat("t", &st);
	printf("writing changes mtime: %d\n", st.st_mtime != 2000);
}

static void sizes(void)
{
	R(truncate("file", 100));
	t_stat("file");
	R(truncate("file", 10000));
	t_stat("hard");
	R(truncate("file", -1));
	R(truncate("dir", 0));
	R(truncate("nope", 0));
	R(truncate("dangling", 0));
	int fd = open("file", O_RDWR);

	R(ftruncate(fd, 5));
	t_cat("file");
	R(fallocate(fd, 0, 0, 4096));
	R(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192));
	R(lseek(fd, 0, SEEK_END));
	R(ftruncate(fd, 1 << 20));
	R(lseek(fd, 8192, SEEK_HOLE) <= 1 << 20);
	R(lseek(fd, 1 << 20, SEEK_DATA));
	close(fd);
	fd = open("file", O_RDONLY);
	R(ftruncate(fd, 5));
	close(fd);
}

static void xattrs(void)
{
	char buf[64];

	t_put("x", "x", 0644);
	R(setxattr("x", "user.one", "1", 1, 0));
	R(setxattr("x", "user.one", "22", 2, XATTR_CREATE));
	R(setxattr("x", "user.two", "22", 2, XATTR_REPLACE));
	R(setxattr("x", "user.one", "333", 3, XATTR_REPLACE));
	R(getxattr("x", "user.one", buf, sizeof(buf)));
	R(getxattr("x", "user.one", buf, 0));
	R(getxattr("x", "user.one", buf, 1));
	R(getxattr("x", "user.none", buf, sizeof(buf)));
	R(getxattr("nope", "user.one", buf, sizeof(buf)));
	R(getxattr("x", "bogus", buf, sizeof(buf)));
	R(listxattr("x", buf, sizeof(buf)));
	R(listxattr("x", buf, 2));
	R(lsetxattr("link", "user.one", "1", 1, 0));
	R(setxattr("x", "user.", "1", 1, 0));
	R(removexattr("x", "user.one"));
	R(removexattr("x", "user.one"));
	R(listxattr("x", buf, sizeof(buf)));
	R(setxattr("file", "user.lower", "abc", 3, 0));
	R(getxattr("hard", "user.lower", buf, sizeof(buf)));
	char name[300] = "user.";

	memset(name + 5, 'n', 280);
	N("setxattr(long name)", setxattr("x", name, "1", 1, 0));
	int fd = open("x", O_RDONLY);

	R(fsetxattr(fd, "user.f", "1", 1, 0));
	R(fgetxattr(fd, "user.f", buf, sizeof(buf)));
	R(fremovexattr(fd, "user.f"));
	close(fd);
}

static void stats(void)
{
	struct statx sx;
	struct stat st;
	struct statfs sf;
	int fd = open("file", O_RDONLY);

	R(statx(AT_FDCWD, "link", 0, STATX_BASIC_STATS, &sx));
	printf("statx: mode %o nlink %u size %llu\n", sx.stx_mode, sx.stx_nlink, (unsigned long long)sx.stx_size);
	R(statx(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &sx));
	printf("statx: mode %o size %llu\n", sx.stx_mode, (unsigned long long)sx.stx_size);
	R(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx));
	R(statx(fd, "", 0, STATX_BASIC_STATS, &sx));
	R(statx(AT_FDCWD, "file", 0x8000000, STATX_BASIC_STATS, &sx));
	R(statx(AT_FDCWD, "file", 0, 0x80000000U, &sx));
	R(statx(AT_FDCWD, "file", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &sx));
	R(stat("file/", &st));
	R(stat("dir/", &st));
	R(stat("", &st));
	R(fstat(99, &st));
	R(fstatat(fd, "", &st, AT_EMPTY_PATH));
	R(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	R(fstatat(AT_FDCWD, "file", &st, 0x8000));
	R(stat("link/x", &st));
	R(lstat("dirlink/", &st));
	printf("a link with a slash is the directory: %d\n", S_ISDIR(st.st_mode));
	R(statfs("file", &sf));
	R(statfs("nope", &sf));
	R(fstatfs(fd, &sf));
	close(fd);

	struct stat a, b;

	stat("file", &a);
	stat("hard", &b);
	printf("hard links are one file: %d\n", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	chmod("hard", 0600);
	stat("file", &b);
	printf("the inode number stays after a change: %d\n", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	fd = open("hard", O_WRONLY | O_APPEND);
	R(write(fd, "x", 1));
	fstat(fd, &b);
	printf("and after a write: %d\n", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	close(fd);
	t_stat("file");
}

static void accesses(void)
{
	R(access("file", F_OK));
	R(access("file", R_OK | W_OK));
	R(access("file", X_OK));
	R(access("script", X_OK));
	R(access("readonly", W_OK));
	R(access("secret", R_OK));
	R(access("dir", X_OK));
	R(access("nope", F_OK));
	R(access("dangling", F_OK));
	R(access("file", 8));
	R(faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
	R(faccessat(AT_FDCWD, "file", R_OK, AT_EACCESS));
	R(syscall(SYS_faccessat2, AT_FDCWD, "file", R_OK, 0x8000));
	R(access("/etc/passwd", W_OK));
	R(access("/proc/self/status", R_OK));
}

int main(void)
{
	umask(022);
	stats();
	accesses();
	sizes();
	times_();
	xattrs();
	modes();
	owners();
	return 0;
}
