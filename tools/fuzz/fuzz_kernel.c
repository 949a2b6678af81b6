/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_kernel.c - random system calls of several tasks on kernel + vfs and on the host: results, what they wrote and the trees they leave must agree.
 * A difference is shrunk and printed as text, which replay runs. Needs root, for the host's side (kernel_host.c).
 *
 * No search for leaks: caches are meant to outlive an input, and what hangs on the dentries' table, which is mapped, isn't found.
 *
 * covers: kernel/[a-z]*.c vfs/[a-z]*.c vfs/overlay/[a-z]*.c gofer/[a-z]*.c
 * options: -max_len=1200 -len_control=20 -detect_leaks=0
 */
#include "tools/fuzz/kernel_fuzz.h"
#include "tools/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (geteuid()) {
		fprintf(stderr, "fuzz_kernel: needs root for its scratch root on the host's side: skipped\n");
		exit(77);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kf_diff d;

	kf_start(); /* not before: the driver forks */
	kf_decode_any(&kf_shared->seq, data, size);
	if (!kf_differs(&d))
		return 0;
	kf_shrink(&d, 10);
	kf_report(&d, stderr);
	abort();
}
