/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linger.c - who closes the last descriptor of a TCP socket with SO_LINGER waits for its peer. That would be a thread of the supervisor, where
 * a program closes its own while a call on it is being answered, and with one socket for each thread nobody would be answered any more.
 */
#include "tests/security/t.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#define SECONDS 600

static int sock;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What the host waits for at the close, in s; 0: not at all. */
static int waits(int level, int name, long dirt, struct linger l)
{
	socklen_t n = sizeof(l);

	if (syscall(SYS_setsockopt, sock, level | dirt, name | dirt, &l, sizeof(l)))
		return -errno;
	return getsockopt(sock, SOL_SOCKET, SO_LINGER, &l, &n) ? -errno : l.l_onoff ? l.l_linger : 0;
}

static void *ask(void *arg)
{
	struct stat st;

	for (;;)
		fstat(sock, &st);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct linger l = {1, SECONDS};
	static char data[1 << 20];
	struct stat st;
	double worst = 0;

	if (bind(listener, (struct sockaddr *)&in, len) || listen(listener, 200) ||
	    getsockname(listener, (struct sockaddr *)&in, &len))
		CHECK(false, "a listener: %s", strerrorname_np(errno));
	sock = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(waits(SOL_SOCKET, SO_LINGER, 0, l) == 0, "no time is set");
	CHECK(waits(SOL_SOCKET, SO_LINGER, 1L << 32, l) == 0, "nor with dirty upper halves");
	CHECK(waits(SOL_SOCKET, SO_LINGER, 0, (struct linger){1, -1}) == 0, "nor a negative one");
	CHECK(setsockopt(sock, SOL_SOCKET, SO_LINGER, &l, 4) < 0 && errno == EINVAL, "too short");
	CHECK(setsockopt(sock, SOL_SOCKET, SO_LINGER, (void *)8, sizeof(l)) < 0 && errno == EFAULT, "no memory");
	CHECK(setsockopt(0, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) < 0 && errno == ENOTSOCK, "no socket");
	socklen_t n = sizeof(l);
	CHECK(waits(SOL_SOCKET, SO_LINGER, 0, (struct linger){1, 0}) == 0 &&
		  !getsockopt(sock, SOL_SOCKET, SO_LINGER, &l, &n) && l.l_onoff == 1,
	      "an abort stays one");
	close(sock);

	for (int i = 0; i < 60; i++) {
		fflush(stdout);
		pid_t p = fork();
		if (!p) {
			pthread_t t;

			close(listener);
			sock = socket(AF_INET, SOCK_STREAM, 0);
			setsockopt(sock, SOL_SOCKET, SO_LINGER, &(struct linger){1, SECONDS}, sizeof(l));
			if (connect(sock, (struct sockaddr *)&in, sizeof(in)))
				_exit(1);
			fcntl(sock, F_SETFL, O_NONBLOCK);
			while (send(sock, data, sizeof(data), 0) > 0)
				;
			for (int k = 0; k < 3; k++)
				pthread_create(&t, NULL, ask, NULL);
			usleep(1000);
			close(sock);
			_exit(0);
		}
		/* Natively it's still waiting. */
		for (int k = 0; k < 1000 && waitpid(p, NULL, WNOHANG) != p; k++)
			usleep(10000);
		if (!kill(p, 0)) {
			CHECK(false, "the close of number %d takes its time", i);
			kill(p, SIGKILL);
			waitpid(p, NULL, 0);
			break;
		}
		double begin = now();

		stat("file", &st);
		worst = now() - begin > worst ? now() - begin : worst;
	}
	CHECK(worst < 5, "others are answered meanwhile: at worst after %.1f s", worst);
	return t_done();
}
