/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_walk.c - path resolution of the VFS beside Linux's own.
 *
 * The input makes and changes a tree of directories, files and symlinks, the same one in the VFS (on the file system in memory that unit tests
 * use) and in a scratch directory, and looks names up in between. Linux resolves them with RESOLVE_IN_ROOT, which is what a changed root is.
 * Errors, objects and absolute paths must agree.
 *
 * covers: vfs/walk.c vfs/namei.c vfs/dcache.c vfs/path.c
 * options: -max_len=512
 */
#include "tools/fuzz/fuzz.h"

#include "tests/unit/vfs/memfs.h"

#include <linux/openat2.h>
#include <sys/syscall.h>

#define MAX_NODES 64

static const struct vfs_cred super_user = {.caps = ~UINT64_C(0)};
static struct path vfs_top; /* what is the root for all lookups */
static struct vfs_ctx ctx = {.cred = &super_user, .root = &vfs_top, .cwd = &vfs_top, .umask = 0, .tgid = 1, .tid = 1};
static int host_top = -1, token_dir;
static char host_prefix[PATH_MAX];

/* Which object of ours is which of the host's. */
static struct {
	uint64_t ours, host;
} nodes[MAX_NODES];
static unsigned n_nodes;

static void set_up(void)
{
	struct vfs_config cfg = {.procfd = -1, .tracee_kuid = getuid(), .tracee_kgid = getgid()};
	static struct path root;
	int scratch = open(fuzz_scratch(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	FUZZ_CHECK(scratch >= 0 && !mkdirat(scratch, "token", 0700) && !mkdirat(scratch, "tree", 0755));
	token_dir = cfg.token_rw = cfg.token_ro = openat(scratch, "token", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	host_top = openat(scratch, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(token_dir >= 0 && host_top >= 0);
	close(scratch);
	FUZZ_CHECK(!vfs_init(&cfg) && !vfs_mount_root(VFS_UPPER_MEMORY));
	vfs_root(&root);
	ctx.root = ctx.cwd = &root;
	FUZZ_CHECK(!vfs_mkdir(&ctx, NULL, "/tmp/w", 0755) && !vfs_resolve(&ctx, NULL, "/tmp/w", 0, &vfs_top));
	ctx.root = ctx.cwd = &vfs_top;
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", host_top);
	ssize_t n = readlink(link, host_prefix, sizeof(host_prefix) - 1);
	FUZZ_CHECK(n > 0);
}

/* --- Names --- */

static const char *const words[] = {"a", "b", "c", "d", "..", ".", "l", "m", "a", "b", "..", "", "long", "longer"};

/* Shorter than PATH_MAX, as what a call copies is. */
static char *gen_name(struct fuzz_in *in)
{
	static char bufs[4][PATH_MAX + 16];
	static unsigned turn;
	char *to = bufs[turn++ % ARRAY_SIZE(bufs)];
	uint8_t how = fuzz_u8(in);
	size_t n = 0;

	if (how >= 0xf8) { /* about as long as a path may be */
		size_t want = PATH_MAX - 8 + how % 16;
		while (n + 2 <= want)
			n += (size_t)snprintf(to + n, 3, "%s", how & 1 ? "./" : "//");
	} else if (how & 0x40) {
		to[n++] = '/';
	}
	for (unsigned k = how % 8; k && n < PATH_MAX - 300; k--) {
		const char *w = words[fuzz_u8(in) % ARRAY_SIZE(words)];
		size_t len = strlen(w);
		if (len > 1 && w[0] == 'l') {
			len = len == 4 ? 255 : 256;
			memset(to + n, 'n', len);
		} else {
			memcpy(to + n, w, len);
		}
		n += len;
		if (k > 1 || how & 0x20)
			to[n++] = '/';
	}
	to[MIN(n, (size_t)PATH_MAX - 1)] = '\0';
	return to;
}

static const char *gen_last(struct fuzz_in *in)
{
	static const char *const last[] = {"a", "b", "c", "d", "l", "m"};

	return last[fuzz_u8(in) % ARRAY_SIZE(last)];
}

/* --- Both sides --- */

static int host_open(const char *name, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
	int fd;

	do /* EAGAIN: ".." while anything was renamed anywhere */
		fd = (int)syscall(SYS_openat2, host_top, name, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN);
	return fd < 0 ? -errno : fd;
}

static uint64_t host_ino(int fd)
{
	struct stat st;

	FUZZ_CHECK(!fstat(fd, &st));
	return st.st_ino;
}

static void same_object(uint64_t ours, int host)
{
	uint64_t ino = host_ino(host);

	for (unsigned k = 0; k < n_nodes; k++)
		if (nodes[k].ours == ours || nodes[k].host == ino) {
			FUZZ_CHECK(nodes[k].ours == ours && nodes[k].host == ino);
			return;
		}
	FUZZ_CHECK(n_nodes < MAX_NODES); /* else a new one: both sides must call it new */
	nodes[n_nodes].ours = ours;
	nodes[n_nodes++].host = ino;
}

static void same_path(const struct path *p, int host)
{
	static char ours[PATH_MAX], theirs[2 * PATH_MAX];
	char link[64];
	int r = vfs_getpath(&ctx, p, ours, sizeof(ours));

	snprintf(link, sizeof(link), "/proc/self/fd/%d", host);
	ssize_t n = readlink(link, theirs, sizeof(theirs) - 1);
	FUZZ_CHECK(n > 0 && r > 0 && (size_t)r == strlen(ours) + 1);
	theirs[n] = '\0';
	size_t skip = strlen(host_prefix);
	FUZZ_CHECK(!strncmp(theirs, host_prefix, skip));
	FUZZ_CHECK(!strcmp(theirs[skip] ? theirs + skip : "/", ours));
}

/* stat(2) or lstat(2). */
static void look_up(const char *name, bool follow)
{
	AUTO_PATH struct path p = {0};
	AUTO_CLOSE int host = host_open(name, O_PATH | (follow ? 0 : O_NOFOLLOW), RESOLVE_IN_ROOT);
	int r = vfs_resolve(&ctx, NULL, name, follow ? 0 : AT_SYMLINK_NOFOLLOW, &p);
	struct kstat st;

	if ((r ? r : 0) != MIN(host, 0))
		fprintf(stderr, "\"%.100s\"%s: %d, in Linux %d\n", name, follow ? "" : " not followed", r, MIN(host, 0));
	FUZZ_CHECK(r == MIN(host, 0));
	FUZZ_CHECK(vfs_stat(&ctx, NULL, name, follow ? 0 : AT_SYMLINK_NOFOLLOW, &st) == r);
	if (r)
		return;
	same_object(st.ino, host);
	same_path(&p, host);
}

/* openat2(2) with its own restrictions. */
static void look_up_how(struct fuzz_in *in, const char *name)
{
	static const uint64_t resolves[] = {RESOLVE_BENEATH,
					    RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS,
					    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
					    RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
					    RESOLVE_IN_ROOT | RESOLVE_NO_XDEV,
					    RESOLVE_BENEATH | RESOLVE_NO_XDEV};
	uint8_t how = fuzz_u8(in);
	struct open_how oh = {.flags = O_PATH | (how & 0x80 ? O_NOFOLLOW : 0) | (how & 0x40 ? O_DIRECTORY : 0),
			      .resolve = resolves[how % ARRAY_SIZE(resolves)]};
	AUTO_CLOSE int host = host_open(name, oh.flags, oh.resolve), ours = -1;
	int r = vfs_open(&ctx, &vfs_top, name, &oh, &ours);
	AUTO_VFILE struct vfile f = {0};
	struct kstat st;

	if (r != MIN(host, 0))
		fprintf(stderr, "\"%.100s\" flags %#llx resolve %#llx: %d, in Linux %d\n", name, oh.flags, oh.resolve, r,
			MIN(host, 0));
	FUZZ_CHECK(r == MIN(host, 0));
	if (r)
		return;
	FUZZ_CHECK(!vfs_identify(ours, &f) && !vfs_fstat(&ctx, &f, ours, &st));
	same_object(st.ino, host);
}

static void read_link(const char *name)
{
	char ours[PATH_MAX + 1], theirs[PATH_MAX + 1];
	AUTO_CLOSE int host = host_open(name, O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT);
	ssize_t r = vfs_readlink(&ctx, NULL, name, ours, sizeof(ours)), n = host;

	if (host >= 0) {
		n = readlinkat(host, "", theirs, sizeof(theirs));
		if (n < 0) /* of a descriptor, what isn't a link is ENOENT */
			n = errno == ENOENT ? -EINVAL : -errno;
	}
	FUZZ_CHECK(r == n && (r < 0 || !memcmp(ours, theirs, (size_t)r)));
}

/* Where a change happens: the same directory twice, or false. */
static bool get_dirs(struct fuzz_in *in, struct path *ours, int *host)
{
	const char *dir = gen_name(in);

	*host = host_open(*dir ? dir : ".", O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT);
	int r = vfs_resolve(&ctx, NULL, *dir ? dir : ".", 0, ours);
	if (!r && *host == -ENOTDIR) {
		path_put(ours);
		return false;
	}
	if (r != MIN(*host, 0))
		fprintf(stderr, "directory \"%.100s\": %d, in Linux %d\n", dir, r, MIN(*host, 0));
	FUZZ_CHECK(r == MIN(*host, 0));
	return !r;
}

static void change(struct fuzz_in *in, unsigned what)
{
	AUTO_PATH struct path dir = {0}, to = {0};
	AUTO_CLOSE int host = -1, host_to = -1;
	int r, want;

	if (!get_dirs(in, &dir, &host))
		return;
	const char *name = gen_last(in), *text, *new_name;
	switch (what) {
	case 0:
		r = vfs_mkdir(&ctx, &dir, name, 0755);
		want = mkdirat(host, name, 0755);
		break;
	case 1:
		r = vfs_mknod(&ctx, &dir, name, S_IFREG | 0644, 0);
		want = mknodat(host, name, S_IFREG | 0644, 0);
		break;
	case 2:
		text = gen_name(in);
		r = vfs_symlink(&ctx, text, &dir, name);
		want = symlinkat(text, host, name);
		break;
	case 3:
		r = vfs_unlink(&ctx, &dir, name);
		want = unlinkat(host, name, 0);
		break;
	case 4:
		r = vfs_rmdir(&ctx, &dir, name);
		want = unlinkat(host, name, AT_REMOVEDIR);
		break;
	default: {
		static const unsigned flags[] = {0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE};
		unsigned f = flags[fuzz_u8(in) % ARRAY_SIZE(flags)];
		if (!get_dirs(in, &to, &host_to))
			return;
		new_name = gen_last(in);
		r = vfs_rename(&ctx, &dir, name, &to, new_name, f);
		want = renameat2(host, name, host_to, new_name, f);
	}
	}
	if (want)
		want = -errno;
	if (r != want)
		fprintf(stderr, "change %u of %s: %d, in Linux %d\n", what, name, r, want);
	FUZZ_CHECK(r == want);
}

/* Empties a directory of ours, deepest first. */
static void empty(const struct path *dir)
{
	for (;;) {
		AUTO_PATH struct path p = {0};
		char name[256] = "";
		struct dentry *c;
		vfs_rdlock();
		TAILQ_FOREACH(c, &dir->dentry->children, sibling)
		if (c->inode && !*name)
			snprintf(name, sizeof(name), "%s", c->name);
		vfs_rdunlock();
		if (!*name)
			return;
		if (!vfs_unlink(&ctx, dir, name))
			continue;
		FUZZ_CHECK(!vfs_resolve(&ctx, dir, name, AT_SYMLINK_NOFOLLOW, &p));
		empty(&p);
		path_put(&p);
		FUZZ_CHECK(!vfs_rmdir(&ctx, dir, name));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	FUZZ_CHECK(here >= 0);
	if (host_top < 0)
		set_up();
	FUZZ_CHECK(!fchdir(token_dir)); /* where vfs_init() wants us */
	n_nodes = 0;
	for (unsigned k = 0; k < 60 && in.left && n_nodes < MAX_NODES - 4; k++) {
		unsigned what = fuzz_u8(&in) % 12;
		if (what < 6)
			change(&in, what);
		else if (what < 10)
			look_up(gen_name(&in), what & 1);
		else if (what == 10)
			look_up_how(&in, gen_name(&in));
		else
			read_link(gen_name(&in));
	}
	empty(&vfs_top);
	fuzz_empty(host_top);
	FUZZ_CHECK(!fchdir(here));
	close(here);
	return 0;
}
