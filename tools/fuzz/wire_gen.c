/* SPDX-License-Identifier: Apache-2.0 */
/* wire_gen.c - see wire_gen.h. */
#include "tools/fuzz/wire_gen.h"

#include <stdio.h>
#include <string.h>

static uint32_t gen_u32(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in);

	static const uint32_t modes[] = {0120777, 0040755, 0010644, 06755};

	return how < 0xc0   ? how % 8
	       : how < 0xe0 ? 1U << (how % 32)
	       : how < 0xf0 ? modes[how % ARRAY_SIZE(modes)]
			    : fuzz_u32(in);
}

static uint64_t gen_u64(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in);

	return how < 0x80 ? how : fuzz_u64(in);
}

static int64_t gen_i64(struct fuzz_in *in)
{
	return (int64_t)gen_u64(in);
}

static char text[8][WIRE_PATH_MAX + 64];
static unsigned n_text;

wire_str wire_gen_str(struct fuzz_in *in)
{
	static const char *const words[] = {
	    "a",   "b",   "d",   "e",    "up",  "abs",    "fifo", "new",
	    "d/e", "d/a", "b/a", "file", "dir", "user.x", "..",   ".sandbox.filestore.0123456789abcdef",
	    "many"};
	char *to = text[n_text++ % ARRAY_SIZE(text)];
	uint8_t how = fuzz_u8(in);
	size_t n = 0;

	if (how == 0xff) {
		const uint8_t *p = fuzz_bytes(in, WIRE_PATH_MAX + 32, &n);
		memcpy(to, p, n);
	} else if (how == 0xfe) { /* near the longest path */
		n = fuzz_u16(in) % (WIRE_PATH_MAX + 32);
		memset(to, 'x', n);
		for (size_t k = 200; k < n; k += 201)
			to[k] = '/';
	} else {
		for (unsigned k = how % 4; k > 0; k--)
			n += (size_t)snprintf(to + n, 64, "%s%s", n ? "/" : "", words[fuzz_u8(in) % ARRAY_SIZE(words)]);
	}
	to[n] = 0;
	return (wire_str){to, (uint32_t)n};
}
#define gen_str wire_gen_str

/* Names as GETATTRS has them, entries as READDIR has them, or any bytes. */
static wire_blob gen_blob(struct fuzz_in *in)
{
	char *to = text[n_text++ % ARRAY_SIZE(text)];
	uint8_t how = fuzz_u8(in) % 4;
	size_t n = 0;

	if (how == 0) {
		const uint8_t *p = fuzz_bytes(in, WIRE_PATH_MAX, &n);
		memcpy(to, p, n);
		return (wire_blob){to, (uint32_t)n};
	}
	struct wire_out o = {.p = (uint8_t *)to, .cap = WIRE_PATH_MAX};
	for (unsigned k = fuzz_below(in, 8); k; k--) {
		wire_str s = gen_str(in);
		if (how == 1) {
			if (!wire_put_dirent(&o, fuzz_u8(in), fuzz_u8(in), s.s, s.len))
				break;
		} else if (o.cap - o.len > s.len) {
			memmove(o.p + o.len, s.s, s.len + 1);
			o.len += s.len + 1;
		}
	}
	return (wire_blob){to, (uint32_t)o.len};
}

static wire_attr gen_attr(struct fuzz_in *in)
{
	static const uint32_t types[] = {0, 0040000, 0100000, 0120000, 0010000, 0140000, 0020000, 0170000};
	wire_attr a = {.dev = 1, .ino = fuzz_u8(in), .nlink = 1, .mode = types[fuzz_u8(in) % ARRAY_SIZE(types)] | 0755};

	if (fuzz_u8(in) >= 0xc0)
		a = (wire_attr){.dev = fuzz_u8(in),
				.ino = fuzz_u64(in),
				.rdev = fuzz_u8(in),
				.mode = fuzz_u32(in),
				.nlink = fuzz_u32(in),
				.uid = fuzz_u32(in),
				.gid = fuzz_u32(in),
				.size = gen_i64(in),
				.blocks = gen_i64(in),
				.mtime = gen_i64(in),
				.ctime = gen_i64(in),
				.mnt_id = fuzz_u32(in),
				.blksize = fuzz_u32(in)};
	return a;
}

static wire_attrs gen_attrs(struct fuzz_in *in)
{
	static struct gattr v[WIRE_WALK_MAX + 64];
	uint8_t how = fuzz_u8(in);
	uint32_t n = how < 0xf8 ? how % 8 : fuzz_u16(in) % ARRAY_SIZE(v);

	memset(v, 0, sizeof(v));
	for (uint32_t k = 0; k < n && in->left; k++)
		v[k] = gen_attr(in);
	return (wire_attrs){.v = v, .n = n};
}

#define F(type, f) m.f = gen_##type(in);
#define MSG(OP, name, req, rep)                                                     \
	static void put_##name##_req(struct fuzz_in *in, struct wire_out *o)        \
	{                                                                           \
		struct name##_req m;                                                \
		req wire_put_##name##_req(o, &m);                                   \
	}                                                                           \
	static void put_##name##_rep(UNUSED struct fuzz_in *in, struct wire_out *o) \
	{                                                                           \
		struct name##_rep m;                                                \
		rep wire_put_##name##_rep(o, &m);                                   \
	}
#include "gofer/wire.def"
#undef MSG
#undef F

void wire_gen_request(struct fuzz_in *in, struct wire_out *o, uint32_t op)
{
	static void (*const put[])(struct fuzz_in *, struct wire_out *) = {
#define MSG(OP, name, req, rep) put_##name##_req,
#include "gofer/wire.def"
#undef MSG
	};
	put[op](in, o);
	FUZZ_CHECK(!o->fail);
}

void wire_gen_reply(struct fuzz_in *in, struct wire_out *o, uint32_t op)
{
	static void (*const put[])(struct fuzz_in *, struct wire_out *) = {
#define MSG(OP, name, req, rep) put_##name##_rep,
#include "gofer/wire.def"
#undef MSG
	};
	put[op](in, o);
	FUZZ_CHECK(!o->fail);
}

void wire_gen_damage(struct fuzz_in *in, struct wire_out *o)
{
	if (o->len)
		o->p[fuzz_u16(in) % o->len] ^= (uint8_t)(fuzz_u8(in) | 1);
}
