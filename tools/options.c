/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - reads the command line. Scanning stops at the first word that is not an option, so that the command's own options
 * are never taken for ours. Mounts and changes of the environment keep the order in which they stand.
 */
#include "tools/options.h"

#include "base/log.h"
#include "tools/environ.h"
#include "tools/trace_options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum option_code {
	OPT_ROOT = 256,
	OPT_OVERLAY,
	OPT_BIND,
	OPT_RO_BIND,
	OPT_COW_BIND,
	OPT_MAX_DISK,
	OPT_MEMORY,
	OPT_PIDS,
	OPT_CPUS,
	OPT_TIMEOUT,
	OPT_TMPFS,
	OPT_HIDE,
	OPT_CHDIR,
	OPT_SETENV,
	OPT_UNSETENV,
	OPT_CLEARENV,
	OPT_UID,
	OPT_GID,
	OPT_FAKEROOT,
	OPT_HOSTNAME,
	OPT_NET,
	OPT_STATS,
	OPT_EXPLAIN,
	OPT_JSON,
	OPT_NAME,
	OPT_FROM,
	OPT_DISCARD,
	OPT_COMMIT,
	OPT_KEEP,
	OPT_ASK,
	OPT_ON_ERROR,
	OPT_DEBUG_LOG,
	OPT_DEBUG_LEVEL,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option long_options[] = {
    {"root", required_argument, NULL, OPT_ROOT},
    {"overlay", required_argument, NULL, OPT_OVERLAY},
    {"bind", required_argument, NULL, OPT_BIND},
    {"ro-bind", required_argument, NULL, OPT_RO_BIND},
    {"cow-bind", required_argument, NULL, OPT_COW_BIND},
    {"max-disk", required_argument, NULL, OPT_MAX_DISK},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"pids", required_argument, NULL, OPT_PIDS},
    {"cpus", required_argument, NULL, OPT_CPUS},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"tmpfs", required_argument, NULL, OPT_TMPFS},
    {"hide", required_argument, NULL, OPT_HIDE},
    {"chdir", required_argument, NULL, OPT_CHDIR},
    {"setenv", required_argument, NULL, OPT_SETENV},
    {"unsetenv", required_argument, NULL, OPT_UNSETENV},
    {"clearenv", no_argument, NULL, OPT_CLEARENV},
    {"uid", required_argument, NULL, OPT_UID},
    {"gid", required_argument, NULL, OPT_GID},
    {"fakeroot", no_argument, NULL, OPT_FAKEROOT},
    {"hostname", required_argument, NULL, OPT_HOSTNAME},
    {"net", required_argument, NULL, OPT_NET},
    {"stats", no_argument, NULL, OPT_STATS},
    {"explain", no_argument, NULL, OPT_EXPLAIN},
    {"json", no_argument, NULL, OPT_JSON},
    {"name", required_argument, NULL, OPT_NAME},
    {"from", required_argument, NULL, OPT_FROM},
    {"discard", no_argument, NULL, OPT_DISCARD},
    {"commit", no_argument, NULL, OPT_COMMIT},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"ask", no_argument, NULL, OPT_ASK},
    {"on-error", required_argument, NULL, OPT_ON_ERROR},
    {"debug-log", required_argument, NULL, OPT_DEBUG_LOG},
    {"debug-level", required_argument, NULL, OPT_DEBUG_LEVEL},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const char help_text[] = "Usage: sandbox [OPTIONS] [--] COMMAND [ARG...]\n"
				"       sandbox trace|exec|ps|ls|diff|commit|discard|export|import|gc\n"
				"  --root DIR             lower root directory (default /)\n"
				"  --overlay WHAT:MEDIUM[,size=SIZE][,inodes=N]\n"
				"                         WHAT: root, or all (binds too); MEDIUM: memory,\n"
				"                         dir=PATH or self; or just: none\n"
				"  --bind SRC DST         host SRC at DST, read-write: changes reach the host\n"
				"  --ro-bind, --cow-bind SRC DST  the same read-only, or copy-on-write\n"
				"  --tmpfs DST            empty file system in memory at DST\n"
				"  --hide PATH            cover PATH by something empty\n"
				"  --chdir DIR            start in DIR (inside)\n"
				"  --setenv K V, --unsetenv K, --clearenv  change the environment\n"
				"  --uid N, --gid N       user and group id inside\n"
				"  --fakeroot             be uid 0 and gid 0 inside, for an ordinary user\n"
				"  --hostname H, --net none|host  host name; network (default: loopback only)\n"
				"  --name NAME, --from A[:B...]  keep the changes, and go on from those kept\n"
				"                         before; lie on others, which stay as they are\n"
				"  --commit, --keep NAME, --ask, --on-error commit|discard|keep  then do this\n"
				"  --max-disk SIZE        of all changes together\n"
				"  --memory SIZE, --pids N, --cpus N, --timeout SECONDS  of all of it\n"
				"  --stats, --explain     at the end: counters; what was refused and why\n"
				"  --debug-log FILE       and --debug-level FOLDER=LEVEL,...\n"
				"Exit status: the command's; 128+n for signal n; 124 timeout, 125 sandbox failed,\n"
				"126 COMMAND can't be executed, 127 not found. Manual: man sandbox\n";

