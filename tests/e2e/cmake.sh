# SPDX-License-Identifier: Apache-2.0
# cmake and make -j2 of googletest from its Debian package.
# timeout: 900
. "$(dirname "$0")/lib.sh"
need cmake g++ make
[ -d /usr/src/googletest ] || skip "googletest is not installed"
inside bash -c 'set -e
cmake -S /usr/src/googletest/googletest -B b -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS=-O0 >/dev/null
make -C b -j2 2>&1 | tail -n 3
printf "#include <gtest/gtest.h>\nTEST(A, B) { EXPECT_EQ(1, 1); }\n" > t.cc
g++ t.cc -I/usr/src/googletest/googletest/include -Lb/lib -lgtest_main -lgtest -pthread -o t
./t | tail -n 1' >out.txt 2>&1
rc=$?
[ $rc = 0 ] && grep -q 'PASSED.*1 test' out.txt || { fail "status $rc"; tail -n 40 out.txt; }
[ ! -e b ] || fail "the build directory is on the host"
finish
