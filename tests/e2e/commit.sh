# SPDX-License-Identifier: Apache-2.0
# commit.sh - commit on a copy of a tree equals the same commands run natively there; conflicts; parts; killed half-way.
. "${LIB:-$(dirname "$0")/lib.sh}"
need setfattr setfacl python3
export XDG_STATE_HOME=$PWD/state
n=test-commit-$$
trap '"$SANDBOX" discard $n $n-2 2>/dev/null' EXIT

. "${INC:-$(dirname "$0")/commit.inc}"
mkdir base && (cd base && sh ../make)
cp -a base native && cp -a base B
(cd native && sh ../change)
tree native >want
tree base >orig
run() { "$SANDBOX" --name $n --chdir "$PWD/B" -- sh ../change 2>err || fail "changes: $(cat err)"; }
same_as() { tree B | diff "$1" - >d || fail "$2: $(head -20 d)"; }

run
same_as orig "the run alone changed the host"
"$SANDBOX" commit --dry-run $n >list || fail "dry run"
grep -q '^R .*/many -> .*/many2$' list || fail "no rename in $(cat list)"
same_as orig "a dry run changed the host"
"$SANDBOX" commit $n || fail commit
same_as want commit
[ -z "$("$SANDBOX" diff $n)" ] || fail "a committed layer isn't empty"
"$SANDBOX" discard $n

# Names are the program's choice: none reaches a terminal as it is.
"$SANDBOX" --name $n --chdir "$PWD/B" -- sh -c ': >"$(printf "a\\033[31m\\302\\2331m")"' || fail "a name of control characters"
echo host >"B/$(printf 'a\033[31m\302\2331m')"
"$SANDBOX" commit --dry-run $n >list 2>&1 && fail "no conflict"
grep -q '^A .*/a?\[31m??1m$' list && grep -q '^conflict: .*/a?\[31m??1m:' list || fail "a name: $(cat -v list)"
rm "B/$(printf 'a\033[31m\302\2331m')"
"$SANDBOX" discard $n

# The host changes what the sandbox saw.
reset() { rm -rf B; cp -a base B; "$SANDBOX" discard $n 2>/dev/null; run; }
reset
echo host >>B/a/one
echo host >B/opq/sub/s
echo host >B/p2
"$SANDBOX" commit $n 2>err && fail "conflicts not seen"
[ "$(grep -c ^conflict: err)" = 3 ] || fail "conflicts: $(cat err)"
cp -a B C
"$SANDBOX" commit --force $n 2>/dev/null || fail "--force"
same_as want "--force"
rm -rf C

