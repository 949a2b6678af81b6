/* SPDX-License-Identifier: Apache-2.0 */
/* dump.c - the present state of the file system, for a developer who asks what goes on. */
#include "vfs/core.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct out {
	void (*fn)(void *arg, const char *line);
	void *arg;
	struct vfs_ctx ctx;
};

static void say(struct out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct out *o, const char *fmt, ...)
{
	char line[PATH_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* Names are anybody's choice. */
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			*p = '?';
	o->fn(o->arg, line);
}

static void dump_mount(const struct mount_info *m, const char *at, void *arg)
{
	say(arg, "mount %d: %s on %s%s", m->id, m->sb->type, at, m->ro ? " (read-only)" : "");
}

static void dump_token(void *arg, const struct path *p, bool o_path, bool locked)
{
	struct out *o = arg;
	AUTO_FREE char *buf = malloc(PATH_MAX);

	if (buf && vfs_getpath(&o->ctx, p, buf, PATH_MAX) > 0)
		say(o, "token: %s %s%s", o_path ? "O_PATH" : "directory", buf, locked ? " (flock)" : "");
	else
		say(o, "token: %s without a name", o_path ? "O_PATH" : "directory");
}

static void dump_store(struct out *o, unsigned n)
{
	struct filestore *fs = filestore_get(n);
	struct filestore_counts c;
	struct statfs s;

	filestore_counts(fs, &c);
	if (fstatfs(filestore_dir(fs), &s))
		return;
	say(o,
	    "store %u: %" PRIu64 " files made, %u spare, %zu freed; its file system has %" PRIu64 " of %" PRIu64
	    " bytes in use",
	    n, c.last_id, c.pool, c.freed, (uint64_t)(s.f_blocks - s.f_bfree) * (uint64_t)s.f_bsize,
	    (uint64_t)s.f_blocks * (uint64_t)s.f_bsize);
}

void vfs_dump(void (*fn)(void *arg, const char *line), void *arg)
{
	static const struct vfs_cred nobody; /* paths are built without permissions */
	struct dcache_census d;
	struct token_counts t;
	struct vfs_stats v;
	struct path root;

	vfs_root(&root);
	struct out o = {.fn = fn, .arg = arg, .ctx = {.cred = &nobody, .root = &root, .cwd = &root}};
	vfs_get_stats(&v);
	dcache_census(&d);
	say(&o,
	    "dentry cache: %zu entries, %zu of them negative, %zu pinned, %zu whiteouts; %zu bytes; %" PRIu64
	    " hits, %" PRIu64 " misses, %" PRIu64 " evicted",
	    d.dentries, d.negative, d.pinned, d.whiteouts, d.bytes, v.dcache_hits, v.dcache_misses, v.dcache_evicted);
	say(&o, "dentry cache: can be evicted: %zu entries of at most %zu, %zu bytes of at most %zu; %zu buckets",
	    d.lru_entries, d.max_entries, d.lru_bytes, d.max_bytes, d.buckets);
	say(&o, "inodes: %" PRIu64, v.inodes);
	say(&o, "overlay: %" PRIu64 " changed files; %" PRIu64 " copy-ups of %" PRIu64 " bytes", v.upper_files, v.copy_ups,
	    v.copy_up_bytes);
	for (unsigned i = 0; i <= VFS_STORES; i++)
		if (!i || (vfs_config()->stores[i - 1].dir > 0))
			dump_store(&o, i);
	token_dump(dump_token, &o, &t);
	say(&o, "tokens: %zu open, %zu made; %zu directories with flock", t.open, t.total, t.locks);
	vfs_for_each_mount(&o.ctx, dump_mount, &o);
	path_put(&root);
}
