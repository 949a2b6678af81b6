/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c - sets, actions, stacks and information of signals, and what a wait returns. */
#include "interposer/trace/format.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

void format_sigset(struct text *t, uint64_t set)
{
	/* Of a set with most signals strace names those that are missing. */
	bool inverted = __builtin_popcountll(set) > 42;
	bool first = true;
	if (inverted)
		set = ~set;
	text_puts(t, inverted ? "~[" : "[");
	for (int sig = 1; sig <= 64; sig++) {
		if (!(set >> (sig - 1) & 1))
			continue;
		struct text name = {0};
		text_signal(&name, sig);
		if (!first)
			text_puts(t, " ");
		if (name.n > 3)
			text_put(t, name.p + 3, name.n - 3);
		free(name.p);
		first = false;
	}
	text_puts(t, "]");
}

static void show_sigset(struct shown *s, int i)
{
	uint64_t set;
	/* What a call returns there isn't there when it fails. */
	bool out = (s->c->nr == SYS_rt_sigprocmask && i == 2) || s->c->nr == SYS_rt_sigpending;
	if (!(out && s->failed) && format_fetch(s, s->c->args[i], &set, sizeof set))
		format_sigset(&s->text, set);
	else
		format_addr(&s->text, s->c->args[i]);
}

static void show_sigaction(struct shown *s, int i)
{
	static const struct value_name flags[] = {
	    {0x04000000, "SA_RESTORER"},    {SA_ONSTACK, "SA_ONSTACK"},     {SA_RESTART, "SA_RESTART"},
	    {SA_NODEFER, "SA_NODEFER"},     {SA_RESETHAND, "SA_RESETHAND"}, {SA_NOCLDSTOP, "SA_NOCLDSTOP"},
	    {SA_NOCLDWAIT, "SA_NOCLDWAIT"}, {SA_SIGINFO, "SA_SIGINFO"},     {0, NULL}};
	struct {
		uint64_t handler, flags, restorer, mask;
	} sa;
	struct text *t = &s->text;
	if ((i == 2 && s->failed) || !format_fetch(s, s->c->args[i], &sa, sizeof sa)) {
		format_addr(t, s->c->args[i]);
		return;
	}
	text_puts(t, "{sa_handler=");
	if (sa.handler <= 1)
		text_puts(t, sa.handler ? "SIG_IGN" : "SIG_DFL");
	else
		text_printf(t, "%#" PRIx64, sa.handler);
	text_puts(t, ", sa_mask=");
	format_sigset(t, sa.mask);
	text_puts(t, ", sa_flags=");
	text_flags(t, flags, sa.flags, "SA_???");
	if (sa.flags & 0x04000000)
		text_printf(t, ", sa_restorer=%#" PRIx64, sa.restorer);
	text_puts(t, "}");
}

