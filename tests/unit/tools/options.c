/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the command line: order, values, what belongs to the command, and what is refused with status 125. */
#include "tools/options.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

/* The options point into argv, which getopt never writes to: it only permutes, and "+" forbids that. */
static enum options_action parse(struct launch_options *o, const char *const *words)
{
	static const char *env[] = {"A=1", "B=2", "AB=3", NULL};
	static const char *argv[32]; /* a compound literal in an assertion is gone after it */
	int n = 0;

	for (; words[n] && n < (int)(sizeof(argv) / sizeof(*argv)) - 1; n++)
		argv[n] = words[n];
	argv[n] = NULL;
	return options_parse(n, (char **)argv, (char **)env, o);
}
#define PARSE(o, ...) parse(o, (const char *[]){"sandbox", __VA_ARGS__, NULL})

Test(options, the_commands_own_options_are_its_own)
{
	struct launch_options o;

	cr_assert_eq(PARSE(&o, "--stats", "ls", "--help", "--net", "x"), OPTIONS_RUN);
	cr_assert_str_eq(o.argv[0], "ls");
	cr_assert_str_eq(o.argv[1], "--help");
	cr_assert(o.stats);
	cr_assert_not(o.net_host);
	cr_assert_str_eq(o.root, "/");
	cr_assert_not(o.overlay_none);
	cr_assert_eq(o.root_medium.kind, MEDIUM_DEFAULT);
	options_free(&o);
	cr_assert_eq(PARSE(&o, "--", "--version"), OPTIONS_RUN);
	cr_assert_str_eq(o.argv[0], "--version");
	options_free(&o);
}

Test(options, mounts_keep_their_order)
{
	struct launch_options o;

	PARSE(&o, "--bind", "/etc", "/a", "--tmpfs", "/b", "--ro-bind", ".", "/c", "--hide", "/d", "true");
	cr_assert_eq(o.n_mounts, 4);
	cr_assert_eq(o.mounts[0].kind, MOUNT_BIND);
	cr_assert_eq(o.mounts[1].kind, MOUNT_TMPFS);
	cr_assert_eq(o.mounts[2].bind, BIND_RO);
	cr_assert_eq(o.mounts[2].src[0], '/');
	cr_assert_eq(o.mounts[3].kind, MOUNT_HIDE);
	options_free(&o);
}

Test(options, environment_in_order)
{
	struct launch_options o;

	PARSE(&o, "--setenv", "A", "x y", "--unsetenv", "B", "--setenv", "C", "", "true");
	cr_assert_str_eq(o.env[0], "AB=3");
	cr_assert_str_eq(o.env[1], "A=x y");
	cr_assert_str_eq(o.env[2], "C=");
	cr_assert_null(o.env[3]);
	options_free(&o);
	PARSE(&o, "--setenv", "X", "1", "--clearenv", "true");
	cr_assert_null(o.env[0]);
	options_free(&o);
}

Test(options, overlays_and_sizes)
{
	struct launch_options o;

	PARSE(&o, "--overlay", "root:dir=/tmp,size=1.5G,inodes=7", "--overlay", "all:self", "--cow-bind", "/etc", "/a",
	      "--max-disk", "3kib", "true");
	cr_assert_eq(o.root_medium.kind, MEDIUM_DIR);
	cr_assert_str_eq(o.root_medium.dir, "/tmp");
	cr_assert_eq(o.root_medium.size, UINT64_C(3) << 29);
	cr_assert_eq(o.root_medium.inodes, 7);
	cr_assert_eq(o.all.kind, MEDIUM_SELF);
	cr_assert_eq(o.all.size, 0);
	cr_assert_eq(o.mounts[0].bind, BIND_COW);
	cr_assert_eq(o.max_disk, 3072);
	options_free(&o);
	PARSE(&o, "--overlay", "root:memory,size=16M", "--overlay", "root:self", "--overlay", "none", "--memory", "1t",
	      "--pids", "5", "--cpus", "0.25", "--timeout", "2.5", "true");
	cr_assert(o.overlay_none);
	cr_assert_eq(o.root_medium.kind, MEDIUM_SELF);
	cr_assert_eq(o.root_medium.size, 0);
	cr_assert_eq(o.memory, UINT64_C(1) << 40);
	cr_assert_eq(o.pids, 5);
	cr_assert_eq(o.milli_cpus, 250);
	cr_assert_eq(o.timeout_ms, 2500);
	options_free(&o);
}

static void refused(const char *const *argv)
{
	struct launch_options o;

	cr_redirect_stderr();
	parse(&o, argv);
	exit(0);
}
#define REFUSED(name, ...)                                               \
	Test(refused, name, .exit_code = 125)                            \
	{                                                                \
		refused((const char *[]){"sandbox", __VA_ARGS__, NULL}); \
	}
REFUSED(nothing, NULL)
REFUSED(unknown, "--bogus", "true")
REFUSED(no_command, "--stats")
REFUSED(relative, "--bind", "/etc", "etc", "true")
REFUSED(dotdot, "--tmpfs", "/a/../b", "true")
REFUSED(uid, "--uid", "4294967295", "true")
REFUSED(negative, "--gid", "-1", "true")
REFUSED(key, "--setenv", "A=B", "c", "true")
REFUSED(both, "--fakeroot", "--uid", "3", "true")
REFUSED(missing, "--bind", "/no/such", "/x", "true")
REFUSED(medium_unknown, "--overlay", "root:disk", "true")
REFUSED(medium_without_mount, "--overlay", "memory", "true")
REFUSED(medium_relative, "--overlay", "root:dir=tmp", "true")
REFUSED(medium_missing_dir, "--overlay", "root:dir=/no/such", "true")
REFUSED(medium_file, "--overlay", "root:dir=/etc/passwd", "true")
REFUSED(size_zero, "--max-disk", "0", "true")
REFUSED(size_negative, "--max-disk", "-1", "true")
REFUSED(size_word, "--max-disk", "1GB5", "true")
REFUSED(size_unit_alone, "--memory", "M", "true")
REFUSED(size_too_large, "--memory", "99999999999999999999", "true")
REFUSED(size_overflow, "--memory", "9999999999T", "true")
REFUSED(inodes_fraction, "--overlay", "root:memory,inodes=1.5", "true")
REFUSED(pids_word, "--pids", "many", "true")
REFUSED(timeout_zero, "--timeout", "0", "true")
