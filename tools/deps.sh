#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# deps.sh [build] [check] [fuzz] [afl] - installs exactly the Debian packages that are missing; silent when none is.
set -eu

build="gcc make libc6-dev libseccomp-dev libelf-dev libunwind-dev libiberty-dev zlib1g-dev uthash-dev libarchive-dev libjansson-dev"
check="libcriterion-dev python3 git g++ clang cmake googletest musl-tools golang-go nodejs perl sqlite3 bubblewrap dash
	binutils attr acl strace"
fuzz="clang llvm libclang-rt-14-dev"
afl="clang afl++"

want=""
for set in "$@"; do
	case $set in
	build) want="$want $build" ;;
	check) want="$want $check" ;;
	fuzz) want="$want $fuzz" ;;
	afl) want="$want $afl" ;;
	*) echo "deps.sh: no set of packages named $set" >&2; exit 2 ;;
	esac
done

command -v dpkg-query >/dev/null || exit 0 # not Debian: the compiler will say what is missing

# A program that came from elsewhere (a node or go of its own under /usr/local) is as good as the package.
provided() {
	case $1 in
	nodejs) command -v node >/dev/null ;;
	golang-go) command -v go >/dev/null ;;
	gcc | g++ | clang | cmake | make | git | python3 | perl | sqlite3) command -v "$1" >/dev/null ;;
	*) false ;;
	esac
}

missing=""
for p in $want; do
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || :)" = installed ] || provided "$p" || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo
echo "Installing:$missing" >&2
install() {
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >/dev/null
}
install 2>/dev/null || { $as_root apt-get -qq update && install; } || {
	echo "deps.sh: could not install:$missing" >&2
	exit 1
}
