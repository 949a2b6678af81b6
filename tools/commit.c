/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit.c - sandbox commit: applies a layer to the host's root.
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

#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

enum step_kind { STEP_PLACE, STEP_ATTRS, STEP_REWRITE, STEP_REMOVE, STEP_DIR };
struct step {
	struct step *next;
	enum step_kind kind;
	const struct layer_inode *i;
	char temp[48];
	uint64_t ino; /* STEP_PLACE: of what was made as temp */
	char path[];  /* of the object */
};

static struct step *add_step(struct commit *c, enum step_kind kind, const char *path, const struct layer_inode *i)
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
	return (i->flags & JI_CLEAN) || add_step(c, STEP_ATTRS, path, i) ? 0 : -ENOMEM;
}

bool commit_wants(const struct commit *c, const char *path, bool dir)
{
	return path_selected(path, c->paths, c->n_paths) || (dir && path_above(path, c->paths, c->n_paths));
}

/* Directory of path opened, *name its last component. */
static int open_parent(const struct commit *c, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *dir = slash ? strndup(path, (size_t)(slash - path)) : strdup("");

	*name = slash ? slash + 1 : path;
	return dir ? open_below(c->rootfd, dir, O_RDONLY | O_DIRECTORY) : -ENOMEM;
}

static void remove_leftovers(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		close_fd_(&fd);
		return;
	}
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, COMMIT_TEMP, strlen(COMMIT_TEMP)) && commit_remove(fd, e->d_name))
			log_msg("can't remove %s", e->d_name);
	closedir(d);
}

/* --- A --- */

