/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_import.c - sandbox import of hostile layer tars, over a small root.
 *
 * What was imported can be written as a journal and is the same when it's read; link counts are right; the store holds only files with ids for names;
 * the root isn't touched.
 *
 * covers: tools/tar/import.c
 * options: -max_len=8192
 */
#include "tools/fuzz/fuzz.h"

#include "base/log.h"
#include "tools/tar/tar.h"

#include <archive.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK 512

static int root = -1, store;

static void set_up(void)
{
	int top = open(fuzz_scratch(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	FUZZ_CHECK(top >= 0);
	FUZZ_CHECK(!mkdirat(top, "root", 0755) && !mkdirat(top, "root/dir", 0755) && !mkdirat(top, "root/dir/sub", 0755));
	FUZZ_CHECK(!symlinkat("dir", top, "root/link") && !mkdirat(top, "store", 0700));
	fd = openat(top, "root/dir/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	FUZZ_CHECK(fd >= 0);
	close(fd);
	root = openat(top, "root", O_PATH | O_CLOEXEC);
	store = openat(top, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(root >= 0 && store >= 0);
	close(top);
	log_set_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
}

/* Makes the checksums of headers right, so that changes of other fields count. */
static void mend(uint8_t *p, size_t size)
{
	for (size_t at = 0; at + BLOCK <= size;) {
		unsigned sum = 8 * ' ';
		uint64_t len = 0;
		for (unsigned k = 0; k < BLOCK; k++)
			sum += k >= 148 && k < 156 ? 0 : p[at + k];
		if (sum == 8 * ' ')
			return; /* the end */
		char digits[8];
		snprintf(digits, sizeof(digits), "%06o", sum);
		memcpy(p + at + 148, digits, 7);
		p[at + 155] = ' ';
		for (unsigned k = 124; k < 135 && p[at + k] >= '0' && p[at + k] <= '7'; k++)
			len = len * 8 + (p[at + k] - '0');
		at += BLOCK + (len + BLOCK - 1) / BLOCK * BLOCK;
	}
}

static void check_store(void)
{
	int fd = openat(store, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	FUZZ_CHECK(d);
	while ((e = readdir(d)))
		FUZZ_CHECK(e->d_name[0] == '.' || e->d_name[strspn(e->d_name, "0123456789")] == '\0');
	closedir(d);
}

static void check_model(const struct model *m)
{
	int fd = fuzz_memfd("", 0);
	struct model again;
	uint64_t seq;
	off_t end;

	for (size_t k = 0; k < m->cap_inodes; k++)
		for (const struct layer_inode *i = m->inodes[k]; i; i = i->hnext) {
			const struct layer_entry *e;
			unsigned names = 0;
			TAILQ_FOREACH(e, &i->names, same)
			names++;
			FUZZ_CHECK(S_ISDIR(i->mode) || i->nlink == names);
		}
	FUZZ_CHECK(!model_write(m, fd, &end, &seq));
	FUZZ_CHECK(!model_load(&again, fd, -1));
	FUZZ_CHECK(again.end == end && again.n_inodes == m->n_inodes && again.n_entries == m->n_entries);
	model_free(&again);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct layer l = LAYER_INIT;
	struct model m = {0};
	struct stat before, after;

	if (!size)
		return 0;
	if (root < 0)
		set_up();
	uint8_t *tar = malloc(size);
	FUZZ_CHECK(tar && !fstatat(root, "dir", &before, 0));
	memcpy(tar, data + 1, size - 1);
	if (data[0] & 1)
		mend(tar, size - 1);
	l.storefd = store;
	l.meta.fakeroot = data[0] & 2;
	struct archive *a = import_reader();
	if (archive_read_open_memory(a, tar, size - 1) == ARCHIVE_OK && !import_model(&l, &m, root, a))
		check_model(&m);
	archive_read_free(a);
	model_free(&m);
	check_store();
	fuzz_empty(store);
	FUZZ_CHECK(!fstatat(root, "dir", &after, 0));
	FUZZ_CHECK(after.st_mode == before.st_mode && after.st_nlink == before.st_nlink &&
		   after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
	free(tar);
	return 0;
}
