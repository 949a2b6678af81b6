/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep.c - records the changes of a kept layer's metadata in its journal (layer/journal.h), and builds the tree from it at the start.
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

static int fd = -1, dirfd = -1; /* the journal and its directory */
static struct filestore *store;
static bool on; /* recording: set once, before the first call */
static uint64_t last_jid;

/* [W] */
static struct jbuf frame = JBUF_INIT;
static uint64_t seq;
static struct {
	uint64_t *v;
	size_t n, cap;
} freed;
static int64_t freed_bytes;

/* Inside the lock, and inside io. */
static pthread_mutex_t q = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER;
static struct jbuf queue = JBUF_INIT;
static struct {
	uint64_t *v;
	size_t n, cap;
} ready; /* to be freed once the journal is on the disk */
static _Atomic int64_t waiting; /* bytes of those in ready or being freed */

/* Who frees; before all others. */
static pthread_mutex_t freeing = PTHREAD_MUTEX_INITIALIZER;

/* Not under the lock. Guards the file's end. */
static pthread_mutex_t io = PTHREAD_MUTEX_INITIALIZER;
static off_t end, allocated, compacted; /* compacted: size after the last time */
static uint64_t written, synced; /* bytes of all that was recorded by this run, and how many of these are on the disk */
static atomic_int broken;        /* errno: nothing can be recorded any more */
static atomic_bool full;

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

static bool kept(const struct super *sb)
{
	return on && OVL_SB(sb)->kept;
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

static void put_inode(struct ovl_inode *o, uint32_t flags)
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
			frame.fail = true;
		j.xattrs = blob;
	}
	if (!frame.fail)
		jbuf_inode(&frame, &j);
	free(blob);
}

void ovl_keep_see(struct ovl_inode *o)
{
	if (!kept(o->i.sb) || o->jid)
		return;
	vfs_assert_locked(1);
	o->jid = ++last_jid;
	if (o->low)
		put_inode(o, JI_CLEAN | JI_STAMP);
}

void ovl_keep_inode(struct ovl_inode *o)
{
	if (!kept(o->i.sb))
		return;
	ovl_keep_see(o);
	put_inode(o, 0);
}

void ovl_keep_gone(struct ovl_inode *o)
{
	if (kept(o->i.sb) && o->jid)
		jbuf_gone(&frame, o->jid);
}

static void put_entry(struct dentry *dir, const char *name, size_t len, uint64_t child, uint32_t flags,
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
	jbuf_entry(&frame, &e);
}

static bool named(const struct dentry *d)
{
	return d->parent == d || ov_is(OVL(d->inode), OV_NAMED);
}

/* The directory and those above it that the journal doesn't have yet; the topmost first. */
static void name_dir(struct dentry *dir)
{
	while (!named(dir) || !OVL(dir->inode)->jid) {
		struct dentry *d = dir;
		while (d->parent != d && (!named(d->parent) || !OVL(d->parent->inode)->jid))
			d = d->parent;
		ovl_keep_see(OVL(d->inode));
		if (!OVL(d->inode)->low)
			put_inode(OVL(d->inode), 0);
		if (d->parent != d)
			put_entry(d->parent, d->name, d->namelen, OVL(d->inode)->jid, d->fsdata ? JE_HAS : 0, NULL);
		ov_set(OVL(d->inode), OV_NAMED);
	}
}

void ovl_keep_entry(struct dentry *d, const struct inode *before)
{
	if (!kept(d->sb) || d->parent == d)
		return;
	name_dir(d->parent);
	if (!OVL(d->inode)->jid)
		ovl_keep_inode(OVL(d->inode));
	put_entry(d->parent, d->name, d->namelen, OVL(d->inode)->jid, d->fsdata ? JE_HAS : 0, before);
	if (S_ISDIR(d->inode->mode))
		ov_set(OVL(d->inode), OV_NAMED);
}

void ovl_keep_left(struct dentry *dir, const char *name, size_t len, bool whiteout, const struct inode *before)
{
	if (!kept(dir->sb))
		return;
	name_dir(dir);
	put_entry(dir, name, len, 0, whiteout ? JE_HAS | JE_WHITEOUT : 0, before);
}

void ovl_keep_times(struct dentry *dir)
{
	const struct inode *i = dir->inode;

	if (!kept(dir->sb))
		return;
	name_dir(dir);
	struct jtimes t = {OVL(i)->jid, i->atime, i->mtime, i->ctime, i->nlink};
	jbuf_times(&frame, &t);
}

