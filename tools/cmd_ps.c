/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_ps.c - sandbox ps: running sandboxes; the processes in one; the state of its supervisor.
 *
 * Processes are listed from the host's /proc: so a sandbox that is stopped or broken is seen as well, and nothing inside is believed.
 */
#include "tools/cmd.h"

#include "base/log.h"
#include "interposer/control.h"
#include "interposer/registry.h"

#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CMDLINE_MAX 4096

struct process {
	pid_t pid, parent, inner;
	int depth; /* of PID namespaces, from ours on */
	char state;
	bool mark;
};
struct processes {
	struct process *v;
	size_t n, cap;
};

static void put_word(FILE *f, const char *s)
{
	fprintf(f, !*s || strpbrk(s, " \t\n'\"\\$&|;<>()*?") ? "'%s'" : "%s", s);
}

static bool read_file(pid_t pid, const char *name, char *buf, size_t size, size_t *len)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);
	buf[MAX(n, 0)] = '\0';
	*len = (size_t)MAX(n, 0);
	return n > 0;
}

/* A process of /proc/PID/status. Its name is the first line, in which line breaks are escaped. */
static bool read_process(pid_t pid, struct process *p)
{
	char buf[4096];
	size_t len;

	if (!read_file(pid, "status", buf, sizeof(buf), &len))
		return false;
	const char *state = strstr(buf, "\nState:\t"), *parent = strstr(buf, "\nPPid:\t"), *ns = strstr(buf, "\nNSpid:\t");
	if (!state || !parent)
		return false;
	*p = (struct process){.pid = pid, .state = state[8], .parent = (pid_t)strtol(parent + 7, NULL, 10)};
	for (char *at = ns ? (char *)(uintptr_t)ns + 7 : NULL; at && *at == '\t'; p->depth++)
		p->inner = (pid_t)strtol(at + 1, &at, 10);
	return true;
}

static int by_pid(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void read_all(struct processes *all)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	if (!d)
		die("/proc: %m");
	while ((e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		struct process p;
		if (pid <= 0 || !read_process(pid, &p))
			continue;
		if (all->n == all->cap) {
			all->cap = all->cap ? 2 * all->cap : 256;
			all->v = reallocarray(all->v, all->cap, sizeof(*all->v));
			if (!all->v)
				die("out of memory");
		}
		all->v[all->n++] = p;
	}
	closedir(d);
	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), by_pid);
}

static struct process *find(const struct processes *all, pid_t pid)
{
	struct process key = {.pid = pid};

	return all->n ? bsearch(&key, all->v, all->n, sizeof(key), by_pid) : NULL;
}

/* Marks what is inside: below the supervisor, in the namespace below its own, but for init. How many. */
static unsigned mark_inside(const struct processes *all, pid_t supervisor)
{
	struct process *s = find(all, supervisor);
	unsigned count = 0;
	bool more = s != NULL;

	for (size_t i = 0; i < all->n; i++)
		all->v[i].mark = &all->v[i] == s;
	/* Children may have smaller numbers than their parents. */
	while (more) {
		more = false;
		for (size_t i = 0; i < all->n; i++) {
			struct process *p = &all->v[i];
			struct process *parent = p->mark ? NULL : find(all, p->parent);
			if (!parent || !parent->mark || p->depth <= s->depth)
				continue;
			p->mark = more = true;
			count += p->inner > 1;
		}
	}
	if (s)
		s->mark = false;
	return count;
}

static char *command_line(const struct process *p)
{
	char buf[CMDLINE_MAX], *text = NULL;
	size_t len, size;
	bool named = read_file(p->pid, "cmdline", buf, sizeof(buf), &len);

	if (!named && read_file(p->pid, "comm", buf, sizeof(buf), &len) && buf[len - 1] == '\n')
		buf[len - 1] = '\0';
	FILE *f = open_memstream(&text, &size);
	if (!f)
		die("out of memory");
	if (!named)
		fprintf(f, "[%s]", buf);
	for (size_t at = 0; named && at < len; at += strlen(buf + at) + 1) {
		if (at)
			fputc(' ', f);
		put_word(f, buf + at);
	}
	if (fclose(f))
		die("out of memory");
	return text;
}

