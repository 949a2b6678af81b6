/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - runs a command, on a kept layer if its changes are to outlive it, and then does with them what was asked for.
 */
#include "tools/cmd.h"

#include "base/log.h"
#include "tools/below.h"
#include "tools/binds.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

/* For ls: words that need it in quotes. */
static void note_command(struct layer *l, char *const *argv)
{
	AUTO_FREE char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	for (char *const *a = argv; *a; a++)
		fprintf(f, strpbrk(*a, " \t\n'\"\\$&|;<>()*?") || !**a ? "%s'%s'" : "%s%s", a == argv ? "" : " ", *a);
	if (fclose(f))
		return;
	free(l->meta.command);
	l->meta.command = take_ptr(text);
	l->meta.generation++;
	int r = layer_write_meta(l);
	if (r)
		log_msg("can't note the command of %s: %s", l->name, strerror(-r));
}

/* On the layers below l. They stay locked as long as anything of the sandbox lives, by the descriptors that its processes inherit. */
static int run_above(const struct layer *l, struct launch_options *opt)
{
	AUTO_BELOW struct below b = {0};
	struct launch_layer v[STACK_MAX];
	sigset_t mask;

	below_open(&b, l);
	for (unsigned i = 0; i < b.n; i++) {
		v[i] = (struct launch_layer){xasprintf("%s/data/store", b.v[i].path), b.v[i].journalfd};
		binds_changed(&b.v[i], "don't show in what lies on it");
		layer_leave(&b.v[i]);
	}
	opt->layers = v;
	opt->n_layers = b.n;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	int status = sandbox_run(opt);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	opt->layers = NULL;
	opt->n_layers = 0;
	for (unsigned i = 0; i < b.n; i++)
		free((char *)(uintptr_t)v[i].store);
	return status;
}

static int run_on(struct layer *l, struct launch_options *opt)
{
	AUTO_FREE char *data = xasprintf("%s/data", l->path);
	AUTO_BINDS struct layer_binds binds = {0};
	struct launch_keep keep = {.data = data, .kuid = l->meta.kuid};

	binds_for_run(l, opt, &binds);
	note_command(l, opt->argv);
	opt->keep = &keep;
	opt->name = l->name[0] == '.' ? NULL : l->name;
	int status = run_above(l, opt);
	opt->keep = NULL;
	return status;
}

/* Nothing is kept, but there's something below. */
static int run_from(const char *from, struct launch_options *opt)
{
	AUTO_LAYER struct layer l = LAYER_INIT;
	struct stat st;

	l.name = xstrdup("");
	l.meta.root = realpath(opt->root, NULL);
	if (!l.meta.root || stat(l.meta.root, &st))
		die("--root: %s: %m", opt->root);
	l.meta.root_ino = st.st_ino;
	l.meta.fakeroot = opt->fakeroot;
	below_parse(from, &l.meta);
	return run_above(&l, opt);
}

static void keep_as(struct layer *l, const char *name)
{
	char made[64];
	struct timespec now;
	int r = name ? layer_rename(l, name) : -ENOENT;

	if (!r)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(made, sizeof(made), "kept-%" PRIx64, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	int again = layer_rename(l, made);
	if (again)
		log_msg("can't keep the changes: %s; they are in %s until sandbox gc", strerror(-again), l->path);
	else if (name)
		log_msg("%s: %s: the changes are kept as %s", name, strerror(-r), made);
	else
		log_msg("the changes are kept as %s", made);
}

static volatile sig_atomic_t interrupted; /* number of the signal that came instead of an answer */

static void on_signal(int sig)
{
	interrupted = sig;
}

/* To the terminal, where the question is, also if the command's output goes elsewhere. */
static int show(struct layer *l, bool text)
{
	AUTO_CLOSE int out = isatty(1) ? -1 : dup(1);

	fflush(stdout);
	if (out >= 0)
		dup2(2, 1);
	int r = print_diff(l, text);
	fflush(stdout);
	if (out >= 0)
		dup2(out, 1);
	return r;
}

/* y, n or k. A user who goes away instead of an answer hasn't said that it may be lost. */
static char ask_user(struct layer *l)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction act = {.sa_handler = on_signal}, old[ARRAY_SIZE(signals)];
	AUTO_FREE char *line = NULL;
	size_t cap = 0;
	char c = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &act, &old[i]);
	while (!c) {
		fprintf(stderr,
			"Apply these changes%s to %s? y(es), n(o: throw them away), k(eep for later), d(ifferences): ",
			l->meta.n_from ? " and those below them" : "", l->meta.root);
		if (getline(&line, &cap, stdin) <= 0) {
			fputc('\n', stderr);
			c = 'k';
			break;
		}
		c = (char)(line[0] | 32);
		if (c == 'd')
			show(l, true);
		if (c != 'y' && c != 'n' && c != 'k')
			c = 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &old[i], NULL);
	return c;
}

