# SPDX-License-Identifier: Apache-2.0
# ask.sh - what becomes of a run's changes: the question on a terminal, statuses, words that contradict each other, progress bars.
. "${LIB:-$(dirname "$0")/lib.sh}"
need python3
export XDG_STATE_HOME=$PWD/state
n=test-ask-$$
trap '"$SANDBOX" discard $n 2>/dev/null; for k in $("$SANDBOX" ls | grep -o "^kept-[0-9a-f]*"); do [ ! -e kept.$k ] || "$SANDBOX" discard $k; done' EXIT
echo old >f
run() { # STATUS WORD... - the sandbox's own words are in err
	local want=$1
	shift
	"$SANDBOX" "$@" >out 2>err </dev/null
	local rc=$?
	[ $rc = "$want" ] || fail "status $rc, not $want: $*: $(cat err)"
}

# Contradictions are said, and nothing is run.
for words in "--commit --discard" "--keep $n --commit" "--ask --keep $n" "--name $n --commit" "--name $n --ask" "--name $n --on-error keep" \
	"--overlay none --commit" "--overlay none --on-error keep" "--on-error maybe" "--on-error" "--keep ../x" "--keep"; do
	# shellcheck disable=SC2086
	run 125 $words -- sh -c 'echo ran'
	[ ! -s out ] && [ -s err ] || fail "$words: $(cat out err)"
done
run 125 --ask -- sh -c 'echo ran'
grep -q "needs a terminal" err && [ ! -s out ] || fail "--ask without a terminal: $(cat err out)"

# Each way to end, with each that may follow.
way() { # STATUS ON-HOST KEPT WORD... - what is said of a name or "" in KEPT
	local status=$1 host=$2 kept=$3
	shift 3
	echo old >f
	run "$status" --chdir "$PWD" "$@"
	[ "$(cat f)" = "$host" ] || fail "$*: the host has $(cat f)"
	if [ -n "$kept" ]; then
		is 0 new --name $n --chdir "$PWD" -- cat f
		"$SANDBOX" discard $n || fail "$*: not kept"
	fi
	"$SANDBOX" ls | grep -q "^$n " && fail "$*: $n is there"
}
ok='echo new >f' bad='echo new >f; exit 3' dies='echo new >f; kill -TERM $$'
way 0 new "" --commit -- sh -c "$ok"
way 3 old "" --commit -- sh -c "$bad"
way 143 old "" --commit -- sh -c "$dies"
way 3 new "" --commit --on-error commit -- sh -c "$bad"
way 143 new "" --discard --on-error commit -- sh -c "$dies"
way 0 old "" --discard --on-error commit -- sh -c "$ok"
way 0 old kept --keep $n -- sh -c "$ok"
way 3 old kept --keep $n -- sh -c "$bad"
way 143 old kept --keep $n --on-error keep -- sh -c "$dies"
way 3 old "" --keep $n --on-error discard -- sh -c "$bad"
way 3 new "" --keep $n --on-error commit -- sh -c "$bad"
way 127 old "" --commit -- /nowhere/to/be/found
# Kept under a name of its own: when a name is taken, and when a commit had a conflict.
kept() {
	k=$(sed -n 's/.*kept as \(kept-[0-9a-f]*\)$/\1/p' err)
	[ -n "$k" ] || fail "$1: no name: $(cat err)"
	: >kept.$k
	is 0 "$2" --name $k --chdir "$PWD" -- cat f
	"$SANDBOX" discard $k
}
echo old >f
run 3 --on-error keep --chdir "$PWD" -- sh -c "$bad"
kept "--on-error keep" new
"$SANDBOX" --name $n --chdir "$PWD" -- true
run 0 --keep $n --chdir "$PWD" -- sh -c "$ok"
kept "--keep of a name that is taken" new
"$SANDBOX" discard $n
mkdir -p d && ln -f f d/f
run 1 --commit --chdir "$PWD" --bind "$PWD/d" /mnt -- sh -c "$ok; echo the host >/mnt/f"
[ "$(cat f)" = "the host" ] || fail "a conflict was overwritten"
kept "--commit with a conflict" new

cat >ask.py <<'P'
import fcntl, os, pty, re, select, signal, struct, subprocess, sys, termios, time
sandbox, bad = sys.argv[1], 0
class Session:
    def __init__(self, *argv, redirect=False):
        self.out = self.all = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if redirect: os.dup2(os.open("redirected", os.O_CREAT | os.O_WRONLY | os.O_TRUNC), 1)
            os.execv(sandbox, [sandbox, *argv])
    def read(self, t):
        if not select.select([self.fd], [], [], t)[0]: return False
        try: d = os.read(self.fd, 65536)
        except OSError: d = b""
        self.out += d; self.all += d
        return bool(d)
    def expect(self, pattern, t=20):
        end = time.time() + t
        while not (m := re.search(pattern.encode(), self.out)):
            if time.time() > end or not self.read(max(0, end - time.time())): return False
        self.out = self.out[m.end():]
        return True
    def status(self):
        while self.read(20): pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
    def send(self, s): os.write(self.fd, s)
def check(ok, what, s):
    global bad
    if not ok: bad += 1; print("FAIL:", what, s.all[-600:])
