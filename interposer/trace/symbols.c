/* SPDX-License-Identifier: Apache-2.0 */
/*
 * symbols.c - reads ELF files by libelf, from copies. A stripped file's names are looked for where GDB looks (its manual, "Separate Debug Files"): by build-id
 * below /usr/lib/debug/.build-id, then by .gnu_debuglink beside the file, in .debug/ and below /usr/lib/debug.
 */
#include "interposer/trace/symbols.h"

#include "interposer/trace/ehframe.h"

#include <gelf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define FILE_MAX     (512 << 20)
#define NAMES_MAX    (256U << 20) /* of all functions together, in bytes */
#define SEGMENTS_MAX 64
#define DEBUG_ROOT   "/usr/lib/debug"

struct segment {
	uint64_t offset, addr, size;
};
struct symbol {
	uint64_t addr, size;
	uint32_t name; /* in names */
	uint32_t rank; /* among symbols of one address the least is shown */
};
struct module {
	struct segment *segments;
	struct symbol *symbols;
	char *names;
	size_t n_segments, n_symbols, names_len;
	uint64_t unwind_header;
	struct ehframe_entry *frames; /* without a header: of .eh_frame at frames_addr */
	size_t n_frames;
	uint64_t frames_addr;
};

void module_free(struct module *m)
{
	if (!m)
		return;
	free(m->segments);
	free(m->symbols);
	free(m->names);
	free(m->frames);
	free(m);
}

size_t module_bytes(const struct module *m)
{
	return !m ? 0
		  : sizeof(*m) + m->n_segments * sizeof(*m->segments) + m->n_symbols * sizeof(*m->symbols) + m->names_len +
			m->n_frames * sizeof(*m->frames);
}

static void end_elf(Elf **e)
{
	elf_end(*e); /* NULL is fine */
}
#define AUTO_ELF __attribute__((cleanup(end_elf)))

/* A file's content. libelf works on it in place. */
struct image {
	void *data;
	size_t size;
};

static void free_image(struct image *im)
{
	free(im->data);
}
#define AUTO_IMAGE __attribute__((cleanup(free_image)))

/* Empty when the file is too large or can't be read. */
static struct image read_image(int fd)
{
	struct image im = {NULL, 0};
	struct stat st;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(Elf64_Ehdr) || st.st_size > FILE_MAX)
		return im;
	im.data = malloc((size_t)st.st_size);
	while (im.data && im.size < (size_t)st.st_size) {
		ssize_t n = pread(fd, (char *)im.data + im.size, (size_t)st.st_size - im.size, (off_t)im.size);
		if (n <= 0)
			break;
		im.size += (size_t)n;
	}
	return im;
}

/* NULL unless it's of this machine. More than 65,279 sections are refused: libelf would set up as many as the file claims. */
static Elf *open_elf(const struct image *im)
{
	Elf64_Ehdr h;
	elf_version(EV_CURRENT);
	if (!im->data || im->size < sizeof h)
		return NULL;
	memcpy(&h, im->data, sizeof h);
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
	    h.e_machine != EM_X86_64 || (h.e_shoff && !h.e_shnum) || h.e_phnum > SEGMENTS_MAX)
		return NULL;
	Elf *e = elf_memory(im->data, im->size);
	if (e && elf_kind(e) == ELF_K_ELF)
		return e;
	elf_end(e);
	return NULL;
}

static bool read_segments(struct module *m, Elf *e)
{
	size_t n = 0;
	if (elf_getphdrnum(e, &n) || n > SEGMENTS_MAX)
		return false;
	m->segments = calloc(n ? n : 1, sizeof m->segments[0]);
	if (!m->segments)
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;
		if (!gelf_getphdr(e, (int)i, &p))
			return false;
		if (p.p_type == PT_LOAD)
			m->segments[m->n_segments++] = (struct segment){p.p_offset, p.p_vaddr, p.p_filesz};
		else if (p.p_type == PT_GNU_EH_FRAME)
			m->unwind_header = p.p_vaddr;
	}
	return true;
}

static Elf_Scn *find_section(Elf *e, uint32_t type, const char *name, GElf_Shdr *h)
{
	size_t strings;
	if (elf_getshdrstrndx(e, &strings))
		return NULL;
	for (Elf_Scn *s = NULL; (s = elf_nextscn(e, s));) {
		if (!gelf_getshdr(s, h) || h->sh_type != type)
			continue;
		const char *is = name ? elf_strptr(e, strings, h->sh_name) : NULL;
		if (!name || (is && !strcmp(is, name)))
			return s;
	}
	return NULL;
}

