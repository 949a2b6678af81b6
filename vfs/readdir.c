/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readdir.c - listing directories.
 *
 * A listing is a snapshot: compact records and an array of their offsets, so that a file offset is a record's index and any offset that a
 * tracee seeks to is harmless. It's taken at position 0, held by the open file description's token, and kept on the
 * directory's inode for the next reader while no name has changed (dirver). Where it names all that the file system has, it also
 * answers lookups of names that aren't there: later changes are pinned entries, found in the tree before.
 */
#include "vfs/core.h"
#include "vfs/dirlist.h"

#include <dirent.h>
#include <string.h>

struct dirsnap {
	atomic_uint refs;
	uint32_t ver; /* the inode's dirver it shows */
	size_t bytes;
	char *buf;
	uint32_t *off, n;
	uint32_t *hashes;    /* sorted; NULL: says nothing about names that aren't in it */
	struct inode *owner; /* [W] who keeps it, not referenced */
	TAILQ_ENTRY(dirsnap) link;
};

/* [W] Snapshots that are kept, oldest first, within a bound in bytes. */
static TAILQ_HEAD(, dirsnap) kept = TAILQ_HEAD_INITIALIZER(kept);
static size_t kept_bytes;
#define MAX_KEPT ((size_t)6 << 20)

int dirlist_add(struct dirlist *l, const char *name, size_t len, uint64_t ino, unsigned char dtype)
{
	size_t need = REC_HEAD + len + 1;
	char *r;

	if (len > NAME_MAX || l->len + need > UINT32_MAX)
		return -EOVERFLOW;
	if (l->len + need > l->cap) {
		size_t cap = MAX(l->cap * 2, (size_t)1024);
		char *buf = realloc(l->buf, cap);

		if (!buf)
			return -ENOMEM;
		l->buf = buf;
		l->cap = cap;
	}
	if (l->n == l->off_cap) {
		size_t cap = MAX(l->off_cap * 2, (size_t)32);
		uint32_t *off = realloc(l->off, cap * sizeof(*off));

		if (!off)
			return -ENOMEM;
		l->off = off;
		l->off_cap = cap;
	}
	l->off[l->n++] = (uint32_t)l->len;
	r = l->buf + l->len;
	memcpy(r, &ino, 8);
	r[8] = (char)dtype;
	r[9] = (char)(unsigned char)len;
	memcpy(r + REC_HEAD, name, len);
	r[REC_HEAD + len] = 0;
	l->len += need;
	return 0;
}

void snap_put(struct dirsnap *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	free(s->buf);
	free(s->off);
	free(s->hashes);
	free(s);
}

void snap_drop(struct inode *i)
{
	struct dirsnap *s = i->snap;

	if (!s)
		return;
	i->snap = NULL;
	s->owner = NULL;
	TAILQ_REMOVE(&kept, s, link);
	kept_bytes -= s->bytes;
	snap_put(s);
}

/* [W] */
static void snap_keep(struct inode *i, struct dirsnap *s)
{
	snap_drop(i);
	while (kept_bytes + s->bytes > MAX_KEPT && !TAILQ_EMPTY(&kept))
		snap_drop(TAILQ_FIRST(&kept)->owner);
	if (s->bytes > MAX_KEPT / 2)
		return;
	i->snap = s;
	s->owner = i;
	atomic_fetch_add(&s->refs, 1);
	TAILQ_INSERT_TAIL(&kept, s, link);
	kept_bytes += s->bytes;
}

bool snap_excludes(const struct inode *dir, const char *name, size_t len)
{
	const struct dirsnap *s = S_ISDIR(dir->mode) ? dir->snap : NULL;
	uint32_t h, lo, hi;

	if (!s || !s->hashes)
		return false;
	h = name_hash(name, len);
	for (lo = 0, hi = s->n; lo < hi;) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->hashes[mid] == h)
			return false;
		if (s->hashes[mid] < h)
			lo = mid + 1;
		else
			hi = mid;
	}
	return true;
}

static int cmp_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* [R] The list of a directory that is in the tree completely. */
static int list_tree(const struct dentry *dir, struct dirlist *l)
{
	struct dentry *c;
	int err = 0;

	LIST_FOREACH(c, &dir->children, sibling)
	{
		if (c->inode)
			err = dirlist_add(l, c->name, c->namelen, c->inode->ino, IFTODT(c->inode->mode));
		if (err)
			break;
	}
	return err;
}

