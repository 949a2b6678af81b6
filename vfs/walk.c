/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk.c - path resolution, as path_resolution(7) and Linux's fs/namei.c.
 *
 * Fast pass: the whole walk under the lock for reading, on cached entries, no references, no writes to shared lines. Where it would have
 * to ask a file system it gives up with -ECHILD. Slow pass: holds references, takes the lock for each step, asks.
 */
#include "base/log.h"
#include "vfs/core.h"

#include <string.h>

bool dir_cacheable(const struct super *sb)
{
	return !(sb->flags & (SB_REMOTE | SB_DYNAMIC));
}

void path_get(const struct path *p)
{
	if (p->dentry)
		dget(p->dentry);
}

void path_put(struct path *p)
{
	if (p->dentry)
		dput(p->dentry);
	p->dentry = NULL;
	p->mnt = NULL;
}

static bool same_path(const struct path *a, const struct path *b)
{
	return a->dentry == b->dentry && a->mnt == b->mnt;
}

/* Takes over next's reference in the slow pass. */
static void nd_goto(struct nameidata *nd, struct path next)
{
	if (!nd->fast)
		path_put(&nd->path);
	nd->path = next;
}

/* link: from a symlink on the way. Linux takes the root then for another mount unless it has come by the root before. */
static int nd_jump_root(struct nameidata *nd, bool link)
{
	if (nd->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	if (link && (nd->resolve & RESOLVE_NO_XDEV) && (!nd->rooted || nd->path.mnt != nd->root.mnt))
		return -EXDEV;
	if (!nd->fast)
		path_get(&nd->root);
	nd_goto(nd, nd->root);
	nd->trusted = 0;
	return 0;
}

int nd_start(struct nameidata *nd, struct vfs_ctx *ctx, const struct path *base, const char *name, uint64_t resolve,
	     bool fast)
{
	const struct path *from = base && base->dentry ? base : ctx->cwd;

	memset(nd, 0, offsetof(struct nameidata, stack));
	nd->text = NULL;
	nd->asked = name;
	nd->from = from;
	nd->ctx = ctx;
	nd->fast = fast;
	nd->resolve = resolve;
	nd->p = name;
	nd->root = resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT) ? *from : *ctx->root;
	if (fast)
		vfs_rdlock();
	else
		path_get(&nd->root);
	if (!*name)
		return -ENOENT;
	nd->path = *from;
	if (!fast)
		path_get(&nd->path);
	nd->rooted = *name == '/' || (resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT));
	return *name == '/' ? nd_jump_root(nd, false) : 0;
}

void nd_end(struct nameidata *nd)
{
	if (nd->fast) {
		vfs_rdunlock();
		return;
	}
	path_put(&nd->path);
	path_put(&nd->root);
	while (nd->depth)
		free(nd->stack[--nd->depth].text);
	free(nd->text);
}

static void drop_result(struct super *sb, struct lookup_result *r)
{
	struct dentry tmp = {.sb = sb, .fsdata = r->fsdata, .namelen = 0};

	if (r->inode)
		iput_locked(r->inode);
	if (r->fsdata && sb->ops && sb->ops->dentry_free)
		sb->ops->dentry_free(&tmp);
}

/* [W] The child for one level of an answer: what is in the tree already, if it says the same or is better informed. */
static struct dentry *insert(struct dentry *dir, const char *name, size_t len, struct lookup_result *r)
{
	struct dentry *d = d_lookup(dir, name, len);

	if (d && !dir_cacheable(dir->sb) && d->inode != r->inode && !(d->flags & (D_MOUNTPOINT | D_PINNED))) {
		d_kill(d);
		d = NULL;
	}
	if (d) {
		drop_result(dir->sb, r);
		return d;
	}
	d = d_add(dir, name, len, r->inode, r->fsdata);
	if (!d)
		drop_result(dir->sb, r);
	return d;
}

/* The plain components at the head of s, joined by single slashes: what a file system may look up ahead. */
static void plain_rest(const char *s, char *out, size_t size)
{
	char *o = out;

	for (;;) {
		size_t n;

		while (*s == '/')
			s++;
		n = strcspn(s, "/");
		if (!n || n > NAME_MAX || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.') ||
		    (size_t)(o - out) + n + 2 > size)
			break;
		if (o != out)
			*o++ = '/';
		memcpy(o, s, n);
		o += n;
		s += n;
	}
	*o = 0;
}

