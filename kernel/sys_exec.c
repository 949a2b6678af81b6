/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys_exec.c - execve(2): the target is resolved and checked here, the host runs the loader stub, the stub checks in and gets the plan.
 *
 * Nothing about the process changes at execve but its record's pending exec: the call can still fail in the host (bad argv), and the old
 * program can then forge the check-in. So credentials change at check-in; when they can give or hide something (set-id bits,
 * unreadable files), only the private stub made for this exec is believed, once.
 */
#include "base/log.h"
#include "kernel/binfmt.h"
#include "kernel/cred.h"
#include "kernel/exec.h"
#include "kernel/pending.h"
#include "kernel/syscall.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define COPY_MAX    (128 << 20)
#define MAX_SCRIPTS 5 /* exec_binprm() */

struct target {
	struct vfs_exec exe, interp;
	struct elf_image elf;
	unsigned n_words;
	size_t words_len;
	char words[EXEC_MAX_PREFIX * (size_t)BINPRM_BUF + PATH_MAX]; /* first word first, NUL separated */
};

static void exec_file_put(struct vfs_exec *x)
{
	close_fd_(&x->fd);
	x->fd = -1;
	path_put(&x->path);
}

static void target_free(struct target **t)
{
	if (!*t)
		return;
	exec_file_put(&(*t)->exe);
	exec_file_put(&(*t)->interp);
	free(*t);
}

/* Puts a word in front of the others. */
static int push_word(struct target *t, const char *word)
{
	size_t n = strlen(word) + 1;

	if (t->n_words == EXEC_MAX_PREFIX || n > sizeof(t->words) - t->words_len)
		return -E2BIG;
	memmove(t->words + n, t->words, t->words_len);
	memcpy(t->words, word, n);
	t->words_len += n;
	t->n_words++;
	return 0;
}

/* A script's name takes argv[0]'s place, its interpreter and argument go before it. */
static int push_script(struct target *t, const char *name, const char *interp, const char *arg)
{
	int r;

	/* The word that was argv[0] of this level: the interpreter's name that the outer script gave. */
	if (t->n_words) {
		size_t n = strlen(t->words) + 1;

		t->words_len -= n;
		memmove(t->words, t->words + n, t->words_len);
		t->n_words--;
	}
	r = push_word(t, name);
	if (!r && arg[0])
		r = push_word(t, arg);
	return r ? r : push_word(t, interp);
}

