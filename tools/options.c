/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - reads the command line. Scanning stops at the first word that is not an option, so that the command's own options
 * are never taken for ours. Mounts and changes of the environment keep the order in which they stand.
 */
#include "tools/options.h"

#include "base/log.h"
#include "tools/environ.h"
#include "tools/profile.h"
#include "tools/trace_options.h"
#include "tools/values.h"

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
	OPT_EFFECTS,
	OPT_BY_PROCESS,
	OPT_NAME,
	OPT_FROM,
	OPT_DISCARD,
	OPT_COMMIT,
	OPT_KEEP,
	OPT_ASK,
	OPT_ON_ERROR,
	OPT_DEBUG_LOG,
	OPT_DEBUG_LEVEL,
	OPT_PROFILE,
	OPT_TREE,
	OPT_ONLY,
	OPT_NO_MISSING,
	OPT_PREFIX,
	OPT_MERGE,
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
    {"explain", optional_argument, NULL, OPT_EXPLAIN},
    {"json", no_argument, NULL, OPT_JSON},
    {"effects", no_argument, NULL, OPT_EFFECTS},
    {"by-process", no_argument, NULL, OPT_BY_PROCESS},
    {"name", required_argument, NULL, OPT_NAME},
    {"from", required_argument, NULL, OPT_FROM},
    {"discard", no_argument, NULL, OPT_DISCARD},
    {"commit", no_argument, NULL, OPT_COMMIT},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"ask", no_argument, NULL, OPT_ASK},
    {"on-error", required_argument, NULL, OPT_ON_ERROR},
    {"debug-log", required_argument, NULL, OPT_DEBUG_LOG},
    {"debug-level", required_argument, NULL, OPT_DEBUG_LEVEL},
    {"profile", required_argument, NULL, OPT_PROFILE},
    {"tree", no_argument, NULL, OPT_TREE},
    {"only", required_argument, NULL, OPT_ONLY},
    {"no-missing", no_argument, NULL, OPT_NO_MISSING},
    {"prefix", required_argument, NULL, OPT_PREFIX},
    {"merge", no_argument, NULL, OPT_MERGE},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const char help_text[] = "Usage: sandbox [OPTIONS] [--] COMMAND [ARG...], or: sandbox SUBCOMMAND ...\n"
				"  trace files learn exec ps stacks ls diff commit discard export import gc\n"
				"  --root DIR             lower root directory (default /)\n"
				"  --overlay WHAT:MEDIUM[,size=SIZE][,inodes=N]\n"
				"                         WHAT: root, or all (binds too); MEDIUM: memory,\n"
				"                         dir=PATH or self; or just: none\n"
				"  --bind SRC DST         host SRC at DST, read-write: changes reach the host\n"
				"  --ro-bind, --cow-bind SRC DST  the same read-only, or copy-on-write\n"
				"  --tmpfs DST, --hide PATH  empty file system in memory; nothing to see at PATH\n"
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
				"  --stats, --explain[=json[:FILE]]  at the end: counters; what was refused\n"
				"  --profile FILE         options and paths from FILE (man sandbox-profile)\n"
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

static void add_mount(struct launch_options *opt, struct launch_mount m)
{
	opt->mounts = xgrow(opt->mounts, opt->n_mounts + 1U, sizeof(*opt->mounts));
	opt->mounts[opt->n_mounts++] = m;
}

