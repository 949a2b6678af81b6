/* SPDX-License-Identifier: Apache-2.0 */
/* filter_decide.c - the filter's answer as a function: for tests and the trace page. filter_rules.c is linked by the filter's generator alone, too. */
#include "kernel/filter_rules.h"
#include "kernel/syscall.h"

static bool matches(const struct filter_rule *r, const uint64_t args[6])
{
	for (unsigned i = 0; i < r->n_conds; i++) {
		const struct filter_cond *c = &r->conds[i];

		if (((args[c->arg] & c->mask) == c->value) != (c->op == FILTER_EQ))
			return false;
	}
	return true;
}

enum filter_action filter_decide(int nr, const uint64_t args[6], int *err)
{
	const struct syscall_desc *d = syscall_desc(nr);

	*err = 0;
	if (!d || d->verdict == VERDICT_DENY) {
		*err = d ? d->err : ENOSYS;
		return FILTER_ERRNO;
	}
	if (d->verdict == VERDICT_NATIVE)
		return FILTER_ALLOW;
	if (d->verdict == VERDICT_EMULATE)
		return FILTER_NOTIFY;
	for (size_t i = 0; i < n_filter_rules; i++)
		if (filter_rules[i].nr == nr && matches(&filter_rules[i], args)) {
			*err = filter_rules[i].err;
			return filter_rules[i].action;
		}
	return FILTER_NOTIFY;
}
