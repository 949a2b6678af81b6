/* SPDX-License-Identifier: Apache-2.0 */
/*
 * front.c - the command's own process after start: copies the terminal, forwards signals, knows the exit status.
 *
 * One poll(2) loop in which nothing blocks: every descriptor that is read or written is non-blocking, each direction has a buffer, and
 * a full buffer only stops reading from its own source. Signals are blocked and come by a signalfd, so none is lost between two steps.
 */
#include "interposer/front.h"
#include "base/log.h"
#include "interposer/fdpass.h"
#include "interposer/front_tty.h"
#include "interposer/registry.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define KILL_AFTER_MS 2000

struct ring {
	size_t start, len;
	char data[32768];
};

struct loop {
	const struct front *f;
	int ctl, sigfd;
	int pidfd;     /* the supervisor, or -1: the end of ctl is its end */
	bool no_pidfd; /* that's so from the start */
	int listener;
	int edge; /* epoll of our terminal, edge triggered: news about it while we are in the background */
	sigset_t watched;
	bool tty_in; /* our terminal can still be read */
	bool tty_nonblock;
	bool drop_cr; /* the terminal adds a CR of its own to each NL */
	bool ctl_open, ended;
	bool started, done; /* the command runs; its status is known */
	bool attached;      /* the command has its terminal's foreground: ours is to be raw while we have ours */
	bool abandon;       /* a signal after the end: don't wait for slow output */
	int status;
	int64_t deadline; /* ms of the monotonic clock, or 0 */
	bool timed_out;
	uint64_t pending; /* signals to forward, bit sig - 1 */
	bool pending_cont, pending_dump;
	unsigned unanswered; /* FRONT_CONTINUE without a FRONT_CONTINUED */
	struct ring in, out; /* terminal to command, command to terminal */
};

static const int forwarded[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1, SIGUSR2,   SIGALRM, SIGTERM,
				SIGTSTP, SIGTTIN, SIGTTOU, SIGPROF, SIGVTALRM, SIGPOLL, SIGPWR};

