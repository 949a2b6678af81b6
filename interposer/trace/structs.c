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
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_ITEMS 32

void format_mode(struct text *t, uint32_t mode)
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

static void time_field(struct text *t, const char *name, int64_t sec, int64_t nsec)
{
	struct tm tm;
	time_t at = (time_t)sec;
	char iso[64] = "";
	if (gmtime_r(&at, &tm))
		strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%S", &tm);
	text_printf(t, ", %s=%" PRId64 " /* %s", name, sec, iso);
	if (nsec)
		text_printf(t, ".%09" PRId64, nsec);
	text_printf(t, "+0000 */, %s_nsec=%" PRId64, name, nsec);
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
	format_mode(t, st.st_mode);
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

static void show_statx(struct shown *s, int i)
{
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
	text_printf(t, ", stx_attributes=%#" PRIx64 ", stx_mode=", (uint64_t)st.stx_attributes);
	format_mode(t, st.stx_mode);
	text_printf(t, ", stx_size=%" PRIu64 ", ...}", (uint64_t)st.stx_size);
}

void format_sockaddr(struct shown *s, uint64_t addr, uint64_t len)
{
	union {
		struct sockaddr sa;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_nl nl;
		char bytes[128];
	} u;
	struct text *t = &s->text;
	char ip[INET6_ADDRSTRLEN];
	memset(&u, 0, sizeof u);
	if (len < 2 || len > sizeof u || !format_fetch(s, addr, &u, len)) {
		format_addr(t, addr);
		return;
	}
	text_puts(t, "{sa_family=");
	text_value(t, names_family, u.sa.sa_family, "AF_???");
	switch (u.sa.sa_family) {
	case AF_UNIX:
		if (len == 2)
			break;
		text_puts(t, ", sun_path=");
		if (u.un.sun_path[0]) {
			text_quote(t, u.un.sun_path, strnlen(u.un.sun_path, len - 2), s->opt->hex, false);
		} else {
			text_puts(t, "@");
			text_quote(t, u.un.sun_path + 1, len - 3, s->opt->hex, false);
		}
		break;
	case AF_INET:
		if (len < sizeof u.in)
			break;
		text_printf(t, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", ntohs(u.in.sin_port),
			    inet_ntop(AF_INET, &u.in.sin_addr, ip, sizeof ip));
		break;
	case AF_INET6:
		if (len < sizeof u.in6 - 4)
			break;
		text_printf(t,
			    ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u), inet_pton(AF_INET6, \"%s\", &sin6_addr), "
			    "sin6_scope_id=%u",
			    ntohs(u.in6.sin6_port), ntohl(u.in6.sin6_flowinfo),
			    inet_ntop(AF_INET6, &u.in6.sin6_addr, ip, sizeof ip), u.in6.sin6_scope_id);
		break;
	case AF_NETLINK:
		text_printf(t, ", nl_pid=%d, nl_groups=%#08x", (int)u.nl.nl_pid, u.nl.nl_groups);
		break;
	default:
		text_puts(t, ", sa_data=");
		text_quote(t, u.bytes + 2, len - 2, s->opt->hex, false);
	}
	text_puts(t, "}");
}

static void show_socklen(struct shown *s, int i)
{
	uint32_t len;
	if (!s->failed && format_fetch(s, s->c->args[i], &len, sizeof len))
		text_printf(&s->text, "[%u]", len);
	else
		format_addr(&s->text, s->c->args[i]);
}

static void show_socktype(struct shown *s, int i)
{
	static const struct value_name types[] = {{1, "SOCK_STREAM"}, {2, "SOCK_DGRAM"},     {3, "SOCK_RAW"},
						  {4, "SOCK_RDM"},    {5, "SOCK_SEQPACKET"}, {0, NULL}};
	uint32_t v = (uint32_t)s->c->args[i];
	text_value(&s->text, types, v & 0xf, "SOCK_???");
	text_printf(&s->text, "%s%s", v & SOCK_CLOEXEC ? "|SOCK_CLOEXEC" : "", v & SOCK_NONBLOCK ? "|SOCK_NONBLOCK" : "");
}

static void show_protocol(struct shown *s, int i)
{
	static const struct value_name ip[] = {
	    {0, "IPPROTO_IP"},      {1, "IPPROTO_ICMP"},  {6, "IPPROTO_TCP"}, {17, "IPPROTO_UDP"},
	    {58, "IPPROTO_ICMPV6"}, {255, "IPPROTO_RAW"}, {0, NULL}};
	uint32_t v = (uint32_t)s->c->args[i], family = (uint32_t)s->c->args[0];
	if (family == AF_INET || family == AF_INET6)
		text_value(&s->text, ip, v, "IPPROTO_???");
	else if (family == AF_NETLINK && !v)
		text_puts(&s->text, "NETLINK_ROUTE");
	else
		text_printf(&s->text, "%u", v);
}

static void show_sockopt(struct shown *s, int i)
{
	static const struct value_name names[] = {{SO_DEBUG, "SO_DEBUG"},         {SO_REUSEADDR, "SO_REUSEADDR"},
						  {SO_TYPE, "SO_TYPE"},           {SO_ERROR, "SO_ERROR"},
						  {SO_DONTROUTE, "SO_DONTROUTE"}, {SO_BROADCAST, "SO_BROADCAST"},
						  {SO_SNDBUF, "SO_SNDBUF"},       {SO_RCVBUF, "SO_RCVBUF"},
						  {SO_KEEPALIVE, "SO_KEEPALIVE"}, {SO_LINGER, "SO_LINGER"},
						  {SO_REUSEPORT, "SO_REUSEPORT"}, {SO_PASSCRED, "SO_PASSCRED"},
						  {SO_PEERCRED, "SO_PEERCRED"},   {SO_DOMAIN, "SO_DOMAIN"},
						  {SO_PROTOCOL, "SO_PROTOCOL"},   {0, NULL}};
	if ((uint32_t)s->c->args[1] == SOL_SOCKET)
		text_value(&s->text, names, (uint32_t)s->c->args[i], "SO_???");
	else
		text_printf(&s->text, "%u", (uint32_t)s->c->args[i]);
}

static void show_int_at(struct shown *s, int i)
{
	int v;
	bool out = s->c->nr == SYS_getsockopt;
	if ((out ? !s->failed : (uint32_t)s->c->args[4] == 4) && format_fetch(s, s->c->args[i], &v, sizeof v))
		text_printf(&s->text, "[%d]", v);
	else
		format_addr(&s->text, s->c->args[i]);
}

static void show_iovec(struct shown *s, int i)
{
	uint64_t n = (uint32_t)s->c->args[i + 1];
	uint64_t left = s->exiting && !s->failed && s->rval >= 0 ? (uint64_t)s->rval : 0;
	bool reading = s->c->nr == SYS_readv || s->c->nr == SYS_preadv || s->c->nr == SYS_preadv2;
	uint64_t iov[2];
	struct text *t = &s->text;
	if (reading && s->failed) {
		format_addr(t, s->c->args[i]);
		return;
	}
	for (uint64_t k = 0; k < n; k++) {
		if (!format_fetch(s, s->c->args[i] + 16 * k, iov, sizeof iov)) {
			if (!k) {
				format_addr(t, s->c->args[i]);
				return;
			}
			break;
		}
		text_puts(t, k ? ", " : "[");
		if (k == MAX_ITEMS) {
			text_puts(t, "...");
			break;
		}
		text_puts(t, "{iov_base=");
		uint64_t part = reading ? MIN(left, iov[1]) : iov[1];
		left -= MIN(left, part);
		format_bytes(s, iov[0], part);
		text_printf(t, ", iov_len=%" PRIu64 "}", iov[1]);
	}
	text_puts(t, n ? "]" : "[]");
}

static void sigset_text(struct text *t, uint64_t set)
{
	/* Of a set with most signals strace names those that are missing. */
	bool inverted = __builtin_popcountll(set) > 42;
	bool first = true;
	if (inverted)
		set = ~set;
	text_puts(t, inverted ? "~[" : "[");
	for (int sig = 1; sig <= 64; sig++) {
		if (!(set >> (sig - 1) & 1))
			continue;
		struct text name = {0};
		text_signal(&name, sig);
		if (!first)
			text_puts(t, " ");
		if (name.n > 3)
			text_put(t, name.p + 3, name.n - 3);
		free(name.p);
		first = false;
	}
	text_puts(t, "]");
}

static void show_sigset(struct shown *s, int i)
{
	uint64_t set;
	/* What a call returns there isn't there when it fails. */
	bool out = (s->c->nr == SYS_rt_sigprocmask && i == 2) || s->c->nr == SYS_rt_sigpending;
	if (!(out && s->failed) && format_fetch(s, s->c->args[i], &set, sizeof set))
		sigset_text(&s->text, set);
	else
		format_addr(&s->text, s->c->args[i]);
}

static void show_sigaction(struct shown *s, int i)
{
	static const struct value_name flags[] = {
	    {0x04000000, "SA_RESTORER"},    {SA_ONSTACK, "SA_ONSTACK"},     {SA_RESTART, "SA_RESTART"},
	    {SA_NODEFER, "SA_NODEFER"},     {SA_RESETHAND, "SA_RESETHAND"}, {SA_NOCLDSTOP, "SA_NOCLDSTOP"},
	    {SA_NOCLDWAIT, "SA_NOCLDWAIT"}, {SA_SIGINFO, "SA_SIGINFO"},     {0, NULL}};
	struct {
		uint64_t handler, flags, restorer, mask;
	} sa;
	struct text *t = &s->text;
	if ((i == 2 && s->failed) || !format_fetch(s, s->c->args[i], &sa, sizeof sa)) {
		format_addr(t, s->c->args[i]);
		return;
	}
	text_puts(t, "{sa_handler=");
	if (sa.handler <= 1)
		text_puts(t, sa.handler ? "SIG_IGN" : "SIG_DFL");
	else
		text_printf(t, "%#" PRIx64, sa.handler);
	text_puts(t, ", sa_mask=");
	sigset_text(t, sa.mask);
	text_puts(t, ", sa_flags=");
	text_flags(t, flags, sa.flags, "SA_???");
	if (sa.flags & 0x04000000)
		text_printf(t, ", sa_restorer=%#" PRIx64, sa.restorer);
	text_puts(t, "}");
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
		if (k == MAX_ITEMS) {
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
	if (!first)
		text_puts(&s->extra, "])");
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
		if (k == MAX_ITEMS || !format_fetch(s, s->c->args[i] + (uint64_t)k * sizeof e, &e, sizeof e)) {
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

static void show_wstatus(struct shown *s, int i)
{
	int w;
	struct text *t = &s->text;
	if (s->failed || s->rval <= 0 || !format_fetch(s, s->c->args[i], &w, sizeof w)) {
		format_addr(t, s->c->args[i]);
		return;
	}
	if (WIFEXITED(w))
		text_printf(t, "[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", WEXITSTATUS(w));
	else if (w == 0xffff)
		text_puts(t, "[{WIFCONTINUED(s)}]");
	else {
		text_puts(t, WIFSTOPPED(w) ? "[{WIFSTOPPED(s) && WSTOPSIG(s) == " : "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
		text_signal(t, WIFSTOPPED(w) ? WSTOPSIG(w) : WTERMSIG(w));
		text_puts(t, WIFSIGNALED(w) && WCOREDUMP(w) ? " && WCOREDUMP(s)}]" : "}]");
	}
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
	text_puts(&s->text, ", ...}");
}

static void show_timespec_out(struct shown *s, int i)
{
	int64_t ts[2];
	if (!s->failed && format_fetch(s, s->c->args[i], ts, sizeof ts))
		format_timespec(&s->text, ts, s->c->nr == SYS_gettimeofday ? "tv_usec" : "tv_nsec");
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
	format_addr(&s->text, s->c->args[i]);
	if (s->failed || s->rval < 0)
		return;
	/* d_reclen is at the same place in both forms. */
	unsigned n = 0;
	AUTO_FREE char *buf = s->rval <= (1 << 20) ? malloc((size_t)s->rval + 1) : NULL;
	if (!buf || (s->rval && !format_fetch(s, s->c->args[i], buf, (size_t)s->rval)))
		return;
	for (size_t at = 0; at + 18 < (size_t)s->rval; n++) {
		uint16_t len;
		memcpy(&len, buf + at + 16, sizeof len);
		if (len < 19)
			break;
		at += len;
	}
	text_printf(&s->text, " /* %u entr%s */", n, n == 1 ? "y" : "ies");
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

static void show_fcntl_arg(struct shown *s, int i)
{
	uint32_t v = (uint32_t)s->c->args[i];
	static const struct value_name fd_flags[] = {{FD_CLOEXEC, "FD_CLOEXEC"}, {0, NULL}};
	static const struct value_name types[] = {
	    {F_RDLCK, "F_RDLCK"}, {F_WRLCK, "F_WRLCK"}, {F_UNLCK, "F_UNLCK"}, {0, NULL}};
	static const struct value_name whences[] = {
	    {SEEK_SET, "SEEK_SET"}, {SEEK_CUR, "SEEK_CUR"}, {SEEK_END, "SEEK_END"}, {0, NULL}};
	struct flock fl;
	switch ((uint32_t)s->c->args[1]) {
	case F_SETFD:
		text_flags(&s->text, fd_flags, v, "FD_???");
		break;
	case F_SETFL:
		format_open_flags(&s->text, v);
		break;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_SETPIPE_SZ:
		text_printf(&s->text, "%d", (int)v);
		break;
	case F_SETLK:
	case F_SETLKW:
	case F_GETLK:
		if (!format_fetch(s, s->c->args[i], &fl, sizeof fl)) {
			format_addr(&s->text, s->c->args[i]);
			break;
		}
		text_puts(&s->text, "{l_type=");
		text_value(&s->text, types, (uint16_t)fl.l_type, "F_???");
		text_puts(&s->text, ", l_whence=");
		text_value(&s->text, whences, (uint16_t)fl.l_whence, "SEEK_???");
		text_printf(&s->text, ", l_start=%" PRId64 ", l_len=%" PRId64 "}", (int64_t)fl.l_start, (int64_t)fl.l_len);
		break;
	default:
		text_printf(&s->text, "%#" PRIx64, s->c->args[i]);
	}
}

static void show_ioctl(struct shown *s, int i)
{
	static const struct value_name names[] = {
	    {TCGETS, "TCGETS"},       {TCSETS, "TCSETS"},       {TCSETSW, "TCSETSW"},       {TCSETSF, "TCSETSF"},
	    {TIOCGPGRP, "TIOCGPGRP"}, {TIOCSPGRP, "TIOCSPGRP"}, {TIOCGWINSZ, "TIOCGWINSZ"}, {TIOCSWINSZ, "TIOCSWINSZ"},
	    {FIONREAD, "FIONREAD"},   {FIONBIO, "FIONBIO"},     {FIOCLEX, "FIOCLEX"},       {FIONCLEX, "FIONCLEX"},
	    {TIOCNOTTY, "TIOCNOTTY"}, {TIOCSCTTY, "TIOCSCTTY"}, {TIOCGSID, "TIOCGSID"},     {0, NULL}};
	for (const struct value_name *n = names; n->name; n++)
		if (n->value == (uint32_t)s->c->args[i]) {
			text_puts(&s->text, n->name);
			return;
		}
	text_printf(&s->text, "%#x", (uint32_t)s->c->args[i]);
}

static void show_futex_op(struct shown *s, int i)
{
	static const struct value_name names[] = {{0, "FUTEX_WAIT"},
						  {1, "FUTEX_WAKE"},
						  {3, "FUTEX_REQUEUE"},
						  {4, "FUTEX_CMP_REQUEUE"},
						  {5, "FUTEX_WAKE_OP"},
						  {6, "FUTEX_LOCK_PI"},
						  {7, "FUTEX_UNLOCK_PI"},
						  {8, "FUTEX_TRYLOCK_PI"},
						  {9, "FUTEX_WAIT_BITSET"},
						  {10, "FUTEX_WAKE_BITSET"},
						  {0, NULL}};
	uint32_t v = (uint32_t)s->c->args[i];
	text_value(&s->text, names, v & 0x7f & ~0U, "FUTEX_???");
	text_printf(&s->text, "%s%s", v & 128 ? "_PRIVATE" : "", v & 256 ? "|FUTEX_CLOCK_REALTIME" : "");
}

#define IN(call, arg, fn)                        \
	{                                        \
		call, arg, false, fn, NULL, NULL \
	}
#define OUT(call, arg, fn)                      \
	{                                       \
		call, arg, true, fn, NULL, NULL \
	}
const struct decoder struct_decoders[] = {
    OUT("stat", 1, show_stat),
    OUT("lstat", 1, show_stat),
    OUT("fstat", 1, show_stat),
    OUT("newfstatat", 2, show_stat),
    OUT("statx", 4, show_statx),
    IN("socket", 1, show_socktype),
    IN("socket", 2, show_protocol),
    IN("socketpair", 1, show_socktype),
    IN("socketpair", 2, show_protocol),
    OUT("socketpair", 3, show_pair),
    OUT("pipe", 0, show_pair),
    OUT("pipe2", 0, show_pair),
    OUT("accept", 2, show_socklen),
    OUT("accept4", 2, show_socklen),
    OUT("getsockname", 2, show_socklen),
    OUT("getpeername", 2, show_socklen),
    OUT("recvfrom", 5, show_socklen),
    IN("setsockopt", 2, show_sockopt),
    IN("getsockopt", 2, show_sockopt),
    IN("setsockopt", 3, show_int_at),
    OUT("getsockopt", 3, show_int_at),
    OUT("getsockopt", 4, show_socklen),
    IN("writev", 1, show_iovec),
    IN("pwritev", 1, show_iovec),
    OUT("readv", 1, show_iovec),
    OUT("preadv", 1, show_iovec),
    IN("rt_sigprocmask", 1, show_sigset),
    OUT("rt_sigprocmask", 2, show_sigset),
    OUT("rt_sigpending", 0, show_sigset),
    IN("rt_sigsuspend", 0, show_sigset),
    IN("rt_sigtimedwait", 0, show_sigset),
    IN("signalfd4", 1, show_sigset),
    IN("ppoll", 3, show_sigset),
    IN("rt_sigaction", 1, show_sigaction),
    OUT("rt_sigaction", 2, show_sigaction),
    IN("poll", 0, show_pollfds),
    OUT("poll", 2, show_timeout),
    IN("ppoll", 0, show_pollfds),
    OUT("ppoll", 2, show_timeout),
    IN("epoll_ctl", 3, show_epoll_events),
    OUT("epoll_wait", 1, show_epoll_events),
    OUT("epoll_pwait", 1, show_epoll_events),
    OUT("wait4", 1, show_wstatus),
    IN("setrlimit", 1, show_rlimit),
    OUT("getrlimit", 1, show_rlimit),
    IN("prlimit64", 2, show_rlimit),
    OUT("prlimit64", 3, show_rlimit),
    OUT("uname", 0, show_uname),
    OUT("clock_gettime", 1, show_timespec_out),
    OUT("clock_getres", 1, show_timespec_out),
    OUT("gettimeofday", 0, show_timespec_out),
    OUT("nanosleep", 1, show_remaining),
    OUT("clock_nanosleep", 3, show_remaining),
    OUT("getdents64", 1, show_entries),
    OUT("getdents", 1, show_entries),
    OUT("getrandom", 0, show_hex_out),
    OUT("getcwd", 0, show_name_out),
    OUT("readlink", 1, show_name_out),
    OUT("readlinkat", 2, show_name_out),
    IN("mmap", 5, show_address),
    IN("fcntl", 2, show_fcntl_arg),
    IN("ioctl", 1, show_ioctl),
    IN("futex", 1, show_futex_op),
};
const size_t n_struct_decoders = ARRAY_SIZE(struct_decoders);

void format_siginfo(struct text *t, const void *siginfo)
{
	static const struct value_name chld[] = {{CLD_EXITED, "CLD_EXITED"},
						 {CLD_KILLED, "CLD_KILLED"},
						 {CLD_DUMPED, "CLD_DUMPED"},
						 {CLD_TRAPPED, "CLD_TRAPPED"},
						 {CLD_STOPPED, "CLD_STOPPED"},
						 {CLD_CONTINUED, "CLD_CONTINUED"},
						 {0, NULL}};
	static const struct value_name segv[] = {{SEGV_MAPERR, "SEGV_MAPERR"}, {SEGV_ACCERR, "SEGV_ACCERR"}, {0, NULL}};
	static const struct value_name any[] = {{(uint32_t)SI_USER, "SI_USER"},   {SI_KERNEL, "SI_KERNEL"},
						{(uint32_t)SI_QUEUE, "SI_QUEUE"}, {(uint32_t)SI_TIMER, "SI_TIMER"},
						{(uint32_t)SI_TKILL, "SI_TKILL"}, {0, NULL}};
	const siginfo_t *si = siginfo;
	text_puts(t, "{si_signo=");
	text_signal(t, si->si_signo);
	text_puts(t, ", si_code=");
	text_value(t,
		   si->si_code <= 0 || si->si_code == SI_KERNEL ? any
		   : si->si_signo == SIGCHLD                    ? chld
		   : si->si_signo == SIGSEGV                    ? segv
								: any,
		   (uint32_t)si->si_code, "???");
	if (si->si_signo == SIGCHLD && si->si_code > 0) {
		text_printf(t, ", si_pid=%d, si_uid=%u, si_status=", si->si_pid, si->si_uid);
		if (si->si_code == CLD_EXITED)
			text_printf(t, "%d", si->si_status);
		else
			text_signal(t, si->si_status);
		text_printf(t, ", si_utime=%ld, si_stime=%ld", (long)si->si_utime, (long)si->si_stime);
	} else if (si->si_code == SI_USER || si->si_code == SI_TKILL || si->si_code == SI_QUEUE) {
		text_printf(t, ", si_pid=%d, si_uid=%u", si->si_pid, si->si_uid);
	} else if (si->si_code > 0 &&
		   (si->si_signo == SIGSEGV || si->si_signo == SIGBUS || si->si_signo == SIGFPE || si->si_signo == SIGILL)) {
		text_puts(t, ", si_addr=");
		format_addr(t, (uint64_t)(uintptr_t)si->si_addr);
	}
	text_puts(t, "}");
}
