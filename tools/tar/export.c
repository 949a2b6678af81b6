/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export.c - sandbox export: a kept layer as a layer tar of the OCI image format: changed objects, ".wh.NAME" for a removed one,
 * ".wh..wh..opq" in a directory that hides the lower's. What only moved is written whole, as the format has no moves.
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
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct export
{
	struct layer *l;
	struct model *m;
	int rootfd;
	struct archive *a;
	uint64_t done, total;
	unsigned parted; /* files that have links which aren't in the archive */
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
	archive_entry_copy_stat(ae, &st);
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

/* Has a file of the lower a name that stayed as it was? The journal tells only of those that the sandbox changed. */
static bool other_names(const struct layer_inode *i)
{
	const struct layer_entry *e;
	unsigned n = 0;

	TAILQ_FOREACH(e, &i->names, same)
	n++;
	return i->low && !S_ISDIR(i->mode) && i->nlink > n;
}

/* One object of the model at x->path. */
static int put_inode(struct export *x, const struct layer_entry *e)
{
	struct layer_inode *i = e->child;
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
		archive_entry_set_uid(ae, st.st_uid);
		archive_entry_set_gid(ae, st.st_gid);
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
	x->parted += !i->priv && other_names(i) && (content_differs(x->l, i) || attrs_differ(i));
	if (i->priv) {
		archive_entry_set_hardlink(ae, i->priv);
		archive_entry_set_size(ae, 0);
	} else if (!S_ISDIR(i->mode) && !TAILQ_EMPTY(&i->names) && TAILQ_NEXT(TAILQ_FIRST(&i->names), same)) {
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
	bool own = entry_own(e);
	if (own && !S_ISDIR(i->mode) && !content_differs(x->l, i) && !attrs_differ(i) && i->mtime == i->stamp->mtime)
		return 0;
	r = put_inode(x, e);
	if (r || !S_ISDIR(i->mode))
		return r;
	if (!own && e->has)
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
		if (v[k]->child || (dir->low && !strcmp(dir->low, here)))
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

static int count(void *arg, const struct change *c)
{
	struct export *x = arg;

	x->total += c->content && S_ISREG(c->mode) ? (uint64_t)MAX(c->size, 0) : 0;
	return 0;
}

int tar_export(int argc, char **argv)
{
	AUTO_LAYER struct layer l = LAYER_INIT;
	AUTO_MODEL struct model m = {0};
	struct export x = {.l = &l, .m = &m};
	const char *file = argc == 3 ? argv[2] : NULL;
	int r = 0;

	if (argc < 2 || argc > 3 || argv[1][0] == '-')
		die("usage: %s", "sandbox export NAME [FILE]");
	if (!file && isatty(1))
		die("export: standard output is a terminal: name a file");
	open_layer_or_die(&l, argv[1], 0);
	AUTO_LAYER struct layer whole = LAYER_INIT;
	if (l.meta.n_from) {
		r = below_flatten(&l, &whole);
		if (r)
			die("export: can't put %s and what it lies on together: %s", l.name, strerror(-r));
		x.l = &whole;
	}
	binds_changed(&l, "are not part of the archive");
	load_model_or_die(&m, x.l);
	x.rootfd = open_root(x.l);
	x.a = archive_write_new();
	if (!x.a || archive_write_set_format_pax(x.a) != ARCHIVE_OK)
		die("export: out of memory");
	if (file && strlen(file) > 3 && !strcmp(file + strlen(file) - 3, ".gz"))
		archive_write_add_filter_gzip(x.a);
	if (archive_write_open_filename(x.a, file) != ARCHIVE_OK)
		die("export: %s", archive_error_string(x.a));
	if (m.root)
		r = layer_changes(x.l, &m, x.rootfd, count, &x);
	if (!r && m.root)
		r = put_dir(&x, m.root);
	progress("export", 0, 0);
	if (x.parted)
		log_msg("export: %u changed file%s other hard links on the host: the archive changes only the names that "
			"were used",
			x.parted, x.parted == 1 ? " has" : "s have");
	if (archive_write_close(x.a) != ARCHIVE_OK && !r)
		r = fail(&x);
	archive_write_free(x.a);
	close(x.rootfd);
	for (size_t k = 0; k < m.cap_inodes; k++)
		for (struct layer_inode *i = m.inodes[k]; i; i = i->hnext)
			free(take_ptr(i->priv));
	if (r && file)
		unlink(file);
	if (whole.dirfd >= 0)
		(void)!layer_discard(&whole);
	return r ? CMD_FAILED : 0;
}
