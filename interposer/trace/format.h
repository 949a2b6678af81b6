/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - one call as text, in strace's form, by the argument kinds of kernel/syscalls.def.
 */
#ifndef INTERPOSER_TRACE_FORMAT_H
#define INTERPOSER_TRACE_FORMAT_H

#include "base/effects.h"
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
	uint32_t len_before;   /* what a call was given as an address's or option's length */
	uint64_t sp;           /* the stack pointer, where the tracer knows it */
	bool foreign;          /* another architecture's call */
	int n, next;           /* how many are shown in all, and the first that isn't yet */
	bool comma;            /* the one before the next argument is there already */
	bool exiting, failed;
	int64_t rval;
	struct text extra; /* what follows the result */
	struct text stack; /* -k: lines, or a JSON array */
	struct text bytes; /* -e read=, write=: lines */
	struct effects effects;
};
/* Before the first call is shown; what it costs, only a trace pays. */
void format_start(void);
/* At entry: everything that is known before the call. */
void format_entry(struct shown *s);
/* At exit: the rest, and the parenthesis. rval and failed are set. */
void format_exit(struct shown *s);
/* bytes.c, at exit: what was read or written, if it's asked for. */
void format_all_bytes(struct shown *s);
/* --effects: " [hit, lower]", or the members of a JSON object. Nothing where nothing is known. */
void format_effects(const struct effects *e, bool json, struct text *t);
/* " = result", to t. */
void format_result(const struct shown *s, struct text *t);
void format_siginfo(struct text *t, const void *siginfo);

/* The files of decoders: how one argument of some call is printed where its kind says too little; NULL: by its kind. */
struct decoder {
	const char *call;
	int arg;
	bool out; /* known at exit */
	void (*fn)(struct shown *s, int arg);
	const struct value_name *names;
	const char *unknown; /* with names: what an unknown one belongs to, "O_???" */
	bool value;          /* with names: one of them, not a set */
};
/* A function, for an argument that is known at entry, or at exit. */
#define IN(call, arg, fn)                               \
	{                                               \
		call, arg, false, fn, NULL, NULL, false \
	}
#define OUT(call, arg, fn)                             \
	{                                              \
		call, arg, true, fn, NULL, NULL, false \
	}

extern const struct decoder struct_decoders[], flag_decoders[], net_decoders[], signal_decoders[], control_decoders[],
    time_decoders[];
extern const size_t n_struct_decoders, n_flag_decoders, n_net_decoders, n_signal_decoders, n_control_decoders,
    n_time_decoders;
extern const struct value_name names_open[], names_at[], names_prot[], names_clone[], names_msg[], names_family[],
    names_poll[], names_level[], names_sched[];
/* What is gone at exit, for what shows it there. */
void format_remember(struct shown *s);
/* What follows the result of calls that tell more than one number. */
void format_extra(struct shown *s);

/* Shared: a value at an address, or its address when it can't be read. */
#define FORMAT_ITEMS 32 /* of an array, without -v */
/* What a call is given, or gives back: else its address is shown and the value is not to be used. */
bool format_in(struct shown *s, int arg, void *buf, size_t len);
bool format_out(struct shown *s, int arg, void *buf, size_t len);
bool format_fetch(struct shown *s, uint64_t addr, void *buf, size_t len);
void format_addr(struct text *t, uint64_t addr);
void format_bytes(struct shown *s, uint64_t addr, uint64_t len);
void format_timespec(struct text *t, const int64_t ts[2], const char *frac);
void format_sockaddr(struct shown *s, uint64_t addr, uint64_t len);
void format_open_flags(struct text *t, uint64_t flags);
void format_fd(struct shown *s, int fd);
/* -yy: <TCP:[127.0.0.1:1->127.0.0.1:2]> of our duplicate of a socket. */
void format_socket(struct text *t, int host, uint64_t ino);
/* reading: of what was read, left bytes are shown in all. */
void format_iovec(struct shown *s, uint64_t addr, uint64_t n, bool reading, uint64_t left);
void format_sigset(struct text *t, uint64_t set);
void format_iso(struct text *t, int64_t sec, int64_t frac, int digits);
void format_quoted(struct shown *s, const char *str, size_t size); /* up to its NUL */

#endif
