# SPDX-License-Identifier: Apache-2.0
# --fakeroot, --uid, --gid.
# timeout: 200
. "$(dirname "$0")/lib.sh"
is 0 "0 0 0" --fakeroot -- sh -c 'echo $(id -u) $(id -g) $(id -G | cut -d" " -f1)'
is 0 "1234:99 0:0" --fakeroot -- sh -c 'touch f; chown 1234:99 f; a=$(stat -c %u:%g f); chown 0:0 f; echo $a $(stat -c %u:%g f)'
is 0 "0:0" --fakeroot --chdir "$PWD" -- stat -c %u:%g file
is 0 "ok" --fakeroot -- sh -c 'mkdir -p /opt/x && cp -a /etc/hostname /opt/x/ 2>/dev/null; echo new > /usr/bin/new && chmod 4755 /usr/bin/new && test -u /usr/bin/new && echo ok'
[ ! -e /usr/bin/new ] || fail "came out to the host"
is 0 "7:8 4755" --fakeroot -- sh -c 'cd /tmp; mkdir t; echo x > t/f; chown 7:8 t/f; chmod 4755 t/f; tar -cf t.tar t; rm -r t; tar -xpf t.tar; stat -c "%u:%g %a" t/f'
is 0 "root root" --fakeroot -- sh -c 'cd /tmp; mkdir -p p/DEBIAN p/usr/bin; printf "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: m\nDescription: d\n" > p/DEBIAN/control; echo x > p/usr/bin/p-test; dpkg-deb -b p p.deb >/dev/null && dpkg-deb -c p.deb | grep p-test | sed "s|\([^ ]* \)\([^/]*\)/\([^ ]*\).*|\2 \3|"'
is 0 "1000 1000" --fakeroot -- setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'echo $(id -u) $(id -g)'
is 0 "denied" --fakeroot -- setpriv --reuid 1000 --regid 1000 --clear-groups sh -c 'touch /usr/x 2>/dev/null || echo denied'
is 0 "4242 4343" --uid 4242 --gid 4343 -- sh -c 'echo $(id -u) $(id -g)'
is 0 "denied" --uid 4242 --gid 4343 -- sh -c 'echo x 2>/dev/null > /etc/passwd || echo denied'
is 125 "" --fakeroot --uid 5 -- true
finish
