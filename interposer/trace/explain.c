/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - see explain.h. What is printed of a program's own is quoted: it may be meant for the terminal. */
#include "interposer/trace/explain.h"

#include "interposer/limits.h"
#include "interposer/supervisor.h"
#include "interposer/trace/text.h"
#include "kernel/filter_rules.h"
#include "kernel/syscall.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* So many different ones are told apart; the others are counted. */
#define MAX_NOTES 128

enum reason {
	REASON_CALL,
	REASON_NAMESPACE,
	REASON_READ_ONLY,
	REASON_PROFILE,
	REASON_HIDDEN,
	REASON_DEVICE,
	REASON_NET,
	REASON_SPACE,
	REASON_PROCESSES,
	N_REASONS
};
static const struct {
	const char *name, *what, *advice;
} reasons[N_REASONS] = {
    {"call", "calls that the sandbox does not support", "most programs do without; there is nothing to set"},
    {"namespace", "namespaces, which programs make for sandboxes of their own",
     "switch the program's own sandbox off (--no-sandbox and the like), since it is in one"},
    {"read-only", "paths that are read-only",
     "make a writable place with --bind, --cow-bind or --tmpfs, or leave out --overlay none"},
    {"profile", "paths that the profile does not allow", "sandbox learn --merge adds what a run needs"},
    {"hidden", "paths that --hide covers", "leave the option out to show them"},
    {"device", "devices that the sandbox does not have", "there is nothing to set"},
    {"network", "addresses tried without a network", "--net host gives the host's"},
    {"space", "a limit of space was reached", "raise --max-disk, size= or inodes="},
    {"processes", "a limit of processes was reached", "raise --pids"},
};

bool explain_on;
static const struct launch_options *opt;
static bool hides;
static int out_fd;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct note {
	enum reason reason;
	char *what;
	uint64_t count;
} notes[MAX_NOTES];
static unsigned n_notes;
static uint64_t others[N_REASONS];

void explain_start(const struct launch_options *o, int fd)
{
	opt = o;
	out_fd = fd;
	if (o->rules)
		vfs_rules_tell();
	for (unsigned i = 0; i < o->n_mounts; i++)
		hides = hides || o->mounts[i].kind == MOUNT_HIDE;
	explain_on = true;
}

/* Takes what over. */
static void note(enum reason reason, struct text *what)
{
	text_put(what, "", 1);
	if (!what->p || what->p[what->n - 1])
		return;
	pthread_mutex_lock(&mu);
	struct note *n = NULL;
	for (unsigned i = 0; i < n_notes && !n; i++)
		if (notes[i].reason == reason && !strcmp(notes[i].what, what->p))
			n = &notes[i];
	if (!n && n_notes < MAX_NOTES) {
		n = &notes[n_notes++];
		*n = (struct note){.reason = reason, .what = take_ptr(what->p)};
	}
	if (n)
		n->count++;
	else
		others[reason]++;
	pthread_mutex_unlock(&mu);
	free(what->p);
	*what = (struct text){0};
}

static void put_error(struct text *t, int64_t r)
{
	text_puts(t, " (");
	text_errno(t, (int)-r);
	text_puts(t, ")");
}

static void note_call(const struct call *c, int64_t r)
{
	static const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
					   CLONE_NEWPID | CLONE_NEWNET | 0x80 /* CLONE_NEWTIME */;
	static const struct {
		int nr;
		unsigned arg;
		const char *what;
	} details[] = {{SYS_socket, 0, "family"}, {SYS_prctl, 0, "option"},  {SYS_ioctl, 1, "request"},
		       {SYS_clone, 0, "flags"},   {SYS_unshare, 0, "flags"}, {SYS_personality, 0, "persona"},
		       {SYS_fcntl, 1, "command"}};
	const struct syscall_desc *d = syscall_desc(c->nr);
	struct text t = {0};
	if (d)
		text_puts(&t, d->name);
	else
		text_printf(&t, "call number %d", c->nr);
	for (size_t i = 0; i < ARRAY_SIZE(details); i++)
		if (details[i].nr == c->nr)
			text_printf(&t, " with %s %#x", details[i].what, (unsigned)c->args[details[i].arg]);
	put_error(&t, r);
	/* The table's own words, if it has any: "no: why". */
	if (d && d->verdict == VERDICT_DENY && !strncmp(d->note, "no: ", 4))
		text_printf(&t, ": %s", d->note + 4);
	bool ns = c->nr == SYS_setns || ((c->nr == SYS_unshare || c->nr == SYS_clone) && (c->args[0] & namespaces));
	note(ns ? REASON_NAMESPACE : REASON_CALL, &t);
}

