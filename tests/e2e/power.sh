# SPDX-License-Identifier: Apache-2.0
# users: root
# timeout: 400
# power.sh - a kept sandbox and the loss of power: whatever way a program took to have something on the disk, it's there afterwards, and what it never
# changed on purpose isn't lost. ext4's shutdown call stands in for the loss: from then on nothing more reaches the disk. What a program is told
# after that call began counts for nothing: ext4 answers fsync(2) and the like with success then, natively too, for what will not be there.
. "${LIB:-$(dirname "$0")/lib.sh}"
need python3 mkfs.ext4 unshare losetup
if [ -z "${POWER_INSIDE:-}" ]; then
	mkdir -p /var/lib/sandbox
	truncate -s 96M disk
	mkfs.ext4 -q disk || skip "mkfs.ext4"
	unshare -m sh -c 'mount -o loop disk /var/lib/sandbox' 2>/dev/null || skip "no loop device"
	export POWER_INSIDE=1 LIB="${LIB:-$(dirname "$0")/lib.sh}"
	exec unshare -m bash "$0"
fi
n=power
mkdir lower
for i in $(seq 0 99); do yes "line of $i" | head -n $((i * 100)) >lower/$i; done
cat >work.py <<'PY'
import ctypes, mmap, os, random, signal, sys
seed, mode, told = int(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None
r = random.Random(seed)
def text(k): return (b"item %d\n" % k) * (1 + k * 7 % 3000)
def old(i): return (b"line of %d\n" % i) * (i * 100)
def put(f, data, flags=0):
    fd = os.open(f, os.O_RDWR | os.O_CREAT | flags, 0o600)
    assert os.write(fd, data) == len(data)
    return fd
def more(k, flags=0): return put("lower/%d" % k, b"more %d\n" % k, os.O_APPEND | flags)
def has(f, data):
    got = open(f, "rb").read()
    assert got == data, (f, len(got), len(data), got[:20])
def sync_dir(d):
    fd = os.open(d, os.O_RDONLY); os.fsync(fd); os.close(fd)
def replace(f, k):
    fd = put(f + ".tmp", text(k)); os.fsync(fd); os.close(fd); os.rename(f + ".tmp", f)
def version(f):
    got = open(f, "rb").read()
    k = int(got.split(b"\n")[0].split()[1]) if got else None
    assert got and got == text(k), (f, len(got), got[:20])
    return k
# What is done in step k, and how it's looked for. Every step has files of its own, but for "one", which is replaced again and again.
way = ["fsync", "fdatasync", "O_SYNC", "O_DSYNC", "RWF_DSYNC", "msync", "sync", "syncfs", "rename", "unlink", "lower", "lower_sync", "chmod", "link", "replace",
       "empty", "tmpfile", "reopen"]
def do(k, w):
    f = "new%d" % k
    if w in ("fsync", "fdatasync"): getattr(os, w)(put(f, text(k)))
    elif w in ("O_SYNC", "O_DSYNC"): put(f, text(k), getattr(os, w))
    elif w == "RWF_DSYNC": os.pwritev(os.open(f, os.O_WRONLY | os.O_CREAT), [text(k)], 0, os.RWF_DSYNC)
    elif w == "msync":
        fd = os.open(f, os.O_RDWR | os.O_CREAT); os.ftruncate(fd, len(text(k)))
        m = mmap.mmap(fd, 0); m[:] = text(k); m.flush()
    elif w == "sync": os.mkdir("d%d" % k); put("d%d/x" % k, text(k)); os.sync()
    elif w == "syncfs":
        fd = put(f, text(k))
        if ctypes.CDLL(None).syncfs(fd): raise OSError("syncfs")
    elif w == "rename": replace(f, k); sync_dir(".")
    elif w == "unlink": put(f, text(k)); os.unlink("lower/%d" % k); os.unlink(f); sync_dir("lower")
    elif w == "lower": os.close(more(k))  # promises nothing
    elif w == "lower_sync": os.close(more(k, os.O_DSYNC))
    elif w == "chmod": fd = put(f, text(k)); os.fchmod(fd, 0o640); os.fsync(fd)
    elif w == "link": fd = put(f, text(k)); os.link(f, f + ".b"); os.fsync(fd)
    elif w == "replace": replace("one", k); k % 2 or sync_dir(".")
    elif w == "empty": os.close(os.open(f, os.O_CREAT | os.O_RDWR)); os.mkdir("d%d" % k); os.symlink(f, f + ".l"); sync_dir(".")
    elif w == "tmpfile":
        fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600); os.write(fd, text(k))
        os.link("/proc/self/fd/%d" % fd, f, src_dir_fd=os.open("/", os.O_RDONLY)); os.fsync(fd)
    elif w == "reopen":  # whoever has the lower's data open keeps the inode; gone or whole, since nothing says which
        a = os.open("lower/%d" % k, os.O_RDONLY); b = more(k, os.O_DSYNC); os.unlink("lower/%d" % k); os.close(a); os.close(b)
