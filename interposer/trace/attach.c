/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach.c - traces of a sandbox that runs already (attach.h). One thread is the tracer of all of them, one after the other; it makes itself
 * known as observe.c's does, and shares what that does with an event. Another one a trace watches the connection.
 *
 * PTRACE_DETACH works on stopped threads only, and a thread whose call is being answered stops at its end. So a trace ends without those that
 * don't stop soon: they stay the tracer's until they do, and are let go then (struct tracee's leaving).
 *
 * Locks: mu for the trace that is wanted and its progress; trace_mu inside it or alone. Only the tracer writes lines, without a lock: a reader
 * who stalls must not keep the workers from trace_mu.
 */
#include "interposer/trace/attach.h"

#include "base/log.h"
#include "interposer/supervisor.h"
#include "interposer/trace/together.h"
#include "interposer/trace/tracee.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define OPTIONS       (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)
#define LEAVE_MS      200  /* how long threads are waited for at the end */
#define READER_MS     1000 /* and one who reads what they have shown */
#define POLL_MS       100
#define STUB_SIZE_MAX 131072
#define FLUSH_AT      32768
#define TRIES         4 /* of threads that somebody else traces: sandbox stacks does only for a moment */
#define START_TRIES   30
#define PAUSE_NS      60000000L

struct job {
	struct control_trace request; /* paths point here */
	int sock, out;
	void (*done)(int sock, int r, const char *why);
	bool begun, over; /* under mu */
	int taken;        /* threads, or -errno */
	atomic_bool stop; /* the client wants no more */
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct job *current; /* begun or to begin; under mu */
static bool have_thread;
static pthread_t thread;
static struct trace_options options; /* written while no trace runs */

static int64_t now_ms(void)
{
	return trace_now_ns() / 1000000;
}

bool attach_runs(void)
{
	pthread_mutex_lock(&mu);
	bool runs = current;
	pthread_mutex_unlock(&mu);
	return runs;
}

/* --- The tracer ----------------------------------------------------------------------------------------------------- */

/* What a thread that is taken in the middle of something does. The loader stub is known by where it's mapped. */
static void take_state(struct tracee *t)
{
	char path[32], line[512];
	t->each = true;
	t->starting = tracee_is_ours(t->tid);
	snprintf(path, sizeof path, "%d/maps", t->tid);
	int fd = t->starting ? -1 : openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	FILE *maps = fd < 0 ? NULL : fdopen(fd, "r");
	if (!maps)
		close_fd_(&fd);
	while (maps && fgets(line, sizeof line, maps)) {
		unsigned long from, to, ino;
		unsigned maj, min;
		if (sscanf(line, "%lx-%lx %*s %*s %x:%x %lu", &from, &to, &maj, &min, &ino) == 5 && ino &&
		    to - from <= STUB_SIZE_MAX && execroot_is_stub(maj, min, ino)) {
			t->exec = EXEC_LOADING;
			t->stub_ip = from;
			break;
		}
	}
	if (maps)
		fclose(maps);
}

/* Takes a process's threads that aren't taken: how many. *refused: those that another process traces. */
static int take_threads(pid_t tgid, int *refused)
{
	char path[64];
	int n = 0;
	snprintf(path, sizeof path, "%d/task", tgid);
	DIR *d = remote_opendir(path);
	struct dirent *e;
	while (d && (e = readdir(d))) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		if (tid <= 0)
			continue;
		pthread_mutex_lock(&trace_mu);
		struct tracee *t = tracee_find(tid);
		if (t && t->leaving) {
			/* Left over from the last trace: it's still to stop. */
			t->leaving = false;
			n++;
		} else if (!t) {
			if (!ptrace(PTRACE_SEIZE, tid, NULL, (void *)(long)OPTIONS)) {
				take_state(tracee_get(tid));
				(void)!ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
				n++;
			} else if (errno == EPERM) {
				++*refused;
			}
		}
		pthread_mutex_unlock(&trace_mu);
	}
	if (d)
		closedir(d);
	return n;
}

static int take_all(int *refused)
{
	int n = 0;
	DIR *d = remote_opendir(".");
	struct dirent *e;
	while (d && (e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid > 0 && pid != getpid() && pid != the_place.init_pid)
			n += take_threads(pid, refused);
	}
	if (d)
		closedir(d);
	return n;
}

/* Threads or -errno. Children of what is taken are taken by the host; until a pass finds nothing new there may be others. */
static int take(pid_t guest)
{
	pid_t pid = guest ? remote_host_pid(guest) : 0;
	int total = 0, n, refused;
	if (guest && (pid <= 0 || pid == the_place.init_pid))
		return -ESRCH;
	/* A sandbox that has just started has no process yet, or one that isn't the tracees' yet. */
	for (int tries = 0; tries < (total || guest ? TRIES : START_TRIES); tries++) {
		do {
			refused = 0;
			n = pid ? take_threads(pid, &refused) : take_all(&refused);
			total += n;
		} while (n);
		if (!refused && (total || guest))
			break;
		nanosleep(&(struct timespec){0, PAUSE_NS}, NULL);
	}
	return total ? total : refused ? -EPERM : -ESRCH;
}

static void begin(struct job *j)
{
	/* It was checked. */
	int r = attach_unpack(&options, &j->request);
	options.fd = j->out;
	options.attached = true;
	pthread_mutex_lock(&trace_mu);
	trace_opt = &options;
	trace_leaving = false;
	trace_joins = !j->request.pid;
	output_start(&options);
	output_give_up(false);
	effects_on = options.effects;
	trace_reports = options.effects;
	pthread_mutex_unlock(&trace_mu);
	trace_paths_start(&options);
	trace_serves(true);
	r = r ? r : take(j->request.pid);
	pthread_mutex_lock(&mu);
	j->taken = r;
	j->begun = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mu);
}

