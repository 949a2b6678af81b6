/* SPDX-License-Identifier: Apache-2.0 */
/* fdpass.h - descriptors over a unix socket (SCM_RIGHTS, unix(7)), as a packet of its own. */
#ifndef INTERPOSER_FDPASS_H
#define INTERPOSER_FDPASS_H

#include "base/base.h"

#define FDPASS_MAX 4

/* Sends data with n descriptors, which stay the caller's. flags: MSG_DONTWAIT or 0. 0 or -errno. */
int fdpass_send(int sock, const int *fds, unsigned n, const void *data, size_t len, int flags) MUST_CHECK;
/* Receives one packet of at most *len bytes and up to FDPASS_MAX descriptors, close-on-exec, the caller's; *len is then the packet's. The
 * number of descriptors, -EPIPE at the end of the connection, -EMSGSIZE for more than fits, or -errno. */
int fdpass_recv(int sock, int fds[FDPASS_MAX], void *data, size_t *len, int flags) MUST_CHECK;

#endif
