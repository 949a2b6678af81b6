/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live.c - sandbox-fuzz live: a real sandbox whose tracees make random, racing calls (live_caller.c), watched from outside. A finding is
 *
 *   the end of the supervisor or the gofer while the command runs; no call that returns for some seconds; memory of the supervisor that grows
 *   beyond a bound; something on the host that changed outside the bind; a tracee with a descriptor of a host directory, or one of
 *   a host file outside the bind that can be written; a process that is left at the end.
 *
 * Nothing random runs out here, nor may it: see live_caller.c for how both sides make sure.
 */
#include "base/base.h"
#include "kernel/syscall.h"
#include "tools/fuzz/live.h"
#include "tools/fuzz/live_manifest.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define CALLS_MAX 1000000000U /* a thread; the counters are in memory that random calls write to */
#define MAX_PIDS  4096
#define MAX_DEVS  256
#define TICK_MS   100
#define GROWTH_KB (256L << 10)

static const char *sandbox = "build/sandbox", *caller;
static const char *medium = "memory";
static uint64_t seed = 1;
static unsigned n_tasks = 3, n_threads = 2, hang_seconds = 10;
static double seconds = 10;

static char top[] = "/tmp/sandbox-fuzz.XXXXXX";
static char nonce[33];
static struct live_shared *shared;
static unsigned findings;
static dev_t host_devs[MAX_DEVS];
static unsigned n_devs;
static int log_fd = -1; /* stderr of all inside, a pipe: a file could be filled */
static char log_tail[1024];
static size_t log_len;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static char *below_top(const char *name)
{
	static char v[4][PATH_MAX];
	static unsigned k;
	char *p = v[k++ % 4];

	snprintf(p, PATH_MAX, "%s/%s", top, name);
	return p;
}

static void last_calls(void)
{
	for (unsigned t = 0; t < n_tasks; t++)
		for (unsigned k = 0; k < n_threads; k++) {
			const struct live_thread *th = &shared->thread[t][k];
			uint64_t n = th->calls;

			for (uint64_t i = n > 4 ? n - 4 : 0; i <= n; i++) {
				struct live_call c = th->ring[i % LIVE_RING];
				const struct syscall_desc *d = syscall_desc((int)c.nr);
				printf("  task %u thread %u seed %u: %s(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)%s\n", t, k,
				       c.task_seed, d ? d->name : "?", c.args[0], c.args[1], c.args[2], c.args[3], c.args[4],
				       c.args[5], i == n ? " ..." : "");
			}
		}
}

static void PRINTF_LIKE(1, 2) finding(const char *fmt, ...)
{
	va_list ap;

	findings++;
	printf("FAIL seed %lu: ", seed);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (findings < 4)
		last_calls();
	fflush(stdout);
}

static const char *layer_name(const char *which)
{
	static char v[2][64];
	static unsigned k;

	snprintf(v[++k % 2], sizeof(v[0]), "live-%.6s-%s", strrchr(top, '.') + 1, which);
	return v[k % 2];
}

static void note_devs(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	AUTO_FREE char *line = NULL;
	size_t cap = 0;
	char dir[PATH_MAX];
	struct stat st;

	while (f && getline(&line, &cap, f) > 0)
		if (sscanf(line, "%*d %*d %*s %*s %4095s", dir) == 1 && !stat(dir, &st) && n_devs < MAX_DEVS)
			host_devs[n_devs++] = st.st_dev;
	if (f)
		fclose(f);
}
static bool of_host(dev_t dev)
{
	for (unsigned i = 0; i < n_devs; i++)
		if (host_devs[i] == dev)
			return true;
	return false;
}

/* --- Processes --- */
struct proc {
	pid_t pid, parent;
	uint64_t start;
	char comm[32];
};
static struct proc seen[MAX_PIDS]; /* all that were below the sandbox at some time */
static unsigned n_seen;
static pid_t guards[2]; /* gofer and supervisor */
static uint64_t guard_start[2];
static char guard_name[2][32];
static long first_kb;

static bool read_proc(pid_t pid, struct proc *p)
{
	char path[64], buf[1024], *end;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = 0;
	end = strrchr(buf, ')');
	*p = (struct proc){.pid = pid};
	if (!end || sscanf(end + 1, " %*c %d", &p->parent) != 1)
		return false;
	snprintf(p->comm, sizeof(p->comm), "%.*s", (int)(end - strchr(buf, '(') - 1), strchr(buf, '(') + 1);
	for (int i = 0; end && i < 20; i++) /* the 22nd field */
		end = strchr(end + 1, ' ');
	p->start = end ? strtoull(end, NULL, 10) : 0;
	return true;
}