/* Asks the file system. *out is referenced; *levels: how many more levels below it the answer confirmed. */
static int ask(struct dentry *dir, const char *name, size_t len, const char *rest, unsigned *levels, struct dentry **out)
{
	struct lookup_result r[LOOKUP_BATCH];
	char plain[PATH_MAX];
	struct path dirpath = {.dentry = dir};
	struct inode *i = path_inode(&dirpath);
	struct dentry *cur = dir, *first = NULL;
	const char *n;
	int got, k, err = 0;

	if (!i)
		return -ENOENT;
	dcache_count(false);
	if (effects_wanted())
		effects.misses++;
	log_event(LF_VFS, LL_TRACE, "not in the cache", ((struct log_field){.key = "name", .str = name, .len = len}),
		  LOG_INT("directory", i->ino), LOG_STR("file system", dir->sb->type));
	plain_rest(rest, plain, sizeof(plain));
	memset(r, 0, sizeof(r));
	got = i->ops->lookup ? i->ops->lookup(dir, name, len, plain, r, LOOKUP_BATCH) : 1;
	iput(i);
	if (got < 0)
		return got;
	*levels = 0;
	vfs_wrlock();
	if ((dir->flags & D_DEAD) && dir_cacheable(dir->sb))
		err = -ENOENT;
	n = plain;
	for (k = 0; k < got && !err; k++) {
		const struct inode *answer = r[k].inode;
		struct dentry *d = insert(cur, name, len, &r[k]);

		if (!d) {
			err = k ? 0 : -ENOMEM;
			k++;
			break;
		}
		if (!first) {
			first = d;
			dget(first);
		} else {
			++*levels;
		}
		len = strcspn(n, "/");
		/* What was there already may be another directory by now, in which the answer's names don't exist. */
		if (!d->inode || d->inode != answer || !S_ISDIR(d->inode->mode) || !len) {
			k++;
			break;
		}
		cur = d;
		name = n;
		n += len + (n[len] == '/');
	}
	for (; k < got; k++)
		drop_result(dir->sb, &r[k]);
	vfs_wrunlock();
	if (err) {
		dput(first);
		return err;
	}
	*out = first;
	return 0;
}

/* [R] The child as far as it's known: *out NULL: it certainly doesn't exist. -ECHILD: ask. Not referenced. */
static int cached_child(const struct dentry *dir, const char *name, size_t len, unsigned *trusted, struct dentry **out)
{
	struct dentry *d = d_lookup((struct dentry *)(uintptr_t)dir, name, len);

	*out = d;
	if (unlikely(!dir_cacheable(dir->sb))) {
		if (d && (d->flags & D_MOUNTPOINT))
			return 0;
		if (d && *trusted) {
			--*trusted;
			return 0;
		}
		return -ECHILD;
	}
	if (likely(d)) {
		d_touch(d);
		return 0;
	}
	if ((dir->flags & (D_COMPLETE | D_DEAD)) ||
	    (dir->inode && (!dir->inode->ops->lookup || snap_excludes(dir->inode, name, len))))
		return 0;
	return -ECHILD;
}

/* [R], or d is referenced. NULL: there's no such name. */
static void effect_found(const struct dentry *d)
{
	const struct inode *i = d ? d_inode(d) : NULL;

	effects.walked = true;
	if (i)
		effects.answered = sb_layer(d->sb, i);
	else
		effects.answered = d && (d->flags & D_WHITEOUT) ? "whiteout" : "no entry";
}

/*
 * The child of nd->path. In the slow pass *next is referenced. need: a negative child is wanted as a dentry, else it's -ENOENT.
 */
static int step(struct nameidata *nd, const char *name, size_t len, const char *rest, bool need, bool cross,
		struct path *next)
{
	struct dentry *dir = nd->path.dentry, *d = NULL;
	bool dead;
	int err;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	if (!nd->fast)
		vfs_rdlock();
	err = cached_child(dir, name, len, &nd->trusted, &d);
	dead = dir->flags & D_DEAD;
	if (err && nd->fast)
		return err;
	if (!nd->fast) {
		if (!err && d)
			dget(d);
		vfs_rdunlock();
		if (err || (!d && need && !dead)) {
			if (!err) {
				err = lookup_one(&nd->path, name, len, &d);
				nd->trusted = 0;
			} else {
				err = ask(dir, name, len, rest, &nd->trusted, &d);
			}
			if (err == -ENOENT && effects_wanted())
				effect_found(NULL);
			if (err)
				return err;
		}
	}
	if (effects_wanted())
		effect_found(d);
	if (!d)
		return -ENOENT;
	/* Under the lock, or referenced and then only a rename could change it, whose new place would have no more rights. */
	const bool hidden = unlikely(d_hidden(d)) && !rules_suspended;
	if (hidden || (!need && !d_inode(d))) {
		err = need ? -EACCES : -ENOENT;
		if (hidden && d_inode(d) && nd->fast)
			rules_refused_locked(&nd->path, name, len);
		else if (hidden && d_inode(d))
			rules_refused(&nd->path, name, len);
		if (!nd->fast)
			dput(d);
		return err;
	}
	next->mnt = nd->path.mnt;
	next->dentry = d;
	/* Without the lock in the slow pass: that bit only ever gets set, after d->mounted. */
	while (cross && (__atomic_load_n(&d->flags, __ATOMIC_ACQUIRE) & D_MOUNTPOINT)) {
		struct mount *m = d->mounted;

		if (!nd->fast) {
			dget(m->root);
			dput(d);
		}
		next->mnt = m;
		next->dentry = d = m->root;
		nd->trusted = 0;
		if (effects_wanted())
			effect_found(d);
		if (nd->resolve & RESOLVE_NO_XDEV) {
			if (!nd->fast)
				path_put(next);
			return -EXDEV;
		}
	}
	return 0;
}

