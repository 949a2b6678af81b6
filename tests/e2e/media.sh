# SPDX-License-Identifier: Apache-2.0
# --overlay with every medium: where the data goes, what the host sees of it, limits, what is left behind.
# timeout: 400
. "$(dirname "$0")/lib.sh"
here=$PWD
# So that an ordinary user may write anywhere, too.
printf '#!/bin/sh\ncase $1 in gc|discard) ;; *) set -- --fakeroot "$@" ;; esac\nexec %s "$@"\n' "$SANDBOX" >fake
chmod 755 fake
SANDBOX=$here/fake
chmod 755 "$(dirname "$here")"
mkdir -p store lower/sub && echo low >lower/f && echo other >lower/g
stores() { find "$here" -name '.sandbox.filestore.*' -prune; }
media="root:memory all:memory root:dir=$here/store all:dir=$here/store"
[ "$(id -u)" != 0 ] || media="$media root:self all:self"

# The host stays as it is, and nothing is left: not even the time of a directory in which self makes another.
before=$(manifest lower)
for m in $media; do
	is 0 $'changed\nnew\nlow' --overlay "$m" -- sh -c "cd '$here/lower' && cp f h && echo changed > f && echo new > n && cat f n h && mv f sub/f && rm g"
	is 0 $'low\nmine' --overlay "$m" --cow-bind lower /mnt -- sh -c 'cat /mnt/f; echo mine > /mnt/f; cat /mnt/f'
	is 0 3 --overlay "$m" -- sh -c 'printf "#!/bin/sh\nexit 3\n" > /x && chmod +x /x; /x; echo $?'
done
[ "$before" = "$(manifest lower)" ] || fail "the host changed: $(diff <(echo "$before") <(manifest lower))"
[ -z "$(stores)" ] || fail "left: $(stores)"

# self below a cow bind: an ordinary user can do that, too; and the program doesn't see it, whatever it tries with that very name.
mkfifo go said
"$SANDBOX" --overlay all:self --overlay root:memory --cow-bind lower /mnt -- sh -c '
	echo x > /mnt/n; echo ready; read name
	ls -A /mnt; stat "/mnt/$name" 2>&1 | grep -c "No such file"; ls "/mnt/$name" 2>&1 | grep -c "No such file"; cat "/mnt/$name/1" 2>/dev/null
	stat -c %h /mnt; mkdir "/mnt/$name" && echo mine > "/mnt/$name/1" && cat "/mnt/$name/1" && ls -A /mnt | grep -c filestore
	rm -r "/mnt/$name" && echo file > "/mnt/$name" && cat "/mnt/$name" && mv "/mnt/$name" /mnt/sub && ls -A /mnt/sub | grep -c filestore' <go >said &
exec 8>go 9<said
read -r x <&9
name=$(basename "$(find lower -name '.sandbox.filestore.*')")
case $name in .sandbox.filestore.*) ;; *) fail "no filestore in lower" ;; esac
[ "$(stat -c %a "lower/$name")" = 700 ] || fail "mode of the filestore"
echo "$name" >&8
exec 8>&-
got=$(cat <&9)
exec 9<&-
wait
want=$'f\ng\nn\nsub\n1\n1\n3\nmine\n1\nfile\n1'
[ "$got" = "$want" ] || fail "the filestore shows: $got"
[ "$before" = "$(manifest lower)" ] || fail "self left something"
# Nor do others: through the root, a bind.
mkdir "store/.sandbox.filestore.0123456789abcdef" && echo data >"store/.sandbox.filestore.0123456789abcdef/1"
is 0 "" -- ls -A "$here/store"
is 0 "" --ro-bind store /mnt -- ls -A /mnt
is 0 "" --bind store /mnt -- sh -c 'ls -A /mnt; cat /mnt/.sandbox.filestore.0123456789abcdef/1 2>/dev/null; rm -rf /mnt/.sandbox.filestore.0123456789abcdef; mkdir /mnt/.sandbox.filestore.0123456789abcdef 2>/dev/null; :'
[ "$(cat store/.sandbox.filestore.0123456789abcdef/1)" = data ] || fail "a bind reached a filestore"

