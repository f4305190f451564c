# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Debian trixie and its backports, whatever this machine runs: the newest QEMU and kernel source.
# apt does the fetching and the checking of signatures, on directories of its own.

DEBIAN_MIRROR=${NIT_MIRROR:-http://deb.debian.org/debian}
DEBIAN_SUITE=trixie

debian_sources() {
	printf 'deb %s %s main\n' "$DEBIAN_MIRROR" "$DEBIAN_SUITE" \
		"$DEBIAN_MIRROR" "$DEBIAN_SUITE-backports"
}

# debian_apt TOOL ARG...: apt on the state in $CACHE/apt; needs no root
debian_apt() {
	local dir=$CACHE/apt tool=$1

	shift
	"$tool" -o Dir::State="$dir" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/cache" \
		-o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Main=/dev/null -o Dir::Etc::Parts=/dev/null -o Acquire::Languages=none \
		-o APT::Sandbox::User=root -o Acquire::Retries=3 -o Acquire::http::Timeout=20 "$@"
}

debian_update() {
	mkdir -p "$CACHE/apt/lists/partial" "$CACHE/apt/cache/archives/partial"
	debian_sources >"$CACHE/apt/sources.list"
	# --error-on=any: without it, an unreachable mirror is a warning, and the lists are empty.
	debian_apt apt-get -q update --error-on=any &&
		debian_find_kernel_source >"$CACHE/apt/newest.part" &&
		mv "$CACHE/apt/newest.part" "$CACHE/apt/newest" && touch "$CACHE/apt/updated"
}

# debian_index: fetch the package lists when they are older than a day
debian_index() {
	[[ -z $(find "$CACHE/apt/updated" -mmin -1440 2>/dev/null) ]] || return 0
	mkdir -p "$CACHE/log"
	cache_lock apt
	step "package lists of Debian $DEBIAN_SUITE" "10 s" "$CACHE/log/apt-update" debian_update
	set -- $?
	cache_unlock
	return "$1"
}

# debian_find_kernel_source: prints "PACKAGE VERSION" of the newest; $CACHE/apt/newest remembers it
debian_find_kernel_source() {
	local package

	debian_apt apt-cache pkgnames linux-source- 2>/dev/null | grep -xE 'linux-source-[0-9.]+' |
		while read -r package; do debian_apt apt-cache madison "$package"; done |
		awk '{ print $3, $1 }' | sort -V | awk 'END { if (NR) print $2, $1; exit !NR }'
}

# debian_kernel_source PACKAGE VERSION DIR: download and unpack
debian_kernel_source() {
	cd "$3" && debian_apt apt-get -q download "$1=$2" && dpkg-deb -x ./*.deb unpacked &&
		tar -xf unpacked/usr/src/*.tar.xz --strip-components=1 && rm -rf unpacked ./*.deb
}

# debian_root PACKAGES ARCH DIR: a tree with these packages, and what they need; never entered, needs no mounts
debian_root() {
	debian_sources | mmdebstrap --quiet --variant=extract --format=directory --architectures="$2" \
		--include="$1" --aptopt='Apt::Install-Recommends "false"' \
		--aptopt="APT::Default-Release \"$DEBIAN_SUITE-backports\"" "$DEBIAN_SUITE" "$3" -
}
