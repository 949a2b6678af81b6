/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_guest.c - struct host_ops without a tracee. A task's descriptor n is our own descriptor FD_BASE + task * 64 + n; its memory is the arena;
 * its record is in a table. What the kernel answers with CALL_CONTINUE runs natively on those descriptors, as it would in a tracee.
 */
#include "tools/fuzz/kernel_fuzz.h"
#include "tools/fuzz/fuzz.h"

#include "gofer/gofer.h"
#include "kernel/filter_rules.h"
#include "vfs/fs.h"

#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define FD_BASE   512
#define ALL_TASKS (KF_TASKS + 1)
#define INSPECTOR KF_TASKS /* sees all, looks from the very top */
#define COLLECT   64       /* sequences */

static struct task {
	struct record *rec; /* owned */
	uint64_t open;      /* bit n: descriptor n */
} tasks[ALL_TASKS];
static uint64_t all_caps;
static struct path top;
static const char host_dir[] = "/mnt"; /* covered, in a mount namespace of our own */
static dev_t lower_dev;
static enum kf_fs under_test;

static int real(unsigned task, uint64_t fd)
{
	uint32_t n = (uint32_t)fd;

	return n < KF_FDS && (tasks[task].open >> n & 1) ? (int)(FD_BASE + task * 64 + n) : -1;
}

static int lowest(unsigned task, uint32_t from)
{
	for (uint32_t n = from; n < KF_FDS; n++)
		if (!(tasks[task].open >> n & 1))
			return (int)n;
	return -EMFILE;
}

/* hostfd stays the caller's. */
static int64_t put_at(unsigned task, int hostfd, int at, bool cloexec)
{
	if (at < 0)
		return at;
	FUZZ_CHECK(dup3(hostfd, (int)(FD_BASE + task * 64) + at, cloexec ? O_CLOEXEC : 0) >= 0);
	tasks[task].open |= UINT64_C(1) << at;
	return at;
}

static unsigned task_of(const struct call *c)
{
	return (unsigned)((struct task *)c->host - tasks);
}

/* --- host_ops --- */
static bool in(uint64_t addr, size_t len, uint64_t from, uint64_t size)
{
	return addr >= from && len <= size && addr - from <= size - len;
}
static int guest_read(struct call *c, uint64_t addr, void *buf, size_t len)
{
	if (!in(addr, len, KF_ARENA, 6 * KF_SLOT + 0x1000) && !in(addr, len, KF_RO, 0x1000))
		return -EFAULT;
	memcpy(buf, (void *)addr, len);
	return 0;
}
static int guest_write(struct call *c, uint64_t addr, const void *buf, size_t len)
{
	if (!in(addr, len, KF_ARENA, 6 * KF_SLOT + 0x1000))
		return -EFAULT;
	memcpy((void *)addr, buf, len);
	return 0;
}
static ssize_t guest_read_string(struct call *c, uint64_t addr, char *buf, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (guest_read(c, addr + i, buf + i, 1))
			return -EFAULT;
		if (!buf[i])
			return (ssize_t)i;
	}
	return -ENAMETOOLONG;
}
static int guest_get_fd(struct call *c, int fd)
{
	int r = fcntl(real(task_of(c), (uint64_t)(int64_t)fd), F_DUPFD_CLOEXEC, 3);

	return r < 0 ? -EBADF : r;
}
static int guest_put_fd(struct call *c, int hostfd, int at, bool cloexec)
{
	return (int)put_at(task_of(c), hostfd, at >= 0 ? at : lowest(task_of(c), 0), cloexec);
}
static int guest_set_record(struct call *c, struct record *next, bool privileged)
{
	struct task *t = c->host;

	record_get(next);
	record_put(t->rec);
	t->rec = next;
	return 0;
}
static void guest_pids(struct call *c, pid_t *tgid, pid_t *tid)
{
	*tgid = *tid = (pid_t)(100 + task_of(c));
}
static pid_t guest_no_pid(struct call *c, pid_t pid)
{
	return -ESRCH;
}
static int guest_rlimit(struct call *c, pid_t guest, int resource, const uint64_t next[2], uint64_t old[2])
{
	if (next)
		return -EPERM;
	if (old)
		old[0] = old[1] = resource == RLIMIT_NOFILE ? KF_FDS : UINT64_MAX;
	return 0;
}
static struct record *guest_record_of(struct call *c, pid_t guest)
{
	return NULL;
}
static void guest_may_block(struct call *c)
{
}
static bool guest_interrupted(struct call *c)
{
	return true; /* nothing may wait here */
}
static int guest_exec_prepare(struct call *c, const char *name, bool private_, uint64_t *ino)
{
	return -ENOEXEC;
}
static int guest_exec_copy(struct call *c, const char *name, int exe, const char *interp, int interp_fd, uint64_t *ino)
{
	return -ENOEXEC;
}
static uint64_t guest_exec_running(struct call *c)
{
	return 0;
}
static void guest_exec_done(struct call *c, const char *name)
{
}
static struct record *guest_current(struct call *c)
{
	struct task *t = c->host;

