/* SPDX-License-Identifier: Apache-2.0 */
/* sink.c - see sink.h. */
#include "interposer/trace/sink.h"

#include "base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define OPEN_FILES 64
#define PID_LIMIT  4194304 /* of any Linux */

static int open_file(const char *name, bool append)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0666);
	if (fd < 0)
		die("-o %s: %s", name, strerror(errno));
	return fd;
}

/* strace's ways to say so. */
static bool is_command(const char *file)
{
	return file[0] == '|' || file[0] == '!';
}

/* --- A file a process ------------------------------------------------------------------------------------------------ */

static struct {
	long pid;
	FILE *f;
} files[OPEN_FILES];
/* Those that were begun, bit n of byte n / 8: they're not emptied again. */
static unsigned char begun[PID_LIMIT / 8 + 1];

static FILE *file_of(const struct trace_options *t, long pid)
{
	size_t slot = (size_t)pid % OPEN_FILES;
	if (files[slot].f && files[slot].pid == pid)
		return files[slot].f;
	if (files[slot].f && fclose(files[slot].f))
		log_msg("-o %s.%ld: %s", t->file, files[slot].pid, strerror(errno));
	AUTO_FREE char *name = NULL;
	if (asprintf(&name, "%s.%ld", t->file, pid) < 0)
		die("out of memory");
	bool again = begun[pid / 8] >> (pid % 8) & 1;
	begun[pid / 8] |= (unsigned char)(1U << (pid % 8));
	files[slot].pid = pid;
	files[slot].f = fdopen(open_file(name, t->append || again), "a");
	if (!files[slot].f)
		die("out of memory");
	return files[slot].f;
}

/* Lines begin with their process; those that don't (a stack's) belong to the one before. They come from the supervisor: only numbers name files. */
static _Noreturn void split(const struct trace_options *t, int from)
{
	FILE *in = fdopen(from, "r"), *to = NULL;
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int status = 0;
	if (!in)
		die("out of memory");
	while ((n = getline(&line, &size, in)) > 0) {
		char *end = line;
		long pid = line[0] >= '1' && line[0] <= '9' ? strtol(line, &end, 10) : 0;
		if (pid > 0 && pid < PID_LIMIT && *end == ' ') {
			end += strspn(end, " ");
			to = file_of(t, pid);
		} else {
			end = line;
		}
		size_t len = (size_t)(line + n - end);
		if (to && fwrite(end, 1, len, to) != len)
			status = 1;
	}
	free(line);
	for (size_t i = 0; i < OPEN_FILES; i++)
		if (files[i].f && fclose(files[i].f))
			status = 1;
	if (status)
		log_msg("-o %s: %s", t->file, strerror(errno));
	_exit(status);
}

/* --- Its process ------------------------------------------------------------------------------------------------------ */

static _Noreturn void run_writer(const struct trace_options *t, int from)
{
	/* Ctrl-C is for what is traced, whose last lines are still to come. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	if (!is_command(t->file)) {
		prctl(PR_SET_NAME, "sandbox-lines");
		split(t, from);
	}
	if (dup2(from, 0) < 0)
		_exit(126);
	execl("/bin/sh", "sh", "-c", t->file + 1, (char *)NULL);
	log_msg("-o: can't execute /bin/sh: %s", strerror(errno));
	_exit(127);
}

struct trace_sink trace_sink_open(const struct trace_options *t)
{
	struct trace_sink s = {.fd = -1};
	int fds[2];
	if (!t->file)
		return s;
	if (!t->per_process_files && !is_command(t->file)) {
		s.fd = open_file(t->file, t->append);
		return s;
	}
	if (is_command(t->file) && !t->file[1])
		die("-o: a command is missing behind %c", t->file[0]);
	if (pipe2(fds, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	s.writer = fork();
	if (s.writer < 0)
		die("fork: %s", strerror(errno));
	if (!s.writer) {
		close(fds[1]);
		run_writer(t, fds[0]);
	}
	close(fds[0]);
	s.fd = fds[1];
	return s;
}

void trace_sink_close(struct trace_sink *s)
{
	close_fd_(&s->fd);
	s->fd = -1;
	while (s->writer > 0 && waitpid(s->writer, NULL, 0) < 0 && errno == EINTR)
		;
	s->writer = 0;
}
