/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_rules.h - what the filter itself looks at in the registers of a CHECK call, as data: interposer/filter_gen.c expands it to BPF
 * at build time. A CHECK call that isn't here always notifies.
 *
 * The rules of a call are tried in order; the first whose conditions all hold decides, else `otherwise`. A condition holds if
 * (argument & mask) == value (or != value); 32-bit arguments have masks within the lower half, so that the upper half is never looked at.
 */
#ifndef KERNEL_FILTER_RULES_H
#define KERNEL_FILTER_RULES_H

#include "base/base.h"

enum filter_op { FILTER_EQ, FILTER_NE };
struct filter_cond {
	unsigned arg;
	uint64_t mask;
	enum filter_op op;
	uint64_t value;
};

struct filter_action {
	enum { FILTER_ALLOW, FILTER_NOTIFY, FILTER_ERRNO } kind;
	int err; /* positive errno of FILTER_ERRNO */
};

struct filter_rule {
	const struct filter_cond *conds;
	unsigned n_conds;
	struct filter_action action;
};

struct filter_call {
	int nr;
	const struct filter_rule *rules;
	unsigned n_rules;
	struct filter_action otherwise;
};

/* The table; *n its length. */
const struct filter_call *filter_rules(unsigned *n);

#endif
