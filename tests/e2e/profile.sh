# SPDX-License-Identifier: Apache-2.0
# sandbox learn and --profile: what was learnt runs again with the same result, what was not is refused, however it is tried.
# timeout: 120
. "$(dirname "$0")/lib.sh"
need python3
run_() { timeout -k 1 30 "$SANDBOX" "$@" </dev/null; }

# again WORD... - learns, and runs under the profile with the same result.
again() {
	local want got rc1 rc2
	want=$(run_ learn -o ../p.json --chdir "$PWD" -- "$@" 2>../err1)
	rc1=$?
	got=$(run_ --profile ../p.json --chdir "$PWD" -- "$@" 2>../err2)
	rc2=$?
	[ "$rc1 $want" = "$rc2 $got" ] && cmp -s ../err1 ../err2 ||
		fail "differs under its profile: $* ($rc1, $rc2): $(diff <(echo "$want"; cat ../err1) <(echo "$got"; cat ../err2) | head -n 20)"
}
again ls -l
again python3 -c 'import json, os, tempfile
with tempfile.TemporaryDirectory() as d:
    open(d + "/x", "w").write("1")
    os.rename(d + "/x", d + "/y")
    print(os.listdir(d), json.dumps({"a": 1}))
print(tempfile.NamedTemporaryFile().write(b"abc"))'
again sh -c 'mkdir -p out/sub; echo a >out/sub/f; mv out out2; cat out2/sub/f; ln out2/sub/f g; sed -i s/a/b/ g; cat g; ./script x'
printf '#include <stdio.h>\nint main(void) { puts("hello"); return 3; }\n' >hello.c
printf 'all: hello\n\t./hello || echo $$?\nhello: hello.c\n\t$(CC) -o $@ $<\n' >Makefile
if command -v gcc make >/dev/null; then
	again gcc hello.c -o hello
	again make CC=gcc
fi
if command -v git >/dev/null; then
	git init -q . 2>/dev/null
	again git status --short
	again git -c user.name=a -c user.email=b@c commit -q --allow-empty -m x
fi

if command -v node >/dev/null; then
	again node -e 'require("fs").writeFileSync("n", "1"); console.log(require("path").join("a", "b"))'
fi
if command -v perl >/dev/null; then
	again perl -e 'use POSIX; open(my $f, ">", "pl") or die; print $f "x"; close $f; print -s "pl"'
fi
if python3 -m venv --without-pip venv >/dev/null 2>&1; then
	echo 'print("of the venv")' >"$(echo venv/lib/python*/site-packages)/mine.py"
	again venv/bin/python -c 'import mine, sys; print(sys.prefix == sys.base_prefix)'
fi

# Only what was used.
run_ learn -o ../p.json --chdir "$PWD" -- sh -c 'read a <file; cat dir/a; : >made' >/dev/null
cannot() { # WHAT STATUS WORD...
	local what=$1 want=$2 rc
	shift 2
	run_ --profile ../p.json --chdir "$PWD" -- "$@" >../out 2>&1
	rc=$?
	[ $rc = "$want" ] || fail "$what: status $rc: $(head -n 3 ../out)"
}
cannot "what was learnt" 0 sh -c 'read a <file && cat dir/a && : >made'
cannot "another file" 1 cat dir/sub/b
cannot "another program" 127 ls
cannot "writing what was read" 2 sh -c ': >file'
cannot "a new name" 2 sh -c ': >other'
run_ learn --merge -o ../p.json --chdir "$PWD" -- cat dir/sub/b >/dev/null
cannot "what was added" 0 cat dir/sub/b
cannot "what was learnt before" 0 sh -c 'read a <file && cat dir/a && : >made'

# What a search tries on its way isn't called refused; what is there and hidden is.
got=$(PATH=/nowhere/bin:/usr/games:/usr/local/sbin:$PATH run_ --explain --profile ../p.json --chdir "$PWD" -- sh -c 'cat dir/a; nosuchprogram; cat /etc/passwd' 2>&1 >/dev/null)
grep -q 'games\|local/sbin\|nosuchprogram"' <<<"$got" && fail "a search is called refused: $got"
grep -qF '"/etc/passwd" by openat (ENOENT)' <<<"$got" || fail "what was refused isn't told: $got"