/* Without "." and ".." and doubled slashes, as text: which is what --hide was given as. */
static void tidy(char *path)
{
	char *to = path;
	for (const char *p = path; *p;) {
		while (*p == '/')
			p++;
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (to > path && *--to != '/')
				;
		} else if (n && !(n == 1 && p[0] == '.')) {
			*to++ = '/';
			memmove(to, p, n);
			to += n;
		}
		p += n;
	}
	if (to == path)
		*to++ = '/';
	*to = 0;
}

/* The absolute name that argument i gave, into out of 2 * PATH_MAX bytes: a directory's, a slash, and at most PATH_MAX with the NUL. */
static bool whole_path(struct call *c, const struct syscall_desc *d, int i, char *out)
{
	char name[PATH_MAX];
	struct path base = {0};
	if (c->ops->read_string(c, c->args[i], name, sizeof name) < 0)
		return false;
	if (name[0] == '/') {
		memcpy(out, name, sizeof name);
	} else {
		if (i && d->args[i - 1] == ARG_DIRFD && call_base(c, i - 1, name, &base))
			return false;
		bool ok = vfs_getpath(&c->ctx, base.dentry ? &base : c->ctx.cwd, out, PATH_MAX) >= 0;
		path_put(&base);
		if (!ok)
			return false;
		size_t n = strnlen(out, PATH_MAX - 1);
		out[n] = '/';
		memcpy(out + n + 1, name, strlen(name) + 1);
	}
	tidy(out);
	return true;
}

/* The same through symlinks: the longest part of path that leads somewhere is put in its real name's place. path has 3 * PATH_MAX bytes. */
static void real_path(struct call *c, char *path)
{
	char real[PATH_MAX];
	for (size_t n = strlen(path); n > 1;) {
		struct path p = {0};
		char cut = path[n];
		path[n] = 0;
		int r = vfs_resolve(&c->ctx, NULL, path, 0, &p);
		path[n] = cut;
		r = r ? r : vfs_getpath(&c->ctx, &p, real, sizeof real);
		path_put(&p);
		if (r > 0) {
			size_t tail = strlen(path + n) + 1, len = strlen(real);
			if (len == 1 && cut)
				len = 0;
			memmove(path + len, path + n, tail);
			memcpy(path, real, len);
			return;
		}
		while (--n > 1 && path[n] != '/')
			;
	}
}

static bool is_hidden(const char *path, int64_t r)
{
	for (unsigned i = 0; i < opt->n_mounts; i++) {
		const struct launch_mount *m = &opt->mounts[i];
		size_t n = strlen(m->dst);
		while (n > 1 && m->dst[n - 1] == '/')
			n--;
		if (m->kind != MOUNT_HIDE || strncmp(path, m->dst, n))
			continue;
		if (!path[n] || (path[n] == '/' && (r == -ENOENT || r == -EACCES || r == -ENOTDIR || r == -EROFS)))
			return true;
	}
	return false;
}

