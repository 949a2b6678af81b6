/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep.c - records the changes of a kept layer's metadata in its journal (layer/journal.h), and builds the tree from it at the start. Each
 * overlay that is kept, the root's and copy-on-write binds', has a layer of its own: no change is of two of them.
 *
 * What is recorded during one hold of the lock for writing is one frame. It's queued at the end of the hold, in the order of the
 * holds, and written before vfs_wrunlock() returns, so before any reply: after SIGKILL the journal tells everything that a program was told.
 * Data, sizes and times of regular files with a backing file are the backing file's. An inode's first record is its state before the
 * change, so that the lower's stamps need no memory.
 *
 * After a loss of power the journal may end earlier than that, but never before what fsync(2) was answered for. Backing files of what is
 * gone therefore wait until the record of that is on the disk (the thread below), or a call waits for it where their space is wanted.
 */
#include "vfs/overlay/overlay.h"

#include "base/log.h"
#include "layer/layer.h"

#include <linux/falloc.h>
#include <sys/syscall.h>
#include <time.h>

#define AHEAD       (1 << 20)  /* bytes of the journal that have space on the disk before they're needed */
#define COMPACT_MIN (16 << 20) /* bytes appended, and four times the state: then it's written anew */
#define BATCH_NS    50000000

struct ids {
	uint64_t *v;
	size_t n, cap;
};

/* Of one overlay. */
struct keep {
	int fd, dirfd; /* the journal and its directory */
	struct filestore *store;
	uint64_t last_jid; /* [W] */
	struct model m;    /* what there was at the start; empty afterwards */

	/* [W] */
	struct jbuf frame;
	uint64_t seq;
	struct ids freed;
	int64_t freed_bytes;

	/* Inside the lock, and inside io. */
	pthread_mutex_t q;
	pthread_cond_t work;
	struct jbuf queue;
	struct ids ready;        /* to be freed once the journal is on the disk */
	_Atomic int64_t waiting; /* bytes of those in ready or being freed */

	/* Who frees; before all others. */
	pthread_mutex_t freeing;

	/* Not under the lock. Guards the file's end. */
	pthread_mutex_t io;
	off_t end, allocated, compacted; /* compacted: size after the last time */
	uint64_t written, synced; /* bytes of all that was recorded by this run, and how many of these are on the disk */
	atomic_int broken;        /* errno: nothing can be recorded any more */
	atomic_bool full;
};
static struct keep keeps[VFS_STORES]; /* by the number of the store */
static unsigned n_keeps;              /* those from here on are unused; set before the first call */
static bool on;                       /* recording: set once, before the first call */

#define PUSH(list, x)                                                               \
	({                                                                          \
		bool ok_ = true;                                                    \
		if ((list).n == (list).cap) {                                       \
			size_t cap_ = (list).cap ? 2 * (list).cap : 256;            \
			void *v_ = reallocarray((list).v, cap_, sizeof(*(list).v)); \
			ok_ = v_;                                                   \
			if (v_) {                                                   \
				(list).v = v_;                                      \
				(list).cap = cap_;                                  \
			}                                                           \
		}                                                                   \
		if (ok_)                                                            \
			(list).v[(list).n++] = (x);                                 \
		ok_;                                                                \
	})

static struct keep *kept(const struct super *sb)
{
	return on ? OVL_SB(sb)->keep : NULL;
}

/* --- Recording [W] --- */

static void stamp_of(const struct ovl_inode *o, struct jstamp *s)
{
	const struct inode *i = &o->i;

	/* A stacked layer's object is known by the number that it shows: that of its data may be another tomorrow. */
	*s = (struct jstamp){
	    .dev = ov_is(o, OV_LAYER) ? ovl_low_dev(o) : o->low->obj.dev,
	    .ino = ov_is(o, OV_LAYER) ? i->ino : o->low->obj.ino,
	    .size = i->size,
	    .mtime = i->mtime,
	    .ctime = i->ctime,
	    .btime = i->btime,
	    .seen = vfs_now(),
	    .mode = i->mode,
	    .uid = i->uid,
	    .gid = i->gid,
	    .nlink = i->nlink,
	};
}

