/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execroot.c - the tracees' real root: names that lead to the loader stub and to nothing else.
 *
 * execve's path string is resolved twice: by our VFS, which decides what runs, and by the host kernel in exec-root, where whatever
 * the string says by then can only be the stub. So before an execve goes on, its literal string is made to exist there: directories as needed,
 * the last component a hard link of the stub. There are no symlinks, so lexical and real resolution agree.
 *
 * A name may be wanted as a file by one exec and as a directory by another. Names in flight (let go on, not checked in yet) are counted, and
 * what contradicts them waits. An exec that fails in the kernel (EFAULT, E2BIG) never checks in: it's over when its thread makes another
 * call or is gone, which is looked at only while somebody waits.
 *
 * A traced process gets copies of the program and its interpreter in place of the stub, for a debugger must find them mapped by the exec itself.
 * They are of files that it may read, so that running one by a race tells nobody anything new.
 *
 * The flight of a thread that wasn't the leader is left over: the exec gives the leader's id to the process. drop_dead_flights() finds it.
 *
 * Lock: mu, over everything here. The nodes mirror what is in exec-root.
 */
#include "interposer/live.h"

#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <uthash.h>

/* Names kept for later execs of the same string; beyond it the longest unused go. */
#define MAX_NODES    4096
#define WAIT_SECONDS 5

/* A thread has at most one: its next exec, or any other call of it, shows that the one before came to nothing. */
struct flight {
	UT_hash_handle hh;
	pid_t tid;
	struct node *node, *interp; /* interp: of a copy, or NULL */
	uint64_t copy;              /* inode of the program's copy: the exec is over when the process runs it */
};
/* Flights of threads that died on the way are looked for when there are more than this. */
#define MANY_FLIGHTS 512

struct node {
	UT_hash_handle hh;
	TAILQ_ENTRY(node) lru; /* files only */
	struct node *parent;
	unsigned children;  /* nodes below a directory */
	unsigned in_flight; /* this name and all below it */
	bool dir;
	bool private_; /* holds a copy of its own instead of the shared stub */
	char path[];   /* "usr/bin/ls"; the root "" has no node */
};

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t landed = PTHREAD_COND_INITIALIZER;
static struct node *nodes;
static struct flight *flights;
static TAILQ_HEAD(, node) lru = TAILQ_HEAD_INITIALIZER(lru);
static int root_fd, stub_dir;
static dev_t stub_dev;
atomic_bool execroot_waiting;

