# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The kernel under test: from a source tree, from an image, or Debian's newest.
# Sets, for each architecture, KERNEL[arch.image] and KERNEL[arch.headers], and KERNEL_SOURCE: the
# tree that kselftest_harness.h and the uapi headers come from.

declare -A KERNEL=()
KERNEL_SOURCE=

# kernel_find PATH|"" ARCH...: the source or image, and the headers that programs are compiled with
kernel_find() {
	local given=$1 arch

	shift
	if [[ -n $given && -f $given ]]; then
		kernel_take_image "$given" "$@"
		kernel_default_source
	elif [[ -n $given ]]; then
		kernel_take_tree "$given"
	else
		kernel_default_source
	fi
	host_need make=make gcc=gcc perl=perl
	for arch in "$@" "$HOST_ARCH"; do
		kernel_headers "$arch"
	done
}

# kernel_images ARCH...: build what was not given as an image
kernel_images() {
	local arch

	for arch; do
		[[ -z ${KERNEL[$arch.image]-} ]] || continue
		kernel_need_tools
		kernel_build "$arch"
	done
}

kernel_need_tools() {
	host_need make=make gcc=gcc flex=flex bison=bison bc=bc perl=perl xz=xz-utils cpio=cpio \
		libelf.h=libelf-dev openssl/ssl.h=libssl-dev
}

# ---- where the source comes from

kernel_default_source() {
	local newest package version name

	if debian_index; then
		newest=$(<"$CACHE/apt/newest")
	else
		say "    the package lists cannot be fetched: using the newest source in the cache"
		newest=$(kernel_cached_source)
	fi
	[[ -n $newest ]] ||
		die "no kernel source: $DEBIAN_MIRROR cannot be reached, and the cache has none" \
		    "pass a source tree: ./run.sh --kernel DIR" \
		    "or another mirror: NIT_MIRROR=http://... ./run.sh"
	read -r package version <<<"$newest"
	name=source/${package}_$version
	cache_provide "$name" "kernel source $package $version" "1 min, 170 MB" \
		debian_kernel_source "$package" "$version"
	KERNEL_SOURCE=$(realpath "$CACHE/$name")
	KERNEL_ORIGIN="debian $package $version"
	KERNEL_IMMUTABLE=1
}

# The newest source in the cache, as "PACKAGE VERSION", for a run without network
kernel_cached_source() {
	find "$CACHE/source" -maxdepth 2 -path '*/linux-source-*/.complete' 2>/dev/null |
		sed 's,.*/source/\(.*\)_\(.*\)/.complete,\1 \2,' | sort -V | tail -n 1
}

kernel_take_tree() {
	[[ -e $1 ]] || die "--kernel $1: no such file or directory" \
		"expected a kernel source tree, or a bzImage or Image"
	[[ -f $1/Kconfig && -f $1/Makefile && -d $1/drivers/iommu ]] ||
		die "--kernel $1: not a kernel source tree (no Kconfig, Makefile, drivers/iommu)" \
		    "pass the top directory of the tree"
	[[ -f $1/drivers/iommu/iommufd/iommufd_test.h ]] ||
		die "--kernel $1: this kernel has no iommufd test driver (drivers/iommu/iommufd)" \
		    "iommufd came with Linux 6.2; pass a newer tree"
	KERNEL_SOURCE=$(realpath "$1")
	KERNEL_ORIGIN=$KERNEL_SOURCE
	KERNEL_IMMUTABLE=
	[[ ! -e $1/.config && ! -d $1/include/config ]] || kernel_mirror_tree
}

# kbuild refuses to build out of tree from a tree that was built in place, as most developers do.
# Build from a copy of its sources instead, kept up to date by time stamps.
kernel_mirror_tree() {
	local mirror

	git -C "$KERNEL_SOURCE" rev-parse 2>/dev/null ||
		die "--kernel $KERNEL_SOURCE was built in place, and is no git tree to copy from" \
		    "run 'make mrproper' there"
	mirror=$CACHE/mirror/$(cache_key <<<"$KERNEL_SOURCE")
	mkdir -p "$mirror" "$CACHE/log"
	cache_lock "mirror/${mirror##*/}"
	step "copying the sources of $KERNEL_SOURCE" "20 s the first time" \
		"$CACHE/log/mirror" kernel_copy_sources "$KERNEL_SOURCE" "$mirror" ||
		die "copying $KERNEL_SOURCE to $mirror failed" "is there space? see $CACHE/log/mirror"
	cache_unlock
	KERNEL_SOURCE=$mirror
}