static void note_paths(struct call *c, const struct syscall_desc *d, int64_t r)
{
	char path[3 * PATH_MAX];
	for (int i = 0; i < d->nargs; i++) {
		struct text t = {0};
		if (d->args[i] == ARG_PATH && whole_path(c, d, i, path)) {
			bool hidden = hides && is_hidden(path, r);
			if (hides && !hidden && r < 0 && r >= -4095) {
				real_path(c, path);
				hidden = is_hidden(path, r);
			}
			if (!hidden && r != -EROFS)
				continue;
			text_quote(&t, path, strlen(path), 0, false);
			if (!hidden) {
				text_printf(&t, " by %s", d->name);
				put_error(&t, r);
			}
			note(hidden ? REASON_HIDDEN : REASON_READ_ONLY, &t);
		} else if (d->args[i] == ARG_FD && i == 0 && r == -EROFS) {
			AUTO_VFILE struct vfile f = {0};
			AUTO_CLOSE int fd = -1;
			if (call_file(c, i, &f, &fd) || f.kind == VF_FOREIGN ||
			    vfs_vfile_path(&c->ctx, &f, path, PATH_MAX) < 0)
				continue;
			text_quote(&t, path, strlen(path), 0, false);
			text_printf(&t, " by %s", d->name);
			put_error(&t, r);
			note(REASON_READ_ONLY, &t);
		}
	}
}

/* Is it the loopback of a network that has nothing else? A name server there is out of reach all the same. */
static bool within(bool loopback, in_port_t port)
{
	return loopback && ntohs(port) != 53;
}

static void note_address(struct call *c, uint64_t addr, uint64_t size, int64_t r)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	char ip[INET6_ADDRSTRLEN];
	struct text t = {0};
	uint64_t len = MIN((uint64_t)(uint32_t)size, sizeof u);
	in_port_t port;
	memset(&u, 0, sizeof u);
	if (!addr || len < sizeof u.in || c->ops->read(c, addr, &u, len))
		return;
	if (u.sa.sa_family == AF_INET) {
		if (within(ntohl(u.in.sin_addr.s_addr) >> 24 == 127, u.in.sin_port) || !u.in.sin_addr.s_addr)
			return;
		inet_ntop(AF_INET, &u.in.sin_addr, ip, sizeof ip);
		port = u.in.sin_port;
	} else if (u.sa.sa_family == AF_INET6) {
		if (within(IN6_IS_ADDR_LOOPBACK(&u.in6.sin6_addr), u.in6.sin6_port) ||
		    IN6_IS_ADDR_UNSPECIFIED(&u.in6.sin6_addr))
			return;
		inet_ntop(AF_INET6, &u.in6.sin6_addr, ip, sizeof ip);
		port = u.in6.sin6_port;
	} else {
		return;
	}
	/* Port 0: the C library asks for a route, to sort addresses. */
	if (!port)
		return;
	text_printf(&t, "%s port %u%s", ip, ntohs(port), ntohs(port) == 53 ? " (a name server)" : "");
	/* What the host still has to run will find no route: there's only the loopback device. */
	put_error(&t, r < 0 && r >= -4095 ? r : -ENETUNREACH);
	note(REASON_NET, &t);
}

static void note_message(struct call *c, int64_t r)
{
	struct {
		uint64_t name;
		uint32_t name_len, pad;
	} head; /* of a struct msghdr, with which a struct mmsghdr begins */
	if (!c->ops->read(c, c->args[1], &head, sizeof head))
		note_address(c, head.name, head.name_len, r);
}

static void note_network(struct call *c, int64_t r)
{
	switch (c->nr) {
	case SYS_connect:
		note_address(c, c->args[1], c->args[2], r);
		break;
	case SYS_sendto:
		note_address(c, c->args[4], c->args[5], r);
		break;
	case SYS_sendmsg:
	case SYS_sendmmsg:
		note_message(c, r);
		break;
	}
}