int execroot_init(int exec_rw, int exec_stub)
{
	struct stat st;
	root_fd = exec_rw;
	stub_dir = exec_stub;
	if (fstatat(stub_dir, "stub", &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	stub_dev = st.st_dev;
	return 0;
}

/* All files of that tmpfs that a tracee can map are stubs. */
bool execroot_is_stub(unsigned maj, unsigned min, uint64_t ino)
{
	return makedev(maj, min) == stub_dev;
}

static struct node *find(const char *path)
{
	struct node *n;
	HASH_FIND_STR(nodes, path, n);
	return n;
}

/* Tells all ancestors, too, so that a directory knows what is in flight below it. */
static void count_flight(struct node *n, int by)
{
	for (; n; n = n->parent)
		n->in_flight += (unsigned)by;
}

static void remove_node(struct node *n)
{
	if (unlinkat(root_fd, n->path, n->dir ? AT_REMOVEDIR : 0))
		die("exec-root: can't remove %s: %s", n->path, strerror(errno));
	HASH_DEL(nodes, n);
	if (!n->dir)
		TAILQ_REMOVE(&lru, n, lru);
	struct node *parent = n->parent;
	if (parent)
		parent->children--;
	free(n);
}

static void release_flight(struct flight *f)
{
	struct node *const held[] = {f->node, f->interp};
	for (unsigned i = 0; i < ARRAY_SIZE(held); i++) {
		if (!held[i])
			continue;
		count_flight(held[i], -1);
		/* A copy has done its work, and it can be big. */
		if (f->copy && !held[i]->in_flight)
			remove_node(held[i]);
	}
	free(f);
	pthread_cond_broadcast(&landed);
}

static void drop_flight(struct flight *f)
{
	HASH_DEL(flights, f);
	release_flight(f);
}

/* Removes n and everything below; nothing of it is in flight. */
static void remove_tree(struct node *top)
{
	size_t len = strlen(top->path);
	while (top->children) {
		struct node *n, *next;
		HASH_ITER(hh, nodes, n, next)
		{
			if (n != top && !n->children && !strncmp(n->path, top->path, len) && n->path[len] == '/')
				remove_node(n);
		}
	}
	remove_node(top);
}

static void evict(void)
{
	struct node *n, *next;
	for (n = TAILQ_FIRST(&lru); n && HASH_COUNT(nodes) > MAX_NODES * 3 / 4; n = next) {
		next = TAILQ_NEXT(n, lru);
		if (n->in_flight)
			continue;
		struct node *parent = n->parent;
		remove_node(n);
		while (parent && !parent->children) {
			struct node *up = parent->parent;
			remove_node(parent);
			parent = up;
		}
	}
}

/* A file of this exec's own: a copy of source, or with -1 of the stub. */
static int write_private(const char *path, int source, uint64_t *ino)
{
	struct stat st, src;
	AUTO_CLOSE int fd = openat(root_fd, path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0555);
	if (fd < 0)
		return -errno;
	int err = fstat(fd, &st) ? -errno : 0;
	if (source < 0) {
		size_t len = (size_t)(stub_image_end - stub_image);
		if (!err && write(fd, stub_image, len) != (ssize_t)len)
			err = -ENOMEM;
	} else {
		off_t at = 0;
		/* Its size now: who appends meanwhile mustn't keep us here. */
		if (!err && fstat(source, &src))
			err = -errno;
		while (!err && at < src.st_size) {
			ssize_t n = sendfile(fd, source, &at, (size_t)(src.st_size - at));
			if (n <= 0)
				err = n ? -ENOMEM : -ENOEXEC;
		}
	}
	if (err)
		unlinkat(root_fd, path, 0);
	*ino = st.st_ino;
	return err;
}

static int make_node(const char *path, struct node *parent, bool dir, bool private_, int source, uint64_t *ino,
		     struct node **out)
{
	size_t len = strlen(path);
	struct node *n = calloc(1, sizeof *n + len + 1);
	if (!n)
		return -ENOMEM;
	memcpy(n->path, path, len + 1);
	n->parent = parent;
	n->dir = dir;
	n->private_ = private_;
	int err = 0;
	if (dir)
		err = mkdirat(root_fd, path, 0755) ? -errno : 0;
	else if (private_)
		err = write_private(path, source, ino);
	else
		err = linkat(stub_dir, "stub", root_fd, path, 0) ? -errno : 0;
	if (err) {
		free(n);
		return err;
	}
	if (parent)
		parent->children++;
	HASH_ADD_KEYPTR(hh, nodes, n->path, len, n);
	if (!dir)
		TAILQ_INSERT_TAIL(&lru, n, lru);
	*out = n;
	return 0;
}

uint64_t execroot_running(pid_t pid)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof path, "%d/exe", pid);
	return fstatat(the_place.procfd, path, &st, 0) || st.st_dev != stub_dev ? 0 : st.st_ino;
}

static void drop_dead_flights(void)
{
	struct flight *f, *next;
	HASH_ITER(hh, flights, f, next)
	{
		if ((kill(f->tid, 0) && errno == ESRCH) || (f->copy && execroot_running(f->tid) == f->copy))
			drop_flight(f);
	}
}

static struct flight *flight_of(pid_t tid)
{
	struct flight *f;
	HASH_FIND_INT(flights, &tid, f);
	return f;
}

void execroot_called(pid_t tid)
{
	pthread_mutex_lock(&mu);
	struct flight *f = flight_of(tid);
	if (f)
		drop_flight(f);
	pthread_mutex_unlock(&mu);
}

/* Waits a little for something to land; mu is held. 0, or -ETXTBSY when WAIT_SECONDS have passed since *until was set. */
static int wait_for_landing(struct timespec *until)
{
	struct timespec now, step;
	clock_gettime(CLOCK_REALTIME, &now);
	if (!until->tv_sec) {
		*until = now;
		until->tv_sec += WAIT_SECONDS;
	}
	if (now.tv_sec > until->tv_sec || (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec))
		return -ETXTBSY;
	atomic_store(&execroot_waiting, true);
	step = now;
	step.tv_nsec += 1000000;
	if (step.tv_nsec >= 1000000000) {
		step.tv_nsec -= 1000000000;
		step.tv_sec++;
	}
	pthread_cond_timedwait(&landed, &mu, &step);
	drop_dead_flights();
	atomic_store(&execroot_waiting, false);
	return 0;
}

