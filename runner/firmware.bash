# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Machines that boot by firmware, with an ACPI table of QEMU's changed on the way.
#
# Linux nests on an SMMUv3 only if it keeps a guest's writes coherent: by S2FWB, or by CANWBS in the
# memory access flags of the IORT's root complex (Arm DEN0049, "Memory access properties"). QEMU's
# SMMUv3 has no S2FWB and is coherent, but does not say CANWBS. So its own IORT is read from it, gets
# the bit, and replaces the original by the kernel's ACPI table upgrade (admin-guide/acpi/initrd_table_override).

readonly FW_CFG_DMA=0x9020010	# of -M virt (QEMU, docs/specs/fw_cfg.rst)
readonly FW_CFG_READ=000a	# the number before it chooses a file; read it
readonly FW_CFG_DIRECTORY=0019
readonly FW_CFG_ENTRY=64	# bytes of a directory entry: size, number, reserved, a name of 56
readonly RAM=0x40000000		# of -M virt: the request, and the answer a page later
readonly IORT_ROOT_COMPLEX=02
readonly IORT_FLAGS=23		# where its memory access flags are in the node
readonly IORT_CANWBS=4
readonly IORT_CHECKSUM=9 IORT_OEM_REVISION=24	# of every table's header

# firmware_find NAME: prints where it is: with the QEMU in use, or with the host's
firmware_find() {
	local word dir

	# shellcheck disable=SC2048 # words
	for word in ${QEMU[*]} /usr/share/qemu; do
		for dir in qemu-efi-aarch64 AAVMF ovmf; do
			[[ ! -e ${word%/*}/$dir/$1 ]] || { printf '%s' "${word%/*}/$dir/$1"; return; }
		done
	done
	die "$1 is missing" "install the package qemu-efi-aarch64"
}

# firmware_options MACHINE: sets FIRMWARE to QEMU's options for its firmware, if it has one
firmware_options() {
	FIRMWARE=()
	[[ -z ${MACHINE[$1.firmware]-} ]] || FIRMWARE=(-bios "$(firmware_find "${MACHINE[$1.firmware]}")")
}

# firmware_tables MACHINE DIR: the tables that replace QEMU's, below DIR where the kernel looks for them
firmware_tables() {
	local iort

	[[ -n ${MACHINE[$1.firmware]-} ]] || return 0
	iort=$(firmware_iort "$1")
	[[ -n $iort ]] || die "QEMU's IORT cannot be read"
	mkdir -p "$2/kernel/firmware/acpi" &&
		hex_write "$(iort_canwbs "$iort")" >"$2/kernel/firmware/acpi/iort.aml"
}

# firmware_iort MACHINE: prints the IORT that QEMU has for it, in hexadecimal
firmware_iort() {
	local arch=${MACHINE[$1.arch]} qemu tables at length

	# shellcheck disable=SC2206 # words
	qemu=(${QEMU[$arch]} -M "${ARCH[$arch.machine]}" ${MACHINE[$1.options]-} "${DISK[@]}" -accel qtest
		-qtest stdio -qtest-log none -display none -nodefaults)
	coproc QTEST { exec timeout 20 "${qemu[@]}" 2>/dev/null; }
	tables=$(fw_cfg_file etc/acpi/tables)
	kill "$QTEST_PID" 2>/dev/null
	wait "$QTEST_PID" 2>/dev/null
	for ((at = 0; at + 72 < ${#tables}; at += length)); do
		length=$((2 * $(hex_le32 "${tables:at + 8:8}")))
		((length >= 72)) || break
		[[ ${tables:at:8} != 494f5254 ]] || { printf '%s' "${tables:at:length}"; return; }
	done
}

# qtest COMMAND...: prints the answer
qtest() {
	local answer

	echo "$*" >&"${QTEST[1]}"
	read -r -t 20 -u "${QTEST[0]}" answer && [[ $answer == OK* ]] && printf '%s' "${answer#OK}"
}

# fw_cfg_read FILE LENGTH: FILE is a number in hexadecimal
fw_cfg_read() {
	local answer

	printf -v answer '0x%s%s%08x%016x' "$1" "$FW_CFG_READ" "$2" $((RAM + 4096))
	qtest write $((RAM)) 16 "$answer" >/dev/null &&
		qtest write "$FW_CFG_DMA" 8 "$(printf '0x%016x' $((RAM)))" >/dev/null &&
		answer=$(qtest read $((RAM + 4096)) "$2") && printf '%s' "${answer# 0x}"
}

# fw_cfg_file NAME: prints a file's content in hexadecimal
fw_cfg_file() {
	local directory at name

	directory=$(fw_cfg_read "$FW_CFG_DIRECTORY" 4) &&
		directory=$(fw_cfg_read "$FW_CFG_DIRECTORY" $((4 + 16#$directory * FW_CFG_ENTRY))) || return
	name=$(printf '%s\0' "$1" | od -An -v -tx1 | tr -d ' \n')
	for ((at = 8; at < ${#directory}; at += 2 * FW_CFG_ENTRY)); do
		[[ ${directory:at + 16:${#name}} != "$name" ]] ||
			fw_cfg_read "${directory:at + 8:4}" $((16#${directory:at:8}))
	done
}

hex_le32() {
	echo $((16#${1:6:2}${1:4:2}${1:2:2}${1:0:2}))
}

# iort_canwbs TABLE: prints it with CANWBS in every root complex, and with a later OEM revision
iort_canwbs() {
	local byte at count sum=0
	local -a table

	mapfile -t table < <(fold -w 2 <<<"$1")
	count=$(hex_le32 "${1:72:8}")
	for ((at = $(hex_le32 "${1:80:8}"); count--; at += 16#${table[at + 2]}${table[at + 1]})); do
		[[ ${table[at]} != "$IORT_ROOT_COMPLEX" ]] ||
			printf -v "table[at + IORT_FLAGS]" %02x $((16#${table[at + IORT_FLAGS]} | IORT_CANWBS))
	done
	printf -v "table[IORT_OEM_REVISION]" %02x $((16#${table[IORT_OEM_REVISION]} + 1))
	table[IORT_CHECKSUM]=00
	for byte in "${table[@]}"; do
		((sum += 16#$byte))
	done
	printf -v "table[IORT_CHECKSUM]" %02x $((-sum & 255))
	printf '%s' "${table[@]}"
}

# hex_write TEXT: the bytes that it stands for
hex_write() {
	printf %b "$(fold -w 2 <<<"$1" | sed 's/^/\\x/' | tr -d '\n')"
}
