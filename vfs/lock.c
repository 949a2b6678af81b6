/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.c - the big-reader lock of lock.h.
 *
 * A thread gets its slot at its first use and gives it back when it ends; slots are reused, never freed, so a writer can go
 * through the list while it holds the registry's mutex. A new thread's first lock waits for that mutex, that is for the writer.
 */
#include "vfs/lock.h"
#include "base/log.h"
#include "vfs/core.h"

#include <pthread.h>

struct slot {
	pthread_mutex_t lock;
	bool used; /* under registry */
	struct slot *next;
} __attribute__((aligned(64)));

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static struct slot *slots;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t slot_key;
static _Thread_local struct slot *mine;
static _Thread_local int held; /* 0, 1 reading, 2 writing */

static void slot_free(void *p)
{
	pthread_mutex_lock(&registry);
	((struct slot *)p)->used = false;
	pthread_mutex_unlock(&registry);
	mine = NULL;
}

static void make_key(void)
{
	if (pthread_key_create(&slot_key, slot_free) != 0)
		die("no thread key left");
}

static void slot_get(void)
{
	struct slot *s;

	pthread_once(&once, make_key);
	pthread_mutex_lock(&registry);
	for (s = slots; s && s->used; s = s->next)
		;
	if (!s) {
		s = aligned_alloc(64, sizeof(*s));
		if (!s)
			die("out of memory");
		pthread_mutex_init(&s->lock, NULL);
		s->next = slots;
		slots = s;
	}
	s->used = true;
	pthread_mutex_unlock(&registry);
	pthread_setspecific(slot_key, s);
	mine = s;
}

void vfs_rdlock(void)
{
	if (unlikely(!mine))
		slot_get();
	if (unlikely(held))
		die("vfs lock taken twice");
	pthread_mutex_lock(&mine->lock);
	held = 1;
}

void vfs_rdunlock(void)
{
	held = 0;
	pthread_mutex_unlock(&mine->lock);
}

void vfs_wrlock(void)
{
	if (unlikely(held))
		die("vfs lock taken twice");
	pthread_mutex_lock(&registry);
	for (struct slot *s = slots; s; s = s->next)
		pthread_mutex_lock(&s->lock);
	held = 2;
}

static bool (*hook_before)(void);
static void (*hook_after)(void);

void vfs_on_wrunlock(bool (*before)(void), void (*after)(void))
{
	hook_after = after;
	hook_before = before;
}

void vfs_wrunlock(void)
{
	bool after;

	/* Here nobody relies on unreferenced dentries any more: the one place where the cache can be brought within its bound. */
	dcache_trim();
	after = hook_before && hook_before();
	held = 0;
	for (struct slot *s = slots; s; s = s->next)
		pthread_mutex_unlock(&s->lock);
	pthread_mutex_unlock(&registry);
	if (after)
		hook_after();
}

void vfs_assert_locked(int write)
{
	if (unlikely(held < (write ? 2 : 1)))
		die("vfs lock not held");
}