/* path's node as a directory (dir) or file. 1: something contradicting is in flight, wait. */
static int want(const char *path, struct node *parent, bool dir, bool private_, int source, uint64_t *ino, struct node **out)
{
	struct node *n = find(path);
	/* A private copy is for one exec only, and a directory or file of that name must make way. */
	bool fits = n && n->dir == dir && (dir || (!private_ && !n->private_));
	if (fits) {
		if (!dir) {
			TAILQ_REMOVE(&lru, n, lru);
			TAILQ_INSERT_TAIL(&lru, n, lru);
		}
		*out = n;
		return 0;
	}
	if (n) {
		if (n->in_flight)
			return 1;
		remove_tree(n);
	}
	return make_node(path, parent, dir, private_, source, ino, out);
}

/*
 * One try. Every prefix that the string passes must exist as a directory, those that ".." leaves again included. The real working directory is
 * always "/", so a relative string starts there, too.
 */
static int try_prepare(const char *name, bool private_, int source, uint64_t *ino, struct node **out)
{
	char path[PATH_MAX + 1];
	size_t len = 0;
	struct node *node = NULL;
	const char *p = name;
	path[0] = 0;
	for (;;) {
		while (*p == '/')
			p++;
		size_t n = strcspn(p, "/");
		const char *rest = p + n + strspn(p + n, "/");
		if (!n)
			break;
		if (n == 1 && p[0] == '.') {
			p = rest;
			continue;
		}
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (len && path[len - 1] != '/')
				len--;
			if (len)
				len--;
			path[len] = 0;
			node = len ? find(path) : NULL;
			p = rest;
			continue;
		}
		if (n > NAME_MAX || len + n + 2 > sizeof path)
			return -ENAMETOOLONG;
		if (len)
			path[len++] = '/';
		memcpy(path + len, p, n);
		len += n;
		path[len] = 0;
		bool last = !*rest && p[n] != '/';
		int r = want(path, node, !last, private_ && last, source, ino, &node);
		if (r)
			return r;
		p = rest;
	}
	if (!node || node->dir)
		return -EACCES; /* a directory: the VFS has said so before */
	*out = node;
	return 0;
}

/* mu is held, and let go while it waits. */
static int prepare(struct call *c, const char *name, bool private_, int source, uint64_t *ino, struct node **out)
{
	struct timespec until = {0};
	int r;
	bool told = false;
	while ((r = try_prepare(name, private_, source, ino, out)) == 1) {
		if (!told) {
			pthread_mutex_unlock(&mu);
			live_may_block(c);
			pthread_mutex_lock(&mu);
			told = true;
			continue;
		}
		if (live_interrupted(c))
			return -ERESTARTSYS;
		if ((r = wait_for_landing(&until)))
			return r;
	}
	if (!r)
		count_flight(*out, 1);
	return r;
}

static int start_flight(struct call *c, const char *name, bool private_, int source, const char *interp, int interp_source,
			uint64_t *ino)
{
	pid_t tid = c->pid;
	struct flight *new = calloc(1, sizeof *new);
	uint64_t unused;
	if (!new)
		return -ENOMEM;
	pthread_mutex_lock(&mu);
	struct flight *old = flight_of(tid);
	if (old)
		drop_flight(old);
	if (HASH_COUNT(flights) > MANY_FLIGHTS)
		drop_dead_flights();
	if (HASH_COUNT(nodes) > MAX_NODES)
		evict();
	new->tid = tid;
	/* Known to nobody yet: while we wait the thread may die, and its number be another's. */
	int r = prepare(c, name, private_, source, ino, &new->node);
	if (r)
		new->node = NULL;
	new->copy = !r &&source >= 0 ? *ino : 0;
	if (!r && interp) {
		r = prepare(c, interp, true, interp_source, &unused, &new->interp);
		if (r)
			new->interp = NULL;
	}
	old = flight_of(tid);
	if (old)
		drop_flight(old);
	if (r)
		release_flight(new);
	else
		HASH_ADD_INT(flights, tid, new);
	pthread_mutex_unlock(&mu);
	return r;
}

int execroot_prepare(struct call *c, const char *name, bool private_, uint64_t *stub_ino)
{
	return start_flight(c, name, private_, -1, NULL, -1, stub_ino);
}

int execroot_copy(struct call *c, const char *name, int exe, const char *interp, int interp_fd, uint64_t *ino)
{
	return start_flight(c, name, true, exe, interp, interp_fd, ino);
}

void execroot_done(pid_t pid)
{
	pthread_mutex_lock(&mu);
	struct flight *f = flight_of(pid);
	if (f)
		drop_flight(f);
	pthread_mutex_unlock(&mu);
}
