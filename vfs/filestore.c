/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filestore.c - backing files of upper data. A store is one flat directory, of a private tmpfs or of the host's disk, with files named by
 * decimal ids. There may be several, one for each medium; each has its own ids, and lives as long as the process.
 *
 * No descriptor is kept for a file, so their number isn't bound by RLIMIT_NOFILE; each open is by name and gives a fresh open file
 * description. A freed file is emptied and used again (with its host inode number, so no call to learn that) once nobody
 * can have it open: F_SETLEASE with F_WRLCK succeeds only if the asking description is the only one, mappings included
 * (fcntl(2), fs/locks.c check_conflicting_open()). It doesn't see duplicates of the asking description itself, so that one is always
 * opened here and never leaves. An open by someone who holds the inode only breaks the lease: that sends SIGIO, which is ignored,
 * and waits, or fails if non-blocking, for the instant until the lease is given back.
 */
#include "vfs/fs.h"

#include "base/ns.h"

#include <dirent.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>

/* On disk more, since ext4 makes a file slowly while files were removed in the last five seconds (recently_deleted() in fs/ext4/ialloc.c). */
#define POOL_MAX      1024
#define POOL_MAX_DISK 32768
#define POOL_READY    256 /* on disk, made ahead by the keeper */
#define SCARCE        16

struct spare {
	uint64_t id, ino;
};
struct filestore {
	/* Held while a file is open only to see who else has it open: two who look at a time would see each other. */
	pthread_mutex_t probe;
	pthread_mutex_t reclaim; /* held by who empties freed files; before the others */
	pthread_mutex_t lock;    /* innermost: guards all below */
	struct spare *pool;
	unsigned n_pool, cap_pool;
	uint64_t last_id;
	_Atomic uint64_t dev;
	/* Freed and not yet looked at. */
	uint64_t *freed;
	size_t n_freed, cap_freed;
	atomic_size_t freed_hint;
};
static struct filestore stores[1 + VFS_STORES] = {
    [0 ... VFS_STORES] = {.probe = PTHREAD_MUTEX_INITIALIZER,
			  .reclaim = PTHREAD_MUTEX_INITIALIZER,
			  .lock = PTHREAD_MUTEX_INITIALIZER},
};

struct fname {
	char s[24];
};
static struct fname fname(uint64_t id)
{
	struct fname n;

	snprintf(n.s, sizeof(n.s), "%" PRIu64, id);
	return n;
}

struct filestore *filestore_get(unsigned n)
{
	return n < ARRAY_SIZE(stores) ? &stores[n] : NULL;
}

static int dir_of(const struct filestore *fs)
{
	const struct vfs_config *cfg = vfs_config();
	size_t n = (size_t)(fs - stores);

	return n ? cfg->stores[n - 1].dir : cfg->filestore;
}

static int make(struct filestore *fs, mode_t type, struct spare *out)
{
	struct stat st;
	uint64_t id;

	pthread_mutex_lock(&fs->lock);
	id = ++fs->last_id;
	pthread_mutex_unlock(&fs->lock);
	struct fname n = fname(id);
	if (type == S_IFIFO) {
		if (mkfifoat(dir_of(fs), n.s, 0600) || fstatat(dir_of(fs), n.s, &st, AT_SYMLINK_NOFOLLOW))
			return -errno;
	} else {
		AUTO_CLOSE int fd = openat(dir_of(fs), n.s, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0 || fstat(fd, &st))
			return -errno;
	}
	*out = (struct spare){id, st.st_ino};
	fs->dev = st.st_dev;
	return 0;
}

static unsigned pool_max(const struct filestore *fs)
{
	return fs == stores ? POOL_MAX : POOL_MAX_DISK;
}

/* Under the lock. */
static bool pool_add(struct filestore *fs, struct spare s)
{
	if (fs->n_pool >= pool_max(fs))
		return false;
	if (fs->n_pool == fs->cap_pool) {
		unsigned cap = fs->cap_pool ? 2 * fs->cap_pool : 256;
		struct spare *v = reallocarray(fs->pool, cap, sizeof(*v));
		if (!v)
			return false;
		fs->pool = v;
		fs->cap_pool = cap;
	}
	fs->pool[fs->n_pool++] = s;
	return true;
}

void filestore_refill(void)
{
	for (size_t i = 1; i < ARRAY_SIZE(stores); i++) {
		struct filestore *fs = &stores[i];
		for (struct spare s;;) {
			pthread_mutex_lock(&fs->lock);
			bool want = fs->last_id && fs->n_pool < POOL_READY;
			pthread_mutex_unlock(&fs->lock);
			if (!want || make(fs, S_IFREG, &s))
				break;
			pthread_mutex_lock(&fs->lock);
			want = pool_add(fs, s);
			pthread_mutex_unlock(&fs->lock);
			if (!want) {
				unlinkat(dir_of(fs), fname(s.id).s, 0);
				break;
			}
		}
	}
}

