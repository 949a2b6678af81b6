/* SPDX-License-Identifier: Apache-2.0 */
/* sink.h - what the user's side of a trace writes it to: a file, a command's input, or a file for each process. */
#ifndef INTERPOSER_TRACE_SINK_H
#define INTERPOSER_TRACE_SINK_H

#include "interposer/trace/trace.h"

struct trace_sink {
	int fd;       /* where lines go; -1: standard error */
	pid_t writer; /* reads the other end of fd, or 0 */
};
/*
 * By the process that the user started, single threaded and before it gives anything up: a command (-o '|...', '!...') runs as he would run it.
 * Dies with a message.
 */
struct trace_sink trace_sink_open(const struct trace_options *t);
/* Closes fd and waits for the writer; who else has fd has to be gone, or about to go. */
void trace_sink_close(struct trace_sink *s);

#endif
