/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_sock.c - sockets by name.
 *
 * An AF_UNIX path is a node of the VFS with a random key; the socket itself is bound to an abstract name made of the key, in the tracees'
 * network namespace. bind and connect run on our duplicate of the program's socket. Other families run natively (CONTINUE): a descriptor or
 * address swapped meanwhile reaches only the empty real root and the sandbox's own abstract names.
 *
 * keys: which path a key was bound by, for getsockname(2); bounded, oldest out; guarded by its lock.
 */
#include "kernel/syscall.h"

#include "kernel/cred.h"

#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <uthash.h>

#define PREFIX       "sandbox-"
#define PREFIX_LEN   (sizeof(PREFIX) - 1)
#define NAME_LEN     (1 + PREFIX_LEN + 2 * VFS_SOCK_KEY) /* of the abstract name, its NUL included */
#define UN_PATH      offsetof(struct sockaddr_un, sun_path)
#define KEYS_MAX     4096
#define POLL_STEP_MS 20

struct known {
	uint8_t key[VFS_SOCK_KEY];
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	UT_hash_handle hh;
	TAILQ_ENTRY(known) age;
};
static pthread_mutex_t keys_lock = PTHREAD_MUTEX_INITIALIZER;
static struct known *keys;
static TAILQ_HEAD(, known) keys_by_age = TAILQ_HEAD_INITIALIZER(keys_by_age);
static unsigned n_keys;

/* Without memory the name is only not told. */
static void keys_remember(const uint8_t key[VFS_SOCK_KEY], const char *path)
{
	struct known *k = calloc(1, sizeof(*k)), *old = NULL;

	if (!k)
		return;
	memcpy(k->key, key, VFS_SOCK_KEY);
	snprintf(k->path, sizeof(k->path), "%s", path);
	pthread_mutex_lock(&keys_lock);
	if (n_keys >= KEYS_MAX) {
		old = TAILQ_FIRST(&keys_by_age);
		TAILQ_REMOVE(&keys_by_age, old, age);
		HASH_DEL(keys, old);
		n_keys--;
	}
	HASH_ADD(hh, keys, key, VFS_SOCK_KEY, k);
	TAILQ_INSERT_TAIL(&keys_by_age, k, age);
	n_keys++;
	pthread_mutex_unlock(&keys_lock);
	free(old);
}

