/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init.c - the reaping init of the tracees' PID namespace.
 *
 * It shares the tracees' namespaces and kernel identity, so it holds nothing that they don't have: no descriptor but, while the command is
 * in the background, the command's own terminal. All calls are ones the filter lets through natively, except execve and the report.
 */
#include "interposer/init.h"
#include "base/log.h"
#include "interposer/filter.h"
#include "interposer/trace/trace.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>

#define DEFAULT_PATH "/bin:/usr/bin" /* confstr(_CS_PATH), what execvp(3) searches without PATH */

void init_save_signals(struct init_config *cfg)
{
	struct sigaction sa;

	sigprocmask(SIG_SETMASK, NULL, &cfg->mask);
	sigemptyset(&cfg->ignored);
	for (int sig = 1; sig < NSIG; sig++) {
		if (!sigaction(sig, NULL, &sa) && sa.sa_handler == SIG_IGN)
			sigaddset(&cfg->ignored, sig);
	}
}

/* A signal that pid 1 has no handler for is dropped when it comes from its own namespace; ignoring covers the ones from above.
 * SIGCHLD stays at its default: ignored, children would vanish without a status. */
static void ignore_all(void)
{
	for (int sig = 1; sig < NSIG; sig++) {
		if (sig != SIGCHLD && sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_IGN);
	}
}

static void restore_signals(const struct init_config *cfg)
{
	for (int sig = 1; sig < NSIG; sig++) {
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, sigismember(&cfg->ignored, sig) == 1 ? SIG_IGN : SIG_DFL);
	}
	sigprocmask(SIG_SETMASK, &cfg->mask, NULL);
}

static const char *env_get(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++) {
		if (!strncmp(*env, name, len) && (*env)[len] == '=')
			return *env + len + 1;
	}
	return NULL;
}

/* One candidate. Returns only when it could not be executed; errno says why. sh_argv has room for argc + 2 pointers. */
static void try_exec(const struct init_config *cfg, const char *path, char **sh_argv)
{
	size_t n = 2;

	execve(path, cfg->argv, cfg->env);
	if (errno != ENOEXEC)
		return;
	sh_argv[0] = (char *)(uintptr_t) "/bin/sh";
	sh_argv[1] = (char *)(uintptr_t)path;
	for (char *const *a = cfg->argv + 1; *a; a++)
		sh_argv[n++] = *a;
	sh_argv[n] = NULL;
	execve(sh_argv[0], sh_argv, cfg->env);
}

/* execvp(3) on env's PATH: goes on after an element that doesn't have the file, remembers EACCES. Returns with errno set. */
static void search_exec(const struct init_config *cfg, char **sh_argv)
{
	const char *name = cfg->argv[0];
	const char *path = env_get(cfg->env, "PATH");
	size_t name_len = strlen(name);
	char buf[PATH_MAX + NAME_MAX + 2];
	bool denied = false;

	if (!name_len) {
		errno = ENOENT;
		return;
	}
	if (strchr(name, '/')) {
		try_exec(cfg, name, sh_argv);
		return;
	}
	if (name_len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return;
	}
	if (!path)
		path = DEFAULT_PATH;
	for (const char *end;; path = end + 1) {
		end = strchrnul(path, ':');
		size_t len = (size_t)(end - path);
		if (len < PATH_MAX) {
			memcpy(buf, path, len);
			if (len)
				buf[len++] = '/'; /* an empty element is the current directory */
			memcpy(buf + len, name, name_len + 1);
			try_exec(cfg, buf, sh_argv);
			if (errno == EACCES)
				denied = true;
			else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV &&
				 errno != ETIMEDOUT)
				return;
		}
		if (!*end)
			break;
	}
	errno = denied ? EACCES : ENOENT;
}

static int install_stops(const struct trace_options *t)
{
	trace_set all;
	memset(&all, 0xff, sizeof all);
	return filter_install_stops(t->filtered ? t->wanted.bits : all.bits, TRACE_CALLS);
}