static void put_inode(struct keep *k, struct ovl_inode *o, uint32_t flags)
{
	const struct inode *i = &o->i;
	uint8_t *blob = NULL;
	struct jinode j = {
	    .id = o->jid,
	    .ino = i->ino,
	    .back = o->id,
	    .rdev = inode_rdev(i),
	    .flags = flags,
	    .mode = i->mode,
	    .uid = i->uid,
	    .gid = i->gid,
	    .nlink = i->nlink,
	    .size = i->size,
	    .atime = i->atime,
	    .mtime = i->mtime,
	    .ctime = i->ctime,
	    .btime = i->btime,
	};

	if (o->low) {
		j.flags |= JI_LOW;
		j.low = o->low->path;
		if (flags & JI_STAMP)
			stamp_of(o, &j.stamp);
	}
	if (S_ISLNK(i->mode) && i->link) {
		j.flags |= JI_LINK;
		j.link = i->link;
	}
	if (ov_is(o, OV_XATTR)) {
		j.flags |= JI_XATTR;
		if (ovl_xattrs_save(o, &blob, &j.xattrs_len))
			k->frame.fail = true;
		j.xattrs = blob;
	}
	if (!k->frame.fail)
		jbuf_inode(&k->frame, &j);
	free(blob);
}

void ovl_keep_see(struct ovl_inode *o)
{
	struct keep *k = kept(o->i.sb);

	if (!k || o->jid)
		return;
	vfs_assert_locked(1);
	o->jid = ++k->last_jid;
	if (o->low)
		put_inode(k, o, JI_CLEAN | JI_STAMP);
}

void ovl_keep_inode(struct ovl_inode *o)
{
	struct keep *k = kept(o->i.sb);

	if (!k)
		return;
	ovl_keep_see(o);
	put_inode(k, o, 0);
}

void ovl_keep_gone(struct ovl_inode *o)
{
	struct keep *k = kept(o->i.sb);

	if (k && o->jid)
		jbuf_gone(&k->frame, o->jid);
}

static void put_entry(struct keep *k, struct dentry *dir, const char *name, size_t len, uint64_t child, uint32_t flags,
		      const struct inode *before)
{
	struct jentry e = {
	    .parent = OVL(dir->inode)->jid, .child = child, .flags = flags, .name = name, .len = (uint16_t)len};
	const struct ovl_inode *o = before ? OVL(before) : NULL;

	/* Is it the lower's own object of this name? */
	if ((flags & JE_HAS) && o && o->low && o->jid) {
		const char *low = ovl_lower(OVL(dir->inode));
		size_t n = low ? strlen(low) : 0;
		const char *p = o->low->path;
		if (low && !strncmp(p, low, n) && (!n || p[n] == '/') && strlen(p + n + !!n) == len &&
		    !memcmp(p + n + !!n, name, len)) {
			e.flags |= JE_WAS;
			e.was = o->jid;
		}
	}
	jbuf_entry(&k->frame, &e);
}

static bool named(const struct dentry *d)
{
	return d->parent == d || ov_is(OVL(d->inode), OV_NAMED);
}

/* The directory and those above it that the journal doesn't have yet; the topmost first. */
static void name_dir(struct keep *k, struct dentry *dir)
{
	while (!named(dir) || !OVL(dir->inode)->jid) {
		struct dentry *d = dir;
		while (d->parent != d && (!named(d->parent) || !OVL(d->parent->inode)->jid))
			d = d->parent;
		ovl_keep_see(OVL(d->inode));
		if (!OVL(d->inode)->low)
			put_inode(k, OVL(d->inode), 0);
		if (d->parent != d)
			put_entry(k, d->parent, d->name, d->namelen, OVL(d->inode)->jid, d->fsdata ? JE_HAS : 0, NULL);
		ov_set(OVL(d->inode), OV_NAMED);
	}
}

void ovl_keep_entry(struct dentry *d, const struct inode *before)
{
	struct keep *k = kept(d->sb);

	if (!k || d->parent == d)
		return;
	name_dir(k, d->parent);
	if (!OVL(d->inode)->jid)
		ovl_keep_inode(OVL(d->inode));
	put_entry(k, d->parent, d->name, d->namelen, OVL(d->inode)->jid, d->fsdata ? JE_HAS : 0, before);
	if (S_ISDIR(d->inode->mode))
		ov_set(OVL(d->inode), OV_NAMED);
}

void ovl_keep_left(struct dentry *dir, const char *name, size_t len, bool whiteout, const struct inode *before)
{
	struct keep *k = kept(dir->sb);

	if (!k)
		return;
	name_dir(k, dir);
	put_entry(k, dir, name, len, 0, whiteout ? JE_HAS | JE_WHITEOUT : 0, before);
}