static bool alive(pid_t pid, uint64_t start)
{
	struct proc p;

	return read_proc(pid, &p) && p.start == start;
}

static bool known(const struct proc *p)
{
	for (unsigned i = 0; i < n_seen; i++)
		if (seen[i].pid == p->pid && seen[i].start == p->start)
			return true;
	return false;
}

/* Adds whoever is below somebody known. */
static void look_around(pid_t root)
{
	static struct proc all[MAX_PIDS];
	unsigned n = 0;
	DIR *d = opendir("/proc");
	bool more = true;

	for (struct dirent *e; d && (e = readdir(d));) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid > 0 && n < MAX_PIDS && read_proc(pid, &all[n]))
			n++;
	}
	if (d)
		closedir(d);
	while (more) {
		more = false;
		for (unsigned i = 0; i < n; i++) {
			bool mine = all[i].parent == root;
			for (unsigned k = 0; !mine && k < n_seen; k++)
				mine = seen[k].pid == all[i].parent && alive(seen[k].pid, seen[k].start);
			if (mine && !known(&all[i])) {
				/* Of tasks that have gone nothing is needed any more. */
				for (unsigned k = 0; n_seen == MAX_PIDS && k < n_seen; k++)
					if (!alive(seen[k].pid, seen[k].start))
						seen[k--] = seen[--n_seen];
				if (n_seen < MAX_PIDS)
					seen[n_seen++] = all[i];
				more = true;
			}
		}
	}
}

static long rss_kb(pid_t pid)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

/* The inner-most PID namespace that the process is in, as a depth: how many numbers it has. */
static int pid_depth(pid_t pid)
{
	char path[64], line[256];
	int depth = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "NSpid:", 6))
			for (char *p = line + 6; *p; p++)
				depth += (*p == '\t');
	if (f)
		fclose(f);
	return depth;
}

/* Gofer and supervisor are the command's only children. */
static void find_guards(pid_t cli)
{
	look_around(cli);
	for (unsigned i = 0, k = 0; i < n_seen && k < 2; i++) {
		if (!alive(seen[i].pid, seen[i].start) || seen[i].parent != cli)
			continue;
		guards[k] = seen[i].pid;
		memcpy(guard_name[k], seen[i].comm, sizeof(guard_name[k]));
		guard_start[k++] = seen[i].start;
	}
	first_kb = 0;
	for (int k = 0; k < 2; k++)
		first_kb = MAX(first_kb, rss_kb(guards[k]));
}

/* --- Descriptors of tracees --- */
static dev_t want_dev;
static ino_t want_ino;
static bool found_it, unreadable;
static int is_it(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	found_it |= st->st_dev == want_dev && st->st_ino == want_ino;
	/* The program may have made a directory there unreadable for its owner. */
	if (type == FTW_DNR || type == FTW_NS)
		unreadable = true;
	if (type == FTW_DNR || (type == FTW_D && (st->st_mode & 0700) != 0700))
		chmod(path, 0700);
	return 0;
}
static bool is_below(const char *dir)
{
	for (int tries = 0; tries < 8 && !found_it; tries++) {
		unreadable = false;
		nftw(dir, is_it, 16, FTW_PHYS);
		if (!unreadable)
			break;
	}
	return found_it;
}
/* What may be written to: the bind's files and the changed ones' backing, where that's on the host's disk. */
static bool may_write(const struct stat *st)
{
	char path[PATH_MAX];

	want_dev = st->st_dev;
	want_ino = st->st_ino;
	found_it = st->st_nlink == 0; /* has no place any more */
	chmod(below_top("rw"), 0777);
	snprintf(path, sizeof(path), "%s/%s/data/store", geteuid() ? below_top("state/sandbox") : "/var/lib/sandbox",
		 layer_name("upper"));
	return found_it || is_below(below_top("rw")) || is_below(below_top("store")) ||
	       (!strcmp(medium, "kept") && is_below(path));
}

