# SPDX-License-Identifier: Apache-2.0
# A tracer and the tracee that runs share a CPU for a while: the program doesn't see it, parallel programs part, and a trace that ends leaves nothing.
# timeout: 60
. "$(dirname "$0")/lib.sh"
need gcc pgrep
[ "$(nproc)" -ge 2 ] || skip "one CPU"
grep -q '[0-9]' /proc/self/schedstat 2>/dev/null || skip "no schedstat"
me=cpus$$
trap 'kill -9 $(jobs -p) 2>/dev/null' EXIT
cat > cpus.c << 'C'
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static pid_t other;
static int stop, first;
static const char *mask(pid_t tid)
{
	static char text[2048];
	cpu_set_t s;
	CPU_ZERO(&s);
	long n = syscall(SYS_sched_getaffinity, tid, sizeof s, &s);
	text[0] = 0;
	for (int i = 0; i < 64; i++)
		strcat(text, CPU_ISSET(i, &s) ? "1" : "0");
	sprintf(text + 64, " %ld", n);
	return text;
}
static const char *status(const char *path)
{
	static char buf[8192];
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof buf - 1);
	close(fd);
	buf[n < 0 ? 0 : n] = 0;
	char *at = strstr(buf, "Cpus_allowed:"), *end = at ? strstr(at, "Mems") : NULL;
	if (end)
		*end = 0;
	return at ? at : "none";
}
static void *calls(void *arg)
{
	other = gettid();
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
		getppid();
	return NULL;
}
/* What is seen of a thread that calls all the time must always be the same. */
static void view(void)
{
	char want[2200], want_status[4096], path[64];
	pthread_t t;
	pthread_create(&t, NULL, calls, NULL);
	while (!*(volatile pid_t *)&other)
		sched_yield();
	snprintf(path, sizeof path, "/proc/self/task/%d/status", other);
	strcpy(want, mask(0));
	strcpy(want_status, status("/proc/self/status"));
	printf("%s\n%s", want, want_status);
	int bad = 0;
	for (int i = 0; i < 300; i++) {
		bad += strcmp(want, mask(0)) != 0;
		bad += strcmp(want, mask(other)) != 0;
		if (i % 10 == 0) {
			bad += strcmp(want_status, status("/proc/self/status")) != 0;
			bad += strcmp(want_status, status(path)) != 0;
		}
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	printf("differences %d\n", bad);
	cpu_set_t s;
	printf("%ld %ld %ld %ld\n", syscall(SYS_sched_getaffinity, 0, 7, &s), syscall(SYS_sched_getaffinity, 0, 0, &s),
	       syscall(SYS_sched_getaffinity, 0, sizeof s, NULL), syscall(SYS_sched_getaffinity, -5, sizeof s, &s));
}
static void *own(void *arg)
{
	cpu_set_t s;
	CPU_ZERO(&s);
	CPU_SET(first, &s);
	printf("set %d\n", sched_setaffinity(0, sizeof s, &s));
	for (int i = 0; i < 500; i++)
		getppid();
	printf("thread %s\n", mask(0));
	fflush(stdout);
	if (!fork()) {
		for (int i = 0; i < 200; i++)
			getppid();
		printf("its child %s\n", mask(0));
		fflush(stdout);
		execl("/proc/self/exe", "cpus", "mask", NULL);
	}
	wait(NULL);
	return NULL;
}
static void hog(double seconds)
{
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		for (volatile int i = 0; i < 200000; i++)
			;
		getppid();
		clock_gettime(CLOCK_MONOTONIC, &b);
	} while ((b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9 < seconds);
}
int main(int argc, char **argv)
{
	cpu_set_t s;
	sched_getaffinity(0, sizeof s, &s);
	while (!CPU_ISSET(first, &s))
		first++;
	if (!strcmp(argv[1], "view")) {
		view();
	} else if (!strcmp(argv[1], "mask")) {
		printf("its program %s\n", mask(0));
	} else if (!strcmp(argv[1], "own")) {
		pthread_t t;
		for (int i = 0; i < 500; i++)
			getppid();
		pthread_create(&t, NULL, own, NULL);
		pthread_join(t, NULL);
		printf("main %s\n", mask(0));
	} else if (!strcmp(argv[1], "hogs")) {
		for (int i = 0; i < 2; i++)
			if (!fork()) {
				hog(atof(argv[2]));
				_exit(0);
			}
		while (wait(NULL) > 0)
			;
	} else {
		for (time_t end = time(NULL) + atoi(argv[2]); time(NULL) < end;)
			for (int i = 0; i < 100; i++)
				getppid();
	}
	return 0;
}
C
gcc -O1 -pthread -o $me cpus.c || fail "does not compile"
for how in view own; do
	"./$me" $how - >want
	"$SANDBOX" trace -o log --chdir "$PWD" -- "./$me" $how - >got
	cmp want got || { fail "$how"; diff want got; }
	"$SANDBOX" --chdir "$PWD" -- "./$me" $how - >got
	cmp want got || { fail "$how without a trace"; diff want got; }
done
[ "$(grep -c sched_getaffinity log)" -ge 4 ] || fail "sched_getaffinity is not shown"

# allowed - the sets of CPUs of all processes of that program, as the host tells them
allowed() {
	local pids
	pids=($(pgrep -x "$me")) || return
	sed -n 's/^Cpus_allowed_list:\t//p' $(printf "/proc/%s/status " "${pids[@]}") 2>/dev/null
}
all=$(sed -n 's/^Cpus_allowed_list:\t//p' /proc/self/status)
# until WHAT COMMAND... - within some seconds
until_() {
	local what=$1 i
	shift
	for ((i = 0; i < 200; i++)); do
		"$@" && return
		sleep 0.02
	done
	fail "$what: $(allowed)"
}
one() { allowed | grep -qx '[0-9]*'; }
everywhere() { [ "$(allowed | sort | uniq -c | tr -s ' ')" = " $1 $all" ]; }

"$SANDBOX" trace -o log --chdir "$PWD" -- "./$me" calls 4 &
until_ "one program that calls does not share its tracer's CPU" one
kill $! && wait $! 2>/dev/null
"$SANDBOX" trace -o log --chdir "$PWD" -- "./$me" hogs 2 &
until_ "two programs that compute are kept on one CPU" everywhere 3
kill $! && wait $! 2>/dev/null

# A trace that ends while its program goes on.
"$SANDBOX" --chdir "$PWD" -- "./$me" calls 12 &
box=$!
for ((i = 0; i < 250; i++)); do
	"$SANDBOX" ps | grep -qE "^ *$box " && break
	sleep 0.02
done
timeout -k 1 20 "$SANDBOX" trace -q -o log -p $box &
client=$!
until_ "a program that is traced by -p does not share its tracer's CPU" one
kill -INT $client
wait $client 2>/dev/null
until_ "a trace leaves its program where it was" everywhere 1
kill $box
finish
