/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stub.c - the loader stub: the only program that a tracee's real root holds.
 *
 * The host kernel executes it with the argv, envp and auxiliary vector that the program asked for. It checks in with the supervisor, which
 * injects descriptors of the real program and its interpreter and tells what else to change; maps them as fs/binfmt_elf.c does; puts the auxiliary
 * vector right; and jumps. It has no libc and no relocations, and its memory stays mapped (the supervisor leaves it out of /proc/PID/maps).
 *
 * The supervisor has validated the ELF headers, but the file may have been changed since (or be changed now): what is read here only decides about the
 * mappings of this very process, so the worst outcome is that this program dies.
 */
#include "interposer/stub/argv.h"
#include "kernel/exec.h"

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#define SYS_read       0
#define SYS_close      3
#define SYS_mmap       9
#define SYS_mprotect   10
#define SYS_munmap     11
#define SYS_pread64    17
#define SYS_execve     59
#define SYS_exit_group 231
#define SYS_getrandom  318

#define PROT_READ           1
#define PROT_WRITE          2
#define PROT_EXEC           4
#define PROT_GROWSDOWN      0x01000000
#define MAP_PRIVATE         2
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_NORESERVE       0x4000
#define MAP_FIXED_NOREPLACE 0x100000

#define PAGE 4096UL
/* Where position independent programs go: as on x86-64 natively (ELF_ET_DYN_BASE, two thirds of the address space), plus room for the heap,
 * which the kernel placed there on the stub's behalf, plus up to 1 TiB at random. */
#define DYN_BASE         0x556555554000UL
#define DYN_RANDOM_PAGES 0xfffffffUL

