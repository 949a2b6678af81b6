/* SPDX-License-Identifier: Apache-2.0 */
/* What a backtrace reads of ELF files, on this program and on damaged copies of it. */
#include "interposer/trace/ehframe.h"
#include "interposer/trace/symbols.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

__attribute__((noinline)) int a_function_to_be_found(int n);
int a_function_to_be_found(int n)
{
	return n + 1;
}

/* Where this program is loaded, and its .eh_frame_hdr. */
struct self {
	uint64_t bias;
	const unsigned char *header;
};

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct self *s = arg;
	s->bias = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
			s->header = (const unsigned char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	}
	return 1; /* the first is the program */
}

static struct self self(void)
{
	struct self s = {0};
	dl_iterate_phdr(visit, &s);
	return s;
}

Test(symbols, names_a_function)
{
	AUTO_CLOSE int fd = open("/proc/self/exe", O_RDONLY);
	struct module *m = module_read(fd, "/proc/self/exe", NULL);
	uint64_t distance = 99, addr = (uint64_t)(uintptr_t)a_function_to_be_found - self().bias;
	cr_assert(m);
	cr_assert_str_eq(module_function(m, addr, &distance), "a_function_to_be_found");
	cr_assert_eq(distance, 0);
	cr_assert_str_eq(module_function(m, addr + 1, &distance), "a_function_to_be_found");
	cr_assert_eq(distance, 1);
	cr_assert_null(module_function(m, 0, &distance));
	cr_assert_gt(module_bytes(m), strlen("a_function_to_be_found"));
	cr_assert_eq(module_bytes(NULL), 0);
	cr_assert_neq(module_unwind_header(m), 0);
	cr_assert_eq((const unsigned char *)(uintptr_t)(module_unwind_header(m) + self().bias), self().header);
	module_free(m);
}

Test(symbols, knows_the_vdso)
{
	struct module *m = module_of_image((const void *)getauxval(AT_SYSINFO_EHDR), 8192);
	uint64_t addr;
	cr_assert(m);
	cr_assert_neq(module_unwind_header(m), 0);
	cr_assert(module_address(m, 0, &addr));
	module_free(m);
}

/* The table made of .eh_frame is what the linker put into .eh_frame_hdr. */
Test(symbols, makes_the_linkers_table)
{
	const unsigned char *h = self().header;
	int32_t frame, entry[2];
	uint32_t count;
	memcpy(&frame, h + 4, 4);
	memcpy(&count, h + 8, 4);
	const unsigned char *section = h + 4 + frame;
	size_t n, size = 0;
	for (uint32_t len; memcpy(&len, section + size, 4), len;)
		size += 4 + len;
	struct ehframe_entry *table = ehframe_table(section, size + 4, (uint64_t)(uintptr_t)section, &n);
	cr_assert(table);
	cr_assert_eq(n, count);
	for (size_t i = 0; i < n; i++) {
		memcpy(entry, h + 12 + 8 * i, 8);
		cr_assert_eq((uintptr_t)section + (uintptr_t)(intptr_t)table[i].start,
			     (uintptr_t)h + (uintptr_t)(intptr_t)entry[0]);
		cr_assert_eq((uintptr_t)section + (uintptr_t)(intptr_t)table[i].fde,
			     (uintptr_t)h + (uintptr_t)(intptr_t)entry[1]);
	}
	free(table);
}

/* Files that end early or have other bytes in them are read without harm (the sanitizers look on). */
Test(symbols, survives_damage)
{
	AUTO_CLOSE int fd = open("/proc/self/exe", O_RDONLY);
	struct stat st;
	cr_assert_eq(fstat(fd, &st), 0);
	size_t size = (size_t)st.st_size;
	AUTO_FREE unsigned char *file = malloc(size), *copy = malloc(size);
	cr_assert_eq(pread(fd, file, size, 0), (ssize_t)size);
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)file;
	srandom(1);
	for (unsigned i = 0; i < 400; i++) {
		size_t n = i % 4 ? size : (size_t)random() % size;
		memcpy(copy, file, n);
		for (unsigned k = 0; k < 8 && i % 4; k++) {
			size_t from = k % 2 ? h->e_shoff : 0, room = k % 2 ? size - from : 1024;
			copy[from + (size_t)random() % room] = (unsigned char)random();
		}
		struct module *m = module_of_image(copy, n);
		uint64_t distance, addr;
		if (!m)
			continue;
		module_function(m, (uint64_t)random(), &distance);
		module_address(m, (uint64_t)random(), &addr);
		module_free(m);
	}
}
