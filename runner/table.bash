# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The tables of guests/: one file an architecture, one file a machine, lines of "key = value".

declare -A ARCH=()	# ARCH[x86_64.console]: guests/arch/
declare -A MACHINE=()	# MACHINE[x86_64-mock.memory]: guests/machines/

readonly ARCH_KEYS=" kbuild image cross debian qemu machine console port append "
readonly MACHINE_KEYS=" arch suites programs target hardware memory cpus cpu clock firmware disk options append "

# table_read ARRAY KEYS FILE: add a file's lines under the file's own name
table_read() {
	local -n table=$1	# ARCH or MACHINE
	local keys=$2 file=$3 name line key number=0

	name=${file##*/}
	name=${name%.*}
	while IFS= read -r line || [[ -n $line ]]; do
		((++number))
		[[ $line =~ ^[[:space:]]*(#|$) ]] && continue
		[[ $line =~ ^([a-z_]+)[[:space:]]*=[[:space:]]*(.*)$ ]] ||
			die "$file:$number: '$line' is not a line of 'key = value'"
		key=${BASH_REMATCH[1]}
		[[ $keys == *" $key "* ]] || die "$file:$number: unknown key '$key'" "known:$keys"
		# shellcheck disable=SC2034 # a reference
		table[$name.$key]=${BASH_REMATCH[2]}
	done <"$file"
}

tables_read() {
	local file

	ARCHES=() MACHINES=()
	for file in "$ROOT"/guests/arch/*.arch; do
		table_read ARCH "$ARCH_KEYS" "$file"
		file=${file##*/}
		ARCHES+=("${file%.arch}")
	done
	for file in "$ROOT"/guests/machines/*.machine; do
		table_read MACHINE "$MACHINE_KEYS" "$file"
		file=${file##*/}
		MACHINES+=("${file%.machine}")
	done
}

# machines_for SUITE ARCH: the machines that this suite runs on
machines_for() {
	local machine

	for machine in "${MACHINES[@]}"; do
		[[ ${MACHINE[$machine.arch]} == "$2" ]] || continue
		[[ " ${MACHINE[$machine.suites]} " != *" $1 "* ]] || printf '%s\n' "$machine"
	done
}
