/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_control.c - the supervisor's end of sandbox exec, ps --dump, stacks and trace -p.
 *
 * The input is a sequence of connections, packets on them, their ends, and words of init and of programs that say they are a joined command.
 * Each request is answered in the form that control.h gives or its connection is closed, and when all has ended no descriptor is left. There is no
 * tracee: init and commands have numbers that no process has; where a session has to live it's a child of ours.
 *
 * covers: interposer/control.c interposer/exec_join.c interposer/trace/attach_wire.c
 * options: -max_len=1024
 */
#include "interposer/control.h"

#include "base/log.h"
#include "interposer/fdpass.h"
#include "interposer/front.h"
#include "interposer/init.h"
#include "interposer/live.h"
#include "interposer/trace/attach.h"
#include "gofer/gofer.h"
#include "kernel/task.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/kernel_fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#define NOBODY (INT32_MAX - 7) /* no process has this number */
#define PEERS  4

static struct {
	int sock;
	uint64_t sent;
} peers[PEERS];
static int null_fd, dir_fd, file_fd, pipes[2];
static pid_t session;
static uint64_t tickets[4];
static unsigned n_tickets;

/* --- What only a live tracee has (linked in place of the real ones) --- */

int __wrap_live_put_fd(struct call *c, int hostfd, int at, bool cloexec);
pid_t __wrap_remote_host_pid(pid_t guest);
static bool put_fails;

int __wrap_live_put_fd(UNUSED struct call *c, int hostfd, int at, bool cloexec)
{
	FUZZ_CHECK(fcntl(hostfd, F_GETFD) >= 0 && at >= SESSION_STDIN && cloexec);
	return put_fails ? -EBADF : at;
}

/* Guest 2 is a session, where init says so. */
static _Thread_local bool may_fork;

pid_t __wrap_remote_host_pid(pid_t guest)
{
	if (guest != 2 || !may_fork)
		return -ESRCH;
	if (!session) {
		session = fork();
		FUZZ_CHECK(session >= 0);
		if (!session) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			setsid();
			for (;;)
				pause();
		}
	}
	return session;
}

static void reap(bool all)
{
	if (session && all)
		kill(session, SIGKILL);
	if (session && waitpid(session, NULL, all ? 0 : WNOHANG) == session)
		session = 0;
}

/* --- Setting up --- */

static void on_poke(UNUSED int sig)
{
}

