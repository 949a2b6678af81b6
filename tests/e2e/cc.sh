# SPDX-License-Identifier: Apache-2.0
# Compilers: what they build inside runs inside, also static, static-PIE, non-PIE and musl programs.
# timeout: 400
. "$(dirname "$0")/lib.sh"
need gcc g++
cat >m.c <<'C'
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
int main(int argc, char **argv) { printf("%s %d %s\n", "hello", argc, strrchr((char *)getauxval(AT_EXECFN), '/')); return 3; }
C
cat >m.cc <<'C'
#include <iostream>
#include <map>
#include <thread>
int main() { std::map<int, int> m; std::thread t([&] { m[1] = 2; }); t.join(); try { throw 5; } catch (int e) { std::cout << m[1] << e << "\n"; } }
C
for flags in "" "-O2 -g" "-static" "-static-pie" "-no-pie" "-static -no-pie" "-pthread -Wl,-z,now"; do
	same sh -c "gcc $flags m.c -o m && ./m a b"
done
same sh -c 'gcc -c m.c && ar rcs m.a m.o && gcc m.a -o m && nm m.o && ./m; gcc nope.c; gcc -E m.c | wc -l'
same sh -c 'g++ -O1 m.cc -o mm && ./mm'
command -v clang >/dev/null && same sh -c 'clang -O1 m.c -o m && ./m; clang++ m.cc -o mm && ./mm'
command -v musl-gcc >/dev/null && same sh -c 'musl-gcc m.c -o m && ./m; musl-gcc -static m.c -o m && ./m'
same sh -c 'printf "int f(void){return 42;}" > l.c; gcc -shared -fPIC l.c -o libl.so
printf "int f(void);int main(void){return f();}" > p.c; gcc p.c -L. -ll -Wl,-rpath,. -o p && ./p; echo $?; LD_LIBRARY_PATH=. ldd ./p | grep -c libl'
finish
