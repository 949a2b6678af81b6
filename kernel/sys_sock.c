/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_sock.c - sockets by name.
 *
 * An AF_UNIX path is a node of the VFS with a random key; the socket itself is bound to an abstract name made of the key, in the tracees'
 * network namespace. bind and connect run on our duplicate of the program's socket. Other families run natively (CONTINUE): a descriptor or
 * address swapped meanwhile reaches only the empty real root and the sandbox's own abstract names.
 *
 * The host takes us for the one who connects. So a stream client without a name gets one of ours once it's connected, and with the name go the
 * credentials of that moment, which SO_PEERCRED of the other end looks up. Not before: a bind that follows a failed connect must work.
 *
 * known: what one of our names, or an abstract one that a client connected from, stands for; bounded, oldest out; guarded by its lock.
 */
#include "kernel/syscall.h"

#include "kernel/cred.h"
#include "kernel/sock.h"

#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <uthash.h>

#define PREFIX       "sandbox-"
#define PREFIX_LEN   (sizeof(PREFIX) - 1)
#define NAME_LEN     (1 + PREFIX_LEN + 2 * VFS_SOCK_KEY) /* of the abstract name, its NUL included */
#define KNOWN_MAX    16384
#define GROUPS_MAX   256 /* told by SO_PEERGROUPS of a client that connected by name */
#define POLL_STEP_MS 20
#define RECV_MAX     (16U << 20)

struct known {
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* abstract: its first byte is 0 */
	unsigned name_len;
	char *path;  /* what bind got, or NULL */
	bool client; /* the rest is set */
	struct ucred cred;
	int n_groups;
	gid_t *groups;
	UT_hash_handle hh;
	TAILQ_ENTRY(known) age;
};
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;
static struct known *known;
static TAILQ_HEAD(, known) known_by_age = TAILQ_HEAD_INITIALIZER(known_by_age);
static unsigned n_known;

static void known_free(struct known *k)
{
	if (!k)
		return;
	free(k->path);
	free(k->groups);
	free(k);
}

/* The entry of an abstract name, made if need be; NULL without memory. Called with the lock held. */
static struct known *known_get(const struct sockaddr_un *un, socklen_t len)
{
	unsigned n = len - UN_PATH;
	struct known *k, *old;

	HASH_FIND(hh, known, un->sun_path, n, k);
	if (k)
		return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	if (n_known >= KNOWN_MAX) {
		old = TAILQ_FIRST(&known_by_age);
		TAILQ_REMOVE(&known_by_age, old, age);
		HASH_DEL(known, old);
		known_free(old);
		n_known--;
	}
	memcpy(k->name, un->sun_path, n);
	k->name_len = n;
	HASH_ADD_KEYPTR(hh, known, k->name, n, k);
	TAILQ_INSERT_TAIL(&known_by_age, k, age);
	n_known++;
	return k;
}

/* Without memory the name is only not told. */
static void remember_path(const struct sockaddr_un *un, socklen_t len, const char *path)
{
	struct known *k;

	pthread_mutex_lock(&known_lock);
	k = known_get(un, len);
	if (k) {
		free(k->path);
		k->path = strdup(path);
	}
	pthread_mutex_unlock(&known_lock);
}

/* The caller connected from this name. */
static void remember_client(struct call *c, const struct sockaddr_un *un, socklen_t len)
{
	const struct cred *cred = c->rec->cred;
	int n = MIN(cred->ngroups, GROUPS_MAX);
	struct known *k;

	pthread_mutex_lock(&known_lock);
	k = known_get(un, len);
	if (k) {
		free(k->groups);
		k->groups = n ? malloc((size_t)n * sizeof(gid_t)) : NULL;
		k->n_groups = k->groups ? n : 0;
		if (k->groups)
			memcpy(k->groups, cred->groups, (size_t)n * sizeof(gid_t));
		k->cred = (struct ucred){.pid = vfs_tgid(&c->ctx), .uid = cred->euid, .gid = cred->egid};
		k->client = true;
	}
	pthread_mutex_unlock(&known_lock);
}