void ovl_keep_times(struct dentry *dir)
{
	const struct inode *i = dir->inode;
	struct keep *k = kept(dir->sb);

	if (!k)
		return;
	name_dir(k, dir);
	struct jtimes t = {OVL(i)->jid, i->atime, i->mtime, i->ctime, i->nlink};
	jbuf_times(&k->frame, &t);
}

void ovl_keep_free(const struct ovl_inode *o)
{
	struct keep *k = OVL_SB(o->i.sb)->keep;
	struct kstat st;

	if (!PUSH(k->freed, o->id))
		return; /* it stays until the layer is opened next */
	if (!filestore_stat(k->store, o->id, &st))
		k->freed_bytes += (int64_t)st.blocks * 512;
}

/* --- Writing --- */

static void end_frame(struct keep *k)
{
	pthread_mutex_lock(&k->q);
	jbuf_end(&k->frame, ++k->seq);
	if (!k->frame.fail && k->queue.cap == 0) {
		k->queue = k->frame;
		k->frame = JBUF_INIT;
	} else if (!k->frame.fail) {
		if (k->queue.cap - k->queue.len < k->frame.len) {
			uint8_t *p = realloc(k->queue.p, k->queue.len + k->frame.len + 65536);
			k->frame.fail |= !p;
			if (p) {
				k->queue.p = p;
				k->queue.cap = k->queue.len + k->frame.len + 65536;
			}
		}
		if (!k->frame.fail && k->frame.len) {
			memcpy(k->queue.p + k->queue.len, k->frame.p, k->frame.len);
			k->queue.len += k->frame.len;
		}
	}
	if (k->frame.fail) /* a gap: nothing after it may count */
		atomic_store(&k->broken, ENOMEM);
	k->frame.len = 0;
	k->frame.frame = SIZE_MAX;
	k->frame.fail = false;
	for (size_t i = 0; i < k->freed.n; i++)
		if (!PUSH(k->ready, k->freed.v[i]))
			break;
	if (k->freed.n)
		pthread_cond_signal(&k->work);
	k->freed.n = 0;
	atomic_fetch_add(&k->waiting, k->freed_bytes);
	k->freed_bytes = 0;
	pthread_mutex_unlock(&k->q);
}

static bool before_unlock(void)
{
	bool any = false;

	for (struct keep *k = keeps; k < keeps + n_keeps; k++) {
		if (!k->frame.len && !k->freed.n && !k->frame.fail)
			continue;
		end_frame(k);
		any = true;
	}
	return any;
}

/* io is held. */
static void reserve(struct keep *k)
{
	if (k->end + AHEAD / 2 <= k->allocated && !atomic_load(&k->full))
		return;
	/* Where this doesn't work for another reason there's no reserve. */
	if (!fallocate(k->fd, FALLOC_FL_KEEP_SIZE, k->end, AHEAD) || errno != ENOSPC) {
		k->allocated = k->end + AHEAD;
		atomic_store(&k->full, false);
	} else {
		atomic_store(&k->full, true);
	}
}

static void flush(struct keep *k)
{
	struct jbuf b;

	pthread_mutex_lock(&k->io);
	pthread_mutex_lock(&k->q);
	b = k->queue;
	k->queue = JBUF_INIT;
	pthread_mutex_unlock(&k->q);
	if (b.len && !atomic_load(&k->broken)) {
		int r = journal_write(k->fd, b.p, b.len, k->end);
		if (r) {
			atomic_store(&k->broken, -r);
			log_msg("can't write the journal of the layer: %s", strerror(-r));
		} else {
			k->end += (off_t)b.len;
			k->written += b.len;
			reserve(k);
		}
	}
	pthread_mutex_unlock(&k->io);
	jbuf_free(&b);
}

int ovl_keep_room(const struct super *sb)
{
	struct keep *k = kept(sb);

	if (!k)
		return 0;
	if (atomic_load(&k->broken))
		return -EIO;
	if (!atomic_load(&k->full))
		return 0;
	pthread_mutex_lock(&k->io);
	reserve(k);
	pthread_mutex_unlock(&k->io);
	return atomic_load(&k->full) ? -ENOSPC : 0;
}

