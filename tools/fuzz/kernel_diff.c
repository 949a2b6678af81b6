/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_diff.c - runs a sequence on both kernels and compares: each result, what each call wrote, and the trees at the end.
 *
 * The host runs first. What may differ is modelled here, each by its condition:
 *
 *   a descriptor opened for reading before a file was copied up keeps the old data (README). What a call says of data through it
 *   is not compared, and when such data goes into another file, the sequence ends;
 *   set-id bits of a file go when it's opened for writing, not when it's written (vfs/open.c): of a file that was opened so they aren't
 *   compared;
 *   what is refused by design ends the sequence: RENAME_WHITEOUT, on a read-write bind O_TMPFILE, opening FIFOs, making sockets and devices;
 *   linkat(AT_EMPTY_PATH) by another than who opened the descriptor, which is ENOENT on the host;
 *   F_GETFL: O_NOFOLLOW of files and directories; O_DIRECTORY of directories; O_TMPFILE of nameless files; O_NOATIME of what is read
 *   from the lower, where there is no atime to keep;
 *   positions in directories are a file system's own: a seek to another than the start ends the sequence;
 *   O_PATH descriptors: lseek, fsync, F_SETFL, F_GETFL and ioctl aren't EBADF (vfs/README.md); what else runs natively fails, too,
 *   but may say so differently;
 *   times of now, inode and device numbers, sizes of directories, order of names are a file system's own.
 */
#include "tools/fuzz/kernel_fuzz.h"
#include "tools/fuzz/fuzz.h"

#include <dirent.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef SYS_listxattrat /* 6.13 */
#define SYS_listxattrat 465
#endif

struct kf_shared *kf_shared;
uint64_t kf_calls;
static unsigned runs;
static struct {
	uint64_t ino[KF_OPS];
	unsigned n;
} written; /* files that were opened for writing in this sequence, by the guest's numbers */

enum ending { SAME, DIFFERS, ENDS };

static bool was_written(uint64_t ino)
{
	for (unsigned i = 0; i < written.n; i++)
		if (written.ino[i] == ino)
			return true;
	return false;
}

void kf_start(void)
{
	if (kf_shared)
		return;
	kf_shared = kf_host_start();
	kf_guest_start(kf_shared);
}

static const char *name_of(int64_t r, char buf[24])
{
	const char *s = r < 0 && r > -4096 ? strerrorname_np((int)-r) : NULL;

	if (s)
		snprintf(buf, 24, "-%s", s);
	else
		snprintf(buf, 24, "%ld", (long)r);
	return buf;
}

static enum ending PRINTF_LIKE(2, 3) differ(struct kf_diff *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
	return DIFFERS;
}

/* --- What was written --- */
struct attrs {
	uint32_t mode, uid, gid;
	uint64_t nlink, rdev, ino;
	int64_t size, atime, mtime;
	int64_t atime_ns, mtime_ns;
};

static struct attrs from_stat(const void *p)
{
	struct stat st;

	memcpy(&st, p, sizeof(st));
	return (struct attrs){.mode = st.st_mode,
			      .uid = st.st_uid,
			      .gid = st.st_gid,
			      .nlink = st.st_nlink,
			      .rdev = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? st.st_rdev : 0,
			      .ino = st.st_ino,
			      .size = S_ISDIR(st.st_mode) ? 0 : st.st_size,
			      .atime = st.st_atim.tv_sec,
			      .mtime = st.st_mtim.tv_sec,
			      .atime_ns = st.st_atim.tv_nsec,
			      .mtime_ns = st.st_mtim.tv_nsec};
}
static struct attrs from_statx(const void *p)
{
	struct statx st;

