/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xattr.c - extended attributes: the lower's until the first change, then a copy in memory. Values are opaque bytes.
 *
 * The total of an inode is bounded: what a program can make grow without a file size must not eat the supervisor.
 */
#include "vfs/overlay/overlay.h"

#include "layer/journal.h"

#include <sys/xattr.h>

#define TOTAL_MAX (128U << 10) /* bytes an inode; XATTR_SIZE_MAX and XATTR_LIST_MAX are 64 KiB each */
#define VALUE_MAX (64U << 10)
#define ALL_MAX   (64U << 20) /* of all inodes together */

static atomic_size_t all_bytes;

static size_t bytes(const struct ovl_xattr *x)
{
	return sizeof(*x) + strlen(x->name) + 1 + x->size;
}

static void free_one(struct ovl_xattr *x)
{
	if (x)
		atomic_fetch_sub(&all_bytes, bytes(x));
	free(x);
}

void ovl_xattrs_free(struct ovl_xattr *x)
{
	while (x) {
		struct ovl_xattr *next = x->next;
		free_one(x);
		x = next;
	}
}

static struct ovl_xattr *make(const char *name, const void *v, size_t n)
{
	size_t len = strlen(name) + 1;
	struct ovl_xattr *x = malloc(sizeof(*x) + len + n);

	if (!x)
		return NULL;
	x->next = NULL;
	x->size = (uint32_t)n;
	memcpy(x->name, name, len);
	x->value = x->name + len;
	if (n)
		memcpy(x->value, v, n);
	atomic_fetch_add(&all_bytes, bytes(x));
	return x;
}

/* The lower's names, malloc'ed; remembers when there are none. */
static ssize_t lower_list(struct ovl_inode *o, char **out)
{
	AUTO_FREE char *buf = malloc(VALUE_MAX);
	ssize_t n = 0;

	*out = NULL;
	if (!o->low || ov_is(o, OV_NOXATTR))
		return 0;
	if (!buf)
		return -ENOMEM;
	n = ovl_low_listxattr(o, buf, VALUE_MAX);
	if (n == -EOPNOTSUPP)
		n = 0;
	if (n == 0)
		ov_set(o, OV_NOXATTR);
	if (n > 0) {
		buf[MIN((size_t)n, VALUE_MAX - 1)] = '\0';
		*out = take_ptr(buf);
	}
	return n;
}

ssize_t ovl_getxattr(struct inode *inode, const char *name, void *buf, size_t size)
{
	struct ovl_inode *o = OVL(inode);
	ssize_t r = -ENODATA;

	vfs_rdlock();
	bool ours = ov_is(o, OV_XATTR);
	for (struct ovl_xattr *x = o->xattrs; ours && x; x = x->next) {
		if (strcmp(x->name, name))
			continue;
		r = x->size;
		if (size && x->size > size)
			r = -ERANGE;
		else if (size)
			memcpy(buf, x->value, x->size);
		break;
	}
	vfs_rdunlock();
	if (ours || !o->low)
		return r;
	if (!ov_is(o, OV_NOXATTR)) {
		AUTO_FREE char *list = NULL;
		/* ls asks for three of each file: learn once that there's none. */
		if (lower_list(o, &list) == 0)
			return -ENODATA;
		return ovl_low_getxattr(o, name, buf, size);
	}
	return -ENODATA;
}

ssize_t ovl_listxattr(struct inode *inode, char *buf, size_t size)
{
	struct ovl_inode *o = OVL(inode);
	AUTO_FREE char *list = NULL;
	size_t n = 0;
	ssize_t r;

	vfs_rdlock();
	bool ours = ov_is(o, OV_XATTR);
	for (struct ovl_xattr *x = o->xattrs; ours && x; x = x->next) {
		size_t len = strlen(x->name) + 1;
		if (size && n + len <= size)
			memcpy(buf + n, x->name, len);
		n += len;
	}
	vfs_rdunlock();
	if (!ours) {
		r = lower_list(o, &list);
		if (r < 0)
			return r;
		n = (size_t)r;
		if (size && n && n <= size)
			memcpy(buf, list, n);
	}
	return size && n > size ? -ERANGE : (ssize_t)n;
}

