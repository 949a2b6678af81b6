/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keep_build.c - builds the tree of a kept layer from its model, at the start: with one thread and the lock held for writing.
 *
 * What a journal tells of is pinned. The host may have changed since: a lower object that isn't there any more, or is of another type,
 * is as if the sandbox had removed it; a directory that lost its lower keeps what the sandbox made in it.
 */
#include "vfs/overlay/overlay.h"

#include "layer/model.h"

static uint64_t root_dev; /* as the journal knew it: device numbers are new after a boot of the host */

/* 0, or -ESTALE where the lower has no such object any more; -errno. *dev: the device that shows. */
static int refresh(struct ovl_sb *os, struct ovl_inode *o, const struct layer_inode *l, uint64_t *dev)
{
	unsigned depth = 0, n = 0;
	struct ovl_lattr low;
	const struct gattr *a = &low.a;

	for (const char *p = l->low; *p; p++)
		depth += *p == '/';
	int r = ovl_low_walk(os, l->low, depth, &low, 1, &n, NULL, 0);
	if (r && r != -ENOENT && r != -ENOTDIR)
		return r;
	if (r || !n || (a->mode & S_IFMT) != (l->mode & S_IFMT))
		return -ESTALE;
	*dev = low.dev;
	o->low->obj = (struct hostobj){.dev = (uint32_t)a->dev, .ino = a->ino};
	o->low->node = low.node;
	if (l->back)
		return 0;
	o->i.size = a->size;
	o->i.blocks = a->blocks;
	o->i.blksize = a->blksize;
	o->i.btime = a->btime;
	if (low.layer)
		ov_set(o, OV_LAYER);
	if (l->flags & JI_CLEAN)
		ovl_lower_attrs(&o->i, &low);
	return 0;
}

static void set_attrs(struct inode *i, const struct layer_inode *l)
{
	i->mode = l->mode;
	i->uid = l->uid;
	i->gid = l->gid;
	i->nlink = l->nlink;
	inode_set_rdev(i, l->rdev);
	i->size = l->size;
	i->atime = l->atime;
	i->mtime = l->mtime;
	i->ctime = l->ctime;
	i->btime = l->btime;
}

/* o has its data in the backing file l->back. */
static int set_back(struct ovl_sb *os, struct ovl_inode *o, const struct layer_inode *l)
{
	uint64_t dev, ino;
	int r = filestore_ident(os->store, l->back, l->mode, &dev, &ino);

	if (r)
		return r;
	o->id = l->back;
	o->i.flags |= I_UPPER | (S_ISREG(l->mode) ? I_LIVE : 0);
	hostobj_add(&o->obj, dev, ino, &o->i);
	atomic_fetch_add(&ovl_upper_files, 1);
	return 0;
}

static int make(struct ovl_sb *os, const struct inode *dir, const struct layer_inode *l, struct ovl_inode **out)
{
	struct ovl_inode *o = ovl_inode_new(&os->sb, l->mode);
	bool reg = S_ISREG(l->mode), isdir = S_ISDIR(l->mode);
	uint64_t shown = 0;
	int r = 0;

	if (!o)
		return -ENOMEM;
	struct inode *i = &o->i;
	set_attrs(i, l);
	i->ino = l->ino;
	i->dev = dir->dev;
	o->jid = l->id;
	ov_set(o, OV_NAMED);
	if (l->link && S_ISLNK(l->mode) && !(i->link = strdup(l->link)))
		r = -ENOMEM;
	if (!r && (l->flags & JI_XATTR))
		r = ovl_xattrs_load(o, l->xattrs, l->xattrs_len);
	if (!r && l->low) {
		size_t n = strlen(l->low) + 1;
		o->low = malloc(sizeof(*o->low) + n);
		if (!o->low)
			r = -ENOMEM;
		else {
			memcpy(o->low->path, l->low, n);
			o->low->node = NULL;
			o->low->obj = (struct hostobj){
			    .dev =
				l->stamp->dev == root_dev ? OVL(os->sb.root->inode)->low->obj.dev : (uint32_t)l->stamp->dev,
			    .ino = l->stamp->ino,
			};
			shown = o->low->obj.dev;
			/* What is in a stacked layer's store may have another number than it had. */
			if (!l->back || os->stack)
				r = refresh(os, o, l, &shown);
			if (r == -ESTALE && l->back)
				r = 0;
			if (r == -ESTALE && isdir) {
				/* What the sandbox added to it is still there. */
				free(take_ptr(o->low));
				r = 0;
			}
		}
		if (!r && o->low)
			i->dev = vfs_map_dev(shown);
	}
	if (!r && l->back) {
		r = set_back(os, o, l);
	} else if (!r && !o->low && (reg || S_ISFIFO(l->mode))) {
		r = -ESTALE;
	}
	/* Over the limit already: it counts only what's made from now on. */
	if (!r && (l->back || !l->low) && !ovl_quota_inode(os, 1))
		ov_set(o, OV_COUNTED);
	if (!r && l->back && reg)
		ovl_quota_dirty(o);
	if (!r && o->low && !isdir && !hostobj_find(o->low->obj.dev, o->low->obj.ino))
		hostobj_add(&o->low->obj, o->low->obj.dev, o->low->obj.ino, i);
	if (r) {
		iput_locked(i);
		return r == -ENOENT ? -ESTALE : r;
	}
	*out = o;
	return 0;
}

