/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify.c - takes notifications, runs their handlers, answers.
 *
 * Threads: a few "active" ones sit in RECV or handle a call; the others are parked. Each notification wakes all that wait in RECV, so there are
 * as few of them as keep the processors busy (measured: one thread 3.7 us a call, 16 waiting threads 32 us): one, or while calls queue up, one a
 * CPU and pinned to it (two busy tracees: 5.6 us a call pinned, 9.1 not). A handler that may block gives its place to a parked or new thread
 * first (live_may_block), and parks afterwards if there are enough.
 *
 * The answer is sent with SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP where the kernel has it (6.6): tracee and worker then run on one CPU in turn.
 */
#include "interposer/supervisor.h"

#include "base/log.h"
#include "interposer/control.h"
#include "interposer/filter.h"
#include "interposer/front.h"
#include "interposer/init.h"
#include "interposer/live.h"
#include "interposer/trace/explain.h"
#include "interposer/trace/trace.h"
#include "kernel/call.h"
#include "kernel/exec.h"
#include "kernel/filter_rules.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#define X32_BIT        0x40000000
#define ERESTARTNOINTR 513 /* the kernel's own: the call is made again, whatever signal comes between */

#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#endif

/* A tracee can keep one less than this many calls blocked at once (FIFO opens, locks, connects). The last thread must stay free to answer
 * others (and kill(2), which may be what unblocks): a call that would block it fails with ENOMEM. */
#define MAX_THREADS 256

static int listener = -1;
static size_t notif_size, resp_size;
static int ctl = -1;
static bool traced;
/* What all tracees start with; affinity_changed: one of them may have another. */
static cpu_set_t initial_affinity;
static atomic_bool affinity_changed;
static atomic_int command_pid, exit_status = -1;
static struct notify_stats totals;
static pthread_mutex_t totals_mu = PTHREAD_MUTEX_INITIALIZER;

static struct {
	pthread_mutex_t mu;
	pthread_cond_t wake;
	int parked, granted, total;
	atomic_int active, target;
	atomic_int crowd_left; /* calls until the crowd is sent home and the need is measured anew */
	atomic_uint slots;     /* bit n: a worker is pinned to CPU n of initial_affinity */
} pool = {.mu = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .target = 1};

/* Threads inside a blocking host call for a tracee. The monitor interrupts those whose tracee has a signal to take or is gone. */
static struct {
	pthread_mutex_t mu;
	pthread_cond_t some;
	struct live *head;
	bool running;
} blocked = {.mu = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};

void notify_set_traced(void)
{
	traced = true;
}

