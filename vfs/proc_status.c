/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_status.c - status, limits and cmdline of a process: the native text, with what the sandbox virtualises put in.
 */
#include "vfs/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static bool has_key(const char *line, size_t len, const char *key)
{
	size_t n = strlen(key);

	return len > n && memcmp(line, key, n) == 0;
}

/* Returns whether the line was replaced. */
static bool status_line(struct sbuf *out, const char *line, size_t len, const struct vfs_task_info *t)
{
	const struct {
		const char *key;
		uint64_t value;
	} caps[] = {{"CapInh:", t->cap_inh},
		    {"CapPrm:", t->cap_prm},
		    {"CapEff:", t->cap_eff},
		    {"CapBnd:", t->cap_bnd},
		    {"CapAmb:", t->cap_amb}};

	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		if (has_key(line, len, caps[i].key)) {
			sbuf_printf(out, "%s\t%016" PRIx64 "\n", caps[i].key, caps[i].value);
			return true;
		}
	}
	if (has_key(line, len, "Umask:"))
		sbuf_printf(out, "Umask:\t%#04o\n", (unsigned)t->umask);
	else if (has_key(line, len, "Uid:"))
		sbuf_printf(out, "Uid:\t%u\t%u\t%u\t%u\n", t->uid, t->euid, t->suid, t->fsuid);
	else if (has_key(line, len, "Gid:"))
		sbuf_printf(out, "Gid:\t%u\t%u\t%u\t%u\n", t->gid, t->egid, t->sgid, t->fsgid);
	else if (has_key(line, len, "NoNewPrivs:"))
		sbuf_printf(out, "NoNewPrivs:\t%d\n", t->no_new_privs);
	else if (has_key(line, len, "Groups:")) {
		sbuf_str(out, "Groups:\t");
		for (int i = 0; i < t->ngroups; i++)
			sbuf_printf(out, "%u ", t->groups[i]);
		sbuf_str(out, t->ngroups ? "\n" : " \n");
	} else {
		return false;
	}
	return true;
}

/* proc_pid_status(5). Without a record (init) the ids are root's: nothing native of them is shown. */
static int status_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	AUTO_SBUF struct sbuf native = {0};
	struct vfs_task_info info;
	int r = proc_native_read(p, &native);

	if (r < 0)
		return r;
	/* It waits for this text now; natively it would be the one that runs. */
	bool self = p->tid ? p->tid == vfs_tid(ctx) : p->pid == vfs_tgid(ctx) && vfs_tgid(ctx) == vfs_tid(ctx);
	bool have = proc_info(p, &info) == 0;
	struct vfs_task_info nobody = {.umask = 022};
	for (size_t pos = 0; pos < native.len;) {
		const char *line = native.data + pos;
		const char *nl = memchr(line, '\n', native.len - pos);
		size_t len = nl ? (size_t)(nl - line) + 1 : native.len - pos;

		pos += len;
		if (has_key(line, len, "Seccomp:"))
			sbuf_str(out, "Seccomp:\t0\n");
		else if (has_key(line, len, "Seccomp_filters:"))
			sbuf_str(out, "Seccomp_filters:\t0\n");
		else if (self && has_key(line, len, "State:"))
			sbuf_str(out, "State:\tR (running)\n");
		else if (!status_line(out, line, len, have ? &info : &nobody))
			sbuf_put(out, line, len);
	}
	if (have)
		proc_info_put(&info);
	return out->err;
}
const struct pnode_ops proc_status_ops = {.generate = status_generate};

static void limit_line(struct sbuf *out, const char *label, uint64_t soft, uint64_t hard, const char *unit)
{
	char s[24], h[24];

	snprintf(s, sizeof(s), soft == UINT64_MAX ? "unlimited" : "%" PRIu64, soft);
	snprintf(h, sizeof(h), hard == UINT64_MAX ? "unlimited" : "%" PRIu64, hard);
	sbuf_printf(out, "%-25s %-20s %-20s %-10s\n", label, s, h, unit);
}

/* Two limits are used by the sandbox itself; see kernel/task.h. */
static int limits_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	static const struct {
		const char *label, *unit;
		int resource;
	} ours[] = {{"Max core file size", "bytes", RLIMIT_CORE}, {"Max file locks", "locks", RLIMIT_LOCKS}};
	AUTO_SBUF struct sbuf native = {0};
	int r = proc_native_read(p, &native);

	if (r < 0)
		return r;
	for (size_t pos = 0; pos < native.len;) {
		const char *line = native.data + pos;
		const char *nl = memchr(line, '\n', native.len - pos);
		size_t len = nl ? (size_t)(nl - line) + 1 : native.len - pos, i;

		pos += len;
		for (i = 0; i < ARRAY_SIZE(ours) && !has_key(line, len, ours[i].label); i++)
			;
		if (i == ARRAY_SIZE(ours)) {
			sbuf_put(out, line, len);
			continue;
		}
		uint64_t soft = UINT64_MAX, hard = UINT64_MAX;
		if (proc_ops()->task_rlimit && proc_ops()->task_rlimit(p->pid, ours[i].resource, &soft, &hard) < 0)
			soft = hard = UINT64_MAX;
		limit_line(out, ours[i].label, soft, hard, ours[i].unit);
	}
	return out->err;
}
const struct pnode_ops proc_limits_ops = {.generate = limits_generate};

/* A script's words are known to us only: the loader stub was started with the script's own argv. */
static int cmdline_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	AUTO_SBUF struct sbuf native = {0};
	struct vfs_task_info info;
	int r = proc_native_read(p, &native);

	if (r < 0)
		return r;
	size_t skip = 0;
	if (native.len && proc_info(p, &info) == 0) {
		if (info.cmdline_prefix && info.cmdline_prefix_len) {
			const char *end = memchr(native.data, '\0', native.len);
			skip = end ? (size_t)(end - native.data) + 1 : native.len;
			sbuf_put(out, info.cmdline_prefix, info.cmdline_prefix_len);
		}
		proc_info_put(&info);
	}
	if (native.len > skip)
		sbuf_put(out, native.data + skip, native.len - skip);
	return out->err;
}
const struct pnode_ops proc_cmdline_ops = {.generate = cmdline_generate};