/* The second value of an option that has two: the next word, whatever it looks like. */
static char *second_value(const char *option, int argc, char **argv)
{
	if (optind >= argc)
		die("--%s needs two values", option);
	return argv[optind++];
}

/* ".." would mean different places before and after a symlink is made inside: there is no honest way to take it. */
static const char *check_inside(const char *option, const char *path)
{
	if (path[0] != '/')
		die("--%s: \"%s\" is not an absolute path", option, path);
	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (!p[3] || p[3] == '/')
			die("--%s: \"%s\" has a \"..\" component", option, path);
	return path;
}

static char *host_path(const char *option, const char *path, bool want_dir)
{
	struct stat st;

	if (stat(path, &st))
		die("--%s: %s: %m", option, path);
	if (want_dir && !S_ISDIR(st.st_mode))
		die("--%s: %s: %s", option, path, strerror(ENOTDIR));
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		die("--%s: %s: neither a directory nor a regular file", option, path);
	if (path[0] == '/')
		return xstrdup(path);

	char *cwd AUTO_FREE = getcwd(NULL, 0);

	if (!cwd)
		die("current directory: %m");
	return xasprintf("%s/%s", cwd, path);
}

static void add_mount(struct launch_options *opt, struct launch_mount m)
{
	opt->mounts = xgrow(opt->mounts, opt->n_mounts + 1U, sizeof(*opt->mounts));
	opt->mounts[opt->n_mounts++] = m;
}

static void add_bind(struct launch_options *opt, enum bind_kind kind, int argc, char **argv)
{
	const char *name = kind == BIND_RO ? "ro-bind" : kind == BIND_COW ? "cow-bind" : "bind";
	const char *src = optarg, *dst = second_value(name, argc, argv);

	check_inside(name, dst);
	add_mount(opt, (struct launch_mount){
			   .kind = MOUNT_BIND,
			   .bind = kind,
			   .src = host_path(name, src, false),
			   .dst = xstrdup(dst),
		       });
}

/* 0 to 2^32-2: (uid_t)-1 means "unchanged" to the kernel. */
uint32_t option_id(const char *option, const char *s)
{
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (!isdigit((unsigned char)*s) || *end || errno || v >= UINT32_MAX)
		die("--%s: \"%s\" is not a number from 0 to %u", option, s, UINT32_MAX - 1);
	return (uint32_t)v;
}

