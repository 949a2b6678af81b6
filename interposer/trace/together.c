/* SPDX-License-Identifier: Apache-2.0 */
/*
 * together.c - see together.h.
 *
 * How many CPUs the tracees could use is measured by the kernel's own account of each: the time that it ran and the time that it was ready and
 * waited (/proc/TID/schedstat). The sum over the wall time is one for a program that never waits for anything, whatever else the machine does,
 * and two for two of them, even while they share a CPU. A thread of its own measures, as long as there are stops. Everything is under trace_mu.
 */
#include "interposer/trace/together.h"

#include "base/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>

#define TICK_NS      4000000
#define IDLE_TICKS   8   /* without a stop: the end */
#define RECENT       25  /* ticks; a tracee that has stopped since counts, if it runs everywhere */
#define CROWDED      130 /* percent of one CPU: they part */
#define CALM         110 /* and may come together again after as many ticks */
#define CALM_TICKS   16
#define MEASURED     32         /* tracees, at most */
#define IN_FLIGHT_NS 1000000000 /* after the end: forks that may have begun before it */

static enum { RARE, TOGETHER, APART } mode; /* RARE: no stops */
static int cpu = CPU_ANY;                   /* theirs; CPU_ANY: still to be chosen */
static cpu_set_t one;                       /* that one alone */
static bool used;                           /* a child may have been born there */
static bool impossible;                     /* a program's own affinity, one CPU, no account: never again */
static unsigned holds, stops, tick, calm;
static int64_t ended_at;
static pthread_cond_t wanted = PTHREAD_COND_INITIALIZER;
static atomic_bool active;

/* ESRCH: it ended; EPERM: it's no longer ours to say. Either way nothing is left to do. */
static void allow(pid_t tid, const cpu_set_t *cpus)
{
	(void)!syscall(SYS_sched_setaffinity, tid, sizeof *cpus, cpus);
}

void together_leave(struct tracee *t)
{
	if (t->cpu != CPU_ANY)
		allow(t->tid, live_cpus());
	t->cpu = CPU_ANY;
}

static void part(void)
{
	tracee_each(together_leave);
	if (cpu >= 0)
		allow(trace_tracer(), live_cpus());
	cpu = CPU_ANY;
}

void together_end(void)
{
	part();
	mode = RARE;
	active = false;
}

static void never_again(void)
{
	together_end();
	impossible = true;
	ended_at = trace_now_ns();
}

int together_newborn(void)
{
	return used ? CPU_UNKNOWN : CPU_ANY;
}

void together_forked(const struct tracee *parent, pid_t child)
{
	cpu_set_t had, has;
	if (!impossible || !used || trace_now_ns() - ended_at > IN_FLIGHT_NS)
		return;
	CPU_ZERO(&had);
	CPU_ZERO(&has);
	if (syscall(SYS_sched_getaffinity, parent->tid, sizeof had, &had) > 0 &&
	    syscall(SYS_sched_getaffinity, child, sizeof has, &has) > 0 && CPU_EQUAL(&has, &one) && !CPU_EQUAL(&had, &one))
		allow(child, &had);
}

/* Nanoseconds that the thread ran or wanted to, in all. */
static int64_t wanted_ns(pid_t tid)
{
	char path[32], text[96];
	uint64_t ran, waited;
	snprintf(path, sizeof path, "%d/schedstat", tid);
	AUTO_CLOSE int fd = openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return -1;
	text[n] = 0;
	return sscanf(text, "%" SCNu64 " %" SCNu64, &ran, &waited) == 2 ? (int64_t)(ran + waited) : -1;
}

static struct {
	int64_t now, percent;
	unsigned n;
} sum;

static void measure_one(struct tracee *t)
{
	if (t->cpu == CPU_ANY && tick - t->stopped_tick > RECENT)
		return;
	if (sum.n++ >= MEASURED)
		return;
	int64_t ns = wanted_ns(t->tid);
	if (ns >= 0 && t->wanted_at && sum.now > t->wanted_at)
		sum.percent += 100 * (ns - t->wanted_ns) / (sum.now - t->wanted_at);
	t->wanted_ns = ns;
	t->wanted_at = ns < 0 ? 0 : sum.now;
}

