/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox options: --ro-bind TOP/share /mnt --chdir /mnt --hide TOP/hidden */
/*
 * readonly_bind.c - writes to a read-only bind: by maps, reopening, passing a descriptor to another process that is root inside, truncation, extended
 * attributes, links out of it. The runner compares the host's files.
 */
#include "tests/security/t.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static int pass(int fd)
{
	char data = 0;
	union {
		struct cmsghdr h;
		char b[CMSG_SPACE(sizeof(int))];
	} u = {.h = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct iovec v = {&data, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = u.b, .msg_controllen = sizeof(u.b)};
	int s[2], got = -1;

	memcpy(CMSG_DATA(&u.h), &fd, sizeof(fd));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) || sendmsg(s[0], &m, 0) != 1 || recvmsg(s[1], &m, 0) != 1)
		return -1;
	memcpy(&got, CMSG_DATA(&u.h), sizeof(got));
	close(s[0]);
	close(s[1]);
	return got;
}

static void attack(int fd, const char *how)
{
	char name[64];
	long flags = FS_NODUMP_FL;

	CHECK(pwrite(fd, "attack", 6, 0) < 0, "%s: write", how);
	CHECK(ftruncate(fd, 0) < 0, "%s: truncate", how);
	CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 16) < 0, "%s: fallocate", how);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED, "%s: shared map", how);
	char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(p == MAP_FAILED || mprotect(p, 4096, PROT_READ | PROT_WRITE) < 0, "%s: mprotect", how);
	/* What writes past the protection of a page: a debugger's poke, and /proc/self/mem. */
	if (p != MAP_FAILED) {
		int mem = open("/proc/self/mem", O_RDWR);

		if (mem >= 0)
			pwrite(mem, "attack", 6, (off_t)(uintptr_t)p);
		close(mem);
		pid_t child = fork();

		if (!child) {
			ptrace(PTRACE_TRACEME, 0, 0, 0);
			raise(SIGSTOP);
			_exit(0);
		}
		waitpid(child, NULL, 0);
		ptrace(PTRACE_POKEDATA, child, p, 0x6b6361747461);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		CHECK(memcmp(p, "attack", 6), "%s: the file by its map", how);
	}
	CHECK(fsetxattr(fd, "user.attack", "1", 1, 0) < 0, "%s: xattr", how);
	CHECK(fchmod(fd, 0777) < 0 && fchown(fd, 1, 1) < 0, "%s: mode and owner", how);
	CHECK(futimens(fd, (struct timespec[]){{1, 0}, {1, 0}}) < 0, "%s: times", how);
	CHECK(ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0, "%s: flags", how);
	int other = open("/tmp/other", O_CREAT | O_RDWR, 0600);

	write(other, "attack", 6);
	CHECK(sendfile(fd, other, &(off_t){0}, 6) < 0, "%s: sendfile", how);
	CHECK(copy_file_range(other, &(off_t){0}, fd, NULL, 6, 0) < 0, "%s: copy_file_range", how);
	CHECK(ioctl(fd, FICLONE, other) < 0, "%s: clone", how);
	close(other);
	static const char *const again[] = {"/proc/self/fd/%d", "/dev/fd/%d", "/proc/thread-self/fd/%d"};

	for (size_t i = 0; i < COUNT(again); i++) {
		snprintf(name, sizeof(name), again[i], fd);
		CHECK(open(name, O_RDWR) < 0 && open(name, O_WRONLY | O_TRUNC) < 0, "%s: %s to write", how, again[i]);
		CHECK(truncate(name, 0) < 0 && chmod(name, 0777) < 0, "%s: %s changed", how, again[i]);
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	CHECK(linkat(AT_FDCWD, name, AT_FDCWD, "/tmp/linked", AT_SYMLINK_FOLLOW) < 0 || open("/tmp/linked", O_RDWR) < 0,
	      "%s: a link of it elsewhere", how);
	CHECK(fcntl(fd, F_SETLEASE, F_RDLCK) < 0, "%s: lease", how);
}

int main(int argc, char **argv)
{
	char buf[16] = "";
	int fd = open("/mnt/in/file", O_RDONLY);

	CHECK(read(fd, buf, 7) == 7 && !memcmp(buf, "shared\n", 7), "the bind is there");
	CHECK(open("/mnt/in/file", O_RDWR) < 0 && open("/mnt/in/new", O_CREAT | O_WRONLY, 0644) < 0,
	      "nothing opens to write");
	attack(fd, "opened");
	int passed = pass(fd);

	CHECK(passed >= 0, "it can be passed");
	attack(passed, "passed");
	CHECK(truncate("/mnt/in/file", 0) < 0 && setxattr("/mnt/in/file", "user.attack", "1", 1, 0) < 0,
	      "truncate, setxattr");
	CHECK(unlink("/mnt/in/file") < 0 && rename("/mnt/in/file", "/mnt/in/x") < 0 && rename("/mnt/in", "/tmp/in") < 0,
	      "unlink, rename");
	CHECK(link("/mnt/in/file", "/tmp/hard") < 0, "a hard link out of it");
	CHECK(mkdir("/mnt/x", 0755) < 0 && symlink("x", "/mnt/x") < 0 && mknod("/mnt/x", S_IFIFO | 0600, 0) < 0,
	      "new names");
	int dir = open("/mnt/in", O_RDONLY | O_DIRECTORY);

	CHECK(fchmod(dir, 0777) < 0 && unlinkat(dir, "file", 0) < 0 && openat(dir, "n", O_CREAT | O_RDWR, 0600) < 0 &&
		  open("/mnt/in", O_TMPFILE | O_RDWR, 0600) < 0,
	      "by the directory");
	return t_done();
}
