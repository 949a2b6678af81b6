/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - one call as text, in strace's form, by the argument kinds of kernel/syscalls.def.
 */
#ifndef INTERPOSER_TRACE_FORMAT_H
#define INTERPOSER_TRACE_FORMAT_H

#include "interposer/trace/text.h"
#include "interposer/trace/trace.h"
#include "kernel/syscall.h"

struct shown {
	const struct trace_options *opt;
	struct call *c; /* nr, args and pid are the call's; its ops read the process's memory */
	const struct syscall_desc *desc;
	struct text text;      /* "name(args" so far */
	size_t from[6], to[6]; /* where in it the arguments are */
	size_t at_entry;       /* how much of it was known at entry */
	bool foreign;          /* another architecture's call */
	int n, next;           /* how many are shown in all, and the first that isn't yet */
	bool comma;            /* the one before the next argument is there already */
	bool exiting, failed;
	int64_t rval;
	struct text extra; /* what follows the result */
	char path[2][256]; /* the beginning of the names in it, for -P */
	int n_paths;
};
/* At entry: everything that is known before the call. */
void format_entry(struct shown *s);
/* At exit: the rest, and the parenthesis. rval and failed are set. */
void format_exit(struct shown *s);
/* " = result", to t. */
void format_result(const struct shown *s, struct text *t);
void format_siginfo(struct text *t, const void *siginfo);

/* structs.c and flags.c: how one argument of some call is printed where its kind says too little; NULL: by its kind. */
struct decoder {
	const char *call;
	int arg;
	bool out; /* known at exit */
	void (*fn)(struct shown *s, int arg);
	const struct value_name *names;
	const char *unknown; /* with names: one value when it ends in "_?", else flags */
};
const struct decoder *format_decoder(const struct shown *s, int arg);
extern const struct decoder struct_decoders[], flag_decoders[];
extern const size_t n_struct_decoders, n_flag_decoders;
extern const struct value_name names_open[], names_at[], names_prot[], names_access[], names_clone[], names_fcntl[],
    names_msg[], names_family[], names_poll[];

/* Shared: a value at an address, or its address when it can't be read. */
bool format_fetch(struct shown *s, uint64_t addr, void *buf, size_t len);
void format_addr(struct text *t, uint64_t addr);
void format_bytes(struct shown *s, uint64_t addr, uint64_t len);
void format_timespec(struct text *t, const int64_t ts[2], const char *frac);
void format_sockaddr(struct shown *s, uint64_t addr, uint64_t len);
void format_mode(struct text *t, uint32_t mode);
void format_open_flags(struct text *t, uint64_t flags);
void format_fd(struct shown *s, int fd);

#endif
