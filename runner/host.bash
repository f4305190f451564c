# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The tools of the host. What is missing is installed where that can be done, else named.

HOST_ARCH=$(uname -m)
case $HOST_ARCH in
aarch64 | arm64) HOST_ARCH=arm64 ;;
esac

# host_need NAME=PACKAGE...: NAME is a command, a header if it ends in .h, a perl module if it has ::
host_need() {
	local need missing=()

	for need; do
		host_has "${need%%=*}" || missing+=("${need#*=}")
	done
	((${#missing[@]} == 0)) || host_install "${missing[@]}"
	for need; do
		host_has "${need%%=*}" ||
			die "${need%%=*} is missing" "install the package ${need#*=} and run again"
	done
}

host_has() {
	case $1 in
	*::*) perl "-M$1" -e 1 2>/dev/null ;;
	*.h) [[ -e $1 || -e /usr/include/$1 || -e /usr/include/$HOST_ARCH-linux-gnu/$1 ]] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

host_install() {
	local sudo=()

	((EUID == 0)) || sudo=(sudo -n)
	if ! command -v apt-get >/dev/null || { ((EUID)) && ! sudo -n true 2>/dev/null; }; then
		die "these packages are missing, and cannot be installed from here: $*" \
		    "install them by hand, as root: apt-get install $*"
	fi
	mkdir -p "$CACHE/log"
	step "installing $*" "1 min" "$CACHE/log/apt" host_apt "${sudo[@]}" -- "$@" ||
		die "apt-get could not install: $*" \
		    "offline? install them by hand, then run again: apt-get install $*"
}

# host_apt [SUDO...] -- PACKAGE...
host_apt() {
	local sudo=()

	while [[ $1 != -- ]]; do
		sudo+=("$1")
		shift
	done
	shift
	"${sudo[@]}" apt-get -qq -o DPkg::Lock::Timeout=300 update &&
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq \
			-o DPkg::Lock::Timeout=300 install --no-install-recommends -y "$@"
}

# host_cross ARCH: prints the prefix of the compiler for a guest architecture; empty for the host's
host_cross() {
	[[ $1 == "$HOST_ARCH" ]] || printf '%s' "${ARCH[$1.cross]}"
}

host_need_compiler() {
	local arch=$1 triple=${ARCH[$1.cross]%-}

	host_need gcc=gcc make=make
	[[ $arch == "$HOST_ARCH" ]] ||
		host_need "$triple-gcc=gcc-${triple//_/-}" \
			  "/usr/$triple/include/stdio.h=libc6-dev-${ARCH[$arch.debian]}-cross"
}
