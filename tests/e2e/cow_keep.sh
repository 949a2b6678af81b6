# SPDX-License-Identifier: Apache-2.0
# timeout: 300
# cow_keep.sh - copy-on-write binds of a kept sandbox: their changes are there in the next run, shown, and committed to the bind's source.
. "${LIB:-$(dirname "$0")/lib.sh}"
need setfattr setfacl python3
. "${INC:-$(dirname "$0")/commit.inc}"
export XDG_STATE_HOME=$PWD/state
n=test-cow-$$
trap '"$SANDBOX" discard $n $n-2 2>/dev/null' EXIT
# In the scratch directory, which is the same inside.
here=$PWD
said() { grep -q -e "$1" err || fail "no word of \"$1\": $(cat err)"; }
mkdir a b other one-file
echo one >a/f; echo two >a/g; mkdir a/d; echo 3 >a/d/h
echo s >b/s; echo t >b/t
echo x >one-file/x
before=$(manifest a; manifest b)
binds="--cow-bind $here/a /mnt --cow-bind $here/b /mnt/below"

# Two, one below the other: again in the next run, and not on the host.
is 0 '' --name $n $binds -- sh -c 'echo more >>/mnt/f; rm /mnt/g; mv /mnt/d /mnt/e; echo n >/mnt/below/n; rm /mnt/below/s; chmod 600 /mnt/below/t; echo r >/tmp/of-root'
[ "$before" = "$(manifest a; manifest b)" ] || fail "the host changed"
is 0 $'one\nmore\n3\nn\n600 t\nr' --name $n $binds -- sh -c 'cat /mnt/f /mnt/e/h /mnt/below/n; cd /mnt/below; stat -c "%a %n" t; test ! -e s -a ! -e /mnt/g -a ! -e /mnt/d && cat /tmp/of-root'
ids() { "$SANDBOX" --name $n $binds -- stat -c %i /mnt/e /mnt/f /mnt/below/n; }
i=$(ids)
[ "$i" = "$(ids)" ] || fail "inode numbers changed"

# diff: at the places inside, the root's and each bind's apart.
"$SANDBOX" diff $n >out
grep -v "^[AMDR] .* /tmp/of-root$" out | sed -E 's/^([AMDR]) .* (\/mnt.*)/\1 \2/' >got
cat >want <<END
copy-on-write bind /mnt of $here/a:
R /mnt/e/
M /mnt/f
D /mnt/g
copy-on-write bind /mnt/below of $here/b:
A /mnt/below/n
D /mnt/below/s
M /mnt/below/t
END
diff want got || fail "diff"
[ "$(head -n 1 out | sed 's/.* //')" = /tmp/of-root ] || fail "the root's come first"
"$SANDBOX" diff $n /mnt/below/n >out
[ "$(wc -l <out)" = 2 ] && grep -q "/mnt/below/n$" out || fail "one path: $(cat out)"
"$SANDBOX" diff $n /elsewhere && [ -z "$("$SANDBOX" diff $n /elsewhere)" ] || fail "a path that is in none"
"$SANDBOX" diff -u $n /mnt/f | grep -q '^+++ b/mnt/f$' || fail "diff -u"
[ "$("$SANDBOX" diff --stat $n | tail -n 1)" = "1 added, 1 modified, 1 deleted, 0 renamed; 2 bytes in the copy-on-write bind /mnt/below" ] || fail "--stat"
[ "$("$SANDBOX" diff --json $n | python3 -c 'import json, sys; print([(c["change"], c["path"]) for c in map(json.loads, sys.stdin) if c.get("bind") == "/mnt/below"])')" = \
	"[('A', '/mnt/below/n'), ('D', '/mnt/below/s'), ('M', '/mnt/below/t')]" ] || fail "--json"
"$SANDBOX" export $n x.tar 2>err || fail "export"
said "bind /mnt (of $here/a) are not part of the archive"
tar tf x.tar | grep -q of-root || fail "export of the root's"

