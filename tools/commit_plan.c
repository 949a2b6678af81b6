/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commit_plan.c - what a commit keeps in the layer's directory, so that one that was interrupted can be undone or finished.
 *
 *   staging  from before anything is made: the beginning of the temporary names. Alone, it means that the host has only such names more
 *            than before, and backing files may have the owner and mode that they'd have there: both are put right.
 *   plan     from the moment when all is made. From the first rename on, the lower that the layer was made on is not there any more,
 *            so the commit can't be begun anew, only be finished. One line a step, the paths that were asked for, and which journal
 *            it was: the layer forgets by a new one.
 */
#include "tools/commit.h"

#include "base/log.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define TOKEN_LEN (sizeof(COMMIT_TEMP) - 1 + 16 + 1) /* prefix, 16 digits, a dot */

/* --- The plan --- */

static int open_in(const struct commit *c, const char *name, int flags, FILE **f)
{
	int fd = openat(c->l->dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);

	*f = fd < 0 ? NULL : fdopen(fd, flags == O_RDONLY ? "r" : "w");
	if (*f)
		return 0;
	int err = errno;
	close_fd_(&fd);
	return -err;
}

static int sync_close(FILE *f)
{
	bool bad = fflush(f) || fsync(fileno(f));
	int err = errno;

	bad |= fclose(f) != 0;
	return bad ? -(err ? err : EIO) : 0;
}

int commit_write_plan(struct commit *c)
{
	struct stat st;
	FILE *f;
	int r = open_in(c, ".plan", O_WRONLY | O_CREAT | O_TRUNC, &f);

	if (r)
		return r;
	if (fstat(c->l->journalfd, &st)) {
		r = -errno;
		fclose(f);
		return r;
	}
	fprintf(f, "j %" PRIu64 " %" PRId64 "%c", (uint64_t)st.st_ino, (int64_t)st.st_size, 0);
	for (const struct step *s = c->steps; s; s = s->next)
		fprintf(f, "s %d %" PRIu64 " %" PRIu64 " %s %s%c", s->kind, s->i ? s->i->id : 0, s->ino,
			*s->temp ? s->temp : "-", s->path, 0);
	for (int i = 0; i < c->n_paths; i++)
		fprintf(f, "p %s%c", c->paths[i], 0);
	fprintf(f, "end%c", 0);
	r = sync_close(f);
	if (!r && (renameat(c->l->dirfd, ".plan", c->l->dirfd, "plan") || fsync(c->l->dirfd)))
		r = -errno;
	return r;
}

static int read_step(struct commit *c, const char *line)
{
	char temp[COMMIT_NAME_MAX];
	uint64_t id, ino;
	int kind, at = 0;

	_Static_assert(sizeof(temp) == 64, "the width below");
	if (sscanf(line, "s %d %" SCNu64 " %" SCNu64 " %63s%n", &kind, &id, &ino, temp, &at) != 4 || line[at] != ' ' ||
	    kind < STEP_PLACE || kind > STEP_DIR)
		return -EBADMSG;
	const struct layer_inode *i = id ? model_inode(c->m, id) : NULL;
	if (id && !i)
		return -EBADMSG;
	struct step *s = commit_step(c, (enum step_kind)kind, line + at + 1, i);
	if (!s)
		return -ENOMEM;
	s->ino = ino;
	memcpy(s->temp, temp, sizeof(temp));
	return 0;
}

/* 1: there is one; 2: there is, and the layer has forgotten what it was about. */
static int read_plan(struct commit *c)
{
	AUTO_FREE char *line = NULL;
	size_t cap = 0;
	struct stat st;
	bool whole = false;
	FILE *f;
	int r = open_in(c, "plan", O_RDONLY, &f);

	if (r)
		return r == -ENOENT ? 0 : r;
	if (fstat(c->l->journalfd, &st))
		r = -errno;
	while (!r && getdelim(&line, &cap, 0, f) > 0) {
		uint64_t ino;
		int64_t size;
		if (!strcmp(line, "end")) {
			whole = true;
		} else if (line[0] == 'p' && line[1] == ' ') {
			char **v = reallocarray(c->paths, (size_t)c->n_paths + 1, sizeof(*v));
			if (v)
				c->paths = v;
			if (!v || !(c->paths[c->n_paths++] = strdup(line + 2)))
				r = -ENOMEM;
		} else if (line[0] == 'j') {
			if (sscanf(line, "j %" SCNu64 " %" SCNd64, &ino, &size) != 2)
				r = -EBADMSG;
			else if (ino != st.st_ino || size != st.st_size)
				r = 2;
		} else {
			r = read_step(c, line);
		}
	}
	fclose(f);
	return r ? r : whole ? 1 : -EBADMSG;
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

static int drop(const struct commit *c, const char *name)
{
	return unlinkat(c->l->dirfd, name, 0) && errno != ENOENT ? -errno : 0;
}

int commit_settle(struct commit *c)
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
	if (!r)
		r = drop(c, "staging");
	return r ? r : drop(c, "plan");
}

