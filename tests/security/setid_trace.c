/* SPDX-License-Identifier: Apache-2.0 */
/*
 * setid_trace.c - an ordinary user puts code of his own into a process that executes a set-uid program, in the moment between the host's
 * exec and the loader stub's check-in, and lets go: the code then checks in. It must not be root for it. Also: no seccomp filter
 * without no_new_privs, because a set-uid program would inherit it.
 */
#include "tests/security/t.h"

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>

/* execve(EXEC_CHECKIN_MAGIC, stack, 8192); exit_group(geteuid() == 0 ? 42 : 7) */
static const unsigned char code[] = {0xb8, 59,   0,    0,    0,                                  /* mov eax, 59 */
				     0x48, 0xbf, 0x01, 0x00, 0xde, 0xc0, 0x42, 0x57, 0xfe, 0x5a, /* mov rdi, magic */
				     0x48, 0x8d, 0xb4, 0x24, 0x00, 0xf0, 0xff, 0xff,             /* lea rsi, [rsp - 4096] */
				     0xba, 0x00, 0x20, 0,    0,    0x0f, 0x05,                   /* mov edx, 8192; syscall */
				     0xb8, 107,  0,    0,    0,    0x0f, 0x05,                   /* geteuid */
				     0xbf, 42,   0,    0,    0,    0x85, 0xc0, 0x74, 5, /* mov edi, 42; test eax; jz */
				     0xbf, 7,    0,    0,    0,    0xb8, 231,  0,    0,    0,
				     0x0f, 0x05, /* mov edi, 7; exit_group */
				     0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90};

static const char *target;

/* The process is stopped. */
static bool plant(pid_t p)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, p, 0, &regs))
		return false;
	for (size_t i = 0; i + 8 <= sizeof(code); i += 8) {
		long word;

		memcpy(&word, code + i, 8);
		if (ptrace(PTRACE_POKETEXT, p, regs.rip + i, word))
			return false;
	}
	return ptrace(PTRACE_DETACH, p, 0, 0) == 0;
}

static pid_t start(void)
{
	pid_t p = fork();

	if (!p) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0), dup2(null, 1), dup2(null, 2);
		raise(SIGSTOP);
		execl(target, target, "--version", NULL);
		_exit(9);
	}
	return p;
}

/* Attached before the exec, let go at the exec's own stop. */
static int attached_before(void)
{
	int st = 0;
	pid_t p = start();

	waitpid(p, &st, WUNTRACED);
	if (ptrace(PTRACE_SEIZE, p, 0, PTRACE_O_TRACEEXEC))
		return -1;
	kill(p, SIGCONT);
	while (waitpid(p, &st, 0) == p && WIFSTOPPED(st)) {
		if (st >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8) && plant(p))
			continue;
		ptrace(PTRACE_CONT, p, 0, 0);
	}
	return st;
}

/* Attached somewhere around the exec. */
static int attached_meanwhile(int i)
{
	int st = 0;
	pid_t p = start();

	waitpid(p, &st, WUNTRACED);
	kill(p, SIGCONT);
	for (volatile int k = 0; k < i * 300; k++)
		;
	while (ptrace(PTRACE_ATTACH, p, 0, 0)) {
		if (waitpid(p, &st, WNOHANG) == p)
			return st;
	}
	while (waitpid(p, &st, 0) == p && WIFSTOPPED(st)) {
		if (!plant(p))
			ptrace(PTRACE_DETACH, p, 0, 0);
		kill(p, SIGCONT);
	}
	return st;
}

int main(int argc, char **argv)
{
	static const char *const targets[] = {"/usr/bin/su", "/bin/su", "/usr/bin/passwd", "/usr/bin/mount", NULL};
	struct sock_filter ret = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog prog = {1, &ret};
	struct stat sb;

	for (const char *const *t = targets; *t && !target; t++)
		if (!stat(*t, &sb) && sb.st_uid == 0 && (sb.st_mode & S_ISUID) && (sb.st_mode & S_IXOTH))
			target = *t;
	if (!geteuid() && (setgroups(0, NULL) || setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234)))
		return 1;
	prctl(PR_SET_DUMPABLE, 1);

	DENIED(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog));
	CHECK(errno == EACCES, "because no_new_privs isn't set");
	DENIED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));

	if (!target) {
		printf("no set-uid program here\n");
		return t_failures ? 1 : 77;
	}
	int st = attached_before();
	CHECK(!(WIFEXITED(st) && WEXITSTATUS(st) == 42), "let go at the exec's stop: status %x", (unsigned)st);
	int worst = 0;

	for (int i = 0; i < 300; i++) {
		st = attached_meanwhile(i % 150);
		if (WIFEXITED(st) && WEXITSTATUS(st) == 42)
			worst++;
	}
	CHECK(!worst, "attached around the exec: root %d times of 300", worst);

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog),
	      "a filter with no_new_privs");
	return t_done();
}