static void show_wstatus(struct shown *s, int i)
{
	int w;
	struct text *t = &s->text;
	if (s->failed || s->rval <= 0 || !format_fetch(s, s->c->args[i], &w, sizeof w)) {
		format_addr(t, s->c->args[i]);
		return;
	}
	if (WIFEXITED(w))
		text_printf(t, "[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", WEXITSTATUS(w));
	else if (w == 0xffff)
		text_puts(t, "[{WIFCONTINUED(s)}]");
	else {
		text_puts(t, WIFSTOPPED(w) ? "[{WIFSTOPPED(s) && WSTOPSIG(s) == " : "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
		text_signal(t, WIFSTOPPED(w) ? WSTOPSIG(w) : WTERMSIG(w));
		text_puts(t, WIFSIGNALED(w) && WCOREDUMP(w) ? " && WCOREDUMP(s)}]" : "}]");
	}
}

static void put_value(struct text *t, const siginfo_t *si)
{
	text_printf(t, ", si_int=%d, si_ptr=", si->si_value.sival_int);
	format_addr(t, (uint64_t)(uintptr_t)si->si_value.sival_ptr);
}

void format_siginfo(struct text *t, const void *siginfo)
{
	static const struct value_name chld[] = {{CLD_EXITED, "CLD_EXITED"},
						 {CLD_KILLED, "CLD_KILLED"},
						 {CLD_DUMPED, "CLD_DUMPED"},
						 {CLD_TRAPPED, "CLD_TRAPPED"},
						 {CLD_STOPPED, "CLD_STOPPED"},
						 {CLD_CONTINUED, "CLD_CONTINUED"},
						 {0, NULL}};
	static const struct value_name segv[] = {{SEGV_MAPERR, "SEGV_MAPERR"}, {SEGV_ACCERR, "SEGV_ACCERR"}, {0, NULL}};
	static const struct value_name any[] = {{(uint32_t)SI_USER, "SI_USER"},   {SI_KERNEL, "SI_KERNEL"},
						{(uint32_t)SI_QUEUE, "SI_QUEUE"}, {(uint32_t)SI_TIMER, "SI_TIMER"},
						{(uint32_t)SI_TKILL, "SI_TKILL"}, {0, NULL}};
	const siginfo_t *si = siginfo;
	text_puts(t, "{si_signo=");
	text_signal(t, si->si_signo);
	text_puts(t, ", si_code=");
	text_value(t,
		   si->si_code <= 0 || si->si_code == SI_KERNEL ? any
		   : si->si_signo == SIGCHLD                    ? chld
		   : si->si_signo == SIGSEGV                    ? segv
								: any,
		   (uint32_t)si->si_code, "???");
	if (si->si_signo == SIGCHLD && si->si_code > 0) {
		text_printf(t, ", si_pid=%d, si_uid=%u, si_status=", si->si_pid, si->si_uid);
		if (si->si_code == CLD_EXITED)
			text_printf(t, "%d", si->si_status);
		else
			text_signal(t, si->si_status);
		text_printf(t, ", si_utime=%ld, si_stime=%ld", (long)si->si_utime, (long)si->si_stime);
	} else if (si->si_code == SI_TIMER) {
		text_printf(t, ", si_timerid=%#x, si_overrun=%d", (unsigned)si->si_timerid, si->si_overrun);
		put_value(t, si);
	} else if (si->si_code == SI_USER || si->si_code == SI_TKILL || si->si_code == SI_QUEUE) {
		text_printf(t, ", si_pid=%d, si_uid=%u", si->si_pid, si->si_uid);
		if (si->si_code == SI_QUEUE)
			put_value(t, si);
	} else if (si->si_code > 0 &&
		   (si->si_signo == SIGSEGV || si->si_signo == SIGBUS || si->si_signo == SIGFPE || si->si_signo == SIGILL)) {
		text_puts(t, ", si_addr=");
		format_addr(t, (uint64_t)(uintptr_t)si->si_addr);
	}
	text_puts(t, "}");
}

static void show_siginfo_in(struct shown *s, int i)
{
	siginfo_t si;
	if (format_in(s, i, &si, sizeof si))
		format_siginfo(&s->text, &si);
}

static void show_siginfo_out(struct shown *s, int i)
{
	siginfo_t si;
	if (!format_out(s, i, &si, sizeof si))
		return;
	/* waitid(2) with WNOHANG and nobody to report. */
	if (si.si_signo)
		format_siginfo(&s->text, &si);
	else
		text_puts(&s->text, "{}");
}

static void show_stack(struct shown *s, int i)
{
	static const struct value_name flags[] = {
	    {SS_ONSTACK, "SS_ONSTACK"}, {SS_DISABLE, "SS_DISABLE"}, {1U << 31, "SS_AUTODISARM"}, {0, NULL}};
	stack_t st;
	if (!(i ? format_out(s, i, &st, sizeof st) : format_in(s, i, &st, sizeof st)))
		return;
	text_puts(&s->text, "{ss_sp=");
	format_addr(&s->text, (uint64_t)(uintptr_t)st.ss_sp);
	text_puts(&s->text, ", ss_flags=");
	text_flags(&s->text, flags, (uint32_t)st.ss_flags, "SS_???");
	text_printf(&s->text, ", ss_size=%zu}", st.ss_size);
}

/* The mask that comes back, from the frame on the stack: struct ucontext, flags, link, stack_t and registers before it. */
static void show_frame(struct shown *s, int i)
{
	uint64_t mask;
	if (!s->sp || !format_fetch(s, s->sp + 8 + 8 + 24 + 256, &mask, sizeof mask))
		return;
	text_puts(&s->text, "{mask=");
	format_sigset(&s->text, mask);
	text_puts(&s->text, "}");
}

static void show_sigevent(struct shown *s, int i)
{
	static const struct value_name notify[] = {{SIGEV_SIGNAL, "SIGEV_SIGNAL"},
						   {SIGEV_NONE, "SIGEV_NONE"},
						   {SIGEV_THREAD, "SIGEV_THREAD"},
						   {4, "SIGEV_THREAD_ID"},
						   {0, NULL}};
	struct {
		uint64_t value;
		int signo, notify, tid, pad[11];
	} e;
	struct text *t = &s->text;
	if (!format_in(s, i, &e, sizeof e))
		return;
	text_printf(t, "{sigev_value={sival_int=%d, sival_ptr=", (int)(uint32_t)e.value);
	format_addr(t, e.value);
	text_puts(t, "}, sigev_signo=");
	text_signal(t, e.signo);
	text_puts(t, ", sigev_notify=");
	text_value(t, notify, (uint32_t)e.notify, "SIGEV_???");
	if (e.notify == 4)
		text_printf(t, ", sigev_notify_thread_id=%d", e.tid);
	text_puts(t, "}");
}

const struct decoder signal_decoders[] = {
    IN("rt_sigprocmask", 1, show_sigset),
    OUT("rt_sigprocmask", 2, show_sigset),
    OUT("rt_sigpending", 0, show_sigset),
    IN("rt_sigsuspend", 0, show_sigset),
    IN("rt_sigtimedwait", 0, show_sigset),
    IN("signalfd4", 1, show_sigset),
    IN("ppoll", 3, show_sigset),
    IN("rt_sigaction", 1, show_sigaction),
    OUT("rt_sigaction", 2, show_sigaction),
    OUT("wait4", 1, show_wstatus),
    IN("epoll_pwait", 4, show_sigset),
    IN("epoll_pwait2", 4, show_sigset),
    IN("signalfd", 1, show_sigset),
    IN("rt_sigqueueinfo", 2, show_siginfo_in),
    IN("rt_tgsigqueueinfo", 3, show_siginfo_in),
    IN("pidfd_send_signal", 2, show_siginfo_in),
    OUT("rt_sigtimedwait", 1, show_siginfo_out),
    OUT("waitid", 2, show_siginfo_out),
    IN("sigaltstack", 0, show_stack),
    OUT("sigaltstack", 1, show_stack),
    IN("rt_sigreturn", 0, show_frame),
    IN("timer_create", 1, show_sigevent),
    IN("mq_notify", 1, show_sigevent),
};
const size_t n_signal_decoders = ARRAY_SIZE(signal_decoders);
