/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_diff.c - sandbox diff: the changes of a kept layer as a list, as text, as counts or as JSON.
 */
#include "tools/cmd.h"

#include "base/log.h"
#include "tools/below.h"
#include "tools/binds.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

struct diff {
	struct layer *l;
	struct below below;
	struct model base; /* what those show */
	int rootfd;
	bool text, stat, json, colour, all;
	char **paths;
	int n_paths;
	uint64_t n[256], bytes;
	bool any, failed;
};

static const char *colour_of(const struct diff *d, char kind)
{
	if (!d->colour)
		return "";
	return kind == 'A' ? "\033[32m" : kind == 'D' ? "\033[31m" : kind == 'M' ? "\033[33m" : "\033[36m";
}

/* Names are the sandboxed program's choice and terminals obey control characters. */
static void print_path(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < 32 || *s == 127 || *s == '\\')
			printf("\\%03o", (unsigned char)*s);
		else
			putchar(*s);
	}
}

static void mode_text(uint32_t m, char out[11])
{
	static const char types[] = {[1] = 'p', [2] = 'c', [4] = 'd', [6] = 'b', [8] = '-', [10] = 'l', [12] = 's'};
	unsigned t = (m & S_IFMT) >> 12;

	out[0] = t < sizeof(types) && types[t] ? types[t] : '?';
	for (int i = 0; i < 9; i++)
		out[1 + i] = m & (0400U >> i) ? "rwxrwxrwx"[i] : '-';
	if (m & S_ISUID)
		out[3] = m & 0100 ? 's' : 'S';
	if (m & S_ISGID)
		out[6] = m & 010 ? 's' : 'S';
	if (m & S_ISVTX)
		out[9] = m & 1 ? 't' : 'T';
	out[10] = '\0';
}

static void print_line(const struct diff *d, const struct change *c)
{
	char mode[11] = "?";

	if (c->mode)
		mode_text(c->mode, mode);
	printf("%s%c%s %-10s ", colour_of(d, c->kind), c->kind, d->colour ? "\033[0m" : "", mode);
	if (c->mode)
		printf("%u:%u %" PRId64 " ", c->uid, c->gid, c->size);
	else
		printf("- - ");
	AUTO_FREE char *path = layer_shown(d->l, c->path);
	if (c->from) {
		AUTO_FREE char *from = layer_shown(d->l, c->from);
		print_path(from);
		printf(" -> ");
	}
	print_path(path);
	if (c->dir && *c->path)
		putchar('/');
	putchar('\n');
}

static int print_json(const struct diff *d, const struct change *c)
{
	char kind[2] = {c->kind, 0};
	AUTO_FREE char *path = layer_shown(d->l, c->path);
	AUTO_FREE char *from = c->from ? layer_shown(d->l, c->from) : NULL;

	/* Names are bytes; JSON is UTF-8. Others as \\xNN in a key of its own name. */
	json_t *p = json_string(path), *f = from ? json_string(from) : NULL;
	if (!p) {
		char hex[8193];
		size_t n = 0;
		for (const char *s = path; *s && n + 2 < sizeof(hex); s++)
			n += (size_t)snprintf(hex + n, sizeof(hex) - n, "%02x", (unsigned char)*s);
		p = json_string(hex);
	}
	json_t *o = json_pack("{s:s, s:o}", "change", kind, json_string(path) ? "path" : "path_hex", p);
	if (f)
		json_object_set_new(o, "from", f);
	if (d->l->meta.dst)
		json_object_set_new(o, "bind", json_string(d->l->meta.dst));
	if (c->mode) {
		json_object_set_new(o, "mode", json_integer(c->mode));
		json_object_set_new(o, "uid", json_integer(c->uid));
		json_object_set_new(o, "gid", json_integer(c->gid));
		json_object_set_new(o, "size", json_integer(c->size));
	}
	if (o)
		json_dumpf(o, stdout, JSON_COMPACT);
	json_decref(o);
	putchar('\n');
	return 0;
}

