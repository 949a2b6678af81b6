/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_exec.c - sandbox exec: a command in a sandbox that runs already. */
#include "tools/cmd.h"

#include "base/log.h"
#include "interposer/registry.h"
#include "tools/environ.h"
#include "tools/values.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

enum { OPT_CHDIR = 256, OPT_SETENV, OPT_UNSETENV, OPT_CLEARENV, OPT_UID, OPT_GID, OPT_HELP };

static const struct option long_options[] = {
    {"chdir", required_argument, NULL, OPT_CHDIR},
    {"setenv", required_argument, NULL, OPT_SETENV},
    {"unsetenv", required_argument, NULL, OPT_UNSETENV},
    {"clearenv", no_argument, NULL, OPT_CLEARENV},
    {"uid", required_argument, NULL, OPT_UID},
    {"gid", required_argument, NULL, OPT_GID},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const char help_text[] = "Usage: sandbox exec [OPTIONS] NAME|PID [--] COMMAND [ARG...]\n"
				"Runs COMMAND in a sandbox that runs already; see sandbox ps.\n"
				"  --chdir DIR            start in DIR (inside)\n"
				"  --setenv K V, --unsetenv K, --clearenv  change the environment\n"
				"  --uid N, --gid N       user and group id inside\n"
				"Exit status: the command's; 128+n for signal n; 125 for a failure of the\n"
				"sandbox, 126 COMMAND can't be executed, 127 not found. Manual: man sandbox-exec\n";

int cmd_exec(int argc, char **argv)
{
	struct join_options o = {0};
	struct env e;
	int c;

	env_init(&e, environ);
	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_CHDIR:
			if (optarg[0] != '/')
				die("--chdir: \"%s\" is not an absolute path", optarg);
			o.chdir = optarg;
			break;
		case OPT_SETENV:
			env_unset(&e, env_check_key("setenv", optarg));
			if (optind >= argc)
				die("--setenv needs two values");
			env_add(&e, xasprintf("%s=%s", optarg, argv[optind++]));
			break;
		case OPT_UNSETENV:
			env_unset(&e, env_check_key("unsetenv", optarg));
			break;
		case OPT_CLEARENV:
			env_clear(&e);
			break;
		case OPT_UID:
			o.uid = value_id("uid", optarg);
			o.set_uid = true;
			break;
		case OPT_GID:
			o.gid = value_id("gid", optarg);
			o.set_gid = true;
			break;
		case OPT_HELP:
			fputs(help_text, stdout);
			env_free(&e);
			return 0;
		default:
			die("exec: %s %s; see sandbox exec --help", c == ':' ? "no value for" : "unknown option",
			    argv[optind - 1]);
		}
	}
	if (optind >= argc)
		command_misused("exec");
	const char *who = argv[optind++];
	if (optind < argc && !strcmp(argv[optind], "--"))
		optind++;
	if (optind >= argc)
		die("exec: no command; usage: sandbox exec [OPTIONS] NAME|PID [--] COMMAND [ARG...]");
	struct registered *to = running_find(who);
	o.argv = argv + optind;
	o.env = e.v;
	int status = sandbox_join(to, &o);
	registry_free(to, 1);
	env_free(&e);
	return status;
}
