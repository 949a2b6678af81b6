/* SPDX-License-Identifier: Apache-2.0 */
/*
 * procfs.c - /proc: its root directory, the files of the whole system, and how native files are given out.
 *
 * A file is either generated, or it is the host's own of the procfs of the tracees' PID namespace, opened read-only here and
 * given to the program: then it stays live, and the kernel answers for its content. No directory is ever given out, and
 * nothing through which another object can be reached (mem, fd, root, cwd, exe, ns, map_files).
 */
#include "vfs/proc.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>

#define PROC_MAGIC 0x9fa0

static const struct vfs_proc_ops no_proc_ops;
static const struct vfs_proc_ops *_Atomic proc_ops_set = &no_proc_ops;

void vfs_set_proc_ops(const struct vfs_proc_ops *ops)
{
	atomic_store(&proc_ops_set, ops ? ops : &no_proc_ops);
}

const struct vfs_proc_ops *proc_ops(void)
{
	return atomic_load(&proc_ops_set);
}

int proc_info(const struct pinode *p, struct vfs_task_info *out)
{
	*out = (struct vfs_task_info){0};
	return proc_ops()->task_info ? proc_ops()->task_info(p->pid, out) : -ESRCH;
}

void proc_info_put(struct vfs_task_info *info)
{
	if (proc_ops()->task_info_release)
		proc_ops()->task_info_release(info);
}

bool proc_may_inspect(struct vfs_ctx *ctx, const struct pinode *p)
{
	if (p->pid == vfs_tgid(ctx))
		return true;
	return proc_ops()->may_inspect && proc_ops()->may_inspect(ctx, p->pid);
}

bool proc_may_read_memory(struct vfs_ctx *ctx, const struct pinode *p)
{
	struct vfs_task_info info;

	if (proc_info(p, &info))
		return false;
	bool runs = info.exe.dentry != NULL;
	proc_info_put(&info);
	return runs && proc_may_inspect(ctx, p);
}

/* --- native files ---------------------------------------------------------------------------------------------------- */

static int node_name(const struct pnode *node, char *buf, size_t size)
{
	int n = 0;

	if (node->parent && node->parent->name[0]) {
		n = node_name(node->parent, buf, size);
		if (n < 0)
			return n;
		n += snprintf(buf + n, size - (size_t)n, "/");
	}
	n += snprintf(buf + n, size - (size_t)n, "%s", node->name);
	return (size_t)n < size ? n : -ENAMETOOLONG;
}

static int native_name(const struct pinode *p, const struct pnode *node, char *buf, size_t size)
{
	int n = 0;

	if (p->tid)
		n = snprintf(buf, size, "%d/task/%d/", p->pid, p->tid);
	else if (p->pid)
		n = snprintf(buf, size, "%d/", p->pid);
	int r = node_name(node, buf + n, size - (size_t)n);
	return r < 0 ? r : 0;
}

/* As the tracees' user, which is the calling thread's saved uid (or its own already). */
static int open_as_tracee(const char *name, int flags)
{
	int old = setfsuid(vfs_config()->tracee_kuid);
	int fd = openat(vfs_config()->guest_procfd, name, flags), err = errno;

	setfsuid((uid_t)old);
	errno = err;
	return fd;
}

int proc_native_open(const struct pinode *p, int flags)
{
	char name[256];

	if (vfs_config()->guest_procfd < 0)
		return -ENOENT;
	int r = native_name(p, p->node, name, sizeof(name));
	if (r < 0)
		return r;
	flags = (flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
	r = openat(vfs_config()->guest_procfd, name, flags);
	if (r < 0 && errno == EACCES)
		r = open_as_tracee(name, flags);
	return r < 0 ? -errno : r;
}

int proc_native_read(const struct pinode *p, struct sbuf *out)
{
	AUTO_CLOSE int fd = proc_native_open(p, O_RDONLY);

	return fd < 0 ? fd : sbuf_read_fd(out, fd, PROC_FILE_MAX);
}

bool proc_native_exists(const struct pinode *dir, const struct pnode *child)
{
	char name[256];
	struct stat st;

	if (vfs_config()->guest_procfd < 0 || native_name(dir, child, name, sizeof(name)) < 0)
		return false;
	return fstatat(vfs_config()->guest_procfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int proc_native_list(const struct pinode *p, const char *name, int (*add)(struct pinode *, int num, struct dirlist *),
		     struct dirlist *out)
{
	char path[64];
	int r = 0;

	if (vfs_config()->guest_procfd < 0)
		return 0;
	if (!p->pid)
		snprintf(path, sizeof(path), ".");
	else if (!p->tid)
		snprintf(path, sizeof(path), "%d/%s", p->pid, name);
	else
		snprintf(path, sizeof(path), "%d/task/%d/%s", p->pid, p->tid, name);
	AUTO_CLOSE int fd = openat(vfs_config()->guest_procfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	DIR *dirp = fdopendir(fd);
	if (!dirp)
		return -errno;
	take_fd(&fd);
	for (struct dirent *e; r == 0 && (e = readdir(dirp));) {
		int n = pseudo_number(e->d_name);
		if (n >= 0)
			r = add((struct pinode *)p, n, out);
	}
	closedir(dirp);
	return r;
}

static int donate(struct vfs_ctx *ctx, struct pinode *p, int flags, bool rw, bool inspect, int *hostfd)
{
	if ((flags & O_ACCMODE) != O_RDONLY && !rw)
		return -EACCES;
	AUTO_CLOSE int fd = proc_native_open(p, flags);
	if (fd < 0)
		return fd;
	if (inspect && !proc_may_read_memory(ctx, p))
		return -EACCES;
	*hostfd = take_fd(&fd);
	return 0;
}
static int donate_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	return donate(ctx, p, flags, false, false, hostfd);
}
static int donate_rw_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	/* Who may write another's is the kernel's affair only as far as it can tell processes apart: all are one user's. */
	bool write = (flags & O_ACCMODE) != O_RDONLY;
	return donate(ctx, p, flags, true, write, hostfd);
}
static int donate_inspect_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	return donate(ctx, p, flags, false, true, hostfd);
}
static int mem_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	return donate(ctx, p, flags, true, true, hostfd);
}
const struct pnode_ops proc_mem_ops = {.open = mem_open, .exists = proc_native_exists};
const struct pnode_ops proc_donate_ops = {.open = donate_open, .exists = proc_native_exists};
const struct pnode_ops proc_donate_rw_ops = {.open = donate_rw_open, .exists = proc_native_exists};
const struct pnode_ops proc_donate_inspect_ops = {.open = donate_inspect_open, .exists = proc_native_exists};

