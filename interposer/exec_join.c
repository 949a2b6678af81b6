/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_join.c - commands that join a running sandbox (sandbox exec), as the supervisor sees them.
 *
 * The joiner's descriptors go to init, which forks a session for them (init_session.c): so the command is born like the sandbox's first one,
 * with its filter, namespaces, limits and no capability. What our kernel knows of it (directory, credentials) is put on init for the moment
 * of the fork, and inherited like all such state (kernel/task.h).
 *
 * From then on the connection carries struct front_msg, and the joiner is a front like any other. When it goes, its session is killed.
 */
#include "interposer/control.h"

#include "base/log.h"
#include "interposer/fdpass.h"
#include "interposer/front.h"
#include "interposer/init.h"
#include "interposer/live.h"
#include "interposer/trace/trace.h"
#include "kernel/task.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define KILL_ROUNDS 100

enum join_state { WAITING, TAKEN, SPAWNED };
struct join {
	enum join_state state;
	int sock;
	int fds[SESSION_FDS]; /* as SESSION_ numbers them, from SESSION_STDIN on; -1 once they are in init */
	int master, slave;    /* the terminal, until the joiner has it */
	struct record *rec;   /* state to start in */
	uint64_t ticket;
	pid_t session, command; /* our numbers; 0: not yet */
	int session_fd;
	bool told; /* the reply has been sent */
	bool done, gone;
	struct join *next;
};

/* Guards the list and all in it: words come on the workers' threads. */
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct join *joins; /* oldest first */
static struct record *base;
static int devpts = -1;

void join_init(struct record *b, int pts)
{
	base = b;
	record_get(b);
	devpts = pts;
}

static void set_init_record(const struct record *r)
{
	uint64_t lim[2] = {r->id, RLIM_INFINITY};

	/* It worked at the start, and needs no memory. */
	(void)!syscall(SYS_prlimit64, the_place.init_pid, RLIMIT_LOCKS, lim, NULL);
}

/* The sandbox's state but for what was asked. */
static struct record *make_record(const struct control_exec *q, struct control_reply *r)
{
	struct record *d = record_draft(base);
	struct path p = {0};
	int err;

	if (d && (q->flags & (CONTROL_UID | CONTROL_GID))) {
		struct cred *c = supervisor_cred(q->flags & CONTROL_UID ? q->uid : d->cred->uid,
						 q->flags & CONTROL_GID ? q->gid : d->cred->gid, 0, NULL);
		if (c) {
			free(d->cred);
			d->cred = c;
		} else {
			record_free_draft(take_ptr(d));
		}
	}
	if (d && (q->flags & CONTROL_DIR)) {
		struct vfs_cred cred;
		struct vfs_ctx ctx = supervisor_ctx(d, &cred);
		err = vfs_resolve(&ctx, NULL, q->dir, 0, &p);
		if (!err)
			err = vfs_may_chdir(&ctx, &p);
		if (err) {
			path_put(&p);
			record_free_draft(d);
			snprintf(r->text, sizeof(r->text), "can't change to directory %.180s inside", q->dir);
			r->error = err;
			return NULL;
		}
		path_put(&d->cwd);
		d->cwd = p;
	}
	d = d ? record_intern(d) : NULL;
	if (!d)
		r->error = -ENOMEM;
	return d;
}

static int make_terminal(struct join *j, const struct control_exec *q)
{
	int r = front_open_pty(devpts, &j->master, &j->slave);

	if (r)
		return r;
	/* Whatever they are, they are a terminal's of the sandbox only. */
	tcsetattr(j->slave, TCSANOW, &q->modes);
	ioctl(j->master, TIOCSWINSZ, &q->size);
	j->fds[SESSION_TTY - 1] = fcntl(j->slave, F_DUPFD_CLOEXEC, 3);
	return j->fds[SESSION_TTY - 1] < 0 ? -errno : 0;
}

static void close_all(struct join *j)
{
	for (int i = 0; i < SESSION_FDS; i++) {
		close_fd_(&j->fds[i]);
		j->fds[i] = -1;
	}
	close_fd_(&j->master);
	close_fd_(&j->slave);
	j->master = j->slave = -1;
}

/* Under mu. init looks for a joiner when it's woken; before the command runs it would take the joiner's for the first exec. */
static void kick(void)
{
	if (notify_command_pid())
		kill(the_place.init_pid, INIT_WAKE);
}

void join_command_started(void)
{
	pthread_mutex_lock(&mu);
	if (joins)
		kick();
	pthread_mutex_unlock(&mu);
}

/* The joiner has looked already; but this is what keeps the host's directories out. */
static bool may_pass(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_PATH) && !fstat(fd, &st) && !S_ISDIR(st.st_mode);
}

