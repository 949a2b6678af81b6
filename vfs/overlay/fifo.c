/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fifo.c - opening a named pipe as fifo(7) says, without ever sleeping in the host's open.
 *
 * A thread in a blocking open(2) could not be called off when its tracee gets a signal. So all opens are non-blocking, and the waiting
 * is here: a writer until a reader's descriptor exists (else ENXIO), a reader until a writer has come. Every open of a FIFO in
 * the sandbox passes here, so openers wake each other; who calls a wait off signals our thread (vfs_ctx.may_block); the time-out is a safety net.
 */
#include "vfs/overlay/overlay.h"

#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

#define TICK_S 1

/*
 * Opens so far of the FIFOs of one place, a futex. Who waits on one pipe isn't woken by opens of all the others: N waiters would
 * cost N * N wake-ups.
 */
static atomic_uint places[64];

static pthread_mutex_t scratch_lock = PTHREAD_MUTEX_INITIALIZER;
static int scratch[2] = {-1, -1}; /* guarded by scratch_lock */

static atomic_uint *place_of(const struct ovl_inode *o)
{
	return &places[o->i.ino % ARRAY_SIZE(places)];
}

static void announce(atomic_uint *at)
{
	atomic_fetch_add(at, 1);
	syscall(SYS_futex, at, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Until another open than those before seen, a signal to this thread, or the tick. */
static void wait_turn(atomic_uint *at, unsigned seen)
{
	static const struct timespec tick = {.tv_sec = TICK_S};

	syscall(SYS_futex, at, FUTEX_WAIT_PRIVATE, seen, &tick, NULL, 0);
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
	pthread_mutex_lock(&scratch_lock);
	ssize_t n = tee(fd, scratch[1], 1, SPLICE_F_NONBLOCK);
	seen = n > 0 || (n < 0 && errno == EAGAIN);
	while (n > 0 && read(scratch[0], &c, 1) == 1)
		;
	pthread_mutex_unlock(&scratch_lock);
	return seen;
}

static int make_scratch(void)
{
	int r = 0;

	pthread_mutex_lock(&scratch_lock);
	if (scratch[0] < 0 && pipe2(scratch, O_CLOEXEC | O_NONBLOCK))
		r = -errno;
	pthread_mutex_unlock(&scratch_lock);
	return r;
}

static bool stop(struct vfs_ctx *ctx)
{
	return ctx && ctx->interrupted && ctx->interrupted(ctx);
}

static int await_writer(struct vfs_ctx *ctx, atomic_uint *at, int fd)
{
	int r = make_scratch();

	if (r)
		return r;
	for (bool told = false;;) {
		unsigned seen = atomic_load(at);
		if (writer_seen(fd))
			return 0;
		if (stop(ctx))
			return -ERESTARTSYS;
		if (!told && ctx && ctx->may_block)
			ctx->may_block(ctx);
		told = true;
		wait_turn(at, seen);
	}
}

int ovl_open_fifo(struct vfs_ctx *ctx, struct ovl_inode *o, int flags, int *hostfd)
{
	int acc = flags & O_ACCMODE, r;
	atomic_uint *at = place_of(o);
	AUTO_CLOSE int fd = -1;

	flags &= ~O_TRUNC;
	for (bool told = false;;) {
		unsigned seen = atomic_load(at);
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
		wait_turn(at, seen);
	}
	announce(at);
	if (!(flags & O_NONBLOCK)) {
		r = acc == O_RDONLY ? await_writer(ctx, at, fd) : 0;
		if (r)
			return r;
		if (fcntl(fd, F_SETFL, flags & (O_APPEND | O_DIRECT | O_NOATIME)))
			return -errno;
	}
	*hostfd = take_fd(&fd);
	return 0;
}
