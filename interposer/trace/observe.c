/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe.c - the tracer: one thread that makes all ptrace calls and waits. No capability is needed, as the supervisor's user owns the tracees'
 * namespace.
 *
 * A stop costs as much as several emulated calls, so a process stops only where it must: for calls of interest that the host runs (a filter beside
 * the sandbox's own, filter_install_stops(), stops it before the call, and it goes on to the call's end), for signals, forks, execs and its end.
 * What our kernel answers, the workers show (report.c). A thread that was handed over (struct tracee's each) stops at each call; a whole
 * trace does when the workers can't tell (struct trace_options's reports).
 *
 * An execve is two things here: the host runs the loader stub, which checks in and maps the program (kernel/sys_exec.c). It is shown as one
 * call with the check-in's result; what the stub calls until it jumps to the program isn't shown. It is known by its address.
 */
#include "interposer/trace/stacks.h"
#include "interposer/trace/together.h"
#include "interposer/trace/tracee.h"

#include "base/log.h"
#include "interposer/filter.h"
#include "kernel/exec.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#define OPTIONS                                                                                                        \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
	 PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)

static atomic_int tracer_tid;
static pthread_t tracer_thread;
static long seize_options;
static bool of_command;
bool trace_leaving;

/* What other threads ask of the tracer's. */
static struct {
	pthread_mutex_t mu;
	pthread_cond_t changed;
	pid_t wanted;
	uint64_t args[6];
	bool asked, answered, done;
	bool serving; /* the tracer comes to trace_take_asked() */
	int err;
	/* Threads that are to be stopped at each call from now on; each waits for its own answer. */
	struct take_over {
		pid_t tid;
		bool resume; /* instead: its delay is over */
		bool joins;  /* it's not traced yet */
		bool answered, ok;
		struct take_over *next;
	} * take_overs;
} req = {.mu = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* What go_on() has decided. It's done without trace_mu: what it wakes would take our CPU at once, and others want the lock. */
static struct {
	pid_t tid;
	bool stops;
	int sig;
} restart;

struct wake_up {
	pid_t tid;
	unsigned us;
};
static void *wake_later(void *arg);

pid_t trace_tracer(void)
{
	return tracer_tid;
}

bool trace_of_command(void)
{
	return of_command;
}

void trace_set_tracer(long options)
{
	tracer_thread = pthread_self();
	tracer_tid = (pid_t)syscall(SYS_gettid);
	seize_options = options;
}

void trace_serves(bool yes)
{
	pthread_mutex_lock(&req.mu);
	req.serving = yes;
	pthread_cond_broadcast(&req.changed);
	pthread_mutex_unlock(&req.mu);
}

/* An execve leaves nothing of the stack, and an exit doesn't return: theirs is taken before. */
static bool ends_image(int nr)
{
	return nr == SYS_execve || nr == SYS_execveat || nr == SYS_exit || nr == SYS_exit_group;
}

static void take_stack(struct tracee *t, bool entry)
{
	if (!trace_opt->stacks || !trace_opt->lines || t->starting || ends_image(t->live.call.nr) != entry)
		return;
	t->shown.stack.n = 0;
	if (trace_opt->json)
		stack_json(&t->shown.stack, t->tid);
	else
		stack_lines(&t->shown.stack, t->tid);
}

static void begin(struct tracee *t)
{
	struct call *c = &t->live.call;
	t->inside = true;
	t->begun = false;
	t->entered_ns = trace_opt->spent || trace_opt->summary || trace_opt->json ? trace_now_ns() : 0;
	t->shows = trace_wants(c->nr) && trace_path_wanted(c, t->shown.foreign);
	if (!t->shows || !trace_opt->lines)
		return;
	format_entry(&t->shown);
	take_stack(t, true);
	if (!t->starting) {
		struct line_of who = tracee_line(t);
		output_entry(&who, &t->shown);
		t->begun = true;
	}
}

static void end(struct tracee *t, int64_t rval, bool failed)
{
	if (t->inside && t->shows && !t->starting) {
		t->shown.rval = rval;
		t->shown.failed = failed;
		if (trace_opt->lines)
			format_exit(&t->shown);
		take_stack(t, false);
		struct line_of who = tracee_line(t);
		output_exit(&who, &t->shown);
	}
	t->inside = false;
	t->shown.effects = (struct effects){0};
}

/* A faked call becomes one that doesn't exist; its result is put in its place at exit. */
static void inject(struct tracee *t)
{
	t->injected = NULL;
	/* As in strace, -P is for faults, too. */
	if (!trace_injects(t->live.call.nr) || !trace_path_wanted(&t->live.call, false))
		return;
	const struct trace_inject *in = trace_injected(t, t->live.call.nr);
	if (!in)
		return;
	if (in->signal)
		live_ops.raise(&t->live.call, in->signal);
	t->delay_us = in->delay_enter_us;
	t->delay_exit_us = in->delay_exit_us;
	if (!in->fakes || !ptrace(PTRACE_POKEUSER, t->tid, offsetof(struct user_regs_struct, orig_rax), -1L))
		t->injected = in;
}

static void on_entry(struct tracee *t, const struct __ptrace_syscall_info *info)
{
	struct call *c = &t->live.call;
	t->checking_in = false;
	if (t->exec == EXEC_CHECKIN || t->exec == EXEC_LOADING) {
		if (tracee_in_stub(t, info->instruction_pointer)) {
			t->checking_in = t->exec == EXEC_CHECKIN && info->entry.nr == SYS_execve &&
					 info->entry.args[0] == EXEC_CHECKIN_MAGIC;
			return;
		}
		t->exec = EXEC_NONE;
	}
	c->nr = info->entry.nr > INT32_MAX ? -1 : (int)info->entry.nr;
	memcpy(c->args, info->entry.args, sizeof c->args);
	t->shown.sp = info->stack_pointer;
	t->shown.foreign = info->arch != AUDIT_ARCH_X86_64;
	begin(t);
	if (trace_opt->n_injects && !t->starting && !t->shown.foreign)
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
			t->starting = false;
		end(t, info->exit.rval, info->exit.is_error);
		t->exec = EXEC_LOADING;
		t->each = false;
		return;
	}
	if (t->exec == EXEC_LOADING || !t->inside)
		return;
	int64_t rval = info->exit.rval;
	bool failed = info->exit.is_error;
	if (t->injected && t->injected->fakes) {
		rval = t->injected->result;
		failed = rval < 0;
		ptrace(PTRACE_POKEUSER, t->tid, offsetof(struct user_regs_struct, rax), (long)rval);
	}
	end(t, rval, failed);
	if (t->injected)
		t->delay_us = t->delay_exit_us;
	t->injected = NULL;
	/* Until its program runs, workers show nothing. */
	t->each = t->starting;
}