int lookup_one(const struct path *dir, const char *name, size_t len, struct dentry **out)
{
	struct dentry *d;
	unsigned trusted = 0;
	int err;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	vfs_rdlock();
	err = cached_child(dir->dentry, name, len, &trusted, &d);
	if (!err && d)
		dget(d);
	vfs_rdunlock();
	if (err)
		return ask(dir->dentry, name, len, "", &trusted, out);
	if (d) {
		*out = d;
		return 0;
	}
	vfs_wrlock();
	if (dir->dentry->flags & D_DEAD) {
		err = -ENOENT;
	} else {
		d = d_lookup(dir->dentry, name, len);
		if (!d)
			d = d_add(dir->dentry, name, len, NULL, NULL);
		if (d)
			dget(d);
		else
			err = -ENOMEM;
	}
	vfs_wrunlock();
	*out = d;
	return err;
}

static void note_here(const struct nameidata *nd)
{
	if (nd->fast)
		note_locked(&nd->path, VFS_NOTE_SEEN);
	else
		note_path(&nd->path, VFS_NOTE_SEEN);
}

static int dotdot(struct nameidata *nd)
{
	struct path p = nd->path;

	if (unlikely(vfs_noting))
		note_here(nd);
	nd->dotdot = nd->rooted = true;
	nd->trusted = 0;
	if (!nd->fast)
		vfs_rdlock();
	for (;;) {
		if (same_path(&p, &nd->root))
			break;
		if (p.dentry != p.mnt->root) {
			p.dentry = p.dentry->parent;
			break;
		}
		if (!p.mnt->parent)
			break;
		p = (struct path){p.mnt->parent, p.mnt->mountpoint};
	}
	if (!same_path(&p, &nd->path))
		while (p.dentry->flags & D_MOUNTPOINT)
			p = (struct path){p.dentry->mounted, p.dentry->mounted->root};
	if (!nd->fast) {
		path_get(&p);
		vfs_rdunlock();
	}
	if (((nd->resolve & RESOLVE_BENEATH) && same_path(&nd->path, &nd->root)) ||
	    ((nd->resolve & RESOLVE_NO_XDEV) && p.mnt != nd->path.mnt)) {
		if (!nd->fast)
			path_put(&p);
		return -EXDEV;
	}
	nd_goto(nd, p);
	return 0;
}

/* May the walk go through nd->path? */
static int may_lookup(struct nameidata *nd)
{
	const struct inode *i;
	int err;

	if (!nd->fast)
		vfs_rdlock();
	i = nd->path.dentry->inode;
	if (unlikely(!i))
		err = -ENOENT;
	else if (!S_ISDIR(i->mode))
		err = -ENOTDIR;
	else
		err = inode_permission(nd->ctx->cred, i, MAY_EXEC);
	if (!nd->fast)
		vfs_rdunlock();
	return err;
}

static bool is_link(const struct path *p)
{
	const struct inode *i = d_inode(p->dentry);

	return i && S_ISLNK(i->mode);
}

/* Text of a link, for the caller to free. */
static int read_text(struct vfs_ctx *ctx, struct inode *i, char **out)
{
	char buf[PATH_MAX];
	char *copy = NULL;
	ssize_t n = 0;

	vfs_rdlock();
	if (i->link) {
		n = -1;
		copy = strdup(i->link);
	}
	vfs_rdunlock();
	if (n == 0) {
		n = i->ops->readlink ? i->ops->readlink(ctx, i, buf, sizeof(buf) - 1) : -EINVAL;
		if (n < 0)
			return (int)n;
		buf[n] = 0;
		copy = strdup(buf);
		if (copy && dir_cacheable(i->sb)) {
			char *keep = strdup(buf);

			vfs_wrlock();
			if (!i->link)
				i->link = take_ptr(keep);
			vfs_wrunlock();
			free(keep);
		}
	}
	*out = copy;
	return copy ? 0 : -ENOMEM;
}

