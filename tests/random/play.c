/* SPDX-License-Identifier: Apache-2.0 */
/*
 * play.c - runs operations in a directory, by several processes, and prints what each one gave.
 *
 * A token, the next operation's number, is passed through pipes: the order is that of the list, whatever the scheduler does. Natively and
 * inside the same lines must come out, except where overlayfs differs, too: a descriptor or map opened read-only before a copy-up keeps the
 * old data. Such a line gets the word "stale" natively and isn't compared; every process sees in shared memory what has been copied up.
 *
 * With a former run's output (follow) an operation that failed there with ENOSPC is skipped, and a write is cut to what was written
 * there: a run with limits must leave what the successful operations alone leave natively.
 */
#include "fsrandom.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAST   1500000000 /* earlier times were set; later ones are now */
#define TOKENS 4096       /* inodes of the lower tree */
#define MAPPED 32768
#define BUF    (1 << 18)

struct slot {
	int fd;
	bool o_path;
	ino_t low; /* opened read-only while the inode's data was the lower's; else 0 */
};
struct map {
	char *p;
	int fd;
	int prot;
	ino_t low;
};
struct player {
	int root;
	struct slot slot[SLOTS];
	struct map map[MAPS];
	long limit; /* follow: the bytes that were written, or -1 */
	bool skip;  /* follow: it failed for want of space */
	char out[8192];
	size_t n;
};

/* Shared by all processes. */
static struct {
	ino_t ino;
	bool up;
} * low;

static bool *low_of(ino_t ino, bool add)
{
	for (size_t k = ino % TOKENS, i = 0; i < TOKENS; i++, k = (k + 1) % TOKENS) {
		if (low[k].ino == ino)
			return &low[k].up;
		if (!low[k].ino) {
			if (!add)
				return NULL;
			low[k].ino = ino;
			return &low[k].up;
		}
	}
	return NULL;
}

static void __attribute__((format(printf, 2, 3))) say(struct player *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(p->out + p->n, sizeof(p->out) - p->n, fmt, ap);
	va_end(ap);
	p->n = (size_t)n < sizeof(p->out) - p->n ? p->n + (size_t)n : sizeof(p->out) - 1;
}
static long result(struct player *p, long r)
{
	if (r < 0)
		say(p, " -%s", strerrorname_np(errno));
	else
		say(p, " %ld", r);
	return r;
}
static long done(struct player *p, long r)
{
	return result(p, r < 0 ? r : 0);
}

static int at(struct player *p, const char *path, const char **rest)
{
	if (*path && path[1] == ':') {
		*rest = path + 2;
		return *path == '/' ? p->root : p->slot[(*path - '0') % SLOTS].fd;
	}
	*rest = path;
	return AT_FDCWD;
}
#define AT(i) at(p, a[i].s, &path##i)

static uint32_t hash(uint32_t h, const void *v, size_t n)
{
	for (const unsigned char *c = v; n--; c++)
		h = (h ^ *c) * 16777619;
	return h;
}

static void mark_up(int fd)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return;
	bool *up = low_of(st.st_ino, false);
	if (up)
		*up = true;
}
/*
 * A write fault makes data of all of the page cache's folio up to the file's end, holes included, and how large a folio is depends on how the
 * file was written before: in pieces of 4 KiB or at once, copied, read from the disk. So holes of such files say nothing.
 */
static struct {
	ino_t ino[TOKENS];
	unsigned n;
} * poked;

static bool was_poked(ino_t ino)
{
	for (unsigned i = 0; i < poked->n; i++)
		if (poked->ino[i] == ino)
			return true;
	return false;
}

static void mark_poked(int fd)
{
	struct stat st;

	if (!fstat(fd, &st) && !was_poked(st.st_ino) && poked->n < TOKENS)
		poked->ino[poked->n++] = st.st_ino;
}

static bool stale(ino_t ino)
{
	return ino && *low_of(ino, true);
}
static void note_stale(struct player *p, ino_t ino)
{
	if (stale(ino))
		say(p, " stale");
}

static bool timeless; /* with limits: a write that failed in the end may have changed the time */

