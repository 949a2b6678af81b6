/* SPDX-License-Identifier: Apache-2.0 */
/* times.c - timers, times, what was used. */
#include "t.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>

int main(void)
{
	struct itimerval it = {{0, 0}, {100, 5}};
	setitimer(ITIMER_VIRTUAL, &it, NULL);
	ok("setitimer(ITIMER_VIRTUAL, {it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=100, tv_usec=5}}, NULL)");
	getitimer(ITIMER_VIRTUAL, &it);
	ok("getitimer(ITIMER_VIRTUAL, {it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=%ld, tv_usec=%ld}})",
	   it.it_value.tv_sec, it.it_value.tv_usec);
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	expect(fd, "timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC|TFD_NONBLOCK)");
	struct itimerspec is = {{1, 2}, {3, 4}}, old;
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &is, &old);
	ok("timerfd_settime(%d, TFD_TIMER_ABSTIME, {it_interval={tv_sec=1, tv_nsec=2}, it_value={tv_sec=3, tv_nsec=4}}, "
	   "{it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=0}})",
	   fd);
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7};
	int id;
	syscall(SYS_timer_create, CLOCK_REALTIME, &ev, &id);
	ok("timer_create(CLOCK_REALTIME, {sigev_value={sival_int=7, sival_ptr=0x7}, sigev_signo=SIGUSR1, "
	   "sigev_notify=SIGEV_SIGNAL}, [%d])",
	   id);
	syscall(SYS_timer_settime, id, 0, &is, NULL);
	ok("timer_settime(%d, 0, {it_interval={tv_sec=1, tv_nsec=2}, it_value={tv_sec=3, tv_nsec=4}}, NULL)", id);
	struct timespec ts;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &ts);
	ok("clock_gettime(CLOCK_MONOTONIC_RAW, {tv_sec=%ld, tv_nsec=%ld})", ts.tv_sec, ts.tv_nsec);
	expect(syscall(SYS_clock_gettime, 77, &ts), "clock_gettime(0x4d /* CLOCK_??? */, %p)", (void *)&ts);
	ts = (struct timespec){0, 1000};
	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, NULL);
	ok("clock_nanosleep(CLOCK_MONOTONIC, 0, {tv_sec=0, tv_nsec=1000}, NULL)");
	struct timex tx = {0};
	long r = syscall(SYS_adjtimex, (void *)8);
	expect(r, "adjtimex(0x8)");
	r = syscall(SYS_clock_adjtime, CLOCK_REALTIME, &tx);
	(void)r;
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	ok("getrusage(RUSAGE_SELF, {ru_utime={tv_sec=%ld, tv_usec=%ld}, ru_stime={tv_sec=%ld, tv_usec=%ld}, ...})",
	   ru.ru_utime.tv_sec, ru.ru_utime.tv_usec, ru.ru_stime.tv_sec, ru.ru_stime.tv_usec);
	struct rlimit rl = {0, RLIM_INFINITY};
	syscall(SYS_setrlimit, RLIMIT_CORE, &rl);
	ok("setrlimit(RLIMIT_CORE, {rlim_cur=0, rlim_max=RLIM64_INFINITY})");
	rl.rlim_cur = 4096;
	syscall(SYS_prlimit64, 0, RLIMIT_SIGPENDING, NULL, (void *)8);
	errno = EFAULT;
	expect(-1, "prlimit64(0, RLIMIT_SIGPENDING, NULL, 0x8)");
	return 0;
}
