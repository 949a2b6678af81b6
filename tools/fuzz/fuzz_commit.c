/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_commit.c - sandbox diff and commit of a layer whose journal and store a supervisor that was taken over has written, onto a small root.
 *
 * It changes what is below the root and nothing beside it, follows no link of the root's, and leaves no temporary name in a root that it says it's
 * done with; then there's nothing more to commit.
 *
 * covers: tools/commit.c tools/commit_check.c tools/commit_make.c tools/changes.c
 * options: -max_len=2048
 */
#include "tools/fuzz/layer_gen.h"

#include "tools/commit.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int top = -1, root;
static char root_path[PATH_MAX];
static struct stat outside[3];
static const char *const outside_names[] = {"outside", "outside/secret", "outside/dir"};

static void put_file(const char *name, mode_t mode)
{
	int fd = openat(top, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);

	FUZZ_CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10);
	close(fd);
}

static void set_up(void)
{
	top = open(fuzz_scratch(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(top >= 0);
	FUZZ_CHECK(!mkdirat(top, "outside", 0755) && !mkdirat(top, "outside/dir", 0755) && !mkdirat(top, "root", 0755));
	put_file("outside/secret", 0644);
	root = openat(top, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_CHECK(root >= 0);
	snprintf(root_path, sizeof(root_path), "%s/root", fuzz_scratch());
	for (size_t k = 0; k < ARRAY_SIZE(outside); k++)
		FUZZ_CHECK(!fstatat(top, outside_names[k], &outside[k], AT_SYMLINK_NOFOLLOW));
}

static void fill(void)
{
	FUZZ_CHECK(!mkdirat(top, "root/dir", 0755) && !mkdirat(top, "root/dir/sub", 0755));
	put_file("root/dir/file", 0644);
	put_file("root/file", 0644);
	FUZZ_CHECK(!linkat(top, "root/file", top, "root/b", 0));
	FUZZ_CHECK(!symlinkat("../outside", top, "root/link") && !symlinkat("../outside/secret", top, "root/c"));
	FUZZ_CHECK(!mkdirat(top, "layer", 0700) && !mkdirat(top, "layer/data", 0700) &&
		   !mkdirat(top, "layer/data/store", 0700));
	put_file("layer/data/store/1", 0600);
	put_file("layer/data/store/2", 0600);
	FUZZ_CHECK(!symlinkat("../../../outside/secret", top, "layer/data/store/3"));
}

static void clear(void)
{
	int layer = openat(top, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	FUZZ_CHECK(layer >= 0);
	fuzz_empty(layer);
	close(layer);
	FUZZ_CHECK(!unlinkat(top, "layer", AT_REMOVEDIR));
	FUZZ_CHECK(!fchmod(root, 0755));
	fuzz_empty(root);
}

static void open_layer(struct layer *l, const struct jbuf *b)
{
	struct stat st;

	FUZZ_CHECK(!fstat(root, &st));
	*l = LAYER_INIT;
	l->name = strdup("x");
	l->path = strdup("x");
	l->meta.root = strdup(root_path);
	l->meta.root_dev = st.st_dev;
	l->meta.root_ino = st.st_ino;
	l->dirfd = openat(top, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->datafd = openat(top, "layer/data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->storefd = openat(top, "layer/data/store", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l->journalfd = openat(top, "layer/data/journal", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	FUZZ_CHECK(l->name && l->path && l->meta.root && l->dirfd >= 0 && l->storefd >= 0 && l->journalfd >= 0);
	FUZZ_CHECK(!journal_write(l->journalfd, b->p, b->len, 0));
}

/* No temporary name is left. */
static void check_names(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d)
		return; /* an ordinary user, and a directory whose mode the layer set */
	while ((e = readdir(d))) {
		FUZZ_CHECK(strncmp(e->d_name, COMMIT_TEMP, strlen(COMMIT_TEMP)));
		if (e->d_type != DT_DIR || !strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		int sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0) {
			check_names(sub);
			close(sub);
		}
	}
	closedir(d);
}

static void check_outside(void)
{
	for (size_t k = 0; k < ARRAY_SIZE(outside); k++) {
		struct stat st;
		FUZZ_CHECK(!fstatat(top, outside_names[k], &st, AT_SYMLINK_NOFOLLOW));
		FUZZ_CHECK(st.st_ctim.tv_sec == outside[k].st_ctim.tv_sec &&
			   st.st_ctim.tv_nsec == outside[k].st_ctim.tv_nsec);
		FUZZ_CHECK(st.st_nlink == outside[k].st_nlink && st.st_mode == outside[k].st_mode);
	}
}

struct run {
	struct layer l;
	struct commit_options o;
	int r;
};

static int on_change(UNUSED void *arg, const struct change *c)
{
	FUZZ_CHECK(strchr("AMDR", c->kind) && c->path[0] != '/' && !strstr(c->path, "../") &&
		   (!c->from == (c->kind != 'R')));
	return 0;
}

/* What is listed is the same twice. */
static void list(struct layer *l)
{
	struct model m;

	if (model_load(&m, l->journalfd, -1))
		return;
	int r = layer_changes(l, &m, root, on_change, NULL);
	FUZZ_CHECK(r <= 0 && r == layer_changes(l, &m, root, on_change, NULL));
	model_free(&m);
}

static void commit(void *arg)
{
	struct run *run = arg;

	run->r = layer_commit(&run->l, &run->o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct run run = {.o = {.quiet = true}};
	struct jbuf b;

	if (top < 0)
		set_up();
	fill();
	int lowest = dup(top);
	FUZZ_CHECK(lowest >= 0);
	close(lowest);
	run.o.force = fuzz_u8(&in) & 1;
	layer_gen_journal(&in, &b);
	open_layer(&run.l, &b);
	list(&run.l);
	bool died = fuzz_dies(commit, &run);
	FUZZ_CHECK(died || run.r == 0 || run.r == 1 || run.r == CMD_FAILED);
	if (!died && run.r == 0) {
		struct model m;
		check_names(root);
		FUZZ_CHECK(!model_load(&m, run.l.journalfd, -1) && !m.n_entries);
		model_free(&m);
	}
	layer_close(&run.l);
	FUZZ_CHECK(!close_range((unsigned)lowest, UINT_MAX, 0)); /* what was open when it died */
	check_outside();
	jbuf_free(&b);
	clear();
	return 0;
}
