/* SPDX-License-Identifier: Apache-2.0 */
/* dirs.c - working directories and reading directories: positions, changes while reading. */
#include "tests/conformance/t.h"

#include <dirent.h>
#include <limits.h>
#include <sys/file.h>

static void show_cwd(const char *top)
{
	char buf[PATH_MAX];

	if (!getcwd(buf, sizeof(buf)))
		printf("getcwd: %s\n", strerrorname_np(errno));
	else if (!strncmp(buf, top, strlen(top)))
		printf("cwd: .%s\n", buf + strlen(top));
	else
		printf("cwd: %s\n", buf);
}

static void working(void)
{
	char top[PATH_MAX], buf[4];

	if (!getcwd(top, sizeof(top)))
		return;
	int fd = open(".", O_RDONLY), file = open("file", O_RDONLY);

	R(chdir("dir/sub"));
	show_cwd(top);
	R(chdir(".."));
	show_cwd(top);
	R(fchdir(fd));
	R(chdir("dirlink"));
	show_cwd(top);
	R(chdir("nope"));
	R(chdir("a"));
	R(chdir(""));
	R(fchdir(file));
	R(fchdir(99));
	fchdir(fd);
	R(getcwd(buf, 0) ? 0 : -1);
	R(getcwd(buf, 2) ? 0 : -1);
	R(syscall(SYS_getcwd, buf, 2UL));
	mkdir("gone", 0755);
	chdir("gone");
	rmdir("../gone");
	show_cwd(top);
	O(open("x", O_CREAT | O_RDWR, 0644));
	O(open(".", O_RDONLY));
	R(mkdir("y", 0755));
	R(access("..", F_OK));
	fchdir(fd);
	mkdir("m1", 0755);
	chdir("m1");
	rename("../m1", "../m2");
	show_cwd(top);
	fchdir(fd);
	CHILD("chdir in a child", chdir("dir"); show_cwd(top));
	show_cwd(top);
	chdir("/");
	show_cwd(top);
	R(chdir("../../.."));
	show_cwd(top);
	fchdir(fd);
	mkdir("noexec", 0600);
	R(chdir("noexec"));
	fchdir(fd);
	close(fd);
	close(file);
}

static int count(DIR *d)
{
	int n = 0;

	while (readdir(d))
		n++;
	return n;
}