static int denied_write_open(struct vfs_ctx *ctx, struct pinode *p, int flags, int *hostfd)
{
	if ((flags & O_ACCMODE) != O_RDONLY)
		return -EPERM;
	return pseudo_donate(p->node->arg, p->node->arglen, hostfd);
}
const struct pnode_ops proc_denied_write_ops = {.open = denied_write_open};

/* --- root directory --------------------------------------------------------------------------------------------------- */

static ssize_t self_readlink(struct vfs_ctx *ctx, struct pinode *p, char *buf, size_t size)
{
	char text[64];
	int n = p->node->arg ? snprintf(text, sizeof(text), "%d/task/%d", vfs_tgid(ctx), vfs_tid(ctx))
			     : snprintf(text, sizeof(text), "%d", vfs_tgid(ctx));

	if (vfs_tgid(ctx) <= 0)
		return -ENOENT;
	n = (int)MIN((size_t)n, size);
	memcpy(buf, text, (size_t)n);
	return n;
}
static const struct pnode_ops self_ops = {.readlink = self_readlink};
static const struct pnode_ops root_ops = {.lookup = proc_pid_lookup, .list = proc_pid_list};

#define LNK (S_IFLNK | 0777)
#define RO  (S_IFREG | 0444)
static const struct pnode_row root_rows[] = {
    {"self", LNK, &self_ops, NULL},
    {"thread-self", LNK, &self_ops, "thread"},
    {"mounts", LNK, &pseudo_link_ops, "self/mounts"},
    {"net", LNK, &pseudo_link_ops, "self/net"},
    {"meminfo", RO, &proc_donate_ops, NULL},
    {"cpuinfo", RO, &proc_donate_ops, NULL},
    {"stat", RO, &proc_donate_ops, NULL},
    {"uptime", RO, &proc_donate_ops, NULL},
    {"loadavg", RO, &proc_donate_ops, NULL},
    {"version", RO, &proc_donate_ops, NULL},
    {"vmstat", RO, &proc_donate_ops, NULL},
    {"pressure/cpu", RO, &proc_donate_ops, NULL},
    {"pressure/io", RO, &proc_donate_ops, NULL},
    {"pressure/memory", RO, &proc_donate_ops, NULL},
    {"sysvipc/msg", RO, &proc_donate_ops, NULL},
    {"sysvipc/sem", RO, &proc_donate_ops, NULL},
    {"sysvipc/shm", RO, &proc_donate_ops, NULL},
    {"cmdline", RO, &pseudo_text_ops, "sandbox\n"},
    {"modules", RO, &pseudo_text_ops, ""},
    {"swaps", RO, &pseudo_text_ops, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"},
    {"partitions", RO, &pseudo_text_ops, "major minor  #blocks  name\n\n"},
    {"devices", RO, &pseudo_text_ops,
     "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n"},
    {"filesystems", RO, &pseudo_text_ops,
     "nodev\tsysfs\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\nnodev\tpipefs\nnodev\tsockfs\nnodev\tdevpts\nnodev\toverlay"
     "\n"},
    {"tty/drivers", RO, &pseudo_text_ops,
     "/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
     "/dev/ptmx            /dev/ptmx       5       2 system\n"
     "pty_slave            /dev/pts      136 0-1048575 pty:slave\n"},
};

int procfs_new(struct super **out)
{
	static struct pnode *root;

	if (!root) {
		root = pnode_root(0555, &root_ops);
		for (size_t i = 0; i < ARRAY_SIZE(root_rows); i++)
			pnode_add(root, &root_rows[i], &pseudo_dir_ops);
		proc_sys_add(root);
		proc_pid_tree();
	}
	*out = pseudo_super("proc", SB_DYNAMIC | SB_NOCREATE | SB_NOEXEC | SB_NODEV, PROC_MAGIC, vfs_new_dev(), root);
	return 0;
}
