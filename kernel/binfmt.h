/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binfmt.h - reading what execve is asked to run. Only pread on the descriptor: the program may truncate or write the file meanwhile, so
 * nothing is mapped, and what was read once is what counts.
 */
#ifndef KERNEL_BINFMT_H
#define KERNEL_BINFMT_H

#include "base/base.h"

#include <linux/limits.h>

#define BINPRM_BUF 256 /* linux/binfmts.h: what Linux looks at for a script */

/*
 * A #! line as fs/binfmt_script.c reads it. head: the file's first bytes, zeros after its end. arg "" if there is none.
 * 1: a script; 0: not one; -ENOEXEC: a broken one.
 */
int binfmt_script(const char head[BINPRM_BUF], char interp[BINPRM_BUF], char arg[BINPRM_BUF]) MUST_CHECK;

struct elf_image {
	bool dynamic;	 /* has PT_INTERP */
	bool exec_stack; /* PT_GNU_STACK with PF_X */
	char interp[PATH_MAX];
};
/* Headers of an x86_64 ELF file, checked so that mapping its segments as they say can't overflow. -ENOEXEC, -EIO, -EINVAL. */
int binfmt_elf(int fd, struct elf_image *out) MUST_CHECK;

#endif
