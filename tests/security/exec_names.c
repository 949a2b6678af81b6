/* SPDX-License-Identifier: Apache-2.0 */
/* exec_names.c - one string wanted as a file by one exec and as a directory by another, 10,000 times at once: none may fail. */
#include "tests/security/t.h"

#include <limits.h>

static void put_copy(const char *name)
{
	char buf[65536];
	int in = open("/bin/true", O_RDONLY), out = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0755);
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		write(out, buf, (size_t)n);
	close(in);
	close(out);
}

/* Two directories: "x" is a program in the one and a directory with the program "y" in the other. Relative, so the strings collide. */
static int run(const char *dir, const char *name, int times)
{
	int bad = 0;

	if (chdir(dir))
		return -1;
	for (int i = 0; i < times; i++) {
		int st;
		pid_t p = vfork();

		if (!p) {
			execl(name, "x", NULL);
			_exit(100);
		}
		waitpid(p, &st, 0);
		bad += st != 0;
	}
	return bad;
}

int main(int argc, char **argv)
{
	static const char *const dirs[] = {"as-file", "as-dir", "as-file", "as-dir"}, *const names[] = {"x", "x/y", "./x",
													"./x/y"};
	pid_t p[4];

	mkdir("as-file", 0755);
	mkdir("as-dir", 0755);
	mkdir("as-dir/x", 0755);
	put_copy("as-file/x");
	put_copy("as-dir/x/y");
	for (int i = 0; i < 4; i++) {
		p[i] = fork();
		if (!p[i])
			_exit(run(dirs[i], names[i], 2500) ? 1 : 0);
	}
	for (int i = 0; i < 4; i++) {
		int st;

		waitpid(p[i], &st, 0);
		CHECK(st == 0, "2500 times %s in %s", names[i], dirs[i]);
	}
	/* Many names: whatever keeps them must have a bound and go on working. */
	int bad = 0;

	for (int i = 0; i < 3000; i++) {
		char name[64];
		int st;

		snprintf(name, sizeof(name), "n%d", i);
		if (symlink("/bin/true", name))
			bad++;
		pid_t c = vfork();

		if (!c) {
			char *a[] = {name, NULL};

			execv(name, a);
			_exit(100);
		}
		waitpid(c, &st, 0);
		bad += st != 0;
	}
	CHECK(bad == 0, "3000 different names: %d failed", bad);
	return t_done();
}
