/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ehframe.c - see ehframe.h. The format: Linux Standard Base, Core, 10.6.1, and DWARF 4, 6.4.1. The section is a program's own: what doesn't fit is
 * left out, and nothing is read beyond its end.
 */
#include "interposer/trace/ehframe.h"

#include <string.h>

struct cursor {
	const unsigned char *p, *end;
	bool failed;
};

static uint64_t fixed(struct cursor *c, size_t size)
{
	uint64_t v = 0;
	if ((size_t)(c->end - c->p) < size) {
		c->failed = true;
		return 0;
	}
	memcpy(&v, c->p, size);
	c->p += size;
	return v;
}

static uint64_t leb(struct cursor *c)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint64_t byte = fixed(c, 1);
		v |= (byte & 127) << shift;
		if (!(byte & 128))
			return v;
	}
	c->failed = true;
	return 0;
}

/* An address in one of the encodings that compilers use; at: where it stands. */
static uint64_t encoded(struct cursor *c, uint8_t how, uint64_t at)
{
	uint64_t v;
	switch (how & 0x0f) {
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		v = fixed(c, 8);
		break;
	case 0x03: /* udata4 */
		v = fixed(c, 4);
		break;
	case 0x0b: /* sdata4 */
		v = (uint64_t)(int64_t)(int32_t)fixed(c, 4);
		break;
	default:
		c->failed = true;
		return 0;
	}
	if ((how & 0x70) == 0x10) /* pcrel */
		return v + at;
	if (how & 0x70)
		c->failed = true;
	return v;
}

/* How a common information entry, from behind its id on, says that its descriptions give addresses. False: can't be told. */
static bool address_encoding(struct cursor c, uint8_t *how)
{
	uint64_t version = fixed(&c, 1);
	const unsigned char *aug = c.p, *nul = memchr(c.p, 0, (size_t)(c.end - c.p));
	if (c.failed || !nul)
		return false;
	c.p = nul + 1;
	*how = 0;
	if (*aug != 'z')
		return !*aug;
	leb(&c); /* code alignment */
	leb(&c); /* data alignment */
	if (version == 1)
		fixed(&c, 1);
	else
		leb(&c); /* return address's register */
	leb(&c);         /* length of what follows */
	for (aug++; *aug && !c.failed; aug++) {
		if (*aug == 'R') {
			*how = (uint8_t)fixed(&c, 1);
			return !c.failed;
		}
		if (*aug == 'P') {
			uint8_t personality = (uint8_t)fixed(&c, 1);
			encoded(&c, personality & 0x0f, 0);
		} else if (*aug == 'L') {
			fixed(&c, 1);
		} else if (*aug != 'S' && *aug != 'B') {
			return false;
		}
	}
	return !c.failed;
}

static int by_start(const void *a, const void *b)
{
	const struct ehframe_entry *x = a, *y = b;
	return x->start < y->start ? -1 : x->start > y->start;
}

struct ehframe_entry *ehframe_table(const unsigned char *section, size_t size, uint64_t addr, size_t *n)
{
	/* An entry needs 17 bytes at least. */
	struct ehframe_entry *table = size >= 17 && size <= INT32_MAX ? malloc(size / 17 * sizeof *table) : NULL;
	size_t cie_at = SIZE_MAX;
	bool usable = false;
	uint8_t how = 0;
	*n = 0;
	if (!table)
		return NULL;
	for (size_t pos = 0; size - pos >= 8;) {
		struct cursor c = {section + pos, section + size, false};
		uint64_t len = fixed(&c, 4);
		size_t id_at = pos + 4, next = id_at + len;
		if (!len || len == UINT32_MAX || len > size - id_at)
			break;
		c.end = section + next;
		uint64_t id = fixed(&c, 4);
		if (id && id <= id_at && !c.failed) {
			if (id_at - id != cie_at) {
				cie_at = id_at - id;
				struct cursor cie = {section + cie_at, section + size, false};
				uint64_t cie_len = fixed(&cie, 4), cie_id = fixed(&cie, 4);
				usable = !cie.failed && !cie_id && cie_len >= 4 && cie_len <= size - cie_at - 4;
				if (usable) {
					cie.end = section + cie_at + 4 + cie_len;
					usable = address_encoding(cie, &how);
				}
			}
			int64_t start = (int64_t)(encoded(&c, how, addr + id_at + 4) - addr);
			if (usable && !c.failed && start == (int32_t)start && *n < size / 17)
				table[(*n)++] = (struct ehframe_entry){(int32_t)start, (int32_t)pos};
		}
		pos = next;
	}
	if (!*n) {
		free(table);
		return NULL;
	}
	qsort(table, *n, sizeof *table, by_start);
	return table;
}
