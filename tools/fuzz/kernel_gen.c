/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_gen.c - from bytes to calls. A sequence is one byte for the file system and then, for each call, a byte for its row in syscalls.def, one for
 * the task, and one or two for each argument, by its kind. Any bytes are a sequence; a change in one byte changes one argument.
 *
 * A row is fuzzed here if it names files or descriptors and isn't in left_out. Where a kind says too little (ARG_HEX, ARG_PTR),
 * refined says what the argument is. Nothing here may block or reach beyond files: O_NONBLOCK and LOCK_NB are always set, device
 * numbers are 0, sizes and offsets are such that nobody allocates much.
 */
#include "tools/fuzz/kernel_fuzz.h"
#include "tools/fuzz/fuzz.h"

#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <utime.h>

const char *const kf_fs_names[KF_FS] = {"overlay", "tmpfs", "goferfs"};

static const struct {
	const char *name, *why;
} left_out[] = {
    {"chroot", "a way out of the scratch directory; tests/security has it"},
    {"creat", "can't be told not to wait for a FIFO's reader; open is the same"},
    {"uselib", "denied"},
    {"mmap", "the harness's own memory"},
    {"execve", "no program to replace"},
    {"execveat", "no program to replace"},
    {"sync", "of the whole host"},
    {"syncfs", "of the whole host"},
    {"ustat", "devices of the host"},
    {"cachestat", "the page cache of the host"},
    {"statfs", "numbers of the file system itself"},
    {"fstatfs", "numbers of the file system itself"},
    {"file_getattr", "not there"},
    {"file_setattr", "not there"},
    {"inotify_init", "no events, see kernel/README.md"},
    {"inotify_init1", "no events"},
    {"inotify_add_watch", "no events"},
    {"inotify_rm_watch", "no events"},
    {"setrlimit", "limits are the process's, tasks here share one"},
    {"process_vm_readv", "tasks here share memory"},
    {"process_vm_writev", "tasks here share memory"},
    {"bind", "sockets have tests of their own"},
    {"connect", "sockets"},
    {"accept", "sockets"},
    {"accept4", "sockets"},
    {"sendto", "sockets"},
    {"recvfrom", "sockets"},
    {"sendmsg", "sockets"},
    {"recvmsg", "sockets"},
    {"sendmmsg", "sockets"},
    {"recvmmsg", "sockets"},
    {"shutdown", "sockets"},
    {"listen", "sockets"},
    {"getsockname", "sockets"},
    {"getpeername", "sockets"},
    {"setsockopt", "sockets"},
    {"getsockopt", "sockets"},
    {"epoll_wait", "native, waits"},
    {"epoll_ctl", "native, no epoll descriptor"},
    {"epoll_pwait", "native, waits"},
    {"epoll_pwait2", "native, waits"},
    {"mq_timedsend", "native, no queue"},
    {"mq_timedreceive", "native, no queue"},
    {"mq_notify", "native, no queue"},
    {"mq_getsetattr", "native, no queue"},
    {"signalfd", "native"},
    {"signalfd4", "native"},
    {"timerfd_settime", "native"},
    {"timerfd_gettime", "native"},
    {"splice", "native, waits"},
    {"tee", "native, waits"},
    {"vmsplice", "native, waits"},
    {"readahead", "native, changes nothing"},
    {"sync_file_range", "native, changes nothing"},
    {"pidfd_send_signal", "processes"},
    {"pidfd_getfd", "processes"},
    {"process_madvise", "processes"},
};

