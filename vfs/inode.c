/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inode.c - the generic part of inodes: references, permission, host objects, device numbers.
 *
 * An inode's count falls to 0 only under the lock for writing. So under the lock for reading an inode that a table shows is alive.
 */
#include "base/leak.h"
#include "base/log.h"
#include "vfs/core.h"

#include <linux/capability.h>
#include <string.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <uthash.h>

/* Chains, and as many buckets as entries: linear hashing, as in dcache.c, so that no insertion pays for a whole rehash. */
#define MAX_BUCKETS (1U << 24)
static struct {
	struct hostobj **table;
	uint32_t level, split; /* level + split buckets are in use */
	size_t n;
} objs = {.level = 1024};

struct devmap {
	uint64_t host;
	dev_t dev;
	UT_hash_handle hh;
};
static pthread_mutex_t dev_lock = PTHREAD_MUTEX_INITIALIZER;
static struct devmap *devmaps;
static unsigned next_minor = 40; /* what anonymous devices of a small host look like */

static _Atomic uint64_t next_ino = 2;
static _Atomic uint64_t n_inodes;

void iget(struct inode *i)
{
	atomic_fetch_add_explicit(&i->refs, 1, memory_order_relaxed);
}

bool iget_live(struct inode *i)
{
	unsigned n = atomic_load(&i->refs);

	while (n)
		if (atomic_compare_exchange_weak(&i->refs, &n, n + 1))
			return true;
	return false;
}

void iput_locked(struct inode *i)
{
	vfs_assert_locked(1);
	if (atomic_fetch_sub(&i->refs, 1) != 1)
		return;
	if (S_ISDIR(i->mode))
		snap_drop(i);
	else if (S_ISLNK(i->mode))
		free(i->link);
	else
		d_put_alias(i);
	i->link = NULL;
	if (S_ISSOCK(i->mode))
		free(take_ptr(i->sock));
	atomic_fetch_sub(&n_inodes, 1);
	i->ops->release(i);
}

void iput(struct inode *i)
{
	unsigned n;

	if (!i)
		return;
	n = atomic_load(&i->refs);
	while (n > 1)
		if (atomic_compare_exchange_weak(&i->refs, &n, n - 1))
			return;
	vfs_wrlock();
	iput_locked(i);
	vfs_wrunlock();
}

void inode_init(struct inode *i, struct super *sb, const struct inode_ops *ops, uint32_t mode)
{
	memset(i, 0, sizeof(*i));
	atomic_init(&i->refs, 1);
	i->mode = mode;
	i->ops = ops;
	i->sb = sb;
	i->ino = vfs_new_ino();
	i->dev = sb->dev;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	i->blksize = 4096;
	i->atime = i->mtime = i->ctime = i->btime = vfs_now();
	atomic_fetch_add(&n_inodes, 1);
}

struct inode *path_inode(const struct path *p)
{
	struct inode *i;

	vfs_rdlock();
	i = p->dentry->inode;
	if (i)
		iget(i);
	vfs_rdunlock();
	return i;
}

uint64_t vfs_new_ino(void)
{
	return atomic_fetch_add(&next_ino, 1);
}

void vfs_reserve_ino(uint64_t last)
{
	uint64_t next = atomic_load(&next_ino);

	if (last != UINT64_MAX && next <= last)
		atomic_store(&next_ino, last + 1);
}

