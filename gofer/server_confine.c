/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server_confine.c - takes away from the file server whatever serving doesn't need.
 *
 * With CAP_SYS_ADMIN: a mount namespace whose only mount is an empty read-only tmpfs; then all capabilities but those of file access.
 * In any case a Landlock domain that gives file access beneath the exports only (it judges a file by the directories above it up to the root of
 * its mount, so a rule on a detached mount's root covers that tree), no_new_privs, no core dumps, not dumpable, and a system call filter
 * that ends the process at the first call that isn't on its list.
 */
#include "gofer/server.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifndef WITH_ASAN
#define WITH_ASAN 0
#endif

#define BIT(c) (UINT64_C(1) << (c))

static int get_caps(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	return syscall(SYS_capget, &head, data) < 0 ? -errno : 0;
}

static uint64_t permitted(const struct __user_cap_data_struct data[2])
{
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

/* Leaves only keep, and of that only what is there, in every set. */
static int drop_caps(uint64_t keep)
{
	struct __user_cap_data_struct data[2];
	int err = get_caps(data);
	if (err)
		return err;
	keep &= permitted(data);
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(cap < 64 && keep & BIT(cap)) && permitted(data) & BIT(CAP_SETPCAP) &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	data[0] = (struct __user_cap_data_struct){(uint32_t)keep, (uint32_t)keep, 0};
	data[1] = (struct __user_cap_data_struct){(uint32_t)(keep >> 32), (uint32_t)(keep >> 32), 0};
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

/* The exports are detached trees or open descriptors: they stay when the namespace's mounts go. */
static int empty_root(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	AUTO_CLOSE int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "size", "4k", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0555", 0) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	AUTO_CLOSE int root =
	    fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (root < 0 || move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(root) < 0)
		return -errno;
	/* The old root ends up on top of the new one and is taken off. Refused on an initramfs: then only hide it. */
	if (syscall(SYS_pivot_root, ".", ".") == 0)
		return umount2(".", MNT_DETACH) < 0 ? -errno : 0;
	return chroot(".") < 0 ? -errno : 0;
}

/* What kernels newer than the headers know (linux/landlock.h). */
#define LL_TRUNCATE  BIT(14) /* ABI 3 */
#define LL_IOCTL_DEV BIT(15) /* ABI 5 */
#define LL_FILE      (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LL_TRUNCATE)
#define LL_WRITE                                                                                          \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_FIFO |       \
	 LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | LL_TRUNCATE)
#define LL_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
struct ll_ruleset {
	uint64_t fs, net, scoped;
};

/* After no_new_privs. A kernel without Landlock (or one so old that it forbids moving files between directories) is no error. */
static int landlock(const struct server *srv)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 2)
		return 0;
	struct ll_ruleset set = {.fs = BIT(14) - 1};
	size_t size = sizeof set.fs;
	if (abi >= 3)
		set.fs |= LL_TRUNCATE;
	if (abi >= 4) {
		set.net = 3; /* bind and connect of TCP */
		size = offsetof(struct ll_ruleset, scoped);
	}
	if (abi >= 5)
		set.fs |= LL_IOCTL_DEV;
	if (abi >= 6) {
		set.scoped = 3; /* abstract sockets, signals */
		size = sizeof set;
	}
	AUTO_CLOSE int fd = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
	if (fd < 0)
		return -errno;
	for (unsigned k = 0; k < srv->n_exports; k++) {
		const struct gofer_export *e = &srv->exports[k];
		struct stat st;
		if (fstat(e->rootfd, &st) < 0)
			return -errno;
		struct landlock_path_beneath_attr rule = {
		    .parent_fd = e->rootfd,
		    .allowed_access = (LL_READ | (e->ro ? 0 : LL_WRITE)) & set.fs,
		};
		if (!S_ISDIR(st.st_mode))
			rule.allowed_access &= LL_FILE;
		if (syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
			return -errno;
	}
	return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

/*
 * Our own /proc/self/fd; "self" is resolved now. From the working directory ".." leads on: in the host's procfs to sysctls that uid 0
 * may write without any capability and to the roots of processes. So with CAP_SYS_ADMIN it's one of a procfs that has neither, nor a
 * process but those that we could trace, which with what is left of our capabilities are none. Where that can't be
 * made (a container that masks parts of /proc) or without the capability, Landlock alone has to do.
 */
static int open_self(bool admin)
{
	AUTO_CLOSE int fs = admin ? fsopen("proc", FSOPEN_CLOEXEC) : -1;
	AUTO_CLOSE int mnt = -1;
	if (fs >= 0 && fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "ptraceable", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mnt = fsmount(fs, FSMOUNT_CLOEXEC,
			      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	int fd = openat(mnt >= 0 ? mnt : AT_FDCWD, mnt >= 0 ? "self/fd" : "/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int gofer_confine(const struct server *srv)
{
	struct rlimit none = {0, 0};
	struct __user_cap_data_struct caps[2];
	int err = get_caps(caps);
	if (err)
		return err;
	bool admin = permitted(caps) & BIT(CAP_SYS_ADMIN) && permitted(caps) & BIT(CAP_SYS_CHROOT);
	/* Before the root is gone. */
	AUTO_CLOSE int self = open_self(admin);
	if (self < 0)
		return self;
	if (admin) {
		err = empty_root();
		if (err)
			return err;
	}
	if (fchdir(self) < 0)
		return -errno;
	uint64_t keep = BIT(CAP_DAC_READ_SEARCH);
	if (srv->writable)
		keep |= BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_CHOWN) | BIT(CAP_FSETID);
	err = drop_caps(keep);
	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0)
		return -errno;
	return landlock(srv);
}

/* write, clock_gettime: messages. Memory and signal calls: how a thread of glibc ends. */
static const int calls_always[] = {
    SCMP_SYS(recvmsg),    SCMP_SYS(sendmsg),      SCMP_SYS(shutdown),        SCMP_SYS(close),
    SCMP_SYS(openat),     SCMP_SYS(openat2),      SCMP_SYS(fcntl),           SCMP_SYS(statx),
    SCMP_SYS(readlinkat), SCMP_SYS(fstatfs),      SCMP_SYS(getdents64),      SCMP_SYS(getxattr),
    SCMP_SYS(listxattr),  SCMP_SYS(futex),        SCMP_SYS(write),           SCMP_SYS(madvise),
    SCMP_SYS(munmap),     SCMP_SYS(exit),         SCMP_SYS(exit_group),      SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(brk),        SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime),
};
static const int calls_write[] = {
    SCMP_SYS(mkdirat),   SCMP_SYS(mknodat),   SCMP_SYS(symlinkat), SCMP_SYS(linkat),
    SCMP_SYS(unlinkat),  SCMP_SYS(renameat2), SCMP_SYS(fchownat),  SCMP_SYS(fchmodat),
    SCMP_SYS(utimensat), SCMP_SYS(ftruncate), SCMP_SYS(setxattr),  SCMP_SYS(removexattr),
};
/* The sanitizers' own: shadow memory, alternate stacks, reports, the leak check at exit excepted (it would need clone and ptrace). */
static const int calls_asan[] = {
    SCMP_SYS(mmap),       SCMP_SYS(mprotect), SCMP_SYS(sigaltstack),   SCMP_SYS(rt_sigaction), SCMP_SYS(sched_yield),
    SCMP_SYS(getpid),     SCMP_SYS(gettid),   SCMP_SYS(clock_gettime), SCMP_SYS(read),         SCMP_SYS(readlink),
    SCMP_SYS(newfstatat), SCMP_SYS(mremap),   SCMP_SYS(getrlimit),     SCMP_SYS(prlimit64),
};

static int allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int err = 0;
	for (size_t k = 0; k < n && !err; k++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[k], 0);
	return err;
}

int gofer_confine_calls(const struct server *srv)
{
#ifdef __SANITIZE_THREAD__
	return 0; /* its runtime makes calls of its own choice all the time: for tests only */
#endif
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return -ENOMEM;
	int err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree: the list is long */
	if (!err)
		err = allow(ctx, calls_always, ARRAY_SIZE(calls_always));
	if (!err && srv->writable)
		err = allow(ctx, calls_write, ARRAY_SIZE(calls_write));
	if (!err && WITH_ASAN)
		err = allow(ctx, calls_asan, ARRAY_SIZE(calls_asan));
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}
