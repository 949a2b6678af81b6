/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - calls whose arguments depend on a command among them: fcntl, ioctl, prctl, futex, seccomp, and those of schedulers. */
#include "interposer/trace/format.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <asm/termbits.h>

#define N(x)                      \
	{                         \
		(uint64_t)(x), #x \
	}
#define END             \
	{               \
		0, NULL \
	}

static void show_int_out(struct shown *s, int i)
{
	int v;
	if (format_out(s, i, &v, sizeof v))
		text_printf(&s->text, "[%d]", v);
}

static void put_list(struct shown *s, int i, int64_t n)
{
	uint32_t v;
	text_puts(&s->text, "[");
	for (int64_t k = 0; k < n; k++) {
		if (k)
			text_puts(&s->text, ", ");
		if (k == FORMAT_ITEMS || !format_fetch(s, s->c->args[i] + 4 * (uint64_t)k, &v, sizeof v)) {
			text_puts(&s->text, "...");
			break;
		}
		text_printf(&s->text, "%u", v);
	}
	text_puts(&s->text, "]");
}

static void show_groups(struct shown *s, int i)
{
	bool in = s->c->nr == SYS_setgroups;
	int64_t n = in ? (int)(uint32_t)s->c->args[0] : s->rval;
	if (s->failed || !s->c->args[i] || (!in && !(uint32_t)s->c->args[0]))
		format_addr(&s->text, s->c->args[i]);
	else
		put_list(s, i, n);
}

/* --- fcntl --------------------------------------------------------------------------------------------------------- */

static void put_flock(struct shown *s, int i)
{
	static const struct value_name types[] = {N(F_RDLCK), N(F_WRLCK), N(F_UNLCK), END};
	static const struct value_name whences[] = {N(SEEK_SET), N(SEEK_CUR), N(SEEK_END), END};
	struct flock fl;
	if (!format_in(s, i, &fl, sizeof fl))
		return;
	text_puts(&s->text, "{l_type=");
	text_value(&s->text, types, (uint16_t)fl.l_type, "F_???");
	text_puts(&s->text, ", l_whence=");
	text_value(&s->text, whences, (uint16_t)fl.l_whence, "SEEK_???");
	text_printf(&s->text, ", l_start=%" PRId64 ", l_len=%" PRId64, (int64_t)fl.l_start, (int64_t)fl.l_len);
	uint32_t cmd = (uint32_t)s->c->args[1];
	if (cmd == F_GETLK || cmd == F_OFD_GETLK)
		text_printf(&s->text, ", l_pid=%d", fl.l_pid);
	text_puts(&s->text, "}");
}

static void show_fcntl_arg(struct shown *s, int i)
{
	static const struct value_name fd_flags[] = {N(FD_CLOEXEC), END};
	static const struct value_name seals[] = {
	    N(F_SEAL_SEAL), N(F_SEAL_SHRINK), N(F_SEAL_GROW), N(F_SEAL_WRITE), {16, "F_SEAL_FUTURE_WRITE"}, END};
	static const struct value_name owners[] = {{0, "F_OWNER_TID"}, {1, "F_OWNER_PID"}, {2, "F_OWNER_PGRP"}, END};
	static const struct value_name leases[] = {N(F_RDLCK), N(F_WRLCK), N(F_UNLCK), END};
	uint32_t v = (uint32_t)s->c->args[i];
	struct {
		int type, pid;
	} owner;
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
	case F_SETOWN:
		text_printf(&s->text, "%d", (int)v);
		break;
	case F_SETSIG:
		text_signal(&s->text, (int)v);
		break;
	case F_ADD_SEALS:
		text_flags(&s->text, seals, v, "F_SEAL_???");
		break;
	case F_SETLEASE:
		text_value(&s->text, leases, v, "F_???");
		break;
	case F_SETOWN_EX:
	case F_GETOWN_EX:
		if ((uint32_t)s->c->args[1] == F_SETOWN_EX ? format_in(s, i, &owner, sizeof owner)
							   : format_out(s, i, &owner, sizeof owner)) {
			text_puts(&s->text, "{type=");
			text_value(&s->text, owners, (uint32_t)owner.type, "F_OWNER_???");
			text_printf(&s->text, ", pid=%d}", owner.pid);
		}
		break;
	case F_GETLK:
	case F_OFD_GETLK:
		if (s->failed) {
			format_addr(&s->text, s->c->args[i]);
			break;
		}
		put_flock(s, i);
		break;
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		put_flock(s, i);
		break;
	default:
		text_printf(&s->text, "%#" PRIx64, s->c->args[i]);
	}
}

