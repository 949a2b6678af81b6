/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stacks.c - see stacks.h. As only the thread that attached can look at a tracee, each request has a thread of its own. It goes on
 * after the answer as long as one of its tracees hasn't stopped: PTRACE_DETACH works on stopped ones only.
 */
#include "interposer/trace/stacks.h"

#include "interposer/live.h"
#include "interposer/trace/attach.h"
#include "interposer/trace/backtrace.h"
#include "interposer/trace/trace.h"
#include "kernel/syscall.h"

#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#define THREADS_MAX 8192
#define STOP_MS     200 /* how long threads are waited for */

/* --- One stack ------------------------------------------------------------------------------------------------------ */

/* Names come from the program's files: nothing in them may reach a terminal as it is. */
static void put_clean(struct text *t, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c >= ' ' && c != 0x7f)
			text_put(t, s, 1);
		else
			text_printf(t, "\\%03o", c);
	}
}

static void line(void *arg, const struct frame *f)
{
	struct text *t = arg;
	text_puts(t, " > ");
	put_clean(t, f->file ? f->file : "");
	if (f->function) {
		text_puts(t, "(");
		put_clean(t, f->function);
		text_printf(t, "+0x%" PRIx64 ") [0x%" PRIx64 "]\n", f->distance, f->offset);
	} else {
		text_printf(t, "() [0x%" PRIx64 "]\n", f->file ? f->offset : f->ip);
	}
}

static void element(void *arg, const struct frame *f)
{
	struct text *t = arg;
	if (t->n && t->p[t->n - 1] == '}')
		text_puts(t, ",");
	text_printf(t, "{\"ip\":%" PRIu64, f->ip);
	if (f->file) {
		text_puts(t, ",\"file\":");
		text_json(t, f->file, strlen(f->file));
		text_printf(t, ",\"offset\":%" PRIu64, f->offset);
	}
	if (f->function) {
		text_puts(t, ",\"function\":");
		text_json(t, f->function, strlen(f->function));
		text_printf(t, ",\"distance\":%" PRIu64, f->distance);
	}
	text_puts(t, "}");
}

void stack_lines(struct text *t, pid_t tid)
{
	struct user_regs_struct regs;
	if (!ptrace(PTRACE_GETREGS, tid, NULL, &regs))
		backtrace_thread(tid, &regs, line, t);
}

void stack_json(struct text *t, pid_t tid)
{
	struct user_regs_struct regs;
	text_puts(t, "[");
	if (!ptrace(PTRACE_GETREGS, tid, NULL, &regs))
		backtrace_thread(tid, &regs, element, t);
	text_puts(t, "]");
}

/* --- All of them ---------------------------------------------------------------------------------------------------- */

enum state { REFUSED, SEIZED, STOPPED, GONE };
struct target {
	pid_t tgid, tid;
	enum state state;
	int sig; /* that it stopped for, passed on when it's let go */
};
struct request {
	int fd;
	size_t max;
	pid_t guest;
	bool json;
	void (*done)(void *arg, ssize_t len);
	void *arg;
	struct text out;
	struct target targets[THREADS_MAX];
	unsigned n;
};

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000) + ts.tv_nsec / 1000000;
}

static void seize_threads(struct request *r, pid_t tgid)
{
	char path[64];
	snprintf(path, sizeof path, "%d/task", tgid);
	DIR *d = remote_opendir(path);
	struct dirent *e;
	while (d && (e = readdir(d)) && r->n < THREADS_MAX) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		if (tid <= 0)
			continue;
		struct target *t = &r->targets[r->n++];
		*t = (struct target){.tgid = tgid, .tid = tid};
		if (!ptrace(PTRACE_SEIZE, tid, NULL, NULL))
			t->state = ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ? GONE : SEIZED;
	}
	if (d)
		closedir(d);
}

static void seize_all(struct request *r)
{
	DIR *d = remote_opendir(".");
	struct dirent *e;
	while (d && (e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (pid > 0 && pid != getpid() && pid != the_place.init_pid)
			seize_threads(r, pid);
	}
	if (d)
		closedir(d);
}

/* One event of a tracee of ours: whose it is, or NULL when there's none. */
static struct target *take_event(struct request *r, int flags)
{
	int status;
	pid_t tid = waitpid(-1, &status, __WALL | __WNOTHREAD | flags);
	for (unsigned i = 0; tid > 0 && i < r->n; i++) {
		struct target *t = &r->targets[i];
		if (t->tid != tid)
			continue;
		t->state = WIFSTOPPED(status) ? STOPPED : GONE;
		/* PTRACE_INTERRUPT's own stop has no signal to deliver, and a group-stop is entered again by itself. */
		t->sig = WIFSTOPPED(status) && !(status >> 16) ? WSTOPSIG(status) : 0;
		return t;
	}
	return NULL;
}

static bool any(const struct request *r, enum state state)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (r->targets[i].state == state)
			return true;
	}
	return false;
}

