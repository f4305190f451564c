# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What suites/load runs with: fio and liburing as Debian ships them, for the architecture of the guest.
# suites/bench/*.fio are the jobs.

declare -A LOAD=()	# LOAD[arch]: a tree with liburing's header and archive, and where guests run it, fio
DISK=()			# QEMU's options for the disk of the guest that is about to boot

# load_provide ARCH: sets LOAD[ARCH]
load_provide() {
	local arch=$1 name packages=liburing-dev

	[[ -z $(machines_for load "$arch") ]] || packages+=,fio
	name=load/$arch-$({ debian_sources; echo "$packages"; } | cache_key)
	[[ -e $CACHE/$name/.complete ]] || host_need mmdebstrap=mmdebstrap
	cache_provide "$name" "${packages//,/ and } for $arch from Debian $DEBIAN_SUITE" "1 min, 200 MB" \
		load_tree "$packages" "${ARCH[$arch.debian]}"
	LOAD[$arch]=$(realpath "$CACHE/$name")
}

# load_tree PACKAGES ARCH DIR: its include/ has the header of liburing, and not those of its C library
load_tree() {
	debian_root "$@" && mkdir "$3/include" && ln -s ../usr/include/liburing{,.h} "$3/include/"
}

# load_uring ARCH: sets LOAD_URING to what programs are compiled and linked with
load_uring() {
	load_provide "$1"
	LOAD_URING=("URING_INCLUDE=${LOAD[$1]}/include" "URING_LIBRARY=$(echo "${LOAD[$1]}"/usr/lib/*/liburing.a)")
}

# load_files ARCH TESTS DIR: fio, the libraries that it loads, and its jobs, in an initramfs for tests of load
load_files() {
	local root=${LOAD[$1]-} file

	grep -q $'^load\t' "$2" || return 0
	mkdir -p "$3/nit/jobs" && cp "$ROOT"/suites/bench/*.fio "$3/nit/jobs/" || return
	load_closure "$root" "usr/bin/fio" | sort -u | while IFS= read -r file; do
		install -D "$root/$file" "$3/$file" || return
	done
	ln -s usr/lib "$3/lib"
}

# load_closure ROOT FILE: prints it, its loader, and all libraries that it needs, relative to ROOT
load_closure() {
	local root=$1 todo=("$2") file needed seen=" $2 "

	readelf -l "$root/$2" | sed -n 's,.*interpreter: /\(lib/.*\)\],usr/\1,p'
	while ((${#todo[@]})); do
		file=${todo[0]} todo=("${todo[@]:1}")
		printf '%s\n' "$file"
		while IFS= read -r needed; do
			needed=$(cd "$root" && find usr/lib -name "$needed" -print -quit)
			[[ -n $needed && $seen != *" $needed "* ]] || continue
			todo+=("$needed") seen+="$needed "
		done < <(readelf -d "$root/$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
	done
}

# load_disk MACHINE FILE: sets DISK; a sparse file of the MiB in the machine's table, where the options call it "disk"
load_disk() {
	DISK=()
	[[ -n ${MACHINE[$1.disk]-} ]] || return 0
	truncate -s "${MACHINE[$1.disk]}M" "$2" || return
	DISK=(-blockdev "driver=file,node-name=disk,filename=$2")
}
