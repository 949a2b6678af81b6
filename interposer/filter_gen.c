/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_gen.c - runs at build time: expands kernel/syscalls.def and kernel/filter_rules.c into the BPF programs of the tracees' and the
 * supervisor's filters, as C on standard output.
 *
 * libseccomp makes the part that dispatches on architecture and number (a binary tree; foreign ABIs, x32 included, fail with ENOSYS). It can't say
 * "this list of values of one argument, else that", so calls with register rules get a marker action there (SCMP_ACT_TRACE with the call's number), and
 * each marker in the finished program is replaced by a jump to a block of our own that looks at the arguments. A 32-bit argument is
 * compared in its lower half alone: the kernel ignores the upper half, and so must we.
 */
#include "interposer/filter.h"
#include "kernel/filter_rules.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#define MAX_INSNS 4096
#define MARKER    (SECCOMP_RET_TRACE)

struct program {
	struct sock_filter insn[MAX_INSNS];
	unsigned n;
};

static _Noreturn void fail(const char *what, int err)
{
	fprintf(stderr, "filter_gen: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static void emit(struct program *p, struct sock_filter insn)
{
	if (p->n == MAX_INSNS)
		fail("program too long", ENOSPC);
	p->insn[p->n++] = insn;
}

static scmp_filter_ctx new_filter(uint32_t default_action, uint32_t foreign)
{
	scmp_filter_ctx f = seccomp_init(default_action);
	if (!f)
		fail("seccomp_init", ENOMEM);
	int err = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, foreign);
	if (!err)
		err = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (err)
		fail("seccomp_attr_set", err);
	return f;
}

static void add_rule(scmp_filter_ctx f, uint32_t action, int nr)
{
	uint32_t otherwise;
	int err = seccomp_attr_get(f, SCMP_FLTATR_ACT_DEFAULT, &otherwise);
	if (!err && action == otherwise)
		return; /* the library takes no rule that changes nothing */
	err = seccomp_rule_add_exact(f, action, nr, 0);
	if (err)
		fail("seccomp_rule_add", err);
}

static void export_program(scmp_filter_ctx f, struct program *p)
{
	AUTO_CLOSE int fd = memfd_create("bpf", MFD_CLOEXEC);
	int err = fd < 0 ? -errno : seccomp_export_bpf(f, fd);
	if (err)
		fail("seccomp_export_bpf", err);
	ssize_t n = pread(fd, p->insn, sizeof p->insn, 0);
	if (n <= 0 || n == sizeof p->insn)
		fail("seccomp_export_bpf", EIO);
	p->n = (unsigned)((size_t)n / sizeof p->insn[0]);
	seccomp_release(f);
}

static void print(const char *name, const struct program *p)
{
	printf("static const struct sock_filter %s[] = {\n", name);
	for (unsigned i = 0; i < p->n; i++)
		printf("\t{0x%x, %u, %u, 0x%x},\n", p->insn[i].code, p->insn[i].jt, p->insn[i].jf, p->insn[i].k);
	printf("};\n");
}

static bool refusing_too; /* the program that is being made asks the supervisor instead of refusing */

static uint32_t ret_of(enum filter_action action, int err)
{
	if (refusing_too && action == FILTER_ERRNO)
		action = FILTER_NOTIFY;
	switch (action) {
	case FILTER_ALLOW:
		return SECCOMP_RET_ALLOW;
	case FILTER_NOTIFY:
		return SECCOMP_RET_USER_NOTIF;
	case FILTER_ERRNO:
		return SECCOMP_RET_ERRNO | (uint32_t)err;
	}
	fail("unknown action", EINVAL);
}

static uint32_t arg_offset(unsigned arg, bool upper)
{
	/* Little endian: the lower half comes first. */
	return (uint32_t)(offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) + (upper ? 4 : 0));
}

/* One condition on one half of an argument: falls through if it holds, else jumps over the rest of its rule (patched by the caller). */
static void emit_half(struct program *p, unsigned arg, bool upper, uint32_t mask, enum filter_op op, uint32_t value)
{
	if (!mask)
		return;
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arg_offset(arg, upper)));
	if (mask != UINT32_MAX)
		emit(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	/* jt/jf 255 stands for "rule fails" until it is patched. */
	if (op == FILTER_EQ)
		emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 255));
	else
		emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 255, 0));
}

