# SPDX-License-Identifier: Apache-2.0
# users: root
# timeout: 240
# nospace.sh - the host's own file system is full: of a store, of a kept layer's journal and data. The program gets ENOSPC and goes on, what was there
# stays whole, and the space of what's deleted can be used again.
. "${LIB:-$(dirname "$0")/lib.sh}"
need python3 mkfs.ext4 unshare losetup
if [ -z "${NOSPACE_INSIDE:-}" ]; then
	mkdir -p /var/lib/sandbox
	export NOSPACE_INSIDE=1 LIB="${LIB:-$(dirname "$0")/lib.sh}"
	exec unshare -m bash "$0"
fi
mkdir lower
for i in $(seq 200); do yes "line of $i" | head -n 300 >lower/$i; done
cat >fill.py <<'PY'
import errno, os, random, sys
seed, mode, big = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def text(k, n): return (b"%08d" % k) * n
# Whatever a call says: it was done, or it was ENOSPC and nothing was.
def tried(f, *a):
    try: f(*a); return True
    except OSError as e:
        if e.errno != errno.ENOSPC: raise
        full[0] += 1
        return False
full = [0]
model = {}
def put(f, data, flags):
    fd = os.open(f, os.O_RDWR | os.O_CREAT | flags, 0o600)
    model.setdefault(f, [b""])
    try:
        n = 0
        while n < len(data): n += os.write(fd, data[n:])
    finally:
        now = os.pread(fd, 1 << 24, 0)
        assert model[f][0] + data[:n] == now, (f, len(now), len(model[f][0]), n)
        model[f][0] = now
        os.close(fd)
def append(f):
    had = open(f, "rb").read()
    fd = os.open(f, os.O_WRONLY | os.O_APPEND)
    m = model.setdefault(f, [had])  # links share it
    try: n = os.write(fd, b"more\n"); m[0] += b"more\n"[:n]
    finally: os.close(fd)
def run():
    r = random.Random(seed)
    os.makedirs("d", exist_ok=True)
    for k in range(1500):
        op = r.randrange(8)
        names = sorted(model)
        if op < 3: tried(put, "d/n%d" % k, text(k, r.choice([0, 1, 100, 3000, 20000])), 0)
        elif op == 3: tried(append, "lower/%d" % (1 + k % 200)) if os.path.exists("lower/%d" % (1 + k % 200)) else None
        elif op == 4 and names and full[0] % 20 == 19:
            for f in names[: len(names) // 2]: os.unlink(f); del model[f]
            full[0] += 1
        elif op == 5 and names:
            f = r.choice(names)
            if tried(os.rename, f, f + "x"): model[f + "x"] = model.pop(f)
        elif op == 6: tried(os.mkdir, "d/dir%d" % k)
        elif op == 7 and names:
            f = r.choice(names)
            if tried(os.link, f, "d/l%d" % k): model["d/l%d" % k] = model[f]
def check():
    for f, (data,) in model.items():
        got = open(f, "rb").read()
        assert got == data, (f, len(got), len(data))
# At once, not when the sandbox comes to it.
def again():
    for f in list(model): os.unlink(f)
    put("d/again", b"a" * big, 0)
if mode == "again":
    model = eval(open("/dev/stdin").read())
    check()
    again()
    print("again")
else:
    run()
    check()
    print("full" if full[0] else "never full")
    if mode == "once": print(repr(model))
    else: again()
PY
seeds="1 2"
[ -z "${FULL:-}" ] || seeds=$(seq 20)
for i in $seeds; do
	size=$(((4 + i % 3 * 4) << 20))
	big=$((size / 8)) # ext4 takes its part, and a layer has 1 MiB in reserve for its journal
	truncate -s 0 disk
	truncate -s $size disk
	mkfs.ext4 -q -N 3000 disk && mkdir -p disk.d && mount -o loop disk disk.d 2>/dev/null || skip "no loop device"
	got=$("$SANDBOX" --overlay "root:dir=$PWD/disk.d" --chdir "$PWD" -- python3 fill.py $i unkept $big 2>err)
	[ "$got" = full ] || fail "dir, seed $i: $got $(cat err)"
	[ -z "$(find disk.d -name '.sandbox*')" ] || fail "the store is left"
	mount --bind disk.d /var/lib/sandbox
	"$SANDBOX" --name full --chdir "$PWD" -- python3 fill.py $i once $big >out 2>err
	rc=$?
	[ $rc = 0 ] && [ "$(head -n 1 out)" = full ] || fail "named, seed $i: status $rc, $(head -c 300 out) $(cat err)"
	got=$(sed 1d out | "$SANDBOX" --name full --chdir "$PWD" -- python3 fill.py $i again $big 2>&1)
	[ "$got" = again ] || fail "named, reopened, seed $i: $got $(df disk.d | tail -n 1)"
	"$SANDBOX" discard full || fail discard
	umount /var/lib/sandbox disk.d
done
finish
