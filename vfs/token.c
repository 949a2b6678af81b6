/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c - the descriptors that stand for directories and O_PATH objects.
 *
 * A token is an empty object in a directory of our own, opened through a read-only mount, one for each open; its inode number says which.
 * It must be known exactly when the last reference to such an open file description has gone, wherever it went.
 *
 * - Directories: one inotify watch on the token directory reports the close of each child by name. The token is then reused. A
 *   token has one open at a time, so a report can't belong to a later one. Reports that were lost cost a token, nothing else.
 * - O_PATH descriptors report no close (FMODE_NONOTIFY). But their objects can be unlinked at once: then the inode ends with the last
 *   descriptor, and a watch on it reports IN_DELETE_SELF. Costs about 10 us an open; programs seldom use O_PATH. Without a watch
 *   (limit reached) the record stays; MAX_LOST of those, then ENFILE.
 *
 * struct tokens are never freed, only reused: a struct vfile may point to one after its descriptor was closed.
 * Lock order: tokens.lock, then the vfs lock. token_lock() is taken with neither held.
 */
#include "base/log.h"
#include "vfs/core.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <uthash.h>

#define MAX_LOST 65536

struct token {
	uint64_t ino;
	uint32_t num; /* its name */
	int wd;       /* O_PATH: its watch, or -1 */
	bool o_path;
	struct path path;     /* referenced; empty: free */
	struct dirsnap *snap; /* under lock */
	pthread_mutex_t lock; /* serialises getdents on one description */
	UT_hash_handle hh, hh_num, hh_wd;
	struct token *next; /* free list */
};

static struct {
	pthread_mutex_t lock;
	int rw, ro, ifd;
	dev_t dev;
	uint32_t next_num, opens, lost;
	struct token *by_ino, *by_num, *by_wd;
	struct token *free_dirs, *free_opath;
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

/* Under tokens.lock. The description has gone; the lock of the token can still be in use by a call on it that is about to end. */
static void token_release(struct token *t)
{
	struct dirsnap *snap;

	path_put(&t->path);
	pthread_mutex_lock(&t->lock);
	snap = take_ptr(t->snap);
	pthread_mutex_unlock(&t->lock);
	snap_put(snap);
	if (t->o_path) {
		HASH_DELETE(hh, tokens.by_ino, t);
		HASH_DELETE(hh_wd, tokens.by_wd, t);
		t->next = tokens.free_opath;
		tokens.free_opath = t;
	} else {
		t->next = tokens.free_dirs;
		tokens.free_dirs = t;
	}
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
			if (e->mask & IN_DELETE_SELF) {
				HASH_FIND(hh_wd, tokens.by_wd, &e->wd, sizeof(e->wd), t);
			} else if ((e->mask & IN_CLOSE) && e->len && e->name[0] == 'd') {
				uint32_t num = (uint32_t)strtoul(e->name + 1, NULL, 10);
				HASH_FIND(hh_num, tokens.by_num, &num, sizeof(num), t);
			}
			if (t && t->path.dentry)
				token_release(t);
		}
	}
}

static struct token *token_alloc(struct token **list)
{
	struct token *t = *list;

	if (t) {
		*list = t->next;
		return t;
	}
	t = calloc(1, sizeof(*t));
	if (t)
		pthread_mutex_init(&t->lock, NULL);
	return t;
}

static int open_dir_token(int flags, struct token **out)
{
	struct token *t;
	struct stat st;
	char name[16];
	bool fresh;
	int fd;

	fresh = !tokens.free_dirs;
	t = token_alloc(&tokens.free_dirs);
	if (!t)
		return -ENOMEM;
	if (fresh) {
		t->num = tokens.next_num++;
		t->wd = -1;
	}
	snprintf(name, sizeof(name), "d%u", t->num);
	if (fresh && mkdirat(tokens.rw, name, 0755) < 0) {
		fd = -errno;
		free(t);
		return fd;
	}
	fd = openat(tokens.ro, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW | (flags & O_NONBLOCK));
	if (fresh && (fd < 0 || fstat(fd, &st) < 0)) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		unlinkat(tokens.rw, name, AT_REMOVEDIR);
		free(t);
		return err;
	}
	if (fd < 0) {
		fd = -errno;
		t->next = tokens.free_dirs;
		tokens.free_dirs = t;
		return fd;
	}
	if (fresh) {
		t->ino = st.st_ino;
		HASH_ADD(hh, tokens.by_ino, ino, sizeof(t->ino), t);
		HASH_ADD(hh_num, tokens.by_num, num, sizeof(t->num), t);
	}
	*out = t;
	return fd;
}

static int open_opath_token(bool dir, struct token **out)
{
	struct token *t;
	struct stat st;
	char name[16];
	int fd = -1, err = 0;

	if (tokens.lost >= MAX_LOST)
		return -ENFILE;
	t = token_alloc(&tokens.free_opath);
	if (!t)
		return -ENOMEM;
	snprintf(name, sizeof(name), "p%u", tokens.next_num++);
	if (dir) {
		if (mkdirat(tokens.rw, name, 0755) < 0)
			err = -errno;
	} else {
		fd = openat(tokens.rw, name, O_CREAT | O_EXCL | O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0)
			err = -errno;
		else
			close(fd);
	}
	if (!err) {
		fd = openat(tokens.ro, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			err = -errno;
		else if (fstat(fd, &st) < 0)
			err = -errno;
		t->wd = err || tokens.ifd < 0 ? -1 : inotify_add_watch(tokens.ifd, name, IN_DELETE_SELF | IN_DONT_FOLLOW);
		unlinkat(tokens.rw, name, dir ? AT_REMOVEDIR : 0);
	}
	if (err) {
		if (fd >= 0)
			close(fd);
		t->next = tokens.free_opath;
		tokens.free_opath = t;
		return err;
	}
	t->ino = st.st_ino;
	t->o_path = true;
	HASH_ADD(hh, tokens.by_ino, ino, sizeof(t->ino), t);
	if (t->wd >= 0)
		HASH_ADD(hh_wd, tokens.by_wd, wd, sizeof(t->wd), t);
	else
		tokens.lost++;
	*out = t;
	return fd;
}

int token_open(const struct path *p, bool dir, bool o_path, int flags, int *hostfd)
{
	struct token *t = NULL;
	int fd;

	if (tokens.rw < 0)
		return -ENOSYS;
	pthread_mutex_lock(&tokens.lock);
	if (++tokens.opens % 256 == 0 || !(o_path ? tokens.free_opath : tokens.free_dirs))
		drain();
	fd = o_path ? open_opath_token(dir, &t) : open_dir_token(flags, &t);
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
