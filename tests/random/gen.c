/* SPDX-License-Identifier: Apache-2.0 */
/* gen.c - random operations and the lower tree they meet. Few names, so that operations hit each other's results. */
#include "fsrandom.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static uint64_t state = 1;

uint64_t rnd_next(void)
{
	state += 0x9e3779b97f4a7c15u;
	uint64_t z = state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}
unsigned rnd(unsigned n)
{
	return (unsigned)(rnd_next() % n);
}
void rnd_seed(uint64_t seed)
{
	state = seed * 0x2545f4914f6cdd1du + 12345;
}

#define PICK(v) ((v)[rnd(sizeof(v) / sizeof((v)[0]))])

static const char *const dirs[] = {"d0", "d1", "d2", "d3"};
static const char *const files[] = {"f0", "f1", "f2", "f3", "f4", "f5"};
static const char *const others[] = {"l0", "l1", "p0", "x0", "f0", "d4"};

static void random_path(char *s, size_t size)
{
	unsigned from = rnd(10);
	size_t n = 0;

	s[0] = '\0';
	if (from == 0 && rnd(2))
		n += (size_t)snprintf(s, size, "%u:", rnd(SLOTS));
	else if (from < 7)
		n += (size_t)snprintf(s, size, "/:");
	for (unsigned depth = rnd(4) % 3; depth; depth--) {
		n += (size_t)snprintf(s + n, size - n, "%s/", rnd(12) ? PICK(dirs) : PICK(others));
		if (!rnd(25))
			n += (size_t)snprintf(s + n, size - n, "%s", rnd(2) ? "./" : "../");
	}
	if (rnd(40) == 0 && (from || n > 2)) /* which of two errors comes first is no matter of a file system */
		return;                      /* empty, or a name that ends in a slash */
	unsigned k = rnd(10);
	n += (size_t)snprintf(s + n, size - n, "%s", k < 5 ? PICK(files) : k < 8 ? PICK(dirs) : PICK(others));
	if (!rnd(40))
		snprintf(s + n, size - n, "%s", rnd(3) ? "/" : "/.");
}

/* Every target names an entry below the link's own directory. So ".." after a name stays in the tree. */
static void random_target(char *s, size_t size)
{
	switch (rnd(5)) {
	case 0:
		snprintf(s, size, "%s", PICK(dirs));
		break;
	case 1:
		snprintf(s, size, "%s/%s", PICK(dirs), PICK(files));
		break;
	case 2:
		snprintf(s, size, "%s", PICK(others));
		break;
	default:
		snprintf(s, size, "%s", PICK(files));
	}
}

