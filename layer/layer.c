/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer.c - see layer.h. A layer appears by a rename of a finished directory and disappears by one to a name with a dot.
 */
#include "layer/layer.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <time.h>

bool layer_name_ok(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > 64 || !isalnum((unsigned char)s[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.')
			return false;
	return true;
}

static int make_parents(char *path)
{
	for (char *p = path + 1;; p++) {
		if (*p && *p != '/')
			continue;
		char c = *p;
		*p = '\0';
		int r = mkdir(path, 0700);
		*p = c;
		if (r && errno != EEXIST && errno != EROFS && errno != EACCES)
			return -errno;
		if (!c)
			return 0;
	}
}

static int open_state(bool make, char *path)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	struct stat st;
	int n;

	if (!geteuid())
		n = snprintf(path, PATH_MAX, "/var/lib/sandbox");
	else if (xdg && xdg[0] == '/')
		n = snprintf(path, PATH_MAX, "%s/sandbox", xdg);
	else if (home && home[0] == '/')
		n = snprintf(path, PATH_MAX, "%s/.local/state/sandbox", home);
	else
		return -ENOENT;
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	int r = make ? make_parents(path) : 0;
	if (r)
		return r;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* Somebody else's directory could be made to hold anything. */
	if (fstat(fd, &st) || st.st_uid != geteuid() || (st.st_mode & 022)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

static int random_name(char *buf, size_t size, const char *prefix)
{
	uint64_t v;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		return -EIO;
	snprintf(buf, size, "%s%016" PRIx64, prefix, v);
	return 0;
}

/* --- meta: lines of key=value, a line break or % in a value as %XX. --- */

static void put_value(FILE *f, const char *key, const char *v)
{
	fprintf(f, "%s=", key);
	for (; *v; v++) {
		if (*v == '%' || *v == '\n')
			fprintf(f, "%%%02X", (unsigned char)*v);
		else
			fputc(*v, f);
	}
	fputc('\n', f);
}

static char *get_value(const char *s)
{
	char *out = malloc(strlen(s) + 1), *o = out;

	for (; out && *s; s++) {
		unsigned v;
		if (*s == '%' && isxdigit((unsigned char)s[1]) && isxdigit((unsigned char)s[2]) &&
		    sscanf(s + 1, "%2x", &v) == 1 && v) {
			*o++ = (char)v;
			s += 2;
		} else {
			*o++ = *s;
		}
	}
	if (out)
		*o = '\0';
	return out;
}

void layer_free_refs(struct layer_meta *m)
{
	for (unsigned i = 0; i < m->n_from; i++)
		free(m->from[i].name);
	free(take_ptr(m->from));
	m->n_from = 0;
}

int layer_add_ref(struct layer_meta *m, const struct layer_ref *r)
{
	struct layer_ref *v = reallocarray(m->from, m->n_from + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	m->from = v;
	v[m->n_from] = *r;
	v[m->n_from].name = strdup(r->name);
	return v[m->n_from].name && ++m->n_from ? 0 : -ENOMEM;
}

static int read_ref(struct layer_meta *m, char *v)
{
	struct layer_ref r = {.name = v};
	char *end = strchr(v, ' ');

	if (!end)
		return -EBADMSG;
	*end++ = '\0';
	if (!layer_name_ok(v) || sscanf(end, "%" SCNu64 " %" SCNu64, &r.id, &r.generation) != 2)
		return -EBADMSG;
	return layer_add_ref(m, &r);
}

static int write_meta_at(int dirfd, const struct layer_meta *m)
{
	int fd = openat(dirfd, ".meta", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f) {
		int err = errno;
		if (fd >= 0)
			close(fd);
		return -err;
	}
	fprintf(f, "version=1\n");
	put_value(f, "root", m->root);
	if (m->file)
		put_value(f, "file", m->file);
	if (m->dst)
		put_value(f, "dst", m->dst);
	fprintf(f,
		"root_dev=%" PRIu64 "\nroot_ino=%" PRIu64
		"\nfakeroot=%d\nhost_uid=%u\nhost_gid=%u\nkuid=%u\ncreated=%" PRId64 "\n",
		m->root_dev, m->root_ino, m->fakeroot, m->host_uid, m->host_gid, m->kuid, m->created);
	fprintf(f, "id=%" PRIu64 "\ngeneration=%" PRIu64 "\n", m->id, m->generation);
	for (unsigned i = 0; i < m->n_from; i++)
		fprintf(f, "from=%s %" PRIu64 " %" PRIu64 "\n", m->from[i].name, m->from[i].id, m->from[i].generation);
	if (m->command)
		put_value(f, "command", m->command);
	bool bad = fflush(f) || fsync(fileno(f));
	bad |= fclose(f) != 0;
	if (bad || renameat(dirfd, ".meta", dirfd, "meta"))
		return errno ? -errno : -EIO;
	return 0;
}

int layer_write_meta(struct layer *l)
{
	return write_meta_at(l->dirfd, &l->meta);
}

static void free_meta(struct layer_meta *m)
{
	free(m->root);
	free(m->file);
	free(m->dst);
	free(m->command);
	layer_free_refs(m);
	*m = (struct layer_meta){0};
}

static int read_meta(int dirfd, struct layer_meta *m)
{
	int fd = openat(dirfd, "meta", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	AUTO_FREE char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int version = 0, r = 0;

	if (!f) {
		int err = errno;
		if (fd >= 0)
			close(fd);
		return -err;
	}
	while ((n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		char *v = strchr(line, '=');
		if (!v)
			continue;
		*v++ = '\0';
		uint64_t u = strtoull(v, NULL, 10);
		if (!strcmp(line, "version"))
			version = (int)u;
		else if (!strcmp(line, "root")) {
			free(m->root);
			m->root = get_value(v);
		} else if (!strcmp(line, "file")) {
			free(m->file);
			m->file = get_value(v);
		} else if (!strcmp(line, "dst")) {
			free(m->dst);
			m->dst = get_value(v);
		} else if (!strcmp(line, "command")) {
			free(m->command);
			m->command = get_value(v);
		} else if (!strcmp(line, "root_dev"))
			m->root_dev = u;
		else if (!strcmp(line, "root_ino"))
			m->root_ino = u;
		else if (!strcmp(line, "fakeroot"))
			m->fakeroot = u;
		else if (!strcmp(line, "host_uid"))
			m->host_uid = (uid_t)u;
		else if (!strcmp(line, "host_gid"))
			m->host_gid = (gid_t)u;
		else if (!strcmp(line, "kuid"))
			m->kuid = (uint32_t)u;
		else if (!strcmp(line, "created"))
			m->created = (int64_t)u;
		else if (!strcmp(line, "id"))
			m->id = u;
		else if (!strcmp(line, "generation"))
			m->generation = u;
		else if (!strcmp(line, "from"))
			r = r ? r : read_ref(m, v);
	}
	fclose(f);
	if (!m->id) /* made before there were ids */
		m->id = (uint64_t)m->created;
	return r ? r : version == 1 && m->root ? 0 : -EBADMSG;
}

/* --- Making and opening --- */

/* Everything in a directory of its own, ready to be renamed. */
static int build(int statefd, const char *tmp, const struct layer_meta *meta)
{
	struct jbuf b = JBUF_INIT;
	AUTO_CLOSE int dir = -1;
	AUTO_CLOSE int data = -1;
	AUTO_CLOSE int journal = -1;
	AUTO_CLOSE int lock = -1;
	int r;

	if (mkdirat(statefd, tmp, 0700))
		return -errno;
	dir = openat(statefd, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	r = write_meta_at(dir, meta);
	if (r)
		return r;
	lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0 || mkdirat(dir, "data", 0700))
		return -errno;
	data = openat(dir, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (data < 0 || mkdirat(data, "store", 0700))
		return -errno;
	journal = openat(data, "journal", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (journal < 0)
		return -errno;
	jbuf_head(&b);
	r = b.fail ? -ENOMEM : journal_write(journal, b.p, b.len, 0);
	jbuf_free(&b);
	if (r)
		return r;
	if (meta->kuid && (fchown(journal, meta->kuid, meta->kuid) || fchownat(data, "store", meta->kuid, meta->kuid, 0) ||
			   fchown(data, meta->kuid, meta->kuid)))
		return -errno;
	if (fsync(journal) || fsync(data) || fsync(dir))
		return -errno;
	return 0;
}

/* Directories are emptied one at a time from a stack of descriptors' names; a store is flat, so the depth here is small. */
static int remove_at(int dirfd, const char *name, int depth)
{
	struct dirent *e;
	int r = 0;

	if (!unlinkat(dirfd, name, 0))
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth > 8)
		return -ELOOP;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (!r && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			r = remove_at(fd, e->d_name, depth + 1);
	closedir(d);
	if (!r && unlinkat(dirfd, name, AT_REMOVEDIR))
		r = -errno;
	return r;
}

static int remove_tree(int dirfd, const char *name)
{
	return remove_at(dirfd, name, 0);
}

static int create(struct layer *l, const char *name, const struct layer_meta *meta)
{
	struct layer_meta m = *meta;
	char tmp[64];
	int r = random_name(tmp, sizeof(tmp), ".new-");

	if (!r && !m.id && getrandom(&m.id, sizeof(m.id), 0) != sizeof(m.id))
		r = -EIO;
	if (r)
		return r;
	r = build(l->statefd, tmp, &m);
	if (r == -EINVAL && m.kuid) {
		/* A user namespace that doesn't reach so far: as the launcher does, one id for all. */
		m.kuid = 0;
		(void)!remove_tree(l->statefd, tmp);
		r = build(l->statefd, tmp, &m);
	}
	if (!r && renameat2(l->statefd, tmp, l->statefd, name, RENAME_NOREPLACE) && errno != EEXIST)
		r = -errno;
	if (!r)
		fsync(l->statefd);
	/* Gone if the rename worked. */
	if (r || !faccessat(l->statefd, tmp, F_OK, AT_SYMLINK_NOFOLLOW))
		(void)!remove_tree(l->statefd, tmp);
	return r;
}

static int take_lock(struct layer *l, int op)
{
	struct stat a, b;
	int fd = openat(l->dirfd, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (flock(fd, op | LOCK_NB)) {
		int err = errno;
		close(fd);
		return err == EWOULDBLOCK ? -EBUSY : -err;
	}
	l->lockfd = fd;
	/* Discarded between open and lock? */
	if (fstat(l->dirfd, &a) || fstatat(l->statefd, l->name, &b, AT_SYMLINK_NOFOLLOW) || a.st_ino != b.st_ino)
		return -ENOENT;
	return 0;
}

enum layer_use layer_use(const struct layer *l)
{
	AUTO_CLOSE int fd = openat(l->dirfd, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
		return LAYER_FREE;
	return flock(fd, LOCK_SH | LOCK_NB) ? LAYER_RUNNING : LAYER_SHARED;
}

int layer_open(struct layer *l, const char *name, unsigned flags, const struct layer_meta *meta)
{
	AUTO_FREE char *state = malloc(PATH_MAX);
	int r;

	*l = LAYER_INIT;
	l->name = strdup(name);
	if (!state || !l->name)
		return -ENOMEM;
	l->statefd = open_state(flags & LAYER_CREATE, state);
	if (l->statefd < 0)
		return l->statefd;
	if (asprintf(&l->path, "%s/%s", state, name) < 0) {
		l->path = NULL;
		return -ENOMEM;
	}
	l->dirfd = openat(l->statefd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (l->dirfd < 0 && errno == ENOENT && (flags & LAYER_CREATE)) {
		r = create(l, name, meta);
		if (r)
			return r;
		l->dirfd = openat(l->statefd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (l->dirfd < 0)
		return -errno;
	if (flags & (LAYER_LOCK | LAYER_SHARE)) {
		r = take_lock(l, flags & LAYER_LOCK ? LOCK_EX : LOCK_SH);
		if (r)
			return r;
	}
	r = read_meta(l->dirfd, &l->meta);
	if (r)
		return r;
	l->datafd = openat(l->dirfd, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (l->datafd < 0)
		return -errno;
	l->storefd = openat(l->datafd, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	l->journalfd =
	    openat(l->datafd, "journal", (flags & LAYER_SHARE ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return l->storefd < 0 || l->journalfd < 0 ? -errno : 0;
}

static void close_if(int *fd)
{
	close_fd_(fd);
	*fd = -1;
}

void layer_leave(struct layer *l)
{
	close_if(&l->storefd);
	close_if(&l->datafd);
	close_if(&l->dirfd);
	close_if(&l->statefd);
}

void layer_close(struct layer *l)
{
	layer_leave(l);
	close_if(&l->journalfd);
	close_if(&l->lockfd);
	free(take_ptr(l->name));
	free(take_ptr(l->path));
	free_meta(&l->meta);
}

int layer_rename(struct layer *l, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	if (renameat2(l->statefd, l->name, l->statefd, name, RENAME_NOREPLACE)) {
		int err = errno;
		free(copy);
		return -err;
	}
	fsync(l->statefd);
	free(l->name);
	l->name = copy;
	return 0;
}

int layer_exchange(struct layer *a, struct layer *b)
{
	if (renameat2(a->statefd, a->name, a->statefd, b->name, RENAME_EXCHANGE))
		return -errno;
	fsync(a->statefd);
	char *name = a->name, *path = a->path;
	a->name = b->name;
	a->path = b->path;
	b->name = name;
	b->path = path;
	return 0;
}

/* --- Layers on layers --- */

int layer_check_ref(const struct layer *l, const struct layer_ref *r)
{
	return l->meta.id == r->id && l->meta.generation == r->generation ? 0 : -ESTALE;
}

int layer_dependent(const char *name, char **who)
{
	char **names;
	size_t n;
	int r = layer_list(&names, &n);

	*who = NULL;
	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		AUTO_LAYER struct layer l = LAYER_INIT;
		/* One that can't be read has nobody who could run it. */
		if (!*who && names[i] && !layer_open(&l, names[i], 0, NULL))
			for (unsigned k = 0; k < l.meta.n_from && !*who; k++)
				if (!strcmp(l.meta.from[k].name, name))
					*who = strdup(names[i]);
		free(names[i]);
	}
	free(names);
	return 0;
}

/* --- Removing --- */

int layer_discard(struct layer *l)
{
	char gone[64];
	int r = random_name(gone, sizeof(gone), ".gone-");

	if (r)
		return r;
	if (renameat(l->statefd, l->name, l->statefd, gone))
		return -errno;
	return remove_tree(l->statefd, gone);
}

int layer_list(char ***names, size_t *n)
{
	AUTO_FREE char *path = malloc(PATH_MAX);
	int fd = path ? open_state(false, path) : -ENOMEM;
	struct dirent **list;

	*names = NULL;
	*n = 0;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	int k = scandirat(fd, ".", &list, NULL, alphasort);
	close(fd);
	if (k < 0)
		return -errno;
	*names = calloc((size_t)k + 1, sizeof(char *));
	for (int i = 0; i < k; i++) {
		if (*names && layer_name_ok(list[i]->d_name))
			(*names)[(*n)++] = strdup(list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return *names ? 0 : -ENOMEM;
}

int layer_gc(void)
{
	AUTO_FREE char *path = malloc(PATH_MAX);
	AUTO_CLOSE int fd = path ? open_state(false, path) : -ENOMEM;
	struct dirent **list;
	int count = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	int k = scandirat(fd, ".", &list, NULL, alphasort);
	if (k < 0)
		return -errno;
	for (int i = 0; i < k; i++) {
		const char *name = list[i]->d_name;
		if (!strncmp(name, ".gone-", 6) || !strncmp(name, ".new-", 5) || !strncmp(name, ".run-", 5)) {
			AUTO_CLOSE int dir = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			AUTO_CLOSE int lock = dir < 0 ? -1 : openat(dir, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
			/* A run holds the lock of its layer; nobody has that of one being made, for an instant. */
			struct stat st;
			bool young =
			    dir >= 0 && (lock < 0 || name[1] == 'n') && !fstat(dir, &st) && time(NULL) - st.st_mtime < 60;
			if (!young && (lock < 0 || !flock(lock, LOCK_EX | LOCK_NB)) && !remove_tree(fd, name))
				count++;
		}
		free(list[i]);
	}
	free(list);
	return count;
}

/* --- Store --- */

int layer_open_back(int storefd, uint64_t id, int flags)
{
	char name[24];
	struct stat st;

	snprintf(name, sizeof(name), "%" PRIu64, id);
	int fd = openat(storefd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EBADMSG;
	}
	return fd;
}

int layer_stat_back(int storefd, uint64_t id, struct stat *st)
{
	char name[24];

	snprintf(name, sizeof(name), "%" PRIu64, id);
	return fstatat(storefd, name, st, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int layer_sweep_store(int storefd, const struct model *m)
{
	AUTO_FREE uint64_t *ids = malloc((m->n_inodes + 1) * sizeof(*ids));
	size_t n = 0;
	struct dirent *e;

	if (!ids)
		return -ENOMEM;
	for (size_t k = 0; k < m->cap_inodes; k++)
		for (const struct layer_inode *i = m->inodes[k]; i; i = i->hnext)
			if (i->back)
				ids[n++] = i->back;
	qsort(ids, n, sizeof(*ids), by_id);
	int fd = openat(storefd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int err = errno;
		if (fd >= 0)
			close(fd);
		return -err;
	}
	while ((e = readdir(d))) {
		char *end;
		uint64_t id = strtoull(e->d_name, &end, 10);
		if (!isdigit((unsigned char)e->d_name[0]) || *end)
			continue;
		if (!bsearch(&id, ids, n, sizeof(*ids), by_id))
			unlinkat(storefd, e->d_name, 0);
	}
	closedir(d);
	return 0;
}

int layer_store_model(struct layer *l, const struct model *m)
{
	AUTO_CLOSE int fd = openat(l->datafd, ".journal", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	uint64_t seq;
	off_t end;
	int r;

	if (fd < 0)
		return -errno;
	if (l->meta.kuid && fchown(fd, l->meta.kuid, l->meta.kuid))
		return -errno;
	r = model_write(m, fd, &end, &seq);
	if (r)
		return r;
	if (renameat(l->datafd, ".journal", l->datafd, "journal") || fsync(l->datafd))
		return -errno;
	close(l->journalfd);
	l->journalfd = take_fd(&fd);
	return layer_sweep_store(l->storefd, m);
}
