/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_wire.c - the decoder and the printer of gofer messages on hostile packets; what was decoded must encode to the same bytes.
 *
 * covers: gofer/wire.c
 * options: -max_len=4096
 */
#include "tools/fuzz/fuzz.h"

#include "gofer/wire.h"

#include <stdio.h>
#include <string.h>

static uint8_t out_buf[WIRE_MAX];

/* Attributes are encoded from an array, but decoded into place. */
static struct wire_attrs attrs_again(struct wire_attrs a)
{
	static struct gattr v[WIRE_MAX / 96 + 1];
	FUZZ_CHECK(a.n < ARRAY_SIZE(v));
	for (uint32_t k = 0; k < a.n; k++)
		wire_attrs_get(&a, k, &v[k]);
	return (struct wire_attrs){.v = v, .n = a.n};
}

#define again_u32(v)   (v)
#define again_u64(v)   (v)
#define again_i64(v)   (v)
#define again_str(v)   (v)
#define again_blob(v)  (v)
#define again_attr(v)  (v)
#define again_attrs(v) attrs_again(v)

static void same(const struct wire_out *o, const uint8_t *p, const uint8_t *end)
{
	FUZZ_CHECK(!o->fail && o->len == (size_t)(end - p) && !memcmp(o->p, p, o->len));
}

#define F(type, f) m.f = again_##type(m.f);
#define MSG(OP, name, req, rep)                                             \
	static void check_##name##_req(struct wire_in i)                    \
	{                                                                   \
		struct wire_out o = {.p = out_buf, .cap = sizeof(out_buf)}; \
		const uint8_t *p = i.p;                                     \
		struct name##_req m;                                        \
		if (!wire_get_##name##_req(&i, &m))                         \
			return;                                             \
		req wire_put_##name##_req(&o, &m);                          \
		same(&o, p, i.end);                                         \
	}                                                                   \
	static void check_##name##_rep(struct wire_in i)                    \
	{                                                                   \
		struct wire_out o = {.p = out_buf, .cap = sizeof(out_buf)}; \
		const uint8_t *p = i.p;                                     \
		struct name##_rep m;                                        \
		if (!wire_get_##name##_rep(&i, &m))                         \
			return;                                             \
		rep wire_put_##name##_rep(&o, &m);                          \
		same(&o, p, i.end);                                         \
	}
#include "gofer/wire.def"
#undef MSG
#undef F

static void check_printer(const uint8_t *data, size_t size)
{
	static const size_t sizes[] = {0, 1, 7, 100, 4096};

	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
		AUTO_FREE char *text = malloc(sizes[k] + 1);
		FUZZ_CHECK(text);
		memset(text, 0x7f, sizes[k] + 1);
		wire_print(data, size, text, sizes[k]);
		FUZZ_CHECK(text[sizes[k]] == 0x7f);
		if (!sizes[k])
			continue;
		FUZZ_CHECK(memchr(text, 0, sizes[k]));
		for (const char *s = text; *s; s++)
			FUZZ_CHECK(*s >= ' ' && *s < 0x7f);
	}
}

/* The one rule that keeps the server on its exports, told in another way. */
static void check_path(const char *s, size_t len)
{
	unsigned n = 0, want = 0;
	int r = wire_check_path(s, len, &n);

	if (r) {
		FUZZ_CHECK(r == -EINVAL || r == -ENAMETOOLONG);
		return;
	}
	FUZZ_CHECK(len < WIRE_PATH_MAX && !memchr(s, 0, len));
	for (size_t at = 0; at < len; want++) {
		size_t end = at;
		while (end < len && s[end] != '/')
			end++;
		FUZZ_CHECK(end > at && end - at <= WIRE_NAME_MAX);
		FUZZ_CHECK(!(end - at == 1 && s[at] == '.') && !(end - at == 2 && s[at] == '.' && s[at + 1] == '.'));
		at = end + 1;
	}
	FUZZ_CHECK(n == want && (!len || (s[0] != '/' && s[len - 1] != '/')));
}

static void check_dirents(const uint8_t *data, size_t size)
{
	struct wire_in i = {data, data + size, false};
	struct wire_out o = {.p = out_buf, .cap = sizeof(out_buf)};
	struct wire_str name;
	uint64_t ino;
	uint8_t type;
	int r;

	while ((r = wire_get_dirent(&i, &ino, &type, &name)) > 0) {
		FUZZ_CHECK(strlen(name.s) == name.len);
		FUZZ_CHECK(wire_put_dirent(&o, ino, type, name.s, name.len));
	}
	FUZZ_CHECK(r == -1 || (o.len == size && !memcmp(o.p, data, size)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_in i = {data, data + size, false};
	uint32_t op = wire_get_u32(&i);

	check_printer(data, size);
	check_path((const char *)data, size);
	check_dirents(data, size);
	if (i.fail || size > WIRE_MAX)
		return 0;
	if (op & WIRE_REPLY)
		(void)wire_get_u32(&i);
	if (i.fail)
		return 0;
	switch (op) {
#define MSG(OP, name, req, rep)        \
	case OP_##OP:                  \
		check_##name##_req(i); \
		break;                 \
	case OP_##OP | WIRE_REPLY:     \
		check_##name##_rep(i); \
		break;
#include "gofer/wire.def"
#undef MSG
	}
	return 0;
}
