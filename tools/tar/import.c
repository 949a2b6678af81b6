/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import.c - sandbox import: makes a kept layer of a layer tar (plain or compressed), by a model that is built beside the host's root.
 */
#include "tools/tar/tar.h"

#include "base/log.h"
#include "base/ns.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct import {
	const struct layer *l;
	struct model *m;
	int rootfd;
	struct archive *a;
	uint64_t next_ino;
	uint64_t total; /* bytes of the archive, if known; for the progress bar */
};

static uid_t inside(const struct layer *l, uid_t uid)
{
	return l->meta.fakeroot && uid == l->meta.host_uid ? 0 : uid;
}

static int stamp_of(const struct import *x, int fd, struct jstamp *s)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st))
		return -errno;
	*s = (struct jstamp){
	    .dev = x->l->meta.root_dev,
	    .ino = st.stx_ino,
	    .size = (int64_t)st.stx_size,
	    .mtime = ns_join(st.stx_mtime.tv_sec, st.stx_mtime.tv_nsec),
	    .ctime = ns_join(st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec),
	    .btime = ns_join(st.stx_btime.tv_sec, st.stx_btime.tv_nsec),
	    .seen = time(NULL) * INT64_C(1000000000),
	    .mode = st.stx_mode,
	    .uid = inside(x->l, st.stx_uid),
	    .gid = st.stx_gid,
	    .nlink = st.stx_nlink,
	};
	return 0;
}

