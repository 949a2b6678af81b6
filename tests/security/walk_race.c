/* SPDX-License-Identifier: Apache-2.0 */
/* walk_race.c - directories are moved while others walk through them with "..": never above the root that was meant, never into what is hidden. */
#include "tests/security/t.h"

#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>

static atomic_bool stop;

static void *mover(void *arg)
{
	while (!atomic_load(&stop)) {
		rename("in/a/b", "b");
		rename("b", "in/a/b");
		rename("swap", "swap2");
		symlink("../hidden", "swap");
		unlink("swap");
		rename("swap2", "swap");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;
	int leaks = 0, outside = 0;

	mkdir("in", 0755);
	mkdir("in/a", 0755);
	mkdir("in/a/b", 0755);
	mkdir("in/a/b/c", 0755);
	mkdir("swap", 0755);
	t_put("swap/flag", "mine\n", 0644);
	t_put("outside", "outside\n", 0644);
	int root = open("in", O_PATH | O_DIRECTORY);

	pthread_create(&t, NULL, mover, NULL);
	for (int i = 0; i < t_tries(20000, 100000); i++) {
		struct open_how how = {.flags = O_RDONLY, .resolve = i % 2 ? RESOLVE_BENEATH : RESOLVE_IN_ROOT};
		int fd = (int)syscall(SYS_openat2, root, i % 4 < 2 ? "a/b/c/../../../../outside" : "a/b/../../../outside",
				      &how, sizeof(how));
		char buf[16] = "";

		if (fd >= 0) {
			read(fd, buf, sizeof(buf) - 1);
			outside += !strncmp(buf, "outside", 7);
			close(fd);
		}
		fd = open("swap/flag", O_RDONLY);
		leaks += t_leaks_fd(fd);
		if (fd >= 0)
			close(fd);
		leaks += t_leaks("in/a/b/c/../../../../../hidden/flag");
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	CHECK(outside == 0, "%d opens left the directory of openat2", outside);
	CHECK(leaks == 0, "%d opens reached what is hidden", leaks);
	return t_done();
}