/* What an argument is, where its kind doesn't say. */
enum refined {
	R_KIND,
	R_RENAME,
	R_XATTR_FLAGS,
	R_FALLOC,
	R_DEV,
	R_STATX_MASK,
	R_FCNTL_CMD,
	R_FCNTL_ARG,
	R_IOCTL,
	R_FLOCK,
	R_WHENCE,
	R_HOW,
	R_HOW_SIZE,
	R_TIMEVALS,
	R_UTIMBUF,
	R_GROUPS,
	R_COUNT,
	R_CAP_HEADER,
	R_CAP_DATA,
	R_IOV,
	R_RWF,
	R_OFFSET_PTR,
	R_CLOSE_RANGE,
	R_FDNUM,
	R_XATTR_ARGS,
	R_XATTR_ARGS_OUT,
	R_SMALL,
};
static const struct {
	const char *name;
	int arg;
	enum refined what;
} refined[] = {
    {"renameat2", 4, R_RENAME},
    {"setxattr", 4, R_XATTR_FLAGS},
    {"lsetxattr", 4, R_XATTR_FLAGS},
    {"fsetxattr", 4, R_XATTR_FLAGS},
    {"setxattrat", 4, R_XATTR_ARGS},
    {"getxattrat", 4, R_XATTR_ARGS_OUT},
    {"fallocate", 1, R_FALLOC},
    {"mknod", 2, R_DEV},
    {"mknodat", 3, R_DEV},
    {"statx", 3, R_STATX_MASK},
    {"fcntl", 1, R_FCNTL_CMD},
    {"fcntl", 2, R_FCNTL_ARG},
    {"ioctl", 1, R_IOCTL},
    {"flock", 1, R_FLOCK},
    {"lseek", 2, R_WHENCE},
    {"openat2", 2, R_HOW},
    {"openat2", 3, R_HOW_SIZE},
    {"utimes", 1, R_TIMEVALS},
    {"futimesat", 2, R_TIMEVALS},
    {"utime", 1, R_UTIMBUF},
    {"setgroups", 0, R_COUNT},
    {"setgroups", 1, R_GROUPS},
    {"getgroups", 0, R_COUNT},
    {"capget", 0, R_CAP_HEADER},
    {"capset", 0, R_CAP_HEADER},
    {"capset", 1, R_CAP_DATA},
    {"readv", 1, R_IOV},
    {"writev", 1, R_IOV},
    {"preadv", 1, R_IOV},
    {"pwritev", 1, R_IOV},
    {"preadv2", 1, R_IOV},
    {"pwritev2", 1, R_IOV},
    {"readv", 2, R_COUNT},
    {"writev", 2, R_COUNT},
    {"preadv", 2, R_COUNT},
    {"pwritev", 2, R_COUNT},
    {"preadv2", 2, R_COUNT},
    {"pwritev2", 2, R_COUNT},
    {"preadv2", 5, R_RWF},
    {"pwritev2", 5, R_RWF},
    {"sendfile", 2, R_OFFSET_PTR},
    {"copy_file_range", 1, R_OFFSET_PTR},
    {"copy_file_range", 3, R_OFFSET_PTR},
    {"copy_file_range", 5, R_SMALL},
    {"close_range", 0, R_FDNUM},
    {"close_range", 1, R_FDNUM},
    {"close_range", 2, R_CLOSE_RANGE},
    {"getdents", 2, R_KIND},
    {"fadvise64", 3, R_SMALL},
};

struct row {
	int nr;
	const struct syscall_desc *d;
	enum refined what[6];
};
static struct row rows[256];
static unsigned n_rows;

static bool names_something(const struct syscall_desc *d)
{
	for (int i = 0; i < d->nargs; i++)
		if (d->args[i] == ARG_FD || d->args[i] == ARG_DIRFD || d->args[i] == ARG_PATH)
			return true;
	return false;
}

static bool wanted(const struct syscall_desc *d)
{
	if (!strcmp(d->name, "fork") || !strcmp(d->name, "close_range"))
		return true;
	if (d->verdict == VERDICT_DENY || (d->verdict != VERDICT_EMULATE && !names_something(d)))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(left_out); i++)
		if (!strcmp(d->name, left_out[i].name))
			return false;
	return true;
}

static void find_rows(void)
{
	if (n_rows)
		return;
	for (int nr = 0; nr < SYSCALL_MAX; nr++) {
		const struct syscall_desc *d = syscall_desc(nr);

		if (!d || !wanted(d))
			continue;
		FUZZ_CHECK(n_rows < ARRAY_SIZE(rows));
		rows[n_rows] = (struct row){.nr = nr, .d = d};
		for (size_t i = 0; i < ARRAY_SIZE(refined); i++)
			if (!strcmp(refined[i].name, d->name))
				rows[n_rows].what[refined[i].arg] = refined[i].what;
		n_rows++;
	}
}

unsigned kf_call_count(void)
{
	find_rows();
	return n_rows;
}
const struct syscall_desc *kf_call_at(unsigned k, int *nr)
{
	*nr = rows[k].nr;
	return rows[k].d;
}
static const struct row *row_of(int nr)
{
	for (unsigned i = 0; i < n_rows; i++)
		if (rows[i].nr == nr)
			return &rows[i];
	return NULL;
}
const struct syscall_desc *kf_call_by_name(const char *name, int *nr)
{
	find_rows();
	for (unsigned i = 0; i < n_rows; i++)
		if (!strcmp(rows[i].d->name, name))
			return kf_call_at(i, nr);
	return NULL;
}

