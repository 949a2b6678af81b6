# SPDX-License-Identifier: Apache-2.0
# lib.sh - sourced by every script here. The scratch directory is the current one; $SANDBOX is the program under test.
set -u
failures=0
fail() {
	echo "FAIL: $*"
	failures=$((failures + 1))
}
skip() {
	echo "$*"
	exit 77
}
finish() { exit $((failures != 0)); }
need() {
	local p
	for p in "$@"; do command -v "$p" >/dev/null || skip "$p is not installed"; done
}

# inside WORD... - runs it in the sandbox, in this directory.
inside() { "$SANDBOX" --chdir "$PWD" -- "$@"; }

# same WORD... - the command must print the same, on stdout and stderr, and end with the same status natively and inside. Both see
# the directory as it is: the native run works on a copy at the same path that is put back afterwards.
same() {
	local want got rc1 rc2 here=$PWD
	cp -a . "$here.orig"
	want=$("$@" 2>&1 </dev/null)
	rc1=$?
	find . -mindepth 1 -delete
	cp -a "$here.orig/." .
	got=$("$SANDBOX" --chdir "$here" -- "$@" 2>&1 </dev/null)
	rc2=$?
	if [ "$rc1" != "$rc2" ] || [ "$want" != "$got" ]; then
		fail "differs inside: $*"
		echo "status natively $rc1, inside $rc2"
		diff <(printf '%s\n' "$want") <(printf '%s\n' "$got") | head -n 40
	fi
	chmod -R u+rwX "$here.orig"
	rm -rf "$here.orig"
}

# is STATUS OUTPUT WORD... - the sandbox with these words (options and all) must give this. stderr is not looked at.
is() {
	local want_rc=$1 want=$2 got rc
	shift 2
	got=$("$SANDBOX" "$@" 2>/tmp/e2e-err.$$ </dev/null)
	rc=$?
	if [ "$rc" != "$want_rc" ] || [ "$got" != "$want" ]; then
		fail "sandbox $*"
		echo "wanted status $want_rc: $want"
		echo "got status $rc: $got"
		head -n 20 /tmp/e2e-err.$$
	fi
	rm -f /tmp/e2e-err.$$
}

# manifest DIR... - what must not change: names, types, modes, owners, sizes, times, link targets, contents of small files.
manifest() {
	find "$@" -xdev -printf '%p %y %m %U:%G %s %T@ %l\n' | sort
	find "$@" -xdev -type f -size -64k -readable -print0 | sort -z | xargs -0 -r sha1sum
}
