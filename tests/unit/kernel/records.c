/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.c - interning, ids and collection of process records; execve and its check-in, forged ones too.
 */
#include "fakehost.h"
#include "fakevfs.h"
#include "kernel/binfmt.h"
#include "kernel/exec.h"
#include "kernel/pending.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <sys/syscall.h>

static uint64_t live[4];
static unsigned n_live;

static void each(void (*mark)(uint64_t id, void *arg), void *arg)
{
	for (unsigned i = 0; i < n_live; i++)
		mark(live[i], arg);
}

Test(records, equal_states_are_one)
{
	struct record *a = record_intern(fake_draft(1, NULL)), *b = record_intern(fake_draft(1, NULL));
	struct record *c = record_intern(fake_draft(2, NULL)), *d;

	cr_assert_eq(a, b);
	cr_assert_neq(a, c);
	cr_assert_neq(a->id, c->id);
	cr_assert(a->id && a->id < UINT64_C(1) << 63);
	d = record_draft(a);
	d->umask = 077;
	d = record_intern(d);
	cr_assert_neq(d, a);
	cr_assert_eq(record_find(a->id), a);
	cr_assert_null(record_find(0));
	cr_assert_null(record_find(UINT64_MAX));
	cr_assert_null(record_find(a->id + (1 << 20)));
}

Test(records, collection_and_no_reuse)
{
	struct path dir = {NULL, (struct dentry *)&live};
	struct record *a = record_intern(fake_draft(1, &dir)), *b = record_intern(fake_draft(2, &dir));
	uint64_t ida = a->id, idb = b->id;

	record_put(a);
	record_put(b);
	live[0] = ida;
	n_live = 1;
	for (int i = 0; i < 3; i++)
		record_collect(each);
	cr_assert_eq(record_count(), 1);
	cr_assert_null(record_find(idb));
	a = record_find(ida);
	cr_assert_not_null(a);
	/* Held by a call, although no process has it. */
	n_live = 0;
	for (int i = 0; i < 3; i++)
		record_collect(each);
	cr_assert_eq(record_count(), 1);
	record_put(a);
	for (int i = 0; i < 3; i++)
		record_collect(each);
	cr_assert_eq(record_count(), 0);
	cr_assert_eq(fake_path_refs, 0);
	for (uid_t u = 10; u < 1000; u++) {
		a = record_intern(fake_draft(u, NULL));
		cr_assert(a->id != ida && a->id != idb);
		record_put(a);
	}
}

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[3];
	char interp[16];
};

static struct image good_image(bool dynamic)
{
	struct image m = {
	    .eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		   .e_type = ET_DYN,
		   .e_machine = EM_X86_64,
		   .e_phentsize = sizeof(Elf64_Phdr),
		   .e_phnum = dynamic ? 3 : 2,
		   .e_phoff = offsetof(struct image, ph)},
	    .ph = {{.p_type = PT_LOAD, .p_filesz = 100, .p_memsz = 200, .p_align = 4096},
		   {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W},
		   {.p_type = PT_INTERP, .p_offset = offsetof(struct image, interp), .p_filesz = 8}},
	    .interp = "/lib/ld",
	};
	return m;
}

static int parse(const struct image *m, size_t size)
{
	AUTO_CLOSE int fd = memfd_create("t", MFD_CLOEXEC);
	struct elf_image out;

	cr_assert_eq(pwrite(fd, m, size, 0), (ssize_t)size);
	return binfmt_elf(fd, &out);
}

