/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pointers.c - bad pointers in every argument of every call that takes one: the error must be Linux's, and whoever answers must survive.
 * Each call runs in a child with the pointer arguments replaced one at a time.
 */
#include "tests/conformance/t.h"

#include <sys/mman.h>
#include <sys/socket.h>

struct row {
	const char *name;
	int nr;
	unsigned char pointers; /* bit i: argument i is a pointer */
	long args[6];
};
#define S(s) (long)(s)
static char buffer[65536] = "buffer";
static char *end_of_page; /* one byte of "x", then nothing is mapped */

#define C(call, pointers, ...)               \
	{                                    \
#call, SYS_##call, pointers, \
		{                            \
			__VA_ARGS__          \
		}                            \
	}
static const struct row *rows(size_t *n)
{
	static struct row table[] = {
	    C(open, 1, S("file"), O_RDONLY),
	    C(openat, 2, AT_FDCWD, S("file"), O_RDONLY),
	    C(openat2, 2 | 4, AT_FDCWD, S("file"), S(buffer + 4096), 24),
	    C(creat, 1, S("created"), 0644),
	    C(stat, 1 | 2, S("file"), S(buffer)),
	    C(lstat, 1 | 2, S("file"), S(buffer)),
	    C(fstat, 2, 3, S(buffer)),
	    C(newfstatat, 2 | 4, AT_FDCWD, S("file"), S(buffer), 0),
	    C(statx, 2 | 16, AT_FDCWD, S("file"), 0, 0x7ff, S(buffer)),
	    C(statfs, 1 | 2, S("file"), S(buffer)),
	    C(fstatfs, 2, 3, S(buffer)),
	    C(access, 1, S("file"), R_OK),
	    C(faccessat, 2, AT_FDCWD, S("file"), R_OK),
	    C(faccessat2, 2, AT_FDCWD, S("file"), R_OK, 0),
	    C(readlink, 1 | 2, S("link"), S(buffer), 100),
	    C(readlinkat, 2 | 4, AT_FDCWD, S("link"), S(buffer), 100),
	    C(getcwd, 1, S(buffer), 4096),
	    C(chdir, 1, S("dir")),
	    C(mkdir, 1, S("d"), 0755),
	    C(mkdirat, 2, AT_FDCWD, S("d"), 0755),
	    C(rmdir, 1, S("dir")),
	    C(mknod, 1, S("n"), S_IFREG | 0644, 0),
	    C(mknodat, 2, AT_FDCWD, S("n"), S_IFREG | 0644, 0),
	    C(unlink, 1, S("nope")),
	    C(unlinkat, 2, AT_FDCWD, S("nope"), 0),
	    C(rename, 1 | 2, S("nope"), S("nope2")),
	    C(renameat, 2 | 8, AT_FDCWD, S("nope"), AT_FDCWD, S("nope2")),
	    C(renameat2, 2 | 8, AT_FDCWD, S("nope"), AT_FDCWD, S("nope2"), 0),
	    C(link, 1 | 2, S("nope"), S("nope2")),
	    C(linkat, 2 | 8, AT_FDCWD, S("nope"), AT_FDCWD, S("nope2"), 0),
	    C(symlink, 1 | 2, S("t"), S("dir")),
	    C(symlinkat, 1 | 4, S("t"), AT_FDCWD, S("dir")),
	    C(chmod, 1, S("file"), 0600),
	    C(fchmodat, 2, AT_FDCWD, S("file"), 0600),
	    C(chown, 1, S("file"), -1, -1),
	    C(lchown, 1, S("file"), -1, -1),
	    C(fchownat, 2, AT_FDCWD, S("file"), -1, -1, 0),
	    C(truncate, 1, S("file"), 100),
	    C(utimensat, 2 | 4, AT_FDCWD, S("file"), S(buffer + 4096), 0),
	    C(utimes, 1 | 2, S("file"), S(buffer + 4096)),
	    C(utime, 1 | 2, S("file"), S(buffer + 4096)),
	    C(futimesat, 2 | 4, AT_FDCWD, S("file"), S(buffer + 4096)),
	    C(getdents64, 2, 4, S(buffer), 4096),
	    C(getxattr, 1 | 2 | 4, S("file"), S("user.t"), S(buffer), 16),
	    C(lgetxattr, 1 | 2 | 4, S("file"), S("user.t"), S(buffer), 16),
	    C(fgetxattr, 2 | 4, 3, S("user.t"), S(buffer), 16),
	    C(setxattr, 1 | 2 | 4, S("file"), S("user.u"), S(buffer), 6, 0),
	    C(fsetxattr, 2 | 4, 3, S("user.u"), S(buffer), 6, 0),
	    C(listxattr, 1 | 2, S("file"), S(buffer), 4096),
	    C(flistxattr, 2, 3, S(buffer), 4096),
	    C(removexattr, 1 | 2, S("file"), S("user.v")),
	    C(execve, 1 | 2 | 4, S("nope"), S(buffer + 8192), S(buffer + 8192)),
	    C(chroot, 1, S("nope")),
	    C(bind, 2, 5, S(buffer + 16384), 16),
	    C(connect, 2, 5, S(buffer + 16384), 16),
	    C(getsockname, 2 | 4, 5, S(buffer), S(buffer + 20000)),
	    C(getgroups, 2, 64, S(buffer)),
	    C(getresuid, 7, S(buffer), S(buffer + 8), S(buffer + 16)),
	    C(getresgid, 7, S(buffer), S(buffer + 8), S(buffer + 16)),
	    C(getrlimit, 2, 7, S(buffer)),
	    C(setrlimit, 2, 1, S(buffer + 20480)),
	    C(prlimit64, 8, 0, 7, 0, S(buffer)),
	    C(pipe, 1, S(buffer)),
	    C(uname, 1, S(buffer)),
	    C(inotify_add_watch, 2, 6, S("file"), 0xfff),
	};

	*n = COUNT(table);
	return table;
}

