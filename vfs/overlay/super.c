/* SPDX-License-Identifier: Apache-2.0 */
/*
 * super.c - making an overlay or a tmpfs, and df of both.
 *
 * A tmpfs's size limit holds where we are asked: at creating a file. Native writes to a file that is open already are not
 * seen, so they are bounded by the filestore's own limit only; df tells the truth meanwhile.
 */
#include "vfs/overlay/overlay.h"

#define OVERLAYFS_MAGIC 0x794c7630
#define TMPFS_MAGIC_    0x01021994
#define USED_MAX_AGE    100000000 /* ns; more where counting takes long */
#define USED_SHARE      50        /* counting may take one part in so many of the time */

uint64_t ovl_used(struct ovl_sb *o, bool fresh)
{
	uint64_t now = (uint64_t)vfs_now(), sum = 0;
	struct ovl_inode *f;
	struct kstat st;

	if (!o->limit || (!fresh && now < atomic_load(&o->used_due)))
		return atomic_load(&o->used);
	/* Some 700 ns a file, under the lock for reading: so only where a limit was set, and the less often the longer it takes. */
	vfs_rdlock();
	TAILQ_FOREACH(f, &o->charged, charge)
	{
		if ((f->i.flags & I_LIVE) && !filestore_stat(f->id, &st))
			sum += (uint64_t)st.blocks * 512;
	}
	vfs_rdunlock();
	atomic_store(&o->used, sum);
	atomic_store(&o->used_due, now + MAX((uint64_t)USED_MAX_AGE, USED_SHARE * ((uint64_t)vfs_now() - now)));
	return sum;
}

static int ovl_statfs(struct super *sb, struct statfs *out)
{
	struct ovl_sb *o = OVL_SB(sb);
	struct statfs store;
	int r;

	ovl_orphan_sweep(true);
	if (o->has_lower) {
		r = gofer_statfs(vfs_config()->gofer, o->export, "", out);
		if (r)
			return r;
		out->f_type = OVERLAYFS_MAGIC;
		return 0;
	}
	r = filestore_statfs(&store);
	if (r)
		return r;
	memset(out, 0, sizeof(*out));
	out->f_type = TMPFS_MAGIC_;
	out->f_bsize = out->f_frsize = 4096;
	out->f_namelen = NAME_MAX;
	out->f_files = store.f_files;
	out->f_ffree = store.f_ffree;
	if (o->limit) {
		uint64_t left, used = (ovl_used(o, true) + 4095) / 4096,
			       avail = (uint64_t)store.f_bavail * (uint64_t)store.f_bsize / 4096;
		out->f_blocks = o->limit / 4096;
		left = used < out->f_blocks ? out->f_blocks - used : 0;
		out->f_bfree = out->f_bavail = MIN(left, avail);
	} else {
		uint64_t unit = (uint64_t)store.f_bsize;
		out->f_blocks = store.f_blocks * unit / 4096;
		out->f_bfree = store.f_bfree * unit / 4096;
		out->f_bavail = store.f_bavail * unit / 4096;
	}
	return 0;
}

const struct super_ops ovl_super_ops = {.statfs = ovl_statfs};

static struct ovl_sb *new_sb(uint32_t flags, const char *type)
{
	struct ovl_sb *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->sb = (struct super){.ops = &ovl_super_ops, .flags = flags, .dev = vfs_new_dev(), .type = type, .priv = o};
	TAILQ_INIT(&o->charged);
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

int overlay_new(uint32_t export, uint32_t flags, struct super **out)
{
	struct gattr a;
	unsigned n = 0;
	int r = gofer_walk(vfs_config()->gofer, export, "", 0, &a, 1, &n, NULL, 0);

	if (r)
		return r;
	if (!n)
		return -ENOENT;
	struct ovl_sb *o = new_sb(flags, "overlay");
	if (!o)
		return -ENOMEM;
	o->export = export;
	o->has_lower = true;
	vfs_wrlock();
	struct inode *root = ovl_lower_inode(&o->sb, &a, "", 0);
	vfs_wrunlock();
	r = set_root(o, root);
	if (!r && !export && !(flags & SB_RDONLY) && vfs_config()->keep)
		r = ovl_keep_replay(o);
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
	o->limit = size;
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

	out->copy_ups += atomic_load(&ovl_copy_ups);
	out->copy_up_bytes += atomic_load(&ovl_copy_up_bytes);
	out->upper_files += atomic_load(&ovl_upper_files);
	if (!filestore_statfs(&s))
		out->upper_bytes += (uint64_t)(s.f_blocks - s.f_bfree) * (uint64_t)s.f_bsize;
}
