/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.c - a call as text: which arguments are shown, when, and the kinds of the table.
 *
 * Everything that is read here belongs to a program that may change it at any moment: each value is fetched once, and a size is bounded before use.
 */
#include "interposer/trace/format.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define MAX_WORDS   32 /* strace's own */
#define WORDS       64 /* read at once */
#define COUNT_WORDS 65536

bool format_fetch(struct shown *s, uint64_t addr, void *buf, size_t len)
{
	return addr && !s->c->ops->read(s->c, addr, buf, len);
}

bool format_in(struct shown *s, int i, void *buf, size_t len)
{
	if (format_fetch(s, s->c->args[i], buf, len))
		return true;
	format_addr(&s->text, s->c->args[i]);
	return false;
}

bool format_out(struct shown *s, int i, void *buf, size_t len)
{
	if (!s->failed && format_fetch(s, s->c->args[i], buf, len))
		return true;
	format_addr(&s->text, s->c->args[i]);
	return false;
}

void format_quoted(struct shown *s, const char *str, size_t size)
{
	text_quote(&s->text, str, strnlen(str, size), s->opt->hex, false);
}

void format_addr(struct text *t, uint64_t addr)
{
	if (addr)
		text_printf(t, "%#" PRIx64, addr);
	else
		text_puts(t, "NULL");
}

/* At most strsize bytes of len, quoted. */
void format_bytes(struct shown *s, uint64_t addr, uint64_t len)
{
	uint64_t n = MIN(len, (uint64_t)s->opt->strsize);
	AUTO_FREE char *buf = malloc(n + 1);
	if (!addr || !buf || s->c->ops->read(s->c, addr, buf, n))
		format_addr(&s->text, addr);
	else
		text_quote(&s->text, buf, n, s->opt->hex, n < len);
}

static void format_string(struct shown *s, uint64_t addr, bool whole)
{
	char buf[PATH_MAX];
	ssize_t n = addr ? s->c->ops->read_string(s->c, addr, buf, sizeof buf) : -EFAULT;
	bool more = n == -ENAMETOOLONG;
	if (n < 0 && !more) {
		format_addr(&s->text, addr);
		return;
	}
	size_t len = more ? sizeof buf - 1 : (size_t)n;
	if (!whole && len > s->opt->strsize) {
		len = s->opt->strsize;
		more = true;
	}
	text_quote(&s->text, buf, len, s->opt->hex, more);
}

/* A list of pointers, which is read in pieces that don't cross pages: behind its end there may be nothing. */
struct words {
	uint64_t next; /* the address of the first that isn't in word[] */
	unsigned n, at;
	uint64_t word[WORDS];
};

static bool next_word(struct shown *s, struct words *w, uint64_t *word)
{
	if (w->at == w->n) {
		w->n = MAX(MIN((unsigned)(4096 - (w->next & 4095)) / 8, (unsigned)WORDS), 1U);
		w->at = 0;
		if (!format_fetch(s, w->next, w->word, w->n * sizeof w->word[0])) {
			w->n = 0;
			return false;
		}
		w->next += w->n * sizeof w->word[0];
	}
	*word = w->word[w->at++];
	return true;
}

static void format_words(struct shown *s, uint64_t addr, bool names)
{
	struct words w;
	uint64_t word;
	if (!addr) {
		text_puts(&s->text, "NULL");
		return;
	}
	w.next = addr;
	w.n = w.at = 0;
	if (!names) {
		unsigned n = 0;
		for (; n < COUNT_WORDS && next_word(s, &w, &word) && word;)
			n++;
		text_printf(&s->text, "%#" PRIx64 " /* %u var%s */", addr, n, n == 1 ? "" : "s");
		return;
	}
	for (unsigned i = 0;; i++) {
		if (!next_word(s, &w, &word)) {
			if (!i) {
				format_addr(&s->text, addr);
				return;
			}
			text_printf(&s->text, ", ... /* %#" PRIx64 " */", addr + 8 * (uint64_t)i);
			break;
		}
		if (!i)
			text_puts(&s->text, "[");
		if (!word)
			break;
		if (i)
			text_puts(&s->text, ", ");
		if (i == MAX_WORDS && !s->opt->verbose) {
			text_puts(&s->text, "...");
			break;
		}
		if (i == 4096)
			break;
		format_string(s, word, false);
	}
	text_puts(&s->text, "]");
}

