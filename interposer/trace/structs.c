/* SPDX-License-Identifier: Apache-2.0 */
/*
 * structs.c - arguments that point to structures, and those that need a look at another argument.
 */
#include "interposer/trace/format.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

static void print_mode(struct text *t, uint32_t mode)
{
	static const struct value_name types[] = {
	    {S_IFREG, "S_IFREG"}, {S_IFDIR, "S_IFDIR"}, {S_IFLNK, "S_IFLNK"},   {S_IFIFO, "S_IFIFO"},
	    {S_IFCHR, "S_IFCHR"}, {S_IFBLK, "S_IFBLK"}, {S_IFSOCK, "S_IFSOCK"}, {0, NULL}};
	const char *type = NULL;
	for (const struct value_name *n = types; n->name; n++)
		if ((mode & S_IFMT) == n->value)
			type = n->name;
	if (type)
		text_printf(t, "%s", type);
	else
		text_printf(t, "%#o", mode & S_IFMT);
	text_printf(t, "%s%s%s|%#03o", mode & S_ISUID ? "|S_ISUID" : "", mode & S_ISGID ? "|S_ISGID" : "",
		    mode & S_ISVTX ? "|S_ISVTX" : "", mode & 0777);
}

void format_open_flags(struct text *t, uint64_t flags)
{
	static const char *const modes[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
	text_puts(t, modes[flags & O_ACCMODE]);
	flags &= ~(uint64_t)O_ACCMODE;
	if (!flags)
		return;
	text_puts(t, "|");
	text_flags(t, names_open, flags, "O_???");
}

static void print_dev(struct text *t, uint64_t dev)
{
	text_puts(t, "makedev(");
	text_printf(t, "%#x, %#x)", major(dev), minor(dev));
}

static void time_field(struct text *t, const char *name, int64_t sec, int64_t nsec)
{
	text_printf(t, ", %s=%" PRId64, name, sec);
	format_iso(t, sec, nsec, 9);
	text_printf(t, ", %s_nsec=%" PRId64, name, nsec);
}

static void show_stat(struct shown *s, int i)
{
	struct stat st;
	struct text *t = &s->text;
	if (s->failed || !format_fetch(s, s->c->args[i], &st, sizeof st)) {
		format_addr(t, s->c->args[i]);
		return;
	}
	text_puts(t, "{");
	if (s->opt->verbose)
		text_printf(t, "st_dev=makedev(%#x, %#x), st_ino=%" PRIu64 ", ", major(st.st_dev), minor(st.st_dev),
			    (uint64_t)st.st_ino);
	text_puts(t, "st_mode=");
	print_mode(t, st.st_mode);
	if (s->opt->verbose)
		text_printf(t, ", st_nlink=%" PRIu64 ", st_uid=%u, st_gid=%u, st_blksize=%" PRId64 ", st_blocks=%" PRId64,
			    (uint64_t)st.st_nlink, st.st_uid, st.st_gid, (int64_t)st.st_blksize, (int64_t)st.st_blocks);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		text_printf(t, ", st_rdev=makedev(%#x, %#x)", major(st.st_rdev), minor(st.st_rdev));
	else
		text_printf(t, ", st_size=%" PRId64, (int64_t)st.st_size);
	if (s->opt->verbose) {
		time_field(t, "st_atime", st.st_atim.tv_sec, st.st_atim.tv_nsec);
		time_field(t, "st_mtime", st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
		time_field(t, "st_ctime", st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	} else {
		text_puts(t, ", ...");
	}
	text_puts(t, "}");
}

/* Behind what this C library knows of the structure. */
static uint64_t statx_mount(const struct statx *st)
{
	uint64_t id;
	memcpy(&id, (const char *)st + 0x90, sizeof id);
	return id;
}

/* One of three ways to look, and flags. */
static void show_statx_flags(struct shown *s, int i)
{
	uint32_t v = (uint32_t)s->c->args[i], sync = v & (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC);
	text_puts(&s->text, sync == AT_STATX_FORCE_SYNC  ? "AT_STATX_FORCE_SYNC"
			    : sync == AT_STATX_DONT_SYNC ? "AT_STATX_DONT_SYNC"
			    : sync                       ? "AT_STATX_SYNC_TYPE"
							 : "AT_STATX_SYNC_AS_STAT");
	if (v == sync)
		return;
	text_puts(&s->text, "|");
	text_flags(&s->text, names_at, v & ~sync, "AT_???");
}

static void show_statx(struct shown *s, int i)
{
	static const struct value_name attributes[] = {{0x4, "STATX_ATTR_COMPRESSED"},    {0x10, "STATX_ATTR_IMMUTABLE"},
						       {0x20, "STATX_ATTR_APPEND"},       {0x40, "STATX_ATTR_NODUMP"},
						       {0x800, "STATX_ATTR_ENCRYPTED"},   {0x1000, "STATX_ATTR_AUTOMOUNT"},
						       {0x2000, "STATX_ATTR_MOUNT_ROOT"}, {0x100000, "STATX_ATTR_VERITY"},
						       {0x200000, "STATX_ATTR_DAX"},      {0, NULL}};
	struct statx st;
	struct text *t = &s->text;
	if (s->failed || !format_fetch(s, s->c->args[i], &st, sizeof st)) {
		format_addr(t, s->c->args[i]);
		return;
	}
	text_puts(t, "{stx_mask=");
	for (size_t k = 0; k < n_flag_decoders; k++)
		if (!strcmp(flag_decoders[k].call, "statx") && flag_decoders[k].arg == 3)
			text_flags(t, flag_decoders[k].names, st.stx_mask, "STATX_???");
	if (s->opt->verbose)
		text_printf(t, ", stx_blksize=%u", st.stx_blksize);
	text_puts(t, ", stx_attributes=");
	text_flags(t, attributes, st.stx_attributes, "STATX_ATTR_???");
	if (s->opt->verbose)
		text_printf(t, ", stx_nlink=%u, stx_uid=%u, stx_gid=%u", st.stx_nlink, st.stx_uid, st.stx_gid);
	text_puts(t, ", stx_mode=");
	print_mode(t, st.stx_mode);
	if (s->opt->verbose)
		text_printf(t, ", stx_ino=%" PRIu64, (uint64_t)st.stx_ino);
	text_printf(t, ", stx_size=%" PRIu64, (uint64_t)st.stx_size);
	if (!s->opt->verbose) {
		text_puts(t, ", ...}");
		return;
	}
	text_printf(t, ", stx_blocks=%" PRIu64 ", stx_attributes_mask=", (uint64_t)st.stx_blocks);
	text_flags(t, attributes, st.stx_attributes_mask, "STATX_ATTR_???");
	const struct {
		const char *name;
		struct statx_timestamp at;
	} times[] = {{"atime", st.stx_atime}, {"btime", st.stx_btime}, {"ctime", st.stx_ctime}, {"mtime", st.stx_mtime}};
	for (size_t k = 0; k < ARRAY_SIZE(times); k++) {
		text_printf(t, ", stx_%s={tv_sec=%" PRId64 ", tv_nsec=%u}", times[k].name, (int64_t)times[k].at.tv_sec,
			    times[k].at.tv_nsec);
		format_iso(t, times[k].at.tv_sec, times[k].at.tv_nsec, 9);
	}
	text_printf(t,
		    ", stx_rdev_major=%u, stx_rdev_minor=%u, stx_dev_major=%u, stx_dev_minor=%u, stx_mnt_id=%#" PRIx64 "}",
		    st.stx_rdev_major, st.stx_rdev_minor, st.stx_dev_major, st.stx_dev_minor, statx_mount(&st));
}

void format_iovec(struct shown *s, uint64_t addr, uint64_t n, bool reading, uint64_t left)
{
	uint64_t iov[2];
	struct text *t = &s->text;
	for (uint64_t k = 0; k < n; k++) {
		if (!format_fetch(s, addr + 16 * k, iov, sizeof iov)) {
			if (!k) {
				format_addr(t, addr);
				return;
			}
			text_printf(t, ", ... /* %#" PRIx64 " */", addr + 16 * k);
			break;
		}
		text_puts(t, k ? ", " : "[");
		if (k == FORMAT_ITEMS && !s->opt->verbose) {
			text_puts(t, "...");
			break;
		}
		if (k == 1024)
			break;
		text_puts(t, "{iov_base=");
		uint64_t part = reading ? MIN(left, iov[1]) : iov[1];
		left -= MIN(left, part);
		format_bytes(s, iov[0], part);
		text_printf(t, ", iov_len=%" PRIu64 "}", iov[1]);
	}
	text_puts(t, n ? "]" : "[]");
}

static void show_iovec(struct shown *s, int i)
{
	bool reading = s->c->nr == SYS_readv || s->c->nr == SYS_preadv || s->c->nr == SYS_preadv2 ||
		       (s->c->nr == SYS_process_vm_readv && i == 1);
	if (reading && s->failed)
		format_addr(&s->text, s->c->args[i]);
	else
		format_iovec(s, s->c->args[i], (uint32_t)s->c->args[i + 1], reading, reading ? (uint64_t)s->rval : 0);
}

/* In another process's memory: addresses. */
static void show_remote_iovec(struct shown *s, int i)
{
	uint64_t iov[2], n = s->c->args[i + 1];
	struct text *t = &s->text;
	text_puts(t, "[");
	for (uint64_t k = 0; k < n; k++) {
		if (k)
			text_puts(t, ", ");
		if (k == FORMAT_ITEMS || !format_fetch(s, s->c->args[i] + 16 * k, iov, sizeof iov)) {
			text_puts(t, "...");
			break;
		}
		text_puts(t, "{iov_base=");
		format_addr(t, iov[0]);
		text_printf(t, ", iov_len=%" PRIu64 "}", iov[1]);
	}
	text_puts(t, "]");
}

static void show_pollfds(struct shown *s, int i)
{
	uint64_t n = (uint32_t)s->c->args[1];
	struct pollfd p;
	struct text *t = &s->text;
	for (uint64_t k = 0; k < n; k++) {
		if (!format_fetch(s, s->c->args[i] + k * sizeof p, &p, sizeof p)) {
			if (!k) {
				format_addr(t, s->c->args[i]);
				return;
			}
			break;
		}
		text_puts(t, k ? ", " : "[");
		if (k == FORMAT_ITEMS) {
			text_puts(t, "...");
			break;
		}
		text_puts(t, "{fd=");
		format_fd(s, p.fd);
		if (p.fd >= 0) {
			text_puts(t, ", events=");
			text_flags(t, names_poll, (uint16_t)p.events, "POLL???");
		}
		text_puts(t, "}");
	}
	text_puts(t, n ? "]" : "[]");
}

/* Behind the result: which descriptors are ready. */
static void show_timeout(struct shown *s, int i)
{
	if (s->c->nr == SYS_poll)
		text_printf(&s->text, "%d", (int)(uint32_t)s->c->args[i]);
	if (s->c->nr == SYS_ppoll) {
		int64_t ts[2];
		if (format_fetch(s, s->c->args[i], ts, sizeof ts))
			format_timespec(&s->text, ts, "tv_nsec");
		else
			format_addr(&s->text, s->c->args[i]);
	}
	if (s->failed || s->rval < 0)
		return;
	if (!s->rval) {
		text_puts(&s->extra, " (Timeout)");
		return;
	}
	uint64_t n = MIN((uint32_t)s->c->args[1], 4096U);
	bool first = true;
	for (uint64_t k = 0; k < n; k++) {
		struct pollfd p;
		if (!format_fetch(s, s->c->args[0] + k * sizeof p, &p, sizeof p))
			break;
		if (!p.revents)
			continue;
		text_puts(&s->extra, first ? " ([" : ", ");
		first = false;
		text_printf(&s->extra, "{fd=%d, revents=", p.fd);
		text_flags(&s->extra, names_poll, (uint16_t)p.revents, "POLL???");
		text_puts(&s->extra, "}");
	}
	if (first)
		return;
	text_puts(&s->extra, "]");
	int64_t left[2];
	if (s->c->nr == SYS_ppoll && format_fetch(s, s->c->args[i], left, sizeof left)) {
		text_puts(&s->extra, ", left ");
		format_timespec(&s->extra, left, "tv_nsec");
	}
	text_puts(&s->extra, ")");
}

/* --- select -------------------------------------------------------------------------------------------------------- */

static bool put_fds(struct shown *s, struct text *t, int i)
{
	uint64_t set[16] = {0};
	uint32_t n = MIN((uint32_t)s->c->args[0], (uint32_t)sizeof set * 8);
	bool first = true;
	if (!n || !format_fetch(s, s->c->args[i], set, (n + 63) / 64 * 8))
		return false;
	text_puts(t, "[");
	for (uint32_t fd = 0; fd < n; fd++) {
		if (!(set[fd / 64] >> (fd % 64) & 1))
			continue;
		text_printf(t, "%s%u", first ? "" : " ", fd);
		first = false;
	}
	text_puts(t, "]");
	return true;
}

static void show_fds(struct shown *s, int i)
{
	if (!put_fds(s, &s->text, i))
		format_addr(&s->text, s->c->args[i]);
}

static void show_select_mask(struct shown *s, int i)
{
	uint64_t v[2], set;
	if (!format_in(s, i, v, sizeof v))
		return;
	text_puts(&s->text, "{sigmask=");
	if (format_fetch(s, v[0], &set, sizeof set))
		format_sigset(&s->text, set);
	else
		format_addr(&s->text, v[0]);
	text_printf(&s->text, ", sigsetsize=%" PRIu64 "}", v[1]);
}

/* Behind the result: which descriptors are ready, and what is left of the time. */
static void select_result(struct shown *s)
{
	static const char *const names[] = {"in ", "out ", "except "};
	struct text *t = &s->extra;
	bool first = true;
	int64_t left[2];
	if (s->failed || s->rval < 0)
		return;
	if (!s->rval) {
		text_puts(t, " (Timeout)");
		return;
	}
	for (int i = 1; i <= 3; i++) {
		uint64_t set[16] = {0}, any = 0;
		uint32_t n = MIN((uint32_t)s->c->args[0], (uint32_t)sizeof set * 8);
		if (!n || !format_fetch(s, s->c->args[i], set, (n + 63) / 64 * 8))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(set); k++)
			any |= set[k];
		if (!any)
			continue;
		text_puts(t, first ? " (" : ", ");
		text_puts(t, names[i - 1]);
		put_fds(s, t, i);
		first = false;
	}
	if (format_fetch(s, s->c->args[4], left, sizeof left)) {
		text_puts(t, first ? " (left " : ", left ");
		format_timespec(t, left, s->c->nr == SYS_select ? "tv_usec" : "tv_nsec");
		first = false;
	}
	if (!first)
		text_puts(t, ")");
}

void format_extra(struct shown *s)
{
	if (s->c->nr == SYS_select || s->c->nr == SYS_pselect6)
		select_result(s);
}

static void epoll_event(struct text *t, const struct epoll_event *e)
{
	static const struct value_name names[] = {{EPOLLIN, "EPOLLIN"},         {EPOLLPRI, "EPOLLPRI"},
						  {EPOLLOUT, "EPOLLOUT"},       {EPOLLRDNORM, "EPOLLRDNORM"},
						  {EPOLLRDBAND, "EPOLLRDBAND"}, {EPOLLWRNORM, "EPOLLWRNORM"},
						  {EPOLLERR, "EPOLLERR"},       {EPOLLHUP, "EPOLLHUP"},
						  {EPOLLRDHUP, "EPOLLRDHUP"},   {EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"},
						  {EPOLLWAKEUP, "EPOLLWAKEUP"}, {EPOLLONESHOT, "EPOLLONESHOT"},
						  {EPOLLET, "EPOLLET"},         {0, NULL}};
	uint64_t data = e->data.u64;
	text_puts(t, "{events=");
	text_flags(t, names, e->events, "EPOLL???");
	text_printf(t, ", data={u32=%u, u64=%" PRIu64 "}}", (uint32_t)data, data);
}

static void show_epoll_events(struct shown *s, int i)
{
	struct epoll_event e;
	struct text *t = &s->text;
	if (s->c->nr == SYS_epoll_ctl) {
		if ((uint32_t)s->c->args[1] != EPOLL_CTL_DEL && format_fetch(s, s->c->args[i], &e, sizeof e))
			epoll_event(t, &e);
		else
			format_addr(t, s->c->args[i]);
		return;
	}
	if (s->failed || s->rval < 0) {
		format_addr(t, s->c->args[i]);
		return;
	}
	text_puts(t, "[");
	for (int64_t k = 0; k < s->rval; k++) {
		if (k)
			text_puts(t, ", ");
		if (k == FORMAT_ITEMS || !format_fetch(s, s->c->args[i] + (uint64_t)k * sizeof e, &e, sizeof e)) {
			text_puts(t, "...");
			break;
		}
		epoll_event(t, &e);
	}
	text_puts(t, "]");
}

static void show_pair(struct shown *s, int i)
{
	int fds[2];
	if (s->failed || !format_fetch(s, s->c->args[i], fds, sizeof fds)) {
		format_addr(&s->text, s->c->args[i]);
		return;
	}
	text_puts(&s->text, "[");
	format_fd(s, fds[0]);
	text_puts(&s->text, ", ");
	format_fd(s, fds[1]);
	text_puts(&s->text, "]");
}

static void rlimit_value(struct text *t, uint64_t v)
{
	if (v == UINT64_MAX)
		text_puts(t, "RLIM64_INFINITY");
	else if (v > 1024 && !(v % 1024))
		text_printf(t, "%" PRIu64 "*1024", v / 1024);
	else
		text_printf(t, "%" PRIu64, v);
}

static void show_rlimit(struct shown *s, int i)
{
	uint64_t lim[2];
	bool out = s->c->nr == SYS_getrlimit || i == 3;
	if ((out && s->failed) || !format_fetch(s, s->c->args[i], lim, sizeof lim)) {
		format_addr(&s->text, s->c->args[i]);
		return;
	}
	text_puts(&s->text, "{rlim_cur=");
	rlimit_value(&s->text, lim[0]);
	text_puts(&s->text, ", rlim_max=");
	rlimit_value(&s->text, lim[1]);
	text_puts(&s->text, "}");
}

static void show_uname(struct shown *s, int i)
{
	struct utsname u;
	if (s->failed || !format_fetch(s, s->c->args[i], &u, sizeof u)) {
		format_addr(&s->text, s->c->args[i]);
		return;
	}
	text_puts(&s->text, "{sysname=");
	text_quote(&s->text, u.sysname, strnlen(u.sysname, sizeof u.sysname), s->opt->hex, false);
	text_puts(&s->text, ", nodename=");
	text_quote(&s->text, u.nodename, strnlen(u.nodename, sizeof u.nodename), s->opt->hex, false);
	if (!s->opt->verbose) {
		text_puts(&s->text, ", ...}");
		return;
	}
	const struct {
		const char *name, *value;
	} more[] = {{"release", u.release}, {"version", u.version}, {"machine", u.machine}, {"domainname", u.domainname}};
	for (size_t k = 0; k < ARRAY_SIZE(more); k++) {
		text_printf(&s->text, ", %s=", more[k].name);
		format_quoted(s, more[k].value, sizeof u.release);
	}
	text_puts(&s->text, "}");
}

static void show_statfs(struct shown *s, int i)
{
	static const struct value_name types[] = {{0xef53, "EXT2_SUPER_MAGIC"},          {0x01021994, "TMPFS_MAGIC"},
						  {0x9fa0, "PROC_SUPER_MAGIC"},          {0x62656572, "SYSFS_MAGIC"},
						  {0x794c7630, "OVERLAYFS_SUPER_MAGIC"}, {0x1cd1, "DEVPTS_SUPER_MAGIC"},
						  {0x58465342, "XFS_SUPER_MAGIC"},       {0x9123683e, "BTRFS_SUPER_MAGIC"},
						  {0x858458f6, "RAMFS_MAGIC"},           {0, NULL}};
	static const struct value_name flags[] = {{0x20, "ST_VALID"},
						  {1, "ST_RDONLY"},
						  {2, "ST_NOSUID"},
						  {4, "ST_NODEV"},
						  {8, "ST_NOEXEC"},
						  {16, "ST_SYNCHRONOUS"},
						  {64, "ST_MANDLOCK"},
						  {1024, "ST_NOATIME"},
						  {2048, "ST_NODIRATIME"},
						  {4096, "ST_RELATIME"},
						  {0, NULL}};
	struct statfs f;
	struct text *t = &s->text;
	if (!format_out(s, i, &f, sizeof f))
		return;
	text_puts(t, "{f_type=");
	text_value(t, types, (uint64_t)f.f_type, "???");
	text_printf(t, ", f_bsize=%ld, f_blocks=%" PRIu64 ", f_bfree=%" PRIu64 ", f_bavail=%" PRIu64, (long)f.f_bsize,
		    (uint64_t)f.f_blocks, (uint64_t)f.f_bfree, (uint64_t)f.f_bavail);
	text_printf(
	    t, ", f_files=%" PRIu64 ", f_ffree=%" PRIu64 ", f_fsid={val=[%#x, %#x]}, f_namelen=%ld, f_frsize=%ld, f_flags=",
	    (uint64_t)f.f_files, (uint64_t)f.f_ffree, (unsigned)f.f_fsid.__val[0], (unsigned)f.f_fsid.__val[1],
	    (long)f.f_namelen, (long)f.f_frsize);
	text_flags(t, flags, (uint64_t)f.f_flags, "ST_???");
	text_puts(t, "}");
}

static void show_sysinfo(struct shown *s, int i)
{
	struct sysinfo v;
	if (!format_out(s, i, &v, sizeof v))
		return;
	text_printf(&s->text,
		    "{uptime=%ld, loads=[%lu, %lu, %lu], totalram=%lu, freeram=%lu, sharedram=%lu, bufferram=%lu, ",
		    v.uptime, v.loads[0], v.loads[1], v.loads[2], v.totalram, v.freeram, v.sharedram, v.bufferram);
	text_printf(&s->text, "totalswap=%lu, freeswap=%lu, procs=%u, totalhigh=%lu, freehigh=%lu, mem_unit=%u}",
		    v.totalswap, v.freeswap, v.procs, v.totalhigh, v.freehigh, v.mem_unit);
}

static void show_node_mode(struct shown *s, int i)
{
	uint32_t mode = (uint32_t)s->c->args[i];
	if (mode & S_IFMT)
		print_mode(&s->text, mode);
	else
		text_printf(&s->text, "%#03o", mode);
}

static void show_dev(struct shown *s, int i)
{
	print_dev(&s->text, (uint32_t)s->c->args[i]);
}

/* pipe2(2) and dup3(2): of open(2)'s flags those without an access mode. */
static void show_some_oflags(struct shown *s, int i)
{
	text_flags(&s->text, names_open, (uint32_t)s->c->args[i], "O_???");
}

static void show_timespec_out(struct shown *s, int i)
{
	int64_t ts[2];
	if (!s->failed && format_fetch(s, s->c->args[i], ts, sizeof ts))
		format_timespec(&s->text, ts, "tv_nsec");
	else
		format_addr(&s->text, s->c->args[i]);
}

/* The time that was left is written only when the sleep was interrupted. */
static void show_remaining(struct shown *s, int i)
{
	int64_t ts[2];
	if (s->failed && (s->rval == -EINTR || s->rval == -516) && format_fetch(s, s->c->args[i], ts, sizeof ts))
		format_timespec(&s->text, ts, "tv_nsec");
	else
		format_addr(&s->text, s->c->args[i]);
}

static void show_entries(struct shown *s, int i)
{
	static const struct value_name types[] = {{0, "DT_UNKNOWN"}, {1, "DT_FIFO"}, {2, "DT_CHR"},  {4, "DT_DIR"},
						  {6, "DT_BLK"},     {8, "DT_REG"},  {10, "DT_LNK"}, {12, "DT_SOCK"},
						  {14, "DT_WHT"},    {0, NULL}};
	struct text *t = &s->text;
	bool all = s->opt->verbose, wide = s->c->nr == SYS_getdents64;
	if (!all || s->failed)
		format_addr(t, s->c->args[i]);
	if (s->failed || s->rval < 0)
		return;
	/* d_reclen is at the same place in both forms. */
	unsigned n = 0;
	AUTO_FREE char *buf = s->rval <= (1 << 20) ? malloc((size_t)s->rval + 1) : NULL;
	if (!buf || (s->rval && !format_fetch(s, s->c->args[i], buf, (size_t)s->rval)))
		return;
	if (all)
		text_puts(t, "[");
	for (size_t at = 0; at + 19 < (size_t)s->rval; n++) {
		uint64_t head[2];
		uint16_t len;
		memcpy(head, buf + at, sizeof head);
		memcpy(&len, buf + at + 16, sizeof len);
		if (len < 20 || len > (size_t)s->rval - at)
			break;
		if (all) {
			unsigned char type = (unsigned char)(wide ? buf[at + 18] : buf[at + len - 1]);
			size_t name = at + (wide ? 19 : 18);
			text_printf(t, "%s{d_ino=%" PRIu64 ", d_off=%" PRId64 ", d_reclen=%u, ", n ? ", " : "", head[0],
				    (int64_t)head[1], len);
			if (!wide)
				text_puts(t, "d_name=");
			if (!wide)
				format_quoted(s, buf + name, at + len - name);
			text_puts(t, wide ? "d_type=" : ", d_type=");
			text_value(t, types, type, "DT_???");
			if (wide)
				text_puts(t, ", d_name=");
			if (wide)
				format_quoted(s, buf + name, at + len - name);
			text_puts(t, "}");
		}
		at += len;
	}
	if (all)
		text_puts(t, "]");
	else
		text_printf(t, " /* %u entr%s */", n, n == 1 ? "y" : "ies");
}

static void show_hex_out(struct shown *s, int i)
{
	unsigned hex = s->opt->hex;
	if (s->failed || s->rval < 0) {
		format_addr(&s->text, s->c->args[i]);
		return;
	}
	struct trace_options all = *s->opt;
	const struct trace_options *old = s->opt;
	all.hex = MAX(hex, 2U);
	s->opt = &all;
	format_bytes(s, s->c->args[i], (uint64_t)s->rval);
	s->opt = old;
}

/* A string that the call wrote: getcwd counts its NUL, readlink writes none. */
static void show_name_out(struct shown *s, int i)
{
	char buf[PATH_MAX];
	if (s->failed || s->rval < 0 || s->rval > PATH_MAX || !format_fetch(s, s->c->args[i], buf, (size_t)s->rval)) {
		format_addr(&s->text, s->c->args[i]);
		return;
	}
	size_t n = (size_t)s->rval;
	if (s->c->nr == SYS_getcwd && n)
		n--;
	text_quote(&s->text, buf, n, s->opt->hex, false);
}

static void show_address(struct shown *s, int i)
{
	text_printf(&s->text, "%#" PRIx64, s->c->args[i]);
}

const struct decoder struct_decoders[] = {
    OUT("statfs", 1, show_statfs),
    OUT("fstatfs", 1, show_statfs),
    OUT("sysinfo", 0, show_sysinfo),
    IN("mknod", 1, show_node_mode),
    IN("mknodat", 2, show_node_mode),
    IN("mknod", 2, show_dev),
    IN("mknodat", 3, show_dev),
    IN("pipe2", 1, show_some_oflags),
    IN("dup3", 2, show_some_oflags),
    IN("pwritev2", 1, show_iovec),
    OUT("preadv2", 1, show_iovec),
    IN("vmsplice", 1, show_iovec),
    OUT("process_vm_readv", 1, show_iovec),
    IN("process_vm_writev", 1, show_iovec),
    IN("process_vm_readv", 3, show_remote_iovec),
    IN("process_vm_writev", 3, show_remote_iovec),
    IN("select", 1, show_fds),
    IN("select", 2, show_fds),
    IN("select", 3, show_fds),
    IN("pselect6", 1, show_fds),
    IN("pselect6", 2, show_fds),
    IN("pselect6", 3, show_fds),
    IN("pselect6", 5, show_select_mask),
    OUT("epoll_pwait2", 1, show_epoll_events),
    OUT("sched_rr_get_interval", 1, show_timespec_out),
    OUT("stat", 1, show_stat),
    OUT("lstat", 1, show_stat),
    OUT("fstat", 1, show_stat),
    OUT("newfstatat", 2, show_stat),
    IN("statx", 2, show_statx_flags),
    OUT("statx", 4, show_statx),
    OUT("socketpair", 3, show_pair),
    OUT("pipe", 0, show_pair),
    OUT("pipe2", 0, show_pair),
    IN("writev", 1, show_iovec),
    IN("pwritev", 1, show_iovec),
    OUT("readv", 1, show_iovec),
    OUT("preadv", 1, show_iovec),
    IN("poll", 0, show_pollfds),
    OUT("poll", 2, show_timeout),
    IN("ppoll", 0, show_pollfds),
    OUT("ppoll", 2, show_timeout),
    IN("epoll_ctl", 3, show_epoll_events),
    OUT("epoll_wait", 1, show_epoll_events),
    OUT("epoll_pwait", 1, show_epoll_events),
    IN("setrlimit", 1, show_rlimit),
    OUT("getrlimit", 1, show_rlimit),
    IN("prlimit64", 2, show_rlimit),
    OUT("prlimit64", 3, show_rlimit),
    OUT("uname", 0, show_uname),
    OUT("clock_gettime", 1, show_timespec_out),
    OUT("clock_getres", 1, show_timespec_out),
    OUT("nanosleep", 1, show_remaining),
    OUT("clock_nanosleep", 3, show_remaining),
    OUT("getdents64", 1, show_entries),
    OUT("getdents", 1, show_entries),
    OUT("getrandom", 0, show_hex_out),
    OUT("getcwd", 0, show_name_out),
    OUT("readlink", 1, show_name_out),
    OUT("readlinkat", 2, show_name_out),
    IN("mmap", 5, show_address),
};
const size_t n_struct_decoders = ARRAY_SIZE(struct_decoders);
