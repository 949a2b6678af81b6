/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - requests to a running sandbox, from a process of the same user outside (README.md says how they travel).
 *
 * One SOCK_SEQPACKET connection a request: the request with its descriptors in one packet, then one struct control_reply; what follows is
 * the kind's own affair. A kind's layout may change with its version; both sides refuse one that they don't know.
 */
#ifndef INTERPOSER_CONTROL_H
#define INTERPOSER_CONTROL_H

#include "base/base.h"

#include <limits.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

enum control_kind {
	CONTROL_EXEC = 1, /* struct control_exec; stdin, stdout, stderr, words (init.h). Then struct front_msg both ways */
	CONTROL_DUMP,     /* struct control_head; a memfd for the text, whose length the reply tells */
	CONTROL_STACKS,   /* struct control_stacks; the same */
	CONTROL_TRACE,    /* struct control_trace (trace/attach.h); a pipe. Runs until either end closes the connection */
};
#define CONTROL_EXEC_VERSION   1
#define CONTROL_DUMP_VERSION   1
#define CONTROL_STACKS_VERSION 1
#define CONTROL_TRACE_VERSION  1

struct control_head {
	uint16_t kind, version;
	uint32_t size; /* of the packet, this included */
};

#define CONTROL_TTY 1U /* make a terminal: its master and slave come with the reply */
#define CONTROL_DIR 2U
#define CONTROL_UID 4U
#define CONTROL_GID 8U
struct control_exec {
	struct control_head head;
	uint32_t flags;
	uint32_t uid, gid;
	struct winsize size;  /* of the terminal */
	struct termios modes; /* its, as the joiner's terminal has them */
	char dir[PATH_MAX];   /* inside; NUL terminated */
};

struct control_stacks {
	struct control_head head;
	int32_t pid; /* as the sandbox numbers it; 0: all processes */
	uint32_t json;
};

struct control_reply {
	int32_t error; /* 0 or -errno */
	uint32_t size;
	char text[248]; /* of an error: what couldn't be done; NUL terminated */
};

/* --- The asking side. ------------------------------------------------------------------------------------------------ */

/*
 * Receives the answer to a request: how many descriptors came with it, the caller's, at most FDPASS_MAX (fdpass.h). r->error is 0 or an errno
 * negated, r->text ends and has no control characters. -ETIMEDOUT: no answer within wait_ms (-1: waits), -EPIPE: the sandbox has ended,
 * -EPROTO, -EMSGSIZE: not an answer.
 */
int control_answer(int sock, int wait_ms, struct control_reply *r, int *fds) MUST_CHECK;

/* --- The supervisor's side. Main thread only, but for join_word(). -------------------------------------------------- */

/* Somebody outside who was let in by the front. */
struct peer;
/* Takes over the connection. */
void control_connect(int sock);
struct pollfd;
#define CONTROL_POLL_MAX 129
/* What to poll for the peers: at most CONTROL_POLL_MAX. How many. */
unsigned control_poll(struct pollfd *fds);
/* After poll(2) with those. */
void control_run(const struct pollfd *fds, unsigned n);
/* Everything inside has ended. */
void control_end(void);
/* Makes poll(2) return; any thread. */
void control_wake(void);
/* Before the supervisor is confined. 0 or -errno. */
int control_init(void) MUST_CHECK;

/* exec_join.c: commands that join. */
struct join;
struct record;
/* Before the first. base: what joins starts in this state; referenced here. devpts: where terminals are made. */
void join_init(struct record *base, int devpts);
/* A request for it. Takes over the connection and all four descriptors if it returns 0; -errno with the reason in *r otherwise. */
int join_new(int sock, const struct control_exec *q, const int fds[4], struct join **out,
	     struct control_reply *r) MUST_CHECK;
/* The session's process, to be polled, or -1. */
int join_pollfd(struct join *j);
/* The joiner has sent something, or is gone. */
void join_readable(struct join *j);
/* The session's process has ended. */
void join_died(struct join *j);
/* Done with: to be freed by join_free(), which also closes the connection. */
bool join_over(struct join *j);
void join_free(struct join *j);
/* The sandbox ends. */
void join_end(struct join *j);
/* The command runs: init can take joiners from now on. Any thread. */
void join_command_started(void);
struct call;
/* A word of init's or of a session's (init.h) but for reports about the sandbox's own command. Its answer. Any thread. */
int64_t join_word(struct call *c);

/* dump.c: the supervisor's state as text, line by line, bounded. */
struct gofer;
void dump_init(const struct gofer *gofer);
void dump_state(void (*line)(void *arg, const char *text), void *arg);
/* To the debug log, or to stderr without one. */
void dump_to_log(void);

#endif