static void read_frames(struct module *m, Elf *e)
{
	GElf_Shdr h;
	Elf_Scn *scn = find_section(e, SHT_PROGBITS, ".eh_frame", &h);
	const Elf_Data *d = scn ? elf_rawdata(scn, NULL) : NULL;
	if (!d || !d->d_buf)
		return;
	m->frames = ehframe_table(d->d_buf, d->d_size, h.sh_addr, &m->n_frames);
	m->frames_addr = h.sh_addr;
}

static bool is_function(const GElf_Sym *s)
{
	unsigned type = GELF_ST_TYPE(s->st_info);
	return (type == STT_FUNC || type == STT_GNU_IFUNC) && s->st_shndx != SHN_UNDEF && s->st_value;
}

/* open64 before __open64 before a file's own __GI_open64. */
static uint32_t rank_of(const GElf_Sym *s, const char *name)
{
	return (GELF_ST_BIND(s->st_info) == STB_LOCAL ? 2U : 0U) + (name[0] == '_' && name[1] == '_' ? 1U : 0U);
}

/* Adds the functions of one table of symbols. False: no memory, or nothing there. */
static bool add_symbols(struct module *m, Elf *e, uint32_t type)
{
	GElf_Shdr h, sh;
	Elf_Scn *scn = find_section(e, type, NULL, &h);
	Elf_Data *syms = scn && h.sh_entsize ? elf_getdata(scn, NULL) : NULL;
	Elf_Scn *str = syms ? elf_getscn(e, h.sh_link) : NULL;
	if (!str || !gelf_getshdr(str, &sh) || sh.sh_type != SHT_STRTAB)
		return false;
	const Elf_Data *names = elf_getdata(str, NULL);
	if (!names || !names->d_buf || !names->d_size || ((char *)names->d_buf)[names->d_size - 1])
		return false;

	size_t n = MIN(syms->d_size / h.sh_entsize, (size_t)INT_MAX), functions = 0, bytes = 0;
	GElf_Sym s;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getsym(syms, (int)i, &s) || !is_function(&s) || s.st_name >= names->d_size)
			continue;
		functions++;
		bytes += strlen((char *)names->d_buf + s.st_name) + 1;
		if (bytes > NAMES_MAX) /* many names may end in one long one */
			return false;
	}
	if (!functions)
		return false;
	m->symbols = malloc(functions * sizeof m->symbols[0]);
	m->names = malloc(bytes);
	if (!m->symbols || !m->names)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getsym(syms, (int)i, &s) || !is_function(&s) || s.st_name >= names->d_size)
			continue;
		const char *name = (char *)names->d_buf + s.st_name;
		size_t len = strcspn(name, "@"); /* .symtab has versions in its names */
		m->symbols[m->n_symbols++] =
		    (struct symbol){s.st_value, s.st_size, (uint32_t)m->names_len, rank_of(&s, name)};
		memcpy(m->names + m->names_len, name, len);
		m->names_len += len;
		m->names[m->names_len++] = '\0';
	}
	return true;
}

