/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rules.c - what a profile allows at each place of the tree.
 *
 * The rules are a trie of names, fixed before the first call. Each dentry carries the number of its place (16 bits that were padding), worked out
 * when the dentry is made from its directory's number and its name, so that a walk on cached names compares one number and takes no lock.
 * Renaming relabels what is cached below; a mount's root has the number of what it covers.
 *
 * Numbers: 0 is everything, as without a profile; up to LAST_LEAF places that no rule names, told by what may be done at them and
 * what may be done below; then the nodes of the trie.
 */
#include "vfs/core.h"

#include <string.h>

#define LEAF(may, below) (1 + (may)*16 + (below))
#define LAST_LEAF        LEAF(VFS_MAY_ALL, VFS_MAY_ALL)
#define ROOT             (LAST_LEAF + 1)
#define UNSET            0xff
#define NONE             0

_Static_assert(LEAF(0, 0) == RULE_HIDDEN, "hidden is the first");
_Static_assert(VFS_MAX_RULES + ROOT < UINT16_MAX, "numbers have 16 bits");

struct node {
	uint8_t may, children, below; /* as given, UNSET if not; after finish() what counts */
	uint8_t most, least;          /* of what may be done here and anywhere below, at least one place and all places */
	bool hides;                   /* something in it is hidden */
	uint16_t parent, next;        /* next: of the hash chain */
	uint32_t len;
	const char *name; /* in the rule's path, kept */
};
bool rules_on;
static struct node *nodes; /* nodes[n - ROOT] */
static uint32_t n_nodes, n_buckets;
static uint16_t *buckets;

static struct node *node(uint16_t n)
{
	return &nodes[n - ROOT];
}

static uint16_t *bucket_of(uint16_t parent, const char *name, size_t len)
{
	return &buckets[(name_hash(name, len) ^ parent * 0x9e3779b1U) & (n_buckets - 1)];
}

static uint16_t find(uint16_t parent, const char *name, size_t len)
{
	for (uint16_t n = *bucket_of(parent, name, len); n != NONE; n = node(n)->next)
		if (node(n)->parent == parent && node(n)->len == len && !memcmp(node(n)->name, name, len))
			return n;
	return NONE;
}

static uint16_t leaf(unsigned may, unsigned below)
{
	return may ? (uint16_t)LEAF(may, below) : RULE_HIDDEN;
}

/* What may be listed may be seen. */
static unsigned seen_in(unsigned dir_may)
{
	return dir_may & VFS_MAY_READ ? VFS_MAY_SEE : 0;
}

uint16_t rules_child(uint16_t dir, const char *name, size_t len)
{
	if (!dir)
		return 0;
	if (dir <= LAST_LEAF) {
		unsigned may = (dir - 1U) / 16, below = (dir - 1U) % 16;

		return leaf(below ? below : seen_in(may), below);
	}
	uint16_t n = find(dir, name, len);
	const struct node *d = node(dir);

	if (n == NONE)
		return leaf(d->children, d->below);
	return node(n)->may ? n : RULE_HIDDEN; /* then nothing below it is allowed, either */
}

unsigned rules_of(uint16_t rule)
{
	return !rule ? VFS_MAY_ALL : rule <= LAST_LEAF ? (rule - 1U) / 16 : node(rule)->may;
}

unsigned rules_unnamed(uint16_t dir)
{
	/* No file has the empty name. */
	return rules_of(rules_child(dir, "", 0));
}

bool rules_hide_names(uint16_t dir)
{
	return dir > LAST_LEAF && node(dir)->hides;
}

static unsigned most(uint16_t r)
{
	if (r > LAST_LEAF)
		return node(r)->most;
	return rules_of(r) | (r ? (r - 1U) % 16 : 0);
}

int rules_move(uint16_t from, uint16_t to, bool isdir)
{
	unsigned least;

	if (from == to)
		return 0;
	if (!isdir)
		return rules_of(to) & ~rules_of(from) ? -EXDEV : 0;
	least = from > LAST_LEAF ? node(from)->least : from ? (from - 1U) / 16 & (from - 1U) % 16 : VFS_MAY_ALL;
	return most(to) & ~least ? -EXDEV : 0;
}

/* [W] d and what is mounted on it get the number; true if that is another one than before. */
static bool set_label(struct dentry *d, uint16_t rule)
{
	bool changed = d->rule != rule;

	d->rule = rule;
	return changed;
}

/* [W] Not recursive but for mounts, of which there are few: a tracee decides how deep a tree is. */
static void relabel_tree(struct dentry *top, uint16_t rule)
{
	struct dentry *d = top;
	bool down = set_label(top, rule);

	for (;;) {
		if (down && (d->flags & D_MOUNTPOINT))
			relabel_tree(d->mounted->root, d->rule);
		if (down && !LIST_EMPTY(&d->children)) {
			d = LIST_FIRST(&d->children);
		} else {
			while (d != top && !LIST_NEXT(d, sibling))
				d = d->parent;
			if (d == top)
				return;
			d = LIST_NEXT(d, sibling);
		}
		down = set_label(d, rules_child(d->parent->rule, d->name, d->namelen));
	}
}

void rules_relabel(struct dentry *d)
{
	relabel_tree(d, rules_child(d->parent->rule, d->name, d->namelen));
}

static bool telling;
static _Thread_local char refused_buf[2 * PATH_MAX];
static _Thread_local const char *refused;

