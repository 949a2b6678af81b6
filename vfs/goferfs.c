/* SPDX-License-Identifier: Apache-2.0 */
/*
 * goferfs.c - a bind: an export of the gofer as a file system of its own, without overlay, coherent with the host.
 *
 * Nothing is believed for longer than a call: names are looked up anew at each walk (SB_REMOTE) and attributes asked for (I_LIVE). An inode
 * stands for a host object (device, inode number, time of birth), so that hard links are one inode and a descriptor handed out is known again.
 *
 * Paths: an operation with a dentry names the file by the dentry's place in the tree, one without by our descriptor if the name it was last
 * found at is gone (gi->fd), else by that name (gi->path; rename() corrects it), checked against the object's identity before a change.
 *
 * Locks: the table of inodes and all of struct ginode are under the VFS lock. RPCs are made without it.
 */
#include "vfs/fs.h"

#include "gofer/client.h"

#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uthash.h>

/* So many inodes last opened are kept, else eviction of a name would make the program's descriptor unknown. */
#define KEEP_OPENED 1024
/* So many of those that last lost the name we know them by have a descriptor of ours. */
#define KEEP_UNLINKED 128

struct ginode {
	struct inode i;
	struct {
		uint64_t dev, ino;
	} key; /* the host's */
	struct hostobj obj;
	int64_t btime;
	char *path;  /* last known, as the gofer wants it */
	char *text;  /* of a symlink */
	bool hashed; /* in the super's table: false once another object took its number */
	bool opened;
	int fd;           /* of a file whose path was removed, or -1 */
	unsigned kept_at; /* where it is in the super's kept[], if fd isn't -1 */
	UT_hash_handle hh;
};

struct gsuper {
	struct super sb;
	struct gofer *gofer;
	uint32_t export;
	struct ginode *table;
	struct inode *opened[KEEP_OPENED]; /* referenced; a ring */
	unsigned next_opened;
	struct ginode *kept[KEEP_UNLINKED]; /* a ring of those with a descriptor, not referenced: each takes itself out */
	unsigned next_kept;
};

static const struct inode_ops goferfs_ops;

static struct ginode *to_ginode(const struct inode *i)
{
	return container_of((struct inode *)(uintptr_t)i, struct ginode, i);
}

static struct gsuper *to_gsuper(const struct super *sb)
{
	return container_of((struct super *)(uintptr_t)sb, struct gsuper, sb);
}

static uid_t show_uid(uint32_t uid)
{
	const struct vfs_config *c = vfs_config();
	return c->fakeroot && uid == c->host_uid ? 0 : uid;
}

static gid_t show_gid(uint32_t gid)
{
	const struct vfs_config *c = vfs_config();
	return c->fakeroot && gid == c->host_gid ? 0 : gid;
}

static uint32_t host_uid(uid_t uid)
{
	const struct vfs_config *c = vfs_config();
	return c->fakeroot && uid == 0 ? c->host_uid : uid;
}

static uint32_t host_gid(gid_t gid)
{
	const struct vfs_config *c = vfs_config();
	return c->fakeroot && gid == 0 ? c->host_gid : gid;
}

/* [W] */
static void set_attr(struct inode *i, const struct gattr *a)
{
	i->mode = a->mode;
	i->ino = a->ino;
	i->dev = vfs_map_dev(a->dev);
	inode_set_rdev(i, a->rdev);
	i->uid = show_uid(a->uid);
	i->gid = show_gid(a->gid);
	i->nlink = a->nlink;
	i->blksize = a->blksize;
	i->size = a->size;
	i->blocks = a->blocks;
	i->atime = a->atime;
	i->mtime = a->mtime;
	i->ctime = a->ctime;
	i->btime = a->btime;
}

static bool same_object(const struct ginode *gi, const struct gattr *a)
{
	return gi->key.dev == a->dev && gi->key.ino == a->ino && gi->btime == a->btime &&
	       (gi->i.mode & S_IFMT) == (a->mode & S_IFMT);
}

/* [W] */
static void unhash(struct ginode *gi)
{
	struct gsuper *gs = to_gsuper(gi->i.sb);
	if (!gi->hashed)
		return;
	HASH_DEL(gs->table, gi);
	gi->hashed = false;
	hostobj_del(&gi->obj);
}

