# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Which QEMU runs the guests: the host's if it is new enough, else one from Debian in the cache.

readonly QEMU_OLDEST=11.1
readonly QEMU_PACKAGES=qemu-system-x86,qemu-system-arm,qemu-efi-aarch64

declare -A QEMU=()	# QEMU[x86_64]: the command, words separated by spaces
QEMU_VERSION=

# qemu_version CMD...: prints "11.1.3"; fails for what is no QEMU
qemu_version() {
	"$@" --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p' | grep .
}

is_at_least() {
	[[ $(printf '%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]
}

# qemu_setup ARCH...
qemu_setup() {
	local arch version

	for arch; do
		if version=$(qemu_version "${ARCH[$arch.qemu]}") &&
			is_at_least "$QEMU_OLDEST" "$version"; then
			QEMU[$arch]=${ARCH[$arch.qemu]}
		else
			qemu_from_debian "$arch"
			# shellcheck disable=SC2086 # words
			version=$(qemu_version ${QEMU[$arch]}) ||
				die "the QEMU in $CACHE/qemu does not run" "try: ./run.sh --clean-cache"
		fi
		QEMU_VERSION=$version
	done
}

qemu_from_debian() {
	local root name

	name=qemu/$(debian_sources | cat - <(echo "$QEMU_PACKAGES") | cache_key)
	root=$CACHE/$name
	[[ -e $root/.complete ]] || host_need mmdebstrap=mmdebstrap
	cache_provide "$name" "QEMU from Debian $DEBIAN_SUITE-backports" "20 s, 200 MB" \
		debian_root "$QEMU_PACKAGES" "${ARCH[$HOST_ARCH.debian]}"
	root=$(realpath "$root")
	# Modules, such as its accelerators, are looked for where Debian has them, or here.
	QEMU[$1]="env QEMU_MODULE_DIR=$(echo "$root"/usr/lib/*-linux-gnu/qemu) "
	QEMU[$1]+="$(qemu_loader "$root") $root/usr/bin/${ARCH[$1.qemu]}"
	QEMU[$1]+=" -L $root/usr/share/qemu -L $root/usr/share/seabios"
}

# The root's own dynamic loader and libraries: nothing of the host's must match, and no chroot
qemu_loader() {
	case $HOST_ARCH in
	x86_64) printf '%s' "$1/usr/lib64/ld-linux-x86-64.so.2 --library-path $1/usr/lib/x86_64-linux-gnu" ;;
	arm64) printf '%s' "$1/usr/lib/ld-linux-aarch64.so.1 --library-path $1/usr/lib/aarch64-linux-gnu" ;;
	*) die "no QEMU root for a $HOST_ARCH host" "install QEMU >= $QEMU_OLDEST" ;;
	esac
}

# qemu_accel ARCH: kvm where a guest really runs with it, else tcg. /dev/kvm alone says little: in a
# virtual machine it may open, and never run a guest. So boot the kernel, to its panic without a root.
qemu_accel() {
	local record

	[[ $1 == "$HOST_ARCH" && -w /dev/kvm ]] || { echo tcg; return; }
	record=$CACHE/accel/$1-$(cache_key <"/proc/sys/kernel/random/boot_id")
	if [[ ! -e $record ]]; then
		mkdir -p "$CACHE/accel"
		# shellcheck disable=SC2086 # words
		if timeout 15 ${QEMU[$1]} -M "${ARCH[$1.machine]}" -accel kvm -cpu max -m 512 \
			-nodefaults -display none -no-reboot -kernel "${KERNEL[$1.image]}" \
			-append panic=-1 </dev/null >/dev/null 2>&1; then
			echo kvm >"$record"
		else
			echo tcg >"$record"
		fi
	fi
	cat "$record"
}