/* --- ioctl --------------------------------------------------------------------------------------------------------- */

static const struct value_name names_ioctl[] = {N(TCGETS),
						N(TCSETS),
						N(TCSETSW),
						N(TCSETSF),
						N(TCSBRK),
						N(TCXONC),
						N(TCFLSH),
						N(TIOCGPGRP),
						N(TIOCSPGRP),
						N(TIOCGWINSZ),
						N(TIOCSWINSZ),
						N(TIOCOUTQ),
						N(FIONREAD),
						N(FIONBIO),
						N(FIOASYNC),
						N(FIOCLEX),
						N(FIONCLEX),
						N(TIOCNOTTY),
						N(TIOCSCTTY),
						N(TIOCGSID),
						N(TIOCGPTN),
						N(TIOCSPTLCK),
						N(TIOCSTI),
						N(TIOCGPTPEER),
						N(TIOCEXCL),
						N(TIOCNXCL),
						N(TCGETS2),
						N(TCSETS2),
						{0x8912, "SIOCGIFCONF"},
						{0x8913, "SIOCGIFFLAGS"},
						{0x8915, "SIOCGIFADDR"},
						{0x8927, "SIOCGIFHWADDR"},
						{0x8933, "SIOCGIFINDEX"},
						{0x8910, "SIOCGIFNAME"},
						{0x40049409, "BTRFS_IOC_CLONE or FICLONE"},
						{0x80086601, "FS_IOC_GETFLAGS"},
						{0xc020660b, "FS_IOC_FIEMAP"},
						END};

static void show_ioctl(struct shown *s, int i)
{
	static const struct value_name dirs[] = {
	    {0, "_IOC_NONE"}, {1, "_IOC_WRITE"}, {2, "_IOC_READ"}, {3, "_IOC_READ|_IOC_WRITE"}, END};
	uint32_t v = (uint32_t)s->c->args[i];
	for (const struct value_name *n = names_ioctl; n->name; n++)
		if (n->value == v) {
			/* strace's name for a number that two drivers have. */
			text_puts(&s->text, v == TCSETS ? "SNDCTL_TMR_START or TCSETS" : n->name);
			return;
		}
	text_puts(&s->text, "_IOC(");
	text_value(&s->text, dirs, v >> 30, "_IOC_???");
	text_printf(&s->text, ", %#x, %#x, %#x)", v >> 8 & 0xff, v & 0xff, v >> 16 & 0x3fff);
}

