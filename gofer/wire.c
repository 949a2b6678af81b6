/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.c - encoder, decoder and printer made from wire.def, and the one way to send and receive a packet.
 *
 * The decoder is handed hostile bytes: every length is checked against what is left before it is used.
 */
#include "gofer/wire.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ATTR_SIZE (9 * 8 + 6 * 4)

static void put_bytes(struct wire_out *o, const void *p, size_t n)
{
	if (o->fail || n > o->cap - o->len) {
		o->fail = true;
		return;
	}
	if (n)
		memcpy(o->p + o->len, p, n);
	o->len += n;
}

void wire_put_u32(struct wire_out *o, uint32_t v)
{
	uint8_t b[4];
	for (unsigned k = 0; k < sizeof b; k++)
		b[k] = (uint8_t)(v >> (8 * k));
	put_bytes(o, b, sizeof b);
}

static void wire_put_u64(struct wire_out *o, uint64_t v)
{
	wire_put_u32(o, (uint32_t)v);
	wire_put_u32(o, (uint32_t)(v >> 32));
}

static void wire_put_i64(struct wire_out *o, int64_t v)
{
	wire_put_u64(o, (uint64_t)v);
}

static void wire_put_str(struct wire_out *o, struct wire_str s)
{
	wire_put_u32(o, s.len);
	put_bytes(o, s.s, s.len);
	put_bytes(o, "", 1);
}

static void wire_put_blob(struct wire_out *o, struct wire_blob b)
{
	wire_put_u32(o, b.len);
	put_bytes(o, b.p, b.len);
}

/* ATTR_SIZE is the sum of these. */
/* clang-format off */
#define ATTR_FIELDS \
	A(u64, dev) A(u64, ino) A(u64, rdev) A(u32, mode) A(u32, nlink) A(u32, blksize) A(u32, uid) A(u32, gid) \
	A(u32, mnt_id) A(i64, size) A(i64, blocks) A(i64, atime) A(i64, mtime) A(i64, ctime) A(i64, btime)
/* clang-format on */

static void wire_put_attr(struct wire_out *o, struct gattr a)
{
#define A(type, f) wire_put_##type(o, a.f);
	ATTR_FIELDS
#undef A
}

static void wire_put_attrs(struct wire_out *o, struct wire_attrs a)
{
	wire_put_u32(o, a.n);
	for (uint32_t k = 0; k < a.n; k++)
		wire_put_attr(o, a.v[k]);
}

static const uint8_t *get_bytes(struct wire_in *i, size_t n)
{
	if (i->fail || n > (size_t)(i->end - i->p)) {
		i->fail = true;
		return NULL;
	}
	const uint8_t *p = i->p;
	i->p += n;
	return p;
}

