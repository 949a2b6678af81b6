/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task.c - records: immutable, interned process states (task.h).
 *
 * Equal states are found by a canonical string of bytes (struct key). An id is a slot of the table and the slot's generation, so that lookup
 * is an array access and no id comes back. The table holds one reference on each record; only record_collect() drops it, when no
 * process has the id and no call holds the record.
 *
 * Lock order: task_lock(), then table_lock. record_put() never frees, so it may be called under any lock; freeing a record
 * drops VFS references and is done with neither vfs lock held.
 */
#include "kernel/task.h"
#include "kernel/pending.h"

#include <string.h>
#include <uthash.h>

#define INDEX_BITS 20
#define MAX_SLOTS  (1U << INDEX_BITS)
#define GEN_LIMIT  (UINT64_C(1) << (62 - INDEX_BITS)) /* ids stay below RLIM_INFINITY */

/* A record that two collections in a row found unused is freed: one enumeration of processes can miss a child that was forked
 * behind its back by a parent that then died. */
#define OLD_AGE 2

struct entry {
	struct record r; /* first: struct record * is a struct entry * */
	UT_hash_handle hh;
	void *key;
	size_t key_len;
	unsigned age;
	bool marked;
};

static pthread_mutex_t change_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
/* All guarded by table_lock. */
static struct entry *by_key;
static struct entry **slots;
static uint64_t *generations;
static uint32_t *free_slots, n_free, n_slots, cap_slots;
static size_t n_records;

void task_init(void)
{
	/* The tables grow on demand; interning must not fail for the first record. */
	pthread_mutex_lock(&table_lock);
	pthread_mutex_unlock(&table_lock);
}

static struct entry *entry_of(struct record *r)
{
	return container_of(r, struct entry, r);
}

static void exe_free(struct exe *e)
{
	if (!e)
		return;
	path_put(&e->path);
	free(e->cmdline_prefix);
	free(e);
}

static struct exe *exe_dup(const struct exe *e)
{
	struct exe *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	if (e->cmdline_prefix) {
		n->cmdline_prefix = malloc(e->cmdline_prefix_len + 1);
		if (!n->cmdline_prefix) {
			free(n);
			return NULL;
		}
		memcpy(n->cmdline_prefix, e->cmdline_prefix, e->cmdline_prefix_len);
		n->cmdline_prefix[e->cmdline_prefix_len] = 0;
		n->cmdline_prefix_len = e->cmdline_prefix_len;
	}
	n->path = e->path;
	path_get(&n->path);
	return n;
}

void record_free_draft(struct record *r)
{
	if (!r)
		return;
	free(r->cred);
	path_put(&r->cwd);
	path_put(&r->root);
	exe_free(r->exe);
	if (r->pending)
		pending_put(r->pending);
	free(entry_of(r)->key);
	free(entry_of(r));
}

struct record *record_draft(const struct record *old)
{
	struct entry *e = calloc(1, sizeof(*e));
	struct record *r;

	if (!e)
		return NULL;
	r = &e->r;
	if (!old)
		return r;
	r->umask = old->umask;
	r->dumpable = old->dumpable;
	memcpy(r->rlim_locks, old->rlim_locks, sizeof(r->rlim_locks));
	memcpy(r->rlim_core, old->rlim_core, sizeof(r->rlim_core));
	if (old->cwd.dentry) {
		r->cwd = old->cwd;
		path_get(&r->cwd);
	}
	if (old->root.dentry) {
		r->root = old->root;
		path_get(&r->root);
	}
	if (old->pending) {
		r->pending = old->pending;
		pending_get(r->pending);
	}
	r->cred = old->cred ? cred_dup(old->cred) : NULL;
	r->exe = old->exe ? exe_dup(old->exe) : NULL;
	if ((old->cred && !r->cred) || (old->exe && !r->exe)) {
		record_free_draft(r);
		return NULL;
	}
	return r;
}

/* Everything that makes two records different, without padding. The variable parts follow. */
struct key {
	uint64_t cwd[2], root[2], exe[2], pending;
	uint64_t inheritable, permitted, effective, bounding, ambient;
	uint64_t rlim_locks[2], rlim_core[2];
	uint32_t ids[8], securebits, flags, umask, ngroups, prefix_len, has_exe;
};

static int make_key(struct entry *e)
{
	const struct record *r = &e->r;
	const struct cred *c = r->cred;
	size_t groups = (size_t)c->ngroups * sizeof(gid_t), prefix = r->exe ? r->exe->cmdline_prefix_len : 0;
	char *p;
	struct key k;

	memset(&k, 0, sizeof(k));
	k.cwd[0] = (uintptr_t)r->cwd.mnt, k.cwd[1] = (uintptr_t)r->cwd.dentry;
	k.root[0] = (uintptr_t)r->root.mnt, k.root[1] = (uintptr_t)r->root.dentry;
	if (r->exe) {
		k.has_exe = 1;
		k.exe[0] = (uintptr_t)r->exe->path.mnt, k.exe[1] = (uintptr_t)r->exe->path.dentry;
	}
	k.pending = (uintptr_t)r->pending;
	k.inheritable = c->inheritable, k.permitted = c->permitted, k.effective = c->effective;
	k.bounding = c->bounding, k.ambient = c->ambient;
	memcpy(k.rlim_locks, r->rlim_locks, sizeof(k.rlim_locks));
	memcpy(k.rlim_core, r->rlim_core, sizeof(k.rlim_core));
	memcpy(k.ids, (uint32_t[]){c->uid, c->euid, c->suid, c->fsuid, c->gid, c->egid, c->sgid, c->fsgid}, sizeof(k.ids));
	k.securebits = c->securebits;
	k.flags = (uint32_t)c->no_new_privs | (uint32_t)c->keep_caps << 1 | (uint32_t)r->dumpable << 2;
	k.umask = r->umask;
	k.ngroups = (uint32_t)c->ngroups;
	k.prefix_len = (uint32_t)prefix;

	e->key_len = sizeof(k) + groups + prefix;
	p = e->key = malloc(e->key_len);
	if (!p)
		return -ENOMEM;
	memcpy(p, &k, sizeof(k));
	memcpy(p + sizeof(k), c->groups, groups);
	if (prefix)
		memcpy(p + sizeof(k) + groups, r->exe->cmdline_prefix, prefix);
	return 0;
}