/* Lets the tracee wait in its stop, and the others not: false when there is no thread to count the time. */
static bool delay(struct tracee *t)
{
	struct wake_up *w = malloc(sizeof *w);
	pthread_t thread;
	if (!w)
		return false;
	*w = (struct wake_up){t->tid, t->delay_us};
	t->delay_us = 0;
	if (pthread_create(&thread, NULL, wake_later, w)) {
		free(w);
		return false;
	}
	pthread_detach(thread);
	return true;
}

/* t, which has stopped, is let go if that's wanted, and gone then. What was put in the place of a call is finished before. */
static bool let_go(struct tracee *t, int sig)
{
	if (!t->leaving || (t->injected && t->injected->fakes))
		return false;
	together_leave(t);
	(void)!ptrace(PTRACE_DETACH, t->tid, NULL, (void *)(long)sig);
	tracee_drop(t);
	return true;
}

static void go_on(struct tracee *t, int sig)
{
	if (let_go(t, sig))
		return;
	bool stops = t->each || t->inside || !trace_opt->reports;
	trace_shown();
	together_place(t);
	if (t->delay_us && delay(t))
		return;
	restart.tid = t->tid;
	restart.stops = stops;
	restart.sig = sig;
}

static void do_restart(void)
{
	/* ESRCH: it was killed meanwhile, and the wait says so. */
	if (restart.tid)
		(void)!ptrace(restart.stops ? PTRACE_SYSCALL : PTRACE_CONT, restart.tid, NULL, (void *)(long)restart.sig);
	restart.tid = 0;
}

