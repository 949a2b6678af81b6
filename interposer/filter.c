/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - installs the programs that filter_gen.c made. */
#include "interposer/filter.h"

#include "filter_bpf.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define PROGRAM(p) ((struct sock_fprog){ARRAY_SIZE(p), (struct sock_filter *)(uintptr_t)(p)})

int filter_install_tracee(bool growing, bool refusing)
{
	struct sock_fprog prog = growing ? refusing ? PROGRAM(tracee_filter_growing_refusing) : PROGRAM(tracee_filter_growing)
				 : refusing ? PROGRAM(tracee_filter_refusing)
					    : PROGRAM(tracee_filter);
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);
	return fd < 0 ? -errno : (int)fd;
}

int filter_install_supervisor(bool tracing)
{
	struct sock_fprog prog = tracing ? PROGRAM(supervisor_filter_tracing) : PROGRAM(supervisor_filter);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) ? -errno : 0;
}
