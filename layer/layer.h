/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer.h - kept layers on disk: $XDG_STATE_HOME/sandbox/NAME, for root /var/lib/sandbox/NAME.
 *
 *   meta          what the layer lies on and how it was made; text
 *   lock          flock(2)ed by who runs on the layer or changes it; shared by who reads it as one below another
 *   data/         all that the confined supervisor may touch; for a layer of root's it belongs to the layer's own kernel uid
 *   data/journal  metadata
 *   data/store/   file data, named by decimal ids
 *   binds/K/      a layer of the same kind for each copy-on-write bind (but no lock: NAME's counts)
 *
 * A name that starts with a dot is a layer being made or thrown away.
 */
#ifndef LAYER_LAYER_H
#define LAYER_LAYER_H

#include "layer/model.h"

/* A layer that another lies on, as it was then. */
struct layer_ref {
	char *name;
	uint64_t id, generation;
};

struct layer_meta {
	char *root; /* host directory that is the lower */
	char *file; /* NULL, or of a bind of a single file: its name in root */
	char
	    *dst; /* of a copy-on-write bind: where it is inside, absolute and without "." or ".."; NULL: the root's layer */
	uint64_t root_dev, root_ino;
	bool fakeroot; /* files of host_uid and host_gid showed as 0 */
	uid_t host_uid;
	gid_t host_gid;
	uint32_t kuid;          /* kernel uid of the supervisor, or 0: the caller's own */
	int64_t created;        /* s */
	char *command;          /* the last one, for ls; may be NULL */
	uint64_t id;            /* of this layer, whatever its name; 0 before it's made */
	uint64_t generation;    /* another one after each run */
	struct layer_ref *from; /* what it lies on, the topmost first: all of it, also what those lie on */
	unsigned n_from;
};

struct layer {
	char *name;
	char *path; /* of the layer's directory, for messages and mounts */
	int statefd, dirfd, datafd, storefd, journalfd;
	int lockfd; /* held, or -1 */
	struct layer_meta meta;
};
#define LAYER_INIT ((struct layer){.statefd = -1, .dirfd = -1, .datafd = -1, .storefd = -1, .journalfd = -1, .lockfd = -1})

bool layer_name_ok(const char *name);

#define LAYER_CREATE 1U /* if it doesn't exist, by meta */
#define LAYER_LOCK   2U /* -EBUSY while somebody else holds it */
#define LAYER_SHARE  4U /* -EBUSY while somebody changes it or runs on it; others may share it, too. Only for reading */
/*
 * Opens a layer. -ENOENT: no such layer. meta: for LAYER_CREATE; its strings are copied. l is to be closed by layer_close() also after
 * a failure.
 */
int layer_open(struct layer *l, const char *name, unsigned flags, const struct layer_meta *meta) MUST_CHECK;
void layer_close(struct layer *l);
#define AUTO_LAYER __attribute__((cleanup(layer_close)))
int layer_write_meta(struct layer *l) MUST_CHECK;
/* Is somebody running on it, or does a run lie on it? */
enum layer_use { LAYER_FREE, LAYER_SHARED, LAYER_RUNNING };
enum layer_use layer_use(const struct layer *l);
/* Closes what a run has no use for: what stays open is lock and journal. */
void layer_leave(struct layer *l);
/* -ESTALE if l isn't the layer that r means, or was changed since then. */
int layer_check_ref(const struct layer *l, const struct layer_ref *r) MUST_CHECK;
/* Appends a copy of r to the layers below m. */
int layer_add_ref(struct layer_meta *m, const struct layer_ref *r) MUST_CHECK;
void layer_free_refs(struct layer_meta *m);
/* The first layer that lies on the one of that name, malloc'ed, or NULL. With the lock of that one held there can't come more. */
int layer_dependent(const char *name, char **who) MUST_CHECK;
/* Two layers of one state directory take each other's name, at once. */
int layer_exchange(struct layer *a, struct layer *b) MUST_CHECK;
int layer_rename(struct layer *l, const char *name) MUST_CHECK;
/* Throws a locked layer away: out of sight at once. */
int layer_discard(struct layer *l) MUST_CHECK;
/* Makes model the layer's content; unreferenced backing files go. Locked. */
int layer_store_model(struct layer *l, const struct model *m) MUST_CHECK;
/* Removes the backing files that the model has no use for. Inodes' priv are free to use. */
int layer_sweep_store(int storefd, const struct model *m) MUST_CHECK;
int layer_open_back(int storefd, uint64_t id, int flags) MUST_CHECK; /* regular file; descriptor or -errno */
/* Copies a backing file, regular or FIFO, with its times, into another layer's store. copy.c */
int layer_copy_back(int from, uint64_t id, const struct layer *to, uint64_t new_id) MUST_CHECK;
int layer_stat_back(int storefd, uint64_t id, struct stat *st) MUST_CHECK;
/* The layer's model; one of a single file shows as the directory it's in, with that changed. model_free() also after an error. */
int layer_load(const struct layer *l, struct model *m) MUST_CHECK;
/* Names of all layers, sorted; freed by the caller. */
int layer_list(char ***names, size_t *n) MUST_CHECK;
/* Clears what dead runs left: half made and half removed layers. Count or -errno. */
int layer_gc(void) MUST_CHECK;

/* binds.c. The layers of l's copy-on-write binds, in the order in which they were made. l is locked, or they're only read. */
struct layer_binds {
	struct layer *v;
	unsigned n;
};
int layer_binds(const struct layer *l, struct layer_binds *b) MUST_CHECK;
void layer_binds_close(struct layer_binds *b);
/* Makes one more, and appends it to b. */
int layer_add_bind(const struct layer *l, struct layer_binds *b, const struct layer_meta *meta) MUST_CHECK;
/* Gives a layer without binds those of another, by links: one of the two is to be thrown away before anything is written. */
int layer_link_binds(const struct layer *from, const struct layer *to) MUST_CHECK;
/* 1: it changes nothing; 0; -errno. */
int layer_is_empty(const struct layer *l) MUST_CHECK;

#endif
