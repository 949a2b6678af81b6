/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - the supervisor's and the tracees' surroundings: file systems of our own, namespaces, the empty roots.
 *
 * While the host's root is still visible (place_prepare):
 *
 *   D          a private tmpfs on top of some directory of the host's, in our mount namespace only
 *   D/stub     master copy of the loader stub; linked into...
 *   D/exec     exec-root, the only thing that tracees have as a real root, seen by them through the read-only bind D/exec_ro
 *   D/token    tokens (vfs/token.c), handed out through the read-only bind D/token_ro
 *   D/store    a tmpfs of its own: file data of the upper layer
 *   D/pts      a devpts instance of our own
 *   D/empty    what the supervisor has as its root in the end
 *
 * init is cloned here: its user namespace is a child of ours and owned by our uid, so that we need no capability to look after it (matrix of
 * ptrace, prlimit and pidfd permissions: cap_capable() grants a namespace's owner in the parent everything in it).
 */
#include "interposer/supervisor.h"

#include "base/log.h"
#include "interposer/fdpass.h"
#include "interposer/filter.h"
#include "interposer/front.h"
#include "interposer/init.h"
#include "interposer/limits.h"
#include "interposer/media.h"
#include "kernel/exec.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/if.h>
#include <linux/mount.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* linux/mount.h and sys/mount.h don't go together in glibc 2.36. */
#define MS_RDONLY_  1UL
#define MS_NOSUID_  2UL
#define MS_NODEV_   4UL
#define MS_NOEXEC_  8UL
#define MS_REMOUNT_ 32UL
#define MS_BIND_    4096UL
#define MS_REC_     16384UL
#define MS_PRIVATE_ (1UL << 18)
#define MNT_DETACH_ 2
int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount2(const char *, int);

static void mount_or_die(const char *src, const char *dst, const char *type, unsigned long flags, const char *data)
{
	if (mount(src, dst, type, flags, data))
		die("can't mount %s in a namespace of our own: %s", type ? type : dst, strerror(errno));
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		die("can't open %s: %s", path, strerror(errno));
	return fd;
}

/* Moves a directory descriptor to the next of the numbers that the supervisor's filter allows in *at calls. */
static int fix_number(int fd)
{
	static int next = FIXED_FD_FIRST;
	if (next > FIXED_FD_LAST || dup3(fd, next, O_CLOEXEC) < 0)
		die("can't number a descriptor: %s", strerror(errno));
	close(fd);
	return next++;
}

/* A procfs of this process's PID namespace, without a mount point. Linux allows it where a whole procfs is visible already. */
static int new_procfs(void)
{
	AUTO_CLOSE int ctx = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC);
	if (ctx < 0 || syscall(SYS_fsconfig, ctx, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		die("can't make a procfs: %s", strerror(errno));
	int fd = (int)syscall(SYS_fsmount, ctx, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0)
		die("can't mount a procfs: %s (a container that masks parts of /proc forbids it)", strerror(errno));
	return fd;
}

/* Makes D on some directory that every host has, and makes it the working directory. */
static void mount_workspace(void)
{
	static const char *const places[] = {"/tmp", "/mnt", "/run", "/var", "/usr"};
	struct stat st;
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		if (lstat(places[i], &st) || !S_ISDIR(st.st_mode))
			continue;
		/* The size bounds what copies of programs for debuggers take, running ones included. */
		mount_or_die("sandbox", places[i], "tmpfs", MS_NOSUID_ | MS_NODEV_, "mode=0755,nr_inodes=0,size=512m");
		if (chdir(places[i]))
			die("chdir %s: %s", places[i], strerror(errno));
		return;
	}
	die("found no directory to mount on");
}

static void bind_readonly(const char *src, const char *dst, unsigned long extra)
{
	if (mkdir(dst, 0755))
		die("mkdir %s: %s", dst, strerror(errno));
	mount_or_die(src, dst, NULL, MS_BIND_, NULL);
	mount_or_die(NULL, dst, NULL, MS_BIND_ | MS_REMOUNT_ | MS_RDONLY_ | MS_NOSUID_ | MS_NODEV_ | extra, NULL);
}

static void write_stub(void)
{
	AUTO_CLOSE int fd = open("stub/stub", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0555);
	size_t len = (size_t)(stub_image_end - stub_image);
	if (fd < 0 || write(fd, stub_image, len) != (ssize_t)len)
		die("can't write the loader stub: %s", strerror(errno));
}

static void drop_capabilities(void)
{
	/* The bounding set first (it needs CAP_SETPCAP): then not even an exec as uid 0 of the namespace brings any back. */
	for (int cap = 0; cap <= 63; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno == EINVAL)
			break;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	prctl(PR_SET_SECUREBITS,
	      SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
		  SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
	      0, 0, 0);
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0}};
	if (syscall(SYS_capset, &h, none))
		die("can't drop capabilities: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("can't set no_new_privs: %s", strerror(errno));
}