# gc takes what nobody holds, and leaves what isn't a filestore and what is in use.
mkdir store/.sandbox.filestore.x store/.sandbox.filestore.0123456789ABCDEF
"$SANDBOX" gc store 2>/dev/null || fail "gc"
[ "$(ls -A store | sort)" = $'.sandbox.filestore.0123456789ABCDEF\n.sandbox.filestore.x' ] || fail "gc: $(ls -A store)"
rmdir store/.sandbox.filestore.*
# Killed, in every order: sandbox alone, and everything.
kill_one() {
	"$SANDBOX" --overlay "root:dir=$here/store" -- sh -c 'echo x > /f; echo ready; sleep 100' >said &
	pid=$!
	read -r x <said
	[ -n "$(stores)" ] || fail "no filestore"
	"$SANDBOX" gc "$here/store" 2>/dev/null
	[ -n "$(stores)" ] || fail "gc took one that is in use"
}
kill_one
kill -KILL $pid
wait $pid 2>/dev/null
for i in $(seq 100); do "$SANDBOX" gc store 2>/dev/null; [ -z "$(stores)" ] && break; sleep 0.05; done
[ -z "$(stores)" ] || fail "left after SIGKILL and gc: $(stores)"
kill_one
kill -KILL $pid
wait $pid 2>/dev/null
for i in $(seq 100); do is 0 "" --overlay "root:dir=$here/store" -- true; [ -z "$(stores)" ] && break; sleep 0.05; done
[ -z "$(stores)" ] || fail "left after SIGKILL and the next start: $(stores)"
kill_one
kill -KILL $(pgrep -P $pid)
wait $pid 2>/dev/null
[ -z "$(stores)" ] || fail "left after the supervisor's SIGKILL: $(stores)"
kill_one
kill -TERM $pid
wait $pid 2>/dev/null
[ -z "$(stores)" ] || fail "left after SIGTERM: $(stores)"
# A place that can't be used is said, and nothing is left.
"$SANDBOX" --overlay root:dir=/proc -- true 2>said.err
[ $? = 125 ] && grep -q "filestore in /proc" said.err || fail "a useless place: $(cat said.err)"
"$SANDBOX" --overlay "all:dir=$here/store" --bind "$here/lower" /proc/self/x -- true 2>/dev/null
[ -z "$(stores)" ] || fail "left after a failed start: $(stores)"

# What the host sees is what the guest uses, at once: after writing, unlink, truncate, a hole.
cat >du.py <<'P'
import os, sys, ctypes, subprocess, time
def step(what, want):
    # A deleted file's space comes back with its last descriptor, a moment after.
    print(what, want, flush=True)
    assert sys.stdin.readline()