const char *kf_pool(struct kf_seq *s, const void *p, size_t n)
{
	char *to = s->pool + s->pool_used;

	if (n > sizeof(s->pool) - s->pool_used)
		return NULL;
	memcpy(to, p, n);
	s->pool_used += n;
	return to;
}

#define PICK(v, b) ((v)[(b) % ARRAY_SIZE(v)])

/* --- Kinds --- */
static const char *const dirs[] = {"",       "",     "",    "/",   "d0/",    "d1/",    "d2/",    "d3/",
				   "d1/e0/", "/d1/", "l0/", "../", "d0/../", "n0/",    "n1/n0/", "/d2/",
				   "d3/n0/", "./",   "f0/", "l3/", "d1//",   "/../d0/"};
static const char *const lasts[] = {"f0", "f1", "f2", "n0",  "n1",  "n2",  "d0",  "d1",   "d2", "d3", "e0",
				    "h0", "l0", "l1", "l2",  "l3",  "l4",  "p0",  "n0",   "n1", "f0", "f1",
				    "",   ".",  "..", "n0/", "d1/", "f0/", "l0/", "n1/.", "l4/"};
static const int open_flags[] = {
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    O_RDWR | O_CREAT,
    O_WRONLY | O_CREAT | O_EXCL,
    O_RDWR | O_CREAT | O_TRUNC,
    O_RDONLY | O_DIRECTORY,
    O_PATH,
    O_PATH | O_NOFOLLOW,
    O_TMPFILE | O_RDWR,
    O_RDONLY | O_NOFOLLOW,
    O_WRONLY | O_APPEND,
    O_WRONLY | O_TRUNC,
    O_RDONLY | O_CLOEXEC,
    O_RDONLY | O_NOATIME,
    O_RDWR | O_CREAT | O_NOFOLLOW,
    O_RDONLY | O_TRUNC,
    O_ACCMODE,
    O_RDWR | O_DIRECTORY,
    O_CREAT | O_DIRECTORY,
    O_PATH | O_DIRECTORY,
    O_TMPFILE | O_WRONLY | O_EXCL,
    O_RDONLY | O_CREAT,
    O_RDONLY | O_DIRECT,
};
static const unsigned modes[] = {0644, 0600, 0755, 0777, 0700, 0444, 0, 0555, 01777, 02775, 06755, 04711, 0111, 0222};
static const unsigned types[] = {0, S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFDIR, S_IFLNK};
static const int64_t ids[] = {0, 1000, 1001, -1, 65534};
static const int64_t offsets[] = {0, 1, 7, 100, 4095, 4096, 5000, 10000, 70000, -1, INT64_MAX, INT64_MIN};
static const int64_t sizes[] = {0, 1, 5, 24, 100, 255, 256, 300, 4000, 4096};
static const int atflags[] = {0,
			      AT_SYMLINK_NOFOLLOW,
			      AT_EMPTY_PATH,
			      AT_SYMLINK_FOLLOW,
			      AT_REMOVEDIR,
			      AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
			      AT_NO_AUTOMOUNT,
			      AT_EACCESS,
			      AT_STATX_FORCE_SYNC,
			      0x80000};
static const char *const strings[] = {"user.a", "user.b", "trusted.a", "security.x", "system.y", "user.", "",
				      "a",      "user.c", "f0",        "../f0",      "d0",       "/d1",   "n0"};
static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 5, -1};
static const unsigned fcntls[] = {F_DUPFD,     F_DUPFD_CLOEXEC, F_GETFD,      F_SETFD,     F_GETFL, F_SETFL,
				  F_OFD_SETLK, F_OFD_GETLK,     F_GETPIPE_SZ, F_GET_SEALS, 999};
static const unsigned ioctls[] = {FIONREAD, TIOCGWINSZ, FIOCLEX, FIONCLEX, 0x12345678};

static void set_data(struct kf_seq *s, struct kf_arg *a, const void *p, size_t n)
{
	a->place = KF_AT;
	a->data = kf_pool(s, p, n);
	a->len = a->data ? (uint32_t)n : 0;
}

