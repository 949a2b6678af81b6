/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_maps.c - maps and smaps of a process: the native text without the loader stub, and with files as the sandbox names and
 * numbers them. A native name is a host path or that of a backing file, so it is never passed on.
 */
#include "vfs/core.h"
#include "vfs/proc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

struct map_line {
	char range[48], perms[8], offset[24];
	unsigned maj, min;
	uint64_t ino;
	const char *name; /* the rest of the line, may be empty */
};

/* A header line of proc_pid_maps(5) in line (NUL terminated, no newline)? smaps has lines of "Key: value" between them. */
static bool parse_map(const char *line, struct map_line *m)
{
	int used = 0;

	if (sscanf(line, "%47[0-9a-f-] %7s %23[0-9a-f] %x:%x %" SCNu64 "%n", m->range, m->perms, m->offset, &m->maj, &m->min,
		   &m->ino, &used) != 6 ||
	    !strchr(m->range, '-'))
		return false;
	m->name = line + used;
	m->name += strspn(m->name, " ");
	return true;
}

/* Objects without a name in any directory: what the kernel itself calls them tells nothing of the host. */
static bool kernel_name(const struct map_line *m)
{
	static const char *const prefixes[] = {"/memfd:", "/dev/zero (deleted)",      "/SYSV",
					       "/[aio]",  "/anon_hugepage (deleted)", "anon_inode:"};

	if (m->maj != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (strncmp(m->name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

struct inode *mapped_inode(dev_t dev, uint64_t ino, struct vfile *out)
{
	*out = (struct vfile){0};
	vfs_rdlock();
	struct inode *i = hostobj_find(dev, ino);
	if (i && S_ISREG(i->mode) && iget_live(i)) {
		struct dentry *a = __atomic_load_n(&i->alias, __ATOMIC_RELAXED);
		out->kind = VF_FILE;
		out->inode = i;
		if (a && a->sb->mnt) {
			out->path = (struct path){a->sb->mnt, a};
			path_get(&out->path);
		}
	}
	vfs_rdunlock();
	return out->inode;
}

static void put_map(struct vfs_ctx *ctx, struct sbuf *out, const char *line, const struct map_line *m)
{
	char path[PATH_MAX + 16];
	AUTO_VFILE struct vfile f = {0};
	struct inode *i = m->ino ? mapped_inode(makedev(m->maj, m->min), m->ino, &f) : NULL;

	if (!i && (m->name[0] == '[' || kernel_name(m) || (!m->name[0] && !m->ino))) {
		sbuf_str(out, line);
		sbuf_str(out, "\n");
		return;
	}
	size_t start = out->len;
	sbuf_printf(out, "%s %s %s %02x:%02x %" PRIu64 " ", m->range, m->perms, m->offset, i ? major(i->dev) : 0,
		    i ? minor(i->dev) : 0, i ? i->ino : 0);
	if (!i)
		goto end;
	if (vfs_vfile_path(ctx, &f, path, sizeof(path)) >= 0) {
		/* seq_pad() in fs/proc/task_mmu.c */
		while (!out->err && out->len - start < 25 + sizeof(void *) * 6)
			sbuf_str(out, " ");
		sbuf_escape(out, path, "\n");
	}
end:
	sbuf_str(out, "\n");
}

static int maps_generate(struct vfs_ctx *ctx, struct pinode *p, struct sbuf *out)
{
	AUTO_SBUF struct sbuf native = {0};
	AUTO_CLOSE int fd = proc_native_open(p, O_RDONLY);

	if (fd < 0)
		return fd;
	if (!proc_may_read_memory(ctx, p))
		return -EACCES;
	int r = sbuf_read_fd(&native, fd, PROC_FILE_MAX);
	if (r < 0)
		return r;
	bool skip = false;
	for (size_t pos = 0; pos < native.len;) {
		char *line = native.data + pos, *nl = memchr(line, '\n', native.len - pos);
		struct map_line m;

		if (!nl)
			break;
		*nl = '\0';
		pos += (size_t)(nl - line) + 1;
		if (!parse_map(line, &m)) {
			if (!skip) {
				sbuf_str(out, line);
				sbuf_str(out, "\n");
			}
			continue;
		}
		skip = m.ino && proc_ops()->is_stub && proc_ops()->is_stub(m.maj, m.min, m.ino);
		if (!skip)
			put_map(ctx, out, line, &m);
	}
	return out->err;
}
const struct pnode_ops proc_maps_ops = {.generate = maps_generate, .exists = proc_native_exists};
