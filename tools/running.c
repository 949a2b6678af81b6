/* SPDX-License-Identifier: Apache-2.0 */
/* running.c - which running sandbox is meant: a name, a process, or a process inside as the host numbers it. */
#include "tools/cmd.h"

#include "base/log.h"
#include "interposer/registry.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 4096

static pid_t parent_of(pid_t pid)
{
	char path[64], buf[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	const char *end = strrchr(buf, ')'); /* its name is its own choice */
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

bool running_below(pid_t pid, pid_t ancestor)
{
	for (int depth = 0; pid > 1 && depth < MAX_DEPTH; depth++, pid = parent_of(pid))
		if (pid == ancestor)
			return true;
	return false;
}

/* 0: none. */
static pid_t parse_pid(const char *s)
{
	char *end;

	errno = 0;
	long v = strtol(s, &end, 10);
	return isdigit((unsigned char)*s) && !*end && !errno && v > 0 && v < INT32_MAX ? (pid_t)v : 0;
}

static _Noreturn void not_running(const char *who)
{
	AUTO_LAYER struct layer l = LAYER_INIT;

	if (layer_name_ok(who) && !layer_open(&l, who, 0, NULL))
		die("sandbox %s doesn't run; sandbox --name %s -- COMMAND runs it", who, who);
	die("there is no running sandbox %s; see sandbox ps", who);
}

struct registered *running_find(const char *who)
{
	struct registered *list, *found = NULL;
	size_t n, at = 0;
	const pid_t pid = parse_pid(who);
	int r = registry_list(&list, &n);

	if (r)
		die("can't list the running sandboxes: %s", strerror(-r));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].name, who))
			continue;
		if (found)
			die("several sandboxes of the name %s run: take the process number, see sandbox ps", who);
		found = &list[i];
	}
	for (size_t i = 0; i < n && pid && !found; i++)
		if (pid == list[i].front || running_below(pid, list[i].supervisor))
			found = &list[i];
	if (!found)
		not_running(who);
	at = (size_t)(found - list);
	struct registered *one = xcalloc(1, sizeof(*one));
	*one = list[at];
	list[at] = list[n - 1];
	registry_free(list, n - 1);
	return one;
}
