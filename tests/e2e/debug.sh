# SPDX-License-Identifier: Apache-2.0
# What tracers and debuggers need: ptrace, /proc/PID/mem, and the files of proc that only a process's owner may write.
. "$(dirname "$0")/lib.sh"
if command -v strace > /dev/null; then
	got=$(inside strace -f -e trace=execve -o trace sh -c 'true; ls file' 2>&1; inside true)
	[ "$got" = file ] || fail "strace -f: $got"
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
