/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace.h - sandbox trace and sandbox --explain: what the front ends ask for, and what the supervisor's files call.
 *
 * One thread of the supervisor's is the tracees' ptrace tracer (observe.c) and makes every ptrace call and wait itself, as ptrace(2) wants it.
 * A tracee that is traced can't be traced by another one at the same time: that one gets EPERM from the host.
 */
#ifndef INTERPOSER_TRACE_TRACE_H
#define INTERPOSER_TRACE_TRACE_H

#include "base/base.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/types.h>

#define TRACE_CALLS    512 /* SYSCALL_MAX */
#define TRACE_INJECTS  16
#define TRACE_PATHS    16
#define TRACE_PATH_MAX 256

typedef struct {
	uint64_t bits[TRACE_CALLS / 64];
} trace_set;
static inline bool trace_set_has(const trace_set *s, uint64_t nr)
{
	return nr < TRACE_CALLS && (s->bits[nr / 64] >> (nr % 64) & 1);
}

/* -e read=, write=: descriptors; all above the last that has a bit, too, or none. */
#define TRACE_FDS 1024
struct trace_fds {
	uint64_t bits[TRACE_FDS / 64];
	bool above;
};
static inline bool trace_fds_have(const struct trace_fds *s, int fd)
{
	return fd >= 0 && (fd < TRACE_FDS ? s->bits[fd / 64] >> (fd % 64) & 1 : s->above);
}

static inline bool trace_fds_any(const struct trace_fds *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->bits); i++)
		if (s->bits[i])
			return true;
	return s->above;
}

/* -e inject=: at the first, first+step... call of one process up to the last; step 0: once; first and step 1: always. */
struct trace_inject {
	trace_set calls;
	bool fakes; /* the call isn't made; result: -errno or the value */
	int64_t result;
	int signal; /* sent before the call, or 0 */
	unsigned delay_enter_us, delay_exit_us;
	unsigned first, last, step;
};

enum trace_clock { CLOCK_NONE, CLOCK_SECONDS, CLOCK_MICRO, CLOCK_EPOCH };
struct trace_options {
	bool on;
	bool stacks;  /* -k */
	bool effects; /* --effects */
	bool
	    reports; /* workers show what they answer; else each call stops, natively run ones in the workers' hands among them */
	bool filtered; /* wanted counts */
	trace_set wanted;
	struct trace_inject injects[TRACE_INJECTS];
	unsigned n_injects;
	const char *paths[TRACE_PATHS];
	unsigned n_paths;
	trace_set raw; /* -e raw=: arguments as numbers */
	struct trace_fds read_fds, write_fds;
	bool summary, lines; /* -c: summary alone; -C: both */
	bool by_process;     /* the summary is one for each process, too */
	enum trace_clock clock;
	enum trace_sort { SORT_TIME, SORT_CALLS, SORT_ERRORS, SORT_NAME, SORT_AVERAGE, SORT_NOTHING } sort;
	unsigned quiet;   /* 2: no ends of processes */
	uint64_t signals; /* bit n - 1: signal n is shown */
	bool append;      /* to file */
	bool attached;    /* a trace of attach.h's, whose thread writes the lines without a lock */
	bool fd_details;  /* sockets' addresses, devices' numbers */
	bool relative, spent, verbose, fd_paths, only_ok, only_failed, json;
	unsigned hex, strsize;
	const char *file;       /* -o, or NULL */
	bool per_process_files; /* -ff with it */
	int fd;                 /* what file became, or -1: standard error */
	bool tty;               /* fd is a terminal that may be in raw mode */
};

/* expr.c: what -e says. Dies with a message. */
void trace_defaults(struct trace_options *t);
void trace_expression(struct trace_options *t, const char *expr);
/* sets.c: "read,%file", "!..."; dies with a message. */
void trace_parse_set(trace_set *s, const char *text);
/* -P: calls that name nothing are of no interest. */
void trace_narrow_to_paths(struct trace_options *t);

/* paths.c: the state that the sandbox's command starts in, in which -P looks its paths up. Takes a reference. */
struct record;
void trace_paths_init(struct record *first);

/* observe.c. Before the supervisor's filter; starts the thread. */
void trace_start(const struct trace_options *opt);
/* By the worker that has a call execve of the command's first process: returns when the process is traced. */
void trace_command(pid_t tid, const uint64_t args[6]);
/* Refused calls are of interest, too: the filter has to ask for them. */
bool trace_wants_refused(const struct trace_options *opt);

/*
 * report.c: by the worker that answers a call, around its handler, if trace_reports. trace_blocks(): the handler may take long. foreign:
 * another architecture's call.
 */
struct call;
enum trace_verdict {
	TRACE_GO_ON,
	TRACE_AGAIN, /* the tracer has taken over: the answer is -ERESTARTNOINTR, and the call comes again */
};
extern atomic_bool trace_reports; /* workers show what they answer, or tell the tracer what it took */
enum trace_verdict trace_enter(struct call *c, uint64_t ip, bool foreign);
void trace_blocks(const struct call *c);
/* The handler wants the host to run the call. True: the tracer has taken over, as TRACE_AGAIN. */
bool trace_continues(const struct call *c);
void trace_leave(const struct call *c, int64_t r);

/* exec_join.c: the process, in a call, is about to execute a command that joins. Returns when it's traced, if it is to be. */
void trace_joined(pid_t tid);

/*
 * together.c: where the tracees run for the moment, and what they are told of it. By workers, with no lock.
 */
/* Is the thread kept where its tracer and its worker are, so that it needn't be narrowed to that CPU? */
bool trace_keeps_cpu(pid_t tid);
/* A program is about to set an affinity itself: from now on all run where they may. */
void trace_own_cpus(void);
/* sched_getaffinity(2) of the supervisor's thread number, as it were without a trace. 0: the host's own answer is right. */
ssize_t trace_true_cpus(pid_t tid, size_t len, cpu_set_t *cpus);
/* What the host says of the thread is true until trace_release_cpus(). False: it is so anyway, nothing to release. */
bool trace_hold_cpus(pid_t tid);
void trace_release_cpus(void);

/* All tracees are gone: waits until the last line is written. */
void trace_finish(void);
/* The tracer's thread, or 0: what /proc/PID/status calls TracerPid of a process that no other process traces. */
pid_t trace_tracer(void);
/* The sandbox was started with a trace. */
bool trace_of_command(void);

#endif
