/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_gofer_server.c - the file server, in this process, with a client that sends what it likes.
 *
 * The input is a sequence of messages, most of them well formed on names that exist, with descriptors as a program may hold them: opened through
 * an export, without a name any more, of directories, of what is outside. Each is answered in the form that PROTOCOL.md gives, or
 * ends the connection without an answer; no answer and no descriptor is of an object outside the exports; what the exports don't let change
 * stays as it was; no descriptor is left.
 *
 * covers: gofer/server.c gofer/server_ops.c
 * options: -max_len=2048
 */
#include "gofer/server.h"
#include "tools/fuzz/wire_gen.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/*
 * top/outside/{secret,dir}, top/root (export 0: writable), top/ro (export 1: read-only), top/single (export 2, a file).
 */
static int top = -1, self_fd;
/* Exports are mounts of their own, as in a sandbox. Where that isn't allowed no descriptor of what is outside is sent: the mount tells them apart. */
static bool mounts;
static struct gofer_export exports[3];
static struct server srv = {.exports = exports, .n_exports = ARRAY_SIZE(exports), .writable = true};
static struct conn conn = {.srv = &srv, .request_fd = -1, .reply_fd = -1};
static struct stat outside[3], ro_before[3];
static const char *const outside_names[] = {"outside", "outside/secret", "outside/dir"};
static const char *const export_names[] = {"root", "ro", "single"};
static const char *const ro_names[] = {"ro", "ro/file", "ro/dir"};

static void put_file(const char *name, mode_t mode)
{
	int fd = openat(top, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	FUZZ_CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10);
	close(fd);
}

