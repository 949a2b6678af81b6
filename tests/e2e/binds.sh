# SPDX-License-Identifier: Apache-2.0
# --bind, --ro-bind, --tmpfs, --hide, their order, environment, host name.
. "$(dirname "$0")/lib.sh"
top=$(dirname "$PWD")
mkdir -p "$top/b/sub" && echo host >"$top/b/f" && cd "$top" || exit 1
[ "$("$SANDBOX" --bind b /mnt -- cat /mnt/f)" = host ] || fail "--bind with a relative source"
"$SANDBOX" --bind "$top/b" /mnt -- sh -c 'echo changed > /mnt/f; echo new > /mnt/sub/n; mkdir /mnt/d; ln -s f /mnt/l; chmod 600 /mnt/f; rm -f /mnt/none'
[ "$(cat b/f)" = changed ] && [ "$(cat b/sub/n)" = new ] && [ -d b/d ] && [ "$(readlink b/l)" = f ] && [ "$(stat -c %a b/f)" = 600 ] ||
	fail "changes in a bind reach the host"
"$SANDBOX" --bind "$top/b" /mnt -- sh -c 'mv /mnt/sub/n /mnt/n2 && rmdir /mnt/sub /mnt/d && rm /mnt/l' || fail "rename and removal in a bind"
[ "$(ls b)" = $'f\nn2' ] || fail "left in the bind: $(ls b)"
[ "$(stat -c %u b/n2)" = "$(id -u)" ] || fail "owner of a new file in a bind"
before=$(manifest b)
for c in 'echo x > /mnt/f' 'echo x > /mnt/new' 'mkdir /mnt/d' 'rm -f /mnt/f' 'chmod 777 /mnt/f' 'mv /mnt/f /mnt/g' 'ln -s x /mnt/l' 'touch /mnt/f' \
	'truncate -s 0 /mnt/f' 'ln /mnt/f /mnt/h' 'exec 3<>/mnt/f && echo x >&3' 'exec 3</mnt/f && chmod 777 /proc/self/fd/3'; do
	"$SANDBOX" --ro-bind "$top/b" /mnt -- sh -c "$c" 2>/dev/null && fail "a read-only bind took: $c"
done
[ "$before" = "$(manifest b)" ] || fail "a read-only bind has changed"
"$SANDBOX" --ro-bind "$top/b" /mnt -- sh -c 'echo x > /mnt/f' 2>&1 | grep -q 'Read-only file system' || fail "EROFS"
is 0 changed --ro-bind "$top/b/f" /tmp/a-file -- cat /tmp/a-file
is 0 changed --bind "$top/b" /new/deep/place -- cat /new/deep/place/f
[ ! -e /new ] || fail "a mount point was made on the host"
is 0 "" --tmpfs "$top/b" -- ls "$top/b"
is 0 $'f\nn2' --tmpfs /mnt --bind "$top/b" /mnt/x -- ls /mnt/x
is 0 "" --bind "$top/b" /mnt/x --tmpfs /mnt -- ls /mnt
is 0 "" --hide "$top/b/f" -- sh -c "! grep -qs changed '$top/b/f'" # root may read it, and finds nothing
is 0 "" --hide "$top/hidden" -- sh -c "cat '$top/hidden/flag' 2>/dev/null || :"
is 0 "" --hide /no/such/path -- true
is 0 "$top/b" --chdir "$top/b" -- pwd
is 0 "two words" --setenv A "two words" -- sh -c 'echo "$A"'
is 0 "A=2" --clearenv --setenv A 1 --setenv B 1 --unsetenv B --setenv A 2 -- /usr/bin/env
is 0 "unset" --unsetenv HOME -- sh -c 'echo "${HOME-unset}"'
is 0 "a-name" --hostname a-name -- uname -n
# A change on the host is seen while the sandbox runs.
mkfifo go
"$SANDBOX" --bind "$top/b" /mnt -- sh -c 'cat /mnt/f; echo ready; read x; cat /mnt/f; cat /mnt/late' <go >out.txt &
exec 9>go
for i in $(seq 100); do grep -q ready out.txt && break; sleep 0.05; done
echo again >b/f
echo late >b/late
echo >&9
exec 9>&-
wait $!
[ "$(cat out.txt)" = $'changed\nready\nagain\nlate' ] || fail "a bind is coherent with the host: $(cat out.txt)"
# --overlay: none is read-only, all:memory keeps binds from the host.
is 2 "" --overlay none -- sh -c "echo x > '$top/w/file'" # what dash ends with after a failed redirection
is 1 "" --overlay none -- sh -c 'mkdir /usr/x || mkdir /tmp/x'
before=$(manifest b)
is 0 y --overlay all:memory --bind "$top/b" /mnt -- sh -c 'echo y > /mnt/f; cat /mnt/f'
[ "$before" = "$(manifest b)" ] || fail "all:memory let a change of a bind through"
# Another root.
mkdir -p r/bin && { command -v busybox >/dev/null && cp "$(command -v busybox)" r/bin/ && is 0 root-of-its-own --root r -- /bin/busybox echo root-of-its-own; }
if command -v flock >/dev/null; then
	is 0 locked --overlay none -- flock "$top/b/f" echo locked
	is 0 one --overlay none -- flock "$top/b/f" sh -c "flock -n '$top/b/f' echo two || echo one"
	is 0 one -- flock "$top/b" sh -c "flock -n '$top/b' echo two || echo one"
fi
# Many that change one tree at once, straight on the host and in a tmpfs.
stress=$(dirname "$SANDBOX")/tests/conformance/stress
if [ -x "$stress" ]; then
	want=$'status 0\nstatus 0\nstatus 0\nstatus 0\nat least a hundred calls: 1\nunsound: 0\nleft over: 0\nand again: 0'
	mkdir -p st/dir/sub && for f in file dir/a dir/sub/b; do echo x >st/$f; done
	ln st/file st/hard && ln -s file st/link && ln -s dir st/dirlink
	is 0 "$want" --bind "$top/st" /mnt --chdir /mnt -- "$stress" 700
	[ -z "$(ls st)" ] || fail "left on the host: $(ls st)"
	is 0 "$want" --tmpfs /mnt --chdir /mnt -- "$stress" 500
fi
finish
