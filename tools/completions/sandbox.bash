# SPDX-License-Identifier: Apache-2.0
# bash completion for sandbox(1)
_sandbox() {
	local cur=${COMP_WORDS[COMP_CWORD]} i=1 w
	COMPREPLY=()
	while [ $i -lt "$COMP_CWORD" ]; do
		w=${COMP_WORDS[i]}
		case $w in
		--bind | --ro-bind | --cow-bind | --setenv)
			if [ $((COMP_CWORD - i)) -le 2 ]; then
				[ "$w" = --setenv ] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
				return
			fi
			i=$((i + 3)) ;;
		--root | --overlay | --max-disk | --memory | --pids | --cpus | --timeout | --tmpfs | --hide | --chdir | --unsetenv | --uid | --gid | --hostname | --net | --name | --from | --keep | --on-error | --debug-log | --debug-level)
			if [ $((COMP_CWORD - i)) -le 1 ]; then
				case $w in
				--overlay) mapfile -t COMPREPLY < <(compgen -W "root:memory root:self root:dir=/ all:memory all:self all:dir=/ none" -- "$cur") ;;
				--name | --from) mapfile -t COMPREPLY < <(compgen -W "$(sandbox ls 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$cur") ;;
				--on-error) mapfile -t COMPREPLY < <(compgen -W "commit discard keep" -- "$cur") ;;
				--debug-log) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
				--debug-level) mapfile -t COMPREPLY < <(compgen -W "info debug trace gofer=debug vfs=trace kernel=debug interposer=debug" -- "$cur") ;;
				--net) mapfile -t COMPREPLY < <(compgen -W "none host" -- "$cur") ;;
				--root | --chdir | --tmpfs) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
				--hide) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
				--unsetenv) mapfile -t COMPREPLY < <(compgen -e -- "$cur") ;;
				esac
				return
			fi
			i=$((i + 2)) ;;
		--) i=$((i + 1)) && break ;;
		-*) i=$((i + 1)) ;;
		*) break ;;
		esac
	done
	if [ "$COMP_CWORD" -gt 1 ] && [[ ${COMP_WORDS[1]} =~ ^(diff|commit|discard|export)$ ]]; then
		case $cur in
		-*) [ "${COMP_WORDS[1]}" = diff ] && w="-u --stat --json --all" || w="--dry-run --force"
			mapfile -t COMPREPLY < <(compgen -W "$w" -- "$cur") ;;
		/* | ./*) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
		*) mapfile -t COMPREPLY < <(compgen -W "$(sandbox ls 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$cur") ;;
		esac
	elif [ "$COMP_CWORD" -gt 1 ] && [[ ${COMP_WORDS[1]} =~ ^(exec|ps)$ ]]; then
		i=2
		while [ $i -lt "$COMP_CWORD" ] && [ "${COMP_WORDS[1]}" = exec ]; do
			case ${COMP_WORDS[i]} in
			--setenv) i=$((i + 3)) ;;
			--chdir | --unsetenv | --uid | --gid) i=$((i + 2)) ;;
			-*) i=$((i + 1)) ;;
			*) break ;;
			esac
		done
		if [ "${COMP_WORDS[1]}" = exec ] && [ $i -lt "$COMP_CWORD" ]; then
			i=$((i + 1))
			[ "${COMP_WORDS[i]}" = -- ] && [ $i -lt "$COMP_CWORD" ] && i=$((i + 1))
			declare -F _command_offset >/dev/null && _command_offset "$i" || mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		elif [[ $cur == -* ]]; then
			[ "${COMP_WORDS[1]}" = exec ] && w="--chdir --setenv --unsetenv --clearenv --uid --gid --help" || w="--json --dump"
			mapfile -t COMPREPLY < <(compgen -W "$w" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(sandbox ps 2>/dev/null | awk 'NR > 1 { print $1; if ($2 != "-") print $2 }')" -- "$cur")
		fi
	elif [ "$COMP_CWORD" -gt 1 ] && [ "${COMP_WORDS[1]}" = gc ]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
	elif [ $i -lt "$COMP_CWORD" ]; then
		declare -F _command_offset >/dev/null && _command_offset "$i" || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "--root --overlay --bind --ro-bind --cow-bind --tmpfs --hide --chdir --setenv --unsetenv --clearenv
			--uid --gid --fakeroot --hostname --net --max-disk --memory --pids --cpus --timeout --name --from --discard --commit --keep --ask --on-error
			--stats --explain --debug-log --debug-level --version --help" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "trace exec ps ls diff commit discard export import gc" -- "$cur"; compgen -c -- "$cur")
	fi
}
complete -o filenames -F _sandbox sandbox
