/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.c - connections of the file server: receive, decode, run the operation, reply.
 *
 * One thread a connection; threads share nothing that changes, so what one is sent can't disturb another. All memory and all threads exist
 * before the system call filter does: nothing is allocated while serving.
 */
#include "gofer/server.h"

#include "base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Threads wait here until the filter is in force. */
static pthread_barrier_t gate;

void gofer_start_reply(struct conn *c, uint32_t op, int status, struct wire_out *o)
{
	*o = (struct wire_out){.p = c->out, .cap = sizeof c->out};
	wire_put_u32(o, op | WIRE_REPLY);
	wire_put_u32(o, (uint32_t)status);
}

int gofer_send_reply(struct conn *c, uint32_t op, int status, struct wire_out *o)
{
	if (o->fail) /* can't be: results are bounded to fit */
		gofer_start_reply(c, op, -EOVERFLOW, o);
	return wire_send(c->sock, o->p, o->len, status ? -1 : c->reply_fd);
}

static bool takes_fd(uint32_t op)
{
	return op == OP_FSTAT || op == OP_GETXATTR || op == OP_LISTXATTR || op == OP_SETATTR || op == OP_SETXATTR ||
	       op == OP_REMOVEXATTR;
}

/* A request in c->in. False ends the connection. */
static bool answer(struct conn *c, size_t len)
{
	struct wire_in i = {c->in, c->in + len, false};
	struct wire_out o;
	int status;
	uint32_t op = wire_get_u32(&i);
	if (i.fail || (c->request_fd >= 0 ? !takes_fd(op) : op == OP_FSTAT))
		return false;
	switch (op) {
#define MSG(OP, name, req, rep)                                                  \
	case OP_##OP: {                                                          \
		struct name##_req q;                                             \
		struct name##_rep r;                                             \
		memset(&r, 0, sizeof r);                                         \
		if (!wire_get_##name##_req(&i, &q))                              \
			return false;                                            \
		status = gofer_op_##name(c, &q, &r);                             \
		if (status == OP_MALFORMED)                                      \
			return false;                                            \
		log_event(LF_GOFER, LL_TRACE, #name, LOG_INT("result", status)); \
		gofer_start_reply(c, op, status, &o);                            \
		if (!status)                                                     \
			wire_put_##name##_rep(&o, &r);                           \
		break;                                                           \
	}
#include "gofer/wire.def"
#undef MSG
	default:
		return false;
	}
	return gofer_send_reply(c, op, status, &o) == 0;
}

static void drop_fd(int *fd)
{
	close_fd_(fd);
	*fd = -1;
}

bool gofer_serve_one(struct conn *c)
{
	ssize_t len = wire_recv(c->sock, c->in, sizeof c->in, &c->request_fd);
	bool go = len > 0 && answer(c, (size_t)len);
	drop_fd(&c->request_fd);
	drop_fd(&c->reply_fd);
	return go;
}

static void *serve(void *arg)
{
	struct conn *c = arg;
	pthread_barrier_wait(&gate); /* this thread has started */
	pthread_barrier_wait(&gate); /* the filter is in force */
	while (gofer_serve_one(c))
		;
	/* Others may hold duplicates of the socket: the peer must see the end all the same. */
	shutdown(c->sock, SHUT_RDWR);
	drop_fd(&c->sock);
	return NULL;
}

int gofer_serve(const struct gofer_export *exports, unsigned n_exports, const int *socks, unsigned n_socks)
{
	struct server srv = {.exports = exports, .n_exports = n_exports};
	for (unsigned k = 0; k < n_exports; k++)
		srv.writable |= !exports[k].ro;
	if (!n_socks)
		return 0;
	umask(0);
	int err = gofer_confine(&srv);
	if (err)
		return err;
	AUTO_FREE pthread_t *threads = xcalloc(n_socks, sizeof *threads);
	AUTO_FREE struct conn *conns = xcalloc(n_socks, sizeof *conns);
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	pthread_barrier_init(&gate, NULL, n_socks + 1);
	for (unsigned k = 0; k < n_socks; k++) {
		conns[k].srv = &srv;
		conns[k].sock = socks[k];
		conns[k].request_fd = conns[k].reply_fd = -1;
		err = pthread_create(&threads[k], &attr, serve, &conns[k]);
		if (err)
			die("gofer: cannot make a thread: %s", strerror(err));
	}
	log_event(LF_GOFER, LL_INFO, "serving", LOG_INT("exports", n_exports), LOG_INT("writable", srv.writable));
	/* Past this every thread has made its start-up calls, and none has read a request. */
	pthread_barrier_wait(&gate);
	err = gofer_confine_calls(&srv);
	if (err)
		die("gofer: cannot install its system call filter: %s", strerror(-err));
	pthread_barrier_wait(&gate);
	for (unsigned k = 0; k < n_socks; k++)
		pthread_join(threads[k], NULL);
	pthread_attr_destroy(&attr);
	return 0;
}