static void put_termios(struct shown *s, int i)
{
	static const struct value_name iflag[] = {N(IGNBRK), N(BRKINT),  N(IGNPAR), N(PARMRK), N(INPCK), N(ISTRIP),
						  N(INLCR),  N(IGNCR),   N(ICRNL),  N(IUCLC),  N(IXON),  N(IXANY),
						  N(IXOFF),  N(IMAXBEL), N(IUTF8),  END};
	static const struct value_name oflag[] = {N(OPOST),  N(OLCUC), N(ONLCR), N(OCRNL), N(ONOCR),
						  N(ONLRET), N(OFILL), N(OFDEL), END};
	static const struct value_name bauds[] = {
	    N(B0),    N(B50),   N(B75),   N(B110),  N(B134),   N(B150),   N(B200),   N(B300),    N(B600),    N(B1200),
	    N(B1800), N(B2400), N(B4800), N(B9600), N(B19200), N(B38400), N(B57600), N(B115200), N(B230400), END};
	static const struct value_name sizes[] = {N(CS5), N(CS6), N(CS7), N(CS8), END};
	static const struct value_name cflag[] = {N(CSTOPB), N(CREAD),  N(PARENB),  N(PARODD),
						  N(HUPCL),  N(CLOCAL), N(CRTSCTS), END};
	static const struct value_name lflag[] = {N(ISIG),   N(ICANON), N(XCASE),  N(ECHO),   N(ECHOE),   N(ECHOK),
						  N(ECHONL), N(NOFLSH), N(IEXTEN), N(TOSTOP), N(ECHOCTL), N(ECHOPRT),
						  N(ECHOKE), N(FLUSHO), N(PENDIN), END};
	static const char *const cc[] = {"VINTR",    "VQUIT",    "VERASE",  "VKILL",  "VEOF",  "VTIME",
					 "VMIN",     "VSWTC",    "VSTART",  "VSTOP",  "VSUSP", "VEOL",
					 "VREPRINT", "VDISCARD", "VWERASE", "VLNEXT", "VEOL2"};
	struct termios v;
	struct text *t = &s->text;
	bool in = (uint32_t)s->c->args[1] != TCGETS;
	if (!(in ? format_in(s, i, &v, sizeof v) : format_out(s, i, &v, sizeof v)))
		return;
	text_puts(t, "{c_iflag=");
	text_flags(t, iflag, v.c_iflag, "I???");
	text_printf(t, ", c_oflag=NL%u|CR%u|TAB%u|BS%u|VT%u|FF%u", v.c_oflag >> 8 & 1, v.c_oflag >> 9 & 3,
		    v.c_oflag >> 11 & 3, v.c_oflag >> 13 & 1, v.c_oflag >> 14 & 1, v.c_oflag >> 15 & 1);
	uint32_t rest = v.c_oflag & 0xff;
	if (rest) {
		text_puts(t, "|");
		text_flags(t, oflag, rest, "O???");
	}
	text_puts(t, ", c_cflag=");
	text_value(t, bauds, v.c_cflag & (CBAUD | CBAUDEX), "B???");
	text_puts(t, "|");
	text_value(t, sizes, v.c_cflag & CSIZE, "CS?");
	rest = v.c_cflag & ~(uint32_t)(CBAUD | CBAUDEX | CSIZE);
	if (rest) {
		text_puts(t, "|");
		text_flags(t, cflag, rest, "C???");
	}
	text_puts(t, ", c_lflag=");
	text_flags(t, lflag, v.c_lflag, "L???");
	if (!s->opt->verbose) {
		text_puts(t, ", ...}");
		return;
	}
	text_printf(t, ", c_line=%s, c_cc=[", v.c_line ? "" : "N_TTY");
	if (v.c_line)
		text_printf(t, "%#x", v.c_line);
	for (unsigned k = 0; k < sizeof v.c_cc; k++) {
		if (k < ARRAY_SIZE(cc))
			text_printf(t, "%s[%s]=%#x", k ? ", " : "", cc[k], v.c_cc[k]);
		else
			text_printf(t, ", [%u]=%#x", k, v.c_cc[k]);
	}
	text_puts(t, "]}");
}

static void show_ioctl_arg(struct shown *s, int i)
{
	static const struct value_name queues[] = {{0, "TCIFLUSH"}, {1, "TCOFLUSH"}, {2, "TCIOFLUSH"}, END};
	static const struct value_name flows[] = {{0, "TCOOFF"}, {1, "TCOON"}, {2, "TCIOFF"}, {3, "TCION"}, END};
	struct winsize w;
	struct text *t = &s->text;
	uint32_t v;
	switch ((uint32_t)s->c->args[1]) {
	case TCGETS:
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		put_termios(s, i);
		break;
	case TIOCGWINSZ:
	case TIOCSWINSZ:
		if ((uint32_t)s->c->args[1] == TIOCSWINSZ ? format_in(s, i, &w, sizeof w) : format_out(s, i, &w, sizeof w))
			text_printf(t, "{ws_row=%u, ws_col=%u, ws_xpixel=%u, ws_ypixel=%u}", w.ws_row, w.ws_col, w.ws_xpixel,
				    w.ws_ypixel);
		break;
	case FIONREAD:
	case TIOCOUTQ:
	case TIOCGPGRP:
	case TIOCGSID:
	case TIOCGPTN:
		show_int_out(s, i);
		break;
	case TIOCSPGRP:
	case TIOCSPTLCK:
	case FIONBIO:
	case FIOASYNC:
		if (format_in(s, i, &v, sizeof v))
			text_printf(t, "[%d]", (int)v);
		break;
	case TCFLSH:
		text_value(t, queues, s->c->args[i], "TC???");
		break;
	case TCXONC:
		text_value(t, flows, s->c->args[i], "TC???");
		break;
	case TCSBRK:
	case TIOCSCTTY:
		text_printf(t, "%d", (int)(uint32_t)s->c->args[i]);
		break;
	default:
		text_printf(t, "%#" PRIx64, s->c->args[i]);
	}
}

