# SPDX-License-Identifier: Apache-2.0
# timeout: 400 (FULL: 3600)
# keep.sh - named sandboxes: changes outlive the run, one run at a time, and SIGKILL loses nothing that was told.
. "${LIB:-$(dirname "$0")/lib.sh}"
need python3
export XDG_STATE_HOME=$PWD/state
n=test-keep-$$
trap '"$SANDBOX" discard $n 2>/dev/null' EXIT
mkdir -p d/sub
echo one >d/f
echo two >d/g
echo 3 >d/sub/h
before=$(manifest d)

is 0 '' --name $n --chdir "$PWD" -- sh -c 'echo more >>d/f; rm d/g; mv d/sub moved; echo new >moved/n; chmod 600 moved/h; ln -s x l; ln d/f other; mkfifo p'
is 0 "one
more
l -> x
3
new
2" --name $n --chdir "$PWD" -- sh -c 'cat d/f; find l -printf "%p -> %l\n"; cat moved/h moved/n; test ! -e d/g -a ! -e d/sub -a -p p && stat -c %h d/f'
# inode numbers stay
a=$("$SANDBOX" --name $n --chdir "$PWD" -- stat -c %i moved/n moved d/f)
b=$("$SANDBOX" --name $n --chdir "$PWD" -- stat -c %i moved/n moved d/f)
[ "$a" = "$b" ] || fail "inode numbers changed: $a / $b"
[ "$before" = "$(manifest d)" ] || fail "the host changed"

# busy
"$SANDBOX" --name $n -- sleep 2 &
sleep 0.5
"$SANDBOX" --name $n -- true 2>err && fail "two runs on one name"
grep -q "in use" err || fail "no clear message: $(cat err)"
"$SANDBOX" discard $n 2>/dev/null && fail "discarded while it runs"
"$SANDBOX" ls | grep -q "^$n .*running" || fail "ls doesn't show it running"
wait
"$SANDBOX" ls | grep -q "^$n .*kept" || fail "ls doesn't show it kept"
"$SANDBOX" --name ../x -- true 2>/dev/null && fail "a name with a slash"
"$SANDBOX" discard $n || fail discard
"$SANDBOX" diff $n 2>/dev/null
[ $? = 125 ] || fail "diff of nothing"

# what becomes of a run without a name
is 0 '' --discard --chdir "$PWD" -- sh -c 'echo x >made'
[ ! -e made ] || fail "--discard"
is 0 '' --keep $n --chdir "$PWD" -- sh -c 'echo x >made'
is 0 x --name $n --chdir "$PWD" -- cat made
"$SANDBOX" discard $n
is 3 '' --keep $n --on-error discard --chdir "$PWD" -- sh -c 'echo x >made; exit 3'
"$SANDBOX" ls | grep -q "^$n " && fail "--on-error discard"
is 0 '' --commit --chdir "$PWD" -- sh -c 'echo x >made'
[ "$(cat made)" = x ] || fail "--commit"
is 2 '' --commit --chdir "$PWD" -- sh -c 'echo y >made; exit 2'
[ "$(cat made)" = x ] || fail "--commit after a failure"

# SIGKILL at random points of a workload, every step of which is one call and is told before the next.
cat >work.py <<'PY'
import os, random, sys
seed, n, act = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "run"
r = random.Random(seed)
model = {"": None}  # path -> None for a directory, else [content]; links share the list
def step(k):
    dirs = [p for p in model if model[p] is None]
    files = [p for p in model if model[p] is not None]
    d = r.choice(dirs)
    new = (d + "/" if d else "") + "n%d" % r.randrange(40)
    op = r.randrange(7)
    if op <= 1 and new not in model:
        if act: os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        model[new] = [b""]
    elif op == 2 and files:
        f, c = r.choice(files), b"%08d" % k
        if act:
            fd = os.open(f, os.O_WRONLY); os.write(fd, c)
            if k % 3 == 0: os.fsync(fd)
            os.close(fd)
        model[f][0] = c
    elif op == 3 and new not in model and d.count("/") < 3:
        if act: os.mkdir(new)
        model[new] = None
    elif op == 4:
        old = r.choice(sorted(model))
        if old and not (new + "/").startswith(old + "/") and new not in model:
            if act: os.rename(old, new)
            for p in [p for p in model if p == old or p.startswith(old + "/")]:
                model[new + p[len(old):]] = model.pop(p)
    elif op == 5 and files:
        f = r.choice(files)
        if act: os.unlink(f)
        del model[f]
    elif op == 6 and files and new not in model:
        f = r.choice(files)
        if act: os.link(f, new)
        model[new] = model[f]
