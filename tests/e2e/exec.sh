# SPDX-License-Identifier: Apache-2.0
# sandbox exec: commands that join a running sandbox.
# timeout: 240
. "$(dirname "$0")/lib.sh"
need python3
export XDG_STATE_HOME=$PWD/state
n=test-exec-$$
trap '"$SANDBOX" discard $n 2>/dev/null' EXIT

# start WORD... - the sandbox with these words in the background, once its command has said so; $main is its front process.
start() {
	"$SANDBOX" "$@" >started &
	main=$!
	for _ in $(seq 500); do
		grep -q up started && return
		sleep 0.02
	done
	fail "doesn't start: $*"
}
# there NAME WORD - waits until such a process is inside
there() {
	for _ in $(seq 200); do
		"$SANDBOX" ps "$1" | grep -q "$2" && return
		sleep 0.05
	done
	fail "no $2 in $1"
}
mkdir sub
start --name $n --chdir "$PWD" -- sh -c 'echo of the first >made; echo up; sleep 600'
is 0 "of the first
$PWD" exec $n -- sh -c 'cat made; pwd; echo of the second >second'
[ ! -e second ] || fail "the host was written to"
is 0 'of the second' exec $main -- cat second
is 0 "$PWD/sub:B:" exec --chdir "$PWD/sub" --setenv A B --unsetenv HOME $n sh -c 'echo "$PWD:$A:$HOME"'
is 0 '7 8' exec --uid 7 --gid 8 $n -- sh -c 'echo $(id -u) $(id -g)'
is 5 '' exec $n -- sh -c 'exit 5'
is 137 '' exec $n -- sh -c 'kill -9 $$'
is 127 '' exec $n -- "$PWD/missing"
is 126 '' exec $n -- "$PWD/made"
is 125 '' exec --chdir /missing $n -- true
"$SANDBOX" exec $n -- true </ 2>/dev/null && fail "a directory is passed in"
is 125 '' exec $n
[ "$(echo through | "$SANDBOX" exec $n -- cat)" = through ] || fail "a pipe"
# The kernel holds it as it holds the others: by what the host shows of both.
"$SANDBOX" exec $n -- sleep 62 &
pid=$!
there $n 'sleep 62'
confinement() { grep -E "^(Uid|Gid|Cap|NoNewPrivs|Seccomp)" "/proc/$("$SANDBOX" ps $n | awk -v c="$1" '$0 ~ c { print $2 }')/status"; }
[ "$(confinement '^ *[0-9]+ +[0-9]+ . sleep 62')" = "$(confinement '^ *[0-9]+ +[0-9]+ . sleep 600')" ] || fail "held otherwise than the first command: $(confinement '^ *[0-9]+ +[0-9]+ . sleep 62')"
confinement '^ *[0-9]+ +[0-9]+ . sleep 62' | grep -q '^Seccomp:.2' || fail "no filter"
kill $pid
wait $pid
# The same namespaces as the first command's, and nothing of ours to get hold of.
is 0 same exec $n -- sh -c 'for p in pid net ipc uts user; do [ "$(readlink /proc/2/ns/$p)" = "$(readlink /proc/self/ns/$p)" ] || echo $p; done; ls /proc/self/fd | tr -d "\n" | grep -qx "0123" && echo same'
# The process between init and a joined command is a copy of the sandbox's own: what the first command was not to see isn't in sight.
is 0 hidden exec --clearenv --setenv PATH "$PATH" $n -- sh -c 'cat /proc/$PPID/environ /proc/$PPID/maps /proc/$PPID/auxv /proc/$PPID/mem 2>/dev/null | grep -q . || echo hidden'
is 0 hidden exec $n -- python3 -c 'import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
p, fd = os.getppid(), os.pidfd_open(os.getppid())
got = [libc.ptrace(16, p, 0, 0), libc.ptrace(0x4206, p, 0, 0)] + [libc.syscall(438, fd, i, 0) for i in range(8)]
print("hidden" if set(got) == {-1} and "'$n'" not in open("/proc/%d/cmdline" % p).read() else got)'
# a message as before for a name in use
"$SANDBOX" --name $n -- true 2>err && fail "two runs on one name"
grep -q "in use" err || fail "no clear message: $(cat err)"
# many at once
pids=()
for i in $(seq 20); do
	"$SANDBOX" exec $n -- sh -c "sleep 0.5; exit $i" &
	pids+=($!)
