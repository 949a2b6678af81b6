/* SPDX-License-Identifier: Apache-2.0 */
/* trace_options.c - see trace_options.h. */
#include "tools/trace_options.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define MAX_STRING (1U << 20)

void trace_option(struct trace_options *t, int letter, const char *value)
{
	char *end;
	switch (letter) {
	case 'f': /* always */
		break;
	case 'o':
		if (value[0] == '|' || value[0] == '!')
			die("-o: pipes are not supported: \"%s\"", value);
		t->file = value;
		break;
	case 'e':
		trace_expression(t, value);
		break;
	case 'P':
		if (t->n_paths == TRACE_PATHS)
			die("-P: at most %d", TRACE_PATHS);
		if (strlen(value) > 255)
			die("-P: \"%s\" is too long", value);
		t->paths[t->n_paths++] = value;
		break;
	case 'c':
	case 'C':
		if (t->summary && t->lines != (letter == 'C'))
			die("-c and -C exclude each other");
		t->summary = true;
		t->lines = letter == 'C';
		break;
	case 't':
		if (t->clock == CLOCK_EPOCH)
			die("-t: at most three");
		t->clock++;
		break;
	case 'k':
		t->stacks = true;
		break;
	case 'r':
		t->relative = true;
		break;
	case 'T':
		t->spent = true;
		break;
	case 's': {
		unsigned long n = strtoul(value, &end, 10);
		if (*end || value[0] < '0' || value[0] > '9' || n > MAX_STRING)
			die("-s: \"%s\" is not a number from 0 to %u", value, MAX_STRING);
		t->strsize = (unsigned)n;
		break;
	}
	case 'v':
		t->verbose = true;
		break;
	case 'x':
		if (t->hex == 2)
			die("-x: at most two");
		t->hex++;
		break;
	case 'y':
		if (t->fd_paths)
			die("-yy is not supported");
		t->fd_paths = true;
		break;
	case 'z':
		t->only_ok = true;
		break;
	case 'Z':
		t->only_failed = true;
		break;
	}
}

void trace_options_check(struct trace_options *t)
{
	if (t->only_ok && t->only_failed)
		die("-z and -Z exclude each other");
	if (t->json && t->summary)
		die("--json and -c or -C exclude each other");
	if (t->json && (t->clock != CLOCK_NONE || t->relative || t->spent))
		die("--json has all times: -t, -r and -T are not for it");
}

void trace_help(void)
{
	fputs("Usage: sandbox trace [OPTIONS] [--] COMMAND [ARG...]\n"
	      "  -o FILE                write the trace to FILE instead of standard error\n"
	      "  -e [trace=][!]SET      only these: names, %file %process %network %desc\n"
	      "                         %memory %signal %all, with commas\n"
	      "  -e inject=SET:error=E|retval=N[:when=N[+[STEP]]]\n"
	      "                         these calls fail, or succeed, without being made\n"
	      "  -P PATH                only calls that name PATH\n"
	      "  -c, -C                 a summary, instead of or beside the lines\n"
	      "  -k                     the stack of each call, with names of functions\n"
	      "  -t, -tt, -ttt          time of day; with microseconds; since 1970\n"
	      "  -r, -T                 time since the line before; time in the call\n"
	      "  -s N                   of strings show N bytes (default 32)\n"
	      "  -v, -x, -xx            all of structures and environments; strings in hex\n"
	      "  -y                     paths beside descriptors\n"
	      "  -z, -Z                 only calls that succeed; only those that fail\n"
	      "  -f                     all processes (always)\n"
	      "  --json                 one JSON object a line\n"
	      "And the options of sandbox itself: see sandbox --help. Manual: man sandbox-trace\n",
	      stdout);
}
