/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd.c - what several subcommands need.
 */
#include "tools/cmd.h"

#include "base/log.h"
#include "tools/below.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

void open_layer_or_die(struct layer *l, const char *name, unsigned flags)
{
	if (!layer_name_ok(name))
		die("\"%s\" is not a sandbox's name: letters, digits, '-', '_' and '.', at most 64", name);
	int r = layer_open(l, name, flags, NULL);
	if (r == -ENOENT)
		die("there is no sandbox named %s; see sandbox ls", name);
	if (r == -EBUSY)
		die("sandbox %s is in use", name);
	if (r)
		die("can't open sandbox %s: %s", name, strerror(-r));
	if (flags & LAYER_LOCK)
		below_check_free(l);
}

static bool same_below(const struct layer_meta *a, const struct layer_meta *b)
{
	for (unsigned i = 0; i < a->n_from && i < b->n_from; i++)
		if (strcmp(a->from[i].name, b->from[i].name))
			return false;
	return a->n_from == b->n_from;
}

void create_layer_or_die(struct layer *l, const char *name, const char *dir, bool fakeroot, const char *from, bool new)
{
	struct stat st;

	if (new) {
		if (!layer_name_ok(name))
			die("\"%s\" is not a sandbox's name: letters, digits, '-', '_' and '.', at most 64", name);
		int there = layer_open(l, name, 0, NULL);
		layer_close(l);
		if (there != -ENOENT)
			die("%s: %s", name, strerror(there ? -there : EEXIST));
	}
	char *root = realpath(dir, NULL);

	if (!root || stat(root, &st))
		die("--root: %s: %m", dir);
	struct layer_meta meta = {
	    .root = root,
	    .root_dev = st.st_dev,
	    .root_ino = st.st_ino,
	    .fakeroot = fakeroot,
	    .host_uid = geteuid(),
	    .host_gid = getegid(),
	    .kuid = geteuid() ? 0 : launch_kuid(),
	    .created = time(NULL),
	};
	AUTO_BELOW struct below locked = {0};
	if (from) {
		below_parse(from, &meta);
		/* Nobody changes them from here on until l is there, whose meta says that it lies on them. */
		below_open(&locked, &(struct layer){.name = (char *)(uintptr_t)name, .meta = meta});
	}
	int r = layer_open(l, name, LAYER_CREATE | LAYER_LOCK, &meta);
	if (r == -EBUSY)
		die("sandbox %s is in use: another run has it; see sandbox ls", name);
	if (r)
		die("can't open sandbox %s: %s", name, strerror(-r));
	if (!faccessat(l->dirfd, "plan", F_OK, AT_SYMLINK_NOFOLLOW))
		die("a commit of %s was interrupted: sandbox commit %s finishes it", name, name);
	if (strcmp(l->meta.root, root))
		die("sandbox %s was made on the root %s, not on %s", name, l->meta.root, root);
	if (l->meta.fakeroot != fakeroot)
		die("sandbox %s was made %s --fakeroot", name, l->meta.fakeroot ? "with" : "without");
	if (from && !same_below(&l->meta, &meta)) {
		char text[256];
		below_text(&l->meta, text, sizeof(text));
		die("sandbox %s is there already and lies on %s, not on %s", name, l->meta.n_from ? text : "the root alone",
		    from);
	}
	below_check_free(l);
	layer_free_refs(&meta);
	free(root);
}

void load_model_or_die(struct model *m, const struct layer *l)
{
	int r = layer_load(l, m);

	if (r)
		die("can't read the journal of %s: %s", l->name, strerror(-r));
}

static void print_clean(FILE *f, const char *s, char keep)
{
	AUTO_FREE char *copy = xstrdup(s);

	log_clean(copy);
	for (char *p = copy; *p; p++)
		putc((unsigned char)*p < 32 && *p != keep ? '?' : *p, f);
}

void fprint_visible(FILE *f, const char *s)
{
	print_clean(f, s, 0);
}

void print_visible(const char *s)
{
	fprint_visible(stdout, s);
}

void print_lines(const char *s)
{
	print_clean(stdout, s, '\n');
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !n || (!strncmp(path, top, n) && (!path[n] || path[n] == '/'));
}

bool path_selected(const char *path, char *const *filters, int n)
{
	for (int i = 0; i < n; i++)
		if (is_below(path, filters[i]))
			return true;
	return !n;
}

bool path_above(const char *path, char *const *filters, int n)
{
	for (int i = 0; i < n; i++)
		if (is_below(filters[i], path))
			return true;
	return false;
}

void path_filters(char **filters, int n)
{
	for (int i = 0; i < n; i++) {
		char *s = filters[i], *o = s;
		for (const char *p = s; *p;) {
			size_t len = strcspn(p, "/");
			if (len == 2 && !memcmp(p, "..", 2))
				die("\"%s\" has a \"..\" component", filters[i]);
			if (len && !(len == 1 && *p == '.')) {
				if (o != s)
					*o++ = '/';
				memmove(o, p, len);
				o += len;
			}
			p += len;
			p += *p == '/';
		}
		*o = '\0';
	}
}

uid_t host_uid(const struct layer *l, uid_t uid)
{
	return l->meta.fakeroot && !uid ? l->meta.host_uid : uid;
}

gid_t host_gid(const struct layer *l, gid_t gid)
{
	return l->meta.fakeroot && !gid ? l->meta.host_gid : gid;
}

int open_root(const struct layer *l)
{
	int fd = open(l->meta.root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die("root of %s: %s: %m", l->name, l->meta.root);
	return fd;
}

int open_below(int rootfd, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, rootfd, *path ? path : ".", &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

bool progress_shown(void)
{
	static int tty = -1;

	if (tty < 0)
		tty = isatty(2);
	return tty;
}

void progress(const char *what, uint64_t done, uint64_t total)
{
	static struct timespec start, last;
	static bool shown;
	struct timespec now;
	char bar[31];

	if (!progress_shown())
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!total) {
		if (shown)
			fprintf(stderr, "\r\033[K");
		start = (struct timespec){0};
		shown = false;
		return;
	}
	if (!start.tv_sec)
		start = last = now;
	int64_t since = (now.tv_sec - last.tv_sec) * 1000 + (now.tv_nsec - last.tv_nsec) / 1000000;
	if (since < (shown ? 100 : 1000))
		return;
	last = now;
	shown = true;
	size_t n = (size_t)(MIN(done, total) * (sizeof(bar) - 1) / total);
	memset(bar, ' ', sizeof(bar) - 1);
	memset(bar, '#', n);
	bar[sizeof(bar) - 1] = '\0';
	fprintf(stderr, "\r%s [%s] %3u %%", what, bar, (unsigned)(MIN(done, total) * 100 / total));
}