# With the binds: on top of nothing, the unchanged of a source that has another place is in it, too.
"$SANDBOX" export --binds $n x.tar 2>err && [ ! -s err ] || fail "export --binds: $(cat err)"
tar tf x.tar | grep -e ^mnt -e of-root | sort >got
printf 'mnt/%s\n' '' .wh..wh..opq below/ below/.wh..wh..opq below/n below/t e/ e/h f | sort >want
echo tmp/of-root >>want
diff want got || fail "export --binds"
"$SANDBOX" --name $n-2 --cow-bind "$here/b" "$here/b" -- sh -c "echo u >>$here/b/t; rm $here/b/s" && "$SANDBOX" export --binds $n-2 x.tar || fail "export of a bind in its place"
tar tf x.tar >got
printf '%s/b/%s\n' "${here#/}" '' "${here#/}" .wh.s "${here#/}" t | diff - got || fail "export of a bind in its place"
"$SANDBOX" discard $n-2

# Runs that don't go with it.
"$SANDBOX" --name $n --cow-bind "$here/a" /mnt -- true 2>err || fail "without one of them"
said "bind /mnt/below (of $here/b) stay as they are"
"$SANDBOX" --name $n --cow-bind "$here/other" /mnt -- true 2>err
[ $? = 125 ] || fail "another source"
said "of $here/a on /mnt, not of $here/other"
"$SANDBOX" --name $n --cow-bind one-file/x /mnt -- true 2>err
[ $? = 125 ] || fail "a file in a directory's place"
said "of $here/a on /mnt, not of $here/one-file/x"
"$SANDBOX" --name $n --cow-bind /dev/null /x -- true 2>err
[ $? = 125 ] || fail "a device"
"$SANDBOX" --name $n --cow-bind a /x --cow-bind b //x/. -- true 2>err
[ $? = 125 ] || fail "twice"
"$SANDBOX" --from $n $binds -- sh -c 'cat /mnt/g /tmp/of-root' >out 2>err
[ "$(cat out)" = $'two\nr' ] || fail "--from"
said "don't show in what lies on it"

# commit: a conflict in one of them stops all.
echo host >>b/t
"$SANDBOX" commit $n /mnt 2>err
[ $? = 1 ] || fail "no conflict"
said "^conflict: /mnt/below/t:"
[ -e a/g ] || fail "a part was applied"
"$SANDBOX" commit --dry-run $n /mnt >out 2>&1
[ $? = 1 ] && grep -qx "R /mnt/d -> /mnt/e" out || fail "--dry-run"
"$SANDBOX" commit $n /mnt/f /mnt/e 2>err || fail "a part: $(cat err)"
[ "$(cat a/f)" = $'one\nmore' ] && [ -e a/e/h ] && [ ! -e a/d ] && [ -e a/g ] || fail "not the part"
"$SANDBOX" commit --force $n /mnt 2>err || fail "--force: $(cat err)"
[ ! -e a/g ] && [ ! -e b/s ] && [ "$(cat b/n)" = n ] && [ "$(stat -c %a b/t)" = 600 ] || fail "commit"
"$SANDBOX" diff $n | grep -q mnt && fail "not forgotten"
# With nothing in it, it may be another directory's.
is 0 '' --name $n --cow-bind "$here/other" /mnt -- sh -c 'ls /mnt; echo o >/mnt/o'
is 0 o --name $n --cow-bind "$here/other" /mnt -- cat /mnt/o
"$SANDBOX" discard $n || fail discard
[ -z "$(ls other)" ] || fail "discarded, and on the host"

# In a sandbox that lies on another, and in a run without a name.
is 0 '' --name $n -- sh -c 'echo low >/tmp/of-low'
is 0 '' --name $n-2 --from $n $binds -- sh -c 'cat /tmp/of-low >/mnt/of-low; chmod 600 /mnt/f'
is 0 low --name $n-2 $binds -- cat /mnt/of-low
"$SANDBOX" commit $n-2 /mnt 2>err || fail "commit of one on another: $(cat err)"
[ "$(cat a/of-low)" = low ] && [ "$(stat -c %a a/f)" = 600 ] || fail "commit of one on another"
"$SANDBOX" discard $n-2 $n
is 0 '' --commit $binds -- sh -c 'echo c >/mnt/below/c'
[ "$(cat b/c)" = c ] || fail "--commit"
is 0 '' --keep $n $binds -- sh -c 'echo k >/mnt/below/k'
is 0 k --name $n $binds -- cat /mnt/below/k
"$SANDBOX" discard $n

