/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fakehost.h - host_ops on plain memory: one process, whose memory is a buffer at FAKE_BASE and whose descriptors are our own.
 * For unit tests and the fuzz harness; included by one file of a program.
 */
#ifndef TESTS_FAKEHOST_H
#define TESTS_FAKEHOST_H

#include "kernel/syscall.h"

#include <string.h>
#include <sys/resource.h>

#define FAKE_BASE UINT64_C(0x10000)
#define FAKE_SIZE (1U << 20)
#define FAKE_PID  100

struct fake {
	uint8_t mem[FAKE_SIZE];
	struct record *rec; /* the process's present one; owned */
	bool traced;
	uint64_t running;  /* exec_running() */
	uint64_t stub_ino; /* what exec_prepare() gives for a private stub */
	unsigned prepared, done, blocked;
	bool last_private;
	bool interrupt;
	int put[8];
	unsigned n_put;
};

static struct fake fake;

static bool fake_range(uint64_t addr, size_t len)
{
	return addr >= FAKE_BASE && len <= FAKE_SIZE && addr - FAKE_BASE <= FAKE_SIZE - len;
}

static int fake_read(struct call *c, uint64_t addr, void *buf, size_t len)
{
	if (!fake_range(addr, len))
		return -EFAULT;
	memcpy(buf, fake.mem + (addr - FAKE_BASE), len);
	return 0;
}

static int fake_write(struct call *c, uint64_t addr, const void *buf, size_t len)
{
	if (!fake_range(addr, len))
		return -EFAULT;
	memcpy(fake.mem + (addr - FAKE_BASE), buf, len);
	return 0;
}

static ssize_t fake_read_string(struct call *c, uint64_t addr, char *buf, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!fake_range(addr + i, 1))
			return -EFAULT;
		buf[i] = (char)fake.mem[addr + i - FAKE_BASE];
		if (!buf[i])
			return (ssize_t)i;
	}
	return -ENAMETOOLONG;
}

/* Descriptors of the test program above 2; a fuzzer's input shall not reach its own standard streams. */
static int fake_get_fd(struct call *c, int fd)
{
	int r = fd < 3 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return r < 0 ? -EBADF : r;
}

static int fake_put_fd(struct call *c, int hostfd, int at, bool cloexec)
{
	if (at >= 0)
		return at;
	fake.n_put++;
	return 50 + (int)fake.n_put;
}

static int fake_set_record(struct call *c, struct record *next, bool privileged)
{
	record_get(next);
	record_put(fake.rec);
	fake.rec = next;
	return 0;
}

static void fake_guest_pids(struct call *c, pid_t *tgid, pid_t *tid)
{
	*tgid = *tid = FAKE_PID;
}

static pid_t fake_host_pid(struct call *c, pid_t guest)
{
	return -ESRCH;
}

static int fake_rlimit(struct call *c, pid_t guest, int resource, const uint64_t next[2], uint64_t old[2])
{
	old[0] = old[1] = resource == RLIMIT_FSIZE ? UINT64_MAX : 77;
	return 0;
}

static struct record *fake_record_of(struct call *c, pid_t guest)
{
	if (guest != FAKE_PID)
		return NULL;
	record_get(fake.rec);
	return fake.rec;
}

static void fake_may_block(struct call *c)
{
	fake.blocked++;
}

static bool fake_interrupted(struct call *c)
{
	return fake.interrupt;
}

static int fake_exec_prepare(struct call *c, const char *name, bool private_, uint64_t *ino)
{
	fake.prepared++;
	fake.last_private = private_;
	*ino = private_ ? fake.stub_ino : 0;
	return 0;
}

static int fake_exec_copy(struct call *c, const char *name, int exe, const char *interp, int interp_fd, uint64_t *ino)
{
	fake.prepared++;
	*ino = fake.stub_ino;
	return 0;
}

static uint64_t fake_exec_running(struct call *c)
{
	return fake.running;
}

static void fake_exec_done(struct call *c, const char *name)
{
	fake.done++;
}

static struct record *fake_current(struct call *c)
{
	record_get(fake.rec);
	return fake.rec;
}

static pid_t fake_pid_none(struct call *c, pid_t host)
{
	return -ESRCH;
}

static pid_t fake_pidfd_pid(struct call *c, int fd)
{
	return -EBADF;
}

static int fake_fd_cloexec(struct call *c, int fd)
{
	return 0;
}

static bool fake_traced(struct call *c)
{
	return fake.traced;
}

static bool fake_thread_fds(struct call *c)
{
	return true;
}

static void fake_raise(struct call *c, int sig)
{
}

static ssize_t fake_true_cpus(struct call *c, pid_t guest, size_t len, cpu_set_t *cpus)
{
	return 0;
}

static const struct host_ops fake_ops = {
    .read = fake_read,
    .write = fake_write,
    .read_string = fake_read_string,
    .get_fd = fake_get_fd,
    .put_fd = fake_put_fd,
    .set_record = fake_set_record,
    .guest_pids = fake_guest_pids,
    .host_pid = fake_host_pid,
    .rlimit = fake_rlimit,
    .record_of = fake_record_of,
    .may_block = fake_may_block,
    .interrupted = fake_interrupted,
    .exec_prepare = fake_exec_prepare,
    .exec_copy = fake_exec_copy,
    .exec_running = fake_exec_running,
    .exec_done = fake_exec_done,
    .current = fake_current,
    .guest_pid = fake_pid_none,
    .pidfd_pid = fake_pidfd_pid,
    .fd_cloexec = fake_fd_cloexec,
    .traced = fake_traced,
    .raise = fake_raise,
    .true_cpus = fake_true_cpus,
    .thread_fds = fake_thread_fds,
};

/* A draft of a process of that user, with all capabilities for root; cwd and root as given (referenced here), may be NULL. */
static struct record *fake_draft(uid_t uid, const struct path *dir)
{
	struct record *d = record_draft(NULL);

	d->cred = calloc(1, sizeof(*d->cred));
	*d->cred = (struct cred){.uid = uid,
				 .euid = uid,
				 .suid = uid,
				 .fsuid = uid,
				 .gid = uid,
				 .egid = uid,
				 .sgid = uid,
				 .fsgid = uid,
				 .bounding = (UINT64_C(1) << 41) - 1};
	if (!uid)
		d->cred->permitted = d->cred->effective = d->cred->bounding;
	d->umask = 022;
	d->dumpable = true;
	if (dir) {
		d->cwd = d->root = *dir;
		path_get(dir);
		path_get(dir);
	}
	return d;
}

static int64_t fake_call(int nr, uint64_t a, uint64_t b, uint64_t d, uint64_t e, uint64_t f, uint64_t g)
{
	struct call c = {.nr = nr, .args = {a, b, d, e, f, g}, .pid = FAKE_PID, .ops = &fake_ops, .rec = fake.rec};
	int64_t r;

	record_get(c.rec);
	r = kernel_call(&c);
	if (r == CALL_INSTALLED && c.ret_fd >= 0)
		close(c.ret_fd);
	record_put(c.rec);
	return r;
}

#endif
