/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dcache.c - the dentry tree, its hash table and its LRU.
 *
 * The table grows by linear hashing, one bucket a new entry, so that no insertion pays for a whole rehash. Names are the tracees' choice:
 * the hash is keyed. Whatever isn't pinned is on the LRU list from its creation; a use only sets D_REFERENCED, and the clock hand of
 * dcache_trim() gives such an entry a second chance.
 *
 * References: a dentry holds its parent and its inode. The last reference is dropped under the lock (for reading if the dentry stays
 * as cache, else for writing), so under the lock for writing a count of 0 means that nobody can get at it but through the tree.
 */
#include "base/leak.h"
#include "base/log.h"
#include "vfs/core.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define MAX_BUCKETS (1U << 24)
static struct dentry **table;
static uint32_t level = 1024, split; /* level + split buckets are in use */
static size_t n_hashed;
static uint64_t seed;

static TAILQ_HEAD(, dentry) lru = TAILQ_HEAD_INITIALIZER(lru);
static size_t lru_entries, lru_bytes, n_dentries, n_evicted;
static size_t max_entries = 24000, max_bytes = 8U << 20;
/* Sharded: every cached call counts, and no two CPUs should fight for one line. */
static struct {
	_Atomic uint64_t hits, misses;
} __attribute__((aligned(64))) counts[16];
static _Atomic unsigned next_shard;
static _Thread_local unsigned shard; /* 0: not chosen yet */