/* A referenced snapshot of dir now. */
static int snap_take(struct vfs_ctx *ctx, struct dentry *dir, struct inode *i, struct dirsnap **out)
{
	struct dirlist l = {0};
	struct dirsnap *s;
	bool cacheable = dir_cacheable(dir->sb), whole = false;
	uint32_t ver;
	int err = 0;

	vfs_rdlock();
	ver = i->dirver;
	s = i->snap;
	if (cacheable && s && s->ver == ver) {
		atomic_fetch_add(&s->refs, 1);
		vfs_rdunlock();
		*out = s;
		return 0;
	}
	if (cacheable && (dir->flags & D_COMPLETE)) {
		err = list_tree(dir, &l);
		vfs_rdunlock();
	} else {
		vfs_rdunlock();
		whole = true;
		err = i->ops->readdir ? i->ops->readdir(ctx, dir, &l) : -ENOTDIR;
	}
	s = err ? NULL : calloc(1, sizeof(*s));
	if (!err && !s)
		err = -ENOMEM;
	if (!err && cacheable && whole && l.n) {
		s->hashes = malloc(l.n * sizeof(*s->hashes));
		for (size_t k = 0; s->hashes && k < l.n; k++) {
			const char *r = l.buf + l.off[k];

			s->hashes[k] = name_hash(r + REC_HEAD, (unsigned char)r[9]);
		}
		if (s->hashes)
			qsort(s->hashes, l.n, sizeof(*s->hashes), cmp_u32);
	}
	if (err) {
		free(l.buf);
		free(l.off);
		return err;
	}
	atomic_init(&s->refs, 1);
	s->ver = ver;
	s->buf = l.buf;
	s->off = l.off;
	s->n = (uint32_t)l.n;
	s->bytes = sizeof(*s) + l.cap + l.off_cap * 4 + (s->hashes ? l.n * 4 : 0);
	if (cacheable) {
		vfs_wrlock();
		/* If names changed meanwhile it may still tell what the file system doesn't have, but not what there is. */
		if (dir->inode == i && (s->hashes || i->dirver == ver))
			snap_keep(i, s);
		vfs_wrunlock();
	}
	*out = s;
	return 0;
}

/* [R] The inode number that ".." shows. */
static uint64_t parent_ino(const struct vfs_ctx *ctx, const struct path *p)
{
	struct path q = *p;

	if (q.dentry != ctx->root->dentry || q.mnt != ctx->root->mnt) {
		while (q.dentry == q.mnt->root && q.mnt->parent)
			q = (struct path){q.mnt->parent, q.mnt->mountpoint};
		q.dentry = q.dentry->parent;
	}
	return q.dentry->inode ? q.dentry->inode->ino : 0;
}

/* One record in the tracee's format; 0: doesn't fit. */
static size_t emit(char *buf, size_t size, const char *name, size_t len, uint64_t ino, uint64_t next, unsigned char type,
		   bool legacy)
{
	/* getdents64: ino 8, off 8, reclen 2, type 1, name. getdents: ino 8, off 8, reclen 2, name, NUL, padding, type in the last byte. */
	size_t head = legacy ? 18 : 19, reclen = (head + len + 1 + (legacy ? 1 : 0) + 7) & ~(size_t)7;
	uint16_t r16 = (uint16_t)reclen;

	if (reclen > size)
		return 0;
	memset(buf + 16, 0, reclen - 16);
	memcpy(buf, &ino, 8);
	memcpy(buf + 8, &next, 8);
	memcpy(buf + 16, &r16, 2);
	buf[legacy ? reclen - 1 : 18] = (char)type;
	memcpy(buf + head, name, len);
	return reclen;
}

static ssize_t fill(const struct dirsnap *s, uint16_t rule, off_t *pos, uint64_t dot, uint64_t dotdot, char *buf,
		    size_t size, bool legacy)
{
	size_t done = 0;

	for (; *pos >= 0 && *pos < (off_t)s->n + 2; ++*pos) {
		uint64_t next = (uint64_t)*pos + 1, ino;
		size_t r;

		if (*pos < 2) {
			r = emit(buf + done, size - done, "..", *pos ? 2 : 1, *pos ? dotdot : dot, next, DT_DIR, legacy);
		} else {
			const char *rec = s->buf + s->off[*pos - 2];

			memcpy(&ino, rec, 8);
			if (unlikely(rule) && rules_child(rule, rec + REC_HEAD, (unsigned char)rec[9]) == RULE_HIDDEN)
				continue;
			r = emit(buf + done, size - done, rec + REC_HEAD, (unsigned char)rec[9], ino, next,
				 (unsigned char)rec[8], legacy);
		}
		if (!r)
			return done ? (ssize_t)done : -EINVAL;
		done += r;
	}
	return (ssize_t)done;
}

ssize_t vfs_getdents(struct vfs_ctx *ctx, const struct vfile *f, int hostfd, void *buf, size_t size, bool legacy)
{
	struct token *t = f->token;
	struct dirsnap **snap;
	uint64_t dot, dotdot;
	uint16_t rule;
	bool dead;
	off_t pos, start;
	ssize_t n;

	if (f->o_path)
		return -EBADF;
	if (f->kind != VF_DIR || !t)
		return -ENOTDIR;
	vfs_rdlock();
	rule = f->path.dentry->rule;
	dead = f->inode->flags & I_DEAD;
	dot = f->inode->ino;
	dotdot = parent_ino(ctx, &f->path);
	vfs_rdunlock();
	if (dead)
		return -ENOENT;
	if (!(rules_of(rule) & VFS_MAY_READ)) {
		rules_refused(&f->path, NULL, 0);
		return -EACCES;
	}
	if (unlikely(vfs_noting))
		note_path(&f->path, VFS_NOTE_LISTED);
	token_lock(t);
	snap = token_snap(t);
	start = pos = lseek(hostfd, 0, SEEK_CUR);
	n = pos < 0 ? -errno : 0;
	if (!n && (pos == 0 || !*snap)) {
		struct dirsnap *s = NULL;

		n = snap_take(ctx, f->path.dentry, f->inode, &s);
		if (!n) {
			snap_put(*snap);
			*snap = s;
		}
	}
	if (!n)
		n = fill(*snap, rule && rules_hide_names(rule) ? rule : 0, &pos, dot, dotdot, buf, size, legacy);
	if (n >= 0 && pos != start && lseek(hostfd, pos, SEEK_SET) < 0)
		n = -errno;
	token_unlock(t);
	return n;
}
