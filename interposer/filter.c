/* SPDX-License-Identifier: Apache-2.0 */
/* filter.c - installs the programs that filter_gen.c made. */
#include "interposer/filter.h"

#include "filter_bpf.h"

#include <linux/audit.h>
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

static bool in_set(const uint64_t *set, unsigned n_bits, unsigned nr)
{
	return nr < n_bits && (set[nr / 64] >> (nr % 64) & 1);
}

/* Runs of numbers in ascending order, two comparisons each: most sets are a few runs. */
int filter_install_stops(const uint64_t *set, unsigned n_bits)
{
	unsigned n = 0;
	struct sock_filter *prog = calloc((size_t)2 * n_bits + 8, sizeof *prog);
	if (!prog)
		return -ENOMEM;
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	prog[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned from = 0; from < n_bits; from++) {
		if (!in_set(set, n_bits, from))
			continue;
		unsigned end = from;
		while (in_set(set, n_bits, end))
			end++;
		/* from <= number < end: the call stops. */
		prog[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, end, 2, 0);
		prog[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, from, 0, 1);
		prog[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | FILTER_STOP_DATA);
		from = end;
	}
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog p = {(unsigned short)n, prog};
	int err = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) ? -errno : 0;
	free(prog);
	return err;
}

int filter_install_supervisor(void)
{
	struct sock_fprog prog = PROG(supervisor_filter);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) ? -errno : 0;
}
