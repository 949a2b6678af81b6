# SPDX-License-Identifier: Apache-2.0
# timeout: 240
# stack.sh - kept sandboxes one on top of the other: what three layers of changes show is what the same changes make of a directory, and
# so is what a commit makes of it; those below are locked and don't change.
. "${LIB:-$(dirname "$0")/lib.sh}"
need python3
export XDG_STATE_HOME=$PWD/state
p=st-$$
drop() {
	local n
	for n in $p-f $p-e $p-d $p-c $p-b $p-a; do "$SANDBOX" discard $n 2>/dev/null; done
}
trap drop EXIT
here=$PWD

fixture() {
	mkdir -p d/sub/deep d/gone e
	echo one >d/f
	ln d/f d/link
	ln d/f hidden
	echo two >d/g
	echo h >d/sub/h
	echo deep >d/sub/deep/x
	echo y >d/gone/y
	echo e >e/e
	ln -s f d/sym
	head -c 300000 /dev/zero | tr '\0' z >big
}
cat >1 <<'END'
echo 1 >>d/f
rm d/g
rm -r d/gone
mkdir new made
echo n >new/x
ln new/x new/x2
mkfifo new/p
mv d/sub moved
chmod 600 moved/h
echo low >made/low
ln -s nowhere new/l
END
cat >2 <<'END'
echo 2 >>d/link
echo back >d/g
mkdir d/gone
echo fresh >d/gone/z
mv moved/deep new/deep
mv moved again
echo 2 >>new/x
rm -r made
mkdir made
echo up >made/up
chmod 755 big
rm e/e
END
cat >3 <<'END'
echo 3 >>hidden
rm d/g
rm -r d/gone
mv new newer
rm newer/x
echo 3 >>newer/x2
mv again/h h
mv made/up made/up3
echo e3 >e/e
printf 3 | dd of=big bs=1 seek=100000 conv=notrunc 2>/dev/null
mv d/f d/f3
END
# Names, types, modes, sizes, link counts and targets, contents; no times.
show='find . -printf "%P %y %m %n %l " -type f -exec sha1sum {} \; -o -printf "\n" | sort'
look() {
	(cd "$1" && eval "$show")
}
mkdir t want
(cd t && fixture)
(cd want && fixture && sh ../1 && sh ../2 && sh ../3)
look want >want.txt
before=$(manifest t)

is 0 '' --name $p-a --chdir "$here/t" -- sh ../1
is 0 '' --name $p-b --from $p-a --chdir "$here/t" -- sh ../2
is 0 '' --name $p-c --from $p-b --chdir "$here/t" -- sh ../3
"$SANDBOX" --name $p-c --chdir "$here/t" -- sh -c "$show" >got.txt
diff want.txt got.txt >d.txt || fail "three layers: $(cat d.txt)"
# and by one run that keeps nothing, on two layers
"$SANDBOX" --from $p-b --chdir "$here/t" -- sh -c "sh ../3 && $show" >got.txt
diff want.txt got.txt >d.txt || fail "a run on two layers: $(cat d.txt)"
[ "$before" = "$(manifest t)" ] || fail "the host changed"
# Inode numbers stay from layer to layer, and no two files have the same.
ids='find d h newer e again -type f -printf "%i %P\n" | sort'
a=$("$SANDBOX" --name $p-c --chdir "$here/t" -- sh -c "$ids")
[ "$a" = "$("$SANDBOX" --from $p-c --chdir "$here/t" -- sh -c "$ids")" ] || fail "inode numbers"
[ "$("$SANDBOX" --from $p-a --chdir "$here/t" -- stat -c %i new/x2)" = "$("$SANDBOX" --name $p-c --chdir "$here/t" -- stat -c %i newer/x2)" ] ||
	fail "inode number of a file from below"

# diff shows what each has changed itself, from what is below it
"$SANDBOX" diff $p-c | sed "s|$here/t/||g; s|^\(.\) .* \(.*\)$|\1 \2|" >got.txt
grep -qx "D d/g" got.txt && grep -qx "D d/gone/" got.txt && ! grep -q "moved" got.txt || fail "diff: $(cat got.txt)"
"$SANDBOX" diff -u $p-c "$here/t/newer/x2" | grep -qx "+3" || fail "diff -u: $("$SANDBOX" diff -u $p-c)"
"$SANDBOX" diff -u $p-c "$here/t/newer/x2" | grep -qx " 2" || fail "diff -u shows not what is below"
"$SANDBOX" diff --all $p-c | grep -q "A .*$here/t/newer/$" || fail "diff --all"

