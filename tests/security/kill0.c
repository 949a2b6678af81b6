/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill0.c - signals and priorities by process group 0 reach nothing outside. The shell that started the test is in the caller's group natively; inside, the
 * group must be made of our own processes only.
 */
#include "tests/security/t.h"

#include <sys/resource.h>

static void ignore(int s)
{
}

int main(int argc, char **argv)
{
	signal(SIGTERM, ignore);
	signal(SIGUSR1, SIG_IGN);
	/* 0 means "a process that this namespace has no number for". */
	CHECK(getpgrp() != 0, "our group has a number: %d", (int)getpgrp());
	CHECK(getsid(0) != 0, "our session has a number: %d", (int)getsid(0));
	/* Init is in the namespace, so our parents end at it. */
	CHECK(kill(0, SIGTERM) == 0, "kill(0) works");
	CHECK(setpriority(PRIO_PGRP, 0, 1) == 0, "setpriority of the group works");
	CHECK(kill(-1, 0) == 0 || errno == ESRCH || errno == EPERM, "kill(-1) sees only what is inside");
	/* Every number that answers is a process inside: there are few. */
	int n = 0;

	for (pid_t p = 1; p < 40000; p++)
		n += kill(p, 0) == 0 || errno == EPERM;
	CHECK(n <= 8, "%d processes answer to a signal", n);
	for (pid_t p = 1; p < 4000; p++) {
		char name[64];

		snprintf(name, sizeof(name), "/proc/%d", (int)p);
		if (!access(name, F_OK) && kill(p, 0) && errno == ESRCH) {
			CHECK(false, "%s exists but is not ours", name);
			break;
		}
	}
	return t_done();
}