static void let_go(struct target *t)
{
	ptrace(PTRACE_DETACH, t->tid, NULL, (void *)(long)t->sig);
	t->state = GONE;
}

/* The call that a thread is in, or NULL. */
static const char *call_of(const struct target *t)
{
	struct user_regs_struct regs;
	int nr = t->state != STOPPED ? live_blocked_call(t->tid) : -1;
	if (t->state == STOPPED && !ptrace(PTRACE_GETREGS, t->tid, NULL, &regs))
		nr = (int)regs.orig_rax;
	const struct syscall_desc *d = nr >= 0 ? syscall_desc(nr) : NULL;
	return d ? d->name : NULL;
}

static void name_of(pid_t tid, char name[32])
{
	char path[64];
	snprintf(path, sizeof path, "%d/comm", tid);
	AUTO_CLOSE int fd = openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, name, 31);
	name[MAX(n, 0)] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

static void show(struct request *r, const struct target *t, bool first)
{
	char name[32];
	const char *call = call_of(t);
	pid_t tgid = live_ops.guest_pid(NULL, t->tgid), tid = live_ops.guest_pid(NULL, t->tid);
	name_of(t->tid, name);
	if (r->json) {
		text_printf(&r->out, "%s{\"pid\":%d,\"tid\":%d,\"name\":", first ? "" : ",\n ", tgid, tid);
		text_json(&r->out, name, strlen(name));
		if (call)
			text_printf(&r->out, ",\"call\":\"%s\"", call);
		text_puts(&r->out, ",\"stack\":");
		if (t->state == STOPPED)
			stack_json(&r->out, t->tid);
		else
			text_puts(&r->out, "null");
		text_puts(&r->out, "}");
		return;
	}
	text_printf(&r->out, "%s%d", first ? "" : "\n", tgid);
	if (tid != tgid)
		text_printf(&r->out, " thread %d", tid);
	text_puts(&r->out, " (");
	put_clean(&r->out, name);
	text_puts(&r->out, ")");
	if (call)
		text_printf(&r->out, " in %s", call);
	text_puts(&r->out, t->state == STOPPED            ? "\n"
			   : t->state == REFUSED && !call ? ": traced by another process\n"
							  : ": not stopped\n");
	if (t->state == STOPPED)
		stack_lines(&r->out, t->tid);
}

/* Looks at all that have stopped within STOP_MS, and lets them go. */
static int look(struct request *r)
{
	int64_t until = now_ms() + STOP_MS;
	pid_t pid = r->guest ? remote_host_pid(r->guest) : 0;
	if (trace_of_command() || attach_runs())
		return -EBUSY;
	if (r->guest && (pid <= 0 || pid == the_place.init_pid))
		return -ESRCH;
	if (pid)
		seize_threads(r, pid);
	else
		seize_all(r);
	if (pid && !r->n)
		return -ESRCH;
	while (any(r, SEIZED) && now_ms() < until) {
		if (!take_event(r, WNOHANG))
			nanosleep(&(struct timespec){0, 500000}, NULL);
	}
	if (r->json)
		text_puts(&r->out, "[");
	bool first = true;
	for (unsigned i = 0; i < r->n; i++) {
		if (r->targets[i].state != GONE) {
			show(r, &r->targets[i], first);
			first = false;
		}
	}
	if (r->json)
		text_puts(&r->out, "]\n");
	for (unsigned i = 0; i < r->n; i++) {
		if (r->targets[i].state == STOPPED)
			let_go(&r->targets[i]);
	}
	return 0;
}

static void *answer(void *arg)
{
	static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER; /* a second one would find everything traced */
	AUTO_FREE struct request *r = arg;
	remote_thread_init();
	pthread_mutex_lock(&one);
	ssize_t len = look(r);
	pthread_mutex_unlock(&one);
	if (!len && r->out.n) {
		len = pwrite(r->fd, r->out.p, MIN(r->out.n, r->max), 0);
		len = len < 0 ? -errno : len;
	}
	free(r->out.p);
	r->done(r->arg, len);
	while (any(r, SEIZED)) {
		struct target *t = take_event(r, 0);
		if (t && t->state == STOPPED)
			let_go(t);
		else if (!t && errno == ECHILD)
			break;
	}
	return NULL;
}

int stacks_start(int fd, size_t max, pid_t guest, bool json, void (*done)(void *arg, ssize_t len), void *arg)
{
	struct request *r = calloc(1, sizeof *r);
	pthread_t thread;
	if (!r)
		return -EAGAIN;
	*r = (struct request){.fd = fd, .max = max, .guest = guest, .json = json, .done = done, .arg = arg};
	if (pthread_create(&thread, NULL, answer, r)) {
		free(r);
		return -EAGAIN;
	}
	pthread_detach(thread);
	return 0;
}
