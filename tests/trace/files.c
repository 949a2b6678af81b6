/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - names, open flags, modes, offsets, devices, times of files, extended attributes. */
#include "t.h"

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define S(nr, ...) syscall(SYS_##nr, ##__VA_ARGS__)

int main(void)
{
	char long_name[300], buf[64];
	long r;

	r = S(openat, AT_FDCWD, "file", O_RDONLY);
	expect(r, "openat(AT_FDCWD, \"file\", O_RDONLY)");
	int fd = (int)r;
	r = S(openat, AT_FDCWD, "new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_APPEND, 0640);
	expect(r, "openat(AT_FDCWD, \"new\", O_RDWR|O_CREAT|O_EXCL|O_APPEND|O_CLOEXEC, 0640)");
	int new = (int)r;
	r = S(open, "nowhere\n\t\1\"\\\377", O_WRONLY | O_DIRECTORY | O_NOFOLLOW | O_PATH);
	expect(r, "open(\"nowhere\\n\\t\\1\\\"\\\\\\377\", O_WRONLY|O_NOFOLLOW|O_PATH|O_DIRECTORY)");
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	r = S(chdir, long_name);
	expect(r, "chdir(\"%s\")", long_name);
	r = S(chdir, NULL);
	expect(r, "chdir(NULL)");
	r = S(chdir, (void *)8);
	expect(r, "chdir(0x8)");
	r = S(openat, fd, "x", O_RDONLY);
	expect(r, "openat(%d, \"x\", O_RDONLY)", fd);
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	r = S(openat2, AT_FDCWD, "link", &how, sizeof how);
	expect(r,
	       "openat2(AT_FDCWD, \"link\", {flags=O_RDONLY|O_CLOEXEC, resolve=RESOLVE_NO_SYMLINKS|RESOLVE_BENEATH}, 24)");
	r = S(pread64, fd, buf, 4, 2);
	expect(r, "pread64(%d, \"2345\", 4, 2)", fd);
	r = S(lseek, fd, -3L, SEEK_END);
	expect(r, "lseek(%d, -3, SEEK_END)", fd);
	r = S(write, new, "hello \0001 world, this string is longer than it is shown", 53);
	expect(r, "write(%d, \"hello \\0001 world, this string is l\"..., 53)", new);
	struct iovec iov[2] = {{"ab", 2}, {"cde", 3}};
	r = S(writev, new, iov, 2);
	expect(r, "writev(%d, [{iov_base=\"ab\", iov_len=2}, {iov_base=\"cde\", iov_len=3}], 2)", new);
	char a[4], b[8];
	struct iovec in[2] = {{a, 4}, {b, 8}};
	r = S(preadv, fd, in, 2, 1L, 0L);
	expect(r, "preadv(%d, [{iov_base=\"1234\", iov_len=4}, {iov_base=\"56789abc\", iov_len=8}], 2, 1)", fd);
	r = S(writev, new, (void *)8, 2);
	expect(r, "writev(%d, 0x8, 2)", new);
	r = S(chmod, "new", 04755);
	expect(r, "chmod(\"new\", 04755)");
	r = S(fchmodat, AT_FDCWD, "new", 0);
	expect(r, "fchmodat(AT_FDCWD, \"new\", 000)");
	r = S(mkdirat, AT_FDCWD, "d", 0777);
	expect(r, "mkdirat(AT_FDCWD, \"d\", 0777)");
	r = S(unlinkat, AT_FDCWD, "d", AT_REMOVEDIR);
	expect(r, "unlinkat(AT_FDCWD, \"d\", AT_REMOVEDIR)");
	r = S(mknodat, AT_FDCWD, "p", S_IFIFO | 0600, 0);
	expect(r, "mknodat(AT_FDCWD, \"p\", S_IFIFO|0600)");
	r = S(mknodat, AT_FDCWD, "file", S_IFCHR | 0600, makedev(1, 3));
	expect(r, "mknodat(AT_FDCWD, \"file\", S_IFCHR|0600, makedev(0x1, 0x3))");
	r = S(renameat2, AT_FDCWD, "p", AT_FDCWD, "file", 1);
	expect(r, "renameat2(AT_FDCWD, \"p\", AT_FDCWD, \"file\", RENAME_NOREPLACE)");
	r = S(linkat, AT_FDCWD, "link", AT_FDCWD, "l2", AT_SYMLINK_FOLLOW);
	expect(r, "linkat(AT_FDCWD, \"link\", AT_FDCWD, \"l2\", AT_SYMLINK_FOLLOW)");
	r = S(symlink, "to", "p");
	expect(r, "symlink(\"to\", \"p\")");
	r = S(readlink, "link", buf, sizeof buf);
	expect(r, "readlink(\"link\", \"file\", 64)");
	r = S(access, "file", R_OK | W_OK);
	expect(r, "access(\"file\", R_OK|W_OK)");
	r = S(faccessat2, AT_FDCWD, "file", F_OK, AT_EACCESS);
	expect(r, "faccessat2(AT_FDCWD, \"file\", F_OK, AT_EACCESS)");
	struct timespec ts[2] = {{1, 2}, {0, UTIME_OMIT}};
	r = S(utimensat, AT_FDCWD, "new", ts, 0);
	expect(
	    r,
	    "utimensat(AT_FDCWD, \"new\", [{tv_sec=1, tv_nsec=2} /* 1970-01-01T00:00:01.000000002+0000 */, UTIME_OMIT], 0)");
	r = S(chown, "new", -1, getgid());
	expect(r, "chown(\"new\", -1, %u)", getgid());
	r = S(fallocate, new, 1, 0L, 10L);
	expect(r, "fallocate(%d, FALLOC_FL_KEEP_SIZE, 0, 10)", new);
	r = S(setxattr, "nowhere", "user.a", "v\n", 2, XATTR_CREATE);
	expect(r, "setxattr(\"nowhere\", \"user.a\", \"v\\n\", 2, XATTR_CREATE)");
	r = S(umask, 027);
	line("umask(027) = %#03lo", r);
	r = S(close, 1000);
	expect(r, "close(1000)");
	return 0;
}
