# SPDX-License-Identifier: Apache-2.0
# sandbox trace of programs that stop, are killed, exec in threads, lie and race: it must neither hang nor change what they do.
# timeout: 120
. "$(dirname "$0")/lib.sh"
need gcc
cat > stop.c << 'C'
/* Threads that call, exec, vfork and exit while their process is stopped, continued and killed. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
static void *busy(void *arg)
{
	struct stat st;
	for (;;) {
		stat("file", &st);
		stat("nowhere", &st);
		getppid();
	}
}
static void *execs(void *arg)
{
	usleep(2000);
	execl("/bin/true", "true", NULL);
	return NULL;
}
static void *vforks(void *arg)
{
	for (;;) {
		pid_t c = vfork();
		if (!c)
			_exit(0);
		waitpid(c, NULL, 0);
	}
}
static void child(int k)
{
	pthread_t t;
	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, busy, NULL);
	if (k % 4 == 1)
		pthread_create(&t, NULL, execs, NULL);
	if (k % 4 == 2)
		pthread_create(&t, NULL, vforks, NULL);
	if (k % 4 == 3) {
		usleep(3000);
		exit(3);
	}
	for (;;)
		pause();
}
int main(void)
{
	for (int k = 0; k < 16; k++) {
		pid_t p = fork();
		int w;
		if (!p)
			child(k);
		for (int i = 0; i < 10; i++) {
			kill(p, SIGSTOP);
			if (i % 3)
				usleep(rand() % 1000);
			kill(p, SIGCONT);
			if (i % 2)
				usleep(rand() % 500);
		}
		if (k % 3 == 0) {
			kill(p, SIGSTOP);
			waitpid(p, &w, WUNTRACED);
			if (WIFSTOPPED(w) && k % 2)
				kill(p, SIGCONT);
		}
		kill(p, SIGKILL);
		while (waitpid(p, &w, 0) > 0 && WIFSTOPPED(w))
			;
	}
	return 42;
}
C
cat > hostile.c << 'C'
/* Bad pointers everywhere, strings that change while they are read, a tracer inside, traps of its own, many threads, foreign calls. */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
static char name[64];
static volatile int done, traps;
static void *changes(void *arg)
{
	for (unsigned i = 0; !done; i++)
		name[i % sizeof name] = (char)i;
	return NULL;
}
static void *opens(void *arg)
{
	struct stat st;
	for (int i = 0; i < 300; i++)
		stat(name, &st);
	return NULL;
}
static void *sleeps(void *arg)
{
	usleep(1000);
	return NULL;
}
static void on_trap(int sig)
{
	traps++;
}
int main(void)
{
	static const unsigned long bad[] = {0, 8, 0x7ffffffff000, 0xffffffffffffffff, 0x8000000000000000, 1UL << 32};
	pthread_t t[200];
	/* Not what would end or block this process: read from a table of its own. */
	static const int safe[] = {0, 1, 4, 5, 6, 9, 13, 14, 16, 19, 20, 21, 23, 41, 42, 43, 44, 45, 46, 47, 49, 51, 54, 55, 72, 78, 89, 96, 97, 98,
				   99, 125, 126, 128, 131, 137, 157, 202, 213, 222, 228, 232, 233, 254, 257, 262, 267, 270, 271, 280, 288, 289,
				   295, 299, 302, 307, 310, 314, 315, 317, 332, 334, 437, 439, 441, 449};
	signal(SIGTRAP, on_trap);
	signal(SIGALRM, SIG_IGN);
	int null = dup(0);
	for (int i = 0; i < (int)(sizeof safe / sizeof *safe); i++)
		for (int k = 0; k < 6; k++) {
			/* No second, so that nothing waits. */
			if (safe[i] == 202 || safe[i] == 128 || safe[i] == 23 || safe[i] == 270 || safe[i] == 271 || safe[i] == 232 || safe[i] == 441)
				syscall(safe[i], bad[k], 1L, bad[k], 8L, 8L, 8L);
			else if (safe[i] == 9 || safe[i] == 13 || safe[i] == 14 || safe[i] == 157 || safe[i] == 317 || safe[i] == 334)
				syscall(safe[i], (long)(k == 5 ? null : 1000 + k), bad[k], bad[k], bad[k], bad[k], bad[k]);
			else
				syscall(safe[i], 1000L + k, bad[k], bad[k], bad[k], bad[k], bad[k]);
		}
	struct iovec *v = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap((char *)v + 4096, 4096);
	for (int i = 0; i < 256; i++)
		v[i] = (struct iovec){(void *)-1, (size_t)-1};
	writev(1, v, 1024);
	writev(1, v + 250, 0x7fffffff);
	pthread_create(t, NULL, changes, NULL);
	for (int i = 1; i < 4; i++)
		pthread_create(t + i, NULL, opens, NULL);
	for (int i = 1; i < 4; i++)
		pthread_join(t[i], NULL);
	done = 1;
	pthread_join(t[0], NULL);
	for (int i = 0; i < 200; i++)
		pthread_create(t + i, NULL, sleeps, NULL);
	for (int i = 0; i < 200; i++)
		pthread_join(t[i], NULL);
	__asm__ volatile("int3");
	raise(SIGTRAP);
	syscall(SYS_tgkill, getpid(), (int)syscall(SYS_gettid), SIGTRAP | 0);
	if (traps != 3)
		return 1;
	/* Someone traces us: EPERM, not a crash. */
	pid_t c = fork();
	if (!c)
		_exit(ptrace(PTRACE_TRACEME, 0, 0, 0) ? 0 : 1);
	int w;
	if (waitpid(c, &w, 0) != c || w)
		return 2;
	/* A filter of its own that wants a tracer: ENOSYS, as without one. */
	struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 0, 1),
				  BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 77), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog p = {4, f};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p))
		return 3;
	if (getsid(0) != -1)
		return 4;
	/* i386's number of getpid. */
	long r;
	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "r8", "r9", "r10", "r11", "memory");
	if (r != -38)
		return 5;
	if (syscall(SYS_getpid | 0x40000000) != -1 || syscall(9999) != -1)
		return 6;
	return 42;
}
C
gcc -w -O1 -o stop stop.c -pthread && gcc -w -O1 -o hostile hostile.c -pthread || fail "compiler"
for e in %file '!futex' all; do
	timeout -k 1 40 "$SANDBOX" trace --chdir "$PWD" -e "$e" -o log -- ./stop < /dev/null
	[ $? = 42 ] || fail "stop, -e $e: status $?"
	timeout -k 1 40 "$SANDBOX" trace --chdir "$PWD" -v -yy -e "$e" -o log -- ./hostile < /dev/null > /dev/null
	rc=$?
	[ $rc = 42 ] || fail "hostile, -e $e: status $rc: $(tail -n 3 log)"
done
grep -q 'i386_syscall_0x14' log || fail "no foreign call in the trace"
# An interrupt is the program's, and so is what becomes of it.
if command -v python3 > /dev/null; then
	python3 - "$SANDBOX" << 'PY' || fail "interrupt"
import os, pty, signal, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "trace", "-e", "none", "--", "sh", "-c", "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.1; done"])
out = b""
while b"ready" not in out:
    out += os.read(fd, 4096)
time.sleep(0.3)
os.write(fd, b"\3")
try:
    while True:
        more = os.read(fd, 4096)
        if not more:
            break
        out += more
except OSError:
    pass
status = os.waitpid(pid, 0)[1]
sys.exit(0 if os.WEXITSTATUS(status) == 7 and b"caught" in out and b"SIGINT" in out else f"{status} {out}")
PY
fi
finish
