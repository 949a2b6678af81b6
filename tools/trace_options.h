/* SPDX-License-Identifier: Apache-2.0 */
/* trace_options.h - the letters of sandbox trace, which are strace's. */
#ifndef TOOLS_TRACE_OPTIONS_H
#define TOOLS_TRACE_OPTIONS_H

#include "interposer/trace/trace.h"

#define TRACE_LETTERS "fFo:Ae:P:cCkS:qtrTs:vwxyzZp:bdDE:iI:nO:u:U:X:Y"
/* One option that getopt(3) found. Dies when it isn't possible. */
void trace_option(struct trace_options *t, int letter, const char *value);
/* After the last one. */
void trace_options_check(struct trace_options *t);
void trace_help(void);
/* trace_attach.c: -p. Traces a running sandbox until it ends or the user does: the status to exit with. */
int trace_attach(const struct trace_options *t, const char *who);

#endif
