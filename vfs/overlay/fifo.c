/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fifo.c - opening a named pipe as fifo(7) says, without ever sleeping in the host's open.
 *
 * A thread in a blocking open(2) could not be called off when its tracee gets a signal. So all opens are non-blocking, and the waiting
 * is here: a writer until a reader's descriptor exists (else ENXIO), a reader until a writer has come. Every open of a FIFO in
 * the sandbox passes here, so openers wake each other; the time-out is only for signals.
 */
#include "vfs/overlay/overlay.h"

#include <poll.h>
#include <time.h>

#define TICK_MS 50

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static uint64_t turns;            /* opens of FIFOs so far, guarded by lock */
static int scratch[2] = {-1, -1}; /* guarded by lock */

static void announce(void)
{
	pthread_mutex_lock(&lock);
	turns++;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&lock);
}

static uint64_t turn(void)
{
	pthread_mutex_lock(&lock);
	uint64_t t = turns;
	pthread_mutex_unlock(&lock);
	return t;
}

/* Until another open than those before seen, or the tick. */
static void wait_turn(uint64_t seen)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += TICK_MS * 1000000L;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&lock);
	while (turns == seen && !pthread_cond_timedwait(&opened, &lock, &ts))
		;
	pthread_mutex_unlock(&lock);
}

/*
 * Is there a writer, or was there one since fd was opened? tee(2) consumes nothing: 0 means neither data nor a writer, EAGAIN
 * a writer and no data yet.
 */
static bool writer_seen(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool seen;
	char c;

	if (poll(&p, 1, 0) > 0 && p.revents)
		return true;
	/* One scratch pipe for all: many programs may wait at a time, and descriptors are few. */
	pthread_mutex_lock(&lock);
	ssize_t n = tee(fd, scratch[1], 1, SPLICE_F_NONBLOCK);
	seen = n > 0 || (n < 0 && errno == EAGAIN);
	while (n > 0 && read(scratch[0], &c, 1) == 1)
		;
	pthread_mutex_unlock(&lock);
	return seen;
}

static int make_scratch(void)
{
	int r = 0;

	pthread_mutex_lock(&lock);
	if (scratch[0] < 0 && pipe2(scratch, O_CLOEXEC | O_NONBLOCK))
		r = -errno;
	pthread_mutex_unlock(&lock);
	return r;
}

static bool stop(struct vfs_ctx *ctx)
{
	return ctx && ctx->interrupted && ctx->interrupted(ctx);
}

static int await_writer(struct vfs_ctx *ctx, int fd)
{
	int r = make_scratch();

	if (r)
		return r;
	for (bool told = false;;) {
		uint64_t seen = turn();
		if (writer_seen(fd))
			return 0;
		if (stop(ctx))
			return -ERESTARTSYS;
		if (!told && ctx && ctx->may_block)
			ctx->may_block(ctx);
		told = true;
		wait_turn(seen);
	}
}

int ovl_open_fifo(struct vfs_ctx *ctx, struct ovl_inode *o, int flags, int *hostfd)
{
	int acc = flags & O_ACCMODE, r;
	AUTO_CLOSE int fd = -1;

	flags &= ~O_TRUNC;
	for (bool told = false;;) {
		uint64_t seen = turn();
		fd = filestore_open(ovl_store(o), o->id, flags | O_NONBLOCK);
		if (fd >= 0)
			break;
		if (fd != -ENXIO || acc != O_WRONLY || (flags & O_NONBLOCK))
			return fd;
		if (stop(ctx))
			return -ERESTARTSYS;
		if (!told && ctx && ctx->may_block)
			ctx->may_block(ctx);
		told = true;
		wait_turn(seen);
	}
	announce();
	if (!(flags & O_NONBLOCK)) {
		r = acc == O_RDONLY ? await_writer(ctx, fd) : 0;
		if (r)
			return r;
		if (fcntl(fd, F_SETFL, flags & (O_APPEND | O_DIRECT | O_NOATIME)))
			return -errno;
	}
	*hostfd = take_fd(&fd);
	return 0;
}
