/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_gen.c - runs at build time: expands kernel/syscalls.def and kernel/filter_rules.c into the BPF programs of the tracees' and the
 * supervisor's filters, as C on standard output.
 *
 * libseccomp makes the part that dispatches on architecture and number (a binary tree; foreign ABIs, x32 included, fail with ENOSYS). It can't say
 * "this list of values of one argument, else that", so calls with register rules get a marker action there (SCMP_ACT_TRACE with the call's index), and
 * each marker in the finished program is replaced by a jump to a block of our own that looks at the arguments. A 32-bit argument is
 * compared in its lower half alone: the kernel ignores the upper half, and so must we.
 */
#include "interposer/filter.h"
#include "kernel/filter_rules.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
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

static scmp_filter_ctx new_filter(uint32_t default_action)
{
	scmp_filter_ctx f = seccomp_init(default_action);
	if (!f)
		fail("seccomp_init", ENOMEM);
	int err = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (!err)
		err = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (err)
		fail("seccomp_attr_set", err);
	return f;
}

static void add_rule(scmp_filter_ctx f, uint32_t action, int nr)
{
	int err = seccomp_rule_add_exact(f, action, nr, 0);
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

static uint32_t ret_of(const struct filter_action *a)
{
	switch (a->kind) {
	case FILTER_ALLOW:
		return SECCOMP_RET_ALLOW;
	case FILTER_NOTIFY:
		return SECCOMP_RET_USER_NOTIF;
	case FILTER_ERRNO:
		return SECCOMP_RET_ERRNO | (uint32_t)a->err;
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

static void emit_block(struct program *p, const struct filter_call *call)
{
	for (unsigned i = 0; i < call->n_rules; i++) {
		const struct filter_rule *r = &call->rules[i];
		unsigned from = p->n;
		for (unsigned k = 0; k < r->n_conds; k++) {
			const struct filter_cond *c = &r->conds[k];
			bool two_halves = (c->mask >> 32) && (uint32_t)c->mask;
			if (c->op == FILTER_NE && two_halves)
				fail("a 64-bit inequality can't be expressed", EINVAL);
			emit_half(p, c->arg, false, (uint32_t)c->mask, c->op, (uint32_t)c->value);
			emit_half(p, c->arg, true, (uint32_t)(c->mask >> 32), c->op, (uint32_t)(c->value >> 32));
		}
		emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ret_of(&r->action)));
		for (unsigned at = from; at < p->n; at++) {
			struct sock_filter *in = &p->insn[at];
			if (BPF_CLASS(in->code) != BPF_JMP)
				continue;
			unsigned skip = p->n - at - 1;
			if (skip >= 255)
				fail("rule too long", EINVAL);
			if (in->jt == 255)
				in->jt = (uint8_t)skip;
			if (in->jf == 255)
				in->jf = (uint8_t)skip;
		}
	}
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, ret_of(&call->otherwise)));
}

static void replace_markers(struct program *p, const struct filter_call *calls, unsigned n_calls)
{
	unsigned n = p->n;
	for (unsigned c = 0; c < n_calls; c++) {
		unsigned block = p->n;
		bool used = false;
		for (unsigned at = 0; at < n; at++) {
			struct sock_filter *in = &p->insn[at];
			if (in->code != (BPF_RET | BPF_K) || in->k != (MARKER | (c + 1)))
				continue;
			*in = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, block - at - 1, 0, 0);
			used = true;
		}
		if (!used)
			fail("a marker was lost", EINVAL);
		emit_block(p, &calls[c]);
	}
	for (unsigned at = 0; at < p->n; at++)
		if (p->insn[at].code == (BPF_RET | BPF_K) && (p->insn[at].k & SECCOMP_RET_ACTION_FULL) == MARKER)
			fail("a marker is left", EINVAL);
}

static unsigned rules_index(const struct filter_call *calls, unsigned n, int nr)
{
	for (unsigned i = 0; i < n; i++)
		if (calls[i].nr == nr)
			return i + 1;
	return 0;
}

static void tracee_program(void)
{
	static struct program p;
	unsigned n_calls;
	const struct filter_call *calls = filter_rules(&n_calls);
	scmp_filter_ctx f = new_filter(SCMP_ACT_ERRNO(ENOSYS));
#define EMULATE(nr, name, handler, note, ...) add_rule(f, SCMP_ACT_NOTIFY, nr);
#define CHECK(nr, name, handler, note, ...)                                                  \
	{                                                                                    \
		unsigned i_ = rules_index(calls, n_calls, nr);                               \
		add_rule(f, i_ ? SCMP_ACT_TRACE(i_) : (uint32_t)SCMP_ACT_NOTIFY, nr);        \
	}
#define NATIVE(nr, name, note, ...) add_rule(f, SCMP_ACT_ALLOW, nr);
/* ENOSYS is the default: no rule, a shorter program. */
#define DENY(nr, name, err, note, ...) \
	if ((err) != ENOSYS)           \
		add_rule(f, SCMP_ACT_ERRNO(err), nr);
#include "kernel/syscalls.def"
	export_program(f, &p);
	replace_markers(&p, calls, n_calls);
	print("tracee_filter", &p);
}

