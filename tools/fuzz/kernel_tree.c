/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_tree.c - the tree that both sides begin with, its removal, and what is left of it as text. All by system calls of the kernel in question,
 * whose memory is the arena: strings go into its slots first.
 */
#include "tools/fuzz/kernel_fuzz.h"
#include "tools/fuzz/fuzz.h"

#include <dirent.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define DEPTH 24
#define BUF   (KF_SLOT * 2) /* slots 2 and 3 */

struct tree {
	kf_sys *sys;
	void *ctx;
	char *out;
	size_t n, size;
	uint64_t inodes[512]; /* of what has several names, in the order in which they are met */
	unsigned n_inodes;
	uint64_t *line_ino; /* NULL: not asked for */
	unsigned n_lines;
};

int64_t kf_raw_sys(void *ctx, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	long r = syscall(nr, a, b, c, d, e);

	return r < 0 ? -errno : r;
}

static uint64_t put(int slot, const char *s)
{
	size_t n = strlen(s) + 1;

	FUZZ_CHECK(n <= KF_SLOT);
	memcpy((void *)kf_slot(slot), s, n);
	return kf_slot(slot);
}
static int64_t call(struct tree *t, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	return t->sys(t->ctx, nr, a, b, c, d, e);
}
static void must(int64_t r)
{
	if (r < 0)
		fprintf(stderr, "the tree: %s\n", strerror((int)-r));
	FUZZ_CHECK(r >= 0);
}

/* --- Building --- */
static const struct entry {
	char type; /* d, f, l, h, p */
	const char *name;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	unsigned size;
	const char *to;
} entries[] = {
    {'d', "/d0", 0755, 0, 0, 0, NULL},
    {'d', "/d1", 0777, 1000, 1000, 0, NULL},
    {'d', "/d1/e0", 0700, 1000, 1000, 0, NULL},
    {'d', "/d2", 01777, 0, 0, 0, NULL},
    {'d', "/d3", 02775, 0, 1001, 0, NULL},
    {'f', "/f0", 0644, 0, 0, 5000, NULL},
    {'f', "/f1", 0666, 1000, 1000, 100, NULL},
    {'f', "/f2", 06755, 0, 1001, 10, NULL},
    {'f', "/d0/f0", 0600, 0, 0, 0, NULL},
    {'f', "/d0/f1", 0640, 1001, 1001, 4096, NULL},
    {'f', "/d1/f0", 0644, 1000, 1000, 20, NULL},
    {'f', "/d1/e0/f0", 0400, 1000, 1000, 6000, NULL},
    {'f', "/d2/f0", 0644, 1000, 1000, 30, NULL},
    {'f', "/d2/f1", 0666, 0, 0, 30, NULL},
    {'h', "/d1/h0", 0, 0, 0, 0, "/f1"},
    {'p', "/d1/p0", 0666, 1000, 1000, 0, NULL},
    {'l', "/l0", 0, 0, 0, 0, "d1"},
    {'l', "/d1/l1", 0, 1000, 1000, 0, "../f0"},
    {'l', "/l2", 0, 0, 0, 0, "/d2/f0"},
    {'l', "/l3", 0, 0, 0, 0, "l3"},
    {'l', "/d2/l4", 0, 1000, 1000, 0, "n0"},
};

static void set_times(struct tree *t, const char *path)
{
	struct timespec ts[2] = {{1000000000, 5}, {1000000001, 7}};

	memcpy((void *)kf_slot(1), ts, sizeof(ts));
	must(call(t, SYS_utimensat, (uint64_t)AT_FDCWD, put(0, path), kf_slot(1), AT_SYMLINK_NOFOLLOW, 0));
}

static void build_file(struct tree *t, const char *path, const struct entry *e)
{
	int64_t fd = call(t, SYS_openat, (uint64_t)AT_FDCWD, put(0, path), O_CREAT | O_EXCL | O_WRONLY, 0600, 0);

	must(fd);
	for (unsigned i = 0; i < e->size; i++)
		((char *)kf_slot(1))[i] = (char)('a' + (i / 9 + e->size) % 26);
	if (e->size)
		must(call(t, SYS_write, (uint64_t)fd, kf_slot(1), e->size, 0, 0));
	if (e->size == 5000)
		must(call(t, SYS_fsetxattr, (uint64_t)fd, put(0, "user.a"), put(1, "lower"), 5, 0));
	must(call(t, SYS_close, (uint64_t)fd, 0, 0, 0, 0));
}

