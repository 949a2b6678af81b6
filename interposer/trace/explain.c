/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - see explain.h. What is printed of a program's own is quoted: it may be meant for the terminal. */
#include "interposer/trace/explain.h"

#include "base/log.h"
#include "interposer/trace/text.h"
#include "kernel/filter_rules.h"
#include "kernel/syscall.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* So many different ones are told apart; the others are counted. */
#define MAX_NOTES 128

enum reason { REASON_CALL, REASON_READ_ONLY, REASON_HIDDEN, REASON_NET, REASON_SPACE, N_REASONS };
static const char *const headings[N_REASONS] = {
    "calls that the sandbox does not support (most programs do without; there is nothing to set):",
    "paths that are read-only (make a writable place with --bind, --cow-bind or --tmpfs, or leave out --overlay none):",
    "paths that --hide covers (leave the option out to show them):",
    "addresses tried without a network (--net host gives the host's):",
    "a limit of space was reached (raise --max-disk or size=):",
};

bool explain_on;
static const struct launch_options *opt;
static bool hides;
static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static struct note {
	enum reason reason;
	char *what;
	uint64_t count;
} notes[MAX_NOTES];
static unsigned n_notes;
static uint64_t others[N_REASONS];

void explain_start(const struct launch_options *o)
{
	opt = o;
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
	static const struct {
		int nr;
		unsigned arg;
		const char *what;
	} details[] = {{SYS_socket, 0, "family"},
		       {SYS_prctl, 0, "option"},
		       {SYS_ioctl, 1, "request"},
		       {SYS_clone, 0, "flags"},
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
	note(REASON_CALL, &t);
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
	char path[2 * PATH_MAX];
	for (int i = 0; i < d->nargs; i++) {
		struct text t = {0};
		if (d->args[i] == ARG_PATH && whole_path(c, d, i, path)) {
			bool hidden = hides && is_hidden(path, r);
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

static void note_address(struct call *c, int arg, int64_t r)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u;
	char ip[INET6_ADDRSTRLEN];
	struct text t = {0};
	uint64_t len = MIN((uint64_t)(uint32_t)c->args[arg + 1], sizeof u);
	memset(&u, 0, sizeof u);
	if (!c->args[arg] || len < sizeof u.in || c->ops->read(c, c->args[arg], &u, len))
		return;
	if (u.sa.sa_family == AF_INET) {
		if (ntohl(u.in.sin_addr.s_addr) >> 24 == 127 || !u.in.sin_addr.s_addr)
			return;
		text_printf(&t, "%s port %u", inet_ntop(AF_INET, &u.in.sin_addr, ip, sizeof ip), ntohs(u.in.sin_port));
	} else if (u.sa.sa_family == AF_INET6) {
		if (IN6_IS_ADDR_LOOPBACK(&u.in6.sin6_addr) || IN6_IS_ADDR_UNSPECIFIED(&u.in6.sin6_addr))
			return;
		text_printf(&t, "%s port %u", inet_ntop(AF_INET6, &u.in6.sin6_addr, ip, sizeof ip), ntohs(u.in6.sin6_port));
	} else {
		return;
	}
	/* What the host still has to run will find no route: there's only the loopback device. */
	put_error(&t, r < 0 && r >= -4095 ? r : -ENETUNREACH);
	note(REASON_NET, &t);
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
	int64_t r = kernel_call(c);
	if (!opt->net_host && r != 0 && r != -EINPROGRESS && (c->nr == SYS_connect || c->nr == SYS_sendto))
		note_address(c, c->nr == SYS_connect ? 1 : 4, r);
	if (!d || d->verdict == VERDICT_NATIVE ? r == -ENOSPC : r == -ENOSPC || r == -EDQUOT) {
		struct text t = {0};
		if (c->nr == SYS_inotify_add_watch) {
			note_call(c, r);
		} else {
			text_printf(&t, "%s", d ? d->name : "?");
			put_error(&t, r);
			note(REASON_SPACE, &t);
		}
	}
	if (c->nr == SYS_socket && (r == -EAFNOSUPPORT || r == -EPERM || r == -EPROTONOSUPPORT))
		note_call(c, r);
	if (d && d->verdict == VERDICT_EMULATE && (hides || r == -EROFS))
		note_paths(c, d, r);
	return r;
}

void explain_print(void)
{
	bool said = false;
	for (int reason = 0; reason < N_REASONS; reason++) {
		bool head = false;
		for (unsigned i = 0; i < n_notes; i++) {
			if ((int)notes[i].reason != reason)
				continue;
			if (!said)
				log_msg("what was refused, and how often:");
			if (!head)
				log_msg("%s", headings[reason]);
			said = head = true;
			log_msg("  %6llu  %s", (unsigned long long)notes[i].count, notes[i].what);
		}
		if (others[reason])
			log_msg("  %6llu  others", (unsigned long long)others[reason]);
	}
}
