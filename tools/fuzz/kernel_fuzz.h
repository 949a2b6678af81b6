/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_fuzz.h - random system calls of several tasks, on our kernel and on the host's: the parts of fuzz_kernel and replay.
 *
 *   kernel_gen.c    bytes -> calls, by the kinds of arguments of kernel/syscalls.def; total: any bytes are a sequence
 *   kernel_text.c   calls <-> text
 *   kernel_guest.c  the calls on kernel + vfs; each descriptor is the harness's own, memory is KF_ARENA
 *   kernel_gofer.c  client and server of the gofer in one process
 *   kernel_host.c   the same calls on a scratch directory, in a process that has nothing else in its root
 *   kernel_tree.c   the tree both begin with, and a tree as text
 *   kernel_diff.c   whether both agree; shrinking
 *
 * Arguments in memory lie at the same addresses on both sides, so that a pointer is just a number of a call.
 */
#ifndef TOOLS_FUZZ_KERNEL_FUZZ_H
#define TOOLS_FUZZ_KERNEL_FUZZ_H

#include "kernel/syscall.h"

#include <stdio.h>

#define KF_TASKS    4
#define KF_OPS      400
#define KF_FDS      48 /* RLIMIT_NOFILE of a task */
#define KF_NO_TASK  0xff
#define KF_NO_FORK  0
#define KF_TOP_SIZE 32

/* One slot an argument; a page that ends in a hole; a page that can only be read. */
#define KF_ARENA UINT64_C(0x10000000)
#define KF_SLOT  UINT64_C(0x4000)
#define KF_EDGE  (KF_ARENA + 6 * KF_SLOT)
#define KF_RO    (KF_EDGE + 0x2000)
#define KF_BAD   (KF_RO + 0x2000)
static inline uint64_t kf_slot(int arg)
{
	return KF_ARENA + (uint64_t)arg * KF_SLOT;
}

enum kf_fs { KF_OVERLAY, KF_TMPFS, KF_GOFERFS, KF_FS };
extern const char *const kf_fs_names[KF_FS];

enum kf_place {
	KF_NUM,   /* v itself */
	KF_AT,    /* data in the argument's slot */
	KF_ATEND, /* data that ends where memory ends */
	KF_NULLP,
	KF_BADP,
	KF_ROP, /* zeros that can't be written */
};
struct kf_arg {
	enum kf_place place;
	uint64_t v;       /* the register's value, whatever the place */
	uint32_t len;     /* of data */
	uint32_t snap;    /* so many bytes from v on are compared afterwards */
	const char *data; /* in kf_seq.pool */
};
struct kf_op {
	const struct syscall_desc *call;
	int nr;
	uint8_t task, child; /* child: the task that a fork makes, or KF_NO_FORK */
	struct kf_arg a[6];
	uint32_t from, len; /* its bytes in the input */
	/* The host's answer. */
	int64_t res;
	const char *out[6]; /* snap bytes each, in kf_seq.outs */
};
struct kf_seq {
	enum kf_fs fs;
	unsigned n, tasks;
	size_t pool_used, outs_used;
	struct kf_op op[KF_OPS];
	char pool[1 << 20];
	char outs[4 << 20];
};

/* Shared by the harness and its host process. */
struct kf_shared {
	struct kf_seq seq;
	uint32_t go, done; /* futexes: number of the sequence asked for, number of the last one done */
	uint32_t at;       /* the call under way */
	uint32_t turn[KF_TASKS];
	char top[KF_TOP_SIZE];
	char tree[1 << 20];
	int err;
	uint64_t caps;
};

/* --- kernel_gen.c */
void kf_decode(struct kf_seq *s, const uint8_t *data, size_t size);
/* The row of that name if it's one that is fuzzed, its number in *nr. */
const struct syscall_desc *kf_call_by_name(const char *name, int *nr);
/* Fills what follows from a[]: snap, v, child. False: what must not be run (see the file's head). */
bool kf_op_finish(struct kf_seq *s, struct kf_op *o);
const char *kf_pool(struct kf_seq *s, const void *p, size_t n); /* NULL: full */
unsigned kf_call_count(void);
const struct syscall_desc *kf_call_at(unsigned k, int *nr);

/* --- kernel_text.c */
void kf_print_op(const struct kf_op *o, FILE *f);
void kf_print(const struct kf_seq *s, FILE *f);
/* 0, or the number of a line that is none. */
int kf_parse(struct kf_seq *s, FILE *f);
/* Text if it is one from its first to its last line, else bytes. */
void kf_decode_any(struct kf_seq *s, const uint8_t *data, size_t size);

/* --- memory of a call, in either process */
void kf_map_arena(void);
void kf_load(const struct kf_op *o);

/* --- kernel_tree.c: through whichever kernel sys stands for. top is absolute. */
typedef int64_t kf_sys(void *ctx, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
int64_t kf_raw_sys(void *ctx, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
void kf_tree_build(kf_sys *sys, void *ctx, const char *top);
void kf_tree_wipe(kf_sys *sys, void *ctx, const char *top);
/* A line an entry; ino, which may be NULL, gets the number of each line's inode and a 0 behind the last. */
#define KF_TREE_LINES 4096
void kf_tree_dump(kf_sys *sys, void *ctx, const char *top, char *out, size_t size, uint64_t ino[KF_TREE_LINES]);
#define KF_PAST INT64_C(1500000000) /* times below were set by a call, later ones are of now */

/* --- kernel_host.c */
struct kf_shared *kf_host_start(void);
void kf_host_run(struct kf_shared *h); /* seq and top are set */
/* Of both sides since the start; ends the host's, so nothing can run after it. */
double kf_cpu_seconds(void);

/* --- kernel_guest.c */
void kf_guest_start(struct kf_shared *h);
void kf_guest_begin(const struct kf_seq *s, const char *top);
int64_t kf_guest_call(const struct kf_op *o);
int64_t kf_guest_sys(void *ctx, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		     uint64_t e); /* by an all-powerful task */
void kf_guest_end(void);
/* Where the tree of a sequence lies for kf_guest_sys; on the host for what is below it, or NULL. */
void kf_guest_top(enum kf_fs fs, unsigned k, char guest[KF_TOP_SIZE], char host[64]);
/* What the vfs says about a task's descriptor. */
struct kf_fdinfo {
	bool open, o_path, dir, foreign, writes;
	bool lower; /* it is the lower's own, open for reading */
	uint64_t ino;
	bool stale; /* it shows a lower file that has been copied up since */
};
void kf_guest_fd(unsigned task, uint64_t fd, struct kf_fdinfo *out);

/* --- kernel_gofer.c: exports' roots stay the caller's. */
struct gofer_export;
struct gofer *kf_gofer_start(const struct gofer_export *exports, unsigned n);

/* --- kernel_diff.c */
struct kf_diff {
	int at; /* number of the call, -1 the tree */
	char text[4096];
};
void kf_start(void);
/* Runs h->seq on both; true: they differ. */
bool kf_differs(struct kf_diff *d);
extern struct kf_shared *kf_shared;
extern uint64_t kf_calls; /* that were compared so far */
void kf_report(const struct kf_diff *d, FILE *f);
/* Leaves out whatever it differs without. */
void kf_shrink(struct kf_diff *d, unsigned seconds);

#endif
