/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_used.c - what a supervisor that was taken over may tell sandbox files and sandbox learn, of paths that are anybody's choice.
 *
 * Lists have no control characters, JSON is JSON. A profile that is learnt from it can be read, and allows what was used, but what the profile
 * before forbade.
 *
 * covers: tools/used.c tools/cmd_files.c tools/cmd_learn.c
 * options: -max_len=2048
 */
#include "tools/used.h"

#include "tools/files.h"
#include "tools/fuzz/fuzz.h"
#include "tools/profile.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

struct run {
	struct used u;
	struct files_options files;
	struct profile p;
	const char *file;
	bool loaded;
};

static struct {
	char p[16384];
	size_t n;
} text;

static void put(const char *s, size_t n)
{
	n = MIN(n, sizeof(text.p) - text.n);
	memcpy(text.p + text.n, s, n);
	text.n += n;
}

static void put_path(struct fuzz_in *in)
{
	static const char *const words[] = {"a",
					    "b",
					    "etc",
					    "tmp",
					    "tmp.aB3dE9x1",
					    "proc",
					    "12",
					    "dev",
					    "pts",
					    "*",
					    "**",
					    "..",
					    ".",
					    "a b",
					    "\\x2a",
					    "0b",
					    "3b18e512dba79e4c8300dd08aeb37f8e728b8dad",
					    "\x1b[2J",
					    "\xc2\x9b\xff",
					    "objects"};
	unsigned n = fuzz_u8(in) % 6;

	if (!n)
		put("/", 1);
	for (; n; n--) {
		uint8_t w = fuzz_u8(in);
		put("/", 1);
		if (w < 0xf8) {
			const char *s = words[w % ARRAY_SIZE(words)];
			put(s, strlen(s));
		} else {
			size_t len;
			const char *s = (const char *)fuzz_bytes(in, 300, &len);
			put(s, strnlen(s, len));
		}
	}
}

/* interposer/notes.c says how. */
static void put_note(struct fuzz_in *in)
{
	char head[16];
	uint8_t how = fuzz_u8(in);
	uint32_t what = fuzz_u8(in) & 1 ? 1U << (fuzz_u8(in) % 17) | VFS_NOTE_SEEN : fuzz_u32(in) & VFS_NOTE_ALL;

	put(head, (size_t)snprintf(head, sizeof(head), "%x ", what ? what : 1));
	for (unsigned again = how < 0xfe ? 1 : 300; again; again--) {
		put_path(in);
		if (how == 0xff) /* many in one directory */
			put(head, (size_t)snprintf(head, sizeof(head), "/x%u", again));
		put("", 1);
		if (how & 1)
			put_path(in);
		put("", 1);
		if (how & 2)
			put_path(in);
		put("", 1);
		if (again > 1)
			put(head, (size_t)snprintf(head, sizeof(head), "%x ", what ? what : 1));
	}
}

static void load(void *arg)
{
	struct run *r = arg;

	r->loaded = used_load(&r->u, fuzz_memfd(text.p, text.n));
}

static void check_list(struct run *r)
{
	char *s = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&s, &n);

	FUZZ_CHECK(f);
	files_print(f, &r->files, &r->u);
	FUZZ_CHECK(!fclose(f) && strlen(s) == n);
	for (size_t k = 0; k < n; k++)
		FUZZ_CHECK((unsigned char)s[k] >= 32 || s[k] == '\n');
	FUZZ_CHECK(!strstr(s, "\xc2\x9b") && !strchr(s, 127));
	if (r->files.json) {
		json_t *j = json_loads(s, 0, NULL);
		FUZZ_CHECK(j);
		json_decref(j);
	}
	free(s);
}

static const struct vfs_rule *rule(const struct profile *p, const char *path, size_t len, enum vfs_rule_scope scope)
{
	for (size_t k = 0; k < p->n_rules; k++) {
		const struct vfs_rule *r = &p->rules[k];
		bool same = len ? strlen(r->path) == len && !memcmp(r->path, path, len) : !strcmp(r->path, "/");
		if (r->scope == scope && same)
			return r;
	}
	return NULL;
}

