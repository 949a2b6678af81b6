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
	unsigned users; /* reopening it now, without the mutex */
	bool doomed;    /* out of the list; the last user closes it */
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

/* The entry leaves the list; the caller closes the descriptor returned (or -1), without the mutex. */
static int forget(struct ovl_fd *e)
{
	int fd = e->fd;

	TAILQ_REMOVE(&lru, e, lru);
	e->o->fd = NULL;
	n_fds--;
	if (e->users) {
		e->doomed = true;
		return -1;
	}
	free(e);
	return fd;
}

int ovl_fdcache_reopen(struct ovl_inode *o, int flags)
{
	AUTO_CLOSE int victim = -1;
	struct ovl_fd *e;
	char name[32];
	int fd;

	pthread_mutex_lock(&lock);
	e = o->fd;
	if (e) {
		TAILQ_REMOVE(&lru, e, lru);
		TAILQ_INSERT_HEAD(&lru, e, lru);
		e->users++;
	}
	pthread_mutex_unlock(&lock);
	if (!e)
		return -ENOENT;
	/* Without the mutex: release takes it with the tree locked, and the lower may be slow. */
	snprintf(name, sizeof(name), "self/fd/%d", e->fd);
	fd = openat(vfs_config()->procfd, name, flags | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		fd = errno == ENOENT ? -EACCES : -errno;
	pthread_mutex_lock(&lock);
	if (!--e->users && e->doomed) {
		victim = e->fd;
		free(e);
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
