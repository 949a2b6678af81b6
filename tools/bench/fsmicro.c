/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsmicro.c - nanoseconds per operation as a program sees them: "name value" lines. usage: fsmicro LOWER-FILE [ROUNDS]
 *
 * Run in a directory where it may write. Each row is the best of five rounds: noise only ever adds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *lower;
static char buf[4096];
static int file = -1, pipes[2];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void need(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fsmicro: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void do_stat(void)
{
	struct stat st;

	need(!stat(lower, &st), "stat");
}
static void do_stat_missing(void)
{
	struct stat st;

	need(stat("/usr/include/no-such-file.h", &st) < 0, "stat of nothing");
}
static void do_open_missing(void)
{
	need(open("/usr/include/no-such-file.h", O_RDONLY) < 0, "open of nothing");
}
static void do_access(void)
{
	need(!access(lower, R_OK), "access");
}
static void do_readlink(void)
{
	need(readlink("link", buf, sizeof(buf)) > 0, "readlink");
}
static void do_open_read(void)
{
	int fd = open(lower, O_RDONLY);

	need(fd >= 0 && read(fd, buf, sizeof(buf)) > 0, "open");
	close(fd);
}
static void do_read(void)
{
	need(lseek(file, 0, SEEK_SET) == 0 && read(file, buf, sizeof(buf)) == sizeof(buf), "read");
}
static void do_write(void)
{
	need(lseek(file, 0, SEEK_SET) == 0 && write(file, buf, sizeof(buf)) == sizeof(buf), "write");
}
static void do_pread(void)
{
	need(pread(file, buf, sizeof(buf), 0) == sizeof(buf), "pread");
}
static void do_pwrite(void)
{
	need(pwrite(file, buf, sizeof(buf), 0) == sizeof(buf), "pwrite");
}
static void do_pipe(void)
{
	need(write(pipes[1], buf, 1) == 1 && read(pipes[0], buf, 1) == 1, "pipe");
}
static void do_fstat(void)
{
	struct stat st;

	need(!fstat(file, &st), "fstat");
}
static void do_create(void)
{
	int fd = open("new", O_CREAT | O_EXCL | O_RDWR, 0644);

	need(fd >= 0 && write(fd, buf, sizeof(buf)) == sizeof(buf), "create");
	close(fd);
	need(!unlink("new"), "unlink");
}
static void do_rename(void)
{
	need(!rename("a", "b") && !rename("b", "a"), "rename");
}
static void do_mkdir(void)
{
	need(!mkdir("d", 0755) && !rmdir("d"), "mkdir");
}
static void do_fork(void)
{
	pid_t p = fork();

	if (!p)
		_exit(0);
	need(p > 0 && waitpid(p, NULL, 0) == p, "fork");
}
static void do_exec(void)
{
	int st = -1;
	pid_t p = vfork();

	if (!p) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	need(p > 0 && waitpid(p, &st, 0) == p && st == 0, "exec");
}

static const struct row {
	const char *name;
	void (*run)(void);
	int divide; /* rounds / divide calls: the slow ones less often */
} rows[] = {
    {"stat", do_stat, 1},
    {"access", do_access, 1},
    {"readlink", do_readlink, 1},
    {"stat-missing", do_stat_missing, 1},
    {"open-missing", do_open_missing, 1},
    {"open-read-close", do_open_read, 4},
    {"fstat", do_fstat, 1},
    {"read", do_read, 1},
    {"write", do_write, 1},
    {"pread", do_pread, 1},
    {"pwrite", do_pwrite, 1},
    {"pipe", do_pipe, 1},
    {"create-write-unlink", do_create, 8},
    {"rename-twice", do_rename, 8},
    {"mkdir-rmdir", do_mkdir, 8},
    {"fork-wait", do_fork, 40},
    {"vfork-exec-wait", do_exec, 80},
};

/* Calls a second of n processes that stat all the time, together. */
static double stat_rate(int n)
{
	enum { MS = 300 };
	double total = 0;
	int result[2];

	need(!pipe(result), "pipe");
	for (int i = 0; i < n; i++) {
		pid_t p = fork();

		need(p >= 0, "fork");
		if (p)
			continue;
		double start = now(), took, calls = 0;

		do {
			for (int k = 0; k < 100; k++)
				do_stat();
			calls += 100;
			took = now() - start;
		} while (took < MS * 1e6);
		calls = calls * 1e9 / took;
		need(write(result[1], &calls, sizeof(calls)) == sizeof(calls), "result");
		_exit(0);
	}
	for (int i = 0; i < n; i++) {
		double calls;

		need(read(result[0], &calls, sizeof(calls)) == sizeof(calls), "result");
		total += calls;
	}
	while (wait(NULL) > 0)
		;
	close(result[0]);
	close(result[1]);
	return total;
}

int main(int argc, char **argv)
{
	lower = argc > 1 ? argv[1] : "/usr/include/stdio.h";
	int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 10000;
	int fd = open("a", O_CREAT | O_RDWR, 0644);

	need(fd >= 0, "a");
	close(fd);
	file = open("data", O_CREAT | O_RDWR, 0644);
	need(file >= 0 && write(file, buf, sizeof(buf)) == sizeof(buf), "data");
	need(!symlink("target", "link") || errno == EEXIST, "link");
	need(!pipe(pipes), "pipe");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int n = rounds / rows[i].divide + 1;
		double best = 1e18;

		rows[i].run();
		for (int k = 0; k < 5; k++) {
			double t = now();

			for (int j = 0; j < n / 5 + 1; j++)
				rows[i].run();
			t = (now() - t) / (n / 5 + 1);
			best = t < best ? t : best;
		}
		printf("%s %.0f\n", rows[i].name, best);
		fflush(stdout);
	}
	double one = stat_rate(1), two = stat_rate(2);

	printf("two-processes %.2f\n", two / one);
	return 0;
}
