/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.h - a call of a live tracee: what notify.c and remote.c share.
 */
#ifndef INTERPOSER_LIVE_H
#define INTERPOSER_LIVE_H

#include "interposer/supervisor.h"
#include "kernel/call.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>

/* One a worker thread; its call is the one being handled. */
struct live {
	struct call call;
	bool handed_over;            /* live_may_block() was called for this call: another thread has our place... */
	atomic_bool refused;         /* ...but there was none left: the call must not block */
	pid_t guest_tgid, guest_tid; /* 0: not asked yet */
	bool narrowed;               /* the thread's affinity is our CPU for the moment, and was affinity */
	cpu_set_t affinity;
	pthread_t thread;
	struct live *next, **prev; /* on the list of blocked threads */
	int slot;                  /* bit in the pool's slots: pinned to that CPU; -1: not pinned */
	pid_t last_tid;
	unsigned window, queued; /* calls since the need was last measured, and how many of them had queued */
	struct notify_stats stats;
};

void live_may_block(struct call *c);
/* The number of the call in which that thread waits for something that we wait for in its place, or -1. */
int live_blocked_call(pid_t tid);
bool live_interrupted(struct call *c);
int live_put_fd(struct call *c, int hostfd, int at, bool cloexec);
/* The CPUs that all tracees start with, and have as long as no program sets an affinity. */
const cpu_set_t *live_cpus(void);

/* The record of a process by the supervisor's pid of it, referenced; NULL when it's gone. */
struct record *live_record(pid_t pid);
/* The same for the thread whose call is being handled, with a memory. */
struct record *live_caller_record(pid_t tid);

#endif
