# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# --target host: the test programs run right here, on the running kernel, for devices that vfio-pci has
# already. Nothing of this machine is changed: what is not as it has to be is said, and left to its owner.

readonly HOST_MACHINE=this-machine
readonly HOST_SUITES="intel amd arm"
readonly HOST_LOCKED=$((128 << 10))	# KiB that tests pin: two VMs of 32 MiB, and their own pages
readonly PCI_DEVICES=/sys/bus/pci/devices

DEVICES=	# what nit-device says of them, a line each

# device_check BDF...: dies unless tests may use them
device_check() {
	local bdf

	(($#)) || die "--target host needs --device BDF: a spare PCI device that vfio-pci has" \
		"docs/host.md says which, and how"
	for bdf; do
		[[ -d $PCI_DEVICES/$bdf ]] || die "--device $bdf: no such PCI device" "lspci -D shows them"
		device_is_bound "$bdf"
		device_is_alone "$bdf"
		device_is_reachable "$bdf"
	done
	device_may_pin
}

# device_driver BDF: prints the driver that has it
device_driver() {
	local driver

	! driver=$(readlink "$PCI_DEVICES/$1/driver") || printf '%s' "${driver##*/}"
}

device_is_bound() {
	local bdf=$1 driver how

	how=("    modprobe vfio-pci"
	     "    echo vfio-pci >$PCI_DEVICES/$bdf/driver_override"
	     "    echo $bdf >/sys/bus/pci/drivers_probe")
	driver=$(device_driver "$bdf")
	case $driver in
	vfio-pci) ;;
	'') die "--device $bdf: not bound to vfio-pci, nor to any other driver" "bind it, as root:" "${how[@]}" ;;
	*)
		die "--device $bdf: in use: the driver $driver has it" \
		    "nit takes no device away. If this machine can spare it, do so, as root:" \
		    "    echo $bdf >$PCI_DEVICES/$bdf/driver/unbind" "${how[@]}"
		;;
	esac
}

# The kernel gives an IOMMU group to user space as a whole. Ports do no DMA of their own.
device_is_alone() {
	local bdf=$1 other driver

	[[ -e $PCI_DEVICES/$bdf/iommu && -d $PCI_DEVICES/$bdf/iommu_group/devices ]] ||
		die "--device $bdf: no IOMMU translates its DMA" \
		    "turn the IOMMU on: in firmware, and by intel_iommu=on,sm_on where it is Intel's"
	for other in "$PCI_DEVICES/$bdf/iommu_group/devices"/*; do
		other=${other##*/}
		driver=$(device_driver "$other")
		case $driver in
		vfio-pci | pci-stub | pcieport | '') ;;
		*)
			die "--device $bdf: shares its IOMMU group with $other, which the driver $driver has" \
			    "choose a device whose group is its own: $PCI_DEVICES/$bdf/iommu_group/devices"
			;;
		esac
	done
}

device_is_reachable() {
	local bdf=$1 file

	[[ -e /dev/iommu ]] || die "there is no /dev/iommu" "modprobe iommufd; a kernel needs CONFIG_IOMMUFD"
	for file in "$PCI_DEVICES/$bdf"/vfio-dev/vfio*; do
		file=/dev/vfio/devices/${file##*/}
	done
	[[ -c $file ]] || die "--device $bdf: there is no file for it in /dev/vfio/devices" \
		"a kernel needs CONFIG_VFIO_DEVICE_CDEV (Linux 6.6)"
	for file in /dev/iommu "$file"; do
		[[ -r $file && -w $file ]] ||
			die "no permission for $file" "run as root, or have root give it to you"
	done
}

# Root may pin what it likes; others no more than their limit.
device_may_pin() {
	local limit

	limit=$(ulimit -l)
	((EUID == 0)) || [[ $limit == unlimited ]] || ((limit >= HOST_LOCKED)) ||
		die "ulimit -l is $limit KiB; the tests pin up to $HOST_LOCKED" "raise it, or run as root"
}

# device_setup BDF...: what they and their IOMMUs can do; the suite of that vendor, where none was named
device_setup() {
	local vendors

	DEVICES=$(NIT_DEVICE=$(device_list "$@") NIT_IOMMUFD='' "${PROGRAMS[$HOST_ARCH]}/nit-device" 2>&1) ||
		die "--device: $DEVICES"
	device_say
	vendors=$(cut -f 3 <<<"$DEVICES" | sort -u | grep -vx -- -) ||
		die "--device: behind an IOMMU that is neither Intel VT-d, AMD-Vi nor Arm SMMUv3" \
		    "by what GET_HW_INFO says"
	[[ -z $OPT_SUITES_DEFAULT ]] || mapfile -t OPT_SUITES <<<"$vendors"
}

device_list() {
	local IFS=,

	printf '%s' "$*"
}

device_say() {
	local bdf iommu vendor driver abilities

	while IFS=$'\t' read -r bdf iommu vendor driver abilities; do
		say "==> $bdf behind $iommu ($vendor), driven by $driver: ${abilities//,/ }"
		[[ $driver != - ]] ||
			say "    harness/dma has no driver for it: objects, their life cycle and invalidation calls" \
			    "are tested; where its DMA goes is not, and what asks for that is skipped"
	done <<<"$DEVICES"
}

# host_run MACHINE REPEAT TESTS DIR BOOT: as ref_run
host_run() {
	NIT_TARGET=kernel NIT_DEVICE=$(device_list "${OPT_DEVICES[@]}") NIT_IOMMUFD='' \
		programs_run "$(uname -r)" "$@"
}

# host_splats SINCE: what the kernel complained of after SINCE, its uptime, as lines of the port. What
# marks a complaint is what guests/init/init.c takes for one.
host_splats() {
	dmesg 2>/dev/null | sed -n 's/^\[ *\([0-9.]*\)\] /\1 /p' | awk -v since="$1" -v now="$EPOCHREALTIME" '
	$1 <= since { next }
	/BUG: |WARNING: |kernel BUG at|Oops|general protection fault|UBSAN: |KASAN: |KFENCE: |refcount_t: / ||
	/INFO: (possible|task|rcu_)|rcu: INFO:|Internal error|Unable to handle kernel/ { splat = 1 }
	splat && lines++ < 120 { sub(/^[^ ]* /, ""); print now, "splat", $0 }'
}