/* Appends what fd has, up to the room there is. 1: something; 0: nothing now; -1: end or error. */
static int ring_fill(struct ring *r, int fd)
{
	if (!r->len)
		r->start = 0;
	if (r->start && r->start + r->len == sizeof(r->data)) {
		memmove(r->data, r->data + r->start, r->len);
		r->start = 0;
	}
	size_t end = r->start + r->len;
	if (end == sizeof(r->data))
		return 0;
	ssize_t n = read(fd, r->data + end, sizeof(r->data) - end);
	if (n > 0) {
		r->len += (size_t)n;
		return 1;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

/* Writes what it can, at most max bytes: 1: something; 0: nothing now; -1: fd takes no more for ever. */
static int ring_flush(struct ring *r, int fd, size_t max)
{
	if (!r->len)
		return 0;
	ssize_t n = write(fd, r->data + r->start, MIN(r->len, max));
	if (n > 0) {
		r->start += (size_t)n;
		r->len -= (size_t)n;
		return 1;
	}
	return n == 0 || errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* One step through the output for a terminal that isn't raw, and so puts a CR before each NL itself: the command's terminal has done that
 * already. Passes over source bytes from *at until n bytes have gone to dst (may be NULL); a CR at the end waits for what follows unless
 * it's final. How many went. */
static size_t strip_cr(const struct ring *r, size_t *at, char *dst, size_t n, bool final)
{
	const char *p = r->data + r->start;
	size_t out = 0;

	for (; *at < r->len && out < n; (*at)++) {
		if (p[*at] == '\r') {
			if (*at + 1 == r->len && !final)
				break;
			if (*at + 1 < r->len && p[*at + 1] == '\n')
				continue;
		}
		if (dst)
			dst[out] = p[*at];
		out++;
	}
	return out;
}

/* Stripping comes at the last moment: by the terminal's mode when it's written, not when it was read. */
static int flush_stripped(struct loop *l, size_t max)
{
	struct ring *r = &l->out;
	char buf[4096];
	size_t at = 0;
	size_t n = strip_cr(r, &at, buf, MIN(max, sizeof(buf)), l->ended);

	if (!n)
		return 0;
	ssize_t written = write(l->f->tty, buf, n);
	if (written <= 0)
		return written == 0 || errno == EAGAIN || errno == EINTR ? 0 : -1;
	at = 0;
	strip_cr(r, &at, NULL, (size_t)written, l->ended);
	r->start += at;
	r->len -= at;
	return 1;
}

static int read_master(struct loop *l)
{
	return ring_fill(&l->out, l->f->master);
}

static void write_tty(struct loop *l)
{
	size_t max = l->tty_nonblock ? sizeof(l->out.data) : 64;
	int r = l->drop_cr ? flush_stripped(l, max) : ring_flush(&l->out, l->f->tty, max);

	if (r < 0)
		l->out.len = 0; /* the terminal is gone: the command may go on writing, as under nohup */
}

/* Is there output that can be written now, and isn't a CR that waits for what follows? */
static bool has_output(const struct loop *l)
{
	return l->out.len > 1 || (l->out.len && (!l->drop_cr || l->ended || l->out.data[l->out.start] != '\r'));
}

static bool ring_has_room(const struct ring *r)
{
	return r->len < sizeof(r->data);
}

static bool has_tty(const struct loop *l)
{
	return l->f->master >= 0;
}

static void enter_raw(struct loop *l)
{
	if (!has_tty(l))
		return;
	front_tty_copy_size(l->f);
	if (l->attached && l->started && !l->done && !front_tty_raw(l->f->tty))
		l->drop_cr = false;
}

static void leave_raw(struct loop *l)
{
	if (!has_tty(l))
		return;
	front_tty_restore(l->f->tty);
	l->drop_cr = front_tty_adds_cr(l->f->tty);
}

/* Sends what is pending. The supervisor may be busy: what doesn't fit now stays pending, and poll() says when. */
static void send_pending(struct loop *l)
{
	while (l->ctl_open && l->started && (l->pending || l->pending_cont || l->pending_dump)) {
		struct front_msg m = {.event = l->pending_cont ? FRONT_CONTINUE : FRONT_DUMP};
		if (l->pending)
			m = (struct front_msg){.event = FRONT_SIGNAL, .status = __builtin_ctzll(l->pending) + 1};
		if (send(l->ctl, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN)
				l->pending = l->pending_cont = l->pending_dump =
				    0; /* it's ending: its process descriptor tells the rest */
			return;
		}
		if (l->pending) {
			l->pending &= l->pending - 1;
		} else if (l->pending_cont) {
			l->pending_cont = false;
			l->unanswered++;
		} else {
			l->pending_dump = false;
		}
	}
}

/* What is typed waits until the command goes on: Ctrl-Z in a terminal whose group is still stopped would be undone by the SIGCONT. */
static bool continuing(const struct loop *l)
{
	return l->ctl_open && (l->pending_cont || l->unanswered);
}

static bool take_sigcont(void)
{
	const struct timespec now = {0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCONT);
	return sigtimedwait(&set, NULL, &now) == SIGCONT;
}

/* Stops our whole process group by sig's default action, as the terminal would have. Returns when continued: true, or at once when the
 * kernel didn't stop us (an orphaned group can't be stopped by the terminal's signals): false. */
static bool stop_group(int sig)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL}, old;
	sigset_t set, old_mask;

	take_sigcont();
	sigemptyset(&dfl.sa_mask);
	if (sig != SIGSTOP)
		sigaction(sig, &dfl, &old);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, &old_mask);
	kill(0, sig);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	if (sig != SIGSTOP)
		sigaction(sig, &old, NULL);
	return take_sigcont();
}

/* What is there already goes out before we stop, as far as the terminal takes it. */
static void flush_now(struct loop *l)
{
	for (int tries = 0; tries < 64 && has_tty(l); tries++) {
		int got = ring_has_room(&l->out) ? read_master(l) : 0;
		size_t before = l->out.len;
		if (l->out.len && l->tty_nonblock)
			write_tty(l);
		if (got <= 0 && before == l->out.len)
			return;
	}
}

/*
 * The command was stopped: so are we, for our shell to see. It continues with us; but one that was stopped for using the terminal from the
 * background only once we are in the foreground: after `bg` it would have been stopped again.
 */