# Parts: other paths stay in the layer.
reset
"$SANDBOX" commit $n "$PWD/B/a" "$PWD/B/x/y" "$PWD/B/many2" || fail "commit of parts"
[ "$(cat B/a/one B/x/y/z/f)" = "one
app
deep" ] && [ ! -e B/a/b/two ] && [ -e B/many2/2 ] && [ ! -e B/many ] && [ ! -e B/x/link ] && [ -e B/f2d ] && [ ! -d B/f2d ] || fail "parts"
"$SANDBOX" diff $n >list
grep -q '/a/one$' list && fail "a part is still in the layer"
grep -q '/f2d/$' list || fail "the rest isn't in the layer any more"
"$SANDBOX" commit $n || fail "commit of the rest"
(cd B && [ "$(cat f2d/i ren2/q)" = "i
q" ] && [ "$(stat -c %h hl1)" = 3 ]) || fail "the rest"

# A symlink of the host's leads nowhere.
reset
rm -rf B/a && mkdir out && ln -s "$PWD/out" B/a
"$SANDBOX" commit --force $n 2>/dev/null
[ -z "$(ls -A out)" ] || fail "a symlink redirected a write"
"$SANDBOX" discard $n

# A backing file becomes the host's, but not while somebody has it open: a descriptor of the sandbox's must not reach the host.
[ "$(id -u)" = 0 ] && store=/var/lib/sandbox/$n/data/store || store=$XDG_STATE_HOME/sandbox/$n/data/store
"$SANDBOX" discard $n 2>/dev/null
"$SANDBOX" --name $n --chdir "$PWD" -- sh -c 'echo given >given; echo held >held; echo read >read'
for f in given held read; do eval "$f=$(grep -lx $f $store/*)"; done
ino=$(stat -c %i "$given")
exec 7>>"$held" 8<"$read"
"$SANDBOX" commit $n || fail "commit of files that are open"
echo more >&7
exec 7>&-
[ "$(cat given held read)" = "given
held
read" ] || fail "written through an old descriptor: $(cat held)"
[ "$(stat -c %i given)" = "$ino" ] || [ "$(stat -c %d .)" != "$(stat -c %d $store)" ] || fail "the file was copied"
[ "$(stat -L -c %i /dev/fd/8)" != "$(stat -c %i read)" ] || fail "an old descriptor shows what will be in the file"
exec 8<&-
"$SANDBOX" discard $n

# Export, import: the same tree, and other tools take it. The format has no sockets.
chmod -R u+rwX B; rm -rf B && cp -a base B
sed -i 's/; chmod 620 sock//; s/^python3 .*AF_UNIX[^;]*; //; s/ p2 sock ro1;/ p2;/; s/^echo hh.*/echo hh >>mode/; /^chmod u+w ro1/d' change
grep -q sock change && fail "the test's own sed: $(grep sock change)"
run
"$SANDBOX" export $n l.tar 2>err || fail "export: $(cat err)"
[ ! -s err ] || fail "export said: $(cat err)"
tar tf l.tar >list 2>/dev/null || fail "tar can't read it"
grep -q '/\.wh\.many$' list && grep -q '/opq/\.wh\.\.wh\.\.opq$' list || fail "whiteouts: $(cat list)"
"$SANDBOX" import $n-2 l.tar || fail import
for e in $n $n-2; do
	"$SANDBOX" --name $e --chdir "$PWD" -- bash -c "$(declare -f tree); tree B" >tree.$e
done
diff tree.$n tree.$n-2 >d || fail "export, import: $(head -20 d)"
"$SANDBOX" export $n-2 l2.tar
tar tvf l.tar 2>/dev/null | sort >1
tar tvf l2.tar 2>/dev/null | sort | diff 1 - >d || fail "exported twice: $(head d)"
for t in "tar --xattrs" bsdtar; do
	command -v "${t%% *}" >/dev/null || continue
	rm -rf X && mkdir X && $t -xpf l.tar -C X 2>err
	[ "$(cat "X/$PWD/B/ren2/q" "X/$PWD/B/nest/outer/f")" = "q
d
e" ] || fail "$t: $(cat err)"
	[ "$(stat -c %a:%h "X/$PWD/B/x/y" "X/$PWD/B/x/link")" = "1777:3
644:2" ] || fail "$t: modes and links"
	cmp -s "X/$PWD/B/punch" native/punch && [ "$(stat -c %b "X/$PWD/B/newsparse")" -lt 100 ] || fail "$t: holes"
	chmod -R u+rwX X
done
# Names of a changed file that the sandbox never used: below a directory that it never looked into, in one that it moved, and one that's gone.
"$SANDBOX" discard $n
mkdir -p R/B/far/away R/B/takes R/elsewhere && echo l >R/B/hl1 && for f in B/hl2 B/far/away/h B/takes/h; do ln R/B/hl1 R/$f; done
echo r >R/B/ro1 && ln R/B/ro1 R/elsewhere/ro2
root="--root $PWD/R --ro-bind /usr /usr --ro-bind /lib /lib --ro-bind /lib64 /lib64"
# shellcheck disable=SC2086
"$SANDBOX" --name $n $root --chdir /B -- /usr/bin/env sh -c 'echo hh >>hl1; chmod 600 ro1; mv takes taken' || fail "a root of its own"
"$SANDBOX" export $n l3.tar 2>err && [ ! -s err ] || fail "other links: $(cat err)"
rm -rf X && mkdir X && tar -xpf l3.tar -C X 2>/dev/null
for f in hl1 hl2 far/away/h taken/h; do [ "$(stat -c %h:%s X/B/$f)" = 4:5 ] || fail "other links: $f"; done
[ "$(stat -c %a X/elsewhere/ro2)" = 600 ] || fail "another link elsewhere"
rm R/B/far/away/h
"$SANDBOX" export $n l3.tar 2>err && grep -q "1 other hard link of changed files" err || fail "a link that is gone: $(cat err)"
# A file is there when it's whole.
"$SANDBOX" export $n /dev/full 2>/dev/null && fail "a full device"
echo old >l4.tar
(ulimit -f 1; trap '' XFSZ; "$SANDBOX" export $n l4.tar 2>/dev/null) && fail "a file too large"
[ "$(cat l4.tar)" = old ] && [ -z "$(find . -maxdepth 1 -name 'l4.tar?*')" ] || fail "half an archive"
(umask 027; "$SANDBOX" export $n l4.tar) && [ "$(stat -c %a l4.tar)" = 640 ] || fail "mode of an archive"
# As a layer of an image.
if command -v umoci >/dev/null; then
	umoci init --layout img && umoci new --image img:x && umoci raw add-layer --image img:x l.tar || fail "umoci doesn't take it"
	! command -v skopeo >/dev/null || skopeo copy oci:img:x dir:img2 >/dev/null || fail "skopeo doesn't take it"
fi
chmod -R u+rwX .
finish
