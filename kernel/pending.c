/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pending.c - execs under way (pending.h). The count is bounded because each holds two descriptors of ours and a program can
 * make execs that never check in.
 */
#include "kernel/pending.h"

#include <string.h>

#define MAX_PENDING 256

static atomic_uint n_pending;

struct pending_exec *pending_new(const char *name)
{
	size_t len = strlen(name);
	struct pending_exec *p;

	if (atomic_fetch_add(&n_pending, 1) >= MAX_PENDING || !(p = calloc(1, sizeof(*p) + len + 1))) {
		atomic_fetch_sub(&n_pending, 1);
		return NULL;
	}
	atomic_init(&p->refs, 1);
	p->exe_fd = p->interp_fd = -1;
	memcpy(p->name, name, len + 1);
	return p;
}

void pending_get(struct pending_exec *p)
{
	atomic_fetch_add(&p->refs, 1);
}

static void release(struct pending_exec *p)
{
	if (p->used)
		return;
	p->used = true;
	close_fd_(&p->exe_fd);
	close_fd_(&p->interp_fd);
	p->exe_fd = p->interp_fd = -1;
	atomic_fetch_sub(&n_pending, 1);
}

void pending_cancel(struct pending_exec *p)
{
	release(p);
}

void pending_put(struct pending_exec *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	release(p);
	path_put(&p->path);
	free(p->prefix);
	free(p);
}

unsigned pending_count(void)
{
	return atomic_load(&n_pending);
}