static void stopped(struct loop *l, int sig)
{
	bool wants_tty = has_tty(l) && (sig == SIGTTIN || sig == SIGTTOU);

	/* Stopped, we could not end it in time, and without a terminal nobody has a job to continue. */
	if (l->deadline && !has_tty(l))
		return;
	/* First use in a pipeline: the terminal was our group's all along, so a plain child wouldn't have been stopped. */
	if (!(wants_tty && !l->attached && front_tty_foreground(l->f->tty))) {
		flush_now(l);
		leave_raw(l);
		while (stop_group(sig) && wants_tty && !front_tty_foreground(l->f->tty))
			continue;
	}
	l->attached |= wants_tty; /* init has given it the foreground */
	enter_raw(l);
	l->pending_cont = true;
}

static void receive(struct loop *l)
{
	struct front_msg m;

	for (;;) {
		ssize_t n = recv(l->ctl, &m, sizeof(m), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n != sizeof(m)) {
			l->ctl_open = false;
			l->ended |= l->no_pidfd;
			return;
		}
		log_event(LF_INTERPOSER, LL_DEBUG, "from the supervisor", LOG_INT("event", m.event),
			  LOG_INT("status", m.status));
		switch (m.event) {
		case FRONT_STARTED:
			l->started = true;
			enter_raw(l);
			break;
		case FRONT_STOPPED:
			if (!l->done && WIFSTOPPED(m.status))
				stopped(l, WSTOPSIG(m.status));
			break;
		case FRONT_EXITED:
			l->status = WIFSIGNALED(m.status) ? 128 + WTERMSIG(m.status) : WEXITSTATUS(m.status);
			l->done = true;
			/* All tracees are dead and reaped. What is left is the kernel's dismantling of namespaces in the supervisor's
			 * exit, milliseconds that nobody need wait for. */
			l->ended = true;
			break;
		case FRONT_FAILED:
			l->status = m.status;
			l->done = true;
			break;
		case FRONT_CONTINUED:
			l->unanswered -= l->unanswered > 0;
			break;
		default:
			break;
		}
	}
}

static bool ends_us(int sig)
{
	return sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT;
}

static void on_signal(struct loop *l, int sig)
{
	log_event(LF_INTERPOSER, LL_DEBUG, "signal", LOG_INT("signal", sig));
	if (sig == SIGCONT) {
		/* Stopped from outside by SIGSTOP, or `fg` and `bg`. */
		if (l->started && !l->done) {
			enter_raw(l);
			l->pending_cont = true;
		}
	} else if (sig == SIGWINCH && has_tty(l)) {
		front_tty_copy_size(l->f);
	} else if (l->done) {
		l->abandon |= ends_us(sig);
	} else if (sig == SIGUSR1 && l->f->dump_on_usr1) {
		l->pending_dump = true;
	} else if (l->started) {
		l->pending |= 1ULL << (sig - 1);
	} else if (sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU) {
		stop_group(sig);
	} else if (ends_us(sig)) {
		/* The start itself is interrupted; our end of the socket goes with us, which ends the rest. */
		l->status = 128 + sig;
		l->done = l->abandon = true;
	} else {
		l->pending |= 1ULL << (sig - 1); /* sent once there is someone to send it to */
	}
}

static void read_signals(struct loop *l)
{
	struct signalfd_siginfo si;

	while (read(l->sigfd, &si, sizeof(si)) == (ssize_t)sizeof(si))
		on_signal(l, (int)si.ssi_signo);
}

/* A signal that's ignored stays so, here and in the command: blocked, it would queue up all the same. */
static int watch_signals(struct loop *l)
{
	struct sigaction sa;

	sigemptyset(&l->watched);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++) {
		if (!sigaction(forwarded[i], NULL, &sa) && sa.sa_handler != SIG_IGN)
			sigaddset(&l->watched, forwarded[i]);
	}
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++) {
		if (!sigaction(sig, NULL, &sa) && sa.sa_handler != SIG_IGN)
			sigaddset(&l->watched, sig);
	}
	sigaddset(&l->watched, SIGWINCH);
	sigaddset(&l->watched, SIGCONT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &l->watched, NULL) < 0)
		return -errno;
	l->sigfd = signalfd(-1, &l->watched, SFD_NONBLOCK | SFD_CLOEXEC);
	return l->sigfd < 0 ? -errno : 0;
}

/*
 * Someone types in the terminal while we don't read it: if that's us (brought to the foreground without having been stopped, of which no
 * signal tells), take it over now. Edge triggered: what is typed to another group's program wakes us once a burst, and never spins.
 */
