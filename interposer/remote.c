/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote.c - struct host_ops on a live tracee: its memory, descriptors, state record, limits, pids.
 *
 * All of it works with no capability because we own the tracees' user namespace from its parent. Tracees are named by the thread id that the
 * notification carries; it can't be reused while the notification is valid, because the thread is waiting for us.
 */
#include "interposer/live.h"

#include "base/log.h"
#include "interposer/trace/trace.h"
#include "kernel/pending.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

/* linux/nsfs.h of 6.11 */
#ifndef NS_GET_PID_FROM_PIDNS
#define NS_GET_PID_FROM_PIDNS _IOR(0xb7, 0x6, int)
#define NS_GET_PID_IN_PIDNS   _IOR(0xb7, 0x8, int)
#define NS_GET_TGID_IN_PIDNS  _IOR(0xb7, 0x9, int)
#endif
#define PIDFD_THREAD_ O_EXCL

/* execs under way that hold descriptors: so many are leftovers of failed ones. */
#define MANY_PENDING 128
/* And so much of groups in records that may have become useless. */
#define MANY_GROUP_BYTES ((size_t)16 << 20)

#define PIDFD_SLOTS 32
static __thread struct {
	pid_t tid;
	int fd;
} pidfds[PIDFD_SLOTS];
/* How long a thread number can't have been given to another thread. */
static int64_t reuse_ns;
static bool thread_pidfds; /* PIDFD_THREAD exists */
static int pidns_fd = -1;  /* of the tracees; -1: the ioctls above don't exist here */

void remote_thread_init(void)
{
	for (unsigned i = 0; i < PIDFD_SLOTS; i++)
		pidfds[i].fd = -1;
}

void remote_thread_idle(void)
{
	for (unsigned i = 0; i < PIDFD_SLOTS; i++) {
		close_fd_(&pidfds[i].fd);
		pidfds[i].fd = -1;
	}
}

