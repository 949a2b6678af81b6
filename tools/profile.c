/* SPDX-License-Identifier: Apache-2.0 */
/*
 * profile.c - reads and writes profiles: JSON, by jansson. jansson says where bad JSON is; where a bad value is in good JSON, a scan of the
 * text for that member finds out, since jansson keeps no lines.
 */
#include "tools/profile.h"

#include "base/log.h"
#include "tools/used.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SIZE    ((off_t)64 << 20)
#define MAX_OPTIONS 1000
#define MAX_WORDS   3

/* A file that is being read, and its text, which is good JSON. */
struct source {
	const char *file;
	char *text;
};

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

static const char *skip_string(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

/* The end of the value at p; containers by counting brackets outside strings. */
static const char *skip_value(const char *p)
{
	int depth = 0;

	for (p = skip_space(p); *p;) {
		if (*p == '"') {
			p = skip_string(p);
		} else if (strchr("{[", *p)) {
			depth++;
			p++;
			continue;
		} else if (strchr("]}", *p)) {
			if (!depth)
				return p;
			depth--;
			p++;
		} else if (strchr(",:", *p) && !depth) {
			return p;
		} else {
			p++;
		}
		if (!depth && !strchr("-+.0123456789eEtrufalsn", *p))
			return p;
		if (!depth && !*p)
			return p;
	}
	return p;
}

/* The first value (of an object: member) of the container at p. */
static const char *first(const char *p)
{
	return skip_space(skip_space(p) + 1);
}

/* The one after the value or member at p. Each is found from the one before: a profile may have a hundred thousand. */
static const char *following(const char *p, bool member)
{
	if (member)
		p = skip_space(skip_string(p)) + 1;
	p = skip_space(skip_value(p));
	return *p == ',' ? skip_space(p + 1) : p;
}

static unsigned line_of(const struct source *s, const char *p)
{
	unsigned line = 1;

	for (const char *q = s->text; q < p; q++)
		line += *q == '\n';
	return line;
}

static _Noreturn void bad(const struct source *s, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static _Noreturn void bad(const struct source *s, const char *at, const char *fmt, ...)
{
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	die("%s:%u: %s", s->file, line_of(s, at), what);
}

/* Of the member at p. */
static const char *member_value(const char *p)
{
	return skip_space(skip_space(skip_string(p)) + 1);
}

static void *grow(void *old, size_t n, size_t size)
{
	/* To the next power of two when a power of two is full. */
	void *p = n & (n - 1) ? old : reallocarray(old, n ? 2 * n : 1, size);

	if (!p)
		die("out of memory");
	return p;
}

void profile_add_option(struct profile *p, char *const *words)
{
	size_t n = 0;

	while (words[n])
		n++;
	p->options = grow(p->options, p->n_options, sizeof(*p->options));
	struct profile_option *o = &p->options[p->n_options++];
	*o = (struct profile_option){.words = xcalloc(n + 1, sizeof(*o->words))};
	for (size_t i = 0; i < n; i++)
		o->words[i] = xstrdup(words[i]);
}

void profile_add_rule(struct profile *p, const char *path, enum vfs_rule_scope scope, unsigned may)
{
	p->rules = grow(p->rules, p->n_rules, sizeof(*p->rules));
	p->rules[p->n_rules++] = (struct vfs_rule){.path = xstrdup(path), .scope = scope, .may = may};
}

void profile_free(struct profile *p)
{
	for (size_t i = 0; i < p->n_options; i++) {
		for (char **w = p->options[i].words; *w; w++)
			free(*w);
		free(p->options[i].words);
	}
	for (size_t i = 0; i < p->n_rules; i++)
		free((char *)p->rules[i].path);
	free(p->options);
	free(p->rules);
	*p = (struct profile){0};
}

static void read_options(struct profile *p, const struct source *s, const char *at, const json_t *list)
{
	size_t i, k;
	json_t *entry, *word;
	const char *here = first(at);

	if (!json_is_array(list))
		bad(s, at, "\"options\" is not an array of arrays, as [[\"net\", \"host\"]]");
	if (json_array_size(list) > MAX_OPTIONS)
		bad(s, at, "more than %d options", MAX_OPTIONS);
	json_array_foreach(list, i, entry)
	{
		char *words[MAX_WORDS + 1] = {0};

		if (!json_is_array(entry) || !json_array_size(entry) || json_array_size(entry) > MAX_WORDS)
			bad(s, here, "an option is an array of its name and its values, as [\"net\", \"host\"]");
		json_array_foreach(entry, k, word)
		{
			if (!json_is_string(word))
				bad(s, here, "an option's name and values are strings");
			words[k] = xstrdup(json_string_value(word));
			if (!path_unescape(words[k]))
				bad(s, here, "a backslash is written \\\\\\\\, a byte \\\\xNN");
		}
		if (words[0][0] == '-' || !words[0][0])
			bad(s, here, "\"%s\": an option's name is without dashes", words[0]);
		profile_add_option(p, words);
		p->options[p->n_options - 1].line = line_of(s, here);
		for (k = 0; words[k]; k++)
			free(words[k]);
		here = following(here, false);
	}
}

static const struct {
	char letter;
	unsigned may;
} letters[] = {{'s', VFS_MAY_SEE}, {'r', VFS_MAY_READ}, {'w', VFS_MAY_WRITE}, {'x', VFS_MAY_EXEC}};

/* -1: bad. */
static int parse_may(const char *s)
{
	unsigned may = 0;

	if (!strcmp(s, "-"))
		return 0;
	for (; *s; s++) {
		size_t i = 0;

		while (i < ARRAY_SIZE(letters) && letters[i].letter != *s)
			i++;
		if (i == ARRAY_SIZE(letters) || (may & letters[i].may & ~VFS_MAY_SEE))
			return -1;
		may |= letters[i].may | VFS_MAY_SEE;
	}
	return may ? (int)may : -1;
}

static int by_place(const void *a, const void *b)
{
	const struct vfs_rule *x = *(struct vfs_rule *const *)a, *y = *(struct vfs_rule *const *)b;
	int r = strcmp(x->path, y->path);

	return r ? r : (int)x->scope - (int)y->scope;
}

/* The same path may be written in two ways, of which JSON knows nothing. */
static void check_twice(const struct profile *p, const struct source *s, const char *at)
{
	AUTO_FREE const struct vfs_rule **list = xcalloc(p->n_rules + 1, sizeof(*list));

	for (size_t i = 0; i < p->n_rules; i++)
		list[i] = &p->rules[i];
	qsort(list, p->n_rules, sizeof(*list), by_place);
	for (size_t i = 1; i < p->n_rules; i++)
		if (!by_place(&list[i - 1], &list[i]))
			bad(s, at, "%.200s: stands in \"paths\" twice", list[i]->path);
}

/* Before escapes are undone: an escaped * is one of a name. */
static bool star_inside(const char *key)
{
	for (const char *q = key; (q = strchr(q, '/')); q++) {
		size_t len = strcspn(q + 1, "/");

		if ((len == 1 && q[1] == '*') || (len == 2 && q[1] == '*' && q[2] == '*'))
			return true;
	}
	return false;
}

static void read_paths(struct profile *p, const struct source *s, const char *at, json_t *paths)
{
	const char *key, *here = first(at);
	json_t *value;

	if (!json_is_object(paths))
		bad(s, at, "\"paths\" is not an object of paths, as {\"/etc/passwd\": \"r\"}");
	p->has_paths = true;
	json_object_foreach(paths, key, value)
	{
		AUTO_FREE char *path = xstrdup(key);
		enum vfs_rule_scope scope = VFS_RULE_PATH;
		int may = json_is_string(value) ? parse_may(json_string_value(value)) : -1;

		if (may < 0)
			bad(s, here, "%.200s: what may be done is \"-\" or some of the letters s, r, w, x", key);
		if (path[0] != '/')
			bad(s, here, "%.200s: not an absolute path", key);
		size_t n = strlen(path);
		if (n >= 3 && !strcmp(path + n - 3, "/**")) {
			scope = VFS_RULE_BELOW;
			path[n - 3] = 0;
		} else if (n >= 2 && !strcmp(path + n - 2, "/*")) {
			scope = VFS_RULE_CHILDREN;
			path[n - 2] = 0;
		}
		if (star_inside(path))
			bad(s, here, "%.200s: * and ** stand at the end of a path only; a name of them is written \\\\x2a",
			    key);
		if (!path_unescape(path))
			bad(s, here, "%.200s: a backslash is written \\\\\\\\, a byte \\\\xNN", key);
		if (strlen(path) >= USED_PATH_MAX)
			bad(s, here, "%.200s: %s", key, strerror(ENAMETOOLONG));
		for (const char *q = path; *q;) {
			size_t len = strcspn(++q, "/");

			if ((!len && path[1]) || len > NAME_MAX || (len == 1 && *q == '.') ||
			    (len == 2 && !strncmp(q, "..", 2)))
				bad(s, here, "%.200s: a path has no \".\", \"..\", doubled slash or slash at its end", key);
			q += len;
		}
		profile_add_rule(p, path[0] ? path : "/", scope, (unsigned)may);
		here = following(here, true);
	}
	check_twice(p, s, at);
}

static char *read_file(const char *file)
{
	AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t n = 0;

	if (fd < 0 || fstat(fd, &st))
		die("%s: %m", file);
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_SIZE)
		die("%s: not a regular file of at most %lld MiB", file, (long long)(MAX_SIZE >> 20));
	char *text = xcalloc(1, (size_t)st.st_size + 1);
	while (n < (size_t)st.st_size) {
		ssize_t r = read(fd, text + n, (size_t)st.st_size - n);
		if (r < 0)
			die("%s: %m", file);
		if (!r)
			break;
		n += (size_t)r;
	}
	if (memchr(text, 0, n))
		die("%s: has a NUL byte: not a profile", file);
	return text;
}

void profile_load(struct profile *p, const char *file)
{
	AUTO_FREE char *text = read_file(file);
	struct source s = {file, text};
	json_error_t err;
	const char *key;
	json_t *value;

	*p = (struct profile){0};
	json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, &err);
	if (!all)
		die("%s:%d: %s", file, err.line, err.text);
	if (!json_is_object(all))
		bad(&s, text, "a profile is an object: {\"version\": 1, \"options\": [...], \"paths\": {...}}");
	if (!json_is_integer(json_object_get(all, "version")))
		bad(&s, text, "no \"version\": 1");
	const char *name = first(text);
	json_object_foreach(all, key, value)
	{
		const char *at = member_value(name);

		if (!strcmp(key, "version")) {
			if (json_integer_value(value) != 1)
				bad(&s, at, "version %lld: this sandbox knows version 1",
				    (long long)json_integer_value(value));
		} else if (!strcmp(key, "options")) {
			read_options(p, &s, at, value);
		} else if (!strcmp(key, "paths")) {
			read_paths(p, &s, at, value);
		} else {
			bad(&s, name, "\"%.200s\" is none of version, options, paths", key);
		}
		name = following(name, true);
	}
	json_decref(all);
}

