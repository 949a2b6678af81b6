/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_mem.c - environ and auxv of a process. The native files are for the process's own user, which the supervisor isn't when
 * root started it; then the same bytes are read from the process's memory, at the places that stat names. What is read is a
 * tracee's own memory, so any of it may be wrong: it's bounded and shown, never believed.
 */
#include "vfs/proc.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#define AUXV_ENTRIES    64
#define STACK_WORDS_MAX (4U << 20) /* more argv and envp pointers than execve(2) takes */
#define ENVIRON_MAX     (8U << 20)
#define STAT_FIELDS     52

/* Numeric fields of proc_pid_stat(5), by its numbers. 0 or -errno. */
static int stat_fields(const struct pinode *p, uint64_t field[STAT_FIELDS + 1])
{
	AUTO_SBUF struct sbuf b = {0};
	char name[64], *save = NULL;

	if (p->tid)
		snprintf(name, sizeof(name), "%d/task/%d/stat", p->pid, p->tid);
	else
		snprintf(name, sizeof(name), "%d/stat", p->pid);
	int r = sbuf_read_at(&b, vfs_config()->guest_procfd, name, 4096);
	if (r < 0)
		return r;
	sbuf_put(&b, "", 1);
	if (b.err)
		return b.err;
	memset(field, 0, (STAT_FIELDS + 1) * sizeof(*field));
	/* The name may hold anything, parentheses too: what counts is behind the last one. */
	char *s = strrchr(b.data, ')');
	if (!s)
		return -ESRCH;
	int n = 3;
	for (char *w = strtok_r(s + 1, " ", &save); w && n <= STAT_FIELDS; w = strtok_r(NULL, " ", &save))
		field[n++] = strtoull(w, NULL, 10);
	return 0;
}

static ssize_t read_mem(const struct pinode *p, uint64_t addr, void *buf, size_t len)
{
	return proc_ops()->read_mem ? proc_ops()->read_mem(p->pid, addr, buf, len) : -EACCES;
}

static int environ_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	AUTO_CLOSE int fd = proc_native_open(p, flags);
	if (fd < 0 && fd != -EACCES)
		return fd;
	if (fd >= 0) {
		if (!proc_may_read_memory(ctx, p))
			return -EACCES;
		*hostfd = take_fd(&fd);
		return 0;
	}
	uint64_t field[STAT_FIELDS + 1];
	AUTO_SBUF struct sbuf b = {0};
	int r = stat_fields(p, field);
	if (r < 0)
		return r;
	uint64_t start = field[50], end = field[51];
	if (end < start || end - start > ENVIRON_MAX)
		end = start;
	for (char buf[4096]; start < end;) {
		ssize_t n = read_mem(p, start, buf, (size_t)MIN(end - start, sizeof(buf)));
		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		sbuf_put(&b, buf, (size_t)n);
		start += (uint64_t)n;
	}
	if (!proc_may_read_memory(ctx, p))
		return -EACCES;
	return b.err ? b.err : pseudo_donate(b.data, b.len, hostfd);
}
const struct pnode_ops proc_environ_ops = {.open = environ_open};

/* --- auxv ----------------------------------------------------------------------------------------------------------- */

static ssize_t mem_at(const struct pinode *p, int fd, uint64_t addr, void *buf, size_t len)
{
	if (fd < 0)
		return read_mem(p, addr, buf, len);
	ssize_t n = pread(fd, buf, len, (off_t)addr);
	return n < 0 ? -errno : n;
}

/* The vector that the program itself got: behind argv and envp. start: where argc stands. Entries before AT_NULL or -errno. */
static int stack_auxv(const struct pinode *p, uint64_t start, Elf64_auxv_t out[AUXV_ENTRIES])
{
	char name[32];
	uint64_t argc, buf[512];

	snprintf(name, sizeof(name), "%d/mem", p->pid);
	AUTO_CLOSE int fd = openat(vfs_config()->guest_procfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (!start || mem_at(p, fd, start, &argc, sizeof(argc)) != (ssize_t)sizeof(argc) || argc > STACK_WORDS_MAX)
		return -ENOENT;
	uint64_t pos = start + (argc + 2) * sizeof(uint64_t);
	for (size_t words = 0; words < STACK_WORDS_MAX;) {
		ssize_t n = mem_at(p, fd, pos, buf, sizeof(buf));
		if (n < (ssize_t)sizeof(uint64_t))
			return -ENOENT;
		size_t have = (size_t)n / sizeof(uint64_t), i;
		for (i = 0; i < have && buf[i]; i++)
			;
		words += i;
		pos += i * sizeof(uint64_t);
		if (i == have)
			continue;
		memset(out, 0, AUXV_ENTRIES * sizeof(*out));
		n = mem_at(p, fd, pos + sizeof(uint64_t), out, AUXV_ENTRIES * sizeof(*out));
		int count = 0;
		while (count < AUXV_ENTRIES && (count + 1) * (ssize_t)sizeof(*out) <= n && out[count].a_type != AT_NULL)
			count++;
		return count;
	}
	return -ENOENT;
}

/*
 * The kernel's copy describes the loader stub; the stub corrected the one on the stack. Only the entries that the stub
 * corrects are taken from there, unless there's nothing else.
 */
static int auxv_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	static const uint64_t corrected[] = {AT_PHDR, AT_PHNUM, AT_PHENT, AT_BASE, AT_ENTRY, AT_EXECFN,
					     AT_UID,  AT_EUID,  AT_GID,   AT_EGID, AT_SECURE};
	Elf64_auxv_t stack[AUXV_ENTRIES];
	uint64_t field[STAT_FIELDS + 1];
	AUTO_CLOSE int fd = proc_native_open(p, O_RDONLY);

	if (fd < 0 && fd != -EACCES)
		return fd;
	int r = stat_fields(p, field);
	if (r < 0)
		return r;
	int count = stack_auxv(p, field[28], stack);
	if (!proc_may_read_memory(ctx, p))
		return -EACCES;
	if (fd < 0) {
		if (count < 0)
			return -EACCES;
		sbuf_put(out, stack, (size_t)count * sizeof(*stack));
		sbuf_put(out, &(Elf64_auxv_t){.a_type = AT_NULL}, sizeof(*stack));
		return out->err;
	}
	r = sbuf_read_fd(out, fd, 4096);
	if (r < 0)
		return r;
	Elf64_auxv_t *native = (Elf64_auxv_t *)out->data;
	for (size_t i = 0; i < out->len / sizeof(*native); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(corrected); k++) {
			for (int j = 0; native[i].a_type == corrected[k] && j < count; j++) {
				if (stack[j].a_type == corrected[k])
					native[i].a_un.a_val = stack[j].a_un.a_val;
			}
		}
	}
	return 0;
}
const struct pnode_ops proc_auxv_ops = {.generate = auxv_generate};
