/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.h - one system call of a tracee, as its handler sees it.
 *
 * The dispatcher fills a struct call and runs the handler of kernel/syscalls.def. What the handler needs of the live process goes through
 * struct host_ops, implemented by interposer/ on a tracee and by tests and the fuzz harness on plain memory.
 */
#ifndef KERNEL_CALL_H
#define KERNEL_CALL_H

#include "base/base.h"
#include "kernel/task.h"
#include "vfs/vfs.h"

#include <linux/limits.h>
#include <sched.h>

struct call;

/* A handler's return value: 0 or a count, -errno, or one of these. */
#define CALL_CONTINUE  (INT64_MIN)     /* let the host kernel run the call as it is in the registers */
#define CALL_INSTALLED (INT64_MIN + 1) /* call_return_fd() was used: the descriptor's number is the result */

struct host_ops {
	/* Tracee memory. All of it or -EFAULT. */
	int (*read)(struct call *c, uint64_t addr, void *buf, size_t len);
	int (*write)(struct call *c, uint64_t addr, const void *buf, size_t len);
	/* A NUL terminated string with its NUL into buf: its length, -EFAULT, or -ENAMETOOLONG when size is too small. */
	ssize_t (*read_string)(struct call *c, uint64_t addr, char *buf, size_t size);
	/* Duplicate of the tracee's descriptor (close it), or -EBADF. */
	int (*get_fd)(struct call *c, int fd);
	/* Puts a copy of hostfd into the tracee now, as number at (-1: the lowest free). The number or -errno. hostfd stays the caller's. */
	int (*put_fd)(struct call *c, int hostfd, int at, bool cloexec);
	/* Makes next the process's record (task.h). privileged: only if the notification is still valid. 0 or -ESRCH. */
	int (*set_record)(struct call *c, struct record *next, bool privileged);
	/* The calling process and thread in the tracees' own PID namespace. */
	void (*guest_pids)(struct call *c, pid_t *tgid, pid_t *tid);
	/* guest pid -> the supervisor's number of it, or -ESRCH. */
	pid_t (*host_pid)(struct call *c, pid_t guest);
	/* prlimit64(2) on the caller (pid 0) or a guest pid, for limits that are the host's. old, new may be NULL. */
	int (*rlimit)(struct call *c, pid_t guest, int resource, const uint64_t new_[2], uint64_t old[2]);
	/* The process's record by guest pid, referenced, or NULL. */
	struct record *(*record_of)(struct call *c, pid_t guest);
	void (*may_block)(struct call *c);
	bool (*interrupted)(struct call *c);
	/* execve: makes the literal string name an executable stub in exec-root. private_: a fresh copy, its inode in *stub_ino.
	 * 0 or -errno. busy names wait inside. */
	int (*exec_prepare)(struct call *c, const char *name, bool private_, uint64_t *stub_ino);
	/* The same for a process that is traced: copies of program and interpreter (NULL: none) go by these names. */
	int (*exec_copy)(struct call *c, const char *name, int exe, const char *interp, int interp_fd, uint64_t *ino);
	/* Inode of the file the process runs now, for the check-in of a private stub. 0: unknown. */
	uint64_t (*exec_running)(struct call *c);
	/* The exec named by name has checked in or was replaced. */
	void (*exec_done)(struct call *c, const char *name);
	/* The caller's record as it is now (another thread may have changed it since c->rec), referenced; NULL: it died. */
	struct record *(*current)(struct call *c);
	/* A pid of the supervisor's namespace (SO_PEERCRED) -> the tracees' own number of it, or -ESRCH. */
	pid_t (*guest_pid)(struct call *c, pid_t host);
	/* The process that the caller's descriptor, a pidfd, stands for, as the tracees number it; -EBADF, -ESRCH. */
	pid_t (*pidfd_pid)(struct call *c, int fd);
	/* Duplicate of a guest process's descriptor (close it), -EBADF, -ESRCH. */
	int (*get_fd_of)(struct call *c, pid_t guest, int fd);
	/* read or write of a guest process's memory: 0, -EFAULT, -ESRCH. */
	int (*access_of)(struct call *c, pid_t guest, bool write, uint64_t addr, void *buf, size_t len);
	/* Close-on-exec of the caller's descriptor: 0, 1 or -EBADF. */
	int (*fd_cloexec)(struct call *c, int fd);
	/* Is the caller ptraced by another tracee? Then exec gives no privilege. */
	bool (*traced)(struct call *c);
	/* Can get_fd tell the descriptors of a thread from those of its process's leader? */
	bool (*thread_fds)(struct call *c);
	/* Sends the calling thread a signal, which it takes when the call returns. */
	void (*raise)(struct call *c, int sig);
	/* sched_getaffinity(2) of a guest thread (0: the caller) into at most len bytes, where the host's own answer isn't the true one; 0: it is. */
	ssize_t (*true_cpus)(struct call *c, pid_t guest, size_t len, cpu_set_t *cpus);
};