static bool keys_find(const uint8_t key[VFS_SOCK_KEY], char *path, size_t size)
{
	struct known *k;

	pthread_mutex_lock(&keys_lock);
	HASH_FIND(hh, keys, key, VFS_SOCK_KEY, k);
	if (k)
		snprintf(path, size, "%s", k->path);
	pthread_mutex_unlock(&keys_lock);
	return k;
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

static int hex(char ch)
{
	return ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* One of our abstract names becomes the path that bind got, or no name. */
static void translate(struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ss;
	uint8_t key[VFS_SOCK_KEY];
	char path[sizeof(un->sun_path) + 1];

	if (*len < UN_PATH || un->sun_family != AF_UNIX || !ours(un, *len))
		return;
	if (*len == UN_PATH + NAME_LEN) {
		const char *p = un->sun_path + 1 + PREFIX_LEN;

		for (int i = 0; i < VFS_SOCK_KEY; i++, p += 2) {
			if (hex(p[0]) < 0 || hex(p[1]) < 0)
				goto unnamed;
			key[i] = (uint8_t)(hex(p[0]) << 4 | hex(p[1]));
		}
		if (keys_find(key, path, sizeof(path))) {
			size_t n = strlen(path);

			memset(un, 0, sizeof(*ss));
			un->sun_family = AF_UNIX;
			/* A path of 108 bytes has no NUL of its own, and Linux counts one beyond. */
			memcpy(un->sun_path, path, n);
			*len = (socklen_t)(UN_PATH + n + 1);
			return;
		}
	}
unnamed:
	*len = UN_PATH;
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
static int get_socket(struct call *c, int *fd)
{
	*fd = c->ops->get_fd(c, arg_int(c, 0));
	return *fd < 0 ? *fd : domain_of(*fd);
}

int64_t sys_bind(struct call *c)
{
	AUTO_CLOSE int fd = -1;
	uint8_t key[VFS_SOCK_KEY];
	struct sockaddr_storage ss;
	struct sockaddr_un un;
	struct address a;
	socklen_t len = sizeof(ss);
	int r = get_socket(c, &fd), undone;

	if (r < 0)
		return r;
	if (r != AF_UNIX)
		return CALL_CONTINUE;
	r = read_address(c, c->args[1], arg_u32(c, 2), &a);
	if (r < 0)
		return r;
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
	keys_remember(key, a.path);
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

int64_t sys_connect(struct call *c)
{
	AUTO_CLOSE int fd = -1;
	struct sockaddr_un un;
	struct address a;
	socklen_t len;
	int r = get_socket(c, &fd);

	if (r < 0)
		return r;
	if (r != AF_UNIX)
		return CALL_CONTINUE;
	r = read_address(c, c->args[1], arg_u32(c, 2), &a);
	if (r < 0)
		return r;
	r = find_peer(c, &a, &un, &len);
	return r < 0 ? r : unix_connect(c, fd, &un, len);
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
	int r, sndbuf = 0;

	if (!c->args[4])
		return CALL_CONTINUE;
	r = get_socket(c, &fd);
	if (r < 0)
		return r;
	if (r != AF_UNIX)
		return CALL_CONTINUE;
	r = read_address(c, c->args[4], arg_u32(c, 5), &a);
	if (r < 0)
		return r;
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

static int64_t put_name(struct call *c, int (*get)(int, struct sockaddr *restrict, socklen_t *restrict))
{
	AUTO_CLOSE int fd = c->ops->get_fd(c, arg_int(c, 0));
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	int room, r;

	if (fd < 0)
		return fd;
	if (get(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	translate(&ss, &len);
	r = c->ops->read(c, c->args[2], &room, sizeof(room));
	if (r < 0)
		return r;
	if (room < 0)
		return -EINVAL;
	room = MIN(room, (int)MIN(len, sizeof(ss)));
	r = room ? c->ops->write(c, c->args[1], &ss, (size_t)room) : 0;
	return r < 0 ? r : c->ops->write(c, c->args[2], &len, sizeof(len));
}

int64_t sys_getsockname(struct call *c)
{
	return put_name(c, getsockname);
}

int64_t sys_getpeername(struct call *c)
{
	return put_name(c, getpeername);
}

/* What the filter let through to us isn't on its list of domains and types. */
int64_t sys_socket(struct call *c)
{
	switch (arg_u32(c, 0)) {
	case AF_INET:
	case AF_INET6:
		return (arg_u32(c, 1) & 0xf) == SOCK_RAW ? -EPERM : -ESOCKTNOSUPPORT;
	case AF_UNIX:
		return -ESOCKTNOSUPPORT;
	case AF_NETLINK:
		return -EPROTONOSUPPORT;
	case AF_PACKET:
		return -EPERM;
	default:
		return -EAFNOSUPPORT;
	}
}

int64_t sys_socketpair(struct call *c)
{
	return arg_u32(c, 0) == AF_UNIX ? -ESOCKTNOSUPPORT : -EAFNOSUPPORT;
}

/* Filters and programs on sockets are the host kernel's attack surface. */
int64_t sys_setsockopt(struct call *c)
{
	return -EPERM;
}

/* The peer as the sandbox sees it: its process number is the host's, its ids are virtual. */
static int peer_record(struct call *c, int fd, struct ucred *u, struct record **rec)
{
	socklen_t len = sizeof(*u);

	*rec = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, u, &len) < 0)
		return -errno;
	if (u->pid <= 0) {
		/* Not connected: 0, -1, -1, which is Linux's answer; or a peer outside of the sandbox. */
		u->pid = 0;
		return 0;
	}
	u->pid = c->ops->guest_pid(c, u->pid);
	if (u->pid < 0)
		u->pid = 0;
	*rec = u->pid ? c->ops->record_of(c, u->pid) : NULL;
	if (!*rec) {
		record_get(c->rec);
		*rec = c->rec;
	}
	u->uid = (*rec)->cred->euid;
	u->gid = (*rec)->cred->egid;
	return 0;
}

static int put_option(struct call *c, const void *v, size_t size, bool whole)
{
	uint32_t room, n = (uint32_t)size;
	int r = c->ops->read(c, c->args[4], &room, sizeof(room));

	if (r < 0)
		return r;
	if ((int)room < 0)
		return -EINVAL;
	if (whole && room < n) {
		r = c->ops->write(c, c->args[4], &n, sizeof(n));
		return r < 0 ? r : -ERANGE;
	}
	n = MIN(room, n);
	r = n ? c->ops->write(c, c->args[3], v, n) : 0;
	return r < 0 ? r : c->ops->write(c, c->args[4], &n, sizeof(n));
}

int64_t sys_getsockopt(struct call *c)
{
	AUTO_CLOSE int fd = -1;
	struct record *rec;
	struct ucred u;
	int r;

	if (arg_u32(c, 1) != SOL_SOCKET || (arg_u32(c, 2) != SO_PEERCRED && arg_u32(c, 2) != SO_PEERGROUPS))
		return -ENOPROTOOPT;
	r = get_socket(c, &fd);
	if (r < 0)
		return r;
	r = peer_record(c, fd, &u, &rec);
	if (r < 0)
		return r;
	if (arg_u32(c, 2) == SO_PEERCRED)
		r = put_option(c, &u, sizeof(u), false);
	else if (!rec)
		r = -ENODATA;
	else
		r = put_option(c, rec->cred->groups, (size_t)rec->cred->ngroups * sizeof(gid_t), true);
	record_put(rec);
	return r;
}
