/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.c - sandbox export: a kept layer as a layer tar of the OCI image format: changed objects, ".wh.NAME" for a removed one,
 * ".wh..wh..opq" in a directory that hides the lower's. What only moved is written whole, as the format has no moves. Names of a changed file that
 * the sandbox never used, and the journal therefore doesn't know, are searched for on the host: inside they show the change, too.
 */
#include "tools/tar/tar.h"

#include "base/log.h"
#include "base/ns.h"
#include "tools/below.h"
#include "tools/binds.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* A changed file that has more names than the model tells. */
struct parted {
	dev_t dev;
	ino_t ino;
	struct layer_inode *i;
	unsigned left; /* names that aren't in the archive yet */
};

struct export
{
	struct layer *l;
	struct model *m;
	int rootfd;
	struct archive *a;
	uint64_t done, total;
	struct parted *parted; /* by ino */
	size_t n_parted, left; /* left: sum of theirs */
	size_t skip;           /* where in path, below the place of a bind, the layer's own begin */
	bool whole;            /* nothing of it is in a layer below this one */
	char path[PATH_MAX];
};

static int fail(struct export *x)
{
	log_msg("export: %s", archive_error_string(x->a));
	return -ECANCELED;
}

/* A warning is of a name that isn't UTF-8: the format then has it as bytes. */
static int put_header(struct export *x, struct archive_entry *ae)
{
	return archive_write_header(x->a, ae) < ARCHIVE_WARN ? fail(x) : 0;
}

static int put_data(struct export *x, int fd, struct archive_entry *ae, int64_t size)
{
	AUTO_FREE char *buf = malloc(1 << 18);
	off_t off = 0, end;
	bool holes = false;

	if (!buf)
		return -ENOMEM;
	/* Tell of the holes first; then only what's between them is written. */
	while (off < size && (off = lseek(fd, off, SEEK_DATA)) >= 0 && off < size) {
		end = MIN(lseek(fd, off, SEEK_HOLE), size);
		if (end <= off)
			break;
		if (off || end < size || holes) {
			archive_entry_sparse_add_entry(ae, off, end - off);
			holes = true;
		}
		off = end;
	}
	if (size && !holes && lseek(fd, 0, SEEK_DATA) < 0)
		archive_entry_sparse_add_entry(ae, size, 0);
	if (put_header(x, ae))
		return -ECANCELED;
	/* The writer takes the whole and leaves the holes out. */
	for (off = 0; off < size;) {
		ssize_t n = pread(fd, buf, (size_t)MIN(size - off, (off_t)1 << 18), off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		if (archive_write_data(x->a, buf, (size_t)n) < 0)
			return fail(x);
		off += n;
		x->done += (uint64_t)n;
		progress("export", x->done, x->total);
	}
	return 0;
}

static void host_xattrs(struct archive_entry *ae, int fd)
{
	char proc[32], list[65536], value[65536];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	ssize_t n = listxattr(proc, list, sizeof(list));
	for (const char *s = list; n > 0 && s < list + n; s += strlen(s) + 1) {
		ssize_t v = getxattr(proc, s, value, sizeof(value));
		if (v >= 0 && strncmp(s, "security.selinux", 16))
			archive_entry_xattr_add_entry(ae, s, value, (size_t)v);
	}
}

static int by_ino(const void *a, const void *b)
{
	const struct parted *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

/* ino alone: of a name whose device isn't known yet. */
static struct parted *parted_find(const struct export *x, ino_t ino, const dev_t *dev)
{
	const struct parted key = {.ino = ino};
	struct parted *p = x->n_parted ? bsearch(&key, x->parted, x->n_parted, sizeof(key), by_ino) : NULL;

	while (p && p > x->parted && p[-1].ino == ino)
		p--;
	for (; p && dev && p < x->parted + x->n_parted && p->ino == ino; p++)
		if (p->dev == *dev)
			return p;
	return dev ? NULL : p;
}

static int put_inode(struct export *x, struct layer_inode *i);

static int put_parted(struct export *x, struct parted *p)
{
	if (p->left) {
		p->left--;
		x->left--;
	}
	return put_inode(x, p->i);
}

static void set_owner(const struct export *x, struct archive_entry *ae, const struct stat *st)
{
	const struct layer_meta *m = &x->l->meta;

	archive_entry_set_uid(ae, m->fakeroot && st->st_uid == m->host_uid ? 0 : st->st_uid);
	archive_entry_set_gid(ae, m->fakeroot && st->st_gid == m->host_gid ? 0 : st->st_gid);
}

/* An object of the host as it is: what a moved directory brought along. */
static int put_host(struct export *x, int dirfd, const char *name)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct archive_entry *ae = archive_entry_new();
	struct stat st;
	char text[PATH_MAX];
	int r = 0;

	if (!ae || fd < 0 || fstat(fd, &st)) {
		archive_entry_free(ae);
		return ae ? -errno : -ENOMEM;
	}
	struct parted *p = S_ISDIR(st.st_mode) ? NULL : parted_find(x, st.st_ino, &st.st_dev);
	if (p) {
		archive_entry_free(ae);
		return put_parted(x, p);
	}
	archive_entry_copy_stat(ae, &st);
	set_owner(x, ae, &st);
	archive_entry_set_pathname(ae, x->path);
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlinkat(fd, "", text, sizeof(text) - 1);
		text[MAX(n, 0)] = '\0';
		archive_entry_set_symlink(ae, text);
	} else {
		host_xattrs(ae, fd);
	}
	if (S_ISREG(st.st_mode)) {
		AUTO_CLOSE int in = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		r = in < 0 ? -errno : put_data(x, in, ae, st.st_size);
	} else if (!S_ISSOCK(st.st_mode)) {
		r = put_header(x, ae);
	}
	archive_entry_free(ae);
	return r;
}

