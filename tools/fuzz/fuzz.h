/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what fuzz targets share: bytes turned into choices, and checks that stop the fuzzer.
 *
 * A target keeps nothing from one input to the next that a later result could depend on.
 */
#ifndef TOOLS_FUZZ_FUZZ_H
#define TOOLS_FUZZ_FUZZ_H

#include "base/base.h"

/* The engine's entry points; Initialize may be missing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* An invariant: says what was wrong and aborts, which every engine takes for a crash. */
#define FUZZ_CHECK(cond)                                        \
	do {                                                    \
		if (unlikely(!(cond)))                          \
			fuzz_broken(#cond, __FILE__, __LINE__); \
	} while (0)
_Noreturn void fuzz_broken(const char *what, const char *file, int line);

/* The input, consumed from the front. Past its end everything is 0, so that a short input is a short run. */
struct fuzz_in {
	const uint8_t *p;
	size_t left;
};
uint8_t fuzz_u8(struct fuzz_in *in);
uint16_t fuzz_u16(struct fuzz_in *in);
uint32_t fuzz_u32(struct fuzz_in *in);
uint64_t fuzz_u64(struct fuzz_in *in);
/* 0 to n - 1; n at most 65536. */
unsigned fuzz_below(struct fuzz_in *in, unsigned n);
/* At most max bytes, a length of two bytes in front. They lie in the input. */
const uint8_t *fuzz_bytes(struct fuzz_in *in, size_t max, size_t *n);
/* The same as a string without inner NULs; malloc'ed. */
char *fuzz_string(struct fuzz_in *in, size_t max);

/*
 * Runs fn(arg), which may die(): true if it did. Its message is dropped, and what it had allocated by then is freed; only in a build without
 * sanitizers, which runs few inputs, that stays.
 */
bool fuzz_dies(void (*fn)(void *arg), void *arg);

/* A descriptor of a memory file with these bytes, at offset 0. The caller's. */
int fuzz_memfd(const void *p, size_t n);
/* A file of a memory file system for a scratch directory: its path, made once a process, removed at the end. */
const char *fuzz_scratch(void);
/* Empties a directory; what can't be removed stops the fuzzer. */
void fuzz_empty(int dirfd);
/* How many descriptors this process has. */
unsigned fuzz_count_fds(void);

#endif
