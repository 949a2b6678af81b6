/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flags.c - names of flags and values, and which arguments are made of them. "_?V" at the end of the family's name: one value, not a set.
 */
#include "interposer/trace/format.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>

#define N(x)                      \
	{                         \
		(uint64_t)(x), #x \
	}
#define END             \
	{               \
		0, NULL \
	}

const struct value_name names_open[] = {N(O_CREAT),
					N(O_EXCL),
					N(O_NOCTTY),
					N(O_TRUNC),
					N(O_APPEND),
					N(O_NONBLOCK),
					N(O_SYNC),
					N(O_DSYNC),
					N(O_ASYNC),
					N(O_DIRECT),
					{0100000, "O_LARGEFILE"},
					N(O_NOFOLLOW),
					N(O_NOATIME),
					N(O_CLOEXEC),
					N(O_PATH),
					N(O_TMPFILE),
					N(O_DIRECTORY),
					END};
const struct value_name names_at[] = {N(AT_SYMLINK_NOFOLLOW),
				      N(AT_REMOVEDIR),
				      N(AT_SYMLINK_FOLLOW),
				      N(AT_NO_AUTOMOUNT),
				      N(AT_EMPTY_PATH),
				      N(AT_RECURSIVE),
				      END};
static const struct value_name names_faccess[] = {N(AT_SYMLINK_NOFOLLOW), N(AT_EACCESS), N(AT_EMPTY_PATH), END};
static const struct value_name names_statx_at[] = {{0, "AT_STATX_SYNC_AS_STAT"},
						   N(AT_SYMLINK_NOFOLLOW),
						   N(AT_NO_AUTOMOUNT),
						   N(AT_EMPTY_PATH),
						   N(AT_STATX_FORCE_SYNC),
						   N(AT_STATX_DONT_SYNC),
						   END};
const struct value_name names_prot[] = {{0, "PROT_NONE"}, N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC), N(PROT_GROWSDOWN),
					N(PROT_GROWSUP),  END};
const struct value_name names_access[] = {{0, "F_OK"}, N(R_OK), N(W_OK), N(X_OK), END};
const struct value_name names_clone[] = {N(CLONE_VM),
					 N(CLONE_FS),
					 N(CLONE_FILES),
					 N(CLONE_SIGHAND),
					 N(CLONE_PIDFD),
					 N(CLONE_PTRACE),
					 N(CLONE_VFORK),
					 N(CLONE_PARENT),
					 N(CLONE_THREAD),
					 N(CLONE_NEWNS),
					 N(CLONE_SYSVSEM),
					 N(CLONE_SETTLS),
					 N(CLONE_PARENT_SETTID),
					 N(CLONE_CHILD_CLEARTID),
					 N(CLONE_DETACHED),
					 N(CLONE_UNTRACED),
					 N(CLONE_CHILD_SETTID),
					 N(CLONE_NEWCGROUP),
					 N(CLONE_NEWUTS),
					 N(CLONE_NEWIPC),
					 N(CLONE_NEWUSER),
					 N(CLONE_NEWPID),
					 N(CLONE_NEWNET),
					 N(CLONE_IO),
					 END};
const struct value_name names_fcntl[] = {
    N(F_DUPFD),         N(F_GETFD),      N(F_SETFD),      N(F_GETFL),     N(F_SETFL),     N(F_GETLK),
    N(F_SETLK),         N(F_SETLKW),     N(F_SETOWN),     N(F_GETOWN),    N(F_SETSIG),    N(F_GETSIG),
    N(F_OFD_GETLK),     N(F_OFD_SETLK),  N(F_OFD_SETLKW), N(F_SETLEASE),  N(F_GETLEASE),  N(F_NOTIFY),
    N(F_DUPFD_CLOEXEC), N(F_SETPIPE_SZ), N(F_GETPIPE_SZ), N(F_ADD_SEALS), N(F_GET_SEALS), END};
const struct value_name names_msg[] = {N(MSG_OOB),        N(MSG_PEEK),     N(MSG_DONTROUTE),    N(MSG_CTRUNC),
				       N(MSG_TRUNC),      N(MSG_DONTWAIT), N(MSG_EOR),          N(MSG_WAITALL),
				       N(MSG_CONFIRM),    N(MSG_ERRQUEUE), N(MSG_NOSIGNAL),     N(MSG_MORE),
				       N(MSG_WAITFORONE), N(MSG_FASTOPEN), N(MSG_CMSG_CLOEXEC), END};
