/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe.c - the tracer: one thread that makes all ptrace calls and waits.
 *
 * A call is seen at its entry, before the filter, and at its exit, when the supervisor or the host has answered it: so native and emulated calls
 * show their true results. No capability is needed, as the supervisor's user owns the tracees' namespace.
 *
 * An execve is two things here: the host runs the loader stub, which checks in and maps the program (kernel/sys_exec.c). It is shown as one
 * call with the check-in's result; what the stub calls until it jumps to the program isn't shown. It is known by its address.
 */
#include "interposer/trace/output.h"

#include "base/log.h"
#include "interposer/live.h"
#include "kernel/exec.h"

#include <linux/audit.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#define BUCKETS   1024
#define STUB_SPAN ((uint64_t)(stub_image_end - stub_image) + 65536)
#define OPTIONS                                                                                                        \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
	 PTRACE_O_EXITKILL)

enum exec_state {
	EXEC_NONE,
	EXEC_DONE,    /* the host has executed the stub; its entry is at the next exit */
	EXEC_CHECKIN, /* the stub runs and has not checked in */
	EXEC_LOADING, /* it maps the program */
};

struct tracee {
	pid_t tid;
	struct tracee *next;
	struct live live; /* its call is the one that is shown */
	struct shown shown;
	bool begun;
	bool inside, shows, checking_in; /* between entry and exit; of a call that is shown; of the stub's check-in */
	enum exec_state exec;
	uint64_t stub_ip;
	int64_t entered_ns;
	const struct trace_inject *injected;
	unsigned inject_counts[TRACE_INJECTS];
};

static const struct trace_options *opt;
static struct tracee *buckets[BUCKETS];
static unsigned n_tracees;
static bool started; /* the command's own execve has succeeded: what init tries before that along PATH isn't shown */
static atomic_int tracer_tid;

