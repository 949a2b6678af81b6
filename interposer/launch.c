/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - starts gofer and supervisor, each in a process of its own, then becomes the front.
 *
 * Who is where:
 *   front       stays as it is: the user's terminal, signals, exit status
 *   gofer       forked before any namespace of ours exists, so that it sees ids and files as the host shows them; what it serves are
 *               detached mounts made beforehand, read-only but for rw binds
 *   supervisor  cloned into user, PID, mount, IPC, UTS and (unless the host's network was asked for) network namespaces.
 *               Started by root it runs as one unused uid and its tracees as another.
 */
#include "interposer/launch.h"

#include "base/log.h"
#include "gofer/gofer.h"
#include "interposer/fdpass.h"
#include "interposer/front.h"
#include "interposer/init.h"
#include "interposer/limits.h"
#include "interposer/media.h"
#include "interposer/registry.h"
#include "interposer/supervisor.h"
#include "interposer/trace/sink.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* One for each worker that is likely to wait for the gofer at a time, and one to watch. */
#define GOFER_CONNECTIONS 4
#define MAX_EXPORTS       200

static void write_file(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("can't write %s: %s", path, strerror(errno));
}

static bool try_write_file(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool have_cap(int cap)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{0}};
	if (syscall(SYS_capget, &h, d))
		return false;
	return d[cap / 32].effective & (1U << (cap % 32));
}

/* What is exported: the root, then the binds. */
struct export_request {
	const char *path;
	bool ro;
	bool store; /* a directory of upper data instead */
};

static void open_export_or_die(const struct export_request *r, int *fd)
{
	int err = r->store ? gofer_open_store(r->path, fd) : gofer_open_export(r->path, r->ro, fd);
	if (err == -ENOSYS)
		die("this kernel lacks open_tree(2) or mount_setattr(2): Linux 5.12 or later is needed (6.1 or later for "
		    "all)");
	if (err)
		die("can't export %s: %s", r->path, strerror(-err));
}

/* In a process of its own with a user namespace, as an ordinary user may: makes the mounts and sends their descriptors. */
static _Noreturn void export_helper(int sock, const struct export_request *req, unsigned n)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
		die("can't make a user namespace (%s): the sandbox needs them when not started by root; "
		    "see sysctl user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns",
		    strerror(errno));
	char map[64];
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof map, "%u %u 1", uid, uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof map, "%u %u 1", gid, gid);
	write_file("/proc/self/gid_map", map);
	for (unsigned i = 0; i < n; i++) {
		int fd = -1;
		open_export_or_die(&req[i], &fd);
		if (fdpass_send(sock, &fd, 1, "", 1, 0))
			_exit(125);
		close(fd);
	}
	_exit(0);
}

/* Without a word: another process has said why. */
static _Noreturn void leave(int status)
{
	media_give_up();
	_exit(status);
}

static void open_exports(const struct export_request *req, unsigned n, struct gofer_export *out)
{
	bool privileged = have_cap(CAP_SYS_ADMIN);
	int sv[2] = {-1, -1};
	pid_t helper = -1;
	if (!privileged) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
			die("socketpair: %s", strerror(errno));
		helper = fork();
		if (helper < 0)
			die("fork: %s", strerror(errno));
		if (helper == 0) {
			close(sv[0]);
			export_helper(sv[1], req, n);
		}
		close(sv[1]);
	}
	for (unsigned i = 0; i < n; i++) {
		out[i].ro = req[i].ro;
		if (privileged) {
			open_export_or_die(&req[i], &out[i].rootfd);
		} else {
			char byte;
			size_t len = 1;
			int fds[FDPASS_MAX];
			if (fdpass_recv(sv[0], fds, &byte, &len, 0) != 1) {
				waitpid(helper, NULL, 0); /* it said why */
				leave(125);
			}
			out[i].rootfd = fds[0];
		}
	}
	if (!privileged) {
		close(sv[0]);
		waitpid(helper, NULL, 0);
	}
}

static int cmp_int(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;
	return (x > y) - (x < y);
}