const struct value_name names_family[] = {N(AF_UNSPEC),    N(AF_UNIX),   N(AF_INET), N(AF_INET6),
					  N(AF_NETLINK),   N(AF_PACKET), N(AF_ALG),  N(AF_VSOCK),
					  N(AF_BLUETOOTH), N(AF_CAN),    N(AF_KEY),  END};
const struct value_name names_poll[] = {N(POLLIN),     N(POLLPRI), N(POLLOUT), N(POLLRDNORM), N(POLLRDBAND), N(POLLWRNORM),
					N(POLLWRBAND), N(POLLERR), N(POLLHUP), N(POLLNVAL),   N(POLLRDHUP),  END};
static const struct value_name names_whence[] = {N(SEEK_SET), N(SEEK_CUR), N(SEEK_END), N(SEEK_DATA), N(SEEK_HOLE), END};
static const struct value_name names_map[] = {
    N(MAP_SHARED_VALIDATE), N(MAP_SHARED),    N(MAP_PRIVATE),    N(MAP_FIXED),  N(MAP_ANONYMOUS),       {0x40, "MAP_32BIT"},
    N(MAP_GROWSDOWN),       N(MAP_DENYWRITE), N(MAP_EXECUTABLE), N(MAP_LOCKED), N(MAP_NORESERVE),       N(MAP_POPULATE),
    N(MAP_NONBLOCK),        N(MAP_STACK),     N(MAP_HUGETLB),    N(MAP_SYNC),   N(MAP_FIXED_NOREPLACE), END};
static const struct value_name names_mremap[] = {N(MREMAP_MAYMOVE), N(MREMAP_FIXED), {4, "MREMAP_DONTUNMAP"}, END};
static const struct value_name names_msync[] = {N(MS_ASYNC), N(MS_INVALIDATE), N(MS_SYNC), END};
static const struct value_name names_madvise[] = {
    N(MADV_NORMAL),      N(MADV_RANDOM),     N(MADV_SEQUENTIAL), N(MADV_WILLNEED), N(MADV_DONTNEED),
    N(MADV_FREE),        N(MADV_REMOVE),     N(MADV_DONTFORK),   N(MADV_DOFORK),   N(MADV_MERGEABLE),
    N(MADV_UNMERGEABLE), N(MADV_HUGEPAGE),   N(MADV_NOHUGEPAGE), N(MADV_DONTDUMP), N(MADV_DODUMP),
    N(MADV_WIPEONFORK),  N(MADV_KEEPONFORK), N(MADV_COLD),       N(MADV_PAGEOUT),  END};
static const struct value_name names_fadvise[] = {N(POSIX_FADV_NORMAL),
						  N(POSIX_FADV_RANDOM),
						  N(POSIX_FADV_SEQUENTIAL),
						  N(POSIX_FADV_WILLNEED),
						  N(POSIX_FADV_DONTNEED),
						  N(POSIX_FADV_NOREUSE),
						  END};
static const struct value_name names_shut[] = {N(SHUT_RD), N(SHUT_WR), N(SHUT_RDWR), END};
static const struct value_name names_wait[] = {N(WNOHANG),
					       N(WUNTRACED),
					       N(WCONTINUED),
					       N(WEXITED),
					       N(WNOWAIT),
					       {0x20000000, "__WNOTHREAD"},
					       {0x40000000, "__WALL"},
					       {0x80000000, "__WCLONE"},
					       END};
static const struct value_name names_idtype[] = {N(P_ALL), N(P_PID), N(P_PGID), N(P_PIDFD), END};
static const struct value_name names_how[] = {N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK), END};
static const struct value_name names_clock[] = {
    N(CLOCK_REALTIME),          N(CLOCK_MONOTONIC),     N(CLOCK_PROCESS_CPUTIME_ID),
    N(CLOCK_THREAD_CPUTIME_ID), N(CLOCK_MONOTONIC_RAW), N(CLOCK_REALTIME_COARSE),
    N(CLOCK_MONOTONIC_COARSE),  N(CLOCK_BOOTTIME),      N(CLOCK_REALTIME_ALARM),
    N(CLOCK_BOOTTIME_ALARM),    N(CLOCK_TAI),           END};