int join_new(int sock, const struct control_exec *q, const int fds[4], struct join **out, struct control_reply *r)
{
	if (!memchr(q->dir, 0, sizeof(q->dir)) || ((q->flags & CONTROL_DIR) && q->dir[0] != '/'))
		return -EPROTO;
	for (int i = 0; i < 4; i++)
		if (!may_pass(fds[i]))
			return -EBADF;
	AUTO_FREE struct join *j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	*j = (struct join){.sock = sock, .fds = {-1, -1, -1, -1, -1}, .master = -1, .slave = -1, .session_fd = -1};
	if (getrandom(&j->ticket, sizeof(j->ticket), 0) != sizeof(j->ticket))
		return -EIO;
	/* Positive as an int64_t: it's an answer of a system call on its way to init. */
	j->ticket = (j->ticket >> 2) | 1;
	j->rec = make_record(q, r);
	if (!j->rec)
		return r->error;
	int err = q->flags & CONTROL_TTY ? make_terminal(j, q) : 0;
	if (err) {
		snprintf(r->text, sizeof(r->text), "can't make a terminal inside");
		record_put(j->rec);
		close_all(j);
		return err;
	}
	memcpy(j->fds, fds, 4 * sizeof(*fds));
	pthread_mutex_lock(&mu);
	struct join **at = &joins;
	while (*at)
		at = &(*at)->next;
	*out = *at = j;
	kick();
	pthread_mutex_unlock(&mu);
	(void)!take_ptr(j);
	return 0;
}

/* Under mu. The answer to the request: what comes after it are messages to a front. */
static void tell(struct join *j, int error, const char *what)
{
	struct control_reply r = {.error = error};
	const int pty[2] = {j->master, j->slave};

	if (j->told)
		return;
	j->told = true;
	snprintf(r.text, sizeof(r.text), "%s", what);
	if (!error && j->master >= 0)
		(void)!fdpass_send(j->sock, pty, 2, &r, sizeof(r), MSG_DONTWAIT);
	else
		(void)!send(j->sock, &r, sizeof(r), MSG_DONTWAIT | MSG_NOSIGNAL);
	/* Where the master is ours the terminal would never hang up. */
	close_fd_(&j->master);
	close_fd_(&j->slave);
	j->master = j->slave = -1;
}