static void gen_path(struct kf_seq *s, struct kf_arg *a, struct fuzz_in *in)
{
	uint8_t b = fuzz_u8(in), c = fuzz_u8(in);
	char v[PATH_MAX + 300];
	int n;

	if (c >= 0xfc) { /* too long, or just not */
		n = c == 0xfc ? 255 : c == 0xfd ? 256 : c == 0xfe ? PATH_MAX - 1 : PATH_MAX;
		memset(v, c < 0xfe ? 'x' : '/', (size_t)n);
		v[n] = 0;
	} else {
		n = snprintf(v, sizeof(v), "%s%s", PICK(dirs, b), PICK(lasts, c));
	}
	set_data(s, a, v, (size_t)n + 1);
}

static void gen_how(struct kf_seq *s, struct kf_arg *a, struct fuzz_in *in)
{
	static const uint64_t resolves[] = {0,
					    0,
					    RESOLVE_BENEATH,
					    RESOLVE_IN_ROOT,
					    RESOLVE_NO_SYMLINKS,
					    RESOLVE_NO_MAGICLINKS,
					    RESOLVE_NO_XDEV,
					    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
					    RESOLVE_BENEATH | RESOLVE_IN_ROOT,
					    UINT64_C(1) << 40};
	uint8_t b = fuzz_u8(in), c = fuzz_u8(in);
	struct {
		struct open_how how;
		uint64_t more;
	} v = {.how.flags = (uint64_t)PICK(open_flags, b), .how.resolve = PICK(resolves, c)};

	if (v.how.flags & (O_CREAT | O_TMPFILE))
		v.how.mode = PICK(modes, c >> 4);
	if (!(v.how.flags & O_PATH))
		v.how.flags |= O_NONBLOCK;
	v.more = b == 0xff;
	set_data(s, a, &v, sizeof(v));
}

static void gen_times(struct kf_seq *s, struct kf_arg *a, struct fuzz_in *in, bool micro)
{
	static const long fractions[] = {0, 1, 999999, UTIME_NOW, UTIME_OMIT, 1000000, 999999999, 1000000000, -1};
	static const long seconds[] = {1000000000, 1000000000, 0, 1, -1};
	uint8_t b = fuzz_u8(in);
	struct timespec ts[2];

	if (b == 0xff) {
		a->place = KF_NULLP;
		return;
	}
	ts[0] = (struct timespec){PICK(seconds, b >> 2), b & 1 ? PICK(fractions, b >> 2) : 5};
	ts[1] = (struct timespec){1000000000 + b, b & 2 ? PICK(fractions, b >> 3) : 7};
	(void)micro; /* a timeval has the same layout */
	set_data(s, a, ts, sizeof(ts));
}

static void gen_iov(struct kf_seq *s, struct kf_arg *a, struct fuzz_in *in, int arg)
{
	struct {
		struct iovec v[3];
		char bytes[300];
	} d;
	uint8_t b = fuzz_u8(in);

	memset(d.bytes, 'A' + b % 26, sizeof(d.bytes));
	for (int i = 0; i < 3; i++)
		d.v[i] = (struct iovec){(void *)(kf_slot(arg) + sizeof(d.v) + (unsigned)i * 100), (size_t)(b >> i) % 101};
	if (b == 0xff)
		d.v[1].iov_base = (void *)KF_BAD;
	set_data(s, a, &d, sizeof(d));
}