int filestore_new(struct filestore *fs, uint64_t *id, uint64_t *host_dev, uint64_t *host_ino)
{
	struct spare s = {0};

	pthread_mutex_lock(&fs->lock);
	if (fs->n_pool)
		s = fs->pool[--fs->n_pool];
	bool low = fs != stores && fs->n_pool < POOL_READY / 2;
	pthread_mutex_unlock(&fs->lock);
	if (low)
		vfs_keeper_kick();
	if (!s.id) {
		int r = make(fs, S_IFREG, &s);
		if (r)
			return r;
	}
	*id = s.id;
	*host_ino = s.ino;
	*host_dev = fs->dev;
	return 0;
}

int filestore_mkfifo(struct filestore *fs, uint64_t *id, uint64_t *host_dev, uint64_t *host_ino)
{
	struct spare s;
	int r = make(fs, S_IFIFO, &s);

	if (r)
		return r;
	*id = s.id;
	*host_ino = s.ino;
	*host_dev = fs->dev;
	return 0;
}

int filestore_ident(struct filestore *fs, uint64_t id, mode_t type, uint64_t *host_dev, uint64_t *host_ino)
{
	struct stat st;

	if (fstatat(dir_of(fs), fname(id).s, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if ((st.st_mode & S_IFMT) != (type & S_IFMT))
		return -ENOENT;
	fs->dev = *host_dev = st.st_dev;
	*host_ino = st.st_ino;
	return 0;
}

void filestore_reserve(struct filestore *fs, uint64_t last_id)
{
	pthread_mutex_lock(&fs->lock);
	fs->last_id = MAX(fs->last_id, last_id);
	pthread_mutex_unlock(&fs->lock);
}

int filestore_dir(const struct filestore *fs)
{
	return dir_of(fs);
}

int filestore_sync(const struct filestore *fs)
{
	return syncfs(dir_of(fs)) ? -errno : 0;
}

int filestore_open(struct filestore *fs, uint64_t id, int flags)
{
	flags &= ~(O_CREAT | O_EXCL | O_DIRECTORY | O_PATH | (O_TMPFILE & ~O_DIRECTORY));
	for (int tries = 0;; tries++) {
		int fd = openat(dir_of(fs), fname(id).s, flags | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY);
		if (fd >= 0)
			return fd;
		if (errno != EINTR && (errno != EWOULDBLOCK || tries == 1000))
			return -errno;
		sched_yield(); /* our own probe has a lease on it */
	}
}

int filestore_stat(struct filestore *fs, uint64_t id, struct kstat *st)
{
	struct stat s;

	if (fstatat(dir_of(fs), fname(id).s, &s, AT_SYMLINK_NOFOLLOW))
		return -errno;
	st->size = s.st_size;
	st->blocks = s.st_blocks;
	st->atime = ns_of(&s.st_atim);
	st->mtime = ns_of(&s.st_mtim);
	st->ctime = ns_of(&s.st_ctim);
	return 0;
}

int filestore_utimens(struct filestore *fs, uint64_t id, const struct timespec ts[2])
{
	return utimensat(dir_of(fs), fname(id).s, ts, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

int filestore_truncate(struct filestore *fs, uint64_t id, int64_t size)
{
	AUTO_CLOSE int fd = filestore_open(fs, id, O_WRONLY);

	if (fd < 0)
		return fd;
	return ftruncate(fd, size) ? -errno : 0;
}

static pthread_once_t sigio_once = PTHREAD_ONCE_INIT;
static void ignore_sigio(void)
{
	signal(SIGIO, SIG_IGN);
}

/* fd: a description that only this file's functions ever had. */
static bool held(int fd)
{
	pthread_once(&sigio_once, ignore_sigio);
	if (fcntl(fd, F_SETLEASE, F_WRLCK))
		return true;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

static bool probe_written(struct filestore *fs, uint64_t id)
{
	AUTO_CLOSE int fd = filestore_open(fs, id, O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return fd != -ENOENT;
	pthread_once(&sigio_once, ignore_sigio);
	if (fcntl(fd, F_SETLEASE, F_RDLCK))
		return true;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

static bool probe_busy(struct filestore *fs, uint64_t id)
{
	AUTO_CLOSE int fd = filestore_open(fs, id, O_RDONLY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return fd != -ENOENT;
	if (fstat(fd, &st))
		return true;
	if (S_ISREG(st.st_mode))
		return held(fd);
	/* FIFO. A hang-up is shown if there are no writers but once were some: ours, for an instant. */
	AUTO_CLOSE int writer = filestore_open(fs, id, O_WRONLY | O_NONBLOCK);
	if (writer < 0)
		return true;
	close(take_fd(&writer));
	struct pollfd p = {.fd = fd};
	if (poll(&p, 1, 0) < 0 || !(p.revents & POLLHUP))
		return true;
	/* And without a reader the open for writing fails; our own end must be closed for that. */
	close(take_fd(&fd));
	writer = filestore_open(fs, id, O_WRONLY | O_NONBLOCK);
	return writer >= 0;
}

bool filestore_written(struct filestore *fs, uint64_t id)
{
	pthread_mutex_lock(&fs->probe);
	bool r = probe_written(fs, id);
	pthread_mutex_unlock(&fs->probe);
	return r;
}

bool filestore_busy(struct filestore *fs, uint64_t id)
{
	pthread_mutex_lock(&fs->probe);
	bool r = probe_busy(fs, id);
	pthread_mutex_unlock(&fs->probe);
	return r;
}

void filestore_free(struct filestore *fs, uint64_t id)
{
	bool kept = true;

	pthread_mutex_lock(&fs->lock);
	if (fs->n_freed == fs->cap_freed) {
		size_t cap = fs->cap_freed ? 2 * fs->cap_freed : 256;
		uint64_t *v = reallocarray(fs->freed, cap, sizeof(*v));
		if (v) {
			fs->freed = v;
			fs->cap_freed = cap;
		}
	}
	if (fs->n_freed < fs->cap_freed)
		fs->freed[fs->n_freed++] = id;
	else
		kept = false;
	fs->freed_hint = fs->n_freed;
	pthread_mutex_unlock(&fs->lock);
	if (!kept)
		unlinkat(dir_of(fs), fname(id).s, 0);
	vfs_keeper_kick();
}

/* Into the pool, emptied; or its name goes, and the kernel gives the space back with the last descriptor. */
static void recycle(struct filestore *fs, uint64_t id, bool want)
{
	if (want) {
		AUTO_CLOSE int fd = filestore_open(fs, id, O_RDWR | O_NONBLOCK);
		struct stat st;
		if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && !held(fd) && (!st.st_blocks || st.st_size) &&
		    (!st.st_size || !ftruncate(fd, 0))) {
			pthread_mutex_lock(&fs->lock);
			want = pool_add(fs, (struct spare){id, st.st_ino});
			pthread_mutex_unlock(&fs->lock);
			if (want)
				return;
		}
	}
	unlinkat(dir_of(fs), fname(id).s, 0);
}

void filestore_reclaim(struct filestore *fs)
{
	if (!fs) {
		for (size_t i = 0; i < ARRAY_SIZE(stores); i++)
			filestore_reclaim(&stores[i]);
		return;
	}
	if (!atomic_load_explicit(&fs->freed_hint, memory_order_relaxed) || pthread_mutex_trylock(&fs->reclaim))
		return;
	for (;;) {
		uint64_t batch[64];
		size_t n = 0;
		pthread_mutex_lock(&fs->lock);
		bool want = fs->n_pool < pool_max(fs);
		while (n < ARRAY_SIZE(batch) && fs->n_freed)
			batch[n++] = fs->freed[--fs->n_freed];
		if (!fs->n_freed && fs->cap_freed > 4096) {
			free(fs->freed);
			fs->freed = NULL;
			fs->cap_freed = 0;
		}
		fs->freed_hint = fs->n_freed;
		pthread_mutex_unlock(&fs->lock);
		for (size_t i = 0; i < n; i++)
			recycle(fs, batch[i], want);
		if (n < ARRAY_SIZE(batch))
			break;
	}
	pthread_mutex_unlock(&fs->reclaim);
}

int filestore_statfs(struct filestore *fs, struct statfs *out)
{
	/* What was freed before is given back when the answer is taken. */
	filestore_reclaim(fs);
	pthread_mutex_lock(&fs->reclaim);
	pthread_mutex_unlock(&fs->reclaim);
	filestore_reclaim(fs);
	return fstatfs(dir_of(fs), out) ? -errno : 0;
}

bool filestore_scarce(const struct filestore *fs, int64_t bytes)
{
	struct statfs st;

	return bytes && !fstatfs(dir_of(fs), &st) && (int64_t)st.f_bavail / SCARCE < bytes / st.f_bsize;
}

void filestore_counts(struct filestore *fs, struct filestore_counts *out)
{
	pthread_mutex_lock(&fs->lock);
	*out = (struct filestore_counts){fs->last_id, fs->n_pool, fs->n_freed};
	pthread_mutex_unlock(&fs->lock);
}

uint64_t filestore_usage(struct filestore *fs)
{
	uint64_t sum = 0;
	struct dirent *e;
	struct stat st;

	/* dir_of() is no directory where there's no such store. */
	AUTO_CLOSE int fd = fs->dev ? openat(dir_of(fs), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return 0;
	take_fd(&fd);
	filestore_reclaim(fs);
	while ((e = readdir(d)))
		if (!fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
			sum += (uint64_t)st.st_blocks * 512;
	closedir(d);
	return sum;
}