static int random_open_flags(void)
{
	static const int access[] = {O_RDONLY, O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
	static const int more[] = {O_CREAT, O_CREAT, O_TRUNC, O_APPEND, O_EXCL, O_NOFOLLOW, O_DIRECTORY, O_CREAT | O_TRUNC};
	int f = PICK(access);

	if (!rnd(12))
		return O_PATH | (rnd(2) ? O_NOFOLLOW : 0) | (rnd(3) ? 0 : O_DIRECTORY);
	if (!rnd(12))
		return O_TMPFILE | (rnd(8) ? O_RDWR : O_RDONLY) | (rnd(4) ? 0 : O_EXCL);
	if (!rnd(6))
		return O_RDONLY | O_DIRECTORY;
	for (unsigned k = rnd(3); k; k--)
		f |= PICK(more);
	return f;
}

static long random_size(void)
{
	static const long sizes[] = {0, 1, 100, 4095, 4096, 4097, 8192, 10000, 65536, 70000, 131072};

	return rnd(3) ? PICK(sizes) : (long)rnd(150000);
}

static void random_arg(char kind, struct arg *a, bool root)
{
	static const int modes[] = {0644, 0600, 0755, 0777, 0700, 0444, 0, 0555, 01777, 02775};
	static const int owners[] = {0, 1000, 1001, -1};
	static const int fallocs[] = {0, 1, 3, 3, 3};

	a->n = 0;
	switch (kind) {
	case 'p':
		random_path(a->s, sizeof(a->s));
		break;
	case 't':
		random_target(a->s, sizeof(a->s));
		break;
	case 'x': /* name of an attribute */
		snprintf(a->s, sizeof(a->s), "%s.%c", rnd(8) ? "user" : "trusted", 'a' + rnd(4));
		break;
	case 's':
		a->n = rnd(SLOTS);
		break;
	case 'k':
		a->n = rnd(MAPS);
		break;
	case 'm':
		a->n = PICK(modes);
		break;
	case 'o':
		a->n = random_open_flags();
		break;
	case 'b': /* bytes, offset */
		a->n = random_size();
		break;
	case 'u':
		a->n = root || !rnd(4) ? PICK(owners) : -1;
		break;
	case 'T': /* the past, now, or not at all */
		a->n = rnd(8) ? 1000000000 + (long)rnd(100) * 1001 : rnd(2) ? -1 : -2;
		break;
	case 'r':
		a->n = rnd(3) ? 0 : 1 + rnd(2);
		break;
	case 'h':
		a->n = PICK(fallocs);
		break;
	case 'v':
		a->n = rnd(1000);
		break;
	default:
		a->n = rnd(4);
	}
}

void gen_ops(struct ops *ops, uint64_t seed, size_t n, bool root)
{
	unsigned sum = 0;

	rnd_seed(seed);
	for (const struct opdef *d = opdefs; d->name; d++)
		sum += (unsigned)d->weight;
	*ops = (struct ops){.v = calloc(n, sizeof(struct op)), .n = n, .tree = seed};
	for (size_t i = 0; i < n; i++) {
		struct op *o = &ops->v[i];
		int k = (int)rnd(sum);
		o->proc = (int)rnd(PROCS);
		for (o->def = opdefs; k >= o->def->weight; o->def++)
			k -= o->def->weight;
		for (int j = 0; o->def->args[j]; j++)
			random_arg(o->def->args[j], &o->a[j], root);
	}
}

void op_print(const struct op *o, FILE *f)
{
	fprintf(f, "%d %s", o->proc, o->def->name);
	for (int j = 0; o->def->args[j]; j++) {
		if (strchr("ptx", o->def->args[j]))
			fprintf(f, " \"%s\"", o->a[j].s);
		else
			fprintf(f, strchr("mo", o->def->args[j]) ? " 0%lo" : " %ld", o->a[j].n);
	}
	fputc('\n', f);
}

void ops_write(const struct ops *ops, FILE *f)
{
	fprintf(f, "tree %lu\n", ops->tree);
	for (size_t i = 0; i < ops->n; i++)
		op_print(&ops->v[i], f);
}

int ops_read(struct ops *ops, const char *file)
{
	FILE *f = fopen(file, "r");
	char line[1024];

	if (!f)
		err(2, "%s", file);
	*ops = (struct ops){0};
	while (fgets(line, sizeof(line), f)) {
		struct op o = {0};
		char name[32], *p = line;
		int used = 0;
		if (*line == '#' || *line == '\n' || sscanf(line, "tree %lu", &ops->tree) == 1)
			continue;
		if (sscanf(line, "%d %31s%n", &o.proc, name, &used) != 2 || o.proc < 0 || o.proc >= PROCS)
			errx(2, "%s: %s", file, line);
		for (o.def = opdefs; o.def->name && strcmp(o.def->name, name); o.def++)
			;
		if (!o.def->name)
			errx(2, "%s: no operation %s", file, name);
		p += used;
		for (int j = 0; o.def->args[j]; j++) {
			if (strchr("ptx", o.def->args[j])) {
				char *from = strchr(p, '"'), *to = from ? strchr(from + 1, '"') : NULL;
				if (!to || (size_t)(to - from) > sizeof(o.a[j].s))
					errx(2, "%s: %s", file, line);
				memcpy(o.a[j].s, from + 1, (size_t)(to - from - 1));
				p = to + 1;
			} else {
				o.a[j].n = strtol(p, &p, 0);
			}
		}
		if (!(ops->n & (ops->n + 1023) & 1023))
			ops->v = realloc(ops->v, (ops->n + 1024) * sizeof(o));
		ops->v[ops->n++] = o;
	}
	fclose(f);
	return 0;
}

/* The lower tree. Modes, owners and times come last, from the leaves up. */
static void make_file(const char *path)
{
	static const int sizes[] = {0, 1, 100, 4096, 10000, 70000, 200000};
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644), size = PICK(sizes);
	char *buf = malloc((size_t)size + 1);

	if (fd < 0)
		err(2, "%s", path);
	for (int i = 0; i < size; i++)
		buf[i] = (char)('a' + (i / 7 + size) % 26);
	if (!rnd(4)) { /* with a hole in front and one behind */
		if (pwrite(fd, buf, (size_t)size, 65536) != size || ftruncate(fd, 65536 * 2 + size))
			err(2, "%s", path);
	} else if (write(fd, buf, (size_t)size) != size) {
		err(2, "%s", path);
	}
	if (!rnd(3))
		fsetxattr(fd, "user.a", "lower", 5, 0);
	if (!rnd(6))
		fsetxattr(fd, "user.b", "other", 5, 0);
	free(buf);
	close(fd);
}

