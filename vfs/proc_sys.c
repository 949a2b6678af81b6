/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_sys.c - /proc/sys: the settings that programs read, none of which a sandbox can change. Chosen by what libcs, language
 * runtimes and common servers open; what shows how the host is run (core_pattern, modprobe, keys) is generated or missing.
 */
#include "base/log.h"
#include "vfs/proc.h"

#include <string.h>
#include <sys/random.h>

#define RO (S_IFREG | 0444)
#define RW (S_IFREG | 0644)

static const struct pnode_row sys_rows[] = {
    {"sys/kernel/arch", RO, &proc_donate_ops, NULL},
    {"sys/kernel/cap_last_cap", RO, &proc_donate_ops, NULL},
    {"sys/kernel/core_pattern", RO, &pseudo_text_ops, "core\n"},
    {"sys/kernel/core_uses_pid", RO, &pseudo_text_ops, "0\n"},
    {"sys/kernel/dmesg_restrict", RO, &pseudo_text_ops, "1\n"},
    {"sys/kernel/domainname", RW, &proc_donate_ops, NULL},
    {"sys/kernel/hostname", RW, &proc_donate_ops, NULL},
    {"sys/kernel/io_uring_disabled", RW, &pseudo_text_ops, "2\n"},
    {"sys/kernel/kptr_restrict", RO, &pseudo_text_ops, "2\n"},
    {"sys/kernel/msgmax", RW, &proc_donate_ops, NULL},
    {"sys/kernel/msgmnb", RW, &proc_donate_ops, NULL},
    {"sys/kernel/msgmni", RW, &proc_donate_ops, NULL},
    {"sys/kernel/ngroups_max", RO, &proc_donate_ops, NULL},
    {"sys/kernel/numa_balancing", RO, &proc_donate_ops, NULL},
    {"sys/kernel/osrelease", RO, &proc_donate_ops, NULL},
    {"sys/kernel/ostype", RO, &proc_donate_ops, NULL},
    {"sys/kernel/overflowgid", RW, &proc_donate_ops, NULL},
    {"sys/kernel/overflowuid", RW, &proc_donate_ops, NULL},
    {"sys/kernel/perf_event_max_sample_rate", RO, &proc_donate_ops, NULL},
    {"sys/kernel/perf_event_mlock_kb", RO, &proc_donate_ops, NULL},
    {"sys/kernel/perf_event_paranoid", RW, &pseudo_text_ops, "4\n"},
    {"sys/kernel/pid_max", RW, &proc_donate_ops, NULL},
    {"sys/kernel/printk", RO, &pseudo_text_ops, "4\t4\t1\t7\n"},
    {"sys/kernel/pty/max", RW, &proc_donate_ops, NULL},
    {"sys/kernel/pty/nr", RO, &proc_donate_ops, NULL},
    {"sys/kernel/random/entropy_avail", RO, &proc_donate_ops, NULL},
    {"sys/kernel/random/poolsize", RO, &proc_donate_ops, NULL},
    {"sys/kernel/random/uuid", RO, &proc_donate_ops, NULL},
    {"sys/kernel/randomize_va_space", RW, &proc_donate_ops, NULL},
    {"sys/kernel/sched_autogroup_enabled", RW, &proc_donate_ops, NULL},
    {"sys/kernel/sched_cfs_bandwidth_slice_us", RW, &proc_donate_ops, NULL},
    {"sys/kernel/sched_rr_timeslice_ms", RW, &proc_donate_ops, NULL},
    {"sys/kernel/sched_rt_period_us", RW, &proc_donate_ops, NULL},
    {"sys/kernel/sched_rt_runtime_us", RW, &proc_donate_ops, NULL},
    {"sys/kernel/seccomp/actions_avail", RO, &proc_donate_ops, NULL},
    {"sys/kernel/sem", RW, &proc_donate_ops, NULL},
    {"sys/kernel/shm_rmid_forced", RW, &proc_donate_ops, NULL},
    {"sys/kernel/shmall", RW, &proc_donate_ops, NULL},
    {"sys/kernel/shmmax", RW, &proc_donate_ops, NULL},
    {"sys/kernel/shmmni", RW, &proc_donate_ops, NULL},
    {"sys/kernel/tainted", RO, &pseudo_text_ops, "0\n"},
    {"sys/kernel/threads-max", RW, &proc_donate_ops, NULL},
    {"sys/kernel/unprivileged_bpf_disabled", RW, &pseudo_text_ops, "2\n"},
    {"sys/kernel/version", RO, &proc_donate_ops, NULL},
    {"sys/kernel/yama/ptrace_scope", RW, &proc_donate_ops, NULL},
    {"sys/vm/admin_reserve_kbytes", RW, &proc_donate_ops, NULL},
    {"sys/vm/dirty_background_ratio", RW, &proc_donate_ops, NULL},
    {"sys/vm/dirty_expire_centisecs", RW, &proc_donate_ops, NULL},
    {"sys/vm/dirty_ratio", RW, &proc_donate_ops, NULL},
    {"sys/vm/dirty_writeback_centisecs", RW, &proc_donate_ops, NULL},
    {"sys/vm/legacy_va_layout", RW, &proc_donate_ops, NULL},
    {"sys/vm/max_map_count", RW, &proc_donate_ops, NULL},
    {"sys/vm/memfd_noexec", RW, &proc_donate_ops, NULL},
    {"sys/vm/min_free_kbytes", RW, &proc_donate_ops, NULL},
    {"sys/vm/mmap_min_addr", RW, &proc_donate_ops, NULL},
    {"sys/vm/nr_hugepages", RW, &proc_donate_ops, NULL},
    {"sys/vm/nr_overcommit_hugepages", RW, &proc_donate_ops, NULL},
    {"sys/vm/overcommit_kbytes", RW, &proc_donate_ops, NULL},
    {"sys/vm/overcommit_memory", RW, &proc_donate_ops, NULL},
    {"sys/vm/overcommit_ratio", RW, &proc_donate_ops, NULL},
    {"sys/vm/page-cluster", RW, &proc_donate_ops, NULL},
    {"sys/vm/swappiness", RW, &proc_donate_ops, NULL},
    {"sys/vm/unprivileged_userfaultfd", RW, &pseudo_text_ops, "0\n"},
    {"sys/vm/user_reserve_kbytes", RW, &proc_donate_ops, NULL},
    {"sys/vm/vfs_cache_pressure", RW, &proc_donate_ops, NULL},
    {"sys/vm/zone_reclaim_mode", RW, &proc_donate_ops, NULL},
    {"sys/fs/aio-max-nr", RW, &proc_donate_ops, NULL},
    {"sys/fs/aio-nr", RO, &proc_donate_ops, NULL},
    {"sys/fs/epoll/max_user_watches", RW, &proc_donate_ops, NULL},
    {"sys/fs/file-max", RW, &proc_donate_ops, NULL},
    {"sys/fs/file-nr", RO, &proc_donate_ops, NULL},
    {"sys/fs/inotify/max_queued_events", RW, &proc_donate_ops, NULL},
    {"sys/fs/inotify/max_user_instances", RW, &proc_donate_ops, NULL},
    {"sys/fs/inotify/max_user_watches", RW, &proc_donate_ops, NULL},
    {"sys/fs/lease-break-time", RW, &proc_donate_ops, NULL},
    {"sys/fs/leases-enable", RW, &pseudo_text_ops, "0\n"},
    {"sys/fs/mqueue/msg_max", RW, &proc_donate_ops, NULL},
    {"sys/fs/mqueue/msgsize_max", RW, &proc_donate_ops, NULL},
    {"sys/fs/mqueue/queues_max", RW, &proc_donate_ops, NULL},
    {"sys/fs/nr_open", RW, &proc_donate_ops, NULL},
    {"sys/fs/overflowgid", RW, &proc_donate_ops, NULL},
    {"sys/fs/overflowuid", RW, &proc_donate_ops, NULL},
    {"sys/fs/pipe-max-size", RW, &proc_donate_ops, NULL},
    {"sys/fs/pipe-user-pages-hard", RW, &proc_donate_ops, NULL},
    {"sys/fs/pipe-user-pages-soft", RW, &proc_donate_ops, NULL},
    {"sys/fs/protected_fifos", RW, &pseudo_text_ops, "0\n"},
    {"sys/fs/protected_hardlinks", RW, &pseudo_text_ops, "1\n"},
    {"sys/fs/protected_regular", RW, &pseudo_text_ops, "0\n"},
    {"sys/fs/protected_symlinks", RW, &pseudo_text_ops, "0\n"},
    {"sys/fs/suid_dumpable", RW, &pseudo_text_ops, "0\n"},
    {"sys/net/core/netdev_max_backlog", RW, &proc_donate_ops, NULL},
    {"sys/net/core/optmem_max", RW, &proc_donate_ops, NULL},
    {"sys/net/core/rmem_default", RW, &proc_donate_ops, NULL},
    {"sys/net/core/rmem_max", RW, &proc_donate_ops, NULL},
    {"sys/net/core/somaxconn", RW, &proc_donate_ops, NULL},
    {"sys/net/core/wmem_default", RW, &proc_donate_ops, NULL},
    {"sys/net/core/wmem_max", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/ip_forward", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/ip_local_port_range", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/ip_unprivileged_port_start", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_available_congestion_control", RO, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_congestion_control", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_fastopen", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_fin_timeout", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_keepalive_intvl", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_keepalive_probes", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_keepalive_time", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_max_syn_backlog", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_mtu_probing", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_retries2", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_rmem", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_syn_retries", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv4/tcp_wmem", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv6/bindv6only", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv6/conf/all/disable_ipv6", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv6/conf/default/disable_ipv6", RW, &proc_donate_ops, NULL},
    {"sys/net/ipv6/conf/lo/disable_ipv6", RW, &proc_donate_ops, NULL},
    {"sys/net/unix/max_dgram_qlen", RW, &proc_donate_ops, NULL},
};

/* A sandbox is a boot of its own: programs key caches and locks by this. RFC 9562, version 4. */
static const char *boot_id(void)
{
	uint8_t r[16];

	if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
		die("getrandom: %s", strerror(errno));
	r[6] = (r[6] & 0x0f) | 0x40;
	r[8] = (r[8] & 0x3f) | 0x80;
	return xasprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n", r[0], r[1], r[2], r[3],
			 r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
}

void proc_sys_add(struct pnode *root)
{
	for (size_t i = 0; i < ARRAY_SIZE(sys_rows); i++)
		pnode_add(root, &sys_rows[i], &pseudo_dir_ops);
	pnode_add(root, &(struct pnode_row){"sys/kernel/random/boot_id", RO, &pseudo_text_ops, boot_id()}, &pseudo_dir_ops);
}
