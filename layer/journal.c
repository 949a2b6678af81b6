/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.c - encoding and decoding of frames; see journal.h.
 */
#include "layer/journal.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define HEAD      "sandbox journal1" /* 16 bytes */
#define HEAD_LEN  16
#define MAGIC     0x4a584253U /* "SBXJ" */
#define FRAME_MAX (64U << 20)

struct frame_head {
	uint32_t magic, len;
	uint64_t seq;
	uint32_t crc, zero; /* of seq and the payload */
};

enum record { R_INODE = 1, R_ENTRY, R_TIMES, R_GONE };

/* --- Writing --- */

void jbuf_free(struct jbuf *b)
{
	free(b->p);
	*b = JBUF_INIT;
}

static void put(struct jbuf *b, const void *v, size_t n)
{
	if (b->fail || !n)
		return;
	if (b->cap - b->len < n) {
		size_t cap = b->cap ? b->cap : 4096;
		while (cap - b->len < n)
			cap *= 2;
		uint8_t *p = realloc(b->p, cap);
		if (!p) {
			b->fail = true;
			return;
		}
		b->p = p;
		b->cap = cap;
	}
	memcpy(b->p + b->len, v, n);
	b->len += n;
}

static void put8(struct jbuf *b, uint8_t v)
{
	put(b, &v, sizeof(v));
}
static void put32(struct jbuf *b, uint32_t v)
{
	put(b, &v, sizeof(v));
}
static void put64(struct jbuf *b, uint64_t v)
{
	put(b, &v, sizeof(v));
}
static void put_str(struct jbuf *b, const char *s, size_t len)
{
	uint16_t n = (uint16_t)len;

	if (len > UINT16_MAX)
		b->fail = true;
	put(b, &n, sizeof(n));
	put(b, s, len);
	put8(b, 0);
}

static void put_stamp(struct jbuf *b, const struct jstamp *s)
{
	const uint64_t v[] = {
	    s->dev,           s->ino, (uint64_t)s->size, (uint64_t)s->mtime, (uint64_t)s->ctime, (uint64_t)s->btime,
	    (uint64_t)s->seen};
	const uint32_t w[] = {s->mode, s->uid, s->gid, s->nlink};

	put(b, v, sizeof(v));
	put(b, w, sizeof(w));
}

static void begin(struct jbuf *b, uint8_t type)
{
	static const struct frame_head none;

	if (b->frame == SIZE_MAX) {
		b->frame = b->len;
		put(b, &none, sizeof(none));
	}
	put8(b, type);
}

void jbuf_inode(struct jbuf *b, const struct jinode *i)
{
	const uint64_t v[] = {i->id,
			      i->ino,
			      i->back,
			      i->rdev,
			      (uint64_t)i->size,
			      (uint64_t)i->atime,
			      (uint64_t)i->mtime,
			      (uint64_t)i->ctime,
			      (uint64_t)i->btime};
	const uint32_t w[] = {i->flags, i->mode, i->uid, i->gid, i->nlink};

	begin(b, R_INODE);
	put(b, v, sizeof(v));
	put(b, w, sizeof(w));
	if (i->flags & JI_LOW) {
		put_str(b, i->low, strlen(i->low));
		if (i->flags & JI_STAMP)
			put_stamp(b, &i->stamp);
	}
	if (i->flags & JI_LINK)
		put_str(b, i->link, strlen(i->link));
	if (i->flags & JI_XATTR) {
		put32(b, i->xattrs_len);
		put(b, i->xattrs, i->xattrs_len);
	}
}

void jbuf_entry(struct jbuf *b, const struct jentry *e)
{
	begin(b, R_ENTRY);
	put64(b, e->parent);
	put64(b, e->child);
	put8(b, (uint8_t)e->flags);
	put_str(b, e->name, e->len);
	if (e->flags & JE_STAMP)
		put_stamp(b, &e->stamp);
	if (e->flags & JE_WAS)
		put64(b, e->was);
}

void jbuf_times(struct jbuf *b, const struct jtimes *t)
{
	const uint64_t v[] = {t->id, (uint64_t)t->atime, (uint64_t)t->mtime, (uint64_t)t->ctime};

	begin(b, R_TIMES);
	put(b, v, sizeof(v));
	put32(b, t->nlink);
}

void jbuf_gone(struct jbuf *b, uint64_t id)
{
	begin(b, R_GONE);
	put64(b, id);
}