void format_timespec(struct text *t, const int64_t ts[2], const char *frac)
{
	text_printf(t, "{tv_sec=%" PRId64 ", %s=%" PRId64 "}", ts[0], frac, ts[1]);
}

static void format_times(struct shown *s, uint64_t addr)
{
	int64_t ts[2];
	if (format_fetch(s, addr, ts, sizeof ts)) {
		format_timespec(&s->text, ts, s->c->nr == SYS_select ? "tv_usec" : "tv_nsec");
	} else {
		format_addr(&s->text, addr);
	}
}

/* Between angle brackets, without the quotes that strace has not here. */
static void put_name(struct text *t, const char *name, unsigned hex)
{
	size_t at = t->n;
	text_quote(t, name, strlen(name), hex, false);
	if (t->n >= at + 2) {
		memmove(t->p + at, t->p + at + 1, t->n - at - 1);
		t->n -= 2;
	}
}

/* -y: the name that the descriptor was last opened by, as the program sees it; pipes, sockets and the like by what they are. */
static void put_fd_name(struct shown *s, struct text *t, int fd)
{
	char buf[PATH_MAX];
	struct call *c = s->c;
	struct stat st;
	AUTO_CLOSE int host = c->ops->get_fd(c, fd);
	struct record *rec = host < 0 ? NULL : c->ops->current(c);
	if (!rec)
		return;
	AUTO_VFILE struct vfile f = {0};
	struct vfs_ctx ctx = {.cred = &rec->vcred, .root = &rec->root, .cwd = &rec->cwd, .umask = rec->umask, .owner = c};
	bool known = !vfs_identify(host, &f);
	if (known && f.kind != VF_FOREIGN) {
		if (vfs_vfile_path(&ctx, &f, buf, sizeof buf) >= 0) {
			text_puts(t, "<");
			put_name(t, buf, s->opt->hex);
			if (s->opt->fd_details && !fstat(host, &st) && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
				text_printf(t, "<%s %u:%u>", S_ISCHR(st.st_mode) ? "char" : "block", major(st.st_rdev),
					    minor(st.st_rdev));
			text_puts(t, ">");
		}
	} else if (!fstat(host, &st)) {
		if (S_ISFIFO(st.st_mode))
			text_printf(t, "<pipe:[%" PRIu64 "]>", (uint64_t)st.st_ino);
		else if (S_ISSOCK(st.st_mode) && s->opt->fd_details)
			format_socket(t, host, st.st_ino);
		else if (S_ISSOCK(st.st_mode))
			text_printf(t, "<socket:[%" PRIu64 "]>", (uint64_t)st.st_ino);
		else if (S_ISCHR(st.st_mode) && s->opt->fd_details)
			text_printf(t, "<char %u:%u>", major(st.st_rdev), minor(st.st_rdev));
	}
	record_put(rec);
}

void format_fd(struct shown *s, int fd)
{
	text_printf(&s->text, "%d", fd);
	if (s->opt->fd_paths && fd >= 0)
		put_fd_name(s, &s->text, fd);
}

static void put_cwd(struct shown *s)
{
	char buf[PATH_MAX];
	struct record *rec = s->opt->fd_paths ? s->c->ops->current(s->c) : NULL;
	text_puts(&s->text, "AT_FDCWD");
	if (!rec)
		return;
	struct vfs_ctx ctx = {.cred = &rec->vcred, .root = &rec->root, .cwd = &rec->cwd, .owner = s->c};
	if (vfs_getpath(&ctx, &rec->cwd, buf, sizeof buf) > 0) {
		text_puts(&s->text, "<");
		put_name(&s->text, buf, s->opt->hex);
		text_puts(&s->text, ">");
	}
	record_put(rec);
}

static bool returns_fd(const struct call *c)
{
	switch (c->nr) {
	case SYS_open:
	case SYS_openat:
	case SYS_openat2:
	case SYS_creat:
	case SYS_dup:
	case SYS_dup2:
	case SYS_dup3:
	case SYS_socket:
	case SYS_accept:
	case SYS_accept4:
	case SYS_epoll_create:
	case SYS_epoll_create1:
	case SYS_eventfd:
	case SYS_eventfd2:
	case SYS_memfd_create:
	case SYS_timerfd_create:
	case SYS_signalfd:
	case SYS_signalfd4:
	case SYS_inotify_init:
	case SYS_inotify_init1:
	case SYS_pidfd_open:
	case SYS_pidfd_getfd:
		return true;
	case SYS_fcntl:
		return (uint32_t)c->args[1] == F_DUPFD || (uint32_t)c->args[1] == F_DUPFD_CLOEXEC;
	}
	return false;
}

static void by_kind(struct shown *s, int i)
{
	uint64_t v = s->c->args[i];
	struct text *t = &s->text;
	uint32_t len;
	switch (s->desc->args[i]) {
	case ARG_NONE:
		break;
	case ARG_INT:
	case ARG_PID:
		text_printf(t, "%d", (int)(uint32_t)v);
		break;
	case ARG_UINT:
		text_printf(t, "%u", (uint32_t)v);
		break;
	case ARG_LONG:
	case ARG_OFF:
		text_printf(t, "%" PRId64, (int64_t)v);
		break;
	case ARG_ULONG:
	case ARG_SIZE:
		text_printf(t, "%" PRIu64, v);
		break;
	case ARG_HEX:
		text_printf(t, "%#" PRIx64, v);
		break;
	case ARG_MODE:
		text_printf(t, "%#03o", (uint32_t)v);
		break;
	case ARG_ID:
		if ((uint32_t)v == UINT32_MAX)
			text_puts(t, "-1");
		else
			text_printf(t, "%u", (uint32_t)v);
		break;
	case ARG_SIG:
		text_signal(t, (int)(uint32_t)v);
		break;
	case ARG_FD:
		format_fd(s, (int)(uint32_t)v);
		break;
	case ARG_DIRFD:
		if ((int)(uint32_t)v == AT_FDCWD)
			put_cwd(s);
		else
			format_fd(s, (int)(uint32_t)v);
		break;
	case ARG_PATH:
		format_string(s, v, true);
		break;
	case ARG_STR:
		format_string(s, v, s->c->nr == SYS_symlink || s->c->nr == SYS_symlinkat);
		break;
	case ARG_ARGV:
		format_words(s, v, s->opt->verbose || i == 0 || s->desc->args[i - 1] != ARG_ARGV);
		break;
	case ARG_BUFIN:
		format_bytes(s, v, i < 5 ? s->c->args[i + 1] : 0);
		break;
	case ARG_BUFOUT:
		if (s->failed || s->rval < 0)
			format_addr(t, v);
		else
			format_bytes(s, v, (uint64_t)s->rval);
		break;
	case ARG_STATOUT:
	case ARG_PTR:
		format_addr(t, v);
		break;
	case ARG_TIMEIN:
		format_times(s, v);
		break;
	case ARG_SOCKIN:
		format_sockaddr(s, v, i < 5 ? (uint32_t)s->c->args[i + 1] : 0);
		break;
	case ARG_SOCKOUT:
		if (!s->failed && i < 5 && format_fetch(s, s->c->args[i + 1], &len, sizeof len))
			format_sockaddr(s, v, len);
		else
			format_addr(t, v);
		break;
	case ARG_OFLAGS:
		format_open_flags(t, (uint32_t)v);
		break;
	case ARG_ATFLAGS:
		text_flags(t, names_at, (uint32_t)v, "AT_???");
		break;
	case ARG_PROT:
		text_flags(t, names_prot, v, "PROT_???");
		break;
	}
}

static bool kind_is_out(enum arg_kind k)
{
	return k == ARG_BUFOUT || k == ARG_STATOUT || k == ARG_SOCKOUT;
}

/* The decoder of each argument of each call, found by name once. */
static const struct decoder *by_call[SYSCALL_MAX][6];

static int number_of(const char *name)
{
	for (int nr = 0; nr < SYSCALL_MAX; nr++) {
		const struct syscall_desc *d = syscall_desc(nr);
		if (d && !strcmp(d->name, name))
			return nr;
	}
	return -1;
}

/* Those of one call mostly follow each other. */
static void index_decoders(const struct decoder *from, size_t n)
{
	int nr = -1;
	for (size_t i = 0; i < n; i++) {
		if (!i || strcmp(from[i].call, from[i - 1].call))
			nr = number_of(from[i].call);
		if (nr >= 0)
			by_call[nr][from[i].arg] = &from[i];
	}
}

static void index_all(void)
{
	index_decoders(flag_decoders, n_flag_decoders);
	index_decoders(struct_decoders, n_struct_decoders);
	index_decoders(net_decoders, n_net_decoders);
	index_decoders(signal_decoders, n_signal_decoders);
	index_decoders(control_decoders, n_control_decoders);
	index_decoders(time_decoders, n_time_decoders);
}

void format_start(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, index_all);
}