static int open_old(const struct diff *d, const struct change *c)
{
	struct stat st;
	const char *path = c->from ? c->from : c->path;
	int fd = c->kind == 'A' ? -ENOENT : below_read(&d->below, &d->base, d->rootfd, path);

	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -ENOENT;
	}
	return fd >= 0 ? fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int open_new(const struct diff *d, const struct change *c)
{
	const struct layer_inode *i = c->e ? c->e->child : NULL;
	int fd = -ENOENT;

	if (i && i->back && S_ISREG(i->mode))
		fd = layer_open_back(d->l->storefd, i->back, O_RDONLY);
	else if (i && i->low && S_ISREG(i->mode))
		fd = below_read(&d->below, &d->base, d->rootfd, i->low);
	return fd >= 0 ? fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* diff(1) on two descriptors. */
static int print_text(const struct diff *d, const struct change *c)
{
	AUTO_CLOSE int a = open_old(d, c);
	AUTO_CLOSE int b = open_new(d, c);
	posix_spawn_file_actions_t act;
	pid_t pid;
	int status, r;

	if (c->dir || (c->mode && !S_ISREG(c->mode)))
		return 0;
	if (a < 0 || b < 0)
		return -errno;
	AUTO_FREE char *from = layer_shown(d->l, c->from ? c->from : c->path);
	AUTO_FREE char *to = layer_shown(d->l, c->path);
	AUTO_FREE char *la = xasprintf("a%s", from);
	AUTO_FREE char *lb = xasprintf("b%s", to);
	char *argv[] = {(char *)(uintptr_t) "diff",
			(char *)(uintptr_t) "-u",
			(char *)(uintptr_t)(d->colour ? "--color=always" : "--color=never"),
			(char *)(uintptr_t) "--label",
			la,
			(char *)(uintptr_t) "--label",
			lb,
			(char *)(uintptr_t) "--",
			(char *)(uintptr_t) "/dev/fd/3",
			(char *)(uintptr_t) "/dev/fd/4",
			NULL};
	fflush(stdout);
	AUTO_CLOSE int a2 = fcntl(a, F_DUPFD_CLOEXEC, 10);
	AUTO_CLOSE int b2 = fcntl(b, F_DUPFD_CLOEXEC, 10);
	posix_spawn_file_actions_init(&act);
	posix_spawn_file_actions_adddup2(&act, a2, 3);
	posix_spawn_file_actions_adddup2(&act, b2, 4);
	r = posix_spawnp(&pid, "diff", &act, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&act);
	if (r)
		return -r;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return 0;
}

static int on_change(void *arg, const struct change *c)
{
	struct diff *d = arg;

	if (!path_selected(c->path, d->paths, d->n_paths) && !(c->from && path_selected(c->from, d->paths, d->n_paths)))
		return 0;
	if (!d->any && d->l->meta.dst && !d->stat && !d->json) {
		printf("copy-on-write bind ");
		print_path(d->l->meta.dst);
		printf(" of ");
		AUTO_FREE char *source = layer_source(d->l);
		print_path(source);
		printf(":\n");
	}
	d->any = true;
	d->n[(unsigned char)c->kind]++;
	if (c->kind != 'D' && c->content && !c->dir)
		d->bytes += (uint64_t)MAX(c->size, 0);
	if (d->stat)
		return 0;
	if (d->json)
		return print_json(d, c);
	if (!d->text) {
		print_line(d, c);
		return 0;
	}
	if (!c->content && c->kind != 'D') {
		print_line(d, c);
		return 0;
	}
	if (c->dir || (c->mode && !S_ISREG(c->mode)))
		print_line(d, c);
	return print_text(d, c);
}

static int run_one(struct diff *d)
{
	AUTO_MODEL struct model m = {0};

	load_model_or_die(&m, d->l);
	d->rootfd = open_root(d->l);
	below_open(&d->below, d->l);
	int r = below_load(&d->below, &d->base);
	if (!r)
		r = layer_changes(d->l, &m, d->rootfd, on_change, d);
	model_free(&d->base);
	below_close(&d->below);
	close(d->rootfd);
	if (r) {
		log_msg("diff: %s", strerror(-r));
		return CMD_FAILED;
	}
	if (d->stat && (d->any || !d->l->meta.dst)) {
		printf("%" PRIu64 " added, %" PRIu64 " modified, %" PRIu64 " deleted, %" PRIu64 " renamed; %" PRIu64
		       " bytes",
		       d->n['A'], d->n['M'], d->n['D'], d->n['R'], d->bytes);
		if (d->l->meta.dst) {
			printf(" in the copy-on-write bind ");
			print_path(d->l->meta.dst);
		}
		putchar('\n');
	}
	return d->any;
}

/* The root's changes, then those of each bind. */
static int run(struct diff *d)
{
	AUTO_BINDS struct layer_binds b;
	int r = run_one(d);

	binds_open(&b, d->l);
	for (unsigned i = 0; i < b.n && r <= 1; i++) {
		struct diff one = {.l = &b.v[i], .text = d->text, .stat = d->stat, .json = d->json, .colour = d->colour};
		AUTO_FREE char **paths = NULL;
		if (!binds_paths(&b.v[i], d->paths, d->n_paths, &paths, &one.n_paths))
			continue;
		one.paths = paths;
		int found = run_one(&one);
		r = MAX(r, found);
	}
	return r;
}

int print_diff(struct layer *l, bool text)
{
	struct diff d = {.l = l, .text = text, .colour = isatty(1) == 1};

	return run(&d);
}

int cmd_diff(int argc, char **argv)
{
	static const struct option options[] = {{"stat", no_argument, NULL, 's'},
						{"json", no_argument, NULL, 'j'},
						{"all", no_argument, NULL, 'a'},
						{NULL, 0, NULL, 0}};
	AUTO_LAYER struct layer l = LAYER_INIT;
	struct diff d = {.colour = isatty(1) == 1};
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "+u", options, NULL)) != -1) {
		if (c == 'u')
			d.text = true;
		else if (c == 's')
			d.stat = true;
		else if (c == 'j')
			d.json = true;
		else if (c == 'a')
			d.all = true;
		else
			return CMD_FAILED;
	}
	if (optind >= argc)
		command_misused("diff");
	open_layer_or_die(&l, argv[optind], 0);
	d.l = &l;
	d.paths = argv + optind + 1;
	d.n_paths = argc - optind - 1;
	path_filters(d.paths, d.n_paths);
	if (!d.all || !l.meta.n_from)
		return run(&d);
	AUTO_LAYER struct layer whole = LAYER_INIT;
	c = below_flatten(&l, &whole);
	if (c)
		die("diff: can't put %s and what it lies on together: %s", l.name, strerror(-c));
	d.l = &whole;
	c = run(&d);
	(void)!layer_discard(&whole);
	return c;
}
