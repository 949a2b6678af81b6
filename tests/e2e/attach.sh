# SPDX-License-Identifier: Apache-2.0
# sandbox trace -p: a running sandbox is traced, let go, traced again, and its programs come to the same results as without.
# timeout: 120
. "$(dirname "$0")/lib.sh"
need python3 gcc
export XDG_STATE_HOME=$PWD/state
attach() { timeout -k 1 30 "$SANDBOX" trace "$@"; }
wait_for() { # PATTERN FILE
	for _ in $(seq 500); do
		grep -qE -- "$1" "$2" 2>/dev/null && return
		sleep 0.02
	done
	fail "no $1 in $2: $(tail -n 5 "$2" 2>&1)"
	exit 1
}
running() {
	for _ in $(seq 250); do
		"$SANDBOX" ps | grep -qE "^ *$1 " && return
		sleep 0.02
	done
	fail "the sandbox does not start"
	exit 1
}
# In the background: its number is the client's own.
start() {
	"$SANDBOX" trace -q "$@" &
	client=$!
}
# Until there is a trace: one that was killed may not be over yet.
start_again() {
	for _ in $(seq 50); do
		start "$@" 2>start.err
		sleep 0.2
		kill -0 $client 2>/dev/null && return
		wait $client
	done
	fail "no trace: $(cat start.err)"
}
untraced() { # none of the sandbox's processes is stopped or slowed down by a tracer
	"$SANDBOX" ps --json "$1" | grep -q '"state":"t"' && fail "$2: a process stays stopped"
}
cat >busy.c <<'X'
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* Everything that a call returns is checked, until the file "stop" is there; then the sum over threads and children is right or not. */
static int bad;
static void *work(void *arg)
{
	const char *name = arg;
	struct stat st;
	char buf[8];
	while (access("stop", F_OK)) {
		int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0600), p[2], status;
		if (fd < 0 || write(fd, "abcd", 4) != 4 || fstat(fd, &st) || st.st_size != 4 || pread(fd, buf, 8, 0) != 4 ||
		    memcmp(buf, "abcd", 4) || close(fd) || unlink(name) || !stat(name, &st) || errno != ENOENT || pipe(p))
			bad++;
		pid_t pid = fork();
		if (!pid) {
			usleep(2000);
			_exit(write(p[1], "x", 1) == 1 ? 7 : 1);
		}
		if (pid < 0 || read(p[0], buf, 1) != 1 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
			bad++;
		close(p[0]);
		close(p[1]);
	}
	return NULL;
}
int main(int argc, char **argv)
{
	pthread_t t[2];
	if (argc > 1)
		pthread_create(&t[0], NULL, work, "one"), pthread_create(&t[1], NULL, work, "two");
	work("main");
	if (argc > 1)
		pthread_join(t[0], NULL), pthread_join(t[1], NULL);
	printf("bad: %d\n", bad);
	return bad != 0;
}
X
gcc -O1 -pthread -o busy busy.c || exit 1
for threads in "" threads; do
	rm -f out? killed sum end # what the round before has written is not to be waited for
	mkfifo go$threads
	"$SANDBOX" --chdir "$PWD" -- sh -c "./busy $threads & read go; : >stop; wait \$!; echo status \$?" <go$threads >busy.out 2>&1 &
	main=$!
	exec 7>go$threads
	running $main
	for round in 1 2 3; do
		start -o out$round -p $main
		wait_for 'unlink\("main"\) += 0' out$round
		[ -z "$threads" ] || wait_for 'unlink\("two"\) += 0' out$round
		wait_for 'exited with 7' out$round
		kill -INT $client
		wait $client || fail "round $round: client's status $?"
		untraced $main "round $round"
	done
	# The client is killed.
	start -o killed -p $main
	wait_for 'unlink\("main"\)' killed
	kill -KILL $client
	wait $client 2>/dev/null
	# A second trace at a time isn't possible; joining is.
	start_again -c -o sum -p $main
	attach -p $main 2>twice && fail "two traces at a time"
	grep -q 'being traced already' twice || fail "two traces: $(cat twice)"
	[ "$(timeout 20 "$SANDBOX" exec $main -- echo joined 2>&1)" = joined ] || fail "exec while it's traced"
	"$SANDBOX" stacks $main 2>&1 | grep -q 'being traced' || fail "stacks while it's traced"
	kill -INT $client
	wait $client
	grep -qE '^ .* unlink$' sum && grep -q 'total$' sum || fail "-c: $(cat sum)"
	# To its end.
	start -o end -p $main
	wait_for 'unlink\("main"\)' end
	echo >&7
	exec 7>&-
	wait $main || fail "the sandbox's status"
	wait $client || fail "the client's status at the end"
	[ "$(tr '\n' ' ' <busy.out)" = "bad: 0 status 0 " ] || fail "results ($threads): $(cat busy.out)"
	grep -q 'exited with 0' end || fail "the end is shown: $(tail -n 3 end)"
	rm -f stop
