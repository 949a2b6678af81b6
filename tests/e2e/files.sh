# SPDX-License-Identifier: Apache-2.0
# sandbox files: what is said of each use, filters, JSON; a clean output of the command; and --explain as JSON.
# timeout: 60
. "$(dirname "$0")/lib.sh"
need python3
files() { timeout -k 1 20 "$SANDBOX" files --chdir "$PWD" "$@" </dev/null; }
has() { # WANTED-LINE FILE
	grep -qxF -- "$1" "$2" || fail "wanted '$1' in: $(grep -F "$PWD" "$2" | head -n 40)"
}
out=$(files -o list -- sh -c 'cat link; echo x >new; mv new newer; rm newer; mkdir d; chmod 700 dir; ls dir >/dev/null; ./script; cat nowhere' 2>/dev/null)
[ "$(head -n 1 <<<"$out")" = 0123456789abcdef ] || fail "the command's output: $(head -n 2 <<<"$out")"
sed -E 's/ +/ /' list >short
has "read $PWD/file (by $PWD/link)" short
has "written,created,renamed $PWD/new (to $PWD/newer)" short
has "deleted,renamed $PWD/newer (from $PWD/new)" short
has "created $PWD/d/" short
has "listed,changed $PWD/dir/" short
has "missing $PWD/nowhere" short
# A script: itself, its interpreter, and the interpreter's own; both names where a link led to it.
grep -qE "^(read,)?executed $PWD/script\$" short || fail "the script: $(grep script short)"
grep -qE '^executed .*/(dash|bash)( |$)' short || fail "the script's interpreter: $(grep executed short)"
grep -qE '^executed .*/ld-linux[^ ]*( \(by /lib64/ld-linux-x86-64.so.2\))?$' short || fail "the ELF interpreter"
grep -qE '^read .*/libc\.so\.6( |$)' short || fail "a library"
files --only missing,read --prefix "$PWD" -o list -- sh -c 'cat file nowhere; : >new' >/dev/null 2>&1
[ "$(wc -l <list)" = 2 ] || fail "--only and --prefix: $(cat list)"
files --no-missing -o list -- sh -c 'cat nowhere' 2>/dev/null
grep -q missing list && fail "--no-missing: $(grep missing list)"
files --tree --prefix "$PWD" -o list -- cat dir/a dir/sub/b >/dev/null 2>&1
grep -qx ' *dir/' list && grep -qx ' *a  \[read\]' list && grep -qx ' *sub/' list || fail "--tree: $(cat list)"
# Hostile names stay on their line, in JSON and outside.
files --json -o list -- python3 -c 'open(b"a\n\xff\x1b[2J\\", "w")'
python3 - "$PWD" <<'P' || fail "JSON: $(cat list)"
import json, sys
d = json.load(open("list"))
assert d["version"] == 1 and d["lost"] == 0 and d["network"] is False
f = {x["path"]: x for x in d["files"]}
x = f[sys.argv[1] + "/a\\x0a\\xff\\x1b[2J\\\\"]
assert x["kinds"] == ["written", "created"] and x["directory"] is False
assert any("executed" in x["kinds"] and "python3" in p for p, x in f.items())
P
files -o list -- sh -c 'exit 7'
[ $? = 7 ] || fail "status"
files -o /nowhere/list -- true 2>/dev/null
[ $? = 125 ] || fail "-o to nowhere"
files --only nothing -- true 2>/dev/null
[ $? = 125 ] || fail "--only nothing"
files -- true >stdout 2>/dev/null
[ -s stdout ] && fail "something on stdout"

"$SANDBOX" --explain=json:why --hide "$PWD/dir" --chdir "$PWD" -- sh -c 'cat dirlink/a; cat </dev/kvm; unshare -U true' 2>/dev/null
python3 - "$PWD" <<'P' || fail "explain: $(cat why)"
import json, sys
d = json.load(open("why"))
r = {(x["reason"], x["what"].split(" ")[0]) for x in d["refused"]}
assert ("hidden", '"%s/dir/a"' % sys.argv[1]) in r and ("device", '"/dev/kvm"') in r and ("namespace", "unshare") in r, r
assert all(x["count"] > 0 and x["advice"] for x in d["refused"])
P
[ "$("$SANDBOX" --explain=json -- true 2>&1 | tr -d ' \n')" = '{"version":1,"refused":[]}' ] || fail "--explain=json of nothing"
got=$("$SANDBOX" --explain --pids 4 -- sh -c 'sleep 0.2 & sleep 0.2 & sleep 0.2 & sleep 0.2 & sleep 0.2 & wait' 2>&1)
grep -q 'with --pids 4' <<<"$got" || fail "--pids: $got"
got=$("$SANDBOX" --explain -- python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try: s.sendmsg([b"x"], [], 0, ("192.0.2.1", 53))
except OSError: pass' 2>&1)
grep -q '192.0.2.1 port 53 (a name server)' <<<"$got" || fail "sendmsg: $got"
finish