void ovl_keep_free(uint64_t id)
{
	struct kstat st;

	if (!PUSH(freed, id))
		return; /* it stays until the layer is opened next */
	if (!filestore_stat(store, id, &st))
		freed_bytes += (int64_t)st.blocks * 512;
}

/* --- Writing --- */

static bool before_unlock(void)
{
	if (!frame.len && !freed.n && !frame.fail)
		return false;
	pthread_mutex_lock(&q);
	jbuf_end(&frame, ++seq);
	if (!frame.fail && queue.cap == 0) {
		queue = frame;
		frame = JBUF_INIT;
	} else if (!frame.fail) {
		if (queue.cap - queue.len < frame.len) {
			uint8_t *p = realloc(queue.p, queue.len + frame.len + 65536);
			frame.fail |= !p;
			if (p) {
				queue.p = p;
				queue.cap = queue.len + frame.len + 65536;
			}
		}
		if (!frame.fail && frame.len) {
			memcpy(queue.p + queue.len, frame.p, frame.len);
			queue.len += frame.len;
		}
	}
	if (frame.fail) /* a gap: nothing after it may count */
		atomic_store(&broken, ENOMEM);
	frame.len = 0;
	frame.frame = SIZE_MAX;
	frame.fail = false;
	for (size_t i = 0; i < freed.n; i++)
		if (!PUSH(ready, freed.v[i]))
			break;
	if (freed.n)
		pthread_cond_signal(&work);
	freed.n = 0;
	atomic_fetch_add(&waiting, freed_bytes);
	freed_bytes = 0;
	pthread_mutex_unlock(&q);
	return true;
}

/* io is held. */
static void reserve(void)
{
	if (end + AHEAD / 2 <= allocated && !atomic_load(&full))
		return;
	/* Where this doesn't work for another reason there's no reserve. */
	if (!fallocate(fd, FALLOC_FL_KEEP_SIZE, end, AHEAD) || errno != ENOSPC) {
		allocated = end + AHEAD;
		atomic_store(&full, false);
	} else {
		atomic_store(&full, true);
	}
}

static void flush(void)
{
	struct jbuf b;

	pthread_mutex_lock(&io);
	pthread_mutex_lock(&q);
	b = queue;
	queue = JBUF_INIT;
	pthread_mutex_unlock(&q);
	if (b.len && !atomic_load(&broken)) {
		int r = journal_write(fd, b.p, b.len, end);
		if (r) {
			atomic_store(&broken, -r);
			log_msg("can't write the journal of the layer: %s", strerror(-r));
		} else {
			end += (off_t)b.len;
			written += b.len;
			reserve();
		}
	}
	pthread_mutex_unlock(&io);
	jbuf_free(&b);
}

int ovl_keep_room(const struct super *sb)
{
	if (!kept(sb))
		return 0;
	if (atomic_load(&broken))
		return -EIO;
	if (!atomic_load(&full))
		return 0;
	pthread_mutex_lock(&io);
	reserve();
	pthread_mutex_unlock(&io);
	return atomic_load(&full) ? -ENOSPC : 0;
}

int vfs_sync(bool data)
{
	int r;

	if (fd < 0)
		return 0;
	if (data) {
		r = filestore_sync(store);
		if (r)
			return r;
	}
	flush();
	pthread_mutex_lock(&io);
	uint64_t upto = written;
	bool done = upto == synced;
	pthread_mutex_unlock(&io);
	if (atomic_load(&broken))
		return -EIO;
	if (done)
		return 0;
	if (fdatasync(fd)) {
		/* What failed once is not tried again by the next one: nothing after it may be promised. */
		r = -errno;
		atomic_store(&broken, -r);
		log_msg("can't sync the journal of the layer: %s", strerror(-r));
		return r;
	}
	pthread_mutex_lock(&io);
	synced = MAX(synced, upto);
	pthread_mutex_unlock(&io);
	return 0;
}

