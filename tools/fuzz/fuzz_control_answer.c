/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_control_answer.c - the asking end of sandbox exec, ps, stacks and trace -p, with a supervisor that was taken over at the other.
 *
 * The input is the answer to a request, with descriptors, and what the supervisor tells the front of a command after that. The answer is in the
 * form that control.h gives, the front ends with a status when the other end does, and no descriptor is left.
 *
 * covers: interposer/control_answer.c interposer/fdpass.c interposer/front.c
 * options: -max_len=1024
 */
#include "interposer/control.h"
#include "interposer/fdpass.h"
#include "interposer/front.h"

#include "base/log.h"
#include "tools/fuzz/fuzz.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int spare = -1;

/* More descriptors than anybody takes, too. */
static void send_packet(int sock, const void *p, size_t len, unsigned n)
{
	union {
		char buf[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} u = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)p, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[16];

	for (unsigned k = 0; k < n; k++)
		fds[k] = spare;
	if (n) {
		m.msg_control = u.buf;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		u.align.cmsg_level = SOL_SOCKET;
		u.align.cmsg_type = SCM_RIGHTS;
		u.align.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&u.align), fds, n * sizeof(int));
	}
	(void)!sendmsg(sock, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_reply(struct fuzz_in *in, int sock)
{
	struct control_reply r = {.error = -(int32_t)fuzz_u8(in), .size = fuzz_u32(in)};
	uint8_t how = fuzz_u8(in);
	size_t n, len = sizeof(r);
	const uint8_t *text = fuzz_bytes(in, sizeof(r.text), &n);

	memset(r.text, how & 8 ? 'x' : 0, sizeof(r.text));
	memcpy(r.text, text, n);
	if (how & 16)
		r.error = (int32_t)fuzz_u32(in);
	if (how & 32)
		len = fuzz_below(in, sizeof(r) + 1);
	send_packet(sock, &r, len, how & 64 ? fuzz_u8(in) % 16 : how % 4);
}

static void send_event(struct fuzz_in *in, int sock)
{
	struct front_msg m = {.event = fuzz_u8(in) % 12, .status = (int32_t)fuzz_u16(in)};
	uint8_t how = fuzz_u8(in);

	if (how & 1)
		m.status = (int32_t)fuzz_u32(in);
	send_packet(sock, &m, how & 2 ? fuzz_u8(in) % (sizeof(m) + 1) : sizeof(m), how & 4 ? 1 : 0);
}

static void answer(struct fuzz_in *in)
{
	struct control_reply r;
	int pair[2], fds[FDPASS_MAX];

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	if (fuzz_u8(in) != 0xff)
		send_reply(in, pair[1]);
	else if (fuzz_u8(in) & 1)
		shutdown(pair[1], SHUT_WR);
	int n = control_answer(pair[0], 0, &r, fds);
	FUZZ_CHECK(n <= FDPASS_MAX && (n >= 0 || n == -ETIMEDOUT || n == -EPIPE || n == -EPROTO || n == -EMSGSIZE));
	if (n >= 0) {
		FUZZ_CHECK(r.error <= 0 && r.error >= -4095 && memchr(r.text, 0, sizeof(r.text)));
		for (const char *p = r.text; *p; p++)
			FUZZ_CHECK((unsigned char)*p >= 32 && *p != 127);
	}
	for (; n > 0; n--)
		close(fds[n - 1]);
	close(pair[0]);
	close(pair[1]);
}

/* With a time limit it doesn't stop with the command: it has no terminal to be stopped at. */
static void front(struct fuzz_in *in)
{
	struct front f = {.slave = -1, .master = -1, .tty = -1, .listener = -1, .timeout_ms = 1000000};
	sigset_t mask;
	int pair[2];

	FUZZ_CHECK(!sigprocmask(SIG_SETMASK, NULL, &mask));
	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	f.dump_on_usr1 = fuzz_u8(in) & 1;
	for (unsigned k = 0; k < 16 && in->left; k++)
		send_event(in, pair[1]);
	shutdown(pair[1], SHUT_WR);
	front_run(&f, pair[0], -1);
	close(pair[0]);
	close(pair[1]);
	FUZZ_CHECK(!sigprocmask(SIG_SETMASK, &mask, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};

	if (spare < 0) {
		spare = fuzz_memfd("x", 1);
		log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
	}
	unsigned fds = fuzz_count_fds();
	answer(&in);
	front(&in);
	FUZZ_CHECK(fuzz_count_fds() == fds);
	return 0;
}
