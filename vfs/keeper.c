/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper.c - the thread that tidies up when no call comes to do it: gives back the space of deleted files once nobody has them open, of
 * which nothing tells, and watches limits. It's woken by what makes work for it, and then looks less and less often while nothing changes.
 */
#include "vfs/core.h"
#include "vfs/overlay/overlay.h"

#include <malloc.h>
#include <time.h>

#define FIRST_NS INT64_C(20000000) /* a burst of deletions is one turn */
#define LAST_NS  INT64_C(1000000000)
#define TRIM_MIN 4096 /* files */

/* Innermost. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool kicked; /* under mutex */
static atomic_bool asleep;

void vfs_keeper_kick(void)
{
	/* While it's awake it looks by itself. */
	if (!atomic_load_explicit(&asleep, memory_order_relaxed))
		return;
	pthread_mutex_lock(&mutex);
	kicked = true;
	atomic_store(&asleep, false);
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
}

static void sleep_ns(int64_t ns)
{
	struct timespec ts = {ns / 1000000000, ns % 1000000000};

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* After many files were forgotten: the allocator keeps what was theirs. Rarely, since it looks at everything that's free. */
static void trim(void)
{
	static uint64_t most;
	uint64_t n = inode_count();

	if (n + TRIM_MIN < most && n < most / 4 * 3) {
		malloc_trim(0);
		most = n;
	}
	most = MAX(most, n);
}

_Noreturn void vfs_keeper(void)
{
	int64_t turn = FIRST_NS;

	for (;;) {
		unsigned n = ovl_orphans();
		filestore_reclaim(NULL);
		filestore_refill();
		if (n)
			ovl_orphan_sweep(NULL);
		int64_t watch = ovl_quota_watch();
		if (!n && watch < 0) {
			/* Announced before the last look: who makes work afterwards kicks, who made some before is seen. */
			pthread_mutex_lock(&mutex);
			kicked = false;
			atomic_store(&asleep, true);
			pthread_mutex_unlock(&mutex);
			filestore_reclaim(NULL);
			trim();
			pthread_mutex_lock(&mutex);
			while (!kicked && !ovl_orphans() && atomic_load(&asleep))
				pthread_cond_wait(&cond, &mutex);
			atomic_store(&asleep, false);
			pthread_mutex_unlock(&mutex);
			turn = FIRST_NS;
			filestore_refill();
		} else if (n) {
			turn = ovl_orphans() < n ? FIRST_NS : MIN(2 * turn, LAST_NS);
		}
		sleep_ns(watch < 0 ? turn : n ? MIN(turn, watch) : watch);
	}
}
