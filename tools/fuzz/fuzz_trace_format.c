/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_trace_format.c - calls as text: any call with any arguments, on a process whose memory is the rest of the input and changes between two reads.
 *
 * The line is of bounded length and printable, whatever the process has there.
 *
 * covers: interposer/trace/format.c interposer/trace/structs.c interposer/trace/text.c interposer/trace/flags.c
 * options: -max_len=4096
 */
#include "tools/fuzz/fuzz.h"

#include "interposer/trace/format.h"

#include <signal.h>
#include <string.h>

#define BASE UINT64_C(0x10000)

static struct {
	const uint8_t *p;
	size_t n;
	uint8_t turn; /* xored into what is read, another value each time */
	bool racing;
} mem;

static int mem_read(UNUSED struct call *c, uint64_t addr, void *buf, size_t len)
{
	if (addr < BASE || addr - BASE > mem.n || len > mem.n - (addr - BASE))
		return -EFAULT;
	for (size_t k = 0; k < len; k++)
		((uint8_t *)buf)[k] = mem.p[addr - BASE + k] ^ mem.turn;
	if (mem.racing)
		mem.turn = (uint8_t)(mem.turn * 5 + 1);
	return 0;
}

static ssize_t mem_read_string(struct call *c, uint64_t addr, char *buf, size_t size)
{
	for (size_t k = 0; k < size; k++) {
		if (mem_read(c, addr + k, buf + k, 1))
			return -EFAULT;
		if (!buf[k])
			return (ssize_t)k;
	}
	return -ENAMETOOLONG;
}

static int mem_get_fd(UNUSED struct call *c, UNUSED int fd)
{
	return -EBADF;
}

static const struct host_ops ops = {.read = mem_read, .read_string = mem_read_string, .get_fd = mem_get_fd};

static uint64_t gen_arg(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in);

	if (how < 0x60)
		return how % 16;
	if (how < 0xd0)
		return BASE + fuzz_u16(in) % 1024;
	if (how < 0xe0)
		return UINT64_C(1) << (how % 64);
	if (how < 0xf0)
		return (uint64_t) - (int64_t)(how % 4);
	return fuzz_u64(in);
}

static void check_text(const struct text *t)
{
	FUZZ_CHECK(t->n <= t->size && t->n < 32U << 20);
	for (size_t k = 0; k < t->n; k++)
		FUZZ_CHECK(t->p[k] >= ' ' && t->p[k] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	uint8_t how = fuzz_u8(&in);
	struct trace_options opt = {.strsize = fuzz_u8(&in), .verbose = how & 1, .fd_paths = how & 2, .hex = how >> 2 & 3};
	struct call c = {.ops = &ops, .nr = fuzz_u16(&in) % (SYSCALL_MAX + 8) - 4};
	struct shown s = {.opt = &opt, .c = &c, .foreign = (how & 0xf0) == 0xf0};
	struct text line = {0};
	siginfo_t info = {0};

	if (opt.hex > 2)
		opt.hex = 0;
	if (how & 0x80)
		memset(&opt.raw, 0xff, sizeof(opt.raw));
	if (how & 0x20)
		opt.read_fds = opt.write_fds = (struct trace_fds){.bits = {UINT64_MAX}, .above = true};
	for (unsigned k = 0; k < 6; k++)
		c.args[k] = gen_arg(&in);
	s.rval = (int64_t)gen_arg(&in);
	bool failed = fuzz_u8(&in) & 1;
	mem.racing = how & 0x10;
	mem.turn = 0;
	mem.p = in.p;
	mem.n = in.left;
	format_start();
	format_entry(&s);
	FUZZ_CHECK(s.at_entry == s.text.n);
	s.failed = failed;
	if (failed && s.rval > 0)
		s.rval = -s.rval;
	format_exit(&s);
	for (int k = 0; k < s.n; k++)
		FUZZ_CHECK(s.from[k] <= s.to[k] && s.to[k] <= s.text.n);
	format_result(&s, &line);
	check_text(&s.text);
	check_text(&s.extra);
	check_text(&line);
	line.n = 0;
	memcpy(&info, in.p, MIN(in.left, sizeof(info)));
	format_siginfo(&line, &info);
	check_text(&line);
	line.n = 0;
	text_json(&line, (const char *)in.p, in.left);
	check_text(&line);
	FUZZ_CHECK(line.n >= 2 + in.left);
	free(line.p);
	free(s.text.p);
	free(s.extra.p);
	return 0;
}