/* --- prctl, capabilities, seccomp ---------------------------------------------------------------------------------- */

static const struct value_name names_cap[] = {N(CAP_CHOWN),
					      N(CAP_DAC_OVERRIDE),
					      N(CAP_DAC_READ_SEARCH),
					      N(CAP_FOWNER),
					      N(CAP_FSETID),
					      N(CAP_KILL),
					      N(CAP_SETGID),
					      N(CAP_SETUID),
					      N(CAP_SETPCAP),
					      N(CAP_LINUX_IMMUTABLE),
					      N(CAP_NET_BIND_SERVICE),
					      N(CAP_NET_BROADCAST),
					      N(CAP_NET_ADMIN),
					      N(CAP_NET_RAW),
					      N(CAP_IPC_LOCK),
					      N(CAP_IPC_OWNER),
					      N(CAP_SYS_MODULE),
					      N(CAP_SYS_RAWIO),
					      N(CAP_SYS_CHROOT),
					      N(CAP_SYS_PTRACE),
					      N(CAP_SYS_PACCT),
					      N(CAP_SYS_ADMIN),
					      N(CAP_SYS_BOOT),
					      N(CAP_SYS_NICE),
					      N(CAP_SYS_RESOURCE),
					      N(CAP_SYS_TIME),
					      N(CAP_SYS_TTY_CONFIG),
					      N(CAP_MKNOD),
					      N(CAP_LEASE),
					      N(CAP_AUDIT_WRITE),
					      N(CAP_AUDIT_CONTROL),
					      N(CAP_SETFCAP),
					      N(CAP_MAC_OVERRIDE),
					      N(CAP_MAC_ADMIN),
					      N(CAP_SYSLOG),
					      N(CAP_WAKE_ALARM),
					      N(CAP_BLOCK_SUSPEND),
					      N(CAP_AUDIT_READ),
					      N(CAP_PERFMON),
					      N(CAP_BPF),
					      N(CAP_CHECKPOINT_RESTORE),
					      END};

static void put_caps(struct text *t, uint64_t set)
{
	bool first = true;
	if (!set)
		text_puts(t, "0");
	for (const struct value_name *n = names_cap; n->name; n++) {
		if (!(set >> n->value & 1))
			continue;
		text_printf(t, "%s1<<%s", first ? "" : "|", n->name);
		set &= ~(UINT64_C(1) << n->value);
		first = false;
	}
	if (set)
		text_printf(t, "%s%#" PRIx64, first ? "" : "|", set);
}

static void show_cap_header(struct shown *s, int i)
{
	static const struct value_name versions[] = {N(_LINUX_CAPABILITY_VERSION_1), N(_LINUX_CAPABILITY_VERSION_2),
						     N(_LINUX_CAPABILITY_VERSION_3), END};
	struct __user_cap_header_struct h;
	if (!format_in(s, i, &h, sizeof h))
		return;
	text_puts(&s->text, "{version=");
	text_value(&s->text, versions, h.version, "_LINUX_CAPABILITY_VERSION_???");
	text_printf(&s->text, ", pid=%d}", h.pid);
}