/* --- Writing ----------------------------------------------------------------------------------------------------------- */

static void put_json(FILE *f, const char *s)
{
	json_t *j = json_string(s);

	if (!j || json_dumpf(j, f, JSON_ENCODE_ANY))
		die("can't write a string as JSON");
	json_decref(j);
}

static void put_string(FILE *f, const char *s)
{
	AUTO_FREE char *esc = path_escape(s);

	put_json(f, esc);
}

/* What a file is called mustn't become a rule for others: names of stars alone are escaped. */
static char *escape_rule(const char *path)
{
	AUTO_FREE char *esc = path_escape(path);
	char *out = xcalloc(1, 4 * strlen(esc) + 1), *o = out;

	for (const char *p = esc; *p;) {
		size_t len = strcspn(p + 1, "/");
		bool stars = *p == '/' && len && len <= 2 && strspn(p + 1, "*") == len;

		*o++ = *p++;
		for (; len; len--, p++)
			o = stars ? stpcpy(o, "\\x2a") : (*o = *p, o + 1);
	}
	return out;
}

static void put_rule(FILE *f, const struct vfs_rule *r)
{
	static const char *const ends[] = {[VFS_RULE_PATH] = "", [VFS_RULE_CHILDREN] = "/*", [VFS_RULE_BELOW] = "/**"};
	AUTO_FREE char *esc = escape_rule(r->scope != VFS_RULE_PATH && !r->path[1] ? "" : r->path);
	AUTO_FREE char *path = xasprintf("%s%s", esc, ends[r->scope]);
	char may[8];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
		if ((r->may & letters[i].may) && (letters[i].may != VFS_MAY_SEE || r->may == VFS_MAY_SEE))
			may[n++] = letters[i].letter;
	if (!n)
		may[n++] = '-';
	may[n] = 0;
	fputs("    ", f);
	put_json(f, path);
	fprintf(f, ": \"%s\"", may);
}