/* wyhash's step: the high and low halves of a 128-bit product. */
static inline uint64_t mum(uint64_t a, uint64_t b)
{
	unsigned __int128 r = (unsigned __int128)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

static uint64_t hash64(const char *name, size_t len)
{
	uint64_t h = seed ^ (len * UINT64_C(0x9e3779b97f4a7c15)), w;

	for (; len >= 8; len -= 8, name += 8) {
		memcpy(&w, name, 8);
		h = mum(h ^ w, UINT64_C(0xa0761d6478bd642f) ^ seed);
	}
	w = 0;
	for (size_t i = 0; i < len; i++)
		w |= (uint64_t)(unsigned char)name[i] << (8 * i);
	return mum(h ^ w, UINT64_C(0xe7037ed1a0b428db) ^ seed);
}

uint32_t name_hash(const char *name, size_t len)
{
	return (uint32_t)hash64(name, len);
}

static inline uint32_t d_hash(const struct dentry *parent, uint64_t h)
{
	return (uint32_t)mum(h ^ (uintptr_t)parent, UINT64_C(0x8ebc6af09c88c6e3));
}

static inline struct dentry **bucket(uint32_t hash)
{
	uint32_t b = hash & (2 * level - 1);

	if (b >= level + split)
		b = hash & (level - 1);
	return &table[b];
}

static void grow(void)
{
	struct dentry **from = &table[split], *d, *next;

	if (level + split >= MAX_BUCKETS)
		return;
	d = *from;
	*from = NULL;
	if (++split == level) {
		level *= 2;
		split = 0;
	}
	for (; d; d = next) {
		struct dentry **b = bucket(d->hash);
		next = d->hnext;
		d->hnext = *b;
		*b = d;
	}
}

static void table_init(void)
{
	if (table)
		return;
	table = mmap(NULL, MAX_BUCKETS * sizeof(*table), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		     -1, 0);
	if (table == MAP_FAILED || getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		die("cannot set up the dentry cache");
	leak_root(table, MAX_BUCKETS * sizeof(*table));
}

static size_t d_size(const struct dentry *d)
{
	/* The inode that a cached entry keeps alive is counted with it. */
	return sizeof(*d) + d->namelen + 1 + (d->inode ? sizeof(struct inode) + 64 : 0);
}

static void lru_add(struct dentry *d)
{
	if (d->flags & (D_ONLRU | D_PINNED | D_MOUNTPOINT))
		return;
	d->flags |= D_ONLRU;
	TAILQ_INSERT_TAIL(&lru, d, lru);
	lru_entries++;
	lru_bytes += d_size(d);
}

static void lru_del(struct dentry *d)
{
	if (!(d->flags & D_ONLRU))
		return;
	d->flags &= ~D_ONLRU;
	TAILQ_REMOVE(&lru, d, lru);
	lru_entries--;
	lru_bytes -= d_size(d);
}

void d_cover(struct dentry *d, struct mount *m)
{
	vfs_assert_locked(1);
	lru_del(d);
	d->mounted = m;
	__atomic_fetch_or(&d->flags, D_MOUNTPOINT, __ATOMIC_RELEASE);
}

static void hash_add(struct dentry *d)
{
	struct dentry **b;

	d->hash = d_hash(d->parent, hash64(d->name, d->namelen));
	if (++n_hashed > level + split)
		grow();
	b = bucket(d->hash);
	d->hnext = *b;
	*b = d;
	LIST_INSERT_HEAD(&d->parent->children, d, sibling);
	d->flags |= D_HASHED;
}

static void hash_del(struct dentry *d)
{
	struct dentry **b;

	if (!(d->flags & D_HASHED))
		return;
	for (b = bucket(d->hash); *b != d; b = &(*b)->hnext)
		;
	*b = d->hnext;
	n_hashed--;
	LIST_REMOVE(d, sibling);
	d->flags &= ~D_HASHED;
}

struct dentry *d_lookup(struct dentry *parent, const char *name, size_t len)
{
	uint32_t h = d_hash(parent, hash64(name, len));

	for (struct dentry *d = *bucket(h); d; d = d->hnext)
		if (d->hash == h && d->parent == parent && d->namelen == len && memcmp(d->name, name, len) == 0)
			return d;
	return NULL;
}

/* [W] For changes that must not stop half way: a dentry for a name of any length, and names for two dentries. Taken when malloc fails. */
static struct {
	struct dentry *d;
	char *names[2];
} reserve;

int d_reserve(void)
{
	vfs_assert_locked(1);
	if (!reserve.d)
		reserve.d = calloc(1, sizeof(*reserve.d) + NAME_MAX + 1);
	for (size_t n = 0; n < ARRAY_SIZE(reserve.names); n++)
		if (!reserve.names[n])
			reserve.names[n] = malloc(NAME_MAX + 1);
	return reserve.d && reserve.names[0] && reserve.names[1] ? 0 : -ENOMEM;
}

static char *name_alloc(size_t len)
{
	char *name = malloc(len + 1);

	for (size_t n = 0; !name && n < ARRAY_SIZE(reserve.names); n++)
		name = take_ptr(reserve.names[n]);
	return name;
}

static struct dentry *d_alloc(struct super *sb, const char *name, size_t len, bool must)
{
	struct dentry *d = calloc(1, sizeof(*d) + len + 1);

	if (!d && must)
		d = take_ptr(reserve.d);
	if (!d)
		return NULL;
	d->name = d->iname;
	memcpy(d->name, name, len);
	d->namelen = (uint16_t)len;
	d->sb = sb;
	LIST_INIT(&d->children);
	n_dentries++;
	return d;
}

static bool d_unwanted(const struct dentry *d)
{
	if (atomic_load(&d->refs) || (d->flags & (D_ALIAS | D_PINNED)))
		return false;
	return (d->flags & D_DEAD) || ((d->sb->flags & SB_DYNAMIC) && d->parent != d);
}

/* [W] refs is 0: frees d, and then the parents that nothing but d kept. */
static void d_release(struct dentry *d)
{
	for (;;) {
		struct inode *i = d->inode;
		struct dentry *parent = d->parent;

		lru_del(d);
		hash_del(d);
		if (i && inode_has_alias(i) && i->alias == d) {
			if ((d->flags & D_DEAD) && atomic_load(&i->refs) > 1) {
				d->flags |= D_ALIAS; /* the inode owns it now, and no longer the other way round */
				iput_locked(i);
				return;
			}
			i->alias = NULL;
		}
		d->inode = NULL;
		if (d->sb->ops && d->sb->ops->dentry_free)
			d->sb->ops->dentry_free(d);
		if (i)
			iput_locked(i);
		if (d->name != d->iname)
			free(d->name);
		free(d);
		n_dentries--;
		if (parent == d || atomic_fetch_sub(&parent->refs, 1) != 1 || !d_unwanted(parent))
			return;
		d = parent;
	}
}

void dget(struct dentry *d)
{
	atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
}

void dput(struct dentry *d)
{
	unsigned n;
	bool last = false;

	if (!d)
		return;
	n = atomic_load(&d->refs);
	while (n > 1)
		if (atomic_compare_exchange_weak(&d->refs, &n, n - 1))
			return;
	vfs_rdlock();
	if ((d->flags & (D_DEAD | D_ALIAS)) || (d->sb->flags & SB_DYNAMIC))
		last = true;
	else
		atomic_fetch_sub(&d->refs, 1);
	vfs_rdunlock();
	if (!last)
		return;
	vfs_wrlock();
	if (atomic_fetch_sub(&d->refs, 1) == 1 && d_unwanted(d))
		d_release(d);
	vfs_wrunlock();
}

static struct dentry *add(struct dentry *parent, const char *name, size_t len, struct inode *inode, void *fsdata, bool must)
{
	struct dentry *d;

	vfs_assert_locked(1);
	d = d_alloc(parent->sb, name, len, must);
	if (!d)
		return NULL;
	d->parent = parent;
	dget(parent);
	d->inode = inode;
	d->fsdata = fsdata;
	d->flags = D_REFERENCED;
	if (unlikely(parent->rule))
		d->rule = rules_child(parent->rule, name, len);
	hash_add(d);
	lru_add(d);
	return d;
}

struct dentry *d_add(struct dentry *parent, const char *name, size_t len, struct inode *inode, void *fsdata)
{
	return add(parent, name, len, inode, fsdata, false);
}

struct dentry *d_make_root(struct super *sb, struct inode *inode)
{
	struct dentry *d;

	vfs_wrlock();
	table_init();
	d = d_alloc(sb, "/", 1, false);
	if (d) {
		d->parent = d;
		d->inode = inode;
		d->flags = D_PINNED;
		atomic_init(&d->refs, 1);
	}
	vfs_wrunlock();
	return d;
}

static void changed(struct dentry *dir)
{
	if (dir->inode)
		dir->inode->dirver++;
}

void d_instantiate(struct dentry *d, struct inode *inode)
{
	bool on_lru = d->flags & D_ONLRU;

	vfs_assert_locked(1);
	lru_del(d);
	__atomic_store_n(&d->inode, inode, __ATOMIC_RELEASE); /* d_inode() */
	d->flags &= ~D_WHITEOUT;
	if (on_lru)
		lru_add(d);
	changed(d->parent);
}

static struct dentry *deepest(struct dentry *d)
{
	while (!LIST_EMPTY(&d->children))
		d = LIST_FIRST(&d->children);
	return d;
}

/* [W] d has no children. */
static void kill_one(struct dentry *d)
{
	lru_del(d);
	hash_del(d);
	d->flags = (d->flags & ~(D_PINNED | D_COMPLETE)) | D_DEAD;
	if (d_unwanted(d))
		d_release(d);
}

/* What is still known below d goes with it: negative entries and whiteouts; all, where the host replaced a directory. Not recursive:
 * a tracee decides how deep a tree is. */
void d_kill(struct dentry *d)
{
	struct dentry *cur = deepest(d), *parent;

	vfs_assert_locked(1);
	while (cur != d) {
		parent = cur->parent;
		dget(parent);
		kill_one(cur);
		atomic_fetch_sub(&parent->refs, 1);
		cur = deepest(parent);
	}
	kill_one(d);
}

static void d_evict(struct dentry *d)
{
	if (d->inode && d->parent != d)
		d->parent->flags &= ~D_COMPLETE;
	d_release(d);
}

static void make_negative(struct dentry *parent, const char *name, size_t len, uint32_t flags)
{
	struct dentry *n;

	if (!flags && (!dir_cacheable(parent->sb) || (parent->flags & D_COMPLETE)))
		return;
	n = add(parent, name, len, NULL, NULL, flags & D_WHITEOUT);
	if (!n) {
		/* A lost cache entry does no harm, a lost whiteout brings a file back; without d_reserve() there's no way back. */
		if (flags & D_WHITEOUT)
			die("out of memory");
		return;
	}
	if (flags & D_WHITEOUT) {
		n->flags |= D_WHITEOUT;
		d_pin(n);
	}
}

void d_delete(struct dentry *d, uint32_t negative_flags)
{
	struct dentry *parent = d->parent;
	char name[NAME_MAX + 1];
	size_t len = d->namelen;

	vfs_assert_locked(1);
	memcpy(name, d->name, len);
	changed(parent);
	dget(parent);
	d_kill(d);
	make_negative(parent, name, len, negative_flags);
	atomic_fetch_sub(&parent->refs, 1); /* d's directory is alive: it has an inode and a place */
}

static void set_name(struct dentry *d, const char *name, size_t len)
{
	char *old = d->name;

	if (len > d->namelen || old != d->iname) { /* iname is as long as the first name only */
		d->name = name_alloc(len);
		if (!d->name)
			die("out of memory");
	}
	memmove(d->name, name, len);
	d->name[len] = 0;
	d->namelen = (uint16_t)len;
	if (old != d->name && old != d->iname)
		free(old);
}

/* [W] parent: gets a reference. The old one's is left to the caller. */
static void relocate(struct dentry *d, struct dentry *parent, const char *name, size_t len)
{
	bool on_lru = d->flags & D_ONLRU;

	hash_del(d);
	lru_del(d);
	set_name(d, name, len);
	d->parent = parent;
	dget(parent);
	hash_add(d);
	if (on_lru)
		lru_add(d);
	if (unlikely(rules_on))
		rules_relabel(d);
}

void d_move(struct dentry *from, struct dentry *to, uint32_t negative_flags)
{
	struct dentry *oldp = from->parent, *newp = to->parent;
	char oname[NAME_MAX + 1], nname[NAME_MAX + 1];
	size_t olen = from->namelen, nlen = to->namelen;

	vfs_assert_locked(1);
	memcpy(oname, from->name, olen);
	memcpy(nname, to->name, nlen);
	changed(oldp);
	changed(newp);
	dget(newp);
	d_kill(to);
	relocate(from, newp, nname, nlen);
	atomic_fetch_sub(&newp->refs, 1);
	make_negative(oldp, oname, olen, negative_flags);
	atomic_fetch_sub(&oldp->refs, 1);
}

void d_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *ap = a->parent, *bp = b->parent;
	char an[NAME_MAX + 1], bn[NAME_MAX + 1];
	size_t al = a->namelen, bl = b->namelen;

	vfs_assert_locked(1);
	memcpy(an, a->name, al);
	memcpy(bn, b->name, bl);
	changed(ap);
	changed(bp);
	relocate(a, bp, bn, bl);
	relocate(b, ap, an, al);
	atomic_fetch_sub(&ap->refs, 1);
	atomic_fetch_sub(&bp->refs, 1);
}

void d_pin(struct dentry *d)
{
	vfs_assert_locked(1);
	for (; !(d->flags & D_PINNED); d = d->parent) {
		lru_del(d);
		d->flags |= D_PINNED;
	}
}

void dcache_trim(void)
{
	unsigned scan = 128;

	while ((lru_entries > max_entries || lru_bytes > max_bytes) && scan--) {
		struct dentry *d = TAILQ_FIRST(&lru);

		if (!d)
			return;
		if (atomic_load(&d->refs) || (d->flags & D_REFERENCED)) {
			d->flags &= ~D_REFERENCED;
			TAILQ_REMOVE(&lru, d, lru);
			TAILQ_INSERT_TAIL(&lru, d, lru);
			continue;
		}
		n_evicted++;
		d_evict(d);
	}
}

void d_put_alias(struct inode *i)
{
	struct dentry *d = i->alias;

	i->alias = NULL;
	if (!d || !(d->flags & D_ALIAS))
		return;
	d->flags &= ~D_ALIAS;
	d->inode = NULL;
	if (d_unwanted(d))
		d_release(d);
}

void d_set_alias(struct dentry *d, struct inode *i)
{
	bool owned;

	vfs_rdlock();
	if (d->inode != i || !inode_has_alias(i) || (d->flags & D_DEAD)) {
		vfs_rdunlock();
		return;
	}
	struct dentry *old = __atomic_load_n(&i->alias, __ATOMIC_RELAXED);
	owned = old && (old->flags & D_ALIAS);
	if (old != d && !owned)
		__atomic_store_n(&i->alias, d, __ATOMIC_RELAXED);
	vfs_rdunlock();
	if (!owned)
		return;
	vfs_wrlock();
	if (d->inode == i && !(d->flags & D_DEAD)) {
		d_put_alias(i);
		i->alias = d;
	}
	vfs_wrunlock();
}

void dcache_count(bool hit)
{
	if (unlikely(!shard))
		shard = 1 + atomic_fetch_add(&next_shard, 1) % ARRAY_SIZE(counts);
	atomic_fetch_add_explicit(hit ? &counts[shard - 1].hits : &counts[shard - 1].misses, 1, memory_order_relaxed);
}

void dcache_limit(size_t entries, size_t bytes)
{
	max_entries = entries;
	max_bytes = bytes;
}

void dcache_census(struct dcache_census *out)
{
	enum { STEP = 512 };
	uint32_t at = 0, n;

	*out = (struct dcache_census){.max_entries = max_entries, .max_bytes = max_bytes};
	do {
		vfs_rdlock();
		n = table ? level + split : 0;
		for (uint32_t end = MIN(at + STEP, n); at < end; at++)
			for (const struct dentry *d = table[at]; d; d = d->hnext) {
				out->dentries++;
				out->negative += !d->inode;
				out->pinned += !!(d->flags & D_PINNED);
				out->whiteouts += !!(d->flags & D_WHITEOUT);
				out->bytes += d_size(d);
			}
		out->lru_entries = lru_entries;
		out->lru_bytes = lru_bytes;
		vfs_rdunlock();
	} while (at < n);
	out->buckets = n;
}

void dcache_stats(struct vfs_stats *out)
{
	for (size_t n = 0; n < ARRAY_SIZE(counts); n++) {
		out->dcache_hits += counts[n].hits;
		out->dcache_misses += counts[n].misses;
	}
	vfs_rdlock();
	out->dcache_evicted = n_evicted;
	out->dentries = n_dentries;
	vfs_rdunlock();
}
