/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filestore.c - backing files of upper data: one flat directory of a private tmpfs, files named by decimal ids.
 *
 * No descriptor is kept for a file, so their number isn't bound by RLIMIT_NOFILE; each open is by name and gives a fresh open file
 * description. A freed file is emptied and used again (with its host inode number, so no call to learn that) once nobody
 * can have it open: F_SETLEASE with F_WRLCK succeeds only if the asking description is the only one, mappings included
 * (fcntl(2), fs/locks.c check_conflicting_open()). It doesn't see duplicates of the asking description itself, so that one is always
 * opened here and never leaves. An open by someone who holds the inode only breaks the lease: that sends SIGIO, which is ignored,
 * and waits, or fails if non-blocking, for the instant until the lease is given back.
 */
#include "vfs/fs.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

#define POOL_MAX 1024

struct spare {
	uint64_t id, ino;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* innermost: guards all below */
static struct spare pool[POOL_MAX];
static unsigned n_pool;
static uint64_t next_id = 1;
static _Atomic uint64_t store_dev;
/* Freed and not yet looked at. */
static uint64_t *freed;
static size_t n_freed, cap_freed;
static atomic_size_t freed_hint;

struct fname {
	char s[24];
};
static struct fname fname(uint64_t id)
{
	struct fname n;

