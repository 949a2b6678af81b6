/* SPDX-License-Identifier: Apache-2.0 */
/* times.c - times, timers, and what was used of them. */
#include "interposer/trace/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>

void format_iso(struct text *t, int64_t sec, int64_t frac, int digits)
{
	struct tm tm;
	time_t at = (time_t)sec;
	char iso[64] = "";
	if (gmtime_r(&at, &tm))
		strftime(iso, sizeof iso, "%Y-%m-%dT%H:%M:%S", &tm);
	text_printf(t, " /* %s", iso);
	if (frac)
		text_printf(t, ".%0*" PRId64, digits, frac);
	text_puts(t, "+0000 */");
}

static bool is_micro(const struct shown *s)
{
	return s->c->nr == SYS_setitimer || s->c->nr == SYS_getitimer;
}

static void show_itimer(struct shown *s, int i)
{
	int64_t v[4];
	const char *frac = is_micro(s) ? "tv_usec" : "tv_nsec";
	bool out = s->c->nr == SYS_getitimer || s->c->nr == SYS_timer_gettime || s->c->nr == SYS_timerfd_gettime ||
		   i == (s->c->nr == SYS_setitimer ? 2 : 3);
	if (!(out ? format_out(s, i, v, sizeof v) : format_in(s, i, v, sizeof v)))
		return;
	text_puts(&s->text, "{it_interval=");
	format_timespec(&s->text, v, frac);
	text_puts(&s->text, ", it_value=");
	format_timespec(&s->text, v + 2, frac);
	text_puts(&s->text, "}");
}

static void show_timer_id(struct shown *s, int i)
{
	int id;
	if (format_out(s, i, &id, sizeof id))
		text_printf(&s->text, "[%d]", id);
}

static void show_timeval(struct shown *s, int i)
{
	int64_t v[2];
	if (format_out(s, i, v, sizeof v))
		format_timespec(&s->text, v, "tv_usec");
}

static void show_timezone(struct shown *s, int i)
{
	struct timezone tz;
	if (format_out(s, i, &tz, sizeof tz))
		text_printf(&s->text, "{tz_minuteswest=%d, tz_dsttime=%d}", tz.tz_minuteswest, tz.tz_dsttime);
}

static void show_time(struct shown *s, int i)
{
	int64_t v;
	if (!format_out(s, i, &v, sizeof v))
		return;
	text_printf(&s->text, "[%" PRId64, v);
	format_iso(&s->text, v, 0, 0);
	text_puts(&s->text, "]");
}

static void show_tms(struct shown *s, int i)
{
	struct tms v;
	if (format_out(s, i, &v, sizeof v))
		text_printf(&s->text, "{tms_utime=%ld, tms_stime=%ld, tms_cutime=%ld, tms_cstime=%ld}", v.tms_utime,
			    v.tms_stime, v.tms_cutime, v.tms_cstime);
}

static void print_rusage(struct shown *s, int i)
{
	struct rusage v;
	struct text *t = &s->text;
	if (!format_out(s, i, &v, sizeof v))
		return;
	text_printf(t, "{ru_utime={tv_sec=%ld, tv_usec=%ld}, ru_stime={tv_sec=%ld, tv_usec=%ld}, ", v.ru_utime.tv_sec,
		    v.ru_utime.tv_usec, v.ru_stime.tv_sec, v.ru_stime.tv_usec);
	if (!s->opt->verbose) {
		text_puts(t, "...}");
		return;
	}
	text_printf(t, "ru_maxrss=%ld, ru_ixrss=%ld, ru_idrss=%ld, ru_isrss=%ld, ru_minflt=%ld, ru_majflt=%ld, ",
		    v.ru_maxrss, v.ru_ixrss, v.ru_idrss, v.ru_isrss, v.ru_minflt, v.ru_majflt);
	text_printf(t, "ru_nswap=%ld, ru_inblock=%ld, ru_oublock=%ld, ru_msgsnd=%ld, ru_msgrcv=%ld, ru_nsignals=%ld, ",
		    v.ru_nswap, v.ru_inblock, v.ru_oublock, v.ru_msgsnd, v.ru_msgrcv, v.ru_nsignals);
	text_printf(t, "ru_nvcsw=%ld, ru_nivcsw=%ld}", v.ru_nvcsw, v.ru_nivcsw);
}

/* wait4(2) and waitid(2) write it only for a process that they found. */
static void show_rusage(struct shown *s, int i)
{
	if (s->c->nr == SYS_wait4 && s->rval <= 0)
		format_addr(&s->text, s->c->args[i]);
	else
		print_rusage(s, i);
}

