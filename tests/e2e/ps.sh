# SPDX-License-Identifier: Apache-2.0
# sandbox ps, the state of a supervisor, and the debug log.
# timeout: 120
. "$(dirname "$0")/lib.sh"
need python3
export XDG_STATE_HOME=$PWD/state
n=test-ps-$$
trap '"$SANDBOX" discard $n 2>/dev/null' EXIT
wait_for() { # FILE WORD
	for _ in $(seq 500); do
		grep -q "$2" "$1" 2>/dev/null && return
		sleep 0.02
	done
	fail "no $2 in $1"
}
awake() { for _ in $(seq 200); do "$SANDBOX" ps "$1" >procs && grep -q "$2" procs && return; sleep 0.05; done; fail "no $2 in $1"; }

"$SANDBOX" --name $n --chdir "$PWD" -- sh -c 'echo x >new; (exec 5>held; sleep 301) & sleep 302; true' &
main=$!
awake_named() { for _ in $(seq 200); do "$SANDBOX" ps >list && grep -q " $n " list && return; sleep 0.05; done; fail "not in the list: $(cat list)"; }
awake_named
awake $n 'sleep 301'
awake $n 'sleep 302'
grep -Eq "^ *$main $n .* kept +[34] sh -c 'echo x" <("$SANDBOX" ps) || fail "the list: $("$SANDBOX" ps)"
"$SANDBOX" ps --json | N=$n MAIN=$main python3 -c '
import json, os, sys
mine = [x for x in map(json.loads, sys.stdin) if x["name"] == os.environ["N"]]
assert len(mine) == 1 and mine[0]["pid"] == int(os.environ["MAIN"]) and mine[0]["processes"] >= 3, mine
assert mine[0]["medium"] == "kept" and mine[0]["root"] == "/", mine' || fail "ps --json"
# inner and outer numbers
"$SANDBOX" ps --json $n | python3 -c '
import json, sys
procs = list(map(json.loads, sys.stdin))
by = {p["pid"]: p for p in procs}
assert by[1]["command"] == "(init)", procs
for p in procs:
    ns = [l for l in open("/proc/%d/status" % p["host_pid"]) if l.startswith("NSpid:")][0].split()
    assert int(ns[1]) == p["host_pid"] and int(ns[-1]) == p["pid"], (p, ns)
    assert p["pid"] == 1 or p["parent"] in by, p
assert any(p["command"] == "sleep 301" and p["state"] == "S" for p in procs), procs' || fail "ps --json NAME"
# by a process inside
inside=$("$SANDBOX" ps $n | awk '/sleep 301/ && !/sh/ { print $2 }')
"$SANDBOX" ps "$inside" | grep -q 'sleep 302' || fail "by a process inside"
# its name can't be made to look like a line of ours
"$SANDBOX" exec $n -- python3 -c 'import os,time
open("/proc/self/comm","w").write("a\nPPid:\t1")
print("up", flush=True); time.sleep(60)' >up &
wait_for up up
"$SANDBOX" ps $n | grep -q python3 || fail "a name with a line break: $("$SANDBOX" ps $n)"
"$SANDBOX" ps no-such 2>/dev/null && fail "ps of nothing"
"$SANDBOX" ps --dump $n >state.txt || fail "no state"
for word in 'calls:' 'threads:' 'gofer:' 'dentry cache: [0-9]* entries, [0-9]* of them negative' 'store 0:' 'tokens:' 'mount [0-9]*: overlay on /$' \
	'exe: .*sleep' "cwd: $PWD" "file 5: $PWD/held" '(init)' 'tasks:'; do
	grep -q "$word" state.txt || fail "the state has no $word"
