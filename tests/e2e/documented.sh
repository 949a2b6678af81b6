# SPDX-License-Identifier: Apache-2.0
# Each option of each help text is in its manual page and in both completions; bash's completes it where it belongs.
# users: ordinary
. "$(dirname "$0")/lib.sh"
here=$(dirname "$SANDBOX")
[ -d "$here/man" ] || skip "no manual beside the program"
. "$here/completions/sandbox.bash"
for front in "" trace files learn; do
	page=$here/man/sandbox${front:+-$front}.1
	help=$("$SANDBOX" $front --help)
	options=$(grep '^  ' <<<"$help" | grep -oE '(^|[ ,[])--?[A-Za-z][-a-z]*' | grep -oE -- '-.*' | sort -u)
	[ "$(wc -l <<<"$options")" -gt 1 ] || fail "no options in the help of '$front'"
	COMP_WORDS=(sandbox $front -)
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_sandbox
	for o in $options; do
		# The letters of trace: -tt is more of -t.
		name=$(sed -E 's/^-([a-zA-Z])\1+$/-\1/' <<<"$o")
		grep -qE "^\.(It|Op|Fl) .*(Fl|,|\|) ${name#-}( |,|\$)" "$page" || fail "$o is not in $(basename "$page")"
		grep -qE "(^|['\"(|)*])$o(=-)?\[" "$here/completions/_sandbox" || fail "$o is not in the zsh completion"
		printf '%s\n' "${COMPREPLY[@]}" | grep -qxF -- "$o" || fail "bash does not complete $o after sandbox $front"
	done
done
for o in $(printf '%s\n' "${COMPREPLY[@]}"); do
	"$SANDBOX" learn -o /dev/null/x "$o" 2>&1 | grep -q 'unknown\|not an option' && fail "bash completes $o, which is none of learn"
done
if command -v zsh >/dev/null; then
	zsh -n "$here/completions/_sandbox" || fail "zsh syntax"
	# What an interactive one makes of a line and a tabulator.
	cat >complete.zsh <<'Z'
zmodload zsh/zpty || exit 77
zpty shell 'zsh -f -i'
zpty -w shell "TERM=dumb PS1= PROMPT_EOL_MARK=; unset zle_bracketed_paste; fpath=($1 \$fpath); path=($2 \$path); autoload -U compinit; compinit -u -D"
shift 2
for line; do
	zpty -w shell "print BE''GIN"
	zpty -r -m shell out '*BEGIN*'
	zpty -n -w shell "$line"$'\t'
	zpty -n -w shell $'\C-a: \C-e\n'
	zpty -w shell "print E''ND"
	zpty -r -m shell out '*END*'
	print -r -- "$out"
done
Z
	# rc 77: without that module.
	got=$(timeout -k 1 30 zsh -f complete.zsh "$here/completions" "$here" 'sandbox trace --by-p' 'sandbox dis' 'sandbox learn --mer' 'sandbox ps --j' \
		'sandbox trace -S av' 'sandbox --explain=j')
	if [ $? != 77 ]; then
		for want in 'trace --by-process' discard 'learn --merge' 'ps --json' 'trace -S avg-time' '--explain=json'; do
			grep -qF ": sandbox $want" <<<"$got" || fail "zsh does not complete sandbox $want: $(cat -v <<<"$got")"
		done
	fi
fi
for page in "$here"/man/*; do
	command -v man >/dev/null || break
	got=$(MANWIDTH=80 man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)
	[ -z "$got" ] || fail "$page: $got"
done
# Each subcommand is in the help, prints its own, is in sandbox(1) and both completions, and has a page that names it.
all="trace files learn exec ps stacks ls diff commit discard export import gc"
"$SANDBOX" --help | grep -qxF "  $all" || fail "the help lists other subcommands"
for completion in "$here"/completions/*; do
	grep -qE "(compgen -W \"|compadd )$all" "$completion" || fail "$(basename "$completion") lists other subcommands"
done
for c in $all; do
	"$SANDBOX" "$c" --help | grep -q "^Usage: sandbox $c" || fail "$c --help"
	page=$("$SANDBOX" "$c" --help | grep -oE 'man sandbox-[a-z]+' | head -n 1)
	[ -f "$here/man/${page#man }.1" ] || fail "$c --help names the manual '$page'"
	grep -qE "^\.It Cm (.* )?$c( |\$)" "$here/man/sandbox.1" || fail "sandbox(1) does not list $c"
	grep -qE "^\.Nm sandbox-$c\b|^\.Cm $c\$" "$here"/man/* || fail "no manual of $c"
done
finish
