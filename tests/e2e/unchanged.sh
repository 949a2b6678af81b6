# SPDX-License-Identifier: Apache-2.0
# The host is as it was after everything that a program can break.
# timeout: 300
. "$(dirname "$0")/lib.sh"
trees="/etc /usr/share/doc /usr/lib/python3 /opt /srv"
[ "${FULL:-}" ] && trees="/etc /usr /opt /srv /var/lib/dpkg"
for t in $trees; do [ -d $t ] && list="${list:-} $t"; done
# shellcheck disable=SC2086
manifest $list . >/tmp/e2e-before.$$ 2>/dev/null
inside sh -c 'rm -rf /usr/share/doc /usr/lib/python3 /opt /srv ./* 2>/dev/null
for f in /etc/* ; do [ -f "$f" ] && { echo broken >> "$f"; chmod 777 "$f"; touch -d 2001-01-01 "$f"; }; done 2>/dev/null
mv /etc /etc-moved; mkdir /etc; ln -s /etc-moved/passwd /etc/passwd; chown -R 12:34 /var; chmod -R 000 /home; rm -rf /etc-moved /usr /var /lib; true' >/dev/null 2>&1
# shellcheck disable=SC2086
manifest $list . >/tmp/e2e-after.$$ 2>/dev/null
diff /tmp/e2e-before.$$ /tmp/e2e-after.$$ >diff.txt || { fail "the host changed"; head -n 20 diff.txt; }
rm -f /tmp/e2e-before.$$ /tmp/e2e-after.$$
[ -x /usr/bin/env ] && [ -r /etc/passwd ] || fail "the host is broken"
# As root inside, all of that is allowed.
is 0 gone --fakeroot -- sh -c 'rm -rf /usr/share/doc /etc/passwd && echo intruder > /etc/shadow && test ! -e /usr/share/doc && echo gone'
grep -q intruder /etc/shadow 2>/dev/null && fail "/etc/shadow changed"
finish