def check(k, w):
    f = "new%d" % k
    if w == "sync": has("d%d/x" % k, text(k))
    elif w == "unlink": assert not os.path.exists(f), f; gone.add(k)
    elif w == "lower": pass
    elif w in ("lower_sync", "reopen"): sure[k] = b"more %d\n" % k
    elif w == "chmod": has(f, text(k)); assert os.stat(f).st_mode & 0o777 == 0o640, f
    elif w == "link": has(f, text(k)); assert os.stat(f + ".b").st_ino == os.stat(f).st_ino, f
    elif w == "replace": assert k % 2 or version("one") >= k, version("one")
    elif w == "empty": has(f, b""); assert os.readlink(f + ".l") == f and os.path.isdir("d%d" % k), f
    else: has(f, text(k)); assert not os.path.exists(f + ".tmp"), f
def tell(k): os.write(1, b"%d\n" % k)
early = ["early%d" % i for i in range(3)]
if mode == "early":  # a run before, of which nothing is promised but the first content of early.one
    replace("early.one", 500); sync_dir(".")
    if seed % 2: replace("early.one", 501)
    else:
        for i, f in enumerate(early): put(f, text(i))
    for i in range(40): os.mkdir("made%d" % i)  # ext4 may well bring the last page of the journal to the disk, not what's before
    tell(1)
    signal.pause()
elif mode == "run":
    tell(1)
    for f in early:
        if os.path.exists(f): os.fsync(os.open(f, os.O_RDONLY))
    tell(2)
    for k in range(100):
        w = r.choice(way)
        do(k, w)
        tell(k + 3)
    signal.pause()
else:
    n = len(open(told).read().split()) - 2
    gone, maybe, sure = set(), set(), {}
    if mode == "check_early":
        assert version("early.one") >= 500
        if n >= 0 and seed % 2 == 0:
            for i, f in enumerate(early): has(f, text(i))
    for k in range(100):
        w = r.choice(way)
        if k < n: check(k, w)
        if w == "reopen" or (w == "unlink" and k >= n): maybe.add(k)
    if os.path.exists("one"): version("one")
    for i in range(100):
        f = "lower/%d" % i
        if not os.path.exists(f):
            assert i in gone | maybe, f + " is gone"
            continue
        got = open(f, "rb").read()
        assert i not in gone, f + " is back"
        assert got.startswith(old(i)) and sure.get(i, b"") in got, (f, len(got), len(old(i)))
    print("ok", n)
PY
# lose.py HOW STEPS TOLD COMMAND... - runs it until it has told so many steps, puts these into TOLD, and ends it: with "power", power is lost first;
# with "neighbour", another program has fsync(2) done before that, which brings changes of the file system's structure to the disk, ours with them;
# with "kill" it's only killed. Steps, not time: however slow the host is, each round comes to a loss at the point that was chosen.
cat >lose.py <<'PY'
import fcntl, os, select, struct, subprocess, sys
how, steps, told, disk = sys.argv[1], int(sys.argv[2]), sys.argv[3], "/var/lib/sandbox"
p = subprocess.Popen(sys.argv[4:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
got = b""
while got.count(b"\n") < steps:
    x = os.read(p.stdout.fileno(), 4096) if select.select([p.stdout], [], [], 100)[0] else b""
    if not x:
        p.kill(); sys.exit("only %d of %d steps" % (got.count(b"\n"), steps))
    got += x
if how == "neighbour":
    fd = os.open(disk + "/.neighbour", os.O_RDWR | os.O_CREAT, 0o600); os.write(fd, b"x"); os.fsync(fd); os.close(fd)
if how != "kill":
    # The shutdown without a flush of the file system's journal: what is in it already counts.
    fd = os.open(disk, os.O_RDONLY); fcntl.ioctl(fd, 0x8004587d, struct.pack("I", 2)); os.close(fd)
p.kill()
p.wait()
open(told, "wb").write(got)
PY
rounds=12
[ -z "${FULL:-}" ] || rounds=200
# Until nobody has the file system any more, not even the sandbox in namespaces of its own: a mount before that would be the old one, without power.
off() {
	local i
	for i in $(seq 500); do
		umount /var/lib/sandbox 2>/dev/null
		[ -n "$(losetup -j disk)" ] || return 0
		sleep 0.02
	done
	fail "the disk is still in use"
	exit 1
}
run() { python3 lose.py "$1" "$2" "$3" "$SANDBOX" --name $n --chdir "$PWD" -- python3 work.py "$i" "$4" 2>err; }
for i in $(seq $rounds); do
	mount -o loop disk /var/lib/sandbox || { fail "mount"; break; }
	check=check
	how=power
	steps=$((2 + i * 37 % 97))
	[ $((i % 2)) = 0 ] || how=neighbour
	if [ $((i % 3)) = 0 ]; then
		check=check_early
		run kill 1 told.early early || fail "seed $i, the run before: $(cat err)"
		# At once, or after a promise about what that run made.
		[ $((i % 9)) != 3 ] || steps=$((2 - i % 2))
	fi
	run $how $steps told run || { fail "seed $i: $(tail -n 3 err)"; break; }
	off
	mount -o loop disk /var/lib/sandbox || { fail "mount after the loss"; break; }
	got=$("$SANDBOX" --name $n --chdir "$PWD" -- python3 work.py "$i" $check told 2>&1)
	case $got in
	ok*) ;;
	*) fail "seed $i, $how after $steps steps: $got" ;;
	esac
	"$SANDBOX" discard $n || fail "discard"
	off
done
finish