static void send_event(struct join *j, uint32_t event, int status)
{
	struct front_msg m = {event, status};

	(void)!send(j->sock, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Under mu. Over, without a command that ever began. */
static void fail(struct join *j, int error, const char *what)
{
	log_event(LF_INTERPOSER, LL_WARN, what, LOG_INT("errno", -error));
	tell(j, error, what);
	j->done = true;
	control_wake();
}

static struct join *find(uint64_t ticket)
{
	struct join *j = joins;

	while (j && j->ticket != ticket)
		j = j->next;
	return j;
}

/* init is in the call c: its descriptors and its state are ours to change. */
static int64_t take(struct call *c)
{
	for (struct join *j = joins; j; j = j->next) {
		if (j->state != WAITING || j->done || j->gone)
			continue;
		j->state = TAKEN;
		int err = 0;
		for (int i = 0; i < SESSION_FDS && err >= 0; i++)
			if (j->fds[i] >= 0)
				err = live_put_fd(c, j->fds[i], SESSION_STDIN + i, true);
		for (int i = 0; i < SESSION_FDS; i++) {
			close_fd_(&j->fds[i]);
			j->fds[i] = -1;
		}
		if (err < 0) {
			/* EBADF: the command's own limit of open files is so low. */
			fail(j, err == -EBADF ? -EMFILE : err, "can't pass descriptors inside");
			j->state = SPAWNED;
			kick(); /* it closes what it has got before it asks again */
			return 0;
		}
		set_init_record(j->rec);
		return (int64_t)j->ticket;
	}
	return 0;
}

static bool is_zombie(pid_t pid)
{
	char path[32], buf[512];

	snprintf(path, sizeof(path), "%d/stat", pid);
	AUTO_CLOSE int fd = openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return true;
	buf[n] = '\0';
	const char *end = strrchr(buf, ')'); /* the name before it is anybody's choice */
	return end && end[1] && (end[2] == 'Z' || end[2] == 'X');
}

static void kill_session(pid_t session)
{
	/* Who forks meanwhile is found in the next round. */
	for (int round = 0; round < KILL_ROUNDS; round++) {
		bool found = false;
		int fd = openat(the_place.procfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
		struct dirent *e;
		if (!d) {
			close_fd_(&fd);
			return;
		}
		while ((e = readdir(d))) {
			pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
			/* The leader last: init reaps it at once, and its number may come back. */
			if (pid > 1 && pid != session && getsid(pid) == session && !is_zombie(pid))
				found |= !kill(pid, SIGKILL);
		}
		closedir(d);
		if (!found)
			break;
	}
}

/* Under mu. */
static void end_session(struct join *j)
{
	if (j->session <= 0)
		return;
	kill_session(j->session);
	/* By its descriptor: it may be gone, and reaped. */
	syscall(SYS_pidfd_send_signal, j->session_fd, SIGKILL, NULL, 0);
}

static int64_t spawned(struct join *j, int value)
{
	set_init_record(base);
	j->state = SPAWNED;
	if (value < 0) {
		fail(j, value, "can't start a process inside");
		return 0;
	}
	j->session = remote_host_pid(value);
	j->session_fd = j->session > 0 ? (int)syscall(SYS_pidfd_open, j->session, 0) : -1;
	if (j->session_fd < 0)
		fail(j, -ESRCH, "the session inside is gone");
	log_event(LF_INTERPOSER, LL_INFO, "init forked a session", LOG_INT("pid", value));
	if (j->gone)
		end_session(j);
	control_wake(); /* there is a process to poll */
	return 0;
}

static int64_t started(struct join *j, struct call *c)
{
	if (j->command)
		return -EPERM;
	if (j->gone) {
		kill(c->pid, SIGKILL);
		return 0;
	}
	j->command = c->pid;
	tell(j, 0, "");
	send_event(j, FRONT_STARTED, 0);
	return 0;
}

static int64_t reported(struct join *j, int wstatus)
{
	if (WIFSTOPPED(wstatus)) {
		send_event(j, FRONT_STOPPED, wstatus);
		return 0;
	}
	tell(j, -ECHILD, "the command ended before it began");
	send_event(j, FRONT_EXITED, wstatus);
	log_event(LF_INTERPOSER, LL_INFO, "a joined command ended", LOG_INT("status", wstatus));
	j->done = true;
	j->command = 0;
	control_wake();
	return 0;
}

int64_t join_word(struct call *c)
{
	const bool init = c->pid == the_place.init_pid;
	const int value = (int)c->args[2];
	int64_t r = -EFAULT; /* what an execve of such a pointer gives anybody else */

	pthread_mutex_lock(&mu);
	struct join *j = c->args[3] ? find(c->args[3]) : NULL;
	switch (c->args[1]) {
	case INIT_TAKE:
		if (init)
			r = take(c);
		break;
	case INIT_SPAWNED:
		if (init && j && j->state == TAKEN)
			r = spawned(j, value);
		break;
	case INIT_COMMAND:
		if (j)
			r = started(j, c);
		break;
	case INIT_REPORT:
		if (j && !j->done)
			r = reported(j, value);
		break;
	default:
		break;
	}
	pthread_mutex_unlock(&mu);
	/* Without the lock: who reads the trace can make this wait. */
	if (c->args[1] == INIT_COMMAND && j && !r)
		trace_joined(c->pid);
	return r;
}

int join_pollfd(struct join *j)
{
	pthread_mutex_lock(&mu);
	int fd = j->session_fd;
	pthread_mutex_unlock(&mu);
	return fd;
}

void join_readable(struct join *j)
{
	struct front_msg m;
	ssize_t n = recv(j->sock, &m, sizeof(m), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	pthread_mutex_lock(&mu);
	if (n != sizeof(m)) {
		log_event(LF_INTERPOSER, LL_INFO, "a joiner is gone", LOG_INT("session", j->session));
		j->gone = true;
		end_session(j);
	} else if (j->command > 0 && m.event == FRONT_SIGNAL && m.status > 0 && m.status < 65) {
		kill(-j->command, m.status);
	} else if (m.event == FRONT_CONTINUE) {
		if (j->command > 0)
			kill(-j->command, SIGCONT);
		send_event(j, FRONT_CONTINUED, 0);
	}
	pthread_mutex_unlock(&mu);
}

/* Without a report: somebody inside has killed it. */
void join_died(struct join *j)
{
	pthread_mutex_lock(&mu);
	if (!j->done) {
		tell(j, -ECHILD, "the session inside was killed");
		send_event(j, FRONT_EXITED, SIGKILL);
		j->done = true;
		kill_session(j->session);
	}
	pthread_mutex_unlock(&mu);
}

bool join_over(struct join *j)
{
	pthread_mutex_lock(&mu);
	/* Between init's two words it's init's. */
	bool over = j->state != TAKEN && (j->done || j->gone);
	pthread_mutex_unlock(&mu);
	return over;
}

void join_free(struct join *j)
{
	pthread_mutex_lock(&mu);
	for (struct join **at = &joins; *at; at = &(*at)->next)
		if (*at == j) {
			*at = j->next;
			break;
		}
	pthread_mutex_unlock(&mu);
	record_put(j->rec);
	close_all(j);
	close_fd_(&j->session_fd);
	close(j->sock);
	free(j);
}

void join_end(struct join *j)
{
	pthread_mutex_lock(&mu);
	if (!j->done) {
		tell(j, -ESRCH, "the sandbox has ended");
		send_event(j, FRONT_EXITED, SIGKILL);
	}
	pthread_mutex_unlock(&mu);
}
