/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - sandbox [OPTIONS] [--] COMMAND [ARG...]
 *
 * Everything but reading the command line is behind interposer/launch.h, so that another front end can share it.
 */
#include "tools/options.h"
#include "tools/trace_options.h"

#include "base/log.h"
#include "tools/cmd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

/* A closed 0, 1 or 2 would become one of our own files and then be written to as if it were the user's: fill the gaps. */
static void fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			die("/dev/null: %m");
	} while (fd <= 2);
	close(fd);
}

/* Output that could not be written (a full disk) must not look like success. */
static int finish_stdout(void)
{
	if (fflush(stdout) || ferror(stdout)) {
		log_msg("standard output: %m");
		return 125;
	}
	return 0;
}

int main(int argc, char **argv)
{
	/* Static: the options are referred to until the end, which leak checkers then can see. */
	static struct launch_options opt;
	int status;

	fill_standard_fds();
	const struct command *cmd = argc > 1 ? command_find(argv[1]) : NULL;
	if (cmd && cmd->page && argc == 3 && !strcmp(argv[2], "--help")) {
		command_help(cmd);
		return finish_stdout();
	}
	if (cmd) {
		status = cmd->run(argc - 1, argv + 1);
		return finish_stdout() ? 125 : status;
	}
	switch (options_parse(argc, argv, environ, &opt)) {
	case OPTIONS_HELP:
		if (options_front() == FRONT_TRACE)
			trace_help();
		else if (options_front() == FRONT_FILES)
			files_help();
		else if (options_front() == FRONT_LEARN)
			learn_help();
		else
			options_help();
		status = finish_stdout();
		break;
	case OPTIONS_VERSION:
		printf("sandbox %s\n", SANDBOX_VERSION);
		status = finish_stdout();
		break;
	case OPTIONS_ATTACH:
		status = trace_attach(&opt.trace, options_attach_to());
		break;
	default:
		status = options_front() == FRONT_FILES   ? run_files(&opt, options_files())
			 : options_front() == FRONT_LEARN ? run_learn(&opt, options_files(), options_learnt())
							  : run_sandbox(&opt);
	}
	options_free(&opt);
	return status;
}