static long call6(long n, long a, long b, long c, long d, long e, long f)
{
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

static int failed(long r)
{
	return (unsigned long)r > -4096UL;
}

/* Past the point of no return of execve(2) there's nobody to tell: the kernel kills such a process, too. */
static _Noreturn void give_up(void)
{
	for (;;)
		call6(SYS_exit_group, 127, 0, 0, 0, 0, 0);
}

static void copy(char *to, const char *from, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void zero(void *p, size_t n)
{
	__asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(0) : "memory");
}

struct image {
	Elf64_Ehdr eh;
	uintptr_t base; /* load bias */
	uintptr_t entry;
	uintptr_t phdr; /* address of the program headers in memory */
	size_t have;    /* bytes of the file's head in page[] */
	char page[PAGE];
};

static void get_phdr(const struct image *im, int fd, unsigned i, Elf64_Phdr *ph)
{
	uint64_t at = im->eh.e_phoff + (uint64_t)i * sizeof *ph;
	if (at + sizeof *ph <= im->have)
		copy((char *)ph, im->page + at, sizeof *ph);
	else if (call6(SYS_pread64, fd, (long)ph, sizeof *ph, (long)at, 0, 0) != sizeof *ph)
		give_up();
}

static unsigned long page_down(unsigned long x)
{
	return x & ~(PAGE - 1);
}

static unsigned long page_up(unsigned long x)
{
	return (x + PAGE - 1) & ~(PAGE - 1);
}

static int prot_of(const Elf64_Phdr *ph)
{
	return (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
	       (ph->p_flags & PF_X ? PROT_EXEC : 0);
}

/* Reserves the whole span of a position independent image and gives its load bias. */
static uintptr_t reserve(unsigned long lo, unsigned long hi, unsigned long align, unsigned long hint)
{
	unsigned long span = hi - lo, extra = align > PAGE ? align : 0;
	long r = call6(SYS_mmap, (long)hint, (long)(span + extra), 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (failed(r))
		give_up();
	unsigned long at = (unsigned long)r;
	if (extra) {
		unsigned long start = (at + align - 1) & ~(align - 1);
		if (start > at)
			call6(SYS_munmap, (long)at, (long)(start - at), 0, 0, 0, 0);
		if (at + extra > start)
			call6(SYS_munmap, (long)(start + span), (long)(at + extra - start), 0, 0, 0, 0);
		at = start;
	}
	return at - lo;
}

static void map_segment(const struct image *im, int fd, const Elf64_Phdr *ph)
{
	int prot = prot_of(ph);
	unsigned long start = im->base + page_down(ph->p_vaddr);
	unsigned long file_end = im->base + ph->p_vaddr + ph->p_filesz;
	unsigned long mem_end = im->base + ph->p_vaddr + ph->p_memsz;
	int fixed = im->eh.e_type == ET_DYN ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	if (ph->p_filesz) {
		long r = call6(SYS_mmap, (long)start, (long)(page_up(file_end) - start), prot, MAP_PRIVATE | fixed, fd,
			       (long)page_down(ph->p_offset));
		if (failed(r))
			give_up();
	} else {
		file_end = start;
	}
	if (mem_end <= file_end)
		return;
	unsigned long zero_end = ph->p_filesz ? page_up(file_end) : start;
	if (ph->p_filesz && (prot & PROT_WRITE))
		zero((void *)file_end, zero_end - file_end);
	if (page_up(mem_end) > zero_end) {
		long r = call6(SYS_mmap, (long)zero_end, (long)(page_up(mem_end) - zero_end), prot,
			       MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
		if (failed(r))
			give_up();
	}
}

static void load(struct image *im, int fd, int is_program)
{
	long n = call6(SYS_pread64, fd, (long)im->page, sizeof im->page, 0, 0, 0);
	if (n < (long)sizeof im->eh)
		give_up();
	im->have = (size_t)n;
	copy((char *)&im->eh, im->page, sizeof im->eh);
	unsigned long lo = ~0UL, hi = 0, align = PAGE;
	Elf64_Phdr ph;
	for (unsigned i = 0; i < im->eh.e_phnum; i++) {
		get_phdr(im, fd, i, &ph);
		if (ph.p_type != PT_LOAD)
			continue;
		if (page_down(ph.p_vaddr) < lo)
			lo = page_down(ph.p_vaddr);
		if (page_up(ph.p_vaddr + ph.p_memsz) > hi)
			hi = page_up(ph.p_vaddr + ph.p_memsz);
		if (ph.p_align > align && !(ph.p_align & (ph.p_align - 1)))
			align = ph.p_align;
	}
	if (lo >= hi)
		give_up();
	im->base = 0;
	if (im->eh.e_type == ET_DYN) {
		unsigned long hint = 0;
		if (is_program) {
			unsigned long rnd = 0;
			call6(SYS_getrandom, (long)&rnd, sizeof rnd, 0, 0, 0, 0);
			hint = DYN_BASE + (rnd & DYN_RANDOM_PAGES) * PAGE;
		}
		im->base = reserve(lo, hi, align, hint);
	}
	im->phdr = 0;
	for (unsigned i = 0; i < im->eh.e_phnum; i++) {
		get_phdr(im, fd, i, &ph);
		if (ph.p_type != PT_LOAD)
			continue;
		map_segment(im, fd, &ph);
		if (!im->phdr && im->eh.e_phoff >= ph.p_offset && im->eh.e_phoff < ph.p_offset + ph.p_filesz)
			im->phdr = im->base + (im->eh.e_phoff - ph.p_offset) + ph.p_vaddr;
	}
	im->entry = im->base + im->eh.e_entry;
	call6(SYS_close, fd, 0, 0, 0, 0, 0);
}

static uintptr_t *replace_argv(uintptr_t *sp, const struct exec_plan *plan)
{
	long page = call6(SYS_mmap, 0, EXEC_PLAN_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (failed(page) || plan->n_prefix > EXEC_MAX_PREFIX)
		give_up();
	copy((char *)page, (const char *)plan, plan->size);
	return argv_splice(sp, (const struct exec_plan *)page);
}

/* What _start needs in registers: the stack pointer and where to go. */
struct start {
	uintptr_t *sp;
	uintptr_t entry;
};

__attribute__((used)) struct start stub_main(uintptr_t *sp)
{
	union {
		struct exec_plan plan;
		char bytes[EXEC_PLAN_MAX];
	} u;
	struct image program, interp;
	/* With a long argv our frame lies below what the kernel mapped of the stack, and a write from outside doesn't make it grow. */
	for (unsigned i = 0; i < sizeof u; i += PAGE)
		((volatile char *)u.bytes)[i] = 0;
	((volatile char *)u.bytes)[sizeof u - 1] = 0;
	if (call6(SYS_execve, (long)EXEC_CHECKIN_MAGIC, (long)&u, sizeof u, 0, 0, 0))
		give_up();
	load(&program, u.plan.exe_fd, 1);
	interp.base = 0;
	interp.entry = program.entry;
	if (u.plan.interp_fd >= 0)
		load(&interp, u.plan.interp_fd, 0);
	if (u.plan.stack)
		*((volatile char *)sp - u.plan.stack) = 0;
	if (u.plan.n_prefix)
		sp = replace_argv(sp, &u.plan);
	uintptr_t *p = sp + 1 + sp[0] + 1;
	while (*p)
		p++;
	for (p++; p[0]; p += 2) {
		switch (p[0]) {
		case AT_PHDR:
			p[1] = program.phdr;
			break;
		case AT_PHNUM:
			p[1] = program.eh.e_phnum;
			break;
		case AT_BASE:
			p[1] = interp.base;
			break;
		case AT_ENTRY:
			p[1] = program.entry;
			break;
		case AT_UID:
			p[1] = u.plan.uid;
			break;
		case AT_EUID:
			p[1] = u.plan.euid;
			break;
		case AT_GID:
			p[1] = u.plan.gid;
			break;
		case AT_EGID:
			p[1] = u.plan.egid;
			break;
		case AT_SECURE:
			p[1] = u.plan.secure;
			break;
		}
	}
	if (u.plan.exec_stack)
		call6(SYS_mprotect, (long)page_down((unsigned long)sp), PAGE,
		      PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN, 0, 0, 0);
	return (struct start){sp, interp.entry};
}

/* A gap of a page between the kernel's block and our frames (replace_argv). All registers that the ABI leaves open are cleared, as the kernel
 * does at an exec; rdx is 0: no function for atexit. */
__asm__(".globl _start\n"
	".type _start,@function\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	sub $4096, %rsp\n"
	"	and $-16, %rsp\n"
	"	call stub_main\n"
	"	mov %rax, %rsp\n"
	"	mov %rdx, %r11\n"
	"	xor %eax, %eax\n"
	"	xor %ebx, %ebx\n"
	"	xor %ecx, %ecx\n"
	"	xor %edx, %edx\n"
	"	xor %esi, %esi\n"
	"	xor %edi, %edi\n"
	"	xor %r8d, %r8d\n"
	"	xor %r9d, %r9d\n"
	"	xor %r10d, %r10d\n"
	"	xor %r12d, %r12d\n"
	"	xor %r13d, %r13d\n"
	"	xor %r14d, %r14d\n"
	"	xor %r15d, %r15d\n"
	"	jmp *%r11\n");