int64_t vfs_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static uint32_t obj_hash(uint32_t dev, uint64_t ino)
{
	/* Host inode numbers aren't the program's to choose. */
	return (uint32_t)(((ino ^ ((uint64_t)dev << 32)) * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static struct hostobj **obj_bucket(uint32_t hash)
{
	uint32_t b = hash & (2 * objs.level - 1);

	return &objs.table[b < objs.level + objs.split ? b : b & (objs.level - 1)];
}

static void obj_grow(void)
{
	struct hostobj *h = objs.table[objs.split], *next;

	if (objs.level + objs.split >= MAX_BUCKETS)
		return;
	objs.table[objs.split] = NULL;
	if (++objs.split == objs.level) {
		objs.level *= 2;
		objs.split = 0;
	}
	for (; h; h = next) {
		struct hostobj **b = obj_bucket(obj_hash(h->dev, h->ino));
		next = h->next;
		h->next = *b;
		*b = h;
	}
}

static struct hostobj *obj_find(dev_t dev, uint64_t ino)
{
	struct hostobj *h = objs.table ? *obj_bucket(obj_hash((uint32_t)dev, ino)) : NULL;

	while (h && (h->ino != ino || h->dev != (uint32_t)dev))
		h = h->next;
	return h;
}

void hostobj_add(struct hostobj *h, dev_t dev, uint64_t ino, struct inode *inode)
{
	vfs_assert_locked(1);
	if (!objs.table) {
		void *p = mmap(NULL, MAX_BUCKETS * sizeof(*objs.table), PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p == MAP_FAILED)
			die("cannot set up the table of host objects");
		objs.table = p;
		leak_root(p, MAX_BUCKETS * sizeof(*objs.table));
	}
	hostobj_del(h);
	struct hostobj *other = obj_find(dev, ino);
	if (other)
		hostobj_del(other);
	if (++objs.n > objs.level + objs.split)
		obj_grow();
	struct hostobj **b = obj_bucket(obj_hash((uint32_t)dev, ino));
	*h = (struct hostobj){.next = *b, .inode = inode, .ino = ino, .dev = (uint32_t)dev};
	*b = h;
}

void hostobj_del(struct hostobj *h)
{
	vfs_assert_locked(1);
	if (!h->inode)
		return;
	struct hostobj **p = obj_bucket(obj_hash(h->dev, h->ino));
	while (*p != h)
		p = &(*p)->next;
	*p = h->next;
	h->inode = NULL;
	objs.n--;
}

struct inode *hostobj_find(dev_t dev, uint64_t ino)
{
	struct hostobj *h = obj_find(dev, ino);

	return h ? h->inode : NULL;
}

dev_t vfs_map_dev(uint64_t host_dev)
{
	struct devmap *m;
	dev_t dev;

	pthread_mutex_lock(&dev_lock);
	HASH_FIND(hh, devmaps, &host_dev, sizeof(host_dev), m);
	if (!m) {
		m = malloc(sizeof(*m));
		if (!m) {
			pthread_mutex_unlock(&dev_lock);
			return makedev(0, 39);
		}
		m->host = host_dev;
		m->dev = makedev(0, next_minor++);
		HASH_ADD(hh, devmaps, host, sizeof(m->host), m);
	}
	dev = m->dev;
	pthread_mutex_unlock(&dev_lock);
	return dev;
}

bool vfs_dev_known(uint64_t host_dev)
{
	struct devmap *m;

	pthread_mutex_lock(&dev_lock);
	HASH_FIND(hh, devmaps, &host_dev, sizeof(host_dev), m);
	pthread_mutex_unlock(&dev_lock);
	return m != NULL;
}

dev_t vfs_new_dev(void)
{
	dev_t dev;

	pthread_mutex_lock(&dev_lock);
	dev = makedev(0, next_minor++);
	pthread_mutex_unlock(&dev_lock);
	return dev;
}

bool in_group(const struct vfs_cred *c, gid_t gid)
{
	if (c->gid == gid)
		return true;
	for (int n = 0; n < c->ngroups; n++)
		if (c->groups[n] == gid)
			return true;
	return false;
}

bool inode_owner_or_capable(const struct vfs_cred *c, const struct inode *i)
{
	return c->uid == i->uid || vfs_capable(c, CAP_FOWNER);
}

int inode_permission(const struct vfs_cred *cred, const struct inode *inode, int mask)
{
	uint32_t mode = inode->mode;
	bool any_x = mode & 0111;

	mask &= MAY_READ | MAY_WRITE | MAY_EXEC;
	if (unlikely(inode->flags & I_IMMUTABLE) && (mask & MAY_WRITE))
		return -EPERM;
	if (cred->uid == inode->uid)
		mode >>= 6;
	else if (((mode >> 3) ^ mode) & 7 && in_group(cred, inode->gid))
		mode >>= 3;
	if (!(mask & ~mode & 7))
		return 0;
	if (S_ISDIR(inode->mode)) {
		if (!(mask & MAY_WRITE) && vfs_capable(cred, CAP_DAC_READ_SEARCH))
			return 0;
		return vfs_capable(cred, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if (mask == MAY_READ && vfs_capable(cred, CAP_DAC_READ_SEARCH))
		return 0;
	if ((!(mask & MAY_EXEC) || any_x) && vfs_capable(cred, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

int path_permission(const struct vfs_cred *c, const struct path *p, int mask)
{
	const struct inode *i;
	int err;

	vfs_rdlock();
	i = p->dentry->inode;
	if (!i)
		err = -ENOENT;
	else
		err = inode_permission(c, i, mask);
	/* In the order of a read-only mount, where a read-only file system would be EROFS first. */
	if (!err && (mask & MAY_WRITE) && path_rdonly(p) && (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
		err = -EROFS;
	vfs_rdunlock();
	return err;
}

uint64_t inode_count(void)
{
	return atomic_load(&n_inodes);
}

void inode_stats(struct vfs_stats *out)
{
	out->inodes = n_inodes;
}
