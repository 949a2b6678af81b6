/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_gofer.c - the gofer's client and its server in one process and one thread: what the client sends is served at once, and the
 * packets that the server sends are what the client then receives. wire_send() and wire_recv() are put in between by the linker (--wrap).
 */
#include "tools/fuzz/kernel_fuzz.h"
#include "tools/fuzz/fuzz.h"

#include "gofer/client.h"
#include "gofer/server.h"

#include <string.h>

/* No descriptors: numbers that tell the two ends apart. */
#define CLIENT (-2)
#define SERVER (-3)
#define QUEUED 64 /* packets of one readdir */

int __wrap_wire_send(int sock, const void *buf, size_t len, int fd);
ssize_t __wrap_wire_recv(int sock, void *buf, size_t size, int *fd);

static struct server server;
static struct conn conn;
static struct packet {
	size_t len;
	int fd;
	uint8_t *data;
} queue[QUEUED], request;
static unsigned head, tail;

static int dup_fd(int fd)
{
	if (fd < 0)
		return -1;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FUZZ_CHECK(fd >= 0);
	return fd;
}

int __wrap_wire_send(int sock, const void *buf, size_t len, int fd)
{
	if (sock == SERVER) {
		FUZZ_CHECK(tail < QUEUED && len <= WIRE_MAX);
		struct packet *p = &queue[tail++];
		if (!p->data)
			p->data = malloc(WIRE_MAX);
		FUZZ_CHECK(p->data);
		memcpy(p->data, buf, len);
		p->len = len;
		p->fd = dup_fd(fd);
		return 0;
	}
	FUZZ_CHECK(sock == CLIENT && len <= sizeof(conn.in));
	/* The client has read all of the last answer. */
	FUZZ_CHECK(head == tail);
	head = tail = 0;
	request = (struct packet){len, dup_fd(fd), (uint8_t *)(uintptr_t)buf};
	FUZZ_CHECK(gofer_serve_one(&conn));
	return 0;
}

ssize_t __wrap_wire_recv(int sock, void *buf, size_t size, int *fd)
{
	FUZZ_CHECK(sock == SERVER || (sock == CLIENT && head < tail));
	struct packet *p = sock == SERVER ? &request : &queue[head++];

	FUZZ_CHECK(p->len <= size);
	memcpy(buf, p->data, p->len);
	*fd = p->fd;
	return (ssize_t)p->len;
}

struct gofer *kf_gofer_start(const struct gofer_export *exports, unsigned n)
{
	struct gofer *g;
	int sock = CLIENT;

	server = (struct server){.exports = exports, .n_exports = n, .writable = true};
	conn.srv = &server;
	conn.sock = SERVER;
	conn.request_fd = conn.reply_fd = -1;
	FUZZ_CHECK(gofer_client_new(&sock, 1, &g) == 0);
	return g;
}
