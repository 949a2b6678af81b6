/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live_caller.c - inside: tasks of several threads make random calls of syscalls.def with random arguments, while another thread of each changes the
 * strings, structures, descriptors and mappings that the arguments point to. Tasks that die are made again.
 *
 *     sandbox-fuzz-caller CANARY NONCE SEED TASKS THREADS SECONDS
 *
 * It ruins whatever it runs on, so it starts only when two sides agree that this is a sandbox: CANARY, which holds NONCE on the host, must not
 * show it here, and the watcher, having seen from outside that a file made here isn't on the host, must send NONCE on stdin.
 */
#include "kernel/syscall.h"
#include "tools/fuzz/live.h"

#include <err.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static const struct row {
	int nr;
	enum verdict verdict;
	const char *name;
	enum arg_kind args[6];
} rows[] = {
#define EMULATE(nr, name, handler, note, ...) {nr, VERDICT_EMULATE, #name, {__VA_ARGS__}},
#define CHECK(nr, name, handler, note, ...)   {nr, VERDICT_CHECK, #name, {__VA_ARGS__}},
#define NATIVE(nr, name, note, ...)           {nr, VERDICT_NATIVE, #name, {__VA_ARGS__}},
#define DENY(nr, name, e, note, ...)          {nr, VERDICT_DENY, #name, {__VA_ARGS__}},
#include "kernel/syscalls.def"
};

/* These end or stop a task at once, and nothing is learnt. */
static bool pointless(const struct row *r)
{
	static const char *const names[] = {"exit",          "exit_group",      "rt_sigreturn", "pause",
					    "rt_sigsuspend", "restart_syscall", "seccomp"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(r->name, names[i]))
			return true;
	return false;
}

#define STRINGS 16
#define BUFFERS 8
#define BUF     4096
#define GOING   (64 * 4096)
#define GAP     (1 << 20)

static struct live_shared *shared;
/* Of one task: shared by its threads. */
static char strings[STRINGS][128];
static uint8_t buffers[BUFFERS][BUF] __attribute__((aligned(4096)));
static uint8_t *going; /* mapped and unmapped */
static const char *argv_[] = {"true", strings[0], NULL};

static const char *const texts[] = {"f0",
				    "f1",
				    "d0",
				    "d0/f0",
				    "d1",
				    "d1/../f1",
				    "l0",
				    "l0/f0",
				    "/etc/passwd",
				    "/tmp/x",
				    "../..",
				    "",
				    ".",
				    "/",
				    "rw",
				    "rw/f0",
				    "rw/d0/f1",
				    "rw/l0",
				    "/proc/self/fd/4",
				    "/proc/1/root",
				    "/proc/self/cwd",
				    "/bin/true",
				    "script",
				    "/dev/null",
				    "/dev/ptmx",
				    "/dev/shm/x",
				    "p0",
				    "user.a",
				    "trusted.b",
				    "/proc/self/mem",
				    "rw/../../canary",
				    "s0",
				    "/sys/kernel",
				    "/proc/self/exe",
				    "/dev/tty"};

struct rnd {
	uint64_t s;
};
static uint64_t next(struct rnd *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}
static unsigned below(struct rnd *r, unsigned n)
{
	return (unsigned)(next(r) % n);
}

static uint64_t some_pointer(struct rnd *r)
{
	switch (below(r, 16)) {
	case 0:
		return 0;
	case 1:
		return next(r);
	case 2:
	case 3:
		return (uint64_t)(going + below(r, GOING));
	case 4:
		return (uint64_t)(buffers[0] + sizeof(buffers) - below(r, 64));
	case 5:
		return UINT64_C(0x7fffffffe000) + below(r, 8192);
	case 6:
		return (uint64_t)strings[below(r, STRINGS)];
	default:
		return (uint64_t)(buffers[below(r, BUFFERS)] + below(r, 2) * below(r, BUF / 8) * 8);
	}
}

static uint64_t some_number(struct rnd *r)
{
	static const uint64_t v[] = {0,   1,   2,    3,    4,    8,     16,         63,         64,        100,
				     255, 256, 4095, 4096, 4097, 65536, 0x7fffffff, 0x80000000, 0xffffffff};

	switch (below(r, 4)) {
	case 0:
		return UINT64_C(1) << below(r, 64);
	case 1:
		return next(r) >> below(r, 64);
	default:
		return v[below(r, ARRAY_SIZE(v))];
	}
}