struct call {
	int nr;
	uint64_t args[6];
	pid_t pid;          /* thread id in the supervisor's PID namespace */
	uint64_t id;        /* the notification's id */
	struct record *rec; /* the process's state at the moment of the call; referenced for the call */
	struct vfs_ctx ctx; /* set up by the dispatcher from rec: cred, root, cwd, umask */
	const struct host_ops *ops;
	void *host;
	int ret_fd; /* call_return_fd() */
	bool ret_cloexec;
};

/* Runs c's handler: fills c->ctx from c->rec, applies the table's verdict. The handler's value. */
int64_t kernel_call(struct call *c);

/* The handler's result is this descriptor, installed in the tracee; takes ownership of hostfd. */
static inline int64_t call_return_fd(struct call *c, int hostfd, bool cloexec)
{
	c->ret_fd = hostfd;
	c->ret_cloexec = cloexec;
	return CALL_INSTALLED;
}

/* A 32-bit argument is always taken with these: the upper half is never looked at. */
static inline int arg_int(const struct call *c, int i)
{
	return (int)(uint32_t)c->args[i];
}
static inline uint32_t arg_u32(const struct call *c, int i)
{
	return (uint32_t)c->args[i];
}
/* A path argument into buf[PATH_MAX]: its length, -EFAULT, -ENAMETOOLONG, and of an empty one -ENOENT, before any descriptor is looked at. */
ssize_t call_path(struct call *c, int arg, char buf[PATH_MAX]);
/* dirfd argument -> where a relative name starts. AT_FDCWD gives an empty path (use cwd); otherwise a referenced path of
 * a directory (or of any O_PATH file; of any file when name is ""); -EBADF, -ENOTDIR. Not looked at when name is absolute. */
int call_base(struct call *c, int arg, const char *name, struct path *base);
/* Descriptor argument -> identified; *hostfd is the duplicate, close it. */
int call_file(struct call *c, int arg, struct vfile *f, int *hostfd);

/* copy_struct_from_user(), at most a page: a structure that is longer than what we know must be zero there. -EINVAL, -E2BIG, -EFAULT. */
int call_struct(struct call *c, uint64_t addr, uint64_t size, void *buf, size_t known) MUST_CHECK;

/* The same, but with AT_EMPTY_PATH in atflags the path may be empty. */
ssize_t call_path_at(struct call *c, int arg, char buf[PATH_MAX], int atflags);
/* Moreover NULL is an empty path then (statx(2) since 6.11, the *xattrat family). */
ssize_t call_path_or_null(struct call *c, int arg, char buf[PATH_MAX], int atflags);

/*
 * What a call names: a path, or with AT_EMPTY_PATH and "" a descriptor. Exactly one of call_target_path() and
 * call_target_file() is not NULL. Released by call_target_put().
 */
struct call_target {
	struct path path;
	struct vfile file;
	int hostfd; /* our duplicate, or -1: then path counts */
};
/* dirarg: index of the directory descriptor argument, or -1 for the current directory. atflags: as vfs_resolve(); name: read with these. */
int call_target(struct call *c, int dirarg, const char *name, int atflags, struct call_target *t) MUST_CHECK;
/* From a descriptor argument. o_path_ok: else O_PATH descriptors are -EBADF, as for fchmod(2). */
int call_target_fd(struct call *c, int arg, bool o_path_ok, struct call_target *t) MUST_CHECK;
void call_target_put(struct call_target *t);
#define AUTO_TARGET __attribute__((cleanup(call_target_put)))
static inline const struct path *call_target_path(const struct call_target *t)
{
	return t->hostfd < 0 ? &t->path : NULL;
}
static inline const struct vfile *call_target_file(const struct call_target *t)
{
	return t->hostfd < 0 ? NULL : &t->file;
}

/*
 * Changes of the process's record. call_change() takes task_lock() and gives a draft of the present record, or NULL with *err
 * set and the lock not held. The caller edits it and gives it to call_commit(), which interns and stores it, or to
 * call_abandon(). Both release the lock. privileged: see host_ops.set_record.
 */
struct record *call_change(struct call *c, int *err) MUST_CHECK;
int call_commit(struct call *c, struct record *draft, bool privileged) MUST_CHECK;
void call_abandon(struct record *draft);

#endif
