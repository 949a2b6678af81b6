/* SPDX-License-Identifier: Apache-2.0 */
/* argv.h - the block that the kernel put on a new program's stack, changed for a script. Freestanding, part of the stub. */
#ifndef INTERPOSER_STUB_ARGV_H
#define INTERPOSER_STUB_ARGV_H

#include "kernel/exec.h"

/*
 * Puts the plan's words in place of the first drop_argv of argv. sp: argc, argv, NULL, envp, NULL, auxiliary vector. Its pointers stay where
 * they are, so the block grows downwards, by EXEC_MAX_PREFIX + 1 words at most. Returns its new start, on 16 bytes as the ABI has it. The new
 * pointers are into plan, which stays.
 */
static inline uintptr_t *argv_splice(uintptr_t *sp, const struct exec_plan *plan)
{
	unsigned long argc = sp[0], drop = plan->drop_argv < argc ? plan->drop_argv : argc, n = plan->n_prefix;
	uintptr_t *start = sp + drop - n;
	if ((uintptr_t)start & 15) {
		uintptr_t *end = sp + 1 + argc + 1;
		while (*end++)
			;
		while (end[0])
			end += 2;
		end += 2;
		for (uintptr_t *p = sp + 1 + drop; p < end; p++)
			p[-1] = p[0];
		start--;
	}
	start[0] = argc - drop + n;
	for (unsigned long i = 0; i < n; i++)
		start[1 + i] = (uintptr_t)plan + plan->prefix[i];
	return start;
}

#endif
