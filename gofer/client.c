/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - the supervisor's side of the protocol: a pool of connections, one request and its reply at a time on each.
 *
 * A thread prefers the connection it had before, so that usually nobody waits and the buffers stay in its CPU's cache. The server is
 * trusted for what files are, not for the form of its messages: whatever doesn't parse or doesn't fit makes the client dead, and every call
 * from then on is -EIO.
 */
#include "gofer/client.h"
#include "gofer/wire.h"

#include "base/effects.h"
#include "base/log.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

struct conn {
	atomic_bool busy; /* whoever sets it owns the rest */
	int sock;
	uint8_t *buf; /* WIRE_MAX: request, then reply */
	_Atomic uint64_t trips;
};

struct gofer {
	struct conn *conns;
	unsigned n;
	int pollfd; /* a connection without requests if there are two or more: readable only when the gofer is gone */
	bool own_pollfd;
	atomic_bool dead;
	atomic_uint waiters;
	pthread_mutex_t lock; /* sleeping for a free connection, nothing else */
	pthread_cond_t freed;
};

/* Index the thread tries first; the same for all clients, of which there's one a process but in tests. */
static atomic_uint next_hint;
static _Thread_local unsigned hint = UINT_MAX;

int gofer_client_new(const int *socks, int n, struct gofer **out)
{
	if (n < 1)
		return -EINVAL;
	AUTO_FREE struct gofer *g = calloc(1, sizeof *g);
	if (!g)
		return -ENOMEM;
	g->own_pollfd = n >= 2;
	g->n = (unsigned)n - g->own_pollfd;
	g->pollfd = socks[n - 1];
	AUTO_FREE struct conn *conns = calloc(g->n, sizeof *conns);
	if (!conns)
		return -ENOMEM;
	for (unsigned k = 0; k < g->n; k++) {
		conns[k].sock = socks[k];
		conns[k].buf = malloc(WIRE_MAX);
		if (!conns[k].buf) {
			while (k--)
				free(conns[k].buf);
			return -ENOMEM;
		}
	}
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->freed, NULL);
	g->conns = take_ptr(conns);
	*out = take_ptr(g);
	return 0;
}

void gofer_client_free(struct gofer *g)
{
	if (!g)
		return;
	for (unsigned k = 0; k < g->n; k++) {
		close(g->conns[k].sock);
		free(g->conns[k].buf);
	}
	if (g->own_pollfd)
		close(g->pollfd);
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->freed);
	free(g->conns);
	free(g);
}

int gofer_client_pollfd(const struct gofer *g)
{
	return g->pollfd;
}

uint64_t gofer_round_trips(const struct gofer *g)
{
	uint64_t sum = 0;
	for (unsigned k = 0; k < g->n; k++)
		sum += atomic_load_explicit(&g->conns[k].trips, memory_order_relaxed);
	return sum;
}

void gofer_queue(const struct gofer *g, unsigned *connections, unsigned *busy, unsigned *waiting)
{
	*connections = g->n;
	*busy = 0;
	for (unsigned k = 0; k < g->n; k++)
		*busy += atomic_load_explicit(&g->conns[k].busy, memory_order_relaxed);
	*waiting = atomic_load_explicit(&g->waiters, memory_order_relaxed);
}

static struct conn *try_conn(struct gofer *g)
{
	for (unsigned k = 0; k < g->n; k++) {
		unsigned at = (hint + k) % g->n;
		if (!atomic_load_explicit(&g->conns[at].busy, memory_order_relaxed) &&
		    !atomic_exchange(&g->conns[at].busy, true)) {
			hint = at;
			return &g->conns[at];
		}
	}
	return NULL;
}

static struct conn *get_conn(struct gofer *g)
{
	if (hint == UINT_MAX)
		hint = atomic_fetch_add(&next_hint, 1) % 4096;
	struct conn *c = try_conn(g);
	if (c)
		return c;
	pthread_mutex_lock(&g->lock);
	/* Said before looking again: put_conn() clears busy first and then looks for waiters, so one of the two sees the other. */
	atomic_fetch_add(&g->waiters, 1);
	while (!(c = try_conn(g)))
		pthread_cond_wait(&g->freed, &g->lock);
	atomic_fetch_sub(&g->waiters, 1);
	pthread_mutex_unlock(&g->lock);
	return c;
}