/* [W] The inode of a host object, referenced, with fresh attributes and path; NULL: no memory. text: of a symlink. */
static struct inode *find_inode(struct gsuper *gs, const struct gattr *a, const char *path, size_t len, const char *text)
{
	__typeof__(((struct ginode *)NULL)->key) key = {a->dev, a->ino};
	AUTO_FREE char *copy = strndup(path, len);
	struct ginode *gi;
	if (!copy)
		return NULL;
	HASH_FIND(hh, gs->table, &key, sizeof key, gi);
	if (gi && !same_object(gi, a)) {
		unhash(gi);
		gi = NULL;
	}
	if (gi) {
		iget(&gi->i);
	} else {
		gi = malloc(sizeof *gi);
		AUTO_FREE char *link = S_ISLNK(a->mode) ? strdup(text) : NULL;
		if (!gi || (S_ISLNK(a->mode) && !link)) {
			free(gi);
			return NULL;
		}
		*gi = (struct ginode){.key = key, .btime = a->btime, .hashed = true, .fd = -1, .text = take_ptr(link)};
		inode_init(&gi->i, &gs->sb, &goferfs_ops, a->mode);
		gi->i.flags |= I_LIVE;
		HASH_ADD(hh, gs->table, key, sizeof gi->key, gi);
	}
	hostobj_add(&gi->obj, a->dev, a->ino, &gi->i);
	free(gi->path);
	gi->path = take_ptr(copy);
	set_attr(&gi->i, a);
	return &gi->i;
}

/* [W] */
static void drop_fd(struct ginode *gi)
{
	if (gi->fd < 0)
		return;
	close(gi->fd);
	gi->fd = -1;
	to_gsuper(gi->i.sb)->kept[gi->kept_at] = NULL;
}

static void goferfs_release(struct inode *i)
{
	struct ginode *gi = to_ginode(i);
	unhash(gi);
	drop_fd(gi);
	free(gi->path);
	free(gi->text);
	free(gi);
}

/* The gofer's path of d, "" for the root. */
static int dentry_path(const struct dentry *d, char buf[PATH_MAX])
{
	size_t at = PATH_MAX - 1;
	int err = 0;
	buf[at] = 0;
	vfs_rdlock();
	for (; d != d->sb->root && d->parent != d; d = d->parent) {
		if (at < (size_t)d->namelen + 1) {
			err = -ENAMETOOLONG;
			break;
		}
		if (buf[at])
			buf[--at] = '/';
		at -= d->namelen;
		memcpy(buf + at, d->name, d->namelen);
	}
	vfs_rdunlock();
	memmove(buf, buf + at, PATH_MAX - at);
	return err;
}

