/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge_init.c - speaks to the supervisor as init and its sessions do (interposer/init.h): an execve with a pointer that means "a word". From
 * anybody else it is an execve of a bad pointer.
 */
#include "tests/security/t.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#define INIT_MAGIC 0x5afe5742c0de0002UL

int main(int argc, char **argv)
{
	unsigned bad = 0;

	for (unsigned long word = 0; word < 10; word++)
		for (unsigned n = 0; n < 2000; n++) {
			unsigned long ticket = n < 3 ? n : ((unsigned long)random() << 31 ^ (unsigned long)random());
			long r = syscall(SYS_execve, INIT_MAGIC, word, n, ticket);
			bad += r != -1 || errno != EFAULT;
		}
	CHECK(bad == 0, "%u of 20000 forged words were heard", bad);
	/* A report of the command's end would be the end of all. */
	pid_t child = fork();

	if (!child) {
		syscall(SYS_execve, INIT_MAGIC, 1UL, 0UL, 0UL);
		_exit(7);
	}
	int status = 0;

	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7, "the child goes on");
	/* init is woken by a signal: it only looks, and finds nothing. */
	for (int n = 0; n < 1000; n++)
		kill(1, SIGUSR1);
	child = fork();
	if (!child)
		_exit(3);
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3, "and so does the sandbox");
	return t_done();
}
