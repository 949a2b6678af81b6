# SPDX-License-Identifier: Apache-2.0
# sandbox trace --json: each line an object of the schema in sandbox-trace(1), and the lines that are expected.
# timeout: 60
. "$(dirname "$0")/lib.sh"
need python3
got=$(timeout -k 1 20 "$SANDBOX" trace --json -o log -e chdir,kill,exit_group -- \
	sh -c 'cd /nowhere 2>/dev/null; cd "/tmp"; (exit 4); kill -USR1 $$' 2>&1 < /dev/null)
python3 - log << 'PY' > seen || fail "$(cat seen)"
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
    more = set(o) - set(want) - ({"error"} if o["type"] == "call" and o["result"] == -1 else set())
    if more:
        sys.exit(f"not in the schema: {more}: {line}")
    for k in ("time", "duration", "info"):
        if k in o:
            o[k] = 0
    print(json.dumps(o))
PY
diff "$(dirname "$0")/trace.json" seen || fail "differs from the golden file"
finish
