# SPDX-License-Identifier: Apache-2.0
# --timeout, --memory, --pids, --cpus: of the whole sandbox, whoever keeps them; and nothing is left afterwards.
# timeout: 90
. "$(dirname "$0")/lib.sh"
groups_left() { find /sys/fs/cgroup -name 'sandbox-*' -type d 2>/dev/null; }
old=$(groups_left)
start=$(date +%s%N)
is 124 "" --timeout 0.3 -- sleep 60
is 124 "caught" --timeout 0.3 -- sh -c 'trap "echo caught; exit 5" TERM; sleep 60 & wait'
is 124 "" --timeout 0.3 -- sh -c 'trap "" TERM; sleep 60; sleep 60'
is 124 "" --timeout 0.3 -- sh -c 'kill -STOP $$'
is 124 "" --timeout 0.3 -- sh -c '(trap "" TERM; setsid sleep 60) & sleep 60'
is 7 "" --timeout 30 -- sh -c 'exit 7'
[ $((($(date +%s%N) - start) / 1000000)) -lt 30000 ] || fail "time-outs take too long"
# Processes: more than that fail, and none of what others run counts.
is 0 "ok" --pids 40 -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2 & done; wait; echo ok'
"$SANDBOX" --pids 20 -- sh -c 'for i in $(seq 40); do sleep 1 & done; wait' 2>&1 | grep -qi "cannot fork\|retry" || fail "--pids"
# Memory: the program is killed, or can't have it; a smaller one runs.
need python3
is 0 "10485760" --memory 200M -- python3 -c 'print(len(bytearray(10 << 20)))'
"$SANDBOX" --memory 150M -- python3 -c '
import time
x = bytearray(600 << 20)
for i in range(100): time.sleep(0.05)
print("survived")' >out 2>/dev/null
[ $? != 0 ] && [ ! -s out ] || fail "--memory: $(cat out)"
# What keeps them is said.
"$SANDBOX" --stats --memory 1G --pids 100 --cpus 1.5 -- true 2>&1 | grep -q "limits: memory by [a-z ]*, processes by [A-Za-z_ ]*, processors by [a-z ]*" || fail "--stats doesn't say"
"$SANDBOX" --stats --memory 1G --pids 100 --cpus 1.5 -- true 2>&1 | grep "limits:" | grep -q none && fail "a limit that nothing keeps"
if "$SANDBOX" --stats --cpus 1 -- true 2>&1 | grep -q "processors by affinity"; then
	# Opening files moves a process for a moment to where it's answered.
	list=$("$SANDBOX" --cpus 1 -- sh -c 'for i in 1 2 3; do read -r x </etc/passwd; done; sed -n "s/^Cpus_allowed_list:.//p" /proc/self/status')
	case $list in *[!0-9]* | "") fail "--cpus 1 lets it run on $list" ;; esac
fi
# An ordinary user has none here, and root's run may be going on beside this.
[ "$(id -u)" != 0 ] || [ "$old" = "$(groups_left)" ] || fail "left: $(groups_left)"
finish
