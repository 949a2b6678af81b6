/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backtrace.c - unwinds by libunwind's remote interface: the tables are read from the process's own memory, so that no file is needed for
 * it, and names come from the files behind the mappings (symbols.c), as the VFS has them.
 *
 * Tables and stack are the program's: it may have put anything there. Each read of its memory counts, and at a limit all reads fail,
 * which ends whatever libunwind is at.
 */
#include "interposer/trace/backtrace.h"

#include "interposer/live.h"
#include "interposer/trace/ehframe.h"
#include "interposer/trace/symbols.h"
#include "kernel/task.h"

#include <libiberty/demangle.h>
#include <libunwind-x86_64.h>
#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <uthash.h>

/* In libunwind's library, not in its header: finds ip's entry in a table that is read through the accessors. */
extern int _Ux86_64_dwarf_search_unwind_table(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *di, unw_proc_info_t *pi,
					      int need_unwind_info, void *arg);

#define READS_MAX 400000              /* words of one stack */
#define OWN_TABLE (UINT64_C(1) << 63) /* no address of any process's */
#define PAGE      4096U
#define PAGES     64
#define MAPS_MAX  65536
/* Of modules that are kept between stacks, and of those that one stack may need: what more it needs has no names. */
#define CACHE_MAX     256
#define CACHE_BYTES   (128U << 20)
#define BYTES_AT_ONCE (768U << 20)
#define NAME_SIZE     1024

struct mapping {
	uint64_t start, end, offset;
	dev_t dev;
	uint64_t ino;
	char *name; /* what maps says; a host's path never leaves this file */
	bool looked_up;
	const struct module *module;
	char *path; /* of a file of ours */
};

struct stack {
	pid_t tid;
	const struct user_regs_struct *regs;
	struct vfs_ctx ctx;
	struct mapping *maps;
	size_t n_maps;
	unsigned reads;
	const struct ehframe_entry *own_table; /* what reads find at OWN_TABLE */
	size_t own_entries;
	struct page {
		uint64_t addr; /* 1: none */
		unsigned char bytes[PAGE];
	} pages[PAGES];
};

/* --- Modules, kept between stacks ----------------------------------------------------------------------------------- */

struct module_key {
	dev_t dev;
	uint64_t ino;
	int64_t size, mtime, ctime;
};
struct cached_module {
	struct module_key key; /* as the sandbox numbers files; zeros: the vdso */
	struct module *module; /* NULL: not ELF */
	UT_hash_handle hh;
};
/* Guards the cache, and with it the modules that a stack refers to: held while a stack is unwound. */
static pthread_mutex_t cache_mu = PTHREAD_MUTEX_INITIALIZER;
static struct cached_module *cache; /* in the order of their reading */
static size_t cache_bytes;

static const struct module *cache_find(const struct module_key *key, bool *known)
{
	struct cached_module *c;
	HASH_FIND(hh, cache, key, sizeof *key, c);
	*known = c;
	return c ? c->module : NULL;
}

static void cache_add(const struct module_key *key, struct module *m)
{
	struct cached_module *c = calloc(1, sizeof *c);
	if (!c || cache_bytes + module_bytes(m) > BYTES_AT_ONCE) {
		module_free(m);
		m = NULL;
	}
	if (!c)
		return;
	c->key = *key;
	c->module = m;
	cache_bytes += module_bytes(m);
	HASH_ADD(hh, cache, key, sizeof c->key, c);
}

/* Between stacks. */
static void cache_shrink(void)
{
	/* One that is larger than all may be stays until another comes: else each stack would read it again. */
	while (HASH_COUNT(cache) > CACHE_MAX || (cache_bytes > CACHE_BYTES && HASH_COUNT(cache) > 1)) {
		struct cached_module *oldest = cache;
		HASH_DEL(cache, oldest);
		cache_bytes -= module_bytes(oldest->module);
		module_free(oldest->module);
		free(oldest);
	}
}

/* FIFOs and devices in place of debug files must not block. */
static int open_debug_file(void *arg, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC};
	int fd = -1, err = vfs_open(arg, NULL, path, &how, &fd);
	return err ? err : fd;
}

