# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# --target bare: the test programs run right here; what they test is the IOMMU of an emulator, which
# each test starts for itself. A machine is a board of harness/qtest/board.c.

declare -rA BARE_MACHINES=(
	[arm]=virt [intel]="q35-vtd q35-vtd-first-stage q35-vtd-legacy" [amd]=q35-amdvi
	[bare]=virt	# tests/bare, of the target itself
)
declare -rA BARE_ARCH=([arm]=arm64 [intel]=x86_64 [amd]=x86_64 [bare]=arm64)

# bare_arches SUITE...: whose emulators are needed
bare_arches() {
	local suite

	for suite; do
		[[ -z ${BARE_ARCH[$suite]-} ]] || echo "${BARE_ARCH[$suite]}"
	done | sort -u
}

# bare_run MACHINE REPEAT TESTS DIR BOOT: as ref_run
bare_run() {
	local suite

	for suite in "${!BARE_MACHINES[@]}"; do
		[[ " ${BARE_MACHINES[$suite]} " != *" $1 "* ]] ||
			NIT_IOMMUFD=reference NIT_TARGET=bare NIT_BOARD=$1 NIT_QEMU=${QEMU[${BARE_ARCH[$suite]}]} \
				programs_run "qemu-$QEMU_VERSION" "$@"
	done
}

# The emulators, for what runs tests; a list of them needs none.
bare_setup() {
	local arches

	[[ $OPT_ACTION == run || $OPT_ACTION == setup ]] || return 0
	mapfile -t arches < <(bare_arches "${OPT_SUITES[@]}")
	qemu_setup "${arches[@]}"
}