/* What other threads ask of the tracer's. */
static struct {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	pid_t wanted;
	uint64_t args[6];
	bool asked, answered, done;
	int err;
} req = {.mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

pid_t trace_tracer(void)
{
	return tracer_tid;
}

static int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static struct tracee *tracee_find(pid_t tid)
{
	for (struct tracee *t = buckets[(unsigned)tid % BUCKETS]; t; t = t->next)
		if (t->tid == tid)
			return t;
	return NULL;
}

static struct tracee *tracee_get(pid_t tid)
{
	struct tracee *t = tracee_find(tid);
	if (t)
		return t;
	t = calloc(1, sizeof *t);
	if (!t)
		die("out of memory");
	t->tid = tid;
	t->live.call = (struct call){.pid = tid, .ops = &live_ops, .ret_fd = -1};
	t->shown.opt = opt;
	t->shown.c = &t->live.call;
	t->next = buckets[(unsigned)tid % BUCKETS];
	buckets[(unsigned)tid % BUCKETS] = t;
	n_tracees++;
	/* Asked while it lives, and kept. */
	pid_t tgid, guest;
	live_ops.guest_pids(&t->live.call, &tgid, &guest);
	return t;
}

static void tracee_drop(struct tracee *t)
{
	struct tracee **p = &buckets[(unsigned)t->tid % BUCKETS];
	while (*p != t)
		p = &(*p)->next;
	*p = t->next;
	n_tracees--;
	free(t->shown.text.p);
	free(t->shown.extra.p);
	free(t);
}

static struct line_of line_of(struct tracee *t)
{
	pid_t tgid, tid = -1;
	live_ops.guest_pids(&t->live.call, &tgid, &tid);
	return (struct line_of){.tid = t->tid,
				.shown_as = tid,
				.several = n_tracees > 1,
				.injected = t->injected,
				.begun = t->begun,
				.spent_ns = t->inside ? now_ns() - t->entered_ns : 0};
}

/* -P: does the call name one of the paths, or something in one of them? */
static bool path_wanted(const struct tracee *t)
{
	if (!opt->n_paths)
		return true;
	for (int i = 0; i < t->shown.n_paths; i++)
		for (unsigned k = 0; k < opt->n_paths; k++)
			if (!strcmp(t->shown.path[i], opt->paths[k]))
				return true;
	return false;
}

static void begin(struct tracee *t)
{
	struct call *c = &t->live.call;
	t->inside = true;
	t->begun = false;
	t->entered_ns = opt->spent || opt->summary || opt->json ? now_ns() : 0;
	t->shows = !opt->filtered || trace_set_has(&opt->wanted, (uint64_t)(int64_t)c->nr);
	if (!t->shows)
		return;
	if (!opt->lines && !opt->n_paths)
		return;
	format_entry(&t->shown);
	t->shows = path_wanted(t);
	if (t->shows && started) {
		struct line_of who = line_of(t);
		output_entry(&who, &t->shown);
		t->begun = true;
	}
}

static void end(struct tracee *t, int64_t rval, bool failed)
{
	if (t->inside && t->shows && started) {
		t->shown.rval = rval;
		t->shown.failed = failed;
		if (opt->lines)
			format_exit(&t->shown);
		struct line_of who = line_of(t);
		output_exit(&who, &t->shown);
	}
	t->inside = false;
}

/* Makes the call one that doesn't exist; its result is put in its place at exit. */
static void inject(struct tracee *t)
{
	t->injected = NULL;
	for (unsigned i = 0; i < opt->n_injects; i++) {
		const struct trace_inject *in = &opt->injects[i];
		if (!trace_set_has(&in->calls, (uint64_t)(int64_t)t->live.call.nr))
			continue;
		unsigned n = ++t->inject_counts[i];
		if (n < in->first || (in->step ? (n - in->first) % in->step : n != in->first))
			continue;
		if (ptrace(PTRACE_POKEUSER, t->tid, offsetof(struct user_regs_struct, orig_rax), -1L))
			continue;
		t->injected = in;
		return;
	}
}

static bool in_stub(const struct tracee *t, uint64_t ip)
{
	return ip + STUB_SPAN >= t->stub_ip && ip <= t->stub_ip + STUB_SPAN;
}

static void on_entry(struct tracee *t, const struct __ptrace_syscall_info *info)
{
	struct call *c = &t->live.call;
	t->checking_in = false;
	if (t->exec == EXEC_CHECKIN || t->exec == EXEC_LOADING) {
		if (in_stub(t, info->instruction_pointer)) {
			t->checking_in = t->exec == EXEC_CHECKIN && info->entry.nr == SYS_execve &&
					 info->entry.args[0] == EXEC_CHECKIN_MAGIC;
			return;
		}
		t->exec = EXEC_NONE;
	}
	c->nr = info->entry.nr > INT32_MAX ? -1 : (int)info->entry.nr;
	memcpy(c->args, info->entry.args, sizeof c->args);
	t->shown.foreign = info->arch != AUDIT_ARCH_X86_64;
	begin(t);
	if (opt->n_injects && started && !t->shown.foreign)
		inject(t);
}

static void on_exit_(struct tracee *t, const struct __ptrace_syscall_info *info)
{
	if (t->exec == EXEC_DONE) {
		t->exec = EXEC_CHECKIN;
		t->stub_ip = info->instruction_pointer;
		return;
	}
	if (t->exec == EXEC_CHECKIN) {
		if (!t->checking_in)
			return;
		if (!info->exit.is_error)
			started = true;
		end(t, info->exit.rval, info->exit.is_error);
		t->exec = EXEC_LOADING;
		return;
	}
	if (t->exec == EXEC_LOADING || !t->inside)
		return;
	int64_t rval = info->exit.rval;
	bool failed = info->exit.is_error;
	if (t->injected) {
		rval = t->injected->result;
		failed = rval < 0;
		ptrace(PTRACE_POKEUSER, t->tid, offsetof(struct user_regs_struct, rax), (long)rval);
	}
	end(t, rval, failed);
	t->injected = NULL;
}

static void on_syscall_stop(struct tracee *t)
{
	struct __ptrace_syscall_info info;
	memset(&info, 0, sizeof info);
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, (void *)sizeof info, &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(t, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		on_exit_(t, &info);
}

/* An execve by a thread that isn't the leader takes the leader's number; the leader is gone without a word. */
static struct tracee *on_exec(struct tracee *t)
{
	unsigned long old = 0;
	if (ptrace(PTRACE_GETEVENTMSG, t->tid, NULL, &old) || !old || (pid_t)old == t->tid)
		goto out;
	struct tracee *from = tracee_find((pid_t)old);
	if (!from)
		goto out;
	pid_t tid = t->tid;
	struct line_of who = line_of(t);
	if (started)
		output_superseded(&who, line_of(from).shown_as);
	tracee_drop(t);
	struct tracee **p = &buckets[(unsigned)from->tid % BUCKETS];
	while (*p != from)
		p = &(*p)->next;
	*p = from->next;
	t = from;
	t->tid = tid;
	t->live.call.pid = tid;
	t->live.guest_tgid = 0;
	line_of(t);
	t->next = buckets[(unsigned)tid % BUCKETS];
	buckets[(unsigned)tid % BUCKETS] = t;
out:
	t->exec = EXEC_DONE;
	return t;
}

static void go_on(const struct tracee *t, int request, int sig)
{
	/* ESRCH: it was killed meanwhile, and the wait says so. */
	(void)!ptrace((enum __ptrace_request)request, t->tid, NULL, (void *)(long)sig);
}

static void on_stop(pid_t tid, int wstatus)
{
	struct tracee *t = tracee_get(tid);
	int sig = WSTOPSIG(wstatus), event = wstatus >> 16;
	siginfo_t si;
	if (sig == (SIGTRAP | 0x80)) {
		on_syscall_stop(t);
		go_on(t, PTRACE_SYSCALL, 0);
		return;
	}
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		/* A group-stop: it stays stopped until SIGCONT, and so it's left to. */
		struct line_of who = line_of(t);
		if (started)
			output_signal(&who, sig, NULL, true);
		go_on(t, PTRACE_LISTEN, 0);
		return;
	}
	if (event == PTRACE_EVENT_EXEC)
		t = on_exec(t);
	if (event) {
		go_on(t, PTRACE_SYSCALL, 0);
		return;
	}
	memset(&si, 0, sizeof si);
	bool have = !ptrace(PTRACE_GETSIGINFO, tid, NULL, &si);
	struct line_of who = line_of(t);
	if (started)
		output_signal(&who, sig, have ? &si : NULL, false);
	go_on(t, PTRACE_SYSCALL, sig);
}

static void on_gone(pid_t tid, int wstatus)
{
	struct tracee *t = tracee_find(tid);
	if (!t)
		return;
	struct line_of who = line_of(t);
	if (started)
		output_gone(&who, wstatus, t->inside && t->shows && t->exec == EXEC_NONE ? &t->shown : NULL);
	tracee_drop(t);
}

/* Waits until the command is about to be executed, and takes hold of it there. False: there will be none. */
static bool take_command(void)
{
	bool ok = false;
	pthread_mutex_lock(&req.mu);
	while (!req.asked && !req.done)
		pthread_cond_wait(&req.changed, &req.mu);
	if (req.asked) {
		/* Interrupted, it stops when this execve has failed, and is followed from there; or else at the exec. */
		ok = !ptrace(PTRACE_SEIZE, req.wanted, NULL, (void *)(long)OPTIONS) &&
		     !ptrace(PTRACE_INTERRUPT, req.wanted, NULL, NULL);
		req.err = ok ? 0 : errno;
		if (ok) {
			struct tracee *t = tracee_get(req.wanted);
			t->live.call.nr = SYS_execve;
			memcpy(t->live.call.args, req.args, sizeof req.args);
			begin(t);
			/* Nothing is shown before the exec has succeeded, and then all of it at once. */
		}
		req.answered = true;
		pthread_cond_broadcast(&req.changed);
	}
	pthread_mutex_unlock(&req.mu);
	return ok;
}

static void *tracer(void *arg)
{
	remote_thread_init();
	tracer_tid = (pid_t)syscall(SYS_gettid);
	if (take_command()) {
		for (;;) {
			int wstatus;
			pid_t pid = waitpid(-1, &wstatus, __WALL | __WNOTHREAD | WNOHANG);
			if (!pid) {
				output_flush();
				pid = waitpid(-1, &wstatus, __WALL | __WNOTHREAD);
			}
			if (pid < 0 && errno == EINTR)
				continue;
			if (pid < 0)
				break;
			if (WIFSTOPPED(wstatus))
				on_stop(pid, wstatus);
			else
				on_gone(pid, wstatus);
		}
	}
	output_summary();
	output_flush();
	pthread_mutex_lock(&req.mu);
	req.done = true;
	pthread_cond_broadcast(&req.changed);
	pthread_mutex_unlock(&req.mu);
	return NULL;
}

void trace_start(const struct trace_options *o)
{
	pthread_t thread;
	opt = o;
	output_start(o);
	int err = pthread_create(&thread, NULL, tracer, NULL);
	if (err)
		die("can't start a thread: %s", strerror(err));
	pthread_detach(thread);
}

void trace_command(pid_t tid, const uint64_t args[6])
{
	pthread_mutex_lock(&req.mu);
	req.wanted = tid;
	memcpy(req.args, args, sizeof req.args);
	req.asked = true;
	pthread_cond_broadcast(&req.changed);
	while (!req.answered)
		pthread_cond_wait(&req.changed, &req.mu);
	int err = req.err;
	pthread_mutex_unlock(&req.mu);
	if (err && err != ESRCH)
		die("can't trace the command: %s (sysctl kernel.yama.ptrace_scope 3 forbids it)", strerror(err));
}

void trace_finish(void)
{
	pthread_mutex_lock(&req.mu);
	if (!req.asked) {
		req.done = true;
		pthread_cond_broadcast(&req.changed);
	}
	while (!req.done)
		pthread_cond_wait(&req.changed, &req.mu);
	pthread_mutex_unlock(&req.mu);
}