bool notify_id_valid(uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

pid_t notify_command_pid(void)
{
	return command_pid;
}

int notify_exit_status(void)
{
	return exit_status;
}

void notify_set_ctl(int fd)
{
	ctl = fd;
}

void notify_get_stats(struct notify_stats *out)
{
	pthread_mutex_lock(&totals_mu);
	*out = totals;
	pthread_mutex_unlock(&totals_mu);
}

void notify_get_pool(struct notify_pool_state *out)
{
	pthread_mutex_lock(&pool.mu);
	*out = (struct notify_pool_state){pool.total, pool.active, pool.parked};
	pthread_mutex_unlock(&pool.mu);
}

static void *worker(void *arg);

static void spawn_locked(void)
{
	pthread_attr_t attr;
	pthread_t t;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	if (pool.total < MAX_THREADS && !pthread_create(&t, &attr, worker, NULL)) {
		pool.total++;
		pool.active++;
		log_event(LF_INTERPOSER, LL_DEBUG, "a thread more for calls", LOG_INT("threads", pool.total));
	}
	pthread_attr_destroy(&attr);
}

/* Fills the places of threads that block. */
static void refill_locked(void)
{
	while (pool.active < pool.target) {
		if (pool.parked > pool.granted) {
			pool.granted++;
			pool.active++;
			pthread_cond_signal(&pool.wake);
		} else {
			int before = pool.active;
			spawn_locked();
			if (pool.active == before)
				return;
		}
	}
}

/* EINTR is all that the signal is for: no SA_RESTART. */
static void on_interrupt(int sig)
{
}

static int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

#define MS INT64_C(1000000)

static void *monitor(void *arg)
{
	int64_t pause = 2 * MS;
	pthread_mutex_lock(&blocked.mu);
	for (;;) {
		while (!blocked.head) {
			pause = 2 * MS;
			pthread_cond_wait(&blocked.some, &blocked.mu);
		}
		int64_t before = now_ns();
		for (struct live *l = blocked.head; l; l = l->next)
			if (l->refused || !notify_id_valid(l->call.id) || remote_signal_pending(l->call.pid))
				pthread_kill(l->thread, SIGUSR2);
		pthread_mutex_unlock(&blocked.mu);
		/* However many wait, looking at them takes no more than a tenth of a CPU. */
		int64_t ns = MIN(MAX(pause, 9 * (now_ns() - before)), 500 * MS);
		nanosleep(&(struct timespec){0, ns}, NULL);
		pause = MIN(pause * 5 / 4 + MS, 40 * MS);
		pthread_mutex_lock(&blocked.mu);
	}
	return NULL;
}

void live_may_block(struct call *c)
{
	struct live *l = container_of(c, struct live, call);
	if (l->handed_over)
		return;
	if (unlikely(trace_reports))
		trace_blocks(c);
	l->handed_over = true;
	l->thread = pthread_self();
	remote_thread_idle();
	pthread_mutex_lock(&blocked.mu);
	l->next = blocked.head;
	l->prev = &blocked.head;
	if (l->next)
		l->next->prev = &l->next;
	blocked.head = l;
	if (!blocked.running) {
		pthread_t t;
		blocked.running = !pthread_create(&t, NULL, monitor, NULL);
	}
	pthread_cond_signal(&blocked.some);
	pthread_mutex_unlock(&blocked.mu);
	pthread_mutex_lock(&pool.mu);
	pool.active--;
	refill_locked();
	if (!pool.active) {
		l->refused = true;
		pool.active++;
	}
	pthread_mutex_unlock(&pool.mu);
}

static void unblock(struct live *l)
{
	pthread_mutex_lock(&blocked.mu);
	*l->prev = l->next;
	if (l->next)
		l->next->prev = l->prev;
	pthread_mutex_unlock(&blocked.mu);
}

int live_blocked_call(pid_t tid)
{
	int nr = -1;
	pthread_mutex_lock(&blocked.mu);
	for (const struct live *l = blocked.head; l; l = l->next) {
		if (l->call.pid == tid)
			nr = l->call.nr;
	}
	pthread_mutex_unlock(&blocked.mu);
	return nr;
}

/* After a blocking call: back to work if there's a place, else parked. */
static void rejoin(void)
{
	pthread_mutex_lock(&pool.mu);
	if (pool.active < pool.target) {
		pool.active++;
	} else {
		remote_thread_idle();
		pool.parked++;
		while (!pool.granted)
			pthread_cond_wait(&pool.wake, &pool.mu);
		pool.granted--;
		pool.parked--;
	}
	pthread_mutex_unlock(&pool.mu);
}

bool live_interrupted(struct call *c)
{
	return container_of(c, struct live, call)->refused || !notify_id_valid(c->id) || remote_signal_pending(c->pid);
}

static bool is_init(const struct call *c)
{
	return c->pid == the_place.init_pid;
}

/* init's report of a stopped (WIFSTOPPED) or finished command. */
static void init_report(int wstatus)
{
	if (WIFSTOPPED(wstatus)) {
		struct front_msg m = {FRONT_STOPPED, wstatus};
		/* The front being gone is noticed by the main thread. */
		(void)!send(ctl, &m, sizeof m, MSG_NOSIGNAL);
	} else {
		exit_status = wstatus;
	}
}

/*
 * The command's process is about to execute the command: it leads its group and has its signals as the caller had them, so from now on it can
 * be given those that the front has kept.
 */
static void command_starts(const struct call *c)
{
	struct front_msg m = {FRONT_STARTED, 0};
	if (traced)
		trace_command(c->pid, c->args);
	command_pid = c->pid;
	(void)!send(ctl, &m, sizeof m, MSG_NOSIGNAL);
	join_command_started();
}

static void send_reply(struct seccomp_notif_resp *resp)
{
	/* ENOENT: the tracee was killed meanwhile. */
	(void)!ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, resp);
}

