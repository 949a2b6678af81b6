/* SPDX-License-Identifier: Apache-2.0 */
/* nested.c - filters and listeners that a program installs itself: no listener of its own above ours, and its own filters still bind it. */
#include "tests/security/t.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

static struct sock_filter notify[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_filter deny[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};

static long install(unsigned flags, struct sock_filter *f, size_t n)
{
	struct sock_fprog p = {(unsigned short)n, f};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

int main(int argc, char **argv)
{
	struct stat st;
	int fd;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs can be set");
	CHECK(install(SECCOMP_FILTER_FLAG_NEW_LISTENER, notify, COUNT(notify)) < 0, "no listener of our own: %s",
	      strerrorname_np(errno));
	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER | 1L << 32, SECCOMP_FILTER_FLAG_NEW_LISTENER | 1L << 32,
		      &(struct sock_fprog){COUNT(notify), notify}) < 0,
	      "nor with dirty upper halves");
	CHECK(install(0, allow, COUNT(allow)) == 0, "an allow-all filter: %s", strerrorname_np(errno));
	CHECK(stat("file", &st) == 0 && !t_leaks("../hidden/flag"), "which changes nothing");
	CHECK(install(0, deny, COUNT(deny)) == 0, "a filter that denies: %s", strerrorname_np(errno));
	CHECK(syscall(SYS_mkdir, "d", 0755) < 0 && errno == ENOTTY, "denies: %s", strerrorname_np(errno));
	CHILD("exec under it", execl("/bin/true", "true", NULL));
	fd = open("file", O_RDONLY);
	CHECK(fd >= 0, "open under it");
	fflush(stdout);
	pid_t p = fork();

	if (!p) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		syscall(SYS_stat, "file", &st);
		syscall(SYS_exit, 0);
	}
	int ws;

	waitpid(p, &ws, 0);
	CHECK(WIFSIGNALED(ws) || WEXITSTATUS(ws) == 0, "strict mode: no hang");
	return t_done();
}