static void skip_call(const struct tracee *t, int64_t result)
{
	ptrace(PTRACE_POKEUSER, t->tid, offsetof(struct user_regs_struct, orig_rax), -1L);
	ptrace(PTRACE_POKEUSER, t->tid, offsetof(struct user_regs_struct, rax), (long)result);
}

static void on_syscall_stop(struct tracee *t)
{
	struct __ptrace_syscall_info info;
	memset(&info, 0, sizeof info);
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->tid, (void *)sizeof info, &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		on_entry(t, &info);
	} else if (info.op == PTRACE_SYSCALL_INFO_SECCOMP) {
		/* Number and arguments are at the same place as at an entry, which may have been seen already. */
		if (!t->inside)
			on_entry(t, &info);
		/* A filter of the program's own that asks for a tracer: for the program there is none. */
		if (info.seccomp.ret_data != FILTER_STOP_DATA)
			skip_call(t, -ENOSYS);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		on_exit_(t, &info);
	}
}

/* An execve by a thread that isn't the leader takes the leader's number; the leader is gone without a word. */
static struct tracee *on_exec(struct tracee *t)
{
	unsigned long old = 0;
	struct tracee *from = NULL;
	if (!ptrace(PTRACE_GETEVENTMSG, t->tid, NULL, &old) && old && (pid_t)old != t->tid)
		from = tracee_find((pid_t)old);
	if (from) {
		pid_t tid = t->tid;
		struct line_of who = tracee_line(t);
		if (!t->starting)
			output_superseded(&who, tracee_line(from).shown_as);
		tracee_drop(t);
		tracee_renumber(from, tid);
		t = from;
	}
	t->exec = EXEC_DONE;
	/* Without an interest in execve nothing is shown, but the stub's calls must be told apart all the same. */
	t->each = true;
	return t;
}

static void on_stop(pid_t tid, int wstatus)
{
	struct tracee *t = tracee_get(tid);
	int sig = WSTOPSIG(wstatus), event = wstatus >> 16;
	siginfo_t si;
	unsigned long child;
	t->leaving |= trace_leaving;
	if (sig == (SIGTRAP | 0x80) || event == PTRACE_EVENT_SECCOMP) {
		on_syscall_stop(t);
		go_on(t, 0);
		return;
	}
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP) {
		/* A group-stop: it stays stopped until SIGCONT, and so it's left to. */
		if (let_go(t, 0))
			return;
		struct line_of who = tracee_line(t);
		if (!t->starting)
			output_signal(&who, sig, NULL, true);
		(void)!ptrace(PTRACE_LISTEN, tid, NULL, NULL);
		return;
	}
	if (event == PTRACE_EVENT_EXEC)
		t = on_exec(t);
	else if ((event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) &&
		 !ptrace(PTRACE_GETEVENTMSG, tid, NULL, &child))
		together_forked(t, (pid_t)child);
	if (event) {
		go_on(t, 0);
		return;
	}
	memset(&si, 0, sizeof si);
	bool have = !ptrace(PTRACE_GETSIGINFO, tid, NULL, &si);
	struct line_of who = tracee_line(t);
	if (!t->starting)
		output_signal(&who, sig, have ? &si : NULL, false);
	go_on(t, sig);
}

static void on_gone(pid_t tid, int wstatus)
{
	struct tracee *t = tracee_find(tid);
	if (!t)
		return;
	struct line_of who = tracee_line(t);
	if (!t->starting)
		output_gone(&who, wstatus, t->inside && t->shows && t->exec == EXEC_NONE ? &t->shown : NULL);
	tracee_drop(t);
}

void trace_event(pid_t pid, int wstatus)
{
	pthread_mutex_lock(&trace_mu);
	if (WIFSTOPPED(wstatus))
		on_stop(pid, wstatus);
	else
		on_gone(pid, wstatus);
	trace_shown();
	pthread_mutex_unlock(&trace_mu);
	do_restart();
}