static int discard(struct layer *l)
{
	int r = layer_discard(l);

	if (r)
		log_msg("can't remove %s: %s", l->path, strerror(-r));
	return r ? CMD_FAILED : 0;
}

static int commit(struct layer *l)
{
	struct commit_options o = {.quiet = true};
	int r = commit_whole(l, &o);

	if (!r)
		return discard(l);
	keep_as(l, NULL);
	return r;
}

static int finish(struct layer *l, const struct kept_options *k, int status)
{
	enum kept_action a = k->after;
	int r = 0;

	if (status && k->on_error != KEPT_DEFAULT)
		a = k->on_error;
	else if (status && a == KEPT_COMMIT)
		a = KEPT_DISCARD;
	if (a == KEPT_ASK) {
		int diff = show(l, false);
		char c = diff == 1 ? ask_user(l) : diff ? 'k' : 'n';
		a = c == 'y' ? KEPT_COMMIT : c == 'n' ? KEPT_DISCARD : KEPT_KEEP;
	}
	log_event(LF_TOOLS, LL_INFO, "what becomes of the changes", LOG_INT("status", status),
		  LOG_STR("action", a == KEPT_COMMIT ? "commit"
				    : a == KEPT_KEEP ? "keep"
						     : "discard"));
	if (a == KEPT_COMMIT)
		r = commit(l);
	else if (a == KEPT_KEEP)
		keep_as(l, k->keep);
	else
		r = discard(l);
	return status ? status : r ? r : interrupted ? 128 + interrupted : 0;
}

int run_sandbox(struct launch_options *opt)
{
	const struct kept_options *k = options_kept();
	AUTO_LAYER struct layer l = LAYER_INIT;
	char tmp[32];
	uint64_t v;

	if (k->name) {
		if (!layer_name_ok(k->name))
			die("--name: \"%s\": letters, digits, '-', '_' and '.', at most 64", k->name);
		create_layer_or_die(&l, k->name, opt->root, opt->fakeroot, k->from, false);
		int r = commit_undo_all(&l);
		if (r)
			die("can't undo a commit of %s that was interrupted: %s", k->name, strerror(-r));
		return run_on(&l, opt);
	}
	bool may_keep = k->after > KEPT_DISCARD || (k->on_error != KEPT_DEFAULT && k->on_error != KEPT_DISCARD);
	if (!may_keep)
		return k->from ? run_from(k->from, opt) : sandbox_run(opt);
	if (k->keep && !layer_name_ok(k->keep))
		die("--keep: \"%s\": letters, digits, '-', '_' and '.', at most 64", k->keep);
	if (k->after == KEPT_ASK && (!isatty(0) || !isatty(2)))
		die("--ask needs a terminal");
	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		die("getrandom: %m");
	snprintf(tmp, sizeof(tmp), ".run-%016" PRIx64, v);
	create_layer_or_die(&l, tmp, opt->root, opt->fakeroot, k->from, false);
	return finish(&l, k, run_on(&l, opt));
}
