/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor.c - the supervisor's process from its first instruction to its end.
 *
 * Order matters: surroundings and init while there's still a root and capabilities; then both go; then the filter of our own; only then does the
 * first instruction of the command run.
 */
#include "interposer/supervisor.h"

#include "base/log.h"
#include "gofer/client.h"
#include "interposer/control.h"
#include "interposer/fdpass.h"
#include "interposer/filter.h"
#include "interposer/front.h"
#include "interposer/limits.h"
#include "interposer/live.h"
#include "interposer/media.h"
#include "interposer/trace/attach.h"
#include "interposer/trace/explain.h"
#include "interposer/trace/trace.h"
#include "kernel/task.h"
#include "vfs/vfs.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MEMORY_TICK_MS 50

struct place the_place;
static int ctl_fd = -1, signal_fd = -1;

static void tell_front(uint32_t event, int status)
{
	struct front_msg m = {event, status};
	/* A front that is gone takes us with it (PR_SET_PDEATHSIG, and its end of the socket is polled). */
	(void)!send(ctl_fd, &m, sizeof m, MSG_NOSIGNAL);
}

static void on_die(void)
{
	tell_front(FRONT_FAILED, 125);
}

static void take_ids(const struct supervisor_args *args)
{
	if (args->setgroups && setgroups(0, NULL))
		die("setgroups: %s", strerror(errno));
	/*
	 * The tracees' uid as the saved one, which a thread may take as its fsuid without a capability (vfs/procfs.c): files of proc that only a
	 * process's user may open are opened that way. It gives tracees no hold on us: ptrace compares all our ids, and signals need a number of
	 * ours, which their PID namespace lacks. To have their uid altogether would give up the host's separation of the two.
	 */
	if (setresgid(0, 0, 0) || setresuid(0, 0, args->two_ids ? 1 : 0))
		die("can't take on the supervisor's id: %s", strerror(errno));
	/* After the ids: changing them clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Changing ids has cleared this, too; init, our child, must be one whose /proc files are ours. */
	prctl(PR_SET_DUMPABLE, 1);
}

struct cred *supervisor_cred(uid_t uid, gid_t gid, int ngroups, const gid_t *groups)
{
	size_t n = (size_t)MIN(ngroups, 65536);
	struct cred *cred = calloc(1, sizeof *cred + n * sizeof(gid_t));
	if (!cred)
		return NULL;
	cred->uid = cred->euid = cred->suid = cred->fsuid = uid;
	cred->gid = cred->egid = cred->sgid = cred->fsgid = gid;
	cred->ngroups = (int)n;
	if (n)
		memcpy(cred->groups, groups, n * sizeof(gid_t));
	/* What root has in a container: everything of a namespace of its own. */
	uint64_t all = CAP_BIT(CAP_LAST_CAP + 1) - 1;
	cred->bounding = all;
	if (!uid)
		cred->permitted = cred->effective = all;
	return cred;
}

static struct record *first_record(const struct supervisor_args *args, const struct path *root)
{
	struct record *r = record_draft(NULL);
	struct cred *cred = supervisor_cred(args->uid, args->gid, args->ngroups, args->groups);
	if (!r || !cred)
		die("out of memory");
	free(r->cred);
	r->cred = cred;
	r->root = *root;
	path_get(root);
	r->cwd = *root;
	path_get(root);
	r->umask = umask(022);
	r->dumpable = true;
	r->rlim_locks[0] = r->rlim_locks[1] = RLIM_INFINITY;
	r->rlim_core[0] = 0;
	r->rlim_core[1] = RLIM_INFINITY;
	return r;
}

struct vfs_ctx supervisor_ctx(const struct record *r, struct vfs_cred *cred)
{
	*cred = (struct vfs_cred){
	    .uid = r->cred->fsuid,
	    .gid = r->cred->fsgid,
	    .caps = r->cred->effective,
	    .ngroups = r->cred->ngroups,
	    .groups = r->cred->groups,
	};
	return (struct vfs_ctx){.cred = cred, .root = &r->root, .cwd = &r->cwd, .umask = r->umask};
}

static void choose_cwd(const struct supervisor_args *args, struct record *r)
{
	struct vfs_cred cred;
	struct vfs_ctx ctx = supervisor_ctx(r, &cred);
	struct path p = {0};
	const char *want = args->opt->chdir ? args->opt->chdir : args->cwd;
	int err = vfs_resolve(&ctx, NULL, want, 0, &p);
	if (!err)
		err = vfs_may_chdir(&ctx, &p);
	if (err) {
		path_put(&p);
		if (args->opt->chdir)
			die("can't change to directory %s inside: %s", want, strerror(-err));
		return; /* the caller's directory doesn't exist inside: "/" */
	}
	path_put(&r->cwd);
	r->cwd = p;
}