int commit_finish(struct commit *c)
{
	int r = read_plan(c);

	if (r == 1) {
		log_msg("finishing a commit of %s that was interrupted", c->l->name);
		r = commit_carry_out(c);
		if (!r)
			r = commit_settle(c);
	} else if (r == 2) {
		/* But it may not have got to giving up what it had forgotten. */
		r = layer_sweep_store(c->l->storefd, c->m);
		if (!r)
			r = drop(c, "staging");
		if (!r)
			r = drop(c, "plan");
	}
	commit_end(c);
	return r;
}

/* --- Undoing --- */

int commit_mark(struct commit *c)
{
	uint64_t token;
	FILE *f;

	if (getrandom(&token, sizeof(token), 0) != sizeof(token))
		return -EIO;
	snprintf(c->temp, sizeof(c->temp), COMMIT_TEMP "%016" PRIx64 ".", token);
	int r = open_in(c, "staging", O_WRONLY | O_CREAT | O_TRUNC, &f);
	if (r)
		return r;
	fputs(c->temp, f);
	r = sync_close(f);
	return r ? r : fsync(c->l->dirfd) ? -errno : 0;
}

static bool read_mark(struct commit *c)
{
	AUTO_CLOSE int fd = openat(c->l->dirfd, "staging", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : pread(fd, c->temp, sizeof(c->temp) - 1, 0);

	c->temp[MAX(n, 0)] = '\0';
	return n == (ssize_t)TOKEN_LEN && !strncmp(c->temp, COMMIT_TEMP, sizeof(COMMIT_TEMP) - 1);
}

static void remove_temps(const struct commit *c, int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		close_fd_(&fd);
		return;
	}
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, c->temp, TOKEN_LEN) && commit_remove(fd, e->d_name))
			log_msg("can't remove %s, which a commit left", e->d_name);
	closedir(d);
}

/* Where staging has been: directories that are the host's own. */
static void clean_dir(struct commit *c, const struct layer_inode *dir, size_t len)
{
	AUTO_CLOSE int fd = open_below(c->rootfd, c->path, O_RDONLY | O_DIRECTORY);
	const struct layer_entry *e;

	if (fd < 0)
		return;
	remove_temps(c, fd);
	TAILQ_FOREACH(e, &dir->children, sibling)
	{
		size_t at = len;
		if (!e->child || !S_ISDIR(e->child->mode) || !entry_own(e) || len + e->len + 2 > sizeof(c->path))
			continue;
		if (at)
			c->path[at++] = '/';
		memcpy(c->path + at, e->name, e->len + 1U);
		clean_dir(c, e->child, at + e->len);
		c->path[len] = '\0';
	}
}

/* A backing file as the supervisor needs it. One that is still linked from elsewhere is copied: what is there is not for the sandbox. */
static int own_again(struct commit *c, const char *name, uid_t uid, gid_t gid)
{
	AUTO_CLOSE int fd = openat(c->l->storefd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	AUTO_CLOSE int copy = -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_nlink == 1 && st.st_uid == uid && (st.st_mode & 07777) == 0600))
		return 0;
	if (st.st_nlink > 1) {
		struct timespec ts[2] = {st.st_atim, st.st_mtim};
		copy = openat(c->l->storefd, ".copy", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (copy < 0)
			return -errno;
		int r = commit_copy(c, fd, copy);
		if (r)
			return r;
		if (fchown(copy, uid, gid) || futimens(copy, ts) || renameat(c->l->storefd, ".copy", c->l->storefd, name))
			return -errno;
		return 0;
	}
	return (st.st_uid != uid && fchown(fd, uid, gid)) || fchmod(fd, 0600) ? -errno : 0;
}

static int own_all(struct commit *c)
{
	int fd = openat(c->l->storefd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint32_t kuid = c->l->meta.kuid;
	struct dirent *e;

	if (!d) {
		r = -errno;
		close_fd_(&fd);
		return r;
	}
	while (!r && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			r = own_again(c, e->d_name, kuid ? kuid : geteuid(), kuid ? kuid : getegid());
	closedir(d);
	return r;
}

int commit_undo(struct layer *l)
{
	AUTO_MODEL struct model m = {0};
	AUTO_CLOSE int rootfd = -1;
	struct commit c = {.l = l, .m = &m, .dirfd = -1};

	if (faccessat(l->dirfd, "staging", F_OK, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	int r = layer_load(l, &m);
	if (r)
		return r;
	c.rootfd = rootfd = open(l->meta.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rootfd >= 0 && m.root && read_mark(&c))
		clean_dir(&c, m.root, 0);
	if (!faccessat(l->dirfd, "plan", F_OK, AT_SYMLINK_NOFOLLOW))
		return 0;
	r = own_all(&c);
	return r ? r : drop(&c, "staging");
}