static void loopback_up(void)
{
	AUTO_CLOSE int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo"};
	/* A kernel without IPv4 has no loopback to bring up: programs see that for themselves. */
	if (s < 0 || ioctl(s, SIOCGIFFLAGS, &ifr))
		return;
	ifr.ifr_flags |= IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, &ifr))
		return;
}

static void pivot_into(const char *dir)
{
	if (chdir(dir) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH_) || chdir("/"))
		die("can't change the root: %s", strerror(errno));
}

/*
 * In init: keeps what the caller of the sandbox passed on (not close-on-exec) unless it is a directory or a path; everything else is ours
 * and goes, but for keep1 and keep2.
 */
static void close_own_descriptors(int procfd, int keep1, int keep2)
{
	int dirfd = openat(procfd, "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = dirfd >= 0 ? fdopendir(dirfd) : NULL;
	if (!d)
		die("can't list descriptors: %s", strerror(errno));
	struct dirent *e;
	while ((e = readdir(d))) {
		struct stat st;
		int fd = (int)strtol(e->d_name, NULL, 10);
		int flags = fcntl(fd, F_GETFD);
		if (fd < 3 || flags < 0 || fd == dirfd || fd == keep1 || fd == keep2 || fd == log_debug_fd())
			continue;
		if ((flags & FD_CLOEXEC) || fstat(fd, &st) || S_ISDIR(st.st_mode) || (fcntl(fd, F_GETFL) & O_PATH))
			close(fd);
	}
	closedir(d);
}

static void exchange(int sock, int value)
{
	int reply;
	/* Not write(2): a filter that stops it may stand already, and nobody answers yet. */
	if (send(sock, &value, sizeof value, MSG_NOSIGNAL) != sizeof value ||
	    read(sock, &reply, sizeof reply) != sizeof reply)
		_exit(125); /* the supervisor died, and said why */
}

static long tell_supervisor(enum init_word word, long value, uint64_t ticket)
{
	return syscall(SYS_execve, INIT_MAGIC, (long)word, value, ticket);
}

/* pid 1 of the tracees' namespaces, with all capabilities in them at first. */
static _Noreturn void init_process(const struct supervisor_args *args, int sock)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	log_set_process("init");
	int go;
	if (read(sock, &go, sizeof go) != sizeof go)
		_exit(125);
	/* Our ids in the new user namespace: the virtual ones, so that what the kernel shows natively (SCM_CREDENTIALS, si_uid)
	 * is true for a program that doesn't change its ids. */
	if (args->setgroups && setgroups(0, NULL))
		die("setgroups: %s", strerror(errno));
	if (setresgid(args->gid, args->gid, args->gid) || setresuid(args->uid, args->uid, args->uid))
		die("can't take on ids inside: %s", strerror(errno));
	/* So that the supervisor can take descriptors from us: our memory still counts as the host's until there was an exec.
	 * init_main() ends this. */
	prctl(PR_SET_DUMPABLE, 1);
	if (setsid() < 0)
		die("setsid: %s", strerror(errno));
	const char *hostname = args->opt->hostname;
	if (hostname && sethostname(hostname, strlen(hostname)))
		die("can't set host name %s: %s", hostname, strerror(errno));
	if (!args->opt->net_host)
		loopback_up();
	AUTO_CLOSE int procfd = new_procfs();
	exchange(sock, procfd);
	/* A mount that came with the namespace is locked to its place and can't become the root; a bind of it can, and stays read-only. */
	mount_or_die("exec_ro", "exec_ro", NULL, MS_BIND_, NULL);
	pivot_into("exec_ro");
	/* A core dump would be written by the host's kernel with the host's rules. 0 doesn't stop a core_pattern pipe, 1 does. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1});
	limits_apply(args->opt, args->limits);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){args->rlim_nofile[0], args->rlim_nofile[1]});
	drop_capabilities();
	close_own_descriptors(procfd, sock, args->init->slave); /* procfd included */
	take_fd(&procfd);
	log_event(LF_INTERPOSER, LL_INFO, "init is ready", LOG_INT("uid", args->uid), LOG_INT("gid", args->gid));
	/* From here on the supervisor speaks for it: a descriptor of the host's has no place in here. */
	log_debug_close();
	int listener =
	    filter_install_tracee(args->media->watched, args->opt->keep != NULL,
				  args->opt->explain || (args->trace->reports && trace_wants_refused(args->trace)));
	if (listener < 0)
		die("can't install the filter: %s (Linux 5.19 or later is needed)", strerror(-listener));
	exchange(sock, listener);
	close(listener);
	close(sock);
	struct init_config cfg = *args->init;
	cfg.tell = tell_supervisor;
	cfg.trace = args->trace->reports ? args->trace : NULL;
	init_main(&cfg);
}