done

# A thread that waits in a call of ours is let go when that ends, and can be traced again before.
mkfifo pipe1
"$SANDBOX" --chdir "$PWD" -- sh -c 'cat pipe1 & while sleep 0.02; do [ -e over ] && break; done; wait; echo end' >fifo.out 2>&1 &
main=$!
for _ in $(seq 200); do "$SANDBOX" stacks $main 2>/dev/null | grep -q '(cat) in openat' && break; sleep 0.02; done
for round in 1 2; do
	start -o fifo$round -p $main
	wait_for 'nanosleep' fifo$round
	kill -INT $client
	wait $client || fail "detached from a FIFO, round $round: status $?"
done
"$SANDBOX" exec $main -- sh -c 'echo through >pipe1; : >over'
wait $main
[ "$(cat fifo.out)" = "through
end" ] || fail "after the FIFO: $(cat fifo.out)"

# One process and its children; who doesn't read stops that one alone.
"$SANDBOX" --chdir "$PWD" -- sh -c 'sh -c "while :; do : <file; [ -e over ] && break; done" & while :; do echo x >>tick; sleep 0.01; [ -e over ] && break; done; wait; echo end' >one.out 2>&1 &
main=$!
echo >file
child() { "$SANDBOX" ps --json $main | python3 -c 'import json, sys; print(*[p["host_pid"] for p in map(json.loads, sys.stdin) if "file" in p["command"] and "tick" not in p["command"]])'; }
for _ in $(seq 200); do pid=$(child); [ -n "$pid" ] && break; sleep 0.02; done
tick() { "$SANDBOX" exec $main -- stat -c %s tick; }
"$SANDBOX" trace -q -p "$pid" 2>&1 >/dev/null | sleep 3 &
sleep 1
before=$(tick)
sleep 0.2
[ "$before" != "$(tick)" ] || fail "a reader who stalls stops another process"
wait $!
start_again -o one -e openat -p "$pid"
wait_for '"file", O_RDONLY' one
kill -INT $client
wait $client
grep -q tick one && fail "another process is shown"
"$SANDBOX" exec $main -- sh -c ': >over'
wait $main
[ "$(cat one.out)" = end ] || fail "after one process's trace: $(cat one.out)"

attach -p no-such-sandbox 2>/dev/null && fail "a sandbox that isn't there"
attach -p 1 2>/dev/null && fail "a process outside"
attach --net host -p x 2>&1 | grep -q 'exclude each other' || fail "options of a run"
attach -p x true 2>&1 | grep -q 'takes no command' || fail "a command"
mkfifo in
"$SANDBOX" trace -o /dev/null -- sh -c 'echo up; read x' <in >up &
main=$!
exec 7>in
wait_for up up
running $main
attach -p $main 2>&1 | grep -q 'being traced already' || fail "of a sandbox that was started traced"
exec 7>&-
wait $main
finish
