/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor.h - between the files of this folder: what the supervisor's process consists of.
 */
#ifndef INTERPOSER_SUPERVISOR_H
#define INTERPOSER_SUPERVISOR_H

#include "base/base.h"
#include "interposer/launch.h"
#include "vfs/vfs.h"

#include <dirent.h>
#include <stdatomic.h>
#include <sys/types.h>

struct gofer;
struct call;
struct front;
struct init_config;
struct media;
struct limits;

/* Descriptors and ids that place.c prepared while the supervisor still had a root and capabilities. */
struct place {
	int procfd;       /* procfs of the supervisor's PID namespace */
	int guest_procfd; /* procfs of the tracees' */
	int devptsfd;
	int dev_null, dev_zero, dev_full, dev_random, dev_urandom;
	int token_rw, token_ro;
	int filestore;
	struct vfs_store stores[VFS_STORES];
	int exec_rw;   /* exec-root, writable for us */
	int exec_stub; /* directory that holds the master copy of the stub */
	int init_pidfd;
	pid_t init_pid;    /* in the supervisor's PID namespace */
	int init_sock;     /* talks to init until the command runs */
	uid_t tracee_kuid; /* as the supervisor's user namespace shows the tracees' uid */
	gid_t tracee_kgid;
};

/* Parts of the host's /sys that are shown read-only where they exist: about processors, memory, huge pages. No devices, no serial numbers. */
struct sys_part {
	const char *path;
	uint32_t export; /* 0: the host hasn't got it */
};
#define N_SYS_PARTS 2

/* What sandbox_run() hands to the supervisor's process. */
struct supervisor_args {
	const struct launch_options *opt;
	const struct trace_options *trace; /* opt's, with what the front opened */
	int explain_fd;                    /* where --explain writes */
	int ctl;                           /* to the front: struct front_msg */
	int *gofer_socks;
	int n_gofer_socks;
	struct sys_part sys[N_SYS_PARTS];
	uint32_t first_layer; /* export of the first of opt's layers; the others follow */
	const struct media *media;
	const struct limits *limits;
	struct front *front;      /* our copy: place.c makes the pseudo terminal */
	struct init_config *init; /* signals and terminal; argv and env filled in, too */
	int maps_ready;           /* read one byte: the front wrote our uid_map */
	bool two_ids;             /* our user namespace maps a second id for the tracees */
	bool setgroups;           /* setgroups(2) is allowed in it */
	uid_t uid;                /* virtual ids of the command */
	gid_t gid;
	uid_t host_uid; /* the caller's, for fakeroot */
	gid_t host_gid;
	int ngroups;
	const gid_t *groups;
	const char *cwd;         /* the caller's directory */
	uint64_t rlim_nofile[2]; /* as the caller had it */
};
_Noreturn void supervisor_main(const struct supervisor_args *args);
/* Credentials of a command's first process, from malloc; NULL: no memory. */
struct cred;
struct cred *supervisor_cred(uid_t uid, gid_t gid, int ngroups, const gid_t *groups) MUST_CHECK;
/* A draft's view of the files, for setting it up; refers to r and cred. */
struct record;
struct vfs_ctx supervisor_ctx(const struct record *r, struct vfs_cred *cred);

/* place.c: mounts and namespaces; starts init. Dies with a message on failure. */
void place_prepare(const struct supervisor_args *args, struct place *p);
/* Waits for init's filter and takes its listener. Then place_release_init() lets it start the command. */
int place_take_listener(const struct place *p);
void place_release_init(struct place *p);
/* Leaves the host's root for an empty, read-only one and gives up all capabilities. */
void place_leave(const struct place *p);

/* confine.c: the supervisor's own filter. After all descriptors are open and before the first tracee runs. */
void confine_supervisor(void);

/* notify.c: the listener and its threads. */
struct notifier;
extern struct place the_place;
/* Asks the kernel what the supervisor's own filter no longer allows. */
int notify_init(int listener) MUST_CHECK;
int notify_start(void) MUST_CHECK;
/* Before notify_start(): the command is given to the tracer (trace/trace.h) before its first execve is answered. */
void notify_set_traced(void);
/* What the command's process group is signalled by. 0 as long as no command runs. */
pid_t notify_command_pid(void);
/* Wait status that init reported, or -1. */
int notify_exit_status(void);
/* init's reports of a stop reach the front by this descriptor. */
void notify_set_ctl(int ctl);
bool notify_id_valid(uint64_t id);
struct notify_stats {
	uint64_t calls, emulated, continued, installed;
};
void notify_get_stats(struct notify_stats *out);
struct notify_pool_state {
	int total, active, parked;
};
void notify_get_pool(struct notify_pool_state *out);

/* notes.c: what was used, at the end (launch_options.notes_fd). */
void notes_send(int fd);

/* remote.c */
extern const struct host_ops live_ops;
/* SigPnd|ShdPnd without SigBlk of a thread: a signal will be delivered once its call returns. */
bool remote_signal_pending(pid_t pid);
void remote_thread_init(void);
/* Gives back what the thread keeps for faster calls: it's about to wait, and hundreds may. */
void remote_thread_idle(void);
void remote_init(void);
/* Tells vfs/ how to look into processes (struct vfs_proc_ops). */
void remote_register_proc_ops(void);
/* A directory of the supervisor's procfs, or NULL. */
DIR *remote_opendir(const char *path);
/* The supervisor's pid of a tracee, by the tracees' own number, or -ESRCH. */
pid_t remote_host_pid(pid_t guest);

/* execroot.c */
int execroot_init(int exec_rw, int exec_stub) MUST_CHECK;
/* c: told by live_may_block() before anything is waited for, since what lands needs threads that take its check-in. */
int execroot_prepare(struct call *c, const char *name, bool private_, uint64_t *stub_ino) MUST_CHECK;
/* The same with copies of a program and, if interp isn't NULL, of its interpreter under that name. *ino: of the program's. */
int execroot_copy(struct call *c, const char *name, int exe, const char *interp, int interp_fd, uint64_t *ino) MUST_CHECK;
/* Inode of the file in exec-root that the process runs, or 0. */
uint64_t execroot_running(pid_t pid);
void execroot_done(pid_t pid);
/* True while an exec waits for a name: then each call's thread must be told to execroot_called(). */
extern atomic_bool execroot_waiting;
void execroot_called(pid_t tid);
bool execroot_is_stub(unsigned maj, unsigned min, uint64_t ino);

/* interposer/stub, embedded by the build. */
extern const unsigned char stub_image[], stub_image_end[];

#endif
