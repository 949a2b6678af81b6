# SPDX-License-Identifier: Apache-2.0
# tar of a tree, unpacked inside, is the tree.
# timeout: 600
. "$(dirname "$0")/lib.sh"
tree=/usr/include
[ "${FULL:-}" ] && tree=/usr/share
[ -r $tree ] || skip "no $tree"
inside bash -c "set -o pipefail; mkdir out && tar -C $tree -cf - . | tar -xf - -C out && diff -r --no-dereference $tree out && rm -rf out && ! test -e out" ||
	fail "tar and diff -r of $tree"
[ ! -e out ] || fail "the copy is on the host"
finish
