/* SPDX-License-Identifier: Apache-2.0 */
/* summary.h - trace -c: time, calls and errors of each call, in all and with --by-process of each process. Guarded as output.h is. */
#ifndef INTERPOSER_TRACE_SUMMARY_H
#define INTERPOSER_TRACE_SUMMARY_H

#include "interposer/trace/output.h"

void summary_start(const struct trace_options *o);
void summary_add(const struct line_of *who, int nr, bool failed, int64_t ns);
/* Lines without their ends to out, and end_line() after each. */
void summary_print(struct text *out, void (*end_line)(void));

#endif
