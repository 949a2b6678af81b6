/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the command line: order, values, what belongs to the command, and what is refused with status 125. */
#include "tools/options.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <string.h>

/* argv is copied nowhere and never written to: getopt only permutes, and "+" forbids that. */
static enum options_action parse(struct launch_options *o, const char *const *argv)
{
	static const char *env[] = {"A=1", "B=2", "AB=3", NULL};
	/* What is parsed points into argv, and a literal in an assertion's block is gone after it. */
	static const char *kept[64];
	int n = 0;

	while (argv[n]) {
		cr_assert_lt(n, 63);
		kept[n] = argv[n];
		n++;
	}
	kept[n] = NULL;
	return options_parse(n, (char **)kept, (char **)env, o);
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
	cr_assert_eq(o.overlay, OVERLAY_ROOT_MEMORY);
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