static uint64_t some_arg(struct rnd *r, enum arg_kind kind)
{
	static const int flags[] = {O_RDONLY,
				    O_RDWR,
				    O_WRONLY,
				    O_RDWR | O_CREAT,
				    O_RDWR | O_CREAT | O_EXCL,
				    O_RDWR | O_TRUNC,
				    O_DIRECTORY,
				    O_PATH,
				    O_PATH | O_NOFOLLOW,
				    O_TMPFILE | O_RDWR,
				    O_NOFOLLOW,
				    O_APPEND | O_WRONLY};

	if (!below(r, 20))
		return some_number(r);
	switch (kind) {
	case ARG_NONE:
		return 0;
	case ARG_FD:
		return below(r, 30) + (below(r, 40) ? 0 : UINT64_C(1) << 32);
	case ARG_DIRFD:
		return below(r, 2) ? (uint64_t)AT_FDCWD : below(r, 30);
	case ARG_PATH:
	case ARG_STR:
		return below(r, 10) ? (uint64_t)strings[below(r, STRINGS)] : some_pointer(r);
	case ARG_ARGV:
		return below(r, 4) ? (uint64_t)argv_ : some_pointer(r);
	case ARG_BUFIN:
	case ARG_BUFOUT:
	case ARG_STATOUT:
	case ARG_TIMEIN:
	case ARG_SOCKIN:
	case ARG_SOCKOUT:
	case ARG_PTR:
		return some_pointer(r);
	case ARG_SIZE:
		return below(r, 8) ? below(r, BUF) : some_number(r);
	case ARG_OFLAGS:
		return (uint64_t)(flags[below(r, ARRAY_SIZE(flags))] | (below(r, 8) ? O_NONBLOCK : 0));
	case ARG_MODE:
		return below(r, 010000) | (below(r, 3) ? 0 : below(r, 16) << 12);
	case ARG_ID:
		return (uint64_t[]){0, 1000, 1001, (uint64_t)-1, 65534}[below(r, 5)];
	case ARG_PID: /* rarely all, and never the one that makes tasks anew: it's pid 2 or near */
		return below(r, 200) ? (below(r, 2) ? 0 : (uint64_t)getpid()) : below(r, 2) ? (uint64_t)-1 : 1;
	case ARG_SIG:
		return (uint64_t[]){0, SIGALRM, SIGUSR1, SIGCHLD, SIGWINCH, SIGCONT, 64, 65}[below(r, 8)];
	case ARG_ATFLAGS:
		return (uint64_t)((below(r, 2) ? AT_SYMLINK_NOFOLLOW : 0) | (below(r, 3) ? 0 : AT_EMPTY_PATH) |
				  (below(r, 4) ? 0 : AT_REMOVEDIR) | (below(r, 4) ? 0 : AT_SYMLINK_FOLLOW));
	default:
		return some_number(r);
	}
}

static void fill_string(struct rnd *r)
{
	const char *t = texts[below(r, ARRAY_SIZE(texts))];
	char *to = strings[below(r, STRINGS)];

	/* Byte by byte: a reader meets any mixture. */
	for (size_t i = 0; i <= strlen(t); i++)
		((volatile char *)to)[i] = t[i];
}

static void fill_buffer(struct rnd *r)
{
	uint8_t *b = buffers[below(r, BUFFERS)];
	struct sockaddr_un *sun = (void *)b;

	switch (below(r, 6)) {
	case 0:
		sun->sun_family = AF_UNIX;
		memcpy(sun->sun_path, "s0", 3);
		break;
	case 1: /* pointers: iovecs, argument lists, message headers */
		for (int i = 0; i < 16; i += 2) {
			((uint64_t *)(void *)b)[i] = some_pointer(r);
			((uint64_t *)(void *)b)[i + 1] = below(r, BUF);
		}
		break;
	case 2: /* struct open_how */
		memset(b, 0, 64);
		((uint64_t *)(void *)b)[0] = some_arg(r, ARG_OFLAGS);
		((uint64_t *)(void *)b)[2] = below(r, 64);
		break;
	case 3:
		memset(b, 0, BUF);
		break;
	default:
		for (int i = 0; i < 8; i++)
			((uint64_t *)(void *)b)[below(r, 64)] = some_number(r);
	}
}