# However it is tried. Written by hand: a file to read, one that isn't there, a directory for everything.
mkdir -p free hidden
echo SECRET >hidden/flag
echo readable >ro
cat >../p.json <<P
{ "version": 1,
  "options": [["setenv", "FROM", "profile"]],
  "paths": {
    "/**": "rwx",
    "$PWD/**": "r",
    "$PWD/free/**": "rw",
    "$PWD/hidden/**": "-"
  }
}
P
cat >free/attack.py <<'P'
import ctypes, os, socket, threading
top = os.getcwd()
bad = 0
def must_fail(what, f):
    global bad
    try:
        r = f()
    except OSError:
        return
    if r is not None and r is not False:
        bad += 1
        print("FAIL", what, r)
def rd(p, **k):
    fd = os.open(p, os.O_RDONLY, **k)
    return os.read(fd, 100)
assert os.environ["FROM"] == "profile"
assert rd("ro") == b"readable\n"
assert "hidden" not in os.listdir(".") and "ro" in os.listdir(".")
os.symlink(top + "/hidden", "free/s")
os.symlink("../ro", "free/t")
d, f = os.open("free", os.O_PATH), os.open("ro", os.O_RDONLY)
for p in ("hidden/flag", "free/s/flag", "free/../hidden/flag", "/proc/self/root" + top + "/hidden/flag", "/proc/self/cwd/hidden/flag",
          "/proc/self/fd/%d/../hidden/flag" % d, "/proc/1/root" + top + "/hidden/flag"):
    must_fail(p, lambda: rd(p))
    must_fail(p, lambda: os.stat(p))
must_fail("openat", lambda: rd("../hidden/flag", dir_fd=d))
W = os.O_RDWR
for p in ("ro", "free/t", "/proc/self/fd/%d" % f, "/dev/fd/%d" % f):
    must_fail("write " + p, lambda: os.open(p, W))
    must_fail("truncate " + p, lambda: os.truncate(p, 0) or True)
must_fail("fchmod", lambda: os.fchmod(f, 0o777) or True)
must_fail("futimes", lambda: os.utime(f) or True)
must_fail("chmod", lambda: os.chmod("ro", 0o777) or True)
must_fail("xattr", lambda: os.setxattr("ro", "user.x", b"1") or True)
must_fail("link", lambda: os.link("ro", "free/l") or True)
must_fail("link of a descriptor", lambda: os.link("/proc/self/fd/%d" % f, "free/l", follow_symlinks=True) or True)
must_fail("rename", lambda: os.rename("ro", "free/l") or True)
must_fail("rename over", lambda: os.rename("free/s", "ro") or True)
must_fail("rename of what holds it", lambda: os.rename(top, "/tmp/elsewhere") or True)
must_fail("unlink", lambda: os.unlink("ro") or True)
must_fail("mkdir", lambda: os.mkdir("hidden") or True)
must_fail("create", lambda: os.open("hidden", os.O_CREAT | W))
must_fail("rmdir", lambda: os.rmdir("hidden") or True)
must_fail("a socket", lambda: socket.socket(socket.AF_UNIX).bind("sock") or True)
must_fail("exec in free", lambda: os.system("cp /bin/true free/true && chmod 755 free/true && free/true 2>/dev/null") == 0)
# The name behind the descriptor is forgotten with the cache.
for i in range(30000):
    try:
        os.stat("/usr/share/none%d" % i)
    except OSError:
        pass
must_fail("write after eviction", lambda: os.open("/proc/self/fd/%d" % f, W))
must_fail("fchmod after eviction", lambda: os.fchmod(f, 0o777) or True)
# Directories change their places during walks.
os.mkdir("free/a")
os.mkdir("free/a/b")
stop = False
def turn():
    while not stop:
        os.rename("free/a/b", "free/b")
        os.rename("free/b", "free/a/b")
