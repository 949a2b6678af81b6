# SPDX-License-Identifier: Apache-2.0
# timeout: 900
# commit_crash.sh - SIGKILL of a commit at random points: each path is old or new, and repeated it gives what one that ran through gives.
. "${LIB:-$(dirname "$0")/lib.sh}"
need setfattr setfacl python3
. "${INC:-$(dirname "$0")/commit.inc}"
export XDG_STATE_HOME=$PWD/state
n=test-crash-$$
trap '"$SANDBOX" discard $n 2>/dev/null' EXIT
mkdir base && (cd base && sh ../make)
cp -a base native && cp -a base B
(cd native && sh ../change)
tree native | sed 's/ [0-9]* *$//' >want
tree base | sed 's/ [0-9]* *$//' >orig

# Each path: its type and content, or its being away, as in one of the two trees. A file with more links is the one that is rewritten in place.
cat >mixed.py <<'P'
import hashlib, os, stat, sys
def look(top):
    v = {}
    for path, dirs, files in os.walk(os.fsencode(top)):
        for n in dirs + files:
            p = os.path.join(path, n)
            st = os.lstat(p)
            what = stat.S_IFMT(st.st_mode)
            if stat.S_ISLNK(what): what = os.readlink(p)
            elif stat.S_ISREG(what): what = hashlib.sha1(open(p, "rb").read()).hexdigest() if st.st_nlink == 1 else "links"
            v[p[len(top) + 1:]] = what
    return v
old, new, now = look("base"), look("native"), look("B")
for p in sorted(set(old) | set(new) | set(now)):
    if b".sandbox-commit." not in p and now.get(p) not in (old.get(p), new.get(p)) and "links" not in (old.get(p), new.get(p), now.get(p)):
        print(p, "is", now.get(p), "and not", old.get(p), "or", new.get(p))
P
# Kills the command after so many microseconds; says how long it took otherwise.
cat >kill.py <<'P'
import os, signal, subprocess, sys, time
p = subprocess.Popen(sys.argv[2:], stderr=subprocess.DEVNULL)
t = time.monotonic()
end = t + float(sys.argv[1]) / 1e6
while p.poll() is None and time.monotonic() < end: pass
if p.poll() is None: p.kill()
p.wait()
print(int((time.monotonic() - t) * 1e6))
P
reset() {
	chmod -R u+rwX B; rm -rf B; cp -a base B
	"$SANDBOX" discard $n 2>/dev/null
	"$SANDBOX" --name $n --chdir "$PWD/B" -- sh ../change 2>err || fail "changes: $(cat err)"
}
reset
whole=$(python3 kill.py 60e6 "$SANDBOX" commit $n)
rounds=8
[ -z "${FULL:-}" ] || rounds=300
RANDOM=${SEED:-$$}
plans=0
for i in $(seq $rounds); do
	reset
	us=$(((RANDOM * 32768 + RANDOM) % (whole + 2000)))
	python3 kill.py $us "$SANDBOX" commit $n >/dev/null
	python3 mixed.py >d 2>&1
	[ -s d ] && fail "killed after $us us: $(head -5 d)"
	state=/var/lib/sandbox/$n
	[ "$(id -u)" = 0 ] || state=$XDG_STATE_HOME/sandbox/$n
	[ -e "$state/plan" ] && plans=$((plans + 1))
	case $((i % 3)) in
	0) # As long as nothing was renamed, the layer can also be run on, or thrown away.
		if [ ! -e "$state/plan" ]; then
			if [ -s "$state/staging" ]; then
				"$SANDBOX" --name $n --chdir "$PWD/B" -- sh -c 'cat a/one ren2/q; echo on >>many2/2' >out 2>err && [ "$(tail -n 1 out)" = q ] ||
					fail "run after a kill: $(cat out err)"
				find B -name '.sandbox-commit*' | grep -q . && fail "a run left what a commit made"
				tree B | sed 's/ [0-9]* *$//' | diff orig - >d || fail "the host changed before the plan: $(head d)"
			fi
			"$SANDBOX" discard $n
			continue
		fi ;;
	1) "$SANDBOX" --name $n -- true 2>err && [ -e "$state/plan" ] && fail "ran on a half committed layer" ;;
	esac
	"$SANDBOX" commit --force $n 2>err || fail "again after a kill: $(cat err)"
	find B -name '.sandbox-commit*' | grep -q . && fail "leftovers"
	tree B | sed 's/ [0-9]* *$//' | diff want - >d || { fail "after $us us and once more: $(head d)"; break; }
	[ -z "$("$SANDBOX" diff $n)" ] || fail "the layer hasn't forgotten"
done
echo "$plans of $rounds were killed after the plan"
# Thrown away half-way: no temporary names stay.
reset
python3 kill.py $((whole / 2)) "$SANDBOX" commit $n >/dev/null
"$SANDBOX" discard $n
find B -name '.sandbox-commit*' | grep -q . && fail "discard left what a commit made"
chmod -R u+rwX .
finish