/* Everything of a host directory that cover doesn't. */
static int put_host_tree(struct export *x, int dirfd, const struct layer_inode *cover)
{
	size_t len = strlen(x->path);
	struct dirent **list;
	int n = scandirat(dirfd, ".", &list, NULL, alphasort), r = n < 0 ? -errno : 0;

	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;
		if (!r && strcmp(name, ".") && strcmp(name, "..") &&
		    !(cover && model_find(x->m, cover, name, strlen(name)))) {
			snprintf(x->path + len, sizeof(x->path) - len, "/%s", name);
			r = put_host(x, dirfd, name);
			AUTO_CLOSE int sub = r ? -1 : openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub >= 0)
				r = put_host_tree(x, sub, NULL);
			x->path[len] = '\0';
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return r;
}

static int put_marker(struct export *x, const char *dir, const char *prefix, const char *name)
{
	struct archive_entry *ae = archive_entry_new();
	AUTO_FREE char *path = NULL;
	int r = 0;

	if (!ae || asprintf(&path, "%s%s%s%s", dir, *dir ? "/" : "", prefix, name) < 0) {
		archive_entry_free(ae);
		path = NULL;
		return -ENOMEM;
	}
	archive_entry_set_pathname(ae, path);
	archive_entry_set_mode(ae, S_IFREG | 0600);
	archive_entry_set_size(ae, 0);
	archive_entry_set_mtime(ae, 0, 0);
	r = put_header(x, ae);
	archive_entry_free(ae);
	return r;
}

static void set_times(struct archive_entry *ae, int64_t mtime)
{
	struct timespec t = ns_split(mtime);

	archive_entry_set_mtime(ae, t.tv_sec, t.tv_nsec);
}

/* How many names has a file of the lower that stayed as they were? The journal tells only of those that the sandbox changed. */
static unsigned other_names(const struct layer_inode *i)
{
	const struct layer_entry *e;
	unsigned n = 0;

	TAILQ_FOREACH(e, &i->names, same)
	n++;
	return i->low && !S_ISDIR(i->mode) && i->nlink > n ? i->nlink - n : 0;
}