	memcpy(&st, p, sizeof(st));
	return (struct attrs){
	    .mode = st.stx_mode,
	    .uid = st.stx_uid,
	    .gid = st.stx_gid,
	    .nlink = st.stx_nlink,
	    .rdev = S_ISCHR(st.stx_mode) || S_ISBLK(st.stx_mode) ? (uint64_t)st.stx_rdev_major << 32 | st.stx_rdev_minor : 0,
	    .ino = st.stx_ino,
	    .size = S_ISDIR(st.stx_mode) ? 0 : (int64_t)st.stx_size,
	    .atime = st.stx_atime.tv_sec,
	    .mtime = st.stx_mtime.tv_sec,
	    .atime_ns = st.stx_atime.tv_nsec,
	    .mtime_ns = st.stx_mtime.tv_nsec};
}

/* Of two times those of now are alike. */
static bool same_time(mode_t mode, int64_t h, int64_t h_ns, int64_t g, int64_t g_ns)
{
	return S_ISFIFO(mode) || (h >= KF_PAST && g >= KF_PAST) || (h == g && h_ns == g_ns);
}

static enum ending cmp_attrs(struct kf_diff *d, struct attrs h, struct attrs g)
{
	mode_t mask = S_ISREG(h.mode) && was_written(g.ino) ? ~(mode_t)(S_ISUID | S_ISGID) : ~(mode_t)0;

	if ((h.mode & mask) == (g.mode & mask) && h.uid == g.uid && h.gid == g.gid && h.nlink == g.nlink &&
	    h.rdev == g.rdev && h.size == g.size && same_time(h.mode, h.mtime, h.mtime_ns, g.mtime, g.mtime_ns) &&
	    same_time(h.mode, h.atime, h.atime_ns, g.atime, g.atime_ns))
		return SAME;
	return differ(
	    d,
	    "host %o %u:%u %lu links %ld bytes rdev %lx m%ld.%ld a%ld.%ld, guest %o %u:%u %lu links %ld bytes rdev "
	    "%lx m%ld.%ld a%ld.%ld",
	    h.mode, h.uid, h.gid, h.nlink, h.size, h.rdev, h.mtime, h.mtime_ns, h.atime, h.atime_ns, g.mode, g.uid, g.gid,
	    g.nlink, g.size, g.rdev, g.mtime, g.mtime_ns, g.atime, g.atime_ns);
}

#define NAMES 256
static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Entries or NUL separated names as sorted lines. */
static void sorted(const char *p, int64_t n, int kind, char out[8192])
{
	static char v[NAMES][288];
	unsigned k = 0;
	size_t len = 0;

	for (int64_t at = 0; at < n && k < NAMES; k++) {
		if (kind == SYS_getdents64) {
			const struct dirent64 *e = (const struct dirent64 *)(p + at);
			snprintf(v[k], sizeof(v[k]), "%s %u", e->d_name, e->d_type);
			at += e->d_reclen;
		} else if (kind == SYS_getdents) {
			const struct {
				unsigned long ino, off;
				unsigned short len;
				char name[];
			} *e = (const void *)(p + at);
			snprintf(v[k], sizeof(v[k]), "%s %u", e->name, (unsigned)(unsigned char)p[at + e->len - 1]);
			at += e->len;
		} else {
			snprintf(v[k], sizeof(v[k]), "%s", p + at);
			at += (int64_t)strlen(p + at) + 1;
		}
	}
	qsort(v, k, sizeof(v[0]), by_text);
	out[0] = 0;
	for (unsigned i = 0; i < k && len < 7900; i++)
		len += (size_t)snprintf(out + len, 8192 - len, "%s\n", v[i]);
}

static enum ending cmp_names(struct kf_diff *d, const char *host, int64_t hn, const char *guest, int64_t gn, int kind)
{
	static char a[8192], b[8192];

	sorted(host, hn, kind, a);
	sorted(guest, gn, kind, b);
	return strcmp(a, b) ? differ(d, "host names\n%sguest names\n%s", a, b) : SAME;
}

static enum ending cmp_out(struct kf_diff *d, const struct kf_op *o, int i)
{
	const char *host = o->out[i], *guest = (const char *)o->a[i].v;
	size_t at = 0;

