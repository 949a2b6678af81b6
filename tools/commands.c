/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands.c - the list of subcommands. Those that read and write archives are a program of their own (tools/tar/), so that the
 * supervisor's process, which is this one after a fork, has none of the libraries that takes.
 */
#include "tools/cmd.h"

#include "base/log.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"ls", "sandbox ls", cmd_ls},
    {"diff", "sandbox diff [-u] [--stat] [--json] [--all] NAME [PATH...]", cmd_diff},
    {"commit", "sandbox commit [--dry-run] [--force] NAME [PATH...]", cmd_commit},
    {"discard", "sandbox discard NAME...", cmd_discard},
    {"export", "sandbox export NAME [FILE]", cmd_export},
    {"import", "sandbox import [--root DIR] NAME FILE", cmd_import},
    {"exec", "sandbox exec [OPTIONS] NAME|PID -- COMMAND [ARG...]", cmd_exec},
    {"ps", "sandbox ps [--json] [--dump] [NAME|PID]", cmd_ps},
    {"stacks", "sandbox stacks [--json] NAME|PID", cmd_stacks},
    {"gc", "sandbox gc [PATH...]", cmd_gc},
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int run_tar(char **argv)
{
	static const char *const places[] = {"sandbox-tar", "../libexec/sandbox/sandbox-tar"};
	char self[PATH_MAX], path[2 * PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		die("/proc/self/exe: %m");
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), "%s/%s", self, places[i]);
		execv(path, argv);
	}
	die("can't run %s: %m", path);
}

int cmd_export(int argc, char **argv)
{
	return run_tar(argv);
}

int cmd_import(int argc, char **argv)
{
	return run_tar(argv);
}
