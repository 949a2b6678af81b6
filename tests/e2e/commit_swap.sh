# SPDX-License-Identifier: Apache-2.0
# Somebody who may write to the directory puts a link of another's file, or a symbolic link, where a commit has planned to set attributes or to write.
. "$(dirname "$0")/lib.sh"
need strace
export XDG_STATE_HOME=$PWD/state
n=test-swap-$$
trap '"$SANDBOX" discard $n >/dev/null 2>&1' EXIT
mkdir base victim
look() { stat -c '%n %a %u:%g %Y %i' victim/* && cat victim/*; }
# begun SCRIPT - a layer of what it changes below base, whose commit is killed as soon as its plan is there
begun() {
	"$SANDBOX" discard $n 2>/dev/null
	rm -rf base/* victim/*
	echo mine >base/f; echo twice >base/g; ln base/g base/g2; mkdir base/d
	echo other >victim/f; chmod 640 victim/f
	"$SANDBOX" --name $n --chdir "$PWD/base" -- sh -c "$1" || fail "$1"
	# The fourth is that of the directory that has the plan (commit_plan.c).
	strace -f -o /dev/null -e trace=fsync -e inject=fsync:signal=KILL:when=4 "$SANDBOX" commit $n 2>/dev/null
	[ -e "$(ls -d state/sandbox/$n /var/lib/sandbox/$n 2>/dev/null | head -n 1)/plan" ] || fail "no plan was made of: $1"
	before=$(look)
}
begun 'chmod 666 f'
ln -f victim/f base/f
"$SANDBOX" commit $n 2>err || fail "can't be finished: $(cat err)"
[ "$before" = "$(look)" ] || fail "another file's attributes: $(look)"
grep -q 'f: somebody has replaced it' err || fail "no message: $(cat err)"

begun 'chmod 666 f'
ln -sf ../victim/f base/f
"$SANDBOX" commit $n 2>/dev/null
[ "$before" = "$(look)" ] || fail "attributes through a symbolic link: $(look)"

begun 'echo overwritten >g'
ln -f victim/f base/g
"$SANDBOX" commit $n 2>err && fail "wrote to another file and says nothing"
[ "$before" = "$(look)" ] || fail "another file's content: $(look)"

begun 'echo overwritten >g'
ln -sf ../victim/f base/g
"$SANDBOX" commit $n 2>/dev/null
[ "$before" = "$(look)" ] || fail "content through a symbolic link: $(look)"

begun 'chmod 777 d; echo x >d/new'
rmdir base/d 2>/dev/null || rm -r base/d
ln -s ../victim base/d
"$SANDBOX" commit $n 2>/dev/null
[ "$(ls victim)" = f ] || fail "made in another directory: $(ls victim)"

# Without anybody's doing it's finished.
begun 'chmod 666 f; echo overwritten >g; chmod 777 d'
"$SANDBOX" commit $n 2>/dev/null || fail "doesn't finish"
[ "$(stat -c %a base/f base/d) $(cat base/g2)" = $'666\n777 overwritten' ] || fail "not all of it: $(ls -l base)"
# A layer that would hide the whole root is none.
mkdir opq && : >opq/.wh..wh..opq
tar -C opq -cf opq.tar .wh..wh..opq
"$SANDBOX" import $n-opq opq.tar 2>err && { fail "an opaque root"; "$SANDBOX" discard $n-opq; }
grep -q 'not supported' err || fail "no clear message: $(cat err)"
finish