	if (o->res >= 0 && o->call->args[i] == ARG_STATOUT)
		return o->nr == SYS_statx ? cmp_attrs(d, from_statx(host), from_statx(guest))
					  : cmp_attrs(d, from_stat(host), from_stat(guest));
	if (!memcmp(host, guest, o->a[i].snap))
		return SAME;
	while (host[at] == guest[at])
		at++;
	return differ(d, "argument %d differs at byte %zu: host %02x, guest %02x", i, at, (unsigned char)host[at],
		      (unsigned char)guest[at]);
}

/* --- One call --- */
static bool lists(int nr)
{
	return nr == SYS_getdents || nr == SYS_getdents64 || nr == SYS_listxattr || nr == SYS_llistxattr ||
	       nr == SYS_flistxattr || nr == SYS_listxattrat;
}

static int list_arg(int nr)
{
	return nr == SYS_listxattrat ? 3 : 1;
}

/* Says what lies in a file, or moves a position in one. */
static bool tells_data(int nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_pread64:
	case SYS_readv:
	case SYS_preadv:
	case SYS_preadv2:
	case SYS_lseek:
	case SYS_sendfile:
	case SYS_copy_file_range:
		return true;
	default:
		return false;
	}
}

static int source_arg(int nr)
{
	return nr == SYS_sendfile ? 1 : 0;
}

/* Runs natively, where a token is no O_PATH descriptor and succeeds. */
static bool odd_on_o_path(const struct kf_op *o)
{
	switch (o->nr) {
	case SYS_lseek:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_ioctl:
	case SYS_fadvise64:
		return true;
	case SYS_fcntl:
		return o->a[1].v == F_SETFL || o->a[1].v == F_GETFL || o->a[1].v == F_GET_SEALS || o->a[1].v == F_GETPIPE_SZ;
	default:
		return false;
	}
}

/* What F_GETFL may show differently, see the head. */
static int odd_flags(const struct kf_op *o, const struct kf_fdinfo *fd)
{
	if (fd->foreign)
		return 0;
	return O_NOFOLLOW | (fd->dir ? O_DIRECTORY : 0) | (o->res & O_TMPFILE & ~O_DIRECTORY ? O_TMPFILE : 0) |
	       (fd->lower ? O_NOATIME : 0);
}

static bool opens(int nr)
{
	return nr == SYS_open || nr == SYS_openat || nr == SYS_openat2;
}

static bool refused_by_design(const struct kf_op *o, int64_t r)
{
	mode_t type;

	/* With a flag that isn't there, what the names are isn't looked at. */
	if (o->nr == SYS_renameat2 && r == -EINVAL && (o->a[4].v & 4) && o->res == -ENOTEMPTY)
		return true;
	/* Whose credentials a descriptor was opened with isn't known. */
	if (o->nr == SYS_linkat)
		return o->res == -ENOENT && (o->a[4].v & AT_EMPTY_PATH);
	if (kf_shared->seq.fs == KF_GOFERFS && opens(o->nr) && r == -ENXIO && o->res == -EINVAL)
		return true;
	if (o->res < 0 || r >= 0)
		return false;
	if (o->nr == SYS_renameat2)
		return r == -EINVAL && (o->a[4].v & 4);
	if (kf_shared->seq.fs != KF_GOFERFS)
		return false;
	if (opens(o->nr))
		return r == -EOPNOTSUPP || r == -ENXIO;
	if (o->nr != SYS_mknod && o->nr != SYS_mknodat)
		return false;
	type = (mode_t)o->a[o->nr == SYS_mknod ? 1 : 2].v & S_IFMT;
	return r == -EPERM && (type == S_IFSOCK || type == S_IFCHR || type == S_IFBLK);
}

static enum ending compare(struct kf_diff *d, const struct kf_op *o, int64_t r, const struct kf_fdinfo *fd)
{
	char a[24], b[24];
	bool is_list = lists(o->nr) && o->res > 0 && r > 0;

