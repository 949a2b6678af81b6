# SPDX-License-Identifier: Apache-2.0
# conflicts.sh - a commit refuses what the host changed after the sandbox saw it, however it tries to look unchanged; and nothing else.
. "${LIB:-$(dirname "$0")/lib.sh}"
need setfattr
export XDG_STATE_HOME=$PWD/state
n=test-conflicts-$$
here=$PWD
trap '"$SANDBOX" discard $n 2>/dev/null' EXIT

# case_ WANT INSIDE HOST [PATH...] - WANT: what the conflict says, or "" for none.
case_() {
	local want=$1 in=$2 host=$3 rc paths=()
	shift 3
	for p in "$@"; do paths+=("$here/t/$p"); done
	rm -rf t
	mkdir -p t/d/e && echo AAAA >t/f && echo DDDD >t/d/g && echo EEEE >t/d/e/h && ln -s f t/l && touch -d 2020-01-01 t/f t/d/g
	"$SANDBOX" discard $n 2>/dev/null
	"$SANDBOX" --name $n --chdir "$here/t" -- sh -c "$in" || fail "inside: $in"
	(cd t && eval "$host") || fail "on the host: $host"
	manifest t >before
	"$SANDBOX" commit $n "${paths[@]}" 2>err
	rc=$?
	if [ -z "$want" ]; then
		[ $rc = 0 ] || fail "$in; host: $host: $(cat err)"
		return
	fi
	[ $rc = 1 ] && grep -q "^conflict: $here/t/$want" err || fail "$in; host: $host; $*: status $rc, $(cat err), not $want"
	manifest t | cmp -s - before || fail "$in; host: $host: the host is another"
}
# Times put back, and those that the sandbox gave.
case_ "f: the host has changed it" 'echo BBBB >f' 'echo CCCC >f; touch -d 2020-01-01 f'
case_ "f: the host has changed it" 'echo BBBB >f; touch -d 2021-01-01 f' 'echo CCCC >f; touch -d 2021-01-01 f'
case_ "l: the host has changed it" 'ln -sfn x l; touch -h -d 2021-01-01 l' 'ln -sfn y l; touch -h -d 2021-01-01 l'
case_ "n: the host has made" 'echo N >n; touch -d 2021-01-01 n' 'echo M >n; touch -d 2021-01-01 n'
case_ "n: the host has made" 'mkdir n; echo 1 >n/1; touch -d 2021-01-01 n' 'mkdir n; echo 2 >n/1; touch -d 2021-01-01 n'
case_ "n: the host has made" 'truncate -s 1G n; echo y >>n' 'truncate -s 1G n; echo z >>n'
case_ "n: the host has made" 'echo N >n' 'echo N >n; setfattr -n user.a -v b n'
case_ "n: the host has made" 'echo N >n' 'ln -s /nowhere n'
# Attributes, and replaced objects.
case_ "f: the host has changed it" 'echo x >f' 'chmod 600 f; chmod 644 f'
case_ "f: the host has changed it" 'chmod 600 f' 'setfattr -n user.a -v b f'
case_ "f: the host has changed it" 'echo x >f' 'cp -p f g; mv g f'
case_ "f: the host has changed it" 'echo x >f' 'rm f; mkfifo f'
case_ "f: the host has removed it" 'echo x >f' 'rm f'
case_ "f: the host has changed it" 'mv f F' 'echo x >f'
case_ "d/g: the host has changed it" 'mv f d/g' 'echo x >d/g'
case_ "d: the host has changed its mode" 'chmod 700 d' 'chmod 711 d'
case_ "d: the host has changed its attributes" 'setfattr -n user.a -v b d' 'setfattr -n user.b -v c d'
[ "$(id -u)" != 0 ] || case_ "d: the host has changed its owner" 'echo x >d/n' 'chown 7 d'
# Below what was removed or moved, and above what was changed, also where only that is asked for.
case_ "d: the host has changed what" 'rm -r d' 'mv f d/e/i'
case_ "d: the host has changed what" 'rm -r d; mkdir d' 'echo Z >d/g; touch -d 2020-01-01 d/g'
case_ "d: the host has changed what" 'mv d D' 'echo x >d/k'
for path in "" d/n; do
	case_ "d: the host has put" 'echo x >d/n' 'mv d q; ln -s q d' $path
	case_ "d: the host has removed it" 'echo x >d/n' 'rm -r d' $path
	case_ "n: the host has made" 'mkdir n; echo 1 >n/1' 'mkdir n; echo 2 >n/h' ${path:+n/1}
done
# Nothing would be lost.
case_ "" 'echo N >n; mkfifo p; ln -s x s; : >e' 'echo N >n; mkfifo p; ln -s x s; : >e'
case_ "" 'truncate -s 1G n; echo y >>n' 'truncate -s 1G n; echo y >>n'
case_ "" 'rm f' 'rm f'
case_ "" 'echo x >d/n' 'echo y >d/m'
case_ "" 'setfattr -n user.a -v b d' 'echo y >d/m'
case_ "" 'mkdir n; echo 1 >n/1; echo 2 >n/2' ':' n/1
[ "$(ls t/n)" = 1 ] || fail "a part: $(ls t/n)"
finish
