# SPDX-License-Identifier: Apache-2.0
# Shells: login shell, pipelines, here documents, traps, job control without a terminal.
# timeout: 300
. "$(dirname "$0")/lib.sh"
same bash -lc 'echo login $0 $- $((1+2)); cd dir; pwd; ls'
same bash -c 'cat <(echo one) <(echo two) | tee /dev/stderr | wc -l'
same bash -c 'x=$(printf "%s" "a  b"); echo "$x"; cat <<< "here string"; cat << EOF
here $x
EOF'
same sh -c 'trap "echo trapped" TERM; kill -TERM $$; echo after; (exit 3); echo $?; sleep 0.1 & wait; echo $?'
same bash -c 'set -m; sleep 0.1 & jobs; wait; echo done; for i in 1 2 3; do (sleep 0.0$i; echo $i) & wait; done'
same sh -c 'echo a > new; echo b >> new; cat new; : > new; wc -c < new; rm new; ls'
same sh -c 'umask 077; touch f; stat -c %a f; umask'
same bash -c 'echo /usr/bin/b* | tr " " "\n" | head -n 5; echo {1..10}; type -a sh | head -n 1; ulimit -n; echo $PPID >/dev/null'
same bash -c 'exec 5<>fifo; echo through >&5; read -u 5 x; echo $x'
same bash -c 'mapfile -t a < file; echo ${#a[@]}; printf "%s\n" "${a[@]:510}"'
same sh -c './script one "two words"; sh ./script; . ./script'
same env -i A=1 B="two words" env
same nice -n 5 nice
same timeout 0.2 sleep 5
same xargs -a file -n 64 -P 4 echo
# Spurious EINTR shows here, with SIGCHLD flying: no error, no hang, a thousand times the same.
got=$(inside dash -c 'i=0; while [ $i -lt 1000 ]; do echo x | cat | cat; i=$((i+1)); done' 2>&1 | sort | uniq -c | sed 's/^ *//')
[ "$got" = "1000 x" ] || fail "a thousand dash pipelines: $got"
got=$(inside bash -c 'for i in {1..300}; do a=$(echo x | cat); echo $a; done' 2>&1 | sort | uniq -c | sed 's/^ *//')
[ "$got" = "300 x" ] || fail "three hundred bash pipelines: $got"
finish
