/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_lock.h - record locks, for fcntl(2).
 */
#ifndef KERNEL_SYS_LOCK_H
#define KERNEL_SYS_LOCK_H

#include "kernel/call.h"

/* F_GETLK, F_SETLK, F_SETLKW and their OFD forms. */
int64_t lock_fcntl(struct call *c);

#endif