static void leave_one(struct tracee *t)
{
	t->leaving = true;
	(void)!ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
}

static void leave(void)
{
	pthread_mutex_lock(&trace_mu);
	trace_leaving = true;
	tracee_each(leave_one);
	pthread_mutex_unlock(&trace_mu);
}

static void finish(struct job *j)
{
	pthread_mutex_lock(&trace_mu);
	trace_leaving = true;
	tracee_each(leave_one);
	together_end();
	trace_joins = false;
	trace_reports = effects_on = false;
	pthread_mutex_unlock(&trace_mu);
	output_summary();
	output_flush();
	pthread_mutex_lock(&mu);
	j->over = true;
	if (!j->begun)
		j->taken = -ESRCH;
	j->begun = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mu);
}

static bool any_followed;

static void note_followed(struct tracee *t)
{
	any_followed |= !t->leaving;
}

/* What's left are threads of earlier traces that are still to be let go. */
static bool all_gone(void)
{
	pthread_mutex_lock(&trace_mu);
	any_followed = false;
	tracee_each(note_followed);
	pthread_mutex_unlock(&trace_mu);
	return !any_followed;
}

/* The trace that is to be begun or runs; waits for one when nothing is traced. */
static struct job *wanted(bool idle)
{
	pthread_mutex_lock(&mu);
	while (idle && (!current || current->over))
		pthread_cond_wait(&changed, &mu);
	struct job *j = current && !current->over ? current : NULL;
	pthread_mutex_unlock(&mu);
	return j;
}

static void *tracer(void *arg)
{
	int64_t left_ms = 0;
	bool idle = true;
	sigset_t pipes;
	sigemptyset(&pipes);
	sigaddset(&pipes, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipes, NULL);
	remote_thread_init();
	trace_set_tracer(OPTIONS);
	for (;;) {
		int wstatus;
		struct job *j = wanted(idle);
		idle = false;
		if (j && !j->begun) {
			left_ms = 0;
			begin(j);
			if (j->taken < 0) {
				finish(j);
				continue;
			}
		}
		if (j && !left_ms && j->stop) {
			left_ms = now_ms();
			leave();
		}
		trace_take_asked();
		pid_t pid = waitpid(-1, &wstatus, __WALL | __WNOTHREAD | WNOHANG);
		if (!pid) {
			output_flush();
			if (j && left_ms && now_ms() - left_ms > LEAVE_MS) {
				finish(j);
				continue;
			}
			pid = waitpid(-1, &wstatus, __WALL | __WNOTHREAD);
		}
		if (pid > 0) {
			trace_event(pid, wstatus);
			if (output_waiting() > FLUSH_AT)
				output_flush();
			if (j && !left_ms && !WIFSTOPPED(wstatus) && all_gone())
				finish(j);
		} else if (errno == ECHILD) {
			trace_serves(false);
			if (j)
				finish(j);
			idle = true;
		}
	}
	return NULL;
}

/* --- A trace's own thread -------------------------------------------------------------------------------------------- */

/* Under mu. The signal ends the tracer's wait; one that came just before the wait began is repeated. */
static void poke(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_kill(thread, SIGUSR2);
	pthread_cond_timedwait(&changed, &mu, &until);
}

static const char *why_not(int r)
{
	switch (r) {
	case -ESRCH:
		return "no such process inside";
	case -EPERM:
		return "another process traces it already";
	}
	return NULL;
}

static void *serve(void *arg)
{
	struct job *j = arg;
	pthread_mutex_lock(&mu);
	pthread_cond_broadcast(&changed);
	while (!j->begun)
		poke();
	int taken = j->taken;
	pthread_mutex_unlock(&mu);
	j->done(j->sock, taken, why_not(taken));
	for (bool over = false; !over && !j->stop;) {
		struct pollfd p = {.fd = j->sock, .events = POLLIN};
		j->stop = poll(&p, 1, POLL_MS) > 0;
		pthread_mutex_lock(&mu);
		over = j->over;
		pthread_mutex_unlock(&mu);
	}
	int64_t stopped_ms = now_ms();
	pthread_mutex_lock(&mu);
	while (!j->over) {
		if (now_ms() - stopped_ms > READER_MS)
			output_give_up(true);
		poke();
	}
	current = NULL;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mu);
	close(j->out);
	close(j->sock);
	free(j);
	return NULL;
}

int attach_start(const struct control_trace *q, int sock, int out, void (*done)(int sock, int r, const char *why))
{
	struct trace_options checked;
	struct stat st;
	pthread_t own;
	int r = attach_unpack(&checked, q);
	if (r || fstat(out, &st) || !S_ISFIFO(st.st_mode))
		return -EINVAL;
	struct job *j = calloc(1, sizeof *j);
	if (!j)
		return -ENOMEM;
	*j = (struct job){.request = *q, .sock = sock, .out = out, .done = done};
	pthread_mutex_lock(&mu);
	if (current || trace_of_command())
		r = -EBUSY;
	else if (!have_thread && pthread_create(&thread, NULL, tracer, NULL))
		r = -EAGAIN;
	else
		have_thread = true;
	if (!r && pthread_create(&own, NULL, serve, j))
		r = -EAGAIN;
	if (!r) {
		pthread_detach(own);
		current = j;
	}
	pthread_mutex_unlock(&mu);
	if (r)
		free(j);
	return r;
}

void attach_finish(void)
{
	int64_t until = now_ms() + READER_MS;
	pthread_mutex_lock(&mu);
	while (current && now_ms() < until)
		poke();
	pthread_mutex_unlock(&mu);
}