/* One object of the model at x->path. */
static int put_inode(struct export *x, struct layer_inode *i)
{
	AUTO_CLOSE int low = i->low ? open_below(x->rootfd, i->low, O_PATH) : -1;
	struct archive_entry *ae = archive_entry_new();
	struct stat st;
	char text[PATH_MAX];
	int64_t mtime = i->mtime;
	int r = 0;

	if (!ae)
		return -ENOMEM;
	archive_entry_set_pathname(ae, x->path);
	archive_entry_set_mode(ae, i->mode);
	archive_entry_set_uid(ae, i->uid);
	archive_entry_set_gid(ae, i->gid);
	if ((i->flags & JI_CLEAN) && low >= 0 && !fstat(low, &st)) {
		archive_entry_set_mode(ae, st.st_mode);
		set_owner(x, ae, &st);
		mtime = ns_of(&st.st_mtim);
	}
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		archive_entry_set_rdev(ae, i->rdev);
	if (i->flags & JI_XATTR) {
		const uint8_t *p = i->xattrs, *value;
		const char *key;
		uint32_t size;
		while (jxattr_next(&p, i->xattrs + i->xattrs_len, &key, &value, &size))
			archive_entry_xattr_add_entry(ae, key, value, size);
	} else if (low >= 0 && !S_ISLNK(i->mode)) {
		host_xattrs(ae, low);
	}
	if (i->priv) {
		archive_entry_set_hardlink(ae, i->priv);
		archive_entry_set_size(ae, 0);
	} else if (!S_ISDIR(i->mode) &&
		   (other_names(i) || (!TAILQ_EMPTY(&i->names) && TAILQ_NEXT(TAILQ_FIRST(&i->names), same)))) {
		i->priv = strdup(x->path);
	}
	if (S_ISLNK(i->mode) && !i->link && low >= 0) {
		ssize_t n = readlinkat(low, "", text, sizeof(text) - 1);
		text[MAX(n, 0)] = '\0';
		archive_entry_set_symlink(ae, text);
	} else if (S_ISLNK(i->mode)) {
		archive_entry_set_symlink(ae, i->link ? i->link : "");
	}
	if (S_ISREG(i->mode) && !archive_entry_hardlink(ae)) {
		AUTO_CLOSE int in = i->back ? layer_open_back(x->l->storefd, i->back, O_RDONLY)
					    : open_below(x->rootfd, i->low ? i->low : "", O_RDONLY | O_NONBLOCK);
		if (in < 0 || fstat(in, &st)) {
			r = in < 0 ? in : -errno;
		} else if (!S_ISREG(st.st_mode)) {
			r = -ESTALE;
		} else {
			if (i->back)
				mtime = MAX(mtime, ns_of(&st.st_mtim));
			set_times(ae, mtime);
			archive_entry_set_size(ae, st.st_size);
			r = put_data(x, in, ae, st.st_size);
		}
	} else if (!S_ISSOCK(i->mode)) {
		set_times(ae, mtime);
		r = put_header(x, ae);
	}
	archive_entry_free(ae);
	return r;
}

static int put_dir(struct export *x, const struct layer_inode *dir);

static int put_entry(struct export *x, const char *dir, const struct layer_entry *e)
{
	const struct layer_inode *i = e->child;
	int r;

	if (!strncmp(e->name, ".wh.", 4)) {
		log_msg("export: /%s: the format has no way to name it: left out", x->path);
		return 0;
	}
	if (!i)
		return e->has ? put_marker(x, dir, ".wh.", e->name) : 0;
	bool own = entry_own(e) && !x->whole;
	if (own && !S_ISDIR(i->mode) && !content_differs(x->l, i) && !attrs_differ(i) && i->mtime == i->stamp->mtime)
		return 0;
	r = put_inode(x, e->child);
	if (r || !S_ISDIR(i->mode))
		return r;
	if (!own && e->has && !x->whole)
		r = put_marker(x, x->path, ".wh..wh.", ".opq");
	if (!r && !own && i->low) {
		AUTO_CLOSE int low = open_below(x->rootfd, i->low, O_RDONLY | O_DIRECTORY);
		r = low < 0 ? low : put_host_tree(x, low, i);
	}
	return r ? r : put_dir(x, i);
}

static int put_dir(struct export *x, const struct layer_inode *dir)
{
	AUTO_FREE char *here = strdup(x->path);
	struct layer_entry **v;
	size_t n, len = strlen(x->path);
	int r = here ? model_sorted(dir, &v, &n) : -ENOMEM;

	if (r)
		return r;
	for (size_t k = 0; k < n && !r; k++) {
		if (len + v[k]->len + 2 > sizeof(x->path)) {
			r = -ENAMETOOLONG;
			break;
		}
		snprintf(x->path + len, sizeof(x->path) - len, "%s%s", len ? "/" : "", v[k]->name);
		/* Below a moved directory a removal is simply not there. */
		const char *at = strlen(here) > x->skip ? here + x->skip : "";
		if (v[k]->child || (dir->low && !x->whole && !strcmp(dir->low, at)))
			r = put_entry(x, here, v[k]);
		if (r && r != -ECANCELED) {
			log_msg("export: /%s: %s", x->path, strerror(-r));
			r = -ECANCELED;
		}
		x->path[len] = '\0';
	}
	free(v);
	return r;
}

/* --- Names that the sandbox never used --- */

static int find_parted(struct export *x)
{
	const struct model *m = x->m;
	struct stat st;

	x->parted = malloc((m->n_inodes + 1) * sizeof(*x->parted));
	if (!x->parted)
		return -ENOMEM;
	for (size_t k = 0; k < m->cap_inodes; k++) {
		for (struct layer_inode *i = m->inodes[k]; i; i = i->hnext) {
			unsigned n = other_names(i);
			if (!n || (!content_differs(x->l, i) && !attrs_differ(i)))
				continue;
			AUTO_CLOSE int fd = open_below(x->rootfd, i->low, O_PATH);
			if (fd < 0 || fstat(fd, &st) || st.st_nlink < 2 || (st.st_mode & S_IFMT) != (i->mode & S_IFMT))
				continue;
			x->parted[x->n_parted++] = (struct parted){st.st_dev, st.st_ino, i, n};
			x->left += n;
		}
	}
	qsort(x->parted, x->n_parted, sizeof(*x->parted), by_ino);
	return 0;
}