/*
 * A descriptor is put into the tracee by the tracee's own thread, which is woken for it, and not with the synchronous wake-up: it would run on
 * another CPU (30 us). So the affinity of the blocked thread is narrowed to our CPU for the time from the first transfer to the answer.
 * As long as no program inside has changed an affinity, all have the mask that we started with.
 */
static void narrow(struct live *l)
{
	cpu_set_t one;
	int cpu = sched_getcpu();
	if (l->narrowed || cpu < 0 || trace_keeps_cpu(l->call.pid))
		return;
	if (atomic_load_explicit(&affinity_changed, memory_order_relaxed)) {
		if (syscall(SYS_sched_getaffinity, l->call.pid, sizeof l->affinity, &l->affinity) <= 0)
			return;
	} else {
		l->affinity = initial_affinity;
	}
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	l->narrowed = !syscall(SYS_sched_setaffinity, l->call.pid, sizeof one, &one);
}

static void widen(struct live *l)
{
	if (l->narrowed)
		syscall(SYS_sched_setaffinity, l->call.pid, sizeof l->affinity, &l->affinity);
	l->narrowed = false;
}

const cpu_set_t *live_cpus(void)
{
	return &initial_affinity;
}

int live_put_fd(struct call *c, int hostfd, int at, bool cloexec)
{
	struct live *l = container_of(c, struct live, call);
	struct seccomp_notif_addfd add = {
	    .id = c->id,
	    .flags = at >= 0 ? SECCOMP_ADDFD_FLAG_SETFD : 0,
	    .srcfd = (uint32_t)hostfd,
	    .newfd = at >= 0 ? (uint32_t)at : 0,
	    .newfd_flags = cloexec ? O_CLOEXEC : 0,
	};
	narrow(l);
	int fd = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	return fd < 0 ? -errno : fd;
}

/* What a filter that refuses nothing itself (filter_install_tracee()) leaves to us. */
static int64_t call_or_refuse(struct call *c)
{
	int err;
	return filter_decide(c->nr, c->args, &err) == FILTER_ERRNO ? -err : kernel_call(c);
}

static bool is_foreign(const struct seccomp_data *d)
{
	return d->arch != AUDIT_ARCH_X86_64 || (d->nr & X32_BIT);
}

static int64_t answer(struct call *c, const struct seccomp_data *d)
{
	if (unlikely(is_foreign(d)))
		return -ENOSYS;
	if (unlikely(explain_on))
		return explain_call(c);
	return unlikely(traced) ? call_or_refuse(c) : kernel_call(c);
}

