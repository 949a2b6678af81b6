/* SPDX-License-Identifier: Apache-2.0 */
/* affinity.c - sched_setaffinity(2), sched_getaffinity(2), what a child and a program inherit, and what /proc says of it. */
#include "tests/conformance/t.h"

#include <sched.h>

static void show(const char *who)
{
	cpu_set_t s;
	char buf[8192], *at = NULL;
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	close(fd);
	if (n > 0) {
		buf[n] = 0;
		at = strstr(buf, "Cpus_allowed_list:");
	}
	CPU_ZERO(&s);
	N(who, syscall(SYS_sched_getaffinity, 0, sizeof(s), &s));
	printf("%d CPUs, %.*s\n", CPU_COUNT(&s), at ? (int)strcspn(at, "\n") : 0, at ? at : "");
}

int main(int argc, char **argv)
{
	cpu_set_t s, one;
	int cpu = 0;

	if (argc > 1) {
		show("a program of the child");
		return 0;
	}
	show("at first");
	R(syscall(SYS_sched_getaffinity, 0, 0, &s));
	R(syscall(SYS_sched_getaffinity, 0, 7, &s));
	R(syscall(SYS_sched_getaffinity, 0, sizeof(s), NULL));
	R(syscall(SYS_sched_getaffinity, -1, sizeof(s), &s));
	R(syscall(SYS_sched_getaffinity, 0x7ffffff0, sizeof(s), &s));
	N("own pid", syscall(SYS_sched_getaffinity, getpid(), sizeof(s), &s) > 0);
	CPU_ZERO(&one);
	R(sched_setaffinity(0, sizeof(one), &one));
	while (!CPU_ISSET(cpu, &s))
		cpu++;
	CPU_SET(cpu, &one);
	R(sched_setaffinity(0, sizeof(one), &one));
	show("narrowed");
	/* Calls that put a descriptor into the process, on the CPU that it has. */
	for (int i = 0; i < 100; i++)
		close(open("file", O_RDONLY));
	show("after calls");
	fflush(stdout);
	if (!fork()) {
		show("a child");
		fflush(stdout);
		execl("/proc/self/exe", "affinity", "again", NULL);
		_exit(1);
	}
	wait(NULL);
	R(sched_setaffinity(getpid(), sizeof(s), &s));
	show("widened");
	return 0;
}