# hold OPTION... - a run that lasts until let_go.
mkfifo hold
exec 3<>hold
held=
hold() {
	"$SANDBOX" "$@" -- sh -c 'echo up; read -r x' <hold >up 3<&- &
	held="$held $!"
	for _ in $(seq 500); do
		[ -s up ] && break
		sleep 0.02
	done
	rm up
}
let_go() {
	exec 3>&-
	# shellcheck disable=SC2086
	wait $held
	exec 3<>hold
	held=
}
# Read-only and shared: two runs on it at once; itself it can't change.
hold --from $p-b
hold --from $p-b
"$SANDBOX" ls | grep -q "^$p-b .*shared" || fail "ls: $("$SANDBOX" ls)"
"$SANDBOX" ls | grep -q "^$p-c .* $p-b:$p-a " || fail "ls doesn't show what is below"
"$SANDBOX" --name $p-b -- true 2>err && fail "runs while others lie on it"
grep -q "in use" err || fail "message: $(cat err)"
let_go
for what in "discard $p-a" "commit $p-a" "--name $p-a -- true" "discard $p-b"; do
	# shellcheck disable=SC2086
	"$SANDBOX" $what 2>err && fail "$what though others lie on it"
	grep -q "lies on" err || fail "$what: $(cat err)"
done
hold --name $p-d
"$SANDBOX" --from $p-d -- true 2>err && fail "on one that runs"
grep -q "in use" err || fail "message: $(cat err)"
let_go
"$SANDBOX" --from $p-none -- true 2>err && fail "on none"
grep -q "no sandbox named" err || fail "message: $(cat err)"
"$SANDBOX" --name $p-c --from $p-d -- true 2>err && fail "on others than before"
grep -q "lies on" err || fail "message: $(cat err)"
"$SANDBOX" --name $p-d --from $p-d -- true 2>err && fail "on itself"

# The leftmost is on top; of a file whose mode alone it has changed the data are those below.
"$SANDBOX" discard $p-d
is 0 '' --name $p-d --chdir "$here/t" -- sh -c 'echo D >both; echo D >d/g; chmod 640 e/e; rm hidden; mkdir dir; echo D >dir/d; echo 1 >n1'
is 0 '' --name $p-e --chdir "$here/t" -- sh -c 'echo E >both; chmod 600 d/g; echo E >>e/e; echo E >>hidden; mkdir dir; echo E >dir/e; echo 2 >n2'
see='cat both d/g e/e; stat -c %a d/g e/e; ls dir; cat hidden'
is 1 "D
D
e
E
644
640
d" --from $p-d:$p-e --chdir "$here/t" -- sh -c "$see"
is 0 "E
D
e
E
600
644
e
one
E" --from $p-e:$p-d --chdir "$here/t" -- sh -c "$see"
# Files that two layers made have two numbers.
[ "$("$SANDBOX" --from $p-d:$p-e --chdir "$here/t" -- sh -c 'stat -c %i n1 n2 both | sort -u | wc -l')" = 3 ] || fail "numbers of n1, n2"

# What is below stays as it is, data and journal, whatever is done on top.
dirs=$([ "$(id -u)" = 0 ] && echo /var/lib/sandbox || echo "$XDG_STATE_HOME/sandbox")
below=$(manifest $dirs/$p-a $dirs/$p-b)
# Data: a mapping before and after the copy-up, an unlinked open file, a write through a descriptor.
cat >data.py <<'PY'
import mmap, os
f = os.open("new/x", os.O_RDONLY)
assert os.read(f, 9) == b"n\n2\n", "read"
try:
    os.fchmod(f, 0o600)  # ours answers; the file below must not be reached
finally:
    pass
