/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limits.c - see limits.h.
 *
 * A group is made beside or below the one that we are in: the nearest place upwards where making one is allowed and the new group has the
 * controller. In version 2 a group with processes can't hand controllers down, so for an ordinary user that's the slice above, if
 * it was delegated (systemd's user session does); root can do it nearly everywhere.
 */
#include "interposer/limits.h"

#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static bool put(const char *dir, const char *file, const char *text)
{
	AUTO_FREE char *path = xasprintf("%s/%s", dir, file);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ',') && (!p[n] || p[n] == ','))
			return true;
	return false;
}

/* Where the hierarchy with this controller (NULL: version 2) is mounted, malloc'ed; only if its root is what's mounted. */
static char *mount_of(const char *controller)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line AUTO_FREE = NULL, *found = NULL;
	size_t size = 0;
	while (f && !found && getline(&line, &size, f) > 0) {
		char root[PATH_MAX], dir[PATH_MAX], type[64], opts[1024];
		const char *rest = strstr(line, " - ");
		if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", root, dir) != 2 ||
		    sscanf(rest, " - %63s %*s %1023s", type, opts) != 2 || strcmp(root, "/"))
			continue;
		if (controller ? !strcmp(type, "cgroup") && has_word(opts, controller) : !strcmp(type, "cgroup2"))
			found = xstrdup(dir);
	}
	if (f)
		fclose(f);
	return found;
}

/* Our own group in it, malloc'ed, as a directory. */
static char *own_group(const char *mounted, const char *controller)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char *line AUTO_FREE = NULL, *found = NULL;
	size_t size = 0;
	while (f && !found && getline(&line, &size, f) > 0) {
		line[strcspn(line, "\n")] = '\0';
		char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		if (controller ? has_word(list + 1, controller) : !list[1])
			found = xasprintf("%s%s", mounted, strcmp(path, "/") ? path : "");
	}
	if (f)
		fclose(f);
	return found;
}

/* A new group that has file, or NULL. */
static char *make_group(const char *controller, const char *enable, const char *file)
{
	AUTO_FREE char *mounted = mount_of(controller);
	AUTO_FREE char *at = mounted ? own_group(mounted, controller) : NULL;
	for (unsigned level = 0; at && level < 8; level++) {
		AUTO_FREE char *dir = xasprintf("%s/sandbox-%d-%s", at, getpid(), enable + 1);
		if (!controller)
			put(at, "cgroup.subtree_control", enable);
		if (!mkdir(dir, 0755)) {
			AUTO_FREE char *path = xasprintf("%s/%s", dir, file);
			if (!access(path, W_OK))
				return take_ptr(dir);
			rmdir(dir);
		}
		char *slash = strrchr(at, '/');
		if (!slash || strlen(at) <= strlen(mounted))
			break;
		*slash = '\0';
	}
	return NULL;
}

/* In version 2, then 1. files: name and text of each, in both. */
static bool try_group(struct limits *l, const char *name, const char *enable, const char *file2, const char *text2,
		      const char *file1, const char *text1)
{
	char *dir = make_group(NULL, enable, file2);
	bool ok = dir && put(dir, file2, text2);
	if (!ok) {
		if (dir)
			rmdir(dir);
		free(dir);
		dir = make_group(name, enable, file1);
		ok = dir && put(dir, file1, text1);
	}
	if (!ok) {
		if (dir)
			rmdir(dir);
		free(dir);
		return false;
	}
	l->dirs[l->n++] = dir;
	return true;
}

void limits_prepare(const struct launch_options *opt, struct limits *l)
{
	char a[64], b[64];
	*l = (struct limits){0};
	if (opt->memory) {
		snprintf(a, sizeof a, "%" PRIu64, opt->memory);
		l->memory = BY_OTHER;
		if (try_group(l, "memory", "+memory", "memory.max", a, "memory.limit_in_bytes", a)) {
			l->memory = BY_CGROUP;
			/* Swap would be a way around it; not every kernel counts it. */
			put(l->dirs[l->n - 1], "memory.swap.max", "0");
			put(l->dirs[l->n - 1], "memory.memsw.limit_in_bytes", a);
		}
	}
	if (opt->pids) {
		/* The supervisor's threads are in it, too: not worth counting exactly, and pid 1. RLIMIT_NPROC is exact, and always there. */
		l->pids = BY_OTHER;
	}
	if (opt->milli_cpus) {
		snprintf(a, sizeof a, "%u 100000", opt->milli_cpus * 100);
		snprintf(b, sizeof b, "%u", opt->milli_cpus * 100);
		l->cpus = try_group(l, "cpu", "+cpu", "cpu.max", a, "cpu.cfs_quota_us", b) ? BY_CGROUP : BY_OTHER;
	}
}