static int inode_path(const struct inode *i, char buf[PATH_MAX])
{
	const struct ginode *gi = to_ginode(i);
	vfs_rdlock();
	size_t len = strlen(gi->path);
	if (len < PATH_MAX)
		memcpy(buf, gi->path, len + 1);
	vfs_rdunlock();
	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Attributes of what is at path now, taken over if it's still i's object, else -ESTALE. */
static int refresh(struct inode *i, const char *path)
{
	struct gsuper *gs = to_gsuper(i->sb);
	struct gattr a;
	unsigned n, depth = *path != 0;
	for (const char *p = path; *p; p++)
		depth += *p == '/';
	int err = gofer_walk(gs->gofer, gs->export, path, depth, &a, 1, &n, NULL, 0);
	if (err)
		return err;
	vfs_wrlock();
	if (n != 1 || !same_object(to_ginode(i), &a))
		err = -ESTALE;
	else
		set_attr(i, &a);
	vfs_wrunlock();
	return err;
}

/* A duplicate of the descriptor that keep_unlinked() left, the caller's, or -1. */
static int kept_fd(const struct inode *i)
{
	vfs_rdlock();
	int fd = to_ginode(i)->fd < 0 ? -1 : fcntl(to_ginode(i)->fd, F_DUPFD_CLOEXEC, 0);
	vfs_rdunlock();
	return fd;
}

/* refresh() by descriptor. */
static int refresh_fd(struct inode *i, int fd)
{
	struct gattr a;
	int err = gofer_fstat(to_gsuper(i->sb)->gofer, fd, &a);
	if (err)
		return err;
	vfs_wrlock();
	if (same_object(to_ginode(i), &a))
		set_attr(i, &a);
	vfs_wrunlock();
	return 0;
}

/* Before d, by whose name we know a file that the program may have open, is removed. Failing makes what comes by descriptor later ESTALE. */
static void keep_unlinked(const struct dentry *d, const char *path)
{
	struct gsuper *gs = to_gsuper(d->sb);
	AUTO_CLOSE int fd = -1;
	struct gattr a;
	vfs_rdlock();
	const struct inode *i = d->inode;
	bool want =
	    i && S_ISREG(i->mode) && to_ginode(i)->opened && to_ginode(i)->fd < 0 && !strcmp(to_ginode(i)->path, path);
	vfs_rdunlock();
	if (!want || gofer_open(gs->gofer, gs->export, path, O_RDONLY, &fd, &a))
		return;
	vfs_wrlock();
	struct ginode *gi = d->inode ? to_ginode(d->inode) : NULL;
	if (gi && gi->fd < 0 && same_object(gi, &a)) {
		if (gs->kept[gs->next_kept])
			drop_fd(gs->kept[gs->next_kept]);
		gi->fd = take_fd(&fd);
		gi->kept_at = gs->next_kept;
		gs->kept[gs->next_kept] = gi;
		gs->next_kept = (gs->next_kept + 1) % KEEP_UNLINKED;
	}
	vfs_wrunlock();
}

/* Where to find i for a change: by the name in the tree if there's one, else by where it was last, if it's still there. */
static int change_path(const struct dentry *d, struct inode *i, char buf[PATH_MAX])
{
	if (d)
		return dentry_path(d, buf);
	int err = inode_path(i, buf);
	return err ? err : refresh(i, buf);
}

/* Where to change i: at buf, or if *fd isn't -1 by that, the caller's. */
static int change_place(const struct dentry *d, struct inode *i, char buf[PATH_MAX], int *fd)
{
	*fd = d ? -1 : kept_fd(i);
	return *fd >= 0 ? 0 : change_path(d, i, buf);
}

static int goferfs_lookup(struct dentry *dir, const char *name, size_t len, const char *rest, struct lookup_result *out,
			  int max)
{
	struct gsuper *gs = to_gsuper(dir->sb);
	struct gattr attrs[LOOKUP_BATCH + 1];
	char path[PATH_MAX], link[PATH_MAX];
	unsigned n, skip = 0, levels = 1;
	int err = dentry_path(dir, path);
	if (err)
		return err;
	size_t at = strlen(path), start = at;
	/* The answer starts with dir itself: it must still be the directory that the program means. The root always is. */
	unsigned first = at != 0;
	for (size_t k = 0; k < at; k++)
		skip += path[k] == '/';
	if (at + 1 + len + 1 > sizeof path)
		return -ENAMETOOLONG;
	if (at)
		path[at++] = '/';
	memcpy(path + at, name, len);
	at += len;
	path[at] = 0;
	max = MIN(max, LOOKUP_BATCH);
	/* More levels as far as they fit; the core asks for the others when it gets there. */
	while (*rest && (int)levels < max) {
		size_t c = strcspn(rest, "/");
		if (!c || c > NAME_MAX || at + 1 + c + 1 > sizeof path)
			break;
		path[at++] = '/';
		memcpy(path + at, rest, c);
		at += c;
		path[at] = 0;
		levels++;
		rest += c + (rest[c] == '/');
	}
	err = gofer_walk(gs->gofer, gs->export, path, skip, attrs, levels + first, &n, link, sizeof link);
	if (err)
		return err;
	if (n < first)
		return -ENOENT;
	n -= first;
	const struct gattr *a = attrs + first;
	size_t end = start; /* of the path of one level's inode */
	unsigned k = 0;
	vfs_wrlock();
	if (first && (!dir->inode || !same_object(to_ginode(dir->inode), &attrs[0]))) {
		vfs_wrunlock();
		return -ENOENT;
	}
	for (; k < n; k++) {
		end += end != 0;
		end += strcspn(path + end, "/");
		out[k] = (struct lookup_result){.inode = find_inode(gs, &a[k], path, end, link)};
		if (!out[k].inode)
			break;
	}
	vfs_wrunlock();
	if (k < n)
		return k ? (int)k : -ENOMEM;
	if (n < levels && (!n || S_ISDIR(a[n - 1].mode)))
		out[n++] = (struct lookup_result){0};
	return (int)n;
}

struct fill {
	struct dirlist *list;
	int err;
};

static bool fill_one(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	struct fill *f = arg;
	f->err = dirlist_add(f->list, name, len, ino, type);
	return f->err == 0;
}

static int goferfs_readdir(struct vfs_ctx *ctx, struct dentry *dir, struct dirlist *out)
{
	struct gsuper *gs = to_gsuper(dir->sb);
	struct fill f = {.list = out};
	char path[PATH_MAX];
	int err = dentry_path(dir, path);
	if (!err)
		err = gofer_readdir(gs->gofer, gs->export, path, fill_one, &f);
	return err ? err : f.err;
}

static ssize_t goferfs_readlink(struct vfs_ctx *ctx, struct inode *inode, char *buf, size_t size)
{
	const struct ginode *gi = to_ginode(inode);
	if (!S_ISLNK(inode->mode))
		return -EINVAL;
	size_t n = MIN(strlen(gi->text), size); /* never changes: another text is another object */
	memcpy(buf, gi->text, n);
	return (ssize_t)n;
}

static int goferfs_getattr(struct vfs_ctx *ctx, struct inode *inode, struct kstat *st)
{
	char path[PATH_MAX];
	AUTO_CLOSE int fd = kept_fd(inode);
	int err = fd < 0 ? inode_path(inode, path) : refresh_fd(inode, fd);
	if (!err && fd < 0)
		err = refresh(inode, path);
	/* Gone or moved by somebody else: what was last known of the object. Only a gofer that's gone is an error. */
	if (err == -EIO)
		return err;
	vfs_rdlock();
	inode_attrs(inode, st);
	vfs_rdunlock();
	return 0;
}

static int goferfs_open(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, int flags, int *hostfd)
{
	struct gsuper *gs = to_gsuper(inode->sb);
	char path[PATH_MAX];
	struct gattr a;
	AUTO_CLOSE int fd = -1;
	if (!S_ISREG(inode->mode))
		return S_ISLNK(inode->mode) ? -ELOOP : S_ISDIR(inode->mode) ? -EISDIR : -ENXIO;
	if (inode->sb->flags & SB_RDONLY && ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC))
		return -EROFS;
	if (ctx && ctx->may_block)
		ctx->may_block(ctx);
	int err = change_path(d, inode, path);
	if (!err)
		err = gofer_open(gs->gofer, gs->export, path, flags, &fd, &a);
	if (err)
		return err;
	vfs_wrlock();
	/* Permission was checked on this inode: another file that took its name meanwhile isn't given out. */
	if (!same_object(to_ginode(inode), &a)) {
		vfs_wrunlock();
		return -ESTALE;
	}
	set_attr(inode, &a);
	struct inode *old = gs->opened[gs->next_opened];
	to_ginode(inode)->opened = true;
	iget(inode);
	gs->opened[gs->next_opened] = inode;
	gs->next_opened = (gs->next_opened + 1) % KEEP_OPENED;
	if (old)
		iput_locked(old);
	vfs_wrunlock();
	*hostfd = take_fd(&fd);
	return 0;
}

