/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsrandom.h - the parts of fsrandom: operations as text, their random generation, their execution, and the comparison.
 *
 * An operation is a line "PROCESS NAME ARGUMENT...". A path is "S:rest" from the descriptor in slot S, "/:rest" from the top of the tree,
 * otherwise from the process's current directory; nothing in it can lead above the top: see random_path() and random_target().
 */
#ifndef TESTS_RANDOM_FSRANDOM_H
#define TESTS_RANDOM_FSRANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PROCS 4
#define SLOTS 3
#define MAPS  2
#define ARGS  5

struct arg {
	long n;
	char s[120];
};
struct op {
	int proc;
	const struct opdef *def;
	struct arg a[ARGS];
};
struct player;
struct opdef {
	const char *name;
	const char *args; /* one letter each: see random_arg() */
	int weight;
	void (*run)(struct player *, const struct arg *);
};
extern const struct opdef opdefs[];

struct ops {
	struct op *v;
	size_t n;
	uint64_t tree; /* seed of the lower tree */
};

uint64_t rnd_next(void);
unsigned rnd(unsigned n);
void rnd_seed(uint64_t seed);
void gen_ops(struct ops *, uint64_t seed, size_t n, bool root);
void gen_tree(const char *dir, uint64_t seed);
int ops_read(struct ops *, const char *file);
void ops_write(const struct ops *, FILE *);
void op_print(const struct op *, FILE *);

/*
 * Runs all operations in dir and prints a line for each, then, if wanted, the tree. follow: a previous run's output; see play.c. drain: there
 * are limits; after the tree all is removed, to see whether the space comes back.
 */
int play(const char *dir, const struct ops *, const char *follow, bool drain, bool tree);
void dump_tree(const char *dir, bool plain);

#endif