static void put_conn(struct gofer *g, struct conn *c)
{
	atomic_store(&c->busy, false);
	if (atomic_load(&g->waiters)) {
		pthread_mutex_lock(&g->lock);
		pthread_cond_signal(&g->freed);
		pthread_mutex_unlock(&g->lock);
	}
}

static int dead(struct gofer *g)
{
	atomic_store(&g->dead, true);
	return -EIO;
}

/* Receives a reply to op: *i at its fields. want_fd: a success comes with a descriptor, put into *fd. */
static int receive(struct gofer *g, struct conn *c, uint32_t op, bool want_fd, int *fd, struct wire_in *i)
{
	AUTO_CLOSE int got = -1;
	ssize_t n = wire_recv(c->sock, c->buf, WIRE_MAX, &got);
	if (n <= 0)
		return dead(g);
	*i = (struct wire_in){c->buf, c->buf + n, false};
	uint32_t got_op = wire_get_u32(i);
	int32_t status = (int32_t)wire_get_u32(i);
	if (i->fail || got_op != (op | WIRE_REPLY) || status > 0 || status < -4095 || (got >= 0) != (want_fd && !status))
		return dead(g);
	if (status)
		return i->p == i->end ? status : dead(g);
	if (want_fd)
		*fd = take_fd(&got);
	return 0;
}

static int64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static const char *op_name(uint32_t op)
{
	switch (op) {
#define MSG(OP, name, req, rep) \
	case OP_##OP:           \
		return #name;
#include "gofer/wire.def"
#undef MSG
	default:
		return "?";
	}
}

/* Sends what o holds and receives. c stays the caller's: the reply's strings are in its buffer. */
static int exchange(struct gofer *g, struct conn *c, struct wire_out *o, uint32_t op, int send_fd, bool want_fd, int *fd,
		    struct wire_in *i)
{
	if (atomic_load_explicit(&g->dead, memory_order_relaxed))
		return -EIO;
	if (o->fail)
		return -E2BIG;
	c->trips++;
	const bool counts = effects_wanted();
	int64_t before = counts || log_on(LF_GOFER, LL_DEBUG) ? now_ns() : 0;
	if (wire_send(c->sock, o->p, o->len, send_fd))
		return dead(g);
	int r = receive(g, c, op, want_fd, fd, i);
	if (unlikely(counts)) {
		effects.trips++;
		effects.trip_ns += (uint64_t)(now_ns() - before);
	}
	log_event(LF_GOFER, LL_DEBUG, "round trip", LOG_STR("op", op_name(op)), LOG_INT("us", (now_ns() - before) / 1000),
		  LOG_INT("result", r));
	return r;
}