_Static_assert(SA_MODE == GS_MODE && SA_UID == GS_UID && SA_GID == GS_GID && SA_SIZE == GS_SIZE && SA_ATIME == GS_ATIME &&
		   SA_MTIME == GS_MTIME && SA_ATIME_NOW == GS_ATIME_NOW && SA_MTIME_NOW == GS_MTIME_NOW,
	       "the bits are passed on as they are");

static int goferfs_setattr(struct vfs_ctx *ctx, struct dentry *d, struct inode *inode, const struct setattr *sa)
{
	struct gsuper *gs = to_gsuper(inode->sb);
	char path[PATH_MAX];
	struct gsetattr g = {
	    .valid = sa->valid,
	    .mode = sa->mode,
	    .uid = host_uid(sa->uid),
	    .gid = host_gid(sa->gid),
	    .size = sa->size,
	    .atime = sa->atime,
	    .mtime = sa->mtime,
	};
	AUTO_CLOSE int fd = -1;
	int err = change_place(d, inode, path, &fd);
	if (!err)
		err =
		    fd < 0 ? gofer_setattr(gs->gofer, gs->export, path, &g) : gofer_fsetattr(gs->gofer, gs->export, fd, &g);
	if (err)
		return err;
	err = fd < 0 ? refresh(inode, path) : refresh_fd(inode, fd);
	return err == -ESTALE ? 0 : err;
}