static const struct decoder *find_decoder(const struct shown *s, int arg)
{
	return !s->foreign && s->c->nr >= 0 && s->c->nr < SYSCALL_MAX ? by_call[s->c->nr][arg] : NULL;
}

/* Calls whose last arguments count only with some values of the others. */
static int shown_args(const struct shown *s)
{
	const uint64_t *a = s->c->args;
	switch (s->c->nr) {
	case SYS_open:
		return a[1] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? 3 : 2;
	case SYS_openat:
		return a[2] & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? 4 : 3;
	case SYS_fcntl:
		switch ((uint32_t)a[1]) {
		case F_GETFD:
		case F_GETFL:
		case F_GETOWN:
		case F_GETSIG:
		case F_GETPIPE_SZ:
		case F_GETLEASE:
		case F_GET_SEALS:
			return 2;
		}
		return 3;
	case SYS_futex: {
		int op = (int)a[1] & 0x7f;
		/* FUTEX_WAIT: a timeout; WAKE: none; WAIT_BITSET: all; the others as many as the table has. */
		return op == 0 ? 4 : op == 1 ? 3 : op == 3 ? 5 : 6;
	}
	case SYS_mremap:
		return a[3] & 2 ? 5 : 4;
	case SYS_rt_sigreturn:
		return 1;
	case SYS_mknod:
	case SYS_mknodat: {
		uint32_t type = (uint32_t)a[s->c->nr == SYS_mknod ? 1 : 2] & S_IFMT;
		return s->desc->nargs - !(type == S_IFCHR || type == S_IFBLK);
	}
	case SYS_membarrier:
		return 2;
	case SYS_ioctl:
		return (uint32_t)a[1] == FIOCLEX || (uint32_t)a[1] == FIONCLEX || (uint32_t)a[1] == TIOCNOTTY ? 2 : 3;
	case SYS_prctl:
		switch ((uint32_t)a[0]) {
		case PR_GET_DUMPABLE:
		case PR_GET_KEEPCAPS:
		case PR_GET_SECCOMP:
		case PR_GET_TIMERSLACK:
			return 1;
		case PR_SET_PDEATHSIG:
		case PR_GET_PDEATHSIG:
		case PR_SET_DUMPABLE:
		case PR_SET_KEEPCAPS:
		case PR_SET_NAME:
		case PR_GET_NAME:
		case PR_CAPBSET_READ:
		case PR_CAPBSET_DROP:
		case PR_SET_TIMERSLACK:
		case PR_SET_CHILD_SUBREAPER:
		case PR_GET_CHILD_SUBREAPER:
			return 2;
		case PR_SET_SECCOMP:
			return a[1] == 2 ? 3 : 2;
		}
		return 5;
	}
	return s->desc->nargs;
}

