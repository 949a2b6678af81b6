/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c - signals during calls that block, with and without SA_RESTART; statuses of children; timers. */
#include "tests/conformance/t.h"

#include <sys/file.h>
#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t hits;
static int told[2]; /* a byte for each signal */
static void on_signal(int s)
{
	int err = errno;

	hits++;
	write(told[1], "s", 1);
	errno = err;
}

static void handle(int flags)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};

	sigaction(SIGALRM, &sa, NULL);
	hits = 0;
}

/* Again and again: the first one may come before a call blocks. */
static void alarm_ms(int ms)
{
	struct timeval t = {ms / 1000, ms % 1000 * 1000};

	setitimer(ITIMER_REAL, &(struct itimerval){t, t}, NULL);
}

/* In a child: until its parent has had a signal, and then some, for the call to be restarted. */
static void after_signal(void)
{
	read(told[0], &(char){0}, 1);
	usleep(100000);
}

static void forget_signals(void)
{
	fcntl(told[0], F_SETFL, O_NONBLOCK);
	while (read(told[0], &(char){0}, 1) == 1)
		continue;
	fcntl(told[0], F_SETFL, 0);
}

/* A child that does something after a signal, to end a wait that was restarted. */
static pid_t later(void (*what)(void))
{
	fflush(stdout);
	forget_signals();
	pid_t p = fork();

	if (!p) {
		after_signal();
		what();
		_exit(0);
	}
	return p;
}
static void open_reader(void)
{
	int fd = open("fifo", O_RDONLY);

	usleep(20000);
	close(fd);
}

static void blocking(void)
{
	int go[2], held[2], a = open("file", O_RDWR);

	pipe2(told, O_CLOEXEC);
	fcntl(told[1], F_SETFL, O_NONBLOCK); /* the storm's would fill it */

	handle(0);
	alarm_ms(50);
	O(open("fifo", O_WRONLY));
	printf("handled %d\n", hits > 0);

	handle(SA_RESTART);
	pid_t p = later(open_reader);

	alarm_ms(50);
	O(open("fifo", O_WRONLY));
	printf("handled %d\n", hits > 0);
	alarm_ms(0);
	waitpid(p, NULL, 0);

	pipe(go);
	pipe(held);
	fflush(stdout);
	p = fork();
	if (!p) {
		int c = open("file", O_RDWR);

		flock(c, LOCK_EX);
		write(held[1], "x", 1);
		read(go[0], &(char){0}, 1);
		after_signal();
		_exit(0);
	}
	read(held[0], &(char){0}, 1);
	handle(0);
	alarm_ms(50);
	R(flock(a, LOCK_EX));
	printf("handled %d\n", hits > 0);
	handle(SA_RESTART);
	forget_signals();
	write(go[1], "x", 1);
	R(flock(a, LOCK_EX));
	printf("handled %d\n", hits > 0);
	alarm_ms(0);
	waitpid(p, NULL, 0);
	flock(a, LOCK_UN);

	handle(0);
	alarm_ms(50);
	R(read(go[0], &(char){0}, 1));
	alarm_ms(50);
	R(pause());
	alarm_ms(50);
	R(nanosleep(&(struct timespec){1, 0}, NULL));
	alarm_ms(50);
	R(waitpid(later(open_reader), NULL, 0) > 0 ? 0 : -1);
	alarm_ms(0);
	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		int fd = open("fifo", O_WRONLY | O_NONBLOCK);

		if (fd >= 0)
			close(fd);
		usleep(10000);
	}
}

/* Under a fast timer with SA_RESTART no call that never fails natively may fail. */
static void storm(void)
{
	struct stat st;
	int bad = 0;

	handle(SA_RESTART);
	setitimer(ITIMER_REAL, &(struct itimerval){{0, 1000}, {0, 1000}}, NULL);
	for (int i = 0; i < 20000; i++) {
		bad += stat("file", &st) != 0;
		if (i % 4 == 0) {
			int fd = open("dir/a", O_RDONLY);

			bad += fd < 0;
			close(fd);
		}
		if (i % 8 == 0) {
			int fd = open("st", O_CREAT | O_RDWR, 0644);

			bad += fd < 0;
			bad += unlink("st") != 0;
			close(fd);
		}
	}
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
	printf("calls that failed under a timer: %d\n", bad);
}

static void statuses(void)
{
	int st, go[2];

	CHILD("exit 0", exit(0));
	CHILD("exit 255", _exit(255));
	CHILD("exit 256", _exit(256));
	CHILD("SIGKILL", raise(SIGKILL));
	CHILD("SIGTERM", raise(SIGTERM));
	CHILD("SIGSEGV", *(volatile int *)8 = 1);
	CHILD("abort", abort());
	CHILD("SIGUSR1", kill(getpid(), SIGUSR1));
	fflush(stdout);
	pipe(go);
	pid_t p = fork();

	if (!p) {
		raise(SIGSTOP);
		read(go[0], &(char){0}, 1);
		_exit(9);
	}
	R(waitpid(p, &st, WUNTRACED) == p);
	printf("stopped %d by %d\n", WIFSTOPPED(st), WSTOPSIG(st));
	kill(p, SIGCONT);
	R(waitpid(p, &st, WCONTINUED) == p);
	printf("continued %d\n", WIFCONTINUED(st));
	write(go[1], "x", 1); /* waitpid() would rather tell of an end than of that */
	R(waitpid(p, &st, 0) == p);
	printf("exit %d\n", WEXITSTATUS(st));
	R(waitpid(-1, &st, 0));
	R(waitpid(999999, &st, 0));
	R(kill(999999, 0));
	R(kill(getpid(), 0));
	R(kill(getpid(), 65));
	siginfo_t si;

	p = fork();
	if (!p)
		_exit(4);
	R(waitid(P_PID, p, &si, WEXITED | WNOWAIT));
	printf("waitid: code %d status %d uid %d\n", si.si_code, si.si_status, (int)si.si_uid);
	R(waitpid(p, &st, 0) == p);
	/* An orphan is taken over by init. */
	int pp[2];

	pipe(pp);
	fflush(stdout);
	p = fork();
	if (!p) {
		pid_t old = getpid();

		if (!fork()) {
			for (int i = 0; i < 1000 && getppid() == old; i++)
				usleep(1000);
			write(pp[1], getppid() != old ? "y" : "n", 1);
			_exit(0);
		}
		_exit(0);
	}
	waitpid(p, NULL, 0);
	char c = 0;

	read(pp[0], &c, 1);
	printf("orphan has a new parent: %c\n", c);
}

int main(void)
{
	umask(022);
	statuses();
	blocking();
	storm();
	return 0;
}
