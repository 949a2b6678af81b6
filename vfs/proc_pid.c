/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_pid.c - the tables of /proc/PID and /proc/PID/task/TID, and finding processes: their numbers are those of the native
 * proc of the tracees' PID namespace.
 */
#include "vfs/proc.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define RO      (S_IFREG | 0444)
#define RW      (S_IFREG | 0644)
#define LNK     (S_IFLNK | 0777)
#define DIR_(m) (S_IFDIR | (m))

static const struct pnode_ops task_ops;
static const struct pnode_ops dir_ops;
/* Natively /proc/PID/net belongs to root. */
static void net_fill(struct pinode *p)
{
	p->inode.uid = 0;
	p->inode.gid = 0;
}
static const struct pnode_ops net_dir_ops = {.fill = net_fill};

/* Processes and threads. */
static const struct pnode_row both_rows[] = {
    {"auxv", S_IFREG | 0400, &proc_auxv_ops, NULL},
    {"cgroup", RO, &pseudo_text_ops, "0::/\n"},
    {"clear_refs", S_IFREG | 0200, &proc_donate_rw_ops, NULL},
    {"cmdline", RO, &proc_cmdline_ops, NULL},
    {"comm", RW, &proc_donate_rw_ops, NULL},
    {"cpuset", RO, &pseudo_text_ops, "/\n"},
    {"cwd", LNK, &proc_cwd_ops, NULL},
    {"environ", S_IFREG | 0400, &proc_environ_ops, NULL},
    {"exe", LNK, &proc_exe_ops, NULL},
    {"fd", DIR_(0500), &proc_fd_dir_ops, NULL},
    {"fdinfo", DIR_(0555), &proc_fdinfo_dir_ops, NULL},
    {"gid_map", RW, &proc_denied_write_ops, "         0          0 4294967295\n"},
    {"io", S_IFREG | 0400, &proc_donate_inspect_ops, NULL},
    {"limits", RO, &proc_limits_ops, NULL},
    {"loginuid", RW, &proc_denied_write_ops, "4294967295"},
    {"maps", RO, &proc_maps_ops, NULL},
    {"mem", S_IFREG | 0600, &proc_mem_ops, NULL},
    {"mountinfo", RO, &proc_mountinfo_ops, NULL},
    {"mounts", RO, &proc_mounts_ops, NULL},
    {"net/arp", RO, &proc_donate_ops, NULL},
    {"net/dev", RO, &proc_donate_ops, NULL},
    {"net/dev_mcast", RO, &proc_donate_ops, NULL},
    {"net/fib_trie", RO, &proc_donate_ops, NULL},
    {"net/fib_triestat", RO, &proc_donate_ops, NULL},
    {"net/icmp", RO, &proc_donate_ops, NULL},
    {"net/icmp6", RO, &proc_donate_ops, NULL},
    {"net/if_inet6", RO, &proc_donate_ops, NULL},
    {"net/igmp", RO, &proc_donate_ops, NULL},
    {"net/igmp6", RO, &proc_donate_ops, NULL},
    {"net/ipv6_route", RO, &proc_donate_ops, NULL},
    {"net/netlink", RO, &proc_donate_ops, NULL},
    {"net/netstat", RO, &proc_donate_ops, NULL},
    {"net/packet", RO, &proc_donate_ops, NULL},
    {"net/protocols", RO, &proc_donate_ops, NULL},
    {"net/psched", RO, &proc_donate_ops, NULL},
    {"net/ptype", RO, &proc_donate_ops, NULL},
    {"net/raw", RO, &proc_donate_ops, NULL},
    {"net/raw6", RO, &proc_donate_ops, NULL},
    {"net/route", RO, &proc_donate_ops, NULL},
    {"net/rt_cache", RO, &proc_donate_ops, NULL},
    {"net/snmp", RO, &proc_donate_ops, NULL},
    {"net/snmp6", RO, &proc_donate_ops, NULL},
    {"net/sockstat", RO, &proc_donate_ops, NULL},
    {"net/sockstat6", RO, &proc_donate_ops, NULL},
    {"net/tcp", RO, &proc_donate_ops, NULL},
    {"net/tcp6", RO, &proc_donate_ops, NULL},
    {"net/udp", RO, &proc_donate_ops, NULL},
    {"net/udp6", RO, &proc_donate_ops, NULL},
    {"net/udplite", RO, &proc_donate_ops, NULL},
    {"net/unix", RO, &proc_donate_ops, NULL},
    {"ns/cgroup", LNK, &proc_ns_ops, NULL},
    {"ns/ipc", LNK, &proc_ns_ops, NULL},
    {"ns/mnt", LNK, &proc_ns_ops, NULL},
    {"ns/net", LNK, &proc_ns_ops, NULL},
    {"ns/pid", LNK, &proc_ns_ops, NULL},
    {"ns/pid_for_children", LNK, &proc_ns_ops, NULL},
    {"ns/time", LNK, &proc_ns_ops, NULL},
    {"ns/time_for_children", LNK, &proc_ns_ops, NULL},
    {"ns/user", LNK, &proc_ns_ops, NULL},
    {"ns/uts", LNK, &proc_ns_ops, NULL},
    {"oom_adj", RW, &proc_donate_rw_ops, NULL},
    {"oom_score", RO, &proc_donate_ops, NULL},
    {"oom_score_adj", RW, &proc_donate_rw_ops, NULL},
    {"personality", S_IFREG | 0400, &proc_donate_inspect_ops, NULL},
    {"projid_map", RW, &proc_denied_write_ops, "         0          0 4294967295\n"},
    {"root", LNK, &proc_root_ops, NULL},
    {"sched", RO, &proc_donate_ops, NULL},
    {"schedstat", RO, &proc_donate_ops, NULL},
    {"sessionid", RO, &pseudo_text_ops, "4294967295"},
    {"setgroups", RW, &proc_denied_write_ops, "allow\n"},
    {"smaps", RO, &proc_maps_ops, NULL},
    {"smaps_rollup", RO, &proc_donate_inspect_ops, NULL},
    {"stat", RO, &proc_stat_ops, NULL},
    {"statm", RO, &proc_donate_ops, NULL},
    {"status", RO, &proc_status_ops, NULL},
    {"uid_map", RW, &proc_denied_write_ops, "         0          0 4294967295\n"},
    {"wchan", RO, &pseudo_text_ops, "0"},
};
static const struct pnode_row process_rows[] = {
    {"coredump_filter", RW, &proc_donate_rw_ops, NULL},
    {"mountstats", S_IFREG | 0400, &proc_mountstats_ops, NULL},
    {"task", DIR_(0555), &task_ops, NULL},
    {"timerslack_ns", S_IFREG | 0666, &proc_donate_rw_ops, NULL},
};
static const struct pnode_row thread_rows[] = {
    {"children", RO, &proc_donate_ops, NULL},
};