static void change_descriptor(struct rnd *r)
{
	int at = (int)below(r, 26) + 4, fd = -1, pair[2];

	switch (below(r, 7)) {
	case 0:
		close(at);
		return;
	case 1:
		dup2((int)below(r, 30), at);
		return;
	case 2:
		if (!pipe2(pair, O_NONBLOCK)) {
			dup2(pair[0], at);
			close(pair[0]);
			fd = pair[1];
		}
		break;
	case 3:
		fd = socket(AF_UNIX, (below(r, 2) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
		break;
	case 4:
		fd = open(below(r, 2) ? "." : "rw", O_RDONLY | O_DIRECTORY);
		break;
	default:
		fd =
		    open(texts[below(r, ARRAY_SIZE(texts))], (below(r, 2) ? O_RDONLY : O_RDWR | O_CREAT) | O_NONBLOCK, 0666);
	}
	if (fd >= 0) {
		dup2(fd, (int)below(r, 26) + 4);
		if (fd > 29)
			close(fd);
	}
}

static int changer(void *arg)
{
	struct rnd r = {(uint64_t)(uintptr_t)arg};

	for (;;) {
		fill_string(&r);
		fill_buffer(&r);
		if (!below(&r, 8))
			change_descriptor(&r);
		if (!below(&r, 16)) {
			munmap(going, GOING);
			mmap(going, GOING, below(&r, 4) ? PROT_READ | PROT_WRITE : PROT_READ,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		}
		if (!below(&r, 64))
			sched_yield();
	}
	return 0;
}

static void on_signal(int sig)
{
}

static void one_call(struct live_thread *log, struct rnd *r, uint32_t task_seed)
{
	const struct row *row;
	struct live_call c = {.task_seed = task_seed};

	do
		row = &rows[below(r, ARRAY_SIZE(rows))];
	while (pointless(row) || (row->verdict >= VERDICT_NATIVE && below(r, 4)));
	c.nr = (uint32_t)row->nr;
	for (int i = 0; i < 6; i++)
		c.args[i] = row->args[i] == ARG_NONE && i ? (below(r, 8) ? 0 : next(r)) : some_arg(r, row->args[i]);
	if (row->nr == SYS_clone)
		c.args[1] = 0,
		c.args[0] &= ~(uint64_t)(CLONE_VM | CLONE_THREAD | CLONE_SIGHAND); /* a child with a stack of its own */
	log->ring[log->calls % LIVE_RING] = c;
	long pid = syscall(row->nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5]);
	if (pid == 0 && (row->nr == SYS_fork || row->nr == SYS_vfork || row->nr == SYS_clone)) {
		/* A child makes a few calls of its own, then another program of itself. */
		for (int i = 0; i < 4; i++)
			syscall(SYS_newfstatat, AT_FDCWD, strings[below(r, STRINGS)], buffers[0], 0);
		syscall(SYS_execve, strings[below(r, STRINGS)], argv_, NULL);
		syscall(SYS_exit_group, 0);
	}
	__atomic_fetch_add(&log->calls, 1, __ATOMIC_RELAXED);
}

struct start {
	struct live_thread *log;
	uint64_t seed;
	uint32_t task_seed;
};

static int caller(void *arg)
{
	struct start *s = arg;
	struct rnd r = {s->seed};

	s->log->tid = (int)syscall(SYS_gettid);
	for (;;)
		one_call(s->log, &r, s->task_seed);
	return 0;
}

static void spawn(int (*fn)(void *), void *arg)
{
	size_t size = 64 << 10;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* No C library behind it: random calls would ruin its state anyway. */
	if (stack != MAP_FAILED)
		clone(fn, stack + size, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM,
		      arg);
}

static _Noreturn void task(unsigned slot, uint64_t seed, unsigned threads)
{
	static struct start starts[LIVE_THREADS];
	struct rnd r = {seed};

	setpgid(0, 0); /* kill(0) stays among us */
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGFPE && sig != SIGTRAP)
			sigaction(sig, &(struct sigaction){.sa_handler = on_signal}, NULL);
	going = mmap(NULL, GOING, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 100; i++)
		fill_string(&r), fill_buffer(&r), change_descriptor(&r);
	if (below(&r, 2)) {
		(void)!setresgid(1000, 1000, 1000);
		(void)!setresuid(1000, 1000, 1000);
	}
	for (unsigned t = 0; t < threads; t++) {
		starts[t] = (struct start){&shared->thread[slot][t], seed * 31 + t, (uint32_t)seed};
		if (t)
			spawn(caller, &starts[t]);
	}
	spawn(changer, (void *)(uintptr_t)(seed ^ 0x5555));
	caller(&starts[0]);
	_exit(0);
}

/* Never ends by itself: what a task waits for may never come. */
static void keep_going(uint64_t seed, unsigned tasks, unsigned threads, double seconds)
{
	pid_t pid[LIVE_TASKS] = {0};
	uint64_t born = 0;
	unsigned idle[LIVE_TASKS] = {0};
	struct timespec tick = {.tv_nsec = 4000000}, start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (unsigned t = 0; t < tasks; t++) {
			bool moves = false;

			for (unsigned k = 0; k < threads; k++) {
				struct live_thread *th = &shared->thread[t][k];
				if (th->calls != th->seen)
					moves = true;
				else if (pid[t] && th->tid > 1)
					syscall(SYS_tgkill, pid[t], th->tid, SIGALRM);
				th->seen = th->calls;
			}
			idle[t] = moves ? 0 : idle[t] + 1;
			if (pid[t] && idle[t] > 100)
				kill(pid[t], SIGKILL);
			if (!pid[t]) {
				uint64_t s = (seed << 20) + born++;

				shared->born = born;
				idle[t] = 0;
				pid[t] = fork();
				if (!pid[t])
					task(t, s, threads);
			}
		}
		nanosleep(&tick, NULL);
		for (pid_t p; (p = waitpid(-1, NULL, WNOHANG)) > 0;)
			for (unsigned t = 0; t < tasks; t++)
				if (pid[t] == p)
					pid[t] = 0;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9 < seconds);
}