static void show_cap_data(struct shown *s, int i)
{
	struct __user_cap_header_struct h;
	struct __user_cap_data_struct d[2] = {{0}};
	bool in = s->c->nr == SYS_capset;
	size_t len = format_fetch(s, s->c->args[0], &h, sizeof h) && h.version == _LINUX_CAPABILITY_VERSION_1 ? sizeof d[0]
													      : sizeof d;
	if (!(in ? format_in(s, i, d, len) : format_out(s, i, d, len)))
		return;
	text_puts(&s->text, "{effective=");
	put_caps(&s->text, d[0].effective | (uint64_t)d[1].effective << 32);
	text_puts(&s->text, ", permitted=");
	put_caps(&s->text, d[0].permitted | (uint64_t)d[1].permitted << 32);
	text_puts(&s->text, ", inheritable=");
	put_caps(&s->text, d[0].inheritable | (uint64_t)d[1].inheritable << 32);
	text_puts(&s->text, "}");
}

static void put_fprog(struct shown *s, int i)
{
	struct {
		uint16_t len;
		uint64_t filter;
	} p;
	if (!format_in(s, i, &p, sizeof p))
		return;
	text_printf(&s->text, "{len=%u, filter=", p.len);
	format_addr(&s->text, p.filter);
	text_puts(&s->text, "}");
}

static const struct value_name names_dump[] = {{0, "SUID_DUMP_DISABLE"}, {1, "SUID_DUMP_USER"}, {2, "SUID_DUMP_ROOT"}, END};
static const struct value_name names_ambient[] = {{1, "PR_CAP_AMBIENT_IS_SET"},
						  {2, "PR_CAP_AMBIENT_RAISE"},
						  {3, "PR_CAP_AMBIENT_LOWER"},
						  {4, "PR_CAP_AMBIENT_CLEAR_ALL"},
						  END};

/* The second argument; what comes after it counts only for a few options. */
static void show_prctl_arg(struct shown *s, int i)
{
	static const struct value_name modes[] = {
	    {0, "SECCOMP_MODE_DISABLED"}, {1, "SECCOMP_MODE_STRICT"}, {2, "SECCOMP_MODE_FILTER"}, END};
	uint64_t v = s->c->args[i];
	struct text *t = &s->text;
	char name[16];
	int sig;
	switch ((uint32_t)s->c->args[0]) {
	case PR_SET_PDEATHSIG:
		text_signal(t, (int)(uint32_t)v);
		break;
	case PR_GET_PDEATHSIG:
		if (format_out(s, i, &sig, sizeof sig)) {
			text_puts(t, "[");
			text_signal(t, sig);
			text_puts(t, "]");
		}
		break;
	case PR_SET_DUMPABLE:
		text_value(t, names_dump, v, "SUID_DUMP_???");
		break;
	case PR_SET_NAME:
	case PR_GET_NAME: {
		bool out = (uint32_t)s->c->args[0] == PR_GET_NAME;
		if (!(out ? format_out(s, i, name, sizeof name) : format_fetch(s, v, name, sizeof name))) {
			/* A short name at the end of a page. */
			ssize_t n = out ? -1 : s->c->ops->read_string(s->c, v, name, sizeof name);
			if (!out && n < 0)
				format_addr(t, v);
			else if (!out)
				format_quoted(s, name, (size_t)n);
			break;
		}
		format_quoted(s, name, sizeof name - 1);
		if (!out && strnlen(name, sizeof name) == sizeof name)
			text_puts(t, "...");
		break;
	}
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
		text_value(t, names_cap, v, "CAP_???");
		break;
	case PR_CAP_AMBIENT:
		text_value(t, names_ambient, v, "PR_CAP_AMBIENT_???");
		break;
	case PR_SET_SECCOMP:
		text_value(t, modes, v, "SECCOMP_MODE_???");
		break;
	case PR_GET_CHILD_SUBREAPER:
		show_int_out(s, i);
		break;
	case PR_SET_NO_NEW_PRIVS:
	case PR_GET_NO_NEW_PRIVS:
	case PR_SET_KEEPCAPS:
	case PR_SET_TIMERSLACK:
	case PR_SET_CHILD_SUBREAPER:
		text_printf(t, "%" PRIu64, v);
		break;
	default:
		text_printf(t, "%#" PRIx64, v);
	}
}

