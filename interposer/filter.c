/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - installs the programs that filter_gen.c made. */
#include "interposer/filter.h"

#include "filter_bpf.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

int filter_install_tracee(bool growing, bool keep, bool refusing)
{
#define PROG(f)                                                     \
	{                                                           \
		ARRAY_SIZE(f), (struct sock_filter *)(uintptr_t)(f) \
	}
	struct sock_fprog progs[] = {PROG(tracee_filter),
				     PROG(tracee_filter_growing),
				     PROG(tracee_filter_keep),
				     PROG(tracee_filter_both),
				     PROG(tracee_filter_refusing),
				     PROG(tracee_filter_growing_refusing),
				     PROG(tracee_filter_keep_refusing),
				     PROG(tracee_filter_both_refusing)};
	struct sock_fprog prog = progs[growing + 2 * keep + 4 * refusing];
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			  SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);
	return fd < 0 ? -errno : (int)fd;
}

int filter_install_supervisor(void)
{
	struct sock_fprog prog = PROG(supervisor_filter);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) ? -errno : 0;
}