static int open_beside(const char *file, char **tmp)
{
	*tmp = xasprintf("%s.XXXXXX", file);
	int fd = mkostemp(*tmp, O_CLOEXEC);

	if (fd < 0)
		die("%s: %m", file);
	return fd;
}

void profile_check_place(const char *file)
{
	AUTO_FREE char *tmp = NULL;

	close(open_beside(file, &tmp));
	unlink(tmp);
}

void profile_save(const struct profile *p, const char *file)
{
	AUTO_FREE char *tmp = NULL;
	int fd = open_beside(file, &tmp);
	FILE *f = fdopen(fd, "w");
	mode_t mask = umask(0);

	umask(mask);
	if (!f)
		die("%s: %m", tmp);
	fputs("{\n  \"version\": 1,\n  \"options\": [", f);
	for (size_t i = 0; i < p->n_options; i++) {
		fputs(i ? ",\n    [" : "\n    [", f);
		for (char **w = p->options[i].words; *w; w++) {
			fputs(w == p->options[i].words ? "" : ", ", f);
			put_string(f, *w);
		}
		putc(']', f);
	}
	fputs(p->n_options ? "\n  ],\n  \"paths\": {" : "],\n  \"paths\": {", f);
	for (size_t i = 0; i < p->n_rules; i++) {
		fputs(i ? ",\n" : "\n", f);
		put_rule(f, &p->rules[i]);
	}
	fputs("\n  }\n}\n", f);
	bool failed = fflush(f) || ferror(f) || fchmod(fd, 0666 & ~mask);
	if (fclose(f) || failed || rename(tmp, file)) {
		int err = errno;

		unlink(tmp);
		die("%s: %s", file, strerror(err));
	}
}
