/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join.c - the process of a command that joins a running sandbox (sandbox exec): hands over its words and descriptors, then is a front.
 *
 * What comes from the other end is a supervisor's, which handles hostile input: it can end us or say something wrong, and no more.
 */
#include "interposer/launch.h"

#include "base/log.h"
#include "interposer/control.h"
#include "interposer/fdpass.h"
#include "interposer/front.h"
#include "interposer/init.h"
#include "interposer/registry.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

static uint64_t signal_bits(const sigset_t *set)
{
	uint64_t bits = 0;

	for (int sig = 1; sig <= 64 && sig < NSIG; sig++)
		if (sigismember(set, sig) == 1)
			bits |= UINT64_C(1) << (sig - 1);
	return bits;
}

static void write_all(int fd, const void *data, size_t n)
{
	for (const char *p = data; n;) {
		ssize_t w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			die("can't hand the command over: %s", strerror(errno));
		p += w;
		n -= (size_t)w;
	}
}

static uint32_t write_strings(int fd, char *const *v)
{
	uint32_t n = 0;

	for (; v[n]; n++)
		write_all(fd, v[n], strlen(v[n]) + 1);
	return n;
}

/* struct session_words and what belongs to it, in a file of its own. */
static int make_words(const struct join_options *opt, const struct init_config *init, const struct front *front)
{
	struct session_words head = {.mask = signal_bits(&init->mask), .ignored = signal_bits(&init->ignored)};
	int fd = memfd_create("sandbox", MFD_CLOEXEC);

	if (fd < 0)
		die("memfd_create: %s", strerror(errno));
	head.background = front->background;
	for (int i = 0; i < 3; i++)
		head.use_pty[i] = front->use_pty[i];
	write_all(fd, &head, sizeof(head));
	head.argc = write_strings(fd, opt->argv);
	head.envc = write_strings(fd, opt->env);
	if (pwrite(fd, &head, sizeof(head), 0) != sizeof(head))
		die("can't hand the command over: %s", strerror(errno));
	return fd;
}

static struct control_exec make_request(const struct join_options *opt, const struct front *front)
{
	struct control_exec q = {.head = {CONTROL_EXEC, CONTROL_EXEC_VERSION, sizeof(q)}, .uid = opt->uid, .gid = opt->gid};

	q.flags = (opt->set_uid ? CONTROL_UID : 0) | (opt->set_gid ? CONTROL_GID : 0) | (opt->chdir ? CONTROL_DIR : 0);
	if (opt->chdir && strlen(opt->chdir) >= sizeof(q.dir))
		die("--chdir: %s", strerror(ENAMETOOLONG));
	if (opt->chdir)
		memcpy(q.dir, opt->chdir, strlen(opt->chdir) + 1);
	if (front->tty >= 0) {
		q.flags |= CONTROL_TTY;
		if (tcgetattr(front->tty, &q.modes))
			die("can't read the terminal's modes: %s", strerror(errno));
		ioctl(front->tty, TIOCGWINSZ, &q.size);
	}
	return q;
}

/* Our own terminal stays out: the command gets one of the sandbox's in its place. */
static void send_request(int sock, const struct control_exec *q, const struct front *front, int words)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fds[4] = {0, 1, 2, words};

	if (null < 0)
		die("can't open /dev/null: %s", strerror(errno));
	for (int i = 0; i < 3; i++)
		if (front->use_pty[i])
			fds[i] = null;
	int r = fdpass_send(sock, fds, 4, q, sizeof(*q), 0);
	if (r)
		die("can't ask the sandbox: %s", strerror(-r));
}

static void take_reply(int sock, struct front *front)
{
	struct control_reply r;
	int fds[FDPASS_MAX];
	int n = control_answer(sock, -1, &r, fds);

	if (n == -EPIPE)
		die("the sandbox has ended");
	if (n < 0)
		die("can't understand the sandbox: %s", strerror(-n));
	if (r.error)
		die("%s%s%s", r.text, *r.text ? ": " : "", strerror(-r.error));
	if (n != (front->tty >= 0 ? 2 : 0))
		die("can't understand the sandbox: %s", strerror(EPROTO));
	if (n) {
		front->master = fds[0];
		front->slave = fds[1];
		/* It's ours that must not block, whatever the other end made of it. */
		int flags = fcntl(front->master, F_GETFL);
		if (flags < 0 || fcntl(front->master, F_SETFL, flags | O_NONBLOCK))
			die("can't use the sandbox's terminal: %s", strerror(errno));
	}
}

int sandbox_join(const struct registered *to, const struct join_options *opt)
{
	struct init_config init = {0};
	struct front front;

	init_save_signals(&init);
	launch_check_inherited();
	int r = front_open(&front);
	if (r)
		die("can't set up a terminal: %s", strerror(-r));
	AUTO_CLOSE int words = make_words(opt, &init, &front);
	struct control_exec q = make_request(opt, &front);
	AUTO_CLOSE int sock = registry_connect(to);
	if (sock < 0)
		die("can't reach the sandbox of process %d: %s", to->front, strerror(-sock));
	send_request(sock, &q, &front, words);
	take_reply(sock, &front);
	return front_run(&front, sock, -1);
}
