/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - the table of calls against the system's own numbers, the filter's rules, and every handler on hostile arguments.
 */
#include "fakehost.h"
#include "fakevfs.h"
#include "kernel/exec.h"
#include "kernel/filter_rules.h"

#include <criterion/criterion.h>
#include <asm/ioctls.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define EMULATE(nr, name, ...) {nr, #name},
#define CHECK(nr, name, ...)   {nr, #name},
#define NATIVE(nr, name, ...)  {nr, #name},
#define DENY(nr, name, ...)    {nr, #name},
static const struct {
	int nr;
	const char *name;
} rows[] = {
#include "kernel/syscalls.def"
};

Test(table, every_number_once)
{
	cr_assert_eq(ARRAY_SIZE(rows), 384);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct syscall_desc *d = syscall_desc(rows[i].nr);

		cr_assert(d && !strcmp(d->name, rows[i].name), "%s", rows[i].name);
		cr_assert(!i || rows[i].nr > rows[i - 1].nr);
		cr_assert(d->note && d->note[0]);
		cr_assert_eq(d->verdict == VERDICT_DENY, d->err > 0);
		cr_assert_eq(d->verdict == VERDICT_EMULATE || d->verdict == VERDICT_CHECK, d->handler != NULL);
	}
	for (int nr = 337; nr < 424; nr++)
		cr_assert_null(syscall_desc(nr));
	cr_assert_null(syscall_desc(-1));
	cr_assert_null(syscall_desc(SYSCALL_MAX));
}

Test(table, numbers_are_the_systems)
{
	cr_assert_str_eq(syscall_desc(SYS_openat)->name, "openat");
	cr_assert_str_eq(syscall_desc(SYS_getdents64)->name, "getdents64");
	cr_assert_str_eq(syscall_desc(SYS_statx)->name, "statx");
	cr_assert_str_eq(syscall_desc(SYS_openat2)->name, "openat2");
	cr_assert_str_eq(syscall_desc(SYS_prlimit64)->name, "prlimit64");
	cr_assert_eq(syscall_desc(SYS_openat)->nargs, 4);
	cr_assert_eq(syscall_desc(SYS_getpid)->nargs, 0);
	cr_assert_eq(syscall_desc(SYS_mmap)->nargs, 6);
}

static enum filter_action decide(int nr, uint64_t a, uint64_t b, uint64_t d)
{
	int err;

	return filter_decide(nr, (uint64_t[6]){a, b, d, 0, 0, 0}, &err);
}

#define HIGH UINT64_C(0x700000000)

Test(filter, upper_halves_change_nothing)
{
	cr_assert_eq(decide(SYS_ioctl, 0, HIGH | TCGETS, 0), FILTER_ALLOW);
	cr_assert_eq(decide(SYS_ioctl, 0, HIGH | TIOCSTI, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_clone, HIGH | CLONE_NEWUSER | SIGCHLD, 0, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_unshare, HIGH | CLONE_NEWNS, 0, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_prctl, HIGH | PR_SET_MM, 0, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_seccomp, HIGH | 1, HIGH | 8, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_setsockopt, 0, HIGH | SOL_SOCKET, SO_ATTACH_FILTER), FILTER_NOTIFY);
}

Test(filter, lists)
{
	cr_assert_eq(decide(SYS_ioctl, 0, TIOCLINUX, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_fcntl, 0, F_SETLK, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_fcntl, 0, F_NOTIFY, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_fcntl, 0, F_SETFL, 0), FILTER_ALLOW);
	cr_assert_eq(decide(SYS_fcntl, 0, F_GETFL, 0), FILTER_ALLOW);
	cr_assert_eq(decide(SYS_clone, SIGCHLD, 0, 0), FILTER_ALLOW);
	cr_assert_eq(decide(SYS_clone, CLONE_FS | SIGCHLD, 0, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_clone, CLONE_FS | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0), FILTER_ALLOW);
	cr_assert_eq(decide(SYS_clone, CLONE_FS | CLONE_VFORK | CLONE_VM | SIGCHLD, 0, 0), FILTER_ALLOW);
	cr_assert_eq(decide(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), FILTER_ALLOW);
	cr_assert_eq(decide(SYS_socket, AF_INET, SOCK_RAW, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_socket, AF_PACKET, SOCK_DGRAM, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_socket, AF_NETLINK, SOCK_RAW, 0), FILTER_ALLOW);
	cr_assert_eq(decide(SYS_socket, AF_NETLINK, SOCK_RAW, 9), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_setsockopt, 0, 0, 64), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_getsockopt, 0, SOL_SOCKET, SO_PEERCRED), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_getsockopt, 0, SOL_SOCKET, SO_ERROR), FILTER_ALLOW);
	cr_assert_eq(decide(SYS_openat, 0, 0, 0), FILTER_NOTIFY);
	cr_assert_eq(decide(SYS_mount, 0, 0, 0), FILTER_ERRNO);
	cr_assert_eq(decide(400, 0, 0, 0), FILTER_ERRNO);
}

