/* SPDX-License-Identifier: Apache-2.0 */
/* sock.h - between sys_sock.c (names) and sys_sockopt.c. */
#ifndef KERNEL_SOCK_H
#define KERNEL_SOCK_H

#include "kernel/call.h"

#include <sys/socket.h>
#include <sys/un.h>

#define UN_PATH offsetof(struct sockaddr_un, sun_path)

/* Our duplicate of the socket that argument 0 names, the caller's. 0, -EBADF or -ENOTSOCK. */
int sock_get(struct call *c, int *fd);
/* Who connected from this abstract name of ours, with a copy of his groups (the caller's); unchanged if nobody did. 0 or -ENOMEM. */
int sock_client(const struct sockaddr_un *un, socklen_t len, struct ucred *cred, gid_t **groups, int *n);

#endif