void vfs_rules_tell(void)
{
	telling = true;
}

const char *vfs_rules_refused(void)
{
	return take_ptr(refused);
}

_Thread_local bool rules_suspended;

bool vfs_rules_hide(struct vfs_ctx *ctx, const char *path)
{
	AUTO_PATH struct path p = {0};

	rules_suspended = true;
	int r = vfs_resolve(ctx, NULL, path, 0, &p);
	rules_suspended = false;
	return r != -ENOENT && r != -ENOTDIR;
}

void rules_refused_locked(const struct path *dir, const char *name, size_t len)
{
	if (telling)
		refused = note_build(dir, name, len, refused_buf, sizeof(refused_buf));
}

void rules_refused(const struct path *dir, const char *name, size_t len)
{
	if (!telling)
		return;
	vfs_rdlock();
	rules_refused_locked(dir, name, len);
	vfs_rdunlock();
}

int rules_open(const struct path *p, const struct inode *i, int mask)
{
	unsigned may = (mask & MAY_READ ? VFS_MAY_READ : 0) | (mask & MAY_WRITE ? VFS_MAY_WRITE : 0) |
		       (mask & MAY_EXEC ? VFS_MAY_EXEC : 0);

	if (likely(!p->dentry->rule) || S_ISDIR(i->mode) || d_may(p->dentry, may))
		return 0;
	rules_refused(p, NULL, 0);
	return -EACCES;
}

bool rules_may_reopen(const struct inode *inode, int hostfd, int mask)
{
	static const int modes[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, 0};
	int have;

	if (!rules_on || !inode->nlink)
		return true;
	have = fcntl(hostfd, F_GETFL);
	return have >= 0 && !(have & O_PATH) && !(mask & ~modes[have & O_ACCMODE]);
}

static int add_node(uint16_t parent, const char *name, size_t len, uint16_t *out)
{
	uint16_t *b;

	if (n_nodes > VFS_MAX_RULES)
		return -E2BIG;
	*out = (uint16_t)(ROOT + n_nodes++);
	b = bucket_of(parent, name, len);
	*node(*out) = (struct node){.may = UNSET,
				    .children = UNSET,
				    .below = UNSET,
				    .parent = parent,
				    .next = *b,
				    .name = name,
				    .len = (uint32_t)len};
	*b = *out;
	return 0;
}

static int add_rule(const struct vfs_rule *r)
{
	uint16_t n = ROOT, next;
	size_t len;

	for (const char *p = r->path;; p += len) {
		while (*p == '/')
			p++;
		len = strcspn(p, "/");
		if (!len)
			break;
		next = find(n, p, len);
		int err = next == NONE ? add_node(n, p, len, &next) : 0;
		if (err)
			return err;
		n = next;
	}
	uint8_t may = (uint8_t)(r->may ? (r->may & VFS_MAY_ALL) | VFS_MAY_SEE : 0);
	if (r->scope == VFS_RULE_PATH)
		node(n)->may = may;
	else if (r->scope == VFS_RULE_CHILDREN)
		node(n)->children = may;
	else
		node(n)->below = may;
	return 0;
}

/* A parent's number is below its children's: two passes over the array, down and up. */
static void finish(void)
{
	for (uint32_t k = 0; k < n_nodes; k++) {
		struct node *n = &nodes[k];
		const struct node *up = k ? node(n->parent) : NULL;
		bool hidden = n->may == 0;

		if (n->may == UNSET)
			n->may = n->below != UNSET ? n->below : up ? up->children : 0;
		if (n->below == UNSET)
			n->below = up && !hidden ? up->below : 0;
		if (n->children == UNSET)
			n->children = n->below ? n->below : (uint8_t)seen_in(n->may);
	}
	for (uint32_t k = 0; k < n_nodes; k++) {
		nodes[k].most = nodes[k].may | nodes[k].children | nodes[k].below;
		nodes[k].least = nodes[k].may & nodes[k].children & nodes[k].below;
		nodes[k].hides = !nodes[k].children;
	}
	for (uint32_t k = n_nodes; k-- > 0;) {
		struct node *n = &nodes[k], *up = k ? node(n->parent) : NULL;

		/* The way to what is allowed. */
		if (n->most)
			n->may |= VFS_MAY_SEE;
		if (!up)
			continue;
		up->most |= n->most;
		up->least &= n->least;
		up->hides |= !n->may;
	}
	nodes[0].may |= VFS_MAY_SEE;
}

int vfs_rules_set(const struct vfs_rule *rules, size_t n)
{
	int err = 0;

	n_buckets = 1024;
	while (n_buckets < 4 * n && n_buckets < 65536)
		n_buckets *= 2;
	nodes = calloc(VFS_MAX_RULES + 1, sizeof(*nodes));
	buckets = calloc(n_buckets, sizeof(*buckets));
	if (!nodes || !buckets)
		return -ENOMEM;
	nodes[0] = (struct node){.may = UNSET, .children = UNSET, .below = UNSET, .parent = NONE};
	n_nodes = 1;
	for (size_t k = 0; k < n && !err; k++)
		err = add_rule(&rules[k]);
	if (err)
		return err;
	finish();
	rules_on = true;
	vfs_wrlock();
	relabel_tree(mount_root()->root, ROOT);
	vfs_wrunlock();
	return 0;
}
