# SPDX-License-Identifier: Apache-2.0
# diff.sh - what sandbox diff prints.
. "${LIB:-$(dirname "$0")/lib.sh}"
need python3
export XDG_STATE_HOME=$PWD/state
n=test-diff-$$
trap '"$SANDBOX" discard $n 2>/dev/null' EXIT
mkdir -p t/d t/gone/x t/old
echo same >t/same
echo a >t/d/mod
echo k >t/old/k
echo m >t/mode
o=$(id -u):$(id -g)
is 0 '' --name $n --chdir "$PWD/t" -- sh -c 'umask 022; echo b >>d/mod; echo n >new; rm -r gone; mv old moved; chmod 600 mode; : >>same; mkdir nd; echo y >nd/f; mv nd/f "nd/$(printf "x\ny")"'
p=$PWD/t
"$SANDBOX" diff $n >got
[ $? = 1 ] || fail "status with changes"
cat >want <<END
M -rw-r--r-- $o 4 $p/d/mod
D drwxr-xr-x $o 4096 $p/gone/
M -rw------- $o 2 $p/mode
R drwxr-xr-x $o 0 $p/old -> $p/moved/
A drwxr-xr-x $o 0 $p/nd/
A -rw-r--r-- $o 2 $p/nd/x\\012y
A -rw-r--r-- $o 2 $p/new
END
diff want got >d || fail "list: $(cat d)"
[ "$("$SANDBOX" diff --stat $n)" = "3 added, 2 modified, 1 deleted, 1 renamed; 8 bytes" ] || fail "$("$SANDBOX" diff --stat $n)"
"$SANDBOX" diff --json $n | python3 -c '
import json, sys
v = [json.loads(l) for l in sys.stdin]
assert [c["change"] for c in v] == list("MDMRAAA"), v
assert v[3]["from"].endswith("/old") and v[0]["size"] == 4 and v[5]["path"].endswith("x\ny")' || fail json
[ "$("$SANDBOX" diff -u $n "$p/d")" = "--- a$p/d/mod
+++ b$p/d/mod
@@ -1 +1,2 @@
 a
+b" ] || fail "$("$SANDBOX" diff -u $n "$p/d")"
[ "$("$SANDBOX" diff $n "$p/new" "$p/gone" | wc -l)" = 2 ] || fail "filters"
"$SANDBOX" discard $n
is 0 '' --name $n -- true
"$SANDBOX" diff $n
[ $? = 0 ] || fail "status without changes"
"$SANDBOX" discard $n
# Many
is 0 '' --name $n --chdir "$PWD/t" -- python3 -c '
import os
for i in range(200):
    os.mkdir("d/%d" % i)
    for j in range(50): os.close(os.open("d/%d/%d" % (i, j), os.O_CREAT | os.O_WRONLY))'
start=$(date +%s%N)
[ "$("$SANDBOX" diff $n | wc -l)" = 10200 ] || fail "count of many"
ms=$((($(date +%s%N) - start) / 1000000))
[ $ms -lt 2000 ] || fail "$ms ms for 10,200 changes"
finish
