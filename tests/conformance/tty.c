/* SPDX-License-Identifier: Apache-2.0 */
/* tty.c - pseudo terminals and job control made by the program itself. */
#include "tests/conformance/t.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

int main(void)
{
	char name[64] = "", buf[64];
	struct stat st;
	int m = posix_openpt(O_RDWR | O_NOCTTY);

	if (m < 0) {
		printf("posix_openpt: %s\n", strerrorname_np(errno));
		return 1;
	}
	R(grantpt(m));
	R(unlockpt(m));
	R(ptsname_r(m, name, sizeof(name)));
	printf("name %.9s\n", name);
	R(stat(name, &st));
	printf("a character device: %d, major %x\n", S_ISCHR(st.st_mode), (unsigned)(st.st_rdev >> 8));
	int s = open(name, O_RDWR | O_NOCTTY);

	R(s >= 0);
	R(isatty(s));
	printf("ttyname agrees: %d\n", ttyname(s) && !strcmp(ttyname(s), name));
	R(ioctl(m, TIOCSWINSZ, &(struct winsize){.ws_row = 30, .ws_col = 100}));
	struct winsize w = {0};

	R(ioctl(s, TIOCGWINSZ, &w));
	printf("%d rows %d columns\n", w.ws_row, w.ws_col);
	struct termios t;

	R(tcgetattr(s, &t));
	cfmakeraw(&t);
	R(tcsetattr(s, TCSANOW, &t));
	R(write(s, "to master", 9));
	R(read(m, buf, sizeof(buf)));
	R(write(m, "to slave", 8));
	R(read(s, buf, sizeof(buf)));
	close(s);
	close(m);

	fflush(stdout);
	int master;
	pid_t p = forkpty(&master, NULL, NULL, NULL);

	if (!p) {
		printf("session of its own: %d, tty %d, foreground %d\n", getsid(0) == getpid(), isatty(0),
		       tcgetpgrp(0) == getpgrp());
		printf("/dev/tty opens: %d\n", open("/dev/tty", O_RDWR) >= 0);
		fflush(stdout);
		pid_t c = fork();

		if (!c) {
			setpgid(0, 0);
			pause();
		}
		setpgid(c, c);
		signal(SIGTTOU, SIG_IGN);
		int ok = tcsetpgrp(0, c) == 0 && tcgetpgrp(0) == c;

		printf("child in the foreground: %d\n", ok);
		fflush(stdout);
		int ws;

		waitpid(c, &ws, WUNTRACED);
		printf("child stopped by %d\n", WIFSTOPPED(ws) ? WSTOPSIG(ws) : 0);
		tcsetpgrp(0, getpgrp());
		kill(c, SIGKILL);
		waitpid(c, &ws, 0);
		printf("child killed by %d\n", WIFSIGNALED(ws) ? WTERMSIG(ws) : 0);
		fflush(stdout);
		_exit(3);
	}
	FILE *f = fdopen(master, "r+");
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\r\n")] = 0;
		printf("pty: %s\n", line);
		if (strstr(line, "in the foreground")) {
			usleep(20000);
			write(master, "\032", 1); /* Ctrl-Z */
		}
	}
	int ws;

	waitpid(p, &ws, 0);
	printf("exit %d\n", WEXITSTATUS(ws));
	CHILD("setsid", R(setsid() > 0); R(getpgrp() == getpid()); O(open("/dev/tty", O_RDWR)));
	CHILD("setpgid", R(setpgid(0, 0)); R(getpgrp() == getpid()); R(setpgid(999999, 0)); R(getpgid(0) == getpid()));
	O(open("/dev/pts/9999", O_RDWR));
	return 0;
}
