# SPDX-License-Identifier: Apache-2.0
# users: root
# timeout: 400
# power.sh - a kept sandbox and the loss of power: whatever way a program took to have something on the disk, it's there afterwards, and what it never
# changed on purpose isn't lost. ext4's shutdown call stands in for the loss: from then on nothing more reaches the disk.
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
import ctypes, mmap, os, random, sys
seed, mode, told = int(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None
r = random.Random(seed)
def text(k): return (b"item %d\n" % k) * (1 + k * 7 % 3000)
def old(i): return (b"line of %d\n" % i) * (i * 100)
def put(f, data, flags=0):
    fd = os.open(f, os.O_RDWR | os.O_CREAT | flags, 0o600)
    assert os.write(fd, data) == len(data)
    return fd
def has(f, data):
    got = open(f, "rb").read()
    assert got == data, (f, len(got), len(data))
def sync_dir(d):
    fd = os.open(d, os.O_RDONLY); os.fsync(fd); os.close(fd)
way = ["fsync", "fdatasync", "O_SYNC", "O_DSYNC", "RWF_DSYNC", "msync", "sync", "syncfs", "rename", "unlink", "lower", "lower_sync", "chmod", "link"]
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
    elif w == "rename": put(f + ".tmp", text(k)); os.fsync(put(f + ".tmp", text(k))); os.rename(f + ".tmp", f); sync_dir(".")
    elif w == "unlink": put(f, text(k)); os.unlink("lower/%d" % (k % 100)) if os.path.exists("lower/%d" % (k % 100)) else None; os.unlink(f); sync_dir("lower")
    elif w == "lower": os.close(put("lower/%d" % (k % 100), b"more %d\n" % k, os.O_APPEND))  # promises nothing
    elif w == "lower_sync": os.close(put("lower/%d" % (k % 100), b"more %d\n" % k, os.O_APPEND | os.O_DSYNC))
    elif w == "chmod": fd = put(f, text(k)); os.fchmod(fd, 0o640); os.fsync(fd)
    elif w == "link": fd = put(f, text(k)); os.link(f, f + ".b"); os.fsync(fd)
def check(k, w):
    f = "new%d" % k
    if w == "sync": has("d%d/x" % k, text(k))
    elif w == "unlink": assert not os.path.exists(f), f; gone.add(k % 100)
    elif w in ("lower", "lower_sync"):
        if w == "lower_sync": sure.setdefault(k % 100, []).append(b"more %d\n" % k)
    elif w == "chmod": has(f, text(k)); assert os.stat(f).st_mode & 0o777 == 0o640, f
    elif w == "link": has(f, text(k)); assert os.stat(f + ".b").st_ino == os.stat(f).st_ino, f
    else: has(f, text(k)); assert not os.path.exists(f + ".tmp"), f
if mode == "run":
    for k in range(100):
        w = r.choice(way)
        do(k, w)
        os.write(1, b"%d\n" % (k + 1))
    os.write(1, b"done\n"); sys.stdin.read()
else:
    words = open(told).read().split()
    n = int(words[-1 - (words[-1] == "done")]) if words else 0
    gone, sure = set(), {}
    for k in range(n): w = r.choice(way); check(k, w)
    maybe = {(n % 100)} if n < 100 and r.choice(way) == "unlink" else set()
    for i in range(100):
        f = "lower/%d" % i
        if not os.path.exists(f):
            assert i in gone | maybe, f + " is gone"
            continue
        got = open(f, "rb").read()
        assert i not in gone or got.startswith(b"more"), f + " is back"
        assert i in gone or got.startswith(old(i)), (f, len(got), len(old(i)))
        if i not in gone: assert all(x in got for x in sure.get(i, [])), f
    print("ok", n)
PY
rounds=12
[ -z "${FULL:-}" ] || rounds=200
some=0
mkfifo hold
exec 9<>hold # a standard input that neither ends nor has anything
for i in $(seq $rounds); do
	mount -o loop disk /var/lib/sandbox || { fail "mount"; break; }
	"$SANDBOX" --name $n --chdir "$PWD" -- python3 work.py $i run >told 2>err <&9 &
	pid=$!
	for _ in $(seq 500); do [ -s told ] && break; sleep 0.01; done
	sleep 0.$(printf %03d $((RANDOM % 400)))
	python3 -c 'import fcntl, os, struct; fcntl.ioctl(os.open("/var/lib/sandbox", os.O_RDONLY), 0x8004587d, struct.pack("I", 2))' || { kill $pid; skip "no way to lose power"; }
	kill -KILL $pid
	wait $pid 2>/dev/null
	for _ in $(seq 100); do umount /var/lib/sandbox 2>/dev/null && break; sleep 0.05; done
	mount -o loop disk /var/lib/sandbox || { fail "mount after the loss"; break; }
	got=$("$SANDBOX" --name $n --chdir "$PWD" -- python3 work.py $i check told 2>&1)
	case $got in
	"ok 0") ;;
	ok*) some=$((some + 1)) ;;
	*) fail "seed $i: $got"; cat err ;;
	esac
	"$SANDBOX" discard $n || fail "discard"
	umount /var/lib/sandbox
done
[ $some -ge $((rounds / 2)) ] || fail "only $some of $rounds rounds were told anything"
finish