void jbuf_end(struct jbuf *b, uint64_t seq)
{
	struct frame_head h = {.magic = MAGIC, .seq = seq};

	if (b->frame == SIZE_MAX || b->fail)
		return;
	size_t len = b->len - b->frame - sizeof(h);
	if (len > FRAME_MAX) {
		b->fail = true;
		return;
	}
	h.len = (uint32_t)len;
	h.crc = crc32c(crc32c(0, &h.seq, sizeof(h.seq)), b->p + b->frame + sizeof(h), len);
	memcpy(b->p + b->frame, &h, sizeof(h));
	b->frame = SIZE_MAX;
}

void jbuf_head(struct jbuf *b)
{
	put(b, HEAD, HEAD_LEN);
}

int journal_write(int fd, const void *p, size_t len, off_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const uint8_t *)p + done, len - done, at + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* --- Reading --- */

struct in {
	const uint8_t *p, *end;
	bool fail;
};

static void get(struct in *i, void *v, size_t n)
{
	if (i->fail || (size_t)(i->end - i->p) < n) {
		i->fail = true;
		memset(v, 0, n);
		return;
	}
	memcpy(v, i->p, n);
	i->p += n;
}

static const char *get_str(struct in *i, uint16_t *len)
{
	const char *s;

	get(i, len, sizeof(*len));
	if (i->fail || i->end - i->p <= *len || i->p[*len] || memchr(i->p, 0, *len)) {
		i->fail = true;
		return "";
	}
	s = (const char *)i->p;
	i->p += *len + 1;
	return s;
}

static void get_stamp(struct in *i, struct jstamp *s)
{
	uint64_t v[7];
	uint32_t w[4];

	get(i, v, sizeof(v));
	get(i, w, sizeof(w));
	*s = (struct jstamp){v[0],          v[1], (int64_t)v[2], (int64_t)v[3], (int64_t)v[4], (int64_t)v[5],
			     (int64_t)v[6], w[0], w[1],          w[2],          w[3]};
}

static bool good_name(const char *s, size_t len)
{
	return len && len <= NAME_MAX && !memchr(s, '/', len) && !(s[0] == '.' && (len == 1 || (len == 2 && s[1] == '.')));
}

