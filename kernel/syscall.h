/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall.h - the table of system calls (syscalls.def) as data, and the handlers' prototypes.
 */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include "kernel/call.h"

enum verdict { VERDICT_EMULATE = 1, VERDICT_CHECK, VERDICT_NATIVE, VERDICT_DENY };

/* How an argument is printed and fuzzed. */
enum arg_kind {
	ARG_NONE,
	ARG_INT,
	ARG_UINT,
	ARG_LONG,
	ARG_ULONG,
	ARG_HEX, /* flags without a printer of their own */
	ARG_SIZE,
	ARG_OFF,  /* signed 64-bit offset */
	ARG_MODE, /* octal */
	ARG_ID,   /* uid or gid, 32 bits, -1 possible */
	ARG_PID,
	ARG_SIG,
	ARG_FD,
	ARG_DIRFD,   /* AT_FDCWD possible */
	ARG_PATH,    /* string that names a file */
	ARG_STR,     /* another string */
	ARG_ARGV,    /* NULL terminated array of strings */
	ARG_BUFIN,   /* bytes, length in the next argument */
	ARG_BUFOUT,  /* bytes, length is the result */
	ARG_STATOUT, /* struct stat, or struct statx for statx */
	ARG_TIMEIN,  /* struct timespec (an array of two for utimensat), may be NULL */
	ARG_SOCKIN,  /* struct sockaddr, length in the next argument */
	ARG_SOCKOUT, /* struct sockaddr, pointer to its length in the next argument */
	ARG_OFLAGS,  /* O_ */
	ARG_ATFLAGS, /* AT_ */
	ARG_PROT,    /* PROT_ */
	ARG_PTR,     /* anything else in memory */
};

struct syscall_desc {
	const char *name; /* NULL: no such call */
	enum verdict verdict;
	int err; /* VERDICT_DENY: positive errno */
	int64_t (*handler)(struct call *c);
	const char *note;
	enum arg_kind args[6];
	int nargs;
};

#define SYSCALL_MAX 512
/* sys_space.c: for calls of filter_grows() and fallocate(2). CALL_CONTINUE or -ENOSPC. */
int64_t space_check(struct call *c);
/* NULL for a number that isn't in the table. */
const struct syscall_desc *syscall_desc(int nr);

/* May the caller install a seccomp filter? CALL_CONTINUE or -EACCES. (sys_misc.c) */
int64_t seccomp_may_filter(const struct call *c);

/* sys_*.c, one for each row that has a handler; several rows may share one. */
#define EMULATE(nr, name, handler, note, ...) int64_t handler(struct call *c);
#define CHECK(nr, name, handler, note, ...)   int64_t handler(struct call *c);
#define NATIVE(nr, name, note, ...)
#define DENY(nr, name, err, note, ...)
#include "kernel/syscalls.def"

#endif
