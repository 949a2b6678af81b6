/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cred.c - the credential rules against the running kernel: random sequences of calls, in a child that is root, must give the same
 * results and the same ids and capabilities. Plus exec and the rules between processes, from the manual pages.
 */
#include "kernel/cred.h"

#include <criterion/criterion.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void real_caps(struct cred *c)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2];

	syscall(SYS_capget, &h, d);
	c->effective = d[0].effective | (uint64_t)d[1].effective << 32;
	c->permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	c->inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
}

static void real_ids(struct cred *c)
{
	syscall(SYS_getresuid, &c->uid, &c->euid, &c->suid);
	syscall(SYS_getresgid, &c->gid, &c->egid, &c->sgid);
	c->fsuid = (uid_t)syscall(SYS_setfsuid, -1);
	c->fsgid = (gid_t)syscall(SYS_setfsgid, -1);
	real_caps(c);
	c->securebits = (uint32_t)prctl(PR_GET_SECUREBITS);
}

static int result(long r)
{
	return r < 0 ? -errno : 0;
}

/* One step on both; 0 or what differed. */
static int step(struct cred *c, unsigned *seed)
{
	static const uint32_t ids[] = {0, 1000, 1001, (uint32_t)-1};
	uint32_t a = ids[rand_r(seed) % 4], b = ids[rand_r(seed) % 4], d = ids[rand_r(seed) % 4];
	int want, got, op = rand_r(seed) % 10;
	struct cred now;

	switch (op) {
	case 0:
		want = result(syscall(SYS_setuid, a));
		got = cred_setuid(c, a);
		break;
	case 1:
		want = result(syscall(SYS_setreuid, a, b));
		got = cred_setreuid(c, a, b);
		break;
	case 2:
		want = result(syscall(SYS_setresuid, a, b, d));
		got = cred_setresuid(c, a, b, d);
		break;
	case 3:
		want = result(syscall(SYS_setgid, a));
		got = cred_setgid(c, a);
		break;
	case 4:
		want = result(syscall(SYS_setregid, a, b));
		got = cred_setregid(c, a, b);
		break;
	case 5:
		want = result(syscall(SYS_setresgid, a, b, d));
		got = cred_setresgid(c, a, b, d);
		break;
	case 6:
		want = (int)syscall(SYS_setfsuid, a);
		got = (int)c->fsuid;
		cred_setfsuid(c, a);
		break;
	case 7:
		want = (int)syscall(SYS_setfsgid, a);
		got = (int)c->fsgid;
		cred_setfsgid(c, a);
		break;
	case 8:
		want = result(prctl(PR_SET_KEEPCAPS, a & 1, 0, 0, 0));
		got = cred_keepcaps(c, a & 1);
		break;
	default: {
		struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
		uint64_t eff = c->permitted & (rand_r(seed) & 1 ? ~UINT64_C(0) : ~CAP_BIT(CAP_SETUID)),
			 inh = rand_r(seed) & 1 ? c->permitted : c->inheritable;
		struct __user_cap_data_struct v[2] = {
		    {(uint32_t)eff, (uint32_t)c->permitted, (uint32_t)inh},
		    {(uint32_t)(eff >> 32), (uint32_t)(c->permitted >> 32), (uint32_t)(inh >> 32)}};

		want = result(syscall(SYS_capset, &h, v));
		got = cred_capset(c, eff, c->permitted, inh);
		break;
	}
	}
	if (want != got) {
		fprintf(stderr, "op %d (%d %d %d): kernel %d, ours %d\n", op, (int)a, (int)b, (int)d, want, got);
		return 1;
	}
	memset(&now, 0, sizeof(now));
	real_ids(&now);
	if (now.uid != c->uid || now.euid != c->euid || now.suid != c->suid || now.fsuid != c->fsuid || now.gid != c->gid ||
	    now.egid != c->egid || now.sgid != c->sgid || now.fsgid != c->fsgid || now.effective != c->effective ||
	    now.permitted != c->permitted || now.inheritable != c->inheritable || now.securebits != c->securebits) {
		fprintf(stderr, "op %d (%d %d %d): state differs: eff %lx/%lx prm %lx/%lx fsuid %u/%u\n", op, (int)a, (int)b,
			(int)d, now.effective, c->effective, now.permitted, c->permitted, now.fsuid, c->fsuid);
		return 1;
	}
	return 0;
}

