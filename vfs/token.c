/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c - the descriptors that stand for directories and O_PATH objects.
 *
 * A token is an empty object in a directory of our own, opened through a read-only mount, one for each open; its inode number says which.
 * It must be known exactly when the last reference to such an open file description has gone, wherever it went: one inotify watch on
 * the token directory reports the close of each child by name. The token is then reused. A token has one open at a time, so a
 * report can't belong to a later one. Reports that were lost cost a token, nothing else.
 *
 * A directory's token is a directory: lseek() sets the position of getdents. An O_PATH descriptor's is a file opened with access
 * mode 3, for neither reading nor writing: SECCOMP_IOCTL_NOTIF_ADDFD hands out no real O_PATH descriptor (EBADF), and their close is
 * not reported either. read, write, ftruncate and the like are EBADF on it as well; what it natively isn't (fsync, F_GETFL) is trapped.
 *
 * flock() on a directory: each open has an inode of its own, so the host would see no conflict. Who holds which is kept here, by
 * token: that is by open file description, as flock(2) wants it, and the report of its close is queued before close() returns.
 *
 * struct tokens are never freed, only reused: a struct vfile may point to one after its descriptor was closed.
 * Lock order: tokens.lock, then the vfs lock. token_lock() is taken with neither held.
 */
#include "base/log.h"
#include "vfs/core.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <uthash.h>

/* The flock()s on one directory; gone when there are none. */
struct dirlock {
	struct {
		uint64_t dev, ino;
	} key;
	unsigned shared;
	bool exclusive;
	UT_hash_handle hh;
};

struct token {
	uint64_t ino;
	uint32_t num; /* its name */
	bool o_path;
	struct path path;     /* referenced; empty: free */
	struct dirsnap *snap; /* under lock */
	pthread_mutex_t lock; /* serialises getdents on one description */
	struct dirlock *held;
	int held_op; /* LOCK_SH or LOCK_EX, if held */
	UT_hash_handle hh, hh_num;
	struct token *next; /* free list */
};

static struct {
	pthread_mutex_t lock;
	int rw, ro, ifd;
	dev_t dev;
	uint32_t next_num, opens;
	struct token *by_ino, *by_num;
	struct token *free_dirs, *free_opath;
	struct dirlock *dirlocks;
} tokens = {.lock = PTHREAD_MUTEX_INITIALIZER, .rw = -1, .ro = -1, .ifd = -1};

int token_init(const struct vfs_config *cfg)
{
	struct stat st;
	int fd;

	if (cfg->token_rw < 0 || cfg->token_ro < 0)
		return 0;
	if (fstat(cfg->token_rw, &st) < 0 || fchdir(cfg->token_rw) < 0)
		return -errno;
	tokens.rw = cfg->token_rw;
	tokens.ro = cfg->token_ro;
	tokens.dev = st.st_dev;
	fd = openat(tokens.rw, "empty", O_CREAT | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (fd < 0)
		return -errno;
	close(fd);
	tokens.ifd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (tokens.ifd >= 0 && inotify_add_watch(tokens.ifd, ".", IN_CLOSE) < 0) {
		close(tokens.ifd);
		tokens.ifd = -1;
	}
	if (tokens.ifd < 0)
		log_msg("no inotify (%m): memory of closed directories is not given back");
	return 0;
}

/* Under tokens.lock. */
static void dirlock_drop(struct token *t)
{
	struct dirlock *l = take_ptr(t->held);

	if (!l)
		return;
	if (t->held_op == LOCK_EX)
		l->exclusive = false;
	else
		l->shared--;
	if (l->exclusive || l->shared)
		return;
	HASH_DEL(tokens.dirlocks, l);
	free(l);
}

/* Under tokens.lock. The description has gone; the lock of the token can still be in use by a call on it that is about to end. */
static void token_release(struct token *t)
{
	struct dirsnap *snap;

	dirlock_drop(t);
	path_put(&t->path);
	pthread_mutex_lock(&t->lock);
	snap = take_ptr(t->snap);
	pthread_mutex_unlock(&t->lock);
	snap_put(snap);
	t->next = t->o_path ? tokens.free_opath : tokens.free_dirs;
	*(t->o_path ? &tokens.free_opath : &tokens.free_dirs) = t;
}

static void drain(void)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n;

	while (tokens.ifd >= 0 && (n = read(tokens.ifd, buf, sizeof(buf))) > 0) {
		const struct inotify_event *e;

		for (char *p = buf; p < buf + n; p += sizeof(*e) + e->len) {
			struct token *t = NULL;

			e = (const struct inotify_event *)p;
			if ((e->mask & IN_CLOSE) && e->len && (e->name[0] == 'd' || e->name[0] == 'p')) {
				uint32_t num = (uint32_t)strtoul(e->name + 1, NULL, 10);
				HASH_FIND(hh_num, tokens.by_num, &num, sizeof(num), t);
			}
			if (t && t->path.dentry)
				token_release(t);
		}
	}
}

static void remove_object(const char *name, bool o_path)
{
	unlinkat(tokens.rw, name, o_path ? 0 : AT_REMOVEDIR);
}