void init_run_command(const struct init_config *cfg, int slave, char **sh_argv)
{
	setpgid(0, 0);
	if (slave >= 0) {
		/* Ignoring SIGTTOU still, else this would stop us. */
		if (!cfg->background)
			tcsetpgrp(slave, getpid());
		for (int i = 0; i < 3; i++) {
			if (cfg->use_pty[i])
				dup2(slave, i);
		}
	}
	/* Descriptors above 2 are what the caller passed on; ours are close-on-exec. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	restore_signals(cfg);
	int stops = cfg->trace ? install_stops(cfg->trace) : 0;
	if (stops) {
		log_set_fd(2);
		die("can't install the filter for the trace: %s", strerror(-stops));
	}
	search_exec(cfg, sh_argv);
	int err = errno;
	log_set_fd(2);
	log_msg("cannot execute %s: %s", cfg->argv[0], strerror(err));
	_exit(err == ENOENT ? 127 : 126);
}

/*
 * The command was stopped for touching the terminal from the background: makes it the foreground group, before the report, as the front
 * process continues it only when it is itself in the foreground outside. True when that's done and the slave is no longer needed.
 */
static bool give_terminal(int slave, pid_t command, int wstatus)
{
	int sig = WSTOPSIG(wstatus);

	if (sig != SIGTTIN && sig != SIGTTOU)
		return false;
	if (tcgetpgrp(slave) == getpgrp())
		tcsetpgrp(slave, getpgid(command));
	return true;
}

bool init_saw(const struct init_config *cfg, uint64_t ticket, pid_t command, int wstatus, int *slave)
{
	if (WIFSTOPPED(wstatus) && *slave >= 0 && give_terminal(*slave, command, wstatus)) {
		close(*slave);
		*slave = -1;
	}
	cfg->tell(INIT_REPORT, wstatus, ticket);
	return !WIFSTOPPED(wstatus);
}

static _Noreturn void give_up(const struct init_config *cfg, const char *what)
{
	log_msg("cannot %s: %s", what, strerror(errno));
	cfg->tell(INIT_REPORT, 125 << 8, 0);
	_exit(125);
}

/* Starts what waits to join. The descriptors come into our table, since only there can the supervisor put them, and stay for the fork. */
static void let_join(const struct init_config *cfg)
{
	for (;;) {
		long ticket = cfg->tell(INIT_TAKE, 0, 0);
		if (ticket <= 0)
			break;
		bool tty = fcntl(SESSION_TTY, F_GETFD) >= 0;
		pid_t pid = fork();
		if (!pid)
			init_session(cfg, (uint64_t)ticket, tty);
		pid = pid < 0 ? -errno : pid;
		close_range(SESSION_STDIN, ~0U, 0);
		cfg->tell(INIT_SPAWNED, pid, (uint64_t)ticket);
	}
	close_range(SESSION_STDIN, ~0U, 0); /* of one that failed half way */
}

_Noreturn void init_main(const struct init_config *cfg)
{
	int slave = cfg->slave;
	int wstatus = 0;
	size_t argc = 0;
	sigset_t all, wait_for;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	ignore_all();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setsid(); /* EPERM: the launcher has done it */
	if (slave >= 0 && slave < 3)
		slave = fcntl(slave, F_DUPFD_CLOEXEC, 3);
	if (slave >= 0 && ioctl(slave, TIOCSCTTY, 0) < 0)
		give_up(cfg, "make the command's terminal a controlling terminal");
	while (cfg->argv[argc])
		argc++;
	char **sh_argv = xcalloc(argc + 2, sizeof(*sh_argv));

	pid_t command = fork();
	if (!command)
		init_run_command(cfg, slave, sh_argv);
	if (command < 0)
		give_up(cfg, "start a process");
	if (slave >= 0 && cfg->background) {
		dup2(slave, 0);
		slave = 0;
		close_range(1, ~0U, 0);
	} else {
		slave = -1;
		close_range(0, ~0U, 0);
	}

	/* Both are blocked, and a blocked signal waits, ignored or not (kernel/signal.c sig_ignored()): none is missed. */
	sigemptyset(&wait_for);
	sigaddset(&wait_for, SIGCHLD);
	sigaddset(&wait_for, INIT_WAKE);
	for (;;) {
		pid_t pid;
		while ((pid = waitpid(-1, &wstatus, WUNTRACED | WNOHANG)) > 0) {
			if (pid == command && init_saw(cfg, 0, command, wstatus, &slave))
				_exit(WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : 128 + WTERMSIG(wstatus));
		}
		if (pid < 0 && errno != EINTR)
			_exit(125); /* the command can't be lost: ECHILD would mean that someone else reaped it */
		if (sigwaitinfo(&wait_for, NULL) == INIT_WAKE)
			let_join(cfg);
	}
}