static int place(struct commit *c, int dirfd, const struct layer_entry *e)
{
	struct step *s = add_step(c, STEP_PLACE, c->path, e->child);
	const char *slash = strrchr(c->path, '/');
	AUTO_FREE char *where = NULL;

	if (!s)
		return -ENOMEM;
	snprintf(s->temp, sizeof(s->temp), COMMIT_TEMP "%d.%u", getpid(), c->next_temp++);
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
		return !wanted || !there || add_step(c, STEP_REMOVE, c->path, NULL) ? 0 : -ENOMEM;
	if (S_ISDIR(i->mode)) {
		if (!commit_wants(c, c->path, true))
			return 0;
		if (there && S_ISDIR(st.st_mode) && own) {
			int r = stage_dir(c, i, len);
			bool attrs = wanted && !(i->flags & JI_CLEAN);
			return r || !attrs || add_step(c, STEP_DIR, c->path, i) ? r : -ENOMEM;
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
		return add_step(c, STEP_REWRITE, c->path, i) ? 0 : -ENOMEM;
	return place(c, dirfd, e);
}

/* A directory that the host has, too; c->path. */
static int stage_dir(struct commit *c, const struct layer_inode *dir, size_t len)
{
	AUTO_CLOSE int fd = open_below(c->rootfd, c->path, O_RDONLY | O_DIRECTORY);
	struct layer_entry *e;
	int r = fd < 0 ? fd : 0;

	if (!r && c->after_crash)
		remove_leftovers(fd);
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
			log_msg("commit: /%s: %s", c->path,
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
	const char *name = ".";
	AUTO_CLOSE int fd = *s->path ? open_parent(c, s->path, &name) : open_below(c->rootfd, "", O_RDONLY | O_DIRECTORY);
	int r;

	if (fd < 0)
		return s->kind == STEP_REMOVE && fd == -ENOENT ? 0 : fd;
	switch (s->kind) {
	case STEP_PLACE:
		return put_in_place(fd, s->temp, s->ino, name);
	case STEP_REWRITE:
		r = commit_rewrite(c, fd, name, s->i);
		return r ? r : commit_attrs(c, fd, name, s->i);
	case STEP_REMOVE:
		return commit_remove(fd, name);
	default:
		return commit_attrs(c, fd, name, s->i);
	}
}

static int run_steps(struct commit *c, unsigned kinds)
{
	for (const struct step *s = c->steps; s; s = s->next) {
		int r = kinds & (1U << s->kind) ? run_step(c, s) : 0;
		if (r) {
			log_msg("commit: /%s: %s", s->path, strerror(-r));
			return r;
		}
	}
	return 0;
}

static void remove_temps(struct commit *c)
{
	for (const struct step *s = c->steps; s; s = s->next) {
		const char *name;
		if (s->kind != STEP_PLACE)
			continue;
		AUTO_CLOSE int fd = open_parent(c, s->path, &name);
		if (fd >= 0)
			(void)!commit_remove(fd, s->temp);
	}
}

/*
 * From the first rename on, the lower that the layer was made on is not there any more, so an interrupted commit can't be begun
 * anew, only be finished. What is to be done is on the disk before: one line a step, and the paths that were asked for.
 */
static int write_plan(const struct commit *c)
{
	int fd = openat(c->l->dirfd, ".plan", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f) {
		int err = errno;
		close_fd_(&fd);
		return -err;
	}
	for (const struct step *s = c->steps; s; s = s->next)
		fprintf(f, "s %d %" PRIu64 " %" PRIu64 " %s %s%c", s->kind, s->i ? s->i->id : 0, s->ino,
			*s->temp ? s->temp : "-", s->path, 0);
	for (int i = 0; i < c->n_paths; i++)
		fprintf(f, "p %s%c", c->paths[i], 0);
	fprintf(f, "end%c", 0);
	bool bad = fflush(f) || fsync(fd);
	bad |= fclose(f) != 0;
	if (bad || renameat(c->l->dirfd, ".plan", c->l->dirfd, "plan") || fsync(c->l->dirfd))
		return errno ? -errno : -EIO;
	return 0;
}

/* 1: there is one; 2: there is, and it was carried out. */
static int read_plan(struct commit *c)
{
	int fd = openat(c->l->dirfd, "plan", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	AUTO_FREE char *line = NULL;
	size_t cap = 0;
	int r = 0;

	if (!f) {
		int err = errno;
		close_fd_(&fd);
		return err == ENOENT ? 0 : -err;
	}
	while (!r && getdelim(&line, &cap, 0, f) > 0) {
		char temp[48];
		uint64_t id, ino;
		int kind, at = 0;
		if (!strcmp(line, "end"))
			r = 1;
		else if (line[0] == 'p') {
			char **v = reallocarray(c->paths, (size_t)c->n_paths + 1, sizeof(*v));
			if (v)
				c->paths = v;
			if (!v || !(c->paths[c->n_paths++] = strdup(line + 2)))
				r = -ENOMEM;
		} else if (sscanf(line, "s %d %" SCNu64 " %" SCNu64 " %47s%n", &kind, &id, &ino, temp, &at) == 4 &&
			   line[at] == ' ') {
			const struct layer_inode *i = id ? model_inode(c->m, id) : NULL;
			struct step *s = id && !i ? NULL : add_step(c, (enum step_kind)kind, line + at + 1, i);
			if (!s) {
				/* The layer has forgotten it: all was done but the end of the plan. */
				r = i || !id ? -ENOMEM : 2;
				break;
			}
			s->ino = ino;
			snprintf(s->temp, sizeof(s->temp), "%s", temp);
		}
	}
	fclose(f);
	return r ? r : -EBADMSG;
}

static int carry_out(struct commit *c);

static int apply(struct commit *c)
{
	int r;

	c->path[0] = '\0';
	r = stage_dir(c, c->m->root, 0);
	bool root_attrs = !c->n_paths && !(c->m->root->flags & JI_CLEAN);
	if (!r && root_attrs && !add_step(c, STEP_DIR, "", c->m->root))
		r = -ENOMEM;
	if (r) {
		remove_temps(c);
		return r;
	}
	AUTO_CLOSE int root = open_below(c->rootfd, "", O_RDONLY | O_DIRECTORY);
	/* The data before the names: after a loss of power no name may lead to half a file. */
	if (root < 0 || syncfs(root))
		return root < 0 ? root : -errno;
	r = write_plan(c);
	if (r) {
		remove_temps(c);
		return r;
	}
	return carry_out(c);
}

static int carry_out(struct commit *c)
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

/* --- The layer forgets what the host has --- */

static int forget(struct commit *c, struct layer_inode *dir, size_t len)
{
	struct layer_entry *e, *next;
	int r = 0;

	for (e = TAILQ_FIRST(&dir->children); e && !r; e = next) {
		size_t at = len;
		next = TAILQ_NEXT(e, sibling);
		if (at)
			c->path[at++] = '/';
		memcpy(c->path + at, e->name, e->len + 1U);
		if (path_selected(c->path, c->paths, c->n_paths)) {
			model_drop(c->m, e);
		} else if (e->child && S_ISDIR(e->child->mode) && path_above(c->path, c->paths, c->n_paths)) {
			struct layer_inode *i = e->child;
			if (!i->low) {
				i->low = strdup(c->path);
				i->stamp = calloc(1, sizeof(*i->stamp));
				i->flags |= JI_LOW;
				e->has = true;
				if (!i->low || !i->stamp)
					r = -ENOMEM;
			}
			if (!r)
				r = forget(c, i, at + e->len);
		}
		c->path[len] = '\0';
	}
	return r;
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
		c->total += ch->content && S_ISREG(ch->mode) ? (uint64_t)MAX(ch->size, 0) : 0;
		if (c->o->dry_run)
			printf("%c /%s%s%s\n", ch->kind, ch->from ? ch->from : "", ch->from ? " -> /" : "", ch->path);
	}
	return 0;
}

static void commit_end(struct commit *c)
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
}

/* The host has it: now the layer is without it. */
static int settle(struct commit *c)
{
	struct model none = {0};
	int r = 0;

	for (size_t k = 0; k < c->m->cap_inodes; k++)
		for (struct layer_inode *i = c->m->inodes[k]; i; i = i->hnext)
			free(take_ptr(i->priv));
	c->path[0] = '\0';
	if (c->n_paths)
		r = forget(c, c->m->root, 0);
	if (!r)
		r = layer_store_model(c->l, c->n_paths ? c->m : &none);
	if (!r && (unlinkat(c->l->dirfd, "plan", 0) || unlinkat(c->l->dirfd, "staging", 0)) && errno != ENOENT)
		r = -errno;
	return r;
}

/* An interrupted commit that had begun to change the host. */
static int finish_plan(struct commit *c)
{
	int r = read_plan(c);

	if (r == 1) {
		log_msg("finishing a commit of %s that was interrupted", c->l->name);
		r = carry_out(c);
		if (!r)
			r = settle(c);
	}
	if (r == 2) {
		unlinkat(c->l->dirfd, "plan", 0);
		unlinkat(c->l->dirfd, "staging", 0);
		r = 0;
	}
	commit_end(c);
	return r;
}

static int begin(struct commit *c)
{
	AUTO_CLOSE int mark = -1;

	c->after_crash = !faccessat(c->l->dirfd, "staging", F_OK, AT_SYMLINK_NOFOLLOW);
	mark = openat(c->l->dirfd, "staging", O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
	return mark < 0 ? -errno : apply(c);
}

int layer_commit(struct layer *l, const struct commit_options *o)
{
	AUTO_MODEL struct model m = {0};
	struct commit c = {.l = l, .m = &m, .o = o};
	struct stat st;
	int r = 0;

	c.tail = &c.steps;
	c.rootfd = open_root(l);
	if (fstat(c.rootfd, &st) || st.st_ino != l->meta.root_ino)
		die("the root %s of %s is not the directory that it was", l->meta.root, l->name);
	load_model_or_die(&m, l);
	if (!m.root && !unlinkat(l->dirfd, "plan", 0))
		unlinkat(l->dirfd, "staging", 0);
	if (m.root && !faccessat(l->dirfd, "plan", F_OK, AT_SYMLINK_NOFOLLOW)) {
		if (o->dry_run)
			die("a commit of %s was interrupted: run it again to finish it", l->name);
		r = finish_plan(&c);
		model_free(&m);
		if (!r)
			load_model_or_die(&m, l);
	}
	if (r || !m.root)
		goto out;
	c.paths = calloc((size_t)o->n_paths + 1, sizeof(char *));
	for (; c.paths && c.n_paths < o->n_paths; c.n_paths++)
		c.paths[c.n_paths] = strdup(o->paths[c.n_paths]);
	r = c.paths ? 0 : -ENOMEM;
	for (int n = -1; !r && c.n_paths && n != c.n_paths;) {
		n = c.n_paths;
		r = layer_changes(l, &m, c.rootfd, on_move, &c);
	}
	if (!r)
		r = layer_changes(l, &m, c.rootfd, on_change, &c);
	if (!r)
		r = commit_check(&c);
	if (!r && c.conflicts && !o->force) {
		log_msg("%u conflict%s: nothing was changed (--force applies the sandbox's version)", c.conflicts,
			c.conflicts == 1 ? "" : "s");
		commit_end(&c);
		close(c.rootfd);
		return 1;
	}
	if (!r && !o->dry_run) {
		r = begin(&c);
		if (!r)
			r = settle(&c);
		progress("commit", 0, 0);
	}
out:
	for (size_t k = 0; k < m.cap_inodes; k++)
		for (struct layer_inode *i = m.inodes[k]; i; i = i->hnext)
			free(take_ptr(i->priv));
	if (r && r != -ECANCELED)
		log_msg("commit: %s", strerror(-r));
	commit_end(&c);
	close(c.rootfd);
	return r ? CMD_FAILED : 0;
}

int commit_whole(struct layer *l, const struct commit_options *o)
{
	AUTO_LAYER struct layer whole = LAYER_INIT;
	int r;

	if (!l->meta.n_from)
		return layer_commit(l, o);
	r = below_flatten(l, &whole);
	if (!r && !o->dry_run)
		r = layer_exchange(l, &whole);
	if (r) {
		log_msg("commit: can't put %s and what it lies on together: %s", l->name, strerror(-r));
		return CMD_FAILED;
	}
	/* Now whole has the name, so that a commit that's interrupted is finished by it. */
	r = layer_commit(&whole, o);
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
		die("usage: %s", command_find("commit")->usage);
	open_layer_or_die(&l, argv[optind], LAYER_LOCK);
	o.paths = argv + optind + 1;
	o.n_paths = argc - optind - 1;
	path_filters(o.paths, o.n_paths);
	return commit_whole(&l, &o);
}