void remote_init(void)
{
	char path[64];
	AUTO_CLOSE int probe = (int)syscall(SYS_pidfd_open, the_place.init_pid, PIDFD_THREAD_);
	thread_pidfds = probe >= 0;
	snprintf(path, sizeof path, "%d/ns/pid", the_place.init_pid);
	pidns_fd = openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	if (pidns_fd >= 0 && ioctl(pidns_fd, NS_GET_PID_IN_PIDNS, the_place.init_pid) != 1)
		close(take_fd(&pidns_fd));
	/* A fork and exit takes more than 2 us anywhere; at most half a second. */
	char text[32] = "";
	AUTO_CLOSE int fd = openat(the_place.procfd, "sys/kernel/pid_max", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
		reuse_ns = MIN(strtol(text, NULL, 10) * INT64_C(2000), INT64_C(500000000));
}

/* --- Memory -------------------------------------------------------------------------------------------------------- */

/*
 * The last string that was read for a call, and the last bytes that were written, while calls are shown: what is shown is then what the kernel
 * took and gave, and it isn't fetched twice. A call has an id only where a worker answers it.
 */
static __thread struct seen {
	uint64_t id, addr;
	size_t len;
	char data[512];
} seen_string, seen_bytes;

static void remember(struct seen *s, const struct call *c, uint64_t addr, const void *data, size_t len)
{
	if (likely(!trace_reports) || !c->id)
		return;
	s->id = len <= sizeof s->data ? c->id : 0;
	if (!s->id)
		return;
	s->addr = addr;
	s->len = len;
	memcpy(s->data, data, len);
}

static bool remembered(const struct seen *s, const struct call *c, uint64_t addr)
{
	return unlikely(trace_reports) && c->id && s->id == c->id && s->addr == addr;
}

static int live_read(struct call *c, uint64_t addr, void *buf, size_t len)
{
	if (!len)
		return 0;
	if (remembered(&seen_bytes, c, addr) && len <= seen_bytes.len) {
		memcpy(buf, seen_bytes.data, len);
		return 0;
	}
	struct iovec l = {buf, len}, r = {(void *)(uintptr_t)addr, len};
	return process_vm_readv(c->pid, &l, 1, &r, 1, 0) == (ssize_t)len ? 0 : -EFAULT;
}

static int live_write(struct call *c, uint64_t addr, const void *buf, size_t len)
{
	if (!len)
		return 0;
	struct iovec l = {(void *)(uintptr_t)buf, len}, r = {(void *)(uintptr_t)addr, len};
	if (process_vm_writev(c->pid, &l, 1, &r, 1, 0) != (ssize_t)len)
		return -EFAULT;
	remember(&seen_bytes, c, addr, buf, len);
	return 0;
}

static ssize_t live_read_string(struct call *c, uint64_t addr, char *buf, size_t size)
{
	size_t done = 0;
	/* Most strings are short: the first piece is, too. No piece crosses a page, so one that is unmapped behind the NUL does no harm. */
	size_t piece = 256;
	if (remembered(&seen_string, c, addr) && seen_string.len <= size) {
		memcpy(buf, seen_string.data, seen_string.len);
		return (ssize_t)seen_string.len - 1;
	}
	while (done < size) {
		size_t to_page_end = 4096 - ((addr + done) & 4095);
		size_t n = MIN(MIN(piece, to_page_end), size - done);
		struct iovec l = {buf + done, n}, r = {(void *)(uintptr_t)(addr + done), n};
		if (process_vm_readv(c->pid, &l, 1, &r, 1, 0) != (ssize_t)n)
			return -EFAULT;
		char *nul = memchr(buf + done, 0, n);
		if (nul) {
			remember(&seen_string, c, addr, buf, (size_t)(nul - buf) + 1);
			return nul - buf;
		}
		done += n;
		piece = 4096;
	}
	return -ENAMETOOLONG;
}

/* --- Descriptors --------------------------------------------------------------------------------------------------- */

static int pidfd_of(pid_t tid)
{
	int fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD_);
	if (fd >= 0 || errno != EINVAL)
		return fd;
	/* Before 6.9 only a leader has one; its descriptor table is the thread's (we let no thread unshare it). */
	fd = (int)syscall(SYS_pidfd_open, tid, 0);
	if (fd >= 0)
		return fd;
	char path[64], line[256];
	snprintf(path, sizeof path, "%d/status", tid);
	AUTO_CLOSE int status = openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	FILE *f = status >= 0 ? fdopen(status, "r") : NULL;
	if (!f)
		return -1;
	take_fd(&status);
	int tgid = 0;
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	fclose(f);
	return tgid > 0 ? (int)syscall(SYS_pidfd_open, tgid, 0) : -1;
}

static bool live_thread_fds(struct call *c)
{
	return thread_pidfds;
}

static int live_get_fd(struct call *c, int fd)
{
	if (fd < 0)
		return -EBADF;
	unsigned slot = (unsigned)c->pid % PIDFD_SLOTS;
	if (pidfds[slot].tid == c->pid && pidfds[slot].fd >= 0) {
		int r = (int)syscall(SYS_pidfd_getfd, pidfds[slot].fd, fd, 0);
		/* ESRCH: the slot was an earlier thread of that number. */
		if (r >= 0 || errno != ESRCH)
			return r < 0 ? -EBADF : r;
	}
	close_fd_(&pidfds[slot].fd);
	pidfds[slot].tid = c->pid;
	pidfds[slot].fd = pidfd_of(c->pid);
	if (pidfds[slot].fd < 0)
		return -EBADF;
	int r = (int)syscall(SYS_pidfd_getfd, pidfds[slot].fd, fd, 0);
	return r < 0 ? -EBADF : r;
}

/* --- State ---------------------------------------------------------------------------------------------------------- */

/*
 * The record of the thread that called last, per worker. It holds as long as no process has changed its state through us (epoch), and
 * as long as the kernel can't have given the thread's number to another one: that takes pid_max new threads in between.
 */