static void agree(const char *canary, const char *nonce)
{
	char buf[64] = "";
	int fd = open(canary, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, buf, sizeof(buf) - 1) > 0 && strstr(buf, nonce))
		errx(3, "this is no sandbox: the host's canary can be read");
	close(fd);
	if (strlen(nonce) < 16 || mknod("made-inside", S_IFREG | 0644, 0))
		errx(3, "this is no sandbox that sandbox-fuzz has made");
	if (write(1, "ready\n", 6) != 6 || read(0, buf, sizeof(buf) - 1) < (ssize_t)strlen(nonce) ||
	    memcmp(buf, nonce, strlen(nonce)))
		errx(3, "nobody says that this is a sandbox");
	/* The log is the watcher's. */
	dup2(1, 2);
}

int main(int argc, char **argv)
{
	struct rlimit files = {64, 64}, size = {1 << 20, 1 << 20}, space = {UINT64_C(1) << 31, UINT64_C(1) << 31};

	if (argc != 7)
		errx(2, "only sandbox-fuzz starts this");
	agree(argv[1], argv[2]);
	/* Between gaps, so that what writes beyond its buffer's end meets a fault first. */
	char *room = mmap(NULL, sizeof(*shared) + 2 * GAP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	shared = room == MAP_FAILED
		     ? MAP_FAILED
		     : mmap(room + GAP, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, LIVE_FD, 0);
	if (shared == MAP_FAILED)
		err(3, "no memory of the watcher's");
	close(LIVE_FD);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_FSIZE, &size);
	setrlimit(RLIMIT_AS, &space);
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (sig != SIGCHLD && (sig < 32 || sig >= SIGRTMIN))
			signal(sig, SIG_IGN);
	keep_going(strtoull(argv[3], NULL, 0), (unsigned)strtoul(argv[4], NULL, 0), (unsigned)strtoul(argv[5], NULL, 0),
		   strtod(argv[6], NULL));
	/* Its own end takes all others along. */
	return 0;
}
