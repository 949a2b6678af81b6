/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_stacks.c - sandbox stacks: where every thread inside is. The supervisor looks; here is only asked and printed. */
#include "tools/cmd.h"

#include "base/log.h"
#include "interposer/control.h"
#include "interposer/registry.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_stacks(int argc, char **argv)
{
	static const struct option options[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	bool json = false;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:", options, NULL)) != -1) {
		if (c != 'j')
			command_misused("stacks");
		json = true;
	}
	if (argc - optind != 1)
		command_misused("stacks");
	struct registered *s = running_find(argv[optind]);
	struct control_stacks q = {{CONTROL_STACKS, CONTROL_STACKS_VERSION, sizeof(q)}, 0, json};
	/* A process inside is asked for alone. */
	pid_t pid = (pid_t)strtol(argv[optind], NULL, 10);
	if (strcmp(s->name, argv[optind]) && pid != s->front && pid != s->supervisor)
		q.pid = running_inner(pid);
	AUTO_FREE char *text = running_ask(s, &q.head, "its stacks");
	print_lines(text);
	registry_free(s, 1);
	return 0;
}
