/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stress.c - processes with threads that change one small tree at random, files of the lower layer and new ones: no call may fail with an
 * error that such a race can't give, and when all is quiet the tree must be sound. argv[1]: milliseconds.
 */
#include "tests/conformance/t.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <time.h>

enum { PROCESSES = 4, THREADS = 3, NAMES = 10, CALLS = 25 };
static const char *const dirs[] = {".", "dir", "dir/sub", "s", "s/t", "s/t/u", "dirlink"};
static const char *const lower[] = {"file", "hard", "a", "b", "link", "script", "sub", "t"};
static int duration = 1500;
static struct {
	int bad[CALLS]; /* an errno that can't be */
	long calls;
} * shared;

static bool expected(int err)
{
	switch (err) {
	case ENOENT:
	case EEXIST:
	case ENOTDIR:
	case EISDIR:
	case ENOTEMPTY:
	case EINVAL: /* rename into itself; readlink of what is no link */
	case ELOOP:
	case EXDEV:
	case EBUSY:
	case EPERM:  /* link of a directory, xattr of a link */
	case EACCES: /* chmod */
	case ENODATA:
	case ENXIO: /* FIFO */
	case EWOULDBLOCK:
	case ETXTBSY:
	case EOPNOTSUPP: /* ioctl, xattrs on some file systems */
		return true;
	default:
		return false;
	}
}

static void pick(unsigned *seed, char name[64])
{
	unsigned n = (unsigned)rand_r(seed);
	const char *dir = dirs[n % COUNT(dirs)];

	n >>= 8;
	if (n % 3 == 0)
		snprintf(name, 64, "%s/%s", dir, lower[n / 3 % COUNT(lower)]);
	else
		snprintf(name, 64, "%s/n%u", dir, n / 3 % NAMES);
}

static void list(int fd)
{
	char buf[512];

	for (int i = 0; i < 8 && syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0; i++)
		;
}

