/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsrandom.c - random operations of several processes, natively in a copy of a tree and inside over that tree: what they return and what they leave
 * must be the same, and the tree below untouched. A sequence that differs is shrunk and printed, so that it can be replayed.
 *
 *     fsrandom [--seed N] [--seconds S | --runs N] [--ops N] [--medium memory|dir|self|named] [--where root|bind] [--size SIZE] [--inodes N]
 *              [--dir DIR] [--holes] [--replay FILE] SANDBOX [OPTION...]
 *
 * --replay runs the operations of a file, and with --seconds shrinks them further.
 * --holes compares the files' holes, too, where natively and inside they are on the same kind of file system: on dir and self.
 * With --size or --inodes the inside runs first, and an operation that it refused with ENOSPC is left out natively; in the end everything is
 * removed and the space must be there again. named: a kept sandbox; the tree is what a second run on it shows. SANDBOX "native" compares with a second native run.
 */
#include "fsrandom.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *sandbox, *medium = "memory", *where = "bind", *size, *inodes;
static bool holes, named;
static char *dir, *self;
static char **options;
static char *lower_was;

static char *path(const char *name)
{
	static char v[8][512];
	static unsigned k;
	char *p = v[k++ % 8];

	snprintf(p, sizeof(v[0]), "%s/%s", dir, name);
	return p;
}

static int run(char *const *argv, const char *out, bool more)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		int fd = open(out, O_WRONLY | O_CREAT | (more ? 0 : O_TRUNC) | O_APPEND, 0666),
		    null = open("/dev/null", O_RDONLY);
		if (fd < 0 || dup2(fd, 1) != 1 || dup2(null, 0) != 0)
			_exit(126);
		close(fd);
		close(null);
		alarm(60); /* a signal that is kept over exec */
		execv(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		err(2, "fork");
	return status;
}

