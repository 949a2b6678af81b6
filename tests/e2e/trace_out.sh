# SPDX-License-Identifier: Apache-2.0
# sandbox trace: where it's written to, which calls it shows, and commands that join; beside strace where that is there.
# timeout: 120
. "$(dirname "$0")/lib.sh"
need python3
export XDG_STATE_HOME=$PWD/state
tr_() { timeout -k 1 30 "$SANDBOX" trace "$@" </dev/null; }
count() { grep -cE -- "$2" <<<"$1"; }
ln -s file to_file

# -P: as strace, and the opening by other names as well.
plain() { sed -E 's/0x[0-9a-f]+/ADDR/g; s/ +=/ =/; s/\[pid +[0-9]+\] //' | grep -v '^---\|^strace:\|^+++'; }
for path in file to_file "$PWD/file"; do
	for arg in file to_file; do
		got=$(tr_ -P $path -- cat $arg 2>&1 >/dev/null | plain)
		[ "$(count "$got" '^openat\(.*= 3$')" = 1 ] && [ "$(count "$got" '^(read|close)\(3')" = 3 ] || fail "-P $path cat $arg: $got"
		if command -v strace >/dev/null; then
			# What its opening is called differs.
			diff <(strace -P $path cat $arg 2>&1 >/dev/null | plain | grep -v ^openat) <(grep -v ^openat <<<"$got") || fail "-P $path: not as strace"
		fi
	done
done
got=$(tr_ -P file -P other -e trace=openat,dup2,poll,mmap -- python3 -S -c '
import mmap, os, select
f = os.open("to_file", os.O_RDONLY)
os.dup2(f, 9)
m = mmap.mmap(9, 4, prot=mmap.PROT_READ)
p = select.poll()
p.register(9)
p.poll(0)
try: os.open("other", os.O_RDONLY)
except OSError: pass' 2>&1)
[ "$(count "$got" '^(openat\(.*"to_file"|openat\(.*"other"|dup2\(|mmap\(.*, 9, 0\)|poll\(\[\{fd=9)')" = 5 ] || fail "-P by descriptor: $got"
[ "$(count "$got" '^[a-z]')" -le 7 ] || fail "-P shows too much: $got"
got=$(tr_ -P file -e inject=openat:error=EACCES -- cat file 2>&1)
grep -q '"file".*EACCES.*INJECTED' <<<"$got" || fail "a fault for a path: $got"

# Commands and files.
tr_ -o '|cat >piped; sleep 0.3; echo end >>piped' -- sh -c 'exit 5'
[ $? = 5 ] && grep -q '^2 .*exited with 5' piped && [ "$(tail -n 1 piped)" = end ] || fail "-o |: $(cat piped)"
tr_ -o '!exit 3' -- true || fail "the status is the command's"
tr_ -o '|true' -- sh -c 'for i in 1 2 3; do cat file; done' >/dev/null || fail "a reader that goes"
tr_ -ff -k -o each -- sh -c 'cat file & wait; exit 6' >/dev/null
[ $? = 6 ] && [ "$(ls each.* | wc -l)" = 2 ] || fail "-ff: $(ls)"
head -n 1 each.2 | grep -q '^execve(.*"sh".* = 0$' && tail -n 1 each.3 | grep -q '^+++ exited with 0 +++$' || fail "-ff: $(head each.*)"
grep -qE 'unfinished|resumed' each.* && fail "-ff: lines are torn"
# What an earlier run has written is not added to.
tr_ -ff -e none -o each -- true
[ "$(cat each.2)" = "+++ exited with 0 +++" ] || fail "-ff again: $(cat each.2)"

# Summaries, bytes, numbers, faults.
got=$(tr_ -c --by-process -- sh -c 'cat file & wait; exit 0' 2>&1 >/dev/null)
[ "$(count "$got" '^Process [23] "(sh|cat)":$')" = 2 ] && [ "$(count "$got" ' total$')" = 3 ] || fail "--by-process: $got"
[ "$(awk '/ total$/ {n++; if (n < 3) sum += $4; else print $4 - sum}' <<<"$got")" = 0 ] || fail "--by-process: the sums differ: $got"
head -c 100 /dev/urandom >random
show='import os; f = os.open("random", 0); os.read(f, 40); os.readv(f, [bytearray(7), bytearray(33)]); os.write(1, b"abc\n")'
got=$(tr_ -e read,readv,write -e read=3 -e write=all -- python3 -S -c "$show" 2>&1 >/dev/null | grep '^ ' | tail -n 9)
if command -v strace >/dev/null; then
	diff <(strace -e read,readv,write -e read=3 -e write=all python3 -S -c "$show" 2>&1 >/dev/null | grep '^ ' | tail -n 9) <(echo "$got") ||
		fail "-e read="
fi
grep -qF ' | 00000  61 62 63 0a                                       abc.             |' <<<"$got" || fail "-e write=: $got"
got=$(tr_ -e raw=close -e close -- true 2>&1)
grep -qE '^close\(0x[0-9a-f]+\) ' <<<"$got" || fail "-e raw=: $got"
got=$(tr_ -e close -e inject=close:error=EIO:when=2..3 -- sh -c 'exec 5<file 6<file 7<file; exec 5<&-; exec 6<&-; exec 7<&-' 2>&1)
[ "$(count "$got" INJECTED)" = 2 ] && sed -n 2,3p <<<"$got" | grep -c INJECTED | grep -qx 2 || fail "when=2..3: $got"
grep -qF "AT_FDCWD<$PWD>" <<<"$(tr_ -y -e openat -- cat file 2>&1)" || fail "-y: the working directory"

# Commands that join. The search for the program and what runs before it aren't theirs.
mkfifo in
"$SANDBOX" trace -o log -- sh -c 'echo up; read x' <in >up &
main=$!
exec 7>in
for _ in $(seq 250); do [ -s up ] && "$SANDBOX" ps | grep -qE "^ *$main " && break; sleep 0.02; done
[ "$(timeout 20 "$SANDBOX" exec $main -- sh -c 'cat file & wait; exit 9'; echo $?)" = "$(cat file; echo 9)" ] || fail "a command joins a traced sandbox"
timeout 20 "$SANDBOX" exec $main -- nosuchprogram 2>/dev/null
[ $? = 127 ] || fail "one that isn't there joins"
exec 7>&-
wait $main
joined=$(awk '/"cat file & wait; exit 9"/ {print $1; exit}' log)
[ "$(grep -m 1 "^$joined " log | grep -c 'execve(.*/sh".*= 0$')" = 1 ] || fail "the first call of who joins: $(grep -m 1 "^$joined " log)"
grep -q "^$joined .*exited with 9" log && grep -q 'execve(.*/cat".*= 0$' log || fail "a command that joined: $(tail -n 20 log)"
grep -q nosuchprogram log && fail "our own search is shown"
# A trace that begins while a program starts shows whole programs only.
for _ in 1 2 3 4; do
	"$SANDBOX" -- sh -c '/bin/sleep 0.3; exec /bin/sleep 0.3' &
	main=$!
	for _ in $(seq 100); do "$SANDBOX" trace -q -o early -p $main 2>/dev/null && break; sleep 0.01; done
	wait $main
	grep -E 'execve\(.*ENOENT|setpgid|execve\(NULL|execve\(0x' early && fail "our own code is shown: $(head -n 5 early)"
	grep -q 'exited with 0' early || fail "the end isn't shown: $(cat early)"
done
finish