static void show_prctl_more(struct shown *s, int i)
{
	uint32_t op = (uint32_t)s->c->args[0];
	uint64_t v = s->c->args[i];
	if (op == PR_SET_SECCOMP && i == 2)
		put_fprog(s, i);
	else if (op == PR_CAP_AMBIENT && i == 2)
		text_value(&s->text, names_cap, v, "CAP_???");
	else if (op == PR_SET_NO_NEW_PRIVS || op == PR_GET_NO_NEW_PRIVS)
		text_printf(&s->text, "%" PRIu64, v);
	else
		text_printf(&s->text, "%#" PRIx64, v);
}

static void show_seccomp_arg(struct shown *s, int i)
{
	switch ((uint32_t)s->c->args[0]) {
	case SECCOMP_SET_MODE_FILTER:
		put_fprog(s, i);
		break;
	default:
		format_addr(&s->text, s->c->args[i]);
	}
}

/* --- futex --------------------------------------------------------------------------------------------------------- */

static void show_futex_op(struct shown *s, int i)
{
	static const struct value_name names[] = {N(FUTEX_WAIT),
						  N(FUTEX_WAKE),
						  N(FUTEX_REQUEUE),
						  N(FUTEX_CMP_REQUEUE),
						  N(FUTEX_WAKE_OP),
						  N(FUTEX_LOCK_PI),
						  N(FUTEX_UNLOCK_PI),
						  N(FUTEX_TRYLOCK_PI),
						  N(FUTEX_WAIT_BITSET),
						  N(FUTEX_WAKE_BITSET),
						  N(FUTEX_WAIT_REQUEUE_PI),
						  N(FUTEX_CMP_REQUEUE_PI),
						  {13, "FUTEX_LOCK_PI2"},
						  END};
	uint32_t v = (uint32_t)s->c->args[i];
	text_value(&s->text, names, v & 0x7f, "FUTEX_???");
	text_printf(&s->text, "%s%s", v & 128 ? "_PRIVATE" : "", v & 256 ? "|FUTEX_CLOCK_REALTIME" : "");
}

/* The fourth argument is a time or a number. */
static void show_futex_4(struct shown *s, int i)
{
	int64_t ts[2];
	switch ((uint32_t)s->c->args[1] & 0x7f) {
	case FUTEX_REQUEUE:
	case FUTEX_CMP_REQUEUE:
	case FUTEX_CMP_REQUEUE_PI:
	case FUTEX_WAKE_OP:
		text_printf(&s->text, "%u", (uint32_t)s->c->args[i]);
		break;
	default:
		if (format_in(s, i, ts, sizeof ts))
			format_timespec(&s->text, ts, "tv_nsec");
	}
}

static void show_futex_6(struct shown *s, int i)
{
	static const char *const ops[] = {"FUTEX_OP_SET", "FUTEX_OP_ADD", "FUTEX_OP_OR", "FUTEX_OP_ANDN", "FUTEX_OP_XOR"};
	static const char *const cmps[] = {"FUTEX_OP_CMP_EQ", "FUTEX_OP_CMP_NE", "FUTEX_OP_CMP_LT",
					   "FUTEX_OP_CMP_LE", "FUTEX_OP_CMP_GT", "FUTEX_OP_CMP_GE"};
	uint32_t v = (uint32_t)s->c->args[i], op = v >> 28, cmp = v >> 24 & 15;
	struct text *t = &s->text;
	switch ((uint32_t)s->c->args[1] & 0x7f) {
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAKE_BITSET:
		if (v == UINT32_MAX)
			text_puts(t, "FUTEX_BITSET_MATCH_ANY");
		else
			text_printf(t, "%#x", v);
		break;
	case FUTEX_WAKE_OP:
		if (op & 8)
			text_puts(t, "FUTEX_OP_OPARG_SHIFT<<28|");
		text_printf(t, "%s<<28|%#x<<12|", (op & 7) < ARRAY_SIZE(ops) ? ops[op & 7] : "FUTEX_OP_???",
			    v >> 12 & 0xfff);
		text_printf(t, "%s<<24|%#x", cmp < ARRAY_SIZE(cmps) ? cmps[cmp] : "FUTEX_OP_CMP_???", v & 0xfff);
		break;
	default:
		text_printf(t, "%u", v);
	}
}

