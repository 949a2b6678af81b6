/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.h - memory, processes and processors of a whole sandbox: by a control group of its own where we may make one, else by what
 * can be had without.
 */
#ifndef INTERPOSER_LIMITS_H
#define INTERPOSER_LIMITS_H

#include "interposer/launch.h"

enum limit_by { BY_NOTHING, BY_CGROUP, BY_OTHER };
struct limits {
	enum limit_by memory, pids, cpus; /* BY_OTHER: watched; RLIMIT_NPROC; affinity */
	char *dirs[4];                    /* groups that were made */
	unsigned n;
};
/* Makes the groups. What they can't do is left to the others. */
void limits_prepare(const struct launch_options *opt, struct limits *l);
/* Puts a process, and so all that it will start, into them. */
void limits_join(struct limits *l, pid_t pid);
/* All their processes have ended. */
void limits_remove(struct limits *l);
/* In init, before the filter: RLIMIT_NPROC and affinity, if they are to do it. */
void limits_apply(const struct launch_options *opt, const struct limits *l);
/* For --stats. */
/* Threads in the PID namespace of a procfs. */
unsigned limits_count_tasks(int procfd);
void limits_print(const struct launch_options *opt, const struct limits *l);
/*
 * memory BY_OTHER, in the supervisor: if the processes of that procfs and used bytes of files exceed the limit, kills the one that has most.
 * Processes count by what they share with none.
 */
void limits_watch_memory(int procfd, uint64_t limit, uint64_t used, pid_t init);

#endif