	record_get(t->rec);
	return t->rec;
}
static pid_t guest_pidfd_pid(struct call *c, int fd)
{
	return -EBADF;
}
static int guest_fd_cloexec(struct call *c, int fd)
{
	int r = fcntl(real(task_of(c), (uint64_t)(int64_t)fd), F_GETFD);

	return r < 0 ? -EBADF : r & FD_CLOEXEC;
}
static bool guest_traced(struct call *c)
{
	return false;
}
static bool guest_thread_fds(struct call *c)
{
	return true;
}
static void guest_raise(struct call *c, int sig)
{
}

static ssize_t guest_true_cpus(struct call *c, pid_t guest, size_t len, cpu_set_t *cpus)
{
	return 0;
}

static const struct host_ops ops = {
    .read = guest_read,
    .write = guest_write,
    .read_string = guest_read_string,
    .get_fd = guest_get_fd,
    .put_fd = guest_put_fd,
    .set_record = guest_set_record,
    .guest_pids = guest_pids,
    .host_pid = guest_no_pid,
    .rlimit = guest_rlimit,
    .record_of = guest_record_of,
    .may_block = guest_may_block,
    .interrupted = guest_interrupted,
    .exec_prepare = guest_exec_prepare,
    .exec_copy = guest_exec_copy,
    .exec_running = guest_exec_running,
    .exec_done = guest_exec_done,
    .current = guest_current,
    .guest_pid = guest_no_pid,
    .pidfd_pid = guest_pidfd_pid,
    .fd_cloexec = guest_fd_cloexec,
    .traced = guest_traced,
    .thread_fds = guest_thread_fds,
    .raise = guest_raise,
    .true_cpus = guest_true_cpus,
};

/* --- What the host kernel would run in the tracee --- */
static int64_t close_guest(unsigned task, uint32_t n)
{
	int fd = real(task, n);

	if (fd < 0)
		return -EBADF;
	close(fd);
	tasks[task].open &= ~(UINT64_C(1) << n);
	return 0;
}

static int64_t dup_to(unsigned task, uint64_t from, uint64_t to, uint64_t flags, bool dup3_)
{
	uint32_t n = (uint32_t)to;
	int fd = real(task, from);

	if (dup3_ && ((uint32_t)flags & ~(unsigned)O_CLOEXEC))
		return -EINVAL;
	if (dup3_ && (uint32_t)from == n)
		return -EINVAL;
	if (!dup3_ && (uint32_t)from == n)
		return fd < 0 ? -EBADF : (int64_t)n;
	if (n >= KF_FDS || fd < 0)
		return -EBADF;
	return put_at(task, fd, (int)n, flags & O_CLOEXEC);
}

static int64_t dup_from(unsigned task, uint64_t from, uint64_t least, bool cloexec)
{
	int fd = real(task, from), at;

	if (fd < 0)
		return -EBADF;
	if ((uint32_t)least >= KF_FDS)
		return -EINVAL;
	at = lowest(task, (uint32_t)least);
	return put_at(task, fd, at, cloexec);
}

static int64_t close_some(unsigned task, uint32_t first, uint32_t last, uint32_t flags)
{
	if (flags & ~(unsigned)(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE) || first > last)
		return -EINVAL;
	for (uint32_t n = first; n <= last && n < KF_FDS; n++) {
		if (flags & CLOSE_RANGE_CLOEXEC)
			fcntl(real(task, n), F_SETFD, FD_CLOEXEC);
		else
			close_guest(task, n);
	}
	return 0;
}

