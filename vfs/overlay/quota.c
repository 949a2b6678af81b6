/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota.c - limits of size and number of files, for one or more overlays together.
 *
 * The store of a limit of memory alone has a file system of its own that keeps it (hard). Elsewhere tracees write natively to the host's
 * file system, so: a file that was opened for writing is on a list until no writable descriptor or mapping of it is left, and what the
 * files of the list use is counted anew, by their st_blocks, when a limit comes near. Between two counts, what writes were allowed
 * (vfs_space_take()) is taken as used. Files that can't change keep what was counted last, so the cost is that of the files being written.
 *
 * What escapes: mappings that fill a hole, and writes that run at the same time as the one that is let through. The keeper looks for
 * that and ends the sandbox when it's more than the slack.
 */
#include "vfs/overlay/overlay.h"

#define UNIT     512
#define MAX_AGE  100000000 /* ns, of what creating a file goes by; more where counting takes long */
#define SHARE    50        /* counting may take one part in so many of the time */
#define SLACK    (16U << 20)
#define PRUNE    64                /* files that the keeper looks at in a turn */
#define SPEED    2                 /* bytes a ns: no memory is filled faster */
#define WATCH_NS INT64_C(20000000) /* shortest and longest interval of the keeper */
#define IDLE_NS  INT64_C(2000000000)