static void write_proc(int procfd, pid_t pid, const char *name, const char *text)
{
	char path[64];
	snprintf(path, sizeof path, "%d/%s", pid, name);
	AUTO_CLOSE int fd = openat(procfd, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("can't write %s of the tracees: %s", name, strerror(errno));
}

/* Takes the descriptor that init tells the number of. */
static int take_from_init(const struct place *p, const char *what)
{
	int number;
	if (read(p->init_sock, &number, sizeof number) != sizeof number)
		_exit(125);
	int fd = (int)syscall(SYS_pidfd_getfd, p->init_pidfd, number, 0);
	if (fd < 0)
		die("can't take init's %s: %s", what, strerror(errno));
	return fd;
}

static void reply_to_init(const struct place *p)
{
	int ok = 0;
	if (write(p->init_sock, &ok, sizeof ok) != sizeof ok)
		die("init died at once");
}

static void start_init(const struct supervisor_args *args, struct place *p)
{
	int sv[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv))
		die("socketpair: %s", strerror(errno));
	unsigned long flags =
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
	if (!args->opt->net_host)
		flags |= CLONE_NEWNET;
	pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (pid < 0)
		die("can't make the tracees' namespaces: %s", strerror(errno));
	if (pid == 0) {
		close(sv[0]);
		init_process(args, sv[1]);
	}
	close(sv[1]);
	p->init_sock = sv[0];
	p->init_pid = pid;
	char map[64];
	unsigned outer = args->two_ids ? 1 : 0;
	snprintf(map, sizeof map, "%u %u 1\n", args->uid, outer);
	write_proc(p->procfd, pid, "uid_map", map);
	if (!args->setgroups)
		write_proc(p->procfd, pid, "setgroups", "deny");
	snprintf(map, sizeof map, "%u %u 1\n", args->gid, outer);
	write_proc(p->procfd, pid, "gid_map", map);
	p->tracee_kuid = outer;
	p->tracee_kgid = outer;
	p->init_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p->init_pidfd < 0)
		die("pidfd_open: %s (Linux 5.6 or later is needed)", strerror(errno));
	reply_to_init(p);
}

int place_take_listener(const struct place *p)
{
	return take_from_init(p, "listener");
}

void place_release_init(struct place *p)
{
	reply_to_init(p);
	close(take_fd(&p->init_sock));
}

static int openat_or_die(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		die("can't open the layer's %s: %s", name, strerror(errno));
	return fd;
}

/* tmpfs's of their own, for limits; directories on disk came with us. */
static void open_stores(const struct media *m, struct place *p)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct media_store *s = &m->stores[i];
		char dir[32], data[80];
		int fd = s->tree;
		p->stores[i] = (struct vfs_store){.quota = s->quota, .keep = s->kept != NULL};
		if (s->kept) {
			p->stores[i].keep_dir = fix_number(openat_or_die(s->tree, ".", O_RDONLY | O_DIRECTORY));
			p->stores[i].journal = openat_or_die(s->tree, "journal", O_RDWR | O_NONBLOCK);
			fd = openat_or_die(s->tree, "store", O_RDONLY | O_DIRECTORY);
			close(s->tree);
		} else if (!s->path) {
			snprintf(dir, sizeof dir, "store%u", i);
			snprintf(data, sizeof data, "mode=0755,nr_inodes=0");
			if (s->tmpfs_size)
				snprintf(data, sizeof data, "mode=0755,nr_inodes=0,size=%" PRIu64, s->tmpfs_size);
			if (mkdir(dir, 0755))
				die("mkdir: %s", strerror(errno));
			mount_or_die("sandbox", dir, "tmpfs", MS_NOSUID_ | MS_NODEV_, data);
			fd = open_or_die(dir, O_RDONLY | O_DIRECTORY);
		}
		p->stores[i].dir = fix_number(fd);
	}
}

/*
 * With the host's network its abstract sockets would be in reach, many of which lead to root's or the user's own session. Landlock's scope
 * closes that for connect and sendmsg alike. It is entered here and not by init: the supervisor connects for the tracees, and a listener of
 * theirs is in its scope only if both are in one domain. A domain of scopes alone restricts no mount and no ptrace between us.
 */
static void scope_abstract_sockets(void)
{
	/* struct landlock_ruleset_attr and its flag of 6.12 (ABI 6) */
	struct {
		uint64_t handled_access_fs, handled_access_net, scoped;
	} attr = {.scoped = 1U /* LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET */};
	AUTO_CLOSE int fd = (int)syscall(444 /* landlock_create_ruleset */, &attr, sizeof attr, 0);

	if (fd < 0 || syscall(446 /* landlock_restrict_self */, fd, 0))
		log_msg("warning: with --net host this kernel (Landlock before Linux 6.12) leaves the host's abstract "
			"sockets in reach");
}