static __thread struct {
	pid_t tid;
	uint64_t epoch;
	int64_t until; /* ns, CLOCK_MONOTONIC_COARSE */
	struct record *rec;
} last;
static atomic_uint_fast64_t record_epoch;

static int64_t coarse_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

struct record *live_caller_record(pid_t tid)
{
	uint64_t epoch = atomic_load(&record_epoch);
	int64_t now = coarse_now();
	if (last.rec && last.tid == tid && last.epoch == epoch && now < last.until) {
		record_get(last.rec);
		return last.rec;
	}
	struct record *r = live_record(tid);
	if (last.rec)
		record_put(last.rec);
	last.tid = tid;
	last.epoch = epoch;
	last.until = now + reuse_ns;
	last.rec = r;
	if (r)
		record_get(r);
	return r;
}

struct record *live_record(pid_t pid)
{
	struct rlimit64 {
		uint64_t cur, max;
	} lim;
	if (syscall(SYS_prlimit64, pid, RLIMIT_LOCKS, NULL, &lim))
		return NULL;
	return record_find(lim.cur);
}

static struct record *live_current(struct call *c)
{
	return live_record(c->pid);
}

static DIR *live_list; /* for each_live(), guarded by task_lock() */

static void each_live(void (*mark)(uint64_t id, void *arg), void *arg)
{
	struct dirent *e;
	while ((e = readdir(live_list))) {
		uint64_t lim[2];
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid > 1 && !syscall(SYS_prlimit64, pid, RLIMIT_LOCKS, NULL, lim))
			mark(lim[0], arg);
	}
}