# A single file, under another name inside, of which the host has another link.
echo keep >one-file/other; ln one-file/x one-file/y; setfattr -n user.a -v b one-file/x
binds="--cow-bind $here/one-file/x /tmp/z"
for i in 1 2; do is 0 x --name $n $binds -- cat /tmp/z; done
[ -z "$("$SANDBOX" diff $n)" ] || fail "a file that was only read"
is 0 $'x\nmore' --name $n $binds -- sh -c 'chmod 640 /tmp/z; setfattr -n user.c -v d /tmp/z; echo more >>/tmp/z; cat /tmp/z'
is 0 $'x\nmore\n640 7' --name $n $binds -- sh -c 'cat /tmp/z; stat -c "%a %s" /tmp/z; rm -f /tmp/z 2>/dev/null; mv /tmp/z /tmp/z2 2>/dev/null; :'
[ "$(cat one-file/x)" = x ] && [ "$(stat -c %a:%h one-file/x)" != 640:2 ] || fail "a file: the host changed"
printf '%s\n' "copy-on-write bind /tmp/z of $here/one-file/x:" "M -rw-r----- $(id -u):$(id -g) 7 /tmp/z" >want
"$SANDBOX" diff $n | diff want - || fail "diff of a file"
"$SANDBOX" diff -u $n /tmp/z | grep -qx '+more' || fail "diff -u of a file"
[ -z "$("$SANDBOX" diff $n /tmp/z/x /tmp/x)" ] || fail "diff of other paths"
[ "$("$SANDBOX" commit --dry-run $n)" = "M /tmp/z" ] || fail "--dry-run of a file"
"$SANDBOX" --name $n --cow-bind $here/one-file /tmp/z -- true 2>err
[ $? = 125 ] || fail "its directory in its place"
cp one-file/y before-commit; echo host >>one-file/y
"$SANDBOX" commit $n 2>err
[ $? = 1 ] || fail "no conflict in a file"
said "^conflict: /tmp/z: the host has changed it"
"$SANDBOX" commit --force $n /tmp 2>err || fail "commit of a file: $(cat err)"
[ "$(cat one-file/y)" = $'x\nmore' ] && [ "$(stat -c %a:%h one-file/x)" = 640:2 ] && [ "$(getfattr --only-values -n user.c one-file/x)" = d ] && [ "$(ls -A one-file)" = $'other\nx\ny' ] ||
	fail "a file committed: $(ls -l one-file)"
[ -z "$("$SANDBOX" diff $n)" ] || fail "a file isn't forgotten"
# Of one that isn't in the layer but for its mode the data are the host's.
is 0 "" --name $n $binds -- chmod 600 /tmp/z
echo later >>one-file/x
is 0 $'later\n600 13' --name $n $binds -- sh -c 'tail -n 1 /tmp/z; stat -c "%a %s" /tmp/z'
"$SANDBOX" discard $n

# As many as there may be.
many=
for i in $(seq 19); do mkdir m$i; many="$many --cow-bind $here/m$i /mnt/$i"; done
is 0 '' --name $n $many -- sh -c 'for i in $(seq 19); do echo $i >/mnt/$i/f; done'
is 0 "$(seq 19)" --name $n $many -- sh -c 'cat /mnt/*/f | sort -n'
is 125 '' --name $n $many --cow-bind "$here/a" /x -- true
"$SANDBOX" discard $n

