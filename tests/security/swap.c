/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swap.c - a second thread changes path strings while they are being used. Each string is valid in both forms; what comes out must be one of the two
 * things named, never a mixture, never the hidden file, never a native resolution.
 */
#include "tests/security/t.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

static char path[PATH_MAX], exec_path[64];
static char flag[PATH_MAX];
static atomic_bool stop;

static void *swapper(void *arg)
{
	char good[PATH_MAX] = "file", bad[PATH_MAX];

	snprintf(bad, sizeof(bad), "%s", flag);
	while (!atomic_load(&stop)) {
		memcpy(path, bad, strlen(bad) + 1);
		memcpy(path, good, strlen(good) + 1);
	}
	return NULL;
}

static void *exec_swapper(void *arg)
{
	while (!atomic_load(&stop)) {
		memcpy(exec_path, "/bin/true\0x", 12);
		memcpy(exec_path, "/bin/false\0", 12);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;
	int leaks = 0, odd = 0;

	snprintf(flag, sizeof(flag), "%s/hidden/flag", argc > 1 ? argv[1] : "..");
	strcpy(path, "file");
	pthread_create(&t, NULL, swapper, NULL);
	for (int i = 0; i < 20000; i++) {
		struct stat st;
		int fd = open(path, O_RDONLY);

		if (fd >= 0) {
			leaks += t_leaks_fd(fd);
			close(fd);
		}
		if (i % 4 == 0 && !stat(path, &st))
			leaks += st.st_size == 19;
		if (i % 16 == 0 && !link(path, "raced")) {
			leaks += t_leaks("raced");
			unlink("raced");
		}
		if (i % 16 == 1 && !rename(path, "raced")) {
			leaks += t_leaks("raced");
			rename("raced", "file");
		}
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	CHECK(leaks == 0, "open, stat, link and rename with a string that changes: %d leaks", leaks);

	atomic_store(&stop, false);
	pthread_create(&t, NULL, exec_swapper, NULL);
	/* vfork, so that the child runs on the memory that is being changed. */
	for (int i = 0; i < 2000; i++) {
		int st;
		pid_t p = vfork();

		if (!p) {
			execl(exec_path, "x", NULL);
			_exit(errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 50 : 51);
		}
		waitpid(p, &st, 0);
		if (!WIFEXITED(st) || (WEXITSTATUS(st) > 1 && WEXITSTATUS(st) != 50))
			odd++;
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
	CHECK(odd == 0, "exec with a string that changes: %d odd results", odd);
	CHILD("and exec still works", execl("/bin/true", "true", NULL));
	return t_done();
}