static struct pnode *process_tree, *thread_tree;

static struct pnode *make_tree(const struct pnode_row *more, size_t n)
{
	struct pnode *root = pnode_root(0555, &dir_ops);

	for (size_t i = 0; i < ARRAY_SIZE(both_rows); i++)
		pnode_add(root, &both_rows[i], &dir_ops);
	for (size_t i = 0; i < n; i++)
		pnode_add(root, &more[i], &dir_ops);
	pnode_add(root, &(struct pnode_row){"net", DIR_(0555), &net_dir_ops, NULL}, &dir_ops);
	pnode_add(root, &(struct pnode_row){"ns", DIR_(0511), &dir_ops, NULL}, &dir_ops);
	return root;
}

const struct pnode *proc_pid_tree(void)
{
	if (!process_tree) {
		proc_fd_init();
		thread_tree = make_tree(thread_rows, ARRAY_SIZE(thread_rows));
		process_tree = make_tree(process_rows, ARRAY_SIZE(process_rows));
	}
	return process_tree;
}

static bool native_dir_exists(const char *name)
{
	struct stat st;

	return vfs_config()->guest_procfd >= 0 && fstatat(vfs_config()->guest_procfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* As task_dump_owner() in fs/proc/base.c, with the virtual ids. */
static void set_owner(struct pinode *p)
{
	struct vfs_task_info info;

	p->inode.uid = 0;
	p->inode.gid = 0;
	if (proc_info(p, &info) == 0) {
		p->inode.uid = info.euid;
		p->inode.gid = info.egid;
		proc_info_put(&info);
	}
}

int proc_pid_lookup(struct pinode *root, const char *name, struct pinode **out)
{
	int pid = pseudo_number(name);

	if (pid <= 0 || !native_dir_exists(name))
		return -ENOENT;
	struct pinode *p = pinode_new(root, process_tree);
	if (!p)
		return -ENOMEM;
	p->pid = pid;
	p->inode.nlink = 9;
	p->inode.flags |= I_IMMUTABLE;
	pinode_set_ino(p);
	set_owner(p);
	*out = p;
	return 0;
}

static int add_pid(struct pinode *root, int pid, struct dirlist *out)
{
	char name[16];
	int n = snprintf(name, sizeof(name), "%d", pid);

	return dirlist_add(out, name, (size_t)n, pseudo_ino(process_tree, pid, 0, -1), DT_DIR);
}

int proc_pid_list(struct vfs_ctx *ctx, struct pinode *root, struct dirlist *out)
{
	return proc_native_list(root, "", add_pid, out);
}

static int task_lookup(struct pinode *dir, const char *name, struct pinode **out)
{
	char path[48];
	int tid = pseudo_number(name);

	snprintf(path, sizeof(path), "%d/task/%d", dir->pid, tid);
	if (tid <= 0 || !native_dir_exists(path))
		return -ENOENT;
	struct pinode *p = pinode_new(dir, thread_tree);
	if (!p)
		return -ENOMEM;
	p->tid = tid;
	p->inode.nlink = 7;
	p->inode.flags |= I_IMMUTABLE;
	pinode_set_ino(p);
	*out = p;
	return 0;
}

static int add_tid(struct pinode *dir, int tid, struct dirlist *out)
{
	char name[16];
	int n = snprintf(name, sizeof(name), "%d", tid);

	return dirlist_add(out, name, (size_t)n, pseudo_ino(thread_tree, dir->pid, tid, -1), DT_DIR);
}

static int task_list(struct vfs_ctx *ctx, struct pinode *dir, struct dirlist *out)
{
	return proc_native_list(dir, "task", add_tid, out);
}
static const struct pnode_ops task_ops = {.lookup = task_lookup, .list = task_list};