static void one(const struct row *r, int which, const char *kind, long value)
{
	long a[6];
	int p[2];
	char line[128] = "";

	memcpy(a, r->args, sizeof(a));
	if (which >= 0)
		a[which] = value;
	if (pipe(p))
		return;
	pid_t child = fork();

	if (!child) {
		dup2(open("file", O_RDONLY), 3);
		dup2(open("dir", O_RDONLY), 4);
		dup2(socket(1, 1, 0), 5);
		dup2((int)syscall(SYS_inotify_init1, 0), 6);
		errno = 0;
		long v = syscall(r->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		int n = v == -1 ? snprintf(line, sizeof(line), "%s", strerrorname_np(errno))
				: snprintf(line, sizeof(line), "%s", "ok");

		write(p[1], line, (size_t)n);
		_exit(0);
	}
	close(p[1]);
	ssize_t n = read(p[0], line, sizeof(line) - 1);

	line[n < 0 ? 0 : n] = 0;
	close(p[0]);
	waitpid(child, NULL, 0);
	printf("%-18s %d %-8s %s\n", r->name, which, kind, line);
}

int main(void)
{
	size_t n;
	const struct row *t = rows(&n);
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int fd = 3; fd < 32; fd++)
		close(fd);
	if (fcntl(0, F_DUPFD, 40) < 0) /* keep the pipes of one() away from 3 to 6 */
		return 1;
	for (int fd = 3; fd < 8; fd++)
		open("/dev/null", O_RDONLY);
	munmap(page + 4096, 4096);
	end_of_page = page + 4095;
	*end_of_page = 'x';
	*(long *)(buffer + 20480) = 1 << 30;
	*(long *)(buffer + 20488) = -1;
	for (size_t i = 0; i < n; i++) {
		for (int k = 0; k < 6; k++) {
			if (!(t[i].pointers & 1 << k))
				continue;
			one(&t[i], k, "1", 1);
			one(&t[i], k, "-1", -1);
			one(&t[i], k, "kernel", (long)0xffff888000000000UL);
			one(&t[i], k, "noncan", 0x800000000000L);
			one(&t[i], k, "pageend", S(end_of_page));
			one(&t[i], k, "null", 0);
			one(&t[i], k, "readonly", S(ro));
		}
	}
	t_stat("file");
	return 0;
}
