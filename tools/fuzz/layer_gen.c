/* SPDX-License-Identifier: Apache-2.0 */
/* layer_gen.c - see layer_gen.h. */
#include "tools/fuzz/layer_gen.h"

#include <string.h>
#include <sys/stat.h>

static void append(struct jbuf *b, const void *p, size_t n)
{
	uint8_t *grown = realloc(b->p, b->len + n + 1);

	FUZZ_CHECK(grown);
	b->p = grown;
	b->cap = b->len + n + 1;
	memcpy(b->p + b->len, p, n);
	b->len += n;
}

static void put_frame(struct jbuf *b, const void *p, size_t n, uint64_t seq)
{
	struct {
		uint32_t magic, len;
		uint64_t seq;
		uint32_t crc, zero;
	} h = {.magic = 0x4a584253, .len = (uint32_t)n, .seq = seq};

	h.crc = crc32c(crc32c(0, &seq, sizeof(seq)), p, n);
	append(b, &h, sizeof(h));
	append(b, p, n);
}

static const char *const names[] = {"a", "b", "c", "dir", "file", "link", "new", ".wh.a"};
static const char *const lows[] = {"", "dir", "dir/file", "dir/sub", "file", "link", "dir/a/b/c/d", "link/x"};

static const char *gen_name(struct fuzz_in *in, char *own, size_t size)
{
	uint8_t how = fuzz_u8(in);

	if (how < 0xf8)
		return names[how % ARRAY_SIZE(names)];
	size_t n = fuzz_u16(in) % size;
	memset(own, 'n', size);
	own[n] = '\0';
	return own;
}

static const char *gen_path(struct fuzz_in *in, char *own)
{
	uint8_t how = fuzz_u8(in);

	if (how < 0xf0)
		return lows[how % ARRAY_SIZE(lows)];
	size_t n;
	const uint8_t *p = fuzz_bytes(in, 300, &n);
	memcpy(own, p, n);
	own[n] = '\0';
	return own;
}

static uint64_t gen_id(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in);

	return how < 0xfc ? how % 12 : UINT64_MAX - (how & 3);
}

static void gen_stamp(struct fuzz_in *in, struct jstamp *s)
{
	*s = (struct jstamp){.dev = 1, .ino = fuzz_u8(in) % 16, .mode = S_IFDIR | 0755, .nlink = 2};
	if (fuzz_u8(in) & 1) {
		s->mode = fuzz_u16(in);
		s->nlink = fuzz_u8(in);
		s->size = (int64_t)fuzz_u64(in);
	}
}

static void gen_inode(struct fuzz_in *in, struct jbuf *b)
{
	static const uint32_t types[] = {S_IFDIR, S_IFDIR, S_IFREG, S_IFREG, S_IFLNK, S_IFIFO, S_IFCHR, 0};
	static const uint8_t xattrs[] = "user.a\0\3\0\0\0abcuser.b\0\0\0\0\0security.capability\0\4\0\0\0xyz";
	char low[301], link[301];
	struct jinode i = {
	    .id = gen_id(in), .flags = fuzz_u8(in), .mode = types[fuzz_u8(in) % ARRAY_SIZE(types)] | 0755, .nlink = 1};

	i.ino = i.id;
	if (S_ISREG(i.mode))
		i.back = fuzz_u8(in) % 4;
	i.low = gen_path(in, low);
	i.link = gen_path(in, link);
	if (i.flags & JI_STAMP)
		gen_stamp(in, &i.stamp);
	if (i.flags & 0x80) {
		i.mode = (i.mode & S_IFMT) | (fuzz_u16(in) & 07777);
		i.nlink = fuzz_u8(in);
		i.uid = fuzz_u16(in);
		i.size = (int64_t)fuzz_u64(in);
		i.mtime = (int64_t)fuzz_u64(in);
		i.rdev = fuzz_u32(in);
	}
	i.xattrs = xattrs;
	i.xattrs_len = fuzz_u8(in) % sizeof(xattrs);
	jbuf_inode(b, &i);
}

static void gen_entry(struct fuzz_in *in, struct jbuf *b)
{
	char own[400];
	struct jentry e = {.parent = gen_id(in), .child = gen_id(in), .flags = fuzz_u8(in)};

	e.name = gen_name(in, own, sizeof(own));
	e.len = (uint16_t)strlen(e.name);
	/* Mostly what an honest writer makes. */
	if (e.flags & 0x80 && e.child)
		e.flags &= ~JE_WHITEOUT;
	if (e.flags & JE_STAMP)
		gen_stamp(in, &e.stamp);
	if (e.flags & JE_WAS)
		e.was = gen_id(in);
	jbuf_entry(b, &e);
}

static void gen_records(struct fuzz_in *in, struct jbuf *b)
{
	uint64_t seq = 0;

	jbuf_inode(b, &(struct jinode){
			  .id = JOURNAL_ROOT, .ino = 1, .mode = S_IFDIR | 0755, .nlink = 2, .flags = JI_LOW, .low = ""});
	while (in->left) {
		uint8_t what = fuzz_u8(in);
		switch (what % 8) {
		case 0:
		case 1:
		case 2:
			gen_inode(in, b);
			break;
		case 3:
		case 4:
			gen_entry(in, b);
			break;
		case 5:
			jbuf_times(b, &(struct jtimes){.id = gen_id(in), .mtime = fuzz_u16(in), .nlink = fuzz_u8(in)});
			break;
		case 6:
			jbuf_gone(b, gen_id(in));
			break;
		case 7:
			seq += what >= 0x80 ? 1 : what;
			jbuf_end(b, seq);
			break;
		}
	}
	jbuf_end(b, seq + 1);
	FUZZ_CHECK(!b->fail);
}

void layer_gen_journal(struct fuzz_in *in, struct jbuf *b)
{
	uint8_t how = fuzz_u8(in) % 4;
	size_t n;

	*b = JBUF_INIT;
	if (how == 0) {
		append(b, in->p, in->left);
		in->left = 0;
		return;
	}
	jbuf_head(b);
	if (how > 1) {
		gen_records(in, b);
		return;
	}
	for (uint64_t seq = 1; in->left; seq++) {
		const uint8_t *p = fuzz_bytes(in, 1U << 14, &n);
		put_frame(b, p, n, seq);
	}
}