static void gen_refined(struct kf_seq *s, struct kf_op *o, int i, enum refined what, struct fuzz_in *in)
{
	static const unsigned renames[] = {0, 0, 1, 2, 3, 4, 8};
	static const int fallocs[] = {0,
				      FALLOC_FL_KEEP_SIZE,
				      FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE,
				      FALLOC_FL_PUNCH_HOLE,
				      FALLOC_FL_ZERO_RANGE,
				      FALLOC_FL_COLLAPSE_RANGE,
				      0x1000};
	struct kf_arg *a = &o->a[i];
	uint8_t b;

	switch (what) {
	case R_HOW:
		gen_how(s, a, in);
		return;
	case R_TIMEVALS:
		gen_times(s, a, in, true);
		return;
	case R_IOV:
		gen_iov(s, a, in, i);
		return;
	default:
		break;
	}
	b = fuzz_u8(in);
	switch (what) {
	case R_RENAME:
		a->v = PICK(renames, b);
		break;
	case R_XATTR_FLAGS:
		a->v = b % 5 == 4 ? 4 : b % 4;
		break;
	case R_FALLOC:
		a->v = (uint64_t)PICK(fallocs, b);
		break;
	case R_DEV:
		a->v = 0;
		break;
	case R_STATX_MASK:
		a->v = b == 0xff ? 0x80000000 : b & 1 ? STATX_ALL : STATX_BASIC_STATS;
		break;
	case R_FCNTL_CMD:
		a->v = PICK(fcntls, b);
		break;
	case R_FCNTL_ARG:
		if (o->a[1].v == F_OFD_SETLK || o->a[1].v == F_OFD_GETLK) {
			struct flock l = {.l_type = (short)(b & 3), .l_start = (b >> 2 & 3) * 10, .l_len = (b >> 4 & 3) * 5};
			set_data(s, a, &l, sizeof(l));
		} else if (o->a[1].v == F_SETFL) {
			a->v = O_NONBLOCK | (b & 1 ? O_APPEND : 0) | (b & 2 ? O_NOATIME : 0);
		} else {
			a->v = b == 0xff ? UINT64_MAX : b == 0xfe ? KF_FDS : b % 16;
		}
		break;
	case R_IOCTL:
		a->v = PICK(ioctls, b);
		break;
	case R_FLOCK:
		a->v = b == 0xff ? 0 : (uint64_t)((int[]){LOCK_SH, LOCK_EX, LOCK_UN, 3}[b & 3] | LOCK_NB);
		break;
	case R_WHENCE:
		a->v = (uint64_t)PICK(whences, b);
		break;
	case R_HOW_SIZE:
		a->v = b < 0xf0 ? sizeof(struct open_how) : (uint64_t[]){0, 8, 32, 4097}[b & 3];
		break;
	case R_UTIMBUF: {
		struct utimbuf u = {1000000000 + b, 1000000000 - b};
		if (b == 0xff)
			a->place = KF_NULLP;
		else
			set_data(s, a, &u, sizeof(u));
		break;
	}
	case R_COUNT:
		a->v = b < 0xf0 ? b % 4 : b == 0xff ? UINT64_MAX : 70000;
		break;
	case R_GROUPS: {
		gid_t g[3] = {1000u + (b & 1), b & 2 ? 1001 : 0, b & 4 ? 1000 : 70000};
		set_data(s, a, g, sizeof(g));
		break;
	}
	case R_CAP_HEADER: {
		struct __user_cap_header_struct h = {.version = b < 0xf0 ? _LINUX_CAPABILITY_VERSION_3 : b, .pid = 0};
		set_data(s, a, &h, sizeof(h));
		break;
	}
	case R_CAP_DATA: {
		/* What files need is kept in most cases. */
		uint32_t v =
		    (b & 1 ? 0u : ~0u) & (b & 2 ? ~(1u << CAP_DAC_OVERRIDE) : ~0u) & (b & 4 ? ~(1u << CAP_FOWNER) : ~0u);
		struct __user_cap_data_struct d[2] = {{v, v, b & 8 ? 1u << CAP_CHOWN : 0}, {0, 0, 0}};
		set_data(s, a, d, sizeof(d));
		break;
	}
	case R_RWF:
		a->v = b < 0xf0 ? 0 : b & 0x1f;
		break;
	case R_OFFSET_PTR: {
		int64_t off = PICK(offsets, b >> 1);
		if (b & 1)
			set_data(s, a, &off, sizeof(off));
		else
			a->place = KF_NULLP;
		break;
	}
	case R_CLOSE_RANGE:
		a->v = b < 0x80 ? 0 : b < 0xf0 ? CLOSE_RANGE_CLOEXEC : b & 0xf8;
		break;
	case R_FDNUM:
		a->v = b % 20;
		break;
	case R_XATTR_ARGS:
	case R_XATTR_ARGS_OUT: {
		struct {
			uint64_t value;
			uint32_t size, flags;
			char bytes[64];
		} d = {.value = kf_slot(i) + 16, .size = b & 0x1f, .flags = what == R_XATTR_ARGS ? b >> 6 : b == 0xff};
		memset(d.bytes, 'a' + (b & 15), sizeof(d.bytes));
		set_data(s, a, &d, sizeof(d));
		break;
	}
	default: /* R_SMALL */
		a->v = b < 0xf0 ? 0 : b & 15;
	}
}