static void reading(void)
{
	enum { FILES = 500 };
	static long where[FILES + 2];
	static char names[FILES + 2][32];
	char name[32];

	mkdir("many", 0755);
	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "many/f%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
	}
	DIR *d = opendir("many");
	struct dirent *e;
	int n = 0, bad = 0;

	while (n < FILES + 2) {
		where[n] = telldir(d);
		e = readdir(d);
		if (!e)
			break;
		snprintf(names[n++], sizeof(names[0]), "%s", e->d_name);
	}
	printf("entries %d, the end: %d\n", n, readdir(d) == NULL);
	for (int i = n - 1; i >= 0; i -= 7) {
		seekdir(d, where[i]);
		e = readdir(d);
		bad += !e || strcmp(e->d_name, names[i]) != 0;
	}
	printf("seekdir went wrong: %d\n", bad);
	rewinddir(d);
	printf("after rewinddir: %d\n", count(d));
	/* What is deleted while reading may or may not show; what stays shows exactly once. */
	rewinddir(d);
	int seen[FILES] = {0}, twice = 0, missing = 0;

	for (int i = 0; (e = readdir(d)); i++) {
		int k = e->d_name[0] == 'f' ? (int)strtol(e->d_name + 1, NULL, 10) : -1;

		if (k < 0)
			continue;
		twice += seen[k]++ > 0;
		if (k % 2) {
			snprintf(name, sizeof(name), "many/f%d", k);
			unlink(name);
		}
	}
	for (int i = 0; i < FILES; i++)
		missing += !seen[i];
	printf("while deleting: twice %d, missing %d\n", twice, missing);
	rewinddir(d);
	printf("left: %d\n", count(d));
	rewinddir(d);
	for (int i = 0; i < 10; i++)
		readdir(d);
	close(open("many/added", O_CREAT | O_WRONLY, 0644));
	rewinddir(d);
	printf("with a new one: %d\n", count(d));
	closedir(d);

	/* rm -r's pattern: read some, delete them, read on. */
	int fd = open("many", O_RDONLY | O_DIRECTORY), rounds = 0;
	char buf[1024];
	long len;

	while ((len = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0 && rounds++ < 1000)
		for (long at = 0; at < len;) {
			struct dirent64 *de = (struct dirent64 *)(buf + at);

			if (de->d_name[0] != '.')
				unlinkat(fd, de->d_name, 0);
			at += de->d_reclen;
		}
	R(rmdir("many"));
	R(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	close(fd);
	fd = open("dir", O_RDONLY);
	R(syscall(SYS_getdents64, fd, buf, 8UL));
	R(syscall(SYS_getdents64, fd, buf, 20UL));
	R(read(fd, buf, 1));
	R(lseek(fd, 0, SEEK_SET));
	close(fd);
	fd = open("file", O_RDONLY);
	R(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	close(fd);
	R(syscall(SYS_getdents64, 99, buf, sizeof(buf)));
	O(open("dir/..", O_PATH | O_DIRECTORY));
	fd = open("dir", O_RDONLY);
	O(openat(fd, "sub/b", O_RDONLY));
	O(openat(fd, "../file", O_RDONLY));
	R(mkdirat(fd, "made", 0755));
	R(renameat(fd, "a", AT_FDCWD, "out"));
	R(unlinkat(fd, "sub/b", 0));
	R(unlinkat(fd, "sub", AT_REMOVEDIR));
	rename("dir", "elsewhere");
	O(openat(fd, "made", O_RDONLY));
	R(faccessat(AT_FDCWD, "elsewhere/made", F_OK, 0));
	/* A directory descriptor shared with a child shares its position. */
	close(fd);
	fd = open("elsewhere", O_RDONLY);
	CHILD("child reads all", while (syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0));
	R(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	close(fd);
}

static void locks(void)
{
	int a, b;

	mkdir("locked", 0755);
	a = open("locked", O_RDONLY);
	b = open("locked", O_RDONLY | O_DIRECTORY);
	R(flock(a, LOCK_EX | LOCK_NB));
	R(flock(a, LOCK_EX | LOCK_NB));
	R(flock(b, LOCK_EX | LOCK_NB));
	R(flock(b, LOCK_SH | LOCK_NB));
	CHILD("inherited", R(flock(a, LOCK_EX | LOCK_NB)); R(flock(b, LOCK_SH | LOCK_NB)));
	R(flock(a, LOCK_SH));
	R(flock(b, LOCK_SH | LOCK_NB));
	R(flock(b, LOCK_EX | LOCK_NB));
	R(flock(a, LOCK_EX | LOCK_NB));
	close(b);
	b = open("locked", O_RDONLY);
	R(flock(b, LOCK_EX | LOCK_NB));
	int c = dup(a);

	close(a);
	R(flock(b, LOCK_EX | LOCK_NB));
	close(c);
	R(flock(b, LOCK_EX | LOCK_NB));
	/* A process that ends gives its lock back, and who waits goes on. */
	R(flock(b, LOCK_UN));
	close(b);

	int p[2];

	if (pipe(p))
		return;
	pid_t child = fork();

	if (!child) {
		R(flock(open("locked", O_RDONLY), LOCK_EX));
		fflush(stdout);
		write(p[1], "x", 1);
		usleep(100000);
		_exit(0);
	}
	read(p[0], &(char){0}, 1);
	b = open("locked", O_RDONLY);
	R(flock(b, LOCK_EX));
	waitpid(child, NULL, 0);
	close(p[0]);
	close(p[1]);
	close(b);
	a = open("locked", O_PATH);
	R(flock(a, LOCK_SH));
	close(a);
}

/* What /proc/self/fd says of directories. */
static void names_of(void)
{
	static const char *const name[] = {"/proc/self/fd", "/proc/self/task", "/proc", "/dev", "/", "gone2"};
	char link[64], text[PATH_MAX], top[PATH_MAX];

	mkdir("gone2", 0755);
	if (!getcwd(top, sizeof(top)))
		return;
	for (size_t i = 0; i < COUNT(name); i++) {
		int fd = open(name[i], O_RDONLY);
		struct stat st;

		if (i == COUNT(name) - 1)
			rmdir("gone2");
		else
			stat(name[i], &st);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, text, sizeof(text) - 1);

		text[n < 0 ? 0 : n] = 0;
		char *rest = strncmp(text, top, strlen(top)) ? text : text + strlen(top);

		/* Not the process's number. */
		if (!strncmp(rest, "/proc/", 6))
			rest = strchr(rest + 6, '/');
		printf("%s is %s\n", name[i], rest ? rest : text);
		close(fd);
	}
	R(chdir("/proc/self/fd"));
	R(getcwd(text, sizeof(text)) ? 0 : -1);
}

int main(void)
{
	umask(022);
	working();
	reading();
	locks();
	names_of();
	return 0;
}