/* A number with decimals times unit, no more than max; what follows it in *end. */
static uint64_t parse_decimal(const char *option, const char *s, uint64_t unit, uint64_t max, const char **end)
{
	uint64_t v = 0, part = 0, scale = 1;
	const char *p = s;

	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			die("--%s: \"%s\" is too large", option, s);
	if (p > s && *p == '.')
		for (p++; isdigit((unsigned char)*p); p++) {
			if (scale >= 1000000)
				continue;
			part = 10 * part + (uint64_t)(*p - '0');
			scale *= 10;
		}
	if (p == s || __builtin_mul_overflow(v, unit, &v) || v > max)
		die("--%s: \"%s\" is %s", option, s, p == s ? "not a number" : "too large");
	*end = p;
	return v + part * unit / scale;
}

/* Bytes, with K, M, G or T for powers of 1024 (KiB, kB... too, all the same). */
static uint64_t parse_size(const char *option, const char *s)
{
	static const char units[] = "kmgt";
	uint64_t unit = 1;
	const char *end = s + strspn(s, "0123456789."), *u;

	if (*end && (u = strchr(units, tolower((unsigned char)*end)))) {
		unit = UINT64_C(1) << (10 * (u - units + 1));
		end++;
	}
	if (strcmp(end, "") && strcasecmp(end, "b") && !(unit > 1 && !strcasecmp(end, "ib")))
		die("--%s: \"%s\" is not a size: a number, and K, M, G or T", option, s);
	uint64_t v = parse_decimal(option, s, unit, UINT64_C(1) << 62, &end);
	if (!v)
		die("--%s: \"%s\" leaves nothing", option, s);
	return v;
}

static uint64_t parse_count(const char *option, const char *s, uint64_t unit, uint64_t max)
{
	const char *end;
	uint64_t v = parse_decimal(option, s, unit, max, &end);

	if (*end || !v || (unit == 1 && strchr(s, '.')))
		die("--%s: \"%s\" is not a number above 0", option, s);
	return v;
}

/* MEDIUM[,size=SIZE][,inodes=N]; the limits are the last parts, since a path may have commas. */
static void parse_medium(const char *s, struct launch_medium *out)
{
	AUTO_FREE char *copy = xstrdup(s);
	struct stat st;
	char *comma;

	free(out->dir);
	*out = (struct launch_medium){0};
	while ((comma = strrchr(copy, ','))) {
		if (!strncmp(comma, ",size=", 6))
			out->size = parse_size("overlay", comma + 6);
		else if (!strncmp(comma, ",inodes=", 8))
			out->inodes = parse_count("overlay", comma + 8, 1, UINT64_C(1) << 40);
		else
			break;
		*comma = '\0';
	}
	if (!strcmp(copy, "memory")) {
		out->kind = MEDIUM_MEMORY;
	} else if (!strcmp(copy, "self")) {
		out->kind = MEDIUM_SELF;
	} else if (!strncmp(copy, "dir=", 4)) {
		out->kind = MEDIUM_DIR;
		out->dir = xstrdup(copy + 4);
		if (out->dir[0] != '/')
			die("--overlay: \"%s\" is not an absolute path", out->dir);
		if (stat(out->dir, &st))
			die("--overlay: %s: %m", out->dir);
		if (!S_ISDIR(st.st_mode))
			die("--overlay: %s: %s", out->dir, strerror(ENOTDIR));
	} else {
		die("--overlay: \"%s\" is none of memory, dir=PATH and self, with ,size= and ,inodes=", s);
	}
}

static void parse_overlay(const char *s, struct launch_options *out)
{
	if (!strcmp(s, "none"))
		out->overlay_none = true;
	else if (!strncmp(s, "root:", 5)) {
		parse_medium(s + 5, &out->root_medium);
		out->overlay_none = false;
	} else if (!strncmp(s, "all:", 4))
		parse_medium(s + 4, &out->all);
	else
		die("--overlay: \"%s\" is not root:MEDIUM, all:MEDIUM or none", s);
}

