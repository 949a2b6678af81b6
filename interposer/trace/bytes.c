/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.c - trace -e read= and -e write=: all bytes that went through a descriptor, in strace's form. */
#include "interposer/trace/format.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define ROW 16

static void put_row(struct text *t, const char *end, uint64_t offset, const unsigned char *p, size_t n)
{
	char chars[ROW + 1];
	text_printf(t, " | %05" PRIx64 " ", offset);
	for (size_t i = 0; i < ROW; i++) {
		text_puts(t, i % 8 ? " " : i ? "  " : " ");
		if (i < n)
			text_printf(t, "%02x", p[i]);
		else
			text_puts(t, "  ");
		chars[i] = (char)(i >= n ? ' ' : p[i] >= ' ' && p[i] < 0x7f ? p[i] : '.');
	}
	chars[ROW] = 0;
	text_printf(t, "  %s |%s", chars, end);
}

static const char *line_end(const struct shown *s)
{
	return s->opt->tty ? "\r\n" : "\n";
}

static void put_bytes(struct shown *s, uint64_t addr, uint64_t n)
{
	unsigned char buf[256 * ROW];
	for (uint64_t at = 0, some; at < n; at += some) {
		some = MIN(n - at, (uint64_t)sizeof buf);
		if (!format_fetch(s, addr + at, buf, some))
			return;
		for (uint64_t row = 0; row < some; row += ROW)
			put_row(&s->bytes, line_end(s), at + row, buf + row, MIN(some - row, (uint64_t)ROW));
	}
}

static void put_vector(struct shown *s, uint64_t addr, uint64_t n, uint64_t left)
{
	struct iovec v;
	for (uint64_t i = 0; i < MIN(n, (uint64_t)IOV_MAX) && left; i++) {
		if (!format_fetch(s, addr + i * sizeof v, &v, sizeof v))
			return;
		uint64_t len = MIN((uint64_t)v.iov_len, left);
		if (!len)
			continue;
		text_printf(&s->bytes, " * %" PRIu64 " bytes in buffer %" PRIu64 "%s", len, i, line_end(s));
		put_bytes(s, (uintptr_t)v.iov_base, len);
		left -= len;
	}
}

static void put_message(struct shown *s, uint64_t addr)
{
	struct msghdr m;
	if (format_fetch(s, addr, &m, sizeof m))
		put_vector(s, (uintptr_t)m.msg_iov, m.msg_iovlen, (uint64_t)s->rval);
}

void format_all_bytes(struct shown *s)
{
	const uint64_t *a = s->c->args;
	bool in = false, vector = false, message = false;
	s->bytes.n = 0;
	if (s->foreign || s->failed || s->rval <= 0)
		return;
	switch (s->c->nr) {
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2:
		vector = true;
		in = true;
		break;
	case SYS_recvmsg:
		message = true;
		in = true;
		break;
	case SYS_read:
	case SYS_pread64:
	case SYS_recvfrom:
		in = true;
		break;
	case SYS_writev:
	case SYS_pwritev:
	case SYS_pwritev2:
		vector = true;
		break;
	case SYS_sendmsg:
		message = true;
		break;
	case SYS_write:
	case SYS_pwrite64:
	case SYS_sendto:
		break;
	default:
		return;
	}
	if (!trace_fds_have(in ? &s->opt->read_fds : &s->opt->write_fds, (int)(uint32_t)a[0]))
		return;
	if (message)
		put_message(s, a[1]);
	else if (vector)
		put_vector(s, a[1], a[2], (uint64_t)s->rval);
	else
		put_bytes(s, a[1], MIN((uint64_t)s->rval, a[2]));
}
