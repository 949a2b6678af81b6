/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.h - the seccomp filters. Their programs are made at build time by filter_gen.c (libseccomp) from kernel/syscalls.def, so that
 * starting a sandbox costs no compilation and needs no library.
 */
#ifndef INTERPOSER_FILTER_H
#define INTERPOSER_FILTER_H

#include "base/base.h"

/* An execve with this pointer is a word to the supervisor (interposer/init.h): word, value and ticket are the other arguments. */
#define INIT_MAGIC UINT64_C(0x5afe5742c0de0002)

/* Directory descriptors that the supervisor may use in *at calls have these numbers, which its filter names. */
#define FIXED_FD_FIRST 960 /* aligned, so that one masked comparison tells; below 1024, a common limit */
#define FIXED_FD_LAST  1023

/* Installs the tracees' filter for the calling process and returns its listener, or -errno. Needs no_new_privs. growing: with the
 * calls that make files grow (kernel/filter_rules.h) stopped, too; keep: fsync(2) and fdatasync(2). refusing: what the filter itself would
 * refuse, foreign calls too, is stopped instead, so that the supervisor refuses it and can tell. */
int filter_install_tracee(bool growing, bool keep, bool refusing) MUST_CHECK;
/* Beside it, for the calling process and those that it starts: calls of the set (bit n: number n) that the host would run stop for the tracer first
 * (SECCOMP_RET_TRACE with this data), and fail with ENOSYS without one. 0 or -errno. */
#define FILTER_STOP_DATA 0x5afe
int filter_install_stops(const uint64_t *set, unsigned n_bits) MUST_CHECK;
/* The supervisor's own, for all its threads. 0 or -errno. */
int filter_install_supervisor(void) MUST_CHECK;

#endif
