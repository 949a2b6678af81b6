/* SPDX-License-Identifier: Apache-2.0 */
/*
 * front_run.c - front.c and init.c under a real terminal: the test holds the terminal's master and plays the user, a small "shell" with
 * job control runs the front process as its job, and a fake supervisor starts init and speaks struct front_msg.
 */
#include "interposer/front.h"
#include "interposer/init.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

#define PATIENCE 10000 /* ms until a wait is a failure */

extern char **environ;

enum { BACKGROUND = 1, NO_TTY = 2, PIPE_IN = 4, PIPE_OUT = 8 };

struct user {
	int master, slave;        /* the user's terminal */
	int to_shell, from_shell; /* commands of one character; events of struct event */
	int in, out;              /* the other ends of PIPE_IN, PIPE_OUT */
	struct termios modes;     /* at the start */
	pid_t shell, job, supervisor;
	char seen[1 << 16]; /* terminal output not yet matched */
	size_t n_seen;
};
struct event {
	int kind; /* 'j' job pid, 's' supervisor pid, 'w' wait status */
	int value;
};

static void put(int fd, int kind, int value)
{
	struct event e = {kind, value};
	if (write(fd, &e, sizeof(e)) != sizeof(e))
		_exit(99);
}

/* init holds no descriptor, so it reports to the fake supervisor by a queued signal. */
static long tell(enum init_word word, long value, uint64_t ticket)
{
	if (word != INIT_REPORT || ticket)
		return 0;
	return sigqueue(getppid(), SIGRTMIN, (union sigval){.sival_int = (int)value});
}

/* init's child, once it is a process group; 0 if it has ended before it was seen. */
static pid_t child_of(pid_t pid)
{
	char name[64];
	int child = 0;
	sigset_t pending;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/children", pid, pid);
	while (!child || getpgid(child) != child) {
		sigpending(&pending); /* first: the report of a child that appears meanwhile doesn't count */
		FILE *f = fopen(name, "r");
		if (!f || fscanf(f, "%d", &child) != 1)
			child = 0;
		if (f)
			fclose(f);
		if (!child && sigismember(&pending, SIGRTMIN))
			return 0;
	}
	return child;
}

static void kill_command(pid_t command, int sig)
{
	if (command)
		kill(-command, sig);
}

static _Noreturn void fake_supervisor(const struct init_config *cfg, int ctl)
{
	struct signalfd_siginfo si;
	struct front_msg m;
	sigset_t set;

	setsid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int sfd = signalfd(-1, &set, SFD_CLOEXEC);
	pid_t init = fork();
	if (!init) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		init_main(cfg);
	}
	pid_t command = child_of(init);
	m = (struct front_msg){FRONT_STARTED, 0};
	send(ctl, &m, sizeof(m), 0);
	for (;;) {
		struct pollfd p[2] = {{.fd = ctl, .events = POLLIN}, {.fd = sfd, .events = POLLIN}};
		poll(p, 2, -1);
		if (p[0].revents) {
			if (recv(ctl, &m, sizeof(m), 0) != sizeof(m)) {
				kill_command(command, SIGKILL);
				_exit(1);
			}
			if (m.event == FRONT_CONTINUE)
				usleep(20000); /* time for a key to overtake it */
			kill_command(command, m.event == FRONT_CONTINUE ? SIGCONT : m.status);
			if (m.event == FRONT_CONTINUE) {
				m.event = FRONT_CONTINUED;
				send(ctl, &m, sizeof(m), 0);
			}
		}
		if (p[1].revents) {
			if (read(sfd, &si, sizeof(si)) != sizeof(si))
				_exit(1);
			m.event = WIFSTOPPED(si.ssi_int) ? FRONT_STOPPED : FRONT_EXITED;
			m.status = si.ssi_int;
			if (m.event == FRONT_EXITED)
				kill_command(command, SIGKILL); /* as the end of the namespace would */
			send(ctl, &m, sizeof(m), 0);
			if (m.event == FRONT_EXITED) {
				while (wait(NULL) > 0)
					continue;
				_exit(0);
			}
		}
	}
}