/* Percent of a CPU. */
static int64_t demand(void)
{
	sum.now = trace_now_ns();
	sum.percent = 0;
	sum.n = 0;
	tracee_each(measure_one);
	return sum.percent;
}

static void *watch(void *arg)
{
	static const struct timespec pause = {0, TICK_NS};
	unsigned seen = 0, idle = 0;
	pthread_mutex_lock(&trace_mu);
	for (;;) {
		while (mode == RARE) {
			idle = 0;
			pthread_cond_wait(&wanted, &trace_mu);
		}
		pthread_mutex_unlock(&trace_mu);
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&trace_mu);
		tick++;
		idle = stops == seen ? idle + 1 : 0;
		seen = stops;
		if (mode == RARE)
			continue;
		if (idle >= IDLE_TICKS) {
			together_end();
			continue;
		}
		int64_t d = demand();
		calm = d < CALM ? calm + 1 : 0;
		if (mode == TOGETHER && d > CROWDED) {
			part();
			mode = APART;
		} else if (mode == APART && calm >= CALM_TICKS) {
			mode = TOGETHER;
		}
	}
	return NULL;
}

static void begin(void)
{
	static bool have_thread;
	pthread_t thread;
	if (!have_thread) {
		impossible = CPU_COUNT(live_cpus()) < 2 || wanted_ns(trace_tracer()) < 0 ||
			     pthread_create(&thread, NULL, watch, NULL);
		if (impossible)
			return;
		pthread_detach(thread);
		have_thread = true;
	}
	mode = TOGETHER;
	used = true;
	active = true;
	pthread_cond_signal(&wanted);
}

void together_place(struct tracee *t)
{
	stops++;
	t->stopped_tick = tick;
	if (impossible) {
		t->cpu = CPU_ANY;
		return;
	}
	if (mode == RARE)
		begin();
	if (mode == TOGETHER && cpu < 0 && (cpu = sched_getcpu()) >= 0) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		allow(0, &one);
	}
	if (t->cpu == cpu || (holds && cpu >= 0))
		return;
	allow(t->tid, cpu >= 0 ? &one : live_cpus());
	t->cpu = cpu;
}

/* --- What the program sees ------------------------------------------------------------------------------------------- */

bool trace_keeps_cpu(pid_t tid)
{
	if (!active)
		return false;
	pthread_mutex_lock(&trace_mu);
	struct tracee *t = tracee_find(tid);
	bool keeps = t && t->cpu != CPU_ANY;
	pthread_mutex_unlock(&trace_mu);
	return keeps;
}

void trace_own_cpus(void)
{
	pthread_mutex_lock(&trace_mu);
	if (!impossible)
		never_again();
	pthread_mutex_unlock(&trace_mu);
}

ssize_t trace_true_cpus(pid_t tid, size_t len, cpu_set_t *cpus)
{
	if (!active)
		return 0;
	pthread_mutex_lock(&trace_mu);
	struct tracee *t = tracee_find(tid);
	/* The host says how long its sets are, too, and whether there is such a thread. */
	ssize_t n = syscall(SYS_sched_getaffinity, tid, MIN(len, sizeof *cpus), cpus);
	n = n < 0 ? -errno : n;
	if (n > 0 && t && t->cpu != CPU_ANY)
		*cpus = *live_cpus();
	pthread_mutex_unlock(&trace_mu);
	return n;
}

bool trace_hold_cpus(pid_t tid)
{
	if (!active)
		return false;
	pthread_mutex_lock(&trace_mu);
	holds++;
	struct tracee *t = tracee_find(tid);
	if (t)
		together_leave(t);
	pthread_mutex_unlock(&trace_mu);
	return true;
}

void trace_release_cpus(void)
{
	pthread_mutex_lock(&trace_mu);
	holds--;
	pthread_mutex_unlock(&trace_mu);
}