static const struct value_name names_timer[] = {N(TIMER_ABSTIME), END};
static const struct value_name names_rlimit[] = {N(RLIMIT_CPU),
						 N(RLIMIT_FSIZE),
						 N(RLIMIT_DATA),
						 N(RLIMIT_STACK),
						 N(RLIMIT_CORE),
						 N(RLIMIT_RSS),
						 N(RLIMIT_NPROC),
						 N(RLIMIT_NOFILE),
						 N(RLIMIT_MEMLOCK),
						 N(RLIMIT_AS),
						 N(RLIMIT_LOCKS),
						 N(RLIMIT_SIGPENDING),
						 N(RLIMIT_MSGQUEUE),
						 N(RLIMIT_NICE),
						 N(RLIMIT_RTPRIO),
						 N(RLIMIT_RTTIME),
						 END};
static const struct value_name names_rusage[] = {
    N(RUSAGE_SELF), {(uint32_t)RUSAGE_CHILDREN, "RUSAGE_CHILDREN"}, N(RUSAGE_THREAD), END};
static const struct value_name names_random[] = {N(GRND_NONBLOCK), N(GRND_RANDOM), {4, "GRND_INSECURE"}, END};
static const struct value_name names_memfd[] = {N(MFD_CLOEXEC),         N(MFD_ALLOW_SEALING), N(MFD_HUGETLB),
						{8, "MFD_NOEXEC_SEAL"}, {16, "MFD_EXEC"},     END};
static const struct value_name names_rename[] = {N(RENAME_NOREPLACE), N(RENAME_EXCHANGE), N(RENAME_WHITEOUT), END};
static const struct value_name names_statx[] = {{0xfff, "STATX_ALL"},
						{0x7ff, "STATX_BASIC_STATS"},
						N(STATX_TYPE),
						N(STATX_MODE),
						N(STATX_NLINK),
						N(STATX_UID),
						N(STATX_GID),
						N(STATX_ATIME),
						N(STATX_MTIME),
						N(STATX_CTIME),
						N(STATX_INO),
						N(STATX_SIZE),
						N(STATX_BLOCKS),
						N(STATX_BTIME),
						{0x1000, "STATX_MNT_ID"},
						{0x2000, "STATX_DIOALIGN"},
						{0x4000, "STATX_MNT_ID_UNIQUE"},
						END};
static const struct value_name names_epoll_op[] = {N(EPOLL_CTL_ADD), N(EPOLL_CTL_DEL), N(EPOLL_CTL_MOD), END};
static const struct value_name names_epoll_create[] = {{02000000, "EPOLL_CLOEXEC"}, END};
static const struct value_name names_efd[] = {{1, "EFD_SEMAPHORE"}, {02000000, "EFD_CLOEXEC"}, {04000, "EFD_NONBLOCK"}, END};
static const struct value_name names_tfd[] = {{02000000, "TFD_CLOEXEC"}, {04000, "TFD_NONBLOCK"}, END};
static const struct value_name names_arch[] = {{0x1001, "ARCH_SET_GS"},        {0x1002, "ARCH_SET_FS"},
					       {0x1003, "ARCH_GET_FS"},        {0x1004, "ARCH_GET_GS"},
					       {0x3001, "ARCH_CET_STATUS"},    {0x1011, "ARCH_GET_CPUID"},
					       {0x1012, "ARCH_SET_CPUID"},     {0x5001, "ARCH_SHSTK_ENABLE"},
					       {0x5002, "ARCH_SHSTK_DISABLE"}, END};
static const struct value_name names_prctl[] = {N(PR_SET_PDEATHSIG),
						N(PR_GET_PDEATHSIG),
						N(PR_GET_DUMPABLE),
						N(PR_SET_DUMPABLE),
						N(PR_GET_KEEPCAPS),
						N(PR_SET_KEEPCAPS),
						N(PR_SET_NAME),
						N(PR_GET_NAME),
						N(PR_GET_SECCOMP),
						N(PR_SET_SECCOMP),
						N(PR_CAPBSET_READ),
						N(PR_CAPBSET_DROP),
						N(PR_SET_TIMERSLACK),
						N(PR_GET_TIMERSLACK),
						N(PR_SET_MM),
						N(PR_SET_CHILD_SUBREAPER),
						N(PR_GET_CHILD_SUBREAPER),
						N(PR_SET_NO_NEW_PRIVS),
						N(PR_GET_NO_NEW_PRIVS),
						N(PR_CAP_AMBIENT),
						{0x53564d41, "PR_SET_VMA"},
						END};