static _Noreturn void run_job(char *const *argv, int events)
{
	struct init_config cfg = {.argv = argv, .env = environ, .tell = tell};
	struct front f;
	int sv[2];

	init_save_signals(&cfg);
	/* The host's terminals do as well as the sandbox's own. */
	AUTO_CLOSE int dev = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (front_open(&f) < 0 || (f.tty >= 0 && front_make_pty(&f, dev) < 0) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		_exit(98);
	cfg.slave = f.slave;
	cfg.background = f.background;
	memcpy(cfg.use_pty, f.use_pty, sizeof(cfg.use_pty));
	pid_t supervisor = fork();
	if (!supervisor) {
		close(sv[0]);
		fake_supervisor(&cfg, sv[1]);
	}
	close(sv[1]);
	put(events, 's', supervisor);
	_exit(front_run(&f, sv[0], supervisor));
}

static _Noreturn void shell(struct user *u, char *const *argv, int flags, int commands, int events, int in, int out)
{
	int wstatus;
	sigset_t set;

	setsid();
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	if (flags & NO_TTY) {
		int null = open("/dev/null", O_RDWR);
		for (int i = 0; i < 3; i++)
			dup2(null, i);
	} else {
		ioctl(u->slave, TIOCSCTTY, 0);
		for (int i = 0; i < 3; i++)
			dup2(u->slave, i);
	}
	if (flags & PIPE_IN)
		dup2(in, 0);
	if (flags & PIPE_OUT)
		dup2(out, 1);
	/* Above the standard ones by far; the terminal's master must not be held here. */
	commands = dup2(commands, 100);
	events = dup2(events, 101);
	fcntl(events, F_SETFD, FD_CLOEXEC);
	fcntl(commands, F_SETFD, FD_CLOEXEC);
	close_range(3, 99, 0);
	close_range(102, ~0U, 0);
	signal(SIGTTOU, SIG_IGN);
	pid_t job = fork();
	if (!job) {
		setpgid(0, 0);
		if (!(flags & (BACKGROUND | NO_TTY)))
			tcsetpgrp(2, getpid());
		signal(SIGTTOU, SIG_DFL);
		run_job(argv, events);
	}
	setpgid(job, job);
	close(0);
	close(1);
	put(events, 'j', job);
	for (;;) {
		char c;
		if (waitpid(job, &wstatus, WUNTRACED) < 0)
			_exit(97);
		tcsetpgrp(2, getpgrp());
		put(events, 'w', wstatus);
		if (!WIFSTOPPED(wstatus))
			_exit(0);
		if (read(commands, &c, 1) != 1)
			_exit(96);
		if (c == 'f')
			tcsetpgrp(2, job);
		kill(-job, SIGCONT);
	}
}

static int event(struct user *u, int kind)
{
	for (;;) {
		struct pollfd p = {.fd = u->from_shell, .events = POLLIN};
		struct event e;
		cr_assert_eq(poll(&p, 1, PATIENCE), 1, "no event %c; seen: %.*s", kind, (int)u->n_seen, u->seen);
		cr_assert_eq(read(u->from_shell, &e, sizeof(e)), sizeof(e));
		if (e.kind == 'j')
			u->job = e.value;
		if (e.kind == 's')
			u->supervisor = e.value;
		if (e.kind == kind)
			return e.value;
	}
}

static struct user *start(int flags, const char *script)
{
	struct user *u = calloc(1, sizeof(*u));
	char *const argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, NULL};
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	int cmd[2], ev[2], in[2] = {-1, -1}, out[2] = {-1, -1};

	cr_assert(u && !openpty(&u->master, &u->slave, NULL, NULL, &size));
	cr_assert(!pipe2(cmd, O_CLOEXEC) && !pipe2(ev, O_CLOEXEC) && !pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
	cr_assert(!tcgetattr(u->slave, &u->modes));
	u->modes.c_cc[VERASE] = 'X' - '@'; /* something to recognise */
	cr_assert(!tcsetattr(u->slave, TCSANOW, &u->modes));
	u->shell = fork();
	if (!u->shell)
		shell(u, argv, flags, cmd[0], ev[1], in[0], out[1]);
	close(cmd[0]);
	close(ev[1]);
	close(in[0]);
	close(out[1]);
	u->to_shell = cmd[1];
	u->from_shell = ev[0];
	u->in = in[1];
	u->out = out[0];
	signal(SIGPIPE, SIG_IGN);
	return u;
}

/* Reads the terminal until text has come; what follows it is kept. */
static void expect(struct user *u, const char *text)
{
	for (;;) {
		u->seen[u->n_seen] = 0;
		char *at = memmem(u->seen, u->n_seen, text, strlen(text));
		if (at) {
			size_t used = (size_t)(at - u->seen) + strlen(text);
			memmove(u->seen, u->seen + used, u->n_seen - used);
			u->n_seen -= used;
			return;
		}
		struct pollfd p = {.fd = u->master, .events = POLLIN};
		cr_assert_eq(poll(&p, 1, PATIENCE), 1, "waiting for '%s', got %zu '%s'", text, u->n_seen, u->seen);
		ssize_t n = read(u->master, u->seen + u->n_seen, sizeof(u->seen) - 1 - u->n_seen);
		cr_assert(n > 0, "end of terminal, waiting for '%s', got '%s'", text, u->seen);
		u->n_seen += (size_t)n;
	}
}

static void type(struct user *u, const char *keys)
{
	cr_assert_eq(write(u->master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static bool is_raw(struct user *u)
{
	struct termios t;
	cr_assert(!tcgetattr(u->slave, &t));
	return !(t.c_lflag & ICANON);
}

static void wait_raw(struct user *u)
{
	for (int i = 0; !is_raw(u); i++) {
		cr_assert(i < PATIENCE);
		usleep(1000);
	}
}

static void modes_restored(struct user *u)
{
	struct termios t;
	cr_assert(!tcgetattr(u->slave, &t));
	cr_assert_eq(t.c_lflag, u->modes.c_lflag);
	cr_assert_eq(t.c_iflag, u->modes.c_iflag);
	cr_assert_eq(t.c_oflag, u->modes.c_oflag);
	cr_assert_eq(t.c_cflag, u->modes.c_cflag);
	cr_assert(!memcmp(t.c_cc, u->modes.c_cc, sizeof(t.c_cc)));
}

static void stopped_by(struct user *u, int sig)
{
	int w = event(u, 'w');
	cr_assert(WIFSTOPPED(w), "status %x", w);
	cr_assert_eq(WSTOPSIG(w), sig, "stopped by %d", WSTOPSIG(w));
	modes_restored(u);
}

static void shell_does(struct user *u, char c)
{
	cr_assert_eq(write(u->to_shell, &c, 1), 1);
}

static void ends_with(struct user *u, int status)
{
	int w = event(u, 'w');
	cr_assert(WIFEXITED(w), "status %x", w);
	cr_assert_eq(WEXITSTATUS(w), status, "exit status %d", WEXITSTATUS(w));
	modes_restored(u);
	cr_assert_eq(waitpid(u->shell, NULL, 0), u->shell);
	int fds[] = {u->master, u->slave, u->to_shell, u->from_shell, u->in, u->out};
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	free(u);
}

Test(front, exit_status, .timeout = 60)
{
	ends_with(start(0, "exit 7"), 7);
	ends_with(start(0, "kill -TERM $$"), 143);
	ends_with(start(0, "kill -KILL $$"), 137);
	ends_with(start(NO_TTY, "exit 9"), 9);
}

Test(front, a_terminal_of_its_own, .timeout = 60)
{
	struct user *u = start(0, "stty -a; stty size; tty </dev/tty; test -t 0 && test -t 1 && test -t 2 && echo all");
	expect(u, "erase = ^X;");
	expect(u, "24 80\r\n");
	expect(u, "all\r\n");
	ends_with(u, 0);
}

Test(front, ctrl_c, .timeout = 60)
{
	struct user *u = start(0, "trap 'echo caught; exit 3' INT; echo ready; while :; do read x; done");
	expect(u, "ready\r\n");
	wait_raw(u);
	type(u, "\003");
	expect(u, "caught\r\n");
	ends_with(u, 3);
	u = start(0, "echo ready; exec sleep 1000");
	expect(u, "ready\r\n");
	type(u, "\003");
	ends_with(u, 130);
}

Test(front, ctrl_z_and_fg, .timeout = 60)
{
	struct user *u = start(0, "echo ready; read x; echo got $x; stty size");
	expect(u, "ready\r\n");
	for (int i = 0; i < 3; i++) {
		wait_raw(u);
		type(u, "\032");
		stopped_by(u, SIGTSTP);
		shell_does(u, 'f');
	}
	wait_raw(u);
	type(u, "hello\r");
	expect(u, "got hello\r\n");
	ends_with(u, 0);
}

/* A job continued by `bg` leaves the terminal alone. Loops without a fork: a shell waiting in vfork(2) for a stopped child isn't stopped. */
Test(front, ctrl_z_and_bg, .timeout = 60)
{
	struct user *u = start(0, "trap 'echo again; exit 4' CONT; echo ready; while :; do :; done");
	expect(u, "ready\r\n");
	wait_raw(u);
	type(u, "\032");
	stopped_by(u, SIGTSTP);
	shell_does(u, 'b');
	expect(u, "again\r\n");
	ends_with(u, 4);
}

Test(front, resize, .timeout = 60)
{
	struct winsize size = {.ws_row = 33, .ws_col = 77};
	struct user *u = start(0, "trap 'stty size; exit 0' WINCH; echo ready; while :; do read x; done");
	expect(u, "ready\r\n");
	wait_raw(u);
	cr_assert(!ioctl(u->master, TIOCSWINSZ, &size));
	expect(u, "33 77\r\n");
	ends_with(u, 0);
}

/* All of it arrives, though a child that outlives the command holds the terminal. */
Test(front, big_output, .timeout = 120)
{
	struct user *u = start(0, "sleep 1000 & head -c 10000000 /dev/zero | tr '\\0' x; echo; echo end");
	static char buf[65536];
	size_t n = 0;
	for (bool end = false; !end;) {
		struct pollfd p = {.fd = u->master, .events = POLLIN};
		cr_assert_eq(poll(&p, 1, PATIENCE), 1, "after %zu", n);
		ssize_t got = read(u->master, buf, sizeof(buf));
		cr_assert(got > 0);
		for (ssize_t i = 0; i < got; i++) {
			n += buf[i] == 'x';
			end |= buf[i] == 'e';
		}
	}
	cr_assert_eq(n, 10000000);
	ends_with(u, 0);
}

/* The end of the output isn't lost when the command ends right after writing it. */
Test(front, last_words, .timeout = 120)
{
	for (int i = 0; i < 20; i++) {
		struct user *u = start(0, "seq 1 3000; echo final");
		expect(u, "\n3000\r\nfinal\r\n");
		ends_with(u, 0);
	}
}

Test(front, end_of_input, .timeout = 60)
{
	struct user *u = start(0, "cat; echo end");
	wait_raw(u);
	type(u, "abc\r\004");
	expect(u, "abc\r\nabc\r\n");
	expect(u, "end\r\n");
	ends_with(u, 0);
}

/* More typed than anybody reads, while output is flowing: neither direction waits for the other. */
Test(front, full_both_ways, .timeout = 120)
{
	struct user *u = start(0, "stty raw -echo; echo ready; head -c 300000 | wc -c; sleep 0.2; seq 1 20000; echo end");
	static char keys[4096];
	size_t left = 300000;
	expect(u, "ready");
	wait_raw(u);
	memset(keys, 'k', sizeof(keys));
	fcntl(u->master, F_SETFL, O_NONBLOCK);
	while (left) {
		struct pollfd p = {.fd = u->master, .events = POLLOUT};
		cr_assert_eq(poll(&p, 1, PATIENCE), 1, "%zu keys left", left);
		ssize_t n = write(u->master, keys, MIN(left, sizeof(keys)));
		left -= n > 0 ? (size_t)n : 0;
	}
	expect(u, "300000");
	for (bool end = false; !end;) {
		struct pollfd p = {.fd = u->master, .events = POLLIN};
		char c = 0;
		cr_assert_eq(poll(&p, 1, PATIENCE), 1);
		end = read(u->master, &c, 1) == 1 && c == 'e';
	}
	ends_with(u, 0);
}

Test(front, killed, .timeout = 60)
{
	static const int sigs[] = {SIGTERM, SIGHUP, SIGQUIT, SIGUSR1};
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		struct user *u = start(0, "ulimit -c 0; echo ready; exec sleep 1000");
		expect(u, "ready\r\n");
		wait_raw(u);
		if (!u->job)
			event(u, 'j');
		kill(u->job, sigs[i]);
		ends_with(u, 128 + sigs[i]);
	}
}

Test(front, supervisor_dies, .timeout = 60)
{
	struct user *u = start(0, "echo ready; exec sleep 1000");
	expect(u, "ready\r\n");
	wait_raw(u);
	if (!u->supervisor)
		event(u, 's');
	kill(u->supervisor, SIGKILL);
	expect(u, "sandbox: the supervisor died");
	ends_with(u, 125);
}

Test(front, background, .timeout = 60)
{
	struct user *u = start(BACKGROUND, "echo ready; read x; echo got $x");
	expect(u, "ready\r\n");
	stopped_by(u, SIGTTIN);
	shell_does(u, 'b');
	stopped_by(u, SIGTTIN);
	shell_does(u, 'f');
	wait_raw(u);
	type(u, "hello\r");
	expect(u, "got hello\r\n");
	ends_with(u, 0);
	u = start(BACKGROUND, "echo ready; stty -echo; stty echo; echo done");
	expect(u, "ready\r\n");
	stopped_by(u, SIGTTOU);
	shell_does(u, 'f');
	expect(u, "done\r\n");
	ends_with(u, 0);
	ends_with(start(BACKGROUND, "exit 5"), 5);
}

Test(front, pipes, .timeout = 60)
{
	char buf[64] = "";
	struct user *u = start(PIPE_OUT, "test -t 0 && ! test -t 1 && test -t 2 && echo good; echo err >&2");
	cr_assert(read(u->out, buf, sizeof(buf) - 1) > 0);
	cr_assert_str_eq(buf, "good\n");
	expect(u, "err\r\n");
	ends_with(u, 0);

	u = start(PIPE_IN, "cat; echo a; echo b; read x </dev/tty; echo got $x");
	cr_assert_eq(write(u->in, "piped\n", 6), 6);
	close(u->in);
	u->in = -1;
	expect(u, "piped\r\na\r\nb\r\n");
	wait_raw(u); /* by reading its terminal, not before */
	type(u, "key\r");
	expect(u, "got key\r\n");
	ends_with(u, 0);
}

/* In a pipeline the terminal is not raw: Ctrl-C and Ctrl-Z come as signals to the group. */
Test(front, pipe_signals, .timeout = 60)
{
	struct user *u = start(PIPE_IN, "echo ready >&2; exec cat");
	expect(u, "ready\r\n");
	type(u, "\032");
	stopped_by(u, SIGTSTP);
	shell_does(u, 'f');
	cr_assert_eq(write(u->in, "piped\n", 6), 6);
	expect(u, "piped\r\n");
	cr_assert(!is_raw(u));
	type(u, "\003");
	ends_with(u, 130);
}

Test(front, no_terminal, .timeout = 60)
{
	char buf[64] = "";
	struct user *u = start(NO_TTY | PIPE_OUT, "trap 'echo usr1; kill -STOP $$; echo on; exit 6' USR1; echo ready; "
						  "while :; do :; done");
	event(u, 'j');
	cr_assert_eq(read(u->out, buf, sizeof(buf)), 6);
	kill(u->job, SIGUSR1);
	cr_assert_eq(read(u->out, buf, 5), 5);
	stopped_by(u, SIGSTOP);
	shell_does(u, 'b');
	cr_assert_eq(read(u->out, buf, 3), 3);
	ends_with(u, 6);
	u = start(NO_TTY | PIPE_OUT, "echo ready; while :; do :; done");
	event(u, 'j');
	cr_assert_eq(read(u->out, buf, sizeof(buf)), 6);
	kill(u->job, SIGTSTP);
	stopped_by(u, SIGTSTP);
	shell_does(u, 'b');
	kill(u->job, SIGTERM);
	ends_with(u, 143);
}
