/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_answer.c - the asking end of requests to a running sandbox. The other one is a supervisor, which handles hostile input: it can say
 * something wrong, and no more.
 */
#include "interposer/control.h"

#include "base/log.h"
#include "interposer/fdpass.h"

#include <poll.h>
#include <string.h>

int control_answer(int sock, int wait_ms, struct control_reply *r, int *fds)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	size_t len = sizeof(*r);
	int n;

	if (wait_ms >= 0 && poll(&p, 1, wait_ms) <= 0)
		return -ETIMEDOUT;
	n = fdpass_recv(sock, fds, r, &len, 0);
	if (n < 0)
		return n == -ECONNRESET ? -EPIPE : n;
	if (len != sizeof(*r)) {
		while (n)
			close(fds[--n]);
		return -EPROTO;
	}
	r->text[sizeof(r->text) - 1] = '\0';
	for (char *c = r->text; *c; c++)
		if (*c == '\n' || *c == '\t')
			*c = '?';
	log_clean(r->text);
	if (r->error > 0 || r->error < -4095)
		r->error = -EPROTO;
	return n;
}