static ssize_t goferfs_getxattr(struct inode *inode, const char *name, void *buf, size_t size)
{
	struct gsuper *gs = to_gsuper(inode->sb);
	char path[PATH_MAX];
	AUTO_CLOSE int fd = kept_fd(inode);
	if (fd >= 0)
		return gofer_fgetxattr(gs->gofer, gs->export, fd, name, buf, size);
	int err = inode_path(inode, path);
	return err ? err : gofer_getxattr(gs->gofer, gs->export, path, name, buf, size);
}

static ssize_t goferfs_listxattr(struct inode *inode, char *buf, size_t size)
{
	struct gsuper *gs = to_gsuper(inode->sb);
	char path[PATH_MAX];
	AUTO_CLOSE int fd = kept_fd(inode);
	if (fd >= 0)
		return gofer_flistxattr(gs->gofer, gs->export, fd, buf, size);
	int err = inode_path(inode, path);
	return err ? err : gofer_listxattr(gs->gofer, gs->export, path, buf, size);
}

static int goferfs_setxattr(struct dentry *d, struct inode *inode, const char *name, const void *v, size_t n, int flags)
{
	struct gsuper *gs = to_gsuper(inode->sb);
	char path[PATH_MAX];
	AUTO_CLOSE int fd = -1;
	int err = change_place(d, inode, path, &fd);
	if (err)
		return err;
	return fd < 0 ? gofer_setxattr(gs->gofer, gs->export, path, name, v, n, flags)
		      : gofer_fsetxattr(gs->gofer, gs->export, fd, name, v, n, flags);
}

static int goferfs_mknod(struct dentry *d, uint32_t mode, dev_t rdev, uid_t uid, gid_t gid, const char *link_target)
{
	struct gsuper *gs = to_gsuper(d->sb);
	char path[PATH_MAX];
	struct gattr a;
	int err = dentry_path(d, path);
	if (err)
		return err;
	if (!S_ISREG(mode)) {
		/* Devices and sockets of the host's aren't ours to make. */
		if (!S_ISDIR(mode) && !S_ISLNK(mode) && !S_ISFIFO(mode))
			return -EPERM;
		return gofer_mknod(gs->gofer, gs->export, path, mode, host_uid(uid), host_gid(gid), link_target, &a);
	}
	AUTO_CLOSE int fd = -1;
	return gofer_create(gs->gofer, gs->export, path, O_WRONLY, mode & 07777, host_uid(uid), host_gid(gid), &fd, &a);
}

static int goferfs_link(struct inode *inode, struct dentry *from, struct dentry *d)
{
	struct gsuper *gs = to_gsuper(d->sb);
	char a[PATH_MAX], b[PATH_MAX];
	int err = change_path(from, inode, a);
	if (!err)
		err = dentry_path(d, b);
	return err ? err : gofer_link(gs->gofer, gs->export, a, b);
}

/* What's said of an object that nothing of ours leads to any more (a directory's token, an O_PATH descriptor) is what was last known. */
static void lost_name(const struct dentry *d)
{
	vfs_wrlock();
	if (d->inode && d->inode->nlink)
		d->inode->nlink = S_ISDIR(d->inode->mode) ? 0 : d->inode->nlink - 1;
	vfs_wrunlock();
}

static int remove_name(struct dentry *d, bool dir)
{
	struct gsuper *gs = to_gsuper(d->sb);
	char path[PATH_MAX];
	int err = dentry_path(d, path);
	if (!err && !dir)
		keep_unlinked(d, path);
	if (!err)
		err = gofer_unlink(gs->gofer, gs->export, path, dir);
	if (!err)
		lost_name(d);
	return err;
}

