/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_rules.c - the lists of filter_rules.h.
 *
 * Each list holds what is safe on any descriptor that a program can hold: it names no path, changes no object of the host's and
 * gives no descriptor that our own open wouldn't give. TIOCGPTPEER is on it: it opens the other end of a pty pair whose master the program
 * holds, in the devpts of that master, which is the sandbox's own.
 */
#include "kernel/filter_rules.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define M32 UINT64_C(0xffffffff)
#define EQ(n, v)                                                               \
	{                                                                      \
		.arg = n, .mask = M32, .op = FILTER_EQ, .value = (uint32_t)(v) \
	}
#define NE(n, v)                                                               \
	{                                                                      \
		.arg = n, .mask = M32, .op = FILTER_NE, .value = (uint32_t)(v) \
	}
#define MASKED(n, m, v)                                                                  \
	{                                                                                \
		.arg = n, .mask = (uint32_t)(m), .op = FILTER_EQ, .value = (uint32_t)(v) \
	}
#define ALWAYS(name)                                     \
	{                                                \
		.nr = SYS_##name, .action = FILTER_ALLOW \
	}
#define ALLOW1(name, a)                                                                \
	{                                                                              \
		.nr = SYS_##name, .action = FILTER_ALLOW, .n_conds = 1, .conds = { a } \
	}
#define ALLOW2(name, a, b)                                                                \
	{                                                                                 \
		.nr = SYS_##name, .action = FILTER_ALLOW, .n_conds = 2, .conds = { a, b } \
	}
#define ALLOW3(name, a, b, c)                                                                \
	{                                                                                    \
		.nr = SYS_##name, .action = FILTER_ALLOW, .n_conds = 3, .conds = { a, b, c } \
	}

#define IOCTL(req) ALLOW1(ioctl, EQ(1, req))
#define FCNTL(cmd) ALLOW1(fcntl, EQ(1, cmd))
#define PRCTL(opt) ALLOW1(prctl, EQ(0, opt))
/* SOCK_CLOEXEC and SOCK_NONBLOCK may be added to a type; all other bits count. */
#define SOCK_TYPE(n, t)     MASKED(n, M32 & ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), t)
#define SOCKET(dom, type)   ALLOW2(socket, EQ(0, dom), SOCK_TYPE(1, type))
#define SETOPT(opt)         ALLOW2(setsockopt, EQ(1, SOL_SOCKET), EQ(2, opt))
#define OPTION_LEVEL(level) ALLOW1(setsockopt, EQ(1, level))
/* Options from 64 on are those of netfilter's tables (IPT_SO_SET_REPLACE...). */
#define OPTIONS_BELOW_64(level) ALLOW2(setsockopt, EQ(1, level), MASKED(2, ~63U, 0))

#define NO_POINTER(name, n)                                                         \
	{                                                                           \
		.nr = SYS_##name, .action = FILTER_ALLOW, .n_conds = 1, .conds = {  \
			{.arg = n, .mask = UINT64_MAX, .op = FILTER_EQ, .value = 0} \
		}                                                                   \
	}

#define CLONE_REFUSED                                                                                                \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
	 CLONE_PARENT)
#define UNSHARE_REFUSED \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | 0x80)