static int64_t native(unsigned task, int nr, const uint64_t args[6])
{
	const struct syscall_desc *d = syscall_desc(nr);
	uint64_t a[6];

	switch (nr) {
	case SYS_close:
		return close_guest(task, (uint32_t)args[0]);
	case SYS_dup:
		return dup_from(task, args[0], 0, false);
	case SYS_dup2:
		return dup_to(task, args[0], args[1], 0, false);
	case SYS_dup3:
		return dup_to(task, args[0], args[1], args[2], true);
	case SYS_close_range:
		return close_some(task, (uint32_t)args[0], (uint32_t)args[1], (uint32_t)args[2]);
	case SYS_fcntl:
		if ((uint32_t)args[1] == F_DUPFD || (uint32_t)args[1] == F_DUPFD_CLOEXEC)
			return dup_from(task, args[0], args[2], (uint32_t)args[1] == F_DUPFD_CLOEXEC);
		break;
	default:
		break;
	}
	for (int i = 0; i < 6; i++)
		a[i] = i < d->nargs && d->args[i] == ARG_FD ? (uint64_t)(int64_t)real(task, args[i]) : args[i];
	long r = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	return r < 0 ? -errno : r;
}

static int64_t guest_call(unsigned task, int nr, const uint64_t args[6])
{
	struct call c = {.nr = nr, .pid = (pid_t)(100 + task), .ops = &ops, .host = &tasks[task], .rec = tasks[task].rec};
	int err;
	int64_t r;

	switch (filter_decide(nr, args, &err)) {
	case FILTER_ERRNO:
		return -err;
	case FILTER_ALLOW:
		return native(task, nr, args);
	default:
		break;
	}
	memcpy(c.args, args, sizeof(c.args));
	record_get(c.rec);
	r = kernel_call(&c);
	if (r == CALL_CONTINUE) {
		r = native(task, nr, args);
	} else if (r == CALL_INSTALLED) {
		r = put_at(task, c.ret_fd, lowest(task, 0), c.ret_cloexec);
		close(c.ret_fd);
	}
	record_put(c.rec);
	return r;
}

