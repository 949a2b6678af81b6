# SPDX-License-Identifier: Apache-2.0
# sandbox trace --json: each line an object of the schema in sandbox-trace(1), and the lines that are expected.
# timeout: 60
. "$(dirname "$0")/lib.sh"
need python3
got=$(timeout -k 1 20 "$SANDBOX" trace --json -o log -e chdir,kill,exit_group -- \
	sh -c 'cd /nowhere 2>/dev/null; cd "/tmp"; (exit 4); kill -USR1 $$' 2>&1 < /dev/null)
cat > check.py << 'PY'
import json, sys
call = {"name": str, "args": list, "result": (int, type(None)), "text": str, "duration": float, "injected": bool}
schema = {"call": call, "signal": {"signal": str, "info": str}, "stopped": {"signal": str}, "exit": {"status": int},
          "killed": {"signal": str, "core": bool}, "superseded": {"by": int}}
for line in open(sys.argv[1]):
    o = json.loads(line)
    want = {"type": str, "pid": int, "time": float, **schema[o["type"]]}
    for k, kind in want.items():
        if k not in o and (o["type"], k) != ("signal", "info"):
            sys.exit(f"no {k}: {line}")
        if k in o and not isinstance(o[k], kind):
            sys.exit(f"{k} is no {kind}: {line}")
    optional = set(sys.argv[2:]) if o["type"] == "call" else set()
    more = set(o) - set(want) - optional - ({"error"} if o["type"] == "call" and o["result"] == -1 else set())
    if more:
        sys.exit(f"not in the schema: {more}: {line}")
    for k in ("time", "duration", "info"):
        if k in o:
            o[k] = 0
    print(json.dumps(o))
PY
python3 check.py log > seen || fail "$(cat seen)"
diff "$(dirname "$0")/trace.json" seen || fail "differs from the golden file"
# Each kind of event, and the members that options add.
timeout -k 1 30 "$SANDBOX" trace --json --effects -k -o log -e openat,execve,kill -- python3 -S -c '
import ctypes, os, signal, threading, time
pid = os.fork()
if not pid:
    time.sleep(30)
    os._exit(0)
os.kill(pid, signal.SIGSTOP)
os.waitpid(pid, os.WUNTRACED)
os.kill(pid, signal.SIGCONT)
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
threading.Thread(target=lambda: os.execv("/bin/true", ["true"])).start()
time.sleep(30)' < /dev/null || fail "status $?"
python3 check.py log effects stack > seen || fail "$(tail -n 1 seen)"
for kind in call signal stopped exit killed superseded; do
	grep -q "\"type\": \"$kind\"" seen || fail "no $kind: $(cut -c 1-200 seen | tail -n 5)"
done
python3 - log << 'PY' || fail "effects or stacks"
import json, sys
calls = [o for o in map(json.loads, open(sys.argv[1])) if o["type"] == "call"]
kinds = {"cache": str, "misses": int, "round_trips": int, "round_trip_us": int, "copy_ups": int, "copy_up_bytes": int, "answered": str}
for o in calls:
    for k, v in o["effects"].items():
        assert isinstance(v, kinds[k]), o
assert any(o["effects"].get("cache") == "hit" for o in calls) and any(o["effects"].get("answered") == "lower" for o in calls)
assert all(isinstance(o["stack"], list) for o in calls if "stack" in o) and any(o.get("stack") for o in calls)
PY
finish
