/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paths.c - trace -P: the calls that name one of the paths, or a descriptor of what it leads to.
 *
 * As strace has it, a path counts as it was given and as what it led to when the trace began. Of a call's names count what the program wrote, where
 * that is (the link, if it is one), and what it leads to.
 */
#include "interposer/trace/tracee.h"

#include "base/log.h"
#include "interposer/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>

#define MAX_POLLED 1024

/* Constant while a trace runs. */
static char *names[3 * TRACE_PATHS];
static unsigned n_names;
static struct record *base;

void trace_paths_init(struct record *first)
{
	base = first;
	record_get(first);
}

static bool is_name(const char *s)
{
	for (unsigned i = 0; i < n_names; i++)
		if (!strcmp(names[i], s))
			return true;
	return false;
}

static void add_name(const char *s)
{
	if (!is_name(s))
		names[n_names++] = xstrdup(s);
}

/* Where name is: what it leads to, or with AT_SYMLINK_NOFOLLOW the link itself. Of a name that isn't there its place. */
static bool whereabouts(struct vfs_ctx *ctx, const struct path *dir, const char *name, int atflags, char buf[PATH_MAX])
{
	AUTO_PATH struct path p = {0};
	int r = vfs_resolve(ctx, dir, name, atflags, &p);
	if (!r)
		return vfs_getpath(ctx, &p, buf, PATH_MAX) > 0;
	const char *last = strrchr(name, '/');
	size_t len = last ? (size_t)(last - name) + 1 : 0;
	last = name + len;
	if (r != -ENOENT || !*last)
		return false;
	char parent[PATH_MAX];
	memcpy(parent, name, len);
	parent[len] = 0;
	if (vfs_resolve(ctx, dir, len ? parent : ".", 0, &p) || vfs_getpath(ctx, &p, buf, PATH_MAX) <= 0)
		return false;
	size_t n = strlen(buf);
	n -= n == 1; /* the root */
	if (n + 1 + strlen(last) >= PATH_MAX)
		return false;
	buf[n] = '/';
	memcpy(buf + n + 1, last, strlen(last) + 1);
	return true;
}

void trace_paths_start(const struct trace_options *o)
{
	struct vfs_cred cred;
	struct vfs_ctx ctx = supervisor_ctx(base, &cred);
	char buf[PATH_MAX];
	while (n_names)
		free(names[--n_names]);
	for (unsigned i = 0; i < o->n_paths; i++) {
		add_name(o->paths[i]);
		if (whereabouts(&ctx, NULL, o->paths[i], 0, buf))
			add_name(buf);
		if (whereabouts(&ctx, NULL, o->paths[i], AT_SYMLINK_NOFOLLOW, buf))
			add_name(buf);
	}
}

static bool fd_wanted(struct call *c, struct vfs_ctx *ctx, int fd)
{
	AUTO_VFILE struct vfile f = {0};
	AUTO_CLOSE int host = fd < 0 ? -1 : c->ops->get_fd(c, fd);
	char buf[PATH_MAX];
	return host >= 0 && !vfs_identify(host, &f) && f.kind != VF_FOREIGN &&
	       vfs_vfile_path(ctx, &f, buf, sizeof buf) > 0 && is_name(buf);
}

static bool name_wanted(struct call *c, struct vfs_ctx *ctx, uint64_t addr, int dirfd)
{
	AUTO_VFILE struct vfile dir = {0};
	char name[PATH_MAX], buf[PATH_MAX];
	if (!addr || c->ops->read_string(c, addr, name, sizeof name) <= 0)
		return false;
	if (is_name(name))
		return true;
	if (dirfd != AT_FDCWD && name[0] != '/') {
		AUTO_CLOSE int host = c->ops->get_fd(c, dirfd);
		if (host < 0 || vfs_identify(host, &dir) || dir.kind != VF_DIR)
			return false;
	}
	const struct path *at = dir.kind == VF_DIR ? &dir.path : NULL;
	return (whereabouts(ctx, at, name, AT_SYMLINK_NOFOLLOW, buf) && is_name(buf)) ||
	       (whereabouts(ctx, at, name, 0, buf) && is_name(buf));
}

static bool polled_wanted(struct call *c, struct vfs_ctx *ctx)
{
	uint64_t n = MIN((uint64_t)(uint32_t)c->args[1], (uint64_t)MAX_POLLED);
	struct pollfd p;
	for (uint64_t i = 0; i < n; i++) {
		if (c->ops->read(c, c->args[0] + i * sizeof p, &p, sizeof p))
			return false;
		if (fd_wanted(c, ctx, p.fd))
			return true;
	}
	return false;
}

static bool selected_wanted(struct call *c, struct vfs_ctx *ctx)
{
	int n = MIN((int)(uint32_t)c->args[0], FD_SETSIZE);
	for (int set = 1; set < 4; set++) {
		uint64_t word = 0;
		for (int fd = 0; c->args[set] && fd < n; fd++) {
			if (fd % 64 == 0 && c->ops->read(c, c->args[set] + (uint64_t)fd / 8, &word, sizeof word))
				break;
			if ((word >> (fd % 64) & 1) && fd_wanted(c, ctx, fd))
				return true;
		}
	}
	return false;
}

static bool call_wanted(struct call *c, const struct syscall_desc *d, struct vfs_ctx *ctx)
{
	int dirfd = AT_FDCWD;
	if (c->nr == SYS_poll || c->nr == SYS_ppoll)
		return polled_wanted(c, ctx);
	if (c->nr == SYS_select || c->nr == SYS_pselect6)
		return selected_wanted(c, ctx);
	for (int i = 0; i < d->nargs; i++) {
		switch (d->args[i]) {
		case ARG_DIRFD:
			dirfd = (int)(uint32_t)c->args[i];
			if (fd_wanted(c, ctx, dirfd))
				return true;
			break;
		case ARG_FD:
			if (fd_wanted(c, ctx, (int)(uint32_t)c->args[i]))
				return true;
			break;
		case ARG_PATH:
			if (name_wanted(c, ctx, c->args[i], dirfd))
				return true;
			dirfd = AT_FDCWD;
			break;
		case ARG_STR: {
			/* A symlink's content is no name yet. */
			char text[PATH_MAX];
			if ((c->nr == SYS_symlink || c->nr == SYS_symlinkat) &&
			    c->ops->read_string(c, c->args[i], text, sizeof text) > 0 && is_name(text))
				return true;
			break;
		}
		default:
			break;
		}
	}
	return false;
}

bool trace_path_wanted(struct call *c, bool foreign)
{
	const struct syscall_desc *d = foreign ? NULL : syscall_desc(c->nr);
	if (!trace_opt->n_paths)
		return true;
	struct record *rec = d ? c->ops->current(c) : NULL;
	if (!rec)
		return false;
	struct vfs_ctx ctx = {.cred = &rec->vcred, .root = &rec->root, .cwd = &rec->cwd, .umask = rec->umask, .owner = c};
	bool wanted = call_wanted(c, d, &ctx);
	record_put(rec);
	return wanted;
}
