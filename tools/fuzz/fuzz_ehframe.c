/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_ehframe.c - .eh_frame sections of programs inside, for which a search table is made.
 *
 * Entries are sorted, each is of a frame description that lies in the section, and there are no more than it has room for.
 *
 * covers: interposer/trace/ehframe.c
 * options: -max_len=1024
 */
#include "interposer/trace/ehframe.h"

#include "tools/fuzz/fuzz.h"

#include <string.h>

struct out {
	uint8_t p[8192];
	size_t n;
};

static void put(struct out *o, uint64_t v, size_t size)
{
	if (o->n + size > sizeof(o->p))
		return;
	memcpy(o->p + o->n, &v, size);
	o->n += size;
}

static void put_length(struct out *o, size_t at, struct fuzz_in *in)
{
	uint32_t len = (uint32_t)(o->n - at - 4);

	if (fuzz_u8(in) == 0xff)
		len = fuzz_u32(in);
	if (at + 4 <= o->n)
		memcpy(o->p + at, &len, 4);
}

static void put_cie(struct out *o, struct fuzz_in *in)
{
	static const char *const augs[] = {"zR", "zPLR", "zLR", "zRS", "", "z", "zPR", "zBR", "eh", "zx"};
	static const uint8_t how[] = {0x1b, 0x00, 0x03, 0x0b, 0x0c, 0x04, 0x10, 0x9b, 0x50, 0x01};
	size_t at = o->n;
	const char *aug = augs[fuzz_u8(in) % ARRAY_SIZE(augs)];

	put(o, 0, 4);
	put(o, 0, 4);
	put(o, fuzz_u8(in) & 1 ? 1 : 3, 1);
	for (const char *p = aug; *p; p++)
		put(o, (uint8_t)*p, 1);
	put(o, 0, 1);
	put(o, 1, 1);
	put(o, fuzz_u8(in), 1);
	put(o, 16, 1);
	put(o, 1, 1);
	for (const char *p = aug; *p; p++) {
		uint8_t enc = how[fuzz_u8(in) % ARRAY_SIZE(how)];
		if (*p != 'z' && *p != 'S' && *p != 'B')
			put(o, enc, 1);
		if (*p == 'P')
			put(o, 0x1234, (enc & 15) == 3 || (enc & 15) == 11 ? 4 : 8);
	}
	put_length(o, at, in);
}

static void put_fde(struct out *o, size_t cie, struct fuzz_in *in)
{
	size_t at = o->n;

	put(o, 0, 4);
	put(o, o->n - cie, 4);
	put(o, fuzz_u8(in) & 1 ? fuzz_u32(in) : fuzz_u64(in), 8);
	put(o, fuzz_u8(in), 8);
	put_length(o, at, in);
}

static void build(struct out *o, struct fuzz_in *in)
{
	size_t cies[8] = {0};
	unsigned n = 0;

	while (in->left && o->n < sizeof(o->p) - 64) {
		uint8_t what = fuzz_u8(in);
		if (!n || what < 0x30) {
			cies[n++ % ARRAY_SIZE(cies)] = o->n;
			put_cie(o, in);
		} else if (what < 0xf0) {
			put_fde(o, cies[what % MIN(n, (unsigned)ARRAY_SIZE(cies))], in);
		} else {
			put(o, fuzz_u32(in), what & 7);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	bool built = fuzz_u8(&in) & 1;
	uint64_t addr = fuzz_u64(&in);
	struct out o;
	size_t n;

	o.n = 0;
	if (built) {
		build(&o, &in);
	} else {
		o.n = MIN(in.left, sizeof(o.p));
		memcpy(o.p, in.p, o.n);
	}
	unsigned char *section = malloc(o.n ? o.n : 1);
	FUZZ_CHECK(section);
	memcpy(section, o.p, o.n);
	struct ehframe_entry *table = ehframe_table(section, o.n, addr, &n);
	FUZZ_CHECK(!table == !n && n <= o.n / 17);
	for (size_t k = 0; k < n; k++) {
		FUZZ_CHECK(table[k].fde >= 0 && (size_t)table[k].fde + 8 < o.n);
		FUZZ_CHECK(!k || table[k - 1].start <= table[k].start);
	}
	free(table);
	free(section);
	return 0;
}