/* --- Schedulers ---------------------------------------------------------------------------------------------------- */

static void show_sched_param(struct shown *s, int i)
{
	int v;
	bool in = s->c->nr != SYS_sched_getparam;
	if (in ? format_in(s, i, &v, sizeof v) : format_out(s, i, &v, sizeof v))
		text_printf(&s->text, "[%d]", v);
}

static void show_sched_attr(struct shown *s, int i)
{
	static const struct value_name flags[] = {{1, "SCHED_FLAG_RESET_ON_FORK"},   {2, "SCHED_FLAG_RECLAIM"},
						  {4, "SCHED_FLAG_DL_OVERRUN"},      {8, "SCHED_FLAG_KEEP_POLICY"},
						  {16, "SCHED_FLAG_KEEP_PARAMS"},    {32, "SCHED_FLAG_UTIL_CLAMP_MIN"},
						  {64, "SCHED_FLAG_UTIL_CLAMP_MAX"}, END};
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
		uint32_t util_min, util_max;
	} a = {0};
	bool in = s->c->nr == SYS_sched_setattr;
	struct text *t = &s->text;
	if (!(in ? format_in(s, i, &a, 48) : format_out(s, i, &a, 48)))
		return;
	if (a.size >= sizeof a && !format_fetch(s, s->c->args[i], &a, sizeof a))
		a.size = 48;
	text_printf(t, "{size=%u, sched_policy=", a.size);
	text_value(t, names_sched, a.policy, "SCHED_???");
	text_puts(t, ", sched_flags=");
	text_flags(t, flags, a.flags, "SCHED_FLAG_???");
	text_printf(t,
		    ", sched_nice=%d, sched_priority=%u, sched_runtime=%" PRIu64 ", sched_deadline=%" PRIu64
		    ", sched_period=%" PRIu64,
		    a.nice, a.priority, a.runtime, a.deadline, a.period);
	if (a.size >= sizeof a)
		text_printf(t, ", sched_util_min=%u, sched_util_max=%u", a.util_min, a.util_max);
	text_puts(t, "}");
}

static void show_cpus(struct shown *s, int i)
{
	uint64_t set[16] = {0};
	bool in = s->c->nr == SYS_sched_setaffinity, first = true;
	uint64_t len = in ? s->c->args[1] : (uint64_t)MAX(s->rval, 0);
	len = MIN(len, sizeof set);
	if (!len || !(in ? format_in(s, i, set, len) : format_out(s, i, set, len))) {
		if (!len)
			format_addr(&s->text, s->c->args[i]);
		return;
	}
	text_puts(&s->text, "[");
	for (unsigned cpu = 0; cpu < 8 * sizeof set; cpu++) {
		if (!(set[cpu / 64] >> (cpu % 64) & 1))
			continue;
		text_printf(&s->text, "%s%u", first ? "" : " ", cpu);
		first = false;
	}
	text_puts(&s->text, "]");
}

static void show_open_how(struct shown *s, int i)
{
	static const struct value_name names[] = {N(RESOLVE_NO_XDEV),
						  N(RESOLVE_NO_MAGICLINKS),
						  N(RESOLVE_NO_SYMLINKS),
						  N(RESOLVE_BENEATH),
						  N(RESOLVE_IN_ROOT),
						  {0x20, "RESOLVE_CACHED"},
						  END};
	struct open_how how;
	if (!format_in(s, i, &how, sizeof how))
		return;
	text_puts(&s->text, "{flags=");
	format_open_flags(&s->text, how.flags);
	if (how.mode || (how.flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))))
		text_printf(&s->text, ", mode=%#03" PRIo64, (uint64_t)how.mode);
	text_puts(&s->text, ", resolve=");
	text_flags(&s->text, names, how.resolve, "RESOLVE_???");
	text_puts(&s->text, "}");
}