/*
 * What the supervisor needs once the command runs. No execve, no fork, no socket(2), no mount; what names files goes through one of
 * our own directory descriptors (and the root is empty anyway).
 */
static const int supervisor_calls[] = {
    SYS_read, SYS_write, SYS_pread64, SYS_pwrite64, SYS_readv, SYS_writev, SYS_lseek, SYS_close, SYS_fstat, SYS_newfstatat,
    SYS_statx, SYS_statfs, SYS_fstatfs, SYS_getdents64, SYS_readlinkat, SYS_fcntl, SYS_flock, SYS_dup, SYS_dup3, SYS_ioctl,
    SYS_ftruncate, SYS_fallocate, SYS_fchmod, SYS_futimesat, SYS_utimensat, SYS_copy_file_range, SYS_sendfile,
    SYS_memfd_create, SYS_fsync, SYS_fdatasync, SYS_syncfs, SYS_pipe2, SYS_eventfd2,
    SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk, SYS_membarrier, SYS_rseq, SYS_set_robust_list,
    SYS_futex, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_getcpu, SYS_nanosleep, SYS_clock_nanosleep,
    SYS_clock_gettime, SYS_gettimeofday, SYS_getrandom, SYS_sysinfo, SYS_uname, SYS_getrusage, SYS_getpid, SYS_gettid,
    SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
    SYS_poll, SYS_ppoll, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall,
    SYS_kill, SYS_tgkill, SYS_exit, SYS_exit_group, SYS_wait4, SYS_waitid,
    SYS_process_vm_readv, SYS_process_vm_writev, SYS_prlimit64, SYS_pidfd_open, SYS_pidfd_getfd, SYS_kcmp,
    /* The gofer's sockets, and calls on duplicates of tracees' sockets. */
    SYS_sendmsg, SYS_recvmsg, SYS_sendto, SYS_recvfrom, SYS_connect, SYS_bind, SYS_accept4, SYS_getsockname, SYS_getpeername,
    SYS_getsockopt, SYS_setsockopt,
};
static const int supervisor_at_calls[] = {SYS_openat, SYS_mkdirat, SYS_mknodat, SYS_linkat, SYS_unlinkat, SYS_symlinkat,
					  SYS_renameat2, SYS_fchmodat};

static void supervisor_program(void)
{
	static struct program p;
	scmp_filter_ctx f = new_filter(SCMP_ACT_ERRNO(EPERM));
	for (unsigned i = 0; i < ARRAY_SIZE(supervisor_calls); i++)
		add_rule(f, SCMP_ACT_ALLOW, supervisor_calls[i]);
	/* The C library tries clone3 first, whose flags are in memory, and falls back to clone. */
	add_rule(f, SCMP_ACT_ERRNO(ENOSYS), SYS_clone3);
	for (unsigned i = 0; i < ARRAY_SIZE(supervisor_at_calls); i++)
		add_rule(f, SCMP_ACT_TRACE(i + 2), supervisor_at_calls[i]);
	add_rule(f, SCMP_ACT_TRACE(1), SYS_clone);
	export_program(f, &p);

	static const struct filter_cond thread[] = {{.arg = 0, .mask = 0x10000 /* CLONE_THREAD */, .op = FILTER_EQ, .value = 0x10000}};
	static const struct filter_rule only_threads[] = {{thread, 1, {FILTER_ALLOW, 0}}};
	static struct filter_cond dirs[FIXED_FD_LAST - FIXED_FD_FIRST + 1];
	static struct filter_rule from_dirs[ARRAY_SIZE(dirs)];
	for (unsigned i = 0; i < ARRAY_SIZE(dirs); i++) {
		dirs[i] = (struct filter_cond){.arg = 0, .mask = UINT32_MAX, .op = FILTER_EQ, .value = FIXED_FD_FIRST + i};
		from_dirs[i] = (struct filter_rule){&dirs[i], 1, {FILTER_ALLOW, 0}};
	}
	static struct filter_call calls[1 + ARRAY_SIZE(supervisor_at_calls)];
	calls[0] = (struct filter_call){SYS_clone, only_threads, 1, {FILTER_ERRNO, EPERM}};
	for (unsigned i = 0; i < ARRAY_SIZE(supervisor_at_calls); i++)
		calls[1 + i] = (struct filter_call){supervisor_at_calls[i], from_dirs, ARRAY_SIZE(dirs), {FILTER_ERRNO, EPERM}};
	replace_markers(&p, calls, ARRAY_SIZE(calls));
	print("supervisor_filter", &p);
}

int main(void)
{
	printf("/* Made by interposer/filter_gen.c. */\n#include <linux/filter.h>\n");
	tracee_program();
	supervisor_program();
	return 0;
}
