/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_learn.c - sandbox learn: runs a command and writes a profile (sandbox-profile(5)) that lets it do the same again.
 *
 * What was used becomes a rule for each path. Names that won't be the same next time are taken together: what was made in a directory of mode +t
 * (/tmp), names that look random, process numbers in /proc, terminals, what is in a directory that was renamed, many names in one directory.
 */
#include "tools/files.h"

#include "base/log.h"
#include "tools/cmd.h"
#include "tools/profile.h"
#include "tools/used.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

/* So many names of one directory that may be used in the same way stand for all of them. */
#define MANY 200

struct entry {
	char *path;
	int may[3]; /* by vfs_rule_scope; -1: no such rule */
	bool moved; /* a directory that was renamed, or got its name so */
	unsigned many[VFS_MAY_ALL + 1];
	UT_hash_handle hh;
};

static struct entry *entries;

static struct entry *entry_get(const char *path, size_t len, bool make)
{
	struct entry *e;

	if (!len) {
		path = "/";
		len = 1;
	}
	HASH_FIND(hh, entries, path, len, e);
	if (e || !make)
		return e;
	e = xcalloc(1, sizeof(*e));
	e->path = xasprintf("%.*s", (int)len, path);
	e->may[0] = e->may[1] = e->may[2] = -1;
	HASH_ADD_KEYPTR(hh, entries, e->path, len, e);
	return e;
}

/* A rule that hides stays: somebody wrote it on purpose. */
static void allow(const char *path, size_t len, enum vfs_rule_scope scope, unsigned may)
{
	struct entry *e = entry_get(path, len, true);

	if (e->may[scope])
		e->may[scope] = (int)(MAX(e->may[scope], 0) | (may | VFS_MAY_SEE));
}