/* The kernel's code is the same in every process, so ours is read: a program can write to its own. */
static const struct module *vdso(void)
{
	static const struct module_key key;
	bool known;
	const struct module *m = cache_find(&key, &known);
	const void *image = (const void *)getauxval(AT_SYSINFO_EHDR);
	if (known || !image)
		return m;
	cache_add(&key, module_of_image(image, 2 * PAGE));
	return cache_find(&key, &known);
}

static void look_up(struct stack *s, struct mapping *m)
{
	char path[PATH_MAX + 16];
	struct kstat st;
	m->looked_up = true;
	if (!strcmp(m->name, "[vdso]")) {
		m->module = vdso();
		return;
	}
	if (!m->ino || vfs_mapped_file(&s->ctx, m->dev, m->ino, path, sizeof path, &st, NULL))
		return;
	struct module_key key;
	memset(&key, 0, sizeof key); /* padding, too: it is hashed */
	key.dev = st.dev;
	key.ino = st.ino;
	key.size = st.size;
	key.mtime = st.mtime;
	key.ctime = st.ctime;
	m->path = strdup(path);
	bool known;
	m->module = cache_find(&key, &known);
	if (known)
		return;
	AUTO_CLOSE int fd = -1;
	if (vfs_mapped_file(&s->ctx, m->dev, m->ino, path, sizeof path, &st, &fd))
		return;
	const struct debug_files debug = {open_debug_file, &s->ctx};
	cache_add(&key, module_read(fd, path, &debug));
	m->module = cache_find(&key, &known);
}

/* --- Mappings ------------------------------------------------------------------------------------------------------- */

static bool read_maps(struct stack *s)
{
	char path[64], *line = NULL;
	size_t size = 0, room = 0;
	snprintf(path, sizeof path, "%d/maps", s->tid);
	int fd = openat(the_place.procfd, path, O_RDONLY | O_CLOEXEC);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (s->n_maps < MAPS_MAX && getline(&line, &size, f) > 0) {
		struct mapping m = {0};
		unsigned maj, min;
		char perms[8];
		int used = 0;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %" SCNu64 " %n", &m.start, &m.end, perms,
			   &m.offset, &maj, &min, &m.ino, &used) != 7)
			continue;
		if (perms[2] != 'x') /* only code matters */
			continue;
		m.dev = makedev(maj, min);
		line[strcspn(line, "\n")] = '\0';
		if (s->n_maps == room) {
			room = room ? 2 * room : 64;
			struct mapping *bigger = reallocarray(s->maps, room, sizeof *bigger);
			if (!bigger)
				break;
			s->maps = bigger;
		}
		m.name = strdup(line + used);
		if (!m.name)
			break;
		s->maps[s->n_maps++] = m;
	}
	free(line);
	fclose(f);
	return true;
}

static struct mapping *mapping_of(struct stack *s, uint64_t ip)
{
	size_t lo = 0, hi = s->n_maps;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->maps[mid].end <= ip)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == s->n_maps || s->maps[lo].start > ip)
		return NULL;
	if (!s->maps[lo].looked_up)
		look_up(s, &s->maps[lo]);
	return &s->maps[lo];
}

/* --- libunwind's accessors ------------------------------------------------------------------------------------------ */

static bool read_memory(struct stack *s, uint64_t addr, void *buf, size_t len)
{
	unsigned char *out = buf;
	size_t own = s->own_entries * sizeof s->own_table[0];
	if (addr >= OWN_TABLE && addr - OWN_TABLE < own && len <= own - (addr - OWN_TABLE)) {
		memcpy(buf, (const char *)s->own_table + (addr - OWN_TABLE), len);
		return true;
	}
	while (len) {
		uint64_t at = addr & ~(uint64_t)(PAGE - 1);
		struct page *p = &s->pages[at / PAGE % PAGES];
		if (++s->reads > READS_MAX)
			return false;
		if (p->addr != at) {
			struct iovec l = {p->bytes, PAGE}, r = {(void *)(uintptr_t)at, PAGE};
			p->addr = 1;
			if (process_vm_readv(s->tid, &l, 1, &r, 1, 0) != PAGE)
				return false;
			p->addr = at;
		}
		size_t n = MIN(len, PAGE - (addr - at));
		memcpy(out, p->bytes + (addr - at), n);
		out += n;
		addr += n;
		len -= n;
	}
	return true;
}