static int search(struct export *x, int dirfd, const struct layer_inode *cover);

/* Among what cover has changed, then (far) below directories that the sandbox never used: other links are mostly near. */
static int search_in(struct export *x, DIR *d, const struct layer_inode *cover, bool far)
{
	const size_t len = strlen(x->path);
	struct dirent *e;
	struct stat st;
	int r = 0;

	while (!r && x->left && (e = readdir(d))) {
		const struct layer_entry *c = cover ? model_find(x->m, cover, e->d_name, strlen(e->d_name)) : NULL;
		const bool merged = c && c->child && S_ISDIR(c->child->mode) && entry_own(c);
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || (c && !merged) || (merged && far) ||
		    (e->d_type == DT_DIR ? far == merged
					 : e->d_type != DT_UNKNOWN && (far || !parted_find(x, e->d_ino, NULL))) ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) || len + strlen(e->d_name) + 2 > sizeof(x->path))
			continue;
		snprintf(x->path + len, sizeof(x->path) - len, "%s%s", len ? "/" : "", e->d_name);
		struct parted *p = S_ISDIR(st.st_mode) || far ? NULL : parted_find(x, st.st_ino, &st.st_dev);
		if (p)
			r = put_parted(x, p);
		else if (S_ISDIR(st.st_mode) && far != merged && strncmp(e->d_name, ".sandbox.filestore.", 19))
			r = search(x, openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
				   merged ? c->child : NULL);
		x->path[len] = '\0';
	}
	return r;
}

/* fd, taken over, is a directory that shows as the host has it, but for what cover, its inode or NULL, has changed. */
static int search(struct export *x, int fd, const struct layer_inode *cover)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!d) {
		/* What can't be read is said at the end: a name is missing. */
		close_fd_(&fd);
		return 0;
	}
	for (unsigned far = 0; far < 2 && !r; far++) {
		rewinddir(d);
		r = search_in(x, d, cover, far);
	}
	closedir(d);
	return r;
}

/* --- A layer --- */

/* A layer below the place where its root is inside; "" for that of the whole. */
static int put_layer(struct export *x, const char *at)
{
	struct layer_inode *root = x->m->root;
	const bool bind = *at;
	int r = root ? find_parted(x) : 0;

	if (!root || r)
		return r;
	snprintf(x->path, sizeof(x->path), "%s", at);
	x->skip = bind ? strlen(at) + 1 : 0;
	if (x->l->meta.file) {
		r = put_inode(x, TAILQ_FIRST(&root->children)->child);
	} else {
		if (bind && (x->whole || !(root->flags & JI_CLEAN)))
			r = put_inode(x, root);
		if (!r && x->whole) {
			AUTO_CLOSE int fd = open_below(x->rootfd, "", O_RDONLY | O_DIRECTORY);
			r = put_marker(x, x->path, ".wh..wh.", ".opq");
			if (!r)
				r = fd < 0 ? fd : put_host_tree(x, fd, root);
		}
		if (!r)
			r = put_dir(x, root);
		if (!r && x->left)
			r = search(x, open_below(x->rootfd, "", O_RDONLY | O_DIRECTORY), root);
	}
	if (x->left && !r)
		log_msg("export: %zu other hard link%s of changed files can't be found: the archive has them not", x->left,
			x->left == 1 ? "" : "s");
	for (size_t k = 0; k < x->m->cap_inodes; k++)
		for (struct layer_inode *i = x->m->inodes[k]; i; i = i->hnext)
			free(take_ptr(i->priv));
	free(take_ptr(x->parted));
	return r;
}

/* The bind's source has the same place in the root: then what's unchanged is in the layers below this one. */
static bool in_place(const struct layer *l, const struct layer *b)
{
	AUTO_FREE char *source = layer_source(b);
	AUTO_FREE char *place = xasprintf("%s%s", strcmp(l->meta.root, "/") ? l->meta.root : "", b->meta.dst);

	return !strcmp(source, place);
}

