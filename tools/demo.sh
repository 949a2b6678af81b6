#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh SANDBOX - runs real commands in the sandbox and shows what they changed inside, and that the host has not changed.
set -eu
sandbox=$(realpath "$1")

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold="" plain=""; fi
show() { printf '\n%s$ %s%s\n' "$bold" "$1" "$plain"; }

state() { stat -c '%n %i %a %s %Y' /etc /etc/passwd /etc/hostname /usr /usr/bin /bin/sh; cksum /etc/passwd; }
before=$(state)

# The commands below would do harm on a bare host: first see that a write stays inside.
canary=$(mktemp -u /tmp/sandbox-demo.XXXXXX)
"$sandbox" --fakeroot -- touch "$canary" && [ ! -e "$canary" ] || { rm -f "$canary"; echo "demo.sh: the sandbox does not isolate" >&2; exit 1; }

show "sandbox -- uname -sm"
"$sandbox" -- uname -sm

script='echo intruder:x:0:0::/:/bin/sh >> /etc/passwd && tail -n 1 /etc/passwd
rm -rf /usr/share/doc /etc/hostname && ls -d /usr/share/doc /etc/hostname
mkdir -p /srv/demo && echo "made inside" > /srv/demo/file && cat /srv/demo/file; true'
show "sandbox --fakeroot -- sh -c '
${script}'"
"$sandbox" --fakeroot -- sh -c "$script" || [ $? -lt 125 ]

show "tail -n 1 /etc/passwd; ls -d /usr/share/doc /srv/demo        # the host"
tail -n 1 /etc/passwd
ls -d /usr/share/doc /srv/demo 2>&1 || :

show "sandbox -- sh -c 'cd /tmp; cat > hello.c; gcc hello.c -o hello; ./hello'"
printf '#include <stdio.h>\nint main(void) { puts("compiled and run inside"); }\n' |
	"$sandbox" -- sh -c 'cd /tmp && cat > hello.c && gcc hello.c -o hello && ./hello'

echo
if [ "$before" = "$(state)" ]; then
	echo "The host's files are as they were. Next: ${1#"$PWD"/} -- bash, and README.md"
else
	echo "THE HOST HAS CHANGED:" >&2
	diff <(echo "$before") <(state) >&2
	exit 1
fi