/* One request, one reply, for every message of wire.def: on success *c is owned by the caller until put_conn(). */
#define MSG(OP, name, req, rep)                                                                                       \
	UNUSED static int call_##name(struct gofer *g, const struct name##_req *q, struct name##_rep *r, int send_fd, \
				      int *fd, struct conn **out)                                                     \
	{                                                                                                             \
		struct conn *c = get_conn(g);                                                                         \
		struct wire_out o = {.p = c->buf, .cap = WIRE_MAX};                                                   \
		struct wire_in i;                                                                                     \
		wire_put_u32(&o, OP_##OP);                                                                            \
		wire_put_##name##_req(&o, q);                                                                         \
		int err = exchange(g, c, &o, OP_##OP, send_fd, fd != NULL, fd, &i);                                   \
		if (!err && !wire_get_##name##_rep(&i, r)) {                                                          \
			if (fd)                                                                                       \
				close(*fd);                                                                           \
			err = dead(g);                                                                                \
		}                                                                                                     \
		if (err || !out)                                                                                      \
			put_conn(g, c);                                                                               \
		else                                                                                                  \
			*out = c;                                                                                     \
		return err;                                                                                           \
	}
#include "gofer/wire.def"
#undef MSG

static int path_arg(const char *path, struct wire_str *out, unsigned *n)
{
	out->s = path;
	size_t len = strlen(path);
	out->len = (uint32_t)MIN(len, (size_t)WIRE_PATH_MAX);
	return wire_check_path(path, len, n);
}

static int name_arg(const char *name, struct wire_str *out)
{
	size_t len = strlen(name);
	*out = (struct wire_str){name, (uint32_t)len};
	return len && len <= WIRE_NAME_MAX ? 0 : -ERANGE;
}

static int walk_part(struct gofer *g, const struct walk_req *q, struct gattr *attrs, unsigned *n, char *link,
		     size_t link_size)
{
	struct conn *c = NULL;
	struct walk_rep r;
	int err = call_walk(g, q, &r, -1, NULL, &c);
	if (err)
		return err;
	if (r.attrs.n > q->max || (link_size && r.link.len >= link_size)) {
		err = dead(g);
	} else {
		for (uint32_t k = 0; k < r.attrs.n; k++)
			wire_attrs_get(&r.attrs, k, &attrs[k]);
		*n = r.attrs.n;
		if (link_size)
			memcpy(link, r.link.s, r.link.len + 1);
	}
	put_conn(g, c);
	return err;
}

int gofer_walk(struct gofer *g, uint32_t export, const char *path, unsigned skip, struct gattr *attrs, unsigned max,
	       unsigned *n, char *link, size_t link_size)
{
	struct walk_req q = {.export = export, .skip = skip};
	unsigned total, done = 0;
	int err = path_arg(path, &q.path, &total);
	if (err)
		return err;
	if (skip > total || (link_size && link_size < PATH_MAX))
		return -EINVAL;
	total = MAX(total, 1U);
	q.skip = MIN(skip, total - 1);
	max = MIN(max, total - q.skip);
	if (!q.path.len)
		q.skip = 0;
	/* More than a reply holds takes several; the rest may have changed between them, as between any two calls. */
	while (done < max) {
		unsigned part = 0;
		q.max = MIN(max - done, (unsigned)WIRE_WALK_MAX);
		err = walk_part(g, &q, attrs + done, &part, link, link_size);
		if (err)
			return err;
		done += part;
		q.skip += part;
		if (part < WIRE_WALK_MAX)
			break;
	}
	if (!max && link_size)
		link[0] = 0;
	*n = done;
	return 0;
}

int gofer_open(struct gofer *g, uint32_t export, const char *path, int flags, int *fd, struct gattr *attr)
{
	struct open_req q = {.export = export, .flags = (uint32_t)flags};
	struct open_rep r;
	int err = path_arg(path, &q.path, NULL);
	if (!err)
		err = call_open(g, &q, &r, -1, fd, NULL);
	if (!err)
		*attr = r.attr;
	return err;
}

int gofer_readdir(struct gofer *g, uint32_t export, const char *path,
		  bool (*fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type), void *arg)
{
	struct readdir_req q = {.export = export};
	struct readdir_rep r;
	struct conn *c = NULL;
	bool go = true;
	int err = path_arg(path, &q.path, NULL);
	if (!err)
		err = call_readdir(g, &q, &r, -1, NULL, &c);
	if (err)
		return err;
	for (;;) {
		struct wire_in i = {r.entries.p, (const uint8_t *)r.entries.p + r.entries.len, false};
		uint64_t ino;
		uint8_t type;
		struct wire_str name;
		unsigned parts;
		int more;
		while ((more = wire_get_dirent(&i, &ino, &type, &name)) > 0) {
			if (wire_check_path(name.s, name.len, &parts) || parts != 1) {
				more = -1;
				break;
			}
			go = go && fn(arg, name.s, name.len, ino, type);
		}
		if (more < 0)
			err = dead(g);
		/* The rest is read also after fn has enough: it's on its way. */
		if (err || !r.more)
			break;
		err = receive(g, c, OP_READDIR, false, NULL, &i);
		if (!err && !wire_get_readdir_rep(&i, &r))
			err = dead(g);
		if (err)
			break;
	}
	put_conn(g, c);
	return err;
}

int gofer_getattrs(struct gofer *g, uint32_t export, const char *dir, const char *const *names, unsigned n,
		   struct gattr *attrs)
{
	char list[WIRE_NAMES_MAX * (WIRE_NAME_MAX + 1)];
	struct getattrs_req q = {.export = export, .count = n, .names = {list, 0}};
	struct getattrs_rep r;
	struct conn *c = NULL;
	if (n > WIRE_NAMES_MAX)
		return -EINVAL;
	int err = path_arg(dir, &q.path, NULL);
	for (unsigned k = 0; k < n && !err; k++) {
		size_t len = strlen(names[k]);
		unsigned parts;
		err = wire_check_path(names[k], len, &parts);
		if (err || parts != 1)
			return err ? err : -EINVAL;
		memcpy(list + q.names.len, names[k], len + 1);
		q.names.len += (uint32_t)len + 1;
	}
	if (!err)
		err = call_getattrs(g, &q, &r, -1, NULL, &c);
	if (err)
		return err;
	if (r.attrs.n != n)
		err = dead(g);
	for (unsigned k = 0; k < n && !err; k++)
		wire_attrs_get(&r.attrs, k, &attrs[k]);
	put_conn(g, c);
	return err;
}

int gofer_fstat(struct gofer *g, int fd, struct gattr *attr)
{
	struct fstat_rep r;
	int err = call_fstat(g, &(struct fstat_req){}, &r, fd, NULL, NULL);
	if (!err)
		*attr = r.attr;
	return err;
}

int gofer_statfs(struct gofer *g, uint32_t export, const char *path, struct statfs *out)
{
	struct statfs_req q = {.export = export};
	struct statfs_rep r;
	int err = path_arg(path, &q.path, NULL);
	if (!err)
		err = call_statfs(g, &q, &r, -1, NULL, NULL);
	if (err)
		return err;
	memset(out, 0, sizeof *out);
	out->f_type = (__fsword_t)r.type;
	out->f_bsize = (__fsword_t)r.bsize;
	out->f_blocks = r.blocks;
	out->f_bfree = r.bfree;
	out->f_bavail = r.bavail;
	out->f_files = r.files;
	out->f_ffree = r.ffree;
	memcpy(&out->f_fsid, &r.fsid, sizeof r.fsid);
	out->f_namelen = (__fsword_t)r.namelen;
	out->f_frsize = (__fsword_t)r.frsize;
	out->f_flags = (__fsword_t)r.flags;
	return 0;
}

/* Length of a value, which is copied if buf has room for any; the reply is in c's buffer. */
static ssize_t take_value(struct gofer *g, struct conn *c, uint32_t length, struct wire_blob value, void *buf, size_t size)
{
	ssize_t n = (ssize_t)length;
	if (length > WIRE_XATTR_MAX || (size && (value.len != length || length > size)))
		n = dead(g);
	else if (size)
		memcpy(buf, value.p, value.len);
	put_conn(g, c);
	return n;
}

/* Where a request goes: path, or if that's NULL what its descriptor is of. */
static int object_arg(const char *path, struct wire_str *out)
{
	return path_arg(path ? path : "", out, NULL);
}

static ssize_t get_xattr(struct gofer *g, uint32_t export, const char *path, int fd, const char *name, void *buf,
			 size_t size)
{
	struct getxattr_req q = {.export = export, .size = (uint32_t)MIN(size, (size_t)WIRE_XATTR_MAX)};
	struct getxattr_rep r;
	struct conn *c = NULL;
	int err = object_arg(path, &q.path);
	if (!err)
		err = name_arg(name, &q.name);
	if (!err)
		err = call_getxattr(g, &q, &r, fd, NULL, &c);
	return err ? err : take_value(g, c, r.length, r.value, buf, size);
}

ssize_t gofer_getxattr(struct gofer *g, uint32_t export, const char *path, const char *name, void *buf, size_t size)
{
	return get_xattr(g, export, path, -1, name, buf, size);
}

ssize_t gofer_fgetxattr(struct gofer *g, uint32_t export, int fd, const char *name, void *buf, size_t size)
{
	return get_xattr(g, export, NULL, fd, name, buf, size);
}

static ssize_t list_xattr(struct gofer *g, uint32_t export, const char *path, int fd, char *buf, size_t size)
{
	struct listxattr_req q = {.export = export, .size = (uint32_t)MIN(size, (size_t)WIRE_XATTR_MAX)};
	struct listxattr_rep r;
	struct conn *c = NULL;
	int err = object_arg(path, &q.path);
	if (!err)
		err = call_listxattr(g, &q, &r, fd, NULL, &c);
	return err ? err : take_value(g, c, r.length, r.value, buf, size);
}

ssize_t gofer_listxattr(struct gofer *g, uint32_t export, const char *path, char *buf, size_t size)
{
	return list_xattr(g, export, path, -1, buf, size);
}

ssize_t gofer_flistxattr(struct gofer *g, uint32_t export, int fd, char *buf, size_t size)
{
	return list_xattr(g, export, NULL, fd, buf, size);
}

int gofer_create(struct gofer *g, uint32_t export, const char *path, int flags, uint32_t mode, uint32_t uid, uint32_t gid,
		 int *fd, struct gattr *attr)
{
	struct create_req q = {.export = export, .flags = (uint32_t)flags, .mode = mode, .uid = uid, .gid = gid};
	struct create_rep r;
	int err = path_arg(path, &q.path, NULL);
	if (!err)
		err = call_create(g, &q, &r, -1, fd, NULL);
	if (!err)
		*attr = r.attr;
	return err;
}

int gofer_mknod(struct gofer *g, uint32_t export, const char *path, uint32_t mode, uint32_t uid, uint32_t gid,
		const char *link_target, struct gattr *attr)
{
	struct mknod_req q = {.export = export, .mode = mode, .uid = uid, .gid = gid, .target = {"", 0}};
	struct mknod_rep r;
	int err = path_arg(path, &q.path, NULL);
	if (!err && link_target) {
		size_t len = strlen(link_target);
		q.target = (struct wire_str){link_target, (uint32_t)MIN(len, (size_t)PATH_MAX)};
		err = len >= PATH_MAX ? -ENAMETOOLONG : 0;
	}
	if (!err)
		err = call_mknod(g, &q, &r, -1, NULL, NULL);
	if (!err)
		*attr = r.attr;
	return err;
}

int gofer_link(struct gofer *g, uint32_t export, const char *from, const char *to)
{
	struct link_req q = {.export = export};
	struct link_rep r;
	int err = path_arg(from, &q.path, NULL);
	if (!err)
		err = path_arg(to, &q.to, NULL);
	return err ? err : call_link(g, &q, &r, -1, NULL, NULL);
}

int gofer_unlink(struct gofer *g, uint32_t export, const char *path, bool dir)
{
	struct unlink_req q = {.export = export, .dir = dir};
	struct unlink_rep r;
	int err = path_arg(path, &q.path, NULL);
	return err ? err : call_unlink(g, &q, &r, -1, NULL, NULL);
}

int gofer_rename(struct gofer *g, uint32_t export, const char *from, const char *to, unsigned flags)
{
	struct rename_req q = {.export = export, .flags = flags};
	struct rename_rep r;
	int err = path_arg(from, &q.path, NULL);
	if (!err)
		err = path_arg(to, &q.to, NULL);
	return err ? err : call_rename(g, &q, &r, -1, NULL, NULL);
}

static int set_attr(struct gofer *g, uint32_t export, const char *path, int fd, const struct gsetattr *sa)
{
	struct setattr_req q = {
	    .export = export,
	    .valid = sa->valid,
	    .mode = sa->mode,
	    .uid = sa->uid,
	    .gid = sa->gid,
	    .size = sa->size,
	    .atime = sa->atime,
	    .mtime = sa->mtime,
	};
	struct setattr_rep r;
	int err = object_arg(path, &q.path);
	return err ? err : call_setattr(g, &q, &r, fd, NULL, NULL);
}

int gofer_setattr(struct gofer *g, uint32_t export, const char *path, const struct gsetattr *sa)
{
	return set_attr(g, export, path, -1, sa);
}

int gofer_fsetattr(struct gofer *g, uint32_t export, int fd, const struct gsetattr *sa)
{
	return set_attr(g, export, NULL, fd, sa);
}

static int set_xattr(struct gofer *g, uint32_t export, const char *path, int fd, const char *name, const void *value,
		     size_t size, int flags)
{
	struct wire_str p, n;
	int err = object_arg(path, &p);
	if (!err)
		err = name_arg(name, &n);
	if (!err && size > WIRE_XATTR_MAX)
		err = -E2BIG;
	if (err)
		return err;
	if (!value) {
		struct removexattr_req q = {.export = export, .path = p, .name = n};
		struct removexattr_rep r;
		return call_removexattr(g, &q, &r, fd, NULL, NULL);
	}
	struct setxattr_req q = {
	    .export = export, .path = p, .name = n, .value = {value, (uint32_t)size}, .flags = (uint32_t)flags};
	struct setxattr_rep r;
	return call_setxattr(g, &q, &r, fd, NULL, NULL);
}

int gofer_setxattr(struct gofer *g, uint32_t export, const char *path, const char *name, const void *value, size_t size,
		   int flags)
{
	return set_xattr(g, export, path, -1, name, value, size, flags);
}

int gofer_fsetxattr(struct gofer *g, uint32_t export, int fd, const char *name, const void *value, size_t size, int flags)
{
	return set_xattr(g, export, NULL, fd, name, value, size, flags);
}