# Whatever is done to a tree, committed it's what the same commands make of a copy.
mkdir base && (cd base && sh ../make)
cp -a base native; cp -a base A; cp -a base B
(cd native && sh ../change)
binds="--cow-bind $here/A /mnt --cow-bind $here/B /mnt/keep/below"
"$SANDBOX" --name $n $binds --chdir /mnt/keep/below -- sh "$here/change" 2>err || fail "changes: $(cat err)"
"$SANDBOX" --name $n $binds --chdir /mnt/keep/below -- sh -c 'cat cmoved/more x/link; cd /mnt; echo one >>many/3' >out 2>err || fail "again: $(cat err)"
[ "$(cat out)" = $'more\ndeep' ] || fail "reopened: $(cat out err)"
"$SANDBOX" commit $n /mnt 2>err || fail "commit: $(cat err)"
tree native | sed 's/ [0-9]* *$//' >want
tree B | sed 's/ [0-9]* *$//' >got
diff want got >d || fail "not what the commands make natively: $(head -n 20 d)"
[ "$(cat A/many/3)" = $'3\none' ] || fail "the outer one"
"$SANDBOX" discard $n

# SIGKILL of a commit: repeated it gives the same.
for us in 3000 $((RANDOM % 20000)) $((RANDOM % 60000)) $((20000 + RANDOM)); do
	chmod -R u+rwX B; rm -rf B; cp -a base B
	"$SANDBOX" --name $n --cow-bind "$here/other" /mnt --cow-bind "$here/B" /mnt/below --chdir /mnt/below -- sh -c ". $here/change; echo $us >/mnt/us" 2>err || fail "changes: $(cat err)"
	python3 - $us "$SANDBOX" commit $n /mnt <<'PY'
import subprocess, sys, time
p = subprocess.Popen(sys.argv[2:], stderr=subprocess.DEVNULL)
time.sleep(int(sys.argv[1]) / 1e6)
p.kill()
p.wait()
PY
	"$SANDBOX" commit --force $n /mnt 2>err || fail "again after $us us: $(cat err)"
	tree B | sed 's/ [0-9]* *$//' >got
	diff want got >d || fail "commit killed after $us us: $(head -n 20 d)"
	[ "$(cat other/us)" = $us ] || fail "the outer one after $us us"
	find B -name '.sandbox-commit.*' | grep . && fail "left behind after $us us"
	"$SANDBOX" discard $n
done

# SIGKILL of the supervisor: what was told is there, in both and in the root.
mkdir k1 k2
binds="--cow-bind $here/k1 /mnt --cow-bind $here/k2 /mnt/below"
for round in 1 2 3; do
	cat >work.py <<'PY'
import os, sys
r = sys.argv[1]
for i in range(100000):
    for d in ("/mnt/", "/mnt/below/", "/tmp/"):
        with open(d + "kt" + r, "a") as f: f.write("%d\n" % i)
        os.rename(d + "kt" + r, d + "ku" + r); os.rename(d + "ku" + r, d + "kt" + r)
    os.write(1, b"%d\n" % i)
PY
	rm -f told
	"$SANDBOX" --name $n $binds -- python3 "$here/work.py" $round >told 2>/dev/null &
	front=$!
	for _ in $(seq 100); do [ -s told ] && break; sleep 0.1; done
	sleep 0.$((RANDOM % 5))
	sup=$(pgrep -P $front | head -n 1)
	kill -9 ${sup:-$front}
	wait $front 2>/dev/null
	told=$(tail -n 1 told)
	for _ in $(seq 50); do "$SANDBOX" ls | grep -q "^$n .*running" || break; sleep 0.1; done
	"$SANDBOX" --name $n $binds -- sh -c "for d in /mnt /mnt/below /tmp; do cat \$d/k[tu]$round | tail -n 1; done" >out 2>err
	for v in $(cat out); do
		[ "$v" -ge "$told" ] && [ "$v" -le $((told + 1)) ] || fail "killed after $told was told: $v"
	done
	[ "$(wc -l <out)" = 3 ] || fail "killed: $(cat out err)"
done
[ -z "$(ls k1 k2 | grep k[tu])" ] || fail "on the host"
"$SANDBOX" commit $n /mnt 2>err || fail "commit after kills: $(cat err)"
[ "$(ls k1 | wc -l)" -ge 3 ] && [ "$(ls k2 | wc -l)" = 3 ] || fail "committed after kills: $(ls k1 k2)"
finish