static const struct value_name names_level[] = {
    N(SOL_SOCKET), {0, "SOL_IP"}, {6, "SOL_TCP"}, {17, "SOL_UDP"}, {41, "SOL_IPV6"}, {270, "SOL_NETLINK"}, END};
static const struct value_name names_lock[] = {{1, "LOCK_SH"}, {2, "LOCK_EX"}, {4, "LOCK_NB"}, {8, "LOCK_UN"}, END};

#define VALUE(call, arg, tab, family)                     \
	{                                                 \
		call, arg, false, NULL, tab, family "_?V" \
	}
#define FLAGS(call, arg, tab, family)                      \
	{                                                  \
		call, arg, false, NULL, tab, family "_???" \
	}
const struct decoder flag_decoders[] = {
    FLAGS("access", 1, names_access, "?"),
    FLAGS("faccessat", 2, names_access, "?"),
    FLAGS("faccessat2", 2, names_access, "?"),
    FLAGS("faccessat2", 3, names_faccess, "AT"),
    FLAGS("statx", 2, names_statx_at, "AT"),
    FLAGS("statx", 3, names_statx, "STATX"),
    VALUE("lseek", 2, names_whence, "SEEK"),
    FLAGS("mmap", 3, names_map, "MAP"),
    FLAGS("mremap", 3, names_mremap, "MREMAP"),
    FLAGS("msync", 2, names_msync, "MS"),
    VALUE("madvise", 2, names_madvise, "MADV"),
    VALUE("fadvise64", 3, names_fadvise, "POSIX_FADV"),
    VALUE("shutdown", 1, names_shut, "SHUT"),
    FLAGS("wait4", 2, names_wait, "W"),
    FLAGS("waitid", 3, names_wait, "W"),
    VALUE("waitid", 0, names_idtype, "P"),
    VALUE("rt_sigprocmask", 0, names_how, "SIG"),
    VALUE("clock_gettime", 0, names_clock, "CLOCK"),
    VALUE("clock_getres", 0, names_clock, "CLOCK"),
    VALUE("clock_nanosleep", 0, names_clock, "CLOCK"),
    VALUE("timerfd_create", 0, names_clock, "CLOCK"),
    FLAGS("timerfd_create", 1, names_tfd, "TFD"),
    FLAGS("clock_nanosleep", 1, names_timer, "TIMER"),
    VALUE("getrlimit", 0, names_rlimit, "RLIMIT"),
    VALUE("setrlimit", 0, names_rlimit, "RLIMIT"),
    VALUE("prlimit64", 1, names_rlimit, "RLIMIT"),
    VALUE("getrusage", 0, names_rusage, "RUSAGE"),
    FLAGS("getrandom", 2, names_random, "GRND"),
    FLAGS("memfd_create", 1, names_memfd, "MFD"),
    FLAGS("renameat2", 4, names_rename, "RENAME"),
    VALUE("epoll_ctl", 1, names_epoll_op, "EPOLL_CTL"),
    FLAGS("epoll_create1", 0, names_epoll_create, "EPOLL"),
    FLAGS("eventfd2", 1, names_efd, "EFD"),
    VALUE("arch_prctl", 0, names_arch, "ARCH"),
    VALUE("prctl", 0, names_prctl, "PR"),
    VALUE("socket", 0, names_family, "AF"),
    VALUE("socketpair", 0, names_family, "AF"),
    FLAGS("sendto", 3, names_msg, "MSG"),
    FLAGS("recvfrom", 3, names_msg, "MSG"),
    FLAGS("sendmsg", 2, names_msg, "MSG"),
    FLAGS("recvmsg", 2, names_msg, "MSG"),
    VALUE("setsockopt", 1, names_level, "SOL"),
    VALUE("getsockopt", 1, names_level, "SOL"),
    VALUE("fcntl", 1, names_fcntl, "F"),
    FLAGS("flock", 1, names_lock, "LOCK"),
};
const size_t n_flag_decoders = ARRAY_SIZE(flag_decoders);
