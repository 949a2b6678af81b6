/* SPDX-License-Identifier: Apache-2.0 */
/* sys_sockopt.c - making sockets, and their options: what the filter doesn't let pass natively, and who the peer is. */
#include "kernel/syscall.h"

#include "kernel/cred.h"
#include "kernel/sock.h"

#include <linux/netlink.h>
#include <poll.h>
#include <string.h>

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

/*
 * A time to wait for the peer isn't set on sockets that would: who closes the last descriptor of one waits, and that may be a thread of ours
 * which has borrowed it when the program closes its own. What has been sent is delivered all the same.
 */
static int64_t set_linger(struct call *c)
{
	const uint32_t len = arg_u32(c, 4);
	AUTO_CLOSE int fd = -1;
	struct linger l = {0};
	int domain = sock_get(c, &fd), r;

	if (domain < 0)
		return domain;
	if ((int)len < (int)sizeof(int))
		return -EINVAL;
	r = c->ops->read(c, c->args[3], &l, MIN(len, (uint32_t)sizeof(l)));
	if (r < 0)
		return r;
	if (len < sizeof(l))
		return -EINVAL;
	if (domain != AF_UNIX && l.l_linger)
		l.l_onoff = 0;
	return setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) ? -errno : 0;
}

/* Filters and programs on sockets are the host kernel's attack surface. */
int64_t sys_setsockopt(struct call *c)
{
	return arg_u32(c, 1) == SOL_SOCKET && arg_u32(c, 2) == SO_LINGER ? set_linger(c) : -EPERM;
}

struct peer {
	struct ucred cred;
	bool connected;
	int n_groups;
	gid_t *groups;
};

static void peer_free(struct peer *p)
{
	free(p->groups);
}

static int peer_set_groups(struct peer *p, const gid_t *groups, int n)
{
	p->n_groups = n;
	if (!n)
		return 0;
	p->groups = malloc((size_t)n * sizeof(gid_t));
	if (!p->groups)
		return -ENOMEM;
	memcpy(p->groups, groups, (size_t)n * sizeof(gid_t));
	return 0;
}

/* For a socket that we connected: the caller of connect is known by the name that its end has. */
static int peer_by_name(int fd, struct peer *p)
{
	struct sockaddr_storage ss;
	struct sockaddr_un *un = (struct sockaddr_un *)&ss;
	socklen_t len;

	/* Its bind comes right after its connect, in another thread of ours. */
	for (int i = 0; i < 20; i++) {
		len = sizeof(ss);
		if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0 || len > UN_PATH)
			break;
		poll(NULL, 0, 1);
	}
	p->cred = (struct ucred){.pid = 0, .uid = 65534, .gid = 65534};
	if (len <= UN_PATH || len > sizeof(*un))
		return 0;
	return sock_client(un, len, &p->cred, &p->groups, &p->n_groups);
}

/* The peer as the sandbox sees it: its process number is the host's, its ids are virtual. */
static int find_peer_cred(struct call *c, int fd, struct peer *p)
{
	socklen_t len = sizeof(p->cred);
	struct record *rec;
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &p->cred, &len) < 0)
		return -errno;
	if (p->cred.pid <= 0) {
		/* Not connected: 0, -1, -1, which is Linux's answer; or a peer outside of the sandbox. */
		p->cred.pid = 0;
		return 0;
	}
	p->connected = true;
	if (p->cred.pid == getpid())
		return peer_by_name(fd, p);
	p->cred.pid = MAX(c->ops->guest_pid(c, p->cred.pid), 0);
	rec = p->cred.pid ? c->ops->record_of(c, p->cred.pid) : NULL;
	if (!rec) {
		/* It has ended, as one that left a listener to its child. */
		record_get(c->rec);
		rec = c->rec;
	}
	p->cred.uid = rec->cred->euid;
	p->cred.gid = rec->cred->egid;
	r = peer_set_groups(p, rec->cred->groups, rec->cred->ngroups);
	record_put(rec);
	return r;
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
	__attribute__((cleanup(peer_free))) struct peer p = {0};
	AUTO_CLOSE int fd = -1;
	int r;

	if (arg_u32(c, 1) != SOL_SOCKET || (arg_u32(c, 2) != SO_PEERCRED && arg_u32(c, 2) != SO_PEERGROUPS))
		return -ENOPROTOOPT;
	r = sock_get(c, &fd);
	if (r >= 0)
		r = find_peer_cred(c, fd, &p);
	if (r < 0)
		return r;
	if (arg_u32(c, 2) == SO_PEERCRED)
		return put_option(c, &p.cred, sizeof(p.cred), false);
	return p.connected ? put_option(c, p.groups, (size_t)p.n_groups * sizeof(gid_t), true) : -ENODATA;
}
