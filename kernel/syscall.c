/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall.c - from a number to its handler, by the table.
 */
#include "kernel/syscall.h"

#include "base/log.h"
#include "kernel/filter_rules.h"

#include "kernel/exec.h"
#include "kernel/pending.h"

#define ROW(nr_, name_, ...) [nr_] = {.name = #name_, __VA_ARGS__}
#define KINDS(...)           .args = {__VA_ARGS__}

static struct syscall_desc table[SYSCALL_MAX] = {
#define EMULATE(nr, name, h, note_, ...) \
	ROW(nr, name, .verdict = VERDICT_EMULATE, .handler = h, .note = note_, KINDS(__VA_ARGS__)),
#define CHECK(nr, name, h, note_, ...) \
	ROW(nr, name, .verdict = VERDICT_CHECK, .handler = h, .note = note_, KINDS(__VA_ARGS__)),
#define NATIVE(nr, name, note_, ...)  ROW(nr, name, .verdict = VERDICT_NATIVE, .note = note_, KINDS(__VA_ARGS__)),
#define DENY(nr, name, e, note_, ...) ROW(nr, name, .verdict = VERDICT_DENY, .err = e, .note = note_, KINDS(__VA_ARGS__)),
#include "kernel/syscalls.def"
};

/* Kinds end at the first ARG_NONE; counted once, before any thread runs. */
__attribute__((constructor)) static void count_args(void)
{
	for (size_t i = 0; i < SYSCALL_MAX; i++)
		while (table[i].nargs < 6 && table[i].args[table[i].nargs] != ARG_NONE)
			table[i].nargs++;
}

const struct syscall_desc *syscall_desc(int nr)
{
	if (nr < 0 || nr >= SYSCALL_MAX || !table[nr].name)
		return NULL;
	return &table[nr];
}

static void ctx_may_block(struct vfs_ctx *ctx)
{
	struct call *c = ctx->owner;

	c->ops->may_block(c);
}

static bool ctx_interrupted(struct vfs_ctx *ctx)
{
	struct call *c = ctx->owner;

	return c->ops->interrupted(c);
}

static void ctx_pids(struct vfs_ctx *ctx)
{
	struct call *c = ctx->owner;

	c->ops->guest_pids(c, &ctx->tgid, &ctx->tid);
}

static int ctx_get_fd(struct vfs_ctx *ctx, int fd)
{
	struct call *c = ctx->owner;

	return c->ops->get_fd(c, fd);
}

static int64_t dispatch(struct call *c)
{
	const struct syscall_desc *d = syscall_desc(c->nr);

	c->ret_fd = -1;
	c->ret_cloexec = false;
	if (!d)
		return -ENOSYS;
	if (d->verdict == VERDICT_DENY)
		return -d->err;
	if (d->verdict == VERDICT_NATIVE)
		return filter_grows(c->nr) ? space_check(c) : CALL_CONTINUE;
	if (unlikely(c->rec->pending && c->rec->pending->copied))
		exec_settle(c);
	c->ctx = (struct vfs_ctx){
	    .cred = &c->rec->vcred,
	    .root = &c->rec->root,
	    .cwd = &c->rec->cwd,
	    .umask = c->rec->umask,
	    .may_block = ctx_may_block,
	    .interrupted = ctx_interrupted,
	    .get_fd = ctx_get_fd,
	    .pids = ctx_pids,
	    .owner = c,
	};
	return d->handler(c);
}

static void log_call(const struct call *c, int64_t r)
{
	const struct syscall_desc *d = syscall_desc(c->nr);

	if (r == CALL_CONTINUE)
		log_event(LF_KERNEL, LL_TRACE, "call continued", LOG_STR("call", d->name), LOG_INT("pid", c->pid));
	else if (r < 0 && r != CALL_INSTALLED)
		log_event(LF_KERNEL, LL_DEBUG, "call failed", LOG_STR("call", d ? d->name : "unknown"),
			  LOG_INT("pid", c->pid), LOG_INT("errno", -r));
	else
		log_event(LF_KERNEL, LL_TRACE, "call", LOG_STR("call", d->name), LOG_INT("pid", c->pid),
			  LOG_INT("result", r == CALL_INSTALLED ? 0 : r));
}

int64_t kernel_call(struct call *c)
{
	int64_t r = dispatch(c);

	if (log_on(LF_KERNEL, LL_DEBUG))
		log_call(c, r);
	return r;
}
