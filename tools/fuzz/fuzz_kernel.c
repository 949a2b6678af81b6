/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_kernel.c - random system calls of several tasks on kernel + vfs and on the host: results, what they wrote and the trees they leave must agree.
 * A difference is shrunk and printed as text, which replay runs. Needs root, for the host's side (kernel_host.c).
 *
 * Leaks are searched for at the end of a run, not after each input: caches are meant to outlive an input.
 *
 * covers: kernel/[a-z]*.c vfs/[a-z]*.c vfs/overlay/[a-z]*.c gofer/[a-z]*.c
 * options: -max_len=4000 -len_control=0 -detect_leaks=0
 */
#include "tools/fuzz/kernel_fuzz.h"
#include "tools/fuzz/fuzz.h"

#include <time.h>

static struct timespec start;

static void say_rate(void)
{
	struct timespec now;

	if (!kf_calls)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	double wall = (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
	fprintf(stderr, "%lu calls, %.0f a second, %.0f a second of processor time\n", (unsigned long)kf_calls,
		(double)kf_calls / (wall > 0.001 ? wall : 0.001), (double)kf_calls / kf_cpu_seconds());
}

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

	if (!kf_shared) {
		kf_start(); /* not before: the driver forks */
		clock_gettime(CLOCK_MONOTONIC, &start);
		atexit(say_rate);
	}
	kf_decode_any(&kf_shared->seq, data, size);
	if (!kf_differs(&d))
		return 0;
	kf_shrink(&d, 10);
	kf_report(&d, stderr);
	abort();
}
