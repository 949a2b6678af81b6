# SPDX-License-Identifier: Apache-2.0
# tar of a tree, unpacked inside, is the tree.
# timeout: 600
. "$(dirname "$0")/lib.sh"
tree=/usr/include
[ "${FULL:-}" ] && tree=/usr/share
[ -r $tree ] || skip "no $tree"
# What this user can't read outside, he can't inside.
skip=() differ=()
while read -r -d '' f; do
	skip+=("--exclude=./${f#"$tree"/}") differ+=(-x "${f##*/}")
done < <(find $tree ! -type l ! -readable -print0)
inside bash -c 'set -o pipefail; tree=$1; shift; n=$1; shift; mkdir out && tar -C $tree "${@:1:n}" -cf - . | tar -xf - -C out &&
	diff -r --no-dereference "${@:n+1}" $tree out && rm -rf out && ! test -e out' - $tree ${#skip[@]} "${skip[@]}" "${differ[@]}" ||
	fail "tar and diff -r of $tree"
[ ! -e out ] || fail "the copy is on the host"
finish