static struct ovl_quota quotas[VFS_QUOTAS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
/* Guards the list and every ovl_inode.charged; taken inside the lock of vfs/lock.h. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static TAILQ_HEAD(dirty_list, ovl_inode) dirty = TAILQ_HEAD_INITIALIZER(dirty);
static _Atomic int64_t due; /* when the last count is too old (ns) */

static void set_up(void)
{
	const struct vfs_config *cfg = vfs_config();

	for (unsigned i = 0; i < VFS_QUOTAS; i++) {
		quotas[i].size = cfg->quotas[i].size;
		quotas[i].inodes = cfg->quotas[i].inodes;
		quotas[i].hard = cfg->quotas[i].hard;
	}
}

static bool counts(const struct ovl_quota *q)
{
	return q->size && !q->hard;
}

void ovl_quota_init(struct ovl_sb *os, unsigned store, uint64_t size)
{
	const struct vfs_config *cfg = vfs_config();

	pthread_once(&once, set_up);
	os->store = filestore_get(store);
	if (!os->has_lower) {
		os->own.size = size;
		os->q[os->nq++] = &os->own;
	} else {
		if (store && cfg->stores[store - 1].quota)
			os->q[os->nq++] = &quotas[cfg->stores[store - 1].quota];
		os->q[os->nq++] = &quotas[VFS_QUOTA_ALL];
	}
	for (unsigned i = 0; i < os->nq; i++)
		os->sized |= counts(os->q[i]);
}

int ovl_quota_inode(struct ovl_sb *os, int delta)
{
	for (unsigned i = 0; i < os->nq; i++) {
		struct ovl_quota *q = os->q[i];
		uint64_t n = atomic_fetch_add(&q->n, (uint64_t)(int64_t)delta);
		if (delta < 0 || !q->inodes || n < q->inodes)
			continue;
		for (unsigned k = 0; k <= i; k++)
			atomic_fetch_sub(&os->q[k]->n, 1);
		return -ENOSPC;
	}
	return 0;
}

static bool fits(const struct ovl_quota *q, uint64_t bytes)
{
	uint64_t used = atomic_load(&q->used) + atomic_load(&q->taken);

	return !counts(q) || (used < q->size && bytes <= q->size - used);
}

bool ovl_quota_room(const struct ovl_sb *os, uint64_t bytes)
{
	for (unsigned i = 0; os->sized && i < os->nq; i++)
		if (!fits(os->q[i], bytes))
			return false;
	return true;
}

/* Under the mutex. */
static void charge(struct ovl_inode *o, int64_t blocks)
{
	struct ovl_sb *os = OVL_SB(o->i.sb);
	int64_t delta = blocks - o->charged;

	o->charged = blocks;
	for (unsigned i = 0; delta && i < os->nq; i++)
		atomic_fetch_add(&os->q[i]->used, (uint64_t)(delta * UNIT));
}

static void unlist(struct ovl_inode *o)
{
	ov_clear(o, OV_DIRTY);
	TAILQ_REMOVE(&dirty, o, dirty);
}

void ovl_quota_dirty(struct ovl_inode *o)
{
	if (!OVL_SB(o->i.sb)->sized || !S_ISREG(o->i.mode) || ov_is(o, OV_DIRTY))
		return;
	pthread_mutex_lock(&mutex);
	if (!ov_is(o, OV_DIRTY)) {
		ov_set(o, OV_DIRTY);
		TAILQ_INSERT_HEAD(&dirty, o, dirty);
	}
	pthread_mutex_unlock(&mutex);
	vfs_keeper_kick();
}

void ovl_quota_release(struct ovl_inode *o)
{
	struct ovl_sb *os = OVL_SB(o->i.sb);

	if (ov_is(o, OV_COUNTED))
		ovl_quota_inode(os, -1);
	if (!os->sized)
		return;
	pthread_mutex_lock(&mutex);
	if (ov_is(o, OV_DIRTY))
		unlist(o);
	charge(o, 0);
	pthread_mutex_unlock(&mutex);
}

/* [U] Counts the list anew. prune: at most so many of its oldest are asked whether they can still change. */
static void count(unsigned prune)
{
	static uint64_t settled[VFS_QUOTAS]; /* under the mutex */
	uint64_t taken[VFS_QUOTAS];
	struct ovl_inode *o, *next;
	struct kstat st;
	int64_t start = vfs_now();

	vfs_rdlock(); /* nothing is released */
	pthread_mutex_lock(&mutex);
	for (unsigned i = 0; i < VFS_QUOTAS; i++)
		taken[i] = atomic_load(&quotas[i].taken);
	for (o = TAILQ_LAST(&dirty, dirty_list); o && prune; o = next, prune--) {
		next = TAILQ_PREV(o, dirty_list, dirty);
		bool written = filestore_written(ovl_store(o), o->id);
		TAILQ_REMOVE(&dirty, o, dirty);
		TAILQ_INSERT_HEAD(&dirty, o, dirty);
		/* Who opens it between our question and this puts it on the list again afterwards: ovl_open() does so last. */
		if (!written) {
			if (!filestore_stat(ovl_store(o), o->id, &st))
				charge(o, st.blocks);
			unlist(o);
		}
	}
	TAILQ_FOREACH(o, &dirty, dirty)
	if (!filestore_stat(ovl_store(o), o->id, &st))
		charge(o, st.blocks);
	/* What was allowed before the last count has been written by now, and is in the sum. What was allowed since then may not have been. */
	for (unsigned i = 0; i < VFS_QUOTAS; i++) {
		atomic_fetch_sub(&quotas[i].taken, settled[i]);
		settled[i] = taken[i] - settled[i];
	}
	pthread_mutex_unlock(&mutex);
	vfs_rdunlock();
	int64_t now = vfs_now();
	atomic_store(&due, now + MAX(MAX_AGE, SHARE * (now - start)));
}

static bool full(const struct ovl_sb *os)
{
	for (unsigned i = 0; i < os->nq; i++) {
		const struct ovl_quota *q = os->q[i];
		if (!fits(q, 1) || (q->inodes && atomic_load(&q->n) >= q->inodes))
			return true;
	}
	return false;
}

void ovl_quota_count(struct ovl_sb *os)
{
	if (os->sized)
		count(0);
}

void ovl_quota_refresh(struct ovl_sb *os, bool removing)
{
	if (!removing && full(os)) {
		ovl_orphan_sweep(NULL);
		ovl_quota_count(os);
		ovl_quota_count(os);
	} else if (os->sized && vfs_now() >= atomic_load(&due)) {
		count(0);
	}
}

int64_t ovl_quota_watch(void)
{
	static int64_t idle = WATCH_NS;
	static uint64_t before;
	int64_t wait = IDLE_NS;
	uint64_t sum = 0;

	pthread_mutex_lock(&mutex);
	bool none = TAILQ_EMPTY(&dirty);
	pthread_mutex_unlock(&mutex);
	if (none)
		return -1;
	count(PRUNE);
	for (unsigned i = 0; i < VFS_QUOTAS; i++) {
		const struct ovl_quota *q = &quotas[i];
		uint64_t used = atomic_load(&q->used);
		sum += used;
		if (!counts(q))
			continue;
		if (used > q->size && used - q->size > MAX(SLACK, q->size / 16) && vfs_config()->over_limit)
			vfs_config()->over_limit();
		wait = MIN(wait, used < q->size ? (int64_t)MIN((q->size - used) / SPEED, (uint64_t)IDLE_NS) : 0);
	}
	/* A program that has files open and doesn't write costs nothing in the long run. */
	idle = sum == before ? MIN(2 * idle, IDLE_NS) : WATCH_NS;
	before = sum;
	return MAX(MAX(wait, idle), WATCH_NS);
}

bool vfs_space_take(uint64_t n)
{
	for (unsigned i = 0; i < VFS_QUOTAS; i++)
		if (!fits(&quotas[i], n))
			return false;
	for (unsigned i = 0; i < VFS_QUOTAS; i++)
		if (counts(&quotas[i]))
			atomic_fetch_add(&quotas[i].taken, n);
	return true;
}

/* How many bytes a write of n at off can add: a file without holes grows at its end only. */
static uint64_t need(int fd, int64_t off, uint64_t n)
{
	struct stat st;

	if (fstat(fd, &st))
		return n;
	if (off < 0)
		off = fcntl(fd, F_GETFL) & O_APPEND ? st.st_size : lseek(fd, 0, SEEK_CUR);
	int64_t have = st.st_blocks * UNIT, end;
	if (off < 0 || have < st.st_size || __builtin_add_overflow(off, (int64_t)MIN(n, (uint64_t)INT64_MAX), &end))
		return n;
	return end <= have ? 0 : MIN(n, (uint64_t)(end - have));
}

int vfs_may_grow(int hostfd, int64_t off, uint64_t n)
{
	AUTO_VFILE struct vfile f = {0};
	struct ovl_sb *os;

	if (vfs_identify(hostfd, &f) || f.kind != VF_FILE || f.inode->ops != &ovl_ops)
		return 0;
	os = OVL_SB(f.inode->sb);
	n = os->sized ? need(hostfd, off, n) : 0;
	if (!n)
		return 0;
	/* Twice: see count(). */
	for (int tries = 0; !ovl_quota_room(os, n); tries++) {
		if (tries == 2)
			return -ENOSPC;
		ovl_orphan_sweep(NULL);
		count(0);
	}
	for (unsigned i = 0; i < os->nq; i++)
		atomic_fetch_add(&os->q[i]->taken, n);
	return 0;
}
