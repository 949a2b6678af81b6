/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_binfmt.c - what execve reads of a file: #! lines and ELF headers.
 *
 * What passes is what the loader stub may rely on: each segment lies within the address space and within a file's largest size, its page offsets
 * agree, the interpreter's name is a string. A script's interpreter and argument are the words of its line.
 *
 * covers: kernel/binfmt.c
 * options: -max_len=4096
 */
#include "tools/fuzz/fuzz.h"

#include "kernel/binfmt.h"

#include <elf.h>
#include <string.h>

#define TASK_SIZE 0x7ffffffff000ULL

static void check_script(const uint8_t *data, size_t size)
{
	char head[BINPRM_BUF] = {0}, interp[BINPRM_BUF], arg[BINPRM_BUF];

	memcpy(head, data, MIN(size, sizeof(head)));
	memset(interp, 'x', sizeof(interp));
	memset(arg, 'x', sizeof(arg));
	int r = binfmt_script(head, interp, arg);
	FUZZ_CHECK(r == 0 || r == 1 || r == -ENOEXEC);
	FUZZ_CHECK((r == 0) == (head[0] != '#' || head[1] != '!'));
	if (r != 1)
		return;
	FUZZ_CHECK(memchr(interp, 0, sizeof(interp)) && memchr(arg, 0, sizeof(arg)));
	size_t n = strlen(interp);
	/* Both stand in the line, the argument behind the name. Where a NUL comes first the name is "", as in Linux. */
	const char *at = head + 2 + strspn(head + 2, " \t");
	FUZZ_CHECK(!strncmp(at, interp, n) && (n || !*at) && !strpbrk(interp, " \t\n"));
	if (!*arg)
		return;
	FUZZ_CHECK(!strchr(" \t", arg[0]) && !strchr(arg, '\n'));
	at += n;
	at += strspn(at, " \t");
	FUZZ_CHECK((size_t)(head + BINPRM_BUF - at) >= strlen(arg) && !memcmp(at, arg, strlen(arg)));
}

static void check_elf(const uint8_t *data, size_t size)
{
	static struct elf_image im;
	int fd = fuzz_memfd(data, size);
	Elf64_Ehdr eh;

	memset(&im, 'x', sizeof(im));
	int r = binfmt_elf(fd, &im);
	close(fd);
	FUZZ_CHECK(r == 0 || r == -ENOEXEC || r == -EIO || r == -EINVAL);
	if (r)
		return;
	FUZZ_CHECK(size >= sizeof(eh));
	memcpy(&eh, data, sizeof(eh));
	FUZZ_CHECK(memchr(im.interp, 0, sizeof(im.interp)) && (im.dynamic || !im.interp[0]));
	FUZZ_CHECK(eh.e_phnum && eh.e_phoff <= size - eh.e_phnum * sizeof(Elf64_Phdr));
	for (unsigned k = 0; k < eh.e_phnum; k++) {
		Elf64_Phdr p;
		memcpy(&p, data + eh.e_phoff + k * sizeof(p), sizeof(p));
		if (p.p_type != PT_LOAD)
			continue;
		FUZZ_CHECK(p.p_filesz <= p.p_memsz && p.p_memsz <= TASK_SIZE && p.p_vaddr <= TASK_SIZE - p.p_memsz);
		FUZZ_CHECK(!((p.p_vaddr - p.p_offset) & 4095) && p.p_offset + p.p_filesz <= INT64_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_script(data, size);
	check_elf(data, size);
	return 0;
}