static void fill_root(void)
{
	int root = openat(top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	FUZZ_CHECK(root >= 0);
	fuzz_empty(root);
	FUZZ_CHECK(!fchmod(root, 0755) && !fchown(root, getuid(), getgid()));
	close(root);
	put_file("root/a", 0644);
	FUZZ_CHECK(!mkdirat(top, "root/d", 0755) && !mkdirat(top, "root/d/e", 0755) && !mkdirat(top, "root/b", 01777));
	put_file("root/d/a", 0600);
	put_file("root/d/.sandbox.filestore.0123456789abcdef", 0600);
	FUZZ_CHECK(!symlinkat("../outside", top, "root/up") && !symlinkat("/", top, "root/abs"));
	FUZZ_CHECK(!symlinkat("../../outside/secret", top, "root/d/up"));
	FUZZ_CHECK(!mkfifoat(top, "root/fifo", 0666) && !linkat(top, "root/a", top, "root/b/a", 0));
}

static void stat_all(const char *const *names, size_t n, struct stat *st)
{
	for (size_t k = 0; k < n; k++)
		FUZZ_CHECK(!fstatat(top, names[k], &st[k], AT_SYMLINK_NOFOLLOW));
}

static void set_up(void)
{
	top = open(fuzz_scratch(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(top >= 0);
	umask(0);
	FUZZ_CHECK(!mkdirat(top, "outside", 0755) && !mkdirat(top, "outside/dir", 0755));
	FUZZ_CHECK(!mkdirat(top, "root", 0755) && !mkdirat(top, "ro", 0755) && !mkdirat(top, "ro/dir", 0755));
	put_file("outside/secret", 0644);
	put_file("ro/file", 0644);
	put_file("single", 0644);
	for (size_t k = 0; k < ARRAY_SIZE(exports); k++) {
		char path[128];
		exports[k].ro = k == 1;
		snprintf(path, sizeof(path), "%s/%s", fuzz_scratch(), export_names[k]);
		mounts = !gofer_open_export(path, exports[k].ro, &exports[k].rootfd);
		if (!mounts)
			exports[k].rootfd = openat(top, export_names[k], O_PATH | O_CLOEXEC);
	}
	FUZZ_CHECK(exports[0].rootfd >= 0 && exports[1].rootfd >= 0 && exports[2].rootfd >= 0);
	self_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(self_fd >= 0);
	fill_root();
	stat_all(outside_names, ARRAY_SIZE(outside), outside);
	stat_all(ro_names, ARRAY_SIZE(ro_before), ro_before);
}

/* A descriptor of the caller's, or -1. */
static int gen_fd(struct fuzz_in *in, bool outside_too)
{
	uint8_t how = fuzz_u8(in);
	int fd, root = exports[0].rootfd;

	switch (how % 16) {
	case 0 ... 3:
		return openat(root, "a", O_RDONLY | O_CLOEXEC);
	case 4:
		return openat(root, "d/a", O_RDWR | O_CLOEXEC);
	case 5:
		return openat(root, "a", O_PATH | O_CLOEXEC);
	case 6:
		return openat(root, "up", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	case 7:
		return openat(root, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case 8:
		return openat(root, "fifo", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	case 9: /* without a name */
		fd = openat(root, "gone", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		(void)!unlinkat(root, "gone", 0);
		return fd;
	case 10:
		return openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	case 11:
		return openat(exports[1].rootfd, "file", O_RDONLY | O_CLOEXEC);
	case 12:
		return fcntl(exports[2].rootfd, F_DUPFD_CLOEXEC, 0);
	case 13:
		return fuzz_memfd("x", 1);
	case 14:
		return mounts && outside_too ? openat(top, "outside/secret", O_RDWR | O_CLOEXEC) : -1;
	default:
		return mounts && outside_too ? openat(top, "outside/dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	}
}

static bool takes_fd(uint32_t op)
{
	return op == OP_GETXATTR || op == OP_LISTXATTR || op == OP_SETATTR || op == OP_SETXATTR || op == OP_REMOVEXATTR;
}

/* What goes with a request: mostly what belongs to it. */
static int request_fd(struct fuzz_in *in, uint32_t op)
{
	uint8_t how = fuzz_u8(in);

	if (op == OP_FSTAT)
		return how >= 0xf0 ? -1 : gen_fd(in, false);
	if (takes_fd(op))
		return how & 1 ? gen_fd(in, true) : -1;
	return how >= 0xf0 ? gen_fd(in, op != UINT32_MAX) : -1;
}

/* The operation meant, or UINT32_MAX. */
static uint32_t put_request(struct fuzz_in *in, struct wire_out *o)
{
	uint8_t how = fuzz_u8(in);
	uint32_t op = how % OP_COUNT;

	if (how >= 0xf0) {
		size_t n;
		const uint8_t *p = fuzz_bytes(in, 4096, &n);
		memcpy(o->p, p, n);
		o->len = n;
		return UINT32_MAX;
	}
	wire_put_u32(o, op);
	wire_gen_request(in, o, op);
	if (how < 0xe0)
		return op;
	wire_gen_damage(in, o);
	return UINT32_MAX;
}

/* --- Replies --- */

static void check_object(const struct gattr *a)
{
	for (size_t k = 0; k < ARRAY_SIZE(outside); k++)
		FUZZ_CHECK(a->ino != outside[k].st_ino || a->dev != outside[k].st_dev);
}

#define check_u32(v)  (void)(v)
#define check_u64(v)  (void)(v)
#define check_str(v)  FUZZ_CHECK(strlen((v).s) == (v).len)
#define check_blob(v) (void)(v)
#define check_attr(v) check_object(&(v))
static void check_attrs(wire_attrs v)
{
	for (uint32_t k = 0; k < v.n; k++) {
		struct gattr a;
		wire_attrs_get(&v, k, &a);
		if (a.mode)
			check_object(&a);
	}
}

static void check_names(const struct wire_blob *b)
{
	struct wire_in i = {b->p, (const uint8_t *)b->p + b->len, false};
	struct wire_str name;
	uint64_t ino;
	uint8_t type;
	unsigned n;
	int r;

	while ((r = wire_get_dirent(&i, &ino, &type, &name)) > 0) {
		FUZZ_CHECK(!wire_check_path(name.s, name.len, &n) && n == 1);
		FUZZ_CHECK(!gofer_is_store(name.s, name.len));
	}
	FUZZ_CHECK(!r);
}

#define F(type, f) check_##type(m.f);
static void check_fields(uint32_t op, struct wire_in *i)
{
	switch (op) {
#define MSG(OP, name, req, rep)                           \
	case OP_##OP: {                                   \
		struct name##_rep m;                      \
		FUZZ_CHECK(wire_get_##name##_rep(i, &m)); \
		rep break;                                \
	}
#include "gofer/wire.def"
#undef MSG
	}
}
#undef F

static void check_reply(int sock, uint32_t want)
{
	static uint8_t buf[WIRE_MAX];
	bool more = true;

	while (more) {
		AUTO_CLOSE int fd = -1;
		ssize_t n = wire_recv(sock, buf, sizeof(buf), &fd);
		FUZZ_CHECK(n > 0);
		struct wire_in i = {buf, buf + n, false};
		uint32_t op = wire_get_u32(&i);
		int32_t status = (int32_t)wire_get_u32(&i);
		FUZZ_CHECK(!i.fail && op & WIRE_REPLY && (op & ~WIRE_REPLY) < OP_COUNT && status <= 0 && status > -4096);
		op &= ~WIRE_REPLY;
		FUZZ_CHECK(want == UINT32_MAX || op == want);
		FUZZ_CHECK((fd >= 0) == (!status && (op == OP_OPEN || op == OP_CREATE)));
		more = false;
		if (status) {
			FUZZ_CHECK(i.p == i.end);
			continue;
		}
		if (op == OP_READDIR) {
			struct readdir_rep r;
			struct wire_in again = i;
			FUZZ_CHECK(wire_get_readdir_rep(&again, &r) && r.more <= 1);
			check_names(&r.entries);
			more = r.more;
		}
		check_fields(op, &i);
		if (fd >= 0) {
			struct stat st;
			FUZZ_CHECK(!fstat(fd, &st) && S_ISREG(st.st_mode));
			check_object(&(struct gattr){.dev = st.st_dev, .ino = st.st_ino});
			for (size_t k = 0; k < ARRAY_SIZE(ro_before); k++)
				FUZZ_CHECK(st.st_ino != ro_before[k].st_ino || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
		}
	}
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_nlink == b->st_nlink &&
	       a->st_size == b->st_size && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void unchanged(const char *const *names, const struct stat *before, size_t n)
{
	struct stat now[3];

	stat_all(names, n, now);
	for (size_t k = 0; k < n; k++)
		FUZZ_CHECK(same(&before[k], &now[k]));
}

static bool changes(uint32_t op)
{
	return op == UINT32_MAX || op == OP_OPEN || op >= OP_CREATE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t packet[WIRE_MAX];
	struct fuzz_in in = {data, size};
	int pair[2], here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool go = true, dirty = false;

	if (top < 0)
		set_up();
	unsigned fds = fuzz_count_fds();
	FUZZ_CHECK(here >= 0 && !fchdir(self_fd));
	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	conn.sock = pair[0];
	for (unsigned k = 0; k < 64 && in.left && go; k++) {
		struct wire_out o = {.p = packet, .cap = sizeof(packet)};
		uint32_t op = put_request(&in, &o);
		AUTO_CLOSE int fd = request_fd(&in, op);
		if (wire_send(pair[1], packet, o.len, fd))
			break;
		go = gofer_serve_one(&conn);
		FUZZ_CHECK(conn.request_fd == -1 && conn.reply_fd == -1);
		if (go)
			check_reply(pair[1], op);
		dirty |= changes(op);
	}
	if (!go) {
		uint8_t byte;
		FUZZ_CHECK(recv(pair[1], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	}
	close(pair[0]);
	close(pair[1]);
	unchanged(outside_names, outside, ARRAY_SIZE(outside));
	unchanged(ro_names, ro_before, ARRAY_SIZE(ro_before));
	FUZZ_CHECK(!fchdir(here) && fuzz_count_fds() == fds);
	close(here);
	if (dirty)
		fill_root();
	return 0;
}