static void drop_symbols(struct module *m)
{
	free(take_ptr(m->symbols));
	free(take_ptr(m->names));
	m->n_symbols = m->names_len = 0;
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;
	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* One symbol an address. */
static void sort_symbols(struct module *m)
{
	size_t n = 0;
	if (!m->n_symbols)
		return;
	qsort(m->symbols, m->n_symbols, sizeof m->symbols[0], by_address);
	for (size_t i = 1; i < m->n_symbols; i++) {
		if (m->symbols[i].addr != m->symbols[n].addr)
			m->symbols[++n] = m->symbols[i];
	}
	m->n_symbols = n + 1;
}

/* --- Separate debug files --- */

struct build_id {
	unsigned char bytes[32];
	size_t len;
};

static struct build_id build_id_of(Elf *e)
{
	struct build_id id = {.len = 0};
	GElf_Shdr h;
	Elf_Scn *scn = find_section(e, SHT_NOTE, ".note.gnu.build-id", &h);
	Elf_Data *d = scn ? elf_getdata(scn, NULL) : NULL;
	size_t name, desc;
	GElf_Nhdr n;
	for (size_t pos = 0; d && (pos = gelf_getnote(d, pos, &n, &name, &desc)) > 0;) {
		if (n.n_type != NT_GNU_BUILD_ID || n.n_namesz != 4 || memcmp((char *)d->d_buf + name, "GNU", 4) ||
		    n.n_descsz < 2 || n.n_descsz > sizeof id.bytes)
			continue;
		memcpy(id.bytes, (char *)d->d_buf + desc, n.n_descsz);
		id.len = n.n_descsz;
		break;
	}
	return id;
}

/* From the debug file at path, when it is this module's: by its build-id, or without one by its checksum. */
static bool symbols_from(struct module *m, const struct debug_files *debug, const char *path, const struct build_id *id,
			 const uint32_t *sum)
{
	AUTO_CLOSE int fd = debug->open(debug->arg, path);
	if (fd < 0)
		return false;
	AUTO_IMAGE struct image im = read_image(fd);
	AUTO_ELF Elf *e = open_elf(&im);
	if (!e)
		return false;
	if (sum) {
		/* The checksum of a debug link is that of zlib. */
		if (crc32_z(0, im.data, im.size) != *sum)
			return false;
	} else {
		struct build_id is = build_id_of(e);
		if (is.len != id->len || memcmp(is.bytes, id->bytes, id->len))
			return false;
	}
	if (add_symbols(m, e, SHT_SYMTAB))
		return true;
	drop_symbols(m);
	return false;
}

static bool by_build_id(struct module *m, Elf *e, const struct debug_files *debug)
{
	struct build_id id = build_id_of(e);
	char path[sizeof(DEBUG_ROOT) + 128];
	if (!id.len)
		return false;
	int n = snprintf(path, sizeof path, DEBUG_ROOT "/.build-id/%02x/", id.bytes[0]);
	for (size_t i = 1; i < id.len; i++)
		n += snprintf(path + n, sizeof path - (size_t)n, "%02x", id.bytes[i]);
	snprintf(path + n, sizeof path - (size_t)n, ".debug");
	return symbols_from(m, debug, path, &id, NULL);
}

static bool by_debug_link(struct module *m, Elf *e, const char *file, const struct debug_files *debug)
{
	static const char *const places[] = {"%.*s/%s", "%.*s/.debug/%s", DEBUG_ROOT "%.*s/%s"};
	GElf_Shdr h;
	Elf_Scn *scn = find_section(e, SHT_PROGBITS, ".gnu_debuglink", &h);
	const Elf_Data *d = scn ? elf_getdata(scn, NULL) : NULL;
	const char *slash = strrchr(file, '/');
	char path[PATH_MAX];
	uint32_t sum;
	if (!slash || !d || d->d_size < 8 || d->d_size > NAME_MAX + 8)
		return false;
	const char *name = d->d_buf;
	size_t len = strnlen(name, d->d_size), at = (len + 4) & ~(size_t)3;
	if (!len || at + sizeof sum > d->d_size || memchr(name, '/', len) || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	memcpy(&sum, name + at, sizeof sum);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		int n = snprintf(path, sizeof path, places[i], (int)(slash - file), file, name);
#pragma GCC diagnostic pop
		if (n > 0 && n < (int)sizeof path && strcmp(path, file) && symbols_from(m, debug, path, NULL, &sum))
			return true;
	}
	return false;
}

static struct module *read_elf(Elf *e, const char *path, const struct debug_files *debug)
{
	struct module *m = e ? calloc(1, sizeof *m) : NULL;
	if (!m)
		return NULL;
	if (!read_segments(m, e)) {
		module_free(m);
		return NULL;
	}
	if (!m->unwind_header)
		read_frames(m, e);
	if (add_symbols(m, e, SHT_SYMTAB))
		goto out;
	drop_symbols(m);
	if (debug && (by_build_id(m, e, debug) || by_debug_link(m, e, path, debug)))
		goto out;
	if (!add_symbols(m, e, SHT_DYNSYM))
		drop_symbols(m);
out:
	sort_symbols(m);
	return m;
}

struct module *module_read(int fd, const char *path, const struct debug_files *debug)
{
	AUTO_IMAGE struct image im = read_image(fd);
	AUTO_ELF Elf *e = open_elf(&im);
	return read_elf(e, path, debug);
}

struct module *module_of_image(const void *image, size_t size)
{
	AUTO_IMAGE struct image im = {malloc(size ? size : 1), size};
	if (!im.data)
		return NULL;
	memcpy(im.data, image, size);
	AUTO_ELF Elf *e = open_elf(&im);
	return read_elf(e, "", NULL);
}

bool module_address(const struct module *m, uint64_t offset, uint64_t *addr)
{
	for (size_t i = 0; i < m->n_segments; i++) {
		const struct segment *s = &m->segments[i];
		if (offset >= s->offset && offset - s->offset < s->size) {
			*addr = offset - s->offset + s->addr;
			return true;
		}
	}
	return false;
}

uint64_t module_unwind_header(const struct module *m)
{
	return m->unwind_header;
}

const struct ehframe_entry *module_unwind_table(const struct module *m, uint64_t *addr, size_t *n)
{
	*addr = m->frames_addr;
	*n = m->n_frames;
	return m->frames;
}

const char *module_function(const struct module *m, uint64_t addr, uint64_t *distance)
{
	size_t lo = 0, hi = m->n_symbols;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->symbols[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	const struct symbol *s = &m->symbols[lo - 1];
	*distance = addr - s->addr;
	/* Assembler code often has no size: it reaches to the next function. */
	return s->size && *distance >= s->size ? NULL : m->names + s->name;
}
