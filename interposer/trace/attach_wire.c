/* SPDX-License-Identifier: Apache-2.0 */
/* attach_wire.c - a trace's options as they travel to a running sandbox: see attach.h. */
#include "interposer/trace/attach.h"

#include <string.h>

/* Bit n of flags is the n-th. */
#define FLAG(member) offsetof(struct trace_options, member)
static const size_t flags[] = {
    FLAG(stacks), FLAG(effects),    FLAG(filtered),          FLAG(summary),        FLAG(lines),          FLAG(relative),
    FLAG(spent),  FLAG(verbose),    FLAG(fd_paths),          FLAG(fd_details),     FLAG(only_ok),        FLAG(only_failed),
    FLAG(json),   FLAG(by_process), FLAG(per_process_files), FLAG(read_fds.above), FLAG(write_fds.above)};
#undef FLAG
#define IN_FILE   (UINT32_C(1) << 31) /* lines begin with the process */
#define STRSIZE   (UINT32_C(1) << 20)
#define DELAY_MAX (60 * UINT32_C(1000000))
#define KNOWN     (IN_FILE | ((UINT32_C(1) << ARRAY_SIZE(flags)) - 1))

static bool *flag(struct trace_options *t, size_t n)
{
	return (bool *)((char *)t + flags[n]);
}

void attach_pack(struct control_trace *q, const struct trace_options *t)
{
	struct trace_options copy = *t;
	memset(q, 0, sizeof(*q));
	for (size_t n = 0; n < ARRAY_SIZE(flags); n++)
		q->flags |= (uint32_t)*flag(&copy, n) << n;
	q->flags |= t->file ? IN_FILE : 0;
	q->clock = t->clock;
	q->sort = t->sort;
	q->quiet = t->quiet;
	q->hex = t->hex;
	q->strsize = t->strsize;
	q->signals = t->signals;
	q->wanted = t->wanted;
	q->raw = t->raw;
	memcpy(q->read_fds, t->read_fds.bits, sizeof(q->read_fds));
	memcpy(q->write_fds, t->write_fds.bits, sizeof(q->write_fds));
	q->n_injects = t->n_injects;
	for (unsigned i = 0; i < t->n_injects; i++) {
		const struct trace_inject *in = &t->injects[i];
		q->injects[i].calls = in->calls;
		q->injects[i].result = in->result;
		q->injects[i].fakes = in->fakes;
		q->injects[i].signal = (uint32_t)in->signal;
		q->injects[i].delay_enter_us = in->delay_enter_us;
		q->injects[i].delay_exit_us = in->delay_exit_us;
		q->injects[i].first = in->first;
		q->injects[i].last = in->last;
		q->injects[i].step = in->step;
	}
	q->n_paths = t->n_paths;
	for (unsigned i = 0; i < t->n_paths; i++)
		strncpy(q->paths[i], t->paths[i], TRACE_PATH_MAX - 1);
}

int attach_unpack(struct trace_options *t, const struct control_trace *q)
{
	if ((q->flags & ~KNOWN) || q->clock > CLOCK_EPOCH || q->sort > SORT_NOTHING || q->hex > 2 || q->strsize > STRSIZE ||
	    q->n_injects > TRACE_INJECTS || q->n_paths > TRACE_PATHS || q->pid < 0)
		return -EINVAL;
	*t = (struct trace_options){.on = true,
				    .clock = q->clock,
				    .sort = q->sort,
				    .quiet = q->quiet,
				    .hex = q->hex,
				    .strsize = q->strsize,
				    .signals = q->signals,
				    .wanted = q->wanted,
				    .raw = q->raw,
				    .n_injects = q->n_injects,
				    .n_paths = q->n_paths,
				    .file = q->flags & IN_FILE ? "" : NULL};
	memcpy(t->read_fds.bits, q->read_fds, sizeof(q->read_fds));
	memcpy(t->write_fds.bits, q->write_fds, sizeof(q->write_fds));
	for (size_t n = 0; n < ARRAY_SIZE(flags); n++)
		*flag(t, n) = q->flags >> n & 1;
	for (unsigned i = 0; i < q->n_injects; i++) {
		if (q->injects[i].signal > 64 || q->injects[i].delay_enter_us > DELAY_MAX ||
		    q->injects[i].delay_exit_us > DELAY_MAX)
			return -EINVAL;
		t->injects[i] = (struct trace_inject){.calls = q->injects[i].calls,
						      .fakes = q->injects[i].fakes,
						      .result = q->injects[i].result,
						      .signal = (int)q->injects[i].signal,
						      .delay_enter_us = q->injects[i].delay_enter_us,
						      .delay_exit_us = q->injects[i].delay_exit_us,
						      .first = q->injects[i].first,
						      .last = q->injects[i].last,
						      .step = q->injects[i].step};
	}
	for (unsigned i = 0; i < q->n_paths; i++) {
		if (!memchr(q->paths[i], 0, TRACE_PATH_MAX))
			return -EINVAL;
		t->paths[i] = q->paths[i];
	}
	return 0;
}