/* hostname(7): letters, digits, hyphens and dots; 64 is the kernel's __NEW_UTS_LEN. */
static const char *check_hostname(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > 64 || s[0] == '-' || s[0] == '.')
		die("--hostname: \"%s\" is not a host name", s);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '.')
			die("--hostname: \"%s\" is not a host name", s);
	return s;
}

static struct kept_options kept;

const struct kept_options *options_kept(void)
{
	return &kept;
}

static void set_after(enum kept_action a)
{
	if (kept.after != KEPT_DEFAULT && kept.after != a)
		die("--discard, --commit, --keep and --ask exclude each other");
	kept.after = a;
}

static enum kept_action parse_on_error(const char *s)
{
	if (!strcmp(s, "commit"))
		return KEPT_COMMIT;
	if (!strcmp(s, "discard"))
		return KEPT_DISCARD;
	if (!strcmp(s, "keep"))
		return KEPT_KEEP;
	die("--on-error: \"%s\" is not commit, discard or keep", s);
}

static void check_kept(const struct launch_options *o)
{
	if (kept.name && kept.after != KEPT_DEFAULT)
		die("--name keeps the changes: --discard, --commit, --keep and --ask are for runs without it");
	if (kept.on_error == KEPT_KEEP && kept.after != KEPT_KEEP && !kept.name)
		kept.keep = NULL;
	if (o->overlay_none && (kept.name || kept.after > KEPT_DISCARD || kept.from))
		die("--overlay none makes no changes to keep");
}

static bool parse_net(const char *s)
{
	if (!strcmp(s, "host"))
		return true;
	if (strcmp(s, "none"))
		die("--net: \"%s\" is neither none nor host", s);
	return false;
}

/* getopt_long(3) returned '?' or ':' for the word before optind. */
static _Noreturn void bad_option(int code, const char *word, int c)
{
	for (const struct option *o = long_options; o->name; o++) {
		if (o->val != code)
			continue;
		if (c == ':')
			die("--%s needs a value", o->name);
		die("--%s takes no value", o->name);
	}
	if (code && c == ':')
		die("-%c needs a value", code);
	if (code)
		die("unknown option -%c; see sandbox --help", code);
	die("unknown or ambiguous option %s; see sandbox --help", word);
}

enum options_action options_parse(int argc, char **argv, char **env, struct launch_options *out)
{
	bool have_uid = false, have_gid = false;
	const char *root = "/";
	struct env e;
	int c;

	const bool tracing = argc > 1 && !strcmp(argv[1], "trace");

