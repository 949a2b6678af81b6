/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec.h - what supervisor and loader stub tell each other at the stub's check-in. Freestanding: the stub includes it.
 *
 * The stub calls execve(EXEC_CHECKIN_MAGIC, buffer, size): a call of the number that the program was allowed to make anyway, so that
 * a seccomp filter of the program's own lets it pass. It returns 0 with the plan in the buffer, or -errno: then the stub ends the process.
 */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include <stdint.h>

struct call;
/* Before a call of a process whose pending exec is by a copy (pending.h): the exec takes effect if it has happened. */
void exec_settle(struct call *c);

#define EXEC_CHECKIN_MAGIC UINT64_C(0x5afe5742c0de0001)
#define EXEC_PLAN_MAX      8192
/* Five scripts in a row, each with an argument, and the innermost script's name. */
#define EXEC_MAX_PREFIX 11

struct exec_plan {
	uint32_t size;     /* of everything, strings included */
	int32_t exe_fd;    /* descriptors in the tracee, close-on-exec; the stub closes them */
	int32_t interp_fd; /* -1: statically linked */
	uint32_t uid, euid, gid, egid;
	uint32_t secure;     /* AT_SECURE */
	uint32_t exec_stack; /* the stack is to be executable */
	/* So far below the stack pointer the stack is to be grown at once: results that we write into the process (process_vm_writev(2)) don't
	 * grow it since Linux 6.5, where the kernel's own writes would. */
	uint32_t stack;
	/* A script: the first drop_argv words of argv are replaced by n_prefix words. */
	uint32_t drop_argv;
	uint32_t n_prefix;
	uint32_t prefix[EXEC_MAX_PREFIX]; /* offsets from the plan's start of NUL terminated words */
	char strings[];
};

#endif
