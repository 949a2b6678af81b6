/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.c - sandbox commit: applies a layer to the host's root.
 *
 * The files: commit_check.c (conflicts), commit_make.c and commit_file.c (objects and their attributes), commit_plan.c (what outlives an
 * interruption).
 *
 * Three stages, so that a path is old or new whenever this is stopped, and so that everything is still there to be read while something
 * is made of it: (A) all that's new is made under temporary names beside its place; (B) it's renamed into place, directories and files of
 * another type by exchange; (C) attributes of what stays, removals, and at last attributes of directories. Then the layer forgets it.
 * A file with other links is rewritten in place (else the links would part): the one thing that isn't atomic.
 *
 * Every directory is opened below the root with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, and names in it are used with *at calls.
 */
#include "tools/commit.h"

#include "base/log.h"
#include "tools/below.h"
#include "tools/binds.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

struct step *commit_step(struct commit *c, enum step_kind kind, const char *path, const struct layer_inode *i)
{
	size_t n = strlen(path) + 1;
	struct step *s = calloc(1, sizeof(*s) + n);

	if (!s)
		return NULL;
	s->kind = kind;
	s->i = i;
	memcpy(s->path, path, n);
	*c->tail = s;
	c->tail = &s->next;
	return s;
}

int commit_later(struct commit *c, const char *path, const struct layer_inode *i)
{
	return (i->flags & JI_CLEAN) || commit_step(c, STEP_ATTRS, path, i) ? 0 : -ENOMEM;
}

bool commit_wants(const struct commit *c, const char *path, bool dir)
{
	return path_selected(path, c->paths, c->n_paths) || (dir && path_above(path, c->paths, c->n_paths));
}

static void leave_dir(struct commit *c)
{
	close_fd_(&c->dirfd);
	c->dirfd = -1;
	free(take_ptr(c->dir));
}

/* The directory of path, opened; c's own. *name: path's last component, "." for the root. Descriptor or -errno. */
static int parent(struct commit *c, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	*name = !*path ? "." : slash ? slash + 1 : path;
	if (c->dir && !strncmp(c->dir, path, len) && !c->dir[len])
		return c->dirfd;
	leave_dir(c);
	c->dir = strndup(path, len);
	if (!c->dir)
		return -ENOMEM;
	c->dirfd = open_below(c->rootfd, c->dir, O_RDONLY | O_DIRECTORY);
	if (c->dirfd < 0) {
		int r = take_fd(&c->dirfd);
		free(take_ptr(c->dir));
		return r;
	}
	return c->dirfd;
}

/* --- A --- */

static int place(struct commit *c, int dirfd, const struct layer_entry *e)
{
	struct step *s = commit_step(c, STEP_PLACE, c->path, e->child);
	const char *slash = strrchr(c->path, '/');
	AUTO_FREE char *where = NULL;

	if (!s)
		return -ENOMEM;
	snprintf(s->temp, sizeof(s->temp), "%s%u", c->temp, c->next_temp++);
	if (asprintf(&where, "%.*s%s", slash ? (int)(slash - c->path + 1) : 0, c->path, s->temp) < 0) {
		where = NULL;
		return -ENOMEM;
	}
	int r = commit_make(c, dirfd, s->temp, where, e, c->path);
	struct stat st;
	if (!r && fstatat(dirfd, s->temp, &st, AT_SYMLINK_NOFOLLOW))
		r = -errno;
	if (!r)
		s->ino = st.st_ino;
	return r;
}

static int stage_dir(struct commit *c, const struct layer_inode *dir, size_t len);

static int stage_entry(struct commit *c, int dirfd, const struct layer_entry *e, size_t len)
{
	const struct layer_inode *i = e->child;
	bool wanted = path_selected(c->path, c->paths, c->n_paths), own = entry_own(e);
	struct stat st;
	bool there = !fstatat(dirfd, e->name, &st, AT_SYMLINK_NOFOLLOW);

	if (!i)
		return !wanted || !there || commit_step(c, STEP_REMOVE, c->path, NULL) ? 0 : -ENOMEM;
	if (S_ISDIR(i->mode)) {
		if (!commit_wants(c, c->path, true))
			return 0;
		if (there && S_ISDIR(st.st_mode) && own) {
			int r = stage_dir(c, i, len);
			bool attrs = wanted && !(i->flags & JI_CLEAN);
			return r || !attrs || commit_step(c, STEP_DIR, c->path, i) ? r : -ENOMEM;
		}
		if (!wanted && i->low)
			return -EXDEV;
		return place(c, dirfd, e);
	}
	if (!wanted)
		return 0;
	if (!own || !there || (st.st_mode & S_IFMT) != (i->mode & S_IFMT))
		return place(c, dirfd, e);
	if (!content_differs(c->l, i))
		return commit_later(c, c->path, i);
	if (st.st_nlink > 1)
		return commit_step(c, STEP_REWRITE, c->path, i) ? 0 : -ENOMEM;
	return place(c, dirfd, e);
}

