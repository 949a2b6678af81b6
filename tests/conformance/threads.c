/* SPDX-License-Identifier: Apache-2.0 */
/* threads.c - threads that share files, working directory and credentials; exec from a thread. */
#include "tests/conformance/t.h"

#include <pthread.h>
#include <sys/syscall.h>

static int failures;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *churn(void *arg)
{
	long me = (long)arg;
	char a[32], b[32];
	int bad = 0;

	snprintf(a, sizeof(a), "t%ld.a", me);
	snprintf(b, sizeof(b), "t%ld.b", me);
	for (int i = 0; i < 300; i++) {
		int fd = open(a, O_CREAT | O_RDWR | O_EXCL, 0644);

		bad += fd < 0 || write(fd, "data", 4) != 4;
		bad += rename(a, b) != 0;
		struct stat st;

		bad += stat(b, &st) != 0 || st.st_size != 4;
		bad += fstat(fd, &st) != 0;
		bad += access(a, F_OK) == 0;
		close(fd);
		bad += unlink(b) != 0;
		bad += mkdir(a, 0755) != 0;
		bad += rmdir(a) != 0;
	}
	pthread_mutex_lock(&lock);
	failures += bad;
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *change_dir(void *arg)
{
	return (void *)(long)chdir("dir");
}

static void *run(void *arg)
{
	execl("/bin/echo", "echo", "from a thread", NULL);
	return NULL;
}

static void *wait_long(void *arg)
{
	pause();
	return NULL;
}

static void *drop(void *arg)
{
	return (void *)(long)setuid(1234);
}

static void *open_fd(void *arg)
{
	return (void *)(long)open("file", O_RDONLY);
}

int main(void)
{
	pthread_t t[8];
	void *r;

	for (long i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, churn, (void *)i);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	printf("failures %d\n", failures);
	pthread_create(&t[0], NULL, open_fd, NULL);
	pthread_join(t[0], &r);
	R(fcntl((int)(long)r, F_GETFD));
	pthread_create(&t[0], NULL, change_dir, NULL);
	pthread_join(t[0], NULL);
	R(access("sub/b", F_OK));
	if (chdir(".."))
		return 1;
	CHILD("exec from a thread", pthread_create(&t[0], NULL, wait_long, NULL); pthread_create(&t[1], NULL, run, NULL);
	      pause());
	CHILD("setuid in a thread is everybody's", pthread_create(&t[0], NULL, drop, NULL); pthread_join(t[0], NULL);
	      R(getuid()); R(geteuid()));
	CHILD("exit_group from a thread", pthread_create(&t[0], NULL, wait_long, NULL); _exit(5));
	/* The leading thread ends, the others go on working with files. */
	fflush(stdout);
	pid_t p = fork();

	if (!p) {
		pthread_create(&t[0], NULL, churn, (void *)77L);
		syscall(SYS_exit, 0);
	}
	int st;

	waitpid(p, &st, 0);
	printf("without a leader: %d\n", WEXITSTATUS(st));
	return 0;
}