static size_t parent_len(const char *path, size_t len)
{
	while (len && path[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}

static unsigned may_of(const struct vfs_note *n)
{
	unsigned may = n->what & VFS_NOTE_MISSING ? 0 : VFS_MAY_SEE, w = n->what;

	if (w & ~(unsigned)VFS_NOTE_MISSING)
		may = VFS_MAY_SEE;
	if (w & (VFS_NOTE_READ | VFS_NOTE_LISTED))
		may |= VFS_MAY_READ;
	if (w &
	    (VFS_NOTE_WRITTEN | VFS_NOTE_CHANGED | VFS_NOTE_CREATED | VFS_NOTE_DELETED | VFS_NOTE_MOVED | VFS_NOTE_MOVED_TO))
		may |= VFS_MAY_WRITE;
	/* A new link, or a new name, may have no more rights than the old one: both have those of both. */
	if (w & (VFS_NOTE_LINKED | VFS_NOTE_MOVED | VFS_NOTE_MOVED_TO))
		may |= VFS_MAY_READ | VFS_MAY_WRITE;
	if (w & VFS_NOTE_EXECUTED)
		may |= VFS_MAY_READ | VFS_MAY_EXEC;
	return may;
}

/*
 * Six letters and digits or more, not all small letters and not all capitals: mkstemp(3), numbers of processes, times, hashes. temporary: made for
 * the owner alone, and gone again under that name: then any letters will do, as mkstemp(3) takes any.
 */
static bool looks_random(const char *name, bool temporary)
{
	for (const char *p = name; *p;) {
		size_t n = 0, lower = 0, upper = 0;

		for (; isalnum((unsigned char)p[n]); n++) {
			lower += islower((unsigned char)p[n]) != 0;
			upper += isupper((unsigned char)p[n]) != 0;
		}
		/* Capitals at the start of a word are usual. */
		if (n >= 6 && temporary)
			return true;
		if (n >= 6 && lower != n && upper != n && !(upper == 1 && lower == n - 1 && isupper((unsigned char)p[0])))
			return true;
		p += MAX(n, (size_t)1);
	}
	return false;
}

/* A file of a content-addressed store, as git's: HH/HASH. The store is made of many such directories, and others next time. */
static bool is_object(const char *path, size_t len, size_t up, size_t store)
{
	static const char digits[] = "0123456789abcdef";

	return up && up - store == 3 && strspn(path + store + 1, digits) == 2 && len - up > 30 &&
	       strspn(path + up + 1, digits) == len - up - 1;
}

static bool has_number(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && isdigit((unsigned char)path[n]);
}

/* Rules that stand for more than the path. */
static void generalise(const struct vfs_note *n)
{
	size_t len = strlen(n->path), up = parent_len(n->path, len);
	unsigned both = VFS_MAY_READ | VFS_MAY_WRITE;
	bool temporary = (n->what & VFS_NOTE_PRIVATE) && (n->what & (VFS_NOTE_DELETED | VFS_NOTE_MOVED));

	if (has_number(n->path, "/proc/"))
		allow("/proc", 5, VFS_RULE_BELOW, may_of(n) | VFS_MAY_READ);
	else if (has_number(n->path, "/dev/pts/"))
		allow("/dev/pts", 8, VFS_RULE_CHILDREN, both);
	else if ((n->what & VFS_NOTE_CREATED) && (n->what & VFS_NOTE_STICKY))
		allow(n->path, up, VFS_RULE_BELOW, both | may_of(n));
	else if ((n->what & (VFS_NOTE_CREATED | VFS_NOTE_MOVED_TO)) && is_object(n->path, len, up, parent_len(n->path, up)))
		allow(n->path, parent_len(n->path, up), VFS_RULE_BELOW, both | may_of(n));
	else if ((n->what & VFS_NOTE_CREATED) && looks_random(n->path + up + 1, temporary))
		allow(n->path, up, n->what & VFS_NOTE_DIR ? VFS_RULE_BELOW : VFS_RULE_CHILDREN, both | may_of(n));
	if (n->what & VFS_NOTE_TMPFILE)
		allow(n->path, len, VFS_RULE_CHILDREN, both);
	if ((n->what & VFS_NOTE_DIR) && n->other && (n->what & (VFS_NOTE_MOVED | VFS_NOTE_MOVED_TO))) {
		allow(n->path, len, VFS_RULE_BELOW, both);
		allow(n->other, strlen(n->other), VFS_RULE_BELOW, both);
		entry_get(n->path, len, true)->moved = true;
		entry_get(n->other, strlen(n->other), true)->moved = true;
	}
}

static bool rule_of(struct entry *e, enum vfs_rule_scope want, struct entry **by, enum vfs_rule_scope *scope)
{
	if (!e || e->may[want] < 0)
		return false;
	*by = e;
	*scope = want;
	return true;
}

/* What general rules allow at the path, without rules for the path itself: the nearest one's, in the VFS's order (vfs/rules.c). */
static unsigned covered(const char *path, size_t len, struct entry **by, enum vfs_rule_scope *scope)
{
	bool found = rule_of(entry_get(path, len == 1 ? 0 : len, false), VFS_RULE_BELOW, by, scope);

	if (!found && len > 1)
		found = rule_of(entry_get(path, parent_len(path, len), false), VFS_RULE_CHILDREN, by, scope);
	for (size_t at = len; !found && at > 1; found = rule_of(entry_get(path, at, false), VFS_RULE_BELOW, by, scope))
		at = parent_len(path, at);
	if (!found)
		*by = NULL;
	return found ? (unsigned)(*by)->may[*scope] : 0;
}

/* What is in a directory that is renamed, or has another name next time, gets its rights from the rule for all of it. */
static void widen(const struct vfs_note *n, unsigned may)
{
	enum vfs_rule_scope scope;
	struct entry *by;
	char first[NAME_MAX + 1];

	covered(n->path, strlen(n->path), &by, &scope);
	if (!by || !by->may[scope] || !(n->what & (VFS_NOTE_CREATED | VFS_NOTE_MOVED_TO)))
		return;
	const char *rest = n->path + (by->path[1] ? strlen(by->path) : 0);
	rest += *rest == '/';
	snprintf(first, sizeof(first), "%.*s", (int)strcspn(rest, "/"), rest);
	if (by->moved || looks_random(first, false))
		by->may[scope] |= (int)may;
}

/* The two names of a directory's rename have the same rules below. */
static void join_moved(const struct vfs_note *n)
{
	struct entry *a, *b;

	if (!(n->what & VFS_NOTE_DIR) || !n->other || !(n->what & (VFS_NOTE_MOVED | VFS_NOTE_MOVED_TO)))
		return;
	a = entry_get(n->path, strlen(n->path), true);
	b = entry_get(n->other, strlen(n->other), true);
	if (a->may[VFS_RULE_BELOW] && b->may[VFS_RULE_BELOW])
		a->may[VFS_RULE_BELOW] = b->may[VFS_RULE_BELOW] =
		    MAX(a->may[VFS_RULE_BELOW], 0) | MAX(b->may[VFS_RULE_BELOW], 0);
}

static void add_used(const struct used *u)
{
	struct entry *by;
	enum vfs_rule_scope scope;

	for (size_t i = 0; i < u->n; i++)
		if (may_of(&u->notes[i]))
			generalise(&u->notes[i]);
	for (size_t i = 0; i < u->n; i++)
		widen(&u->notes[i], may_of(&u->notes[i]));
	for (size_t i = 0; i < u->n; i++)
		join_moved(&u->notes[i]);
	/* Many names in one directory. */
	for (size_t i = 0; i < u->n; i++) {
		const struct vfs_note *n = &u->notes[i];
		unsigned may = may_of(n);
		size_t len = strlen(n->path), up = parent_len(n->path, len);

		if (!may || (may & VFS_MAY_EXEC) || len == 1 || (covered(n->path, len, &by, &scope) & may) == may)
			continue;
		struct entry *e = entry_get(n->path, up, true);
		if (++e->many[may] == MANY)
			allow(n->path, up, VFS_RULE_CHILDREN, may);
	}
	for (size_t i = 0; i < u->n; i++) {
		const struct vfs_note *n = &u->notes[i];
		unsigned may = may_of(n);

		if (!may)
			continue;
		allow(n->path, strlen(n->path), VFS_RULE_PATH, may);
		if (n->other && (n->what & (VFS_NOTE_MOVED | VFS_NOTE_MOVED_TO)))
			allow(n->other, strlen(n->other), VFS_RULE_PATH, may);
	}
}

static int by_path(const void *a, const void *b)
{
	return strcmp((*(struct entry *const *)a)->path, (*(struct entry *const *)b)->path);
}

/* Leaves out what other rules say as well, and gives those that stay what the rule they are an exception of gives. */
static void simplify(struct entry *e)
{
	enum vfs_rule_scope scope;
	size_t len = strlen(e->path);
	struct entry *by, *dir;
	unsigned rule;

	if (e->may[VFS_RULE_PATH] <= 0)
		return;
	rule = covered(e->path, len, &by, &scope);
	if (by && !rule)
		return; /* hidden on purpose; this one was an exception before */
	dir = len > 1 ? entry_get(e->path, parent_len(e->path, len), false) : NULL;
	if (!rule && dir && dir->may[VFS_RULE_PATH] >= 0 && (dir->may[VFS_RULE_PATH] & VFS_MAY_READ))
		rule = VFS_MAY_SEE;
	if (!((unsigned)e->may[VFS_RULE_PATH] & ~rule))
		e->may[VFS_RULE_PATH] = -1;
	else
		e->may[VFS_RULE_PATH] |= (int)rule;
}

static void take_rules(struct profile *p)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		struct entry *e = entry_get(p->rules[i].path, strlen(p->rules[i].path), true);

		e->may[p->rules[i].scope] = (int)p->rules[i].may;
		free((char *)(uintptr_t)p->rules[i].path);
	}
	p->n_rules = 0;
}