Test(binfmt, elf_headers)
{
	struct image m = good_image(true);

#define BAD(change)                                             \
	do {                                                    \
		m = good_image(true);                           \
		change;                                         \
		cr_assert_lt(parse(&m, sizeof(m)), 0, #change); \
	} while (0)
	cr_assert_eq(parse(&m, sizeof(m)), 0);
	for (size_t n = 0; n < sizeof(m) - 8; n++)
		cr_assert_lt(parse(&m, n), 0);
	BAD(m.eh.e_machine = EM_386);
	BAD(m.eh.e_ident[EI_CLASS] = ELFCLASS32);
	BAD(m.eh.e_type = ET_REL);
	BAD(m.eh.e_phentsize = 32);
	BAD(m.eh.e_phnum = 0);
	BAD(m.eh.e_phnum = 0xffff);
	BAD(m.eh.e_phoff = UINT64_MAX);
	BAD(m.eh.e_phoff = INT64_MAX);
	BAD(m.ph[0].p_type = PT_NULL);
	BAD(m.ph[0].p_filesz = 300);
	BAD(m.ph[0].p_memsz = UINT64_MAX);
	BAD(m.ph[0].p_vaddr = UINT64_MAX & ~4095ULL);
	BAD(m.ph[0].p_vaddr = 0x7ffffffff000);
	BAD(m.ph[0].p_vaddr = 1);
	BAD(m.ph[0].p_align = 3);
	BAD(m.ph[0].p_offset = UINT64_MAX & ~4095ULL);
	BAD(m.ph[2].p_filesz = 1);
	BAD(m.ph[2].p_filesz = PATH_MAX + 1);
	BAD(m.ph[2].p_filesz = 7);
	BAD(m.ph[2].p_offset = UINT64_MAX);
}

static int script(const char *text, const char *interp, const char *arg)
{
	char head[BINPRM_BUF] = {0}, i[BINPRM_BUF], a[BINPRM_BUF];
	int r;

	memcpy(head, text, MIN(strlen(text), sizeof(head)));
	r = binfmt_script(head, i, a);
	if (r == 1) {
		cr_assert_str_eq(i, interp);
		cr_assert_str_eq(a, arg);
	}
	return r;
}

Test(binfmt, scripts)
{
	char longline[400];

	cr_assert_eq(script("\177ELF", "", ""), 0);
	cr_assert_eq(script("#!/bin/sh\n", "/bin/sh", ""), 1);
	cr_assert_eq(script("#! /bin/sh -e x \t\nfoo", "/bin/sh", "-e x"), 1);
	cr_assert_eq(script("#!/bin/sh", "/bin/sh", ""), 1);
	cr_assert_eq(script("#!/bin/sh -e", "/bin/sh", "-e"), 1);
	cr_assert_eq(script("#!\n", "", ""), -ENOEXEC);
	cr_assert_eq(script("#!  \t \n", "", ""), -ENOEXEC);
	memset(longline, 'x', sizeof(longline));
	memcpy(longline, "#!", 2);
	longline[399] = 0;
	cr_assert_eq(script(longline, "", ""), -ENOEXEC);
	memset(longline + 2, ' ', 300);
	cr_assert_eq(script(longline, "", ""), -ENOEXEC);
}

static struct image static_image, dynamic_image;
static const struct fake_exec execs[] = {
    {"/bin/st", &static_image, sizeof(static_image), 0755, 0, false},
    {"/bin/dyn", &dynamic_image, sizeof(dynamic_image), 0755, 0, false},
    {"/lib/ld", &static_image, sizeof(static_image), 0755, 0, false},
    {"/bin/su", &static_image, sizeof(static_image), 04755, 0, false},
    {"/bin/secret", &static_image, sizeof(static_image), 0711, 0, true},
    {"/s1", "#!/bin/st -a\n", 13, 0755, 0, false},
    {"/s2", "#!/s1 -b\n", 9, 0755, 0, false},
    {"/loop", "#!/loop\n", 8, 0755, 0, false},
    {"/text", "hello\n", 6, 0755, 0, false},
};

static void start(uid_t uid)
{
	static_image = good_image(false);
	dynamic_image = good_image(true);
	fake_execs = execs;
	n_fake_execs = ARRAY_SIZE(execs);
	fake.stub_ino = 42;
	fake.rec = record_intern(fake_draft(uid, NULL));
}

static int64_t execve_of(const char *name)
{
	strcpy((char *)fake.mem, name);
	return fake_call(SYS_execve, FAKE_BASE, 0, 0, 0, 0, 0);
}

static int64_t check_in(void)
{
	return fake_call(SYS_execve, EXEC_CHECKIN_MAGIC, FAKE_BASE + 8192, EXEC_PLAN_MAX, 0, 0, 0);
}

Test(exec, plain)
{
	struct exec_plan *plan = (struct exec_plan *)(fake.mem + 8192);

	start(1000);
	cr_assert_eq(check_in(), -EPERM);
	cr_assert_eq(execve_of("/none"), -ENOENT);
	cr_assert_eq(execve_of("/text"), -ENOEXEC);
	cr_assert_eq(execve_of("/loop"), -ELOOP);
	cr_assert_eq(fake.prepared, 0);
	cr_assert_eq(execve_of("/bin/dyn"), CALL_CONTINUE);
	cr_assert_not(fake.last_private);
	cr_assert_eq(check_in(), 0);
	cr_assert_eq(plan->uid, 1000);
	cr_assert(plan->exe_fd >= 0 && plan->interp_fd >= 0);
	cr_assert_eq(plan->secure, 0);
	cr_assert_eq(check_in(), -EPERM);
	cr_assert_eq(fake.done, 1);
	cr_assert_eq(pending_count(), 0);
	cr_assert_null(fake.rec->pending);
}

Test(exec, scripts)
{
	struct exec_plan *plan = (struct exec_plan *)(fake.mem + 8192);
	static const char *const want[] = {"/bin/st", "-a", "/s1", "-b", "/s2"};

	start(1000);
	cr_assert_eq(execve_of("/s2"), CALL_CONTINUE);
	cr_assert_eq(check_in(), 0);
	cr_assert_eq(plan->n_prefix, 5);
	cr_assert_eq(plan->drop_argv, 1);
	for (unsigned i = 0; i < 5; i++)
		cr_assert_str_eq((char *)plan + plan->prefix[i], want[i]);
}

Test(exec, set_id_needs_the_private_stub)
{
	struct exec_plan *plan = (struct exec_plan *)(fake.mem + 8192);

	start(1000);
	cr_assert_eq(execve_of("/bin/su"), CALL_CONTINUE);
	cr_assert(fake.last_private);
	fake.running = 7;
	cr_assert_eq(check_in(), -EPERM);
	cr_assert_eq(fake.rec->cred->euid, 1000);
	fake.running = 42;
	cr_assert_eq(check_in(), 0);
	cr_assert_eq(fake.rec->cred->euid, 0);
	cr_assert_eq(plan->secure, 1);
	cr_assert_not(fake.rec->dumpable);
	cr_assert_eq(execve_of("/bin/secret"), CALL_CONTINUE);
	cr_assert(fake.last_private);
}

Test(exec, failed_ones_hold_no_descriptors)
{
	start(1000);
	for (int i = 0; i < 2000; i++)
		cr_assert_eq(execve_of("/bin/dyn"), CALL_CONTINUE);
	cr_assert_eq(pending_count(), 1);
	cr_assert_eq(fake.done, 1999);
	for (int i = 0; i < 3; i++) {
		live[0] = fake.rec->id;
		n_live = 1;
		record_collect(each);
	}
	cr_assert_leq(record_count(), 2);
}