/* IPC_PRIVATE, or a number. */
static void show_ipc_key(struct shown *s, int i)
{
	if ((uint32_t)s->c->args[i])
		text_printf(&s->text, "%#x", (uint32_t)s->c->args[i]);
	else
		text_puts(&s->text, "IPC_PRIVATE");
}

static void show_ipc_flags(struct shown *s, int i)
{
	uint32_t v = (uint32_t)s->c->args[i];
	static const struct value_name names[] = {{01000, "IPC_CREAT"}, {02000, "IPC_EXCL"}, {04000, "IPC_NOWAIT"}, END};
	if (v & ~0777U) {
		text_flags(&s->text, names, v & ~0777U, "IPC_???");
		text_puts(&s->text, "|");
	}
	text_printf(&s->text, "%#03o", v & 0777);
}

static void show_offset_in_out(struct shown *s, int i)
{
	int64_t v;
	if (format_in(s, i, &v, sizeof v))
		text_printf(&s->text, "[%" PRId64 "]", v);
}

static void show_sendfile_offset(struct shown *s, int i)
{
	int64_t v;
	/* Known at entry and changed by the call; the first value is gone by the time that this is shown. */
	if (!format_in(s, i, &v, sizeof v))
		return;
	int64_t moved = s->failed ? 0 : s->rval;
	text_printf(&s->text, "[%" PRId64 "]", v - moved);
	if (moved)
		text_printf(&s->text, " => [%" PRId64 "]", v);
}

const struct decoder control_decoders[] = {
    OUT("fcntl", 2, show_fcntl_arg),
    IN("ioctl", 1, show_ioctl),
    IN("futex", 1, show_futex_op),
    OUT("ioctl", 2, show_ioctl_arg),
    OUT("prctl", 1, show_prctl_arg),
    IN("prctl", 2, show_prctl_more),
    IN("prctl", 3, show_prctl_more),
    IN("prctl", 4, show_prctl_more),
    IN("seccomp", 2, show_seccomp_arg),
    IN("capget", 0, show_cap_header),
    OUT("capget", 1, show_cap_data),
    IN("capset", 0, show_cap_header),
    IN("capset", 1, show_cap_data),
    IN("futex", 3, show_futex_4),
    IN("futex", 5, show_futex_6),
    IN("sched_setparam", 1, show_sched_param),
    OUT("sched_getparam", 1, show_sched_param),
    IN("sched_setscheduler", 2, show_sched_param),
    IN("sched_setattr", 1, show_sched_attr),
    OUT("sched_getattr", 1, show_sched_attr),
    IN("sched_setaffinity", 2, show_cpus),
    OUT("sched_getaffinity", 2, show_cpus),
    IN("openat2", 2, show_open_how),
    OUT("getcpu", 0, show_int_out),
    OUT("getcpu", 1, show_int_out),
    OUT("getresuid", 0, show_int_out),
    OUT("getresuid", 1, show_int_out),
    OUT("getresuid", 2, show_int_out),
    OUT("getresgid", 0, show_int_out),
    OUT("getresgid", 1, show_int_out),
    OUT("getresgid", 2, show_int_out),
    OUT("getgroups", 1, show_groups),
    IN("setgroups", 1, show_groups),
    IN("shmget", 0, show_ipc_key),
    IN("shmget", 2, show_ipc_flags),
    IN("semget", 0, show_ipc_key),
    IN("semget", 2, show_ipc_flags),
    IN("msgget", 0, show_ipc_key),
    IN("msgget", 1, show_ipc_flags),
    OUT("sendfile", 2, show_sendfile_offset),
    IN("splice", 1, show_offset_in_out),
    IN("splice", 3, show_offset_in_out),
    IN("copy_file_range", 1, show_offset_in_out),
    IN("copy_file_range", 3, show_offset_in_out),
};
const size_t n_control_decoders = ARRAY_SIZE(control_decoders);