	if (fd->o_path && o->call->verdict != VERDICT_EMULATE && (odd_on_o_path(o) || (o->res == -EBADF && r < 0)))
		return SAME;
	if (refused_by_design(o, r))
		return ENDS;
	if (o->nr == SYS_fcntl && o->a[1].v == F_GETFL && o->res >= 0 && r >= 0 && !((o->res ^ r) & ~odd_flags(o, fd)))
		return SAME;
	if (o->nr == SYS_lseek && fd->dir && o->res >= 0 && r >= 0 && (o->res || r))
		return ENDS;
	if (o->res != r && !is_list)
		return differ(d, "host %s, guest %s", name_of(o->res, a), name_of(r, b));
	if (is_list && o->a[list_arg(o->nr)].v) {
		int i = list_arg(o->nr);
		/* A directory's names fit only in part: which come first is its own affair. */
		if (o->nr == SYS_getdents || o->nr == SYS_getdents64)
			return o->a[2].v < 4000 ? SAME : cmp_names(d, o->out[i], o->res, (void *)o->a[i].v, r, o->nr);
		if (o->res != r)
			return differ(d, "host %ld, guest %ld bytes", (long)o->res, (long)r);
		return o->a[i].snap && o->a[i + 1].v ? cmp_names(d, o->out[i], o->res, (void *)o->a[i].v, r, o->nr) : SAME;
	}
	for (int i = 0; i < o->call->nargs; i++) {
		if (o->a[i].snap) {
			enum ending e = cmp_out(d, o, i);
			if (e != SAME)
				return e;
		}
	}
	return SAME;
}

static enum ending step(struct kf_diff *d, const struct kf_op *o)
{
	struct kf_fdinfo fd = {0}, other;
	enum ending e;
	int64_t r;
	int at = source_arg(o->nr);

	if (o->call->args[at] == ARG_FD)
		kf_guest_fd(o->task, o->a[at].v, &fd);
	for (int i = 0; i < o->call->nargs; i++) {
		if (i == at || o->call->args[i] != ARG_FD || o->call->verdict == VERDICT_EMULATE)
			continue;
		kf_guest_fd(o->task, o->a[i].v, &other);
		fd.o_path |= other.o_path;
	}
	r = kf_guest_call(o);
	if (tells_data(o->nr) && fd.stale)
		return (o->nr == SYS_sendfile || o->nr == SYS_copy_file_range) && r > 0 ? ENDS : SAME;
	e = compare(d, o, r, &fd);
	if (opens(o->nr) && r >= 0) {
		kf_guest_fd(o->task, (uint64_t)r, &fd);
		if (fd.writes && !was_written(fd.ino))
			written.ino[written.n++] = fd.ino;
	}
	return e;
}

/* In the lines of files that were written; ino: of each line, as the guest numbers them. */
static void drop_setid(char *tree, const uint64_t *ino)
{
	for (char *line = tree; *line && *ino; line = strchr(line, '\n') + 1, ino++) {
		char *mode = strchr(line, ' ') + 1;
		if (mode[0] == '1' && mode[1] == '0' && was_written(*ino))
			mode[2] = (char)('0' + ((mode[2] - '0') & 1));
	}
}

static enum ending trees(struct kf_diff *d, const char *top)
{
	static char tree[1 << 20];
	static uint64_t ino[KF_TREE_LINES];
	char *h = kf_shared->tree, *g = tree;

	kf_tree_dump(kf_guest_sys, NULL, top, tree, sizeof(tree), ino);
	drop_setid(h, ino);
	drop_setid(g, ino);
	if (!strcmp(h, g))
		return SAME;
	while (*h && strcspn(h, "\n") == strcspn(g, "\n") && !strncmp(h, g, strcspn(h, "\n") + 1)) {
		h += strcspn(h, "\n") + 1;
		g += strcspn(g, "\n") + 1;
	}
	return differ(d, "trees: host %.*s\n      guest %.*s", (int)strcspn(h, "\n"), h, (int)strcspn(g, "\n"), g);
}