/* Arguments in the middle that the call doesn't look at. */
static bool is_skipped(const struct shown *s, int i)
{
	if (s->c->nr == SYS_futex && i == 4) {
		unsigned op = (unsigned)s->c->args[1] & 0x7f;
		return op == 9 || op == 10; /* the two with a bit set */
	}
	/* The upper half of an offset that the lower one has room for. */
	return (s->c->nr == SYS_preadv2 || s->c->nr == SYS_pwritev2) && i == 4;
}

/* strace shows clone's arguments by name, in the order in which they matter. */
static void clone_args(struct shown *s)
{
	const uint64_t *a = s->c->args;
	struct text *t = &s->text;
	text_puts(t, "child_stack=");
	format_addr(t, a[1]);
	text_puts(t, ", flags=");
	uint64_t flags = a[0] & ~UINT64_C(0xff);
	if (flags)
		text_flags(t, names_clone, flags, "CLONE_???");
	if (a[0] & 0xff) {
		if (flags)
			text_puts(t, "|");
		text_signal(t, (int)(a[0] & 0xff));
	} else if (!flags) {
		text_puts(t, "0");
	}
	if (a[0] & 0x00100000) { /* CLONE_PARENT_SETTID */
		uint32_t tid;
		text_puts(t, ", parent_tid=");
		if (s->exiting && !s->failed && format_fetch(s, a[2], &tid, sizeof tid))
			text_printf(t, "[%u]", tid);
		else
			format_addr(t, a[2]);
	}
	if (a[0] & 0x00080000) /* CLONE_SETTLS */
		text_printf(t, ", tls=%#" PRIx64, a[4]);
	if (a[0] & 0x01200000) { /* CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID */
		text_puts(t, ", child_tidptr=");
		format_addr(t, a[3]);
	}
}