static void mount_special(const char *type, const char *dst, uint64_t size, bool optional)
{
	int err = vfs_mount_special(type, dst, size);
	if (err && !(optional && (err == -ENOENT || err == -EROFS || err == -ENOTDIR)))
		die("can't mount %s on %s inside: %s", type, dst, strerror(-err));
}

static void mount_all(const struct supervisor_args *args)
{
	const struct launch_options *opt = args->opt;
	bool none = opt->overlay_none;
	int err = vfs_mount_root(args->media->root);
	if (err)
		die("can't mount the root %s: %s", opt->root, strerror(-err));
	/* Without an overlay a missing mount point can't be made: a root that has no /proc then goes without. */
	mount_special("proc", "/proc", 0, none);
	mount_special("dev", "/dev", 0, none);
	mount_special("devpts", "/dev/pts", 0, none);
	mount_special("tmpfs", "/dev/shm", 0, none);
	mount_special("sys", "/sys", 0, none);
	for (unsigned i = 0; i < N_SYS_PARTS; i++) {
		err = args->sys[i].export ? vfs_mount_bind(args->sys[i].export, args->sys[i].path, true, VFS_UPPER_NONE) : 0;
		if (err && !none)
			die("can't mount on %s inside: %s", args->sys[i].path, strerror(-err));
	}
	uint32_t export = 1;
	for (unsigned i = 0; i < opt->n_mounts; i++) {
		const struct launch_mount *m = &opt->mounts[i];
		switch (m->kind) {
		case MOUNT_BIND:
			err = vfs_mount_bind(export ++, m->dst, m->bind == BIND_RO, args->media->binds[i]);
			break;
		case MOUNT_TMPFS:
			err = vfs_mount_special("tmpfs", m->dst, 0);
			break;
		case MOUNT_HIDE:
			err = vfs_hide(m->dst);
			break;
		}
		if (err)
			die("can't mount on %s inside: %s", m->dst, strerror(-err));
	}
}

static void over_limit(void)
{
	die("the changes take far more space than allowed, by a mapping or by many writes at a time");
}

static void *keeper(void *arg)
{
	vfs_keeper();
}

static void start_keeper(void)
{
	pthread_t t;
	int err = pthread_create(&t, NULL, keeper, NULL);
	if (err)
		die("can't start a thread: %s", strerror(err));
	pthread_detach(t);
}

static void start_vfs(const struct supervisor_args *args, struct gofer *gofer)
{
	const struct place *p = &the_place;
	const struct launch_options *opt = args->opt;
	char hostname[256] = "sandbox";
	if (opt->hostname)
		snprintf(hostname, sizeof hostname, "%s", opt->hostname);
	else
		gethostname(hostname, sizeof hostname - 1);
	struct vfs_config cfg = {
	    .gofer = gofer,
	    .procfd = p->procfd,
	    .guest_procfd = p->guest_procfd,
	    .devptsfd = p->devptsfd,
	    .dev_null = p->dev_null,
	    .dev_zero = p->dev_zero,
	    .dev_full = p->dev_full,
	    .dev_random = p->dev_random,
	    .dev_urandom = p->dev_urandom,
	    .token_rw = p->token_rw,
	    .token_ro = p->token_ro,
	    .filestore = p->filestore,
	    .over_limit = over_limit,
	    .tracee_kuid = p->tracee_kuid,
	    .tracee_kgid = p->tracee_kgid,
	    .fakeroot = opt->fakeroot,
	    .host_uid = args->host_uid,
	    .host_gid = args->host_gid,
	    .hostname = hostname,
	};
	memcpy(cfg.stores, p->stores, sizeof cfg.stores);
	memcpy(cfg.quotas, args->media->quotas, sizeof cfg.quotas);
	AUTO_FREE struct vfs_layer *layers = xcalloc(opt->n_layers + 1, sizeof *layers);
	for (unsigned i = 0; i < opt->n_layers; i++)
		layers[i] = (struct vfs_layer){opt->layers[i].journal, args->first_layer + i};
	cfg.layers = layers;
	cfg.n_layers = opt->n_layers;
	int err = vfs_init(&cfg);
	if (err)
		die("can't set up the file system: %s", strerror(-err));
	mount_all(args);
	/* Read; nothing that the host has is to be open in here. */
	for (unsigned i = 0; i < opt->n_layers; i++)
		close(opt->layers[i].journal);
	err = vfs_keep_start();
	if (err)
		die("can't keep changes: %s", strerror(-err));
	err = opt->rules ? vfs_rules_set(opt->rules, opt->n_rules) : 0;
	if (err)
		die("can't apply the profile: %s",
		    err == -E2BIG ? "too many paths; take some together with /**" : strerror(-err));
	/* From here on: the directory that the command starts in is used, too. */
	if (opt->notes_fd)
		vfs_notes_start();
}