def ask(answer, host, status, *more, **kw):
    with open("f", "w") as f: f.write("old\n")
    s = Session("--ask", *more, "--chdir", os.getcwd(), "--", "sh", "-c", "echo new >f; echo done", **kw)
    check(s.expect(r"\x1b\[33mM\x1b\[0m -rw.* \d+:\d+ 4 .*/f\r\n"), f"{answer}: a coloured list", s)
    check(s.expect(r"Apply these changes to / ?\? y\(es\)"), f"{answer}: the question", s)
    if answer == b"signal": time.sleep(0.3); os.kill(s.pid, signal.SIGTERM)
    elif answer == b"\x03": time.sleep(0.3); s.send(answer)
    else: s.send(answer)
    st = s.status()
    check(st == status, f"{answer}: status {st}", s)
    check(open("f").read() == host, f"{answer}: the host has {open('f').read()}", s)
    return s
def kept(s):
    m = re.search(rb"kept as (kept-[0-9a-f]+)", s.all)
    check(m, "a name to keep it by", s)
    if m: open("kept." + m[1].decode(), "w"); check(os.spawnl(os.P_WAIT, sandbox, "sandbox", "discard", m[1].decode()) == 0, "discard", s)
ask(b"y\n", "new\n", 0)
s = ask(b"n\n", "old\n", 0); check(b"kept as" not in s.all, "n keeps nothing", s)
kept(ask(b"k\n", "old\n", 0))
kept(ask(b"\x04", "old\n", 0))
kept(ask(b"\x03", "old\n", 130))
kept(ask(b"signal", "old\n", 143))
s = ask(b"what\n" + b"x" * 200 + b"y\n\nYes\n", "new\n", 0); check(s.all.count(b"Apply these") == 4, "asks until it has an answer", s)
s = ask(b"d\nn\n", "old\n", 0); check(b"-old" in s.all and b"+new" in s.all, "d shows the differences", s)
s = ask(b"n\n", "old\n", 0, redirect=True); check(open("redirected").read() == "done\n", "the list isn't in the command's output", s)
s = Session("--ask", "--", "true"); check(s.status() == 0 and b"Apply" not in s.all, "no question without changes", s)
s = Session("--ask", "--on-error", "discard", "--", "sh", "-c", "echo x >/x; exit 4"); check(s.status() == 4 and b"Apply" not in s.all, "--on-error before the question", s)
# A bar after a second, and gone at the end. A slow reader makes it long.
name = sys.argv[2]
check(os.spawnl(os.P_WAIT, sandbox, "sandbox", "--name", name, "--chdir", os.getcwd(), "--", "sh", "-c",
                "head -c 3000000 /dev/urandom >bar") == 0, "make something", s)
os.mkfifo("pipe")
s = Session("export", name, "pipe")
r = os.open("pipe", os.O_RDONLY)
for i in range(8): os.read(r, 65536); time.sleep(0.2)
while os.read(r, 65536): pass
st = s.status()
check(st == 0 and re.search(rb"\rexport \[#* *\] +\d+ %", s.all), f"a progress bar: {st}", s)
check(s.all.endswith(b"\r\x1b[K"), "which is cleared", s)
# On a narrow terminal it doesn't wrap; interrupted, there's no half archive and no half sandbox.
s = Session("export", name, "pipe")
fcntl.ioctl(s.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
r2 = os.open("pipe", os.O_RDONLY)
for i in range(8): os.read(r2, 65536); time.sleep(0.2)
while os.read(r2, 65536): pass
check(s.status() == 0 and max(len(l) for l in re.split(rb"[\r\n]", s.all.replace(b"\x1b[K", b""))) < 20 and b"\rexport [" in s.all, "a narrow bar", s)
for again in range(2):
    s = Session("import", name + "-2", "pipe")
    w = os.open("pipe", os.O_WRONLY)
    time.sleep(0.3)
    s.send(b"\x03")
    check(s.status() == -signal.SIGINT, "import was interrupted", s)
    os.close(w)
    check(name + "-2" not in os.popen(f"{sandbox} ls").read(), "half a sandbox", s)
# A commit: nothing, or what the next one finishes.
tree = lambda: sorted(os.listdir("many")) if os.path.isdir("many") else []
for ms in (20, 60, 150, 400):
    if tree(): subprocess.run(["rm", "-r", "many"])
    os.mkdir("many")
    subprocess.run([sandbox, "--name", name, "--chdir", os.getcwd(), "--", "sh", "-c", "cd many; for i in $(seq 500); do echo $i >$i; done"])
    s = Session("commit", name, os.getcwd() + "/many")
    time.sleep(ms / 1000); s.send(b"\x03")
    st = s.status()
    check(st != 125 or (tree() == [] and b"nothing was changed" in s.all), f"commit interrupted after {ms} ms: {st}, {tree()[:3]}", s)
    check(os.spawnl(os.P_WAIT, sandbox, "sandbox", "commit", name, os.getcwd() + "/many") == 0 and len(tree()) == 500, "and again", s)
sys.exit(bad != 0)
P
python3 ask.py "$SANDBOX" $n || failures=1
finish