static void check_fd(const struct proc *p, const char *fd)
{
	char path[300], line[256];
	unsigned flags = 0;
	struct stat st, again;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fd/%s", p->pid, fd);
	if (stat(path, &st) || !of_host(st.st_dev))
		return;
	if (S_ISDIR(st.st_mode)) {
		if (alive(p->pid, p->start))
			finding("tracee %d (%s) has a host directory, device %lx inode %lu, as descriptor %s", p->pid,
				p->comm, (unsigned long)st.st_dev, (unsigned long)st.st_ino, fd);
		return;
	}
	if (!S_ISREG(st.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", p->pid, fd);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/fd/%s", p->pid, fd);
	if ((flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) || may_write(&st))
		return;
	/* It may have been another between the looks, or have got its name only then. */
	if (!stat(path, &again) && again.st_ino == st.st_ino && again.st_dev == st.st_dev && !may_write(&again))
		finding("tracee %d (%s) can write to a host file, device %lx inode %lu, by descriptor %s", p->pid, p->comm,
			(unsigned long)st.st_dev, (unsigned long)st.st_ino, fd);
}

static unsigned fds_checked;

static void check_fds(void)
{
	int own = pid_depth(getpid());

	for (unsigned i = 0; i < n_seen; i++) {
		char path[64];
		DIR *d;

		if (!alive(seen[i].pid, seen[i].start) || pid_depth(seen[i].pid) <= own + 1)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fd", seen[i].pid);
		d = opendir(path);
		for (struct dirent *e; d && (e = readdir(d));)
			if (e->d_name[0] != '.') {
				check_fd(&seen[i], e->d_name);
				fds_checked++;
			}
		if (d)
			closedir(d);
	}
}

/* --- One sandbox --- */
/* Moves whenever a counter does, whatever has been written over it. */
static uint64_t progress_made(void)
{
	uint64_t n = 0;

	for (unsigned t = 0; t < n_tasks; t++)
		for (unsigned k = 0; k < n_threads; k++)
			n = n * 31 + shared->thread[t][k].calls;
	return n;
}

/* Without those that random calls have written over. */
static uint64_t total_calls(void)
{
	uint64_t n = 0;

	for (unsigned t = 0; t < n_tasks; t++)
		for (unsigned k = 0; k < n_threads; k++)
			n += shared->thread[t][k].calls < CALLS_MAX ? shared->thread[t][k].calls : 0;
	return n;
}

static void make_files(void)
{
	static const char *const dirs[] = {"", "/d0", "/d1"};
	static const char *const names[] = {"f0", "f1", "script"};
	char p[PATH_MAX];

	for (int w = 0; w < 2; w++) {
		for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
			snprintf(p, sizeof(p), "%s/%s%s", top, w ? "rw" : "w", dirs[i]);
			if (mkdir(p, 0777) && errno != EEXIST)
				err(2, "%s", p);
			chmod(p, 0777);
			for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
				size_t len = strlen(p);
				snprintf(p + len, sizeof(p) - len, "/%s", names[k]);
				FILE *f = fopen(p, "w");
				if (!f)
					err(2, "%s", p);
				fprintf(f, "#!/bin/true\n%s\n", names[k]);
				fclose(f);
				chmod(p, k == 2 ? 0755 : 0666);
				p[len] = 0;
			}
		}
		snprintf(p, sizeof(p), "%s/%s/l0", top, w ? "rw" : "w");
		if (symlink("d0", p) && errno != EEXIST)
			err(2, "%s", p);
	}
}

/* Words of sandbox, which must end with a status of at most worst. */
static void run_sandbox(const char *const *words, int worst)
{
	const char *argv[16] = {sandbox};
	int status;
	pid_t pid = fork();

	if (!pid) {
		for (unsigned n = 1; *words && n < ARRAY_SIZE(argv) - 1; n++)
			argv[n] = *words++;
		execv(sandbox, (char *const *)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) > worst)
		errx(2, "%s %s: wait status %x", words[0], words[1], (unsigned)status);
}

/* A layer below and one on top, of which some runs go on. */
static void make_layers(void)
{
	static const char text[] =
	    "echo below >f1; echo new >below; ln f0 d0/linked; rm -r d1; mkdir d1; mv l0 l1; ln -s d0 l0";

	setenv("XDG_STATE_HOME", below_top("state"), 1);
	run_sandbox(
	    (const char *const[]){"--name", layer_name("lower"), "--chdir", below_top("w"), "--", "sh", "-c", text, NULL},
	    0);
}
static void discard_layers(void)
{
	run_sandbox((const char *const[]){"discard", layer_name("upper"), NULL}, 0);
	run_sandbox((const char *const[]){"discard", layer_name("lower"), NULL}, 0);
}

