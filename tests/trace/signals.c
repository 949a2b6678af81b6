/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c - sets, actions, information, waits. */
#include "t.h"

#include <sched.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static void handler(int sig)
{
}

int main(void)
{
	sigset_t set;
	siginfo_t si;
	struct timespec ts = {0, 1000};
	int pid = getpid(), uid = (int)getuid();

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
	ok("rt_sigprocmask(SIG_BLOCK, [USR1 RT_2], NULL, 8)");
	sigqueue(pid, SIGUSR1, (union sigval){.sival_int = 42});
	ok("rt_sigqueueinfo(%d, SIGUSR1, {si_signo=SIGUSR1, si_code=SI_QUEUE, si_pid=%d, si_uid=%d, si_int=42, "
	   "si_ptr=0x2a})",
	   pid, pid, uid);
	syscall(SYS_rt_sigpending, &set, 8);
	ok("rt_sigpending([USR1], 8)");
	sigaddset(&set, SIGRTMIN);
	syscall(SYS_rt_sigtimedwait, &set, &si, &ts, 8);
	line("rt_sigtimedwait([USR1 RT_2], {si_signo=SIGUSR1, si_code=SI_QUEUE, si_pid=%d, si_uid=%d, si_int=42, "
	     "si_ptr=0x2a}, {tv_sec=0, tv_nsec=1000}, 8) = 10 (SIGUSR1)",
	     pid, uid);
	expect(syscall(SYS_rt_sigtimedwait, &set, &si, &ts, 8),
	       "rt_sigtimedwait([USR1 RT_2], %p, {tv_sec=0, tv_nsec=1000}, 8)", (void *)&si);
	int fd = signalfd(-1, &set, SFD_CLOEXEC);
	expect(fd, "signalfd4(-1, [USR1 RT_2], 8, SFD_CLOEXEC)");
	unsigned long most = ~(1UL << (SIGINT - 1));
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &most, NULL, 8);
	ok("rt_sigprocmask(SIG_SETMASK, ~[INT], NULL, 8)");
	sigemptyset(&set);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, NULL, 8);
	ok("rt_sigprocmask(SIG_SETMASK, [], NULL, 8)");
	struct {
		void (*handler)(int);
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} sa = {.handler = SIG_IGN, .flags = SA_RESTART | SA_NODEFER, .mask = 1UL << (SIGTERM - 1)};
	syscall(SYS_rt_sigaction, SIGUSR2, &sa, NULL, 8);
	ok("rt_sigaction(SIGUSR2, {sa_handler=SIG_IGN, sa_mask=[TERM], sa_flags=SA_RESTART|SA_NODEFER}, NULL, 8)");
	signal(SIGUSR1, handler);
	kill(pid, SIGUSR1);
	ok("kill(%d, SIGUSR1)", pid);
	line("--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=%d, si_uid=%d} ---", pid, uid);
	line("rt_sigreturn({mask=[]}) = 0");
	stack_t st = {.ss_flags = SS_DISABLE};
	sigaltstack(&st, NULL);
	ok("sigaltstack({ss_sp=NULL, ss_flags=SS_DISABLE, ss_size=0}, NULL)");
	expect(syscall(SYS_rt_sigprocmask, SIG_BLOCK, (void *)8, NULL, 8), "rt_sigprocmask(SIG_BLOCK, 0x8, NULL, 8)");

	signal(SIGCHLD, SIG_DFL);
	for (int k = 0; k < 2; k++) {
		pid_t child = fork();
		int w;
		if (!child) {
			if (k)
				syscall(SYS_kill, getpid(), SIGKILL);
			_exit(7);
		}
		/* The child's end first, so that no line is cut in two. */
		siginfo_t ended;
		while (syscall(SYS_waitid, P_PID, child, &ended, WEXITED | WNOWAIT, NULL))
			;
		wait4(child, &w, WNOHANG, NULL);
		expect(child,
		       k ? "wait4(%d, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL}], WNOHANG, NULL)"
			 : "wait4(%d, [{WIFEXITED(s) && WEXITSTATUS(s) == 7}], WNOHANG, NULL)",
		       child);
	}
	expect(syscall(SYS_waitid, P_ALL, 0, &si, WEXITED | WSTOPPED | WNOHANG, NULL),
	       "waitid(P_ALL, 0, %p, WNOHANG|WEXITED|WSTOPPED, NULL)", (void *)&si);
	return 0;
}
