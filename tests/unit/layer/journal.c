/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.c - a journal torn or damaged anywhere gives the state of a whole number of frames; what is written is what is read.
 */
#include "layer/model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static int file_of(const void *p, size_t n)
{
	int fd = memfd_create("journal", MFD_CLOEXEC);

	cr_assert(fd >= 0 && !ftruncate(fd, 0) && !journal_write(fd, p, n, 0));
	return fd;
}

static void put_dir(struct jbuf *b, uint64_t id, const char *low)
{
	struct jinode i = {.id = id, .ino = id, .mode = S_IFDIR | 0755, .nlink = 2};

	if (low) {
		i.flags = JI_LOW | JI_STAMP;
		i.low = low;
		i.stamp = (struct jstamp){.dev = 1, .ino = id, .mode = S_IFDIR | 0755, .mtime = 7};
	}
	jbuf_inode(b, &i);
}

static void put_file(struct jbuf *b, uint64_t id, uint64_t back, uint32_t nlink)
{
	jbuf_inode(b, &(struct jinode){.id = id, .ino = id, .back = back, .mode = S_IFREG | 0644, .nlink = nlink});
}

static void put_entry(struct jbuf *b, uint64_t parent, const char *name, uint64_t child, uint32_t flags)
{
	jbuf_entry(b, &(struct jentry){
			  .parent = parent, .child = child, .flags = flags, .name = name, .len = (uint16_t)strlen(name)});
}

/* Each frame makes the file of its number: n frames, n files. ends[k]: length with k frames. */
static void make(struct jbuf *b, unsigned n, size_t *ends)
{
	*b = JBUF_INIT;
	jbuf_head(b);
	ends[0] = b->len;
	for (unsigned k = 1; k <= n; k++) {
		char name[16];
		snprintf(name, sizeof(name), "f%u", k);
		if (k == 1)
			put_dir(b, JOURNAL_ROOT, "");
		put_file(b, 10 + k, k, 1);
		put_entry(b, JOURNAL_ROOT, name, 10 + k, 0);
		jbuf_end(b, k);
		ends[k] = b->len;
	}
	cr_assert(!b->fail);
}

Test(journal, torn_at_every_byte)
{
	enum { N = 12 };
	size_t ends[N + 1];
	struct jbuf b;

	make(&b, N, ends);
	for (size_t cut = 0; cut <= b.len; cut++) {
		unsigned whole = 0;
		while (whole < N && ends[whole + 1] <= cut)
			whole++;
		int fd = file_of(b.p, cut);
		struct model m;
		cr_assert(!model_load(&m, fd, -1), "cut at %zu", cut);
		cr_assert_eq(m.n_entries, whole, "cut at %zu: %zu entries", cut, m.n_entries);
		cr_assert_eq((size_t)m.end, cut < 16 ? 0 : ends[whole]);
		cr_assert_eq(m.seq, whole);
		model_free(&m);
		close(fd);
	}
	jbuf_free(&b);
}

Test(journal, damaged_at_every_byte)
{
	enum { N = 6 };
	size_t ends[N + 1];
	struct jbuf b;

	make(&b, N, ends);
	for (size_t at = 16; at < b.len; at++) {
		unsigned whole = 0;
		while (ends[whole + 1] <= at)
			whole++;
		b.p[at] ^= 0x41;
		int fd = file_of(b.p, b.len);
		struct model m;
		cr_assert(!model_load(&m, fd, -1));
		cr_assert_eq(m.n_entries, whole, "byte %zu", at);
		model_free(&m);
		close(fd);
		b.p[at] ^= 0x41;
	}
	jbuf_free(&b);
}

