/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_files.c - sandbox files: runs a command and says which files it used.
 */
#include "tools/files.h"

#include "base/log.h"
#include "tools/cmd.h"
#include "tools/used.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

unsigned files_kinds(const char *list)
{
	unsigned kinds = 0;

	for (const char *p = list;;) {
		size_t n = strcspn(p, ",");
		const struct used_kind *k = used_kinds;

		while (k->name && !(strlen(k->name) == n && !strncmp(k->name, p, n)))
			k++;
		if (!k->name)
			die("--only: \"%.*s\" is none of read, written, executed, listed, created, deleted, renamed, "
			    "changed, "
			    "linked, missing, examined",
			    (int)MIN(n, (size_t)64), p);
		kinds |= k->bit;
		if (!p[n])
			return kinds;
		p += n + 1;
	}
}

static bool below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	while (n && prefix[n - 1] == '/')
		n--;
	return !strncmp(path, prefix, n) && (!path[n] || path[n] == '/');
}

static bool shown(const struct files_options *f, const struct vfs_note *n)
{
	return (used_kinds_of(n) & f->kinds) && (!f->prefix || below(n->path, f->prefix));
}

/* "read,written" */
static void kind_names(unsigned what, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = 0;
	for (const struct used_kind *k = used_kinds; k->name && at < size; k++)
		if (what & k->bit)
			at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? "," : "", k->name);
}

/* What follows a path: the other name of a rename, the name that led to it. */
static void print_names(FILE *out, const struct vfs_note *n)
{
	AUTO_FREE char *asked = n->asked ? path_escape(n->asked) : NULL;
	AUTO_FREE char *other = n->other ? path_escape(n->other) : NULL;

	if (other && (n->what & VFS_NOTE_MOVED_TO))
		fprintf(out, " (from %s)", other);
	else if (other && (n->what & VFS_NOTE_MOVED))
		fprintf(out, " (to %s)", other);
	if (asked)
		fprintf(out, " (by %s)", asked);
	putc('\n', out);
}

static const char *slash(const struct vfs_note *n)
{
	return (n->what & VFS_NOTE_DIR) && n->path[1] ? "/" : "";
}

static void print_list(FILE *out, const struct files_options *f, const struct used *u)
{
	char names[128];
	int width = 0;

	for (size_t i = 0; i < u->n; i++) {
		kind_names(used_kinds_of(&u->notes[i]), names, sizeof(names));
		if (shown(f, &u->notes[i]))
			width = MAX(width, (int)strlen(names));
	}
	for (size_t i = 0; i < u->n; i++) {
		const struct vfs_note *n = &u->notes[i];
		AUTO_FREE char *path = path_escape(n->path);

		if (!shown(f, n))
			continue;
		kind_names(used_kinds_of(n), names, sizeof(names));
		fprintf(out, "%-*s  %s%s", width, names, path, slash(n));
		print_names(out, n);
	}
}

/* Names without a note of their own are the directories on the way. */
static void print_tree(FILE *out, const struct files_options *f, const struct used *u)
{
	const char *last = "";
	char names[128];

	for (size_t i = 0; i < u->n; i++) {
		const struct vfs_note *n = &u->notes[i];
		const char *p = n->path, *q = last;
		int depth = 0;

		if (!shown(f, n))
			continue;
		if (!*last)
			fputs("/\n", out);
		/* The components that both have, whole ones. */
		while (*p == '/' && p[1]) {
			size_t len = strcspn(p + 1, "/") + 1;

			if (strncmp(p, q, len) || (q[len] && q[len] != '/'))
				break;
			p += len;
			q += len;
			depth++;
		}
		kind_names(used_kinds_of(n), names, sizeof(names));
		while (*p == '/' && p[1]) {
			size_t len = strcspn(p + 1, "/");
			char part[NAME_MAX + 1];

			snprintf(part, sizeof(part), "%.*s", (int)MIN(len, (size_t)NAME_MAX), p + 1);
			AUTO_FREE char *esc = path_escape(part);
			p += len + 1;
			fprintf(out, "%*s%s%s", 2 * ++depth, "", esc, *p ? "/\n" : slash(n));
		}
		fprintf(out, n->path[1] ? "  [%s]" : "  [/: %s]", names);
		print_names(out, n);
		last = n->path;
	}
}

static json_t *json_path(const char *path)
{
	AUTO_FREE char *esc = path_escape(path);

	return json_string(esc);
}

static void print_json(FILE *out, const struct files_options *f, const struct used *u)
{
	json_t *files = json_array();

	for (size_t i = 0; i < u->n; i++) {
		const struct vfs_note *n = &u->notes[i];
		unsigned what = used_kinds_of(n);

		if (!shown(f, n))
			continue;
		json_t *o = json_object(), *kinds = json_array();
		json_object_set_new(o, "path", json_path(n->path));
		for (const struct used_kind *k = used_kinds; k->name; k++)
			if (what & k->bit)
				json_array_append_new(kinds, json_string(k->name));
		json_object_set_new(o, "kinds", kinds);
		json_object_set_new(o, "directory", json_boolean(n->what & VFS_NOTE_DIR));
		if (n->asked)
			json_object_set_new(o, "asked", json_path(n->asked));
		if (n->other && (n->what & (VFS_NOTE_MOVED | VFS_NOTE_MOVED_TO)))
			json_object_set_new(o, n->what & VFS_NOTE_MOVED_TO ? "from" : "to", json_path(n->other));
		json_array_append_new(files, o);
	}
	json_t *all = json_pack("{s:i, s:o, s:b, s:I}", "version", 1, "files", files, "network", u->network, "lost",
				(json_int_t)u->lost);
	if (!all || json_dumpf(all, out, JSON_INDENT(1)))
		die("can't write JSON");
	putc('\n', out);
	json_decref(all);
}

void files_print(FILE *out, const struct files_options *f, const struct used *u)
{
	if (f->json)
		print_json(out, f, u);
	else if (f->tree)
		print_tree(out, f, u);
	else
		print_list(out, f, u);
}

int run_files(struct launch_options *opt, const struct files_options *f)
{
	struct used u;
	FILE *out = stderr;

	if (f->file) {
		/* Before the run: a place that can't be written to shall not cost the command's time. */
		int fd = open(f->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		out = fd < 0 ? NULL : fdopen(fd, "w");
		if (!out)
			die("-o %s: %m", f->file);
	}
	opt->notes_fd = used_open();
	int status = run_sandbox(opt);
	if (!used_load(&u, opt->notes_fd))
		return status ? status : CMD_FAILED;
	files_print(out, f, &u);
	used_free(&u);
	if (fflush(out) || ferror(out) || (f->file && fclose(out)))
		die("%s: %m", f->file ? f->file : "standard error");
	return status;
}

void files_help(void)
{
	fputs("Usage: sandbox files [OPTIONS] [--] COMMAND [ARG...]\n"
	      "  -o FILE                write the list to FILE instead of standard error\n"
	      "  --json                 as JSON\n"
	      "  --tree                 as a tree\n"
	      "  --only KIND[,KIND...]  only these: read written executed listed created deleted\n"
	      "                         renamed changed linked missing examined\n"
	      "                         (without it: all but examined)\n"
	      "  --no-missing           not what was looked for and isn't there\n"
	      "  --prefix DIR           only what is below DIR\n"
	      "And the options of sandbox itself: see sandbox --help. Manual: man sandbox-files\n",
	      stdout);
}