struct todo {
	struct todo *next;
	struct dentry *d;
	struct layer_inode *dir;
};

static int add_entry(struct ovl_sb *os, struct dentry *dir, const struct layer_entry *e, struct todo **todo)
{
	struct layer_inode *c = e->child;
	struct ovl_inode *o = c ? c->priv : NULL;
	int r = 0;

	if (o)
		iget(&o->i);
	else if (c)
		r = make(os, dir->inode, c, &o);
	if (r && r != -ESTALE)
		return r;
	if (!o && !e->has)
		return 0;
	if (c)
		c->priv = o;
	struct dentry *d = d_add(dir, e->name, e->len, o ? &o->i : NULL, (void *)(uintptr_t)(o && e->has));
	if (!d)
		return -ENOMEM;
	if (!o)
		d->flags |= D_WHITEOUT;
	d_pin(d);
	if (o)
		ovl_pin(o);
	if (!o || !S_ISDIR(o->i.mode))
		return 0;
	if (!o->low)
		d->flags |= D_COMPLETE;
	struct todo *t = malloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	*t = (struct todo){*todo, d, c};
	*todo = t;
	return 0;
}

/* A bind of a single file: the root is all that there is. */
static int build_file(struct ovl_sb *os, struct ovl_inode *o, struct layer_inode *l)
{
	const int64_t size = o->i.size;
	int r = 0;

	l->priv = o;
	if (l->flags & JI_CLEAN)
		return 0;
	set_attrs(&o->i, l);
	if (!l->back) {
		o->i.size = size;
	} else {
		r = set_back(os, o, l);
		if (!r && !ovl_quota_inode(os, 1))
			ov_set(o, OV_COUNTED);
		if (!r)
			ovl_quota_dirty(o);
	}
	ovl_pin(o);
	return r;
}

static int build(struct ovl_sb *os, const struct model *m)
{
	struct todo *todo = calloc(1, sizeof(*todo));
	const struct layer_entry *e;
	int r = todo ? 0 : -ENOMEM;

	if (todo) {
		struct ovl_inode *root = OVL(os->sb.root->inode);
		*todo = (struct todo){NULL, os->sb.root, m->root};
		if (S_ISREG(m->root->mode))
			r = build_file(os, root, m->root);
		else if (!(m->root->flags & JI_CLEAN))
			set_attrs(&root->i, m->root);
		if (!r && (m->root->flags & JI_XATTR))
			r = ovl_xattrs_load(root, m->root->xattrs, m->root->xattrs_len);
	}
	while (todo) {
		struct todo *t = todo;
		todo = t->next;
		TAILQ_FOREACH(e, &t->dir->children, sibling)
		if (!r)
			r = add_entry(os, t->d, e, &todo);
		free(t);
	}
	return r;
}

/* Files without a name in the tree, for their other names in the lower. */
static int build_loose(struct ovl_sb *os, const struct model *m)
{
	int r = 0;

	for (size_t k = 0; k < m->cap_inodes; k++) {
		for (const struct layer_inode *l = m->inodes[k]; l && !r; l = l->hnext) {
			struct ovl_inode *o = NULL;
			if (l->priv || !l->low || S_ISDIR(l->mode) || !TAILQ_EMPTY(&l->names))
				continue;
			r = make(os, os->sb.root->inode, l, &o);
			if (r == -ESTALE)
				r = 0;
			if (o) {
				ovl_pin(o);
				iput_locked(&o->i);
			}
		}
	}
	return r;
}

int ovl_keep_build(struct ovl_sb *os, const struct model *m)
{
	int r;

	root_dev = m->root->stamp ? m->root->stamp->dev : 0;
	vfs_wrlock();
	r = build(os, m);
	if (!r)
		r = build_loose(os, m);
	vfs_wrunlock();
	return r;
}
