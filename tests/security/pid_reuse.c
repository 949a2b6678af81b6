/* SPDX-License-Identifier: Apache-2.0 */
/* pid_reuse.c - processes that die in the middle of a call, and new ones that take their numbers: answers must never go to the wrong one. */
#include "tests/security/t.h"

#include <pthread.h>

static void *calls(void *arg)
{
	struct stat st;
	char buf[64];

	for (;;) {
		stat("file", &st);
		readlink("link", buf, sizeof(buf));
		close(open("dir/a", O_RDONLY));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 0; i < 1000; i++) {
		pid_t p = fork();

		if (!p) {
			pthread_t t;

			pthread_create(&t, NULL, calls, NULL);
			calls(NULL);
		}
		/* Its successor checks that its own memory and descriptors are its own. */
		pid_t q = fork();

		if (!q) {
			char guard[256], same[256];
			struct stat st;
			int before, after, wrong = 0;

			memset(guard, i, sizeof(guard));
			memset(same, i, sizeof(same));
			before = dup(0);
			close(before);
			for (int k = 0; k < 20; k++)
				wrong += stat("file", &st) != 0 || st.st_size != 8704;
			after = dup(0);
			_exit(wrong || before != after || memcmp(guard, same, sizeof(guard)));
		}
		int st;

		usleep((useconds_t)(i % 20) * 50);
		kill(p, SIGKILL);
		waitpid(p, NULL, 0);
		waitpid(q, &st, 0);
		bad += st != 0;
	}
	CHECK(bad == 0, "%d of 1000 processes saw something odd", bad);
	return t_done();
}
