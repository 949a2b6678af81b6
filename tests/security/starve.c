/* SPDX-License-Identifier: Apache-2.0 */
/* starve.c - more blocked calls than the supervisor has threads: others are answered all the same, and the blocked ones can be killed. */
#include "tests/security/t.h"

#define PROCS 400

int main(int argc, char **argv)
{
	static pid_t p[PROCS];
	struct stat st;
	int bad = 0;

	alarm(60);
	for (int i = 0; i < PROCS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "fifo%d", i);
		if (mkfifo(name, 0600))
			bad++;
		p[i] = fork();
		if (!p[i])
			_exit(open(name, O_RDONLY) >= 0 ? 0 : errno == ENOMEM ? 2 : 3);
	}
	sleep(1);
	for (int i = 0; i < 100; i++)
		bad += stat("file", &st) != 0;
	CHECK(!bad, "calls are answered while %d opens wait", PROCS);
	/* The first still wait: nobody failed but those that were too many. */
	int refused = 0, odd = 0;

	for (int i = 0; i < PROCS; i++) {
		int s;

		if (waitpid(p[i], &s, WNOHANG) == p[i]) {
			refused += s == 2 << 8;
			odd += s != 2 << 8;
			p[i] = 0;
		}
	}
	CHECK(!odd && refused < PROCS / 2, "%d were refused, %d ended otherwise", refused, odd);
	for (int i = 0; i < PROCS; i++)
		if (p[i] && kill(p[i], SIGKILL))
			bad++;
	for (int i = 0; i < PROCS; i++)
		if (p[i] && waitpid(p[i], NULL, 0) != p[i])
			bad++;
	CHECK(!bad, "and can be killed");
	int fd = open("fifo0", O_RDWR);

	CHECK(fd >= 0, "and later opens work");
	return t_done();
}
