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
    {"ls", "sandbox ls", "sandbox-ls", cmd_ls},
    {"diff", "sandbox diff [-u] [--stat] [--json] [--all] NAME [PATH...]", "sandbox-diff", cmd_diff},
    {"commit", "sandbox commit [--dry-run] [--force] NAME [PATH...]", "sandbox-commit", cmd_commit},
    {"discard", "sandbox discard NAME...", "sandbox-ls", cmd_discard},
    {"export", "sandbox export [--binds] NAME [FILE]", "sandbox-export", cmd_export},
    {"import", "sandbox import [--root DIR] NAME FILE", "sandbox-export", cmd_import},
    {"exec", "sandbox exec [OPTIONS] NAME|PID [--] COMMAND [ARG...]", NULL, cmd_exec},
    {"ps", "sandbox ps [--json] [NAME|PID], or sandbox ps --dump NAME|PID", "sandbox-ps", cmd_ps},
    {"stacks", "sandbox stacks [--json] NAME|PID", "sandbox-stacks", cmd_stacks},
    {"gc", "sandbox gc [PATH...]", "sandbox-ls", cmd_gc},
};

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

void command_help(const struct command *cmd)
{
	printf("Usage: %s\nManual: man %s\n", cmd->usage, cmd->page);
}

void command_misused(const char *name)
{
	die("usage: %s", command_find(name)->usage);
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
