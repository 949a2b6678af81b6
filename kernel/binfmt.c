/* SPDX-License-Identifier: Apache-2.0 */
/*
 * binfmt.c - #! lines and ELF headers (binfmt.h), after fs/binfmt_script.c and fs/binfmt_elf.c of Linux 6.18.
 */
#include "kernel/binfmt.h"

#include <elf.h>
#include <string.h>

#define PAGE	  4096ULL
#define TASK_SIZE 0x7ffffffff000ULL
#define MAX_PHDRS 1170 /* 65536 bytes of them, as Linux has it */

static bool spacetab(char c)
{
	return c == ' ' || c == '\t';
}

static const char *next_non_spacetab(const char *first, const char *last)
{
	for (; first <= last; first++)
		if (!spacetab(*first))
			return first;
	return NULL;
}

static const char *next_terminator(const char *first, const char *last)
{
	for (; first <= last; first++)
		if (spacetab(*first) || !*first)
			return first;
	return NULL;
}

int binfmt_script(const char head[BINPRM_BUF], char interp[BINPRM_BUF], char arg[BINPRM_BUF])
{
	const char *last = head + BINPRM_BUF - 1, *nul = memchr(head, 0, BINPRM_BUF), *end, *name, *sep, *a = NULL;
	size_t n;

	if (head[0] != '#' || head[1] != '!')
		return 0;
	end = memchr(head, '\n', BINPRM_BUF);
	if (end && nul && nul < end) /* strnchr() stops at a NUL */
		end = NULL;
	if (!end) {
		end = next_non_spacetab(head + 2, last);
		/* All blank, or a name that may be cut off. */
		if (!end || !next_terminator(end, last))
			return -ENOEXEC;
		end = last;
	}
	while (spacetab(end[-1]))
		end--;
	name = next_non_spacetab(head + 2, end);
	if (!name || name == end)
		return -ENOEXEC;
	sep = next_terminator(name, end);
	if (sep && *sep)
		a = next_non_spacetab(sep, end);
	n = (size_t)((sep && sep < end ? sep : end) - name);
	if (n >= BINPRM_BUF) /* never: both lie within head */
		return -ENOEXEC;
	memcpy(interp, name, n);
	interp[n] = 0;
	arg[0] = 0;
	if (a && a < end) {
		n = strnlen(a, (size_t)(end - a));
		if (n >= BINPRM_BUF)
			return -ENOEXEC;
		memcpy(arg, a, n);
		arg[n] = 0;
	}
	return 1;
}

/* All of it, or -EIO as kernel_read() of a short file gives. */
static int read_all(int fd, void *buf, size_t size, uint64_t at)
{
	size_t done = 0;

	if (at > INT64_MAX - size)
		return -EIO;
	while (done < size) {
		ssize_t n = pread(fd, (char *)buf + done, size - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

static int check_load(const Elf64_Phdr *p)
{
	if (p->p_filesz > p->p_memsz || p->p_memsz > TASK_SIZE || p->p_vaddr > TASK_SIZE - p->p_memsz)
		return -ENOEXEC;
	if (p->p_offset > INT64_MAX || p->p_filesz > INT64_MAX - p->p_offset)
		return -ENOEXEC;
	/* What mmap would refuse. */
	if (((p->p_vaddr - p->p_offset) & (PAGE - 1)) || (p->p_align & (p->p_align - 1)))
		return -ENOEXEC;
	return 0;
}

static int read_interp(int fd, const Elf64_Phdr *p, struct elf_image *out)
{
	int r;

	if (p->p_filesz > PATH_MAX || p->p_filesz < 2)
		return -ENOEXEC;
	r = read_all(fd, out->interp, p->p_filesz, p->p_offset);
	if (r < 0)
		return r;
	if (out->interp[p->p_filesz - 1])
		return -ENOEXEC;
	out->dynamic = true;
	return 0;
}

int binfmt_elf(int fd, struct elf_image *out)
{
	AUTO_FREE Elf64_Phdr *ph = NULL;
	bool loads = false, stack = false;
	Elf64_Ehdr eh;
	int r;

	memset(out, 0, sizeof(*out));
	r = read_all(fd, &eh, sizeof(eh), 0);
	if (r < 0)
		return r == -EIO ? -ENOEXEC : r;
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64 ||
	    (eh.e_type != ET_EXEC && eh.e_type != ET_DYN) || eh.e_phentsize != sizeof(*ph) || eh.e_phnum == 0 ||
	    eh.e_phnum > MAX_PHDRS)
		return -ENOEXEC;
	ph = malloc(eh.e_phnum * sizeof(*ph));
	if (!ph)
		return -ENOMEM;
	r = read_all(fd, ph, eh.e_phnum * sizeof(*ph), eh.e_phoff);
	if (r < 0)
		return r == -EIO ? -ENOEXEC : r;
	for (unsigned i = 0; i < eh.e_phnum && r >= 0; i++) {
		switch (ph[i].p_type) {
		case PT_LOAD:
			loads = true;
			r = check_load(&ph[i]);
			break;
		case PT_INTERP:
			/* The first counts. */
			if (!out->dynamic)
				r = read_interp(fd, &ph[i], out);
			break;
		case PT_GNU_STACK:
			stack = true;
			out->exec_stack = ph[i].p_flags & PF_X;
			break;
		}
	}
	if (r < 0)
		return r;
	/* Without a header x86_64's default is a stack that isn't executable (READ_IMPLIES_EXEC is for 32 bits). */
	if (!stack)
		out->exec_stack = false;
	return loads ? 0 : -ENOEXEC;
}
