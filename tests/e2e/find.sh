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
# The whole root changes while we look at it: other processes' files. Where they are many, a second look outside says how many.
near() { # COUNT LOW HIGH
	[ "$1" -ge $(($2 - $2 / 100 - 200)) ] && [ "$1" -le $(($3 + $3 / 100 + 200)) ]
}
a=$(find / -xdev 2>/dev/null | wc -l)
b=$(inside find / -xdev 2>/dev/null | wc -l)
if ! near "$b" "$a" "$a"; then
	c=$(find / -xdev 2>/dev/null | wc -l)
	near "$b" $((a < c ? a : c)) $((a > c ? a : c)) || fail "find /: $a and then $c outside, $b inside"
fi
finish