static void show_raw(struct shown *s)
{
	for (s->next = 0; s->next < s->n; s->next++) {
		if (s->next)
			text_puts(&s->text, ", ");
		s->from[s->next] = s->text.n;
		text_printf(&s->text, s->c->args[s->next] ? "%#" PRIx64 : "0", s->c->args[s->next]);
		s->to[s->next] = s->text.n;
	}
}

static void show_from(struct shown *s)
{
	if (!s->foreign && trace_set_has(&s->opt->raw, (uint64_t)(int64_t)s->c->nr)) {
		if (!s->exiting)
			show_raw(s);
		return;
	}
	if (s->c->nr == SYS_clone && !s->foreign) {
		/* Only at exit is all of it known. */
		if (!s->exiting)
			return;
		s->from[0] = s->text.n;
		clone_args(s);
		s->to[0] = s->text.n;
		s->n = s->next = 1;
		return;
	}
	for (; s->next < s->n; s->next++) {
		int i = s->next;
		const struct decoder *d = find_decoder(s, i);
		if (is_skipped(s, i)) {
			s->from[i] = s->to[i] = s->text.n;
			continue;
		}
		if (i && !s->comma)
			text_puts(&s->text, ", ");
		s->comma = !s->exiting && (d ? d->out : kind_is_out(s->desc->args[i]));
		if (s->comma)
			return;
		s->from[i] = s->text.n;
		if (d && d->fn)
			d->fn(s, i);
		else if (d && d->value)
			text_value(&s->text, d->names, (uint32_t)s->c->args[i], d->unknown);
		else if (d)
			text_flags(&s->text, d->names, s->c->args[i], d->unknown);
		else
			by_kind(s, i);
		s->to[i] = s->text.n;
	}
}

void format_entry(struct shown *s)
{
	static const struct syscall_desc unknown = {.nargs = 6,
						    .args = {ARG_HEX, ARG_HEX, ARG_HEX, ARG_HEX, ARG_HEX, ARG_HEX}};
	s->text.n = s->extra.n = s->bytes.n = 0;
	s->next = 0;
	s->exiting = s->failed = s->comma = false;
	s->desc = s->foreign ? NULL : syscall_desc(s->c->nr);
	if (s->desc)
		text_printf(&s->text, "%s(", s->desc->name);
	else
		text_printf(&s->text, "%ssyscall_%#x(", s->foreign ? "i386_" : "", (unsigned)s->c->nr);
	if (!s->desc)
		s->desc = &unknown;
	s->n = s->desc == &unknown ? 6 : shown_args(s);
	if (s->desc != &unknown)
		format_remember(s);
	show_from(s);
	s->at_entry = s->text.n;
}