void limits_join(struct limits *l, pid_t pid)
{
	char text[24];
	snprintf(text, sizeof text, "%d", pid);
	for (unsigned i = 0; i < l->n; i++)
		if (!put(l->dirs[i], "cgroup.procs", text))
			die("can't put the sandbox into the control group %s: %s", l->dirs[i], strerror(errno));
}

/* "oom_kill 3" in memory.events of version 2, memory.oom_control of 1. */
static void tell_killed(const char *dir)
{
	static const char *const files[] = {"memory.events", "memory.oom_control"};
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO_FREE char *path = xasprintf("%s/%s", dir, files[i]);
		char text[512] = "";
		AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
		const char *at = fd >= 0 && read(fd, text, sizeof text - 1) > 0 ? strstr(text, "oom_kill ") : NULL;
		unsigned long n = at ? strtoul(at + strlen("oom_kill "), NULL, 10) : 0;
		if (n)
			log_msg("out of memory (--memory): %lu process%s killed", n, n == 1 ? " was" : "es were");
	}
}

void limits_remove(struct limits *l)
{
	const struct timespec tick = {0, 2000000};
	for (unsigned i = 0; i < l->n; i++) {
		tell_killed(l->dirs[i]);
		/* The last process leaves its group a moment after its end. */
		for (int tries = 0; rmdir(l->dirs[i]) && errno == EBUSY && tries < 500; tries++)
			nanosleep(&tick, NULL);
		free(l->dirs[i]);
	}
	l->n = 0;
}

void limits_apply(const struct launch_options *opt, const struct limits *l)
{
	if (l->pids == BY_OTHER) {
		/* Counted for each user in each user namespace, and the tracees have one of their own: all of theirs, and pid 1. */
		struct rlimit r = {opt->pids + 1, opt->pids + 1};
		if (setrlimit(RLIMIT_NPROC, &r))
			die("can't limit processes: %s", strerror(errno));
	}
	if (l->cpus == BY_OTHER) {
		cpu_set_t have, want;
		unsigned n = (opt->milli_cpus + 999) / 1000;
		CPU_ZERO(&want);
		if (sched_getaffinity(0, sizeof have, &have))
			return;
		for (int cpu = 0; cpu < CPU_SETSIZE && n; cpu++)
			if (CPU_ISSET(cpu, &have)) {
				CPU_SET(cpu, &want);
				n--;
			}
		sched_setaffinity(0, sizeof want, &want);
	}
}

void limits_print(const struct launch_options *opt, const struct limits *l)
{
	static const char *const memory[] = {"none", "control group", "watched"};
	static const char *const pids[] = {"none", "control group", "RLIMIT_NPROC"};
	static const char *const cpus[] = {"none", "control group", "affinity"};
	if (opt->memory || opt->pids || opt->milli_cpus)
		log_msg("limits: memory by %s, processes by %s, processors by %s", memory[l->memory], pids[l->pids],
			cpus[l->cpus]);
}

unsigned limits_count_tasks(int procfd)
{
	int fd = openat(procfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	unsigned n = 0;
	struct dirent *e;
	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d))) {
		struct stat st;
		char path[64];
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof path, "%.20s/task", e->d_name);
		/* Its links are ".", ".." and one a thread. */
		n += fstatat(procfd, path, &st, 0) || st.st_nlink < 3 ? 1 : (unsigned)st.st_nlink - 2;
	}
	if (d)
		closedir(d);
	return n;
}

/* Resident pages that are a process's own. */
static uint64_t own_memory(int procfd, const char *pid)
{
	char path[64], text[128];
	uint64_t resident, shared;
	snprintf(path, sizeof path, "%.20s/statm", pid);
	AUTO_CLOSE int fd = openat(procfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	if (sscanf(text, "%*s %" SCNu64 " %" SCNu64, &resident, &shared) != 2)
		return 0;
	return resident > shared ? (resident - shared) * 4096 : 0;
}

void limits_watch_memory(int procfd, uint64_t limit, uint64_t used, pid_t init)
{
	int fd = openat(procfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	uint64_t sum = used, most = 0;
	struct dirent *e;
	pid_t victim = 0;
	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d))) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		uint64_t m = own_memory(procfd, e->d_name);
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		sum += m;
		if (m > most && pid != init && pid != 1) {
			most = m;
			victim = pid;
		}
	}
	closedir(d);
	if (sum > limit && victim > 1) {
		log_msg("out of memory (--memory): killed a process of %" PRIu64 " MiB", most >> 20);
		kill(victim, SIGKILL);
	}
}
