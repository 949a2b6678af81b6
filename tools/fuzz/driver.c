/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver.c - main() of a fuzz target that is built without an engine: runs files, or the files of directories, or standard input.
 *
 * Several inputs run in a child, which begins anew after the one that ended it, so all that fail are named. A single one runs
 * right here, where a debugger and AFL++ see it fail.
 */
#include "tools/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#pragma weak LLVMFuzzerInitialize

struct inputs {
	char **path;
	size_t n, cap;
};

static void add(struct inputs *in, const char *path)
{
	if (in->n == in->cap) {
		in->cap = in->cap ? 2 * in->cap : 64;
		in->path = reallocarray(in->path, in->cap, sizeof(*in->path));
		FUZZ_CHECK(in->path);
	}
	in->path[in->n] = strdup(path);
	FUZZ_CHECK(in->path[in->n++]);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool gather(struct inputs *in, const char *path)
{
	size_t from = in->n;
	struct stat st;
	struct dirent *e;
	DIR *d;

	if (stat(path, &st)) {
		perror(path);
		return false;
	}
	if (!S_ISDIR(st.st_mode)) {
		add(in, path);
		return true;
	}
	d = opendir(path);
	if (!d) {
		perror(path);
		return false;
	}
	while ((e = readdir(d))) {
		char full[4096];
		if (e->d_name[0] == '.')
			continue;
		snprintf(full, sizeof(full), "%s/%s", path, e->d_name);
		add(in, full);
	}
	closedir(d);
	if (in->n > from)
		qsort(in->path + from, in->n - from, sizeof(*in->path), by_name);
	return true;
}

static void run_fd(int fd, const char *name)
{
	size_t n = 0, cap = 4096;
	uint8_t *buf = malloc(cap);
	ssize_t r;

	FUZZ_CHECK(buf);
	while ((r = read(fd, buf + n, cap - n)) > 0) {
		n += (size_t)r;
		if (n == cap) {
			buf = realloc(buf, cap *= 2);
			FUZZ_CHECK(buf);
		}
	}
	if (r < 0) {
		perror(name);
		exit(2);
	}
	/* Of exactly this size, so that ASan sees a read past the end. */
	uint8_t *data = malloc(n ? n : 1);
	FUZZ_CHECK(data);
	memcpy(data, buf, n);
	free(buf);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
}

static void run_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		exit(2);
	}
	run_fd(fd, path);
	close(fd);
}

/* Returns how many ended the process. */
static size_t run_all(const struct inputs *in)
{
	size_t *next = mmap(NULL, sizeof(*next), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), failed = 0;

	FUZZ_CHECK(next != MAP_FAILED);
	while (*next < in->n) {
		int status;
		fflush(NULL);
		pid_t pid = fork();
		FUZZ_CHECK(pid >= 0);
		if (!pid) {
			for (; *next < in->n; ++*next)
				run_file(in->path[*next]);
			exit(0);
		}
		FUZZ_CHECK(waitpid(pid, &status, 0) == pid);
		if (WIFEXITED(status) && !WEXITSTATUS(status) && *next == in->n)
			break;
		fprintf(stderr, "FAIL %s: ended with status %#x\n", *next < in->n ? in->path[*next] : "exit handlers",
			(unsigned)status);
		failed++;
		++*next;
	}
	munmap(next, sizeof(*next));
	return failed;
}

int main(int argc, char **argv)
{
	struct inputs in = {0};
	size_t failed = 0;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int k = 1; k < argc; k++)
		if (!gather(&in, argv[k]))
			return 2;
	if (argc == 1)
		run_fd(STDIN_FILENO, "standard input");
	else if (in.n == 1)
		run_file(in.path[0]);
	else
		failed = run_all(&in);
	printf("%zu inputs, %zu failed\n", argc == 1 ? 1 : in.n, failed);
	for (size_t k = 0; k < in.n; k++)
		free(in.path[k]);
	free(in.path);
	return failed || (argc > 1 && !in.n);
}
