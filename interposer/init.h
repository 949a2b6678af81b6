/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init.h - pid 1 of the tracees' PID namespace: starts the command, reaps, reports.
 */
#ifndef INTERPOSER_INIT_H
#define INTERPOSER_INIT_H

#include "base/base.h"

#include <signal.h>
#include <sys/types.h>

struct trace_options;
struct init_config {
	char *const *argv; /* command and arguments, NULL terminated; argv[0] is searched in env's PATH as execvp(3) does */
	char *const *env;  /* environment of the command, NULL terminated */
	int slave;         /* the command's terminal, or -1 */
	bool use_pty[3];   /* which of 0, 1, 2 become the slave; the others stay what they are in init */
	bool background;   /* struct front's: the command starts outside the terminal's foreground group */
	sigset_t mask;     /* the command's signal mask */
	sigset_t ignored;  /* the signals that the command ignores from the start (nohup) */
	/* Reports a stop (WIFSTOPPED) or the end of the command to the supervisor. What it returns is not looked at. */
	long (*report)(int wstatus);
	/* Calls of the command that the host runs stop for a tracer (filter_install_stops()); or NULL. */
	const struct trace_options *trace;
};

/* Fills mask and ignored from the calling process. Called before anything in this process or its parents changes a signal. */
void init_save_signals(struct init_config *cfg);

/*
 * Runs as pid 1 once everything is confined and the filter stands; single threaded. Makes a session with the slave as its controlling
 * terminal, runs the command as a process group of its own in it, reaps for ever. When the command's main process ends, reports it
 * and ends too, and the kernel kills what is left. The command is not a session leader, as it isn't under a shell: with its parent
 * in another group of the same session its group isn't orphaned, and only so does the kernel let Ctrl-Z stop it (setpgid(2),
 * kernel/signal.c get_signal()).
 *
 * When the command can't be executed: a message on its stderr; 127 for ENOENT, otherwise 126.
 */
_Noreturn void init_main(const struct init_config *cfg);

#endif