bool kf_differs(struct kf_diff *d)
{
	struct kf_seq *s = &kf_shared->seq;
	char guest[KF_TOP_SIZE], host[64];
	enum ending e = SAME;

	kf_start();
	runs++;
	written.n = 0;
	kf_guest_top(s->fs, runs, guest, host);
	snprintf(kf_shared->top, sizeof(kf_shared->top), "/r%u", runs);
	kf_host_run(kf_shared);
	if (s->fs == KF_TMPFS)
		kf_tree_build(kf_guest_sys, NULL, guest);
	else
		kf_tree_build(kf_raw_sys, NULL, host);
	kf_guest_begin(s, guest);
	for (unsigned i = 0; i < s->n && e == SAME; i++) {
		d->at = (int)i;
		e = step(d, &s->op[i]);
		kf_calls++;
	}
	kf_guest_end();
	if (e == SAME) {
		d->at = -1;
		e = trees(d, guest);
	}
	kf_tree_wipe(kf_guest_sys, NULL, guest);
	if (s->fs == KF_OVERLAY)
		kf_tree_wipe(kf_raw_sys, NULL, host);
	return e == DIFFERS;
}

void kf_report(const struct kf_diff *d, FILE *f)
{
	const struct kf_seq *s = &kf_shared->seq;

	kf_print(s, f);
	if (d->at >= 0) {
		fprintf(f, "# at ");
		kf_print_op(&s->op[d->at], f);
	}
	for (const char *p = d->text; *p;) {
		size_t n = strcspn(p, "\n");
		fprintf(f, "# %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
	fflush(f);
}

/* --- Shrinking --- */
static bool alike(const struct kf_diff *a, const char *a_name, const struct kf_diff *b, const char *b_name)
{
	return (a->at < 0) == (b->at < 0) && !strcmp(a_name, b_name) &&
	       (a->at < 0 || !strncmp(a->text, b->text, strcspn(a->text, "0123456789")));
}

static const char *at_name(const struct kf_seq *s, const struct kf_diff *d)
{
	return d->at < 0 ? "" : s->op[d->at].call->name;
}

/* Without calls from..from+n: false if others need them (a fork's children). */
static bool leave_out(struct kf_seq *s, const struct kf_seq *all, unsigned from, unsigned n)
{
	unsigned k = 0;

	for (unsigned i = from; i < from + n; i++)
		for (unsigned j = from + n; all->op[i].child != KF_NO_FORK && j < all->n; j++)
			if (all->op[j].task == all->op[i].child)
				return false;
	for (unsigned i = 0; i < all->n; i++)
		if (i < from || i >= from + n)
			s->op[k++] = all->op[i];
	s->n = k;
	return true;
}

void kf_shrink(struct kf_diff *d, unsigned seconds)
{
	struct kf_seq *s = &kf_shared->seq;
	AUTO_FREE struct kf_seq *best = malloc(sizeof(*best));
	time_t until = time(NULL) + seconds;
	char name[32];

	FUZZ_CHECK(best);
	snprintf(name, sizeof(name), "%s", at_name(s, d));
	if (d->at >= 0)
		s->n = (unsigned)d->at + 1;
	memcpy(best, s, sizeof(*best));
	for (unsigned chunk = MAX(s->n / 2, 1U); chunk && time(NULL) < until;) {
		bool any = false;

		for (unsigned from = 0; from < best->n && time(NULL) < until;) {
			struct kf_diff now;
			unsigned n = MIN(chunk, best->n - from);

			if (leave_out(s, best, from, n) && kf_differs(&now) && alike(d, name, &now, at_name(s, &now))) {
				if (now.at >= 0)
					s->n = (unsigned)now.at + 1;
				memcpy(best->op, s->op, sizeof(s->op));
				best->n = s->n;
				*d = now;
				any = true;
			} else {
				from += n;
			}
		}
		if (!any || chunk > best->n)
			chunk /= 2;
	}
	memcpy(s->op, best->op, sizeof(s->op));
	s->n = best->n;
}
