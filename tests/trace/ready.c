/* SPDX-License-Identifier: Apache-2.0 */
/* ready.c - poll, select and epoll, with what they find. */
#include "t.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>

int main(void)
{
	int p[2], e = eventfd(1, EFD_SEMAPHORE);
	expect(e, "eventfd2(1, EFD_SEMAPHORE)");
	syscall(SYS_pipe2, p, O_CLOEXEC);
	ok("pipe2([%d, %d], O_CLOEXEC)", p[0], p[1]);
	struct pollfd f[2] = {{e, POLLIN | POLLPRI}, {p[0], POLLIN}};
	long r = syscall(SYS_poll, f, 2, 10);
	line("poll([{fd=%d, events=POLLIN|POLLPRI}, {fd=%d, events=POLLIN}], 2, 10) = %ld ([{fd=%d, revents=POLLIN}])", e,
	     p[0], r, e);
	syscall(SYS_poll, f + 1, 1, 1);
	line("poll([{fd=%d, events=POLLIN}], 1, 1) = 0 (Timeout)", p[0]);
	fd_set in, out;
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(e, &in);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	struct timeval tv = {5, 0};
	r = syscall(SYS_select, p[1] + 1, &in, &out, NULL, &tv);
	line("select(%d, [%d %d], [%d], NULL, {tv_sec=5, tv_usec=0}) = %ld (in [%d], out [%d], left {tv_sec=%ld, "
	     "tv_usec=%ld})",
	     p[1] + 1, e, p[0], p[1], r, e, p[1], tv.tv_sec, tv.tv_usec);
	struct {
		unsigned long *set;
		size_t size;
	} mask = {(unsigned long[]){1UL << (SIGUSR1 - 1)}, 8};
	struct timespec ts = {0, 1000};
	syscall(SYS_pselect6, 0, NULL, NULL, NULL, &ts, &mask);
	line("pselect6(0, NULL, NULL, NULL, {tv_sec=0, tv_nsec=1000}, {sigmask=[USR1], sigsetsize=8}) = 0 (Timeout)");
	int ep = epoll_create1(EPOLL_CLOEXEC);
	expect(ep, "epoll_create1(EPOLL_CLOEXEC)");
	struct epoll_event ev = {EPOLLIN | EPOLLET, {.u64 = 0x123456789}}, got[4];
	epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev);
	ok("epoll_ctl(%d, EPOLL_CTL_ADD, %d, {events=EPOLLIN|EPOLLET, data={u32=591751049, u64=4886718345}})", ep, e);
	r = syscall(SYS_epoll_wait, ep, got, 4, 100);
	expect(r, "epoll_wait(%d, [{events=EPOLLIN, data={u32=591751049, u64=4886718345}}], 4, 100)", ep);
	r = syscall(SYS_epoll_pwait, ep, got, 4, 0, NULL, 8);
	expect(r, "epoll_pwait(%d, [], 4, 0, NULL, 8)", ep);
	expect(syscall(SYS_poll, (void *)8, 1, 0), "poll(0x8, 1, 0)");
	return 0;
}
