/* SPDX-License-Identifier: Apache-2.0 */
/* open.c - flags and errors of open, openat, openat2, creat. */
#include "tests/conformance/t.h"

#include <linux/openat2.h>
#include <sys/resource.h>

static int openat2_(int dir, const char *name, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static void plain(void)
{
	O(open("file", O_RDONLY));
	O(open("file", O_RDWR));
	O(open("nope", O_RDONLY));
	O(open("", O_RDONLY));
	O(open("file/", O_RDONLY));
	O(open("file/x", O_RDONLY));
	O(open("nope/x", O_RDONLY));
	O(open("loop", O_RDONLY));
	O(open("loop/x", O_RDONLY));
	O(open("dangling", O_RDONLY));
	O(open("link", O_RDONLY | O_NOFOLLOW));
	O(open("dirlink", O_RDONLY | O_DIRECTORY));
	O(open("dirlink", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
	O(open("dirlink/", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
	O(open("file", O_RDONLY | O_DIRECTORY));
	O(open("dir", O_RDONLY));
	O(open("dir", O_WRONLY));
	O(open("dir", O_RDWR));
	O(open("dir", O_RDONLY | O_CREAT, 0644));
	O(open("dir/.", O_RDONLY));
	O(open("dir/..", O_RDONLY));
	O(open("dir/sub/../a", O_RDONLY));
	O(open("nope/../file", O_RDONLY));
	O(open("file", O_CREAT | O_EXCL | O_RDWR, 0644));
	O(open("link", O_CREAT | O_EXCL | O_RDWR, 0644));
	O(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0644));
	O(open("new/", O_CREAT | O_RDWR, 0644));
	O(open("nope/new", O_CREAT | O_RDWR, 0644));
	O(open("fifo", O_WRONLY | O_NONBLOCK));
	O(open("fifo", O_RDONLY | O_NONBLOCK));
	O(open("fifo", O_RDWR));
	O(open("file", O_RDONLY | O_TRUNC | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
	t_stat("file");
	O(open("dangling", O_CREAT | O_WRONLY, 0640));
	t_stat("nowhere");
	O(creat("made", 0666));
	t_stat("made");
	O(open("secret", O_RDONLY) >= 0 || errno == EACCES ? 0 : -1);
	O(open("readonly", O_RDONLY));
	O(open("file", O_ACCMODE));
	O(open("file", O_RDONLY | 1 << 30));
	O(open(".", O_WRONLY | O_CREAT, 0600));
	O(open("/", O_RDWR));
	O(open("/proc/self/nope", O_RDONLY));
	O(open("/dev/null/x", O_RDONLY));

	char name[5000];

	memset(name, 'a', sizeof(name));
	name[256] = 0;
	N("open(name of 256)", open(name, O_RDONLY | O_CREAT, 0644));
	name[256] = 'a';
	name[4096] = 0;
	N("open(path of 4096)", open(name, O_RDONLY));
	for (int i = 0; i < 4094; i += 2)
		memcpy(name + i, "./", 2);
	strcpy(name + 4090, "file");
	N("open(path of 4094) + 0", open(name, O_RDONLY) >= 0 ? 0 : -1);
	name[255] = 0;
	memset(name, 'b', 255);
	N("open(name of 255)", open(name, O_RDONLY | O_CREAT, 0644) >= 0 ? 0 : -1);
	N("unlink(name of 255)", unlink(name));
}

static void flags(void)
{
	int fd = open("flags", O_CREAT | O_RDWR | O_APPEND, 0644);

	R(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
	R(write(fd, "abc", 3));
	R(lseek(fd, 0, SEEK_SET));
	R(write(fd, "def", 3));
	R(lseek(fd, 0, SEEK_CUR));
	R(fcntl(fd, F_SETFL, O_NONBLOCK));
	R(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
	R(fcntl(fd, F_GETFD));
	close(fd);
	t_cat("flags");
	fd = open("flags", O_RDONLY | O_CLOEXEC);
	R(fcntl(fd, F_GETFD));
	R(write(fd, "x", 1));
	R(ftruncate(fd, 0));
	R(lseek(fd, -1, SEEK_SET));
	R(lseek(fd, 2, SEEK_END));
	close(fd);
	fd = open("flags", O_WRONLY);
	R(read(fd, &(char){0}, 1));
	close(fd);

	/* The lowest free number is used. */
	int a = open("file", O_RDONLY), b = open("file", O_RDONLY);

	close(a);
	R(open("file", O_RDONLY) == a);
	close(a);
	close(b);

	struct rlimit old, few = {.rlim_cur = 16, .rlim_max = 16};
	int n = 0;

	getrlimit(RLIMIT_NOFILE, &old);
	few.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	while (open("file", O_RDONLY) >= 0)
		n++;
	printf("at the limit: %s, more than five: %d\n", strerrorname_np(errno), n > 5);
	for (int i = 3; i < 16; i++)
		close(i);
	setrlimit(RLIMIT_NOFILE, &old);
}

static void o_path(void)
{
	int fd = open("file", O_PATH), d = open("dir", O_PATH | O_DIRECTORY), l = open("link", O_PATH | O_NOFOLLOW);
	struct stat st;
	char buf[32];

	R(fd >= 0 && d >= 0 && l >= 0);
	R(write(fd, buf, 1));
	R(read(fd, buf, 1));
	R(fchmod(fd, 0600));
	R(fstat(fd, &st));
	R(ftruncate(fd, 0));
	O(openat(d, "a", O_RDONLY));
	O(openat(fd, "a", O_RDONLY));
	R(fstat(l, &st));
	printf("link is a link: %d\n", S_ISLNK(st.st_mode));
	R(readlinkat(l, "", buf, sizeof(buf)));
	R(fchdir(d));
	R(fchdir(fd));
	R(chdir(".."));
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
	O(open(buf, O_RDONLY));
	snprintf(buf, sizeof(buf), "/proc/self/fd/%d", l);
	N("open(magic link of a link)", open(buf, O_RDONLY));
	O(open("secret", O_PATH));
	close(fd);
	close(d);
	close(l);
}

static void o_tmpfile(void)
{
	char name[64];
	struct stat st;
	int fd = open(".", O_TMPFILE | O_RDWR, 0640);

	R(fd >= 0);
	R(write(fd, "tmp", 3));
	fstat(fd, &st);
	t_show("tmpfile", &st);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	N("linkat(tmpfile)", linkat(AT_FDCWD, name, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
	t_stat("linked");
	t_cat("linked");
	close(fd);
	O(open(".", O_TMPFILE | O_RDONLY, 0600));
	O(open("file", O_TMPFILE | O_RDWR, 0600));
	fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	N("linkat(tmpfile O_EXCL)", linkat(AT_FDCWD, name, AT_FDCWD, "linked2", AT_SYMLINK_FOLLOW));
	close(fd);
}

static void resolve(void)
{
	int d = open("dir", O_RDONLY | O_DIRECTORY);

	O(openat2_(AT_FDCWD, "file", O_RDONLY, 0, 0));
	O(openat2_(AT_FDCWD, "file", O_RDONLY, 0644, 0));
	O(openat2_(AT_FDCWD, "file", O_RDONLY | 1ULL << 40, 0, 0));
	O(openat2_(AT_FDCWD, "file", O_RDONLY, 0, 1 << 20));
	O(openat2_(AT_FDCWD, "v2", O_RDWR | O_CREAT, 01000000, 0));
	O(openat2_(d, "../file", O_RDONLY, 0, RESOLVE_BENEATH));
	O(openat2_(d, "sub/../a", O_RDONLY, 0, RESOLVE_BENEATH));
	O(openat2_(d, "/etc/passwd", O_RDONLY, 0, RESOLVE_BENEATH));
	O(openat2_(d, "/a", O_RDONLY, 0, RESOLVE_IN_ROOT));
	O(openat2_(d, "../../../a", O_RDONLY, 0, RESOLVE_IN_ROOT));
	O(openat2_(AT_FDCWD, "link", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
	O(openat2_(AT_FDCWD, "dirlink/a", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
	O(openat2_(AT_FDCWD, "/proc/self/fd/0", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS));
	O(openat2_(AT_FDCWD, "/proc/self/status", O_RDONLY, 0, RESOLVE_NO_XDEV));
	O(openat2_(AT_FDCWD, "dir/a", O_RDONLY, 0, RESOLVE_NO_XDEV));
	O(openat2_(AT_FDCWD, "file", O_PATH | O_RDWR | O_CREAT, 0, 0));

	struct {
		struct open_how how;
		uint64_t more;
	} big = {.how.flags = O_RDONLY};

	N("openat2(larger, zeros) + 0", syscall(SYS_openat2, AT_FDCWD, "file", &big, sizeof(big)) >= 0 ? 0 : -1);
	big.more = 1;
	N("openat2(larger, ones)", syscall(SYS_openat2, AT_FDCWD, "file", &big, sizeof(big)));
	N("openat2(too small)", syscall(SYS_openat2, AT_FDCWD, "file", &big, 8UL));
	close(d);
	O(openat(-1, "file", O_RDONLY));
	O(openat(99, "file", O_RDONLY));
	O(openat(-1, "/etc/passwd", O_RDONLY));
	int f = open("file", O_RDONLY);

	O(openat(f, "file", O_RDONLY));
	O(openat(f, "", O_RDONLY));
	close(f);
}

/* Which of two errors, and a descriptor from before a copy-up whose file is written, closed and unlinked. */
static void order(void)
{
	int f, g;
	struct stat st;

	O(openat(99, "", O_RDONLY));
	O(openat(99, "x", O_RDONLY | O_CREAT | O_DIRECTORY, 0644));
	O(open("readonly/", O_WRONLY | O_CREAT, 0644));
	O(open("loop/", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644));
	O(open("readonly/.", O_WRONLY | O_CREAT | O_EXCL, 0644));
	R(renameat(AT_FDCWD, "none/x", 99, "y"));
	R(renameat(AT_FDCWD, "none", 99, "y"));
	f = open("dir/a", O_RDONLY);
	g = open("dir/a", O_RDWR);
	R(write(g, "new", 3));
	R(fchmod(g, 0640));
	close(g);
	R(unlink("dir/a"));
	for (int i = 0; i < 3; i++) {
		usleep(120000);
		mkdir("turn", 0755);
		rmdir("turn");
	}
	N("fstat", fstat(f, &st));
	printf("%o %lu %ld\n", st.st_mode, (unsigned long)st.st_nlink, (long)st.st_size);
	close(f);
}

int main(void)
{
	umask(022);
	plain();
	flags();
	o_path();
	o_tmpfile();
	resolve();
	order();
	return 0;
}
