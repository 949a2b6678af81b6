# SPDX-License-Identifier: Apache-2.0
# commit.sh - commit on a copy of a tree equals the same commands run natively there; conflicts; parts; killed half-way.
. "${LIB:-$(dirname "$0")/lib.sh}"
need setfattr python3
export XDG_STATE_HOME=$PWD/state
n=test-commit-$$
trap '"$SANDBOX" discard $n $n-2 2>/dev/null' EXIT

cat >make <<'END'
mkdir -p a/b/c keep/deep full many ren/x opq/sub
for i in $(seq 0 29); do echo $i >many/$i; done
echo one >a/one; echo two >a/b/two; echo 3 >a/b/c/three
echo l >hl1; ln hl1 hl2; ln hl1 hl3; ln -s a/one sym; echo r >ren/r; echo x >ren/x/x; echo in >opq/in; echo s >opq/sub/s
truncate -s 1M sparse; echo end >>sparse; chmod 640 a/one; setfattr -n user.k -v v a/one
mkfifo fifo; echo m >mode; chmod 4755 mode; echo t >touchme; touch -d 2001-01-01 touchme; echo f2d >f2d; mkdir d2f; echo y >d2f/y
echo old >swap1; echo new >swap2; mkdir sd1 sd2; echo 1 >sd1/1; echo 2 >sd2/2
END
cat >change <<'END'
echo app >>a/one; rm a/b/two; mv a/b/c cmoved; echo more >cmoved/more; mv cmoved/three cmoved/3
echo hh >>hl1; ln hl1 hl4; rm hl3
rm -r opq; mkdir opq; echo n >opq/n
mv ren/x ren2; echo q >ren2/q; ln -s nowhere dangling; rm sym; ln -s other sym
printf abc | dd of=sparse bs=1 seek=700000 conv=notrunc 2>/dev/null; truncate -s 3M newsparse; echo z >>newsparse
chmod 700 mode; touch -d 2002-02-02 touchme; rm f2d; mkdir f2d; echo i >f2d/i; rm -r d2f; echo now >d2f
mv swap1 t; mv swap2 swap1; mv t swap2; mv sd1 t; mv sd2 sd1; mv t sd2
setfattr -n user.n -v w a/one; setfattr -x user.k a/one; setfattr -n user.d -v dir keep; mkfifo p2
[ "$(id -u)" != 0 ] || { chown 12:34 swap1; mknod dev c 1 3; }
mkdir -p x/y/z; echo deep >x/y/z/f; ln x/y/z/f x/link; chmod 1777 x/y; rm many/1*; mv many many2; rm fifo; touch -d 2003-03-03 x/y
rmdir keep/deep; touch -d 2004-04-04 keep
END
tree() { # DIR
	(cd "$1" && find . -printf '%p %y %m %U:%G %n %l ' \( -type f -printf '%s %b' -o -true \) -printf '\n' | sort
		find . -type f -print0 | sort -z | xargs -0 sha1sum
		getfattr -R -h -d . 2>/dev/null
		find . -newermt 2000-01-01 ! -newermt 2010-01-01 -printf '%p %T@\n' | sort)
}
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

# Killed anywhere: each file old or new, and once more finishes it.
rounds=15
[ -z "${FULL:-}" ] || rounds=300
for i in $(seq $rounds); do
	reset
	"$SANDBOX" commit $n 2>/dev/null &
	pid=$!
	sleep 0.0$(printf %02d $((RANDOM % 40)))
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	for f in a/one swap1 swap2 d2f; do
		[ -f B/$f ] || [ $f = d2f ] || { fail "$f is gone"; break; }
		[ -d B/$f ] || cmp -s B/$f base/$f || cmp -s B/$f native/$f || fail "$f is neither old nor new"
	done
	"$SANDBOX" commit --force $n 2>err || { fail "again after a kill: $(cat err)"; break; }
	find B -name '.sandbox-commit*' | grep -q . && fail "leftovers"
	tree B | sed 's/ [0-9]* *$//' | grep -v '^\./hl' >got
	grep -v '^\./hl' want | sed 's/ [0-9]* *$//' | diff - got >d || { fail "after a kill and once more: $(head d)"; break; }
done

# A symlink of the host's leads nowhere.
reset
rm -rf B/a && mkdir out && ln -s "$PWD/out" B/a
"$SANDBOX" commit --force $n 2>/dev/null
[ -z "$(ls -A out)" ] || fail "a symlink redirected a write"
"$SANDBOX" discard $n

# Export, import: the same tree.
rm -rf B && cp -a base B && sed -i 's/^echo hh.*/echo hh >>mode/' change
run
"$SANDBOX" export $n l.tar || fail export
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
chmod -R u+rwX .
finish
