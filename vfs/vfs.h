/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vfs.h - the virtual file system, as the kernel folder uses it.
 *
 * Everything a program names is resolved here: mounts, the dentry cache, overlay, tmpfs, proc, dev.
 * Calls return 0 (or a count) or -errno, with the errno that Linux gives (path_resolution(7) and the call's man page).
 * All functions are safe to call from several threads; they take the locks of vfs/lock.h themselves and callers hold none.
 * Strings are the caller's copies: nothing here reads a tracee's memory.
 *
 * References: a struct path that is returned holds a reference on mount and dentry, dropped by path_put().
 * A struct vfile holds its inode or path until vfile_put().
 */
#ifndef VFS_VFS_H
#define VFS_VFS_H

#include "base/base.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>

struct mount;
struct dentry;
struct inode;
struct gofer;

struct path {
	struct mount *mnt;
	struct dentry *dentry;
};
void path_get(const struct path *p);
/* Drops both references and clears *p; a cleared path is ignored. */
void path_put(struct path *p);
#define AUTO_PATH __attribute__((cleanup(path_put)))

/* Virtual credentials, as far as files are concerned (fsuid, fsgid, effective capabilities). */
struct vfs_cred {
	uid_t uid;
	gid_t gid;
	uint64_t caps; /* bit n: CAP_n in the sandbox's own, virtual world */
	int ngroups;
	const gid_t *groups;
};
#define CAP_BIT(c) (UINT64_C(1) << (c))
static inline bool vfs_capable(const struct vfs_cred *c, int cap)
{
	return c->caps & CAP_BIT(cap);
}

/*
 * One caller's view. Lives for one call; root and cwd are borrowed from the task's record.
 * may_block is called (unlocked) before anything that can wait for long: the owner of the thread then lets another
 * thread take calls, and signals this one for as long as interrupted says yes, so that system calls of the wait fail with EINTR.
 * interrupted tells whether a wait should end with -ERESTARTSYS. Both may be NULL.
 */
struct vfs_ctx {
	const struct vfs_cred *cred; /* fsuid/fsgid/effective */
	const struct path *root;
	const struct path *cwd;
	mode_t umask;
	/* The calling process and thread as the sandbox numbers them; 0: ask pids(), which few calls need. See vfs_tgid(). */
	pid_t tgid, tid;
	void (*pids)(struct vfs_ctx *ctx);
	void (*may_block)(struct vfs_ctx *ctx);
	bool (*interrupted)(struct vfs_ctx *ctx);
	/* A descriptor of the calling process, duplicated into ours (caller closes), or -EBADF: /proc/self/fd, /dev/fd. */
	int (*get_fd)(struct vfs_ctx *ctx, int fd);
	void *owner;
	const uint64_t *size_limit; /* RLIMIT_FSIZE where the caller is to obey it: growing beyond is EFBIG; NULL: none */
};
static inline pid_t vfs_tgid(struct vfs_ctx *ctx)
{
	if (!ctx->tgid && ctx->pids)
		ctx->pids(ctx);
	return ctx->tgid;
}
static inline pid_t vfs_tid(struct vfs_ctx *ctx)
{
	if (!ctx->tid && ctx->pids)
		ctx->pids(ctx);
	return ctx->tid;
}

/* Attributes as stat(2) tells them. Times in nanoseconds since the epoch. dev numbers are the sandbox's own. */
struct kstat {
	dev_t dev, rdev;
	uint64_t ino;
	uint32_t mode, nlink, blksize;
	uid_t uid;
	gid_t gid;
	int64_t size, blocks;
	int64_t atime, mtime, ctime, btime;
	uint64_t mnt_id;
	bool mnt_root; /* STATX_ATTR_MOUNT_ROOT */
};

/*
 * What an open descriptor of a tracee is. vfs_identify() fills it from the descriptor itself.
 * VF_FOREIGN: not one of ours (pipe, socket, memfd, what the user passed in): the host's own answer counts.
 */
enum vfile_kind { VF_FOREIGN, VF_FILE, VF_DIR };
struct vfile {
	enum vfile_kind kind;
	struct inode *inode; /* VF_FILE, VF_DIR */
	struct path path;    /* VF_DIR: exact. VF_FILE: the name it was last opened by, or empty */
	void *token;         /* opaque: vfs/token.c's record of a directory or O_PATH descriptor */
	bool o_path;         /* opened with O_PATH */
};
/* hostfd: our duplicate of the tracee's descriptor; not closed. 0 or -errno. */
int vfs_identify(int hostfd, struct vfile *out) MUST_CHECK;
void vfile_put(struct vfile *f);
#define AUTO_VFILE __attribute__((cleanup(vfile_put)))

/* --- Setting up: one set of mounts per supervisor, before the first call. ------------------------------------------ */

#define VFS_STORES    20
#define VFS_QUOTAS    3
#define VFS_QUOTA_ALL 0U /* of all overlays but tmpfs mounts */
struct vfs_config {
	struct gofer *gofer; /* NULL in tests that need no lower files */
	int procfd;          /* procfs of the supervisor's own PID namespace: reopens descriptors via self/fd */
	int guest_procfd;    /* procfs of the tracees' PID namespace, or -1 */
	int devptsfd;        /* root of the sandbox's own devpts, or -1 */
	int dev_null, dev_zero, dev_full, dev_random, dev_urandom; /* O_PATH descriptors of the host's devices, or -1 */
	int token_rw, token_ro; /* one empty tmpfs directory: read-write for us, and the same through a read-only mount */
	int filestore;          /* directory of a private tmpfs for upper file data */
	struct vfs_store {
		int dir;        /* directory for upper file data on another medium */
		unsigned quota; /* index in quotas that counts for it beside VFS_QUOTA_ALL */
		/* A kept layer's, for one overlay alone: its journal, and the directory that has it. */
		bool keep;
		int journal, keep_dir;
	} stores[VFS_STORES];
	struct vfs_quota {
		uint64_t size, inodes; /* 0: no limit */
		bool hard;             /* the file system of the one store it's for keeps the size by itself */
	} quotas[VFS_QUOTAS];
	/* By the keeper, when the limit of a store that isn't hard was overrun by more than its slack: the end of the sandbox. */
	void (*over_limit)(void);
	uid_t tracee_kuid; /* how the supervisor's own user namespace shows an object that a tracee created natively */
	gid_t tracee_kgid;
	bool fakeroot; /* files of host_uid/host_gid show as 0/0 */
	uid_t host_uid;
	gid_t host_gid;
	const char *hostname;
	/* Kept layers between root and upper, the topmost first: their journals, and the exports that are their stores. Lives as long as
	 * the mounting of the root. */
	const struct vfs_layer {
		int journal;
		uint32_t export;
	} * layers;
	unsigned n_layers;
};
/* Makes token_rw the working directory of the process: inotify_add_watch(2) takes no directory descriptor. Call it once. */
int vfs_init(const struct vfs_config *cfg) MUST_CHECK;
const struct vfs_config *vfs_config(void);

/* Changes of a kept layer are recorded from now on: call it after the last mount. */
int vfs_keep_start(void) MUST_CHECK;
/* Puts what was recorded on the disk, with data also all file data: 0 (also without a kept layer) or -errno. */
int vfs_sync(bool data) MUST_CHECK;
/* No call will come any more: gives space of deleted files back. */
void vfs_keep_end(void);

/* Where the file data of changed files goes: nowhere, into vfs_config.filestore, or (n > 0) into vfs_config.stores[n - 1]. */
enum { VFS_UPPER_NONE = -1, VFS_UPPER_MEMORY = 0 };
/* Root mount from the gofer's export 0. VFS_UPPER_NONE: the root is read-only (EROFS). Call once, first. */
int vfs_mount_root(int upper) MUST_CHECK;
/* Mounts an export of the gofer (a bind) at the absolute path dst, made in the overlay if it doesn't exist
 * (as a directory or, if the export is a file, as a file). ro: EROFS for changes. upper: a copy-on-write bind. */
int vfs_mount_bind(uint32_t export, const char *dst, bool ro, int upper) MUST_CHECK;
/* "tmpfs" (mode 1777 for /dev/shm and /tmp-like use), "proc", "dev", "devpts", "sys". size in bytes, 0: half of memory. */
int vfs_mount_special(const char *type, const char *dst, uint64_t size) MUST_CHECK;
/* Covers path: a directory by an empty read-only one, a file by an empty file, both mode 000. Missing: no error. */
int vfs_hide(const char *path) MUST_CHECK;
/* The root of the mount tree; referenced for the caller. */
void vfs_root(struct path *out);

/* --- Paths. base: where a relative name starts (NULL: ctx->cwd). name "" is ENOENT unless AT_EMPTY_PATH. ----------- */

/* Flags are AT_SYMLINK_NOFOLLOW, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH. The final component must exist. */
int vfs_resolve(struct vfs_ctx *ctx, const struct path *base, const char *name, int atflags, struct path *out) MUST_CHECK;
/* Of a magic link at which vfs_resolve() stopped, though it follows links, because the object has no path (O_TMPFILE, unlinked, pipe): a
 * descriptor of that object, the caller's. -ENOENT: p is none. */
int vfs_magic_fd(struct vfs_ctx *ctx, const struct path *p) MUST_CHECK;
/* Absolute path of p as seen from ctx->root, NUL included in the count returned; -ERANGE, or -ENOENT when p was
 * deleted. "(unreachable)" goes before what root can't reach, as getcwd(2) does. */
int vfs_getpath(struct vfs_ctx *ctx, const struct path *p, char *buf, size_t size) MUST_CHECK;
/* What readlink(/proc/PID/fd/N) says for this descriptor. "path" or "path (deleted)". VF_FOREIGN: -ENOENT. */
int vfs_vfile_path(struct vfs_ctx *ctx, const struct vfile *f, char *buf, size_t size) MUST_CHECK;

int vfs_stat(struct vfs_ctx *ctx, const struct path *base, const char *name, int atflags, struct kstat *out) MUST_CHECK;
int vfs_fstat(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, struct kstat *out) MUST_CHECK;
/* cred: real or effective ids, the caller's choice (faccessat(2)). */
int vfs_access(struct vfs_ctx *ctx, const struct path *base, const char *name, int mode, int atflags) MUST_CHECK;
ssize_t vfs_readlink(struct vfs_ctx *ctx, const struct path *base, const char *name, char *buf, size_t size) MUST_CHECK;
int vfs_statfs(struct vfs_ctx *ctx, const struct path *p, struct statfs *out) MUST_CHECK;
int vfs_vfile_statfs(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, struct statfs *out) MUST_CHECK;

/* Checks search permission and that p is a directory: chdir(2), chroot(2). */
int vfs_may_chdir(struct vfs_ctx *ctx, const struct path *p) MUST_CHECK;

/*
 * open(2), openat2(2) with all RESOLVE_ flags. On success *hostfd is a new descriptor, owned by the caller, whose open file
 * description belongs to this open alone, ready to be given to the tracee (close-on-exec is the caller's affair).
 * Unknown flags are EINVAL if above 32 bits or how->resolve is used, else ignored, and so is mode without O_CREAT or O_TMPFILE: what
 * openat2 says of those is checked by its handler. May block (FIFO).
 */
/* Whether the flags are possible at all: EINVAL, EAGAIN. vfs_open() checks them again. */
int vfs_open_check(const struct open_how *how);
int vfs_open(struct vfs_ctx *ctx, const struct path *base, const char *name, const struct open_how *how,
	     int *hostfd) MUST_CHECK;

/* For execve(2): the file opened for reading after the checks of exec (regular, x permission, noexec mounts), with what the
 * kernel needs of it. fd: a fresh O_RDONLY descriptor, the caller's. path: absolute name as the program sees it. */
struct vfs_exec {
	int fd;
	struct kstat st;
	struct path path;
	bool readable; /* the caller may also read it: else it must not get a readable descriptor without check-in */
};
int vfs_open_exec(struct vfs_ctx *ctx, const struct path *base, const char *name, int atflags,
		  struct vfs_exec *out) MUST_CHECK;

/* getdents64(2) (legacy: getdents(2)) on a directory; the position is hostfd's file offset. Bytes written or -errno. */
ssize_t vfs_getdents(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, void *buf, size_t size, bool legacy) MUST_CHECK;

int vfs_mkdir(struct vfs_ctx *ctx, const struct path *base, const char *name, mode_t mode) MUST_CHECK;
int vfs_mknod(struct vfs_ctx *ctx, const struct path *base, const char *name, mode_t mode, dev_t rdev) MUST_CHECK;
int vfs_symlink(struct vfs_ctx *ctx, const char *target, const struct path *base, const char *name) MUST_CHECK;
/* from: either a resolved path or an O_TMPFILE's vfile (AT_EMPTY_PATH); the caller resolved it by linkat(2)'s flags. */
int vfs_link(struct vfs_ctx *ctx, const struct path *from, const struct vfile *from_file, const struct path *base,
	     const char *name) MUST_CHECK;
int vfs_unlink(struct vfs_ctx *ctx, const struct path *base, const char *name) MUST_CHECK;
int vfs_rmdir(struct vfs_ctx *ctx, const struct path *base, const char *name) MUST_CHECK;
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE (RENAME_WHITEOUT is EINVAL). */
int vfs_rename(struct vfs_ctx *ctx, const struct path *obase, const char *oname, const struct path *nbase, const char *nname,
	       unsigned flags) MUST_CHECK;

/* fcntl(F_SETFL) with O_NOATIME on hostfd, which is f and whose open file description is the tracee's: only by the owner. */
int vfs_setfl(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, int flags) MUST_CHECK;

/* --- Attributes: by path (vfs_resolve() first) or by descriptor; exactly one of p and f is not NULL. ---------------- */

int vfs_chmod(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, mode_t mode) MUST_CHECK;
/* uid or gid -1: unchanged. */
int vfs_chown(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, uid_t uid, gid_t gid) MUST_CHECK;
/* times: atime, mtime with UTIME_NOW and UTIME_OMIT; NULL: both now. */
int vfs_utimens(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, const struct timespec times[2]) MUST_CHECK;
int vfs_truncate(struct vfs_ctx *ctx, const struct path *p, int64_t length) MUST_CHECK;
/* After a native write or truncate could have happened through f: drops set-id bits as Linux does (file_remove_privs). */
int vfs_killpriv(struct vfs_ctx *ctx, const struct vfile *f) MUST_CHECK;
ssize_t vfs_getxattr(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, const char *name, void *buf,
		     size_t size) MUST_CHECK;
ssize_t vfs_listxattr(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, char *buf, size_t size) MUST_CHECK;
int vfs_setxattr(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, const char *name, const void *value,
		 size_t size, int flags) MUST_CHECK;
int vfs_removexattr(struct vfs_ctx *ctx, const struct path *p, const struct vfile *f, const char *name) MUST_CHECK;

/*
 * flock(2) on the tracee's own open file description. A lower file is copied up first so that no lock of ours is ever seen
 * by the host: then *replace is a new descriptor (caller's) that must take the old one's place in the tracee.
 */
int vfs_flock(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, int op, int *replace) MUST_CHECK;
/* The same preparation for a record lock (fcntl(2) F_SETLK...): *replace or -1; then the call itself runs natively. */
int vfs_prepare_lock(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, int *replace) MUST_CHECK;

/* AF_UNIX names: vfs_sock_bind() makes the socket node; vfs_sock_key() finds the abstract-like key of an existing one:
 * 16 random bytes that name the socket in the tracees' own network namespace, so that bind and connect run on it. */
#define VFS_SOCK_KEY 16
int vfs_sock_bind(struct vfs_ctx *ctx, const struct path *base, const char *name, uint8_t key[VFS_SOCK_KEY]) MUST_CHECK;
int vfs_sock_key(struct vfs_ctx *ctx, const struct path *base, const char *name, uint8_t key[VFS_SOCK_KEY]) MUST_CHECK;

/* --- Processes, as /proc shows them. kernel/ implements and registers this at start. ------------------------------- */

struct vfs_task_info {
	uid_t uid, euid, suid, fsuid;
	gid_t gid, egid, sgid, fsgid;
	int ngroups;
	const gid_t *groups; /* valid until release */
	uint64_t cap_inh, cap_prm, cap_eff, cap_bnd, cap_amb;
	bool no_new_privs;
	mode_t umask;
	struct path cwd, root, exe; /* referenced; exe may be empty */
	const char *cmdline_prefix; /* words that a #! line put before argv[1], NUL separated, or NULL */
	size_t cmdline_prefix_len;
	void *rec;
};
struct vfs_proc_ops {
	/* pid: in the tracees' PID namespace. 0 or -ESRCH. */
	int (*task_info)(pid_t pid, struct vfs_task_info *out);
	void (*task_info_release)(struct vfs_task_info *info);
	/* The process's descriptor fd duplicated into ours, or -errno. */
	int (*task_fd)(pid_t pid, int fd);
	/* May ctx look into that process (ptrace_may_access(PTRACE_MODE_READ))? */
	bool (*may_inspect)(struct vfs_ctx *ctx, pid_t pid);
	/* Is this mapping (device and inode as maps prints them) the loader stub? */
	bool (*is_stub)(unsigned maj, unsigned min, uint64_t ino);
	/* Soft and hard value of a limit as the program sees it; resource as in getrlimit(2). */
	int (*task_rlimit)(pid_t pid, int resource, uint64_t *soft, uint64_t *hard);
	/* Bytes of the process's memory (process_vm_readv(2)): the count, short at a hole, or -errno. May be NULL: then environ
	 * and auxv of processes whose native files we may not open are EACCES. */
	ssize_t (*read_mem)(pid_t pid, uint64_t addr, void *buf, size_t len);
	/* The host's text tells the CPUs that the thread may use as the program would see them, until it's released. True: to be released. */
	bool (*hold_cpus)(pid_t tid);
	void (*release_cpus)(void);
};
void vfs_set_proc_ops(const struct vfs_proc_ops *ops);

/* The file behind a mapping of a tracee's, by the device and inode numbers in the host's maps. path: its name as ctx->root sees it, "" without one.
 * hostfd, if not NULL: a descriptor of its own for reading, the caller's; no permission is checked. -ENOENT: not a file of ours. */
int vfs_mapped_file(struct vfs_ctx *ctx, dev_t dev, uint64_t ino, char *path, size_t size, struct kstat *st,
		    int *hostfd) MUST_CHECK;

/* --- Space ----------------------------------------------------------------------------------------------------------- */

/*
 * Limits of stores that aren't hard: the program writes natively, so the caller must ask before each call that may make a file grow
 * and that the filter has stopped. vfs_space_take() is the cheap question, without a descriptor: false says ask vfs_may_grow(), which
 * looks at what hostfd is. off -1: at its present position. 0 or -ENOSPC. Writes that run at the same time may overrun by one each.
 */
bool vfs_space_take(uint64_t n);
int vfs_may_grow(int hostfd, int64_t off, uint64_t n) MUST_CHECK;
/* Tidies up in the background, for ever: gives space back, watches limits. A thread of the caller's. Sleeps while there's nothing to do. */
_Noreturn void vfs_keeper(void);

/* --- Profiles ---------------------------------------------------------------------------------------------------------- */

/* What may be done at a path. What isn't even SEEN is ENOENT; all else that isn't allowed is EACCES. */
#define VFS_MAY_SEE   1U /* stat, the way through it, the text of a link */
#define VFS_MAY_READ  2U /* contents; of a directory: its names */
#define VFS_MAY_WRITE 4U /* contents, attributes, and to make, remove and rename this name */
#define VFS_MAY_EXEC  8U /* execve */
#define VFS_MAY_ALL   15U
enum vfs_rule_scope {
	VFS_RULE_PATH,     /* the path */
	VFS_RULE_CHILDREN, /* what is in that directory, without what is in directories there */
	VFS_RULE_BELOW,    /* everything below, and the directory itself */
};
struct vfs_rule {
	const char *path; /* absolute, without ".", ".." and doubled slashes */
	enum vfs_rule_scope scope;
	unsigned may; /* VFS_MAY_; 0: hidden */
};
#define VFS_MAX_RULES 60000 /* names in all paths together, each counted once */
/*
 * From now on only these paths are there; the nearest rule counts. After the last mount and before the first call. -E2BIG, -ENOMEM.
 * Rules are of places: what a rename or a link would bring to a place with more rights is EXDEV (as with Landlock).
 */
int vfs_rules_set(const struct vfs_rule *rules, size_t n) MUST_CHECK;
/* Before the first call: the name of what a rule refuses is kept for the thread. */
void vfs_rules_tell(void);
/* The last one since this was asked, which exists or was to be made, absolute, or NULL. Good until the thread's next call. */
const char *vfs_rules_refused(void);
/* Is there something at the path, but for the rules? For what is told to the user, never to a program. */
bool vfs_rules_hide(struct vfs_ctx *ctx, const char *path);

/* --- What was used ------------------------------------------------------------------------------------------------------ */

#define VFS_NOTE_SEEN     1U  /* looked at: stat, access, readlink */
#define VFS_NOTE_MISSING  2U  /* looked for and not there */
#define VFS_NOTE_LINK     4U  /* a symlink that was followed */
#define VFS_NOTE_READ     8U  /* opened for reading */
#define VFS_NOTE_WRITTEN  16U /* opened for writing, or truncated */
#define VFS_NOTE_LISTED   32U
#define VFS_NOTE_CREATED  64U
#define VFS_NOTE_DELETED  128U
#define VFS_NOTE_MOVED    256U   /* renamed to the other name */
#define VFS_NOTE_MOVED_TO 512U   /* renamed from the other name */
#define VFS_NOTE_EXECUTED 1024U  /* as a program or its interpreter */
#define VFS_NOTE_CHANGED  2048U  /* attributes */
#define VFS_NOTE_LINKED   4096U  /* got another name by link(2) */
#define VFS_NOTE_DIR      8192U  /* it is a directory */
#define VFS_NOTE_STICKY   16384U /* made in a directory of mode +t: /tmp and the like */
#define VFS_NOTE_TMPFILE  32768U /* a file without a name was made in that directory */
#define VFS_NOTE_PRIVATE  65536U /* made for its owner alone, as mkstemp(3) and mkdtemp(3) do */
#define VFS_NOTE_ALL      131071U
extern bool vfs_noting; /* set by vfs_notes_start(), then constant */
void vfs_notes_start(void);
void vfs_note_network(void); /* an IP socket is connected, bound or sends to an address */
struct vfs_note {
	const char *path;  /* absolute as the program's first root has it */
	const char *asked; /* the name by which it was found first, through symlinks; or NULL */
	const char *other; /* with MOVED or MOVED_TO; or NULL */
	unsigned what;     /* VFS_NOTE_ */
};
/* No call may be under way any more. fn for each path, in no order. *lost: paths that there was no room for. Was the network used? */
bool vfs_notes_walk(void (*fn)(const struct vfs_note *n, void *arg), void *arg, uint64_t *lost);

/* --- Counters for --stats, all since start. ------------------------------------------------------------------------- */

struct vfs_stats {
	uint64_t dcache_hits, dcache_misses, dcache_evicted, dentries, inodes;
	uint64_t copy_ups, copy_up_bytes, upper_bytes, upper_files;
};
void vfs_get_stats(struct vfs_stats *out);
/* The present state for a developer: mounts, cache, tokens, stores; text, a few hundred lines at most. fn is called without a lock
 * held, but for the mounts, where it must not call the vfs. */
void vfs_dump(void (*fn)(void *arg, const char *line), void *arg);

#endif
