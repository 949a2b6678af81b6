# SPDX-License-Identifier: Apache-2.0
# Stacks with known functions: of traced calls (trace -k), and of all threads of a running sandbox. In C and C++, static, without symbols but with
# debug files, and with tables that lie.
# timeout: 120
. "$(dirname "$0")/lib.sh"
need gcc g++ objcopy python3
export XDG_STATE_HOME=$PWD/state
cat >chain.c <<'X'
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#define KEEP __attribute__((noinline, noclone))
static int ask(void) { int r = openat(AT_FDCWD, "/no/such/file", O_RDONLY); __asm__ volatile(""); return r; }
KEEP int inner(int n) { int r = n ? inner(n - 1) : ask(); __asm__ volatile(""); return r + 1; }
KEEP static void handler(int sig) { inner(0); __asm__ volatile(""); }
KEEP int outer(void) { raise(SIGUSR1); __asm__ volatile(""); return inner(2); }
int main(void) { signal(SIGUSR1, handler); int r = outer(); __asm__ volatile(""); return r > 100; }
X
cat >chain.cc <<'X'
#include <fcntl.h>
#include <string>
namespace deep {
template <class T> struct box {
	__attribute__((noinline)) int ask(T name, const std::string &s) { int r = openat(AT_FDCWD, name, O_RDONLY); __asm__ volatile(""); return r + (int)s.size(); }
};
}
int main() { deep::box<const char *> b; int r = b.ask("/no/such/file", "x"); __asm__ volatile(""); return r > 100; }
X
gcc -O1 -g -o c chain.c && gcc -O1 -static -o static chain.c && gcc -O1 -static-pie -o static-pie chain.c && g++ -O1 -g -o cxx chain.cc || exit 1
# Names apart from the program: by a debug link, by a build-id.
cp c linked && objcopy --only-keep-debug linked linked.debug && strip linked && objcopy --add-gnu-debuglink=linked.debug linked
gcc -O1 -g -Wl,--build-id=0x5ac0ffee5ac0ffee5ac0ffee5ac0ffee5ac0ffee -o by-id chain.c && objcopy --only-keep-debug by-id id.debug && strip by-id
cp linked wrong && objcopy --remove-section=.gnu_debuglink --add-gnu-debuglink=linked.debug wrong && cp linked other && cp c linked.other

# stack_of PROGRAM - names of the functions of the call's last stack, the innermost first.
stack_of() {
	"$SANDBOX" trace -k -e trace=openat -P /no/such/file -o trace.out --chdir "$PWD" -- "$@" >run.out 2>&1 || fail "status of $*: $(cat run.out)"
	python3 -c '
import re, sys
frames = []
for line in open("trace.out"):
    if not line.startswith(" > "):
        frames = [] if "openat" in line else frames
        continue
    m = re.match(r" > (\S+)\((?:(.*)\+0x[0-9a-f]+)?\) \[0x[0-9a-f]+\]$", line)
    assert m, line
    frames.append(m.group(2) or "?")
print(*frames, sep=";")'
}
for p in c static static-pie linked; do
	got=$(stack_of ./$p)
	case $got in
	open*";inner;inner;inner;outer;main;"*";_start") ;;
	*) fail "$p: $got" ;;
	esac
