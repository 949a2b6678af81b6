/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_journal.c - the journal of a kept layer and the model that is made of it, on what a supervisor that was taken over could have written.
 *
 * Whatever the journal says, a model is a tree whose every entry is found by its name, or loading fails; written down and read again it is the
 * same; a journal that ends early is one as well; and it can be taken apart.
 *
 * covers: layer/journal.c layer/model.c layer/crc32c.c
 * options: -max_len=4096
 */
#include "tools/fuzz/layer_gen.h"

#include "layer/model.h"

#include <string.h>

static void check_xattrs(const struct layer_inode *i)
{
	const uint8_t *p = i->xattrs, *value;
	const char *name;
	uint32_t size;
	size_t sum = 0;

	while (p && jxattr_next(&p, i->xattrs + i->xattrs_len, &name, &value, &size))
		sum += strlen(name) + 1 + sizeof(size) + size;
	FUZZ_CHECK(sum <= i->xattrs_len);
}

/* Counts entries and directories below dir. Not deep: names of a kept layer nest as deep as the journal says. */
static void check_tree(const struct model *m, size_t *entries)
{
	const struct layer_inode **queue = calloc(m->n_inodes + 1, sizeof(struct layer_inode *));
	size_t head = 0, tail = 0;

	FUZZ_CHECK(queue);
	if (m->root)
		queue[tail++] = m->root;
	for (; head < tail; head++) {
		const struct layer_inode *dir = queue[head];
		AUTO_FREE struct layer_entry **sorted = NULL;
		size_t n;
		FUZZ_CHECK(S_ISDIR(dir->mode));
		FUZZ_CHECK(!model_sorted(dir, &sorted, &n));
		*entries += n;
		for (size_t k = 0; k < n; k++) {
			const struct layer_entry *e = sorted[k];
			FUZZ_CHECK(e->parent == dir && strlen(e->name) == e->len && e->len && !strchr(e->name, '/'));
			FUZZ_CHECK(strcmp(e->name, ".") && strcmp(e->name, ".."));
			FUZZ_CHECK(!k || strcmp(sorted[k - 1]->name, e->name) < 0);
			FUZZ_CHECK(model_find(m, dir, e->name, e->len) == e);
			AUTO_FREE char *path = model_path(e);
			FUZZ_CHECK(path && strlen(path) >= e->len);
			if (e->child && S_ISDIR(e->child->mode)) {
				FUZZ_CHECK(tail < m->n_inodes); /* else one is in two places */
				queue[tail++] = e->child;
			}
		}
	}
	free(queue);
}

static void check_model(const struct model *m)
{
	size_t entries = 0, inodes = 0;

	check_tree(m, &entries);
	FUZZ_CHECK(entries == m->n_entries);
	for (size_t k = 0; k < m->cap_inodes; k++)
		for (const struct layer_inode *i = m->inodes[k]; i; i = i->hnext) {
			FUZZ_CHECK(model_inode(m, i->id) == i && i->id && i->id <= m->max_id);
			FUZZ_CHECK(!i->low == !(i->flags & JI_LOW) && (!i->low || i->stamp));
			FUZZ_CHECK(!i->xattrs == !(i->flags & JI_XATTR));
			check_xattrs(i);
			inodes++;
		}
	FUZZ_CHECK(inodes == m->n_inodes);
}

/* Written and read again. */
static void check_again(const struct model *m)
{
	int fd = fuzz_memfd("", 0);
	struct model again;
	uint64_t seq;
	off_t end;

	FUZZ_CHECK(!model_write(m, fd, &end, &seq));
	FUZZ_CHECK(!model_load(&again, fd, -1));
	FUZZ_CHECK(again.end == end && again.seq == seq);
	check_model(&again);
	FUZZ_CHECK(again.n_inodes == m->n_inodes && again.n_entries == m->n_entries && !again.root == !m->root);
	model_free(&again);
	close(fd);
}

static void take_apart(struct model *m)
{
	struct layer_entry *e;

	if (!m->root)
		return;
	for (unsigned k = 0; k < 4; k++) {
		struct layer_inode *i = model_new(m);
		char name[] = {'N', (char)('0' + k), 0};
		FUZZ_CHECK(i && i->id && i != m->root);
		i->mode = S_IFDIR;
		e = model_find(m, m->root, name, 2);
		if (e)
			model_drop(m, e);
		FUZZ_CHECK(model_set(m, m->root, name, 2, i, false, NULL));
	}
	check_model(m);
	while ((e = TAILQ_FIRST(&m->root->children)))
		model_drop(m, e);
	FUZZ_CHECK(!m->n_entries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	uint16_t cut = fuzz_u16(&in);
	struct model m;
	struct jbuf b;

	layer_gen_journal(&in, &b);
	int fd = fuzz_memfd(b.p, b.len);
	int r = model_load(&m, fd, -1);
	FUZZ_CHECK(!r || r == -EBADMSG);
	if (!r) {
		FUZZ_CHECK((size_t)m.end <= b.len);
		check_model(&m);
		if (m.root)
			check_again(&m);
		take_apart(&m);
		model_free(&m);
		r = model_load(&m, fd, cut);
		FUZZ_CHECK(!r && m.end <= cut);
		check_model(&m);
		model_free(&m);
	}
	close(fd);
	jbuf_free(&b);
	return 0;
}
