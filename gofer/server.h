/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h - inside the server: a connection, its operations, confinement.
 */
#ifndef GOFER_SERVER_H
#define GOFER_SERVER_H

#include "gofer/gofer.h"
#include "gofer/wire.h"

struct server {
	const struct gofer_export *exports;
	unsigned n_exports;
	bool writable; /* some export is not read-only */
};

/* Belongs to its thread alone. */
struct conn {
	const struct server *srv;
	int sock;
	int request_fd; /* that came with the request, or -1; closed after the operation */
	int reply_fd;   /* to go with the reply, or -1; closed after sending */
	struct gattr attrs[WIRE_WALK_MAX];
	uint8_t in[WIRE_MAX], out[WIRE_MAX], scratch[WIRE_MAX];
};

/* Waits for a request and answers it; false: the connection has ended, or must. Any thread's, and the fuzz harness's without confinement: then
 * the working directory must be /proc/self/fd. request_fd and reply_fd are -1 before and after. */
bool gofer_serve_one(struct conn *c);

/* An operation's value that isn't an errno: the request breaks the protocol, the connection ends without a reply. */
#define OP_MALFORMED 1

/* 0 (send the reply), -errno (send that), OP_MALFORMED. The reply may point into c's scratch and attrs. */
#define MSG(OP, name, req, rep) \
	int gofer_op_##name(struct conn *c, const struct name##_req *q, struct name##_rep *r) MUST_CHECK;
#include "gofer/wire.def"
#undef MSG
/* READDIR sends packets itself before its last one. */
int gofer_send_reply(struct conn *c, uint32_t op, int status, struct wire_out *o) MUST_CHECK;
void gofer_start_reply(struct conn *c, uint32_t op, int status, struct wire_out *o);

/* Single threaded, before any request. Afterwards the working directory is our own /proc/self/fd and nothing but exports
 * can be reached. 0 or -errno. */
int gofer_confine(const struct server *srv) MUST_CHECK;
/* System call filter, for all threads there are. No thread or memory map can be made afterwards. */
int gofer_confine_calls(const struct server *srv) MUST_CHECK;

#endif