/* Two rules of one call may not disagree on any arguments: all have one action here. */
Test(filter, only_check_rows_and_values_within_masks)
{
	for (size_t i = 0; i < n_filter_rules; i++) {
		const struct filter_rule *r = &filter_rules[i];

		cr_assert_eq(syscall_desc(r->nr)->verdict, VERDICT_CHECK);
		cr_assert_eq(r->action, FILTER_ALLOW);
		for (unsigned k = 0; k < r->n_conds; k++)
			cr_assert_eq(r->conds[k].value & ~r->conds[k].mask, 0);
	}
}

static void start(uid_t uid)
{
	fake.rec = record_intern(fake_draft(uid, NULL));
}

Test(handlers, hostile_arguments)
{
	static const uint64_t values[] = {0,          1,
					  FAKE_BASE,  FAKE_BASE + FAKE_SIZE - 1,
					  UINT64_MAX, UINT64_C(0x8000000000000000),
					  0x7fffffff, 0xffffff9c,
					  2,          110,
					  4096,       65537};
	unsigned seed = 1;

	start(0);
	memset(fake.mem, 'a', sizeof(fake.mem));
	for (int nr = 0; nr < SYSCALL_MAX; nr++)
		for (int round = 0; round < 300; round++) {
			uint64_t a[6];

			for (int i = 0; i < 6; i++)
				a[i] = values[(unsigned)rand_r(&seed) % ARRAY_SIZE(values)];
			fake_call(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
		}
}

Test(handlers, limits_mask_the_resource)
{
	uint64_t v[2] = {5, 10}, got[2];

	start(1000);
	memcpy(fake.mem, v, sizeof(v));
	/* RLIMIT_LOCKS, whose upper half would slip past a 64-bit compare. Raising needs a capability, lowering works. */
	cr_assert_eq(fake_call(SYS_setrlimit, UINT64_C(0x50000000a), FAKE_BASE, 0, 0, 0, 0), -EPERM);
	record_put(fake.rec);
	start(0);
	cr_assert_eq(fake_call(SYS_setrlimit, UINT64_C(0x50000000a), FAKE_BASE, 0, 0, 0, 0), 0);
	cr_assert_eq(fake_call(SYS_getrlimit, 10, FAKE_BASE + 64, 0, 0, 0, 0), 0);
	memcpy(got, fake.mem + 64, sizeof(got));
	cr_assert_eq(got[0], 5);
	cr_assert_eq(got[1], 10);
	cr_assert_eq(fake.rec->rlim_locks[0], 5);
}

Test(handlers, umask_and_ids)
{
	start(0);
	cr_assert_eq(fake_call(SYS_umask, 077, 0, 0, 0, 0, 0), 022);
	cr_assert_eq(fake_call(SYS_umask, 022, 0, 0, 0, 0, 0), 077);
	cr_assert_eq(fake_call(SYS_setuid, HIGH | 1000, 0, 0, 0, 0, 0), 0);
	cr_assert_eq(fake_call(SYS_getuid, 0, 0, 0, 0, 0, 0), 1000);
	cr_assert_eq(fake_call(SYS_setuid, 0, 0, 0, 0, 0, 0), -EPERM);
	cr_assert_eq(fake_call(SYS_setgroups, 0, 0, 0, 0, 0, 0), -EPERM);
	cr_assert_eq(fake_call(SYS_kill, 5, 9, 0, 0, 0, 0), -ESRCH);
	cr_assert_eq(fake_call(SYS_kill, FAKE_PID, 9, 0, 0, 0, 0), CALL_CONTINUE);
	cr_assert_eq(fake_call(SYS_kill, 1, 9, 0, 0, 0, 0), -EPERM);
}