static void fork_task(unsigned from, unsigned to)
{
	FUZZ_CHECK(!tasks[to].rec && !tasks[to].open);
	record_get(tasks[from].rec);
	tasks[to].rec = tasks[from].rec;
	for (uint32_t n = 0; n < KF_FDS; n++) {
		int fd = real(from, n);

		if (fd >= 0)
			put_at(to, fd, (int)n, fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
}

int64_t kf_guest_call(const struct kf_op *o)
{
	uint64_t args[6];

	kf_load(o);
	if (o->child != KF_NO_FORK) {
		fork_task(o->task, o->child);
		return 0;
	}
	for (int i = 0; i < 6; i++)
		args[i] = o->a[i].v;
	return guest_call(o->task, o->nr, args);
}

int64_t kf_guest_sys(void *ctx, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	const uint64_t args[6] = {a, b, c, d, e, 0};

	return guest_call(INSPECTOR, (int)nr, args);
}

void kf_guest_fd(unsigned task, uint64_t fd, struct kf_fdinfo *out)
{
	AUTO_VFILE struct vfile f = {0};
	struct stat st;
	int host = real(task, fd);

	*out = (struct kf_fdinfo){.open = host >= 0};
	if (host < 0 || vfs_identify(host, &f))
		return;
	out->o_path = f.o_path;
	out->dir = f.kind == VF_DIR;
	out->foreign = f.kind == VF_FOREIGN;
	out->writes = f.kind == VF_FILE && !f.o_path && (fcntl(host, F_GETFL) & O_ACCMODE) != O_RDONLY;
	out->ino = f.kind == VF_FOREIGN ? 0 : f.inode->ino;
	out->lower = under_test == KF_OVERLAY && f.kind == VF_FILE && !f.o_path && S_ISREG(f.inode->mode) &&
		     !fstat(host, &st) && st.st_dev == lower_dev;
	out->stale = out->lower && (f.inode->flags & I_UPPER);
}

/* --- Setting up --- */
static struct record *new_record(uid_t id, const struct path *dir)
{
	struct record *d = record_draft(NULL), *r;
	size_t groups = id ? 1 : 0;

	FUZZ_CHECK(d);
	d->cred = calloc(1, sizeof(*d->cred) + groups * sizeof(gid_t));
	FUZZ_CHECK(d->cred);
	*d->cred = (struct cred){.uid = id,
				 .euid = id,
				 .suid = id,
				 .fsuid = id,
				 .gid = id,
				 .egid = id,
				 .sgid = id,
				 .fsgid = id,
				 .bounding = all_caps,
				 .permitted = id ? 0 : all_caps,
				 .effective = id ? 0 : all_caps,
				 .ngroups = (int)groups};
	if (groups)
		d->cred->groups[0] = 1001;
	d->umask = 022;
	d->dumpable = true;
	d->cwd = d->root = *dir;
	path_get(dir);
	path_get(dir);
	r = record_intern(d);
	FUZZ_CHECK(r);
	return r;
}

static int directory(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", host_dir, name);
	FUZZ_CHECK(mkdir(path, 0755) == 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(fd >= 0);
	return fd;
}

static struct gofer_export export(const char *name, bool ro)
{
	struct gofer_export e = {.ro = ro};
	char path[128];

	close(directory(name));
	snprintf(path, sizeof(path), "%s/%s", host_dir, name);
	FUZZ_CHECK(gofer_open_export(path, ro, &e.rootfd) == 0);
	return e;
}

void kf_guest_start(struct kf_shared *h)
{
	static struct gofer_export exports[2];
	struct rlimit files = {4096, 4096};
	struct stat st;

	all_caps = h->caps;
	FUZZ_CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
	FUZZ_CHECK(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	FUZZ_CHECK(mount("fuzz", host_dir, "tmpfs", MS_NOSUID | MS_NOATIME, "size=512m,mode=755,inode64") == 0);
	umask(0);
	exports[0] = export("lower", true);
	exports[1] = export("bind", false);
	FUZZ_CHECK(fstat(exports[0].rootfd, &st) == 0);
	int token = directory("token"), store = directory("store");
	/* Files that changed lie on a file system of their own, as they do in a sandbox. */
	FUZZ_CHECK(fchdir(store) == 0 &&
		   mount("fuzz", ".", "tmpfs", MS_NOSUID | MS_NOATIME, "size=512m,mode=755,inode64") == 0);
	close(store);
	char path[128];
	snprintf(path, sizeof(path), "%s/store", host_dir);
	store = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	lower_dev = st.st_dev;
	struct vfs_config cfg = {
	    .gofer = kf_gofer_start(exports, 2),
	    .procfd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC),
	    .filestore = store,
	    .token_rw = token,
	    .token_ro = token,
	    .guest_procfd = -1,
	    .devptsfd = -1,
	    .dev_null = -1,
	    .dev_zero = -1,
	    .dev_full = -1,
	    .dev_random = -1,
	    .dev_urandom = -1,
	    .hostname = "fuzz",
	};
	FUZZ_CHECK(store >= 0 && vfs_init(&cfg) == 0);
	FUZZ_CHECK(vfs_mount_root(VFS_UPPER_MEMORY) == 0);
	FUZZ_CHECK(vfs_mount_special("tmpfs", "/t", 0) == 0);
	FUZZ_CHECK(vfs_mount_bind(1, "/g", false, VFS_UPPER_NONE) == 0);
	task_init();
	vfs_root(&top);
	tasks[INSPECTOR].rec = new_record(0, &top);
	/* The server's working directory (gofer/server_ops.c). */
	FUZZ_CHECK(chdir("/proc/self/fd") == 0);
}

void kf_guest_top(enum kf_fs fs, unsigned k, char guest[KF_TOP_SIZE], char host[64])
{
	snprintf(guest, KF_TOP_SIZE, "%s/r%u", fs == KF_TMPFS ? "/t" : fs == KF_GOFERFS ? "/g" : "", k);
	if (host)
		snprintf(host, 64, "%.40s/%s/r%u", host_dir, fs == KF_GOFERFS ? "bind" : "lower", k);
}

void kf_guest_begin(const struct kf_seq *s, const char *dir)
{
	AUTO_PATH struct path p = {0};
	struct vfs_ctx ctx = {.cred = &tasks[INSPECTOR].rec->vcred, .root = &top, .cwd = &top};

	under_test = s->fs;
	FUZZ_CHECK(vfs_resolve(&ctx, NULL, dir, 0, &p) == 0);
	for (unsigned t = 0; t < 2; t++)
		tasks[t].rec = new_record(t ? 1000 : 0, &p);
}

static void mark_inspector(void (*mark)(uint64_t id, void *arg), void *arg)
{
	mark(tasks[INSPECTOR].rec->id, arg);
}

void kf_guest_end(void)
{
	static unsigned k;

	for (unsigned t = 0; t < KF_TASKS; t++) {
		if (tasks[t].open)
			close_range(FD_BASE + t * 64, FD_BASE + t * 64 + 63, 0);
		tasks[t].open = 0;
		record_put(tasks[t].rec);
		tasks[t].rec = NULL;
	}
	if (++k % COLLECT == 0) {
		record_collect(mark_inspector);
		record_collect(mark_inspector);
		filestore_reclaim(NULL);
	}
}