/* Without a descriptor or memory for the list nothing is collected: what isn't seen would count as dead. */
static void collect(void)
{
	AUTO_CLOSE int fd = openat(the_place.procfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	live_list = fd >= 0 ? fdopendir(fd) : NULL;
	if (!live_list)
		return;
	take_fd(&fd);
	record_collect(each_live);
	closedir(take_ptr(live_list));
}

static int live_set_record(struct call *c, struct record *next, bool privileged)
{
	static size_t collect_at = 4096;
	if (privileged && !notify_id_valid(c->id))
		return -ESRCH;
	uint64_t lim[2] = {next->id, RLIM_INFINITY};
	if (syscall(SYS_prlimit64, c->pid, RLIMIT_LOCKS, lim, NULL))
		return -ESRCH;
	/* After the change: what was read before it must not be kept. */
	atomic_fetch_add(&record_epoch, 1);
	/* The caller holds task_lock(): no process changes its record now, and a child that is born has a parent's. */
	/* Groups are what a record can be large by: 256 KiB. */
	static size_t group_bytes;
	group_bytes += (size_t)next->cred->ngroups * sizeof(gid_t);
	if (record_count() > collect_at || pending_count() > MANY_PENDING || group_bytes > MANY_GROUP_BYTES) {
		group_bytes = 0;
		collect();
		collect_at = MAX(2 * record_count(), (size_t)4096);
	}
	return 0;
}

/* --- Pids ------------------------------------------------------------------------------------------------------------ */

/* The line of /proc/PID/status that starts with key: its last number, that is, the one in the innermost namespace. */
static pid_t status_last_number(pid_t pid, const char *key)
{
	char path[64], buf[4096];
	snprintf(path, sizeof path, "%d/status", pid);
	AUTO_CLOSE int fd = openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
	if (n <= 0)
		return -ESRCH;
	buf[n] = 0;
	char *line = strstr(buf, key);
	char *end = line ? strchr(line, '\n') : NULL;
	if (!end)
		return -ESRCH;
	*end = 0;
	char *tab = strrchr(line, '\t');
	return tab ? (pid_t)strtol(tab + 1, NULL, 10) : -ESRCH;
}

static void live_guest_pids(struct call *c, pid_t *tgid, pid_t *tid)
{
	struct live *l = container_of(c, struct live, call);
	if (!l->guest_tgid) {
		if (pidns_fd >= 0) {
			l->guest_tid = ioctl(pidns_fd, NS_GET_PID_IN_PIDNS, c->pid);
			l->guest_tgid = ioctl(pidns_fd, NS_GET_TGID_IN_PIDNS, c->pid);
		} else {
			l->guest_tid = status_last_number(c->pid, "NSpid:");
			l->guest_tgid = status_last_number(c->pid, "NStgid:");
		}
	}
	*tgid = l->guest_tgid;
	*tid = l->guest_tid;
}

DIR *remote_opendir(const char *path)
{
	AUTO_CLOSE int fd = openat(the_place.procfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (d)
		take_fd(&fd);
	return d;
}

pid_t remote_host_pid(pid_t guest)
{
	if (guest <= 0)
		return -ESRCH;
	if (pidns_fd >= 0) {
		int pid = ioctl(pidns_fd, NS_GET_PID_FROM_PIDNS, guest);
		return pid > 0 ? pid : -ESRCH;
	}
	DIR *d = remote_opendir(".");
	if (!d)
		return -ESRCH;
	pid_t found = -ESRCH;
	struct dirent *e;
	while (found < 0 && (e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid > 1 && status_last_number(pid, "NSpid:") == guest)
			found = pid;
	}
	closedir(d);
	return found;
}

static pid_t live_guest_pid(struct call *c, pid_t host)
{
	pid_t pid = pidns_fd >= 0 ? ioctl(pidns_fd, NS_GET_PID_IN_PIDNS, host) : status_last_number(host, "NSpid:");
	return pid > 0 ? pid : -ESRCH;
}

/* A file of procfs into buf, NUL terminated. Its length or -errno. */
static ssize_t read_proc(const char *path, char *buf, size_t size)
{
	AUTO_CLOSE int fd = openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = 0;
	return n;
}

static pid_t live_pidfd_pid(struct call *c, int fd)
{
	char path[64], buf[1024];
	AUTO_CLOSE int dup = live_get_fd(c, fd);
	if (dup < 0)
		return -EBADF;
	snprintf(path, sizeof path, "self/fdinfo/%d", dup);
	if (read_proc(path, buf, sizeof buf) < 0)
		return -EBADF;
	/* "NSpid:\t11\t7": the innermost number is the last. Pid is -1 when the process is gone. */
	char *line = strstr(buf, "\nNSpid:");
	if (!line)
		return strstr(buf, "\nPid:") ? -ESRCH : -EBADF;
	char *end = strchr(line + 1, '\n');
	if (end)
		*end = 0;
	pid_t pid = (pid_t)strtol(strrchr(line, '\t') + 1, NULL, 10);
	return pid > 0 ? pid : -ESRCH;
}

static int live_get_fd_of(struct call *c, pid_t guest, int fd)
{
	pid_t pid = remote_host_pid(guest);
	AUTO_CLOSE int pidfd = pid > 0 ? pidfd_of(pid) : -1;
	if (pidfd < 0)
		return -ESRCH;
	int r = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	return r < 0 ? -errno : r;
}

static int live_access_of(struct call *c, pid_t guest, bool write, uint64_t addr, void *buf, size_t len)
{
	pid_t pid = remote_host_pid(guest);
	struct iovec l = {buf, len}, r = {(void *)(uintptr_t)addr, len};
	if (pid <= 0)
		return -ESRCH;
	ssize_t n = write ? process_vm_writev(pid, &l, 1, &r, 1, 0) : process_vm_readv(pid, &l, 1, &r, 1, 0);
	return n == (ssize_t)len ? 0 : n < 0 && errno == ESRCH ? -ESRCH : -EFAULT;
}

static int live_fd_cloexec(struct call *c, int fd)
{
	char path[64], buf[1024];
	snprintf(path, sizeof path, "%d/fdinfo/%d", c->pid, fd);
	if (fd < 0 || read_proc(path, buf, sizeof buf) < 0)
		return -EBADF;
	char *line = strstr(buf, "flags:\t");
	return line && (strtoul(line + 7, NULL, 8) & O_CLOEXEC) ? 1 : 0;
}

static bool live_traced(struct call *c)
{
	char path[64], buf[4096];
	snprintf(path, sizeof path, "%d/status", c->pid);
	if (read_proc(path, buf, sizeof buf) < 0)
		return true;
	char *line = strstr(buf, "TracerPid:\t");
	if (!line)
		return true;
	/* Our own tracer doesn't count: it shows nobody anything that the process couldn't see itself. */
	long pid = strtol(line + 11, NULL, 10);
	return pid && pid != trace_tracer();
}

static void live_raise(struct call *c, int sig)
{
	/* No group is named: the thread waits for us, so its number is still its own. */
	syscall(SYS_tkill, c->pid, sig);
}

static ssize_t live_true_cpus(struct call *c, pid_t guest, size_t len, cpu_set_t *cpus)
{
	pid_t tgid, tid;
	live_guest_pids(c, &tgid, &tid);
	pid_t pid = !guest || guest == tid ? c->pid : remote_host_pid(guest);
	return pid > 0 ? trace_true_cpus(pid, len, cpus) : 0;
}

static pid_t live_host_pid(struct call *c, pid_t guest)
{
	return remote_host_pid(guest);
}

static struct record *live_record_of(struct call *c, pid_t guest)
{
	pid_t pid = remote_host_pid(guest);
	return pid > 0 ? live_record(pid) : NULL;
}

static int live_rlimit(struct call *c, pid_t guest, int resource, const uint64_t new_[2], uint64_t old[2])
{
	pid_t pid = guest ? remote_host_pid(guest) : c->pid;
	if (pid <= 0)
		return -ESRCH;
	return syscall(SYS_prlimit64, pid, resource, new_, old) ? -errno : 0;
}

/* Hex value of a signal mask's line in /proc/PID/status. */
static uint64_t status_mask(const char *status, const char *key)
{
	const char *p = strstr(status, key);
	return p ? strtoull(p + strlen(key), NULL, 16) : 0;
}

bool remote_signal_pending(pid_t pid)
{
	char path[64], buf[4096];
	snprintf(path, sizeof path, "%d/status", pid);
	AUTO_CLOSE int fd = openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);
	if (n <= 0)
		return true;
	buf[n] = 0;
	uint64_t pending = status_mask(buf, "SigPnd:\t") | status_mask(buf, "ShdPnd:\t");
	return pending & ~status_mask(buf, "SigBlk:\t");
}

/* --- execve ---------------------------------------------------------------------------------------------------------- */

static int live_exec_prepare(struct call *c, const char *name, bool private_, uint64_t *stub_ino)
{
	return execroot_prepare(c, name, private_, stub_ino);
}

static void live_exec_done(struct call *c, const char *name)
{
	execroot_done(c->pid);
}

static int live_exec_copy(struct call *c, const char *name, int exe, const char *interp, int interp_fd, uint64_t *ino)
{
	return execroot_copy(c, name, exe, interp, interp_fd, ino);
}

static uint64_t live_exec_running(struct call *c)
{
	return execroot_running(c->pid);
}

const struct host_ops live_ops = {
    .read = live_read,
    .write = live_write,
    .read_string = live_read_string,
    .get_fd = live_get_fd,
    .put_fd = live_put_fd,
    .set_record = live_set_record,
    .current = live_current,
    .guest_pids = live_guest_pids,
    .guest_pid = live_guest_pid,
    .pidfd_pid = live_pidfd_pid,
    .get_fd_of = live_get_fd_of,
    .access_of = live_access_of,
    .fd_cloexec = live_fd_cloexec,
    .traced = live_traced,
    .raise = live_raise,
    .true_cpus = live_true_cpus,
    .thread_fds = live_thread_fds,
    .host_pid = live_host_pid,
    .rlimit = live_rlimit,
    .record_of = live_record_of,
    .may_block = live_may_block,
    .interrupted = live_interrupted,
    .exec_prepare = live_exec_prepare,
    .exec_copy = live_exec_copy,
    .exec_running = live_exec_running,
    .exec_done = live_exec_done,
};
