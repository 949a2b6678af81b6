/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge_checkin.c - an execve of a set-uid program that passes the supervisor and then fails in the kernel (EFAULT), after which the old image plays
 * the new one: it must have gained neither identity nor descriptors, and later execs must work.
 */
#include "tests/security/t.h"

#define CHECKIN_MAGIC 0x5afe5742c0de0001UL /* kernel/exec.h */

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

int main(int argc, char **argv)
{
	static const char *const targets[] = {"/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/bin/true", NULL};
	static const char *const magic[] = {"",       "/",     "checkin",        "/.checkin", "/checkin",
					    "/.stub", "/stub", "/proc/self/exe", NULL};
	uid_t uid = geteuid();

	if (!uid && setresuid(1234, 1234, 1234)) /* root has nothing to gain */
		return t_done();
	uid = geteuid();
	for (const char *const *t = targets; *t; t++) {
		int before = open_fds();

		for (int i = 0; i < 50; i++) {
			execve(*t, (char **)1, NULL);
			/* Whatever a check-in looks like, it is an execve of some string: try what might be one. */
			for (const char *const *m = magic; i < 3 && *m; m++)
				syscall(SYS_execve, *m, i == 1 ? NULL : (char *[]){NULL}, i == 2 ? (char **)-1 : (char **)1);
			if (geteuid() != uid || getuid() != uid)
				break;
		}
		/* The loader's own call, as the old image and once more as a child that has its state. Of a program without privilege it's no secret. */
		static char plan[8192];
		bool heard = false;
		struct stat sb;

		for (int i = 0; !stat(*t, &sb) && (sb.st_mode & S_ISUID) && i < 20; i++) {
			execve(*t, i % 2 ? (char **)1 : (char *[]){(char *)*t, NULL}, i % 2 ? NULL : (char **)1);
			heard |= syscall(SYS_execve, CHECKIN_MAGIC, plan, sizeof(plan)) != -1;
			execve(*t, (char **)1, NULL);
			pid_t p = fork();
			int ws;

			if (!p)
				_exit(syscall(SYS_execve, CHECKIN_MAGIC, plan, sizeof(plan)) != -1 || geteuid() != uid);
			waitpid(p, &ws, 0);
			heard |= ws != 0;
		}
		CHECK(!heard, "%s: a forged check-in isn't heard", *t);
		CHECK(geteuid() == uid && getuid() == uid, "%s: the old image is still user %d: %d", *t, (int)uid,
		      (int)geteuid());
		CHECK(open_fds() == before, "%s: no descriptor was left in the old image (%d, %d)", *t, before, open_fds());
	}
	/* A number of our own, in case the check-in is one. */
	for (long nr = 1000; nr < 1010; nr++)
		syscall(nr, 0, 0, 0, 0, 0, 0);
	CHECK(geteuid() == uid, "calls with unlisted numbers change nothing");
	CHILD("a later exec", execl("/bin/true", "true", NULL));
	int st = -1;
	pid_t p = fork();

	if (!p) {
		execl("/bin/true", "true", NULL);
		_exit(9);
	}
	waitpid(p, &st, 0);
	CHECK(st == 0, "exec works after all that");
	return t_done();
}