/* A directory that the host has, too; c->path. */
static int stage_dir(struct commit *c, const struct layer_inode *dir, size_t len)
{
	AUTO_CLOSE int fd = open_below(c->rootfd, c->path, O_RDONLY | O_DIRECTORY);
	struct layer_entry *e;
	int r = fd < 0 ? fd : 0;

	TAILQ_FOREACH(e, &dir->children, sibling)
	{
		if (r)
			break;
		size_t at = len;
		if (len + e->len + 2 > sizeof(c->path))
			return -ENAMETOOLONG;
		if (at)
			c->path[at++] = '/';
		memcpy(c->path + at, e->name, e->len + 1U);
		r = stage_entry(c, fd, e, at + e->len);
		if (r && r != -ECANCELED) {
			AUTO_FREE char *path = layer_shown(c->l, c->path);
			log_msg("commit: %s: %s", path,
				r == -EXDEV ? "part of a renamed directory: commit all of it" : strerror(-r));
			r = -ECANCELED;
		}
		c->path[len] = '\0';
	}
	return r;
}

/* --- B and C --- */

static int put_in_place(int dirfd, const char *temp, uint64_t ino, const char *name)
{
	struct stat a, b;
	int r;

	if (fstatat(dirfd, temp, &a, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	/* Exchanged already, before this commit was interrupted: it's the old one. */
	if (a.st_ino != ino)
		return commit_remove(dirfd, temp);
	if (fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW))
		return renameat2(dirfd, temp, dirfd, name, RENAME_NOREPLACE) ? -errno : 0;
	if (!S_ISDIR(a.st_mode) && !S_ISDIR(b.st_mode)) {
		if (renameat2(dirfd, temp, dirfd, name, 0))
			return -errno;
		/* Two links of one file: rename(2) does nothing. */
		return a.st_ino == b.st_ino && a.st_dev == b.st_dev ? commit_remove(dirfd, temp) : 0;
	}
	r = renameat2(dirfd, temp, dirfd, name, RENAME_EXCHANGE) ? -errno : 0;
	return r ? r : commit_remove(dirfd, temp);
}

static int run_step(struct commit *c, const struct step *s)
{
	const char *name;
	int fd = parent(c, s->path, &name);

	if (fd < 0)
		return s->kind == STEP_REMOVE && fd == -ENOENT ? 0 : fd;
	switch (s->kind) {
	case STEP_PLACE:
		return put_in_place(fd, s->temp, s->ino, name);
	case STEP_REWRITE:
		return commit_rewrite(c, fd, name, s->i);
	case STEP_REMOVE:
		return commit_remove(fd, name);
	default:
		return commit_attrs(c, fd, name, s->i);
	}
}

static int run_steps(struct commit *c, unsigned kinds)
{
	leave_dir(c);
	for (const struct step *s = c->steps; s; s = s->next) {
		int r = kinds & (1U << s->kind) ? run_step(c, s) : 0;
		if (r) {
			AUTO_FREE char *path = layer_shown(c->l, s->path);
			log_msg("commit: %s: %s", path, strerror(-r));
			return r;
		}
	}
	return 0;
}

int commit_carry_out(struct commit *c)
{
	AUTO_CLOSE int root = open_below(c->rootfd, "", O_RDONLY | O_DIRECTORY);
	int r = run_steps(c, 1U << STEP_PLACE);

	if (!r)
		r = run_steps(c, 1U << STEP_ATTRS | 1U << STEP_REWRITE);
	if (!r)
		r = run_steps(c, 1U << STEP_REMOVE);
	if (!r)
		r = run_steps(c, 1U << STEP_DIR);
	/* And the names before the layer forgets. */
	if (!r && (root < 0 || syncfs(root)))
		r = -EIO;
	return r;
}

static int apply(struct commit *c)
{
	int r;

	c->path[0] = '\0';
	r = stage_dir(c, c->m->root, 0);
	bool root_attrs = !c->n_paths && !(c->m->root->flags & JI_CLEAN);
	if (!r && root_attrs && !commit_step(c, STEP_DIR, "", c->m->root))
		r = -ENOMEM;
	/* The data before the names: after a loss of power no name may lead to half a file. */
	AUTO_CLOSE int root = open_below(c->rootfd, "", O_RDONLY | O_DIRECTORY);
	if (!r && (root < 0 || syncfs(root)))
		r = root < 0 ? root : -errno;
	if (!r)
		r = commit_write_plan(c);
	return r ? r : commit_carry_out(c);
}

/* A move is of both names: with one selected, so is the other. */
static int on_move(void *arg, const struct change *ch)
{
	struct commit *c = arg;

	if (ch->kind != 'R')
		return 0;
	bool to = path_selected(ch->path, c->paths, c->n_paths), from = path_selected(ch->from, c->paths, c->n_paths);
	if (to == from)
		return 0;
	char **v = reallocarray(c->paths, (size_t)c->n_paths + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	c->paths = v;
	c->paths[c->n_paths] = strdup(to ? ch->from : ch->path);
	return c->paths[c->n_paths++] ? 0 : -ENOMEM;
}

static int on_change(void *arg, const struct change *ch)
{
	struct commit *c = arg;

	if (path_selected(ch->path, c->paths, c->n_paths)) {
		c->total += COMMIT_OBJECT + (ch->content && S_ISREG(ch->mode) ? (uint64_t)MAX(ch->size, 0) : 0);
		if (c->o->dry_run) {
			AUTO_FREE char *path = layer_shown(c->l, ch->path);
			printf("%c ", ch->kind);
			if (ch->from) {
				AUTO_FREE char *from = layer_shown(c->l, ch->from);
				print_visible(from);
				printf(" -> ");
			}
			print_visible(path);
			putchar('\n');
		}
	}
	return 0;
}

void commit_end(struct commit *c)
{
	while (c->steps) {
		struct step *s = c->steps;
		c->steps = s->next;
		free(s);
	}
	for (int i = 0; i < c->n_paths; i++)
		free(c->paths[i]);
	free(c->paths);
	c->paths = NULL;
	c->n_paths = 0;
	c->tail = &c->steps;
	leave_dir(c);
}

static int begin(struct commit *c)
{
	int r = commit_undo(c->l);

	if (!r)
		r = commit_mark(c);
	if (!r)
		r = apply(c);
	if (!r)
		return commit_settle(c);
	/* Nothing was renamed yet? Then the host becomes again what it was. */
	if (faccessat(c->l->dirfd, "plan", F_OK, AT_SYMLINK_NOFOLLOW)) {
		int err = commit_undo(c->l);
		if (err)
			log_msg("can't undo the commit: %s", strerror(-err));
	}
	return r;
}

/* What an interrupted commit wanted, then the filters of this one. */
static int prepare(struct commit *c)
{
	const struct commit_options *o = c->o;
	int r = 0;

	if (!faccessat(c->l->dirfd, "plan", F_OK, AT_SYMLINK_NOFOLLOW)) {
		if (o->check)
			return 0;
		if (o->dry_run)
			die("a commit of %s was interrupted: run it again to finish it", c->l->name);
		r = commit_finish(c);
		model_free(c->m);
		if (r)
			return r;
		load_model_or_die(c->m, c->l);
	}
	if (!c->m->root)
		return 0;
	c->paths = calloc((size_t)o->n_paths + 1, sizeof(char *));
	for (; c->paths && c->n_paths < o->n_paths; c->n_paths++)
		c->paths[c->n_paths] = strdup(o->paths[c->n_paths]);
	r = c->paths ? 0 : -ENOMEM;
	for (int n = -1; !r && c->n_paths && n != c->n_paths;) {
		n = c->n_paths;
		r = layer_changes(c->l, c->m, c->rootfd, on_move, c);
	}
	if (!r && !o->check && (o->dry_run || progress_shown()))
		r = layer_changes(c->l, c->m, c->rootfd, on_change, c);
	return r ? r : commit_check(c);
}

int layer_commit(struct layer *l, const struct commit_options *o)
{
	AUTO_MODEL struct model m = {0};
	AUTO_CLOSE int rootfd = open_root(l);
	struct commit c = {.l = l, .m = &m, .o = o, .rootfd = rootfd, .dirfd = -1, .tail = &c.steps};
	struct stat st;

	if (fstat(rootfd, &st) || st.st_ino != l->meta.root_ino)
		die("the root %s of %s is not the directory that it was", l->meta.root, l->name);
	/* What breaks the lease on a file that is being given away: commit_file.c. */
	signal(SIGIO, SIG_IGN);
	load_model_or_die(&m, l);
	int r = prepare(&c);
	bool refused = !r && c.conflicts && !o->force;
	if (refused)
		log_msg("%u conflict%s%s%s: nothing was changed%s (--force applies the sandbox's version)", c.conflicts,
			c.conflicts == 1 ? "" : "s", l->meta.dst ? " in the bind " : "", l->meta.dst ? l->meta.dst : "",
			l->meta.dst && !o->check ? " there" : "");
	else if (!r && m.root && !o->dry_run && !o->check)
		r = begin(&c);
	progress("commit", 0, 0);
	for (size_t k = 0; k < m.cap_inodes; k++)
		for (struct layer_inode *i = m.inodes[k]; i; i = i->hnext)
			free(take_ptr(i->priv));
	if (r && r != -ECANCELED)
		log_msg("commit: %s", strerror(-r));
	commit_end(&c);
	return refused ? 1 : r ? CMD_FAILED : 0;
}

static int commit_bind(struct layer *b, const struct commit_options *o)
{
	struct commit_options mine = *o;
	AUTO_FREE char **paths = NULL;

	if (!binds_paths(b, o->paths, o->n_paths, &paths, &mine.n_paths))
		return 0;
	mine.paths = paths;
	return layer_commit(b, &mine);
}

/*
 * The root's layer, then those of its binds. A conflict in any of them is found before the first is applied. Stopped between two of
 * them, the next commit goes on with those that are left.
 */
static int commit_all(struct layer *l, const struct commit_options *o)
{
	AUTO_BINDS struct layer_binds b;
	struct commit_options look = *o;

	binds_open(&b, l);
	look.check = !o->dry_run;
	if (b.n && (o->dry_run || !o->force)) {
		int worst = layer_commit(l, &look);
		for (unsigned i = 0; i < b.n; i++) {
			int r = commit_bind(&b.v[i], &look);
			worst = MAX(worst, r);
		}
		if (worst || o->dry_run)
			return worst;
	}
	int r = layer_commit(l, o);
	for (unsigned i = 0; i < b.n && !r; i++)
		if (commit_bind(&b.v[i], o))
			r = CMD_FAILED; /* what came before is applied */
	return r;
}

int commit_undo_all(struct layer *l)
{
	AUTO_BINDS struct layer_binds b = {0};
	int r = commit_undo(l), err = layer_binds(l, &b);

	for (unsigned i = 0; i < b.n; i++) {
		int e = commit_undo(&b.v[i]);
		err = err ? err : e;
	}
	return r ? r : err;
}

int commit_whole(struct layer *l, const struct commit_options *o)
{
	AUTO_LAYER struct layer whole = LAYER_INIT;
	int r;

	if (!l->meta.n_from)
		return commit_all(l, o);
	r = below_flatten(l, &whole);
	if (!r && !o->dry_run)
		r = layer_exchange(l, &whole);
	if (r) {
		log_msg("commit: can't put %s and what it lies on together: %s", l->name, strerror(-r));
		return CMD_FAILED;
	}
	/* Now whole has the name, so that a commit that's interrupted is finished by it. */
	r = commit_all(&whole, o);
	bool keep = o->dry_run || (r == 1 && !layer_exchange(l, &whole));
	if (!keep) {
		struct layer old = *l;
		*l = whole;
		whole = old;
	}
	(void)!layer_discard(&whole);
	return r;
}

int cmd_commit(int argc, char **argv)
{
	static const struct option options[] = {
	    {"dry-run", no_argument, NULL, 'n'}, {"force", no_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
	AUTO_LAYER struct layer l = LAYER_INIT;
	struct commit_options o = {0};
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (c == 'n')
			o.dry_run = true;
		else if (c == 'f')
			o.force = true;
		else
			return CMD_FAILED;
	}
	if (optind >= argc)
		command_misused("commit");
	open_layer_or_die(&l, argv[optind], LAYER_LOCK);
	o.paths = argv + optind + 1;
	o.n_paths = argc - optind - 1;
	path_filters(o.paths, o.n_paths);
	return commit_whole(&l, &o);
}
