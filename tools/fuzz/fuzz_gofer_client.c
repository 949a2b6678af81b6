/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_gofer_client.c - the client with a server that answers what it likes.
 *
 * The input is a sequence of calls, each with the packets that lie ready as its answer. The client's socket doesn't block, so that a missing
 * answer is the server's death. What a call gives has the form that client.h promises, and a dead server is never asked again.
 *
 * covers: gofer/client.c
 * options: -max_len=2048
 */
#include "tools/fuzz/wire_gen.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

static int spare = -1; /* goes with replies */

static void put_answer(struct fuzz_in *in, int sock, uint32_t op)
{
	static uint8_t packet[WIRE_MAX];
	struct wire_out o = {.p = packet, .cap = sizeof(packet)};
	uint8_t how = fuzz_u8(in);
	bool with_fd = op == OP_OPEN || op == OP_CREATE;

	if (how >= 0xf8) {
		size_t n;
		const uint8_t *p = fuzz_bytes(in, 4096, &n);
		memcpy(packet, p, n);
		o.len = n;
	} else {
		if (how >= 0xf0)
			op = fuzz_u8(in) % OP_COUNT;
		wire_put_u32(&o, op | WIRE_REPLY);
		if (how < 0x20) {
			wire_put_u32(&o, (uint32_t) - (how % 4 ? how : 5000));
			with_fd = false;
		} else {
			wire_put_u32(&o, 0);
			wire_gen_reply(in, &o, op);
		}
		if (how >= 0xe0 && how < 0xf0)
			wire_gen_damage(in, &o);
	}
	if (fuzz_u8(in) >= 0xf0)
		with_fd = !with_fd;
	(void)!wire_send(sock, packet, o.len, with_fd ? spare : -1);
}

/* An argument; the client copies or only reads it. */
static const char *arg(struct fuzz_in *in)
{
	return wire_gen_str(in).s;
}

static bool on_entry(void *budget, const char *name, size_t len, UNUSED uint64_t ino, UNUSED unsigned char type)
{
	unsigned n;

	FUZZ_CHECK(!name[len] && !wire_check_path(name, len, &n) && n == 1);
	return (*(unsigned *)budget)-- > 0;
}

static int walk(struct fuzz_in *in, struct gofer *g)
{
	static struct gattr attrs[64];
	static char link[PATH_MAX];
	unsigned max = fuzz_below(in, ARRAY_SIZE(attrs) + 1), n = UINT_MAX;
	bool want_link = fuzz_u8(in) & 1;
	const char *path = arg(in);
	unsigned skip = fuzz_below(in, 5);

	memset(link, 'x', sizeof(link));
	int r =
	    gofer_walk(g, fuzz_u8(in), path, skip, attrs, max, &n, want_link ? link : NULL, want_link ? sizeof(link) : 0);
	FUZZ_CHECK(r || n <= max);
	FUZZ_CHECK(r || !want_link || memchr(link, 0, sizeof(link)));
	return r;
}

static int value(ssize_t r, size_t size)
{
	FUZZ_CHECK(r <= 0 || (size_t)r <= size || (!size && r <= WIRE_XATTR_MAX));
	return (int)MIN(r, 0);
}

static int call(struct fuzz_in *in, struct gofer *g, uint32_t op)
{
	static char buf[WIRE_XATTR_MAX];
	struct gattr attr;
	struct statfs sf;
	AUTO_CLOSE int fd = -1;
	size_t size = fuzz_u8(in) & 1 ? fuzz_u8(in) : fuzz_u16(in);
	uint32_t export = fuzz_u8(in) % 4;
	const char *path = arg(in), *other = arg(in);
	unsigned budget = fuzz_u8(in);
	bool by_fd = budget & 1;
	int r;

	switch (op) {
	case OP_WALK:
		return walk(in, g);
	case OP_OPEN:
		r = gofer_open(g, export, path, fuzz_u8(in), &fd, &attr);
		FUZZ_CHECK((r == 0) == (fd >= 0));
		return r;
	case OP_CREATE:
		r = gofer_create(g, export, path, fuzz_u8(in), fuzz_u16(in), 0, 0, &fd, &attr);
		FUZZ_CHECK((r == 0) == (fd >= 0));
		return r;
	case OP_READDIR:
		return gofer_readdir(g, export, path, on_entry, &budget);
	case OP_GETATTRS: {
		static struct gattr attrs[WIRE_NAMES_MAX];
		const char *names[WIRE_NAMES_MAX];
		unsigned n = fuzz_below(in, 5);
		for (unsigned k = 0; k < n; k++)
			names[k] = arg(in);
		return gofer_getattrs(g, export, "d", names, n, attrs);
	}
	case OP_FSTAT:
		return gofer_fstat(g, spare, &attr);
	case OP_STATFS:
		return gofer_statfs(g, export, path, &sf);
	case OP_GETXATTR:
		if (by_fd)
			return value(gofer_fgetxattr(g, export, spare, other, buf, size), size);
		return value(gofer_getxattr(g, export, path, other, buf, size), size);
	case OP_LISTXATTR:
		if (by_fd)
			return value(gofer_flistxattr(g, export, spare, buf, size), size);
		return value(gofer_listxattr(g, export, path, buf, size), size);
	case OP_MKNOD:
		return gofer_mknod(g, export, path, fuzz_u16(in), 0, 0, fuzz_u8(in) & 1 ? other : NULL, &attr);
	case OP_LINK:
		return gofer_link(g, export, path, other);
	case OP_UNLINK:
		return gofer_unlink(g, export, path, fuzz_u8(in) & 1);
	case OP_RENAME:
		return gofer_rename(g, export, path, other, fuzz_u8(in));
	case OP_SETATTR: {
		struct gsetattr sa = {.valid = fuzz_u8(in), .size = fuzz_u16(in)};
		return by_fd ? gofer_fsetattr(g, export, spare, &sa) : gofer_setattr(g, export, path, &sa);
	}
	default: {
		void *v = op == OP_SETXATTR ? buf : NULL;
		size = v ? size : 0;
		return by_fd ? gofer_fsetxattr(g, export, spare, other, v, size, 0)
			     : gofer_setxattr(g, export, path, other, v, size, 0);
	}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct gofer *g;
	int pair[2];
	bool dead = false;

	if (spare < 0)
		spare = fuzz_memfd("x", 1);
	unsigned fds = fuzz_count_fds();
	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
	FUZZ_CHECK(!gofer_client_new(pair, 1, &g));
	for (unsigned k = 0; k < 32 && in.left; k++) {
		uint32_t op = fuzz_u8(&in) % OP_COUNT;
		for (unsigned n = op == OP_READDIR || op == OP_WALK ? fuzz_below(&in, 4) : 1; n; n--)
			put_answer(&in, pair[1], op);
		uint64_t trips = gofer_round_trips(g);
		int r = call(&in, g, op);
		FUZZ_CHECK(r <= 0 && r >= -4095);
		/* A walk of no components needs no server, and arguments are judged first. */
		FUZZ_CHECK(!dead || (gofer_round_trips(g) == trips && (r || op == OP_WALK)));
		dead |= r == -EIO && gofer_round_trips(g) == trips;
	}
	gofer_client_free(g);
	close(pair[1]);
	FUZZ_CHECK(fuzz_count_fds() == fds);
	return 0;
}