done
# The first stack of the two goes through a signal's frame.
"$SANDBOX" trace -k -e trace=openat -P /no/such/file --chdir "$PWD" -- ./c 2>&1 | awk '/^openat/ { n++ } n == 1 && /^ >/' >signal.out
for f in inner handler raise outer main; do grep -q "($f+0x" signal.out || fail "no $f through a signal: $(cat signal.out)"; done
case $(stack_of ./cxx) in
open*";deep::box<char const*>::ask(char const*, std::"*";main;"*) ;;
*) fail "C++: $(stack_of ./cxx)" ;;
esac
# The place for debug files by build-id exists inside alone.
got=$("$SANDBOX" trace -k -e trace=openat -P /no/such/file --uid 0 --gid 0 --chdir "$PWD" -- sh -c '
	d=/usr/lib/debug/.build-id/5a; mkdir -p $d && cp id.debug $d/c0ffee5ac0ffee5ac0ffee5ac0ffee5ac0ffee.debug && ./by-id' 2>&1)
grep -q '/by-id(inner+0x' <<<"$got" || fail "by build-id: $got"
# Of another program: its checksum differs.
cp cxx linked.debug
grep -q inner <<<"$(stack_of ./linked)" && fail "names of a debug file that isn't this program's"
# JSON has the same.
"$SANDBOX" trace -k --json -e trace=openat -P /no/such/file -o json.out --chdir "$PWD" -- ./cxx
python3 -c '
import json
calls = [x for x in map(json.loads, open("json.out")) if x["type"] == "call"]
assert len(calls) == 1, calls
s = calls[0]["stack"]
assert s[1]["function"].startswith("deep::box<char const*>::ask(") and s[1]["file"].endswith("/cxx") and s[1]["distance"] > 0 and s[1]["ip"] > s[1]["offset"], s' || fail "json: $(head -c 2000 json.out)"

# Unwinding tables may say anything: bytes of .eh_frame are changed, and nothing hangs or dies.
cp static evil
cat >evil.py <<'X'
import random, subprocess, sys
data = bytearray(open("static", "rb").read())
section = subprocess.run(["readelf", "-SW", "static"], capture_output=True, text=True).stdout
fields = [l.split("]", 1)[1].split() for l in section.splitlines() if " .eh_frame " in l][0]
at, size = int(fields[3], 16), int(fields[4], 16)
random.seed(int(sys.argv[1]))
for _ in range(size // 8):
    data[at + random.randrange(size)] = random.randrange(256)
open("evil", "wb").write(data)
X
for seed in 1 2 3 4 5; do
	python3 evil.py $seed
	timeout 20 "$SANDBOX" trace -k -e trace=openat -o evil.out --chdir "$PWD" -- ./evil || fail "with damaged tables, seed $seed: status $?"
	tail -n 1 evil.out | grep -q 'exited with 0' || fail "with damaged tables, seed $seed: $(tail -n 3 evil.out)"
done

# All threads of a running sandbox.
cat >threads.c <<'X'
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#define KEEP __attribute__((noinline, noclone))
KEEP void *busy(void *a) { for (;;) __asm__ volatile(""); }
KEEP void *asleep(void *a) { sleep(1000); __asm__ volatile(""); return a; }
KEEP void waits(void) { poll(NULL, 0, -1); __asm__ volatile(""); }
int main(void) {
	pthread_t t;
	pthread_create(&t, NULL, busy, NULL);
	pthread_create(&t, NULL, asleep, NULL);
	puts("ready");
	fflush(stdout);
	waits();
	__asm__ volatile("");
	return 0;
}
X
gcc -O1 -pthread -o threads threads.c || exit 1
mkfifo pipe1
"$SANDBOX" --chdir "$PWD" -- sh -c './threads & cat pipe1 & wait' >threads.out &
main=$!
for _ in $(seq 500); do grep -q ready threads.out && break; sleep 0.02; done
look() { timeout 20 "$SANDBOX" stacks "$@" >stacks.out 2>stacks.err || fail "stacks $*: status $? $(cat stacks.err)"; }
for _ in $(seq 100); do
	look $main
	[ "$(grep -Ec '(waits|asleep)\+0x| in openat: not stopped' stacks.out)" = 3 ] && break
	sleep 0.05
done
for f in 'waits+0x' 'main+0x' 'busy+0x' 'asleep+0x'; do grep -qF "/threads($f" stacks.out || fail "no $f: $(cat stacks.out)"; done
grep -Eq '^[0-9]+ \(cat\) in openat: not stopped$' stacks.out || fail "a call that waits with us: $(cat stacks.out)"
grep -Eq '^[0-9]+ thread [0-9]+ \(threads\)$' stacks.out || fail "a busy thread: $(cat stacks.out)"
look --json $main
python3 -c '
import json
threads = json.load(open("stacks.out"))
names = {f.get("function") for t in threads for f in t["stack"] or []}
assert {"busy", "asleep", "waits"} <= names, names
assert any(t["stack"] is None and t["call"] == "openat" for t in threads), threads' || fail "stacks --json"
# One process alone, by the host's number; and they all still run.
pid=$("$SANDBOX" ps --json $main | python3 -c 'import json, sys; print(*[p["host_pid"] for p in map(json.loads, sys.stdin) if p["command"] == "./threads"])')
look "$pid"
grep -q '(sh)' stacks.out && fail "one process: $(cat stacks.out)"
grep -q 'busy+0x' stacks.out || fail "one process: $(cat stacks.out)"
"$SANDBOX" ps --json $main | grep -q '"state":"t"' && fail "a process stays stopped"
"$SANDBOX" stacks no-such-sandbox 2>/dev/null && fail "a sandbox that isn't there"
# A thread that was waited for in vain goes on when its call is done.
timeout 10 "$SANDBOX" exec $main -- sh -c 'echo x >pipe1' || fail "the FIFO's other end"
for _ in $(seq 200); do grep -q x threads.out && break; sleep 0.02; done
grep -q x threads.out || fail "cat went on: $(cat threads.out)"
kill $main
wait $main
finish