static void show_timex(struct shown *s, int i)
{
	static const struct value_name modes[] = {
	    {ADJ_OFFSET, "ADJ_OFFSET"},     {ADJ_FREQUENCY, "ADJ_FREQUENCY"}, {ADJ_MAXERROR, "ADJ_MAXERROR"},
	    {ADJ_ESTERROR, "ADJ_ESTERROR"}, {ADJ_STATUS, "ADJ_STATUS"},       {ADJ_TIMECONST, "ADJ_TIMECONST"},
	    {ADJ_TAI, "ADJ_TAI"},           {ADJ_SETOFFSET, "ADJ_SETOFFSET"}, {ADJ_MICRO, "ADJ_MICRO"},
	    {ADJ_NANO, "ADJ_NANO"},         {ADJ_TICK, "ADJ_TICK"},           {0, NULL}};
	static const struct value_name status[] = {{STA_PLL, "STA_PLL"},
						   {STA_PPSFREQ, "STA_PPSFREQ"},
						   {STA_PPSTIME, "STA_PPSTIME"},
						   {STA_FLL, "STA_FLL"},
						   {STA_INS, "STA_INS"},
						   {STA_DEL, "STA_DEL"},
						   {STA_UNSYNC, "STA_UNSYNC"},
						   {STA_FREQHOLD, "STA_FREQHOLD"},
						   {STA_PPSSIGNAL, "STA_PPSSIGNAL"},
						   {STA_PPSJITTER, "STA_PPSJITTER"},
						   {STA_PPSWANDER, "STA_PPSWANDER"},
						   {STA_PPSERROR, "STA_PPSERROR"},
						   {STA_CLOCKERR, "STA_CLOCKERR"},
						   {STA_NANO, "STA_NANO"},
						   {STA_MODE, "STA_MODE"},
						   {STA_CLK, "STA_CLK"},
						   {0, NULL}};
	struct timex v;
	struct text *t = &s->text;
	if (!format_out(s, i, &v, sizeof v))
		return;
	text_puts(t, "{modes=");
	text_flags(t, modes, v.modes, "ADJ_???");
	text_printf(t, ", offset=%ld, freq=%ld, maxerror=%lu, esterror=%lu, status=", (long)v.offset, (long)v.freq,
		    (unsigned long)v.maxerror, (unsigned long)v.esterror);
	text_flags(t, status, (uint32_t)v.status, "STA_???");
	text_printf(t, ", constant=%ld, precision=%lu, tolerance=%ld, time={tv_sec=%ld, tv_usec=%ld}, tick=%ld, ",
		    (long)v.constant, (unsigned long)v.precision, (long)v.tolerance, (long)v.time.tv_sec,
		    (long)v.time.tv_usec, (long)v.tick);
	text_printf(t,
		    "ppsfreq=%ld, jitter=%ld, shift=%d, stabil=%ld, jitcnt=%ld, calcnt=%ld, errcnt=%ld, stbcnt=%ld, tai=%d}",
		    (long)v.ppsfreq, (long)v.jitter, v.shift, (long)v.stabil, (long)v.jitcnt, (long)v.calcnt, (long)v.errcnt,
		    (long)v.stbcnt, v.tai);
}

/* utimensat(2), utimes(2), futimesat(2): two times. */
static void show_two_times(struct shown *s, int i)
{
	int64_t v[4];
	bool nano = s->c->nr == SYS_utimensat;
	struct text *t = &s->text;
	if (!format_in(s, i, v, sizeof v))
		return;
	for (int k = 0; k < 2; k++) {
		int64_t sec = v[2 * k], frac = v[2 * k + 1];
		text_puts(t, k ? ", " : "[");
		if (nano && (frac == UTIME_NOW || frac == UTIME_OMIT)) {
			text_puts(t, frac == UTIME_NOW ? "UTIME_NOW" : "UTIME_OMIT");
			continue;
		}
		format_timespec(t, v + 2 * k, nano ? "tv_nsec" : "tv_usec");
		format_iso(t, sec, frac, nano ? 9 : 6);
	}
	text_puts(t, "]");
}

static void show_utimbuf(struct shown *s, int i)
{
	int64_t v[2];
	if (!format_in(s, i, v, sizeof v))
		return;
	text_printf(&s->text, "{actime=%" PRId64, v[0]);
	format_iso(&s->text, v[0], 0, 0);
	text_printf(&s->text, ", modtime=%" PRId64, v[1]);
	format_iso(&s->text, v[1], 0, 0);
	text_puts(&s->text, "}");
}

const struct decoder time_decoders[] = {
    IN("setitimer", 1, show_itimer),
    OUT("setitimer", 2, show_itimer),
    OUT("getitimer", 1, show_itimer),
    IN("timer_settime", 2, show_itimer),
    OUT("timer_settime", 3, show_itimer),
    OUT("timer_gettime", 1, show_itimer),
    IN("timerfd_settime", 2, show_itimer),
    OUT("timerfd_settime", 3, show_itimer),
    OUT("timerfd_gettime", 1, show_itimer),
    OUT("timer_create", 2, show_timer_id),
    OUT("gettimeofday", 0, show_timeval),
    OUT("gettimeofday", 1, show_timezone),
    OUT("time", 0, show_time),
    OUT("times", 0, show_tms),
    OUT("getrusage", 1, show_rusage),
    OUT("wait4", 3, show_rusage),
    OUT("waitid", 4, show_rusage),
    OUT("adjtimex", 0, show_timex),
    OUT("clock_adjtime", 1, show_timex),
    IN("utimensat", 2, show_two_times),
    IN("utimes", 1, show_two_times),
    IN("futimesat", 2, show_two_times),
    IN("utime", 1, show_utimbuf),
};
const size_t n_time_decoders = ARRAY_SIZE(time_decoders);