static int access_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *value, int write, void *arg)
{
	return !write && read_memory(arg, addr, value, sizeof *value) ? 0 : -UNW_EINVAL;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *value, int write, void *arg)
{
	static const size_t at[] = {
	    [UNW_X86_64_RAX] = offsetof(struct user_regs_struct, rax),
	    [UNW_X86_64_RDX] = offsetof(struct user_regs_struct, rdx),
	    [UNW_X86_64_RCX] = offsetof(struct user_regs_struct, rcx),
	    [UNW_X86_64_RBX] = offsetof(struct user_regs_struct, rbx),
	    [UNW_X86_64_RSI] = offsetof(struct user_regs_struct, rsi),
	    [UNW_X86_64_RDI] = offsetof(struct user_regs_struct, rdi),
	    [UNW_X86_64_RBP] = offsetof(struct user_regs_struct, rbp),
	    [UNW_X86_64_RSP] = offsetof(struct user_regs_struct, rsp),
	    [UNW_X86_64_R8] = offsetof(struct user_regs_struct, r8),
	    [UNW_X86_64_R9] = offsetof(struct user_regs_struct, r9),
	    [UNW_X86_64_R10] = offsetof(struct user_regs_struct, r10),
	    [UNW_X86_64_R11] = offsetof(struct user_regs_struct, r11),
	    [UNW_X86_64_R12] = offsetof(struct user_regs_struct, r12),
	    [UNW_X86_64_R13] = offsetof(struct user_regs_struct, r13),
	    [UNW_X86_64_R14] = offsetof(struct user_regs_struct, r14),
	    [UNW_X86_64_R15] = offsetof(struct user_regs_struct, r15),
	    [UNW_X86_64_RIP] = offsetof(struct user_regs_struct, rip),
	};
	const struct stack *s = arg;
	if (write || reg < 0 || (size_t)reg >= ARRAY_SIZE(at))
		return -UNW_EBADREG;
	memcpy(value, (const char *)s->regs + at[reg], sizeof *value);
	return 0;
}

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *pi, int need, void *arg)
{
	struct stack *s = arg;
	const struct mapping *m = mapping_of(s, ip);
	uint64_t addr;
	if (!m || !m->module || !module_address(m->module, ip - m->start + m->offset, &addr))
		return -UNW_ENOINFO;
	unw_dyn_info_t di = {.format = UNW_INFO_FORMAT_REMOTE_TABLE, .start_ip = m->start, .end_ip = m->end};
	uint64_t bias = ip - addr, header = module_unwind_header(m->module), base;
	size_t n;
	if (header) {
		/* The binary search table of .eh_frame_hdr (Linux Standard Base, Core, 10.6.2), in the one form that linkers write. */
		struct {
			uint8_t version, frame_ptr, count, table;
			int32_t frame;
			uint32_t entries;
		} head;
		if (!read_memory(s, header + bias, &head, sizeof head) || head.version != 1 || head.count != 0x03 ||
		    head.table != 0x3b)
			return -UNW_ENOINFO;
		di.u.rti.segbase = header + bias;
		di.u.rti.table_data = header + bias + sizeof head;
		n = head.entries;
	} else {
		s->own_table = module_unwind_table(m->module, &base, &s->own_entries);
		if (!s->own_table)
			return -UNW_ENOINFO;
		di.u.rti.segbase = base + bias;
		di.u.rti.table_data = OWN_TABLE;
		n = s->own_entries;
	}
	di.u.rti.table_len = n * sizeof(struct ehframe_entry) / sizeof(unw_word_t);
	return _Ux86_64_dwarf_search_unwind_table(as, ip, &di, pi, need, arg);
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *pi, void *arg)
{
}

static int no_list(unw_addr_space_t as, unw_word_t *addr, void *arg)
{
	return -UNW_ENOINFO;
}

