/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h - the messages of PROTOCOL.md as C structures, and their encoder, decoder and printer. Used by both ends.
 *
 * Decoded strings and blobs point into the packet: they live as long as it does.
 */
#ifndef GOFER_WIRE_H
#define GOFER_WIRE_H

#include "base/base.h"
#include "gofer/client.h"

#include <sys/socket.h>

/* A full xattr value with path and name around it fits. */
#define WIRE_MAX       (65536 + 8192)
#define WIRE_PATH_MAX  4096 /* with the NUL */
#define WIRE_NAME_MAX  255  /* of a component and of an xattr */
#define WIRE_XATTR_MAX 65536
#define WIRE_WALK_MAX  512 /* attributes a reply */
#define WIRE_NAMES_MAX 64  /* names of a GETATTRS */
#define WIRE_REPLY     0x80000000U

enum wire_op {
#define MSG(OP, name, req, rep) OP_##OP,
#include "gofer/wire.def"
#undef MSG
	OP_COUNT
};

struct wire_str {
	const char *s; /* NUL terminated, no NUL before len */
	uint32_t len;
};
struct wire_blob {
	const void *p;
	uint32_t len;
};
/* Encoding reads v, decoding sets raw: fetch them with wire_attrs_get(). */
struct wire_attrs {
	const struct gattr *v;
	const uint8_t *raw;
	uint32_t n;
};

typedef uint32_t wire_u32;
typedef uint64_t wire_u64;
typedef int64_t wire_i64;
typedef struct wire_str wire_str;
typedef struct wire_blob wire_blob;
typedef struct gattr wire_attr;
typedef struct wire_attrs wire_attrs;

#define F(type, name) wire_##type name;
#define MSG(OP, name, req, rep) \
	struct name##_req {     \
		req             \
	};                      \
	struct name##_rep {     \
		rep             \
	};
#include "gofer/wire.def"
#undef MSG
#undef F

/* fail is sticky: check once at the end. */
struct wire_out {
	uint8_t *p;
	size_t len, cap;
	bool fail;
};
struct wire_in {
	const uint8_t *p, *end;
	bool fail;
};

/* Encoders append; decoders return false unless the fields fill the packet exactly. */
#define MSG(OP, name, req, rep)                                                         \
	void wire_put_##name##_req(struct wire_out *o, const struct name##_req *m);     \
	void wire_put_##name##_rep(struct wire_out *o, const struct name##_rep *m);     \
	bool wire_get_##name##_req(struct wire_in *i, struct name##_req *m) MUST_CHECK; \
	bool wire_get_##name##_rep(struct wire_in *i, struct name##_rep *m) MUST_CHECK;
#include "gofer/wire.def"
#undef MSG

void wire_put_u32(struct wire_out *o, uint32_t v);
uint32_t wire_get_u32(struct wire_in *i);
void wire_attrs_get(const struct wire_attrs *a, uint32_t i, struct gattr *out);

/* Entries of a READDIR reply. put: false when it doesn't fit any more. get: 1, 0 at the end, -1 malformed. */
bool wire_put_dirent(struct wire_out *o, uint64_t ino, uint8_t type, const char *name, size_t len) MUST_CHECK;
int wire_get_dirent(struct wire_in *i, uint64_t *ino, uint8_t *type, struct wire_str *name) MUST_CHECK;

/* Is it "" or components as client.h wants them? 0, -EINVAL, -ENAMETOOLONG. *n, if not NULL: how many components. */
int wire_check_path(const char *path, size_t len, unsigned *n) MUST_CHECK;

/* A packet as text for debugging, one line without newline, cut at size. */
void wire_print(const void *packet, size_t len, char *out, size_t size);

/*
 * One packet with at most one descriptor (-1: none). Sending: 0 or -errno; fd stays the caller's. Receiving: its length, 0 at the end, or
 * -errno: -EBADMSG when it was too long or had more than one descriptor; all descriptors are closed then.
 */
int wire_send(int sock, const void *buf, size_t len, int fd) MUST_CHECK;
ssize_t wire_recv(int sock, void *buf, size_t size, int *fd) MUST_CHECK;

#endif
