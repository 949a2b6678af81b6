/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init_session.c - the process between init and a command that joins the sandbox: leader of a session of its own.
 *
 * What tracees can do to it, they can do to the command as well: it has the same ids and filter, and nothing that the command doesn't have.
 * Its death ends the command (exec_join.c).
 */
#include "interposer/init.h"

#include "base/log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

/* All of the memfd, NUL terminated. */
static char *read_words(size_t *len)
{
	size_t size = 65536, n = 0;
	char *buf = malloc(size + 1);

	while (buf) {
		ssize_t got = pread(SESSION_WORDS, buf + n, size - n, (off_t)n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
		if (n == size) {
			size *= 2;
			buf = size > SESSION_WORDS_MAX ? NULL : realloc(buf, size + 1);
		}
	}
	if (!buf)
		_exit(125);
	buf[n] = '\0';
	*len = n;
	return buf;
}

/* n strings from *at on, in a vector of their own that ends with NULL; NULL if there are fewer. */
static char **take_strings(char **at, const char *end, uint32_t n)
{
	if (n > (size_t)(end - *at))
		return NULL;
	char **v = calloc((size_t)n + 1, sizeof(*v));
	for (uint32_t i = 0; v && i < n; i++) {
		if (*at >= end)
			return NULL;
		v[i] = *at;
		*at += strlen(*at) + 1;
	}
	return v;
}

static void take_signals(sigset_t *set, uint64_t bits)
{
	sigemptyset(set);
	for (int sig = 1; sig < NSIG && sig <= 64; sig++)
		if (bits >> (sig - 1) & 1)
			sigaddset(set, sig);
}

static bool parse(struct init_config *cfg)
{
	struct session_words head;
	size_t len;
	char *p = read_words(&len), *at = p + sizeof(head);

	if (len < sizeof(head))
		return false;
	memcpy(&head, p, sizeof(head));
	cfg->argv = take_strings(&at, p + len, head.argc);
	cfg->env = take_strings(&at, p + len, head.envc);
	if (!cfg->argv || !cfg->argv[0] || !cfg->env)
		return false;
	for (int i = 0; i < 3; i++)
		cfg->use_pty[i] = head.use_pty[i];
	cfg->background = head.background;
	take_signals(&cfg->mask, head.mask);
	take_signals(&cfg->ignored, head.ignored);
	return true;
}

/* The command's process. Signals are as in init: nothing here is interrupted. */
static _Noreturn void run_joined(const struct init_config *cfg, uint64_t ticket, int slave)
{
	size_t argc = 0;

	for (int i = 0; i < 3; i++)
		if (dup2(SESSION_STDIN + i, i) < 0)
			_exit(125);
	log_set_fd(2);
	/* SESSION_TTY is above 2 and stays until the exec closes it. */
	while (cfg->argv[argc])
		argc++;
	char **sh_argv = xcalloc(argc + 2, sizeof(*sh_argv));
	close(SESSION_STDERR);
	close(SESSION_WORDS);
	/* Before it's known outside, so that a signal finds the group. */
	setpgid(0, 0);
	cfg->tell(INIT_COMMAND, 0, ticket);
	init_run_command(cfg, slave, sh_argv);
}

void init_session(const struct init_config *init, uint64_t ticket, bool tty)
{
	struct init_config cfg = {.tell = init->tell, .trace = init->trace};
	int slave = tty ? SESSION_TTY : -1;
	int wstatus;

	if (!parse(&cfg))
		_exit(125);
	setsid();
	if (slave >= 0 && ioctl(slave, TIOCSCTTY, 0) < 0)
		_exit(125);
	pid_t command = fork();
	if (!command)
		run_joined(&cfg, ticket, slave);
	if (command < 0)
		_exit(125);
	if (slave >= 0 && cfg.background) {
		dup2(slave, 0);
		slave = 0;
		close_range(1, ~0U, 0);
	} else {
		slave = -1;
		close_range(0, ~0U, 0);
	}
	do {
		if (waitpid(command, &wstatus, WUNTRACED) != command)
			_exit(125);
	} while (!init_saw(&cfg, ticket, command, wstatus, &slave));
	_exit(0);
}