int sock_client(const struct sockaddr_un *un, socklen_t len, struct ucred *cred, gid_t **groups, int *n)
{
	struct known *k;
	int r = 0;

	pthread_mutex_lock(&known_lock);
	HASH_FIND(hh, known, un->sun_path, len - UN_PATH, k);
	if (k && k->client) {
		*cred = k->cred;
		*groups = k->n_groups ? malloc((size_t)k->n_groups * sizeof(gid_t)) : NULL;
		if (*groups)
			memcpy(*groups, k->groups, (size_t)k->n_groups * sizeof(gid_t));
		else if (k->n_groups)
			r = -ENOMEM;
		*n = k->n_groups;
	}
	pthread_mutex_unlock(&known_lock);
	return r;
}

static socklen_t key_to_name(const uint8_t key[VFS_SOCK_KEY], struct sockaddr_un *un)
{
	static const char digits[] = "0123456789abcdef";
	char *p = un->sun_path;

	memset(un, 0, sizeof(*un));
	un->sun_family = AF_UNIX;
	memcpy(p + 1, PREFIX, PREFIX_LEN);
	p += 1 + PREFIX_LEN;
	for (int i = 0; i < VFS_SOCK_KEY; i++) {
		*p++ = digits[key[i] >> 4];
		*p++ = digits[key[i] & 15];
	}
	return UN_PATH + NAME_LEN;
}

static bool ours(const struct sockaddr_un *un, socklen_t len)
{
	return len >= UN_PATH + 1 + PREFIX_LEN && !un->sun_path[0] && !memcmp(un->sun_path + 1, PREFIX, PREFIX_LEN);
}

/* One of our abstract names becomes the path that bind got, or no name. */
static void translate(struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ss;
	const struct known *k;
	size_t n = 0;

	if (*len < UN_PATH || *len > sizeof(*un) || un->sun_family != AF_UNIX || !ours(un, *len))
		return;
	pthread_mutex_lock(&known_lock);
	HASH_FIND(hh, known, un->sun_path, *len - UN_PATH, k);
	memset(ss, 0, sizeof(*ss));
	un->sun_family = AF_UNIX;
	if (k && k->path) {
		n = strlen(k->path);
		/* A path of 108 bytes has no NUL of its own, and Linux counts one beyond. */
		memcpy(un->sun_path, k->path, n++);
	}
	pthread_mutex_unlock(&known_lock);
	*len = (socklen_t)(UN_PATH + n);
}

static int domain_of(int fd)
{
	int v;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &v, &n) < 0 ? -errno : v;
}

static int type_of(int fd)
{
	int v;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &v, &n) < 0 ? -errno : v;
}

struct address {
	struct sockaddr_un un;
	socklen_t len;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1]; /* "": not a path */
};

/* For an AF_UNIX socket. */
static int read_address(struct call *c, uint64_t addr, uint32_t len, struct address *a)
{
	struct sockaddr_storage ss;
	int r;

	memset(a, 0, sizeof(*a));
	if (len > sizeof(ss))
		return -EINVAL;
	memset(&ss, 0, sizeof(ss));
	r = len ? c->ops->read(c, addr, &ss, len) : 0;
	if (r < 0)
		return r;
	if (len < UN_PATH || len > sizeof(a->un))
		return -EINVAL;
	memcpy(&a->un, &ss, len);
	a->len = len;
	if (a->un.sun_family == AF_UNIX && len > UN_PATH && a->un.sun_path[0])
		memcpy(a->path, a->un.sun_path, len - UN_PATH);
	return 0;
}

/* The program's socket and the domain, or -errno. */
int sock_get(struct call *c, int *fd)
{
	*fd = c->ops->get_fd(c, arg_int(c, 0));
	return *fd < 0 ? *fd : domain_of(*fd);
}

/* A call with an address that the host runs. */
static int64_t on_host(int domain)
{
	if (unlikely(vfs_noting) && (domain == AF_INET || domain == AF_INET6))
		vfs_note_network();
	return CALL_CONTINUE;
}