const struct filter_rule filter_rules[] = {
    /* Natively harmless, see sys_native(). */
    /* But for kept layers: filter_gen.c. */
    ALWAYS(fsync),
    ALWAYS(fdatasync),
    ALWAYS(shmget),
    ALWAYS(shmctl),
    ALWAYS(semget),
    ALWAYS(semctl),
    ALWAYS(msgget),
    ALWAYS(msgctl),
    ALWAYS(mq_open),
    ALWAYS(mq_unlink),
    ALWAYS(mq_getsetattr),
    ALWAYS(adjtimex),
    ALWAYS(clock_adjtime),
    ALWAYS(sendmsg),
    ALWAYS(recvmsg),
    ALWAYS(sendmmsg),
    ALWAYS(recvmmsg),
    ALWAYS(pidfd_open),
    ALLOW1(close_range, MASKED(2, CLOSE_RANGE_UNSHARE, 0)),

    /* Terminals. Never TIOCSTI and TIOCLINUX, which type for others. */
    IOCTL(TCGETS),
    IOCTL(TCSETS),
    IOCTL(TCSETSW),
    IOCTL(TCSETSF),
    IOCTL(TCGETA),
    IOCTL(TCSETA),
    IOCTL(TCSETAW),
    IOCTL(TCSETAF),
    IOCTL(TCGETS2),
    IOCTL(TCSETS2),
    IOCTL(TCSETSW2),
    IOCTL(TCSETSF2),
    IOCTL(TIOCGWINSZ),
    IOCTL(TIOCSWINSZ),
    IOCTL(TIOCGPGRP),
    IOCTL(TIOCSPGRP),
    IOCTL(TIOCGSID),
    IOCTL(TIOCSCTTY),
    IOCTL(TIOCNOTTY),
    IOCTL(TIOCGPTN),
    IOCTL(TIOCSPTLCK),
    IOCTL(TIOCGPTLCK),
    IOCTL(TIOCGPTPEER),
    IOCTL(TIOCPKT),
    IOCTL(TIOCGPKT),
    IOCTL(TIOCGEXCL),
    IOCTL(TIOCEXCL),
    IOCTL(TIOCNXCL),
    IOCTL(TIOCOUTQ),
    IOCTL(TIOCGETD),
    IOCTL(TIOCMGET),
    IOCTL(TCFLSH),
    IOCTL(TCXONC),
    IOCTL(TCSBRK),
    IOCTL(TCSBRKP),
    IOCTL(TIOCSBRK),
    IOCTL(TIOCCBRK),
    /* Any descriptor. */
    IOCTL(FIONREAD),
    IOCTL(FIONBIO),
    IOCTL(FIOASYNC),
    IOCTL(FIOCLEX),
    IOCTL(FIONCLEX),
    IOCTL(FIOQSIZE),
    IOCTL(FIGETBSZ),
    IOCTL(RNDGETENTCNT),
    /* Sockets and interfaces of the sandbox's own network; only reading. */
    IOCTL(SIOCATMARK),
    IOCTL(SIOCGIFNAME),
    IOCTL(SIOCGIFCONF),
    IOCTL(SIOCGIFFLAGS),
    IOCTL(SIOCGIFADDR),
    IOCTL(SIOCGIFDSTADDR),
    IOCTL(SIOCGIFBRDADDR),
    IOCTL(SIOCGIFNETMASK),
    IOCTL(SIOCGIFMETRIC),
    IOCTL(SIOCGIFMTU),
    IOCTL(SIOCGIFHWADDR),
    IOCTL(SIOCGIFINDEX),
    IOCTL(SIOCGIFTXQLEN),
    IOCTL(0x8906 /* SIOCGSTAMP */),
    IOCTL(0x8907 /* SIOCGSTAMPNS */),

    FCNTL(F_DUPFD),
    FCNTL(F_GETFL),
    FCNTL(F_DUPFD_CLOEXEC),
    FCNTL(F_GETFD),
    FCNTL(F_SETFD),
    /* Who may set O_NOATIME, the owner, only we know. */
    ALLOW2(fcntl, EQ(1, F_SETFL), MASKED(2, O_NOATIME, 0)),
    FCNTL(F_GETPIPE_SZ),
    FCNTL(F_SETPIPE_SZ),
    FCNTL(F_ADD_SEALS),
    FCNTL(F_GET_SEALS),
    FCNTL(F_GETOWN),
    FCNTL(F_GETOWN_EX),
    FCNTL(F_SETSIG),
    FCNTL(F_GETSIG),
    FCNTL(1027 /* F_DUPFD_QUERY */),
    FCNTL(1028 /* F_CREATED_QUERY */),

    /* Three disjoint cases of CLONE_FS: not at all; within a process; until a vfork child's exec. */
    ALLOW1(clone, MASKED(0, CLONE_REFUSED | CLONE_FS, 0)),
    ALLOW1(clone, MASKED(0, CLONE_REFUSED | CLONE_FS | CLONE_THREAD, CLONE_FS | CLONE_THREAD)),
    ALLOW1(clone, MASKED(0, CLONE_REFUSED | CLONE_FS | CLONE_THREAD | CLONE_VFORK, CLONE_FS | CLONE_VFORK)),
    /* A thread with descriptors of its own: only where the host can tell us which. */
    ALLOW1(unshare, MASKED(0, UNSHARE_REFUSED | CLONE_FILES, 0)),

    PRCTL(PR_SET_NAME),
    PRCTL(PR_GET_NAME),
    PRCTL(PR_SET_PDEATHSIG),
    PRCTL(PR_GET_PDEATHSIG),
    PRCTL(PR_SET_THP_DISABLE),
    PRCTL(PR_GET_THP_DISABLE),
    PRCTL(PR_SET_TIMERSLACK),
    PRCTL(PR_GET_TIMERSLACK),
    PRCTL(PR_SET_CHILD_SUBREAPER),
    PRCTL(PR_GET_CHILD_SUBREAPER),
    PRCTL(PR_GET_TSC),
    PRCTL(PR_SET_TSC),
    PRCTL(PR_MCE_KILL),
    PRCTL(PR_MCE_KILL_GET),
    PRCTL(PR_GET_SPECULATION_CTRL),
    PRCTL(PR_SET_SPECULATION_CTRL),
    PRCTL(PR_SET_VMA),
    PRCTL(PR_GET_TID_ADDRESS),
    PRCTL(PR_GET_TIMING),
    PRCTL(PR_SET_PTRACER),
    PRCTL(PR_GET_SECCOMP),

    /* Filters: only the virtual no_new_privs says who may have one. */
    ALLOW1(seccomp, NE(0, SECCOMP_SET_MODE_FILTER)),

    ALLOW1(personality, EQ(0, 0)),
    ALLOW1(personality, EQ(0, 0xffffffff)),
    ALLOW1(personality, EQ(0, 0x0040000)),

    SOCKET(AF_UNIX, SOCK_STREAM),
    SOCKET(AF_UNIX, SOCK_DGRAM),
    SOCKET(AF_UNIX, SOCK_SEQPACKET),
    SOCKET(AF_INET, SOCK_STREAM),
    SOCKET(AF_INET, SOCK_DGRAM),
    SOCKET(AF_INET6, SOCK_STREAM),
    SOCKET(AF_INET6, SOCK_DGRAM),
    ALLOW3(socket, EQ(0, AF_NETLINK), SOCK_TYPE(1, SOCK_RAW), EQ(2, NETLINK_ROUTE)),
    ALLOW3(socket, EQ(0, AF_NETLINK), SOCK_TYPE(1, SOCK_DGRAM), EQ(2, NETLINK_ROUTE)),
    ALLOW2(socketpair, EQ(0, AF_UNIX), SOCK_TYPE(1, SOCK_STREAM)),
    ALLOW2(socketpair, EQ(0, AF_UNIX), SOCK_TYPE(1, SOCK_DGRAM)),
    ALLOW2(socketpair, EQ(0, AF_UNIX), SOCK_TYPE(1, SOCK_SEQPACKET)),

    /* A process's own limits but the two that are virtual: RLIMIT_LOCKS carries its state, RLIMIT_CORE is fixed. */
    ALLOW2(getrlimit, NE(0, RLIMIT_LOCKS), NE(0, RLIMIT_CORE)),
    ALLOW3(prlimit64, EQ(0, 0), NE(1, RLIMIT_LOCKS), NE(1, RLIMIT_CORE)),

    /* Without an address there is no name. The pointer has 64 bits. */
    NO_POINTER(sendto, 4),
    NO_POINTER(accept, 1),
    NO_POINTER(accept4, 1),
    NO_POINTER(recvfrom, 4),

    /* SOL_SOCKET without filters and programs, and SO_LINGER (sys_sockopt.c); of IP nothing that netfilter answers. */
    SETOPT(SO_DEBUG),
    SETOPT(SO_REUSEADDR),
    SETOPT(SO_TYPE),
    SETOPT(SO_DONTROUTE),
    SETOPT(SO_BROADCAST),
    SETOPT(SO_SNDBUF),
    SETOPT(SO_RCVBUF),
    SETOPT(SO_KEEPALIVE),
    SETOPT(SO_OOBINLINE),
    SETOPT(SO_PRIORITY),
    SETOPT(SO_REUSEPORT),
    SETOPT(SO_PASSCRED),
    SETOPT(SO_RCVLOWAT),
    SETOPT(SO_SNDLOWAT),
    SETOPT(SO_RCVTIMEO),
    SETOPT(SO_SNDTIMEO),
    SETOPT(SO_BINDTODEVICE),
    SETOPT(SO_DETACH_FILTER),
    SETOPT(SO_TIMESTAMP),
    SETOPT(SO_PASSSEC),
    SETOPT(SO_TIMESTAMPNS),
    SETOPT(SO_MARK),
    SETOPT(SO_TIMESTAMPING),
    SETOPT(SO_RXQ_OVFL),
    SETOPT(SO_PEEK_OFF),
    SETOPT(SO_NOFCS),
    SETOPT(SO_LOCK_FILTER),
    SETOPT(SO_BUSY_POLL),
    SETOPT(SO_MAX_PACING_RATE),
    SETOPT(SO_INCOMING_CPU),
    SETOPT(SO_ZEROCOPY),
    SETOPT(SO_TXTIME),
    SETOPT(SO_BINDTOIFINDEX),
    SETOPT(SO_PREFER_BUSY_POLL),
    SETOPT(SO_TXREHASH),
    SETOPT(SO_RCVMARK),
    OPTIONS_BELOW_64(0 /* IPPROTO_IP */),
    OPTIONS_BELOW_64(41 /* IPPROTO_IPV6 */),
    OPTION_LEVEL(6 /* IPPROTO_TCP */),
    OPTION_LEVEL(17 /* IPPROTO_UDP */),
    OPTION_LEVEL(270 /* SOL_NETLINK */),

    /* All options of getsockopt but two, whose answers are virtual; its options install nothing. */
    ALLOW1(getsockopt, NE(1, SOL_SOCKET)),
    ALLOW3(getsockopt, EQ(1, SOL_SOCKET), NE(2, SO_PEERCRED), NE(2, SO_PEERGROUPS)),
};
const size_t n_filter_rules = ARRAY_SIZE(filter_rules);

bool filter_grows(int nr)
{
	switch (nr) {
	case SYS_write:
	case SYS_pwrite64:
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_sendfile:
	case SYS_splice:
	case SYS_copy_file_range:
		return true;
	default:
		return false;
	}
}

bool filter_promises(int nr, unsigned *flags, uint32_t *mask)
{
	*flags = 0;
	*mask = 0;
	switch (nr) {
	case SYS_fsync:
	case SYS_fdatasync:
		return true;
	case SYS_msync:
		*flags = 2;
		*mask = MS_SYNC;
		return true;
	case SYS_pwritev2:
		*flags = 5;
		*mask = RWF_SYNC | RWF_DSYNC;
		return true;
	default:
		return false;
	}
}