/* A device that a program opens by its usual place, and not what a directory of names in /dev is for. */
static void note_device(struct call *c, const struct syscall_desc *d, int64_t r)
{
	char path[3 * PATH_MAX];
	for (int i = 0; i < d->nargs; i++) {
		struct text t = {0};
		if (d->args[i] != ARG_PATH || !whole_path(c, d, i, path) || strncmp(path, "/dev/", 5) != 0 ||
		    !strncmp(path, "/dev/shm/", 9) || !strncmp(path, "/dev/fd/", 8) || !strncmp(path, "/dev/pts/", 9) ||
		    !strcmp(path, "/dev/tty"))
			continue;
		text_quote(&t, path, strlen(path), 0, false);
		put_error(&t, r);
		note(REASON_DEVICE, &t);
	}
}

/* fork and clone run natively; whether one fails shows only in the number of threads that there are: the limit counts pid 1, too. */
static void note_processes(const struct call *c)
{
	struct text t = {0};
	if (!opt->pids || (c->nr != SYS_fork && c->nr != SYS_vfork && c->nr != SYS_clone) ||
	    limits_count_tasks(the_place.guest_procfd) < opt->pids + 1U)
		return;
	text_printf(&t, "%s with --pids %u (EAGAIN)", syscall_desc(c->nr)->name, opt->pids);
	note(REASON_PROCESSES, &t);
}

/* CHECK calls whose arguments a list lets through: refused by us, where the host would perhaps have said yes. */
static bool refused_by_list(const struct call *c, int64_t r)
{
	switch (c->nr) {
	case SYS_clone:
	case SYS_unshare:
	case SYS_setns:
	case SYS_sethostname:
	case SYS_setdomainname:
		return r == -EPERM;
	case SYS_prctl:
		/* How programs find out the number of the last capability. */
		return r == -EINVAL && (uint32_t)c->args[0] != PR_CAPBSET_READ;
	case SYS_personality:
		return r == -EINVAL;
	case SYS_socket:
		return r == -EAFNOSUPPORT || r == -EPERM || r == -EPROTONOSUPPORT;
	default:
		return false;
	}
}

/* Does the call make a name, so that it's no matter if it's there? */
static bool makes_names(const struct call *c)
{
	switch (c->nr) {
	case SYS_open:
		return c->args[1] & O_CREAT;
	case SYS_openat:
		return c->args[2] & O_CREAT;
	case SYS_openat2:
	case SYS_creat:
	case SYS_mkdir:
	case SYS_mkdirat:
	case SYS_mknod:
	case SYS_mknodat:
	case SYS_symlink:
	case SYS_symlinkat:
	case SYS_link:
	case SYS_linkat:
	case SYS_rename:
	case SYS_renameat:
	case SYS_renameat2:
		return true;
	}
	return false;
}

/* What a search (along PATH, for a library) tries and wouldn't find anyway isn't refused, though the way to it is hidden. */
static bool is_lacking(struct call *c, const struct syscall_desc *d)
{
	char path[3 * PATH_MAX];
	bool any = false;
	if (!d || makes_names(c))
		return false;
	for (int i = 0; i < d->nargs; i++) {
		if (d->args[i] != ARG_PATH || !whole_path(c, d, i, path))
			continue;
		any = true;
		if (vfs_rules_hide(&c->ctx, path))
			return false;
	}
	return any;
}