/* The rules of one call, then what holds if none matches. */
static void emit_block(struct program *p, const struct filter_rule *rules, size_t n_rules, int nr, uint32_t otherwise)
{
	for (size_t i = 0; i < n_rules; i++) {
		const struct filter_rule *r = &rules[i];
		if (r->nr != nr)
			continue;
		unsigned from = p->n;
		for (unsigned k = 0; k < r->n_conds; k++) {
			const struct filter_cond *c = &r->conds[k];
			if (c->op == FILTER_NE && (c->mask >> 32) && (uint32_t)c->mask)
				fail("a 64-bit inequality can't be expressed", EINVAL);
			emit_half(p, c->arg, false, (uint32_t)c->mask, c->op, (uint32_t)c->value);
			emit_half(p, c->arg, true, (uint32_t)(c->mask >> 32), c->op, (uint32_t)(c->value >> 32));
		}
		emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ret_of(r->action, r->err)));
		if (!r->n_conds)
			return;
		for (unsigned at = from; at < p->n; at++) {
			struct sock_filter *in = &p->insn[at];
			if (BPF_CLASS(in->code) != BPF_JMP)
				continue;
			unsigned skip = p->n - at - 1;
			if (in->jt == 255)
				in->jt = (uint8_t)skip;
			if (in->jf == 255)
				in->jf = (uint8_t)skip;
		}
	}
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise));
}

/* The marker of call nr is MARKER | nr. */
static void replace_markers(struct program *p, const struct filter_rule *rules, size_t n_rules, uint32_t otherwise)
{
	unsigned n = p->n;
	for (unsigned at = 0; at < n; at++) {
		struct sock_filter *in = &p->insn[at];
		if (in->code != (BPF_RET | BPF_K) || (in->k & SECCOMP_RET_ACTION_FULL) != MARKER)
			continue;
		int nr = (int)(in->k & SECCOMP_RET_DATA);
		*in = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, p->n - at - 1);
		emit_block(p, rules, n_rules, nr, otherwise);
	}
}

static bool has_rules(int nr)
{
	for (size_t i = 0; i < n_filter_rules; i++)
		if (filter_rules[i].nr == nr)
			return true;
	return false;
}

/* Calls that every rule lets pass need no look at the arguments: the kernel then caches the answer for the number. */
static bool always_allowed(int nr)
{
	for (size_t i = 0; i < n_filter_rules; i++)
		if (filter_rules[i].nr == nr && !filter_rules[i].n_conds)
			return filter_rules[i].action == FILTER_ALLOW;
	return false;
}

/* What promises that something is on the disk: with a kept layer that needs more than the file. */
static bool promises(int nr)
{
	return nr == SYS_fsync || nr == SYS_fdatasync;
}

static void add_check(scmp_filter_ctx f, int nr, bool keep)
{
	if (keep && promises(nr))
		add_rule(f, SCMP_ACT_NOTIFY, nr);
	else if (always_allowed(nr))
		add_rule(f, SCMP_ACT_ALLOW, nr);
	else if (has_rules(nr))
		add_rule(f, SCMP_ACT_TRACE((unsigned)nr), nr);
	else
		add_rule(f, SCMP_ACT_NOTIFY, nr);
}

/* growing: also what filter_grows(). keep: also what promises(). refusing: notifications in place of errors, for foreign ABIs, too. */
static void tracee_program(const char *name_of, bool growing, bool keep, bool refusing)
{
	static struct program p;
	p.n = 0;
	uint32_t otherwise = refusing ? SCMP_ACT_NOTIFY : SCMP_ACT_ERRNO(ENOSYS);
	scmp_filter_ctx f = new_filter(otherwise, otherwise);
#define EMULATE(nr, name, handler, note, ...) add_rule(f, SCMP_ACT_NOTIFY, nr);
#define CHECK(nr, name, handler, note, ...)   add_check(f, nr, keep);
#define NATIVE(nr, name, note, ...)           add_rule(f, growing &&filter_grows(nr) ? SCMP_ACT_NOTIFY : SCMP_ACT_ALLOW, nr);
/* ENOSYS is the default: no rule, a shorter program. */
#define DENY(nr, name, err, note, ...)    \
	if (!refusing && (err) != ENOSYS) \
		add_rule(f, SCMP_ACT_ERRNO(err), nr);
#include "kernel/syscalls.def"
	export_program(f, &p);
	refusing_too = refusing;
	replace_markers(&p, filter_rules, n_filter_rules, SECCOMP_RET_USER_NOTIF);
	refusing_too = false;
	print(name_of, &p);
}

/*
 * What the supervisor needs once the command runs. No execve, no fork, no socket(2), no mount; what names files goes through one of
 * our own directory descriptors (and the root is empty anyway).
 */
