# SPDX-License-Identifier: Apache-2.0
# users: root
# reach.sh - no descriptor that the supervisor holds leads to the host: not by ".." from a directory, whichever media and layers there are.
. "${LIB:-$(dirname "$0")/lib.sh}"
need python3
n=test-reach-$$
trap '"$SANDBOX" discard $n-top $n 2>/dev/null' EXIT
mkdir d b
cat >reach.py <<'PY'
import os, stat, subprocess, sys
p = subprocess.Popen(sys.argv[1:] + ["--", "sh", "-c", "echo go; read x"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
assert p.stdout.readline() == b"go\n"
def ident(st): return st.st_dev, st.st_ino
host, dirs = ident(os.stat("/")), 0
for child in open("/proc/%d/task/%d/children" % (p.pid, p.pid)).read().split():
    if open("/proc/%s/comm" % child).read() != "sandbox-super\n": continue
    for name in os.listdir("/proc/%s/fd" % child):
        path = "/proc/%s/fd/%s" % (child, name)
        if not stat.S_ISDIR(os.stat(path).st_mode): continue
        dirs += 1
        shown, at = os.readlink(path), os.open(path, os.O_PATH)
        while True:
            up = os.open("..", os.O_PATH, dir_fd=at)
            if ident(os.fstat(up)) == host: print("descriptor", name, shown, "leads to the host")
            if ident(os.fstat(up)) in (ident(os.fstat(at)), host): break
            at = up
if dirs < 4: print("only", dirs, "directories seen")
p.kill()
p.wait()
PY
reach() {
	# One of the caller's own, too.
	got=$(python3 reach.py "$SANDBOX" "$@" 7</usr 2>&1)
	[ -z "$got" ] || fail "sandbox $*: $got"
}
reach
reach --overlay root:dir="$PWD/d"
reach --overlay root:self
reach --overlay none --bind "$PWD/b" /mnt
reach --name $n
reach --name $n --cow-bind "$PWD/b" /mnt
reach --name $n-top --from $n --tmpfs /run
finish
