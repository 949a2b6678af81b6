/* SPDX-License-Identifier: Apache-2.0 */
/* running.c - which running sandbox is meant: a name, a process, or a process inside as the host numbers it. */
#include "tools/cmd.h"

#include "base/log.h"
#include "interposer/control.h"
#include "interposer/fdpass.h"
#include "interposer/registry.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define MAX_DEPTH   4096
#define TEXT_MAX    (16U << 20)
#define ASK_WAIT_MS 10000

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

static bool below(pid_t pid, pid_t ancestor)
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

pid_t running_inner(pid_t pid)
{
	char path[64], buf[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	buf[MAX(n, 0)] = '\0';
	/* "NSpid:\t4711\t12\t3": the innermost number is the last. */
	const char *line = strstr(buf, "\nNSpid:\t");
	pid_t inner = 0;
	for (char *at = line ? (char *)(uintptr_t)line + 7 : NULL; at && *at == '\t';)
		inner = (pid_t)strtol(at + 1, &at, 10);
	return inner;
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
		if (pid == list[i].front || below(pid, list[i].supervisor))
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

/* The supervisor writes into a file of a size that we set: it can neither block nor fill anything. */
char *running_ask(const struct registered *s, const struct control_head *q, const char *what)
{
	struct control_reply reply;
	int fds[FDPASS_MAX];

	AUTO_CLOSE int fd = memfd_create("answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, TEXT_MAX) || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK))
		die("memfd_create: %m");
	AUTO_CLOSE int sock = registry_connect(s);
	int r = sock < 0 ? sock : fdpass_send(sock, &fd, 1, q, q->size, 0);
	if (r)
		die("can't reach the sandbox of process %d: %s", s->front, strerror(-r));
	int n = control_answer(sock, ASK_WAIT_MS, &reply, fds);
	if (n == -ETIMEDOUT)
		die("the sandbox of process %d doesn't answer: is it stopped?", s->front);
	if (n < 0)
		die("the sandbox of process %d has ended", s->front);
	while (n)
		close(fds[--n]);
	if (reply.error || reply.size > TEXT_MAX)
		die("the sandbox of process %d can't tell %s: %s", s->front, what,
		    *reply.text ? reply.text : strerror(reply.error ? -reply.error : EPROTO));
	char *text = xcalloc(reply.size + 1, 1);
	ssize_t got = pread(fd, text, reply.size, 0);
	text[MAX(got, 0)] = '\0';
	return text;
}
