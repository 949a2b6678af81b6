/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.h - what live.c (outside) and live_caller.c (inside) share: a memory file that both map. The caller can write anything there, so the watcher
 * only prints from it and counts.
 */
#ifndef TOOLS_FUZZ_LIVE_H
#define TOOLS_FUZZ_LIVE_H

#include <stdint.h>

#define LIVE_FD      3 /* where the caller finds it */
#define LIVE_TASKS   16
#define LIVE_THREADS 8
#define LIVE_RING    32 /* last calls of a thread */

struct live_call {
	uint32_t nr, task_seed;
	uint64_t args[6];
};
struct live_thread {
	uint64_t calls;
	uint64_t seen; /* of them, by the one that wakes who waits for long */
	int tid;
	struct live_call ring[LIVE_RING];
};
struct live_shared {
	uint64_t born; /* tasks so far */
	struct live_thread thread[LIVE_TASKS][LIVE_THREADS];
};

#endif
