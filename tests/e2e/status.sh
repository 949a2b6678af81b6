# SPDX-License-Identifier: Apache-2.0
# Exit statuses, options, quoting, standard streams.
. "$(dirname "$0")/lib.sh"
for n in 0 1 2 7 77 124 125 126 127 128 200 255; do is $n "" -- sh -c "exit $n"; done
for s in 1 2 3 6 9 11 13 15; do is $((128 + s)) "" -- sh -c "kill -$s \$\$"; done
is 127 "" -- /no/such/program
is 127 "" -- no-such-program-anywhere
is 127 "" -- ""
is 126 "" -- /etc/passwd
is 126 "" -- /usr
is 125 "" --no-such-option -- true
is 125 "" --uid x -- true
is 125 "" --bind relative
is 125 "" --bind /etc relative -- true
is 125 "" --bind /no/such /mnt -- true
is 125 ""
for o in --no-such-option "--uid -1" "--net x" "--overlay x"; do
	# shellcheck disable=SC2086
	n=$("$SANDBOX" $o -- true 2>&1 | wc -l)
	[ "$n" = 1 ] || fail "$o: $n lines, not one"
done
[ "$("$SANDBOX" --help | wc -l)" -le 24 ] || fail "--help doesn't fit a screen"
[ "$("$SANDBOX" --help | wc -L)" -le 80 ] || fail "--help is too wide"
"$SANDBOX" --version | grep -q '^sandbox [0-9]' || fail "--version"
is 0 "a b|c  d|*|\$HOME|" -- sh -c 'printf "%s|" "$@"' sh "a b" "c  d" "*" '$HOME'
is 0 "--help" -- echo --help
is 0 "--net host" -- echo --net host
is 0 "-- x" -- echo -- x
is 0 "a" sh -c "echo a"
is 0 "" -- printf ''
got=$(echo input | "$SANDBOX" -- cat)
[ "$got" = input ] || fail "standard input: $got"
got=$("$SANDBOX" -- sh -c 'echo out; echo err >&2' 2>/dev/null)
[ "$got" = out ] || fail "stdout alone: $got"
got=$("$SANDBOX" -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)
[ "$got" = err ] || fail "stderr alone: $got"
"$SANDBOX" -- sh -c 'echo to file' >out.txt
[ "$(cat out.txt)" = "to file" ] || fail "redirection to a file"
"$SANDBOX" -- sh -c 'echo more; cat <&3' 3<file >>out.txt
[ "$(wc -l <out.txt)" = 514 ] || fail "inherited descriptor 3 and append"
[ "$(head -c 20000000 /dev/zero | "$SANDBOX" -- wc -c)" = 20000000 ] || fail "a large input"
[ "$("$SANDBOX" -- head -c 20000000 /dev/zero | wc -c)" = 20000000 ] || fail "a large output"
"$SANDBOX" -- yes 2>/dev/null | head -n 1 >/dev/null
[ "${PIPESTATUS[0]}" = 141 ] || fail "SIGPIPE: ${PIPESTATUS[0]}"
"$SANDBOX" -- sh -c 'read x; echo "$x"' <&- >/dev/null 2>&1
"$SANDBOX" -- true >&- || fail "closed stdout"
is 0 "$PWD" --chdir "$PWD" -- pwd
(cd dir && [ "$("$SANDBOX" -- pwd)" = "$PWD" ]) || fail "starts in the caller's directory"
is 0 "" --chdir / -- sh -c 'cd /tmp && test -w . && touch made-inside && test -e made-inside'
[ ! -e /tmp/made-inside ] || fail "a file came out"
finish
