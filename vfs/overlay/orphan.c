/* SPDX-License-Identifier: Apache-2.0 */
/*
 * orphan.c - files without a name that a tracee may have open.
 *
 * Their attributes live with us, so fstat(2) needs the inode for as long as a descriptor exists, and nobody tells us when the
 * last one is closed. The list holds a reference on each; a sweep drops those of which filestore_busy() says that nobody holds the
 * backing file. That's sound: who has no descriptor and no reference can't get one. A sweep comes when the list has doubled, with the
 * next change after SWEEP_NS, so that the space of big deleted files doesn't wait for long, or at once with one that may need this space.
 */
#include "vfs/overlay/overlay.h"

#define SWEEP_NS  100000000
#define SWEEP_MIN 64

/* [W]: the list. */
static TAILQ_HEAD(orphans, ovl_inode) orphans = TAILQ_HEAD_INITIALIZER(orphans);
static atomic_uint n_orphans, n_after_sweep;
static _Atomic int64_t last_sweep;
static _Atomic int64_t waiting; /* bytes of those that came since */
static pthread_mutex_t sweeping = PTHREAD_MUTEX_INITIALIZER;

void ovl_orphan_add(struct ovl_inode *o)
{
	struct kstat st;

	vfs_assert_locked(1);
	if (!(o->i.flags & I_UPPER)) {
		/* The lower's data. We can't probe a file that isn't ours, so who opened one keeps its record: they are bounded by
		 * the size of the lower. */
		if (ov_is(o, OV_PINNED) && !ov_is(o, OV_OPENED)) {
			ov_clear(o, OV_PINNED);
			iput_locked(&o->i);
		}
		return;
	}
	if (ov_is(o, OV_ORPHAN))
		return;
	if (!ov_is(o, OV_OPENED)) {
		/* Never handed out. Anyone about to open it holds a reference, and the data doesn't need a name. */
		if (ov_is(o, OV_PINNED)) {
			ov_clear(o, OV_PINNED);
			iput_locked(&o->i);
		}
		return;
	}
	ov_set(o, OV_ORPHAN);
	if (ov_is(o, OV_PINNED))
		ov_clear(o, OV_PINNED); /* the list takes that reference over */
	else
		iget(&o->i);
	TAILQ_INSERT_TAIL(&orphans, o, orphan);
	atomic_fetch_add(&n_orphans, 1);
	if (!filestore_stat(ovl_store(o), o->id, &st))
		atomic_fetch_add(&waiting, st.blocks * 512);
	vfs_keeper_kick();
}

unsigned ovl_orphans(void)
{
	return atomic_load(&n_orphans);
}

void ovl_orphan_del(struct ovl_inode *o)
{
	vfs_assert_locked(1);
	if (!ov_is(o, OV_ORPHAN))
		return;
	ov_clear(o, OV_ORPHAN);
	TAILQ_REMOVE(&orphans, o, orphan);
	atomic_fetch_sub(&n_orphans, 1);
	iput_locked(&o->i);
}

/*
 * [W] Nobody holds the upper data, but a descriptor of the lower's, from before the copy-up, may still be there and can't be probed: the
 * record stays, as that of a lower file does; the space goes back.
 */
static void retire(struct ovl_inode *o)
{
	struct kstat st;

	if ((o->i.flags & I_LIVE) && !filestore_stat(ovl_store(o), o->id, &st)) {
		o->i.size = st.size;
		o->i.atime = MAX(o->i.atime, st.atime);
		o->i.mtime = MAX(o->i.mtime, st.mtime);
		o->i.ctime = MAX(o->i.ctime, st.mtime);
		o->i.flags &= ~I_LIVE;
	}
	if (S_ISREG(o->i.mode))
		filestore_truncate(ovl_store(o), o->id, 0);
	ov_clear(o, OV_ORPHAN);
	TAILQ_REMOVE(&orphans, o, orphan);
	atomic_fetch_sub(&n_orphans, 1);
	ov_set(o, OV_PINNED); /* the list's reference */
	ovl_quota_dirty(o);
}

/*
 * Its data may not go from the disk before the journal's record of that, as what ovl_release() frees doesn't (ovl_keep_free()). Whoever
 * can't wait leaves it to the keeper.
 */
static bool may_retire(const struct ovl_inode *o, bool wait)
{
	return !ov_is(o, OV_LOWFD) || !OVL_SB(o->i.sb)->keep || (wait && !vfs_sync(false));
}

void ovl_orphan_sweep(const struct ovl_sb *for_op)
{
	bool all = !for_op;
	unsigned n = atomic_load(&n_orphans);
	int64_t now;

	if (!n)
		return;
	all = all || filestore_scarce(for_op->store, atomic_load(&waiting));
	if (!all && n < MAX(SWEEP_MIN, 2 * atomic_load(&n_after_sweep))) {
		now = vfs_now();
		if (now - atomic_load(&last_sweep) < SWEEP_NS)
			return;
		n = MIN(n, SWEEP_MIN);
	}
	/* Who wants it done for certain waits for who does it. */
	if (all ? pthread_mutex_lock(&sweeping) : pthread_mutex_trylock(&sweeping))
		return;
	atomic_store(&waiting, 0);
	while (n) {
		struct ovl_inode *batch[SWEEP_MIN], *o;
		bool gone[SWEEP_MIN];
		unsigned k = 0;
		vfs_wrlock();
		while (k < ARRAY_SIZE(batch) && k < n && (o = TAILQ_FIRST(&orphans))) {
			/* To the end: the next sweep goes on with others. */
			TAILQ_REMOVE(&orphans, o, orphan);
			TAILQ_INSERT_TAIL(&orphans, o, orphan);
			iget(&o->i);
			batch[k++] = o;
		}
		vfs_wrunlock();
		if (!k)
			break;
		n -= k;
		for (unsigned i = 0; i < k; i++)
			gone[i] = !filestore_busy(ovl_store(batch[i]), batch[i]->id) && may_retire(batch[i], all);
		vfs_wrlock();
		for (unsigned i = 0; i < k; i++) {
			o = batch[i];
			/* Ours and the list's are the only references: nobody can make a descriptor any more either. */
			if (gone[i] && ov_is(o, OV_ORPHAN) && atomic_load(&o->i.refs) == 2) {
				if (ov_is(o, OV_LOWFD))
					retire(o);
				else
					ovl_orphan_del(o);
			}
			iput_locked(&o->i);
		}
		vfs_wrunlock();
	}
	atomic_store(&n_after_sweep, atomic_load(&n_orphans));
	atomic_store(&last_sweep, vfs_now());
	pthread_mutex_unlock(&sweeping);
	filestore_reclaim(NULL);
}