static void on_edge(struct loop *l)
{
	struct epoll_event ev;

	if (epoll_wait(l->edge, &ev, 1, 0) <= 0)
		return;
	enter_raw(l);
}

/* stty tostop: what a background job writes stops it; so it does us. False: don't write now. Where we can't be stopped, output goes on. */
static bool may_write(struct loop *l)
{
	if (front_tty_foreground(l->f->tty) || !front_tty_tostop(l->f->tty) || sigismember(&l->watched, SIGTTOU) != 1)
		return true;
	if (!stop_group(SIGTTOU))
		return true;
	enter_raw(l);
	return front_tty_foreground(l->f->tty);
}

/* Somebody wants something of the sandbox: if it's our own user, the supervisor will see to it. Who isn't served sees the end of the
 * connection. */
static void let_in(struct loop *l)
{
	struct front_msg m = {.event = FRONT_CONNECTION};
	AUTO_CLOSE int sock = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (sock < 0) {
		/* For want of descriptors: it would be readable for ever. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			l->listener = -1;
		return;
	}
	if (!registry_peer_ok(sock)) {
		log_event(LF_INTERPOSER, LL_WARN, "a request of another user's was refused");
		return;
	}
	int r = fdpass_send(l->ctl, &sock, 1, &m, sizeof(m), MSG_DONTWAIT);
	log_event(LF_INTERPOSER, LL_DEBUG, "connection from outside", LOG_INT("passed", r));
}

enum { SLOT_CTL, SLOT_SIG, SLOT_PID, SLOT_LISTEN, SLOT_MASTER, SLOT_TTY, SLOT_EDGE, SLOT_COUNT };

static void prepare(struct loop *l, struct pollfd p[SLOT_COUNT])
{
	bool reading = has_tty(l) && l->tty_in && !l->done && front_tty_is_raw();
	bool hold = continuing(l);

	for (int i = 0; i < SLOT_COUNT; i++)
		p[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	if (l->ctl_open) {
		p[SLOT_CTL].fd = l->ctl;
		p[SLOT_CTL].events =
		    (short)(POLLIN | (l->started && (l->pending || l->pending_cont || l->pending_dump) ? POLLOUT : 0));
	}
	p[SLOT_SIG].fd = l->sigfd;
	if (!l->ended)
		p[SLOT_PID].fd = l->pidfd;
	if (l->ctl_open && !l->done)
		p[SLOT_LISTEN].fd = l->listener;
	if (!has_tty(l))
		return;
	p[SLOT_MASTER].events =
	    (short)((ring_has_room(&l->out) ? POLLIN : 0) | (l->in.len && !l->done && !hold ? POLLOUT : 0));
	p[SLOT_MASTER].fd = p[SLOT_MASTER].events ? l->f->master : -1;
	p[SLOT_TTY].events =
	    (short)((reading && !hold && ring_has_room(&l->in) ? POLLIN : 0) | (has_output(l) ? POLLOUT : 0));
	p[SLOT_TTY].fd = p[SLOT_TTY].events ? l->f->tty : -1;
	if (!reading && l->tty_in && !l->done)
		p[SLOT_EDGE].fd = l->edge;
}

static void copy(struct loop *l, const struct pollfd p[SLOT_COUNT])
{
	if ((p[SLOT_MASTER].revents & POLLOUT) && !continuing(l) && ring_flush(&l->in, l->f->master, sizeof(l->in.data)) < 0)
		l->in.len = 0;
	if (p[SLOT_MASTER].revents & POLLIN)
		read_master(l);
	if ((p[SLOT_TTY].revents & (POLLIN | POLLHUP | POLLERR)) && (p[SLOT_TTY].events & POLLIN)) {
		if (!front_tty_foreground(l->f->tty) && !(p[SLOT_TTY].revents & POLLHUP))
			leave_raw(l); /* reading would take another group's input */
		else if (ring_fill(&l->in, l->f->tty) < 0)
			l->tty_in = false;
	}
	if ((p[SLOT_TTY].revents & (POLLOUT | POLLHUP | POLLERR)) && has_output(l) && may_write(l))
		write_tty(l);
}

/* Everything the command wrote has been passed on. The supervisor's end means that every writer is gone, and read(2) of a master first
 * waits for what the kernel has in flight (n_tty_read(), tty_buffer_flush_work()): so nothing now is nothing ever. */
