# SPDX-License-Identifier: Apache-2.0
# sandbox trace --effects: cache, gofer, copy-up and layer of calls whose answers are known.
# timeout: 60
. "$(dirname "$0")/lib.sh"
need python3
mkdir cold bound
printf '%5000s' x >cold/data
echo y >bound/there
echo z >cold/gone
cat >run.py <<'X'
import os
def quiet(f, *args):
    try: f(*args)
    except OSError: pass
for _ in range(2): os.stat("cold/data")
for _ in range(2): quiet(os.stat, "cold/missing")
os.close(os.open("cold/data", os.O_WRONLY))
os.stat("cold/data")
os.mkdir("cold/made")
os.unlink("cold/gone")
quiet(os.stat, "cold/gone")
os.stat("/mnt/there")
os.stat("/proc/version")
X
trace() { timeout -k 1 20 "$SANDBOX" trace --effects --chdir "$PWD" --bind "$PWD/bound" /mnt "$@" -- python3 -S run.py; }
trace -o out -P cold/data -P cold/missing -P cold/made -P cold/gone -P /mnt/there -P /proc/version || fail "status"
wanted=(
	'stat(at)?\(.*"cold/data".* = 0 \[miss.*, gofer [0-9]+x [0-9]+us, lower\]'
	'stat(at)?\(.*"cold/data".* = 0 \[hit, lower\]'
	'stat(at)?\(.*"cold/missing".* ENOENT \(No such file or directory\) \[.*no entry\]'
	'stat(at)?\(.*"cold/missing".* ENOENT \(No such file or directory\) \[hit, no entry\]'
	'openat\(.*"cold/data", O_WRONLY.* = 3 \[hit, gofer [0-9]+x [0-9]+us, copy-up 5000 bytes, upper\]'
	'close\(3\) += 0$'
	'stat(at)?\(.*"cold/data".* = 0 \[hit, upper\]'
	'mkdir\("cold/made".* = 0 \[.*upper\]'
	'unlink\("cold/gone".* = 0 \[.*upper\]'
	'stat(at)?\(.*"cold/gone".* ENOENT .* \[hit, whiteout\]'
	'stat(at)?\(.*"/mnt/there".* = 0 \[miss.*, gofer [0-9]+x [0-9]+us, bind\]'
	'stat(at)?\(.*"/proc/version".* = 0 \[.*proc\]'
)
mapfile -t got < <(grep -v '+++\|---' out)
[ ${#got[@]} = ${#wanted[@]} ] || fail "${#got[@]} calls: $(cat out)"
for i in "${!wanted[@]}"; do
	grep -qE "${wanted[i]}" <<<"${got[i]}" || fail "call $i: wanted ${wanted[i]}, got ${got[i]}"
done
# The same when every call stops, told by the workers to the tracer.
trace -k -o stops -P cold/data || fail "status with -k"
mapfile -t got < <(grep '"cold/data"' stops)
n=0
for i in 0 1 4 6; do
	grep -qE "${wanted[i]}" <<<"${got[n]}" || fail "-k, call $i: wanted ${wanted[i]}, got ${got[*]}"
	n=$((n + 1))
done
# An execve is told with what finding the program took, and what filters leave out is not added to it.
timeout -k 1 20 "$SANDBOX" trace --effects -e execve -o exec --chdir "$PWD" -- sh -c 'cat cold/data >/dev/null; sh -c "true; :"; :' || fail "execve"
[ "$(grep -cE '^[0-9]+ +execve\(.* = 0 \[(hit|miss).*, lower\]$' exec)" = 3 ] || fail "execve: $(cat exec)"
trace --json -e %file -o json || fail "status with --json"
python3 -c '
import json
calls = [c for c in map(json.loads, open("json")) if c["type"] == "call"]
data = [c["effects"] for c in calls if any("cold/data" in a for a in c["args"])]
assert data[0]["cache"] == "miss" and data[0]["round_trips"] > 0 and data[0]["round_trip_us"] >= 0 and data[0]["answered"] == "lower", data
assert data[1] == {"cache": "hit", "misses": 0, "answered": "lower"}, data
assert data[2]["copy_ups"] == 1 and data[2]["copy_up_bytes"] == 5000, data' || fail "json: $(grep cold json)"
# Without a lookup there is nothing to tell; and without the option nothing is told.
timeout -k 1 20 "$SANDBOX" trace --effects -e read -- true 2>&1 | grep -q '\[\]' && fail "empty effects"
timeout -k 1 20 "$SANDBOX" trace -e %file -- true 2>&1 | grep -qE '\[(hit|miss)' && fail "effects unasked"
# A layer that the run lies on.
export XDG_STATE_HOME=$PWD/state
"$SANDBOX" --name below --chdir "$PWD" -- sh -c 'echo new >cold/layer' || fail "a layer"
timeout -k 1 20 "$SANDBOX" trace --effects --from below -o layer -e openat -P cold/layer --chdir "$PWD" -- cat cold/layer >cat.out || fail "status on a layer"
grep -qE '^[0-9]+ +openat\(.* = 3 \[.*layer\]$' layer || fail "on a layer: $(cat layer)"
finish
