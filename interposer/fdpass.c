/* SPDX-License-Identifier: Apache-2.0 */
/* fdpass.c - see fdpass.h. */
#include "interposer/fdpass.h"

#include <string.h>
#include <sys/socket.h>

union control {
	char buf[CMSG_SPACE(sizeof(int) * FDPASS_MAX)];
	struct cmsghdr align;
};

int fdpass_send(int sock, const int *fds, unsigned n, const void *data, size_t len, int flags)
{
	union control u = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
	struct msghdr m = {
	    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (!n || n > FDPASS_MAX)
		return -EINVAL;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	return sendmsg(sock, &m, MSG_NOSIGNAL | flags) < 0 ? -errno : 0;
}

int fdpass_recv(int sock, int fds[FDPASS_MAX], void *data, size_t *len, int flags)
{
	union control u = {0};
	struct iovec iov = {.iov_base = data, .iov_len = *len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = u.buf, .msg_controllen = sizeof u.buf};
	ssize_t r = recvmsg(sock, &m, MSG_CMSG_CLOEXEC | flags);
	if (r < 0)
		return -errno;
	unsigned n = 0;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		n = MIN((unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)), (unsigned)FDPASS_MAX);
		memcpy(fds, CMSG_DATA(c), sizeof(int) * n);
	}
	*len = (size_t)r;
	if (r && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return (int)n;
	/* An empty packet, which can have descriptors, too, can't be told from the end. */
	while (n)
		close(fds[--n]);
	return r ? -EMSGSIZE : -EPIPE;
}