/* table_lock held. */
static int slot_alloc(uint32_t *slot)
{
	if (n_free) {
		*slot = free_slots[--n_free];
		return 0;
	}
	if (n_slots == cap_slots) {
		uint32_t cap = cap_slots ? cap_slots * 2 : 256;
		void *p;

		if (cap > MAX_SLOTS)
			return -ENOMEM;
		/* An array that has grown is no harm if a later one can't. */
		if (!(p = realloc(slots, cap * sizeof(*slots))))
			return -ENOMEM;
		slots = p;
		if (!(p = realloc(generations, cap * sizeof(*generations))))
			return -ENOMEM;
		generations = p;
		if (!(p = realloc(free_slots, cap * sizeof(*free_slots))))
			return -ENOMEM;
		free_slots = p;
		cap_slots = cap;
	}
	slots[n_slots] = NULL;
	generations[n_slots] = 1; /* no id is 0 */
	*slot = n_slots++;
	return 0;
}

struct record *record_intern(struct record *draft)
{
	struct entry *e = entry_of(draft), *found;
	uint32_t slot;

	if (!draft->cred || make_key(e)) {
		record_free_draft(draft);
		return NULL;
	}
	pthread_mutex_lock(&table_lock);
	HASH_FIND(hh, by_key, e->key, e->key_len, found);
	if (found) {
		atomic_fetch_add(&found->r.refs, 1);
		found->age = 0;
		pthread_mutex_unlock(&table_lock);
		record_free_draft(draft);
		return &found->r;
	}
	if (slot_alloc(&slot)) {
		pthread_mutex_unlock(&table_lock);
		record_free_draft(draft);
		return NULL;
	}
	draft->id = generations[slot] << INDEX_BITS | slot;
	draft->vcred = (struct vfs_cred){
		.uid = draft->cred->fsuid,
		.gid = draft->cred->fsgid,
		.caps = draft->cred->effective,
		.ngroups = draft->cred->ngroups,
		.groups = draft->cred->groups,
	};
	atomic_init(&draft->refs, 2); /* the table's and the caller's */
	slots[slot] = e;
	HASH_ADD_KEYPTR(hh, by_key, e->key, e->key_len, e);
	n_records++;
	pthread_mutex_unlock(&table_lock);
	return draft;
}

/* table_lock held. */
static struct entry *find_locked(uint64_t id)
{
	uint64_t slot = id & (MAX_SLOTS - 1);

	if (slot >= n_slots || !slots[slot] || slots[slot]->r.id != id)
		return NULL;
	return slots[slot];
}

struct record *record_find(uint64_t id)
{
	struct entry *e;

	pthread_mutex_lock(&table_lock);
	e = find_locked(id);
	if (e)
		atomic_fetch_add(&e->r.refs, 1);
	pthread_mutex_unlock(&table_lock);
	return e ? &e->r : NULL;
}

void record_get(struct record *r)
{
	atomic_fetch_add(&r->refs, 1);
}

void record_put(struct record *r)
{
	if (r)
		atomic_fetch_sub(&r->refs, 1);
}

void task_lock(void)
{
	pthread_mutex_lock(&change_lock);
}

void task_unlock(void)
{
	pthread_mutex_unlock(&change_lock);
}

static void mark_one(uint64_t id, void *arg)
{
	struct entry *e;

	pthread_mutex_lock(&table_lock);
	e = find_locked(id);
	if (e)
		e->marked = true;
	pthread_mutex_unlock(&table_lock);
}

void record_collect(void (*each)(void (*mark)(uint64_t id, void *arg), void *arg))
{
	struct entry *e, *tmp, *dead = NULL;

	pthread_mutex_lock(&table_lock);
	for (e = by_key; e; e = e->hh.next)
		e->marked = false;
	pthread_mutex_unlock(&table_lock);
	/* Unlocked: it reads the limits of all processes. What is interned meanwhile has a reference or an age below. */
	each(mark_one, NULL);
	pthread_mutex_lock(&table_lock);
	HASH_ITER (hh, by_key, e, tmp) {
		uint64_t slot = e->r.id & (MAX_SLOTS - 1);

		if (e->marked || atomic_load(&e->r.refs) > 1) {
			e->age = 0;
			continue;
		}
		if (++e->age < OLD_AGE)
			continue;
		HASH_DEL(by_key, e);
		slots[slot] = NULL;
		n_records--;
		/* A slot whose generations are used up is never handed out again. */
		if (++generations[slot] < GEN_LIMIT)
			free_slots[n_free++] = (uint32_t)slot;
		e->hh.next = dead;
		dead = e;
	}
	pthread_mutex_unlock(&table_lock);
	while ((e = dead)) {
		dead = e->hh.next;
		record_free_draft(&e->r);
	}
}

size_t record_count(void)
{
	size_t n;

	pthread_mutex_lock(&table_lock);
	n = n_records;
	pthread_mutex_unlock(&table_lock);
	return n;
}