/* Options of the medium: up to 4 words. */
static void add_medium(const char **argv, unsigned *n)
{
	static char value[PATH_MAX + 16];

	if (!strcmp(medium, "kept")) {
		argv[(*n)++] = "--name";
		argv[(*n)++] = layer_name("upper");
		argv[(*n)++] = "--from";
		argv[(*n)++] = layer_name("lower");
		return;
	}
	if (!strcmp(medium, "dir"))
		snprintf(value, sizeof(value), "root:dir=%s", below_top("store"));
	else
		snprintf(value, sizeof(value), "root:%s", medium);
	argv[(*n)++] = "--overlay";
	argv[(*n)++] = value;
}

static pid_t start(double left, int *in, int *out)
{
	int to[2], from[2], log[2], mem = memfd_create("sandbox-fuzz", MFD_CLOEXEC);
	char bind[PATH_MAX], mnt[PATH_MAX], work[PATH_MAX], canary[PATH_MAX], s[24], t[24], k[24], sec[24], limit[24];
	const char *argv[32] = {sandbox, "--timeout", limit, "--hide", canary, "--bind", bind, mnt, "--chdir", work};
	unsigned n = 10;
	pid_t pid;

	if (mem < 0 || ftruncate(mem, sizeof(*shared)) || pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) ||
	    pipe2(log, O_CLOEXEC) || fcntl(log[0], F_SETFL, O_NONBLOCK))
		err(2, "memory");
	if (shared)
		munmap(shared, sizeof(*shared));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
	if (shared == MAP_FAILED)
		err(2, "memory");
	snprintf(bind, sizeof(bind), "%s/rw", top);
	snprintf(mnt, sizeof(mnt), "%s/w/rw", top);
	snprintf(work, sizeof(work), "%s/w", top);
	snprintf(canary, sizeof(canary), "%s/canary", top);
	snprintf(s, sizeof(s), "%lu", seed);
	snprintf(t, sizeof(t), "%u", n_tasks);
	snprintf(k, sizeof(k), "%u", n_threads);
	snprintf(sec, sizeof(sec), "%.1f", left);
	snprintf(limit, sizeof(limit), "%d", (int)left + 60);
	add_medium(argv, &n);
	for (const char *const *w = (const char *const[]){"--", caller, canary, nonce, s, t, k, sec, NULL}; *w; w++)
		argv[n++] = *w;
	pid = fork();
	if (!pid) {
		if (dup2(to[0], 0) || dup2(from[1], 1) != 1 || dup2(log[1], 2) != 2 || dup2(mem, LIVE_FD) != LIVE_FD)
			_exit(126);
		fcntl(LIVE_FD, F_SETFD, 0);
		execv(sandbox, (char *const *)argv);
		_exit(127);
	}
	if (pid < 0)
		err(2, "fork");
	close(to[0]);
	close(from[1]);
	close(log[1]);
	close(mem);
	close_fd_(&log_fd);
	log_fd = log[0];
	log_len = 0;
	*in = to[1];
	*out = from[0];
	return pid;
}

/* Keeps the end of it. */
static void drain_log(void)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(log_fd, buf, sizeof(buf))) > 0) {
		size_t k = MIN((size_t)n, sizeof(log_tail)), keep = MIN(log_len, sizeof(log_tail) - k);
		memmove(log_tail, log_tail + log_len - keep, keep);
		memcpy(log_tail + keep, buf + (size_t)n - k, k);
		log_len = keep + k;
	}
}

static bool handshake(int in, int out)
{
	struct pollfd p = {.fd = out, .events = POLLIN};
	char buf[16];

	if (poll(&p, 1, 30000) <= 0 || read(out, buf, sizeof(buf)) < 6 || memcmp(buf, "ready\n", 6))
		return false;
	if (!access(below_top("w/made-inside"), F_OK)) {
		finding("what is made inside appears on the host: nothing random was started");
		return false;
	}
	return write(in, nonce, 32) == 32;
}

