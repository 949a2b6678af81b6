/* SPDX-License-Identifier: Apache-2.0 */
/* order.c - calls with two things wrong: which of them Linux names. All were found by fuzz_kernel. */
#include "t.h"

#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#define BAD ((void *)8)

static void xattrs(void)
{
	/* Flags, name and value before the file. */
	R(fsetxattr(99, "user.a", "v", 1, 4));
	R(fsetxattr(99, "user.a", BAD, 10, 0));
	R(setxattr("missing", "user.a", "v", 1, 4));
	R(setxattr("missing", "", "v", 1, 0));
	R(setxattr("missing", "user.a", "v", 70000, 0));
	R(getxattr("missing", "", NULL, 0));
	R(fgetxattr(99, "", NULL, 0));
	R(fremovexattr(99, ""));
	/* Permission before there being such a namespace. */
	R(setxattr("secret", "nospace.x", "v", 1, 0) + getuid());
	R(getxattr("file", "nospace.x", NULL, 0));
	R(setxattr("fifo", "user.", "v", 1, 0));
}

static void paths(void)
{
	static char name[257];
	struct stat st;
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_XDEV};

	memset(name, 'x', 256);
	R(fchmodat(99, "", 0600, 0));
	R(faccessat(99, "", R_OK, 0));
	R(fstatat(99, "", &st, 0));
	N("fchmodat2 NULL", syscall(SYS_fchmodat2, AT_FDCWD, NULL, 0600, AT_EMPTY_PATH));
	N("fchownat NULL", syscall(SYS_fchownat, AT_FDCWD, NULL, -1, -1, AT_EMPTY_PATH));
	N("faccessat2 NULL", syscall(SYS_faccessat2, AT_FDCWD, NULL, R_OK, AT_EMPTY_PATH));
	R(rename("missing", name));
	R(rename(name, "missing/x"));
	R(rename(name, "."));
	R(rename("file", name));
	N("renameat2 flags", syscall(SYS_renameat2, AT_FDCWD, "missing", AT_FDCWD, "x", 4));
	N("renameat2 flags, busy", syscall(SYS_renameat2, AT_FDCWD, ".", AT_FDCWD, "x", 4));
	R(symlink("/", "up"));
	N("RESOLVE_NO_XDEV, a link to the root", syscall(SYS_openat2, AT_FDCWD, "up", &how, sizeof(how)));
	R(unlink("up"));
}

static void nodes(void)
{
	struct stat st;

	R(mknod("file", S_IFBLK | 0600, 0));
	R(mknod("missing/x", S_IFBLK | 0600, 0));
	/* What overlayfs takes for a whiteout, anybody may make. */
	R(mknod("white", S_IFCHR | 0600, 0));
	R(lstat("white", &st));
	R((st.st_mode & S_IFMT) == S_IFCHR && st.st_rdev == 0);
	R(unlink("white"));
}

static void times(void)
{
	struct timespec bad[2] = {{1, 5}, {1, 1000000000}}, old[2] = {{-1, 5}, {-1000000000, 0}};
	struct stat st;

	R(utimensat(AT_FDCWD, "missing", bad, 0));
	R(utimensat(AT_FDCWD, "file", bad, 0));
	N("utimensat NULL, flags", syscall(SYS_utimensat, 99, NULL, old, AT_EMPTY_PATH));
	/* Before 1970, and then the data is changed. */
	R(utimensat(AT_FDCWD, "file", old, 0));
	R(stat("file", &st));
	R(st.st_atim.tv_sec);
	R(st.st_atim.tv_nsec);
	R(st.st_mtim.tv_sec);
	O(open("file", O_RDWR));
	R(stat("file", &st));
	R(st.st_mtim.tv_sec);
	R(truncate("file", 5));
}

static void descriptors(void)
{
	int fd = open("file", O_RDONLY), p = open("file", O_PATH), cap[4] = {0};

	R(fcntl(99, 999));
	R(fcntl(fd, 999));
	R(fcntl(p, 999));
	R(fcntl(99, F_NOTIFY, 0));
	R(fcntl(fd, F_NOTIFY, 0));
	R(fcntl(fd, F_NOTIFY, DN_MODIFY));
	R(ioctl(99, 0x12345678));
	R(ioctl(fd, 0x12345678));
	R(ioctl(p, 0x12345678));
	O(open("dir", O_RDONLY | O_DIRECT));
	N("capget without data", syscall(SYS_capget, cap, NULL));
	N("capget of a version that isn't", syscall(SYS_capget, cap, cap));
	close(fd);
	close(p);
}

int main(void)
{
	xattrs();
	paths();
	nodes();
	times();
	descriptors();
	return 0;
}