/* The command's terminal, in the sandbox's devpts; the front gets both ends (it keeps the slave, so that the master never sees a hang-up
 * between two programs), init the slave. */
static void make_pty(const struct supervisor_args *args, const struct place *p)
{
	struct front_msg m = {FRONT_PTY, 0};
	struct front *f = args->front;
	args->init->slave = -1;
	if (f->tty < 0)
		return;
	int err = front_make_pty(f, p->devptsfd);
	if (err)
		die("can't make a terminal: %s", strerror(-err));
	int fds[] = {f->master, f->slave};
	if (fdpass_send(args->ctl, fds, 2, &m, sizeof m, 0))
		_exit(125);
	close(take_fd(&f->master));
	args->init->slave = f->slave;
}

void place_prepare(const struct supervisor_args *args, struct place *p)
{
	if (args->opt->net_host)
		scope_abstract_sockets();
	mount_or_die(NULL, "/", NULL, MS_REC_ | MS_PRIVATE_, NULL);
	p->procfd = fix_number(new_procfs());
	p->dev_null = open_or_die("/dev/null", O_PATH);
	p->dev_zero = open_or_die("/dev/zero", O_PATH);
	p->dev_full = open_or_die("/dev/full", O_PATH);
	p->dev_random = open_or_die("/dev/random", O_PATH);
	p->dev_urandom = open_or_die("/dev/urandom", O_PATH);
	mount_workspace();
	static const char *const dirs[] = {"stub", "exec", "token", "store", "pts", "empty"};
	for (unsigned i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(dirs[i], 0755))
			die("mkdir: %s", strerror(errno));
	write_stub();
	p->exec_rw = fix_number(open_or_die("exec", O_RDONLY | O_DIRECTORY));
	p->exec_stub = fix_number(open_or_die("stub", O_RDONLY | O_DIRECTORY));
	bind_readonly("exec", "exec_ro", 0);
	p->token_rw = fix_number(open_or_die("token", O_RDONLY | O_DIRECTORY));
	bind_readonly("token", "token_ro", MS_NOEXEC_);
	p->token_ro = fix_number(open_or_die("token_ro", O_PATH | O_DIRECTORY));
	mount_or_die("sandbox", "store", "tmpfs", MS_NOSUID_ | MS_NODEV_, "mode=0755,nr_inodes=0");
	p->filestore = fix_number(open_or_die("store", O_RDONLY | O_DIRECTORY));
	open_stores(args->media, p);
	mount_or_die("devpts", "pts", "devpts", MS_NOSUID_ | MS_NOEXEC_, "newinstance,ptmxmode=0666,mode=0620");
	p->devptsfd = fix_number(open_or_die("pts", O_RDONLY | O_DIRECTORY));
	make_pty(args, p);
	start_init(args, p);
	p->guest_procfd = fix_number(take_from_init(p, "procfs"));
	reply_to_init(p);
}

/*
 * Whom we were cloned from had some open, a layer's above all. From one of the host's ".." leads out of the empty root; and that our filter
 * allows only certain numbers is no hindrance, as dup3(2) gives one of these.
 */
static void close_host_dirs(int procfd)
{
	int list = openat(procfd, "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = list < 0 ? NULL : fdopendir(list);
	struct dirent *e;
	struct stat st;
	if (!d)
		die("can't list our descriptors: %s", strerror(errno));
	while ((e = readdir(d))) {
		int fd = (int)strtol(e->d_name, NULL, 10);
		bool ours = e->d_name[0] == '.' || fd == list || (fd >= FIXED_FD_FIRST && fd <= FIXED_FD_LAST);
		if (!ours && !fstat(fd, &st) && S_ISDIR(st.st_mode))
			close(fd);
	}
	closedir(d);
}

void place_leave(const struct place *p)
{
	close_host_dirs(p->procfd);
	/* The network of the tracees, if it's the host's, isn't ours. */
	if (unshare(CLONE_NEWNET))
		die("can't leave the network: %s", strerror(errno));
	mount_or_die("empty", "empty", NULL, MS_BIND_, NULL);
	mount_or_die(NULL, "empty", NULL, MS_BIND_ | MS_REMOUNT_ | MS_RDONLY_ | MS_NOSUID_ | MS_NODEV_ | MS_NOEXEC_, NULL);
	pivot_into("empty");
	drop_capabilities();
	/* Nobody of our uid may look into us. Not before init was set up: its /proc files would belong to the host's root. */
	prctl(PR_SET_DUMPABLE, 0);
}
