/* SPDX-License-Identifier: Apache-2.0 */
/* used.c - see used.h. */
#include "tools/used.h"

#include "base/log.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Three times what vfs/note.c has room for. */
#define MAX_SIZE ((off_t)384 << 20)

const struct used_kind used_kinds[] = {
    {VFS_NOTE_READ, "read"},
    {VFS_NOTE_WRITTEN, "written"},
    {VFS_NOTE_EXECUTED, "executed"},
    {VFS_NOTE_LISTED, "listed"},
    {VFS_NOTE_CREATED, "created"},
    {VFS_NOTE_DELETED, "deleted"},
    {VFS_NOTE_MOVED | VFS_NOTE_MOVED_TO, "renamed"},
    {VFS_NOTE_CHANGED, "changed"},
    {VFS_NOTE_LINKED, "linked"},
    {VFS_NOTE_MISSING, "missing"},
    {VFS_NOTE_SEEN | VFS_NOTE_LINK, "examined"},
    {0, NULL},
};

unsigned used_kinds_of(const struct vfs_note *n)
{
	unsigned what = n->what;
	unsigned done =
	    what & ~(VFS_NOTE_SEEN | VFS_NOTE_MISSING | VFS_NOTE_LINK | VFS_NOTE_DIR | VFS_NOTE_STICKY | VFS_NOTE_PRIVATE);

	if (done)
		what &= ~(VFS_NOTE_SEEN | VFS_NOTE_MISSING | VFS_NOTE_LINK);
	else if (what & (VFS_NOTE_SEEN | VFS_NOTE_LINK))
		what &= ~VFS_NOTE_MISSING;
	return what;
}

int used_open(void)
{
	int fd = memfd_create("sandbox-used", MFD_CLOEXEC);

	if (fd < 0)
		die("memfd_create: %m");
	return fd;
}

void used_free(struct used *u)
{
	free(u->notes);
	free(u->text);
	*u = (struct used){0};
}

/* So that what is in a directory follows it at once: as if '/' sorted before every other byte. */
static int by_tree(const void *a, const void *b)
{
	const unsigned char *p = (const unsigned char *)((const struct vfs_note *)a)->path;
	const unsigned char *q = (const unsigned char *)((const struct vfs_note *)b)->path;

	for (; *p == *q && *p; p++, q++)
		;
	int x = *p == '/' ? 1 : *p ? *p + 1 : 0, y = *q == '/' ? 1 : *q ? *q + 1 : 0;
	return x - y;
}

static bool path_ok(const char *s)
{
	return s[0] == '/' && strlen(s) < USED_PATH_MAX;
}

/* As the VFS has them. Another one would be a rule that isn't one (profile.c), or a place that nobody means. */
static bool canonical(const char *s)
{
	if (!s[1])
		return true;
	for (size_t len; *s; s += len) {
		len = strcspn(++s, "/");
		if (!len || len > NAME_MAX || (s[0] == '.' && (len == 1 || (len == 2 && s[1] == '.'))))
			return false;
	}
	return true;
}

/* The next string of the text, or NULL. */
static const char *next_string(const struct used *u, size_t size, size_t *at)
{
	const char *s = u->text + *at;
	size_t n;

	if (*at >= size)
		return NULL;
	n = strnlen(s, size - *at);
	if (n == size - *at)
		return NULL;
	*at += n + 1;
	return s;
}

/* True when the last record was found. */
static bool parse(struct used *u, size_t size)
{
	size_t at = 0, cap = 0, dropped = 0;
	char *end;

	for (;;) {
		const char *head = next_string(u, size, &at), *asked = next_string(u, size, &at);
		const char *other = next_string(u, size, &at);

		if (!head || !asked || !other)
			return false;
		if (*head == '!') {
			u->lost = strtoull(head + 1, &end, 10) + dropped;
			u->network = !strcmp(end, " 1");
			return true;
		}
		unsigned long what = isxdigit((unsigned char)*head) ? strtoul(head, &end, 16) : 0;
		if (!what || (what & ~(unsigned long)VFS_NOTE_ALL) || *end != ' ' || !path_ok(end + 1) ||
		    (*asked && !path_ok(asked)) || (*other && !path_ok(other)))
			return false;
		if (!canonical(end + 1) || (*other && !canonical(other))) {
			dropped++;
			continue;
		}
		if (u->n == cap) {
			cap = cap ? 2 * cap : 1024;
			u->notes = reallocarray(u->notes, cap, sizeof(*u->notes));
			if (!u->notes)
				die("out of memory");
		}
		u->notes[u->n++] = (struct vfs_note){
		    .path = end + 1, .asked = *asked ? asked : NULL, .other = *other ? other : NULL, .what = (unsigned)what};
	}
}

bool used_load(struct used *u, int fd)
{
	AUTO_CLOSE int own = fd;
	struct stat st;
	size_t n = 0;

	*u = (struct used){0};
	if (fstat(own, &st))
		die("fstat: %m");
	if (st.st_size > MAX_SIZE)
		die("the sandbox told too much of what was used");
	u->text = malloc((size_t)st.st_size + 1);
	if (!u->text)
		die("out of memory");
	while (n < (size_t)st.st_size) {
		ssize_t r = pread(own, u->text + n, (size_t)st.st_size - n, (off_t)n);
		if (r <= 0)
			break;
		n += (size_t)r;
	}
	if (!parse(u, n)) {
		log_msg("the sandbox ended before it could tell what was used");
		used_free(u);
		return false;
	}
	if (u->n)
		qsort(u->notes, u->n, sizeof(*u->notes), by_tree);
	if (u->lost)
		log_msg("%llu uses of paths are left out: too many different ones", (unsigned long long)u->lost);
	return true;
}

/* Bytes of a well-formed UTF-8 character that isn't a control character, or 0. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n = *s < 0x80 ? 1 : (*s & 0xe0) == 0xc0 ? 2 : (*s & 0xf0) == 0xe0 ? 3 : (*s & 0xf8) == 0xf0 ? 4 : 0;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = n > 1 ? *s & (0x7fU >> n) : *s;

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	return n;
}

char *path_escape(const char *path)
{
	char *out = malloc(4 * strlen(path) + 1), *o = out;

	if (!out)
		die("out of memory");
	while (*path) {
		size_t n = utf8_len((const unsigned char *)path);

		if (*path == '\\') {
			*o++ = '\\';
			*o++ = *path++;
		} else if (n) {
			memcpy(o, path, n);
			o += n;
			path += n;
		} else {
			o += snprintf(o, 5, "\\x%02x", (unsigned char)*path++);
		}
	}
	*o = 0;
	return out;
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool path_unescape(char *s)
{
	char *o = s;

	while (*s) {
		if (*s != '\\') {
			*o++ = *s++;
		} else if (s[1] == '\\') {
			*o++ = '\\';
			s += 2;
		} else {
			int hi = s[1] == 'x' ? hex(s[2]) : -1, lo = hi >= 0 ? hex(s[3]) : -1;

			if (lo < 0 || !(hi | lo))
				return false;
			*o++ = (char)(16 * hi + lo);
			s += 4;
		}
	}
	*o = 0;
	return true;
}
