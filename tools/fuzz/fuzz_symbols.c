/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_symbols.c - ELF files of programs inside, as sandbox stacks and trace -k read them, and files of debug information beside them.
 *
 * The input is two files, with the length of the first in front. Paths of debug files are absolute and without ".."; what the module says of
 * an address is of a function that is there. No descriptor is left.
 *
 * covers: interposer/trace/symbols.c
 * options: -max_len=8192
 */
#include "interposer/trace/symbols.h"

#include "interposer/trace/ehframe.h"
#include "tools/fuzz/fuzz.h"

#include <limits.h>
#include <string.h>

struct files {
	const uint8_t *debug;
	size_t size;
	unsigned asked, which;
};

static int open_debug(void *arg, const char *path)
{
	struct files *f = arg;

	FUZZ_CHECK(path[0] == '/' && strlen(path) < PATH_MAX && !strstr(path, "/../"));
	FUZZ_CHECK(!strncmp(path, "/usr/lib/debug/", 15) || !strncmp(path, "/bin/", 5));
	if (f->asked++ != f->which)
		return -ENOENT;
	return fuzz_memfd(f->debug, f->size);
}

static void check_function(const struct module *m, uint64_t addr)
{
	uint64_t distance = 0;
	const char *name = module_function(m, addr, &distance);

	FUZZ_CHECK(!name || (strlen(name) < 16384 && distance <= addr));
}

static void check(const struct module *m, struct fuzz_in *in)
{
	const struct ehframe_entry *table;
	uint64_t addr = 0;
	size_t n;

	table = module_unwind_table(m, &addr, &n);
	FUZZ_CHECK(!table == !n && (!table || !module_unwind_header(m)));
	for (size_t k = 1; k < n; k++)
		FUZZ_CHECK(table[k - 1].start <= table[k].start);
	for (unsigned k = 0; k < 8; k++)
		check_function(m, fuzz_u64(in));
	for (uint64_t offset = 0; offset < 8192; offset += 16) {
		if (module_address(m, offset, &addr))
			check_function(m, addr);
		check_function(m, offset);
	}
	check_function(m, UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct files f = {.which = fuzz_u8(&in) % 4};
	const struct debug_files debug = {open_debug, &f};
	size_t len;
	const uint8_t *p = fuzz_bytes(&in, 65535, &len);
	unsigned fds = fuzz_count_fds();

	f.debug = in.p;
	f.size = in.left;
	int fd = fuzz_memfd(p, len);
	struct module *m = module_read(fd, "/bin/program", &debug);
	if (m)
		check(m, &in);
	module_free(m);
	close(fd);
	m = module_of_image(p, len);
	if (m)
		check(m, &in);
	module_free(m);
	FUZZ_CHECK(fuzz_count_fds() == fds);
	return 0;
}
