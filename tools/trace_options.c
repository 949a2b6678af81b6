/* SPDX-License-Identifier: Apache-2.0 */
/* trace_options.c - see trace_options.h. */
#include "tools/trace_options.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define MAX_STRING (1U << 20)

static enum trace_sort parse_sort(const char *s)
{
	static const struct {
		const char *name;
		enum trace_sort sort;
	} names[] = {{"time", SORT_TIME},        {"time-total", SORT_TIME},  {"total-time", SORT_TIME},
		     {"calls", SORT_CALLS},      {"count", SORT_CALLS},      {"errors", SORT_ERRORS},
		     {"error", SORT_ERRORS},     {"name", SORT_NAME},        {"syscall", SORT_NAME},
		     {"avg-time", SORT_AVERAGE}, {"time-avg", SORT_AVERAGE}, {"none", SORT_NOTHING},
		     {"nothing", SORT_NOTHING}};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i].name, s))
			return names[i].sort;
	die("-S: \"%s\": wanted are time, calls, errors, name, avg-time and nothing", s);
}

/* strace's letters that aren't here, and what to do about it. */
static const struct {
	char letter;
	const char *instead;
} lacking[] = {
    {'b', "-p lets a process go on Ctrl-C"},
    {'d', "sandbox --debug-log says what the sandbox does"},
    {'D', "the tracer is no relative of the command's anyway"},
    {'E', "--setenv and --unsetenv change the environment"},
    {'i', "-k shows where a call was made"},
    {'I', "signals reach the command as without a trace"},
    {'n', "calls are shown by name"},
    {'O', "there is no overhead to subtract"},
    {'u', "--uid and --gid say as whom the command runs"},
    {'U', "-S sorts; the columns are fixed"},
    {'X', "-e raw= shows numbers"},
    {'Y', "sandbox ps shows commands"},
};

void trace_option(struct trace_options *t, int letter, const char *value)
{
	static bool followed; /* -f was given */
	char *end;
	for (size_t i = 0; i < ARRAY_SIZE(lacking); i++)
		if (lacking[i].letter == letter)
			die("-%c of strace is not supported: %s", letter, lacking[i].instead);
	switch (letter) {
	case 'f': /* always */
		t->per_process_files = followed;
		followed = true;
		break;
	case 'w': /* of real time: always */
	case 'F': /* as -f */
		break;
	case 'o':
		t->file = value;
		break;
	case 'A':
		t->append = true;
		break;
	case 'q':
		t->quiet++;
		break;
	case 'S':
		t->sort = parse_sort(value);
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
		if (t->fd_details)
			die("-y: at most two");
		t->fd_details = t->fd_paths;
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
	if (t->n_paths)
		trace_narrow_to_paths(t);
	if (t->append && !t->file)
		die("-A is for -o FILE");
	const bool pipe = t->file && (t->file[0] == '|' || t->file[0] == '!');
	if (t->append && pipe)
		die("-A and -o '%c...' exclude each other", t->file[0]);
	if (t->per_process_files && pipe)
		die("-ff and -o '%c...' exclude each other", t->file[0]);
	if (t->per_process_files && t->summary)
		die("-ff and -c or -C exclude each other; --by-process sums up each process");
	if (t->per_process_files && t->json)
		die("-ff and --json exclude each other: each line has its process");
	t->per_process_files = t->per_process_files && t->file;
	if (t->by_process && !t->summary)
		die("--by-process is for -c and -C");
	if (t->json && (trace_fds_any(&t->read_fds) || trace_fds_any(&t->write_fds)))
		die("--json and -e read= or write= exclude each other");
	if (t->effects && t->summary && !t->lines)
		die("--effects and -c exclude each other");
	if (t->json && t->summary)
		die("--json and -c or -C exclude each other");
	if (t->json && (t->clock != CLOCK_NONE || t->relative || t->spent))
		die("--json has all times: -t, -r and -T are not for it");
}

void trace_help(void)
{
	fputs("Usage: sandbox trace [OPTIONS] [--] COMMAND [ARG...]\n"
	      "       sandbox trace [OPTIONS] -p NAME|PID\n"
	      "  -o FILE, -A            write the trace to FILE instead of standard error; append\n"
	      "  -o '|COMMAND'          let COMMAND read it\n"
	      "  -e [trace=][!]SET      only these: names, /REGEX, %file %process %network\n"
	      "                         %desc %memory %signal %ipc %clock %creds %stat %all...\n"
	      "  -e signal=[!]SET       only these signals\n"
	      "  -e status=successful|failed\n"
	      "  -e inject=SET:error=E|retval=N|signal=S|delay_enter=T|delay_exit=T[:when=N[..LAST][+[STEP]]]\n"
	      "                         these calls fail, or succeed, without being made; or wait\n"
	      "  -e raw=SET             arguments of these calls as numbers\n"
	      "  -e read=FDS, write=FDS all bytes that go through these descriptors\n"
	      "  -P PATH                only calls that name PATH or a descriptor of it\n"
	      "  -c, -C                 a summary, instead of or beside the lines\n"
	      "  --by-process           one for each process, too\n"
	      "  -S KEY                 sort it by time, calls, errors, name, avg-time, nothing\n"
	      "  -q, -qq                no messages; no ends of processes either\n"
	      "  -k                     the stack of each call, with names of functions\n"
	      "  -t, -tt, -ttt          time of day; with microseconds; since 1970\n"
	      "  -r, -T                 time since the line before; time in the call\n"
	      "  -s N                   of strings show N bytes (default 32)\n"
	      "  -v, -x, -xx            all of structures and environments; strings in hex\n"
	      "  -y, -yy                paths beside descriptors; addresses of sockets, devices\n"
	      "  -z, -Z                 only calls that succeed; only those that fail\n"
	      "  -f, -ff                all processes (always); with -o each in a file FILE.PID\n"
	      "  -p NAME|PID            of a running sandbox, instead of a command\n"
	      "  --effects              what each call took: cache, gofer, copy-up, layer\n"
	      "  --json                 one JSON object a line\n"
	      "And the options of sandbox itself: see sandbox --help. Manual: man sandbox-trace\n",
	      stdout);
}