/* Closes every descriptor but those in keep (sorted here). */
static void close_others(int *keep, unsigned n)
{
	qsort(keep, n, sizeof *keep, cmp_int);
	unsigned from = 0;
	for (unsigned i = 0; i < n; i++) {
		if (keep[i] < 0 || (unsigned)keep[i] < from)
			continue;
		if ((unsigned)keep[i] > from)
			syscall(SYS_close_range, from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	syscall(SYS_close_range, from, ~0U, 0);
}

static void start_gofer(const struct gofer_export *exports, unsigned n, const int *socks)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(125);
	prctl(PR_SET_NAME, "sandbox-gofer");
	/* Out of the terminal's reach: Ctrl-C is for the command, the gofer ends with its last connection. */
	setsid();
	/* Nothing of ours on 0 and 1; 2 stays for messages. */
	int keep[2 + MAX_EXPORTS + GOFER_CONNECTIONS], k = 0;
	keep[k++] = 2;
	keep[k++] = log_debug_fd();
	log_set_process("gofer");
	for (unsigned i = 0; i < n; i++)
		keep[k++] = exports[i].rootfd;
	for (int i = 0; i < GOFER_CONNECTIONS; i++)
		keep[k++] = socks[i];
	close_others(keep, (unsigned)k);
	_exit(gofer_serve(exports, n, socks, GOFER_CONNECTIONS));
}

/* The tracees inherit descriptors that the caller passed on purpose, but never one of a directory: it would be a door to the host. */
void launch_check_inherited(void)
{
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		int flags = fcntl(fd, F_GETFL);
		if (flags < 0) {
			/* A closed standard descriptor must not be taken by one of ours. */
			int null = open("/dev/null", fd ? O_WRONLY : O_RDONLY);
			if (null != fd)
				die("can't open /dev/null: %s", strerror(errno));
			continue;
		}
		if (!fstat(fd, &st) && (S_ISDIR(st.st_mode) || (flags & O_PATH)))
			die("descriptor %d is a directory or a path: it can't be passed into the sandbox", fd);
	}
}

static void write_maps(pid_t pid, bool privileged, uid_t kuid, gid_t kgid, struct supervisor_args *args)
{
	char path[64], map[128];
	snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
	if (privileged) {
		snprintf(map, sizeof map, "0 %u 1\n1 %u 1\n", kuid, kuid + 1);
		if (try_write_file(path, map)) {
			snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
			snprintf(map, sizeof map, "0 %u 1\n1 %u 1\n", kgid, kgid + 1);
			write_file(path, map);
			return;
		}
		/* In a container whose user namespace doesn't reach so far: one id for both. */
	}
	args->two_ids = false;
	snprintf(map, sizeof map, "0 %u 1\n", geteuid());
	write_file(path, map);
	snprintf(path, sizeof path, "/proc/%d/setgroups", pid);
	write_file(path, "deny");
	snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
	snprintf(map, sizeof map, "0 %u 1\n", getegid());
	write_file(path, map);
}

/* Their mounts, in the order of the stores. Found by path, so: are these the directories that we have locked? */
static void take_stores(struct media *m, const struct gofer_export *from)
{
	for (unsigned i = 0; i < m->n; i++) {
		struct media_store *s = &m->stores[i];
		struct stat a, b;
		if (!s->path && !s->kept)
			continue;
		s->tree = (from++)->rootfd;
		if (s->path && (fstat(s->tree, &a) || fstat(s->lock, &b) || a.st_dev != b.st_dev || a.st_ino != b.st_ino))
			die("the filestore %s was replaced", s->path);
	}
}

/* The pseudo terminal that the supervisor has made for us: 0, or the status to exit with. */
static int take_pty(struct front *front, int ctl)
{
	struct front_msg m = {0};
	size_t len = sizeof m;
	int fds[FDPASS_MAX];
	int n = fdpass_recv(ctl, fds, &m, &len, 0);
	if (n == 2 && m.event == FRONT_PTY) {
		front->master = fds[0];
		front->slave = fds[1];
		return 0;
	}
	if (!(n == 0 && m.event == FRONT_FAILED)) /* else it said why */
		log_msg("the supervisor died before the command began");
	return 125;
}

static void open_debug_log(const struct launch_options *opt)
{
	int r = opt->debug_log ? log_debug_open(opt->debug_log, opt->debug_levels) : 0;
	if (r == -EINVAL)
		die("--debug-level: \"%s\": FOLDER=LEVEL,... of gofer, vfs, kernel, interposer, tools and off, error, warn, "
		    "info, "
		    "debug, trace",
		    opt->debug_levels);
	if (r)
		die("--debug-log: %s: %s", opt->debug_log, strerror(-r));
}

static const char *medium_name(const struct launch_options *opt)
{
	static const char *const names[] = {"memory", "memory", "dir", "self"};
	if (opt->overlay_none)
		return "none";
	if (opt->keep)
		return "kept";
	return names[opt->root_medium.kind ? opt->root_medium.kind : opt->all.kind];
}