/* Takes what workers hand over. Their threads wait in a call, so the stop comes when it returns. */
void trace_take_asked(void)
{
	pthread_mutex_lock(&req.mu);
	for (struct take_over *o = req.take_overs; o; o = o->next) {
		pthread_mutex_lock(&trace_mu);
		struct tracee *t = o->resume ? tracee_find(o->tid) : NULL;
		if (t)
			go_on(t, 0);
		if (o->joins)
			o->ok = trace_joins && !trace_leaving && !ptrace(PTRACE_SEIZE, o->tid, NULL, (void *)seize_options);
		else
			o->ok = true;
		if (o->ok && !o->resume)
			o->ok = !ptrace(PTRACE_INTERRUPT, o->tid, NULL, NULL);
		if (o->ok && !o->resume) {
			t = tracee_get(o->tid);
			t->each = true;
			t->starting |= o->joins;
		}
		pthread_mutex_unlock(&trace_mu);
		do_restart();
		o->answered = true;
	}
	if (req.take_overs)
		pthread_cond_broadcast(&req.changed);
	req.take_overs = NULL;
	pthread_mutex_unlock(&req.mu);
}

static bool ask_tracer(struct take_over o)
{
	pthread_mutex_lock(&req.mu);
	o.next = req.take_overs;
	req.take_overs = &o;
	while (!o.answered && req.serving) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		/* The signal ends its wait for an event; one that came just before the wait began is repeated. */
		pthread_kill(tracer_thread, SIGUSR2);
		pthread_cond_timedwait(&req.changed, &req.mu, &until);
	}
	if (!o.answered) {
		struct take_over **p = &req.take_overs;
		while (*p != &o)
			p = &(*p)->next;
		*p = o.next;
	}
	pthread_mutex_unlock(&req.mu);
	return o.ok;
}

bool trace_take_over(pid_t tid)
{
	return ask_tracer((struct take_over){.tid = tid});
}

void trace_joined(pid_t tid)
{
	(void)ask_tracer((struct take_over){.tid = tid, .joins = true});
}

static void *wake_later(void *arg)
{
	struct wake_up w = *(struct wake_up *)arg;
	struct timespec ts = {w.us / 1000000, (long)(w.us % 1000000) * 1000};
	free(arg);
	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
	(void)ask_tracer((struct take_over){.tid = w.tid, .resume = true});
	return NULL;
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
		ok = !ptrace(PTRACE_SEIZE, req.wanted, NULL, (void *)seize_options) &&
		     !ptrace(PTRACE_INTERRUPT, req.wanted, NULL, NULL);
		req.err = ok ? 0 : errno;
		if (ok) {
			pthread_mutex_lock(&trace_mu);
			struct tracee *t = tracee_get(req.wanted);
			t->live.call.nr = SYS_execve;
			memcpy(t->live.call.args, req.args, sizeof req.args);
			t->each = t->starting = true;
			begin(t);
			/* Nothing is shown before the exec has succeeded, and then all of it at once. */
			pthread_mutex_unlock(&trace_mu);
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
	trace_set_tracer(OPTIONS);
	if (take_command()) {
		trace_serves(true);
		for (;;) {
			int wstatus;
			trace_take_asked();
			pid_t pid = waitpid(-1, &wstatus, __WALL | __WNOTHREAD);
			if (pid < 0 && errno == EINTR)
				continue;
			if (pid < 0)
				break;
			trace_event(pid, wstatus);
		}
	}
	pthread_mutex_lock(&trace_mu);
	output_summary();
	output_flush();
	pthread_mutex_unlock(&trace_mu);
	pthread_mutex_lock(&req.mu);
	req.done = true;
	req.serving = false;
	pthread_cond_broadcast(&req.changed);
	pthread_mutex_unlock(&req.mu);
	return NULL;
}

void trace_start(const struct trace_options *o)
{
	trace_opt = o;
	of_command = trace_joins = true;
	trace_paths_start(o);
	output_start(o);
	report_start();
	int err = pthread_create(&tracer_thread, NULL, tracer, NULL);
	if (err)
		die("can't start a thread: %s", strerror(err));
	pthread_detach(tracer_thread);
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
