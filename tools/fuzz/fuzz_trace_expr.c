/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_trace_expr.c - the expressions of sandbox trace -e, one a line.
 *
 * covers: interposer/trace/expr.c
 * options: -max_len=512 -only_ascii=1
 */
#include "tools/fuzz/fuzz.h"

#include "interposer/trace/trace.h"

#include <string.h>

struct run {
	char *text;
	struct trace_options opt;
};

static void parse(void *arg)
{
	struct run *r = arg;
	char *rest = r->text, *line;

	trace_defaults(&r->opt);
	while ((line = strsep(&rest, "\n")))
		trace_expression(&r->opt, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = {.text = malloc(size + 1)};

	FUZZ_CHECK(r.text);
	memcpy(r.text, data, size);
	r.text[size] = '\0';
	if (!fuzz_dies(parse, &r)) {
		FUZZ_CHECK(r.opt.n_injects <= TRACE_INJECTS);
		FUZZ_CHECK(r.opt.filtered || r.opt.n_injects);
		for (unsigned k = 0; k < r.opt.n_injects; k++) {
			const struct trace_inject *in = &r.opt.injects[k];
			FUZZ_CHECK(in->first >= 1 && in->first <= 65535 && in->step <= 65535 && in->result >= -4095);
		}
	}
	free(r.text);
	return 0;
}
