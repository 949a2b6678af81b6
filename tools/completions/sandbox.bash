# SPDX-License-Identifier: Apache-2.0
# bash completion for sandbox(1)
_sandbox() {
	local cur=${COMP_WORDS[COMP_CWORD]} sub=${COMP_WORDS[1]} i=1 w
	local run="--root --overlay --bind --ro-bind --cow-bind --tmpfs --hide --chdir --setenv --unsetenv --clearenv --uid --gid --fakeroot
		--hostname --net --max-disk --memory --pids --cpus --timeout --stats --explain --debug-log --debug-level --help"
	local kept="--name --from --discard --commit --keep --ask --on-error"
	COMPREPLY=()
	case $sub in
	trace) i=2 run="$run $kept --profile --json --effects --by-process -p -f -ff -o -A -e -P -c -C -S -k -q -qq -t -tt -ttt -r -T -s -v -x -xx -y -yy -z -Z" ;;
	files) i=2 run="$run $kept --profile -o --json --tree --only --no-missing --prefix" ;;
	learn) i=2 run="$run $kept -o --merge" ;;
	*) run="$run $kept --profile --version" ;;
	esac
	if [ "$COMP_CWORD" -gt 1 ]; then
		case $sub in
		diff | commit | discard | export)
			case $cur in
			-*)
				case $sub in
				diff) w="-u --stat --json --all" ;;
				commit) w="--dry-run --force" ;;
				export) w=--binds ;;
				*) w= ;;
				esac
				mapfile -t COMPREPLY < <(compgen -W "$w" -- "$cur") ;;
			/* | ./*) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
			*) mapfile -t COMPREPLY < <(compgen -W "$(sandbox ls 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$cur") ;;
			esac
			return ;;
		gc) mapfile -t COMPREPLY < <(compgen -d -- "$cur") && return ;;
		exec | ps | stacks)
			i=2
			while [ $i -lt "$COMP_CWORD" ] && [ "$sub" = exec ]; do
				case ${COMP_WORDS[i]} in
				--setenv) i=$((i + 3)) ;;
				--chdir | --unsetenv | --uid | --gid) i=$((i + 2)) ;;
				-*) i=$((i + 1)) ;;
				*) break ;;
				esac
			done
			if [ "$sub" = exec ] && [ $i -lt "$COMP_CWORD" ]; then
				i=$((i + 1))
				[ "${COMP_WORDS[i]}" = -- ] && [ $i -lt "$COMP_CWORD" ] && i=$((i + 1))
				declare -F _command_offset >/dev/null && _command_offset "$i" || mapfile -t COMPREPLY < <(compgen -c -- "$cur")
			elif [[ $cur == -* ]]; then
				[ "$sub" = exec ] && w="--chdir --setenv --unsetenv --clearenv --uid --gid --help" || w="--json"
				[ "$sub" = ps ] && w="--json --dump"
				mapfile -t COMPREPLY < <(compgen -W "$w" -- "$cur")
			else
				mapfile -t COMPREPLY < <(compgen -W "$(sandbox ps 2>/dev/null | awk 'NR > 1 { print $1; if ($2 != "-") print $2 }')" -- "$cur")
			fi
			return ;;
		esac
	fi
	while [ $i -lt "$COMP_CWORD" ]; do
		w=${COMP_WORDS[i]}
		case $w in
		--bind | --ro-bind | --cow-bind | --setenv)
			if [ $((COMP_CWORD - i)) -le 2 ]; then
				[ "$w" = --setenv ] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
				return
			fi
			i=$((i + 3)) ;;
		--root | --overlay | --max-disk | --memory | --pids | --cpus | --timeout | --tmpfs | --hide | --chdir | --unsetenv | --uid | --gid | \
			--hostname | --net | --name | --from | --keep | --on-error | --profile | --only | --prefix | --debug-log | --debug-level | -[oePsS])
			if [ $((COMP_CWORD - i)) -le 1 ]; then
				case $w in
				--overlay) mapfile -t COMPREPLY < <(compgen -W "root:memory root:self root:dir=/ all:memory all:self all:dir=/ none" -- "$cur") ;;
				--name | --from) mapfile -t COMPREPLY < <(compgen -W "$(sandbox ls 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$cur") ;;
				--on-error) mapfile -t COMPREPLY < <(compgen -W "commit discard keep" -- "$cur") ;;
				--debug-level) mapfile -t COMPREPLY < <(compgen -W "info debug trace gofer=debug vfs=trace kernel=debug interposer=debug" -- "$cur") ;;
				--net) mapfile -t COMPREPLY < <(compgen -W "none host" -- "$cur") ;;
				--only) mapfile -t COMPREPLY < <(compgen -W "read written executed listed created deleted renamed changed linked missing examined" -- "$cur") ;;
				--root | --chdir | --tmpfs | --prefix) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
				--hide | --profile | --debug-log | -o | -P) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
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
	if [ $i -lt "$COMP_CWORD" ]; then
		declare -F _command_offset >/dev/null && _command_offset "$i" || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$run" -- "$cur")
	elif [ "$COMP_CWORD" -gt 1 ]; then
		mapfile -t COMPREPLY < <(compgen -c -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -W "trace files learn exec ps stacks ls diff commit discard export import gc" -- "$cur"; compgen -c -- "$cur")
	fi
}
complete -o filenames -F _sandbox sandbox