t = threading.Thread(target=turn)
t.start()
for i in range(800):
    for p in ("free/a/b/../../hidden/flag", "free/a/b/../../../hidden/flag", "free/b/../../hidden/flag"):
        must_fail("race " + p, lambda: rd(p))
stop = True
t.join()
libc = ctypes.CDLL(None, use_errno=True)
if os.getuid() == 0 and libc.chroot(b"free") == 0:
    # The working directory is outside of it, but not of the rules.
    for p in ("hidden/flag", "/../hidden/flag", "/s/flag"):
        must_fail("chroot " + p, lambda: rd(p))
print("done", bad)
P
got=$(timeout -k 1 60 "$SANDBOX" --profile ../p.json --chdir "$PWD" -- python3 free/attack.py 2>&1)
[ "$got" = "done 0" ] || fail "attacks: $got"
[ "$(cat ro)" = readable ] || fail "the host changed"
# All the ways of tests/security/escape.c, with a rule in place of --hide.
top=$(dirname "$PWD")
escape=$(dirname "$SANDBOX")/security/escape
printf '{"version": 1, "paths": {"/**": "rwx", "%s/hidden/**": "-"}}' "$top" >../p.json
if [ -x "$escape" ]; then
	got=$(timeout -k 1 60 "$SANDBOX" --profile ../p.json --chdir "$PWD" -- "$escape" "$top" 2>&1)
	grep '^FAIL' <<<"$got" && fail "escape"
	grep -q '^PASS' <<<"$got" || fail "escape did not run: $got"
fi

# The command line is the last to speak; the network only if it was used.
printf '{"version": 1, "options": [["hostname", "one"], ["net", "none"], ["setenv", "A", "1"]]}' >../p.json
got=$(run_ --hostname two --setenv A 2 --profile ../p.json -- sh -c 'uname -n; echo $A')
[ "$got" = $'two\n2' ] || fail "options override: $got"
run_ learn -o ../p.json --net host -- true
grep -q '"net"' ../p.json && fail "an unused network was learnt"
run_ learn -o ../p.json --net host --setenv A 1 -- python3 -c 'import socket; socket.socket().bind(("127.0.0.1", 0))'
grep -q '\["net", "host"\]' ../p.json && grep -q '\["setenv", "A", "1"\]' ../p.json || fail "options: $(head -n 9 ../p.json)"

# What is wrong, and where.
wrong() { # WANTED TEXT
	local got
	printf '%b' "$2" >../bad.json
	got=$(run_ --profile ../bad.json -- true 2>&1)
	[ $? = 125 ] && grep -qE -- "$1" <<<"$got" || fail "wanted $1: $got"
}
wrong 'bad.json:3: ' '{"version": 1,\n"paths": {\n"/a" "r"}}'
wrong 'bad.json:1: no "version"' '{"paths": {}}'
wrong 'bad.json:2: version 2' '{\n"version": 2}'
wrong 'bad.json:3: "path" is none of' '{"version": 1,\n\n"path": {}}'
wrong 'bad.json:4: /b: what may be done' '{"version": 1, "paths": {\n"/a]": "r",\n"/c\\"": "rwx",\n"/b": "rq"}}'
wrong 'bad.json:2: a/b: not an absolute path' '{"version": 1, "paths": {\n"a/b": "r"}}'
wrong 'bad.json:2: /a/\.\./b: a path has no' '{"version": 1, "paths": {\n"/a/../b": "r"}}'
wrong 'bad.json:2: /a/\*/b: \* and' '{"version": 1, "paths": {\n"/a/*/b": "r"}}'
wrong 'bad.json:3: that is in the profile' '{"version": 1, "options": [\n["net", "host"],\n["net", "some"]]}'
wrong 'bad.json:2: that is in the profile' '{"version": 1, "options": [\n["name", "x"]]}'
wrong 'bad.json:2: that is in the profile' '{"version": 1, "options": [\n["bind", "/usr"]]}'
wrong 'bad.json:2: that is in the profile' '{"version": 1, "options": [\n["clearenv", "x"]]}'
wrong 'duplicate' '{"version": 1, "paths": {"/a": "r", "/a": "w"}}'
finish