g = os.open("new/x", os.O_RDWR)
m = mmap.mmap(g, 4)
assert m[:] == b"n\n2\n"
m[0:1] = b"M"
m.flush()
assert os.pread(g, 4, 0) == b"M\n2\n" and open("new/x2").read() == "M\n2\n"
assert os.fstat(f).st_ino == os.fstat(g).st_ino == os.stat("new/x2").st_ino
os.unlink("new/x"); os.unlink("new/x2")
assert os.fstat(g).st_nlink == 0 and os.pread(g, 4, 0) == b"M\n2\n"
assert os.fstat(f).st_nlink == 0 and os.pread(f, 4, 0) == b"n\n2\n"
u = os.open("made/up", os.O_RDONLY)
os.unlink("made/up")
assert os.read(u, 9) == b"up\n" and os.fstat(u).st_nlink == 0 and os.listdir("made") == []
for path in ("/proc/self/fd/%d" % f, "/proc/self/fd/%d" % u):
    try:
        w = os.open(path, os.O_WRONLY)
        os.write(w, b"?")  # if at all, a copy
    except OSError:
        pass
PY
is 0 '' --from $p-b --chdir "$here/t" -- python3 ../data.py
is 0 "n
2
up" --from $p-b --chdir "$here/t" -- cat new/x made/up
# Many opens, so that what is below is read again and again from what is kept open.
is 0 '' --from $p-b --chdir "$here/t" -- sh -c 'for i in 1 2 3 4 5; do for f in new/x d/f again/h; do cat $f >/dev/null || exit; done; done'

[ "$below" = "$(manifest $dirs/$p-a $dirs/$p-b)" ] || fail "a layer below was changed"
# export and commit are of the whole; a conflict leaves all as it was
echo host >>t/d/g
"$SANDBOX" commit $p-c >err 2>&1 && fail "committed over a conflict"
grep -q "conflict: $here/t/" err || fail "conflict: $(cat err)"
"$SANDBOX" ls | grep -q "^$p-c .* $p-b:$p-a " || fail "a conflict changed what it lies on"
rm -rf t && mkdir t && (cd t && fixture)
drop
is 0 '' --name $p-a --chdir "$here/t" -- sh ../1
is 0 '' --name $p-b --from $p-a --chdir "$here/t" -- sh ../2
is 0 '' --name $p-c --from $p-b --chdir "$here/t" -- sh ../3
if [ -x "$SANDBOX-tar" ] || [ -x "$(dirname "$SANDBOX")/sandbox-tar" ]; then
	"$SANDBOX" export $p-c x.tar || fail export
	"$SANDBOX" import $p-e x.tar || fail import
	"$SANDBOX" --name $p-e --chdir "$here/t" -- sh -c "$show" | sed 's/ [0-9]* \(  *\)/ N \1/' >got.txt
	sed 's/ [0-9]* \(  *\)/ N \1/' want.txt | diff - got.txt >d.txt || fail "export and import: $(cat d.txt)"
fi
"$SANDBOX" commit --dry-run $p-c >/dev/null || fail "dry run"
"$SANDBOX" commit $p-c || fail commit
look t >got.txt
diff want.txt got.txt >d.txt || fail "committed: $(cat d.txt)"
"$SANDBOX" ls | grep -q "^$p-c .* - " || fail "after the commit it lies on others"
is 0 '' --name $p-c -- true
[ -z "$("$SANDBOX" diff $p-c)" ] || fail "after the commit: $("$SANDBOX" diff $p-c)"
# what becomes of a run without a name
is 0 '' --from $p-b --keep $p-d --chdir "$here/t" -- sh -c 'echo x >kept'
is 0 x --name $p-d --chdir "$here/t" -- cat kept
"$SANDBOX" ls | grep -q "^$p-d .* $p-b:$p-a " || fail "--keep forgot what it lies on"
# Names that were used again, or one that was changed behind the back.
meta=$([ "$(id -u)" = 0 ] && echo /var/lib/sandbox/$p-a/meta || echo $XDG_STATE_HOME/sandbox/$p-a/meta)
sed -i 's/^generation=.*/generation=77/' $meta
"$SANDBOX" --name $p-d -- true 2>err && fail "on one that has changed"
grep -q "has changed since" err || fail "message: $(cat err)"
finish
