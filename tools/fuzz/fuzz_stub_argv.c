/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_stub_argv.c - what the loader stub does to argv for a script: the words are the plan's and then what was left of the old ones, the environment
 * and the auxiliary vector are what they were, and nothing outside the block and the gap below it is written.
 *
 * covers: interposer/stub/argv.h
 * options: -max_len=512
 */
#include "tools/fuzz/fuzz.h"

#include "interposer/stub/argv.h"

#include <string.h>

#define GAP (EXEC_MAX_PREFIX + 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(16) uintptr_t block[1024], old[1024];
	static struct exec_plan plan;
	struct fuzz_in in = {data, size};
	uintptr_t *sp = block + GAP + GAP % 2, *end;
	unsigned argc = fuzz_below(&in, 20), envc = fuzz_below(&in, 20), auxc = fuzz_below(&in, 20);

	memset(block, 0xee, sizeof(block));
	end = sp;
	*end++ = argc;
	for (unsigned k = 0; k < argc + 1 + envc + 1; k++)
		*end++ = k == argc || k == argc + 1 + envc ? 0 : 0x1000 + k;
	for (unsigned k = 0; k < 2 * auxc; k++)
		*end++ = k % 2 ? fuzz_u8(&in) : 1 + k;
	*end++ = 0;
	*end++ = 0;
	memcpy(old, block, sizeof(block));
	uintptr_t *before = old + (sp - block);

	plan = (struct exec_plan){
	    .size = sizeof(plan), .drop_argv = fuzz_u8(&in) % 3, .n_prefix = fuzz_below(&in, EXEC_MAX_PREFIX + 1)};
	for (unsigned k = 0; k < plan.n_prefix; k++)
		plan.prefix[k] = fuzz_u16(&in);
	unsigned drop = MIN(plan.drop_argv, argc), left = argc - drop;
	uintptr_t *now = argv_splice(sp, &plan), *at = now;

	FUZZ_CHECK(!((uintptr_t)now & 15) && now >= sp - GAP);
	FUZZ_CHECK(*at++ == left + plan.n_prefix);
	for (unsigned k = 0; k < plan.n_prefix; k++)
		FUZZ_CHECK(*at++ == (uintptr_t)&plan + plan.prefix[k]);
	size_t rest = left + 1 + envc + 1 + 2 * auxc + 2;
	FUZZ_CHECK(!memcmp(at, before + 1 + drop, rest * sizeof(*at)));
	FUZZ_CHECK(!memcmp(block, old, (size_t)((char *)now - (char *)block)));
	FUZZ_CHECK(at + rest <= end && !memcmp(end, old + (end - block), (size_t)((char *)(block + 1024) - (char *)end)));
	return 0;
}
