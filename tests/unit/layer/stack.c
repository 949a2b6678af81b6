/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack.c - layers merged into one: whiteouts, moves, opaque directories, links, and journals that somebody forged.
 */
#include "layer/stack.h"

#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static struct jstamp stamp(uint64_t ino, uint32_t mode)
{
	return (struct jstamp){.dev = 1, .ino = ino, .mode = mode, .mtime = 7, .btime = 7, .nlink = 1};
}

/* low NULL: new; else the lower's object of that path. back 0: no data of its own. */
static void inode(struct jbuf *b, uint64_t id, uint32_t mode, const char *low, uint64_t ino, uint64_t back)
{
	struct jinode i = {.id = id, .ino = ino, .mode = mode, .nlink = 1, .back = back, .btime = 7};

	if (low) {
		i.flags = JI_LOW | JI_STAMP;
		i.low = low;
		i.stamp = stamp(ino, mode);
	}
	jbuf_inode(b, &i);
}

static void entry(struct jbuf *b, uint64_t dir, const char *name, uint64_t child, bool has)
{
	jbuf_entry(b, &(struct jentry){.parent = dir,
				       .child = child,
				       .flags = (has ? JE_HAS : 0) | (child ? 0 : JE_WHITEOUT),
				       .name = name,
				       .len = (uint16_t)strlen(name)});
}

static struct jbuf begin(void)
{
	struct jbuf b = JBUF_INIT;

	jbuf_head(&b);
	inode(&b, JOURNAL_ROOT, S_IFDIR | 0755, "", 2, 0);
	return b;
}

static int end(struct jbuf *b)
{
	int fd = memfd_create("journal", MFD_CLOEXEC);

	jbuf_end(b, 1);
	cr_assert(!b->fail && fd >= 0 && !journal_write(fd, b->p, b->len, 0));
	jbuf_free(b);
	return fd;
}

#define DIR_  (S_IFDIR | 0755)
#define FILE_ (S_IFREG | 0644)

/* What stands at path, as "layer's store:backing file", "=path of the root", or "" for nothing. */
static const char *at(const struct model *m, const char *path)
{
	static char buf[2][PATH_MAX + 32];
	static unsigned k;
	const struct layer_inode *i;
	char host[PATH_MAX], *out = buf[k++ % 2];

	if (model_resolve(m, path, &i, host))
		return "";
	if (!i)
		snprintf(out, sizeof(buf[0]), "=%s", host);
	else if (i->back)
		snprintf(out, sizeof(buf[0]), "%u:%lu", i->store, i->back);
	else
		snprintf(out, sizeof(buf[0]), "=%s", i->low ? i->low : "?");
	return out;
}

#define AT(m, path, want) cr_assert_str_eq(at(m, path), want, "%s: %s", path, at(m, path))

Test(stack, three_layers)
{
	struct jbuf a = begin(), b = begin(), c = begin();

	/* a: changes d/f, removes d/g, moves d/sub to moved, makes n/x */
	inode(&a, 2, DIR_, "d", 20, 0);
	inode(&a, 3, FILE_, "d/f", 21, 5);
	inode(&a, 4, DIR_, "d/sub", 22, 0);
	inode(&a, 5, DIR_, NULL, 100, 0);
	inode(&a, 6, FILE_, NULL, 101, 6);
	entry(&a, 1, "d", 2, true);
	entry(&a, 2, "f", 3, true);
	entry(&a, 2, "g", 0, true);
	entry(&a, 2, "sub", 0, true);
	entry(&a, 1, "moved", 4, false);
	entry(&a, 1, "n", 5, false);
	entry(&a, 5, "x", 6, false);
	/* b on a: moves moved to n/again, makes d/g, a new opaque d/sub, links n/x as y, changes moved/deep/z */
	inode(&b, 2, DIR_, "moved", 22, 0);
	inode(&b, 3, DIR_, "n", 100, 0);
	inode(&b, 4, DIR_, "d", 20, 0);
	inode(&b, 5, FILE_, NULL, 102, 1);
	inode(&b, 6, DIR_, NULL, 103, 0);
	inode(&b, 7, FILE_, "n/x", 101, 0);
	inode(&b, 8, DIR_, "moved/deep", 30, 0);
	inode(&b, 9, FILE_, "moved/deep/z", 31, 2);
	entry(&b, 1, "moved", 0, true);
	entry(&b, 1, "n", 3, true);
	entry(&b, 3, "again", 2, false);
	entry(&b, 1, "d", 4, true);
	entry(&b, 4, "g", 5, false);
	entry(&b, 4, "sub", 6, false);
	entry(&b, 1, "y", 7, false);
	entry(&b, 3, "x", 7, true);
	entry(&b, 2, "deep", 8, true);
	entry(&b, 8, "z", 9, true);
	/* c on b: exchanges d and n, removes y, writes to d's (now n's) f */
	inode(&c, 2, DIR_, "d", 20, 0);
	inode(&c, 3, DIR_, "n", 100, 0);
	inode(&c, 4, FILE_, "d/f", 21, 9);
	entry(&c, 1, "n", 2, true);
	entry(&c, 1, "d", 3, true);
	entry(&c, 2, "f", 4, true);
	entry(&c, 1, "y", 0, true);

	int fds[3] = {end(&c), end(&b), end(&a)};
	struct model m;
	cr_assert(!model_load_stack(&m, &fds[2], 1));
	AT(&m, "d/f", "1:5");
	AT(&m, "d/g", "");
	AT(&m, "d/h/i", "=d/h/i");
	AT(&m, "moved/q", "=d/sub/q");
	AT(&m, "n/x", "1:6");
	AT(&m, "n/none", "");
	AT(&m, "other", "=other");
	model_free(&m);
	cr_assert(!model_load_stack(&m, &fds[1], 2));
	AT(&m, "d/f", "2:5");
	AT(&m, "d/g", "1:1");
	AT(&m, "d/sub/q", "");
	AT(&m, "moved", "=moved"); /* which the root hasn't */
	AT(&m, "n/again/q", "=d/sub/q");
	AT(&m, "n/again/deep/z", "1:2");
	AT(&m, "n/again/deep/q", "=d/sub/deep/q");
	AT(&m, "n/x", "2:6");
	AT(&m, "y", "2:6");

	const struct layer_entry *e = model_find(&m, m.root, "moved", 5);
	cr_assert(!e);
	model_free(&m);
	cr_assert(!model_load_stack(&m, fds, 3));
	AT(&m, "n/f", "1:9");
	AT(&m, "n/g", "2:1");
	AT(&m, "n/h", "=d/h");
	AT(&m, "d/x", "3:6");
	AT(&m, "d/again/deep/z", "2:2");
	AT(&m, "d/h", "");
	AT(&m, "y", "=y");
	e = model_find(&m, m.root, "d", 1);
	cr_assert(e && e->has && e->child);
	model_free(&m);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
}