static void finish_one(const char *path, bool top)
{
	static const int modes[] = {0644, 0600, 0666, 0444, 0, 0755};
	static const int dmodes[] = {0755, 0777, 0700, 01777, 02775, 0555};
	struct timespec ts[2] = {{1000000000, 5}, {1000000000 + rnd(1000), rnd(1000)}};
	int readable =
	    geteuid() ? 0400 : 0; /* what the caller can't read on the host stays unreadable inside after a chmod */
	struct stat st;

	if (lstat(path, &st))
		err(2, "%s", path);
	if (!geteuid() && !top && !rnd(3) && lchown(path, 1000 + rnd(2), 1000))
		err(2, "%s", path);
	if (!S_ISLNK(st.st_mode) && chmod(path, (mode_t)(top                   ? 0777
							 : S_ISDIR(st.st_mode) ? PICK(dmodes)
									       : PICK(modes) | readable)))
		err(2, "%s", path);
	if (utimensat(AT_FDCWD, path, ts, AT_SYMLINK_NOFOLLOW))
		err(2, "%s", path);
}

static void fill(const char *dir, int depth)
{
	char p[512], q[512];

	for (size_t i = 0; depth && i < 4; i++) {
		snprintf(p, sizeof(p), "%s/%s", dir, dirs[i]);
		if (!rnd(4))
			continue;
		if (mkdir(p, 0755))
			err(2, "%s", p);
		fill(p, depth - 1);
	}
	for (size_t i = 0; i < 6; i++) {
		snprintf(p, sizeof(p), "%s/%s", dir, files[i]);
		switch (rnd(8)) {
		case 0:
			break;
		case 1:
			if (symlink(rnd(2) ? "d0" : "f1", p))
				err(2, "%s", p);
			break;
		case 2: /* linked to another of this directory */
			snprintf(q, sizeof(q), "%s/%s", dir, files[0]);
			if (!i || link(q, p))
				make_file(p);
			break;
		default:
			make_file(p);
		}
	}
	snprintf(p, sizeof(p), "%s/p0", dir);
	if (!rnd(2) && mkfifo(p, 0644))
		err(2, "%s", p);
	snprintf(p, sizeof(p), "%s/l0", dir);
	if (symlink(PICK(dirs), p))
		err(2, "%s", p);
	for (size_t i = 0; i < 6; i++) {
		snprintf(p, sizeof(p), "%s/%s", dir, files[i]);
		if (!access(p, F_OK) || errno != ENOENT)
			finish_one(p, false);
	}
	for (size_t i = 0; depth && i < 4; i++) {
		snprintf(p, sizeof(p), "%s/%s", dir, dirs[i]);
		if (!access(p, F_OK))
			finish_one(p, false);
	}
}

void gen_tree(const char *dir, uint64_t seed)
{
	char p[512];

	rnd_seed(seed ^ 0x7ee);
	umask(0);
	if (mkdir(dir, 0777))
		err(2, "%s", dir);
	fill(dir, 2);
	snprintf(p, sizeof(p), "%s/d4", dir);
	if (mkdir(p, 0755))
		err(2, "%s", p);
	for (int i = 0; i < 60; i++) {
		snprintf(p, sizeof(p), "%s/d4/many%d", dir, i);
		make_file(p);
		finish_one(p, false);
	}
	snprintf(p, sizeof(p), "%s/d4", dir);
	finish_one(p, false);
	finish_one(dir, true);
	umask(022);
}
