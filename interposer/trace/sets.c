/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sets.c - sets of calls, as strace's -e names them: by name, regular expression and class. Classes come from the table's argument kinds, and from
 * short lists of what kinds can't tell.
 */
#include "interposer/trace/trace.h"

#include "base/log.h"
#include "kernel/syscall.h"

#include <regex.h>
#include <string.h>

static void add(trace_set *s, int nr)
{
	s->bits[nr / 64] |= UINT64_C(1) << (nr % 64);
}

static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = list; (p = strstr(p, name)); p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
			return true;
	return false;
}

static bool has_kind(const struct syscall_desc *d, enum arg_kind a, enum arg_kind b)
{
	for (int i = 0; i < d->nargs; i++)
		if (d->args[i] == a || d->args[i] == b)
			return true;
	return false;
}

static bool is_file(const struct syscall_desc *d)
{
	return has_kind(d, ARG_PATH, ARG_PATH) || listed("getcwd", d->name);
}
static bool is_desc(const struct syscall_desc *d)
{
	return has_kind(d, ARG_FD, ARG_DIRFD) || listed("open creat poll ppoll select pselect6 pipe pipe2 epoll_create "
							"epoll_create1 eventfd eventfd2 timerfd_create inotify_init "
							"inotify_init1 memfd_create memfd_secret userfaultfd pidfd_open "
							"close_range perf_event_open io_uring_setup",
							d->name);
}
static bool is_process(const struct syscall_desc *d)
{
	return listed(
	    "fork vfork clone clone3 execve execveat exit exit_group wait4 waitid kill tkill tgkill rt_sigqueueinfo "
	    "rt_tgsigqueueinfo pidfd_send_signal arch_prctl unshare",
	    d->name);
}
static bool is_network(const struct syscall_desc *d)
{
	return has_kind(d, ARG_SOCKIN, ARG_SOCKOUT) ||
	       listed("socket socketpair shutdown listen sendmsg recvmsg sendmmsg recvmmsg setsockopt getsockopt sendfile",
		      d->name);
}
static bool is_memory(const struct syscall_desc *d)
{
	return listed("brk mmap munmap mprotect mremap madvise msync mincore mlock mlock2 munlock mlockall munlockall "
		      "remap_file_pages mbind "
		      "set_mempolicy get_mempolicy migrate_pages move_pages shmat shmdt pkey_mprotect map_shadow_stack "
		      "mseal process_madvise",
		      d->name);
}
static bool is_signal(const struct syscall_desc *d)
{
	return !strncmp(d->name, "rt_sig", 6) ||
	       listed("kill tkill tgkill pause sigaltstack signalfd signalfd4 rt_tgsigqueueinfo pidfd_send_signal", d->name);
}
static bool is_any(const struct syscall_desc *d)
{
	return true;
}

/* One or the other. strace has some without the percent sign, too. */
static const struct {
	const char *name;
	bool (*is)(const struct syscall_desc *d);
	const char *list;
} classes[] = {
    {"%file", is_file, NULL},
    {"file", is_file, NULL},
    {"%desc", is_desc, NULL},
    {"desc", is_desc, NULL},
    {"%process", is_process, NULL},
    {"process", is_process, NULL},
    {"%network", is_network, NULL},
    {"%net", is_network, NULL},
    {"network", is_network, NULL},
    {"%memory", is_memory, NULL},
    {"memory", is_memory, NULL},
    {"%signal", is_signal, NULL},
    {"signal", is_signal, NULL},
    {"%all", is_any, NULL},
    {"all", is_any, NULL},
    {"%ipc", NULL, "shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl"},
    {"ipc", NULL, "shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl"},
    {"%clock", NULL, "clock_gettime clock_settime clock_getres clock_adjtime gettimeofday settimeofday adjtimex time"},
    {"%creds", NULL,
     "getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid setreuid setregid setresuid setresgid "
     "setgroups setfsuid setfsgid capget capset prctl"},
    {"%pure", NULL, "getpid gettid getppid getpgrp getuid geteuid getgid getegid"},
    {"%stat", NULL, "stat"},
    {"%lstat", NULL, "lstat"},
    {"%fstat", NULL, "fstat newfstatat statx"},
    {"%%stat", NULL, "stat lstat fstat newfstatat statx"},
    {"%statfs", NULL, "statfs"},
    {"%fstatfs", NULL, "fstatfs"},
    {"%%statfs", NULL, "statfs fstatfs ustat"},
};

static void add_matching(trace_set *s, const char *pattern)
{
	regex_t re;
	bool any = false;
	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB))
		die("-e: \"/%s\" is no regular expression", pattern);
	for (int nr = 0; nr < SYSCALL_MAX; nr++)
		if (syscall_desc(nr) && !regexec(&re, syscall_desc(nr)->name, 0, NULL, 0)) {
			add(s, nr);
			any = true;
		}
	regfree(&re);
	if (!any)
		die("-e: no call matches \"/%s\"", pattern);
}

static void add_named(trace_set *s, const char *name)
{
	/* A question mark: no matter if there's no such call. */
	const bool may_lack = name[0] == '?';
	name += may_lack;
	if (name[0] == '/') {
		add_matching(s, name + 1);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (strcmp(name, classes[i].name))
			continue;
		for (int nr = 0; nr < SYSCALL_MAX; nr++)
			if (syscall_desc(nr) && (classes[i].is ? classes[i].is(syscall_desc(nr))
							       : listed(classes[i].list, syscall_desc(nr)->name)))
				add(s, nr);
		return;
	}
	for (int nr = 0; nr < SYSCALL_MAX; nr++)
		if (syscall_desc(nr) && !strcmp(syscall_desc(nr)->name, name)) {
			add(s, nr);
			return;
		}
	if (may_lack)
		return;
	die("-e: there is no call or class \"%s\"", name);
}

void trace_parse_set(trace_set *s, const char *text)
{
	bool inverted = text[0] == '!';
	AUTO_FREE char *copy = xstrdup(text + inverted);
	char *rest = copy, *word;
	*s = (trace_set){{0}};
	while ((word = strsep(&rest, ",")))
		if (strcmp(word, "none"))
			add_named(s, word);
	for (size_t i = 0; inverted && i < ARRAY_SIZE(s->bits); i++)
		s->bits[i] = ~s->bits[i];
}

void trace_narrow_to_paths(struct trace_options *t)
{
	for (int nr = 0; nr < TRACE_CALLS; nr++) {
		const struct syscall_desc *d = syscall_desc(nr);
		bool names = d && (is_file(d) || has_kind(d, ARG_FD, ARG_DIRFD) ||
				   listed("poll ppoll select pselect6 symlink symlinkat", d->name));
		if (!t->filtered || !names)
			t->wanted.bits[nr / 64] &= ~(UINT64_C(1) << (nr % 64));
		if (!t->filtered && names)
			add(&t->wanted, nr);
	}
	t->filtered = true;
}

bool trace_wants_refused(const struct trace_options *t)
{
	for (int nr = 0; nr < SYSCALL_MAX; nr++) {
		const struct syscall_desc *d = syscall_desc(nr);
		if ((!d || d->verdict == VERDICT_DENY || d->verdict == VERDICT_CHECK) &&
		    (!t->filtered || trace_set_has(&t->wanted, (uint64_t)nr)))
			return true;
	}
	return false;
}
