# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Reference hardware for one boot of a guest: nit-hw serves it to QEMU (harness/vfio_user/main).

readonly HARDWARE_READY=20	# s until its sockets are there

HARDWARE=()	# QEMU's options for it
HARDWARE_PLAN=	# the file with what guests/init has to do for it

# hardware_setup ARCH...: what their machines with such hardware need of the host
hardware_setup() {
	local machine

	for machine in "${MACHINES[@]}"; do
		[[ " $* " == *" ${MACHINE[$machine.arch]} "* && ${MACHINE[$machine.hardware]-} == smmuv3* ]] || continue
		host_need dtc=device-tree-compiler
	done
}

# hardware_start MACHINE NAME DIR FILES: its log and trace go to DIR, the rest to FILES; no hardware,
# no options
hardware_start() {
	local machine=$1 name=$2 dir=$3 files=$4 word=

	HARDWARE=() HARDWARE_PLAN=
	[[ -n ${MACHINE[$machine.hardware]-} ]] || return 0
	mkdir -p "$files/hardware" "$dir/trace"
	exec {HARDWARE_PORT}< <(hardware_run "$machine" "$name" "$dir" "$files")
	read -r -t "$HARDWARE_READY" -u "$HARDWARE_PORT" word
	[[ $word == ready ]] || die "nit-hw does not start" "$(<"$dir/console/$name.hardware.log")"
	mapfile -t HARDWARE <"$files/hardware/options"
	HARDWARE_PLAN=$files/hardware/plan
	if [[ -e $files/hardware/devicetree ]]; then
		hardware_tree "$machine" "$files/hardware" 2>>"$dir/console/$name.hardware.log" ||
			die "no device tree for $machine" "$(<"$dir/console/$name.hardware.log")"
		HARDWARE+=(-dtb "$files/hardware/dtb")
	fi
}

# hardware_tree MACHINE DIR: DIR/dtb is QEMU's own device tree and the addition in DIR/devicetree. It
# depends on CPU, CPUs, memory and serial ports, and on nothing else of the command line.
hardware_tree() {
	local machine=$1 dir=$2 arch=${MACHINE[$1.arch]}

	# shellcheck disable=SC2086 # words
	setpriv --pdeathsig KILL timeout "$HARDWARE_READY" ${QEMU[$arch]} \
		-M "${ARCH[$arch.machine]},dumpdtb=$dir/qemu.dtb" -cpu "${MACHINE[$machine.cpu]}" \
		-smp "${MACHINE[$machine.cpus]}" -m "$(guest_memory "$machine")" -nodefaults -display none \
		-serial null -serial null >&2 </dev/null || return
	{ dtc -q -I dtb -O dts "$dir/qemu.dtb" && cat "$dir/devicetree"; } >"$dir/dts" &&
		dtc -q -I dts -O dtb -o "$dir/dtb" "$dir/dts"
}

# A guest whose hardware is gone would wait for it: it goes, too.
hardware_run() {
	local machine=$1 name=$2 dir=$3 files=$4 status=0

	NIT_SEED=$OPT_SEED "${PROGRAMS[$HOST_ARCH]}/nit-hw" --board "${MACHINE[$machine.hardware]}" \
		--dir "$files/hardware" --memory "$(guest_memory "$machine")" \
		--trace "$dir/trace/$name.log" 2>"$dir/console/$name.hardware.log" || status=$?
	echo "ended $status"
	((status == 0)) || kill -KILL "$(<"$files/qemu")" 2>/dev/null
}

# hardware_ended: it ends with its last client; fails, and says so, if it did not end well
hardware_ended() {
	local word='' status=''

	((${#HARDWARE[@]})) || return 0
	read -r -t "$HARDWARE_READY" -u "$HARDWARE_PORT" word status
	exec {HARDWARE_PORT}<&-
	[[ $status == 0 ]]
}