static void give_rules(struct profile *p)
{
	size_t n = HASH_COUNT(entries), k = 0;
	struct entry **list = xcalloc(MAX(n, (size_t)1), sizeof(struct entry *)), *e, *tmp;

	HASH_ITER(hh, entries, e, tmp)
	{
		simplify(e);
	}
	HASH_ITER(hh, entries, e, tmp)
	{
		list[k++] = e;
	}
	qsort(list, n, sizeof(struct entry *), by_path);
	for (size_t i = 0; i < n; i++) {
		e = list[i];
		for (int scope = 0; scope < 3; scope++)
			if (e->may[scope] >= 0)
				profile_add_rule(p, e->path, (enum vfs_rule_scope)scope, (unsigned)e->may[scope]);
	}
	HASH_ITER(hh, entries, e, tmp)
	{
		HASH_DEL(entries, e);
		free(e->path);
		free(e);
	}
	free(list);
}

void learn_rules(struct profile *p, const struct used *u)
{
	take_rules(p);
	add_used(u);
	give_rules(p);
}

static bool same_option(const struct profile_option *a, char *const *words)
{
	size_t i = 0;

	while (words[i] && a->words[i] && !strcmp(words[i], a->words[i]))
		i++;
	return !words[i] && !a->words[i];
}

/* Those of this run that the profile hasn't; the network only if it was used. */
static void add_options(struct profile *p, const struct profile *run, bool network)
{
	for (size_t i = 0; i < run->n_options; i++) {
		char **words = run->options[i].words;
		bool there = !strcmp(words[0], "net") && (!network || strcmp(words[1], "host") != 0);

		for (size_t k = 0; k < p->n_options && !there; k++)
			there = same_option(&p->options[k], words);
		if (!there)
			profile_add_option(p, words);
	}
}

int run_learn(struct launch_options *opt, const struct files_options *f, const struct profile *options)
{
	struct profile p = {0};
	struct used u;

	if (f->merge) {
		profile_load(&p, f->file);
		if (!p.has_paths)
			die("%s: without \"paths\" it allows everything: nothing can be added", f->file);
	}
	/* Before the run: a place that can't be written to shall not cost the command's time. */
	profile_check_place(f->file);
	opt->notes_fd = used_open();
	int status = run_sandbox(opt);
	if (!used_load(&u, opt->notes_fd))
		return status ? status : CMD_FAILED;
	add_options(&p, options, u.network);
	learn_rules(&p, &u);
	profile_save(&p, f->file);
	used_free(&u);
	profile_free(&p);
	return status;
}

void learn_help(void)
{
	fputs("Usage: sandbox learn -o PROFILE [OPTIONS] [--] COMMAND [ARG...]\n"
	      "  -o PROFILE             write what the command needed there\n"
	      "  --merge                keep what PROFILE has and add to it\n"
	      "And the options of sandbox itself, which become part of the profile: see\n"
	      "sandbox --help. Then: sandbox --profile PROFILE [--] COMMAND [ARG...]\n"
	      "Manual: man sandbox-learn, man sandbox-profile\n",
	      stdout);
}