	snprintf(n.s, sizeof(n.s), "%" PRIu64, id);
	return n;
}

static int dirfd_of_store(void)
{
	return vfs_config()->filestore;
}

static int make(mode_t type, struct spare *out)
{
	struct stat st;
	uint64_t id;

	pthread_mutex_lock(&lock);
	id = next_id++;
	pthread_mutex_unlock(&lock);
	struct fname n = fname(id);
	if (type == S_IFIFO) {
		if (mkfifoat(dirfd_of_store(), n.s, 0600) || fstatat(dirfd_of_store(), n.s, &st, AT_SYMLINK_NOFOLLOW))
			return -errno;
	} else {
		AUTO_CLOSE int fd = openat(dirfd_of_store(), n.s, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0 || fstat(fd, &st))
			return -errno;
	}
	*out = (struct spare){id, st.st_ino};
	store_dev = st.st_dev;
	return 0;
}

int filestore_new(uint64_t *id, uint64_t *host_dev, uint64_t *host_ino)
{
	struct spare s = {0};

	pthread_mutex_lock(&lock);
	if (n_pool)
		s = pool[--n_pool];
	pthread_mutex_unlock(&lock);
	if (!s.id) {
		int r = make(S_IFREG, &s);
		if (r)
			return r;
	}
	*id = s.id;
	*host_ino = s.ino;
	*host_dev = store_dev;
	return 0;
}

int filestore_mkfifo(uint64_t *id, uint64_t *host_dev, uint64_t *host_ino)
{
	struct spare s;
	int r = make(S_IFIFO, &s);

	if (r)
		return r;
	*id = s.id;
	*host_ino = s.ino;
	*host_dev = store_dev;
	return 0;
}

int filestore_ident(uint64_t id, mode_t type, uint64_t *host_dev, uint64_t *host_ino)
{
	struct stat st;

	if (fstatat(dirfd_of_store(), fname(id).s, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if ((st.st_mode & S_IFMT) != (type & S_IFMT))
		return -ENOENT;
	store_dev = *host_dev = st.st_dev;
	*host_ino = st.st_ino;
	return 0;
}

void filestore_reserve(uint64_t last_id)
{
	pthread_mutex_lock(&lock);
	next_id = MAX(next_id, last_id + 1);
	pthread_mutex_unlock(&lock);
}

uint64_t filestore_dev(void)
{
	return store_dev;
}

int filestore_open(uint64_t id, int flags)
{
	flags &= ~(O_CREAT | O_EXCL | O_DIRECTORY | O_PATH | (O_TMPFILE & ~O_DIRECTORY));
	for (int tries = 0;; tries++) {
		int fd = openat(dirfd_of_store(), fname(id).s, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0)
			return fd;
		if (errno != EINTR && (errno != EWOULDBLOCK || tries == 1000))
			return -errno;
		sched_yield(); /* our own probe has a lease on it */
	}
}

static int64_t ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

int filestore_stat(uint64_t id, struct kstat *st)
{
	struct stat s;

	if (fstatat(dirfd_of_store(), fname(id).s, &s, AT_SYMLINK_NOFOLLOW))
		return -errno;
	st->size = s.st_size;
	st->blocks = s.st_blocks;
	st->atime = ns(&s.st_atim);
	st->mtime = ns(&s.st_mtim);
	st->ctime = ns(&s.st_ctim);
	return 0;
}

int filestore_utimens(uint64_t id, const struct timespec ts[2])
{
	return utimensat(dirfd_of_store(), fname(id).s, ts, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

int filestore_truncate(uint64_t id, int64_t size)
{
	AUTO_CLOSE int fd = filestore_open(id, O_WRONLY);

	if (fd < 0)
		return fd;
	return ftruncate(fd, size) ? -errno : 0;
}

static void ignore_sigio(void)
{
	signal(SIGIO, SIG_IGN);
}

/* fd: a description that only this file's functions ever had. */
static bool held(int fd)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, ignore_sigio);
	if (fcntl(fd, F_SETLEASE, F_WRLCK))
		return true;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

bool filestore_busy(uint64_t id)
{
	AUTO_CLOSE int fd = filestore_open(id, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return fd != -ENOENT;
	if (fstat(fd, &st))
		return true;
	if (S_ISREG(st.st_mode))
		return held(fd);
	/* FIFO: without a reader the open for writing fails; our own end must be closed for that. */
	close(take_fd(&fd));
	fd = filestore_open(id, O_WRONLY | O_NONBLOCK);
	return fd >= 0;
}

void filestore_free(uint64_t id)
{
	bool kept = true;

	pthread_mutex_lock(&lock);
	if (n_freed == cap_freed) {
		size_t cap = cap_freed ? 2 * cap_freed : 256;
		uint64_t *v = reallocarray(freed, cap, sizeof(*v));
		if (v) {
			freed = v;
			cap_freed = cap;
		}
	}
	if (n_freed < cap_freed)
		freed[n_freed++] = id;
	else
		kept = false;
	freed_hint = n_freed;
	pthread_mutex_unlock(&lock);
	if (!kept)
		unlinkat(dirfd_of_store(), fname(id).s, 0);
}

/* Into the pool, emptied; or its name goes, and the kernel gives the space back with the last descriptor. */
static void recycle(uint64_t id, bool want)
{
	if (want) {
		AUTO_CLOSE int fd = filestore_open(id, O_RDWR | O_NONBLOCK);
		struct stat st;
		if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && !held(fd) && (!st.st_blocks || st.st_size) &&
		    (!st.st_size || !ftruncate(fd, 0))) {
			pthread_mutex_lock(&lock);
			want = n_pool < POOL_MAX;
			if (want)
				pool[n_pool++] = (struct spare){id, st.st_ino};
			pthread_mutex_unlock(&lock);
			if (want)
				return;
		}
	}
	unlinkat(dirfd_of_store(), fname(id).s, 0);
}

void filestore_reclaim(void)
{
	if (!atomic_load_explicit(&freed_hint, memory_order_relaxed))
		return;
	for (;;) {
		uint64_t batch[64];
		size_t n = 0;
		pthread_mutex_lock(&lock);
		bool want = n_pool < POOL_MAX;
		while (n < ARRAY_SIZE(batch) && n_freed)
			batch[n++] = freed[--n_freed];
		if (!n_freed && cap_freed > 4096) {
			free(freed);
			freed = NULL;
			cap_freed = 0;
		}
		freed_hint = n_freed;
		pthread_mutex_unlock(&lock);
		for (size_t i = 0; i < n; i++)
			recycle(batch[i], want);
		if (n < ARRAY_SIZE(batch))
			return;
	}
}

int filestore_statfs(struct statfs *out)
{
	return fstatfs(dirfd_of_store(), out) ? -errno : 0;
}