int64_t explain_call(struct call *c)
{
	const struct syscall_desc *d = syscall_desc(c->nr);
	int err;
	if (filter_decide(c->nr, c->args, &err) == FILTER_ERRNO) {
		/* Partly supported ones (clone3) fail so that the C library takes the call that does the same. */
		if (!d || d->verdict != VERDICT_DENY || !strncmp(d->note, "no", 2))
			note_call(c, -err);
		return -err;
	}
	if (opt->rules)
		(void)vfs_rules_refused();
	int64_t r = kernel_call(c);
	if (!opt->net_host && r != 0 && r != -EINPROGRESS)
		note_network(c, r);
	if (r == CALL_CONTINUE) {
		note_processes(c);
		return r;
	}
	if (r >= 0 || r < -4095)
		return r;
	if (r == -ENOSPC && c->nr == SYS_inotify_add_watch) {
		note_call(c, r);
	} else if (r == -ENOSPC || (r == -EDQUOT && d && d->verdict != VERDICT_NATIVE)) {
		struct text t = {0};
		text_printf(&t, "%s", d ? d->name : "?");
		put_error(&t, r);
		note(REASON_SPACE, &t);
	}
	if (refused_by_list(c, r))
		note_call(c, r);
	const char *refused = opt->rules && (r == -EACCES || r == -ENOENT) ? vfs_rules_refused() : NULL;
	if (refused && is_lacking(c, d))
		return r;
	if (refused) {
		struct text t = {0};
		text_quote(&t, refused, strlen(refused), 0, false);
		text_printf(&t, " by %s", d ? d->name : "?");
		put_error(&t, r);
		note(REASON_PROFILE, &t);
		return r;
	}
	if (d && d->verdict == VERDICT_EMULATE && (hides || r == -EROFS))
		note_paths(c, d, r);
	if (d && (r == -ENOENT || r == -ENXIO) && (c->nr == SYS_open || c->nr == SYS_openat || c->nr == SYS_openat2))
		note_device(c, d, r);
	return r;
}

/* Space in memory is limited by the host's file system, which programs write to natively: seen only when it's still full at the end. */
static void note_full(void)
{
	struct path root;
	struct statfs st;
	struct text t = {0};
	vfs_root(&root);
	static const struct vfs_cred cred = {.caps = ~UINT64_C(0)};
	struct vfs_ctx ctx = {.cred = &cred, .root = &root, .cwd = &root};
	if (!vfs_statfs(&ctx, &root, &st) && st.f_blocks && !st.f_bfree) {
		text_puts(&t, "the root's overlay was full at the end");
		note(REASON_SPACE, &t);
	}
	path_put(&root);
}

static void print_json(struct text *t)
{
	const char *comma = "";
	text_puts(t, "{\"version\": 1, \"refused\": [");
	for (int reason = 0; reason < N_REASONS; reason++) {
		for (unsigned i = 0; i < n_notes; i++) {
			if ((int)notes[i].reason != reason)
				continue;
			text_printf(t, "%s\n  {\"reason\": \"%s\", \"what\": ", comma, reasons[reason].name);
			text_json(t, notes[i].what, strlen(notes[i].what));
			text_printf(t, ", \"count\": %llu, \"advice\": \"%s\"}", (unsigned long long)notes[i].count,
				    reasons[reason].advice);
			comma = ",";
		}
		if (others[reason]) {
			text_printf(t, "%s\n  {\"reason\": \"%s\", \"what\": null, \"count\": %llu, \"advice\": \"%s\"}",
				    comma, reasons[reason].name, (unsigned long long)others[reason], reasons[reason].advice);
			comma = ",";
		}
	}
	text_puts(t, *comma ? "\n]}\n" : "]}\n");
}

static void print_text(struct text *t)
{
	for (int reason = 0; reason < N_REASONS; reason++) {
		bool head = false;
		for (unsigned i = 0; i < n_notes; i++) {
			if ((int)notes[i].reason != reason)
				continue;
			if (!t->n)
				text_puts(t, "sandbox: what was refused, and how often:\n");
			if (!head)
				text_printf(t, "sandbox: %s (%s):\n", reasons[reason].what, reasons[reason].advice);
			head = true;
			text_printf(t, "sandbox:   %6llu  %s\n", (unsigned long long)notes[i].count, notes[i].what);
		}
		if (others[reason])
			text_printf(t, "sandbox:   %6llu  others (%s)\n", (unsigned long long)others[reason],
				    reasons[reason].name);
	}
}

void explain_print(void)
{
	struct text t = {0};
	note_full();
	if (opt->explain_json)
		print_json(&t);
	else
		print_text(&t);
	for (size_t at = 0; at < t.n;) {
		ssize_t n = write(out_fd, t.p + at, t.n - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* nowhere to say so */
		at += (size_t)n;
	}
	free(t.p);
}