done
for i in $(seq 20); do
	wait ${pids[i - 1]}
	rc=$?
	[ $rc = $i ] || fail "number $i ends with $rc"
done
# A joiner that is killed takes its command along, with all of its session.
"$SANDBOX" exec $n -- sh -c 'sleep 71 & sleep 72' &
pid=$!
there $n 'sleep 72'
kill -KILL $pid
for _ in $(seq 200); do "$SANDBOX" ps $n | grep -q "sleep 7[12]" || break; sleep 0.05; done
"$SANDBOX" ps $n | grep "sleep 7[12]" && fail "outlives its joiner"
# A signal reaches the command.
"$SANDBOX" exec $n -- sh -c 'trap "exit 9" TERM; echo set >set; sleep 30 & wait' &
pid=$!
for _ in $(seq 200); do "$SANDBOX" exec $n -- test -e set && break; sleep 0.05; done
kill -TERM $pid
wait $pid
rc=$?
[ $rc = 9 ] || fail "SIGTERM: $rc"
# Somebody inside kills all that he can see.
"$SANDBOX" exec $n -- sleep 61 &
pid=$!
there $n 'sleep 61'
"$SANDBOX" exec $n -- sh -c 'for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p -gt 4 ] && [ $p != $$ ] && kill -9 $p; done; true' 2>/dev/null
wait $pid
rc=$?
[ $rc = 137 ] || fail "killed inside: $rc"
is 0 '' exec $n -- true
# Another user's isn't found.
if [ "$(id -u)" = 0 ]; then
	setpriv --reuid 1001 --regid 1001 --clear-groups "$SANDBOX" exec $main -- true 2>err && fail "another user joins"
	grep -q "no running sandbox" err || fail "another user: $(cat err)"
fi
# Joined commands end with the sandbox.
"$SANDBOX" exec $n -- sleep 63 2>err &
pid=$!
there $n 'sleep 63'
kill -TERM $main
wait $main
wait $pid
rc=$?
[ $rc = 137 ] || fail "after the sandbox: $rc"
"$SANDBOX" exec $n -- true 2>err
[ $? = 125 ] || fail "joins one that has ended"
grep -q "doesn't run" err || fail "no clear message: $(cat err)"
# ... also with one that is killed.
for what in super gofer; do
	start -- sh -c 'echo up; sleep 60'
	"$SANDBOX" exec $main -- sleep 64 2>/dev/null &
	pid=$!
	there $main 'sleep 64'
	kill -KILL $(pgrep -P $main sandbox-$what)
	wait $main 2>/dev/null
	wait $pid
	rc=$?
	[ $rc = 125 ] || [ $rc = 137 ] || fail "$what killed: $rc"