static void note_link(const struct nameidata *nd, const struct path *link)
{
	if (nd->fast)
		note_locked(link, VFS_NOTE_LINK);
	else
		note_path(link, VFS_NOTE_LINK);
}

/* step() has said that there's no such name. */
static void note_none(const struct nameidata *nd, const char *name, size_t len)
{
	if (!nd->fast)
		vfs_rdlock();
	note_missing(nd, name, len);
	if (!nd->fast)
		vfs_rdunlock();
}

int walk_link(struct nameidata *nd, const struct path *link, bool last)
{
	const char *text;
	char *owned = NULL;
	int err;

	if (nd->links++ >= MAX_LINKS || (nd->resolve & RESOLVE_NO_SYMLINKS))
		return -ELOOP;
	if (unlikely(vfs_noting))
		note_link(nd, link);
	if (nd->fast) {
		text = link->dentry->inode->link;
		if (!text || link->dentry->inode->ops->follow)
			return -ECHILD;
	} else {
		struct inode *i = path_inode(link);

		if (!i)
			return -ENOENT;
		if (i->ops->follow) {
			struct path to = {0};

			err = i->ops->follow(nd->ctx, i, &to);
			if (err != -ENOSYS) {
				iput(i);
				if (!err && d_hidden(to.dentry))
					err = -ENOENT;
				else if (!err && (nd->resolve & RESOLVE_NO_MAGICLINKS))
					err = -ELOOP;
				else if (!err && ((nd->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) ||
						  ((nd->resolve & RESOLVE_NO_XDEV) && to.mnt != nd->path.mnt)))
					err = -EXDEV;
				if (err) {
					path_put(&to);
					return err;
				}
				nd->trusted = 0;
				nd_goto(nd, to);
				return 1;
			}
		}
		err = read_text(nd->ctx, i, &owned);
		iput(i);
		if (err)
			return err;
		text = owned;
	}
	if (!*text) {
		free(owned);
		return -ENOENT;
	}
	if (!last && nd->p[strspn(nd->p, "/")]) {
		nd->stack[nd->depth].rest = nd->p;
		nd->stack[nd->depth++].text = nd->text;
	} else {
		free(nd->text);
	}
	nd->text = owned;
	nd->p = text;
	nd->trusted = 0;
	return *text == '/' ? nd_jump_root(nd, true) : 0;
}

int walk_parent(struct nameidata *nd)
{
	for (;;) {
		struct path next;
		const char *name;
		size_t len;
		enum last_type type = LAST_NORM;
		int err;

		while (*nd->p == '/')
			nd->p++;
		if (!*nd->p) {
			if (!nd->depth) {
				nd->last_type = LAST_ROOT;
				return 0;
			}
			free(nd->text);
			nd->depth--;
			nd->p = nd->stack[nd->depth].rest;
			nd->text = nd->stack[nd->depth].text;
			continue;
		}
		err = may_lookup(nd);
		if (err) {
			/* It matters that it's there. */
			if (unlikely(vfs_noting))
				note_here(nd);
			return err;
		}
		name = nd->p;
		for (len = 0; name[len] && name[len] != '/'; len++)
			;
		if (name[0] == '.')
			type = len == 1 ? LAST_DOT : len == 2 && name[1] == '.' ? LAST_DOTDOT : LAST_NORM;
		nd->p = name + len;
		if (!nd->depth && !nd->p[strspn(nd->p, "/")]) {
			nd->last = name;
			nd->last_len = len;
			nd->last_type = type;
			nd->want_dir |= *nd->p == '/';
			return 0;
		}
		if (type == LAST_DOT)
			continue;
		if (type == LAST_DOTDOT) {
			err = dotdot(nd);
			if (err)
				return err;
			continue;
		}
		err = step(nd, name, len, nd->p, false, true, &next);
		if (unlikely(vfs_noting) && err == -ENOENT)
			note_none(nd, name, len);
		if (err)
			return err;
		if (is_link(&next)) {
			err = walk_link(nd, &next, false);
			if (!nd->fast)
				path_put(&next);
			if (err < 0)
				return err == -ENXIO ? -ENOTDIR : err;
			continue;
		}
		nd_goto(nd, next);
	}
}

int walk_last(struct nameidata *nd, bool cross, struct path *out)
{
	return step(nd, nd->last, nd->last_len, "", true, cross, out);
}