static int read_head(int fd, char head[BINPRM_BUF])
{
	ssize_t n;

	memset(head, 0, BINPRM_BUF);
	do
		n = pread(fd, head, BINPRM_BUF, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Follows #! lines to the file that gets loaded. */
static int open_target(struct call *c, const char *name, struct target *t)
{
	char head[BINPRM_BUF], interp[BINPRM_BUF], arg[BINPRM_BUF], now[PATH_MAX];
	int r;

	snprintf(now, sizeof(now), "%s", name);
	for (int depth = 0;; depth++) {
		if (depth > MAX_SCRIPTS)
			return -ELOOP;
		exec_file_put(&t->exe);
		r = vfs_open_exec(&c->ctx, NULL, now, 0, &t->exe);
		if (r < 0) {
			t->exe = (struct vfs_exec){.fd = -1};
			return r;
		}
		r = read_head(t->exe.fd, head);
		if (r < 0)
			return r;
		r = binfmt_script(head, interp, arg);
		if (r <= 0)
			return r;
		r = push_script(t, now, interp, arg);
		if (r < 0)
			return r;
		snprintf(now, sizeof(now), "%s", interp);
	}
}

static int open_interp(struct call *c, struct target *t)
{
	struct elf_image own;
	int r;

	if (!t->elf.dynamic)
		return 0;
	r = vfs_open_exec(&c->ctx, NULL, t->elf.interp, 0, &t->interp);
	if (r < 0) {
		t->interp = (struct vfs_exec){.fd = -1};
		return r;
	}
	r = binfmt_elf(t->interp.fd, &own);
	return r == -ENOEXEC ? -ELIBBAD : r;
}

/* Set-id bits as bprm_fill_uid() takes them. */
static bool set_id(uint32_t mode)
{
	return (mode & S_ISUID) || (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
}

static struct pending_exec *pending_from(struct call *c, const char *name, struct target *t)
{
	struct pending_exec *p = pending_new(name);

	if (!p)
		return NULL;
	if (t->n_words) {
		p->prefix = malloc(t->words_len);
		if (!p->prefix) {
			pending_put(p);
			return NULL;
		}
		memcpy(p->prefix, t->words, t->words_len);
		p->prefix_len = t->words_len;
		p->n_prefix = t->n_words;
		p->script = true;
	}
	p->tgid = vfs_tgid(&c->ctx);
	p->mode = t->exe.st.mode;
	p->uid = t->exe.st.uid;
	p->gid = t->exe.st.gid;
	p->readable = t->exe.readable && (!t->elf.dynamic || t->interp.readable);
	p->exec_stack = t->elf.exec_stack;
	p->private_ = set_id(p->mode) || !p->readable;
	p->path = t->exe.path;
	path_get(&p->path);
	p->exe_fd = take_fd(&t->exe.fd);
	p->interp_fd = take_fd(&t->interp.fd);
	return p;
}

/* Stores p (consumed) in the process's record in place of an older one of its own. */
static int store_pending(struct call *c, struct pending_exec *p)
{
	struct pending_exec *old;
	struct record *draft;
	int err = 0;

	draft = call_change(c, &err);
	if (!draft) {
		pending_put(p);
		return err;
	}
	old = draft->pending;
	draft->pending = p;
	/* An older one that failed in the host. One of a parent's, copied by fork, is the parent's to use. */
	if (old && old->tgid == p->tgid)
		pending_cancel(old);
	else if (old)
		pending_put(old), old = NULL;
	err = call_commit(c, draft, false);
	if (old) {
		c->ops->exec_done(c, old->name);
		pending_put(old);
	}
	return err;
}

/*
 * The record with the pending exec is in place, so nobody is allowed to begin to trace the process any more (pending_guards()). Who does already
 * could detach before the check-in: that is remembered now, and by sys_ptrace. Natively a tracer without rights can't read the memory of an unreadable
 * program; ours could, so such an exec is refused.
 */
static int64_t guard_private(struct call *c)
{
	struct record *now;
	bool refuse = false;

	task_lock();
	now = c->ops->current(c);
	if (now && now->pending && now->pending->private_ && c->ops->traced(c)) {
		now->pending->traced = true;
		refuse = !now->pending->readable;
	}
	record_put(now);
	task_unlock();
	return refuse ? -EACCES : CALL_CONTINUE;
}

/*
 * A debugger stops at the exec and wants to find program and interpreter there: then the host runs copies of them. Not of what the process, or
 * others, may not read; and not for scripts, which the host would have to find more names for.
 */
static bool may_copy(struct call *c, const struct pending_exec *p, const struct target *t)
{
	struct stat st;

	if (p->private_ || p->script || !(p->mode & S_IROTH) || !c->ops->traced(c))
		return false;
	return !fstat(p->exe_fd, &st) && st.st_size <= COPY_MAX && (p->interp_fd < 0 || !fstat(p->interp_fd, &st)) &&
	       st.st_size <= COPY_MAX;
}

static int64_t exec_start(struct call *c)
{
	__attribute__((cleanup(target_free))) struct target *t = calloc(1, sizeof(*t));
	struct pending_exec *p;
	char name[PATH_MAX];
	ssize_t n;
	int r;

	if (!t)
		return -ENOMEM;
	t->exe.fd = t->interp.fd = -1;
	n = call_path(c, 0, name);
	if (n < 0)
		return n;
	r = open_target(c, name, t);
	if (r < 0)
		return r;
	r = binfmt_elf(t->exe.fd, &t->elf);
	if (r < 0)
		return r;
	r = open_interp(c, t);
	if (r < 0)
		return r;
	p = pending_from(c, name, t);
	if (!p)
		return -EAGAIN;
	log_event(LF_KERNEL, LL_INFO, "exec", LOG_STR("name", name), LOG_INT("pid", c->pid));
	/* Without room for a copy the program runs all the same. */
	p->copied = may_copy(c, p, t) && !c->ops->exec_copy(c, name, p->exe_fd, t->elf.dynamic ? t->elf.interp : NULL,
							    p->interp_fd, &p->stub_ino);
	r = 0;
	if (!p->copied)
		r = c->ops->exec_prepare(c, name, p->private_, &p->stub_ino);
	if (r < 0) {
		pending_put(p);
		return r;
	}
	r = store_pending(c, p);
	if (r < 0) {
		c->ops->exec_done(c, name);
		return r;
	}
	return guard_private(c);
}

/* The record after exec in place of the draft's. *secure: AT_SECURE. */
static int record_after_exec(struct call *c, struct record *draft, struct pending_exec *p, bool *secure)
{
	struct exe *exe = calloc(1, sizeof(*exe));
	struct exe *old = draft->exe;

	if (!exe)
		return -ENOMEM;
	if (p->prefix_len) {
		exe->cmdline_prefix = malloc(p->prefix_len + 1);
		if (!exe->cmdline_prefix) {
			free(exe);
			return -ENOMEM;
		}
		memcpy(exe->cmdline_prefix, p->prefix, p->prefix_len);
		exe->cmdline_prefix[p->prefix_len] = 0;
		exe->cmdline_prefix_len = p->prefix_len;
	}
	exe->path = p->path;
	path_get(&exe->path);
	draft->exe = exe;
	if (old) {
		path_put(&old->path);
		free(old->cmdline_prefix);
		free(old);
	}
	/* Asking costs more than the rest of a check-in, and matters only where privilege can be gained. */
	const struct cred *cr = draft->cred;
	bool gains = (p->mode & (S_ISUID | S_ISGID)) ||
		     ((!cr->uid || !cr->euid) && ((cr->bounding | cr->inheritable) & ~cr->permitted));
	*secure = cred_exec(draft->cred, p->mode, p->uid, p->gid, p->traced || (gains && c->ops->traced(c)));
	draft->dumpable = p->readable && draft->cred->uid == draft->cred->euid && draft->cred->gid == draft->cred->egid;
	draft->pending = NULL;
	return 0;
}

/* Results that we write go into buffers on the stack, seldom larger or deeper than this. */
#define STACK_GROW_MAX (UINT64_C(1) << 20)

static int fill_plan(const struct pending_exec *p, struct exec_plan *plan)
{
	size_t at = sizeof(*plan);

	if (sizeof(*plan) + p->prefix_len > EXEC_PLAN_MAX)
		return -E2BIG;
	if (p->prefix_len)
		memcpy((char *)plan + at, p->prefix, p->prefix_len);
	for (unsigned i = 0; i < p->n_prefix; i++) {
		plan->prefix[i] = (uint32_t)at;
		at += strlen((char *)plan + at) + 1;
	}
	plan->n_prefix = p->n_prefix;
	plan->drop_argv = p->script;
	plan->exec_stack = p->exec_stack;
	plan->size = (uint32_t)(sizeof(*plan) + p->prefix_len);
	return 0;
}

static int put_one(struct call *c, int fd, int32_t *number)
{
	int r;

	*number = -1;
	if (fd < 0)
		return 0;
	r = c->ops->put_fd(c, fd, -1, true);
	if (r < 0)
		return r;
	*number = r;
	return 0;
}

static int64_t check_in(struct call *c)
{
	AUTO_FREE struct exec_plan *plan = calloc(1, EXEC_PLAN_MAX);
	AUTO_CLOSE int exe_fd = -1;
	AUTO_CLOSE int interp_fd = -1;
	struct pending_exec *p;
	struct record *draft;
	uint64_t stack[2];
	bool secure = false;
	int err = 0;

	if (!plan)
		return -ENOMEM;
	draft = call_change(c, &err);
	if (!draft)
		return err;
	p = draft->pending;
	if (!p || p->copied || p->used || p->tgid != vfs_tgid(&c->ctx) ||
	    (p->private_ && c->ops->exec_running(c) != p->stub_ino)) {
		call_abandon(draft);
		return -EPERM;
	}
	/* p's reference is ours from here on. */
	err = record_after_exec(c, draft, p, &secure);
	if (err < 0) {
		call_abandon(draft);
		return err;
	}
	exe_fd = take_fd(&p->exe_fd);
	interp_fd = take_fd(&p->interp_fd);
	pending_cancel(p);
	plan->uid = draft->cred->uid;
	plan->euid = draft->cred->euid;
	plan->gid = draft->cred->gid;
	plan->egid = draft->cred->egid;
	plan->secure = secure;
	err = call_commit(c, draft, true);
	/* From here on the exec is done: an error makes the stub end the process, as Linux does past the point of no return. */
	if (!err)
		err = fill_plan(p, plan);
	if (!err && !c->ops->rlimit(c, 0, RLIMIT_STACK, NULL, stack))
		plan->stack = (uint32_t)MIN(stack[0] / 4, STACK_GROW_MAX); /* argv and envp may have taken three quarters */
	if (!err && arg_u32(c, 2) < plan->size)
		err = -EINVAL;
	if (!err)
		err = put_one(c, exe_fd, &plan->exe_fd);
	if (!err)
		err = put_one(c, interp_fd, &plan->interp_fd);
	if (!err)
		err = c->ops->write(c, c->args[1], plan, plan->size);
	c->ops->exec_done(c, p->name);
	pending_put(p);
	return err;
}

/*
 * Instead of a check-in when the host runs a copy: the file that a process runs proves the exec, for it was made for this one. The proof holds
 * for children that it had before its first call to us, too.
 */
void exec_settle(struct call *c)
{
	struct pending_exec *p = c->rec->pending;
	struct record *draft, *now;
	bool secure;
	int err = 0;

	if (c->ops->exec_running(c) != p->stub_ino)
		return;
	draft = call_change(c, &err);
	if (!draft)
		return;
	p = draft->pending;
	if (!p || !p->copied || c->ops->exec_running(c) != p->stub_ino || record_after_exec(c, draft, p, &secure) < 0) {
		call_abandon(draft);
		return;
	}
	pending_cancel(p);
	err = call_commit(c, draft, false);
	c->ops->exec_done(c, p->name);
	pending_put(p);
	now = err ? NULL : c->ops->current(c);
	if (now) {
		record_put(c->rec);
		c->rec = now;
	}
}

int64_t sys_execve(struct call *c)
{
	return c->args[0] == EXEC_CHECKIN_MAGIC ? check_in(c) : exec_start(c);
}

/* C libraries then use /proc/self/fd/N, which is a path. */
int64_t sys_execveat(struct call *c)
{
	return -ENOSYS;
}