static void handle(struct live *l, const struct seccomp_notif *req, struct seccomp_notif_resp *resp)
{
	struct call *c = &l->call;
	*c = (struct call){
	    .nr = req->data.nr,
	    .pid = (pid_t)req->pid,
	    .id = req->id,
	    .ops = &live_ops,
	    .ret_fd = -1,
	};
	memcpy(c->args, req->data.args, sizeof c->args);
	l->handed_over = false;
	l->refused = false;
	l->narrowed = false;
	l->guest_tgid = 0;
	*resp = (struct seccomp_notif_resp){.id = req->id};
	l->stats.calls++;
	/* pid 0: a task that our PID namespace doesn't see. Nothing may ever be done to "pid 0", which is ourselves. */
	if (!req->pid) {
		resp->error = -EPERM;
		return;
	}
	if (unlikely(execroot_waiting))
		execroot_called(c->pid);
	if (c->nr == SYS_execve && unlikely(c->args[0] == INIT_MAGIC)) {
		int64_t answer = 0;
		if (is_init(c) && c->args[1] == INIT_REPORT && !c->args[3])
			init_report((int)c->args[2]);
		else
			answer = join_word(c);
		resp->error = answer < 0 ? (int)answer : 0;
		resp->val = answer < 0 ? 0 : answer;
		widen(l);
		return;
	}
	c->rec = live_caller_record(c->pid);
	if (!c->rec) {
		resp->error = -ESRCH;
		return;
	}
	/* filter_install_stops(), by the process that becomes a command and is still ours. */
	if (unlikely(traced) && c->nr == SYS_seccomp && !execroot_running(c->pid)) {
		resp->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		record_put(c->rec);
		return;
	}
	if (unlikely(!command_pid) && !is_init(c) && c->nr == SYS_execve)
		command_starts(c);
	enum trace_verdict v = TRACE_GO_ON;
	if (unlikely(trace_reports))
		v = trace_enter(c, req->data.instruction_pointer, is_foreign(&req->data));
	int64_t r = likely(v == TRACE_GO_ON) ? answer(c, &req->data) : -ERESTARTNOINTR;
	if (unlikely(trace_reports) && r == CALL_CONTINUE && trace_continues(c))
		r = -ERESTARTNOINTR;
	if (l->handed_over)
		unblock(l);
	if (l->refused && r == -ERESTARTSYS)
		r = -ENOMEM;
	if (r == CALL_CONTINUE) {
		if (c->nr == SYS_sched_setaffinity) {
			atomic_store(&affinity_changed, true);
			trace_own_cpus();
		}
		resp->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		l->stats.continued++;
	} else if (r == CALL_INSTALLED) {
		int fd = live_put_fd(c, c->ret_fd, -1, c->ret_cloexec);
		close(c->ret_fd);
		if (fd < 0)
			resp->error = fd;
		else
			resp->val = fd;
		l->stats.installed++;
	} else if (r < 0 && r >= -4095) {
		resp->error = (int)r;
		l->stats.emulated++;
	} else {
		resp->val = r;
		l->stats.emulated++;
	}
	if (unlikely(trace_reports))
		trace_leave(c, r == CALL_INSTALLED && resp->error ? resp->error : r == CALL_INSTALLED ? resp->val : r);
	widen(l);
	record_put(c->rec);
}

/* A notification that was there already when we asked for it (RECV didn't sleep) had been waiting for a free thread. */
#define QUEUED_NS   1500
#define WINDOW      64
#define QUEUED_MANY 16
#define CROWD_CALLS 8192
#define MAX_CROWD   4

static void call_crowd(void)
{
	int cpus = MIN(CPU_COUNT(&initial_affinity), MAX_CROWD);
	if (cpus < 2)
		return;
	pthread_mutex_lock(&pool.mu);
	atomic_store(&pool.crowd_left, CROWD_CALLS);
	atomic_store(&pool.target, cpus);
	refill_locked();
	pthread_mutex_unlock(&pool.mu);
}

/* Pins the thread to a CPU that no other worker has, or lets it run anywhere. */
static void take_slot(struct live *l, bool pinned)
{
	if (pinned == (l->slot >= 0))
		return;
	if (!pinned) {
		atomic_fetch_and(&pool.slots, ~(1U << l->slot));
		l->slot = -1;
		sched_setaffinity(0, sizeof initial_affinity, &initial_affinity);
		return;
	}
	int n = 0;
	for (int cpu = 0; cpu < CPU_SETSIZE && n < MAX_CROWD; cpu++) {
		if (!CPU_ISSET(cpu, &initial_affinity))
			continue;
		if (!(atomic_fetch_or(&pool.slots, 1U << n) & (1U << n))) {
			cpu_set_t one;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof one, &one);
			l->slot = n;
			return;
		}
		n++;
	}
}

