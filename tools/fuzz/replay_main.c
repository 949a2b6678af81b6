/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_main.c - sequences of fuzz_kernel, as files or random ones, on both kernels. Status 1 if one differs.
 *
 *     replay FILE...                   text (its first line is "fs NAME" or a remark) or bytes
 *     replay --text FILE               prints it as text, to be edited
 *     replay --shrink FILE             leaves out what it differs without, and prints that
 *     replay --random [--seed N] [--seconds S] [--calls N] [--go-on]
 */
#include "tools/fuzz/kernel_fuzz.h"
#include "tools/fuzz/fuzz.h"

#include <err.h>
#include <getopt.h>
#include <string.h>
#include <time.h>

static uint64_t state;

static uint64_t next_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15U;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void load(struct kf_seq *s, const char *path)
{
	static uint8_t buf[1 << 20];
	FILE *f = fopen(path, "r");
	int line;
	size_t n;

	if (!f)
		err(2, "%s", path);
	n = fread(buf, 1, sizeof(buf), f);
	if (n > 3 && (!memcmp(buf, "fs ", 3) || buf[0] == '#')) {
		rewind(f);
		line = kf_parse(s, f);
		if (line)
			errx(2, "%s:%d: no call, or one that isn't run here", path, line);
	} else {
		kf_decode(s, buf, n);
	}
	fclose(f);
}

static bool run_file(const char *path, bool shrink)
{
	struct kf_diff d;

	load(&kf_shared->seq, path);
	if (!kf_differs(&d)) {
		printf("%s: %u calls, no difference\n", path, kf_shared->seq.n);
		return false;
	}
	if (shrink)
		kf_shrink(&d, 60);
	printf("# %s\n", path);
	kf_report(&d, stdout);
	return true;
}

static bool run_random(uint64_t seed, double seconds, unsigned calls, bool go_on)
{
	static uint8_t bytes[KF_OPS * 14];
	double start = now(), shrinking = 0;
	uint64_t k = 0, found = 0, counted = 0;
	struct kf_diff d;

	for (; (go_on || !found) && now() - start < seconds; k++) {
		uint64_t before = kf_calls;

		state = (seed + k) * 0x2545f4914f6cdd1dU;
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(next_random() >> 8);
		kf_decode(&kf_shared->seq, bytes, sizeof(bytes));
		kf_shared->seq.n = MIN(kf_shared->seq.n, calls);
		bool differs = kf_differs(&d);
		counted += kf_calls - before;
		if (differs) {
			double at = now();
			found++;
			kf_shrink(&d, 10);
			printf("# seed %lu\n", seed + k);
			kf_report(&d, stdout);
			shrinking += now() - at;
		}
	}
	/* Calls made while shrinking are in both halves of the second number. */
	printf("# %lu sequences, %lu calls, %.0f a second, %.0f a second of processor time, %lu differ\n", k, counted,
	       (double)counted / MAX(now() - start - shrinking, 0.001), (double)kf_calls / kf_cpu_seconds(), found);
	return found;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"text", 0, 0, 't'},    {"shrink", 0, 0, 's'}, {"random", 0, 0, 'r'}, {"seed", 1, 0, 'S'},
	    {"seconds", 1, 0, 'n'}, {"calls", 1, 0, 'c'},  {"go-on", 0, 0, 'g'},  {0}};
	bool text = false, shrink = false, random_ = false, go_on = false, bad = false;
	double seconds = 10;
	uint64_t seed = 1;
	unsigned calls = 150;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 't':
			text = true;
			break;
		case 's':
			shrink = true;
			break;
		case 'r':
			random_ = true;
			break;
		case 'S':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			seconds = strtod(optarg, NULL);
			break;
		case 'c':
			calls = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'g':
			go_on = true;
			break;
		default:
			return 2;
		}
	}
	if (random_ == (optind < argc))
		errx(2, "usage: replay [--text|--shrink] FILE... | replay --random [--seed N] [--seconds S] [--calls N] "
			"[--go-on]");
	if (text) {
		struct kf_seq *s = calloc(1, sizeof(*s));
		for (int i = optind; s && i < argc; i++) {
			load(s, argv[i]);
			kf_print(s, stdout);
		}
		free(s);
		return 0;
	}
	if (geteuid())
		errx(77, "needs root for its scratch root on the host's side");
	/* The working directory is about to change. */
	for (int i = optind; i < argc; i++) {
		char *full = realpath(argv[i], NULL);
		argv[i] = full ? full : argv[i];
	}
	kf_start();
	if (random_)
		return run_random(seed, seconds, calls, go_on);
	for (int i = optind; i < argc; i++)
		bad |= run_file(argv[i], shrink);
	return bad;
}
