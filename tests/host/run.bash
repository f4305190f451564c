#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# --target host, where it is safe: in guests, whose machine is the host. run.sh itself runs there, with
# this machine's bash, jq and what else it needs. inside.bash is what it does; here they are booted.
# shellcheck disable=SC2034,SC2154 # variables of the parts of the runner
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
for part in say cache host table debian qemu kernel load programs hardware firmware guest options; do
	# shellcheck source=/dev/null
	source "$ROOT/runner/$part.bash"
done

readonly ARCH_HERE=x86_64
readonly TOOLS="awk basename bash cat chmod cp cut date diff dirname dmesg echo env expr find fold grep head id jq ln ls
	mkdir mktemp mv nproc od readlink realpath rm sed seq setpriv sleep sort tail tee timeout touch tr uname uniq
	wc xargs"
readonly PROGRAMS_HERE="intel/first_stage intel/hwpt intel/device_tlb intel/paging amd/parent nit-device"
readonly SECONDS_MOST=1500	# of a boot, on a busy machine; on an idle one it takes about half a minute

# A boot: what inside.bash is told, the machine, the fault in its hardware, devices for vfio-pci
readonly BOOTS=(
	"intel x86_64-vtd - 0000:00:11.0 0000:00:15.0 0000:00:16.0"
	"fault x86_64-vtd vtd.piotlb-ignores-pasid 0000:00:11.0"
	"amd x86_64-amdvi - 0000:00:11.0"
)
readonly FOREIGN="-device nvme,serial=nit,addr=16"	# BOARD_FOREIGN_SLOT of harness/vfio_user

# root_tool FILE DIR: a program of this machine, and what it loads
root_tool() {
	local library

	install -D "$(realpath "$1")" "$2/bin/${1##*/}" || return
	ldd "$1" | grep -oE '/[^ ]+' | while read -r library; do
		[[ -e $2$library ]] || install -D "$(realpath "$library")" "$2$library" || return
	done
}

# root_make DIR: a root for the guest: tools, this checkout, test programs
root_make() {
	local dir=$1 name

	mkdir -p "$dir/usr" "$dir/src/tests/host" \
		"$dir/src/suites"/{amd,arm,intel,uapi} "$dir/nit/bin"/{amd,arm,intel}
	ln -s ../bin "$dir/usr/bin"
	for name in $TOOLS; do
		root_tool "$(type -P "$name")" "$dir" || return
	done
	cp -r "$ROOT"/{run.sh,runner,guests,rules.tsv,deviations.tsv} "$dir/src/" &&
		cp "$ROOT/tests/tap.bash" "$dir/src/tests/" &&
		cp "$ROOT/tests/host/inside.bash" "$dir/src/tests/host/" &&
		cp "${PROGRAMS[$ARCH_HERE]}/init" "$dir/init" || return
	for name in $PROGRAMS_HERE; do
		cp "${PROGRAMS[$ARCH_HERE]}/$name" "$dir/nit/bin/$name" || return
	done
}

# Instead of the runner's: what guests/init does here. Whoever owns the machine binds the devices.
guest_plan() {
	local bdf

	printf 'port %s\n' "${ARCH[$ARCH_HERE.port]}"
	cat "$HARDWARE_PLAN"
	for bdf in "${DEVICES_HERE[@]}"; do
		printf 'write %s/driver_override vfio-pci\nwrite /sys/bus/pci/drivers_probe %s\n' \
			"/sys/bus/pci/devices/$bdf" "$bdf"
	done
	printf 'run inside /bin/bash /src/tests/host/inside.bash %s\n' "$NAME_HERE"
}

# Instead of the runner's: one root for all boots, and the plan
guest_initramfs() {
	cp "$2" "$WORK/root/nit/plan" &&
		(cd "$WORK/root" && find . -mindepth 1 | sed 's,^\./,,' | LC_ALL=C sort | cpio -o -H newc --quiet) >"$4"
}

# boot NAME MACHINE FAULT BDF...: its lines of TAP become lines of ours
boot() {
	local raw=$WORK/raw/$1.log

	NAME_HERE=$1 DEVICES_HERE=("${@:4}")
	[[ $3 == - ]] || export NIT_FAULT=$3
	guest_boot "$2" "$WORK/none" "$WORK" "$1" $((SECONDS + SECONDS_MOST))
	unset NIT_FAULT
	boot_tap "$raw"
	grep -q ' end inside 0' "$raw"
	tap_result $? "$1-ends-well" "$(tail -n 60 "$raw")"
}

boot_tap() {
	local lines line i

	mapfile -t lines < <(sed -n 's/^[0-9.]* out //p' "$1")
	for ((i = 0; i < ${#lines[@]}; i++)); do
		line=${lines[i]}
		[[ $line =~ ^(not )?ok\ [0-9]+\ (.*)$ ]] || continue
		tap_result "$([[ -z ${BASH_REMATCH[1]} ]]; echo $?)" "${BASH_REMATCH[2]}" \
			"$(printf '%s\n' "${lines[@]:i + 1:40}" | sed '/^#/!Q')"
	done
}

set_up() {
	tables_read
	options_default
	OPT_TIMEOUT=$SECONDS_MOST
	cache_open
	cache_use
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/nit-host.XXXXXX") || exit 2
	host_need jq=jq setpriv=util-linux cpio=cpio flock=util-linux
	kernel_find "" "$ARCH_HERE"
	programs_build "$ARCH_HERE" intel amd
	kernel_images "$ARCH_HERE"
	qemu_setup "$ARCH_HERE"
	ACCEL[$ARCH_HERE]=$(qemu_accel "$ARCH_HERE")
	MACHINE[x86_64-vtd.options]=$FOREIGN
	mkdir -p "$WORK/raw" "$WORK/console" "$WORK/root"
	: >"$WORK/none"
	root_make "$WORK/root" || die "cannot make a root for the guest"
}

# What the runner says on the way is worth reading only where it gives up.
clean_up() {
	trap '' INT TERM HUP
	((TAP_COUNT)) || tap_result 1 set-up "$(tail -n 20 "$SAID")"
	rm -f "$SAID"
	jobs_kill
	cache_abandon
	[[ -z ${WORK-} || -n ${NIT_KEEP-} ]] || rm -rf "$WORK"
}

declare -A ACCEL=()
SAID=$(mktemp "${TMPDIR:-/tmp}/nit-host.XXXXXX") || exit 2
exec 2>"$SAID"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [[ $HOST_ARCH != "$ARCH_HERE" ]]; then
	tap_skip guests "the guest would need another machine's bash"
else
	set_up
	for line in "${BOOTS[@]}"; do
		read -ra words <<<"$line"
		boot "${words[@]}"
	done
fi
tap_end
