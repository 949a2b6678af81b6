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
	bool held = proc_ops()->hold_cpus && proc_ops()->hold_cpus(p->tid ? p->tid : p->pid);
	int r = proc_native_read(p, &native);

	if (held)
		proc_ops()->release_cpus();
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

/* proc_pid_stat(5): does the field tell where something is in memory? */
static bool is_address(int field)
{
	return (field >= 26 && field <= 30) || (field >= 45 && field <= 51);
}

/* The host would show addresses to anybody inside: all are one user's there. */
static int stat_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	AUTO_SBUF struct sbuf native = {0};
	AUTO_SBUF struct sbuf out = {0};

	if (proc_may_read_memory(ctx, p))
		return proc_donate_ops.open(ctx, p, flags, hostfd);
	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	int r = proc_native_read(p, &native);
	if (r < 0)
		return r;
	sbuf_put(&native, "", 1);
	/* The name may hold anything; field 3 follows it. */
	const char *s = native.err ? NULL : strrchr(native.data, ')');
	if (!s)
		return native.err ? native.err : -ESRCH;
	sbuf_put(&out, native.data, (size_t)(s - native.data) + 1);
	s++;
	for (int field = 3; *s == ' '; field++) {
		size_t n = strcspn(s + 1, " ");
		if (is_address(field))
			sbuf_str(&out, field == 26 || field == 27 ? " 1" : " 0");
		else
			sbuf_put(&out, s, n + 1);
		s += n + 1;
	}
	return out.err ? out.err : pseudo_donate(out.data, out.len, hostfd);
}
const struct pnode_ops proc_stat_ops = {.open = stat_open, .exists = proc_native_exists};

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
		if (!info.exe.dentry) {
			/* The words that the sandbox was started with. */
			skip = native.len;
			sbuf_put(out, "sandbox", sizeof("sandbox"));
		}
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