/* A journal by somebody who knows the checksum. */
Test(journal, hostile_records)
{
	static const char *const names[] = {"", ".", "..", "a/b", "x"};
	unsigned seed = 1;

	for (unsigned k = 0; k < ARRAY_SIZE(names); k++) {
		struct jbuf b = JBUF_INIT;
		struct model m = {0};
		jbuf_head(&b);
		put_dir(&b, JOURNAL_ROOT, "");
		put_dir(&b, 2, NULL);
		put_entry(&b, JOURNAL_ROOT, names[k], 2, 0);
		jbuf_end(&b, 1);
		int fd = file_of(b.p, b.len);
		int r = model_load(&m, fd, -1);
		cr_assert_eq(r, strcmp(names[k], "x") ? -EBADMSG : 0, "\"%s\": %d", names[k], r);
		if (!r)
			model_free(&m);
		close(fd);
		jbuf_free(&b);
	}
	/* Loops, two parents, entries of what isn't there, in random order. */
	for (unsigned round = 0; round < 3000; round++) {
		struct jbuf b = JBUF_INIT;
		struct model m;
		jbuf_head(&b);
		put_dir(&b, JOURNAL_ROOT, rand_r(&seed) % 2 ? "" : NULL);
		for (unsigned i = 0; i < 40; i++) {
			uint64_t p = 1 + (unsigned)rand_r(&seed) % 8, c = 2 + (unsigned)rand_r(&seed) % 8;
			char name[2] = {(char)('a' + rand_r(&seed) % 4), 0};
			switch (rand_r(&seed) % 6) {
			case 0:
				put_dir(&b, c, rand_r(&seed) % 2 ? "p/q" : NULL);
				break;
			case 1:
				put_file(&b, c, c, 1);
				break;
			case 2:
				jbuf_gone(&b, c);
				break;
			case 3:
				put_entry(&b, p, name, 0, JE_WHITEOUT | JE_HAS);
				break;
			case 4:
				jbuf_times(&b, &(struct jtimes){.id = c, .nlink = 3});
				break;
			default:
				put_entry(&b, p, name, c, 0);
			}
		}
		jbuf_end(&b, 1);
		int fd = file_of(b.p, b.len), again = memfd_create("again", 0);
		cr_assert(!model_load(&m, fd, -1));
		/* A tree: each entry's way up ends at the root. */
		for (size_t k = 0; k < m.cap_entries; k++) {
			for (const struct layer_entry *e = m.entries[k]; e; e = e->hnext) {
				const struct layer_inode *i = e->parent;
				unsigned steps = 0;
				while (i != m.root && steps++ < 100)
					i = TAILQ_FIRST(&i->names)->parent;
				cr_assert_eq(i, m.root);
				char *path = model_path(e);
				cr_assert(path && *path);
				free(path);
			}
		}
		/* Written anew it's the same. */
		struct model n;
		off_t end;
		uint64_t seq;
		cr_assert(!model_write(&m, again, &end, &seq) && !model_load(&n, again, -1));
		cr_assert_eq(m.n_entries, n.n_entries);
		cr_assert_eq(m.n_inodes, n.n_inodes);
		cr_assert_eq(end, n.end);
		while (m.root && !TAILQ_EMPTY(&m.root->children))
			model_drop(&m, TAILQ_FIRST(&m.root->children));
		cr_assert(m.n_entries == 0);
		model_free(&m);
		model_free(&n);
		close(fd);
		close(again);
		jbuf_free(&b);
	}
}

Test(journal, random_bytes)
{
	unsigned seed = 7;
	uint8_t junk[600];

	for (unsigned round = 0; round < 20000; round++) {
		struct jbuf b = JBUF_INIT;
		struct model m;
		size_t n = (unsigned)rand_r(&seed) % sizeof(junk);
		for (size_t i = 0; i < n; i++)
			junk[i] = (uint8_t)(rand_r(&seed) % (round % 2 ? 256 : 6));
		/* A frame with a right checksum around it. */
		jbuf_head(&b);
		put_dir(&b, JOURNAL_ROOT, "");
		size_t start = b.len;
		jbuf_gone(&b, 5);
		for (size_t i = 0; i + 9 <= n; i += 9)
			jbuf_gone(&b, 0);
		memcpy(b.p + start, junk, MIN(n, b.len - start));
		jbuf_end(&b, 1);
		int fd = file_of(b.p, b.len);
		if (!model_load(&m, fd, -1))
			model_free(&m);
		close(fd);
		jbuf_free(&b);
	}
}

/* Whoever makes the next one counts on from the last. */
Test(journal, ids_do_not_come_round)
{
	const uint64_t ids[] = {JOURNAL_ID_MAX, JOURNAL_ID_MAX + 1, UINT64_MAX};

	for (unsigned k = 0; k < 2 * ARRAY_SIZE(ids); k++) {
		struct jbuf b = JBUF_INIT;
		struct model m;
		jbuf_head(&b);
		put_dir(&b, JOURNAL_ROOT, "");
		put_file(&b, k % 2 ? 2 : ids[k / 2], k % 2 ? ids[k / 2] : 2, 1);
		jbuf_end(&b, 1);
		int fd = file_of(b.p, b.len);
		cr_assert_eq(model_load(&m, fd, -1), k / 2 ? -EBADMSG : 0);
		if (k < 2) {
			cr_assert(model_new(&m)->id > JOURNAL_ROOT);
			model_free(&m);
		}
		close(fd);
		jbuf_free(&b);
	}
}

Test(journal, crc32c)
{
	cr_assert_eq(crc32c(0, "123456789", 9), 0xe3069283U); /* RFC 3720's check value */
}

Test(journal, first_stamp_counts)
{
	struct jbuf b = JBUF_INIT;
	struct model m;
	struct jentry e = {
	    .parent = 1, .flags = JE_WHITEOUT | JE_HAS | JE_STAMP, .name = "n", .len = 1, .stamp = {.ino = 5}};

	jbuf_head(&b);
	put_dir(&b, JOURNAL_ROOT, "");
	jbuf_entry(&b, &e);
	put_file(&b, 2, 2, 1);
	e.stamp.ino = 6;
	e.child = 2;
	e.flags = JE_HAS | JE_STAMP;
	jbuf_entry(&b, &e);
	jbuf_end(&b, 1);
	int fd = file_of(b.p, b.len);
	cr_assert(!model_load(&m, fd, -1));
	const struct layer_entry *f = model_find(&m, m.root, "n", 1);
	cr_assert(f && f->child && f->stamp && f->stamp->ino == 5);
	model_free(&m);
	close(fd);
	jbuf_free(&b);
}
