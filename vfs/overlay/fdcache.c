/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fdcache.c - read-only descriptors of lower files that are opened again and again (headers, shared libraries).
 *
 * A repeated open makes a fresh open file description from the cached one by procfs, without asking the gofer. The cached
 * descriptor itself never leaves: who shares its description would share its offset.
 */
#include "vfs/overlay/overlay.h"

#include <sys/resource.h>

#define FDCACHE_MAX 256

struct ovl_fd {
	struct ovl_inode *o;
	int fd;
	TAILQ_ENTRY(ovl_fd) lru;
};
/* Guards the list and every ovl_inode.fd. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD(fdlru, ovl_fd) lru = TAILQ_HEAD_INITIALIZER(lru);
static unsigned n_fds, max_fds;

static unsigned limit(void)
{
	struct rlimit rl;

	if (!max_fds) {
		max_fds = FDCACHE_MAX;
		if (!getrlimit(RLIMIT_NOFILE, &rl) && rl.rlim_cur / 4 < max_fds)
			max_fds = (unsigned)MAX(rl.rlim_cur / 4, (rlim_t)1);
	}
	return max_fds;
}

/* The entry leaves the list; the caller closes the descriptor returned, without the mutex. */
static int forget(struct ovl_fd *e)
{
	int fd = e->fd;

	TAILQ_REMOVE(&lru, e, lru);
	e->o->fd = NULL;
	n_fds--;
	free(e);
	return fd;
}

int ovl_fdcache_reopen(struct ovl_inode *o, int flags)
{
	char name[32];
	int fd = -ENOENT;

	pthread_mutex_lock(&lock);
	if (o->fd) {
		TAILQ_REMOVE(&lru, o->fd, lru);
		TAILQ_INSERT_HEAD(&lru, o->fd, lru);
		snprintf(name, sizeof(name), "self/fd/%d", o->fd->fd);
		/* With the mutex, or the number could be closed and be another file's. A warm open takes a microsecond. */
		fd = openat(vfs_config()->procfd, name, flags | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			fd = -errno;
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

void ovl_fdcache_add(struct ovl_inode *o, int fd)
{
	struct ovl_fd *e = malloc(sizeof(*e));
	AUTO_CLOSE int victim = -1;

	pthread_mutex_lock(&lock);
	if (!e || o->fd) {
		victim = fd;
		free(e);
	} else {
		if (n_fds >= limit())
			victim = forget(TAILQ_LAST(&lru, fdlru));
		*e = (struct ovl_fd){.o = o, .fd = fd};
		o->fd = e;
		TAILQ_INSERT_HEAD(&lru, e, lru);
		n_fds++;
	}
	pthread_mutex_unlock(&lock);
}

void ovl_fdcache_drop(struct ovl_inode *o)
{
	AUTO_CLOSE int fd = -1;

	pthread_mutex_lock(&lock);
	if (o->fd)
		fd = forget(o->fd);
	pthread_mutex_unlock(&lock);
}