d, low = sys.argv[1:]
os.mkdir(d)
fd = os.open(f"{d}/big", os.O_RDWR | os.O_CREAT)
for i in range(64): os.write(fd, b"x" * (1 << 20))
step("written", 64 << 20)
libc = ctypes.CDLL(None, use_errno=True)
assert not libc.fallocate(fd, 3, ctypes.c_long(16 << 20), ctypes.c_long(16 << 20))
step("punched", 48 << 20)
os.ftruncate(fd, 8 << 20)
step("truncated", 8 << 20)
for i in range(2000): open(f"{d}/f{i}", "w").write("y" * 5000)
step("small", (8 << 20) + 2000 * 8192)
for i in range(2000): os.unlink(f"{d}/f{i}")
step("unlinked", 8 << 20)
os.unlink(f"{d}/big")
step("open", 8 << 20)
os.close(fd)
step("closed", 0)
os.system(f"cat {low} {low} > {d}/copied; echo more >> {low}")
step("copied up", 3 * 4096 * 1024)
P
head -c $((4096 * 1024)) /dev/zero | tr '\0' z >lower/z
mkfifo in out
watch_du() { # STORE TURNS DIR LOWER OPTIONS... - du of STORE, a pattern, is what the guest uses, after so many turns of 50 ms at most
	local store=$1 turns=$2 dir=$3 low=$4 what more want got diff i last=
	shift 4
	"$SANDBOX" "$@" -- python3 du.py "$dir" "$low" <in >out 2>du.err &
	exec 8>in 9<out
	while read -r -u 9 what more; do
		want=${more##* }
		last="$what $more"
		for i in $(seq $turns); do
			# shellcheck disable=SC2086
			got=$(($(du -s --block-size=1 $store 2>/dev/null | cut -f1)))
			diff=$((got > want ? got - want : want - got))
			[ $diff -le $((want / 50 > 1048576 ? want / 50 : 1048576)) ] && break
			sleep 0.05
		done
		[ "$i" -lt "$turns" ] || fail "$*: $what: du says $got, the guest uses $want"
		echo >&8
	done
	exec 8>&- 9<&-
	wait
	[ "${last#copied up}" != "$last" ] || fail "$*: only got to $last"
	cat du.err
}
watch_du "store/.sandbox.filestore.*/" 12 /d "$here/lower/z" --overlay "root:dir=$here/store"
watch_du "lower/.sandbox.filestore.*/" 12 /mnt/d /mnt/z --overlay root:memory --overlay all:self --cow-bind lower /mnt
# There space is free when the journal that says so is on the disk.
n=test-media-$$
[ "$(id -u)" = 0 ] && state=/var/lib || state=$here/state
XDG_STATE_HOME=$here/state watch_du "$state/sandbox/$n/data/store/" 100 /d "$here/lower/z" --name $n
XDG_STATE_HOME=$here/state "$SANDBOX" discard $n
rm lower/z

# Limits, on every medium: ENOSPC exactly, a true df, and what is deleted can be used again.
sizes="root:memory root:dir=$here/store"
[ "$(id -u)" != 0 ] || sizes="$sizes root:self"
for m in $sizes; do
	for opts in "--overlay $m,size=16M" "--max-disk 16MiB --overlay $m" "--max-disk 16M --overlay $m,size=1g"; do
		# shellcheck disable=SC2086
		got=$("$SANDBOX" $opts -- sh -c '
			[ "$(df -B1 --output=size / | tail -1)" -eq 16777216 ] || df -B1 /
			dd if=/dev/zero of=/a bs=64k count=100 2>/dev/null && echo wrote
			[ "$(df -B1 --output=used / | tail -1)" -eq 6553600 ] || df -B1 /
			dd if=/dev/zero of=/b bs=64k count=1000 2>&1 | grep -c "No space left"
			[ "$(($(stat -c %s /a /b | paste -sd+)))" = 16777216 ] || stat -c %s /a /b
			[ "$(df -B1 --output=avail / | tail -1)" -eq 0 ] || df -B1 /
			dd if=/dev/zero of=/a bs=64k count=100 conv=notrunc 2>/dev/null && echo overwrote
			rm /b; dd if=/dev/zero of=/c bs=64k count=150 2>/dev/null && echo again
			rm /a /c; [ "$(df -B1 --output=used / | tail -1)" -lt 65536 ] || df -B1 /' 2>&1)
		[ "$got" = $'wrote\n1\noverwrote\nagain' ] || fail "$opts: $got"
	done
	is 0 $'30\n1\n1' --overlay "$m,inodes=30" -- sh -c 'i=0; while mkdir /d$i 2>/dev/null && i=$((i+1)) && touch /d$i 2>/dev/null; do i=$((i+1)); done; echo $i; df --output=iavail / | tail -1 | grep -c " 0$"; rmdir /d3 /d5; ln -s x /l && mkdir /m; mkdir /n 2>&1 | grep -c "No space left"'
done
is 0 "1" --max-disk 8M --overlay all:memory --cow-bind lower /mnt -- sh -c 'dd if=/dev/zero of=/a bs=64k count=100 2>/dev/null; dd if=/dev/zero of=/mnt/a bs=64k count=100 2>&1 | grep -c "No space left"'
is 0 "1" --max-disk 8M --overlay "root:dir=$here/store" --overlay all:memory --cow-bind lower /mnt -- sh -c 'dd if=/dev/zero of=/a bs=64k count=100 2>/dev/null; dd if=/dev/zero of=/mnt/a bs=64k count=100 2>&1 | grep -c "No space left"'
# Every way to write.
cat >ways.py <<'P'
import os, sys
src = os.open("/src", os.O_RDWR | os.O_CREAT)
os.write(src, b"s" * 3000000)
n = 0
def full(what, fn):
    fd = os.open("/dst", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        for i in range(10): fn(fd)
        print(what, "never ends", os.fstat(fd).st_size)
    except OSError as e:
        if e.errno != 28: print(what, e)
    if os.fstat(fd).st_blocks * 512 > 8 << 20: print(what, "too large", os.fstat(fd).st_blocks * 512)
    os.close(fd)
    os.unlink("/dst")
b = b"x" * 1000000
full("write", lambda fd: os.write(fd, b))
full("writev", lambda fd: os.writev(fd, [b, b]))
def pw(fd):
    global n
    n += 1
    return os.pwrite(fd, b, n * 1000000)
full("pwrite", pw)
full("pwritev", lambda fd: os.pwritev(fd, [b], os.fstat(fd).st_size))
full("sendfile", lambda fd: os.sendfile(fd, src, 0, 1 << 30))
full("copy_file_range", lambda fd: os.copy_file_range(src, fd, 1 << 30, 0))
full("fallocate", lambda fd: os.posix_fallocate(fd, os.fstat(fd).st_size, 1000000))
r, w = os.pipe()
os.set_blocking(w, False)
def sp(fd):
    # The last splice before the end may leave something in the pipe.
    try: os.write(w, b"p" * 65536)
    except BlockingIOError: pass
    os.splice(r, fd, 65536)
full("splice", lambda fd: [sp(fd) for i in range(20)])
fd = os.open("/sparse", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 1 << 40)
print("done")
P
for m in $sizes; do is 0 done --overlay "$m,size=8M" -- python3 "$here/ways.py"; done
is 0 done --overlay "root:dir=$here/store,size=1G" -- sh -c 'i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); done | tr a b | tail -1 >/dev/null; echo done'

# A limit of open files, and many files: the supervisor's memory stays bounded.
(
	ulimit -n 1024
	got=$("$SANDBOX" --stats --overlay "root:dir=$here/store" -- python3 -c '
import os
os.mkdir("/m")
for d in range(100):
    os.mkdir(f"/m/{d}")
    for i in range(300):
        with open(f"/m/{d}/file{i}", "w") as f: f.write("some text")
print(sum(len(f) for _, _, f in os.walk("/m")))
' 2>stats.err)
	[ "$got" = 30000 ] || echo "FAIL many files: $got $(tail -3 stats.err)"
	kib=$(sed -n 's/.*supervisor: \([0-9]*\) KiB.*/\1/p' stats.err)
	# ASan's quarantine and red zones count too.
	[ -n "${ASAN_OPTIONS:-}" ] || [ "${kib:-99999}" -lt $((4096 + 30000 * 448 / 1024)) ] || echo "FAIL $kib KiB for 30,000 files"
	grep -q "upper: 30000 files, $((30000 * 4096)) bytes" stats.err || echo "FAIL --stats: $(grep upper: stats.err)"
) >many.out
[ ! -s many.out ] || fail "$(cat many.out)"
[ -z "$(stores)" ] || fail "left at the end: $(stores)"

# Nested and overlapping binds in any order, each with its own rule.
mkdir -p t/a/b t/c && echo 1 >t/a/f && echo 2 >t/a/b/f && echo 3 >t/c/f
before=$(manifest t/c t/a/b)
is 0 $'1\n3\n2' --cow-bind t /x --ro-bind t/c /x/a/b --bind t/a /y -- sh -c 'cat /x/a/f /x/a/b/f /y/b/f; echo n > /x/a/f; echo n > /y/new; echo n > /x/a/b/f; :' 2>/dev/null
is 0 $'3\nn' --bind t/c /x/a --cow-bind t/c /x/a -- sh -c 'cat /x/a/f; echo n > /x/a/f; cat /x/a/f'
is 0 $'1\n1' --ro-bind t/a /x/y/z --cow-bind t/a /x/y/z/b -- sh -c 'cat /x/y/z/f /x/y/z/b/f; echo n > /x/y/z/b/f; echo n > /x/y/z/g; :'
[ "$before" = "$(manifest t/c t/a/b)" ] && [ "$(cat t/a/new)" = n ] && [ "$(cat t/a/f)" = 1 ] || fail "nested binds"
finish