static void print_stats(const struct supervisor_args *args, const struct gofer *gofer)
{
	struct notify_stats n;
	struct vfs_stats v;
	struct rusage u;
	notify_get_stats(&n);
	vfs_get_stats(&v);
	getrusage(RUSAGE_SELF, &u);
	log_msg("calls answered: %" PRIu64 " emulated, %" PRIu64 " with a descriptor, %" PRIu64 " checked and continued",
		n.emulated, n.installed, n.continued);
	log_msg("cache: %" PRIu64 " hits, %" PRIu64 " misses, %" PRIu64 " evicted; %" PRIu64 " dentries, %" PRIu64 " inodes",
		v.dcache_hits, v.dcache_misses, v.dcache_evicted, v.dentries, v.inodes);
	log_msg("gofer: %" PRIu64 " round trips; copy-ups: %" PRIu64 ", %" PRIu64 " bytes; upper: %" PRIu64
		" files, %" PRIu64 " bytes",
		gofer_round_trips(gofer), v.copy_ups, v.copy_up_bytes, v.upper_files, v.upper_bytes);
	log_msg("supervisor: %ld KiB peak memory, %ld.%03ld s user, %ld.%03ld s system", u.ru_maxrss,
		(long)u.ru_utime.tv_sec, (long)u.ru_utime.tv_usec / 1000, (long)u.ru_stime.tv_sec,
		(long)u.ru_stime.tv_usec / 1000);
	limits_print(args->opt, args->limits);
}

static void on_front(const struct front_msg *m)
{
	pid_t pid = notify_command_pid();
	/* The command leads a process group of its own. */
	if (pid > 0 && m->event == FRONT_SIGNAL && m->status > 0 && m->status < 65)
		kill(-pid, m->status);
	if (m->event == FRONT_CONTINUE) {
		if (pid > 0)
			kill(-pid, SIGCONT);
		tell_front(FRONT_CONTINUED, 0);
	}
}

static void from_front(int ctl)
{
	struct front_msg m = {0};
	size_t len = sizeof m;
	int fds[FDPASS_MAX];
	int n = fdpass_recv(ctl, fds, &m, &len, MSG_DONTWAIT);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n < 0)
		_exit(125); /* the front is gone: so are we, and with this namespace every tracee */
	if (m.event == FRONT_CONNECTION && n == 1)
		control_connect(fds[0]);
	else if (m.event == FRONT_DUMP)
		dump_to_log();
	else
		on_front(&m);
}

/* SIGUSR1 from outside: no process inside has a number of ours. */
static void from_user(void)
{
	struct signalfd_siginfo si;
	if (read(signal_fd, &si, sizeof si) == sizeof si)
		dump_to_log();
}

