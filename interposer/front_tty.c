/* SPDX-License-Identifier: Apache-2.0 */
/*
 * front_tty.c - our own terminal: finding it, raw mode, and giving it back on every way out.
 *
 * Raw mode is process-wide state (there is one controlling terminal), kept where a handler of a fatal signal can reach it.
 */
#include "interposer/front_tty.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

static volatile sig_atomic_t raw_fd = -1; /* the terminal in raw mode, or -1 */
static struct termios saved;              /* its modes before; valid while raw_fd >= 0 */

/* tcgetsid(3) answers for our controlling terminal and for any pty master: those are told apart by TIOCGPTN, which only masters have. */
static bool is_controlling(int fd)
{
	unsigned ptn;

	return tcgetsid(fd) == getsid(0) && ioctl(fd, TIOCGPTN, &ptn) < 0;
}

/* An open file of our own: O_NONBLOCK on descriptor 0 would change it for everyone who shares it. Should no name lead to the terminal
 * (another mount namespace's), a duplicate; poll(2) and short writes must do then. */
static int open_tty(int fd)
{
	char name[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (tty >= 0)
		return tty;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	tty = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (tty >= 0)
		return tty;
	tty = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return tty < 0 ? -errno : tty;
}

/* Above 2, so that nothing mistakes it for a standard descriptor that our caller had closed. */
static int move_up(int fd)
{
	if (fd < 0 || fd > 2)
		return fd;
	int up = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int err = errno;
	close(fd);
	return up < 0 ? -err : up;
}

/* A member of a pipeline shares the terminal with its neighbours (`cmd | less`). */
static bool is_pipe(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

int front_open(struct front *f)
{
	int ours = -1;

	*f = (struct front){.slave = -1, .master = -1, .tty = -1, .listener = -1};
	for (int i = 0; i < 3; i++) {
		f->use_pty[i] = is_controlling(i);
		if (f->use_pty[i] && ours < 0)
			ours = i;
	}
	if (ours < 0)
		return 0;
	f->tty = move_up(open_tty(ours));
	if (f->tty < 0)
		return f->tty;
	f->background = !front_tty_foreground(f->tty);
	for (int i = 0; i < 3; i++)
		f->background |= is_pipe(i);
	return 0;
}

int front_open_pty(int devpts, int *out_master, int *out_slave)
{
	int unlock = 0;

	AUTO_CLOSE int master = move_up(openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (master < 0)
		return -errno;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return -errno;
	/* By name it could be another devpts' terminal. */
	AUTO_CLOSE int slave = move_up(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
	if (slave < 0)
		return -errno;
	if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return -errno;
	*out_master = take_fd(&master);
	*out_slave = take_fd(&slave);
	return 0;
}

int front_make_pty(struct front *f, int devpts)
{
	AUTO_CLOSE int master = -1;
	AUTO_CLOSE int slave = -1;
	struct termios modes;
	struct winsize size;
	int r = front_open_pty(devpts, &master, &slave);

	if (r)
		return r;
	if (tcgetattr(f->tty, &modes) < 0 || tcsetattr(slave, TCSANOW, &modes) < 0)
		return -errno;
	if (!ioctl(f->tty, TIOCGWINSZ, &size))
		ioctl(master, TIOCSWINSZ, &size);
	f->master = take_fd(&master);
	f->slave = take_fd(&slave);
	return 0;
}

bool front_tty_foreground(int tty)
{
	return tcgetpgrp(tty) == getpgrp();
}

/* A crash of ours must not leave the user with a raw terminal. Only async-signal-safe calls; SA_RESETHAND makes the second time fatal. */
static void fatal_handler(int sig)
{
	if (raw_fd >= 0)
		tcsetattr(raw_fd, TCSANOW, &saved);
	raise(sig);
}

static void guard_crashes(void)
{
	static const int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
	struct sigaction sa = {.sa_handler = fatal_handler, .sa_flags = SA_RESETHAND}, old;

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++) {
		/* A handler that is there already (a sanitizer's) knows more. */
		if (!sigaction(sigs[i], NULL, &old) && !(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL)
			sigaction(sigs[i], &sa, NULL);
	}
}

int front_tty_raw(int tty)
{
	struct termios now, raw;

	if (raw_fd >= 0)
		return 0;
	if (!front_tty_foreground(tty))
		return -EAGAIN;
	if (tcgetattr(tty, &now) < 0)
		return -errno;
	raw = now;
	tcflag_t cflag = raw.c_cflag;
	cfmakeraw(&raw);
	raw.c_cflag = cflag; /* the line's character format isn't ours to change */
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	saved = now;
	guard_crashes();
	raw_fd = tty;
	/* TCSANOW: draining could block for ever on a terminal stopped by Ctrl-S. */
	if (tcsetattr(tty, TCSANOW, &raw) < 0) {
		raw_fd = -1;
		return -errno;
	}
	return 0;
}

void front_tty_restore(int tty)
{
	if (raw_fd < 0)
		return;
	if (front_tty_foreground(tty))
		tcsetattr(tty, TCSANOW, &saved);
	raw_fd = -1;
}

bool front_tty_is_raw(void)
{
	return raw_fd >= 0;
}

bool front_tty_adds_cr(int tty)
{
	struct termios t;

	return !tcgetattr(tty, &t) && (t.c_oflag & OPOST) && (t.c_oflag & ONLCR);
}

bool front_tty_tostop(int tty)
{
	struct termios t;

	return !tcgetattr(tty, &t) && (t.c_lflag & TOSTOP);
}

/* On the master, so that the kernel tells the command's foreground group with SIGWINCH if it's a change. */
void front_tty_copy_size(const struct front *f)
{
	struct winsize size;

	if (f->master >= 0 && !ioctl(f->tty, TIOCGWINSZ, &size))
		ioctl(f->master, TIOCSWINSZ, &size);
}
