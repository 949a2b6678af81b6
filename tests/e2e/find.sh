# SPDX-License-Identifier: Apache-2.0
# A whole tree is listed as outside.
# timeout: 600
. "$(dirname "$0")/lib.sh"
tree=/usr/share/doc
[ "${FULL:-}" ] && tree=/usr
diff <(find $tree -xdev -printf '%p %y %m %s\n' 2>/dev/null | sort) \
	<(inside find $tree -xdev -printf '%p %y %m %s\n' 2>/dev/null | sort) | grep -v ' d [0-7]* [0-9]*$' | head -n 20 >diff.txt
grep -q '^[<>]' diff.txt && { fail "find $tree"; cat diff.txt; }
a=$(find $tree -xdev 2>/dev/null | wc -l)
b=$(inside find $tree -xdev 2>/dev/null | wc -l)
[ "$a" = "$b" ] || fail "find $tree: $a outside, $b inside"
# The whole root changes while we look at it: other processes' temporary files.
a=$(find / -xdev 2>/dev/null | wc -l)
b=$(inside find / -xdev 2>/dev/null | wc -l)
d=$((a - b))
[ ${d#-} -le $((a / 100 + 200)) ] || fail "find /: $a outside, $b inside"
finish
