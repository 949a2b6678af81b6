#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lint.sh - format, layering, banned calls, heads of files. Prints each finding as file:line: text; status 1 if there is one.
set -u
shopt -s lastpipe # say must count in this shell
cd "$(dirname "$0")/.." || exit 2
found=0
say() { # reads findings on stdin, $1 says what they are
	local line
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		echo "$line: $1"
		found=1
	done
}

mapfile -t sources < <(find base layer gofer vfs kernel interposer tools tests -name '*.[chS]' -not -path '*/testdata/*' | sort)
mapfile -t code < <(printf '%s\n' "${sources[@]}" | grep -v '^tests/')

# Who may include whom: a regular expression of allowed #include "..." for each folder.
layer() {
	local where=$1 allowed=$2
	grep -nE '^#[[:space:]]*include[[:space:]]*"' -- $where 2>/dev/null /dev/null | grep -vE "\"($allowed)[^\"]*\"" | say "may not be included here"
}
list() { printf '%s\n' "${code[@]}" | grep -E "$1" | grep -vE "${2:-^$}"; }
layer "$(list '^base/')" 'base/'
layer "$(list '^layer/')" 'base/|layer/'
layer "$(list '^gofer/')" 'base/|gofer/'
layer "$(list '^gofer/server')" 'base/|gofer/(wire|gofer|server)'
layer "$(list '^gofer/client')" 'base/|gofer/(wire|client)'
layer "$(list '^vfs/' '^vfs/(goferfs|overlay/)')" 'base/|vfs/'
layer "$(list '^vfs/(goferfs|overlay/)')" 'base/|vfs/|layer/|gofer/client\.h|gofer/gofer\.h'
layer "$(list '^kernel/')" 'base/|vfs/vfs\.h|kernel/'
layer "$(list '^interposer/' '^interposer/(stub/|launch|media|confine|supervisor|dump|registry)')" 'base/|kernel/|vfs/vfs\.h|interposer/|filter_bpf'
# Start-up is where all the parts are put together.
layer "$(list '^interposer/(launch|media|confine|supervisor|dump|registry)')" 'base/|kernel/|vfs/vfs\.h|interposer/|gofer/(gofer|client|server)|filter_bpf'
# kernel/exec.h is freestanding: what stub and supervisor tell each other.
layer "$(list '^interposer/stub/')" 'interposer/stub/|kernel/exec\.h'
grep -nE '^#[[:space:]]*include[[:space:]]*"(tools|tests)/' -- $(list . '^tools/') | say "nothing includes tools or tests"

# Calls with no bound, a shell, or a signal-unsafe buffer behind them.
grep -nE '(^|[^_[:alnum:].>])(strcpy|strcat|sprintf|vsprintf|gets|system|popen|tmpnam|tempnam|mktemp|alloca|strtok|atoi|atol|rand)[[:space:]]*\(' -- "${code[@]}" |
	grep -vE '^[^:]*:[0-9]+:[[:space:]]*(/?\*|//)' | say "banned"
grep -nE '\b(TODO|FIXME|XXX)\b' -- "${sources[@]}" | say "unfinished"

for f in "${sources[@]}" tools/*.sh tests/run tests/e2e/*.sh GNUmakefile .ci/run; do
	[ -e "$f" ] || continue
	head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$f:1" | say "no SPDX line"
	grep -nE '[[:blank:]]+$' "$f" | sed "s|^\([0-9]*\):.*|$f:\1|" | say "trailing blanks"
	lines=$(wc -l <"$f")
	[[ "$f" == tests/* || "$lines" -le 850 ]] || echo "$f:$lines" | say "over 850 lines: is it two files?"
done
for d in base layer gofer vfs kernel interposer tools tests; do
	[ -e "$d/README.md" ] || echo "$d" | say "folder without a README.md"
done

# SECURITY.md lists what the host kernel runs: all of that, and nothing else.
natives() {
	sed -n 's/^NATIVE([0-9]*, \([a-z0-9_]*\),.*/\1/p' kernel/syscalls.def
	sed -n 's/^    ALWAYS(\([a-z0-9_]*\)),$/\1/p' kernel/filter_rules.c
}
listed() { sed -n '/^## Calls that the host kernel runs/,/^Other calls/p' SECURITY.md | grep -o '`[a-z0-9_]*`' | tr -d '`'; }
comm -23 <(natives | sort -u) <(listed | sort -u) | sed 's/^/SECURITY.md:1: /' | say "runs natively and isn't listed"
comm -13 <(natives | sort -u) <(listed | sort -u) | sed 's/^/SECURITY.md:1: /' | say "is listed and doesn't run natively"
listed | sort | uniq -d | sed 's/^/SECURITY.md:1: /' | say "is listed twice"
if command -v clang-format >/dev/null; then
	for f in "${sources[@]}"; do
		[ "${f##*.}" = S ] || clang-format --dry-run -Werror "$f" >/dev/null 2>&1 || echo "$f:1" | say "not as clang-format has it"
	done
else
	echo "lint: clang-format is not installed: format not checked" >&2
fi
[ $found = 0 ] && echo "lint: clean"
exit $found