/* A token that nobody has open, or a new one, opened. */
static int open_token(bool o_path, int flags, struct token **out)
{
	struct token **list = o_path ? &tokens.free_opath : &tokens.free_dirs, *t = *list;
	bool fresh = !t;
	struct stat st;
	char name[16];
	int fd, err;

	if (fresh) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return -ENOMEM;
		pthread_mutex_init(&t->lock, NULL);
		t->num = tokens.next_num++;
		t->o_path = o_path;
	} else {
		*list = t->next;
	}
	snprintf(name, sizeof(name), "%c%u", o_path ? 'p' : 'd', t->num);
	/* Not by open(): its close would be reported as the token's. */
	if (fresh && (o_path ? mknodat(tokens.rw, name, S_IFREG | 0644, 0) : mkdirat(tokens.rw, name, 0755)) < 0) {
		err = -errno;
		free(t);
		return err;
	}
	fd = openat(tokens.ro, name,
		    O_CLOEXEC | O_NOFOLLOW | (o_path ? O_ACCMODE : O_RDONLY | O_DIRECTORY | (flags & O_NONBLOCK)));
	err = fd < 0 || (fresh && fstat(fd, &st) < 0) ? -errno : 0;
	if (err) {
		if (fd >= 0)
			close(fd);
		if (fresh) {
			remove_object(name, o_path);
			free(t);
		} else {
			t->next = *list;
			*list = t;
		}
		return err;
	}
	if (fresh) {
		t->ino = st.st_ino;
		HASH_ADD(hh, tokens.by_ino, ino, sizeof(t->ino), t);
		HASH_ADD(hh_num, tokens.by_num, num, sizeof(t->num), t);
	}
	*out = t;
	return fd;
}

int token_open(const struct path *p, bool o_path, int flags, int *hostfd)
{
	struct token *t = NULL;
	int fd;

	if (tokens.rw < 0)
		return -ENOSYS;
	pthread_mutex_lock(&tokens.lock);
	if (++tokens.opens % 256 == 0 || !(o_path ? tokens.free_opath : tokens.free_dirs))
		drain();
	fd = open_token(o_path, flags, &t);
	if (fd >= 0) {
		t->path = *p;
		path_get(p);
	}
	pthread_mutex_unlock(&tokens.lock);
	if (fd < 0)
		return fd;
	*hostfd = fd;
	return 0;
}

int token_flock(struct token *t, const struct inode *dir, int op)
{
	struct dirlock *l, k = {.key = {dir->dev, dir->ino}};
	int err = 0;

	pthread_mutex_lock(&tokens.lock);
	if (t->held && t->held_op == op)
		goto out;
	/* Not atomic, as flock(2) says: the old lock goes even if the new one can't be had. */
	dirlock_drop(t);
	if (op == LOCK_UN)
		goto out;
	drain();
	HASH_FIND(hh, tokens.dirlocks, &k.key, sizeof(k.key), l);
	if (l && (l->exclusive || op == LOCK_EX)) {
		err = -EWOULDBLOCK;
		goto out;
	}
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l) {
			err = -ENOLCK;
			goto out;
		}
		l->key.dev = dir->dev;
		l->key.ino = dir->ino;
		HASH_ADD(hh, tokens.dirlocks, key, sizeof(l->key), l);
	}
	if (op == LOCK_EX)
		l->exclusive = true;
	else
		l->shared++;
	t->held = l;
	t->held_op = op;
out:
	pthread_mutex_unlock(&tokens.lock);
	return err;
}

struct token *token_find(dev_t dev, uint64_t ino, struct path *p, bool *o_path)
{
	struct token *t;

	if (dev != tokens.dev || tokens.rw < 0)
		return NULL;
	pthread_mutex_lock(&tokens.lock);
	HASH_FIND(hh, tokens.by_ino, &ino, sizeof(ino), t);
	if (t && t->path.dentry) {
		*p = t->path;
		path_get(p);
		*o_path = t->o_path;
	} else {
		t = NULL;
	}
	pthread_mutex_unlock(&tokens.lock);
	return t;
}

struct dirsnap **token_snap(struct token *t)
{
	return &t->snap;
}

void token_lock(struct token *t)
{
	pthread_mutex_lock(&t->lock);
}

void token_unlock(struct token *t)
{
	pthread_mutex_unlock(&t->lock);
}

#define DUMP_TOKENS 100

void token_dump(void (*fn)(void *arg, const struct path *p, bool o_path, bool locked), void *arg, struct token_counts *out)
{
	struct {
		struct path path;
		bool o_path, locked;
	} shown[DUMP_TOKENS];
	unsigned n = 0;

	*out = (struct token_counts){0};
	pthread_mutex_lock(&tokens.lock);
	drain();
	for (struct token *t = tokens.by_ino; t; t = t->hh.next) {
		out->total++;
		if (!t->path.dentry)
			continue;
		out->open++;
		if (n == DUMP_TOKENS)
			continue;
		shown[n].path = t->path;
		shown[n].o_path = t->o_path;
		shown[n++].locked = t->held;
		path_get(&t->path);
	}
	out->locks = HASH_COUNT(tokens.dirlocks);
	pthread_mutex_unlock(&tokens.lock);
	for (unsigned i = 0; i < n; i++) {
		fn(arg, &shown[i].path, shown[i].o_path, shown[i].locked);
		path_put(&shown[i].path);
	}
}
