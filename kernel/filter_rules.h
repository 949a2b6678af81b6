/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_rules.h - what the seccomp filter decides by itself about the CHECK calls of syscalls.def.
 *
 * A rule matches when all its conditions do. The rules of one call never overlap with different actions, so that their order
 * doesn't matter. A CHECK call that no rule matches is a notification, and its handler decides (also EMULATE calls always are).
 * Conditions compare (argument & mask) with value; 32-bit arguments have masks within 0xffffffff, because Linux ignores the upper half.
 */
#ifndef KERNEL_FILTER_RULES_H
#define KERNEL_FILTER_RULES_H

#include "base/base.h"

enum filter_action { FILTER_NOTIFY, FILTER_ALLOW, FILTER_ERRNO };
enum filter_op { FILTER_EQ = 1, FILTER_NE };

struct filter_cond {
	unsigned arg; /* 0..5 */
	uint64_t mask;
	enum filter_op op;
	uint64_t value; /* within mask */
};
#define FILTER_MAX_CONDS 3
struct filter_rule {
	int nr;
	enum filter_action action;
	int err; /* FILTER_ERRNO: positive */
	unsigned n_conds;
	struct filter_cond conds[FILTER_MAX_CONDS];
};

extern const struct filter_rule filter_rules[];
extern const size_t n_filter_rules;

/* NATIVE calls that can make a file grow: where we keep a size limit, the filter stops them, too. */
bool filter_grows(int nr);

/*
 * NATIVE calls that promise that data is on the disk, with the flags for that: flags is the argument that they're in, mask their bits. A kept
 * layer's names and attributes must be there, too, so with one the filter stops those. Of calls that always promise it mask is 0.
 */
#define FILTER_PROMISING 4 /* so many */
bool filter_promises(int nr, unsigned *flags, uint32_t *mask);

/* What the whole filter answers for a call: rules and the table's verdicts. For tests and the trace page; err as above. */
enum filter_action filter_decide(int nr, const uint64_t args[6], int *err);

#endif