static void say_time(struct player *p, const struct timespec *t)
{
	if (timeless)
		say(p, " -");
	else if (t->tv_sec < PAST)
		say(p, " %ld.%09ld", (long)t->tv_sec, t->tv_nsec);
	else
		say(p, " now");
}
/* Set-id bits of files: natively cleared by a write, here by an open for writing, and root's natively never. The suid operation looks at them. */
static void say_stat(struct player *p, const struct stat *st)
{
	mode_t mode = st->st_mode & ~(S_ISREG(st->st_mode) ? 06000u : 0u);

	say(p, " %o %lu %u:%u", mode, (unsigned long)st->st_nlink, st->st_uid, st->st_gid);
	if (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode))
		say(p, " %ld", (long)st->st_size);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		say(p, " %lx", (unsigned long)st->st_rdev);
	if (!S_ISFIFO(st->st_mode)) /* writing to the pipe itself happens where nobody looks */
		say_time(p, &st->st_mtim);
}

/* --- operations ----------------------------------------------------------------------------------------------------------------------------- */
static char *buf;

static void op_open(struct player *p, const struct arg *a)
{
	struct slot *s = &p->slot[a[0].n % SLOTS];
	const char *path1;
	struct stat st;

	int d = AT(1), fd = openat(d, path1, (int)a[2].n | O_NONBLOCK | O_CLOEXEC, (mode_t)a[3].n);
	if (done(p, fd) < 0)
		return;
	if (s->fd >= 0)
		close(s->fd);
	s->low = 0;
	s->o_path = a[2].n & O_PATH;
	if (fd < 100) { /* away from where the other openings are, so that a number says nothing */
		s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 100);
		close(fd);
	} else {
		s->fd = fd;
	}
	if (a[2].n & O_PATH || fstat(s->fd, &st) || !S_ISREG(st.st_mode))
		return;
	bool *up = low_of(st.st_ino, false);
	if (!up)
		return;
	if ((a[2].n & O_ACCMODE) == O_RDONLY && !(a[2].n & O_TRUNC))
		s->low = *up ? 0 : st.st_ino;
	else
		*up = true;
}
static void op_close(struct player *p, const struct arg *a)
{
	struct slot *s = &p->slot[a[0].n % SLOTS];

	done(p, close(s->fd));
	s->fd = -1;
	s->low = 0;
}
static void pattern(long seed, long n)
{
	for (long i = 0; i < n; i++)
		buf[i] = (char)('A' + (seed + i / 11) % 57);
}
static size_t bytes(const struct player *p, long n)
{
	return (size_t)(p->limit >= 0 && p->limit < n ? p->limit : n);
}
static void op_write(struct player *p, const struct arg *a)
{
	pattern(a[2].n, a[1].n);
	result(p, write(p->slot[a[0].n].fd, buf, bytes(p, a[1].n)));
}
static void op_pwrite(struct player *p, const struct arg *a)
{
	pattern(a[3].n, a[1].n);
	result(p, pwrite(p->slot[a[0].n].fd, buf, bytes(p, a[1].n), a[2].n));
}
static void op_read(struct player *p, const struct arg *a)
{
	ssize_t n = result(p, read(p->slot[a[0].n].fd, buf, (size_t)a[1].n));

	if (n > 0)
		say(p, " %08x", hash(1, buf, (size_t)n));
	note_stale(p, p->slot[a[0].n].low);
}
static void op_pread(struct player *p, const struct arg *a)
{
	ssize_t n = result(p, pread(p->slot[a[0].n].fd, buf, (size_t)a[1].n, a[2].n));

	if (n > 0)
		say(p, " %08x", hash(1, buf, (size_t)n));
	note_stale(p, p->slot[a[0].n].low);
}
static void op_lseek(struct player *p, const struct arg *a)
{
	int fd = p->slot[a[0].n].fd;
	struct stat st;

	/* A directory's offsets are the file system's own; and inside an O_PATH descriptor can be sought (see vfs/token.c). */
	if ((!fstat(fd, &st) && S_ISDIR(st.st_mode)) || p->slot[a[0].n].o_path)
		return;
	result(p, lseek(fd, a[1].n % 100000, (int[]){SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE}[a[2].n % 5]));
	/* Which of the space is data depends on the page cache here: not compared. */
	if (a[2].n % 5 > 2) {
		say(p, " data");
		lseek(fd, 0, SEEK_SET);
	}
	note_stale(p, p->slot[a[0].n].low);
}
static void op_ftruncate(struct player *p, const struct arg *a)
{
	done(p, ftruncate(p->slot[a[0].n].fd, a[1].n));
}
static void op_truncate(struct player *p, const struct arg *a)
{
	const char *path0;
	int d = AT(0);
	char name[300];

	/* There's no truncateat. */
	if (d == p->root)
		snprintf(name, sizeof(name), "/proc/self/fd/%d/%s", d, path0);
	else
		snprintf(name, sizeof(name), "%s", path0);
	int r = truncate(name, a[1].n);
	done(p, r);
	if (!r) {
		int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		struct stat st;
		if (fd >= 0) {
			mark_up(fd);
			close(fd);
		} else if (!stat(name, &st) && low_of(st.st_ino, false)) {
			*low_of(st.st_ino, false) = true;
		}
	}
}
static void op_falloc(struct player *p, const struct arg *a)
{
	done(p, fallocate(p->slot[a[0].n].fd, (int)a[1].n, a[2].n, a[3].n));
}
static void op_fsync(struct player *p, const struct arg *a)
{
	struct stat st;
	int fd = p->slot[a[0].n].fd;

	/* Natively it costs a disk's turn, and inside an O_PATH descriptor gives 0 (see syscalls.def). */
	if (!p->slot[a[0].n].o_path && !fstat(fd, &st) && S_ISDIR(st.st_mode))
		done(p, fdatasync(fd));
}
static void op_fstat(struct player *p, const struct arg *a)
{
	struct stat st;

	if (done(p, fstat(p->slot[a[0].n].fd, &st)) == 0)
		say_stat(p, &st);
}
static void op_stat(struct player *p, const struct arg *a)
{
	const char *path0;
	struct stat st;
	int d = AT(0);

	if (done(p, fstatat(d, path0, &st, a[1].n & 1 ? AT_SYMLINK_NOFOLLOW : 0)) == 0)
		say_stat(p, &st);
}
/* Whether a name and a descriptor are the same file. */
static void op_same(struct player *p, const struct arg *a)
{
	const char *path1;
	struct stat x, y;
	int d = AT(1);

	if (!fstat(p->slot[a[0].n].fd, &x) && !fstatat(d, path1, &y, 0))
		say(p, " %d", x.st_ino == y.st_ino && x.st_dev == y.st_dev);
}
static void op_access(struct player *p, const struct arg *a)
{
	const char *path0;
	int d = AT(0);

	done(p, faccessat(d, path0, (int)a[1].n, 0));
}
static void op_mkdir(struct player *p, const struct arg *a)
{
	const char *path0;
	int d = AT(0);

	done(p, mkdirat(d, path0, (mode_t)a[1].n | 0700));
}
static void op_rmdir(struct player *p, const struct arg *a)
{
	const char *path0;
	int d = AT(0);

	done(p, unlinkat(d, path0, AT_REMOVEDIR));
}
static void op_unlink(struct player *p, const struct arg *a)
{
	const char *path0;
	int d = AT(0);

	done(p, unlinkat(d, path0, 0));
}
static void op_rename(struct player *p, const struct arg *a)
{
	const char *path0, *path1;
	int d = AT(0), e = AT(1);

	done(p, renameat2(d, path0, e, path1, (unsigned)a[2].n));
}
static void op_link(struct player *p, const struct arg *a)
{
	const char *path0, *path1;
	int d = AT(0), e = AT(1);

	done(p, linkat(d, path0, e, path1, a[2].n & 1 ? AT_SYMLINK_FOLLOW : 0));
}
static void op_linkfd(struct player *p, const struct arg *a)
{
	const char *path1;
	char name[40];
	int d = AT(1);

	snprintf(name, sizeof(name), "/proc/self/fd/%d", p->slot[a[0].n].fd);
	done(p, linkat(AT_FDCWD, name, d, path1, AT_SYMLINK_FOLLOW));
}
static void op_symlink(struct player *p, const struct arg *a)
{
	const char *path1;
	int d = AT(1);

	done(p, symlinkat(a[0].s, d, path1));
}
static void op_readlink(struct player *p, const struct arg *a)
{
	const char *path0;
	char name[200];
	int d = AT(0);
	ssize_t n = result(p, readlinkat(d, path0, name, sizeof(name) - 1));

	if (n >= 0)
		say(p, " %.*s", (int)n, name);
}
static void op_mknod(struct player *p, const struct arg *a)
{
	static const mode_t types[] = {S_IFIFO, S_IFSOCK, S_IFREG, S_IFREG};
	const char *path0;
	int d = AT(0);

	done(p, mknodat(d, path0, types[a[2].n % 4] | (mode_t)(a[1].n & 0777), 0));
}
static void op_chmod(struct player *p, const struct arg *a)
{
	const char *path0;
	int d = AT(0);

	done(p, fchmodat(d, path0, (mode_t)a[1].n, 0));
}
static void op_fchmod(struct player *p, const struct arg *a)
{
	done(p, fchmod(p->slot[a[0].n].fd, (mode_t)a[1].n));
}
static void op_chown(struct player *p, const struct arg *a)
{
	const char *path0;
	int d = AT(0);

	done(p, fchownat(d, path0, (uid_t)a[1].n, (gid_t)a[2].n, a[3].n & 1 ? AT_SYMLINK_NOFOLLOW : 0));
}
static void op_fchown(struct player *p, const struct arg *a)
{
	done(p, fchown(p->slot[a[0].n].fd, (uid_t)a[1].n, (gid_t)a[2].n));
}
/* What chown does with set-id bits. */
static void op_suid(struct player *p, const struct arg *a)
{
	const char *path0;
	struct stat st;
	int d = AT(0);

	if (fstatat(d, path0, &st, 0) || !S_ISREG(st.st_mode) || done(p, fchmodat(d, path0, 06755, 0)))
		return;
	if (!fstatat(d, path0, &st, 0))
		say(p, " %o", st.st_mode);
	done(p, fchownat(d, path0, (uid_t)-1, st.st_gid, 0));
	if (!fstatat(d, path0, &st, 0))
		say(p, " %o", st.st_mode);
	fchmodat(d, path0, 0644, 0);
}
static struct timespec when(long t)
{
	return (struct timespec){t < 0 ? 0 : t, t == -1 ? UTIME_NOW : t == -2 ? UTIME_OMIT : t % 1000};
}
static void op_utimens(struct player *p, const struct arg *a)
{
	struct timespec ts[2] = {when(a[1].n), when(a[2].n)};
	const char *path0;
	int d = AT(0);

	done(p, utimensat(d, path0, ts, a[3].n & 1 ? AT_SYMLINK_NOFOLLOW : 0));
}
static void op_futimens(struct player *p, const struct arg *a)
{
	struct timespec ts[2] = {when(a[1].n), when(a[2].n)};

	done(p, futimens(p->slot[a[0].n].fd, ts));
}
static const char *slash_fd(struct player *p, const char *path, char *name, size_t size)
{
	const char *rest;
	int d = at(p, path, &rest);

	if (d == AT_FDCWD)
		return rest;
	snprintf(name, size, "/proc/self/fd/%d/%s", d, rest);
	return name;
}
static void op_setxattr(struct player *p, const struct arg *a)
{
	char name[300], value[100];

	memset(value, 'a' + (int)(a[2].n % 26), sizeof(value));
	done(p,
	     lsetxattr(slash_fd(p, a[0].s, name, sizeof(name)), a[1].s, value, (size_t)(a[2].n % 100), (int)(a[3].n % 3)));
}
static void op_fsetxattr(struct player *p, const struct arg *a)
{
	char value[100];

	memset(value, 'a' + (int)(a[2].n % 26), sizeof(value));
	done(p, fsetxattr(p->slot[a[0].n].fd, a[1].s, value, (size_t)(a[2].n % 100), 0));
}
static void op_getxattr(struct player *p, const struct arg *a)
{
	char name[300], value[128];
	ssize_t n = result(p, getxattr(slash_fd(p, a[0].s, name, sizeof(name)), a[1].s, value, sizeof(value)));

	if (n > 0)
		say(p, " %08x", hash(1, value, (size_t)n));
}
static void op_removexattr(struct player *p, const struct arg *a)
{
	char name[300];

	done(p, lremovexattr(slash_fd(p, a[0].s, name, sizeof(name)), a[1].s));
}
static int by_name(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}
static size_t list(int fd, char **names, size_t max)
{
	DIR *d = fdopendir(fd);
	size_t n = 0;
	struct dirent *e;

	while (d && n < max && (e = readdir(d)))
		if (asprintf(&names[n], "%s %d", e->d_name, e->d_type) > 0)
			n++;
	if (d)
		closedir(d);
	qsort(names, n, sizeof(*names), by_name);
	return n;
}
static void op_readdir(struct player *p, const struct arg *a)
{
	const char *path0;
	char *names[512];
	int d = AT(0), fd = openat(d, path0, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint32_t h = 1;

	if (done(p, fd))
		return;
	size_t n = list(fd, names, 512);
	say(p, " %zu", n);
	for (size_t i = 0; i < n; i++) {
		h = hash(h, names[i], strlen(names[i]));
		if (n < 12)
			say(p, " %s", names[i]);
		free(names[i]);
	}
	say(p, " %08x", h);
}
static void op_chdir(struct player *p, const struct arg *a)
{
	const char *path0;
	int d = AT(0), fd = openat(d, path0, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (a[1].n == 0)
		done(p, fchdir(p->root));
	else if (done(p, fd) == 0)
		done(p, fchdir(fd));
	if (fd >= 0)
		close(fd);
}
static void op_umask(struct player *p, const struct arg *a)
{
	say(p, " %o", umask((mode_t)(a[0].n & 1 ? 022 : a[0].n & 2 ? 077 : 0)));
}
/* Between a lower file and an upper one on another file system it's EXDEV: done as programs do then. */
static ssize_t copy_range(int in, off_t from, int out, off_t to, size_t n)
{
	off_t i = from, o = to;
	ssize_t r = copy_file_range(in, &i, out, &o, n, 0);

	if (r >= 0 || errno != EXDEV)
		return r;
	r = pread(in, buf, n, from);
	return r > 0 ? pwrite(out, buf, (size_t)r, to) : r;
}
static void copy(struct player *p, const struct arg *a, bool send)
{
	const char *path0, *path1;
	int d = AT(0), e = AT(1);
	int in = openat(d, path0, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (done(p, in) < 0)
		return;
	int out = openat(e, path1, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (done(p, out) == 0) {
		off_t from = a[2].n, to = a[3].n;
		mark_up(out);
		/* Opened before the copy-up, if it's the same file. */
		close(in);
		in = openat(d, path0, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (in < 0 || fstat(in, &st) || !S_ISREG(st.st_mode) || fstat(out, &st) || !S_ISREG(st.st_mode))
			say(p, " other");
		else if (send && lseek(out, to, SEEK_SET) >= 0)
			result(p, sendfile(out, in, &from, bytes(p, a[4].n)));
		else
			result(p, copy_range(in, from, out, to, bytes(p, a[4].n)));
		close(out);
	}
	if (in >= 0)
		close(in);
}
static void op_cfr(struct player *p, const struct arg *a)
{
	copy(p, a, false);
}
static void op_sendfile(struct player *p, const struct arg *a)
{
	copy(p, a, true);
}

static sigjmp_buf bus;
static void on_bus(int sig)
{
	siglongjmp(bus, 1);
}
static void drop_map(struct map *m)
{
	if (!m->p)
		return;
	munmap(m->p, MAPPED);
	close(m->fd);
	*m = (struct map){.fd = -1};
}
static void op_map(struct player *p, const struct arg *a)
{
	struct map *m = &p->map[a[0].n % MAPS];
	struct slot *s = &p->slot[a[1].n];
	struct stat st;
	int prot = a[2].n & 1 ? PROT_READ : PROT_READ | PROT_WRITE;

	drop_map(m);
	if (s->o_path || (s->fd >= 0 && (fstat(s->fd, &st) || !S_ISREG(st.st_mode))))
		return; /* an O_PATH descriptor: EBADF natively, EACCES inside */
	char *v = mmap(NULL, MAPPED, prot, MAP_SHARED, s->fd, 0);
	if (done(p, v == MAP_FAILED ? -1 : 0))
		return;
	*m = (struct map){.p = v, .fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 200), .prot = prot, .low = s->low};
}
static void op_poke(struct player *p, const struct arg *a)
{
	struct map *m = &p->map[a[0].n % MAPS];
	struct timespec ts[2] = {{1000000000, 1}, {1000000000, 2}};
	struct stat st;

	if (!m->p || !(m->prot & PROT_WRITE) || fstat(m->fd, &st))
		return;
	/* What is written behind the end, in its page, a tmpfs shows when the file grows, and a disk's file system doesn't. */
	off_t at = a[1].n % MAPPED & ~63L, len = 64, end = (st.st_size + 4095) & ~4095L;
	if (at < end && at + len > st.st_size)
		len = st.st_size - at;
	if (len <= 0)
		return;
	if (sigsetjmp(bus, 1)) {
		say(p, " SIGBUS");
	} else {
		mark_poked(m->fd);
		memset(m->p + at, (int)a[2].n, (size_t)len);
		say(p, " poked");
	}
	/* A tmpfs doesn't change the time at a fault, a disk's file system does. */
	if (futimens(m->fd, ts))
		futimens(m->fd, NULL); /* another's file */
}
static void op_peek(struct player *p, const struct arg *a)
{
	struct map *m = &p->map[a[0].n % MAPS];

	if (!m->p)
		return;
	if (sigsetjmp(bus, 1))
		say(p, " SIGBUS");
	else
		say(p, " %08x", hash(1, m->p + (a[1].n % MAPPED & ~63L), 64));
	note_stale(p, m->low);
}

const struct opdef opdefs[] = {
    {"open", "spom", 60, op_open},
    {"close", "s", 2, op_close},
    {"write", "sbv", 14, op_write},
    {"pwrite", "sbbv", 10, op_pwrite},
    {"read", "sb", 6, op_read},
    {"pread", "sbb", 6, op_pread},
    {"lseek", "sbv", 6, op_lseek},
    {"ftruncate", "sb", 6, op_ftruncate},
    {"truncate", "pb", 6, op_truncate},
    {"falloc", "shbb", 8, op_falloc},
    {"fsync", "s", 1, op_fsync},
    {"fstat", "s", 8, op_fstat},
    {"stat", "p1", 10, op_stat},
    {"same", "sp", 4, op_same},
    {"access", "pv", 4, op_access},
    {"mkdir", "pm", 14, op_mkdir},
    {"rmdir", "p", 8, op_rmdir},
    {"unlink", "p", 14, op_unlink},
    {"rename", "ppr", 26, op_rename},
    {"link", "pp1", 14, op_link},
    {"linkfd", "sp", 8, op_linkfd},
    {"symlink", "tp", 6, op_symlink},
    {"readlink", "p", 3, op_readlink},
    {"mknod", "pm1", 6, op_mknod},
    {"chmod", "pm", 8, op_chmod},
    {"fchmod", "sm", 4, op_fchmod},
    {"chown", "puu1", 8, op_chown},
    {"fchown", "suu", 4, op_fchown},
    {"suid", "p", 3, op_suid},
    {"utimens", "pTT1", 6, op_utimens},
    {"futimens", "sTT", 4, op_futimens},
    {"setxattr", "pxv1", 8, op_setxattr},
    {"fsetxattr", "sxv", 4, op_fsetxattr},
    {"getxattr", "px", 4, op_getxattr},
    {"removexattr", "px", 4, op_removexattr},
    {"readdir", "p", 10, op_readdir},
    {"chdir", "p1", 5, op_chdir},
    {"umask", "1", 1, op_umask},
    {"cfr", "ppbbb", 8, op_cfr},
    {"sendfile", "ppbbb", 4, op_sendfile},
    {"map", "ks1", 6, op_map},
    {"poke", "kbv", 8, op_poke},
    {"peek", "kb", 6, op_peek},
    {0},
};

/* --- the tree --------------------------------------------------------------------------------------------------------------------------------- */
static struct seen {
	ino_t ino;
	char *path;
	struct seen *next;
} * seen;

static void dump_data(int d, const char *name, const struct stat *st)
{
	int fd = openat(d, name, O_RDONLY | O_CLOEXEC);
	uint32_t h = 1;
	ssize_t n;
	off_t off = 0;

	if (fd < 0) {
		printf(" unreadable:%s", strerrorname_np(errno));
		return;
	}
	while ((n = read(fd, buf, BUF)) > 0)
		h = hash(h, buf, (size_t)n);
	/* What ext4 has not yet allocated it tells apart by the page cache, whose folios may be large. */
	sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	printf(" %08x data%s", n < 0 ? (unsigned)errno : h, poked && was_poked(st->st_ino) ? " mapped" : "");
	while ((off = lseek(fd, off, SEEK_DATA)) >= 0) {
		off_t end = lseek(fd, off, SEEK_HOLE);
		printf(" %ld-%ld", (long)off, (long)end);
		off = end;
	}
	close(fd);
}

static void dump_xattrs(int d, const char *name, mode_t mode)
{
	char list[4096], path[400], *names[64], value[256];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", d, name);
	ssize_t len = llistxattr(path, list, sizeof(list));
	for (char *p = list; len > 0 && p < list + len && n < 64; p += strlen(p) + 1)
		if (!strncmp(p, "user.", 5) || !strncmp(p, "trusted.", 8))
			names[n++] = p;
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		ssize_t k = lgetxattr(path, names[i], value, sizeof(value));
		printf(" %s=%08x", names[i], k < 0 ? (unsigned)errno : hash(1, value, (size_t)k));
	}
}

/* plain: reads nothing and changes nothing that can't be read. */
static void dump_dir(int d, const char *path, bool plain, bool top)
{
	char *names[1024], child[600];
	int fd = openat(d, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static struct player p;

	if (fd < 0) {
		printf("%s: %s\n", path, strerrorname_np(errno));
		return;
	}
	size_t n = list(fd, names, 1024);
	for (size_t i = 0; i < n; i++) {
		struct stat st;
		char *name = names[i];
		*strchr(name, ' ') = '\0';
		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, name);
		if (fstatat(d, name, &st, AT_SYMLINK_NOFOLLOW)) {
			printf("%s: %s\n", child, strerrorname_np(errno));
			continue;
		}
		p.n = 0;
		say_stat(&p, &st);
		printf("%s:%.*s", child, (int)p.n, p.out);
		if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
			struct seen *s = seen;
			while (s && s->ino != st.st_ino)
				s = s->next;
			if (s) {
				printf(" =%s\n", s->path);
				continue;
			}
			s = malloc(sizeof(*s));
			*s = (struct seen){st.st_ino, strdup(child), seen};
			seen = s;
		}
		if (!plain)
			dump_xattrs(d, name, st.st_mode);
		if (S_ISLNK(st.st_mode)) {
			ssize_t k = readlinkat(d, name, buf, 200);
			printf(" -> %.*s", (int)k, buf);
		}
		if (S_ISREG(st.st_mode)) {
			if (!plain && geteuid() && !(st.st_mode & 0400))
				fchmodat(d, name, 0600, 0);
			dump_data(d, name, &st);
		}
		putchar('\n');
		if (S_ISDIR(st.st_mode)) {
			if (!plain && geteuid() && (st.st_mode & 0500) != 0500)
				fchmodat(d, name, 0700, 0);
			int sub = openat(d, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub < 0)
				printf("%s: %s\n", child, strerrorname_np(errno));
			else
				dump_dir(sub, child, plain, false);
		}
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	close(d);
}

void dump_tree(const char *dir, bool plain)
{
	int d = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!buf)
		buf = malloc(BUF);
	seen = NULL;
	if (d < 0)
		err(3, "%s", dir);
	dump_dir(d, ".", plain, true);
}

static void note_lower(int d)
{
	char *names[1024];
	int fd = openat(d, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t n = fd < 0 ? 0 : list(fd, names, 1024);

	for (size_t i = 0; i < n; i++) {
		struct stat st;
		*strchr(names[i], ' ') = '\0';
		if (*names[i] != '.' && !fstatat(d, names[i], &st, AT_SYMLINK_NOFOLLOW)) {
			if (S_ISREG(st.st_mode))
				low_of(st.st_ino, true);
			int sub = S_ISDIR(st.st_mode) ? openat(d, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
			if (sub >= 0)
				note_lower(sub);
		}
		free(names[i]);
	}
	close(d);
}

static int remove_all(int d)
{
	char *names[1024];
	size_t n = list(openat(d, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), names, 1024);
	int r = 0;

	fchmod(d, 0700);
	for (size_t i = 0; i < n; i++) {
		*strchr(names[i], ' ') = '\0';
		if (!strcmp(names[i], ".") || !strcmp(names[i], "..") || !unlinkat(d, names[i], 0))
			continue;
		fchmodat(d, names[i], 0700, 0);
		int sub = openat(d, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0) {
			r |= remove_all(sub);
			close(sub);
		}
		if (unlinkat(d, names[i], AT_REMOVEDIR)) {
			printf("drain: %s: %s\n", names[i], strerrorname_np(errno));
			r = 1;
		}
	}
	return r;
}

#define LIMITED (INT64_C(1) << 30) /* a larger file system is the host's: no limit of size was given */

/* All of the space must come back, and all of the inodes. */
static int drained(int root)
{
	struct statfs s;
	int64_t size = 0, avail = 0, wrote = 0;
	ssize_t n;

	if (remove_all(root))
		return 1;
	for (int i = 0; i < 20; i++) {
		if (fstatfs(root, &s))
			return 1;
		size = (int64_t)(s.f_blocks * (uint64_t)s.f_bsize);
		avail = (int64_t)(s.f_bavail * (uint64_t)s.f_bsize);
		if ((avail >= size - 65536 || size > LIMITED) && s.f_ffree == s.f_files)
			break;
		usleep(50000);
	}
	if (s.f_files && s.f_files < LIMITED && s.f_ffree != s.f_files)
		printf("drain: %ld of %ld inodes\n", (long)s.f_ffree, (long)s.f_files);
	if (size > LIMITED)
		avail = size = 65536;
	int fd = openat(root, "again", O_WRONLY | O_CREAT, 0600);
	while (fd >= 0 && wrote < size && (n = write(fd, buf, 32768)) > 0)
		wrote += n;
	printf("drain: %s of %ld, %s\n", avail >= size - 65536 ? "all" : "not all", (long)size,
	       wrote >= size - 65536 ? "can be used" : "can't be used");
	if (avail < size - 65536 || wrote < size - 65536)
		printf("drain: %ld available, %ld written\n", (long)avail, (long)wrote);
	return fd < 0;
}

static void player_main(int self, const struct ops *ops, int (*pipes)[2], int root, char **follow)
{
	struct player p = {.root = root, .map = {{.fd = -1}, {.fd = -1}}};
	uint32_t token;

	for (int i = 0; i < SLOTS; i++)
		p.slot[i].fd = -1;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* As root: two processes of root, two of others. */
	if (!geteuid() && self >= 2 &&
	    (syscall(SYS_setgroups, 0, NULL) || setresgid(1000, 1000, 1000) ||
	     setresuid(998u + (uid_t)self, 998u + (uid_t)self, 998u + (uid_t)self)))
		err(3, "setresuid");
	if (fchdir(root))
		err(3, "fchdir");
	while (read(pipes[self][0], &token, sizeof(token)) == sizeof(token)) {
		const struct op *o = &ops->v[token];
		const char *was = follow ? follow[token] : NULL;
		p.n = 0;
		p.limit = -1;
		p.skip = was && (strstr(was, "-ENOSPC") || strstr(was, "SIGBUS"));
		say(&p, "%u:", token);
		if (p.skip) {
			p.n = 0;
			say(&p, "%s", was);
		} else {
			if (was && strrchr(was, ' ') && strrchr(was, ' ')[1] != '-' && strchr("wpcs", *o->def->name))
				p.limit = strtol(strrchr(was, ' '), NULL, 10);
			o->def->run(&p, o->a);
		}
		say(&p, "\n");
		if (write(1, p.out, p.n) != (ssize_t)p.n)
			err(3, "write");
		int to = ++token < ops->n ? ops->v[token].proc : PROCS;
		if (write(pipes[to][1], &token, sizeof(token)) != sizeof(token))
			err(3, "token");
		if (to == PROCS)
			pause();
	}
	_exit(0);
}

static char **read_lines(const char *file, size_t n)
{
	FILE *f = fopen(file, "r");
	char **v = calloc(n + 1, sizeof(*v)), line[8300];

	if (!f)
		err(3, "%s", file);
	while (fgets(line, sizeof(line), f)) {
		unsigned i;
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%u:", &i) == 1 && i < n)
			v[i] = strdup(line);
	}
	fclose(f);
	return v;
}

static void on_child(int sig)
{
}

int play(const char *dir, const struct ops *ops, const char *follow, bool drain, bool tree)
{
	int pipes[PROCS + 1][2], root = open(dir, O_PATH | O_DIRECTORY);
	pid_t pid[PROCS];
	uint32_t token = 0;
	struct sigaction sa = {.sa_handler = on_bus};
	char **was = follow ? read_lines(follow, ops->n) : NULL;
	int bad = 0, status;

	if (root < 0 || fcntl(root, F_DUPFD, 90) != 90 || close(root))
		err(3, "%s", dir);
	root = 90;
	timeless = follow || drain;
	umask(022);
	sigaction(SIGBUS, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	sa.sa_handler = on_child; /* ends the read below */
	sigaction(SIGCHLD, &sa, NULL);
	buf = malloc(BUF);
	low = mmap(NULL, TOKENS * sizeof(*low), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	poked = mmap(NULL, sizeof(*poked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	note_lower(openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	for (int i = 0; i <= PROCS; i++)
		if (pipe(pipes[i]))
			err(3, "pipe");
	for (int i = 0; i < PROCS; i++)
		if (!(pid[i] = fork()))
			player_main(i, ops, pipes, root, was);
	close(pipes[PROCS][1]);
	if (ops->n && write(pipes[ops->v[0].proc][1], &token, sizeof(token)) != sizeof(token))
		err(3, "token");
	if (ops->n)
		bad = read(pipes[PROCS][0], &token, sizeof(token)) != sizeof(token);
	signal(SIGCHLD, SIG_DFL);
	for (int i = 0; i < PROCS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status, 0);
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	if (bad) {
		printf("a process died\n");
		return 3;
	}
	if (!tree)
		return 0;
	int top = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	printf("tree\n");
	seen = NULL;
	dump_dir(dup(top), ".", false, true);
	bad = drain ? drained(top) : 0;
	fflush(stdout);
	return bad;
}