static void add_bind(struct launch_options *opt, enum bind_kind kind, int argc, char **argv)
{
	const char *name = kind == BIND_RO ? "ro-bind" : kind == BIND_COW ? "cow-bind" : "bind";
	const char *src = optarg, *dst = second_value(name, argc, argv);

	value_inside(name, dst);
	add_mount(opt, (struct launch_mount){
			   .kind = MOUNT_BIND,
			   .bind = kind,
			   .src = value_host_path(name, src, false),
			   .dst = xstrdup(dst),
		       });
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
			out->size = value_size("overlay", comma + 6);
		else if (!strncmp(comma, ",inodes=", 8))
			out->inodes = value_count("overlay", comma + 8, 1, UINT64_C(1) << 40);
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

static struct kept_options kept;
static enum front front;
static const char *attach_to;
static struct files_options files;
/* learn: the options that go into the profile, as they were given. */
static struct profile learnt;

enum front options_front(void)
{
	return front;
}

const struct files_options *options_files(void)
{
	return &files;
}

struct profile *options_learnt(void)
{
	return &learnt;
}

const char *options_attach_to(void)
{
	return attach_to;
}

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
	if (kept.name && kept.on_error != KEPT_DEFAULT)
		die("--name keeps the changes, also after a failure: --on-error is for runs without it");
	if (o->overlay_none && (kept.name || kept.after > KEPT_DISCARD || kept.on_error > KEPT_DISCARD || kept.from))
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

/* What is put together from several options. */
struct parsing {
	struct launch_options *out;
	struct env env;
	const char *root;
	bool have_uid, have_gid;
};

/* --explain[=json[:FILE]] */
static void parse_explain(const char *s, struct launch_options *out)
{
	out->explain_json = s;
	out->explain_file = s && !strncmp(s, "json:", 5) && s[5] ? s + 5 : NULL;
	if (s && !out->explain_file && strcmp(s, "json") != 0)
		die("--explain: \"%s\" is not json or json:FILE", s);
}

/* One option that getopt(3) found; those with two values take the second. False: it's none that a run has. */
static bool apply(struct parsing *p, int c, const char *v, int argc, char **argv)
{
	struct launch_options *out = p->out;

	switch (c) {
	case OPT_ROOT:
		p->root = v;
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
		out->max_disk = value_size("max-disk", v);
		break;
	case OPT_MEMORY:
		out->memory = value_size("memory", v);
		break;
	case OPT_PIDS:
		out->pids = (unsigned)value_count("pids", v, 1, 1U << 22);
		break;
	case OPT_CPUS:
		out->milli_cpus = (unsigned)value_count("cpus", v, 1000, 1U << 22);
		break;
	case OPT_TIMEOUT:
		out->timeout_ms = (unsigned)value_count("timeout", v, 1000, INT32_MAX);
		break;
	case OPT_TMPFS:
		value_inside("tmpfs", v);
		add_mount(out, (struct launch_mount){.kind = MOUNT_TMPFS, .dst = xstrdup(v)});
		break;
	case OPT_HIDE:
		value_inside("hide", v);
		add_mount(out, (struct launch_mount){.kind = MOUNT_HIDE, .dst = xstrdup(v)});
		break;
	case OPT_CHDIR:
		if (v[0] != '/')
			die("--chdir: \"%s\" is not an absolute path", v);
		out->chdir = v;
		break;
	case OPT_SETENV:
		env_unset(&p->env, env_check_key("setenv", v));
		env_add(&p->env, xasprintf("%s=%s", v, second_value("setenv", argc, argv)));
		break;
	case OPT_UNSETENV:
		env_unset(&p->env, env_check_key("unsetenv", v));
		break;
	case OPT_CLEARENV:
		env_clear(&p->env);
		break;
	case OPT_UID:
		out->uid = value_id("uid", v);
		p->have_uid = true;
		break;
	case OPT_GID:
		out->gid = value_id("gid", v);
		p->have_gid = true;
		break;
	case OPT_FAKEROOT:
		out->fakeroot = true;
		break;
	case OPT_HOSTNAME:
		out->hostname = value_hostname(v);
		break;
	case OPT_NET:
		out->net_host = parse_net(v);
		break;
	case OPT_STATS:
		out->stats = true;
		break;
	case OPT_EXPLAIN:
		out->explain = true;
		parse_explain(v, out);
		break;
	case OPT_JSON:
		if (front != FRONT_TRACE && front != FRONT_FILES)
			die("--json is for sandbox trace and sandbox files");
		out->trace.json = front == FRONT_TRACE;
		files.json = true;
		break;
	case OPT_EFFECTS:
		if (front != FRONT_TRACE)
			die("--effects is for sandbox trace");
		out->trace.effects = true;
		break;
	case OPT_BY_PROCESS:
		if (front != FRONT_TRACE)
			die("--by-process is for sandbox trace");
		out->trace.by_process = true;
		break;
	case OPT_DEBUG_LOG:
		out->debug_log = v;
		break;
	case OPT_DEBUG_LEVEL:
		out->debug_levels = v;
		break;
	case OPT_PROFILE: /* was read before all others */
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
	default:
		return false;
	}
	return true;
}

static bool has_two_values(int c)
{
	return c == OPT_BIND || c == OPT_RO_BIND || c == OPT_COW_BIND || c == OPT_SETENV;
}

/* Not what is said for one run alone. */
static bool belongs_in_profile(int c)
{
	switch (c) {
	case OPT_STATS:
	case OPT_EXPLAIN:
	case OPT_JSON:
	case OPT_EFFECTS:
	case OPT_BY_PROCESS:
	case OPT_NAME:
	case OPT_FROM:
	case OPT_DISCARD:
	case OPT_COMMIT:
	case OPT_KEEP:
	case OPT_ASK:
	case OPT_ON_ERROR:
	case OPT_PROFILE:
	case OPT_DEBUG_LOG:
	case OPT_DEBUG_LEVEL:
	case OPT_VERSION:
	case OPT_HELP:
		return false;
	default:
		return true;
	}
}

static const char *option_name(int c)
{
	const struct option *o = long_options;

	while (o->name && o->val != c)
		o++;
	return o->name;
}

/* The one after --profile, which may stand anywhere among the options, or NULL. */
static const char *find_profile(int argc, char **argv, const char *letters)
{
	const char *file = NULL;
	int c;

	optind = 0; /* GNU: start anew, also when a test calls this twice */
	opterr = 0;
	while ((c = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		if (has_two_values(c) && optind < argc)
			optind++;
		if (c == OPT_PROFILE && file)
			die("--profile: at most one");
		if (c == OPT_PROFILE)
			file = optarg;
	}
	return file;
}

static const char *profile_file;
static unsigned profile_line;
static void (*outer_hook)(void);

/* What options say of a value that is no good is followed by where it stands. */
static void say_where(void)
{
	log_msg("%s:%u: that is in the profile", profile_file, profile_line);
	log_set_die_hook(outer_hook);
	if (outer_hook)
		outer_hook();
}

static void apply_profile(struct parsing *p, const char *file)
{
	/* As long as the process: the rules and values are referred to by the options. */
	static struct profile in_use;
	struct profile profile;

	profile_load(&profile, file);
	profile_file = file;
	outer_hook = log_set_die_hook(say_where);
	for (size_t i = 0; i < profile.n_options; i++) {
		char **words = profile.options[i].words;
		AUTO_FREE char *name = xasprintf("--%s", words[0]);
		char *argv[6] = {(char *)(uintptr_t) "sandbox", name};
		int n = 2;

		profile_line = profile.options[i].line;
		for (char **w = words + 1; *w; w++)
			argv[n++] = *w;
		optind = 0;
		/* A value of its own word stays one, whatever it looks like. */
		int c = getopt_long(n, argv, "+:", long_options, NULL);
		if (c == '?' || c == ':')
			bad_option(optopt, name, c);
		if (!belongs_in_profile(c))
			die("--%s is not for a profile", words[0]);
		if (!apply(p, c, optarg, n, argv))
			die("--%s is not for a profile", words[0]);
		if (optind != n)
			die("--%s: too many values", words[0]);
	}
	log_set_die_hook(outer_hook);
	if (profile.has_paths) {
		static const struct vfs_rule nothing = {.path = "/", .may = VFS_MAY_SEE};

		p->out->rules = profile.n_rules ? profile.rules : &nothing;
		p->out->n_rules = MAX(profile.n_rules, (size_t)1);
	}
	profile_free(&in_use);
	in_use = profile;
}

/* Of sandbox files and learn alone. */
static bool files_option(int c, const char *v)
{
	if (front == FRONT_LEARN && c == OPT_MERGE) {
		files.merge = true;
	} else if ((front == FRONT_LEARN || front == FRONT_FILES) && c == 'o') {
		files.file = v;
	} else if (front != FRONT_FILES) {
		return false;
	} else if (c == OPT_TREE) {
		files.tree = true;
	} else if (c == OPT_ONLY) {
		files.kinds = files_kinds(v);
	} else if (c == OPT_NO_MISSING) {
		files.kinds &= ~VFS_NOTE_MISSING;
	} else if (c == OPT_PREFIX) {
		if (v[0] != '/')
			die("--prefix: \"%s\" is not an absolute path", v);
		files.prefix = v;
	} else {
		return false;
	}
	return true;
}

/* For learn. Host paths are made absolute, since the profile will be used elsewhere. */
static void note_option(int c, const char *v, char **argv)
{
	bool path = c == OPT_ROOT || c == OPT_BIND || c == OPT_RO_BIND || c == OPT_COW_BIND;
	AUTO_FREE char *abs = path ? value_host_path(option_name(c), v, c == OPT_ROOT) : NULL;
	char *words[4] = {(char *)(uintptr_t)option_name(c), abs ? abs : (char *)(uintptr_t)v,
			  has_two_values(c) ? argv[optind - 1] : NULL};

	profile_add_option(&learnt, words);
}

static enum front front_of(const char *word)
{
	return !strcmp(word, "trace")   ? FRONT_TRACE
	       : !strcmp(word, "files") ? FRONT_FILES
	       : !strcmp(word, "learn") ? FRONT_LEARN
					: FRONT_RUN;
}

enum options_action options_parse(int argc, char **argv, char **env, struct launch_options *out)
{
	static const char *const letters[] = {
	    [FRONT_RUN] = "+:", [FRONT_TRACE] = ("+:" TRACE_LETTERS), [FRONT_FILES] = "+:o:", [FRONT_LEARN] = "+:o:"};
	struct parsing p = {.out = out, .root = "/"};
	int c, for_run = 0;

	attach_to = NULL;
	kept = (struct kept_options){0};
	files = (struct files_options){.kinds = FILES_DEFAULT};
	profile_free(&learnt);
	*out = (struct launch_options){.hostname = "sandbox"};
	front = argc > 1 ? front_of(argv[1]) : FRONT_RUN;
	if (front == FRONT_TRACE)
		trace_defaults(&out->trace);
	if (front != FRONT_RUN) {
		argc--;
		argv++;
	}
	env_init(&p.env, env);
	const char *profile = find_profile(argc, argv, letters[front]);
	if (profile && front == FRONT_LEARN)
		die("--profile: learn adds to a profile with --merge -o FILE");
	if (profile)
		apply_profile(&p, profile);
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, letters[front], long_options, NULL)) != -1) {
		const char *v = optarg;

		if (c == 'p' && front == FRONT_TRACE) {
			attach_to = v;
			continue;
		}
		if (c == OPT_VERSION || c == OPT_HELP) {
			env_free(&p.env);
			return c == OPT_HELP ? OPTIONS_HELP : OPTIONS_VERSION;
		}
		if (c == '?' || c == ':')
			bad_option(optopt, argv[optind - 1], c);
		if (apply(&p, c, v, argc, argv)) {
			if (c != OPT_JSON && c != OPT_EFFECTS && c != OPT_BY_PROCESS)
				for_run = c;
			if (front == FRONT_LEARN && belongs_in_profile(c))
				note_option(c, v, argv);
		} else if (front == FRONT_TRACE && c < 256) {
			trace_option(&out->trace, c, v);
		} else if (!files_option(c, v)) {
			die("--%s is not an option of %s", option_name(c),
			    front == FRONT_RUN     ? "sandbox"
			    : front == FRONT_TRACE ? "sandbox trace"
			    : front == FRONT_FILES ? "sandbox files"
						   : "sandbox learn");
		}
	}
	out->env = p.env.v;
	trace_options_check(&out->trace);
	if (attach_to && for_run)
		die("--%s and -p exclude each other: the sandbox runs already", option_name(for_run));
	if (attach_to && optind < argc)
		die("-p takes no command");
	if (attach_to)
		return OPTIONS_ATTACH;
	if (optind >= argc)
		die("no command; usage: sandbox [OPTIONS] [--] COMMAND [ARG...], see sandbox --help");
	if (front == FRONT_LEARN && !files.file)
		die("learn needs -o PROFILE");
	if (files.json && files.tree)
		die("--json and --tree exclude each other");
	check_kept(out);
	if (out->debug_levels && !out->debug_log)
		die("--debug-level is for --debug-log");
	if (out->fakeroot && (p.have_uid || p.have_gid))
		die("--fakeroot and --uid or --gid exclude each other");
	out->argv = argv + optind;
	out->root = value_host_path("root", p.root, true);
	out->set_ids = p.have_uid || p.have_gid;
	if (!p.have_uid)
		out->uid = getuid();
	if (!p.have_gid)
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