static int put_bind(const struct layer *l, struct layer *b, struct archive *a)
{
	AUTO_MODEL struct model m = {0};
	AUTO_CLOSE int rootfd = open_root(b);
	struct export x = {.l = b, .m = &m, .a = a, .rootfd = rootfd, .whole = !in_place(l, b)};

	load_model_or_die(&m, b);
	return put_layer(&x, b->meta.dst + 1);
}

static int count(void *arg, const struct change *c)
{
	struct export *x = arg;

	x->total += c->content && S_ISREG(c->mode) ? (uint64_t)MAX(c->size, 0) : 0;
	return 0;
}

/* --- The file: all of it or none, unless it's there already and not a regular one. --- */

static char *temp; /* the name until it's whole; or NULL */
static int temp_fd;

static void on_signal(int sig)
{
	unlink(temp);
	signal(sig, SIG_DFL);
	raise(sig);
}

static int begin_file(const char *file)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	const mode_t mask = umask(0);
	struct stat st;

	umask(mask);
	if (!stat(file, &st) && !S_ISREG(st.st_mode)) {
		temp_fd = open(file, O_WRONLY | O_CLOEXEC);
	} else {
		temp = xasprintf("%s.XXXXXX", file);
		temp_fd = mkostemp(temp, O_CLOEXEC);
		if (temp_fd >= 0 && fchmod(temp_fd, 0666 & ~mask))
			log_msg("export: %s: %s", temp, strerror(errno));
		for (size_t i = 0; i < ARRAY_SIZE(signals) && temp_fd >= 0; i++) {
			struct sigaction act;
			if (!sigaction(signals[i], NULL, &act) && act.sa_handler != SIG_IGN)
				signal(signals[i], on_signal);
		}
	}
	if (temp_fd < 0)
		die("export: %s: %s", file, strerror(errno));
	return temp_fd;
}

/* r: what came of it. */
static int end_file(const char *file, int r)
{
	if (close(temp_fd) && !r)
		r = -errno;
	if (!r && temp && rename(temp, file))
		r = -errno;
	if (r && r != -ECANCELED)
		log_msg("export: %s: %s", file, strerror(-r));
	if (r && temp)
		unlink(temp);
	return r;
}

int tar_export(int argc, char **argv)
{
	AUTO_LAYER struct layer l = LAYER_INIT;
	AUTO_MODEL struct model m = {0};
	struct export x = {.l = &l, .m = &m};
	static const struct option options[] = {{"binds", no_argument, NULL, 'b'}, {NULL, 0, NULL, 0}};
	AUTO_BINDS struct layer_binds binds = {0};
	bool with_binds = false;
	int r = 0;

	optind = 0;
	while ((r = getopt_long(argc, argv, "+", options, NULL)) == 'b')
		with_binds = true;
	argc -= optind;
	argv += optind;
	if (r != -1 || argc < 1 || argc > 2)
		die("usage: sandbox export [--binds] NAME [FILE]");
	const char *file = argc == 2 ? argv[1] : NULL;
	r = 0;
	if (!file && isatty(1))
		die("export: standard output is a terminal: name a file");
	open_layer_or_die(&l, argv[0], 0);
	AUTO_LAYER struct layer whole = LAYER_INIT;
	if (l.meta.n_from) {
		r = below_flatten(&l, &whole);
		if (r)
			die("export: can't put %s and what it lies on together: %s", l.name, strerror(-r));
		x.l = &whole;
	}
	if (with_binds)
		binds_open(&binds, &l);
	else
		binds_changed(&l, "are not part of the archive (--binds adds them)");
	load_model_or_die(&m, x.l);
	x.rootfd = open_root(x.l);
	x.a = archive_write_new();
	if (!x.a || archive_write_set_format_pax(x.a) != ARCHIVE_OK)
		die("export: out of memory");
	if (file && strlen(file) > 3 && !strcmp(file + strlen(file) - 3, ".gz"))
		archive_write_add_filter_gzip(x.a);
	if ((file ? archive_write_open_fd(x.a, begin_file(file)) : archive_write_open_filename(x.a, NULL)) != ARCHIVE_OK)
		die("export: %s", archive_error_string(x.a));
	if (m.root)
		r = layer_changes(x.l, &m, x.rootfd, count, &x);
	if (!r)
		r = put_layer(&x, "");
	for (unsigned i = 0; i < binds.n && !r; i++)
		r = put_bind(&l, &binds.v[i], x.a);
	progress("export", 0, 0);
	if (archive_write_close(x.a) != ARCHIVE_OK && !r)
		r = fail(&x);
	archive_write_free(x.a);
	close(x.rootfd);
	if (file)
		r = end_file(file, r);
	if (whole.dirfd >= 0)
		(void)!layer_discard(&whole);
	return r ? CMD_FAILED : 0;
}
