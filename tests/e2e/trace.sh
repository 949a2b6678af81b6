# SPDX-License-Identifier: Apache-2.0
# sandbox trace and --explain: lines as strace has them, options, faults, JSON, what is refused.
# timeout: 60
. "$(dirname "$0")/lib.sh"
tr_() { timeout -k 1 20 "$SANDBOX" trace --chdir "$PWD" "$@" < /dev/null; }
has() { # WANTED-REGEX TEXT
	grep -qE -- "$1" <<< "$2" || fail "wanted $1 in: $(tail -n 20 <<< "$2")"
}
got=$(tr_ -- cat file 2>&1 >/dev/null)
has '^execve\("[^"]*/cat", \["cat", "file"\], 0x[0-9a-f]+ /\* [0-9]+ vars \*/\) = 0$' "$got"
has '^openat\(AT_FDCWD, "file", O_RDONLY\) += 3$' "$got"
has '^read\(3, "0123456789abcdef\\n0123456789abcde"\.\.\., [0-9]+\) = 8704$' "$got"
has '^\+\+\+ exited with 0 \+\+\+$' "$got"
[ "$(grep -c '^execve' <<< "$got")" = 1 ] || fail "one execve: $got"
grep -q 0x5afe5742 <<< "$got" && fail "the check-in shows"
tr_ -o out -e trace=%process -- sh -c 'cat dangling; exit 3' 2> /dev/null
[ $? = 3 ] || fail "status"
has '^[0-9]+ +\+\+\+ exited with 3 \+\+\+$' "$(cat out)"
has 'SIGCHLD \{si_signo=SIGCHLD, si_code=CLD_EXITED' "$(cat out)"
got=$(tr_ -e inject=openat:error=EACCES:when=1+ -e openat -- cat file 2>&1)
has 'EACCES \(Permission denied\) \(INJECTED\)$' "$got"
got=$(tr_ --json -e %file,exit_group -- cat file 2>&1 > /dev/null)
if command -v python3 > /dev/null; then
	python3 -c 'import json,sys; print(*[json.loads(l)["type"] for l in sys.stdin])' <<< "$got" | grep -q 'call exit$' || fail "json: $got"
fi
has '% time +seconds' "$(tr_ -c -- true 2>&1)"
for bad in -p1 -yyy '--effects -c' '-e status=odd' '-e nosuchcall' '-e /zz' '-e inject=read:delay=x' '-o |' '-ff -c -o x' '-ff --json -o x' '-ff -o |cat' '-A -o |cat' --by-process '-e read=x' '-e verbose=all' -n '-e inject=read:error=EIO:when=3..2' -A '-S odd'; do
	got=$(tr_ $bad -- true 2>&1)
	[ $? = 125 ] || fail "$bad is accepted: $got"
done
got=$(tr_ -e '/^(openat|close)$,?nosuch' -e signal=none -qq -- cat file 2>&1 > /dev/null)
has '^openat' "$got"
has '^close' "$got"
grep -qE '^read|^\+\+\+' <<< "$got" && fail "regular expression, -qq: $got"
got=$(tr_ -e trace=kill -e signal=USR1 -- sh -c 'trap : USR1 USR2; kill -USR2 $$; kill -USR1 $$' 2>&1)
has '^--- SIGUSR1' "$got"
grep -q '^--- SIGUSR2' <<< "$got" && fail "-e signal: $got"
got=$(tr_ -e openat -e status=failed -- cat file nowhere 2>&1 > /dev/null)
has '"nowhere"' "$got"
grep -q '"file"' <<< "$got" && fail "-e status: $got"
got=$(tr_ -T -e openat,close -e inject=openat:delay_enter=20ms:when=1 -e inject=close:delay_exit=20ms:when=1 -e inject=openat:signal=USR1:when=2 -- cat file 2>&1 > /dev/null)
has '^openat\(.* <0\.0[2-9][0-9]*>$' "$got"
has '^--- SIGUSR1' "$got"
has '^\+\+\+ killed by SIGUSR1' "$got"
tr_ -c -S name -o sum -- cat file > /dev/null
[ "$(sed -n '3,/^---/p' sum | awk '!/^---/ {print $NF}' | sort -c 2>&1)" = "" ] || fail "-S name: $(cat sum)"
echo first > log
tr_ -A -o log -e none -- true
[ "$(head -n 1 log)" = first ] && [ "$(wc -l < log)" = 2 ] || fail "-A: $(cat log)"
got=$(tr_ -yy -e newfstatat -- cat file 2>&1 > /dev/null)
has '^newfstatat\(3<.*/file>' "$got"
has '^newfstatat\(1<char 1:3>' "$got"
has '= 3<.*/file>$' "$(tr_ -y -e openat -- cat file 2>&1 > /dev/null)"
got=$(tr_ -e none -- sh -c 'grep Tracer /proc/self/status' 2>/dev/null)
[ "$got" = "TracerPid:	0" ] || fail "tracer shows inside: $got"
[ -z "$("$SANDBOX" --explain -- true 2>&1)" ] || fail "--explain says something of nothing"
got=$("$SANDBOX" --explain --overlay none --hide /srv -- sh -c 'echo x > /etc/new; ls /srv/x' 2>&1)
has '"/etc/new" by openat \(EROFS\)' "$got"
has '"/srv/x"' "$got"
finish
