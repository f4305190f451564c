#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest, whose machine is the host: what --target host does there. run.bash boots it and has bound
# the devices. inside.bash intel|fault|amd says which machine this is; TAP on standard output.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
unset NIT_HEARD	# is between guests/init and this script
OUT=/tmp/out
mkdir -p "$OUT"

readonly ENDPOINT=0000:00:11.0	# of nit-hw
readonly OTHER=0000:00:15.0	# the same, behind another IOMMU
readonly FOREIGN=0000:00:16.0	# QEMU's NVMe: harness/dma has no driver for it
readonly FREE=0000:00:12.0	# bound to nothing
readonly PORT=0000:00:13.0	# a root port: bound to pcieport

# host ARG...: run.sh on this machine, as user NIT_UID
host() {
	# shellcheck disable=SC2086 # words
	${AS-} "$ROOT/run.sh" --target host --programs /nit/bin "$@"
}

# refuses STATUS TEXT ARG...: it ends with this status and says this
refuses() {
	local want=$1 text=$2 status=0 said

	shift 2
	said=$(host "$@" 2>&1) || status=$?
	echo "$status: $said"
	((status == want)) && [[ $said == *"$text"* ]]
}

# without PATH CMD...: while PATH is gone
without() {
	local path=$1 status=0

	shift
	mv "$path" "$path.gone" && "$@" || status=$?
	mv "$path.gone" "$path"
	return "$status"
}

# while_in_use BDF CMD...: while another process has the device, here by its group
while_in_use() {
	local group fd status=0

	group=$(readlink -f "/sys/bus/pci/devices/$1/iommu_group")
	shift
	exec {fd}<>"/dev/vfio/${group##*/}"
	"$@" || status=$?
	exec {fd}>&-
	return "$status"
}

# runs NAME STATUS JQ ARG...: it ends with this status, and results.json is as JQ says
runs() {
	local dir=$OUT/$1 want=$2 filter=$3 status=0

	shift 3
	host --results "$dir" "$@" || status=$?
	((status == want)) || { echo "exit status $status, expected $want"; return 1; }
	jq -e "$filter" "$dir/results.json" >/dev/null ||
		{ jq -c '.environment.devices, (.tests[] | [.name, .outcome, .reason])' "$dir/results.json"; return 1; }
}

# What of the machine's devices a run might change: who drives them, who is to, and whether they are on
machine_state() {
	local dir

	for dir in /sys/bus/pci/devices/*; do
		echo "${dir##*/} $(readlink "$dir/driver") $(<"$dir/driver_override") $(<"$dir/enable")"
	done
}

refusals() {
	tap_check no-such-device refuses 2 "no such PCI device" --device 00:1e.7
	tap_check unbound refuses 2 "not bound to vfio-pci, nor to any other driver" --device "$FREE"
	tap_check other-driver refuses 2 "in use: the driver pcieport has it" --device "$PORT"
	tap_check no-dev-iommu without /dev/iommu refuses 2 "there is no /dev/iommu" --device "$ENDPOINT"
	tap_check no-vfio-cdev without /dev/vfio/devices refuses 2 "no file for it in /dev/vfio/devices" \
		--device "$ENDPOINT"
	tap_check in-use while_in_use "$ENDPOINT" refuses 2 "another process has it open" --device "$ENDPOINT"
	AS="setpriv --reuid 1000 --regid 1000 --clear-groups" tap_check no-permission \
		refuses 2 "no permission for /dev/iommu" --device "$ENDPOINT"
}

intel() {
	local here='(.environment.devices | map([.bdf, .vendor, .driver])) == [["'$ENDPOINT'", "intel", "served"]]'
	local replay='all(.tests[]; .replay | contains("--target host") and contains("--device '$ENDPOINT'"))'

	refusals
	tap_check vendor-is-found runs one 0 "$here and $replay and .counts == {passed: 6, known: 0, failed: 0,
		skipped: 0} and all(.tests[]; .suite == \"intel\" and .machine == \"this-machine\")" \
		--device "$ENDPOINT" --test 'first_stage.nested.*.remapped_page'
	tap_check two-iommus runs two 0 '.counts.passed == 1 and .counts.failed == 0' \
		--device "$ENDPOINT,$OTHER" --test "paging.host.*.both_devices"
	tap_check one-device-only runs few 4 'all(.tests[]; .reason | startswith("needs more "))' \
		--device "$ENDPOINT" --test "paging.host.@(plain|ats|two_iommus_ats).both_devices"
	tap_check other-vendor runs amd 4 'all(.tests[]; .reason == "the IOMMU here is of another make")' \
		--device "$ENDPOINT" --suite amd
	tap_check device-without-dma runs foreign 0 '.counts.passed > 4 and .counts.failed == 0 and
		([.tests[] | select(.outcome == "skip") | .reason] | unique | sort) ==
		["needs hardware of the test'"'"'s own making",
		 "no driver in harness/dma for a device here: its DMA is not seen",
		 "turns knobs of the reference hardware or hypervisor"]' --device "$FOREIGN" --test hwpt
	tap_check dma-is-needed runs blind 4 \
		'all(.tests[]; .reason == "no driver in harness/dma for a device here: its DMA is not seen")' \
		--device "$FOREIGN" --test first_stage.nested.rid.remapped_page
}

# The hardware of this boot has a bug; the tests see it here as well.
fault() {
	tap_check a-bug-is-seen runs fault 1 '.counts.failed == 1' \
		--device "$ENDPOINT" --test first_stage.nested.pasid.remapped_page
}

amd() {
	tap_check vendor-is-found-amd runs amd 0 '.environment.devices[0].vendor == "amd" and
		.counts == {passed: 6, known: 0, failed: 0, skipped: 0}' --device "$ENDPOINT" --test parent
}

before=$(machine_state)
"$1"
diff <(echo "$before") <(machine_state) >"$OUT/changed"
tap_result $? "nothing-is-changed-$1" "$(<"$OUT/changed")"
tap_end