/* Before there are threads, which inherit the mask. */
static int open_signal_fd(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Files of all overlays and tmpfs's in memory count: they are the sandbox's, too. */
static void watch_memory(const struct supervisor_args *args)
{
	uint64_t used = 0;
	struct statfs st;
	if (!fstatfs(the_place.filestore, &st))
		used += (uint64_t)(st.f_blocks - st.f_bfree) * (uint64_t)st.f_bsize;
	for (unsigned i = 0; i < args->media->n; i++)
		if (!args->media->stores[i].path && !args->media->stores[i].kept && !fstatfs(the_place.stores[i].dir, &st))
			used += (uint64_t)(st.f_blocks - st.f_bfree) * (uint64_t)st.f_bsize;
	limits_watch_memory(the_place.procfd, args->opt->memory, used, the_place.init_pid);
}

/* Waits for the end of init, the front or the gofer. */
static _Noreturn void main_loop(const struct supervisor_args *args, struct gofer *gofer)
{
	enum { AT_INIT, AT_FRONT, AT_GOFER, AT_SIGNAL, AT_PEERS };
	struct pollfd fds[AT_PEERS + CONTROL_POLL_MAX] = {
	    {.fd = the_place.init_pidfd, .events = POLLIN},
	    {.fd = args->ctl, .events = POLLIN},
	    {.fd = gofer_client_pollfd(gofer), .events = 0},
	    {.fd = signal_fd, .events = POLLIN},
	};
	const bool watch = args->limits->memory == BY_OTHER;
	for (;;) {
		if (watch)
			watch_memory(args);
		unsigned n_peers = control_poll(fds + AT_PEERS);
		if (poll(fds, AT_PEERS + n_peers, watch ? MEMORY_TICK_MS : -1) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (fds[AT_FRONT].revents)
			from_front(args->ctl);
		if (fds[AT_GOFER].revents & (POLLHUP | POLLERR))
			die("the file server died");
		if (fds[AT_SIGNAL].revents)
			from_user();
		if (fds[AT_INIT].revents)
			break;
		control_run(fds + AT_PEERS, n_peers);
	}
	control_end();
	int status;
	if (waitpid(the_place.init_pid, &status, 0) != the_place.init_pid)
		die("waitpid: %s", strerror(errno));
	if (args->opt->trace.on)
		trace_finish();
	attach_finish();
	if (args->opt->explain)
		explain_print();
	if (args->opt->notes_fd)
		notes_send(args->opt->notes_fd);
	vfs_keep_end();
	if (args->opt->stats)
		print_stats(args, gofer);
	int reported = notify_exit_status();
	log_event(LF_INTERPOSER, LL_INFO, "the command ended", LOG_INT("status", reported));
	if (reported == -1)
		die("init was killed");
	tell_front(FRONT_EXITED, reported);
	_exit(0);
}

/*
 * Short slices: of two runnable tasks EEVDF takes the one with the earlier deadline, so that a worker woken for a call runs before programs
 * that compute (sched(7); sched_setattr(2) with sched_runtime, Linux 6.12; earlier kernels ignore it). Our threads inherit it. Needs no privilege:
 * the share of the processor stays the same.
 */
static void ask_for_short_slices(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = sizeof attr, .runtime = 100000};
	attr.nice = getpriority(PRIO_PROCESS, 0);
	(void)!syscall(SYS_sched_setattr, 0, &attr, 0);
}

void supervisor_main(const struct supervisor_args *args)
{
	ctl_fd = args->ctl;
	log_set_die_hook(on_die);
	log_set_process("supervisor");
	setsid();
	prctl(PR_SET_NAME, "sandbox-super");
	take_ids(args);
	place_prepare(args, &the_place);
	/* Only init has use for what the user passed in; 2 stays for messages. */
	close(0);
	close(1);
	close_fd_(&args->front->slave);
	close_fd_(&args->front->tty);
	place_leave(&the_place);

	struct gofer *gofer;
	int err = gofer_client_new(args->gofer_socks, args->n_gofer_socks, &gofer);
	if (err)
		die("can't talk to the file server: %s", strerror(-err));
	task_init();
	remote_init();
	start_vfs(args, gofer);
	struct path root;
	vfs_root(&root);
	struct record *draft = first_record(args, &root);
	path_put(&root);
	choose_cwd(args, draft);
	struct record *first = record_intern(draft);
	if (!first)
		die("out of memory");
	uint64_t lim[2] = {first->id, RLIM_INFINITY};
	if (syscall(SYS_prlimit64, the_place.init_pid, RLIMIT_LOCKS, lim, NULL))
		die("can't tag processes: prlimit(RLIMIT_LOCKS): %s (ulimit -x must be unlimited)", strerror(errno));
	join_init(first, the_place.devptsfd);
	trace_paths_init(first);
	dump_init(gofer);
	signal_fd = open_signal_fd();
	err = signal_fd < 0 ? -errno : control_init();
	if (err)
		die("can't take requests: %s", strerror(-err));
	err = execroot_init(the_place.exec_rw, the_place.exec_stub);
	if (err)
		die("exec-root: %s", strerror(-err));
	remote_register_proc_ops();
	int listener = place_take_listener(&the_place);
	notify_set_ctl(args->ctl);
	ask_for_short_slices();
	err = notify_init(listener);
	if (err)
		die("no seccomp notifications: %s", strerror(-err));
	if (args->opt->explain)
		explain_start(args->opt, args->explain_fd);
	confine_supervisor();
	start_keeper();
	if (args->opt->trace.on) {
		trace_start(args->trace);
		notify_set_traced();
	}
	err = notify_start();
	if (err)
		die("can't start threads: %s", strerror(-err));
	log_event(LF_INTERPOSER, LL_INFO, "ready: the command starts");
	place_release_init(&the_place);
	main_loop(args, gofer);
}
