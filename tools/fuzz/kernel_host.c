/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_host.c - the same calls on the host, in a process of its own whose root is an empty tmpfs, in mount, network and IPC namespaces of its own and
 * with the capabilities that file access needs: whatever a sequence does, it finds nothing there but its scratch directory.
 *
 * A task is made by clone(CLONE_VM) alone: descriptors, current directory, root, umask and credentials are its own, as a process's are, and it
 * costs no copy of memory. It has no thread state of a C library either: what it runs here calls none and is not instrumented. Tasks
 * run one at a time; whose turn it is stands in kf_shared.turn.
 */
#include "tools/fuzz/kernel_fuzz.h"
#include "tools/fuzz/fuzz.h"

#include <linux/capability.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#ifdef __clang__
#define BARE __attribute__((no_sanitize("address", "undefined", "coverage"), noinline))
#else
#define BARE __attribute__((no_sanitize("address", "undefined"), noinline))
#endif
#define STACK (64U << 10)
#define NONE  0xffff0000U

static struct kf_shared *sh;
static char stacks[KF_TASKS][STACK] __attribute__((aligned(64)));
static char in_root[KF_TOP_SIZE];

BARE static long bare(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

BARE static void bare_copy(void *to, const void *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

BARE void kf_load(const struct kf_op *o)
{
	for (int i = 0; i < 6; i++) {
		const struct kf_arg *a = &o->a[i];
		void *to = (void *)a->v;
		size_t n = a->snap;

		if (a->place != KF_AT && a->place != KF_ATEND)
			continue;
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0xee) : "memory");
		if (a->len)
			bare_copy((void *)a->v, a->data, a->len);
	}
}

void kf_map_arena(void)
{
	static const struct {
		uint64_t at, size;
		int prot;
	} parts[] = {{KF_ARENA, 6 * KF_SLOT, PROT_READ | PROT_WRITE},
		     {KF_EDGE, 0x1000, PROT_READ | PROT_WRITE},
		     {KF_RO, 0x1000, PROT_READ}};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		FUZZ_CHECK(mmap((void *)parts[i].at, parts[i].size, parts[i].prot,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)parts[i].at);
}

BARE static void futex_wake(uint32_t *at)
{
	bare(SYS_futex, (uint64_t)at, FUTEX_WAKE, 1, 0, 0, 0);
}
BARE static void futex_wait(uint32_t *at, uint32_t value, const struct timespec *limit)
{
	bare(SYS_futex, (uint64_t)at, FUTEX_WAIT, value, (uint64_t)limit, 0, 0);
}

/* --- A task --- */
BARE static void give(unsigned task)
{
	__atomic_store_n(&sh->turn[task], 1, __ATOMIC_SEQ_CST);
	futex_wake(&sh->turn[task]);
}

BARE static void run_op(struct kf_op *o, int (*task)(void *))
{
	int tries = 0;

	kf_load(o);
	if (o->child == KF_NO_FORK)
		/* With RESOLVE_BENEATH or RESOLVE_IN_ROOT a ".." is EAGAIN when anything on this host was renamed or mounted meanwhile. */
		do
			o->res = bare(o->nr, o->a[0].v, o->a[1].v, o->a[2].v, o->a[3].v, o->a[4].v, o->a[5].v);
		while (o->nr == SYS_openat2 && o->res == -EAGAIN && ++tries < 100);
	else
		o->res =
		    clone(task, stacks[o->child] + STACK, CLONE_VM | CLONE_PARENT | SIGCHLD, (void *)(uintptr_t)o->child) < 0
			? -EAGAIN
			: 0;
	for (int i = 0; i < 6; i++)
		if (o->a[i].snap)
			bare_copy((void *)(uintptr_t)o->out[i], (void *)o->a[i].v, o->a[i].snap);
}

BARE static void become(unsigned task)
{
	static const gid_t groups[1] = {1001};
	static const struct rlimit files = {KF_FDS, KF_FDS};
	long r = bare(SYS_close_range, 0, ~0U, 0, 0, 0, 0);

	r |= bare(SYS_chroot, (uint64_t)in_root, 0, 0, 0, 0, 0);
	r |= bare(SYS_chdir, (uint64_t) "/", 0, 0, 0, 0, 0);
	r |= bare(SYS_prlimit64, 0, RLIMIT_NOFILE, (uint64_t)&files, 0, 0, 0);
	bare(SYS_umask, 022, 0, 0, 0, 0, 0);
	if (task == 1) {
		r |= bare(SYS_setgroups, 1, (uint64_t)groups, 0, 0, 0, 0);
		r |= bare(SYS_setresgid, 1000, 1000, 1000, 0, 0, 0);
		r |= bare(SYS_setresuid, 1000, 1000, 1000, 0, 0, 0);
	} else {
		r |= bare(SYS_setgroups, 0, 0, 0, 0, 0, 0);
	}
	if (r)
		sh->err = 1;
}