static size_t parent(const char *path, size_t len)
{
	while (len && path[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}

/* The nearest rule (vfs/vfs.h). */
static unsigned allowed(const struct profile *p, const char *path)
{
	size_t len = path[1] ? strlen(path) : 0, up = parent(path, len);
	const struct vfs_rule *r = rule(p, path, len, VFS_RULE_PATH), *below = NULL, *dir;

	if (r)
		return r->may;
	below = rule(p, path, len, VFS_RULE_BELOW);
	if (below)
		return below->may;
	r = len ? rule(p, path, up, VFS_RULE_CHILDREN) : NULL;
	if (r)
		return r->may;
	for (size_t at = len; !below && at;)
		below = rule(p, path, at = parent(path, at), VFS_RULE_BELOW);
	if (below)
		return below->may;
	dir = len ? rule(p, path, up, VFS_RULE_PATH) : NULL;
	return dir && dir->may & VFS_MAY_READ ? VFS_MAY_SEE : 0;
}

static void check_allowed(const struct profile *p, const struct used *u)
{
	for (size_t k = 0; k < u->n; k++) {
		const struct vfs_note *n = &u->notes[k];
		unsigned need = 0;
		if (n->what & VFS_NOTE_READ)
			need |= VFS_MAY_READ;
		if (n->what & (VFS_NOTE_WRITTEN | VFS_NOTE_CREATED | VFS_NOTE_DELETED | VFS_NOTE_CHANGED))
			need |= VFS_MAY_WRITE;
		if (n->what & VFS_NOTE_EXECUTED)
			need |= VFS_MAY_EXEC;
		FUZZ_CHECK(!(need & ~allowed(p, n->path)));
	}
}

static void learn(void *arg)
{
	struct run *r = arg;

	learn_rules(&r->p, &r->u);
	profile_save(&r->p, r->file);
}

static void reload(void *arg)
{
	struct run *r = arg;

	profile_load(&r->p, r->file);
}

static void check_profile(struct run *r)
{
	struct run again = {.file = r->file};

	FUZZ_CHECK(!fuzz_dies(learn, r));
	check_allowed(&r->p, &r->u);
	FUZZ_CHECK(!fuzz_dies(reload, &again));
	FUZZ_CHECK(again.p.has_paths && again.p.n_rules == r->p.n_rules);
	check_allowed(&again.p, &r->u);
	profile_free(&again.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char file[128];
	struct fuzz_in in = {data, size};
	uint8_t how = fuzz_u8(&in);
	struct run r = {.file = file, .files = {.kinds = FILES_DEFAULT}};

	snprintf(file, sizeof(file), "%s/profile", fuzz_scratch());
	text.n = 0;
	if (how & 1) {
		while (in.left && text.n < sizeof(text.p) - 64)
			put_note(&in);
		text.n = MIN(text.n, sizeof(text.p) - 16);
		put("!3 1\0\0", 7);
	} else {
		put((const char *)in.p, in.left);
	}
	unsigned fds = fuzz_count_fds();
	FUZZ_CHECK(!fuzz_dies(load, &r));
	FUZZ_CHECK(fuzz_count_fds() <= fds + 1);
	if (!r.loaded)
		return 0;
	r.files.json = how & 2;
	r.files.tree = how & 4;
	r.files.kinds = how & 8 ? VFS_NOTE_ALL : r.files.kinds;
	r.files.prefix = how & 16 ? "/a" : NULL;
	check_list(&r);
	if (how & 32)
		profile_add_rule(&r.p, how & 64 ? "/a" : "/", how & 128 ? VFS_RULE_CHILDREN : VFS_RULE_BELOW,
				 VFS_MAY_READ | VFS_MAY_SEE);
	check_profile(&r);
	profile_free(&r.p);
	used_free(&r.u);
	return 0;
}
