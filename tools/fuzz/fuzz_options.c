/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_options.c - the command line, as lines of words: binds, overlays, sizes, limits, the environment, the letters of sandbox trace.
 *
 * What is accepted is what the rest of the program relies on: absolute places without "..", one command, an environment of assignments, sizes
 * and numbers within their bounds.
 *
 * covers: tools/options.c tools/trace_options.c
 * options: -max_len=1024 -only_ascii=1
 */
#include "tools/fuzz/fuzz.h"

#include "tools/options.h"
#include "tools/profile.h"

#include <string.h>

#define MAX_WORDS 48

struct run {
	char *argv[MAX_WORDS + 2];
	int argc;
	enum options_action action;
	struct launch_options opt;
};

static void parse(void *arg)
{
	static char a[] = "A=1", path[] = "PATH=/bin", b[] = "B=";
	static char *env[] = {a, path, b, NULL};
	struct run *r = arg;

	r->action = options_parse(r->argc, r->argv, env, &r->opt);
}

static void check_inside(const char *path)
{
	FUZZ_CHECK(path && path[0] == '/');
	for (const char *p = path; (p = strstr(p, "/..")); p++)
		FUZZ_CHECK(p[3] && p[3] != '/');
}

static void check_medium(const struct launch_medium *m)
{
	FUZZ_CHECK((m->kind == MEDIUM_DIR) == (m->dir != NULL) && (!m->dir || m->dir[0] == '/'));
	FUZZ_CHECK(m->size < UINT64_C(1) << 63 && m->inodes <= UINT64_C(1) << 40);
}

static void check(const struct run *r)
{
	const struct launch_options *o = &r->opt;

	FUZZ_CHECK(o->argv && o->argv[0] && o->argv >= r->argv && o->argv < r->argv + r->argc);
	FUZZ_CHECK(o->root && o->root[0] == '/' && o->hostname && *o->hostname && strlen(o->hostname) <= 64);
	for (char **e = o->env; *e; e++)
		FUZZ_CHECK(strchr(*e, '=') > *e);
	for (unsigned k = 0; k < o->n_mounts; k++) {
		const struct launch_mount *m = &o->mounts[k];
		check_inside(m->dst);
		FUZZ_CHECK((m->kind == MOUNT_BIND) == (m->src != NULL) && (!m->src || m->src[0] == '/'));
	}
	check_medium(&o->root_medium);
	check_medium(&o->all);
	FUZZ_CHECK(o->max_disk < UINT64_C(1) << 63 && o->memory < UINT64_C(1) << 63 && o->timeout_ms <= INT32_MAX);
	FUZZ_CHECK(o->uid != UINT32_MAX && o->gid != UINT32_MAX);
	FUZZ_CHECK(!o->chdir || o->chdir[0] == '/');
	FUZZ_CHECK(o->trace.n_injects <= TRACE_INJECTS && o->trace.n_paths <= TRACE_PATHS);
	FUZZ_CHECK(!o->trace.json || !o->trace.summary);
	const struct kept_options *k = options_kept();
	FUZZ_CHECK(!k->name || k->after == KEPT_DEFAULT);
	FUZZ_CHECK(!o->overlay_none || (!k->name && k->after <= KEPT_DISCARD));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text, *word;
	char self[] = "sandbox";
	struct run r = {.argv = {self}, .argc = 1};

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	while (r.argc < MAX_WORDS && (word = strsep(&rest, "\n")))
		r.argv[r.argc++] = word;
	if (!fuzz_dies(parse, &r)) {
		if (r.action == OPTIONS_RUN)
			check(&r);
		options_free(&r.opt);
	} else {
		*options_learnt() = (struct profile){0}; /* is freed already */
	}
	free(text);
	return 0;
}