def show():
    return {p: (None if c is None else c[0].decode()) for p, c in model.items()}
if act:
    for k in range(n):
        step(k)
        os.write(1, b"%d\n" % (k + 1))
elif sys.argv[3] == "state":
    real = {}
    for top, ds, fs in os.walk("."):
        real[top[2:]] = None
        for f in fs: real[os.path.join(top, f)[2:]] = open(os.path.join(top, f)).read()
    done = [int(x) for x in open(sys.argv[4]).read().split("\n")[:-1]]
    last = done[-1] if done else 0
    ok = []
    for k in range(last + 2):
        if k: step(k - 1)
        if k >= last: ok.append(show())
    if real not in ok:
        want = ok[0]
        print("after", last, "steps: missing", sorted(set(want) - set(real))[:5], "extra", sorted(set(real) - set(want))[:5],
              "different", [(p, want[p], real[p]) for p in want if p in real and want[p] != real[p]][:5])
        sys.exit(1)
PY
rounds=20
[ -z "${FULL:-}" ] || rounds=1000
killed=0
mkdir w
for i in $(seq $rounds); do
	"$SANDBOX" --name $n --chdir "$PWD/w" -- python3 ../work.py $i 100000 run >told 2>err &
	pid=$!
	# Some of the way into the start, or a while after the first step.
	for _ in $(seq 200); do [ -s told ] && break; sleep 0.01; done
	sleep 0.$(printf %03d $((RANDOM % 250)))
	for _ in $(seq 1000); do super=$(pgrep -P $pid sandbox-super) && break; sleep 0.01; done
	kill -KILL $super && killed=$((killed + 1))
	wait $pid 2>/dev/null
	"$SANDBOX" --name $n --chdir "$PWD/w" -- python3 ../work.py $i 0 state "$PWD/told" >out 2>&1 || {
		fail "seed $i: $(cat out)"
		break
	}
	"$SANDBOX" discard $n || fail "discard after SIGKILL"
done
echo "killed at $killed points"
[ $killed = $rounds ] || fail "not in every round"
# A long run writes its journal anew now and then, and goes on from that.
cat >long.py <<'PY'
import os
os.mkdir("d")
for k in range(4000):
    f = "d/f%d" % (k % 50)
    fd = os.open(f, os.O_CREAT | os.O_WRONLY); os.write(fd, b"%08d" % k); os.close(fd)
    os.setxattr(f, "user.x", b"%08d" % k * 256)  # is in each record from here on
    os.chmod(f, 0o600 + k % 8); os.rename(f, f + "x")
    if k % 3: os.unlink(f + "x")
    else: os.rename(f + "x", f)
PY
show='cd d && for f in $(ls); do echo "$f $(stat -c %a "$f") $(cat "$f")"; done'
one=$("$SANDBOX" --name $n --chdir "$PWD/w" -- sh -c "python3 ../long.py && $show")
[ "$(id -u)" = 0 ] && journal=/var/lib/sandbox/$n/data/journal || journal=$XDG_STATE_HOME/sandbox/$n/data/journal
[ "$(stat -c %s $journal)" -lt 24000000 ] || fail "the journal has $(stat -c %s $journal) bytes"
two=$("$SANDBOX" --name $n --chdir "$PWD/w" -- sh -c "$show")
[ -n "$one" ] && [ "$one" = "$two" ] || fail "after compaction: $one / $two"
finish