done
# one that is stopped is listed all the same
kill -STOP $main
"$SANDBOX" ps $n | grep -q 'sleep 302' || fail "a stopped one"
kill -CONT $main
# Nothing of it is to be seen inside.
dir=/run/sandbox
[ "$(id -u)" = 0 ] || dir=/tmp/sandbox-$(id -u)
[ -z "${XDG_RUNTIME_DIR:-}" ] || [ "$(id -u)" = 0 ] || dir=$XDG_RUNTIME_DIR/sandbox
record=$(ls -A $dir | grep "\.$main\." | head -n 1)
[ -n "$record" ] || fail "no record in $dir"
[ "$(stat -c %a $dir)" = 700 ] || fail "mode of $dir"
is 0 '' exec $n -- sh -c "ls -A $dir; cat $dir/$record 2>/dev/null; stat $dir/$record.s 2>/dev/null; true"
is 0 '' --ro-bind $dir /mnt -- ls -A /mnt
# A directory that others can write to, or a link, is no place for it; the next is taken.
if [ "$(id -u)" != 0 ]; then
	mkdir -p rt/sandbox elsewhere
	chmod 755 rt/sandbox
	XDG_RUNTIME_DIR=$PWD/rt "$SANDBOX" -- true || fail "an unsafe directory"
	[ -z "$(ls -A rt/sandbox)" ] || fail "a record in an unsafe directory"
	rm -r rt/sandbox
	ln -s ../elsewhere rt/sandbox
	XDG_RUNTIME_DIR=$PWD/rt "$SANDBOX" -- sleep 30 &
	other=$!
	for _ in $(seq 200); do "$SANDBOX" ps | grep -q "^ *$other " && break; sleep 0.05; done
	[ -z "$(ls -A elsewhere)" ] || fail "a link was followed"
	kill $other
	rm rt/sandbox
	XDG_RUNTIME_DIR=$PWD/rt "$SANDBOX" -- sleep 30 &
	other=$!
	for _ in $(seq 200); do XDG_RUNTIME_DIR=$PWD/rt "$SANDBOX" ps | grep -q "^ *$other " && break; sleep 0.05; done
	ls -A rt/sandbox | grep -q "\.$other\." || fail "not in XDG_RUNTIME_DIR"
	"$SANDBOX" ps | grep -q "^ *$other " && fail "found without XDG_RUNTIME_DIR"
	kill $other
	wait $other
	[ -z "$(ls -A rt/sandbox)" ] || fail "leaves a record"
fi
# Killed ones are cleared away.
kill -KILL $main
wait $main 2>/dev/null
wait
[ -e $dir/$record ] || fail "the record went by itself"
"$SANDBOX" ps | grep -q " $n " && fail "a dead one is listed"
"$SANDBOX" gc 2>err || fail "gc: $(cat err)"
[ ! -e $dir/$record ] && [ ! -e $dir/$record.s ] || fail "gc leaves records"

# SIGUSR1: to the supervisor; or, with a debug log, to the front. Else it's the command's.
"$SANDBOX" -- sh -c 'trap "echo mine; exit 4" USR1; echo up; while :; do sleep 0.1; done' >up 2>err &
main=$!
wait_for up up
kill -USR1 $(pgrep -P $main sandbox-super) || fail "no supervisor"
wait_for err 'tasks: '
kill -USR1 $main
wait $main
rc=$?
[ $rc = 4 ] || fail "SIGUSR1 of the command's: $rc"
"$SANDBOX" --debug-log log --debug-level trace -- sh -c 'trap "exit 4" USR1; echo up; while :; do sleep 0.1; done' >up 2>err &
main=$!
wait_for up up
kill -USR1 $main
wait_for log '"tasks: '
kill -TERM $main
wait $main
rc=$?
[ $rc = 143 ] || fail "with a debug log: $rc $(cat err)"
python3 -c '
import json
lines = [json.loads(l) for l in open("log")]
for l in lines:
    assert set(l) == {"time", "level", "folder", "process", "message", "fields"}, l
assert {l["process"] for l in lines} == {"front", "gofer", "supervisor", "init"}, {l["process"] for l in lines}
assert {"gofer", "vfs", "kernel", "interposer"} <= {l["folder"] for l in lines}
assert any(l["message"] == "exec" and l["fields"]["name"] == "/bin/sh" or l["fields"].get("name", "").endswith("/sh") for l in lines)
assert any(l["message"] == "round trip" for l in lines)' || fail "the debug log"
"$SANDBOX" --debug-log log --debug-level gofer=debug,vfs=info -- sh -c 'echo x >>'"$PWD/procs" || fail "levels"
grep -q '"message":"copy-up"' log || fail "no copy-up in the log"
grep -q '"folder":"kernel"' log && fail "a folder that wasn't asked for"
# A name is data.
"$SANDBOX" --debug-log log --debug-level kernel=info -- bash -c $'printf "#!/bin/sh\\n" >"$0"; chmod +x "$0"; "$0"' $'/tmp/a"\n\xff\\b' || fail "a strange name"
python3 -c 'import json; l = [json.loads(x)["fields"]["name"] for x in open("log", encoding="utf-8")]; assert "/tmp/a\"\n\xff\\b" in l, l' || fail "quoting"
is 125 '' --debug-log log --debug-level nonsense -- true
is 125 '' --debug-log log --debug-level vfs=loud -- true
is 125 '' --debug-level info -- true
is 125 '' --debug-log /nowhere/log -- true
finish
