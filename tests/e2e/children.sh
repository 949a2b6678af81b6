# SPDX-License-Identifier: Apache-2.0
# Nothing outlives the command, whatever it left behind and however it ends; an idle sandbox uses no CPU.
# timeout: 120
. "$(dirname "$0")/lib.sh"
tag="e2e-child-$$-$(id -u)"
left() { pgrep -u "$(id -u)" -f "$tag" 2>/dev/null | grep -vx $$; }
gone() {
	for _ in $(seq 60); do
		[ -z "$(left)" ] && return 0
		sleep 0.05
	done
	return 1
}
s=$(date +%s)
"$SANDBOX" -- bash -c "(exec -a $tag sleep 300) & setsid bash -c 'exec -a $tag sleep 300' & sleep 0.3; exit 4"
[ $? = 4 ] || fail "status with children left behind"
[ $(($(date +%s) - s)) -lt 20 ] || fail "waited for the children"
gone || fail "a child outlives the command: $(left)"
for sig in TERM KILL HUP INT; do
	bash -c "exec -a $tag '$SANDBOX' -- bash -c 'exec -a $tag sleep 300'" >/dev/null 2>&1 &
	p=$!
	sleep 1
	kill -$sig $p
	# Background jobs of a script ignore SIGINT, and so must the sandbox then, and the command.
	if [ $sig = INT ]; then
		sleep 0.3
		kill -KILL $p 2>/dev/null || fail "ended by an ignored SIGINT"
	fi
	wait $p 2>/dev/null
	rc=$?
	[ $rc -gt 128 ] || fail "status after SIG$sig: $rc"
	gone || { fail "a process is left after SIG$sig"; left | xargs -r kill -9; }
done
# A signal that the command handles.
"$SANDBOX" -- bash -c 'trap "echo got; exit 9" TERM; echo ready; while :; do sleep 0.05; done' >out.txt &
p=$!
for _ in $(seq 100); do grep -q ready out.txt && break; sleep 0.05; done
kill -TERM $p
wait $p
rc=$?
[ $rc = 9 ] && grep -q got out.txt || fail "SIGTERM to the sandbox: status $rc, $(cat out.txt)"
# Idle: clock ticks of all our processes over a second.
ticks() { for q in $(pgrep -u "$(id -u)" -f "$tag"); do cut -d' ' -f14,15 /proc/$q/stat 2>/dev/null; done | awk '{ n += $1 + $2 } END { print n + 0 }'; }
bash -c "exec -a $tag '$SANDBOX' -- bash -c 'exec -a $tag sleep 20'" &
p=$!
sleep 1
a=$(ticks)
sleep 1
b=$(ticks)
kill -9 $p
wait $p 2>/dev/null
[ $((b - a)) -le 2 ] || fail "an idle sandbox used $((b - a)) ticks in a second"
ls -d /tmp/.sandbox* /tmp/sandbox-[0-9]* 2>/dev/null && fail "something was left in /tmp"
finish
