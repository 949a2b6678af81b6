# SPDX-License-Identifier: Apache-2.0
# SIGKILL of the supervisor, the gofer, init or the front at random times: no process, mount or file stays behind, and what was kept can be used.
# timeout: 200 (FULL: 1800)
. "$(dirname "$0")/lib.sh"
export XDG_STATE_HOME=$PWD/state
n=test-killed-$$
tag="e2e-killed-$$"
trap '"$SANDBOX" discard $n >/dev/null 2>&1' EXIT
mkdir store b
ops='i=0; while :; do i=$((i + 1)); mkdir d$i; echo x >d$i/f; mv d$i/f f; ln f l$i; /bin/true; rm -r d$i l$i; done'
# below PID - it and all below it
below() {
	local p
	echo "$1"
	for p in $(cat /proc/"$1"/task/*/children 2>/dev/null); do below "$p"; done
}
mounts() { cut -d' ' -f3- /proc/self/mountinfo | sort; }
# Of registered sandboxes.
records() { ls -A /run/sandbox "${XDG_RUNTIME_DIR:-/nowhere}/sandbox" "/run/user/$(id -u)/sandbox" "/tmp/sandbox-$(id -u)" 2>/dev/null | grep -c "^\.sandbox\.control\.$1\."; }
before=$(mounts)
killed=0
RANDOM=1
for i in $(seq "${FULL:+300}" 2>/dev/null || seq 24); do
	case $((i % 3)) in
	0) medium="--overlay root:memory" ;;
	1) medium="--overlay root:dir=$PWD/store" ;;
	2) medium="--name $n" ;;
	esac
	# shellcheck disable=SC2086
	"$SANDBOX" $medium --bind "$PWD/b" /mnt --chdir /mnt -- bash -c "exec -a $tag sleep 100 & mkdir /tmp/t; cd /tmp/t; $ops" >/dev/null 2>err &
	front=$!
	fronts="${fronts:-} $front"
	# From its very start, when not all of them are there yet, to some way into the work.
	sleep 0.0$((RANDOM % 10))$((RANDOM % 10))
	[ $((i % 4)) = 0 ] || sleep 0.$((RANDOM % 4))
	case $((i % 8)) in
	0 | 4) who=$(pgrep -P $front sandbox-super) ;;
	1 | 5) who=$(pgrep -P $front sandbox-gofer) ;;
	2 | 6) who=$(pgrep -P "$(pgrep -P $front sandbox-super | head -n 1)" 2>/dev/null) ;; # init
	*) who=$front ;;
	esac
	all=$(below $front)
	# shellcheck disable=SC2086
	kill -KILL ${who:-$front} 2>/dev/null && killed=$((killed + 1))
	wait $front
	rc=$?
	[ $rc = 125 ] || [ $rc = 137 ] || fail "round $i: status $rc: $(cat err)"
	for t in $(seq 100); do
		left=
		for p in $all $(pgrep -f "^$tag"); do
			# A number that has got a new owner isn't ours: its parent would be gone.
			[ -e "/proc/$p" ] && grep -qs sandbox "/proc/$p/comm" "/proc/$p/cmdline" && left="$left $p"
		done
		[ -z "$left" ] && break
		sleep 0.05
	done
	[ -z "$left" ] || { fail "round $i: left behind: $(ps -o pid,args -p "${left// /,}" 2>/dev/null)"; kill -9 $left; }
done
[ $killed -gt 10 ] || fail "only $killed were killed"
[ "$before" = "$(mounts)" ] || fail "a mount is left: $(diff <(echo "$before") <(mounts))"
# What nobody may hold any more the next start or gc clears.
"$SANDBOX" gc >/dev/null || fail "gc: $?"
for f in $fronts; do [ "$(records "$f")" = 0 ] || fail "a record of $f is left"; done
is 0 goes-on --overlay root:dir="$PWD/store" -- echo goes-on
[ -z "$(ls -A store)" ] || fail "left in the store: $(ls -A store)"
[ -z "$(ls -A b)" ] || fail "left in the bind: $(ls -A b)"
[ ! -e /tmp/t ] || fail "a directory of the sandbox's is on the host"
is 0 kept --name $n -- sh -c 'cd /tmp/t && ls >/dev/null && echo kept'
"$SANDBOX" diff $n >/dev/null
[ $? = 1 ] || fail "the kept layer can't be read, or is empty"
finish