/* Without a record it runs all the same: it can't be found then. */
static void register_sandbox(struct registration *r, const struct launch_options *opt, pid_t sup)
{
	int err = registry_add(r, sup, opt->name, medium_name(opt), opt->root, opt->argv);
	if (err == -EPERM)
		log_msg(
		    "warning: the directory for sandbox ps and exec isn't our own and private: this one will not be found");
	log_event(LF_INTERPOSER, LL_INFO, "registered", LOG_INT("result", err), LOG_STR("record", r->file),
		  LOG_INT("supervisor", sup));
	if (err)
		registry_remove(r);
}

int sandbox_run(const struct launch_options *opt)
{
	struct init_config init = {.argv = opt->argv, .env = opt->env};
	init_save_signals(&init);
	launch_check_inherited();
	open_debug_log(opt);
	struct trace_sink sink = trace_sink_open(&opt->trace);
	/* RLIMIT_NOFILE: gofer and supervisor use all they may; init gives the command what we had. */
	struct rlimit nofile;
	getrlimit(RLIMIT_NOFILE, &nofile);
	struct rlimit all = {nofile.rlim_max, nofile.rlim_max};
	setrlimit(RLIMIT_NOFILE, &all);

	struct trace_options trace = opt->trace;
	trace.fd = sink.fd;
	trace.tty = isatty(trace.fd >= 0 ? trace.fd : 2);

	int explain_fd = 2;
	if (opt->explain_file) {
		explain_fd = open(opt->explain_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (explain_fd < 0)
			die("--explain: %s: %s", opt->explain_file, strerror(errno));
	}
	struct front front;
	int err = front_open(&front);
	if (err)
		die("can't set up a terminal: %s", strerror(-err));
	front.timeout_ms = opt->timeout_ms;
	memcpy(init.use_pty, front.use_pty, sizeof init.use_pty);
	init.background = front.background;

	unsigned n = 1;
	struct export_request *req = xcalloc(opt->n_mounts + opt->n_layers + 2 + N_SYS_PARTS + VFS_STORES, sizeof *req);
	req[0] = (struct export_request){.path = opt->root, .ro = true};
	for (unsigned i = 0; i < opt->n_mounts; i++)
		if (opt->mounts[i].kind == MOUNT_BIND)
			req[n++] = (struct export_request){.path = opt->mounts[i].src,
							   .ro = opt->mounts[i].bind != BIND_RW || opt->all.kind};
	if (n + opt->n_layers > MAX_EXPORTS - N_SYS_PARTS - VFS_STORES)
		die("too many binds (at most %d)", MAX_EXPORTS - N_SYS_PARTS - VFS_STORES - 1);
	struct sys_part sys[N_SYS_PARTS] = {{"/sys/devices/system", 0}, {"/sys/kernel/mm/transparent_hugepage", 0}};
	for (unsigned i = 0; i < N_SYS_PARTS; i++) {
		if (access(sys[i].path, X_OK))
			continue;
		sys[i].export = n;
		req[n++] = (struct export_request){.path = sys[i].path, .ro = true};
	}
	const uint32_t first_layer = n;
	for (unsigned i = 0; i < opt->n_layers; i++)
		req[n++] = (struct export_request){.path = opt->layers[i].store, .ro = true};
	static struct media media;
	static struct limits limits;
	unsigned n_req = n;
	media_prepare(opt, &media);
	/* Where each write asks the supervisor, handing it over to the tracer would cost more than its stops; and only one that
	 * has stopped shows its registers. */
	trace.reports = trace.on && !media.watched && !trace.stacks;
	/* Mounts of their own, so that nothing outside can be reached from them by "..". Not for the gofer. */
	for (unsigned i = 0; i < media.n; i++)
		if (media.stores[i].kept)
			req[n_req++] = (struct export_request){.path = media.stores[i].kept, .ro = false};
		else if (media.stores[i].path)
			req[n_req++] = (struct export_request){.path = media.stores[i].path, .store = true};
	struct gofer_export *exports = xcalloc(n_req, sizeof *exports);
	open_exports(req, n_req, exports);
	free(req);
	take_stores(&media, exports + n);
	for (unsigned i = 0; i < n; i++)
		exports[i].hidden = media_stores_in(&media, exports[i].rootfd);

	int client[GOFER_CONNECTIONS], server[GOFER_CONNECTIONS];
	for (int i = 0; i < GOFER_CONNECTIONS; i++) {
		int sv[2];
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
			die("socketpair: %s", strerror(errno));
		client[i] = sv[0];
		server[i] = sv[1];
	}
	start_gofer(exports, n, server);
	for (unsigned i = 0; i < n; i++)
		close(exports[i].rootfd);
	for (int i = 0; i < GOFER_CONNECTIONS; i++)
		close(server[i]);
	free(exports);

	limits_prepare(opt, &limits);
	int ctl[2], ready[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ctl) || pipe2(ready, O_CLOEXEC))
		die("socketpair: %s", strerror(errno));
	AUTO_FREE char *cwd = getcwd(NULL, 0);
	int ngroups = getgroups(0, NULL);
	AUTO_FREE gid_t *groups = xcalloc((size_t)MAX(ngroups, 1), sizeof *groups);
	ngroups = getgroups(ngroups, groups);
	bool privileged = have_cap(CAP_SETUID) && have_cap(CAP_SETGID) && have_cap(CAP_SYS_ADMIN);
	struct supervisor_args args = {
	    .opt = opt,
	    .trace = &trace,
	    .explain_fd = explain_fd,
	    .ctl = ctl[1],
	    .gofer_socks = client,
	    .n_gofer_socks = GOFER_CONNECTIONS,
	    .front = &front,
	    .init = &init,
	    .maps_ready = ready[0],
	    .two_ids = privileged,
	    .setgroups = privileged,
	    .uid = opt->set_ids    ? opt->uid
		   : opt->fakeroot ? 0
				   : geteuid(),
	    .gid = opt->set_ids    ? opt->gid
		   : opt->fakeroot ? 0
				   : getegid(),
	    .sys = {sys[0], sys[1]},
	    .first_layer = first_layer,
	    .media = &media,
	    .limits = &limits,
	    .host_uid = geteuid(),
	    .host_gid = getegid(),
	    .ngroups = opt->set_ids || opt->fakeroot ? 0 : MAX(ngroups, 0),
	    .groups = groups,
	    .cwd = cwd ? cwd : "/",
	    .rlim_nofile = {nofile.rlim_cur, nofile.rlim_max},
	};
	uid_t kuid = opt->keep && opt->keep->kuid ? opt->keep->kuid : launch_kuid();
	/* two_ids is settled by write_maps(), which the child must know of: it reads it with the byte. */
	unsigned long flags =
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
	pid_t sup = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (sup < 0)
		die("can't make namespaces (%s): user namespaces are needed; see sysctl user.max_user_namespaces and "
		    "kernel.apparmor_restrict_unprivileged_userns",
		    strerror(errno));
	if (sup == 0) {
		close(ctl[0]);
		close(ready[1]);
		bool two;
		if (read(ready[0], &two, sizeof two) != sizeof two)
			_exit(125);
		args.two_ids = two;
		args.setgroups = two;
		supervisor_main(&args);
	}
	close(ctl[1]);
	close(ready[0]);
	for (unsigned i = 0; i < media.n; i++)
		if (media.stores[i].kept)
			close_fd_(&media.stores[i].tree);
	for (int i = 0; i < GOFER_CONNECTIONS; i++)
		close(client[i]);
	write_maps(sup, privileged, kuid, kuid, &args);
	limits_join(&limits, sup);
	if (args.two_ids)
		media_chown(&media, kuid, kuid);
	if (write(ready[1], &args.two_ids, sizeof args.two_ids) != sizeof args.two_ids)
		die("the supervisor died at once");
	close(ready[1]);
	/* After the last fork of ours: nobody else has the socket. */
	struct registration reg;
	register_sandbox(&reg, opt, sup);
	front.listener = reg.listener;
	front.dump_on_usr1 = opt->debug_log != NULL;
	int status = front.tty >= 0 ? take_pty(&front, ctl[0]) : 0;
	if (!status)
		status = front_run(&front, ctl[0], sup);
	registry_remove(&reg);
	log_event(LF_INTERPOSER, LL_INFO, "the sandbox ended", LOG_INT("status", status));
	/* Supervisor and gofer die with us (PR_SET_PDEATHSIG) if they have not ended yet; but who has files open in a filestore, is in
	 * a control group, has the lock of a layer or the trace's pipe goes first. */
	if (media.n || limits.n || opt->n_layers || sink.writer) {
		kill(sup, SIGKILL);
		waitpid(sup, NULL, 0);
		media_remove(&media);
		limits_remove(&limits);
	}
	trace_sink_close(&sink);
	return status;
}