static void set_up(void)
{
	static struct gofer_export root = {.ro = true};
	int scratch = open(fuzz_scratch(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	FUZZ_CHECK(scratch >= 0 && !mkdirat(scratch, "root", 0755) && !mkdirat(scratch, "root/tmp", 0755));
	FUZZ_CHECK(!mkdirat(scratch, "store", 0700));
	root.rootfd = openat(scratch, "root", O_PATH | O_CLOEXEC);
	struct vfs_config cfg = {
	    .gofer = kf_gofer_start(&root, 1),
	    .procfd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC),
	    .filestore = openat(scratch, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    .token_rw = scratch,
	    .token_ro = scratch,
	    .guest_procfd = -1,
	    .devptsfd = -1,
	    .dev_null = -1,
	    .dev_zero = -1,
	    .dev_full = -1,
	    .dev_random = -1,
	    .dev_urandom = -1,
	    .hostname = "fuzz",
	};
	FUZZ_CHECK(!vfs_init(&cfg) && !vfs_mount_root(VFS_UPPER_MEMORY));
	task_init();
	the_place.procfd = the_place.guest_procfd = -1;
	the_place.init_pid = NOBODY;
	struct record *d = record_draft(NULL);
	FUZZ_CHECK(d);
	d->cred = supervisor_cred(0, 0, 0, NULL);
	vfs_root(&d->root);
	vfs_root(&d->cwd);
	struct record *rec = record_intern(d);
	FUZZ_CHECK(rec && !control_init());
	join_init(rec, open("/dev/pts", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	dump_init(cfg.gofer);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	dir_fd = scratch;
	file_fd = fuzz_memfd("x", 1);
	log_set_fd(null_fd);
	signal(SIGPIPE, SIG_IGN);
	/* What interrupts a tracer's wait (trace/attach.c); libFuzzer would end. */
	FUZZ_CHECK(!sigaction(SIGUSR2, &(struct sigaction){.sa_handler = on_poke}, NULL));
}

/* --- Requests --- */

static int sized_memfd(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in);
	int fd = memfd_create("fuzz", MFD_CLOEXEC | (how & 1 ? 0 : MFD_ALLOW_SEALING));

	FUZZ_CHECK(fd >= 0 && !ftruncate(fd, how & 2 ? 100 : 65536));
	if (!(how & 1))
		FUZZ_CHECK(!fcntl(fd, F_ADD_SEALS,
				  how & 4   ? F_SEAL_SHRINK
				  : how & 8 ? F_SEAL_GROW | F_SEAL_WRITE
					    : F_SEAL_GROW));
	return fd;
}

static int pick_fd(struct fuzz_in *in, bool *owned)
{
	const int some[] = {null_fd, file_fd, pipes[1], pipes[1], pipes[0], dir_fd};
	uint8_t how = fuzz_u8(in);

	*owned = how >= 0x80;
	return *owned ? sized_memfd(in) : some[how % ARRAY_SIZE(some)];
}

union packet {
	struct control_head head;
	struct control_exec exec;
	struct control_stacks stacks;
	struct control_trace trace;
	uint8_t bytes[sizeof(struct control_trace) + 64];
};

static void put_exec(struct fuzz_in *in, struct control_exec *q)
{
	static const char *const dirs[] = {"/", "/tmp", "/none", "tmp", "/tmp/..", ""};

	q->flags = fuzz_u8(in);
	q->uid = fuzz_u8(in);
	q->gid = fuzz_u8(in);
	q->size.ws_row = fuzz_u16(in);
	q->modes.c_lflag = fuzz_u16(in);
	snprintf(q->dir, sizeof(q->dir), "%s", dirs[fuzz_u8(in) % ARRAY_SIZE(dirs)]);
	if (fuzz_u8(in) == 0xff)
		memset(q->dir, 'x', sizeof(q->dir));
}

/* A trace of all processes waits seconds for the first one: the number of one that isn't there. */
static void put_trace(struct fuzz_in *in, struct control_trace *q)
{
	static const size_t at[] = {offsetof(struct control_trace, flags),     offsetof(struct control_trace, clock),
				    offsetof(struct control_trace, sort),      offsetof(struct control_trace, hex),
				    offsetof(struct control_trace, strsize),   offsetof(struct control_trace, n_paths),
				    offsetof(struct control_trace, n_injects), offsetof(struct control_trace, injects)};

	for (unsigned n = fuzz_u8(in) % 8; n; n--) {
		uint8_t *p = (uint8_t *)q + at[fuzz_u8(in) % ARRAY_SIZE(at)];
		uint32_t v = fuzz_u8(in);
		if (v >= 0xf0)
			v = fuzz_u32(in);
		memcpy(p, &v, sizeof(v));
	}
	for (unsigned n = fuzz_u8(in) % 4; n; n--)
		((uint8_t *)q)[fuzz_u16(in) % sizeof(*q)] = fuzz_u8(in);
	q->pid = fuzz_u8(in) & 1 ? 1 : -(int32_t)(fuzz_u8(in) + 1);
}

static void check_trace(const struct control_trace *q)
{
	static struct control_trace back;
	static struct trace_options t, again;

	if (attach_unpack(&t, q))
		return;
	FUZZ_CHECK(t.n_paths <= TRACE_PATHS && t.n_injects <= TRACE_INJECTS && t.hex <= 2);
	for (unsigned k = 0; k < t.n_paths; k++)
		FUZZ_CHECK(strlen(t.paths[k]) < TRACE_PATH_MAX);
	attach_pack(&back, &t);
	back.pid = q->pid;
	FUZZ_CHECK(back.flags == q->flags && back.n_paths == q->n_paths && back.n_injects == q->n_injects);
	FUZZ_CHECK(!attach_unpack(&again, &back));
}

static void request(struct fuzz_in *in, unsigned k)
{
	static const struct {
		uint16_t kind, version;
		unsigned n_fds;
		size_t size;
	} kinds[] = {{CONTROL_EXEC, CONTROL_EXEC_VERSION, 4, sizeof(struct control_exec)},
		     {CONTROL_DUMP, CONTROL_DUMP_VERSION, 1, sizeof(struct control_head)},
		     {CONTROL_STACKS, CONTROL_STACKS_VERSION, 1, sizeof(struct control_stacks)},
		     {CONTROL_TRACE, CONTROL_TRACE_VERSION, 1, sizeof(struct control_trace)}};
	static union packet q;
	unsigned which = fuzz_u8(in) % ARRAY_SIZE(kinds), n_fds = kinds[which].n_fds;
	uint8_t how = fuzz_u8(in);
	int fds[FDPASS_MAX];
	bool owned[FDPASS_MAX];

	memset(&q, 0, sizeof(q));
	q.head = (struct control_head){kinds[which].kind, kinds[which].version, (uint32_t)kinds[which].size};
	switch (kinds[which].kind) {
	case CONTROL_EXEC:
		put_exec(in, &q.exec);
		break;
	case CONTROL_STACKS:
		q.stacks.pid = how & 1 ? 1 : fuzz_u8(in) - 128;
		q.stacks.json = fuzz_u8(in);
		break;
	case CONTROL_TRACE:
		put_trace(in, &q.trace);
		check_trace(&q.trace);
		break;
	default:
		break;
	}
	size_t len = kinds[which].size;
	if (how >= 0xf8)
		q.bytes[fuzz_u8(in) % sizeof(q.head)] = fuzz_u8(in);
	else if (how >= 0xf0)
		len = fuzz_u16(in) % sizeof(q);
	else if (how >= 0xe8)
		n_fds = fuzz_u8(in) % (FDPASS_MAX + 1);
	for (unsigned n = 0; n < n_fds; n++)
		fds[n] = pick_fd(in, &owned[n]);
	int flags = MSG_DONTWAIT;
	if (n_fds)
		(void)!fdpass_send(peers[k].sock, fds, n_fds, &q, len, flags);
	else
		(void)!send(peers[k].sock, &q, len, flags | MSG_NOSIGNAL);
	for (unsigned n = 0; n < n_fds; n++)
		if (owned[n])
			close(fds[n]);
}

/* --- Words from inside --- */

static void word(struct fuzz_in *in)
{
	struct live l = {.slot = -1};
	struct call *c = &l.call;
	uint8_t how = fuzz_u8(in);

	c->pid = how & 1 ? NOBODY : NOBODY - 1;
	c->args[1] = fuzz_u8(in) % 6;
	c->args[2] = how & 2 ? 2 : (uint64_t)(int64_t)(int16_t)fuzz_u16(in);
	c->args[3] =
	    n_tickets && !(how & 4) ? tickets[fuzz_u8(in) % MIN(n_tickets, (unsigned)ARRAY_SIZE(tickets))] : fuzz_u8(in);
	put_fails = how >= 0xf0;
	may_fork = true;
	int64_t r = join_word(c);
	may_fork = false;
	if (c->args[1] == INIT_TAKE && r > 0)
		tickets[n_tickets++ % ARRAY_SIZE(tickets)] = (uint64_t)r;
}

/* --- The rest --- */

static void serve(void)
{
	struct pollfd fds[CONTROL_POLL_MAX];
	unsigned n = control_poll(fds);

	FUZZ_CHECK(n <= CONTROL_POLL_MAX && poll(fds, n, 0) >= 0);
	control_run(fds, n);
}

static void look(unsigned k)
{
	union {
		struct control_reply r;
		struct front_msg m;
	} p;
	int fds[FDPASS_MAX];
	size_t len = sizeof(p);
	int n = fdpass_recv(peers[k].sock, fds, &p, &len, MSG_DONTWAIT);

	if (n < 0)
		return;
	FUZZ_CHECK(n == 0 || n == 2);
	for (int i = 0; i < n; i++)
		close(fds[i]);
	FUZZ_CHECK(len == sizeof(p.r) || len == sizeof(p.m));
	if (len == sizeof(p.r))
		FUZZ_CHECK(p.r.error <= 0 && p.r.error > -4096 && memchr(p.r.text, 0, sizeof(p.r.text)));
}

static void step(struct fuzz_in *in)
{
	uint8_t what = fuzz_u8(in);
	unsigned k = what % PEERS;
	int pair[2];

	if (peers[k].sock < 0) {
		FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
		peers[k].sock = pair[1];
		control_connect(pair[0]);
	}
	switch (what >> 4) {
	case 0 ... 5:
		request(in, k);
		break;
	case 6 ... 9:
		word(in);
		break;
	case 10 ... 11: {
		struct front_msg m = {.event = fuzz_u8(in) % 12, .status = fuzz_u8(in) - 16};
		(void)!send(peers[k].sock, &m, what & 4 ? sizeof(m) : 3, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	}
	case 12:
		close(take_fd(&peers[k].sock));
		break;
	case 13:
		join_command_started();
		reap(what & 4);
		break;
	default:
		look(k);
		break;
	}
	serve();
}

/* Answers of threads come a moment later. */
static void wait_for_threads(unsigned fds)
{
	attach_finish();
	for (unsigned tries = 0; fuzz_count_fds() != fds; tries++) {
		FUZZ_CHECK(tries < 20000);
		nanosleep(&(struct timespec){0, 500000}, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	FUZZ_CHECK(here >= 0);
	if (!null_fd)
		set_up();
	/* Where vfs/token.c makes its directories. */
	FUZZ_CHECK(!fchdir(dir_fd));
	unsigned fds = fuzz_count_fds();
	FUZZ_CHECK(!pipe2(pipes, O_CLOEXEC | O_NONBLOCK));
	n_tickets = 0;
	for (unsigned k = 0; k < PEERS; k++)
		peers[k].sock = -1;
	for (unsigned k = 0; k < 48 && in.left; k++)
		step(&in);
	/* A joiner who went while init had his command is freed only when init has said what became of it. */
	for (unsigned k = 0; k < PEERS; k++)
		if (peers[k].sock >= 0)
			close(peers[k].sock);
	for (unsigned k = 0; k < ARRAY_SIZE(tickets) && k < n_tickets; k++) {
		struct live l = {.call = {.pid = NOBODY, .args = {0, INIT_SPAWNED, (uint64_t)-EAGAIN, tickets[k]}}};
		join_word(&l.call);
	}
	for (unsigned k = 0; k < 4; k++)
		serve();
	reap(true);
	close(pipes[0]);
	close(pipes[1]);
	wait_for_threads(fds);
	FUZZ_CHECK(!fchdir(here));
	close(here);
	return 0;
}
