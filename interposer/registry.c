/* SPDX-License-Identifier: Apache-2.0 */
/* registry.c - see registry.h. Runs in trusted processes only: the front and subcommands. */
#include "interposer/registry.h"

#include "base/log.h"
#include "gofer/gofer.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define VERSION     "1"
#define RECORD_MAX  16384
#define COMMAND_MAX 4096
#define DIRS        3
#define BACKLOG     32
#define PATIENCE_S  5

enum { F_VERSION, F_FRONT, F_SUPERVISOR, F_STARTED, F_NAME, F_MEDIUM, F_ROOT, F_COMMAND, F_COUNT };
_Static_assert(F_COUNT == ARRAY_SIZE(((struct registered *)0)->fields), "one for each");

/* Where number which is, the best first; false: there's none. */
static bool dir_path(unsigned which, char path[PATH_MAX])
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	int n = -1;

	if (!geteuid()) {
		n = which == 0 ? snprintf(path, PATH_MAX, "/run/sandbox") : -1;
	} else if (which == 0) {
		n = xdg && xdg[0] == '/' ? snprintf(path, PATH_MAX, "%s/sandbox", xdg) : -1;
	} else if (which == 1) {
		n = snprintf(path, PATH_MAX, "/run/user/%u/sandbox", geteuid());
	}
	if (which == 2)
		n = snprintf(path, PATH_MAX, "/tmp/sandbox-%u", geteuid());
	return n > 0 && n < PATH_MAX;
}

/* Descriptor or -errno. Where others may write, somebody else can have made it: then it's no place for us. */
static int open_dir(unsigned which, bool make)
{
	char path[PATH_MAX];
	struct stat st;

	if (!dir_path(which, path))
		return -ENOENT;
	if (make && mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? -EPERM : -errno;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return -EPERM;
	return take_fd(&fd);
}

static bool is_record(const char *name)
{
	const size_t n = strlen(name);

	return !strncmp(name, GOFER_CONTROL_PREFIX, sizeof(GOFER_CONTROL_PREFIX) - 1) &&
	       n < sizeof(((struct registered *)0)->file) - 2 && name[n - 1] != 's';
}

/* The record, if it is one; its owner lives if the lock is taken. */
static int open_record(int dirfd, const char *name, bool *lives)
{
	struct stat st;
	AUTO_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*lives = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	return take_fd(&fd);
}

static void unlink_both(int dirfd, const char *name)
{
	char sock[80];

	/* The record last: without it nobody would look for the socket. */
	snprintf(sock, sizeof(sock), "%s.s", name);
	unlinkat(dirfd, sock, 0);
	unlinkat(dirfd, name, 0);
}

/* Calls fn for each record of a directory. */
static void each(int dirfd, void (*fn)(int dirfd, const char *name, int fd, bool lives, void *arg), void *arg)
{
	int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (!d) {
		close_fd_(&copy);
		return;
	}
	while ((e = readdir(d))) {
		bool lives = false;
		if (!is_record(e->d_name))
			continue;
		AUTO_CLOSE int fd = open_record(dirfd, e->d_name, &lives);
		if (fd >= 0)
			fn(dirfd, e->d_name, fd, lives, arg);
	}
	closedir(d);
}

static void clear_dead(int dirfd, const char *name, int fd, bool lives, void *arg)
{
	if (lives)
		return;
	unlink_both(dirfd, name);
	++*(int *)arg;
}

int registry_gc(void)
{
	int n = 0;

	for (unsigned i = 0; i < DIRS; i++) {
		AUTO_CLOSE int dirfd = open_dir(i, false);
		if (dirfd >= 0)
			each(dirfd, clear_dead, &n);
	}
	return n;
}

/* A text of words, those that need it in quotes, and no longer than is of use. */
static void put_command(FILE *f, char *const *argv)
{
	size_t left = COMMAND_MAX;

	for (char *const *a = argv; *a && left; a++) {
		size_t n = MIN(strlen(*a), left);
		bool quote = !n || strpbrk(*a, " \t\n'\"\\$&|;<>()*?");
		fprintf(f, quote ? "%s'%.*s'" : "%s%.*s", a == argv ? "" : " ", (int)n, *a);
		left -= n;
	}
}

static char *make_record(size_t *size, pid_t supervisor, const char *name, const char *medium, const char *root,
			 char *const *argv)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	if (!f)
		return NULL;
	fprintf(f, "%s%c%d%c%d%c%" PRId64 "%c%s%c%s%c%s%c", VERSION, 0, getpid(), 0, supervisor, 0, (int64_t)time(NULL), 0,
		name ? name : "", 0, medium, 0, root, 0);
	put_command(f, argv);
	fputc(0, f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

/* It gets its name only when it's complete and locked: one that isn't locked is always a dead one's. */
static int add_record(struct registration *r, const char *text, size_t size)
{
	char self[64];
	uint64_t id;

	AUTO_CLOSE int fd = openat(r->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || getrandom(&id, sizeof(id), 0) != sizeof(id))
		return -errno;
	ssize_t n = write(fd, text, size);
	if (n != (ssize_t)size || flock(fd, LOCK_EX | LOCK_NB))
		return n >= 0 ? -ENOSPC : -errno;
	snprintf(r->file, sizeof(r->file), GOFER_CONTROL_PREFIX "%d.%016" PRIx64, getpid(), id);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, r->dirfd, r->file, AT_SYMLINK_FOLLOW))
		return -errno;
	r->lockfd = take_fd(&fd);
	return 0;
}