/*
 * The socket, argument 0, and the address at argument at. True: the call goes on here, with an AF_UNIX socket; else *result is its end.
 * The caller closes *fd.
 */
static bool unix_address(struct call *c, int at, int *fd, struct address *a, int64_t *result)
{
	int r = sock_get(c, fd);

	if (r >= 0 && r != AF_UNIX) {
		*result = on_host(r);
		return false;
	}
	if (r >= 0)
		r = read_address(c, c->args[at], arg_u32(c, at + 1), a);
	*result = r;
	return r >= 0;
}

int64_t sys_bind(struct call *c)
{
	AUTO_CLOSE int fd = -1;
	uint8_t key[VFS_SOCK_KEY];
	struct sockaddr_storage ss;
	struct sockaddr_un un;
	struct address a;
	socklen_t len = sizeof(ss);
	int64_t result;
	int r, undone;

	if (!unix_address(c, 1, &fd, &a, &result))
		return result;
	if (a.un.sun_family != AF_UNIX)
		return -EINVAL;
	if (!a.path[0]) {
		if (ours(&a.un, a.len))
			return -EACCES;
		return bind(fd, (struct sockaddr *)&a.un, a.len) < 0 ? -errno : 0;
	}
	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	if (len > UN_PATH)
		return -EINVAL;
	r = vfs_sock_bind(&c->ctx, NULL, a.path, key);
	if (r < 0)
		return r == -EEXIST ? -EADDRINUSE : r;
	len = key_to_name(key, &un);
	if (bind(fd, (struct sockaddr *)&un, len) < 0) {
		r = -errno;
		/* Bound meanwhile by another thread: the node must not stay. If it can't go, it is one that refuses connections. */
		undone = vfs_unlink(&c->ctx, NULL, a.path);
		(void)undone;
		return r;
	}
	remember_path(&un, len, a.path);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* SO_SNDTIMEO's deadline in now_ms(), INT64_MAX if none. */
static int64_t send_deadline(int fd)
{
	struct timeval tv = {0, 0};
	socklen_t n = sizeof(tv);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &n) < 0 || (!tv.tv_sec && !tv.tv_usec) || tv.tv_sec > INT32_MAX)
		return INT64_MAX;
	return now_ms() + (int64_t)tv.tv_sec * 1000 + tv.tv_usec / 1000;
}

static bool nonblocking(int fd)
{
	int fl = fcntl(fd, F_GETFL);

	return fl >= 0 && (fl & O_NONBLOCK);
}

/*
 * connect on an AF_UNIX socket waits only while the listener's queue is full. The description is the program's too, so O_NONBLOCK can't be
 * set on it; a send timeout of one step bounds each try instead, and is put back at once.
 */
static int unix_connect(struct call *c, int fd, const struct sockaddr_un *un, socklen_t len)
{
	struct timeval old = {0, 0}, step = {0, POLL_STEP_MS * 1000};
	socklen_t n = sizeof(old);
	int64_t deadline;
	int r;

	if (nonblocking(fd) || type_of(fd) == SOCK_DGRAM)
		return connect(fd, (const struct sockaddr *)un, len) < 0 ? -errno : 0;
	deadline = send_deadline(fd);
	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &old, &n) < 0)
		return -errno;
	c->ops->may_block(c);
	for (;;) {
		if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &step, sizeof(step)) < 0)
			return -errno;
		r = connect(fd, (const struct sockaddr *)un, len) < 0 ? -errno : 0;
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &old, sizeof(old));
		if (r != -EAGAIN && r != -EINTR)
			return r;
		if (c->ops->interrupted(c))
			return -ERESTARTSYS;
		if (now_ms() >= deadline)
			return -EAGAIN;
	}
}

/* Where an address leads: name and length for connect or sendto. */
static int find_peer(struct call *c, const struct address *a, struct sockaddr_un *un, socklen_t *len)
{
	uint8_t key[VFS_SOCK_KEY];
	int r;

	if (a->path[0]) {
		r = vfs_sock_key(&c->ctx, NULL, a->path, key);
		if (r < 0)
			return r;
		*len = key_to_name(key, un);
		return 0;
	}
	if (ours(&a->un, a->len))
		return -ECONNREFUSED;
	*un = a->un;
	*len = a->len;
	return 0;
}

