/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_status.c - status, limits, cmdline and auxv of a process: the native text, with what the sandbox virtualises put in.
 */
#include "vfs/proc.h"

#include <elf.h>
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

/* --- auxv ------------------------------------------------------------------------------------------------------------- */

#define AUXV_ENTRIES    64
#define STACK_WORDS_MAX (4U << 20) /* more argv and envp pointers than execve(2) takes */

/* Start of the stack, where argc stands: field 28 of stat. 0: unknown. */
static uint64_t stack_start(const struct pinode *p)
{
	AUTO_SBUF struct sbuf b = {0};
	char name[64];
	uint64_t v = 0;

	if (p->tid)
		snprintf(name, sizeof(name), "%d/task/%d/stat", p->pid, p->tid);
	else
		snprintf(name, sizeof(name), "%d/stat", p->pid);
	if (sbuf_read_at(&b, vfs_config()->guest_procfd, name, 4096) < 0)
		return 0;
	sbuf_put(&b, "", 1);
	if (b.err)
		return 0;
	char *s = strrchr(b.data, ')'), *save = NULL;
	if (!s)
		return 0;
	int field = 2;
	for (char *w = strtok_r(s + 1, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (++field == 28) {
			v = strtoull(w, NULL, 10);
			break;
		}
	}
	return v;
}

/* The vector that the program itself got: behind argv and envp. The memory is the tracee's: any of it may be wrong. */
static int stack_auxv(const struct pinode *p, uint64_t start, Elf64_auxv_t out[AUXV_ENTRIES])
{
	char name[32];
	uint64_t argc, buf[512];

	snprintf(name, sizeof(name), "%d/mem", p->pid);
	AUTO_CLOSE int fd = openat(vfs_config()->guest_procfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || pread(fd, &argc, sizeof(argc), (off_t)start) != (ssize_t)sizeof(argc) || argc > STACK_WORDS_MAX)
		return -ENOENT;
	uint64_t pos = start + (argc + 2) * sizeof(uint64_t);
	for (size_t words = 0; words < STACK_WORDS_MAX;) {
		ssize_t n = pread(fd, buf, sizeof(buf), (off_t)pos);
		if (n < (ssize_t)sizeof(uint64_t))
			return -ENOENT;
		size_t have = (size_t)n / sizeof(uint64_t), i;
		for (i = 0; i < have && buf[i]; i++)
			;
		words += i;
		pos += i * sizeof(uint64_t);
		if (i < have) {
			ssize_t want = (ssize_t)(AUXV_ENTRIES * sizeof(*out));
			memset(out, 0, (size_t)want);
			return pread(fd, out, (size_t)want, (off_t)(pos + 8)) >= (ssize_t)sizeof(*out) ? 0 : -ENOENT;
		}
	}
	return -ENOENT;
}

/*
 * The kernel's copy describes the loader stub; the stub corrected the one on the stack. Only the entries that the stub
 * corrects are taken from there.
 */
static int auxv_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	static const uint64_t corrected[] = {AT_PHDR, AT_PHNUM, AT_PHENT, AT_BASE, AT_ENTRY, AT_EXECFN,
					     AT_UID,  AT_EUID,  AT_GID,   AT_EGID, AT_SECURE};
	Elf64_auxv_t stack[AUXV_ENTRIES];
	AUTO_CLOSE int fd = proc_native_open(p, O_RDONLY);

	if (fd < 0)
		return fd;
	uint64_t start = stack_start(p);
	bool have = start && stack_auxv(p, start, stack) == 0;
	if (!proc_may_inspect(ctx, p))
		return -EACCES;
	int r = sbuf_read_fd(out, fd, 4096);
	if (r < 0)
		return r;
	Elf64_auxv_t *native = (Elf64_auxv_t *)out->data;
	for (size_t i = 0; have && i < out->len / sizeof(*native); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(corrected); k++) {
			if (native[i].a_type != corrected[k])
				continue;
			for (size_t j = 0; j < AUXV_ENTRIES && stack[j].a_type != AT_NULL; j++) {
				if (stack[j].a_type == corrected[k])
					native[i].a_un.a_val = stack[j].a_un.a_val;
			}
		}
	}
	return 0;
}
const struct pnode_ops proc_auxv_ops = {.generate = auxv_generate};