static void gen_arg(struct kf_seq *s, struct kf_op *o, int i, struct fuzz_in *in)
{
	struct kf_arg *a = &o->a[i];
	enum arg_kind kind = o->call->args[i];
	char bytes[64];
	uint8_t b;

	if (kind == ARG_PATH) {
		gen_path(s, a, in);
		return;
	}
	if (kind == ARG_TIMEIN) {
		gen_times(s, a, in, false);
		return;
	}
	b = fuzz_u8(in);
	switch (kind) {
	case ARG_FD:
		a->v = b < 0xf0 ? b % 10 : (uint64_t)(int64_t)((int[]){-1, KF_FDS - 1, KF_FDS, 1 << 30, -2}[b % 5]);
		break;
	case ARG_DIRFD:
		a->v = b < 0x90 ? (uint64_t)AT_FDCWD : b < 0xf0 ? b % 10 : b == 0xff ? UINT64_MAX : KF_FDS;
		break;
	case ARG_OFLAGS:
		a->v = (uint64_t)(PICK(open_flags, b) | O_NONBLOCK);
		break;
	case ARG_MODE:
		a->v = PICK(modes, b & 15);
		if (!strncmp(o->call->name, "mknod", 5))
			a->v |= PICK(types, b >> 4);
		else if (strstr(o->call->name, "access"))
			a->v = b < 0xf0 ? b & 7 : b;
		break;
	case ARG_ID:
		a->v = (uint64_t)PICK(ids, b);
		break;
	case ARG_OFF:
		a->v = (uint64_t)PICK(offsets, b);
		break;
	case ARG_SIZE:
	case ARG_UINT:
	case ARG_ULONG:
		a->v = (uint64_t)PICK(sizes, b);
		break;
	case ARG_ATFLAGS:
		a->v = (uint64_t)PICK(atflags, b);
		break;
	case ARG_STR:
		set_data(s, a, PICK(strings, b), strlen(PICK(strings, b)) + 1);
		break;
	case ARG_BUFIN:
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (char)('a' + (b + k / 3) % 26);
		set_data(s, a, bytes, sizeof(bytes));
		break;
	case ARG_BUFOUT:
	case ARG_STATOUT:
	case ARG_SOCKOUT:
	case ARG_PTR:
		a->place = b == 0xff ? KF_BADP : b == 0xfe ? KF_NULLP : b == 0xfd ? KF_ROP : KF_AT;
		break;
	default:
		a->v = b;
	}
}

static bool pointer(enum arg_kind k)
{
	switch (k) {
	case ARG_PATH:
	case ARG_STR:
	case ARG_ARGV:
	case ARG_BUFIN:
	case ARG_BUFOUT:
	case ARG_STATOUT:
	case ARG_TIMEIN:
	case ARG_SOCKIN:
	case ARG_SOCKOUT:
	case ARG_PTR:
		return true;
	default:
		return false;
	}
}

static bool has_str(const struct syscall_desc *d, const char *s)
{
	return strstr(d->name, s);
}

/* What must hold whoever made the call, also a text's author: else this could wait for ever, or fill the host's memory. */
static bool harmless(struct kf_op *o)
{
	for (int i = 0; i < o->call->nargs; i++) {
		const struct kf_arg *a = &o->a[i];

		if (o->call->args[i] == ARG_OFLAGS && has_str(o->call, "open") && !(a->v & O_NONBLOCK))
			return false;
		if (a->len > KF_SLOT || (a->place == KF_ATEND && a->len > 0x1000))
			return false;
	}
	switch (o->nr) {
	case SYS_openat2: {
		struct open_how how = {0};
		if (o->a[2].place == KF_AT || o->a[2].place == KF_ATEND)
			memcpy(&how, o->a[2].data, MIN(sizeof(how), (size_t)o->a[2].len));
		return how.flags & (O_PATH | O_NONBLOCK) || o->a[2].place == KF_NULLP || o->a[2].place == KF_BADP;
	}
	case SYS_mknod:
		return !(uint32_t)o->a[2].v;
	case SYS_mknodat:
		return !(uint32_t)o->a[3].v;
	case SYS_flock:
		return o->a[1].v & (LOCK_NB | LOCK_UN) || !(o->a[1].v & 3);
	case SYS_fcntl:
		switch ((uint32_t)o->a[1].v) {
		case F_SETFL:
			return o->a[2].v & O_NONBLOCK;
		case F_SETLKW:
		case F_OFD_SETLKW:
		case F_SETLK: /* of a process: tasks share ours */
		case F_GETLK:
		case F_SETOWN:
		case F_SETSIG:
		case F_SETPIPE_SZ:
		case F_SETLEASE: /* whose end is a signal */
		case F_NOTIFY:
			return false;
		default:
			return true;
		}
	case SYS_ioctl:
		for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++)
			if (o->a[1].v == ioctls[i])
				return true;
		return false;
	case SYS_write:
	case SYS_pwrite64:
		return o->a[2].v <= KF_SLOT;
	default:
		return true;
	}
}