kernel_copy_sources() {
	cd "$1" || return
	git ls-files -z --cached --others --exclude-standard |
		while IFS= read -rd '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
		LC_ALL=C sort -z >"$2.list"
	# What was there the last time and is not any more goes
	[[ ! -e $2.before ]] ||
		(cd "$2" && LC_ALL=C comm -z -13 "$2.list" "$2.before" | xargs -0r rm -f --)
	xargs -0r cp -u -P --preserve=mode,timestamps --parents -t "$2" -- <"$2.list" &&
		mv "$2.list" "$2.before"
}

# ---- an image, taken as it is

# kernel_image_arch FILE: prints the architecture that the image says it is for
kernel_image_arch() {
	local magic

	magic=$(od -An -tx1 -j 514 -N 4 "$1" | tr -d ' \n')
	[[ $magic != 48647253 ]] || { echo x86_64; return; }	# "HdrS", Documentation/arch/x86/boot.rst
	magic=$(od -An -tx1 -j 56 -N 4 "$1" | tr -d ' \n')
	[[ $magic != 41524d64 ]] || { echo arm64; return; }	# "ARM\x64", Documentation/arch/arm64/booting.rst
	return 1
}

kernel_take_image() {
	local file=$1 arch

	shift
	[[ -r $file ]] || die "--kernel $file: cannot be read" "check its permissions"
	arch=$(kernel_image_arch "$file") ||
		die "--kernel $file: neither an x86 bzImage nor an arm64 Image" \
		    "expected arch/x86/boot/bzImage or arch/arm64/boot/Image (not vmlinux, not Image.gz)"
	(($# == 1)) && [[ $1 == "$arch" ]] ||
		die "--kernel $file: an image for $arch, but the run is for $*" "pass --arch $arch"
	kernel_check_size "$file" "$arch"
	[[ -z $OPT_DEBUG$OPT_COVERAGE ]] ||
		die "--debug and --coverage configure a kernel that is built; $file is built already" \
		    "pass a source tree"
	KERNEL[$arch.image]=$(realpath "$file")
	KERNEL[$arch.config]=none
	KERNEL_ORIGIN_IMAGE=$(realpath "$file")
}

# A truncated image hangs the machine without a word; its header knows how long it should be.
kernel_check_size() {
	local size want

	size=$(stat -Lc %s "$1")
	if [[ $2 == x86_64 ]]; then	# setup_sects + 1 sectors, then syssize paragraphs
		want=$(($(od -An -tu1 -j 497 -N 1 "$1") * 512 + 512 +
			$(od -An -tu4 -j 500 -N 4 "$1") * 16))
	else
		want=$((1 << 20))	# image_size counts the BSS, too: no exact check
	fi
	((size >= want)) || die "--kernel $1: truncated: $size bytes, its header promises $want"
}

# ---- building

# kernel_fragments ARCH: the config fragments of this run
kernel_fragments() {
	printf '%s\n' "$ROOT/guests/kernel/common.config" "$ROOT/guests/kernel/$1.config"
	[[ -z $OPT_DEBUG ]] || printf '%s\n' "$ROOT/guests/kernel/debug.config"
	[[ -z $OPT_COVERAGE ]] || printf '%s\n' "$ROOT/guests/kernel/coverage.config"
}

# kernel_make ARCH DIR ARG...
kernel_make() {
	local arch=$1 dir=$2

	shift 2
	make -C "$KERNEL_SOURCE" O="$dir" ARCH="${ARCH[$arch.kbuild]}" \
		CROSS_COMPILE="$(host_cross "$arch")" KBUILD_BUILD_TIMESTAMP=2026-01-01 \
		KBUILD_BUILD_USER=nit KBUILD_BUILD_HOST=nit "$@"
}

kernel_build() {
	local arch=$1 dir name estimate="7 min" key

	host_need_compiler "$arch"
	key=$({ echo "$KERNEL_SOURCE $arch"; "$(host_cross "$arch")gcc" --version
		kernel_fragments "$arch" | xargs grep -h '^CONFIG_'; } | cache_key)
	name=build/$arch${OPT_DEBUG:+-debug}${OPT_COVERAGE:+-coverage}-$key
	dir=$CACHE/$name
	mkdir -p "$dir" "$CACHE/log"
	cache_lock "$name"
	if [[ ! -e $dir/.built || -z $KERNEL_IMMUTABLE ]]; then
		[[ -z $OPT_DEBUG ]] || estimate="10 min"
		[[ ! -e $dir/.built ]] || estimate="1 min, what has changed"
		step "building $(kernel_release) for $arch${OPT_DEBUG:+, debug}${OPT_COVERAGE:+, coverage}" \
			"$estimate" "$CACHE/log/${name//\//-}" kernel_compile "$arch" "$dir" ||
			die "the kernel does not build" "the whole log: $CACHE/log/${name//\//-}"
		touch "$dir/.built"
	fi
	[[ ! -s $dir/.notes ]] || say "$(cat "$dir/.notes")"
	cp -f "$dir/${ARCH[$arch.image]}" "$WORK/$arch.image" || die "no image in $dir"
	cp -f "$dir/.config" "$WORK/$arch.config"
	cache_unlock
	KERNEL[$arch.image]=$WORK/$arch.image
	KERNEL[$arch.config]=$(cache_key <"$WORK/$arch.config")
	KERNEL[$arch.build]=$dir
}

kernel_release() {
	printf 'linux %s' "$(make -s -C "$KERNEL_SOURCE" kernelversion 2>/dev/null)"
}

kernel_compile() {
	local arch=$1 dir=$2 fragments counted=()

	mapfile -t fragments < <(kernel_fragments "$arch")
	if [[ ! -e $dir/.config ]]; then
		kernel_make "$arch" "$dir" -s tinyconfig &&
			(cd "$dir" && "$KERNEL_SOURCE/scripts/kconfig/merge_config.sh" -m -O "$dir" \
				"$dir/.config" "${fragments[@]}" >merge.log) || return
	fi
	kernel_make "$arch" "$dir" -s olddefconfig || return
	kernel_missing_options "$dir/.config" "${fragments[@]}" >"$dir/.notes"
	# Counted is iommufd only; kbuild evaluates this for each directory.
	# shellcheck disable=SC2016 # make's variables
	[[ -z $OPT_COVERAGE ]] || counted=('GCOV_PROFILE=$(if $(filter drivers/iommu/iommufd,$(obj)),y,n)')
	kernel_make "$arch" "$dir" -s -j"$(nproc)" "${counted[@]}" "$(basename "${ARCH[$arch.image]}")"
}

# Not an error: an older kernel lacks options, and the tests that need them skip. But said aloud.
kernel_missing_options() {
	local config=$1 option

	shift
	grep -hE '^CONFIG_[A-Z0-9_]+=[^n]' "$@" | while read -r option; do
		grep -qxF "$option" "$config" || echo "    note: this kernel does not take $option"
	done
}

# kernel_headers ARCH: the sanitised uapi headers, that programs are compiled with
kernel_headers() {
	local arch=$1 name dir

	[[ -z ${KERNEL[$arch.headers]-} ]] || return 0
	name=headers/$arch-$(cache_key <<<"$KERNEL_SOURCE")
	dir=$CACHE/$name
	mkdir -p "$dir" "$CACHE/log"
	cache_lock "$name"
	if [[ ! -e $dir/.built || -z $KERNEL_IMMUTABLE ]]; then
		step "uapi headers for $arch" "20 s" "$CACHE/log/${name//\//-}" \
			kernel_make "$arch" "$dir" -s -j"$(nproc)" headers ||
			die "make headers failed" "the whole log: $CACHE/log/${name//\//-}"
		touch "$dir/.built"
	fi
	cache_unlock
	KERNEL[$arch.headers]=$dir/usr/include
}