static long one(unsigned call, unsigned *seed)
{
	char a[64], b[64], buf[256];
	struct stat st;
	long r = 0;
	int fd = -1;

	pick(seed, a);
	pick(seed, b);
	switch (call) {
	case 0:
	case 1:
		fd = open(a, O_RDWR | O_CREAT | O_NONBLOCK, 0644);
		r = fd < 0 ? -1 : write(fd, "0123456789", 10);
		break;
	case 2:
		r = fd = open(a, O_RDONLY | O_NONBLOCK);
		if (fd >= 0)
			fstat(fd, &st);
		break;
	case 3:
		r = fd = open(a, O_RDWR | O_TRUNC | O_NONBLOCK);
		break;
	case 4:
		r = mkdir(a, 0755);
		break;
	case 5:
		r = rmdir(a);
		break;
	case 6:
		r = unlink(a);
		break;
	case 7:
	case 8:
	case 9:
		r = rename(a, b);
		break;
	case 10:
		r = syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2U /* RENAME_EXCHANGE */);
		break;
	case 11:
		r = link(a, b);
		break;
	case 12:
		r = symlink(strrchr(b, '/') + 1, a);
		break;
	case 13:
		r = chmod(a, rand_r(seed) % 2 ? 0755 : 0700);
		break;
	case 14:
		r = stat(a, &st);
		break;
	case 15:
		r = readlink(a, buf, sizeof(buf));
		break;
	case 16:
	case 17:
		fd = open(dirs[(unsigned)rand_r(seed) % COUNT(dirs)], O_RDONLY | O_DIRECTORY);
		if (fd >= 0)
			list(fd);
		break;
	case 18:
		r = setxattr(a, "user.x", "1", 1, 0);
		break;
	case 19:
		r = truncate(a, 100);
		break;
	case 20:
		fd = open(a, O_PATH);
		if (fd < 0)
			return -1;
		snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
		r = readlink(buf, b, sizeof(b));
		break;
	case 21:
		fd = open(dirs[(unsigned)rand_r(seed) % COUNT(dirs)], O_TMPFILE | O_RDWR, 0644);
		if (fd < 0)
			return -1;
		snprintf(buf, sizeof(buf), "/proc/self/fd/%d", fd);
		r = linkat(AT_FDCWD, buf, AT_FDCWD, b, AT_SYMLINK_FOLLOW);
		break;
	case 22:
		fd = open(a, O_RDONLY | O_NONBLOCK);
		r = fd < 0 ? -1 : flock(fd, LOCK_EX | LOCK_NB);
		break;
	case 23:
		r = mkfifo(a, 0644);
		break;
	default:
		r = utimensat(AT_FDCWD, a, NULL, 0);
	}
	if (fd >= 0) {
		int e = errno;

		close(fd);
		errno = e;
	}
	return r;
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *work(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	long end = now() + duration, n = 0;

	for (; now() < end; n++) {
		unsigned call = (unsigned)rand_r(&seed) / 64 % CALLS;

		errno = 0;
		if (one(call, &seed) < 0 && !expected(errno))
			__atomic_store_n(&shared->bad[call], errno, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&shared->calls, n, __ATOMIC_RELAXED);
	return NULL;
}

/* Every name that is listed is there, once, of the type that is told; nothing is left after all were removed. */
static int sound(int dirfd, int depth, bool removing)
{
	int bad = dirfd < 0, n = 0;
	static char seen[64][256]; /* for one directory at a time */
	DIR *d = dirfd < 0 ? NULL : fdopendir(dirfd);
	struct dirent *e;
	struct {
		char name[256];
		unsigned char type;
	} all[64];

	while (d && (e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		for (int i = 0; i < n; i++)
			bad += !strcmp(seen[i], e->d_name);
		if (n == 64)
			break;
		strcpy(seen[n], e->d_name);
		strcpy(all[n].name, e->d_name);
		all[n++].type = e->d_type;
	}
	for (int i = 0; d && i < n; i++) {
		struct stat st;

		if (fstatat(dirfd, all[i].name, &st, AT_SYMLINK_NOFOLLOW)) {
			bad++;
			continue;
		}
		bad += all[i].type != DT_UNKNOWN && all[i].type != (st.st_mode & S_IFMT) >> 12;
		bad += !st.st_nlink;
		if (S_ISDIR(st.st_mode) && depth < 64) {
			int sub = openat(dirfd, all[i].name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

			bad += sub < 0 ? 1 : sound(sub, depth + 1, removing);
		}
		if (removing)
			bad += unlinkat(dirfd, all[i].name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) != 0;
	}
	if (d)
		closedir(d);
	return bad;
}

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0)
		duration = atoi(argv[1]);
	/* All that is here gets removed. */
	if (access("dir/sub", F_OK) || access("hard", F_OK) || access("etc", F_OK) == 0)
		return 1;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mkdir("s", 0755);
	mkdir("s/t", 0755);
	mkdir("s/t/u", 0755);
	for (int p = 0; p < PROCESSES; p++) {
		if (fork())
			continue;
		pthread_t t[THREADS];

		for (int i = 0; i < THREADS; i++)
			pthread_create(&t[i], NULL, work, (void *)(uintptr_t)(p * THREADS + i + 1));
		for (int i = 0; i < THREADS; i++)
			pthread_join(t[i], NULL);
		_exit(0);
	}
	for (int p = 0; p < PROCESSES; p++) {
		int status = -1;

		wait(&status);
		printf("status %d\n", status);
	}
	for (int i = 0; i < CALLS; i++)
		if (shared->bad[i])
			printf("call %d: %s\n", i, strerrorname_np(shared->bad[i]));
	printf("at least a hundred calls: %d\n", shared->calls >= 100);
	printf("unsound: %d\n", sound(open(".", O_RDONLY | O_DIRECTORY), 0, false));
	printf("left over: %d\n", sound(open(".", O_RDONLY | O_DIRECTORY), 0, true));
	printf("and again: %d\n", sound(open(".", O_RDONLY | O_DIRECTORY), 0, false));
	return 0;
}
