/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_profile.c - profiles, as sandbox --profile and learn --merge read them.
 *
 * What is accepted names places as the VFS wants them, each once, and options that exist; written down and read again it is the same.
 *
 * covers: tools/profile.c
 * options: -max_len=2048
 */
#include "tools/profile.h"

#include "tools/fuzz/fuzz.h"
#include "tools/options.h"
#include "tools/used.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

struct run {
	const char *file;
	struct profile p;
	struct launch_options opt;
};

static void load(void *arg)
{
	struct run *r = arg;

	profile_load(&r->p, r->file);
}

static void save(void *arg)
{
	struct run *r = arg;

	profile_save(&r->p, r->file);
}

static void use(void *arg)
{
	static char path[] = "PATH=/bin", self[] = "sandbox", option[] = "--profile", command[] = "true";
	static char *env[] = {path, NULL};
	static char file[64];
	struct run *r = arg;
	char *argv[] = {self, option, file, command, NULL};

	snprintf(file, sizeof(file), "%s", r->file);
	FUZZ_CHECK(options_parse(4, argv, env, &r->opt) == OPTIONS_RUN);
}

static void check(const struct profile *p)
{
	FUZZ_CHECK(p->has_paths || !p->n_rules);
	for (size_t k = 0; k < p->n_options; k++)
		FUZZ_CHECK(p->options[k].words[0] && p->options[k].words[0][0] != '-' && p->options[k].line);
	for (size_t k = 0; k < p->n_rules; k++) {
		const struct vfs_rule *r = &p->rules[k];
		FUZZ_CHECK(r->path[0] == '/' && strlen(r->path) < USED_PATH_MAX && r->may <= VFS_MAY_ALL);
		FUZZ_CHECK(!strstr(r->path, "//") && !strstr(r->path, "/./") && !strstr(r->path, "/../"));
		for (size_t n = 0; n < k; n++)
			FUZZ_CHECK(strcmp(p->rules[n].path, r->path) || p->rules[n].scope != r->scope);
	}
}

static void same(const struct profile *a, const struct profile *b)
{
	FUZZ_CHECK(a->n_options == b->n_options && a->n_rules == b->n_rules);
	for (size_t k = 0; k < a->n_options; k++) {
		char **x = a->options[k].words, **y = b->options[k].words;
		for (; *x && *y; x++, y++)
			FUZZ_CHECK(!strcmp(*x, *y));
		FUZZ_CHECK(!*x && !*y);
	}
	for (size_t k = 0; k < a->n_rules; k++) {
		const struct vfs_rule *x = &a->rules[k], *y = &b->rules[k];
		FUZZ_CHECK(!strcmp(x->path, y->path) && x->scope == y->scope && x->may == y->may);
	}
}

static void again(const struct profile *p)
{
	static char file[128];
	struct run r = {.file = file, .p = *p};

	snprintf(file, sizeof(file), "%s/profile", fuzz_scratch());
	FUZZ_CHECK(!fuzz_dies(save, &r));
	FUZZ_CHECK(!fuzz_dies(load, &r));
	FUZZ_CHECK(r.p.has_paths);
	same(p, &r.p);
	profile_free(&r.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char file[64];
	struct run r = {.file = file};
	int fd = fuzz_memfd(data, size), next = dup(fd);

	/* Where die() leaves the file open it is this number. */
	close(next);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	if (fuzz_dies(load, &r)) {
		close(next);
	} else {
		check(&r.p);
		again(&r.p);
		if (!fuzz_dies(use, &r)) {
			FUZZ_CHECK(!r.p.has_paths == !r.opt.n_rules);
			options_free(&r.opt);
		}
		profile_free(&r.p);
	}
	close(fd);
	return 0;
}