static int no_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *value, int write, void *arg)
{
	return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *c, void *arg)
{
	return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t as, unw_word_t ip, char *buf, size_t size, unw_word_t *offset, void *arg)
{
	return -UNW_ENOINFO;
}

/* --- Frames --------------------------------------------------------------------------------------------------------- */

/* Text that may grow without bound from a short mangled name: left by a jump when it's full. Nothing is allocated on the way. */
struct demangled {
	char text[NAME_SIZE];
	size_t len;
	jmp_buf full;
};

static void demangle_piece(const char *piece, size_t len, void *arg)
{
	struct demangled *d = arg;
	size_t n = MIN(len, sizeof d->text - 1 - d->len);
	memcpy(d->text + d->len, piece, n);
	d->len += n;
	if (n < len)
		longjmp(d->full, 1);
}

static const char *demangle(const char *name, struct demangled *d)
{
	d->len = 0;
	if (strncmp(name, "_Z", 2) != 0)
		return name;
	if (!setjmp(d->full) && !cplus_demangle_v3_callback(name, DMGL_PARAMS | DMGL_ANSI, demangle_piece, d))
		return name;
	d->text[d->len] = '\0';
	return d->text;
}

static void show_frame(struct stack *s, uint64_t ip, bool caller, void (*fn)(void *, const struct frame *), void *arg)
{
	struct demangled d;
	struct frame f = {.ip = ip};
	/* Where a call returns to may be the next function already. */
	uint64_t addr, at = ip - caller;
	const struct mapping *m = mapping_of(s, at);
	if (m) {
		f.file = m->path && *m->path ? m->path : m->ino ? "" : m->name;
		f.offset = ip - m->start + m->offset;
	}
	if (m && m->module && module_address(m->module, at - m->start + m->offset, &addr)) {
		const char *name = module_function(m->module, addr, &f.distance);
		f.distance += caller;
		f.function = name ? demangle(name, &d) : NULL;
	}
	fn(arg, &f);
}

static void unwind(struct stack *s, void (*fn)(void *, const struct frame *), void *arg)
{
	static unw_accessors_t accessors = {find_proc_info, put_unwind_info, no_list,   access_mem,
					    access_reg,     no_fpreg,        no_resume, no_name};
	static unw_addr_space_t as; /* under cache_mu */
	unw_cursor_t cursor;
	unw_word_t ip = s->regs->rip;
	if (!as)
		as = unw_create_addr_space(&accessors, 0);
	if (!as || unw_init_remote(&cursor, as, s)) {
		show_frame(s, ip, false, fn, arg);
		return;
	}
	bool caller = false;
	for (unsigned n = 0; n < BACKTRACE_FRAMES; n++) {
		if (unw_get_reg(&cursor, UNW_REG_IP, &ip) || !ip)
			break;
		show_frame(s, ip, caller, fn, arg);
		/* Above a signal's frame stands the instruction that was interrupted, not one after a call. */
		caller = unw_is_signal_frame(&cursor) <= 0;
		if (unw_step(&cursor) <= 0)
			break;
	}
}

void backtrace_thread(pid_t tid, const struct user_regs_struct *regs, void (*fn)(void *arg, const struct frame *f),
		      void *arg)
{
	static const struct vfs_cred all = {.caps = ~UINT64_C(0)};
	AUTO_FREE struct stack *s = calloc(1, sizeof *s);
	AUTO_PATH struct path root = {0};
	if (!s)
		return;
	struct record *rec = live_record(tid);
	if (rec) {
		root = rec->root;
		path_get(&root);
		record_put(rec);
	} else {
		vfs_root(&root);
	}
	s->tid = tid;
	s->regs = regs;
	s->ctx = (struct vfs_ctx){.cred = &all, .root = &root, .cwd = &root};
	for (size_t i = 0; i < PAGES; i++)
		s->pages[i].addr = 1;
	pthread_mutex_lock(&cache_mu);
	if (read_maps(s))
		unwind(s, fn, arg);
	cache_shrink();
	pthread_mutex_unlock(&cache_mu);
	for (size_t i = 0; i < s->n_maps; i++) {
		free(s->maps[i].name);
		free(s->maps[i].path);
	}
	free(s->maps);
}