/* Before RECV: as many threads as wanted, each where it should be. */
static void find_place(struct live *l)
{
	if (atomic_load_explicit(&pool.active, memory_order_relaxed) >
	    atomic_load_explicit(&pool.target, memory_order_relaxed)) {
		pthread_mutex_lock(&pool.mu);
		bool surplus = pool.active > pool.target;
		if (surplus)
			pool.active--;
		pthread_mutex_unlock(&pool.mu);
		if (surplus) {
			take_slot(l, false);
			rejoin();
		}
	}
	take_slot(l, atomic_load_explicit(&pool.target, memory_order_relaxed) > 1);
}

/* After RECV: is there more to do than we can? waited: how long RECV took. Only calls of several threads in turn count: one whose tracee got
 * ahead of us while something else had our CPU doesn't need a second worker. */
static void measure_need(struct live *l, pid_t tid, int64_t waited)
{
	bool other = tid != l->last_tid;
	l->last_tid = tid;
	if (atomic_load_explicit(&pool.target, memory_order_relaxed) > 1) {
		if (atomic_fetch_sub_explicit(&pool.crowd_left, 1, memory_order_relaxed) <= 0)
			atomic_store(&pool.target, 1);
		l->window = l->queued = 0;
		return;
	}
	l->queued += other && waited < QUEUED_NS;
	if (++l->window < WINDOW)
		return;
	if (l->queued >= QUEUED_MANY)
		call_crowd();
	l->window = l->queued = 0;
}

static void flush_stats(struct live *l)
{
	pthread_mutex_lock(&totals_mu);
	totals.calls += l->stats.calls;
	totals.emulated += l->stats.emulated;
	totals.continued += l->stats.continued;
	totals.installed += l->stats.installed;
	pthread_mutex_unlock(&totals_mu);
	memset(&l->stats, 0, sizeof l->stats);
}

static void *worker(void *arg)
{
	struct seccomp_notif *req = calloc(1, notif_size);
	struct seccomp_notif_resp *resp = calloc(1, resp_size);
	struct live *l = calloc(1, sizeof *l);
	if (!req || !resp || !l)
		die("out of memory");
	l->slot = -1;
	remote_thread_init();
	for (;;) {
		find_place(l);
		memset(req, 0, sizeof *req);
		int64_t before = now_ns();
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, req)) {
			/* ENOENT: the caller died before we got to it, or (for ever) all tracees have: then init's end is near. */
			if (errno == ENOENT && exit_status != -1)
				break;
			continue;
		}
		measure_need(l, (pid_t)req->pid, now_ns() - before);
		handle(l, req, resp);
		send_reply(resp);
		if ((l->stats.calls & 0xff) == 0 || exit_status != -1)
			flush_stats(l);
		if (l->handed_over && !l->refused) {
			take_slot(l, false);
			rejoin();
		}
	}
	free(req);
	free(resp);
	free(l);
	return NULL;
}

int notify_init(int fd)
{
	struct seccomp_notif_sizes sizes;
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes))
		return -errno;
	notif_size = MAX((size_t)sizes.seccomp_notif, sizeof(struct seccomp_notif));
	resp_size = MAX((size_t)sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp));
	listener = fd;
	/* init has what limits_apply() has left it. */
	if (syscall(SYS_sched_getaffinity, the_place.init_pid, sizeof initial_affinity, &initial_affinity) <= 0) {
		/* More CPUs than the type has room for: none is ever narrowed. */
		CPU_ZERO(&initial_affinity);
		affinity_changed = true;
	}
	/* Before 6.6 there's no such flag: everything works, each call costs a wake-up on another CPU (DESIGN: 10 times as much). */
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, (uint64_t)SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	struct sigaction sa = {.sa_handler = on_interrupt};
	sigaction(SIGUSR2, &sa, NULL);
	return 0;
}

int notify_start(void)
{
	pthread_mutex_lock(&pool.mu);
	refill_locked();
	int started = pool.active;
	pthread_mutex_unlock(&pool.mu);
	return started ? 0 : -ENOMEM;
}