static bool is_under(const struct path *p, const struct path *top)
{
	struct path q = *p;

	for (;;) {
		if (same_path(&q, top))
			return true;
		if (q.dentry != q.mnt->root)
			q.dentry = q.dentry->parent;
		else if (q.mnt->parent)
			q = (struct path){q.mnt->parent, q.mnt->mountpoint};
		else
			return false;
	}
}

int walk_dots(struct nameidata *nd)
{
	return nd->last_type == LAST_DOTDOT ? dotdot(nd) : 0;
}

int walk_full(struct nameidata *nd, unsigned flags)
{
	struct path next;
	int err;

	for (;;) {
		err = walk_parent(nd);
		if (err)
			return err;
		if (nd->last_type != LAST_NORM) {
			err = walk_dots(nd);
			if (err)
				return err;
			break;
		}
		err = step(nd, nd->last, nd->last_len, "", false, true, &next);
		if (unlikely(vfs_noting) && err == -ENOENT)
			note_none(nd, nd->last, nd->last_len);
		if (err)
			return err;
		if (!is_link(&next) || (!(flags & WALK_FOLLOW) && !nd->want_dir)) {
			nd_goto(nd, next);
			break;
		}
		err = walk_link(nd, &next, true);
		if (err == -ENXIO && (flags & WALK_MAGIC) && !nd->want_dir) {
			nd->magic = true;
			nd_goto(nd, next);
			break;
		}
		if (!nd->fast)
			path_put(&next);
		if (err < 0)
			return err == -ENXIO && nd->want_dir ? -ENOTDIR : err;
		if (err == 1)
			break;
	}
	if (nd->want_dir) {
		const struct inode *i = d_inode(nd->path.dentry);

		if (!i || !S_ISDIR(i->mode))
			return -ENOTDIR;
	}
	if (!nd->fast && nd->dotdot && (nd->resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT))) {
		/* A rename while we walked may have moved us out; Linux checks the same at the end. */
		bool under;

		vfs_rdlock();
		under = is_under(&nd->path, &nd->root);
		vfs_rdunlock();
		if (!under)
			return -EXDEV;
	}
	if (unlikely(vfs_noting)) {
		if (!nd->fast)
			vfs_rdlock();
		note_walked(nd);
		if (!nd->fast)
			vfs_rdunlock();
	}
	return 0;
}

int resolve_path(struct vfs_ctx *ctx, const struct path *base, const char *name, unsigned flags, uint64_t resolve,
		 struct path *out, bool *magic)
{
	struct nameidata nd;
	int err;

	if (magic)
		*magic = false;
	err = nd_start(&nd, ctx, base, name, resolve, true);
	if (!err)
		err = walk_full(&nd, flags);
	if (!err) {
		*out = nd.path;
		path_get(out);
	}
	nd_end(&nd);
	if (err != -ECHILD) {
		dcache_count(true);
		return err;
	}
	if (resolve & RESOLVE_CACHED)
		return -EAGAIN;
	err = nd_start(&nd, ctx, base, name, resolve, false);
	if (!err)
		err = walk_full(&nd, flags);
	if (!err) {
		*out = nd.path;
		path_get(out);
		if (magic)
			*magic = nd.magic;
	}
	nd_end(&nd);
	return err;
}

int vfs_resolve(struct vfs_ctx *ctx, const struct path *base, const char *name, int atflags, struct path *out)
{
	unsigned flags = atflags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;

	*out = (struct path){0};
	if (!*name && (atflags & AT_EMPTY_PATH)) {
		*out = base && base->dentry ? *base : *ctx->cwd;
		path_get(out);
		return 0;
	}
	return resolve_path(ctx, base, name, flags | WALK_MAGIC, 0, out, NULL);
}

int vfs_magic_fd(struct vfs_ctx *ctx, const struct path *p)
{
	struct inode *i;
	int fd = -ENOENT;

	vfs_rdlock();
	i = p->dentry->inode;
	if (i && S_ISLNK(i->mode) && i->ops->dup)
		iget(i);
	else
		i = NULL;
	vfs_rdunlock();
	if (i)
		fd = i->ops->dup(ctx, i);
	iput(i);
	return fd;
}

int vfs_may_chdir(struct vfs_ctx *ctx, const struct path *p)
{
	const struct inode *i;
	int err;

	vfs_rdlock();
	i = p->dentry->inode;
	if (!i)
		err = -ENOENT;
	else if (!S_ISDIR(i->mode))
		err = -ENOTDIR;
	else
		err = inode_permission(ctx->cred, i, MAY_EXEC);
	vfs_rdunlock();
	return err;
}