/* The directory's name may be longer than an address holds; its descriptor's isn't. */
static void address(struct sockaddr_un *un, int dirfd, const char *file)
{
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(un->sun_path, sizeof(un->sun_path), "/proc/self/fd/%d/%s.s", dirfd, file);
}

static int add_socket(struct registration *r)
{
	struct sockaddr_un un;

	address(&un, r->dirfd, r->file);
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&un, sizeof(un)) || listen(fd, BACKLOG))
		return -errno;
	r->listener = take_fd(&fd);
	return 0;
}

int registry_add(struct registration *r, pid_t supervisor, const char *name, const char *medium, const char *root,
		 char *const *argv)
{
	size_t size;
	int cleared = 0, err = -ENOENT;

	*r = REGISTRATION_INIT;
	for (unsigned i = 0; i < DIRS && r->dirfd < 0; i++) {
		int fd = open_dir(i, true);
		if (fd >= 0)
			r->dirfd = fd;
		else
			err = fd;
	}
	if (r->dirfd < 0)
		return err;
	each(r->dirfd, clear_dead, &cleared);
	AUTO_FREE char *text = make_record(&size, supervisor, name, medium, root, argv);
	if (!text)
		return -ENOMEM;
	err = size > RECORD_MAX ? -ENAMETOOLONG : add_record(r, text, size);
	return err ? err : add_socket(r);
}

void registry_remove(struct registration *r)
{
	if (r->lockfd >= 0)
		unlink_both(r->dirfd, r->file);
	close_fd_(&r->listener);
	close_fd_(&r->lockfd);
	close_fd_(&r->dirfd);
	*r = REGISTRATION_INIT;
}

bool registry_peer_ok(int sock)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) && peer.uid == geteuid();
}

struct found {
	struct registered *list;
	size_t n, cap;
	unsigned dir;
	bool failed;
};

/* Its fields point into one block, which fields[0] owns, also when it's no record: false. */
static bool parse(struct registered *e, int fd)
{
	char *text = malloc(RECORD_MAX + 1), *p = text;
	ssize_t n = text ? read(fd, text, RECORD_MAX) : -1;

	e->fields[F_VERSION] = text;
	if (n <= 0 || text[n - 1])
		return false;
	for (unsigned i = 0; i < F_COUNT; i++) {
		if (p >= text + n)
			return false;
		e->fields[i] = p;
		p += strlen(p) + 1;
	}
	if (strcmp(e->fields[F_VERSION], VERSION))
		return false;
	e->front = (pid_t)strtol(e->fields[F_FRONT], NULL, 10);
	e->supervisor = (pid_t)strtol(e->fields[F_SUPERVISOR], NULL, 10);
	e->started = strtoll(e->fields[F_STARTED], NULL, 10);
	e->name = e->fields[F_NAME];
	e->medium = e->fields[F_MEDIUM];
	e->root = e->fields[F_ROOT];
	e->command = e->fields[F_COMMAND];
	return e->front > 0 && e->supervisor > 0;
}

static void take_live(int dirfd, const char *name, int fd, bool lives, void *arg)
{
	struct found *f = arg;
	struct registered e = {.dir = f->dir};

	if (!lives || f->failed || !parse(&e, fd)) {
		free(e.fields[0]);
		return;
	}
	snprintf(e.file, sizeof(e.file), "%s", name);
	if (f->n == f->cap) {
		struct registered *v = reallocarray(f->list, f->cap ? 2 * f->cap : 16, sizeof(*v));
		if (!v) {
			free(e.fields[0]);
			f->failed = true;
			return;
		}
		f->list = v;
		f->cap = f->cap ? 2 * f->cap : 16;
	}
	f->list[f->n++] = e;
}

static int by_start(const void *a, const void *b)
{
	const struct registered *x = a, *y = b;

	if (x->started != y->started)
		return x->started < y->started ? -1 : 1;
	return (x->front > y->front) - (x->front < y->front);
}

int registry_list(struct registered **out, size_t *n)
{
	struct found f = {0};
	struct stat seen[DIRS];

	memset(seen, 0, sizeof(seen));
	for (; f.dir < DIRS; f.dir++) {
		AUTO_CLOSE int dirfd = open_dir(f.dir, false);
		bool again = false;
		if (dirfd < 0 || fstat(dirfd, &seen[f.dir]))
			continue;
		for (unsigned i = 0; i < f.dir; i++)
			again |= seen[i].st_ino == seen[f.dir].st_ino && seen[i].st_dev == seen[f.dir].st_dev;
		if (!again)
			each(dirfd, take_live, &f);
	}
	if (f.n)
		qsort(f.list, f.n, sizeof(*f.list), by_start);
	*out = f.list;
	*n = f.n;
	return f.failed ? -ENOMEM : 0;
}

void registry_free(struct registered *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i].fields[0]);
	free(list);
}

int registry_connect(const struct registered *r)
{
	const struct timespec pause = {0, 10000000};
	const struct timeval patience = {PATIENCE_S, 0};
	struct sockaddr_un un;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int err;

	AUTO_CLOSE int dirfd = open_dir(r->dir, false);
	if (dirfd < 0)
		return dirfd;
	address(&un, dirfd, r->file);
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		return -errno;
	/* A sandbox that is starting has its record a moment before its socket. */
	for (int tries = 0; (err = connect(fd, (struct sockaddr *)&un, sizeof(un)) ? -errno : 0) && tries < 20; tries++) {
		if (err != -ENOENT && err != -ECONNREFUSED)
			return err;
		nanosleep(&pause, NULL);
	}
	if (err)
		return err;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || peer.uid != geteuid())
		return -EPERM;
	return take_fd(&fd);
}
