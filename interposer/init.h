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

/*
 * What init and the sessions of joined commands (sandbox exec) say to the supervisor. A ticket is a number that nobody can guess: who has
 * it speaks for that session, also from a process whose number the supervisor doesn't know yet. 0: of the sandbox's own command.
 */
enum init_word {
	INIT_REPORT = 1, /* value: wait status of a stopped or ended command */
	INIT_TAKE,    /* is there a command to start? Its ticket, with the descriptors of init_session.c in place; 0: none */
	INIT_SPAWNED, /* value: the session's process, or -errno */
	INIT_COMMAND, /* by a joined command's process: it's about to execute it */
};

struct init_config {
	char *const *argv; /* command and arguments, NULL terminated; argv[0] is searched in env's PATH as execvp(3) does */
	char *const *env;  /* environment of the command, NULL terminated */
	int slave;         /* the command's terminal, or -1 */
	bool use_pty[3];   /* which of 0, 1, 2 become the slave; the others stay what they are in init */
	bool background;   /* struct front's: the command starts outside the terminal's foreground group */
	sigset_t mask;     /* the command's signal mask */
	sigset_t ignored;  /* the signals that the command ignores from the start (nohup) */
	/* A word to the supervisor, and its answer; see enum init_word. */
	long (*tell)(enum init_word word, long value, uint64_t ticket);
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

/* The supervisor sends init this signal when there's something for INIT_TAKE. */
#define INIT_WAKE SIGUSR1

/*
 * A command that joins (sandbox exec): init puts a process between itself and it, which leads a session of its own with the command's
 * terminal, for the same reason that init does. Descriptors of the joiner, as INIT_TAKE places them in init:
 */
enum { SESSION_STDIN = 1, SESSION_STDOUT, SESSION_STDERR, SESSION_WORDS, SESSION_TTY, SESSION_FDS = SESSION_TTY };
/* Content of SESSION_WORDS, a memfd: this, then argc + envc strings with their NULs. */
struct session_words {
	uint32_t argc, envc;
	uint64_t mask, ignored; /* bit n - 1: signal n */
	uint8_t use_pty[3], background;
	uint32_t pad;
};
#define SESSION_WORDS_MAX (16U << 20)
/* In a child of init's. tty: SESSION_TTY is there. */
_Noreturn void init_session(const struct init_config *init, uint64_t ticket, bool tty);

/* init.c, for both. In the command's process: never returns. */
_Noreturn void init_run_command(const struct init_config *cfg, int slave, char **sh_argv);
/* What to do about a report of the command's: true when it has ended. *slave: held only while it can be needed, or -1. */
bool init_saw(const struct init_config *cfg, uint64_t ticket, pid_t command, int wstatus, int *slave);

#endif