bool kf_op_finish(struct kf_seq *s, struct kf_op *o)
{
	const struct row *r = row_of(o->nr);

	for (int i = 0; i < o->call->nargs; i++) {
		struct kf_arg *a = &o->a[i];
		uint64_t n = 0;

		switch (a->place) {
		case KF_NUM:
			continue;
		case KF_AT:
			a->v = kf_slot(i);
			break;
		case KF_ATEND:
			a->v = KF_EDGE + 0x1000 - a->len;
			break;
		case KF_NULLP:
			a->v = 0;
			break;
		case KF_BADP:
			a->v = KF_BAD;
			break;
		case KF_ROP:
			a->v = KF_RO;
			break;
		}
		a->snap = 0;
		if (a->place != KF_AT || o->call->args[i] == ARG_PATH || o->call->args[i] == ARG_STR)
			continue;
		n = MAX(a->len, 320U);
		if (i + 1 < o->call->nargs && (o->call->args[i + 1] == ARG_SIZE || o->call->args[i + 1] == ARG_UINT) &&
		    o->a[i + 1].place == KF_NUM)
			n = MAX(n, MIN(o->a[i + 1].v, UINT64_C(4096)) + 16);
		a->snap = (uint32_t)MIN(n, KF_SLOT);
	}
	o->child = KF_NO_FORK;
	if (o->nr == SYS_fork) {
		if (s->tasks == KF_TASKS)
			return false;
		o->child = (uint8_t)s->tasks++;
	}
	return r && o->task < s->tasks && (!o->child || o->task != o->child) && harmless(o);
}

void kf_decode(struct kf_seq *s, const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};

	find_rows();
	s->n = 0;
	s->tasks = 2;
	s->pool_used = s->outs_used = 0;
	s->fs = fuzz_u8(&in) % KF_FS;
	while (in.left && s->n < KF_OPS && s->pool_used + 3 * KF_SLOT < sizeof(s->pool)) {
		struct kf_op *o = &s->op[s->n];
		const struct row *r;
		uint8_t b, odd;
		int i;

		memset(o, 0, sizeof(*o));
		o->from = (uint32_t)(in.p - data);
		r = &rows[fuzz_u8(&in) % n_rows];
		b = fuzz_u8(&in);
		o->nr = r->nr;
		o->call = r->d;
		/* Mostly the one before: a change of tasks costs the host's side a switch. */
		o->task = (uint8_t)((b & 7) < 5 && s->n ? s->op[s->n - 1].task : (b >> 3 & 3) % s->tasks);
		for (i = 0; i < r->d->nargs; i++)
			if (r->what[i] != R_KIND)
				gen_refined(s, o, i, r->what[i], &in);
			else
				gen_arg(s, o, i, &in);
		if (b >= 0xf0 && r->d->nargs) { /* an argument that no program should give */
			odd = fuzz_u8(&in);
			i = odd % r->d->nargs;
			if (pointer(r->d->args[i]) && o->a[i].place != KF_NUM) {
				static const enum kf_place odd_places[] = {KF_NULLP, KF_BADP, KF_ROP, KF_ATEND};
				o->a[i].place = odd_places[odd >> 3 & 3];
				if (o->a[i].place == KF_ATEND)
					o->a[i].len -= o->a[i].len && odd & 0x80;
				if (o->a[i].place != KF_ATEND)
					o->a[i].len = 0;
			} else if (r->d->args[i] == ARG_FD || r->d->args[i] == ARG_DIRFD || r->d->args[i] == ARG_ID ||
				   r->d->args[i] == ARG_MODE) {
				o->a[i].v = (uint32_t)o->a[i].v | UINT64_C(0x5a5a) << 32; /* the upper half doesn't count */
			}
		}
		o->len = (uint32_t)(in.p - data) - o->from;
		if (kf_op_finish(s, o))
			s->n++;
	}
}