static int sync_one(struct keep *k, bool data)
{
	int r;

	if (data) {
		r = filestore_sync(k->store);
		if (r)
			return r;
	}
	flush(k);
	pthread_mutex_lock(&k->io);
	uint64_t upto = k->written;
	bool done = upto == k->synced;
	pthread_mutex_unlock(&k->io);
	if (atomic_load(&k->broken))
		return -EIO;
	if (done)
		return 0;
	if (fdatasync(k->fd)) {
		/* What failed once is not tried again by the next one: nothing after it may be promised. */
		r = -errno;
		atomic_store(&k->broken, -r);
		log_msg("can't sync the journal of the layer: %s", strerror(-r));
		return r;
	}
	pthread_mutex_lock(&k->io);
	k->synced = MAX(k->synced, upto);
	pthread_mutex_unlock(&k->io);
	return 0;
}

int vfs_sync(bool data)
{
	int r = 0;

	for (struct keep *k = keeps; k < keeps + n_keeps; k++) {
		int err = k->store ? sync_one(k, data) : 0;
		r = r ? r : err;
	}
	return r;
}

/* Writes the state that [0, limit) amounts to into a new file. */
static int rewrite(const struct keep *k, const struct model *m, int *out, off_t *size)
{
	AUTO_CLOSE int new = openat(k->dirfd, ".journal", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	uint64_t n;

	if (new < 0)
		return -errno;
	int r = model_write(m, new, size, &n);
	/* Frames that are appended have higher numbers. */
	if (!r && n > m->seq)
		r = -ERANGE;
	if (!r)
		*out = take_fd(&new);
	return r;
}

static int put_in_place(struct keep *k, int new, off_t size)
{
	/* glibc makes a renameat(2) of one without flags, which the supervisor's filter doesn't know. */
	if (fdatasync(new) || syscall(SYS_renameat2, k->dirfd, ".journal", k->dirfd, "journal", 0))
		return -errno;
	/* What is written to the old one from here on would never be read again. */
	if (fsync(k->dirfd) || dup3(new, k->fd, O_CLOEXEC) < 0) {
		int r = -errno;
		atomic_store(&k->broken, -r);
		log_msg("can't put the new journal of the layer in place: %s", strerror(-r));
		return r;
	}
	k->end = k->allocated = size;
	k->synced = k->written;
	return 0;
}

/* While calls go on: the state up to now without io, what came meanwhile with it. */
static void compact(struct keep *k)
{
	AUTO_MODEL struct model m = {0};
	AUTO_CLOSE int new = -1;
	char buf[65536];
	off_t from, size = 0;
	int r;

	pthread_mutex_lock(&k->io);
	from = k->end;
	pthread_mutex_unlock(&k->io);
	r = model_load_any(&m, k->fd, from);
	if (!r && m.end != from)
		r = -EIO;
	if (!r)
		r = rewrite(k, &m, &new, &size);
	pthread_mutex_lock(&k->io);
	off_t base = size;
	while (!r && from < k->end) {
		ssize_t n = pread(k->fd, buf, (size_t)MIN(k->end - from, (off_t)sizeof(buf)), from);
		r = n <= 0 ? -EIO : journal_write(new, buf, (size_t)n, size);
		from += n;
		size += n;
	}
	if (!r)
		r = put_in_place(k, new, size);
	k->compacted = r ? k->end : base;
	pthread_mutex_unlock(&k->io);
}

static void free_all(struct keep *k)
{
	uint64_t *v;
	size_t n;

	pthread_mutex_lock(&k->freeing);
	pthread_mutex_lock(&k->q);
	v = take_ptr(k->ready.v);
	n = k->ready.n;
	k->ready.n = k->ready.cap = 0;
	int64_t bytes = atomic_load(&k->waiting);
	pthread_mutex_unlock(&k->q);
	if (n && !sync_one(k, false))
		for (size_t i = 0; i < n; i++)
			filestore_free(k->store, v[i]);
	free(v);
	filestore_reclaim(k->store);
	atomic_fetch_sub(&k->waiting, bytes);
	pthread_mutex_unlock(&k->freeing);
}

/* On a disk that's nearly full a program deletes to write something else, natively, where nothing could wait for the batch. */
static void after_unlock(void)
{
	for (struct keep *k = keeps; k < keeps + n_keeps; k++) {
		flush(k);
		if (k->store && filestore_scarce(k->store, atomic_load(&k->waiting)))
			free_all(k);
	}
}

static void *keeper(void *arg)
{
	const struct timespec pause = {0, BATCH_NS};
	struct keep *k = arg;

	for (;;) {
		pthread_mutex_lock(&k->q);
		while (!k->ready.n)
			pthread_cond_wait(&k->work, &k->q);
		pthread_mutex_unlock(&k->q);
		nanosleep(&pause, NULL); /* one sync for many */
		free_all(k);
		pthread_mutex_lock(&k->io);
		bool big = k->end - k->compacted > MAX((off_t)COMPACT_MIN, 4 * k->compacted);
		pthread_mutex_unlock(&k->io);
		if (big)
			compact(k);
	}
	return NULL;
}

int vfs_keep_start(void)
{
	pthread_t t;
	int r = 0;

	if (!n_keeps)
		return 0;
	vfs_on_wrunlock(before_unlock, after_unlock);
	on = true;
	for (struct keep *k = keeps; k < keeps + n_keeps && !r; k++) {
		if (!k->store)
			continue;
		r = -pthread_create(&t, NULL, keeper, k);
		if (!r)
			pthread_detach(t);
	}
	return r;
}

void vfs_keep_end(void)
{
	for (struct keep *k = keeps; on && k < keeps + n_keeps; k++)
		if (k->store)
			free_all(k);
}

/* --- The start --- */

/* The root's own record comes before all others. */
static int begin_journal(struct keep *k, struct ovl_inode *root)
{
	put_inode(k, root, JI_CLEAN | JI_STAMP);
	jbuf_end(&k->frame, ++k->seq);
	int r = k->frame.fail ? -ENOMEM : journal_write(k->fd, k->frame.p, k->frame.len, k->end);
	k->end += (off_t)k->frame.len;
	jbuf_free(&k->frame);
	return r;
}

/* Reads all journals before anything is made: inode numbers are of one row for all overlays. */
int ovl_keep_load(void)
{
	const struct vfs_config *cfg = vfs_config();
	int r = 0;

	for (unsigned i = 0; i < VFS_STORES && !r; i++) {
		struct keep *k = &keeps[i];
		*k = (struct keep){.fd = -1,
				   .frame = JBUF_INIT,
				   .queue = JBUF_INIT,
				   .q = PTHREAD_MUTEX_INITIALIZER,
				   .io = PTHREAD_MUTEX_INITIALIZER,
				   .freeing = PTHREAD_MUTEX_INITIALIZER,
				   .work = PTHREAD_COND_INITIALIZER};
		if (!cfg->stores[i].keep)
			continue;
		n_keeps = i + 1;
		k->fd = cfg->stores[i].journal;
		k->dirfd = cfg->stores[i].keep_dir;
		r = model_load_any(&k->m, k->fd, -1);
		vfs_reserve_ino(k->m.max_ino);
	}
	return r;
}

static int replay(struct keep *k, struct ovl_sb *os)
{
	const struct model *m = &k->m;
	int r = 0;

	k->end = k->allocated = m->end;
	k->seq = m->seq;
	k->last_jid = m->max_id;
	if (ftruncate(k->fd, k->end))
		return -errno;
	if (!k->end) {
		struct jbuf b = JBUF_INIT;
		jbuf_head(&b);
		r = b.fail ? -ENOMEM : journal_write(k->fd, b.p, b.len, 0);
		k->end = (off_t)b.len;
		jbuf_free(&b);
		if (r)
			return r;
	}
	reserve(k);
	k->compacted = (off_t)(m->n_inodes * 160 + m->n_entries * 48);
	filestore_reserve(k->store, m->max_back);
	OVL(os->sb.root->inode)->jid = JOURNAL_ROOT;
	/* The last run need not have done that: fsync(2) in this one is of its files, too, and what it removed goes from the disk now. */
	if (fdatasync(k->fd))
		return -errno;
	r = layer_sweep_store(filestore_dir(k->store), m);
	if (r)
		return r;
	if (!m->root)
		return begin_journal(k, OVL(os->sb.root->inode));
	/* It was made on a file and this is a directory, or the other way round. */
	if ((m->root->mode ^ os->sb.root->inode->mode) & S_IFMT)
		return -ESTALE;
	r = ovl_keep_build(os, m);
	if (!r && k->end - k->compacted > MAX((off_t)COMPACT_MIN, 4 * k->compacted)) {
		int new = -1;
		off_t size;
		if (!rewrite(k, m, &new, &size) && !put_in_place(k, new, size))
			k->compacted = size;
		close_fd_(&new);
	}
	return r;
}

int ovl_keep_replay(struct ovl_sb *os, unsigned store)
{
	if (!store || store > n_keeps || keeps[store - 1].fd < 0)
		return 0;
	struct keep *k = &keeps[store - 1];
	if (k->store)
		return -EBUSY;
	k->store = os->store;
	os->keep = k;
	int r = replay(k, os);
	model_free(&k->m);
	return r;
}