	kept = (struct kept_options){0};
	*out = (struct launch_options){.hostname = "sandbox"};
	if (tracing) {
		trace_defaults(&out->trace);
		argc--;
		argv++;
	}
	env_init(&e, env);
	optind = 0; /* GNU: start anew, also when a test calls this twice */
	opterr = 0;
	while ((c = getopt_long(argc, argv, tracing ? "+:" TRACE_LETTERS : "+:", long_options, NULL)) != -1) {
		const char *v = optarg;

		switch (c) {
		case OPT_ROOT:
			root = v;
			break;
		case OPT_OVERLAY:
			parse_overlay(v, out);
			break;
		case OPT_BIND:
			add_bind(out, BIND_RW, argc, argv);
			break;
		case OPT_RO_BIND:
			add_bind(out, BIND_RO, argc, argv);
			break;
		case OPT_COW_BIND:
			add_bind(out, BIND_COW, argc, argv);
			break;
		case OPT_MAX_DISK:
			out->max_disk = parse_size("max-disk", v);
			break;
		case OPT_MEMORY:
			out->memory = parse_size("memory", v);
			break;
		case OPT_PIDS:
			out->pids = (unsigned)parse_count("pids", v, 1, 1U << 22);
			break;
		case OPT_CPUS:
			out->milli_cpus = (unsigned)parse_count("cpus", v, 1000, 1U << 22);
			break;
		case OPT_TIMEOUT:
			out->timeout_ms = (unsigned)parse_count("timeout", v, 1000, INT32_MAX);
			break;
		case OPT_TMPFS:
			check_inside("tmpfs", v);
			add_mount(out, (struct launch_mount){.kind = MOUNT_TMPFS, .dst = xstrdup(v)});
			break;
		case OPT_HIDE:
			check_inside("hide", v);
			add_mount(out, (struct launch_mount){.kind = MOUNT_HIDE, .dst = xstrdup(v)});
			break;
		case OPT_CHDIR:
			if (v[0] != '/')
				die("--chdir: \"%s\" is not an absolute path", v);
			out->chdir = v;
			break;
		case OPT_SETENV:
			env_unset(&e, env_check_key("setenv", v));
			env_add(&e, xasprintf("%s=%s", v, second_value("setenv", argc, argv)));
			break;
		case OPT_UNSETENV:
			env_unset(&e, env_check_key("unsetenv", v));
			break;
		case OPT_CLEARENV:
			env_clear(&e);
			break;
		case OPT_UID:
			out->uid = option_id("uid", v);
			have_uid = true;
			break;
		case OPT_GID:
			out->gid = option_id("gid", v);
			have_gid = true;
			break;
		case OPT_FAKEROOT:
			out->fakeroot = true;
			break;
		case OPT_HOSTNAME:
			out->hostname = check_hostname(v);
			break;
		case OPT_NET:
			out->net_host = parse_net(v);
			break;
		case OPT_STATS:
			out->stats = true;
			break;
		case OPT_EXPLAIN:
			out->explain = true;
			break;
		case OPT_JSON:
			if (!tracing)
				die("--json is for sandbox trace");
			out->trace.json = true;
			break;
		case OPT_NAME:
			kept.name = v;
			break;
		case OPT_FROM:
			kept.from = v;
			break;
		case OPT_DISCARD:
			set_after(KEPT_DISCARD);
			break;
		case OPT_COMMIT:
			set_after(KEPT_COMMIT);
			break;
		case OPT_KEEP:
			set_after(KEPT_KEEP);
			kept.keep = v;
			break;
		case OPT_ASK:
			set_after(KEPT_ASK);
			break;
		case OPT_ON_ERROR:
			kept.on_error = parse_on_error(v);
			break;
		case OPT_DEBUG_LOG:
			out->debug_log = v;
			break;
		case OPT_DEBUG_LEVEL:
			out->debug_levels = v;
			break;
		case OPT_VERSION:
		case OPT_HELP:
			env_free(&e);
			return c == OPT_HELP ? OPTIONS_HELP : OPTIONS_VERSION;
		default:
			if (tracing && c != '?' && c != ':') {
				trace_option(&out->trace, c, v);
				break;
			}
			bad_option(optopt, argv[optind - 1], c);
		}
	}
	out->env = e.v;
	trace_options_check(&out->trace);
	if (optind >= argc)
		die("no command; usage: sandbox [OPTIONS] [--] COMMAND [ARG...], see sandbox --help");
	check_kept(out);
	if (out->debug_levels && !out->debug_log)
		die("--debug-level is for --debug-log");
	if (out->fakeroot && (have_uid || have_gid))
		die("--fakeroot and --uid or --gid exclude each other");
	out->argv = argv + optind;
	out->root = host_path("root", root, true);
	out->set_ids = have_uid || have_gid;
	if (!have_uid)
		out->uid = getuid();
	if (!have_gid)
		out->gid = getgid();
	return OPTIONS_RUN;
}

void options_free(struct launch_options *opt)
{
	for (unsigned i = 0; i < opt->n_mounts; i++) {
		free(opt->mounts[i].src);
		free(opt->mounts[i].dst);
	}
	free(opt->mounts);
	for (char **p = opt->env; p && *p; p++)
		free(*p);
	free(opt->env);
	free((char *)opt->root);
	free(opt->root_medium.dir);
	free(opt->all.dir);
	*opt = (struct launch_options){0};
}

void options_help(void)
{
	fputs(help_text, stdout);
}
