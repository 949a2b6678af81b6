/* SPDX-License-Identifier: Apache-2.0 */
/* forge_tag.c - writing RLIMIT_LOCKS, in which the state of a process may be kept, by arguments with a dirty upper half and by other ABIs. */
#include "tests/security/t.h"

#include <sys/resource.h>

int main(int argc, char **argv)
{
	struct rlimit r;
	unsigned long v[2], o[2];
	char cwd[4096];

	getcwd(cwd, sizeof(cwd));
	/* Values that could be the ids of other states: the first ones and some wild ones. */
	for (unsigned long id = 0; id < 64; id++) {
		v[0] = id < 60 ? id : ~0UL >> (id - 60);
		v[1] = ~0UL;
		syscall(SYS_setrlimit, 10UL, v);
		syscall(SYS_setrlimit, 0x50000000aUL, v);
		syscall(SYS_setrlimit, 0xffffffff0000000aUL, v);
		syscall(SYS_prlimit64, 0, 10UL, v, 0);
		syscall(SYS_prlimit64, 0, 0x70000000aUL, v, 0);
		syscall(SYS_prlimit64, 0x100000000UL, 0x70000000aUL, v, 0);
		syscall(SYS_prlimit64, getpid(), 0x50000000aUL, v, 0);
		char now[4096] = "";
		struct stat st;

		if (!getcwd(now, sizeof(now)) || strcmp(now, cwd) || stat("file", &st)) {
			CHECK(false, "the process lost its state after id %lu: cwd %s", id, now);
			return t_done();
		}
	}
	CHECK(true, "the state survives");
	/* What was set is what is seen: the program's own view works like any limit. */
	v[0] = 77;
	v[1] = 99;
	CHECK(syscall(SYS_setrlimit, 0x50000000aUL, v) == 0, "setrlimit(10 with a dirty upper half) works as on Linux");
	CHECK(!getrlimit(RLIMIT_LOCKS, &r) && r.rlim_cur == 77 && r.rlim_max == 99, "and gives the limit back: %lu %lu",
	      (unsigned long)r.rlim_cur, (unsigned long)r.rlim_max);
	syscall(SYS_prlimit64, 0, 0xf0000000aUL, 0, o);
	CHECK(o[0] == 77, "prlimit64 with a dirty upper half reads the same: %lu", o[0]);
	/* A parent's change of a child's limit. */
	int go[2];

	pipe(go);
	pid_t p = fork();

	if (!p) {
		struct stat st;

		read(go[0], &(char){0}, 1);
		_exit(stat("file", &st) != 0);
	}
	for (unsigned long id = 0; id < 16; id++) {
		v[0] = id;
		v[1] = 99;
		syscall(SYS_prlimit64, p, 0x10000000aUL, v, 0);
	}
	write(go[1], "x", 1);
	int st;

	waitpid(p, &st, 0);
	CHECK(st == 0, "a child keeps its state when its parent sets the limit");
	return t_done();
}
