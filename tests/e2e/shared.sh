# SPDX-License-Identifier: Apache-2.0
# Many sandboxes at once on one root; and a root that the host changes meanwhile.
# timeout: 120
. "$(dirname "$0")/lib.sh"
here=$PWD
mkdir -p low/d && echo lower >low/f && echo d >low/d/x && for i in $(seq 50); do echo "$i" >"low/d/$i"; done
head -c 4000000 /dev/urandom >low/big
before=$(manifest low)
# Each changes the same files, waits until all have, and then looks at what it sees.
mkdir meet
for n in 1 2 3 4 5 6 7 8; do
	"$SANDBOX" --bind "$here/meet" /meet --cow-bind "$here/low" "$here/low" -- sh -c "
		cd '$here/low' && for k in 1 2 3; do echo $n.\$k > f; echo $n > d/new$n; rm d/$n; mv d/x d/y$n; done 2>/dev/null
		echo $n >> big; : > /meet/$n
		i=0; while [ \$(ls /meet | wc -l) -lt 8 ] && [ \$i -lt 600 ]; do sleep 0.05; i=\$((i+1)); done
		cat f; ls d/new* d/x d/y* 2>/dev/null | tr '\n' ' '; ls d | wc -l; tail -c 2 big" >"out$n" 2>&1 &
done
wait
for n in 1 2 3 4 5 6 7 8; do
	want="$n.3
d/new$n d/y$n 51
$n"
	[ "$(cat "out$n")" = "$want" ] || fail "sandbox $n sees: $(cat "out$n")"
done
[ "$before" = "$(manifest low)" ] || fail "the host changed"
# One page cache: what a sandbox has read is in the host's, for everybody.
if command -v fincore >/dev/null && command -v python3 >/dev/null; then
	python3 -c 'import os; f = os.open("low/big", os.O_RDONLY); os.fsync(f); os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)' 2>/dev/null
	cold=$(fincore -nbo RES low/big)
	"$SANDBOX" -- cat "$here/low/big" >/dev/null
	[ "$(fincore -nbo RES low/big)" -ge 3900000 ] || fail "not in the page cache (before: $cold)"
fi

# The host changes the root below a running sandbox. What is written down in README.md.
mkfifo go said
"$SANDBOX" -- sh -c "
	cd '$here/low' && exec 3<f && cat d/1 d/2 d/3 >/dev/null && stat f d/4 >/dev/null && ls d >/dev/null && echo mine > d/5 && rm d/6 && echo ready
	read x
	cat <&3; cat f; cat d/1; cat d/2 2>&1 | tail -1; cat d/5; ls d/6 2>&1; mkdir d/late && echo mkdir; cat never 2>/dev/null || echo none; echo end" <go >said &
exec 8>go 9<said
read -r x <&9
echo host >>low/f                    # written in place
echo replaced >low/new && mv low/new low/d/1 # replaced
rm low/d/2                           # removed
echo host >low/d/5                   # changed by both
echo host >low/d/6                   # removed inside
mkdir low/d/late                     # made by both
echo host >low/never                 # a name that wasn't asked for
echo >&8
exec 8>&-
cat <&9 >got
exec 9<&-
wait
# Sure: nothing hangs or fails but what depends on what the host removed; its own changes hold.
grep -qx end got || fail "did not go on: $(cat got)"
grep -qx mine got || fail "its own change: $(cat got)"
grep -q "d/6.*No such file" got || fail "its own removal: $(cat got)"
[ "$(head -n 2 got)" = $'lower\nhost' ] || fail "an open file doesn't show what was written in place: $(cat got)"
[ "$(cat low/d/5 low/d/6)" = $'host\nhost' ] || fail "the host's changes were touched"
finish