static const int supervisor_calls[] = {
    SYS_read,
    SYS_write,
    SYS_pread64,
    SYS_pwrite64,
    SYS_readv,
    SYS_writev,
    SYS_lseek,
    SYS_close,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_getdents64,
    SYS_readlinkat,
    SYS_fcntl,
    SYS_flock,
    SYS_dup,
    SYS_dup3,
    SYS_ioctl,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fchmod,
    SYS_futimesat,
    SYS_utimensat,
    SYS_copy_file_range,
    SYS_sendfile,
    SYS_memfd_create,
    SYS_fsync,
    SYS_fdatasync,
    SYS_syncfs,
    SYS_pipe2,
    SYS_eventfd2,
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_membarrier,
    SYS_rseq,
    SYS_set_robust_list,
    SYS_futex,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_setaffinity,
    SYS_getcpu,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_clock_gettime,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_sysinfo,
    SYS_uname,
    SYS_getrusage,
    SYS_getpid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_poll,
    SYS_ppoll,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_restart_syscall,
    SYS_kill,
    SYS_tgkill,
    SYS_tkill,
    SYS_setfsuid,
    SYS_exit,
    SYS_exit_group,
    SYS_wait4,
    SYS_waitid,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_prlimit64,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_kcmp,
    SYS_getsid,
    SYS_getpgid,
    SYS_inotify_add_watch,
    SYS_inotify_rm_watch,
    SYS_tee,
    /* The gofer's sockets, and calls on duplicates of tracees' sockets. */
    SYS_sendmsg,
    SYS_recvmsg,
    SYS_sendto,
    SYS_recvfrom,
    SYS_connect,
    SYS_bind,
    SYS_accept4,
    SYS_getsockname,
    SYS_getpeername,
    SYS_getsockopt,
    SYS_setsockopt,
};
static const int supervisor_at_calls[] = {SYS_openat,   SYS_mkdirat,   SYS_mknodat,   SYS_linkat,
					  SYS_unlinkat, SYS_symlinkat, SYS_renameat2, SYS_fchmodat};

/* Of the tracees, whose calls and memory are the supervisor's own affair already (interposer/trace/): what follows them, and no more. */
static const int supervisor_ptrace[] = {
    PTRACE_SEIZE,   PTRACE_INTERRUPT, PTRACE_LISTEN,           PTRACE_DETACH,
    PTRACE_SYSCALL, PTRACE_CONT,      PTRACE_GET_SYSCALL_INFO, PTRACE_GETEVENTMSG,
    PTRACE_GETREGS, PTRACE_POKEUSER,  PTRACE_GETSIGINFO,       PTRACE_SETOPTIONS,
};

static void supervisor_program(const char *name_of)
{
	static struct program p;
	p.n = 0;
	scmp_filter_ctx f = new_filter(SCMP_ACT_ERRNO(EPERM), SCMP_ACT_ERRNO(ENOSYS));
	for (unsigned i = 0; i < ARRAY_SIZE(supervisor_calls); i++)
		add_rule(f, SCMP_ACT_ALLOW, supervisor_calls[i]);
	/* The C library tries clone3 first, whose flags are in memory, and falls back to clone. */
	add_rule(f, SCMP_ACT_ERRNO(ENOSYS), SYS_clone3);
	enum { DIRS = FIXED_FD_LAST - FIXED_FD_FIRST + 1, N = ARRAY_SIZE(supervisor_at_calls) };
	_Static_assert(!(DIRS & (DIRS - 1)) && FIXED_FD_FIRST % DIRS == 0, "one mask for all");
	static struct filter_rule rules[N + 1 + ARRAY_SIZE(supervisor_ptrace)];
	size_t n = 0;
	for (unsigned i = 0; i < N; i++) {
		int nr = supervisor_at_calls[i];
		add_rule(f, SCMP_ACT_TRACE((unsigned)nr), nr);
		rules[n++] = (struct filter_rule){.nr = nr,
						  .action = FILTER_ALLOW,
						  .n_conds = 1,
						  .conds = {{0, ~(uint32_t)(DIRS - 1), FILTER_EQ, FIXED_FD_FIRST}}};
	}
	/* Threads, not processes. */
	add_rule(f, SCMP_ACT_TRACE(SYS_clone), SYS_clone);
	rules[n++] = (struct filter_rule){
	    .nr = SYS_clone, .action = FILTER_ALLOW, .n_conds = 1, .conds = {{0, CLONE_THREAD, FILTER_EQ, CLONE_THREAD}}};
	add_rule(f, SCMP_ACT_TRACE(SYS_ptrace), SYS_ptrace);
	for (unsigned i = 0; i < ARRAY_SIZE(supervisor_ptrace); i++)
		rules[n++] = (struct filter_rule){.nr = SYS_ptrace,
						  .action = FILTER_ALLOW,
						  .n_conds = 1,
						  .conds = {{0, UINT32_MAX, FILTER_EQ, (uint32_t)supervisor_ptrace[i]}}};
	export_program(f, &p);
	replace_markers(&p, rules, n, SECCOMP_RET_ERRNO | EPERM);
	print(name_of, &p);
}

int main(void)
{
	printf("/* Made by interposer/filter_gen.c. */\n#include <linux/filter.h>\n");
	tracee_program("tracee_filter", false, false, false);
	tracee_program("tracee_filter_growing", true, false, false);
	tracee_program("tracee_filter_keep", false, true, false);
	tracee_program("tracee_filter_both", true, true, false);
	tracee_program("tracee_filter_refusing", false, false, true);
	tracee_program("tracee_filter_growing_refusing", true, false, true);
	tracee_program("tracee_filter_keep_refusing", false, true, true);
	tracee_program("tracee_filter_both_refusing", true, true, true);
	supervisor_program("supervisor_filter");
	return 0;
}