done
# With limits, on another medium, with calls explained: all the same.
start --pids 30 --overlay root:dir=/var/tmp,size=10M --explain -- sh -c 'echo up; sleep 60'
is 0 ok exec $main -- sh -c 'echo ok >/var/tmp/of-this && cat /var/tmp/of-this'
"$SANDBOX" exec $main -- sh -c 'i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i + 1)); done' 2>err
grep -qi "fork\|resource" err || fail "--pids isn't heard of"
kill -KILL $main
wait $main 2>/dev/null
cat >terminal.py <<'P'
import fcntl, os, pty, re, select, signal, struct, subprocess, sys, termios, time
sandbox, main = sys.argv[1:]
bad = 0
PROMPT = r"bash-[0-9.]+[#$] "
class Session:
    def __init__(self, *argv):
        self.out = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", HISTFILE="")
            os.execv(argv[0], argv)
        self.size(24, 80)
    def size(self, r, c): fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", r, c, 0, 0))
    def send(self, s): os.write(self.fd, s.encode())
    def expect(self, pattern, t=10):
        end = time.time() + t
        while True:
            m = re.search(pattern.encode(), self.out)
            if m:
                self.out = self.out[m.end():]
                return True
            if not select.select([self.fd], [], [], max(0, end - time.time()))[0]: return False
            try: d = os.read(self.fd, 4096)
            except OSError: d = b""
            if not d: return False
            self.out += d
    def status(self, t=10):
        end = time.time() + t
        while time.time() < end:
            p, st = os.waitpid(self.pid, os.WNOHANG)
            if p: return os.waitstatus_to_exitcode(st)
            if select.select([self.fd], [], [], 0.02)[0]:
                try: self.out += os.read(self.fd, 4096)
                except OSError: pass
        os.kill(self.pid, signal.SIGKILL); os.waitpid(self.pid, 0)
        return "hangs"
def check(ok, what, s=None):
    global bad
    if not ok:
        bad += 1
        print("FAIL:", what, (s.out[-300:] if s else ""))
s = Session(sandbox, "exec", main, "--", "sh", "-c", "tty; stty size; sleep 30")
check(s.expect(r"/dev/pts/"), "tty has a name", s); check(s.expect("24 80"), "size at the start", s)
time.sleep(0.5) # see tty.sh
s.send("\x03"); st = s.status(); check(st in (130, -2), f"Ctrl-C ends the command: {st}")
s = Session(sandbox, "exec", main, "--", "bash", "--norc", "--noprofile", "-i")
check(s.expect(PROMPT), "prompt", s); check(b"no job control" not in s.out, "job control", s)
s.send("sleep 100\n"); time.sleep(0.5); s.send("\x1a"); check(s.expect("Stopped"), "Ctrl-Z stops the job", s); s.expect(PROMPT)
s.size(50, 132); os.kill(s.pid, signal.SIGWINCH); time.sleep(0.3); s.send("stty size\n"); check(s.expect("50 132"), "resize", s); s.expect(PROMPT)
s.send("exit 7\n"); s.expect("stopped jobs"); s.send("exit 7\n"); st = s.status(); check(st == 7, f"exit status {st}", s)
s = Session("/bin/bash", "--norc", "--noprofile", "-i"); s.expect(PROMPT)
s.send(f"{sandbox} exec {main} -- sh -c 'echo beg''in; sleep 2; echo fin''ished'\n"); check(s.expect("begin"), "starts", s)
time.sleep(0.3); s.send("\x1a"); check(s.expect("Stopped"), "Ctrl-Z stops the joiner", s)
s.send("fg\n"); check(s.expect("finished"), "fg goes on", s); s.send("exit\n"); s.status()
s = Session("/bin/sh", "-c", f"echo piped | {sandbox} exec {main} -- sh -c 'read x; echo got $x; test -t 0 || echo notty; test -t 1 && echo outtty'")
check(s.expect("got piped") and s.expect("notty") and s.expect("outtty"), "stdin is a pipe", s); check(s.status() == 0, "status")
s = Session("/bin/sh", "-c", f"{sandbox} exec {main} -- sh -c 'stty raw -echo; kill -9 $$'; echo $?; stty -a | grep -c -- -icanon; echo restored")
check(s.expect("137\r\n0\r\nrestored"), "the terminal's modes are restored", s); s.status()
s = Session(sandbox, "exec", main, "--", "sleep", "79"); time.sleep(0.5); os.kill(s.pid, signal.SIGKILL); os.waitpid(s.pid, 0); time.sleep(0.5)
check("sleep 79" not in subprocess.run([sandbox, "ps", main], stdout=subprocess.PIPE, text=True).stdout, "outlives its joiner")
sys.exit(bad != 0)
P
start -- sh -c 'echo up; sleep 100'
python3 terminal.py "$SANDBOX" $main || fail "terminal"
kill -KILL $main
wait $main 2>/dev/null
finish
