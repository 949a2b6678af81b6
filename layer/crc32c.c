/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.c - Castagnoli's CRC, by the processor's own instruction where there is one.
 */
#include "layer/journal.h"

#include <pthread.h>
#include <string.h>

#define POLY 0x82f63b78U /* reversed */

static uint32_t table[256];
static bool native;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? (c >> 1) ^ POLY : c >> 1;
		table[i] = c;
	}
	native = __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t c, const uint8_t *p, size_t n)
{
	uint64_t w, wide = c;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, 8);
		wide = __builtin_ia32_crc32di(wide, w);
	}
	c = (uint32_t)wide;
	for (; n; n--)
		c = __builtin_ia32_crc32qi(c, *p++);
	return c;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint32_t c = ~crc;

	pthread_once(&once, init);
	if (native)
		return ~by_instruction(c, p, n);
	for (; n; n--)
		c = table[(c ^ *p++) & 0xff] ^ (c >> 8);
	return ~c;
}
