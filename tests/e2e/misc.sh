# SPDX-License-Identifier: Apache-2.0
# --stats, and many things at once.
# timeout: 200
. "$(dirname "$0")/lib.sh"
"$SANDBOX" --stats -- find /usr/include -name nope 2>stats.txt || fail "status with --stats"
[ -s stats.txt ] || fail "--stats prints nothing"
"$SANDBOX" --stats -- sh -c 'exit 3' 2>/dev/null
[ $? = 3 ] || fail "--stats changes the status"
for i in 1 2 3 4 5 6; do "$SANDBOX" -- sh -c "echo $i > /tmp/same-name; sleep 0.2; cat /tmp/same-name" >"o$i" & done
wait
[ "$(cat o1 o2 o3 o4 o5 o6 | paste -s -d' ')" = "1 2 3 4 5 6" ] || fail "sandboxes at once see each other's files"
[ "$("$SANDBOX" -- sh -c 'ls /proc | grep -c "^[0-9]*$"')" -lt 10 ] || fail "processes of the host are in /proc"
inside sh -c 'cat /proc/mounts /proc/self/mountinfo' | grep -E 'ext4|btrfs|xfs|/dev/[sv]d|nvme' && fail "mounts of the host show"
inside sh -c 'mkdir big && cd big && seq 20000 | xargs touch && ls | wc -l && find . -type f -delete && rmdir ../big' >n.txt || fail "20,000 files in a directory"
[ "$(cat n.txt)" = 20000 ] || fail "counts $(cat n.txt)"
[ "$(inside sh -c 'for n in 12000 15000 16000 16300 17000 40000; do echo $(seq $n) | xargs -n 40000 -s 1000000 true && printf .; done')" = ...... ] || fail "long argv"
# Without inotify's watches a follower polls.
got=$(inside sh -c 'echo a > grows; (sleep 0.5; echo b >> grows) & timeout 3 tail -f grows' 2>/dev/null | tr '\n' ' ')
[ "$got" = "a b " ] || fail "tail -f: $got"
finish
