/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - the supervisor's end of requests from outside: connections, and the table of what can be asked.
 *
 * Who gets here has shown the front to be our own user, so what he sends is checked for form, not for intent. The main thread serves
 * them between other things: no request may make it wait for the one who asked.
 */
#include "interposer/control.h"

#include "base/log.h"
#include "interposer/fdpass.h"
#include "interposer/supervisor.h"
#include "interposer/trace/attach.h"
#include "interposer/trace/stacks.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define MAX_PEERS 64
_Static_assert(CONTROL_POLL_MAX == 2 * MAX_PEERS + 1, "a connection and a process each, and the wake-up");

struct peer {
	int sock; /* -1: the join has it */
	int join_sock;
	struct join *join;
};
static struct peer peers[MAX_PEERS];
static unsigned n_peers;
static int wake_fd = -1;

union request {
	struct control_head head;
	struct control_exec exec;
	struct control_stacks stacks;
	struct control_trace trace;
};

int control_init(void)
{
	wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return wake_fd < 0 ? -errno : 0;
}

void control_wake(void)
{
	uint64_t one = 1;

	/* EAGAIN: it's awake. */
	(void)!write(wake_fd, &one, sizeof(one));
}

static void reply(int sock, const struct control_reply *r)
{
	/* Who doesn't wait for an answer doesn't get one. */
	(void)!send(sock, r, sizeof(*r), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void handle_exec(struct peer *p, const union request *q, int fds[FDPASS_MAX])
{
	struct control_reply r = {0};

	r.error = join_new(p->sock, &q->exec, fds, &p->join, &r);
	if (r.error) {
		reply(p->sock, &r);
		return;
	}
	p->join_sock = p->sock;
	p->sock = -1;
	for (int i = 0; i < 4; i++)
		fds[i] = -1;
}

struct dump_out {
	int fd;
	off_t at, max;
};

static void dump_line(void *arg, const char *text)
{
	struct dump_out *o = arg;
	size_t n = strlen(text);

	if (o->at + (off_t)n + 1 > o->max)
		return;
	if (pwrite(o->fd, text, n, o->at) == (ssize_t)n && pwrite(o->fd, "\n", 1, o->at + (off_t)n) == 1)
		o->at += (off_t)n + 1;
}

/* Size of what is to be a file of a fixed size, in memory: writing to it can't block, nor take space that wasn't offered. Else -EINVAL. */
static off_t fixed_size(int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals < 0 || (seals & (F_SEAL_GROW | F_SEAL_WRITE)) != F_SEAL_GROW || fstat(fd, &st) ? -EINVAL : st.st_size;
}

static void handle_dump(struct peer *p, const union request *q, int fds[FDPASS_MAX])
{
	struct control_reply r = {0};
	struct dump_out o = {.fd = fds[0], .max = fixed_size(fds[0])};

	if (o.max < 0) {
		r.error = -EINVAL;
	} else {
		dump_state(dump_line, &o);
		r.size = (uint32_t)o.at;
	}
	reply(p->sock, &r);
}

/* Answered by a thread of its own, which has the connection. */
struct stacks_peer {
	int sock, fd;
};

static void stacks_done(void *arg, ssize_t len)
{
	struct stacks_peer *s = arg;
	struct control_reply r = {.error = len < 0 ? (int32_t)len : 0, .size = len < 0 ? 0 : (uint32_t)len};

	if (len == -ESRCH)
		snprintf(r.text, sizeof(r.text), "no such process inside");
	else if (len == -EBUSY)
		snprintf(r.text, sizeof(r.text), "the sandbox is being traced");
	reply(s->sock, &r);
	close(s->sock);
	close(s->fd);
	free(s);
}

static void handle_stacks(struct peer *p, const union request *q, int fds[FDPASS_MAX])
{
	struct control_reply r = {0};
	struct stacks_peer *s = malloc(sizeof(*s));
	off_t max = fixed_size(fds[0]);

	if (!s || max < 0) {
		free(s);
		r.error = s ? -EINVAL : -ENOMEM;
		reply(p->sock, &r);
		return;
	}
	*s = (struct stacks_peer){p->sock, fds[0]};
	r.error = stacks_start(s->fd, (size_t)max, q->stacks.pid, q->stacks.json, stacks_done, s);
	if (r.error) {
		free(s);
		reply(p->sock, &r);
		return;
	}
	p->sock = fds[0] = -1;
}

static void trace_begun(int sock, int n, const char *why)
{
	struct control_reply r = {.error = n < 0 ? n : 0, .size = n < 0 ? 0 : (uint32_t)n};

	if (why)
		snprintf(r.text, sizeof(r.text), "%s", why);
	reply(sock, &r);
}

static void handle_trace(struct peer *p, const union request *q, int fds[FDPASS_MAX])
{
	struct control_reply r = {.error = attach_start(&q->trace, p->sock, fds[0], trace_begun)};

	if (!r.error) {
		p->sock = fds[0] = -1;
		return;
	}
	if (r.error == -EBUSY)
		snprintf(r.text, sizeof(r.text), "it is being traced already");
	reply(p->sock, &r);
}

static const struct control_handler {
	enum control_kind kind;
	uint16_t version;
	int n_fds;
	size_t size;
	/* Keeps the connection by setting p->join, or p->sock to -1; descriptors that it keeps become -1. */
	void (*run)(struct peer *p, const union request *q, int fds[FDPASS_MAX]);
} handlers[] = {
    {CONTROL_EXEC, CONTROL_EXEC_VERSION, 4, sizeof(struct control_exec), handle_exec},
    {CONTROL_DUMP, CONTROL_DUMP_VERSION, 1, sizeof(struct control_head), handle_dump},
    {CONTROL_STACKS, CONTROL_STACKS_VERSION, 1, sizeof(struct control_stacks), handle_stacks},
    {CONTROL_TRACE, CONTROL_TRACE_VERSION, 1, sizeof(struct control_trace), handle_trace},
};

static const struct control_handler *find(uint16_t kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
		if (handlers[i].kind == kind)
			return &handlers[i];
	return NULL;
}

/* The one packet that makes the request. */
static void take_request(struct peer *p)
{
	int fds[FDPASS_MAX] = {-1, -1, -1, -1};
	struct control_reply r = {.error = -EPROTO, .text = "malformed request"};
	union request q;
	size_t len = sizeof(q);

	memset(&q, 0, sizeof(q));
	int n = fdpass_recv(p->sock, fds, &q, &len, MSG_DONTWAIT);
	if (n == -EAGAIN || n == -EINTR)
		return;
	const struct control_handler *h = n >= 0 && len >= sizeof(q.head) ? find(q.head.kind) : NULL;
	log_event(LF_INTERPOSER, LL_INFO, "request from outside", LOG_INT("kind", h ? h->kind : 0), LOG_INT("fds", n));
	if (n >= 0 && len >= sizeof(q.head) && (!h || q.head.version != h->version))
		r = (struct control_reply){.error = -EPROTONOSUPPORT,
					   .text = "the sandbox runs another version of this program"};
	if (!h || q.head.version != h->version || n != h->n_fds || len != h->size || q.head.size != len)
		reply(p->sock, &r);
	else
		h->run(p, &q, fds);
	for (int i = 0; i < n; i++)
		close_fd_(&fds[i]);
	if (!p->join && p->sock >= 0)
		close(take_fd(&p->sock));
}

void control_connect(int sock)
{
	if (n_peers == MAX_PEERS) {
		struct control_reply r = {.error = -EBUSY, .text = "too many requests at a time"};
		reply(sock, &r);
		close(sock);
		return;
	}
	peers[n_peers++] = (struct peer){.sock = sock, .join_sock = -1};
}

/* Two for each peer, in order, then the wake-up. */
unsigned control_poll(struct pollfd *fds)
{
	for (unsigned i = 0; i < n_peers; i++) {
		struct peer *p = &peers[i];
		fds[2 * i] = (struct pollfd){.fd = p->join ? p->join_sock : p->sock, .events = POLLIN};
		fds[2 * i + 1] = (struct pollfd){.fd = p->join ? join_pollfd(p->join) : -1, .events = POLLIN};
	}
	fds[2 * n_peers] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
	return 2 * n_peers + 1;
}

void control_run(const struct pollfd *fds, unsigned n)
{
	uint64_t count;
	unsigned kept = 0;

	if (fds[n - 1].revents)
		(void)!read(wake_fd, &count, sizeof(count));
	for (unsigned i = 0; i < n_peers; i++) {
		struct peer *p = &peers[i];
		/* One that came after the poll has no entry. */
		const struct pollfd *f = 2 * i + 1 < n - 1 ? &fds[2 * i] : NULL;
		if (f && f[0].revents && p->join)
			join_readable(p->join);
		else if (f && f[0].revents)
			take_request(p);
		if (f && f[1].revents && p->join)
			join_died(p->join);
		if (p->join && join_over(p->join)) {
			join_free(take_ptr(p->join));
			continue;
		}
		if (p->join || p->sock >= 0)
			peers[kept++] = *p;
	}
	n_peers = kept;
}

void control_end(void)
{
	for (unsigned i = 0; i < n_peers; i++) {
		if (peers[i].join)
			join_end(peers[i].join);
		else
			close(peers[i].sock);
	}
	n_peers = 0;
}