/* What each thread below the sandbox is in: a finding of a hang says who waits for whom. */
static void who_waits(void)
{
	for (unsigned i = 0; i < n_seen; i++) {
		char path[64], line[256] = "", wchan[64] = "";
		DIR *d;

		if (!alive(seen[i].pid, seen[i].start))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task", seen[i].pid);
		d = opendir(path);
		for (struct dirent *e; d && (e = readdir(d));) {
			static const char *const files[] = {"syscall", "wchan", "status"};
			char state = '?';
			int tracer = 0;

			if (e->d_name[0] == '.')
				continue;
			for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
				char name[400], text[256];
				snprintf(name, sizeof(name), "%s/%s/%s", path, e->d_name, files[k]);
				FILE *f = fopen(name, "r");
				while (f && fgets(text, sizeof(text), f)) {
					sscanf(text, "State: %c", &state);
					sscanf(text, "TracerPid: %d", &tracer);
					if (k < 2)
						snprintf(k ? wchan : line, k ? sizeof(wchan) : sizeof(line), "%s", text);
				}
				if (f)
					fclose(f);
			}
			printf("  %d/%s (%s) %c tracer %d, in %.50s: %s", seen[i].pid, e->d_name, seen[i].comm, state,
			       tracer, wchan, line);
		}
		if (d)
			closedir(d);
	}
}

static pid_t tracer_of(pid_t pid)
{
	char path[64], line[256];
	pid_t tracer = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "TracerPid: %d", &tracer) == 1)
			break;
	if (f)
		fclose(f);
	return tracer;
}

/*
 * A tracee may stop all others, and the one that makes tasks anew, which is the oldest: by signals, or as its tracer, which may itself be
 * stopped. That's its right, and no hang.
 */
static void let_go(void)
{
	const struct proc *oldest = NULL;
	int own = pid_depth(getpid());

	for (unsigned i = 0; i < n_seen; i++) {
		struct proc now;
		if (!alive(seen[i].pid, seen[i].start) || pid_depth(seen[i].pid) <= own + 1)
			continue;
		kill(seen[i].pid, SIGCONT);
		if (read_proc(seen[i].pid, &now) && !strncmp(now.comm, "sandbox-fuzz-c", 14) &&
		    (!oldest || now.start < oldest->start))
			oldest = &seen[i];
	}
	pid_t tracer = oldest ? tracer_of(oldest->pid) : 0;
	if (tracer > 0)
		kill(tracer, SIGKILL);
}

/* Watches until the command ends: its wait status. */
static int watch(pid_t pid, double until)
{
	uint64_t calls = 0;
	double moved = now();
	bool gone = false;
	int status;

	find_guards(pid);
	while (!waitpid(pid, &status, WNOHANG)) {
		struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
		uint64_t n = progress_made();

		nanosleep(&tick, NULL);
		drain_log();
		look_around(pid);
		check_fds();
		if (n != calls)
			moved = now();
		else if (now() - moved > 1)
			let_go();
		calls = n;
		for (int k = 0; k < 2; k++) {
			long kb = rss_kb(guards[k]);
			if (kb > first_kb + GROWTH_KB && guards[k]) {
				finding("process %d of the sandbox has grown from %ld to %ld KiB", guards[k], first_kb, kb);
				first_kb = kb;
			}
			/* At the end they go first. */
			if (guards[k] && !gone && !alive(guards[k], guard_start[k]) && now() < until - 0.5) {
				/* Or the command's end, which it has seen first. */
				gone = true;
				for (int i = 0; i < 30; i++) {
					if (waitpid(pid, &status, WNOHANG))
						return status;
					nanosleep(&tick, NULL);
				}
				finding("%s (process %d) has ended %.1f s before the time, and the command goes on",
					guard_name[k], guards[k], until - now());
			}
		}
		if (now() - moved > hang_seconds || now() > until + hang_seconds) {
			finding(now() > until ? "doesn't end" : "no call has returned for %u s", hang_seconds);
			who_waits();
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return 0;
		}
	}
	return status;
}

static void check_left(void)
{
	double until = now() + 5;

	for (unsigned i = 0; i < n_seen; i++) {
		while (alive(seen[i].pid, seen[i].start) && now() < until)
			nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
		if (alive(seen[i].pid, seen[i].start))
			finding("process %d (%s) is left behind", seen[i].pid, seen[i].comm);
	}
	n_seen = 0;
}

static void host_differs(const char *path, const char *how)
{
	finding("on the host, outside the bind, %s has %s", path, how);
}