/* "" or good names joined by single slashes. */
static bool good_path(const char *s)
{
	if (!*s)
		return true;
	for (;;) {
		size_t n = strcspn(s, "/");
		if (!good_name(s, n))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

bool jxattr_next(const uint8_t **p, const uint8_t *end, const char **name, const uint8_t **value, uint32_t *size)
{
	const uint8_t *nul = *p < end ? memchr(*p, 0, (size_t)(end - *p)) : NULL;

	if (!nul || nul == *p || (size_t)(end - nul) < 1 + sizeof(*size))
		return false;
	*name = (const char *)*p;
	memcpy(size, nul + 1, sizeof(*size));
	*value = nul + 1 + sizeof(*size);
	if ((size_t)(end - *value) < *size)
		return false;
	*p = *value + *size;
	return true;
}

static int read_inode(struct in *in, const struct journal_ops *ops, void *arg)
{
	struct jinode i = {0};
	uint64_t v[9];
	uint32_t w[5];
	uint16_t n;

	get(in, v, sizeof(v));
	get(in, w, sizeof(w));
	i.id = v[0];
	i.ino = v[1];
	i.back = v[2];
	i.rdev = v[3];
	i.size = (int64_t)v[4];
	i.atime = (int64_t)v[5];
	i.mtime = (int64_t)v[6];
	i.ctime = (int64_t)v[7];
	i.btime = (int64_t)v[8];
	i.flags = w[0];
	i.mode = w[1];
	i.uid = w[2];
	i.gid = w[3];
	i.nlink = w[4];
	if (i.flags & JI_LOW) {
		i.low = get_str(in, &n);
		if (i.flags & JI_STAMP)
			get_stamp(in, &i.stamp);
		in->fail |= !good_path(i.low) || n >= PATH_MAX;
	}
	if (i.flags & JI_LINK) {
		i.link = get_str(in, &n);
		in->fail |= n >= PATH_MAX;
	}
	if (i.flags & JI_XATTR) {
		get(in, &i.xattrs_len, sizeof(i.xattrs_len));
		if (in->fail || (size_t)(in->end - in->p) < i.xattrs_len)
			return -EBADMSG;
		i.xattrs = in->p;
		in->p += i.xattrs_len;
	}
	if (in->fail || !i.id || i.id > JOURNAL_ID_MAX || i.back > JOURNAL_ID_MAX ||
	    (i.back && !S_ISREG(i.mode) && !S_ISFIFO(i.mode)))
		return -EBADMSG;
	return ops->inode ? ops->inode(arg, &i) : 0;
}

static int read_entry(struct in *in, const struct journal_ops *ops, void *arg)
{
	struct jentry e = {0};
	uint8_t flags;

	get(in, &e.parent, sizeof(e.parent));
	get(in, &e.child, sizeof(e.child));
	get(in, &flags, sizeof(flags));
	e.flags = flags;
	e.name = get_str(in, &e.len);
	if (flags & JE_STAMP)
		get_stamp(in, &e.stamp);
	if (flags & JE_WAS)
		get(in, &e.was, sizeof(e.was));
	if (in->fail || !good_name(e.name, e.len) || !e.parent || e.parent > JOURNAL_ID_MAX || e.child > JOURNAL_ID_MAX ||
	    (e.child && (flags & JE_WHITEOUT)) || e.child == JOURNAL_ROOT)
		return -EBADMSG;
	return ops->entry ? ops->entry(arg, &e) : 0;
}

static int read_records(struct in *in, const struct journal_ops *ops, void *arg)
{
	int r = 0;

	while (!r && in->p < in->end) {
		uint8_t type;
		uint64_t v[4], id;
		uint32_t nlink;

		get(in, &type, 1);
		switch (type) {
		case R_INODE:
			r = read_inode(in, ops, arg);
			break;
		case R_ENTRY:
			r = read_entry(in, ops, arg);
			break;
		case R_TIMES:
			get(in, v, sizeof(v));
			get(in, &nlink, sizeof(nlink));
			struct jtimes t = {v[0], (int64_t)v[1], (int64_t)v[2], (int64_t)v[3], nlink};
			r = in->fail ? -EBADMSG : ops->times ? ops->times(arg, &t) : 0;
			break;
		case R_GONE:
			get(in, &id, sizeof(id));
			r = in->fail ? -EBADMSG : ops->gone ? ops->gone(arg, id) : 0;
			break;
		default:
			r = -EBADMSG;
		}
	}
	return r;
}

/* A window of the file that moves forward; grows to hold one frame. */
struct window {
	int fd;
	uint8_t *p;
	size_t len, cap;
	off_t at, limit;
};

/* Makes n bytes from offset at available: 1, or 0 when the file is shorter, or -errno. */
static int fill(struct window *w, off_t at, size_t n)
{
	if (at + (off_t)n > w->limit)
		return 0;
	if (at >= w->at && at + (off_t)n <= w->at + (off_t)w->len)
		return 1;
	size_t want = MAX(n, (size_t)MIN(w->limit - at, 1 << 20));
	if (w->cap < want) {
		uint8_t *p = realloc(w->p, want);
		if (!p)
			return -ENOMEM;
		w->p = p;
		w->cap = want;
	}
	w->at = at;
	w->len = 0;
	while (w->len < n) {
		ssize_t r = pread(w->fd, w->p + w->len, w->cap - w->len, at + (off_t)w->len);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : 0;
		w->len += (size_t)r;
	}
	return 1;
}

int journal_read(int fd, off_t limit, const struct journal_ops *ops, void *arg, off_t *end, uint64_t *seq)
{
	struct stat st;
	struct window w = {.fd = fd};
	off_t at = HEAD_LEN;
	int r;

	*end = 0;
	*seq = 0;
	if (fstat(fd, &st))
		return -errno;
	w.limit = limit < 0 || limit > st.st_size ? st.st_size : limit;
	r = fill(&w, 0, HEAD_LEN);
	if (r == 1 && memcmp(w.p, HEAD, HEAD_LEN))
		r = -EBADMSG;
	if (r == 1)
		*end = HEAD_LEN;
	while (r == 1) {
		struct frame_head h;
		r = fill(&w, at, sizeof(h));
		if (r != 1)
			break;
		memcpy(&h, w.p + (at - w.at), sizeof(h));
		if (h.magic != MAGIC || h.zero || h.len > FRAME_MAX || h.seq <= *seq)
			break;
		r = fill(&w, at, sizeof(h) + h.len);
		if (r != 1)
			break;
		const uint8_t *payload = w.p + (at - w.at) + sizeof(h);
		if (crc32c(crc32c(0, &h.seq, sizeof(h.seq)), payload, h.len) != h.crc)
			break;
		struct in in = {payload, payload + h.len, false};
		r = read_records(&in, ops, arg);
		if (r)
			break;
		r = 1;
		at += (off_t)(sizeof(h) + h.len);
		*end = at;
		*seq = h.seq;
	}
	free(w.p);
	return MIN(r, 0);
}