static void clear(const char *p)
{
	pid_t pid = fork();

	if (!pid) {
		execlp("sh", "sh", "-c", "[ ! -e \"$1\" ] || { chmod -R u+rwx \"$1\" 2>/dev/null; rm -rf \"$1\"; }", "sh", p,
		       NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static char *slurp(const char *file)
{
	FILE *f = fopen(file, "r");
	char *v = NULL;
	size_t n = 0;

	if (!f || getdelim(&v, &n, '\0', f) < 0)
		v = strdup("");
	if (f)
		fclose(f);
	return v;
}

static char *lower_now(void)
{
	char *const argv[] = {self, "--dump", path("lower"), NULL};

	run(argv, path("dump"), false);
	return slurp(path("dump"));
}

static void native(const char *tree, bool follow, const char *out, uint64_t seed)
{
	char *argv[10], **a = argv;

	clear(tree);
	gen_tree(tree, seed);
	*a++ = self, *a++ = "--play", *a++ = path("ops"), *a++ = (char *)tree;
	if (follow)
		*a++ = "--follow", *a++ = path("inside");
	*a = NULL;
	run(argv, out, false);
}

static int inside_once(const char *ops, bool first, bool last)
{
	char *argv[40], **a = argv, value[600];
	bool bind = !strcmp(where, "bind"), disk = !strcmp(medium, "dir");

	snprintf(value, sizeof(value), "%s:%s%s%s%s%s%s", bind ? "all" : "root",
		 disk    ? "dir="
		 : named ? "memory"
			 : medium,
		 disk ? path("store") : "", size ? ",size=" : "", size ? size : "", inodes ? ",inodes=" : "",
		 inodes ? inodes : "");
	*a++ = (char *)sandbox;
	for (char **o = options; *o && o < options + 16; o++)
		*a++ = *o;
	*a++ = "--overlay", *a++ = value;
	if (bind)
		*a++ = "--overlay", *a++ = "root:memory", *a++ = "--cow-bind", *a++ = path("lower"), *a++ = "/mnt";
	if (named)
		*a++ = "--name", *a++ = strrchr(dir, '/') + 1;
	*a++ = "--", *a++ = self, *a++ = "--play", *a++ = (char *)ops, *a++ = bind ? "/mnt" : path("lower");
	if (size || inodes)
		*a++ = "--drain";
	if (!last)
		*a++ = "--no-tree";
	*a = NULL;
	return run(argv, path("inside"), !first);
}

static int inside(void)
{
	if (!named)
		return inside_once(path("ops"), true, true);
	char *const discard[] = {(char *)sandbox, "discard", strrchr(dir, '/') + 1, NULL};
	int status = inside_once(path("ops"), true, false);
	if (!status)
		status = inside_once("/dev/null", false, true);
	int r = run(discard, path("discard"), false);
	return status ? status : r;
}

struct difference {
	long at; /* number of the operation, -1: the tree, -2: the lower, -3: the run itself */
	char want[600], got[600];
};

static void next_line(char **p, char *line, size_t n)
{
	char *end = strchrnul(*p, '\n');

	snprintf(line, n, "%.*s", (int)(end - *p), *p);
	*p = *end ? end + 1 : end;
}

/* The first difference of a run of these operations. */
static bool differs(const struct ops *ops, struct difference *d)
{
	static uint64_t made = (uint64_t)-1;
	FILE *f = fopen(path("ops"), "w");
	bool limited = size || inodes, bad = false;
	int status = 0;

	if (!f)
		err(2, "%s", path("ops"));
	ops_write(ops, f);
	fclose(f);
	if (made != ops->tree) {
		clear(path("lower"));
		gen_tree(path("lower"), ops->tree);
		made = ops->tree;
		free(lower_was);
		lower_was = lower_now();
	}
	if (!limited)
		native(path("native"), false, path("outside"), ops->tree);
	if (!strcmp(sandbox, "native"))
		native(path("twin"), false, path("inside"), ops->tree);
	else
		status = inside();
	if (limited)
		native(path("native"), true, path("outside"), ops->tree);
	char *want = slurp(path("outside")), *got = slurp(path("inside")), *w = want, *g = got;
	*d = (struct difference){.at = -1};
	while (*w && !bad) {
		next_line(&w, d->want, sizeof(d->want));
		next_line(&g, d->got, sizeof(d->got));
		unsigned i;
		if (sscanf(d->want, "%u:", &i) == 1)
			d->at = i;
		else
			d->at = -1;
		char *x = strstr(d->want, " data"), *y = strstr(d->got, " data");
		if (x && y && d->at >= 0)
			continue;
		/* Holes are compared on the same kind of file system only: on a tmpfs space that was allocated and never written is none. */
		if (x && y && (!holes || !strcmp(medium, "memory") || strstr(x, " mapped") || strstr(y, " mapped")))
			*x = *y = '\0';
		bad = strcmp(d->want, d->got) && !strstr(d->want, " stale");
	}
	if (!bad && limited && (!strstr(g, "drain: all") || !strstr(g, "can be used"))) {
		d->at = -3;
		snprintf(d->want, sizeof(d->want), "drain: all of SIZE, can be used");
		snprintf(d->got, sizeof(d->got), "%.500s", g);
		bad = true;
	} else if (!bad && *g && !limited) {
		next_line(&g, d->got, sizeof(d->got));
		*d->want = '\0';
		bad = true;
	}
	if (!bad && status) {
		d->at = -3;
		snprintf(d->got, sizeof(d->got), "wait status %x", status);
		bad = true;
	}
	free(want);
	free(got);
	if (!bad) {
		char *now = lower_now();
		if (strcmp(now, lower_was)) {
			d->at = -2;
			snprintf(d->want, sizeof(d->want), "the lower tree unchanged");
			bad = true;
			made = (uint64_t)-1;
		}
		free(now);
	}
	return bad;
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Shrinking must not drift from one difference to another. */
static bool alike(const struct ops *a, const struct difference *x, const struct ops *b, const struct difference *y)
{
	if (x->at < 0 || y->at < 0)
		return x->at == y->at && !strncmp(x->want, y->want, strcspn(x->want, ":"));
	return a->v[x->at].def == b->v[y->at].def && !strcmp(strchrnul(x->want, ':'), strchrnul(y->want, ':')) &&
	       !strcmp(strchrnul(x->got, ':'), strchrnul(y->got, ':'));
}

/* Delta debugging: leaves out ever smaller runs of operations while it still differs. What's behind the difference goes first. */
static void shrink(struct ops *ops, struct difference *d, time_t until)
{
	struct difference last;
	struct ops less = {.v = calloc(ops->n + 1, sizeof(*less.v)), .tree = ops->tree};

	if (d->at >= 0 && (size_t)d->at + 1 < ops->n)
		ops->n = (size_t)d->at + 1;
	for (size_t chunk = ops->n / 2; chunk && now() < until;) {
		bool any = false;
		for (size_t from = 0; from < ops->n && now() < until;) {
			size_t cut = chunk < ops->n - from ? chunk : ops->n - from;
			memcpy(less.v, ops->v, from * sizeof(*less.v));
			memcpy(less.v + from, ops->v + from + cut, (ops->n - from - cut) * sizeof(*less.v));
			less.n = ops->n - cut;
			if (less.n && differs(&less, &last) && alike(ops, d, &less, &last)) {
				*d = last;
				if (last.at >= 0 && (size_t)last.at + 1 < less.n)
					less.n = (size_t)last.at + 1;
				memcpy(ops->v, less.v, less.n * sizeof(*less.v));
				ops->n = less.n;
				any = true;
			} else {
				from += cut;
			}
		}
		if (!any || chunk > ops->n)
			chunk /= 2;
	}
	free(less.v);
}

static void report(const struct ops *ops, const struct difference *d)
{
	printf("# a difference: fsrandom --replay FILE with these lines, --medium %s --where %s%s%s%s%s\n", medium, where,
	       size ? " --size " : "", size ? size : "", inodes ? " --inodes " : "", inodes ? inodes : "");
	ops_write(ops, stdout);
	printf("# natively: %s\n# inside:   %s\n", d->want, d->got);
	if (d->at >= 0 && (size_t)d->at < ops->n) {
		printf("# at: ");
		op_print(&ops->v[d->at], stdout);
	}
	fflush(stdout);
}

static long number(const char *s)
{
	return strtol(s, NULL, 0);
}

static int player(int argc, char **argv)
{
	struct ops ops;
	const char *follow = NULL;
	bool drain = false, tree = true;

	for (int i = 4; i < argc; i++) {
		if (!strcmp(argv[i], "--drain"))
			drain = true;
		else if (!strcmp(argv[i], "--no-tree"))
			tree = false;
		else if (!strcmp(argv[i], "--follow") && i + 1 < argc)
			follow = argv[++i];
	}
	ops_read(&ops, argv[2]);
	return play(argv[3], &ops, follow, drain, tree);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"seed", 1, 0, 's'},
					      {"seconds", 1, 0, 't'},
					      {"runs", 1, 0, 'n'},
					      {"ops", 1, 0, 'o'},
					      {"medium", 1, 0, 'm'},
					      {"where", 1, 0, 'w'},
					      {"size", 1, 0, 'S'},
					      {"inodes", 1, 0, 'I'},
					      {"dir", 1, 0, 'd'},
					      {"replay", 1, 0, 'r'},
					      {"keep", 0, 0, 'k'},
					      {"holes", 0, 0, 'H'},
					      {0}};
	uint64_t seed = 1;
	long seconds = 0, runs = 1, n_ops = 1500, k = 0;
	const char *base = "/tmp", *replay = NULL;
	bool keep = false, failed = false;
	struct difference d;
	struct ops ops;
	int c;

	if (argc > 3 && !strcmp(argv[1], "--play"))
		return player(argc, argv);
	if (argc == 3 && !strcmp(argv[1], "--dump")) {
		dump_tree(argv[2], true);
		return 0;
	}
	while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			seed = (uint64_t)number(optarg);
			break;
		case 't':
			seconds = number(optarg);
			break;
		case 'n':
			runs = number(optarg);
			break;
		case 'o':
			n_ops = number(optarg);
			break;
		case 'm':
			medium = optarg;
			break;
		case 'w':
			where = optarg;
			break;
		case 'S':
			size = optarg;
			break;
		case 'I':
			inodes = optarg;
			break;
		case 'd':
			base = optarg;
			break;
		case 'r':
			replay = optarg;
			break;
		case 'H':
			holes = true;
			break;
		case 'k':
			keep = true;
			break;
		default:
			return 2;
		}
	}
	if (optind >= argc)
		errx(2, "which sandbox?");
	sandbox = argv[optind];
	options = argv + optind + 1;
	self = realpath("/proc/self/exe", NULL);
	if (asprintf(&dir, "%s/fsrandom.XXXXXX", base) < 0 || !mkdtemp(dir) || chmod(dir, 0755) ||
	    mkdir(path("store"), 0777))
		err(2, "%s", base);
	named = !strcmp(medium, "named");
	if (named)
		where = "root";
	setenv("XDG_STATE_HOME", path("store"), 1);
	umask(022);
	time_t start = now();
	if (replay) {
		ops_read(&ops, replay);
		failed = differs(&ops, &d);
		if (failed && seconds) {
			shrink(&ops, &d, now() + seconds);
			differs(&ops, &d);
		}
		if (failed)
			report(&ops, &d);
	}
	for (; !replay && !failed && (seconds ? now() - start < seconds : k < runs); k++) {
		gen_ops(&ops, seed + (uint64_t)k, (size_t)n_ops, !geteuid());
		failed = differs(&ops, &d);
		if (failed) {
			printf("# seed %lu differs; first:\n# natively: %s\n# inside:   %s\n", seed + (unsigned long)k,
			       d.want, d.got);
			fflush(stdout);
			shrink(&ops, &d, now() + 60);
			differs(&ops, &d);
			report(&ops, &d);
		}
		free(ops.v);
	}
	if (!failed)
		printf("%ld runs of %ld operations from seed %lu: no difference\n", k, n_ops, seed);
	if (keep)
		printf("# kept: %s\n", dir);
	else
		clear(dir);
	return failed;
}