void kf_tree_build(kf_sys *sys, void *ctx, const char *top)
{
	struct tree t = {.sys = sys, .ctx = ctx};
	char path[128], other[128];

	must(call(&t, SYS_mkdir, put(0, top), 0777, 0, 0, 0));
	must(call(&t, SYS_chmod, put(0, top), 0777, 0, 0, 0));
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const struct entry *e = &entries[i];

		snprintf(path, sizeof(path), "%s%s", top, e->name);
		switch (e->type) {
		case 'd':
			must(call(&t, SYS_mkdir, put(0, path), 0777, 0, 0, 0));
			break;
		case 'f':
			build_file(&t, path, e);
			break;
		case 'h':
			snprintf(other, sizeof(other), "%s%s", top, e->to);
			must(call(&t, SYS_link, put(0, other), put(1, path), 0, 0, 0));
			continue;
		case 'p':
			must(call(&t, SYS_mknod, put(0, path), S_IFIFO | 0600, 0, 0, 0));
			break;
		default:
			must(call(&t, SYS_symlink, put(0, e->to), put(1, path), 0, 0, 0));
		}
		if (e->uid || e->gid)
			must(call(&t, SYS_lchown, put(0, path), e->uid, e->gid, 0, 0));
		if (e->type != 'l')
			must(call(&t, SYS_chmod, put(0, path), e->mode, 0, 0, 0));
	}
	for (size_t i = ARRAY_SIZE(entries); i--;) {
		snprintf(path, sizeof(path), "%s%s", top, entries[i].name);
		set_times(&t, path);
	}
	set_times(&t, top);
}

/* --- Listing a directory: names sorted, in memory of our own. --- */
struct names {
	char *v[256];
	unsigned n;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}
static void names_free(struct names *l)
{
	while (l->n)
		free(l->v[--l->n]);
}

static int64_t list(struct tree *t, int64_t fd, struct names *l)
{
	int64_t n;

	l->n = 0;
	while ((n = call(t, SYS_getdents64, (uint64_t)fd, kf_slot(2), BUF, 0, 0)) > 0)
		for (int64_t at = 0; at < n;) {
			const struct dirent64 *e = (const struct dirent64 *)(kf_slot(2) + (uint64_t)at);

			if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
				FUZZ_CHECK(l->n < ARRAY_SIZE(l->v));
				l->v[l->n++] = strdup(e->d_name);
			}
			at += e->d_reclen;
		}
	qsort(l->v, l->n, sizeof(l->v[0]), by_name);
	return n;
}

/* --- Removing --- */
static void wipe_in(struct tree *t, int64_t fd, unsigned depth)
{
	struct names l;

	FUZZ_CHECK(depth < DEPTH * 8);
	must(list(t, fd, &l));
	for (unsigned i = 0; i < l.n; i++) {
		int64_t r = call(t, SYS_unlinkat, (uint64_t)fd, put(0, l.v[i]), 0, 0, 0);

		if (r == -EISDIR) {
			int64_t sub =
			    call(t, SYS_openat, (uint64_t)fd, put(0, l.v[i]), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 0);
			must(sub);
			wipe_in(t, sub, depth + 1);
			must(call(t, SYS_close, (uint64_t)sub, 0, 0, 0, 0));
			r = call(t, SYS_unlinkat, (uint64_t)fd, put(0, l.v[i]), AT_REMOVEDIR, 0, 0);
		}
		must(r);
	}
	names_free(&l);
}

void kf_tree_wipe(kf_sys *sys, void *ctx, const char *top)
{
	struct tree t = {.sys = sys, .ctx = ctx};
	int64_t fd = call(&t, SYS_open, put(0, top), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, 0, 0);

	must(fd);
	wipe_in(&t, fd, 0);
	must(call(&t, SYS_close, (uint64_t)fd, 0, 0, 0, 0));
	must(call(&t, SYS_rmdir, put(0, top), 0, 0, 0, 0));
}

/* --- As text --- */
static void PRINTF_LIKE(2, 3) say(struct tree *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(t->out + t->n, t->size - t->n, fmt, ap);
	va_end(ap);
	FUZZ_CHECK(n >= 0 && (size_t)n < t->size - t->n);
	t->n += (size_t)n;
}

static uint32_t hash(const void *v, size_t n)
{
	uint32_t h = 2166136261;

	for (const unsigned char *c = v; n--; c++)
		h = (h ^ *c) * 16777619;
	return h;
}