static int goferfs_unlink(struct dentry *d)
{
	return remove_name(d, false);
}

static int goferfs_rmdir(struct dentry *d)
{
	return remove_name(d, true);
}

/* [W] path if it's from or below it, moved to to: a new string; else NULL. */
static char *moved(const char *path, const char *from, const char *to)
{
	size_t n = strlen(from), m = strlen(to);
	if (strncmp(path, from, n) || (path[n] && path[n] != '/'))
		return NULL;
	size_t rest = strlen(path + n);
	char *p = malloc(m + rest + 1);
	if (p) {
		memcpy(p, to, m);
		memcpy(p + m, path + n, rest + 1);
	}
	return p; /* no memory: the old path stays and turns out stale when it's used */
}

static int goferfs_rename(struct dentry *from, struct dentry *to, unsigned flags)
{
	struct gsuper *gs = to_gsuper(from->sb);
	char a[PATH_MAX], b[PATH_MAX];
	int err = dentry_path(from, a);
	if (!err)
		err = dentry_path(to, b);
	if (!err && !flags)
		keep_unlinked(to, b);
	if (!err)
		err = gofer_rename(gs->gofer, gs->export, a, b, flags);
	if (err)
		return err;
	if (!flags && to->inode != from->inode)
		lost_name(to);
	vfs_wrlock();
	for (struct ginode *gi = gs->table; gi; gi = gi->hh.next) {
		char *p = moved(gi->path, a, b);
		if (!p && (flags & 2)) /* RENAME_EXCHANGE */
			p = moved(gi->path, b, a);
		if (p) {
			free(gi->path);
			gi->path = p;
		}
	}
	vfs_wrunlock();
	return 0;
}

static const struct inode_ops goferfs_ops = {
    .lookup = goferfs_lookup,
    .readdir = goferfs_readdir,
    .readlink = goferfs_readlink,
    .getattr = goferfs_getattr,
    .open = goferfs_open,
    .setattr = goferfs_setattr,
    .getxattr = goferfs_getxattr,
    .listxattr = goferfs_listxattr,
    .setxattr = goferfs_setxattr,
    .mknod = goferfs_mknod,
    .link = goferfs_link,
    .unlink = goferfs_unlink,
    .rmdir = goferfs_rmdir,
    .rename = goferfs_rename,
    .release = goferfs_release,
};

static int goferfs_statfs(struct super *sb, struct statfs *out)
{
	struct gsuper *gs = to_gsuper(sb);
	return gofer_statfs(gs->gofer, gs->export, "", out);
}

static const char *goferfs_layer(const struct inode *i)
{
	return "bind";
}

static const struct super_ops goferfs_super_ops = {
    .statfs = goferfs_statfs,
    .layer = goferfs_layer,
};

int goferfs_new(uint32_t export, uint32_t flags, struct super **out)
{
	struct gofer *g = vfs_config()->gofer;
	struct gattr a;
	unsigned n;
	char link[PATH_MAX];
	if (!g)
		return -ENODEV;
	int err = gofer_walk(g, export, "", 0, &a, 1, &n, link, sizeof link);
	if (err)
		return err;
	if (n != 1)
		return -ENOENT;
	struct gsuper *gs = calloc(1, sizeof *gs);
	if (!gs)
		return -ENOMEM;
	gs->gofer = g;
	gs->export = export;
	gs->sb = (struct super){
	    .ops = &goferfs_super_ops,
	    .flags = flags | SB_REMOTE | SB_NODEV | (flags & SB_RDONLY ? 0 : SB_RWBIND),
	    .dev = vfs_map_dev(a.dev),
	    .type = "gofer",
	};
	vfs_wrlock();
	struct inode *root = find_inode(gs, &a, "", 0, link);
	vfs_wrunlock();
	gs->sb.root = root ? d_make_root(&gs->sb, root) : NULL;
	if (!gs->sb.root) {
		iput(root);
		free(gs);
		return -ENOMEM;
	}
	*out = &gs->sb;
	return 0;
}
