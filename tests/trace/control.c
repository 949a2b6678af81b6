/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - calls with commands: fcntl, ioctl on a terminal, prctl, futex, seccomp, schedulers. */
#include "t.h"

#include <asm/termbits.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

int main(void)
{
	int fd = open("new", O_RDWR | O_CREAT, 0600), n, v;
	long r;
	struct flock fl = {F_WRLCK, SEEK_SET, 1, 2, 0};
	r = fcntl(fd, F_SETLK, &fl);
	expect(r, "fcntl(%d, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=1, l_len=2})", fd);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	ok("fcntl(%d, F_SETFD, FD_CLOEXEC)", fd);
	fcntl(fd, F_GETFD);
	line("fcntl(%d, F_GETFD) = 0x1 (flags FD_CLOEXEC)", fd);
	r = fcntl(fd, F_DUPFD_CLOEXEC, 50);
	expect(r, "fcntl(%d, F_DUPFD_CLOEXEC, 50)", fd);
	expect(fcntl(fd, 999, 5), "fcntl(%d, 0x3e7 /* F_??? */, 0x5)", fd);

	int pt = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (pt >= 0) {
		struct termios t;
		struct winsize w = {24, 80, 1, 2};
		ioctl(pt, TCGETS, &t);
		ok("ioctl(%d, TCGETS, {c_iflag=ICRNL|IXON, c_oflag=NL0|CR0|TAB0|BS0|VT0|FF0|OPOST|ONLCR, "
		   "c_cflag=B38400|CS8|CREAD, "
		   "c_lflag=ISIG|ICANON|ECHO|ECHOE|ECHOK|IEXTEN|ECHOCTL|ECHOKE, ...})",
		   pt);
		ioctl(pt, TIOCSWINSZ, &w);
		ok("ioctl(%d, TIOCSWINSZ, {ws_row=24, ws_col=80, ws_xpixel=1, ws_ypixel=2})", pt);
		ioctl(pt, TIOCGWINSZ, &w);
		ok("ioctl(%d, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=1, ws_ypixel=2})", pt);
	}
	int p[2];
	pipe(p);
	write(p[1], "abc", 3);
	ioctl(p[0], FIONREAD, &n);
	ok("ioctl(%d, FIONREAD, [3])", p[0]);
	v = 1;
	ioctl(p[0], FIONBIO, &v);
	ok("ioctl(%d, FIONBIO, [1])", p[0]);
	ioctl(p[0], FIOCLEX);
	ok("ioctl(%d, FIOCLEX)", p[0]);
	expect(syscall(SYS_ioctl, p[0], 0x1234, 0L), "ioctl(%d, _IOC(_IOC_NONE, 0x12, 0x34, 0), 0)", p[0]);

	char name[16];
	prctl(PR_SET_NAME, "a name");
	ok("prctl(PR_SET_NAME, \"a name\")");
	prctl(PR_GET_NAME, name);
	ok("prctl(PR_GET_NAME, \"a name\")");
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	ok("prctl(PR_SET_PDEATHSIG, SIGTERM)");
	r = prctl(PR_GET_DUMPABLE);
	line("prctl(PR_GET_DUMPABLE) = 1 (SUID_DUMP_USER)");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ok("prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)");
	struct sock_filter f = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = {1, &f};
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog);
	expect(r, "seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, {len=1, filter=%p})", (void *)&f);

	unsigned word = 0;
	expect(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 1, NULL), "futex(%p, FUTEX_WAIT_PRIVATE, 1, NULL)",
	       (void *)&word);
	struct timespec ts = {0, 1000};
	expect(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &ts), "futex(%p, FUTEX_WAIT, 0, {tv_sec=0, tv_nsec=1000})",
	       (void *)&word);
	expect(syscall(SYS_futex, &word, FUTEX_WAKE, 1), "futex(%p, FUTEX_WAKE, 1)", (void *)&word);
	expect(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, -1),
	       "futex(%p, FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME, 1, NULL, FUTEX_BITSET_MATCH_ANY)", (void *)&word);
	expect(syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 2, &word, 0),
	       "futex(%p, FUTEX_CMP_REQUEUE_PRIVATE, 1, 2, %p, 0)", (void *)&word, (void *)&word);
	expect(syscall(SYS_futex, &word, FUTEX_WAKE_OP_PRIVATE, 1, 1, &word, FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 2)),
	       "futex(%p, FUTEX_WAKE_OP_PRIVATE, 1, 1, %p, FUTEX_OP_ADD<<28|0x1<<12|FUTEX_OP_CMP_EQ<<24|0x2)", (void *)&word,
	       (void *)&word);

	struct sched_param sp = {0};
	sched_getparam(0, &sp);
	ok("sched_getparam(0, [0])");
	sched_getscheduler(0);
	line("sched_getscheduler(0) = 0 (SCHED_OTHER)");
	sched_setscheduler(0, SCHED_OTHER, &sp);
	ok("sched_setscheduler(0, SCHED_OTHER, [0])");
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	line("mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = %p", map);
	madvise(map, 4096, MADV_DONTNEED);
	ok("madvise(%p, 4096, MADV_DONTNEED)", map);
	uid_t a, b, c;
	getresuid(&a, &b, &c);
	ok("getresuid([%u], [%u], [%u])", a, b, c);
	r = fork();
	if (!r)
		_exit(0);
	return 0;
}
