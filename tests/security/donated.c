/* SPDX-License-Identifier: Apache-2.0 */
/* donated.c - native calls on a descriptor of a lower file: nothing of them may reach the host's file. The runner compares the tree. */
#include "tests/security/t.h"

#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>

static void try_all(int fd)
{
	char name[64], buf[256] = {0};
	long flags = FS_NODUMP_FL;
	struct timespec t[2] = {{1, 0}, {1, 0}};
	int other = open("other", O_CREAT | O_RDWR, 0644), m;

	write(other, buf, sizeof(buf));
	fchmod(fd, 04777);
	fchown(fd, 1, 1);
	futimens(fd, t);
	fsetxattr(fd, "user.attack", "1", 1, 0);
	fremovexattr(fd, "user.attack");
	ioctl(fd, FS_IOC_SETFLAGS, &flags);
	ioctl(fd, FS_IOC_FSSETXATTR, buf);
	ioctl(fd, FICLONE, other);
	ioctl(fd, FIFREEZE, 0);
	syscall(SYS_ioctl, fd, 0x100000000UL | FS_IOC_SETFLAGS, &flags);
	syscall(469, fd, "", buf, 32, AT_EMPTY_PATH);
	ftruncate(fd, 0);
	fallocate(fd, 0, 0, 1 << 20);
	pwrite(fd, "attack", 6, 0);
	sendfile(fd, other, NULL, 100);
	copy_file_range(other, NULL, fd, NULL, 10, 0);
	CHECK(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED, "no writable shared mapping");
	char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(p == MAP_FAILED || mprotect(p, 4096, PROT_READ | PROT_WRITE) < 0, "nor by mprotect");
	for (const char *const *f = (const char *const[]){"/proc/self/fd/%d", "/dev/fd/%d", "/proc/thread-self/fd/%d", NULL};
	     *f; f++) {
		snprintf(name, sizeof(name), *f, fd);
		m = open(name, O_RDWR);
		if (m >= 0) { /* allowed: a copy-up. Must not be the host's file. */
			pwrite(m, "attack", 6, 0);
			close(m);
		}
		m = open(name, O_WRONLY | O_TRUNC);
		if (m >= 0)
			close(m);
		chmod(name, 0777);
		truncate(name, 3);
	}
	CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) < 0, "no lease: the host's own programs would wait for it");
	CHECK(fcntl(fd, F_NOTIFY, 0x3f) < 0, "no F_NOTIFY");
	CHECK(syscall(SYS_fcntl, fd | 7L << 32, F_SETLEASE | 7L << 32, F_RDLCK) < 0, "nor with dirty upper halves");
	linkat(fd, "", AT_FDCWD, "linked-by-fd", AT_EMPTY_PATH);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	linkat(AT_FDCWD, name, AT_FDCWD, "linked-by-proc", AT_SYMLINK_FOLLOW);
	close(other);
}

int main(int argc, char **argv)
{
	/* From here the host's own view is the runner's to check: mode, owner, times, size, content, number of links. */
	int fd = open("file", O_RDONLY), ro = open("readonly", O_RDONLY), dir = open("dir", O_RDONLY),
	    p = open("file", O_PATH);

	try_all(fd);
	try_all(ro);
	fchmod(dir, 0777);
	fsetxattr(dir, "user.attack", "1", 1, 0);
	mkdirat(dir, "made", 0755);
	unlinkat(dir, "a", 0);
	renameat(dir, "sub", dir, "sub2");
	symlinkat("x", dir, "s");
	fchmodat(p, "", 0777, 0);
	fchownat(p, "", 1, 1, AT_EMPTY_PATH);
	unlink("file");
	rmdir("dir");
	CHECK(t_failures == 0, "the host's files are compared by the runner");
	return t_done();
}
