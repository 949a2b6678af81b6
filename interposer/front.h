/* SPDX-License-Identifier: Apache-2.0 */
/*
 * front.h - the command's own process while the sandbox runs: terminal, signals, exit status.
 *
 * The command runs in a session of its own, so that kill(0, ...) inside reaches nothing outside. If one of descriptors 0, 1, 2 is
 * our controlling terminal, the command gets a pseudo terminal in its place and this process copies between the two, as sudo's use_pty
 * does: Ctrl-C, Ctrl-Z, job control inside a shell and resizing all work as outside.
 */
#ifndef INTERPOSER_FRONT_H
#define INTERPOSER_FRONT_H

#include "base/base.h"

#include <sys/types.h>

/* What the supervisor and this process tell each other, over a SOCK_SEQPACKET pair; one struct a packet. */
enum front_event {
	FRONT_STARTED = 1, /* supervisor: the command runs */
	FRONT_STOPPED,     /* supervisor: the command was stopped; status: wait status */
	FRONT_EXITED,      /* supervisor: the command ended; status: wait status */
	FRONT_FAILED,      /* supervisor: could not start it; status: exit status (125, 126, 127); said on stderr already */
	FRONT_SIGNAL,      /* to the supervisor: status is a signal for the command's process group */
	FRONT_PTY,         /* supervisor, first of all where the front has a terminal: comes with master and slave */
	FRONT_CONTINUE,    /* to the supervisor: SIGCONT to the command's foreground process group */
	FRONT_CONNECTION,  /* to the supervisor: comes with a connection of somebody who has a request (control.h) */
	FRONT_DUMP,        /* to the supervisor: write your state to the debug log */
	FRONT_CONTINUED,   /* supervisor, to each FRONT_CONTINUE: done */
};
struct front_msg {
	uint32_t event;
	int32_t status;
};

struct front {
	int slave;       /* pseudo terminal for the command, or -1; also its controlling terminal */
	int master;      /* ours */
	bool use_pty[3]; /* which of 0, 1, 2 become the slave */
	int tty;         /* our own terminal, a non-blocking open file of our own; or -1 */
	/* The command starts outside the foreground group of its terminal: we are a background job or part of a pipeline whose other
	 * parts may use the terminal too. It gets the terminal when it's stopped by SIGTTIN or SIGTTOU. For struct init_config. */
	bool background;
	int listener;      /* where requests from outside arrive (registry.h), or -1 */
	bool dump_on_usr1; /* SIGUSR1 asks for the supervisor's state, and doesn't reach the command */
	unsigned
	    timeout_ms; /* 0: none. Then SIGTERM for the command's group, SIGKILL for all after two seconds, and status 124 */
};
/* Looks at descriptors 0, 1, 2; tty is -1 afterwards if the command needs no pseudo terminal. 0 or -errno. */
int front_open(struct front *f) MUST_CHECK;
/* A new terminal of the devpts instance whose root directory is devpts. Both ends are the caller's; the master doesn't block. 0 or -errno. */
int front_open_pty(int devpts, int *master, int *slave) MUST_CHECK;
/* Makes master and slave, with the terminal's size and modes, in the devpts instance whose root directory is devpts: the supervisor does it, in the
 * sandbox's own, so that the command finds its terminal's name, and sends the master to the front. 0 or -errno. */
int front_make_pty(struct front *f, int devpts) MUST_CHECK;
/* Runs until the supervisor's process has ended: returns the status to exit with. ctl: the socket pair's end. Restores the
 * terminal on every way out, signals included. If the supervisor dies without a word: message, 125. Doesn't reap the supervisor;
 * closes none of the descriptors it's given, and keeps f's slave open: so the master has no end that comes and goes.
 * Signals that are ignored at the call stay ignored; the others are left blocked, as the process is to exit with the status now.
 * Supervisor and gofer must not be in our process group.
 * supervisor -1: the command is one that has joined a sandbox, and ctl the connection to that one's supervisor: its end is the end. */
int front_run(struct front *f, int ctl, pid_t supervisor);

#endif
