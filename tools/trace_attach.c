/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_attach.c - sandbox trace -p: the supervisor traces (interposer/trace/attach.h), here is only asked and written. It gets a pipe and never
 * our files or terminal, as it handles hostile input.
 */
#include "base/log.h"
#include "interposer/fdpass.h"
#include "interposer/registry.h"
#include "interposer/trace/attach.h"
#include "interposer/trace/sink.h"
#include "tools/cmd.h"
#include "tools/trace_options.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_MS 10000

static int connection = -1;

/* The supervisor lets everything go then, and closes the pipe after the last line. A second one ends us. */
static void on_stop(int sig)
{
	int saved = errno;
	shutdown(connection, SHUT_WR);
	errno = saved;
}

/* Dies when it can't be traced. How many threads are. */
static unsigned ask(const struct registered *s, const struct control_trace *q, int out)
{
	struct control_reply reply;
	int fds[FDPASS_MAX];
	int r = connection < 0 ? connection : fdpass_send(connection, &out, 1, q, sizeof(*q), 0);
	if (r)
		die("can't reach the sandbox of process %d: %s", s->front, strerror(-r));
	int n = control_answer(connection, ANSWER_MS, &reply, fds);
	if (n == -ETIMEDOUT)
		die("the sandbox of process %d doesn't answer: is it stopped?", s->front);
	if (n < 0)
		die("the sandbox of process %d has ended", s->front);
	while (n)
		close(fds[--n]);
	if (reply.error)
		die("can't trace the sandbox of process %d: %s", s->front,
		    *reply.text ? reply.text : strerror(-reply.error));
	return reply.size;
}

/* Until the other end is closed. False: what is written doesn't arrive. */
static bool copy(int from, int to)
{
	static char buf[65536];
	ssize_t n;
	while ((n = read(from, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR)) {
		for (ssize_t at = 0, w; at < n; at += w) {
			w = write(to, buf + at, (size_t)(n - at));
			if (w < 0 && errno == EINTR)
				w = 0;
			else if (w < 0 && errno == EAGAIN)
				w = poll(&(struct pollfd){.fd = to, .events = POLLOUT}, 1, -1) * 0;
			else if (w <= 0)
				return false;
		}
	}
	return true;
}

int trace_attach(const struct trace_options *t, const char *who)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct control_trace q;
	int pipes[2];
	struct registered *s = running_find(who);
	pid_t pid = (pid_t)strtol(who, NULL, 10);
	attach_pack(&q, t);
	q.head = (struct control_head){CONTROL_TRACE, CONTROL_TRACE_VERSION, sizeof(q)};
	/* A process inside is asked for alone. */
	if (strcmp(s->name, who) && pid != s->front && pid != s->supervisor) {
		q.pid = running_inner(pid);
		if (q.pid <= 0)
			die("process %d has ended", pid);
	}
	struct trace_sink sink = trace_sink_open(t);
	AUTO_CLOSE int out = fcntl(sink.fd >= 0 ? sink.fd : 2, F_DUPFD_CLOEXEC, 3);
	if (out < 0)
		die("can't write the trace: %m");
	if (pipe2(pipes, O_CLOEXEC))
		die("pipe: %m");
	connection = registry_connect(s);
	unsigned threads = ask(s, &q, pipes[1]);
	close(pipes[1]);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct sigaction sa = {.sa_handler = on_stop, .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};
		sigaction(ends[i], &sa, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	if (!t->quiet)
		log_msg("tracing %u threads; Ctrl-C ends it and leaves them running", threads);
	bool ok = copy(pipes[0], out);
	int err = errno;
	close_fd_(&out);
	out = -1;
	trace_sink_close(&sink);
	errno = err;
	if (!ok && errno != EPIPE)
		log_msg("%s: %m", t->file ? t->file : "standard error");
	registry_free(s, 1);
	return ok ? 0 : CMD_FAILED;
}