/* A private copy of the lower's. */
static int copy_lower(struct ovl_inode *o, struct ovl_xattr **out)
{
	AUTO_FREE char *list = NULL;
	AUTO_FREE char *value = NULL;
	ssize_t n = lower_list(o, &list);
	struct ovl_xattr **tail = out;

	*out = NULL;
	if (n <= 0)
		return (int)n;
	value = malloc(VALUE_MAX);
	if (!value)
		return -ENOMEM;
	for (const char *p = list; p < list + n; p += strlen(p) + 1) {
		ssize_t len = ovl_low_getxattr(o, p, value, VALUE_MAX);
		if (len < 0)
			continue; /* not for us to read on the host: can't be shown either */
		*tail = make(p, value, (size_t)len);
		if (!*tail) {
			ovl_xattrs_free(*out);
			*out = NULL;
			return -ENOMEM;
		}
		tail = &(*tail)->next;
	}
	return 0;
}

int ovl_setxattr(struct dentry *d, struct inode *inode, const char *name, const void *v, size_t n, int flags)
{
	struct ovl_inode *o = OVL(inode);
	struct ovl_xattr *copy = NULL, *x = NULL, **at, **found = NULL;
	size_t total = 0, names = 0;
	int r = 0;

	if (n > VALUE_MAX)
		return -E2BIG;
	if (v && atomic_load(&all_bytes) > ALL_MAX)
		return -ENOSPC;
	r = ovl_keep_room(inode->sb);
	if (r)
		return r;
	if (v) {
		x = make(name, v, n);
		if (!x)
			return -ENOMEM;
	}
	if (!ov_is(o, OV_XATTR)) {
		r = copy_lower(o, &copy);
		if (r) {
			free_one(x);
			return r;
		}
	}
	vfs_wrlock();
	if (!ov_is(o, OV_XATTR)) {
		o->xattrs = take_ptr(copy);
		ov_set(o, OV_XATTR);
		if (inode->nlink)
			ovl_pin(o);
		if (d && !(d->flags & D_DEAD))
			d_pin(d);
	}
	for (at = &o->xattrs; *at; at = &(*at)->next) {
		if (!strcmp((*at)->name, name)) {
			found = at;
			continue;
		}
		total += (*at)->size;
		names += strlen((*at)->name) + 1;
	}
	if (!found && (!v || (flags & XATTR_REPLACE)))
		r = -ENODATA;
	else if (found && v && (flags & XATTR_CREATE))
		r = -EEXIST;
	else if (v && (total + names + n + strlen(name) + 1 > TOTAL_MAX || names + strlen(name) + 1 > VALUE_MAX))
		r = -ENOSPC;
	if (!r) {
		struct ovl_xattr *old = found ? *found : NULL;
		if (x) {
			x->next = old ? old->next : NULL;
			*(found ? found : at) = take_ptr(x);
		} else {
			*found = old->next;
		}
		free_one(old);
		ovl_keep_see(o);
		inode->ctime = vfs_now();
		if (inode->nlink)
			ovl_keep_inode(o);
		if (d && !(d->flags & D_DEAD))
			ovl_keep_entry(d, inode);
	}
	vfs_wrunlock();
	free_one(x);
	ovl_xattrs_free(copy);
	return r;
}

int ovl_xattrs_load(struct ovl_inode *o, const uint8_t *blob, size_t len)
{
	const uint8_t *p = blob, *end = blob + len, *value;
	struct ovl_xattr **tail = &o->xattrs;
	const char *name;
	uint32_t size;

	ov_set(o, OV_XATTR);
	while (jxattr_next(&p, end, &name, &value, &size)) {
		*tail = make(name, value, size);
		if (!*tail)
			return -ENOMEM;
		tail = &(*tail)->next;
	}
	return 0;
}

int ovl_xattrs_save(const struct ovl_inode *o, uint8_t **blob, uint32_t *len)
{
	size_t n = 0;

	for (const struct ovl_xattr *x = o->xattrs; x; x = x->next)
		n += strlen(x->name) + 1 + sizeof(x->size) + x->size;
	uint8_t *p = malloc(n + 1);
	*blob = p;
	*len = (uint32_t)n;
	if (!p)
		return -ENOMEM;
	for (const struct ovl_xattr *x = o->xattrs; x; x = x->next) {
		p = mempcpy(p, x->name, strlen(x->name) + 1);
		p = mempcpy(p, &x->size, sizeof(x->size));
		p = mempcpy(p, x->value, x->size);
	}
	return 0;
}
