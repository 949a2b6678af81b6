# SPDX-License-Identifier: Apache-2.0
# strace itself natively and sandbox trace inside must show the same calls of the same programs.
# timeout: 120
. "$(dirname "$0")/lib.sh"
need strace python3 gcc
here=$(dirname "$0")
both() {
	strace -f -o strace.log "$@" < /dev/null > /dev/null 2>&1
	rm -f m.o sock
	timeout -k 1 40 "$SANDBOX" trace --chdir "$PWD" -o trace.log -- "$@" < /dev/null > /dev/null 2>&1
	python3 "$here/compare.py" strace.log trace.log > diff.log || fail "$*: $(head -n 30 diff.log)"
}
cat > m.c << 'C'
int main(void) { return 0; }
C
cat > t.c << 'C'
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>
static void *f(void *arg)
{
	struct stat st;
	for (int i = 0; i < 50; i++) {
		stat("file", &st);
		stat("nowhere", &st);
		close(99);
	}
	return NULL;
}
int main(void)
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		pthread_create(t + i, NULL, f, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	return 0;
}
C
gcc -o threads t.c -pthread 2> /dev/null
cat > sock.py << 'PY'
import os, socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(1)
c = socket.create_connection(s.getsockname())
a, _ = s.accept()
c.sendall(b"hello")
a.recv(10)
u = socket.socket(socket.AF_UNIX)
u.bind("sock")
os.unlink("sock")
PY
both ls -a dir
both cat file
both sh -c 'ls dir | cat | wc -l; test -e nowhere || echo x > /dev/null'
both gcc -c m.c -o m.o
both ./threads
both python3 -S -E sock.py
both python3 -S -E -c 'import subprocess; subprocess.run(["true"])'
finish
