/* SPDX-License-Identifier: Apache-2.0 */
/*
 * super.c - making an overlay or a tmpfs, and df of both.
 *
 * df tells what there is to be had: of the store's file system, or of the limit where that's less.
 */
#include "vfs/overlay/overlay.h"

#define OVERLAYFS_MAGIC 0x794c7630
#define TMPFS_MAGIC_    0x01021994
#define BLOCK           4096

static int ovl_statfs(struct super *sb, struct statfs *out)
{
	struct ovl_sb *o = OVL_SB(sb);
	struct statfs store;
	int r;

	if (o->has_lower && (sb->flags & SB_RDONLY)) {
		r = gofer_statfs(vfs_config()->gofer, o->export, "", out);
		out->f_type = OVERLAYFS_MAGIC;
		return r;
	}
	ovl_orphan_sweep(NULL);
	filestore_reclaim(o->store);
	ovl_quota_count(o);
	r = filestore_statfs(o->store, &store);
	if (r)
		return r;
	uint64_t unit = (uint64_t)store.f_bsize;
	memset(out, 0, sizeof(*out));
	out->f_type = o->has_lower ? OVERLAYFS_MAGIC : TMPFS_MAGIC_;
	out->f_bsize = out->f_frsize = BLOCK;
	out->f_namelen = NAME_MAX;
	out->f_fsid = store.f_fsid;
	out->f_blocks = store.f_blocks * unit / BLOCK;
	out->f_bfree = store.f_bfree * unit / BLOCK;
	out->f_bavail = store.f_bavail * unit / BLOCK;
	out->f_files = store.f_files;
	out->f_ffree = store.f_ffree;
	for (unsigned i = 0; i < o->nq; i++) {
		const struct ovl_quota *q = o->q[i];
		uint64_t used = (atomic_load(&q->used) + BLOCK - 1) / BLOCK, n = atomic_load(&q->n), size = q->size / BLOCK;
		if (size && !q->hard) {
			uint64_t left = used < size ? size - used : 0;
			out->f_blocks = MIN(out->f_blocks, size);
			out->f_bfree = MIN(MIN(out->f_bfree, out->f_bavail), left);
			out->f_bavail = out->f_bfree;
		}
		/* A tmpfs without a limit of its own counts none: 0. */
		if (q->inodes && (!out->f_files || q->inodes < out->f_files)) {
			uint64_t left = n < q->inodes ? q->inodes - n : 0;
			out->f_ffree = out->f_files ? MIN(out->f_ffree, left) : left;
			out->f_files = q->inodes;
		}
	}
	return 0;
}

static const char *ovl_layer(const struct inode *i)
{
	const struct ovl_inode *o = i ? OVL(i) : NULL;

	/* Flags change under the lock: a bit is read here as it was before or after. */
	if (!o || !o->low || (__atomic_load_n(&o->i.flags, __ATOMIC_RELAXED) & I_UPPER))
		return "upper";
	return ov_is(o, OV_LAYER) ? "layer" : "lower";
}

static const struct super_ops super_ops = {.statfs = ovl_statfs, .layer = ovl_layer};

static struct ovl_sb *new_sb(uint32_t flags, const char *type)
{
	struct ovl_sb *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->sb = (struct super){.ops = &super_ops, .flags = flags, .dev = vfs_new_dev(), .type = type, .priv = o};
	return o;
}

/* Not under the lock: d_make_root() takes it. */
static int set_root(struct ovl_sb *o, struct inode *root)
{
	o->sb.root = root ? d_make_root(&o->sb, root) : NULL;
	if (!o->sb.root) {
		free(o); /* at start-up: the inode, if any, goes with the process */
		return -ENOMEM;
	}
	o->sb.root->flags |= D_PINNED;
	return 0;
}

int overlay_new(uint32_t export, uint32_t flags, unsigned store, struct super **out)
{
	struct ovl_sb *o = new_sb(flags, "overlay");
	struct ovl_lattr a;
	unsigned n = 0;
	int r = o ? 0 : -ENOMEM;

	if (!r && !export)
		r = ovl_keep_load();
	if (r) {
		free(o); /* at start-up: the process ends */
		return r;
	}
	o->export = export;
	o->has_lower = true;
	if (!export && vfs_config()->n_layers)
		r = ovl_low_stack(o);
	if (!r)
		r = ovl_low_walk(o, "", 0, &a, 1, &n, NULL, 0);
	if (r || !n) {
		free(o); /* at start-up: the process ends */
		return r ? r : -ENOENT;
	}
	ovl_quota_init(o, store, 0);
	vfs_wrlock();
	struct inode *root = ovl_lower_inode(&o->sb, &a, "", 0);
	vfs_wrunlock();
	r = set_root(o, root);
	if (!r && !(flags & SB_RDONLY))
		r = ovl_keep_replay(o, store);
	if (!r)
		*out = &o->sb;
	return r;
}

int tmpfs_new(uint64_t size, uint32_t mode, struct super **out)
{
	struct ovl_sb *o = new_sb(0, "tmpfs");
	struct ovl_inode *root;
	int r;

	if (!o)
		return -ENOMEM;
	ovl_quota_init(o, 0, size);
	root = ovl_inode_new(&o->sb, S_IFDIR | (mode & 07777));
	if (!root) {
		free(o);
		return -ENOMEM;
	}
	root->i.ino = vfs_new_ino();
	root->i.dev = o->sb.dev;
	root->i.nlink = 2;
	root->i.blksize = 4096;
	r = set_root(o, &root->i);
	if (!r)
		o->sb.root->flags |= D_COMPLETE; /* nobody else knows it yet */
	if (!r)
		*out = &o->sb;
	return r;
}

void overlay_get_stats(struct vfs_stats *out)
{
	struct statfs s;

	ovl_orphan_sweep(NULL);
	out->copy_ups += atomic_load(&ovl_copy_ups);
	out->copy_up_bytes += atomic_load(&ovl_copy_up_bytes);
	out->upper_files += atomic_load(&ovl_upper_files);
	/* A tmpfs is all ours; of a disk only a part is. */
	if (!filestore_statfs(filestore_get(0), &s))
		out->upper_bytes += (uint64_t)(s.f_blocks - s.f_bfree) * (uint64_t)s.f_bsize;
	for (unsigned n = 1; filestore_get(n); n++)
		out->upper_bytes += filestore_usage(filestore_get(n));
}