static void say_xattrs(struct tree *t, int64_t fd)
{
	struct names l = {.n = 0};
	int64_t n = call(t, SYS_flistxattr, (uint64_t)fd, kf_slot(2), BUF, 0, 0);

	for (int64_t at = 0; at < n;) {
		const char *name = (const char *)kf_slot(2) + at;

		FUZZ_CHECK(l.n < ARRAY_SIZE(l.v));
		l.v[l.n++] = strdup(name);
		at += (int64_t)strlen(name) + 1;
	}
	qsort(l.v, l.n, sizeof(l.v[0]), by_name);
	if (n < 0)
		say(t, " xattrs -%s", strerrorname_np((int)-n));
	for (unsigned i = 0; i < l.n; i++) {
		n = call(t, SYS_fgetxattr, (uint64_t)fd, put(0, l.v[i]), kf_slot(2), BUF, 0);
		say(t, " %s=%ld:%08x", l.v[i], (long)n, hash((void *)kf_slot(2), n > 0 ? (size_t)n : 0));
	}
	names_free(&l);
}

static void say_inode(struct tree *t, const struct stat *st)
{
	unsigned k = 0;

	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return;
	while (k < t->n_inodes && t->inodes[k] != st->st_ino)
		k++;
	if (k == t->n_inodes && k < ARRAY_SIZE(t->inodes))
		t->inodes[t->n_inodes++] = st->st_ino;
	say(t, " same %u", k);
}

static void dump_in(struct tree *t, int64_t dirfd, const char *name, const char *path, unsigned depth)
{
	char sub[4096];
	struct stat st;
	int64_t r = call(t, SYS_newfstatat, (uint64_t)dirfd, put(0, name), kf_slot(2), AT_SYMLINK_NOFOLLOW, 0), fd;

	say(t, "%s", path);
	if (t->line_ino && t->n_lines < KF_TREE_LINES - 1)
		t->line_ino[t->n_lines++] = r < 0 ? UINT64_MAX : ((const struct stat *)kf_slot(2))->st_ino;
	if (r < 0) {
		say(t, " -%s\n", strerrorname_np((int)-r));
		return;
	}
	memcpy(&st, (void *)kf_slot(2), sizeof(st));
	say(t, " %06o %lu %u:%u", st.st_mode, (unsigned long)st.st_nlink, st.st_uid, st.st_gid);
	if (!S_ISDIR(st.st_mode))
		say(t, " %ld", (long)st.st_size);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		say(t, " dev %lx", (unsigned long)st.st_rdev);
	if (st.st_mtim.tv_sec < KF_PAST && !S_ISFIFO(st.st_mode))
		say(t, " m%ld.%09ld", (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	say_inode(t, &st);
	if (S_ISLNK(st.st_mode)) {
		r = call(t, SYS_readlinkat, (uint64_t)dirfd, put(0, name), kf_slot(2), BUF, 0);
		say(t, " -> %.*s\n", r < 0 ? 0 : (int)r, (char *)kf_slot(2));
		return;
	}
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
		say(t, "\n");
		return;
	}
	fd = call(t, SYS_openat, (uint64_t)dirfd, put(0, name), O_RDONLY | O_NOFOLLOW | O_NOATIME, 0, 0);
	if (fd < 0) {
		say(t, " -%s\n", strerrorname_np((int)-fd));
		return;
	}
	say_xattrs(t, fd);
	if (S_ISREG(st.st_mode)) {
		r = call(t, SYS_read, (uint64_t)fd, kf_slot(2), BUF, 0, 0);
		say(t, " data %ld:%08x\n", (long)r, hash((void *)kf_slot(2), r > 0 ? (size_t)r : 0));
	} else {
		struct names l;

		r = list(t, fd, &l);
		say(t, r < 0 ? " -%s\n" : "\n", strerrorname_np((int)-r));
		for (unsigned i = 0; i < l.n && depth < DEPTH; i++) {
			snprintf(sub, sizeof(sub), "%s/%s", path, l.v[i]);
			dump_in(t, fd, l.v[i], sub, depth + 1);
		}
		names_free(&l);
	}
	call(t, SYS_close, (uint64_t)fd, 0, 0, 0, 0);
}

void kf_tree_dump(kf_sys *sys, void *ctx, const char *top, char *out, size_t size, uint64_t ino[KF_TREE_LINES])
{
	struct tree t = {.sys = sys, .ctx = ctx, .out = out, .size = size, .line_ino = ino};

	out[0] = 0;
	dump_in(&t, AT_FDCWD, top, "", 0);
	if (ino)
		ino[t.n_lines] = 0;
}