uint32_t wire_get_u32(struct wire_in *i)
{
	const uint8_t *b = get_bytes(i, 4);
	return b ? (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24 : 0;
}

static uint64_t wire_get_u64(struct wire_in *i)
{
	uint64_t low = wire_get_u32(i);
	return low | (uint64_t)wire_get_u32(i) << 32;
}

static int64_t wire_get_i64(struct wire_in *i)
{
	return (int64_t)wire_get_u64(i);
}

static struct wire_str wire_get_str(struct wire_in *i)
{
	uint32_t len = wire_get_u32(i);
	const char *s = (const char *)get_bytes(i, (size_t)len + 1);
	if (!s)
		return (struct wire_str){"", 0};
	if (s[len] || memchr(s, 0, len)) {
		i->fail = true;
		return (struct wire_str){"", 0};
	}
	return (struct wire_str){s, len};
}

static struct wire_blob wire_get_blob(struct wire_in *i)
{
	uint32_t len = wire_get_u32(i);
	const void *p = get_bytes(i, len);
	return p ? (struct wire_blob){p, len} : (struct wire_blob){"", 0};
}

static struct gattr wire_get_attr(struct wire_in *i)
{
	struct gattr a;
#define A(type, f) a.f = wire_get_##type(i);
	ATTR_FIELDS
#undef A
	return a;
}

static struct wire_attrs wire_get_attrs(struct wire_in *i)
{
	struct wire_attrs a = {.n = wire_get_u32(i)};
	if (a.n > WIRE_MAX / ATTR_SIZE)
		i->fail = true;
	a.raw = get_bytes(i, i->fail ? 0 : (size_t)a.n * ATTR_SIZE);
	if (!a.raw)
		a.n = 0;
	return a;
}

void wire_attrs_get(const struct wire_attrs *a, uint32_t n, struct gattr *out)
{
	struct wire_in i = {.p = a->raw + (size_t)n * ATTR_SIZE};
	i.end = i.p + ATTR_SIZE;
	*out = wire_get_attr(&i);
}

#define F(type, f) wire_put_##type(o, m->f);
#define MSG(OP, name, req, rep)                                                    \
	void wire_put_##name##_req(struct wire_out *o, const struct name##_req *m) \
	{                                                                          \
		req                                                                \
	}                                                                          \
	void wire_put_##name##_rep(struct wire_out *o, const struct name##_rep *m) \
	{                                                                          \
		rep                                                                \
	}
#include "gofer/wire.def"
#undef MSG
#undef F

#define F(type, f) m->f = wire_get_##type(i);
#define MSG(OP, name, req, rep)                                             \
	bool wire_get_##name##_req(struct wire_in *i, struct name##_req *m) \
	{                                                                   \
		req return !i->fail && i->p == i->end;                      \
	}                                                                   \
	bool wire_get_##name##_rep(struct wire_in *i, struct name##_rep *m) \
	{                                                                   \
		rep return !i->fail && i->p == i->end;                      \
	}
#include "gofer/wire.def"
#undef MSG
#undef F

bool wire_put_dirent(struct wire_out *o, uint64_t ino, uint8_t type, const char *name, size_t len)
{
	if (o->fail || o->cap - o->len < 8 + 1 + 4 + len + 1)
		return false;
	wire_put_u64(o, ino);
	put_bytes(o, &type, 1);
	wire_put_str(o, (struct wire_str){name, (uint32_t)len});
	return true;
}

int wire_get_dirent(struct wire_in *i, uint64_t *ino, uint8_t *type, struct wire_str *name)
{
	if (i->p == i->end)
		return 0;
	*ino = wire_get_u64(i);
	const uint8_t *t = get_bytes(i, 1);
	*type = t ? *t : 0;
	*name = wire_get_str(i);
	return i->fail ? -1 : 1;
}

int wire_check_path(const char *path, size_t len, unsigned *n)
{
	unsigned count = 0;
	if (len >= WIRE_PATH_MAX)
		return -ENAMETOOLONG;
	for (const char *p = path; len;) {
		const char *slash = memchr(p, '/', len);
		size_t c = slash ? (size_t)(slash - p) : len;
		if (c == 0 || (c == 1 && p[0] == '.') || (c == 2 && p[0] == '.' && p[1] == '.') || memchr(p, 0, c))
			return -EINVAL;
		if (c > WIRE_NAME_MAX)
			return -ENAMETOOLONG;
		count++;
		if (!slash)
			break;
		p += c + 1;
		len -= c + 1;
		if (!len)
			return -EINVAL; /* a slash at the end */
	}
	if (n)
		*n = count;
	return 0;
}

struct text {
	char *p;
	size_t left;
};

static void text_add(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(t->p, t->left, fmt, ap);
	va_end(ap);
	size_t step = MIN(n < 0 ? 0 : (size_t)n, t->left ? t->left - 1 : 0);
	t->p += step;
	t->left -= step;
}

static void print_u32(struct text *t, const char *name, uint32_t v)
{
	text_add(t, " %s=%" PRIu32, name, v);
}
static void print_u64(struct text *t, const char *name, uint64_t v)
{
	text_add(t, " %s=%" PRIu64, name, v);
}
static void print_i64(struct text *t, const char *name, int64_t v)
{
	text_add(t, " %s=%" PRId64, name, v);
}
static void print_str(struct text *t, const char *name, struct wire_str s)
{
	text_add(t, " %s=\"", name);
	for (uint32_t k = 0; k < s.len; k++) {
		unsigned char c = (unsigned char)s.s[k];
		if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
			text_add(t, "\\x%02x", c);
		else
			text_add(t, "%c", c);
	}
	text_add(t, "\"");
}
static void print_blob(struct text *t, const char *name, struct wire_blob b)
{
	text_add(t, " %s=[%" PRIu32 " bytes]", name, b.len);
}
static void print_attr(struct text *t, const char *name, struct gattr a)
{
	text_add(t, " %s={%" PRIx64 ":%" PRIu64 " %o %" PRIu32 ":%" PRIu32 " %" PRId64 "}", name, a.dev, a.ino, a.mode,
		 a.uid, a.gid, a.size);
}
static void print_attrs(struct text *t, const char *name, struct wire_attrs a)
{
	text_add(t, " %s=(", name);
	for (uint32_t k = 0; k < a.n; k++) {
		struct gattr g;
		wire_attrs_get(&a, k, &g);
		print_attr(t, "", g);
	}
	text_add(t, ")");
}

#define F(type, f) print_##type(t, #f, m->f);
#define MSG(OP, name, req, rep)                                                           \
	static void print_##name##_req(struct text *t, UNUSED const struct name##_req *m) \
	{                                                                                 \
		text_add(t, #name);                                                       \
		req                                                                       \
	}                                                                                 \
	static void print_##name##_rep(struct text *t, UNUSED const struct name##_rep *m) \
	{                                                                                 \
		text_add(t, #name " reply");                                              \
		rep                                                                       \
	}
#include "gofer/wire.def"
#undef MSG
#undef F

static bool print_message(struct text *t, uint32_t op, struct wire_in *i)
{
	switch (op) {
#define MSG(OP, name, req, rep)                    \
	case OP_##OP: {                            \
		struct name##_req m;               \
		if (!wire_get_##name##_req(i, &m)) \
			return false;              \
		print_##name##_req(t, &m);         \
		return true;                       \
	}                                          \
	case OP_##OP | WIRE_REPLY: {               \
		struct name##_rep m;               \
		if (!wire_get_##name##_rep(i, &m)) \
			return false;              \
		print_##name##_rep(t, &m);         \
		return true;                       \
	}
#include "gofer/wire.def"
#undef MSG
	default:
		return false;
	}
}

void wire_print(const void *packet, size_t len, char *out, size_t size)
{
	struct text t = {out, size};
	struct wire_in i = {packet, (const uint8_t *)packet + len, false};
	uint32_t op = wire_get_u32(&i);
	if (size)
		out[0] = 0;
	if (op & WIRE_REPLY) {
		int32_t status = (int32_t)wire_get_u32(&i);
		if (status) {
			text_add(&t, "reply %" PRIu32 " error %" PRId32, op & ~WIRE_REPLY, status);
			return;
		}
	}
	if (i.fail || !print_message(&t, op, &i))
		text_add(&t, "malformed packet, op %" PRIu32 ", %zu bytes", op, len);
}

int wire_send(int sock, const void *buf, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char b[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof control;
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	ssize_t n;
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

ssize_t wire_recv(int sock, void *buf, size_t size, int *fd)
{
	union {
		struct cmsghdr align;
		char b[CMSG_SPACE(sizeof(int))]; /* room for two by alignment */
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	ssize_t n;
	*fd = -1;
	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	bool bad = msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			bad = true;
			continue;
		}
		for (size_t off = 0; off + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); off += sizeof(int)) {
			int got;
			memcpy(&got, CMSG_DATA(c) + off, sizeof got);
			if (*fd >= 0) {
				bad = true;
				close(got);
			} else {
				*fd = got;
			}
		}
	}
	if (bad) {
		close_fd_(fd);
		*fd = -1;
		return -EBADMSG;
	}
	return n;
}
