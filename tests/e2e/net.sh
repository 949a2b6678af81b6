# SPDX-License-Identifier: Apache-2.0
# --net none has a loopback and nothing else.
. "$(dirname "$0")/lib.sh"
need python3
is 0 loop -- python3 -c '
import socket
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
c = socket.create_connection(l.getsockname()); a, _ = l.accept(); a.sendall(b"loop"); print(c.recv(9).decode())'
is 0 udp6 -- python3 -c '
import socket
a = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); a.bind(("::1", 0)); b = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
b.sendto(b"udp6", a.getsockname()[:2]); print(a.recv(9).decode())'
is 0 OSError -- python3 -c '
import socket
try: socket.create_connection(("192.0.2.1", 80), 2); print("connected")
except OSError: print("OSError")'
# A listener of the host's is not there.
python3 -c '
import socket, subprocess, sys
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
t = "import socket,sys\ntry: socket.create_connection((\"127.0.0.1\", int(sys.argv[1])), 2); print(\"reached\")\nexcept OSError: print(\"refused\")"
def run(*o): return subprocess.run([sys.argv[1], *o, "--", "python3", "-c", t, str(l.getsockname()[1])], capture_output=True, text=True).stdout.strip()
a, b = run("--net", "none"), run("--net", "host")
print(a, b); sys.exit((a, b) != ("refused", "reached"))' "$SANDBOX" || fail "the host's listener: none must refuse, host must reach"
# An abstract socket of the host's is not reachable either.
python3 -c '
import socket, subprocess, sys, os
n = "\0e2e-abstract-%d" % os.getpid(); l = socket.socket(socket.AF_UNIX); l.bind(n); l.listen()
t = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ntry: s.connect(\"\\0\"+sys.argv[1]); print(\"reached\")\nexcept OSError: print(\"refused\")"
for net in "none", "host":
    r = subprocess.run([sys.argv[1], "--net", net, "--", "python3", "-c", t, n[1:]], capture_output=True, text=True).stdout.strip()
    print(net, r)
    if r != "refused": sys.exit(1)' "$SANDBOX" || fail "an abstract socket of the host is reachable"
finish