static int sequence(unsigned seed)
{
	struct cred c;

	memset(&c, 0, sizeof(c));
	real_ids(&c);
	for (int cap = 0; cap < 41; cap++)
		if (prctl(PR_CAPBSET_READ, cap) == 1)
			c.bounding |= CAP_BIT(cap);
	for (int i = 0; i < 12; i++)
		if (step(&c, &seed))
			return 1;
	return 0;
}

Test(cred, same_as_the_kernel)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	for (unsigned seed = 1; seed <= 1500; seed++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0)
			_exit(sequence(seed));
		waitpid(pid, &status, 0);
		cr_assert_eq(status, 0, "sequence %u", seed);
	}
}

static struct cred user(uid_t id)
{
	return (struct cred){.uid = id,
			     .euid = id,
			     .suid = id,
			     .fsuid = id,
			     .gid = id,
			     .egid = id,
			     .sgid = id,
			     .fsgid = id,
			     .bounding = CAP_ALL_VALID,
			     .permitted = id ? 0 : CAP_ALL_VALID,
			     .effective = id ? 0 : CAP_ALL_VALID};
}

Test(cred, exec_set_id)
{
	struct cred c = user(1000);

	cr_assert(cred_exec(&c, 04755, 0, 0, false));
	cr_assert(c.uid == 1000 && c.euid == 0 && c.suid == 0 && c.fsuid == 0);
	cr_assert_eq(c.effective, CAP_ALL_VALID);
	c = user(1000);
	c.no_new_privs = true;
	cr_assert_not(cred_exec(&c, 04755, 0, 0, false));
	cr_assert(c.euid == 1000 && c.effective == 0);
	c = user(1000);
	cred_exec(&c, 04755, 0, 0, true);
	cr_assert(c.euid == 1000 && c.effective == 0 && c.permitted == 0);
	c = user(1000);
	cr_assert_not(cred_exec(&c, 02745, 0, 0, false)); /* S_ISGID without S_IXGRP */
	cr_assert_eq(c.egid, 1000);
	c = user(1000);
	c.securebits = 1U << SECURE_NOROOT;
	cred_exec(&c, 04755, 0, 0, false);
	cr_assert(c.euid == 0 && c.effective == 0);
}

Test(cred, exec_ordinary)
{
	struct cred c = user(0);

	cr_assert_not(cred_exec(&c, 0755, 0, 0, false));
	cr_assert_eq(c.effective, CAP_ALL_VALID);
	c.effective = c.permitted = 0;
	cred_exec(&c, 0755, 0, 0, false);
	cr_assert_eq(c.effective, CAP_ALL_VALID);
	c = user(1000);
	c.permitted = c.effective = c.inheritable = CAP_BIT(CAP_NET_RAW);
	c.ambient = CAP_BIT(CAP_NET_RAW);
	cr_assert_not(cred_exec(&c, 0755, 0, 0, false));
	cr_assert_eq(c.effective, CAP_BIT(CAP_NET_RAW));
	c.ambient = 0;
	cred_exec(&c, 0755, 0, 0, false);
	cr_assert_eq(c.permitted, 0);
}

Test(cred, between_processes)
{
	struct cred root = user(0), a = user(1000), b = user(1001);

	cr_assert(cred_may_kill(&root, &a));
	cr_assert(cred_may_kill(&a, &a));
	cr_assert_not(cred_may_kill(&a, &b));
	cr_assert_not(cred_may_kill(&a, &root));
	cr_assert(cred_may_ptrace(&a, &a, true, true));
	cr_assert_not(cred_may_ptrace(&a, &a, false, true));
	cr_assert_not(cred_may_ptrace(&a, &b, true, true));
	cr_assert(cred_may_ptrace(&root, &b, false, true));
}