BARE static int task_main(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	if (me < 2)
		become(me);
	for (;;) {
		while (!__atomic_load_n(&sh->turn[me], __ATOMIC_SEQ_CST))
			futex_wait(&sh->turn[me], 0, NULL);
		__atomic_store_n(&sh->turn[me], 0, __ATOMIC_SEQ_CST);
		if (sh->at >= sh->seq.n)
			break;
		while (sh->at < sh->seq.n && sh->seq.op[sh->at].task == me)
			run_op(&sh->seq.op[sh->at++], task_main);
		if (sh->at >= sh->seq.n)
			break;
		give(sh->seq.op[sh->at].task);
	}
	/* The last one wakes all the others. */
	for (unsigned t = 0; t < KF_TASKS; t++)
		if (t != me)
			give(t);
	return 0;
}

static void run(void)
{
	size_t used = 0;

	for (unsigned i = 0; i < sh->seq.n; i++)
		for (int k = 0; k < 6; k++) {
			struct kf_op *o = &sh->seq.op[i];

			o->out[k] = sh->seq.outs + used;
			used += o->a[k].snap;
			FUZZ_CHECK(used <= sizeof(sh->seq.outs));
		}
	sh->err = 0;
	sh->at = 0;
	memset(sh->turn, 0, sizeof(sh->turn));
	snprintf(in_root, sizeof(in_root), "%s", sh->top);
	kf_tree_build(kf_raw_sys, NULL, in_root);
	for (unsigned t = 0; t < 2; t++)
		FUZZ_CHECK(clone(task_main, stacks[t] + STACK, CLONE_VM | SIGCHLD, (void *)(uintptr_t)t) > 0);
	give(sh->seq.n ? sh->seq.op[0].task : 0);
	while (waitpid(-1, NULL, 0) > 0)
		;
	kf_tree_dump(kf_raw_sys, NULL, in_root, sh->tree, sizeof(sh->tree), NULL);
	kf_tree_wipe(kf_raw_sys, NULL, in_root);
}

/* --- The process that makes them --- */
static void confine(void)
{
	static const int caps[] = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER,  CAP_FSETID,   CAP_SETGID,
				   CAP_SETUID, CAP_SYS_CHROOT,   CAP_MKNOD,           CAP_SETPCAP, CAP_SYS_ADMIN};
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};
	static const char dir[] = "/mnt"; /* any directory will do */

	FUZZ_CHECK(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC) == 0);
	FUZZ_CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	FUZZ_CHECK(mount("fuzz", dir, "tmpfs", MS_NOSUID | MS_NOATIME, "size=256m,mode=755,inode64") == 0);
	FUZZ_CHECK(chdir(dir) == 0 && syscall(SYS_pivot_root, ".", ".") == 0);
	FUZZ_CHECK(umount2(".", MNT_DETACH) == 0 && chdir("/") == 0);
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		d[caps[i] / 32].permitted |= 1U << (caps[i] % 32);
	for (int i = 0; i < 2; i++)
		d[i].effective = d[i].permitted;
	for (int c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (!(d[c / 32].permitted >> (c % 32) & 1))
			FUZZ_CHECK(prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == 0);
	FUZZ_CHECK(syscall(SYS_capset, &h, d) == 0);
	sh->caps = d[0].permitted | (uint64_t)d[1].permitted << 32;
	umask(0);
}

static _Noreturn void serve(void)
{
	uint32_t k = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Its children's end is all that it waits for; what it says it says to stderr. */
	close_range(3, ~0U, 0);
	confine();
	__atomic_store_n(&sh->done, ++k, __ATOMIC_SEQ_CST);
	futex_wake(&sh->done);
	for (;;) {
		while (__atomic_load_n(&sh->go, __ATOMIC_SEQ_CST) == k)
			futex_wait(&sh->go, k, NULL);
		run();
		__atomic_store_n(&sh->done, ++k, __ATOMIC_SEQ_CST);
		futex_wake(&sh->done);
	}
}

static pid_t server;

static void wait_done(uint32_t k)
{
	struct timespec limit = {.tv_sec = 1};

	for (int tries = 0; __atomic_load_n(&sh->done, __ATOMIC_SEQ_CST) != k; tries++) {
		futex_wait(&sh->done, k - 1, &limit);
		if (waitpid(server, NULL, WNOHANG) == server || tries > 20) {
			fprintf(stderr, "the host's side stopped at call %u of %u after %d s, in\n", sh->at, sh->seq.n,
				tries);
			if (sh->at && sh->at <= sh->seq.n)
				kf_print_op(&sh->seq.op[sh->at - 1], stderr);
			kill(server, SIGKILL);
			abort();
		}
	}
}

struct kf_shared *kf_host_start(void)
{
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	FUZZ_CHECK(sh != MAP_FAILED);
	kf_map_arena();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sh->go = 1;
	server = fork();
	FUZZ_CHECK(server >= 0);
	if (!server)
		serve();
	wait_done(1);
	return sh;
}

void kf_host_run(struct kf_shared *h)
{
	uint32_t k = h->go + 1;

	__atomic_store_n(&h->go, k, __ATOMIC_SEQ_CST);
	futex_wake(&h->go);
	wait_done(k);
	FUZZ_CHECK(!h->err);
}

double kf_cpu_seconds(void)
{
	struct rusage own, host;

	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	FUZZ_CHECK(getrusage(RUSAGE_SELF, &own) == 0 && getrusage(RUSAGE_CHILDREN, &host) == 0);
	return (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec + host.ru_utime.tv_sec + host.ru_stime.tv_sec) +
	       (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec + host.ru_utime.tv_usec + host.ru_stime.tv_usec) / 1e6;
}
