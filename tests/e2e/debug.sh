# SPDX-License-Identifier: Apache-2.0
# What tracers and debuggers need: ptrace, /proc/PID/mem, and the files of proc that only a process's owner may write.
. "$(dirname "$0")/lib.sh"
if command -v strace > /dev/null; then
	got=$(inside strace -f -e trace=execve -o trace sh -c 'true; ls file' 2>&1; inside true)
	[ "$got" = file ] || fail "strace -f: $got"
fi
if command -v gdb > /dev/null && command -v gcc > /dev/null; then
	cat > dbg.c << 'C'
#include <stdio.h>
int twice(int x) { return 2 * x; }
int main(void) { int a = 21; a = twice(a); printf("%d\n", a); return 0; }
C
	gcc -g -o dbg dbg.c
	got=$(inside gdb -batch -ex 'break twice' -ex run -ex 'print x' -ex bt -ex continue ./dbg 2>&1)
	for want in 'Breakpoint 1, twice (x=21)' '$1 = 21' '#1 .* in main () at dbg.c:3' '^42' 'exited normally'; do
		grep -q -- "$want" <<< "$got" || fail "gdb, wanted $want: $got"
	done
	cat > attach.c << 'C'
#include <unistd.h>
int flag = 7;
int main(void) { for (;;) usleep(1000); }
C
	gcc -g -o attach attach.c
	got=$(inside sh -c './attach & sleep .2; gdb -batch -p $! -ex "print flag" -ex bt; kill $!' 2>&1)
	grep -q '$1 = 7' <<< "$got" && grep -q 'in main () at attach.c:3' <<< "$got" || fail "gdb -p: $got"
	# Traced, and two at a time: programs by their own names, a script, and what /proc says of them.
	got=$(inside strace -f -o trace sh -c 'ls file & ls file; wait; ./script; readlink /proc/self/exe; cat /proc/self/comm' 2>&1 | sort)
	want=$( (ls file; ls file; ./script; readlink -f "$(command -v readlink)"; echo cat) | sort)
	[ "$got" = "$want" ] || fail "traced: $got, wanted $want"
fi
got=$(inside sh -c 'echo named > /proc/self/comm; read x < /proc/self/comm; echo $x; echo 300 > /proc/self/oom_score_adj
	read x < /proc/self/oom_score_adj; echo $x; echo 0x11 > /proc/self/coredump_filter; read x < /proc/self/coredump_filter
	echo $x; grep -c rchar /proc/self/io' 2>&1 | tr '\n' ' ')
[ "$got" = "named 300 00000011 1 " ] || fail "files of proc: $got"
# The memory of a process: its own and its child's, never init's.
need python3
is 0 "b'told' b'told' PermissionError" -- python3 -c '
import ctypes, os
b = ctypes.create_string_buffer(b"told"); a = ctypes.addressof(b)
def peek(pid):
    with open("/proc/%s/mem" % pid, "rb", 0) as f: return os.pread(f.fileno(), 4, a)
p = os.fork()
if not p:
    import time; time.sleep(9)
try: peek(1); e = "read"
except OSError as x: e = type(x).__name__
print(peek("self"), peek(p), e, flush=True); os.kill(p, 9)'
finish
