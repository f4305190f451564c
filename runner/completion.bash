# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of run.sh's options. To use it: source runner/completion.bash

_nit() {
	local root word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=

	root=$(cd "$(dirname "${COMP_WORDS[0]}")" 2>/dev/null && pwd)
	COMPREPLY=()
	case $previous in
	--kernel | --patch | --results | --compare | --baseline | --baselines | --install-kselftest | --mutants | \
		--programs | --build-programs)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		;;
	--arch) words=$(cd "$root/guests/arch" && printf '%s ' *.arch | sed 's/\.arch//g') ;;
	--suite) words=$(cd "$root/suites" && echo *) ;;
	--target) words="guest ref bare host" ;;
	--device) words=$(cd /sys/bus/pci/drivers/vfio-pci 2>/dev/null && echo ????:*) ;;
	*) words=$("${COMP_WORDS[0]}" --help | grep -oE '^ +--[a-z-]+' | sort -u) ;;
	esac
	[[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -o nospace -F _nit run.sh ./run.sh