Test(stack, made_on_the_root_alone)
{
	struct jbuf a = begin(), b = begin();

	/* Below: changes f, removes g, makes d (new), moves old to there/. Above: only f's mode, g's mode, in d (its own), and a link of k. */
	inode(&b, 2, FILE_, "f", 10, 3);
	inode(&b, 3, DIR_, NULL, 50, 0);
	inode(&b, 4, FILE_, NULL, 51, 4);
	inode(&b, 5, FILE_, "k", 12, 5);
	entry(&b, 1, "f", 2, true);
	entry(&b, 1, "g", 0, true);
	entry(&b, 1, "d", 3, false);
	entry(&b, 3, "b", 4, false);
	entry(&b, 1, "k", 5, true);
	inode(&a, 2, S_IFREG | 0600, "f", 10, 0);
	inode(&a, 3, S_IFREG | 0600, "g", 11, 0);
	inode(&a, 4, DIR_, NULL, 50, 0);
	inode(&a, 5, FILE_, NULL, 51, 1);
	inode(&a, 6, S_IFREG | 0640, "k2", 12, 0);
	entry(&a, 1, "f", 2, true);
	entry(&a, 1, "g", 3, true);
	entry(&a, 1, "d", 4, false);
	entry(&a, 4, "a", 5, false);
	entry(&a, 1, "k2", 6, true);
	int fds[2] = {end(&a), end(&b)};
	struct model m;
	cr_assert(!model_load_stack(&m, fds, 2));
	AT(&m, "f", "2:3");
	cr_assert_eq(model_find(&m, m.root, "f", 1)->child->mode, S_IFREG | 0600);
	AT(&m, "g", "");
	AT(&m, "d/a", "1:1");
	AT(&m, "d/b", "");
	/* k2 is another link of k: both show both changes. */
	AT(&m, "k2", "2:5");
	AT(&m, "k", "2:5");
	cr_assert_eq(model_find(&m, m.root, "k", 1)->child->mode, S_IFREG | 0640);
	/* No number twice. */
	const struct layer_inode *d = model_find(&m, m.root, "d", 1)->child, *x = model_find(&m, d, "a", 1)->child;
	cr_assert(d->ino != 50 && x->ino != 51 && d->ino != x->ino);
	model_free(&m);
	close(fds[0]);
	close(fds[1]);
}

/* Whatever two journals say, the result is a tree, and each object's data are those of one of the two. */
Test(stack, forged)
{
	static const char *const lows[] = {"a", "b", "a/b", "c/a", "b/a/c", ""};
	unsigned seed = 3;

	for (unsigned round = 0; round < 3000; round++) {
		int fds[3];
		for (unsigned k = 0; k < 3; k++) {
			struct jbuf b = begin();
			for (unsigned i = 0; i < 30; i++) {
				uint64_t id = 2 + (unsigned)rand_r(&seed) % 8, dir = 1 + (unsigned)rand_r(&seed) % 9;
				const char *low = rand_r(&seed) % 3 ? lows[rand_r(&seed) % 6] : NULL;
				const char name[2] = {(char)('a' + rand_r(&seed) % 3), 0};
				uint64_t ino = (unsigned)rand_r(&seed) % 6;
				switch (rand_r(&seed) % 5) {
				case 0:
					inode(&b, id, DIR_, low, ino, 0);
					break;
				case 1:
					inode(&b, id, FILE_, low, ino, (uint64_t)rand_r(&seed) % 3);
					break;
				case 2:
					entry(&b, dir, name, 0, rand_r(&seed) % 2);
					break;
				default:
					entry(&b, dir, name, id, rand_r(&seed) % 2);
				}
			}
			fds[k] = end(&b);
		}
		struct model m;
		cr_assert(!model_load_stack(&m, fds, 3));
		for (size_t k = 0; k < m.cap_entries; k++) {
			for (const struct layer_entry *e = m.entries[k]; e; e = e->hnext) {
				const struct layer_inode *i = e->parent;
				unsigned steps = 0;
				while (i != m.root && steps++ < 200)
					i = TAILQ_FIRST(&i->names)->parent;
				cr_assert_eq(i, m.root);
				cr_assert(!e->child || !e->child->back || (e->child->store >= 1 && e->child->store <= 3));
			}
		}
		model_free(&m);
		for (unsigned k = 0; k < 3; k++)
			close(fds[k]);
	}
}
