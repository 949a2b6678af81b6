/* SPDX-License-Identifier: Apache-2.0 */
/* proc.c - what /proc says about a process itself. */
#include "tests/conformance/t.h"

#include <limits.h>
#include <sys/mman.h>
#include <sys/resource.h>

static void status_fields(void)
{
	static const char *const want[] = {
	    "Name:", "Umask:", "State:", "Uid:", "Gid:", "Groups:", "Threads:", "SigBlk:", "SigIgn:"};
	char line[512];
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		for (size_t i = 0; i < COUNT(want); i++)
			if (!strncmp(line, want[i], strlen(want[i])))
				fputs(line, stdout);
	if (f)
		fclose(f);
	f = fopen("/proc/self/status", "r");
	int pid = -1, ppid = -1, tgid = -1;

	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "Pid: %d", &pid);
		sscanf(line, "PPid: %d", &ppid);
		sscanf(line, "Tgid: %d", &tgid);
	}
	if (f)
		fclose(f);
	printf("pids agree: %d %d %d\n", pid == getpid(), ppid == getppid() || ppid == 0, tgid == getpid());
}

static void links(void)
{
	char buf[PATH_MAX], name[64], cwd[PATH_MAX];
	int fd = open("file", O_RDONLY), p[2];

	for (const char *const *l = (const char *const[]){"cwd", "root", "exe", NULL}; *l; l++) {
		snprintf(name, sizeof(name), "/proc/self/%s", *l);
		ssize_t n = readlink(name, buf, sizeof(buf) - 1);

		buf[n < 0 ? 0 : n] = 0;
		printf("%s -> %s\n", name, buf);
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(name, buf, sizeof(buf) - 1);

	buf[n < 0 ? 0 : n] = 0;
	printf("fd -> %s\n", buf);
	unlink("file");
	n = readlink(name, buf, sizeof(buf) - 1);
	buf[n < 0 ? 0 : n] = 0;
	printf("fd -> %s\n", buf);
	O(open(name, O_RDONLY));
	pipe(p);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
	n = readlink(name, buf, sizeof(buf) - 1);
	printf("pipe: %.6s\n", n > 0 ? buf : "");
	O(open(name, O_RDONLY | O_NONBLOCK));
	O(open("/dev/fd/99", O_RDONLY));
	write(p[1], "x", 1);
	O(open("/dev/stdin", O_RDONLY));
	getcwd(cwd, sizeof(cwd));
	snprintf(buf, sizeof(buf), "/proc/%d/cwd/readonly", getpid());
	N("access(/proc/PID/cwd/readonly)", access(buf, R_OK));
	t_cat("/proc/thread-self/cwd/readonly");
	printf("self -> own pid: %d\n", readlink("/proc/self", buf, sizeof(buf)) > 0 && strtol(buf, NULL, 10) == getpid());
	close(p[0]);
	close(p[1]);
	close(fd);
	O(open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
	O(open("/proc/self/task", O_RDONLY | O_DIRECTORY));
	O(open("/proc/999999", O_RDONLY));
	R(mkdir("/proc/x", 0755));
	O(open("/proc/x", O_CREAT | O_RDWR, 0644));
	R(unlink("/proc/self/status"));
}

static void maps(void)
{
	char line[PATH_MAX + 200], exe[PATH_MAX] = "", want[PATH_MAX];
	int fd = open("readonly", O_RDONLY), exe_lines = 0, file_lines = 0, stack = 0, heap = 0;
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	getcwd(want, sizeof(want) - 10);
	strcat(want, "/readonly");
	free(malloc(100));
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		char *path = strchr(line, '/');

		exe_lines += path && !strcmp(path, exe);
		file_lines += path && !strcmp(path, want);
		stack += strstr(line, "[stack]") != NULL;
		heap += strstr(line, "[heap]") != NULL;
	}
	if (f)
		fclose(f);
	printf("maps: program %d, file %d, stack %d, heap %d\n", exe_lines > 2, file_lines, stack, heap);
	munmap(p, 4096);
	close(fd);
}

static void limits(void)
{
	struct rlimit r, l = {64, 128};

	R(getrlimit(RLIMIT_NOFILE, &r));
	R(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){4096, 8192}));
	R(getrlimit(RLIMIT_MEMLOCK, &r));
	printf("%ld %ld\n", (long)r.rlim_cur, (long)r.rlim_max);
	R(setrlimit(RLIMIT_LOCKS, &l));
	R(getrlimit(RLIMIT_LOCKS, &r));
	printf("locks %ld %ld\n", (long)r.rlim_cur, (long)r.rlim_max);
	CHILD("limits are inherited", getrlimit(RLIMIT_LOCKS, &r);
	      printf("locks %ld %ld\n", (long)r.rlim_cur, (long)r.rlim_max));
	R(setrlimit(RLIMIT_LOCKS, &(struct rlimit){200, 100}));
	R(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
	R(getrlimit(RLIMIT_CORE, &r));
	printf("core %ld %ld\n", (long)r.rlim_cur, (long)r.rlim_max);
	R(getrlimit(99, &r));
	R(setrlimit(99, &r));
	R(prlimit(0, RLIMIT_NOFILE, NULL, &r));
	R(prlimit(getpid(), RLIMIT_NOFILE, NULL, &r));
	R(prlimit(999999, RLIMIT_NOFILE, NULL, &r));
	R(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000}));
	signal(SIGXFSZ, SIG_IGN);
	int fd = open("big", O_CREAT | O_RDWR, 0644);

	R(pwrite(fd, "x", 1, 999));
	R(pwrite(fd, "x", 1, 1000));
	R(ftruncate(fd, 2000));
	R(truncate("big", 2000));
	close(fd);
}

int main(void)
{
	umask(022);
	status_fields();
	links();
	maps();
	limits();
	R(access("/proc/meminfo", R_OK));
	R(access("/proc/cpuinfo", R_OK));
	R(access("/proc/uptime", R_OK));
	R(access("/proc/loadavg", R_OK));
	R(access("/proc/stat", R_OK));
	R(access("/proc/mounts", R_OK));
	R(access("/proc/self/mountinfo", R_OK));
	R(access("/proc/self/stat", R_OK));
	R(access("/proc/sys/kernel/osrelease", R_OK));
	R(access("/proc/filesystems", R_OK));
	return 0;
}