static bool drained(struct loop *l)
{
	if (!has_tty(l))
		return true;
	if (!l->out.len)
		read_master(l);
	return !l->out.len;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The time is over: asks the command to end, once; the second time it's ended with everything else, by our end of the socket. */
static void on_deadline(struct loop *l)
{
	if (!l->timed_out && l->started) {
		l->timed_out = true;
		l->pending |= 1ULL << (SIGTERM - 1);
		l->pending_cont = true; /* a stopped one must hear it */
		l->deadline = now_ms() + KILL_AFTER_MS;
		return;
	}
	l->timed_out = l->done = l->abandon = true;
}

/* For poll(2). */
static int time_left(struct loop *l)
{
	if (!l->deadline || l->done)
		return -1;
	return (int)MAX(MIN(l->deadline - now_ms(), (int64_t)INT32_MAX), (int64_t)0);
}

static void run(struct loop *l)
{
	struct pollfd p[SLOT_COUNT];

	while (!l->abandon) {
		send_pending(l);
		if (l->ended) {
			/* Its last word may still wait in the socket. */
			if (l->ctl_open)
				receive(l);
			if (drained(l))
				return;
		}
		/* Cooked again at once, so that Ctrl-C reaches us while the supervisor still tidies up. */
		if (l->done && front_tty_is_raw() && drained(l))
			leave_raw(l);
		prepare(l, p);
		int ready = poll(p, SLOT_COUNT, time_left(l));
		if (!ready || (ready > 0 && !time_left(l))) {
			if (!time_left(l))
				on_deadline(l);
			if (!ready)
				continue;
		}
		if (ready < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		/* The supervisor's word first: that the command has started comes before its first output, and what the user types in
		 * answer to that output must find the terminal raw. */
		if ((p[SLOT_CTL].revents & (POLLIN | POLLHUP | POLLERR)) || (!l->started && l->ctl_open))
			receive(l);
		if (p[SLOT_SIG].revents)
			read_signals(l);
		if (has_tty(l))
			copy(l, p);
		if (p[SLOT_EDGE].revents)
			on_edge(l);
		if (p[SLOT_PID].revents)
			l->ended = true;
		if (p[SLOT_LISTEN].revents)
			let_in(l);
	}
}

static int open_all(struct loop *l, pid_t supervisor)
{
	int r = watch_signals(l);

	if (r < 0)
		return r;
	l->no_pidfd = supervisor < 0;
	if (!l->no_pidfd) {
		l->pidfd = (int)syscall(SYS_pidfd_open, supervisor, 0);
		if (l->pidfd < 0 && errno != ESRCH)
			return -errno;
		l->ended = l->pidfd < 0;
	}
	if (!has_tty(l))
		return 0;
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	l->edge = epoll_create1(EPOLL_CLOEXEC);
	if (l->edge < 0 || epoll_ctl(l->edge, EPOLL_CTL_ADD, l->f->tty, &ev) < 0)
		return -errno;
	return 0;
}

int front_run(struct front *f, int ctl, pid_t supervisor)
{
	AUTO_FREE struct loop *l = xcalloc(1, sizeof(*l));

	*l = (struct loop){.f = f,
			   .ctl = ctl,
			   .sigfd = -1,
			   .pidfd = -1,
			   .edge = -1,
			   .listener = f->listener,
			   .ctl_open = true,
			   .tty_in = true,
			   .attached = !f->background};
	if (has_tty(l)) {
		l->tty_nonblock = fcntl(f->tty, F_GETFL) & O_NONBLOCK;
		l->drop_cr = front_tty_adds_cr(f->tty);
	}
	int r = open_all(l, supervisor);
	if (r < 0) {
		log_msg("cannot watch over the command: %s", strerror(-r));
		l->status = 125;
		l->done = true;
	} else {
		if (f->timeout_ms)
			l->deadline = now_ms() + f->timeout_ms;
		run(l);
		if (l->timed_out)
			l->status = 124; /* timeout(1)'s */
	}
	if (has_tty(l))
		front_tty_restore(f->tty);
	if (!l->done) {
		log_msg("the supervisor died; the command was killed");
		l->status = 125;
	}
	close_fd_(&l->edge);
	close_fd_(&l->pidfd);
	close_fd_(&l->sigfd);
	/* The signals stay blocked: one that came last must not take the place of the status. */
	return l->status;
}
