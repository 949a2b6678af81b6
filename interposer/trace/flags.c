/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flags.c - names of flags and values, and which arguments are made of them.
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
const struct value_name names_prot[] = {{0, "PROT_NONE"}, N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC), N(PROT_GROWSDOWN),
					N(PROT_GROWSUP),  END};
static const struct value_name names_access[] = {{0, "F_OK"}, N(R_OK), N(W_OK), N(X_OK), END};
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
static const struct value_name names_fcntl[] = {N(F_DUPFD),         N(F_GETFD),
						N(F_SETFD),         N(F_GETFL),
						N(F_SETFL),         N(F_GETLK),
						N(F_SETLK),         N(F_SETLKW),
						N(F_SETOWN),        N(F_GETOWN),
						N(F_SETSIG),        N(F_GETSIG),
						N(F_OFD_GETLK),     N(F_OFD_SETLK),
						N(F_OFD_SETLKW),    N(F_SETLEASE),
						N(F_GETLEASE),      N(F_NOTIFY),
						N(F_DUPFD_CLOEXEC), N(F_SETPIPE_SZ),
						N(F_GETPIPE_SZ),    N(F_SETOWN_EX),
						N(F_GETOWN_EX),     N(F_ADD_SEALS),
						N(F_GET_SEALS),     END};
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
static const struct value_name names_waitid[] = {N(WNOHANG),
						 N(WEXITED),
						 N(WSTOPPED),
						 N(WCONTINUED),
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
const struct value_name names_level[] = {
    N(SOL_SOCKET), {0, "SOL_IP"}, {6, "SOL_TCP"}, {17, "SOL_UDP"}, {41, "SOL_IPV6"}, {270, "SOL_NETLINK"}, END};
static const struct value_name names_lock[] = {{1, "LOCK_SH"}, {2, "LOCK_EX"}, {4, "LOCK_NB"}, {8, "LOCK_UN"}, END};

static const struct value_name names_itimer[] = {{0, "ITIMER_REAL"}, {1, "ITIMER_VIRTUAL"}, {2, "ITIMER_PROF"}, END};
static const struct value_name names_tfd_settime[] = {{1, "TFD_TIMER_ABSTIME"}, {2, "TFD_TIMER_CANCEL_ON_SET"}, END};
static const struct value_name names_sfd[] = {{02000000, "SFD_CLOEXEC"}, {04000, "SFD_NONBLOCK"}, END};
static const struct value_name names_in_init[] = {{02000000, "IN_CLOEXEC"}, {04000, "IN_NONBLOCK"}, END};
static const struct value_name names_sock[] = {{02000000, "SOCK_CLOEXEC"}, {04000, "SOCK_NONBLOCK"}, END};
static const struct value_name names_in[] = {{0xfff, "IN_ALL_EVENTS"},
					     {1, "IN_ACCESS"},
					     {2, "IN_MODIFY"},
					     {4, "IN_ATTRIB"},
					     {8, "IN_CLOSE_WRITE"},
					     {16, "IN_CLOSE_NOWRITE"},
					     {32, "IN_OPEN"},
					     {64, "IN_MOVED_FROM"},
					     {128, "IN_MOVED_TO"},
					     {256, "IN_CREATE"},
					     {512, "IN_DELETE"},
					     {1024, "IN_DELETE_SELF"},
					     {2048, "IN_MOVE_SELF"},
					     {1U << 24, "IN_ONLYDIR"},
					     {1U << 25, "IN_DONT_FOLLOW"},
					     {1U << 26, "IN_EXCL_UNLINK"},
					     {1U << 29, "IN_MASK_ADD"},
					     {1U << 31, "IN_ONESHOT"},
					     END};
static const struct value_name names_mcl[] = {N(MCL_CURRENT), N(MCL_FUTURE), {4, "MCL_ONFAULT"}, END};
static const struct value_name names_mlock[] = {{1, "MLOCK_ONFAULT"}, END};
static const struct value_name names_falloc[] = {{1, "FALLOC_FL_KEEP_SIZE"},
						 {2, "FALLOC_FL_PUNCH_HOLE"},
						 {8, "FALLOC_FL_COLLAPSE_RANGE"},
						 {16, "FALLOC_FL_ZERO_RANGE"},
						 {32, "FALLOC_FL_INSERT_RANGE"},
						 {64, "FALLOC_FL_UNSHARE_RANGE"},
						 END};
static const struct value_name names_prio[] = {N(PRIO_PROCESS), N(PRIO_PGRP), N(PRIO_USER), END};
static const struct value_name names_ioprio[] = {
    {1, "IOPRIO_WHO_PROCESS"}, {2, "IOPRIO_WHO_PGRP"}, {3, "IOPRIO_WHO_USER"}, END};
static const struct value_name names_splice[] = {
    {1, "SPLICE_F_MOVE"}, {2, "SPLICE_F_NONBLOCK"}, {4, "SPLICE_F_MORE"}, {8, "SPLICE_F_GIFT"}, END};
static const struct value_name names_xattr[] = {{1, "XATTR_CREATE"}, {2, "XATTR_REPLACE"}, END};
static const struct value_name names_membarrier[] = {{0, "MEMBARRIER_CMD_QUERY"},
						     {1, "MEMBARRIER_CMD_GLOBAL"},
						     {2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED"},
						     {4, "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"},
						     {8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED"},
						     {16, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"},
						     END};
static const struct value_name names_kcmp[] = {{0, "KCMP_FILE"},    {1, "KCMP_VM"},        {2, "KCMP_FILES"},
					       {3, "KCMP_FS"},      {4, "KCMP_SIGHAND"},   {5, "KCMP_IO"},
					       {6, "KCMP_SYSVSEM"}, {7, "KCMP_EPOLL_TFD"}, END};
const struct value_name names_sched[] = {N(SCHED_OTHER), N(SCHED_FIFO),         N(SCHED_RR), N(SCHED_BATCH),
					 N(SCHED_IDLE),  {6, "SCHED_DEADLINE"}, END};
static const struct value_name names_policy[] = {N(SCHED_OTHER),
						 N(SCHED_FIFO),
						 N(SCHED_RR),
						 N(SCHED_BATCH),
						 N(SCHED_IDLE),
						 {6, "SCHED_DEADLINE"},
						 {0x40000000 | SCHED_OTHER, "SCHED_OTHER|SCHED_RESET_ON_FORK"},
						 {0x40000000 | SCHED_RR, "SCHED_RR|SCHED_RESET_ON_FORK"},
						 END};
static const struct value_name names_rwf[] = {{1, "RWF_HIPRI"},  {2, "RWF_DSYNC"},   {4, "RWF_SYNC"},
					      {8, "RWF_NOWAIT"}, {16, "RWF_APPEND"}, END};
static const struct value_name names_seccomp_op[] = {{0, "SECCOMP_SET_MODE_STRICT"},
						     {1, "SECCOMP_SET_MODE_FILTER"},
						     {2, "SECCOMP_GET_ACTION_AVAIL"},
						     {3, "SECCOMP_GET_NOTIF_SIZES"},
						     END};
static const struct value_name names_seccomp_flag[] = {{1, "SECCOMP_FILTER_FLAG_TSYNC"},
						       {2, "SECCOMP_FILTER_FLAG_LOG"},
						       {4, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
						       {8, "SECCOMP_FILTER_FLAG_NEW_LISTENER"},
						       {16, "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"},
						       {32, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
						       END};
static const struct value_name names_close_range[] = {{2, "CLOSE_RANGE_UNSHARE"}, {4, "CLOSE_RANGE_CLOEXEC"}, END};
static const struct value_name names_pidfd[] = {{04000, "PIDFD_NONBLOCK"}, {0200, "PIDFD_THREAD"}, END};
static const struct value_name names_sync_range[] = {
    {1, "SYNC_FILE_RANGE_WAIT_BEFORE"}, {2, "SYNC_FILE_RANGE_WRITE"}, {4, "SYNC_FILE_RANGE_WAIT_AFTER"}, END};
static const struct value_name names_msgflag[] = {
    {04000, "IPC_NOWAIT"}, {010000, "MSG_NOERROR"}, {020000, "MSG_EXCEPT"}, END};

#define VALUE(call, arg, tab, family)                            \
	{                                                        \
		call, arg, false, NULL, tab, family "_???", true \
	}
#define FLAGS(call, arg, tab, family)                             \
	{                                                         \
		call, arg, false, NULL, tab, family "_???", false \
	}
const struct decoder flag_decoders[] = {
    FLAGS("access", 1, names_access, "?"),
    FLAGS("faccessat", 2, names_access, "?"),
    FLAGS("faccessat2", 2, names_access, "?"),
    FLAGS("faccessat2", 3, names_faccess, "AT"),
    FLAGS("statx", 3, names_statx, "STATX"),
    VALUE("lseek", 2, names_whence, "SEEK"),
    FLAGS("mmap", 3, names_map, "MAP"),
    FLAGS("mremap", 3, names_mremap, "MREMAP"),
    FLAGS("msync", 2, names_msync, "MS"),
    VALUE("madvise", 2, names_madvise, "MADV"),
    VALUE("fadvise64", 3, names_fadvise, "POSIX_FADV"),
    VALUE("shutdown", 1, names_shut, "SHUT"),
    FLAGS("wait4", 2, names_wait, "W"),
    FLAGS("waitid", 3, names_waitid, "W"),
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
    VALUE("setitimer", 0, names_itimer, "ITIMER"),
    VALUE("getitimer", 0, names_itimer, "ITIMER"),
    VALUE("timer_create", 0, names_clock, "CLOCK"),
    VALUE("clock_adjtime", 0, names_clock, "CLOCK"),
    FLAGS("timer_settime", 1, names_timer, "TIMER"),
    FLAGS("timerfd_settime", 1, names_tfd_settime, "TFD"),
    FLAGS("signalfd4", 3, names_sfd, "SFD"),
    FLAGS("inotify_init1", 0, names_in_init, "IN"),
    FLAGS("inotify_add_watch", 2, names_in, "IN"),
    FLAGS("accept4", 3, names_sock, "SOCK"),
    FLAGS("mlockall", 0, names_mcl, "MCL"),
    FLAGS("mlock2", 2, names_mlock, "MLOCK"),
    FLAGS("fallocate", 1, names_falloc, "FALLOC_FL"),
    VALUE("getpriority", 0, names_prio, "PRIO"),
    VALUE("setpriority", 0, names_prio, "PRIO"),
    VALUE("ioprio_get", 0, names_ioprio, "IOPRIO_WHO"),
    VALUE("ioprio_set", 0, names_ioprio, "IOPRIO_WHO"),
    FLAGS("splice", 5, names_splice, "SPLICE_F"),
    FLAGS("tee", 3, names_splice, "SPLICE_F"),
    FLAGS("vmsplice", 3, names_splice, "SPLICE_F"),
    FLAGS("setxattr", 4, names_xattr, "XATTR"),
    FLAGS("lsetxattr", 4, names_xattr, "XATTR"),
    FLAGS("fsetxattr", 4, names_xattr, "XATTR"),
    VALUE("membarrier", 0, names_membarrier, "MEMBARRIER_CMD"),
    VALUE("kcmp", 2, names_kcmp, "KCMP"),
    VALUE("sched_setscheduler", 1, names_policy, "SCHED"),
    VALUE("sched_get_priority_max", 0, names_policy, "SCHED"),
    VALUE("sched_get_priority_min", 0, names_policy, "SCHED"),
    FLAGS("preadv2", 5, names_rwf, "RWF"),
    FLAGS("pwritev2", 5, names_rwf, "RWF"),
    VALUE("seccomp", 0, names_seccomp_op, "SECCOMP"),
    FLAGS("seccomp", 1, names_seccomp_flag, "SECCOMP_FILTER_FLAG"),
    FLAGS("close_range", 2, names_close_range, "CLOSE_RANGE"),
    FLAGS("pidfd_open", 1, names_pidfd, "PIDFD"),
    FLAGS("sync_file_range", 3, names_sync_range, "SYNC_FILE_RANGE"),
    FLAGS("unshare", 0, names_clone, "CLONE"),
    FLAGS("sendmmsg", 3, names_msg, "MSG"),
    FLAGS("recvmmsg", 3, names_msg, "MSG"),
    FLAGS("msgsnd", 3, names_msgflag, "IPC"),
    FLAGS("msgrcv", 4, names_msgflag, "IPC"),
};
const size_t n_flag_decoders = ARRAY_SIZE(flag_decoders);