/* Writes the state that [0, limit) amounts to into a new file. */
static int rewrite(const struct model *m, int *out, off_t *size)
{
	AUTO_CLOSE int new = openat(dirfd, ".journal", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
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

static int put_in_place(int new, off_t size)
{
	/* glibc makes a renameat(2) of one without flags, which the supervisor's filter doesn't know. */
	if (fdatasync(new) || syscall(SYS_renameat2, dirfd, ".journal", dirfd, "journal", 0) || fsync(dirfd) ||
	    dup3(new, fd, O_CLOEXEC) < 0)
		return -errno;
	end = allocated = size;
	synced = written;
	return 0;
}

/* While calls go on: the state up to now without io, what came meanwhile with it. */
static void compact(void)
{
	AUTO_MODEL struct model m = {0};
	AUTO_CLOSE int new = -1;
	char buf[65536];
	off_t from, size = 0;
	int r;

	pthread_mutex_lock(&io);
	from = end;
	pthread_mutex_unlock(&io);
	r = model_load(&m, fd, from);
	if (!r && m.end != from)
		r = -EIO;
	if (!r)
		r = rewrite(&m, &new, &size);
	pthread_mutex_lock(&io);
	off_t base = size;
	while (!r && from < end) {
		ssize_t n = pread(fd, buf, (size_t)MIN(end - from, (off_t)sizeof(buf)), from);
		r = n <= 0 ? -EIO : journal_write(new, buf, (size_t)n, size);
		from += n;
		size += n;
	}
	if (!r)
		r = put_in_place(new, size);
	compacted = r ? end : base;
	pthread_mutex_unlock(&io);
}

static void free_all(void)
{
	uint64_t *v;
	size_t n;

	pthread_mutex_lock(&freeing);
	pthread_mutex_lock(&q);
	v = take_ptr(ready.v);
	n = ready.n;
	ready.n = ready.cap = 0;
	int64_t bytes = atomic_load(&waiting);
	pthread_mutex_unlock(&q);
	if (n && !vfs_sync(false))
		for (size_t i = 0; i < n; i++)
			filestore_free(store, v[i]);
	free(v);
	filestore_reclaim(store);
	atomic_fetch_sub(&waiting, bytes);
	pthread_mutex_unlock(&freeing);
}

/* On a disk that's nearly full a program deletes to write something else, natively, where nothing could wait for the batch. */
static void after_unlock(void)
{
	flush();
	if (filestore_scarce(store, atomic_load(&waiting)))
		free_all();
}

static void *keeper(void *arg)
{
	const struct timespec pause = {0, BATCH_NS};

	for (;;) {
		pthread_mutex_lock(&q);
		while (!ready.n)
			pthread_cond_wait(&work, &q);
		pthread_mutex_unlock(&q);
		nanosleep(&pause, NULL); /* one sync for many */
		free_all();
		pthread_mutex_lock(&io);
		bool big = end - compacted > MAX((off_t)COMPACT_MIN, 4 * compacted);
		pthread_mutex_unlock(&io);
		if (big)
			compact();
	}
	return NULL;
}

int vfs_keep_start(void)
{
	pthread_t t;

	if (fd < 0)
		return 0;
	vfs_on_wrunlock(before_unlock, after_unlock);
	on = true;
	int r = -pthread_create(&t, NULL, keeper, NULL);
	if (!r)
		pthread_detach(t);
	return r;
}

void vfs_keep_end(void)
{
	if (on)
		free_all();
}

/* --- The start --- */

/* The root's own record comes before all others. */
static int begin_journal(struct ovl_inode *root)
{
	put_inode(root, JI_CLEAN | JI_STAMP);
	jbuf_end(&frame, ++seq);
	int r = frame.fail ? -ENOMEM : journal_write(fd, frame.p, frame.len, end);
	end += (off_t)frame.len;
	jbuf_free(&frame);
	return r;
}

int ovl_keep_replay(struct ovl_sb *os)
{
	const struct vfs_config *cfg = vfs_config();
	AUTO_MODEL struct model m = {0};
	int r;

	fd = cfg->keep_journal;
	dirfd = cfg->keep_dir;
	os->kept = true;
	store = os->store;
	r = model_load(&m, fd, -1);
	if (r)
		return r;
	end = allocated = m.end;
	seq = m.seq;
	last_jid = m.max_id;
	if (ftruncate(fd, end))
		return -errno;
	if (!end) {
		struct jbuf b = JBUF_INIT;
		jbuf_head(&b);
		r = b.fail ? -ENOMEM : journal_write(fd, b.p, b.len, 0);
		end = (off_t)b.len;
		jbuf_free(&b);
		if (r)
			return r;
	}
	reserve();
	compacted = (off_t)(m.n_inodes * 160 + m.n_entries * 48);
	vfs_reserve_ino(m.max_ino);
	filestore_reserve(store, m.max_back);
	OVL(os->sb.root->inode)->jid = JOURNAL_ROOT;
	r = layer_sweep_store(filestore_dir(store), &m);
	if (r)
		return r;
	if (!m.root)
		return begin_journal(OVL(os->sb.root->inode));
	r = ovl_keep_build(os, &m);
	if (!r && end - compacted > MAX((off_t)COMPACT_MIN, 4 * compacted)) {
		int new = -1;
		off_t size;
		if (!rewrite(&m, &new, &size) && !put_in_place(new, size))
			compacted = size;
		close_fd_(&new);
	}
	return r;
}