/* Makes the other end of a connected socket find the caller's credentials. Without success it's told of an unknown peer. */
static void tag_client(struct call *c, int fd)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_un *un = (struct sockaddr_un *)&ss;
	socklen_t len = sizeof(ss);
	uint8_t key[VFS_SOCK_KEY];

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0 || len < UN_PATH || len > sizeof(*un))
		return;
	if (len > UN_PATH) {
		remember_client(c, un, len);
		return;
	}
	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key))
		return;
	len = key_to_name(key, un);
	/* First: from the bind on the other end looks for it. */
	remember_client(c, un, len);
	if (bind(fd, (struct sockaddr *)un, len) < 0)
		return; /* bound meanwhile by another thread */
}

int64_t sys_connect(struct call *c)
{
	AUTO_CLOSE int fd = -1;
	struct sockaddr_un un;
	struct address a;
	int64_t result;
	socklen_t len;
	int r;

	if (!unix_address(c, 1, &fd, &a, &result))
		return result;
	r = find_peer(c, &a, &un, &len);
	if (!r)
		r = unix_connect(c, fd, &un, len);
	if (!r && a.un.sun_family == AF_UNIX && type_of(fd) != SOCK_DGRAM)
		tag_client(c, fd);
	return r;
}

static int64_t send_datagram(struct call *c, int fd, const void *buf, size_t size, int flags, const struct sockaddr_un *un,
			     socklen_t len)
{
	bool wait = !(flags & MSG_DONTWAIT) && !nonblocking(fd), told = false;
	int64_t deadline = send_deadline(fd);
	ssize_t n;

	for (;;) {
		n = sendto(fd, buf, size, flags | MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)un, len);
		if (n >= 0)
			return n;
		if (errno != EAGAIN || !wait)
			return -errno;
		if (!told)
			c->ops->may_block(c);
		told = true;
		/* The receiver's queue is full, which can't be polled for on a socket that isn't connected to it. */
		poll(NULL, 0, POLL_STEP_MS);
		if (c->ops->interrupted(c))
			return -ERESTARTSYS;
		if (now_ms() >= deadline)
			return -EAGAIN;
	}
}

int64_t sys_sendto(struct call *c)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE void *buf = NULL;
	struct sockaddr_storage peer;
	struct sockaddr_un un;
	struct address a;
	socklen_t len = sizeof(peer);
	uint64_t size = c->args[2];
	int64_t result;
	int r, sndbuf = 0;

	if (!c->args[4])
		return CALL_CONTINUE;
	if (!unix_address(c, 4, &fd, &a, &result))
		return result;
	r = type_of(fd);
	if (r == SOCK_STREAM)
		return getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ? -EOPNOTSUPP : -EISCONN;
	if (r != SOCK_DGRAM)
		return CALL_CONTINUE; /* SEQPACKET ignores the address */
	len = sizeof(sndbuf);
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, &len) < 0)
		return -errno;
	if (sndbuf < 0 || size > (uint64_t)sndbuf)
		return -EMSGSIZE;
	r = find_peer(c, &a, &un, &len);
	if (r < 0)
		return r;
	buf = malloc(size + 1);
	if (!buf)
		return -ENOBUFS;
	r = size ? c->ops->read(c, c->args[1], buf, size) : 0;
	return r < 0 ? r : send_datagram(c, fd, buf, size, arg_int(c, 3), &un, len);
}

/* move_addr_to_user(): arguments at and at + 1 are where an address goes and its length. */
static int put_address(struct call *c, int at, struct sockaddr_storage *ss, socklen_t len)
{
	int room, r;

	translate(ss, &len);
	r = c->ops->read(c, c->args[at + 1], &room, sizeof(room));
	if (r < 0)
		return r;
	if (room < 0)
		return -EINVAL;
	room = MIN(room, (int)MIN(len, sizeof(*ss)));
	r = room ? c->ops->write(c, c->args[at], ss, (size_t)room) : 0;
	return r < 0 ? r : c->ops->write(c, c->args[at + 1], &len, sizeof(len));
}