void format_exit(struct shown *s)
{
	s->exiting = true;
	show_from(s);
	if (!s->foreign)
		format_extra(s);
	format_all_bytes(s);
	if (!s->foreign && s->opt->fd_paths && !s->failed && returns_fd(s->c))
		put_fd_name(s, &s->extra, (int)s->rval);
	text_puts(&s->text, ")");
}

static bool result_is_address(int nr)
{
	return nr == SYS_mmap || nr == SYS_brk || nr == SYS_mremap || nr == SYS_shmat;
}

void format_result(const struct shown *s, struct text *t)
{
	static const struct {
		int err;
		const char *text;
	} restarts[] = {{512, "ERESTARTSYS (To be restarted if SA_RESTART is set)"},
			{513, "ERESTARTNOINTR (To be restarted)"},
			{514, "ERESTARTNOHAND (To be restarted if no handler)"},
			{516, "ERESTART_RESTARTBLOCK (Interrupted by signal)"}};
	static const char *const clock_states[] = {"TIME_OK", "TIME_INS", "TIME_DEL", "TIME_OOP", "TIME_WAIT", "TIME_ERROR"};
	static const char *const dumps[] = {"SUID_DUMP_DISABLE", "SUID_DUMP_USER", "SUID_DUMP_ROOT"};
	static const char *const leases[] = {"F_RDLCK", "F_WRLCK", "F_UNLCK"};
	text_puts(t, " = ");
	if (s->failed) {
		int err = (int)-s->rval;
		for (size_t i = 0; i < ARRAY_SIZE(restarts); i++)
			if (restarts[i].err == err) {
				text_printf(t, "? %s", restarts[i].text);
				return;
			}
		text_puts(t, "-1 ");
		text_errno(t, err);
		text_printf(t, " (%s)", strerrordesc_np(err) ? strerrordesc_np(err) : "Unknown error");
		return;
	}
	if (result_is_address(s->c->nr))
		text_printf(t, "%#" PRIx64, (uint64_t)s->rval);
	else if (s->c->nr == SYS_umask)
		text_printf(t, "%#03o", (unsigned)s->rval);
	else if (s->c->nr == SYS_fcntl && (uint32_t)s->c->args[1] == F_GETFL) {
		text_printf(t, "%#" PRIx64 " (flags ", (uint64_t)s->rval);
		format_open_flags(t, (uint64_t)s->rval);
		text_puts(t, ")");
	} else if (s->c->nr == SYS_sched_getscheduler) {
		text_printf(t, "%" PRId64 " (", s->rval);
		text_value(t, names_sched, (uint64_t)s->rval & 0xff, "SCHED_???");
		text_puts(t, ")");
	} else if (s->c->nr == SYS_rt_sigtimedwait) {
		text_printf(t, "%" PRId64 " (", s->rval);
		text_signal(t, (int)s->rval);
		text_puts(t, ")");
	} else if ((s->c->nr == SYS_adjtimex || s->c->nr == SYS_clock_adjtime) &&
		   (uint64_t)s->rval < ARRAY_SIZE(clock_states)) {
		text_printf(t, "%" PRId64 " (%s)", s->rval, clock_states[s->rval]);
	} else if (s->c->nr == SYS_prctl && (uint32_t)s->c->args[0] == PR_GET_DUMPABLE &&
		   (uint64_t)s->rval < ARRAY_SIZE(dumps)) {
		text_printf(t, "%" PRId64 " (%s)", s->rval, dumps[s->rval]);
	} else if (s->c->nr == SYS_fcntl && (uint32_t)s->c->args[1] == F_GETLEASE &&
		   (uint64_t)s->rval < ARRAY_SIZE(leases)) {
		text_printf(t, "%#" PRIx64 " (%s)", (uint64_t)s->rval, leases[s->rval]);
	} else if (s->c->nr == SYS_personality && !s->rval) {
		text_puts(t, "0 (PER_LINUX)");
	} else if (s->c->nr == SYS_fcntl && (uint32_t)s->c->args[1] == F_GETFD && s->rval)
		text_printf(t, "%#" PRIx64 " (flags FD_CLOEXEC)", (uint64_t)s->rval);
	else
		text_printf(t, "%" PRId64, s->rval);
	text_put(t, s->extra.p, s->extra.n);
}
