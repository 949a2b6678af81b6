/* SPDX-License-Identifier: Apache-2.0 */
/* descr.c - open descriptions: shared offsets, mappings, unlinked files, copying between descriptors. */
#include "tests/conformance/t.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static void offsets(void)
{
	char buf[64];
	int a = open("file", O_RDONLY), b = dup(a), c = open("file", O_RDONLY);

	R(read(a, buf, 10));
	R(lseek(b, 0, SEEK_CUR));
	R(lseek(c, 0, SEEK_CUR));
	CHILD("child reads", R(read(a, buf, 5)));
	R(lseek(a, 0, SEEK_CUR));
	R(dup2(a, 50));
	R(lseek(50, 0, SEEK_CUR));
	R(dup2(a, a) == a);
	R(dup3(a, a, 0));
	R(dup2(99, 3));
	R(fcntl(a, F_DUPFD, 60));
	R(fcntl(a, F_DUPFD_CLOEXEC, 60));
	R(fcntl(61, F_GETFD));
	R(close(61));
	R(close(61));
	R(syscall(SYS_close_range, 50U, 70U, 0U));
	R(fcntl(60, F_GETFD));
	close(a);
	close(b);
	close(c);
}

static void mappings(void)
{
	int w = open("file", O_RDWR), r = open("hard", O_RDONLY);
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, w, 0);
	char *q = mmap(NULL, 8192, PROT_READ, MAP_SHARED, r, 0);
	char buf[4] = "";

	if (p == MAP_FAILED || q == MAP_FAILED) {
		printf("mmap: %s\n", strerrorname_np(errno));
		return;
	}
	memcpy(p + 4096, "map", 3);
	printf("through the other mapping: %.3s\n", q + 4096);
	R(pread(r, buf, 3, 4096));
	printf("through read: %.3s\n", buf);
	R(pwrite(w, "wri", 3, 100));
	printf("write is in the mapping: %.3s\n", q + 100);
	CHILD("child writes through the mapping", memcpy(p, "chi", 3));
	printf("parent sees: %.3s\n", q);
	R(msync(p, 8192, MS_SYNC));
	R(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r, 0) == MAP_FAILED ? -1 : 0);
	R(mprotect(q, 4096, PROT_READ | PROT_WRITE));
	munmap(p, 8192);
	munmap(q, 8192);
	close(w);
	close(r);
	r = open("file", O_RDONLY);
	q = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, r, 0);
	q[0] = 'P';
	t_cat("file");
	munmap(q, 4096);
	R(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, r, 0) == MAP_FAILED ? -1 : 0);
	close(r);
}

static void unlinked(void)
{
	char buf[16];
	struct stat st;
	int fd = open("u", O_CREAT | O_RDWR, 0644), old = open("dir/a", O_RDWR);

	R(write(fd, "unlinked", 8));
	R(unlink("u"));
	R(pread(fd, buf, 8, 0));
	fstat(fd, &st);
	t_show("unlinked", &st);
	R(fchmod(fd, 0600));
	fstat(fd, &st);
	t_show("unlinked", &st);
	R(ftruncate(fd, 3));
	int again = open("u", O_CREAT | O_RDWR, 0644);

	R(write(again, "new", 3));
	fstat(fd, &st);
	t_show("old u", &st);
	fstat(again, &st);
	t_show("new u", &st);
	unlink("dir/a");
	R(write(old, "still there", 11));
	fstat(old, &st);
	t_show("unlinked lower", &st);
	rename("u", "v");
	R(write(again, "er", 2));
	t_cat("v");
	close(fd);
	close(again);
	close(old);
}

static void copies(void)
{
	char buf[64];
	int in = open("file", O_RDONLY), out = open("out", O_CREAT | O_RDWR | O_TRUNC, 0644);
	struct iovec v[2] = {{buf, 3}, {buf + 3, 4}};
	off_t at = 17;

	R(sendfile(out, in, &at, 34));
	R(copy_file_range(in, NULL, out, NULL, 17, 0));
	R(readv(in, v, 2));
	R(writev(out, v, 2));
	R(preadv(in, v, 2, 3));
	t_stat("out");
	t_cat("out");
	R(lseek(in, 0, SEEK_CUR));
	R(copy_file_range(out, NULL, in, NULL, 5, 0));
	R(fsync(out));
	R(fdatasync(out));
	R(fsync(in));
	R(posix_fadvise(in, 0, 0, POSIX_FADV_SEQUENTIAL));

	int p[2];

	pipe(p);
	R(splice(in, &(loff_t){0}, p[1], NULL, 16, 0));
	R(read(p[0], buf, sizeof(buf)));
	R(write(p[1], "pipe", 4));
	R(splice(p[0], NULL, out, NULL, 4, 0));
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	R(write(p[1], "x", 1));
	close(p[1]);
	pipe2(p, O_NONBLOCK | O_CLOEXEC);
	R(read(p[0], buf, 1));
	R(fcntl(p[0], F_GETPIPE_SZ));
	close(p[0]);
	close(p[1]);
	close(in);
	close(out);
	int m = memfd_create("m", MFD_CLOEXEC);

	R(write(m, "memfd", 5));
	R(lseek(m, 0, SEEK_END));
	close(m);
	/* Standard devices. */
	int z = open("/dev/zero", O_RDONLY), full = open("/dev/full", O_WRONLY), nul = open("/dev/null", O_RDWR);

	memset(buf, 1, sizeof(buf));
	R(read(z, buf, 4));
	printf("zero: %d %d\n", buf[0], buf[4]);
	R(write(full, "x", 1));
	R(write(nul, "x", 1));
	R(read(nul, buf, 1));
	close(z);
	close(full);
	close(nul);
	z = open("/dev/urandom", O_RDONLY);
	R(read(z, buf, 64));
	close(z);
	struct stat st;

	for (const char *const *d =
		 (const char *const[]){"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom", "/dev/tty", NULL};
	     *d; d++) {
		if (!stat(*d, &st))
			printf("%s: %o %x\n", *d, st.st_mode & S_IFMT, (unsigned)st.st_rdev);
	}
}

int main(void)
{
	umask(022);
	offsets();
	mappings();
	unlinked();
	copies();
	return 0;
}