static int64_t put_name(struct call *c, int (*get)(int, struct sockaddr *restrict, socklen_t *restrict))
{
	AUTO_CLOSE int fd = c->ops->get_fd(c, arg_int(c, 0));
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	if (fd < 0)
		return fd;
	return get(fd, (struct sockaddr *)&ss, &len) < 0 ? -errno : put_address(c, 1, &ss, len);
}

/*
 * A call of ours on the program's socket was interrupted by the monitor (live_may_block): 0 if there's nothing for the program in it, else what
 * it gets. With a timeout Linux doesn't restart.
 */
static int when_interrupted(struct call *c, int fd)
{
	struct timeval tv = {0, 0};
	socklen_t n = sizeof(tv);

	if (!c->ops->interrupted(c))
		return 0;
	return !getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &n) && (tv.tv_sec || tv.tv_usec) ? -EINTR : -ERESTARTSYS;
}

/* Comes here only with an address to fill in. */
static int64_t accept_named(struct call *c, int flags)
{
	AUTO_CLOSE int fd = -1;
	AUTO_CLOSE int got = -1;
	struct sockaddr_storage ss;
	socklen_t len;
	int r = sock_get(c, &fd);

	if (r < 0)
		return r;
	if (r != AF_UNIX || !c->args[1])
		return CALL_CONTINUE;
	if (!nonblocking(fd))
		c->ops->may_block(c);
	for (;;) {
		memset(&ss, 0, sizeof(ss));
		len = sizeof(ss);
		got = accept4(fd, (struct sockaddr *)&ss, &len, flags | SOCK_CLOEXEC);
		if (got >= 0)
			break;
		if (errno != EINTR)
			return -errno;
		r = when_interrupted(c, fd);
		if (r < 0)
			return r;
	}
	r = put_address(c, 1, &ss, len);
	return r < 0 ? r : call_return_fd(c, take_fd(&got), flags & SOCK_CLOEXEC);
}

int64_t sys_accept(struct call *c)
{
	return accept_named(c, 0);
}

int64_t sys_accept4(struct call *c)
{
	return accept_named(c, arg_int(c, 3));
}

/* Comes here only with an address to fill in. */
int64_t sys_recvfrom(struct call *c)
{
	AUTO_CLOSE int fd = -1;
	AUTO_FREE void *buf = NULL;
	struct sockaddr_storage ss;
	size_t size = (size_t)MIN(c->args[2], (uint64_t)RECV_MAX);
	socklen_t len;
	ssize_t n;
	int r = sock_get(c, &fd);

	if (r < 0)
		return r;
	if (r != AF_UNIX || !c->args[4])
		return CALL_CONTINUE;
	buf = malloc(size + 1);
	if (!buf)
		return -ENOMEM;
	if (!nonblocking(fd) && !(arg_u32(c, 3) & MSG_DONTWAIT))
		c->ops->may_block(c);
	for (;;) {
		memset(&ss, 0, sizeof(ss));
		len = sizeof(ss);
		n = recvfrom(fd, buf, size, arg_int(c, 3), (struct sockaddr *)&ss, &len);
		if (n >= 0)
			break;
		if (errno != EINTR)
			return -errno;
		r = when_interrupted(c, fd);
		if (r < 0)
			return r;
	}
	/* MSG_TRUNC tells the whole length. */
	size = MIN((size_t)n, size);
	r = size ? c->ops->write(c, c->args[1], buf, size) : 0;
	/* Here, other than for getpeername, no name is no address at all: unix_copy_addr(). */
	translate(&ss, &len);
	if (len <= UN_PATH)
		len = 0;
	if (!r)
		r = put_address(c, 4, &ss, len);
	return r < 0 ? r : n;
}

int64_t sys_getsockname(struct call *c)
{
	return put_name(c, getsockname);
}

int64_t sys_getpeername(struct call *c)
{
	return put_name(c, getpeername);
}