/* JSON has no bytes: what isn't UTF-8 is shown as '?'. */
static json_t *text_json(const char *s)
{
	json_t *j = json_string(s);

	if (j)
		return j;
	AUTO_FREE char *copy = xstrdup(s);
	for (char *p = copy; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(copy);
}

static void print_json(json_t *o)
{
	if (!o)
		die("out of memory");
	json_dumpf(o, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(o);
}

static void list_sandboxes(bool json)
{
	struct processes all = {0};
	struct registered *list;
	size_t n;
	int r = registry_list(&list, &n);

	if (r)
		die("can't list the running sandboxes: %s", strerror(-r));
	read_all(&all);
	if (n && !json)
		printf("%7s %-16s %-16s %-8s %5s %s\n", "PID", "NAME", "STARTED", "MEDIUM", "PROCS", "COMMAND");
	for (size_t i = 0; i < n; i++) {
		const struct registered *s = &list[i];
		unsigned inside = mark_inside(&all, s->supervisor);
		if (json) {
			print_json(json_pack("{s:i, s:i, s:o, s:I, s:s, s:o, s:i, s:o}", "pid", s->front, "supervisor",
					     s->supervisor, "name", *s->name ? text_json(s->name) : json_null(), "started",
					     (json_int_t)s->started, "medium", s->medium, "root", text_json(s->root),
					     "processes", (int)inside, "command", text_json(s->command)));
			continue;
		}
		char when[32] = "?";
		time_t t = (time_t)s->started;
		struct tm tm;
		if (localtime_r(&t, &tm))
			strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
		printf("%7d %-16s %-16s %-8s %5u ", s->front, *s->name ? s->name : "-", when, s->medium, inside);
		print_visible(s->command);
		putchar('\n');
	}
	registry_free(list, n);
	free(all.v);
}

static void list_inside(const struct registered *s, bool json)
{
	struct processes all = {0};

	read_all(&all);
	mark_inside(&all, s->supervisor);
	if (!json)
		printf("%7s %7s S %s\n", "PID", "HOSTPID", "COMMAND");
	for (size_t i = 0; i < all.n; i++) {
		const struct process *p = &all.v[i];
		if (!p->mark)
			continue;
		AUTO_FREE char *command = p->inner == 1 ? xstrdup("(init)") : command_line(p);
		const struct process *parent = find(&all, p->parent);
		int inner_parent = parent && parent->mark ? parent->inner : 0;
		if (json) {
			print_json(json_pack("{s:i, s:i, s:i, s:s#, s:o}", "pid", p->inner, "host_pid", p->pid, "parent",
					     inner_parent, "state", &p->state, (size_t)1, "command", text_json(command)));
			continue;
		}
		printf("%7d %7d %c ", p->inner, p->pid, p->state);
		print_visible(command);
		putchar('\n');
	}
	free(all.v);
}

static void dump(const struct registered *s)
{
	struct control_head q = {CONTROL_DUMP, CONTROL_DUMP_VERSION, sizeof(q)};
	AUTO_FREE char *text = running_ask(s, &q, "its state");

	print_lines(text);
}

int cmd_ps(int argc, char **argv)
{
	static const struct option options[] = {
	    {"json", no_argument, NULL, 'j'}, {"dump", no_argument, NULL, 'd'}, {NULL, 0, NULL, 0}};
	bool json = false, state = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c == 'd')
			state = true;
		else
			command_misused("ps");
	}
	if (argc - optind > 1 || (state && (json || argc == optind)))
		command_misused("ps");
	if (argc == optind) {
		list_sandboxes(json);
		return 0;
	}
	struct registered *s = running_find(argv[optind]);
	if (state)
		dump(s);
	else
		list_inside(s, json);
	registry_free(s, 1);
	return 0;
}