static void live(void)
{
	double end = now() + seconds;
	struct manifest before, after;
	uint64_t calls = 0, born = 0;
	unsigned runs = 0;

	manifest_make(&before, top);
	for (; now() < end && !findings; seed++) {
		int in, out, status;
		double left = MAX(end - now(), 1.0);
		pid_t pid = start(left, &in, &out);

		if (!handshake(in, out)) {
			close(in);
			close(out);
			waitpid(pid, &status, 0);
			drain_log();
			/* Tracees may have left the layer without the directory or the program; but it must still be one. */
			if (runs && !strcmp(medium, "kept") && !findings && WIFEXITED(status) &&
			    (WEXITSTATUS(status) != 125 || memmem(log_tail, log_len, "can't change to directory", 25))) {
				run_sandbox((const char *const[]){"diff", "--stat", layer_name("upper"), NULL}, 1);
				run_sandbox((const char *const[]){"discard", layer_name("upper"), NULL}, 0);
				runs = 0;
				continue;
			}
			findings++;
			printf("FAIL seed %lu: the sandbox didn't start: wait status %x: %.*s\n", seed, (unsigned)status,
			       (int)log_len, log_tail);
			return;
		}
		status = watch(pid, now() + left);
		close(in);
		close(out);
		runs++;
		calls += total_calls();
		born += shared->born;
		/* A tracee may have killed its parent: that's its right. */
		drain_log();
		if (WIFSIGNALED(status) || WEXITSTATUS(status) == 125 || WEXITSTATUS(status) == 124)
			finding("the command's end: wait status %x; it said last: %.*s", (unsigned)status, (int)log_len,
				log_tail);
		check_left();
	}
	manifest_make(&after, top);
	manifest_compare(&before, &after, host_differs);
	manifest_free(&before);
	manifest_free(&after);
	printf("%u sandboxes, %lu tasks, %lu calls, %u descriptors looked at, %u findings\n", runs, born, calls, fds_checked,
	       findings);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"seconds", 1, 0, 's'}, {"seed", 1, 0, 'S'},   {"tasks", 1, 0, 't'},   {"threads", 1, 0, 'T'},
	    {"hang", 1, 0, 'h'},    {"medium", 1, 0, 'm'}, {"sandbox", 1, 0, 'b'}, {0}};
	char self[PATH_MAX - 16] = "", path[PATH_MAX];
	uint8_t bytes[16];
	int c;

	if (argc < 2 || strcmp(argv[1], "live"))
		errx(2, "usage: sandbox-fuzz live [--seconds S] [--seed N] [--tasks N] [--threads N] [--hang S] "
			"[--medium memory|dir|kept] [--sandbox FILE]");
	optind = 2;
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			seconds = strtod(optarg, NULL);
			break;
		case 'S':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			n_tasks = (unsigned)MIN(strtoul(optarg, NULL, 0), LIVE_TASKS);
			break;
		case 'T':
			n_threads = (unsigned)MIN(strtoul(optarg, NULL, 0), LIVE_THREADS);
			break;
		case 'h':
			hang_seconds = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'b':
			sandbox = optarg;
			break;
		case 'm':
			medium = optarg;
			break;
		default:
			return 2;
		}
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		err(2, "/proc/self/exe");
	snprintf(path, sizeof(path), "%s-caller", self);
	caller = path;
	if (strcmp(medium, "memory") && strcmp(medium, "dir") && strcmp(medium, "kept"))
		errx(2, "%s: memory, dir or kept", medium);
	if (access(caller, X_OK) || access(sandbox, X_OK))
		err(2, "%s, %s", caller, sandbox);
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes) || !mkdtemp(top) || chmod(top, 0755))
		err(2, "%s", top);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
	FILE *f = fopen(below_top("canary"), "w");
	if (!f || fputs(nonce, f) < 0 || fclose(f) || mkdir(below_top("rw"), 0777) || mkdir(below_top("w"), 0777) ||
	    mkdir(below_top("w/rw"), 0777))
		err(2, "%s", top);
	chmod(below_top("rw"), 0777);
	make_files();
	if (mkdir(below_top("store"), 0700) || mkdir(below_top("state"), 0700))
		err(2, "%s", top);
	note_devs();
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(medium, "kept"))
		make_layers();
	live();
	if (!strcmp(medium, "kept") && !findings)
		discard_layers();
	if (!findings)
		nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	else
		printf("# kept: %s; once more: sandbox-fuzz live --seed %lu --tasks %u --threads %u --medium %s\n", top,
		       seed, n_tasks, n_threads, medium);
	return findings != 0;
}
