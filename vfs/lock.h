/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h - the one lock of the dentry tree and of inode attributes.
 *
 * A "big reader" lock: each thread has a mutex on a cache line of its own. A reader takes its own, so cached lookups
 * on several CPUs write to no shared line. A writer takes all of them. Not recursive. Nothing blocks under it: no RPC,
 * no host call that can wait.
 */
#ifndef VFS_LOCK_H
#define VFS_LOCK_H

#include <stdbool.h>

void vfs_rdlock(void);
void vfs_rdunlock(void);
void vfs_wrlock(void);
void vfs_wrunlock(void);
/* before: called at the end of each hold for writing, still under the lock; when it says true, after follows once the lock is dropped,
 * before vfs_wrunlock() returns. Set once, while there is one thread. */
void vfs_on_wrunlock(bool (*before)(void), void (*after)(void));
/* Aborts unless this thread holds the lock (for writing, if write): states an invariant at the head of a function. */
void vfs_assert_locked(int write);

#endif
