# SPDX-License-Identifier: Apache-2.0
# Names that a program chooses (arguments, its own name, files, functions) reach no terminal with their escapes.
. "$(dirname "$0")/lib.sh"
need gcc objcopy
export XDG_STATE_HOME=$PWD/state
n=test-escapes-$$
trap '"$SANDBOX" discard $n >/dev/null 2>&1' EXIT
cat >x.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
__attribute__((noinline)) void function(void)
{
	pause();
	__asm__ volatile("");
}
int main(void)
{
	prctl(PR_SET_NAME, "n\033[31m\n\007");
	open("/tmp/no\033[31m\ndirectory/x", 0);
	puts("up");
	fflush(stdout);
	function();
	return 0;
}
C
gcc -g -o x x.c && objcopy --redefine-sym function=$'f\e[31m\afunction' x $'x\e[32m'
# safe WORD... - what it prints has no control characters but line breaks and tabs, and something at all.
safe() {
	timeout 20 "$SANDBOX" "$@" </dev/null >said 2>&1
	[ -s said ] || fail "$1 says nothing"
	LC_ALL=C grep -q '[[:cntrl:]]' <(tr -d '\n\t' <said) && fail "$1: $(cat -v said)"
}
"$SANDBOX" --name $n --chdir "$PWD" -- bash -c $'echo >"new\e[31m"; exec -a "arg\e[31m\nument" ./x\e[32m' >started &
main=$!
for _ in $(seq 500); do grep -q up started && break; sleep 0.02; done
safe ps
safe ps $n
grep -q ument said || fail "ps: $(cat -v said)"
safe stacks $n
grep -q 'function' said || fail "stacks: $(cat -v said)"
safe stacks --json $n
kill -KILL $main
wait $main 2>/dev/null
safe diff $n
safe ls
safe commit --dry-run $n
safe files --chdir "$PWD" -- timeout 0.5 $'./x\e[32m'
safe trace -k --chdir "$PWD" -- timeout 0.5 $'./x\e[32m'
safe --explain --chdir "$PWD" -- sh -c $'exec 2>/dev/null; echo >"/proc/sys/x\e[31m"; mount "a\e[31m" /tmp; echo end'
finish