/* What the host has of that name in the directory: 1 and its stamp, or 0. */
static int host_has(const struct import *x, const struct layer_inode *dir, const char *name, struct jstamp *s)
{
	AUTO_FREE char *path = NULL;

	if (!dir->low)
		return 0;
	if (asprintf(&path, "%s%s%s", dir->low, *dir->low ? "/" : "", name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	AUTO_CLOSE int fd = open_below(x->rootfd, path, O_PATH);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	int r = stamp_of(x, fd, s);
	return r ? r : 1;
}

/* A directory of the host in the model. */
static int use_low(struct import *x, struct layer_inode *i, const char *path, const struct jstamp *s)
{
	i->flags |= JI_LOW;
	i->low = strdup(path);
	i->stamp = malloc(sizeof(*s));
	if (!i->low || !i->stamp)
		return -ENOMEM;
	*i->stamp = *s;
	i->mode = s->mode;
	i->uid = s->uid;
	i->gid = s->gid;
	i->nlink = s->nlink;
	i->atime = i->mtime = s->mtime;
	i->ctime = s->ctime;
	i->btime = s->btime;
	i->ino = s->ino;
	return 0;
}

static struct layer_inode *new_inode(struct import *x, uint32_t mode)
{
	struct layer_inode *i = model_new(x->m);
	struct timespec now;

	if (!i)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	i->mode = mode;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	i->ino = ++x->next_ino;
	i->atime = i->mtime = i->ctime = i->btime = ns_of(&now);
	return i;
}

static int child_dir(struct import *x, struct layer_inode *dir, const char *name, struct layer_inode **out)
{
	struct layer_entry *e = model_find(x->m, dir, name, strlen(name));
	AUTO_FREE char *path = NULL;
	struct jstamp s;
	int r;

	if (e && e->child && S_ISDIR(e->child->mode)) {
		*out = e->child;
		return 0;
	}
	if (e && e->child)
		return -ENOTDIR;
	int has = host_has(x, dir, name, &s);
	if (has < 0)
		return has;
	struct layer_inode *i = new_inode(x, S_IFDIR | 0755);
	if (!i)
		return -ENOMEM;
	if (has && S_ISDIR(s.mode) && !e) {
		i->flags |= JI_CLEAN;
		if (asprintf(&path, "%s%s%s", dir->low, *dir->low ? "/" : "", name) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		r = use_low(x, i, path, &s);
		if (r)
			return r;
	}
	*out = i;
	return model_set(x->m, dir, name, strlen(name), i, has, has ? &s : NULL) ? 0 : -ENOMEM;
}

/* Parent of a name in the archive; *name its last component, in buf. "." and empty components are skipped, ".." is refused. */
static int walk(struct import *x, const char *path, char *buf, struct layer_inode **dir, const char **name)
{
	char *save = NULL, *next;

	*dir = x->m->root;
	*name = NULL;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	strncpy(buf, path, PATH_MAX - 1);
	buf[PATH_MAX - 1] = '\0';
	for (char *p = strtok_r(buf, "/", &save); p; p = next) {
		next = strtok_r(NULL, "/", &save);
		if (!strcmp(p, ".."))
			return -EINVAL;
		if (strlen(p) > NAME_MAX)
			return -ENAMETOOLONG;
		if (!strcmp(p, "."))
			continue;
		while (next && !strcmp(next, "."))
			next = strtok_r(NULL, "/", &save);
		if (!next) {
			*name = p;
			return 0;
		}
		int r = child_dir(x, *dir, p, dir);
		if (r)
			return r;
	}
	return 0;
}

static void did(const struct import *x)
{
	if (x->total)
		progress("import", (uint64_t)archive_filter_bytes(x->a, -1), x->total);
}

static int take_data(struct import *x, struct layer_inode *i, int64_t size)
{
	char name[24];
	const void *p;
	size_t n;
	la_int64_t off;
	int r;

	i->back = ++x->m->max_back;
	snprintf(name, sizeof(name), "%" PRIu64, i->back);
	AUTO_CLOSE int fd = openat(x->l->storefd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, size))
		return -errno;
	while ((r = archive_read_data_block(x->a, &p, &n, &off)) == ARCHIVE_OK) {
		int err = journal_write(fd, p, n, off);
		if (err)
			return err;
		did(x);
	}
	if (r != ARCHIVE_EOF)
		return -EBADMSG;
	struct timespec ts[2] = {ns_split(i->mtime), ns_split(i->mtime)};
	if (futimens(fd, ts) || (x->l->meta.kuid && fchown(fd, x->l->meta.kuid, x->l->meta.kuid)))
		return -errno;
	return 0;
}

static int take_xattrs(struct layer_inode *i, struct archive_entry *ae)
{
	const char *name;
	const void *value;
	size_t n, total = 0;

	if (archive_entry_xattr_reset(ae) <= 0)
		return 0;
	while (archive_entry_xattr_next(ae, &name, &value, &n) == ARCHIVE_OK)
		total += strlen(name) + 1 + sizeof(uint32_t) + n;
	if (total > (128U << 10))
		return -E2BIG;
	free(i->xattrs);
	uint8_t *p = i->xattrs = malloc(total + 1);
	if (!p)
		return -ENOMEM;
	i->flags |= JI_XATTR;
	archive_entry_xattr_reset(ae);
	while (archive_entry_xattr_next(ae, &name, &value, &n) == ARCHIVE_OK) {
		uint32_t len = (uint32_t)n, size;
		const uint8_t *q = i->xattrs, *v;
		const char *key;
		bool twice = false;
		/* The format has two ways to say it, and libarchive writes both. */
		while (jxattr_next(&q, p, &key, &v, &size))
			twice |= !strcmp(key, name);
		if (twice)
			continue;
		p = mempcpy(p, name, strlen(name) + 1);
		p = mempcpy(p, &len, sizeof(len));
		p = mempcpy(p, value, n);
	}
	i->xattrs_len = (uint32_t)(p - i->xattrs);
	return 0;
}

/* Of directories from what is in them, of others from the names that are left. */
static void count_links(struct model *m)
{
	for (size_t k = 0; k < m->cap_inodes; k++) {
		for (struct layer_inode *i = m->inodes[k]; i; i = i->hnext) {
			struct layer_entry *e;
			if (!S_ISDIR(i->mode)) {
				i->nlink = 0;
				TAILQ_FOREACH(e, &i->names, same)
				i->nlink++;
				continue;
			}
			if (i->low && i->stamp->nlink < 2)
				continue;
			i->nlink = i->low ? i->stamp->nlink : 2;
			TAILQ_FOREACH(e, &i->children, sibling)
			{
				bool was = e->has && e->stamp && S_ISDIR(e->stamp->mode),
				     is = e->child && S_ISDIR(e->child->mode);
				i->nlink += is;
				i->nlink -= was;
			}
		}
	}
}

static void take_attrs(struct layer_inode *i, struct archive_entry *ae)
{
	i->flags &= ~JI_CLEAN;
	i->mode = archive_entry_mode(ae);
	i->uid = (uint32_t)archive_entry_uid(ae);
	i->gid = (uint32_t)archive_entry_gid(ae);
	if (archive_entry_mtime_is_set(ae))
		i->atime = i->mtime = ns_join(archive_entry_mtime(ae), archive_entry_mtime_nsec(ae));
}

/* The lower's file at its own place, where the archive has the very same: it needn't hide. */
static int take_link(struct import *x, struct layer_inode *dir, const char *name, const char *target)
{
	char buf[PATH_MAX];
	struct layer_inode *tdir;
	const char *tname;
	struct jstamp s;
	int r = walk(x, target, buf, &tdir, &tname);

	if (r || !tname)
		return r ? r : -EBADMSG;
	struct layer_entry *e = model_find(x->m, tdir, tname, strlen(tname));
	if (!e || !e->child || S_ISDIR(e->child->mode))
		return -ENOENT;
	int has = host_has(x, dir, name, &s);
	if (has < 0)
		return has;
	return model_set(x->m, dir, name, strlen(name), e->child, has, has ? &s : NULL) ? 0 : -ENOMEM;
}

static int make_opaque(struct import *x, struct layer_inode *dir)
{
	struct layer_entry *e, *next;

	free(take_ptr(dir->low));
	free(take_ptr(dir->stamp));
	dir->flags &= ~(JI_LOW | JI_CLEAN);
	dir->ino = ++x->next_ino;
	for (e = TAILQ_FIRST(&dir->children); e; e = next) {
		next = TAILQ_NEXT(e, sibling);
		e->has = false;
		if (!e->child)
			model_drop(x->m, e);
	}
	return 0;
}

static int take_entry(struct import *x, struct archive_entry *ae)
{
	const char *path = archive_entry_pathname(ae), *name, *link;
	struct layer_inode *dir, *i;
	struct layer_entry *e;
	char buf[PATH_MAX];
	struct jstamp s;
	int r = path ? walk(x, path, buf, &dir, &name) : -EBADMSG;

	if (r)
		return r;
	if (!name) {
		take_attrs(x->m->root, ae);
		return S_ISDIR(x->m->root->mode) ? take_xattrs(x->m->root, ae) : -EBADMSG;
	}
	/* The host's whole root would be out of sight, and a commit would remove it. */
	if (!strcmp(name, ".wh..wh..opq"))
		return dir == x->m->root ? -EOPNOTSUPP : make_opaque(x, dir);
	bool whiteout = !strncmp(name, ".wh.", 4);
	if (whiteout)
		name += 4;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EINVAL;
	int has = host_has(x, dir, name, &s);
	if (has < 0)
		return has;
	e = model_find(x->m, dir, name, strlen(name));
	if (whiteout) {
		if (e)
			model_drop(x->m, e);
		return !has || model_set(x->m, dir, name, strlen(name), NULL, true, &s) ? 0 : -ENOMEM;
	}
	link = archive_entry_hardlink(ae);
	if (S_ISDIR(archive_entry_mode(ae)) && !link) {
		r = child_dir(x, dir, name, &i);
		if (r)
			return r;
		take_attrs(i, ae);
		return take_xattrs(i, ae);
	}
	if (e)
		model_drop(x->m, e);
	if (link)
		return take_link(x, dir, name, link);
	i = new_inode(x, archive_entry_mode(ae));
	if (!i)
		return -ENOMEM;
	take_attrs(i, ae);
	if (S_ISLNK(i->mode)) {
		const char *t = archive_entry_symlink(ae);
		i->link = strdup(t ? t : "");
		i->flags |= JI_LINK;
		i->size = (int64_t)strlen(i->link ? i->link : "");
		if (!i->link)
			r = -ENOMEM;
	} else if (S_ISREG(i->mode)) {
		i->size = archive_entry_size(ae);
		r = take_data(x, i, i->size);
	} else if (S_ISCHR(i->mode) || S_ISBLK(i->mode)) {
		i->rdev = archive_entry_rdev(ae);
	} else if (S_ISFIFO(i->mode)) {
		char back[24];
		i->back = ++x->m->max_back;
		snprintf(back, sizeof(back), "%" PRIu64, i->back);
		if (mkfifoat(x->l->storefd, back, 0600) ||
		    (x->l->meta.kuid &&
		     fchownat(x->l->storefd, back, x->l->meta.kuid, x->l->meta.kuid, AT_SYMLINK_NOFOLLOW)))
			r = -errno;
	} else {
		return -EBADMSG;
	}
	if (!r)
		r = take_xattrs(i, ae);
	if (r)
		return r;
	return model_set(x->m, dir, name, strlen(name), i, has, has ? &s : NULL) ? 0 : -ENOMEM;
}

int import_model(const struct layer *l, struct model *m, int rootfd, struct archive *a, uint64_t total)
{
	struct import x = {.l = l, .m = m, .rootfd = rootfd, .a = a, .next_ino = UINT64_C(1) << 32, .total = total};
	struct archive_entry *ae;
	struct jstamp s;
	int r, err = stamp_of(&x, rootfd, &s);

	m->root = err ? NULL : model_new(m);
	if (!err)
		err = m->root ? use_low(&x, m->root, "", &s) : -ENOMEM;
	if (err)
		return err;
	m->root->flags |= JI_CLEAN;
	while ((r = archive_read_next_header(a, &ae)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
		did(&x);
		err = take_entry(&x, ae);
		if (err) {
			log_msg("import: %s: %s", archive_entry_pathname(ae) ? archive_entry_pathname(ae) : "?",
				strerror(-err));
			return err;
		}
	}
	if (r != ARCHIVE_EOF) {
		log_msg("import: %s", archive_error_string(a));
		return -EBADMSG;
	}
	count_links(m);
	return 0;
}

struct archive *import_reader(void)
{
	struct archive *a = archive_read_new();

	if (!a)
		die("out of memory");
	archive_read_support_format_tar(a);
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_filter_zstd(a);
	return a;
}

/* 0: it can't be told. */
static uint64_t regular_size(const char *file)
{
	struct stat st;

	return !stat(file, &st) && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

int tar_import(int argc, char **argv)
{
	static const struct option options[] = {{"root", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
	struct layer l = LAYER_INIT;
	struct model m = {0};
	const char *root = "/";
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c != 'r')
			return CMD_FAILED;
		root = optarg;
	}
	if (argc - optind != 2)
		die("usage: sandbox import [--root DIR] NAME FILE");
	create_layer_or_die(&l, argv[optind], root, false, NULL, true);
	int rootfd = open_root(&l), r;
	struct archive *a = import_reader();
	if (archive_read_open_filename(a, argv[optind + 1], 1 << 16) == ARCHIVE_OK) {
		r = import_model(&l, &m, rootfd, a, regular_size(argv[optind + 1]));
	} else {
		log_msg("import: %s: %s", argv[optind + 1], archive_error_string(a));
		r = -EBADMSG;
	}
	progress("import", 0, 0);
	if (!r)
		r = layer_store_model(&l, &m);
	if (!r)
		r = layer_rename(&l, argv[optind]);
	if (r) {
		log_msg("import failed: %s", strerror(-r));
		(void)!layer_discard(&l);
	}
	archive_read_free(a);
	close(rootfd);
	model_free(&m);
	layer_close(&l);
	return r ? CMD_FAILED : 0;
}
