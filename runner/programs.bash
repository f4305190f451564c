# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The test programs, compiled against the kernel in use, and the tests that are in them.

declare -A PROGRAMS=()	# PROGRAMS[arch]: the directory with <suite>/<program> and init

# programs_build ARCH SUITE...: incremental; PROGRAMS[ARCH] is a directory of this run's own
programs_build() {
	local arch=$1 name dir tree

	shift
	host_need_compiler "$arch"
	[[ " $* " != *" upstream "* ]] || programs_need_upstream "$arch"
	LOAD_URING=()
	[[ " $* " != *" load "* ]] || load_uring "$arch"
	name=programs/$arch-$(cache_key <<<"$ROOT $KERNEL_SOURCE $OPT_SANITIZE")
	tree=tree-$(cache_key <<<"$SUITES_DIR")
	dir=$CACHE/$name
	mkdir -p "$dir" "$CACHE/log"
	cache_lock "$name"
	step "test programs for $arch" "" "$CACHE/log/${name//\//-}" \
		make -s -j"$(nproc)" -C "$dir" -f "$ROOT/runner/programs.mk" ROOT="$ROOT" SUITES_DIR="$SUITES_DIR" \
		TREE="$tree" "${LOAD_URING[@]}" \
		KERNEL_SOURCE="$KERNEL_SOURCE" KERNEL_HEADERS="${KERNEL[$arch.headers]}" \
		CROSS="$(host_cross "$arch")" SUITES="$*" SANITIZE="$OPT_SANITIZE" ||
		die "the test programs do not compile" "the whole log: $CACHE/log/${name//\//-}"
	grep -hi 'warning' "$CACHE/log/${name//\//-}" >&2
	mkdir -p "$WORK/programs/$arch"
	programs_copy "$arch" "$dir/$tree/bin" "$WORK/programs/$arch" ||
		die "copying the test programs to $WORK failed" "is there space?"
	cache_unlock
	PROGRAMS[$arch]=$WORK/programs/$arch
}

# programs_take DIR: those that --build-programs made, for this machine
programs_take() {
	programs_have "$1" nit-device
	NIT_DEVICE='' "$1/nit-device" 2>/dev/null
	(($? == 2)) || die "--programs $1: its programs do not run here" "were they made for $HOST_ARCH?"
	PROGRAMS[$HOST_ARCH]=$(realpath "$1")
}

# programs_have DIR NAME...: programs, or suites
programs_have() {
	local dir=$1 name

	shift
	for name; do
		[[ -x $dir/$name ]] || die "--programs $dir: no $name in it" \
			"where there is a compiler: ./run.sh --target $OPT_TARGET --build-programs DIR"
	done
}

# The kernel's own selftest links with libcap; Debian has no cross package of that.
programs_need_upstream() {
	[[ $1 == "$HOST_ARCH" ]] ||
		die "--suite upstream runs on the architecture of the host only, $HOST_ARCH" "drop --arch $1"
	host_need sys/capability.h=libcap-dev
}

# Without debug information, which a guest would unpack at every boot; a sanitizer's reports need it.
# Only what has a source today.
programs_copy() {
	local arch=$1 from=$2 to=$3 file strip

	strip=$(host_cross "$arch")strip
	for file in "$SUITES_DIR"/*/*.c "$SUITES_DIR"/{init,nit-hw,nit-device}.c; do
		file=${file#"$SUITES_DIR/"}
		file=${file%.c}
		[[ -e $from/$file ]] || continue
		mkdir -p "$(dirname "$to/$file")"
		cp "$from/$file" "$to/$file" || return
		[[ -n $OPT_SANITIZE ]] || "$strip" "$to/$file" || return
		programs_libraries "$to/$file" "$to/lib" || return
	done
}

# programs_libraries PROGRAM DIR: what a program that is not static loads, below DIR. ASan and TSan
# cannot be linked statically.
programs_libraries() {
	[[ $OPT_SANITIZE =~ address|thread|leak ]] || return 0
	ldd "$1" >/dev/null 2>&1 || return 0	# static
	ldd "$1" | grep -oE '/[^ ]+' | while read -r library; do
		[[ -e $2$library ]] || install -D "$(realpath "$library")" "$2$library" || return
	done
}

# programs_list SUITE: prints "suite<TAB>program<TAB>test" for all tests of a suite
programs_list() {
	local file program

	for file in "${PROGRAMS[$HOST_ARCH]}/$1"/*; do
		program=${file##*/}
		timeout 20 "$file" --list-tests | LC_ALL=C sort | sed "s/^/$1\t$program\t/" ||
			die "$1/$program --list-tests failed" "this is a bug in the suite"
	done
}

# program_env: the settings of test programs that the user gave in the environment
program_env() {
	compgen -e NIT_ | grep -vxE 'NIT_(MIRROR|SEED|STALL|SUITES|PORT_LIMIT|CONSOLE_LIMIT)' | while read -r name; do
		printf '%s=%s\n' "$name" "${!name}"
	done
}

# programs_install DIR: one kselftest collection for each suite, in the layout of the kernel's own
# `make -C tools/testing/selftests install`; into such a directory, or a new one.
programs_install() {
	local dir=$1 arch=${OPT_ARCHES[0]} suite program

	((${#OPT_ARCHES[@]} == 1)) || die "--install-kselftest: one architecture at a time" "pass --arch"
	mkdir -p "$dir" 2>/dev/null && [[ -w $dir ]] || die "--install-kselftest $dir: cannot be written"
	[[ -e $dir/run_kselftest.sh ]] || programs_install_harness "$dir"
	for suite in "${OPT_SUITES[@]}"; do
		rm -rf "${dir:?}/nit_$suite"
		cp -r "${PROGRAMS[$arch]}/$suite" "$dir/nit_$suite" ||
			die "--install-kselftest $dir: cannot be written" "is there space?"
		echo "timeout=$OPT_TIMEOUT" >"$dir/nit_$suite/settings"
		touch "$dir/kselftest-list.txt"
		sed -i "/^nit_$suite:/d" "$dir/kselftest-list.txt"
		for program in "${PROGRAMS[$arch]}/$suite"/*; do
			echo "nit_$suite:${program##*/}" >>"$dir/kselftest-list.txt"
		done
		say "installed nit_$suite for $arch; run: $dir/run_kselftest.sh -c nit_$suite"
	done
}

# The runner of the kernel in use, as its own install target lays it out
programs_install_harness() {
	local from=$KERNEL_SOURCE/tools/testing/selftests

	mkdir -p "$1/kselftest" &&
		cp "$from/run_kselftest.sh" "$1/" &&
		cp "$from"/kselftest/{module.sh,runner.sh,prefix.pl,ktap_helpers.sh} "$1/kselftest/" ||
		die "--install-kselftest $1: cannot copy the kernel's run_kselftest.sh" "from $from"
	chmod +x "$1/run_kselftest.sh" "$1/kselftest/"*.sh "$1/kselftest/prefix.pl"
}

# programs_export DIR: the programs themselves, to run by hand or on a machine of one's own
programs_export() {
	mkdir -p "$1" 2>/dev/null && cp -r "${PROGRAMS[${OPT_ARCHES[0]}]}/." "$1/" ||
		die "--build-programs $1: cannot be written" "is there space?"
}
