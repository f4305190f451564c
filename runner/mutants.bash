# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# --mutants DIR: teeth on real kernels. Each patch of DIR is a bug; it is applied, the kernel built
# incrementally, and the suites that can see it must fail where they did not without it.
#
# A mutant lives in a mount namespace of its own, with an overlay over the cache and one over the
# source. So nothing is copied, a build starts from what is built, and all is gone with the mutant.

# What can see a bug, by the path that a patch touches: "PREFIX ARCH SUITE..."
readonly MUTANT_SUITES=(
	"drivers/iommu/intel/ x86_64 intel"
	"drivers/iommu/amd/ x86_64 amd"
	"drivers/iommu/arm/ arm64 arm"
	"drivers/iommu/ x86_64 uapi intel"
)

mutants_run() {
	local patch patches

	mapfile -t patches < <(find "$OPT_MUTANTS" -name '*.patch' | LC_ALL=C sort)
	((${#patches[@]})) || die "--mutants $OPT_MUTANTS: no *.patch there"
	mutant_source --mutants
	for patch in "${patches[@]}"; do
		mutant_layout "$patch" >/dev/null
	done
	verdict_open
	printf 'mutant\tverdict\tkilled by\tseconds\n' >"$RUN_DIR/mutants.tsv"
	for patch in "${patches[@]}"; do
		mutant_judge "$patch"
	done
	mutants_report
}

# mutant_source OPTION: sets MUTANT_SOURCE, if it can be patched as OPTION asks
mutant_source() {
	[[ -z ${KERNEL_ORIGIN_IMAGE-} ]] ||
		die "$1 patches a source tree, and $OPT_KERNEL is an image" "pass --kernel DIR"
	host_need patch=patch unshare=util-linux
	MUTANT_SOURCE=$(realpath "${OPT_KERNEL:-$KERNEL_SOURCE}")
	mutant_space true ||
		die "$1 needs overlay mounts with their upper layer in $WORK" "run it as root" \
		    "TMPDIR chooses another file system (an overlay cannot be the upper layer)"
}

# mutant_patched ARG...: --patch: this run, with these arguments, where the patch is applied
mutant_patched() {
	local args=() status=0

	mutant_source --patch
	while (($#)); do
		case $1 in
		--patch | --kernel) shift ;;
		--patch=* | --kernel=*) ;;
		*) args+=("$1") ;;
		esac
		shift
	done
	spawn mutant_space "$ROOT/runner/mutant.bash" "$OPT_PATCH" "$MUTANT_SOURCE" \
		"$ROOT/run.sh" --kernel "$MUTANT_SOURCE" "${args[@]}"
	reap "$SPAWNED" || status=$?
	((status != 3)) || die "--patch $OPT_PATCH does not apply to $MUTANT_SOURCE"
	exit "$status"
}

# mutant_space CMD...: run it where what it changes in source and cache goes to an upper layer
mutant_space() {
	local as_root=() layers=("$(realpath "$CACHE")")

	((EUID == 0)) || as_root=(--map-root-user)
	[[ $MUTANT_SOURCE == "${layers[0]}"/* ]] || layers+=("$MUTANT_SOURCE")
	rm -rf "$WORK/space"
	# shellcheck disable=SC2016 # words of the inner shell
	unshare "${as_root[@]}" --mount bash -c '
		space=$1
		shift
		while [[ $1 != -- ]]; do
			mkdir -p "$space/$1" "$space.work/$1" &&
				mount -t overlay overlay \
					-o "lowerdir=$1,upperdir=$space/$1,workdir=$space.work/$1" "$1" || exit
			shift
		done
		shift
		exec "$@"' mutant "$WORK/space" "${layers[@]}" -- "$@"
}

# mutant_header PATCH KEY: the value of a line "KEY: value" before the first diff
mutant_header() {
	sed -n "/^--- /q; s/^$2: *//p" "$1" | xargs
}

# mutant_layout PATCH: prints "ARCH SUITE..." that can see it, by its header or by what it touches
mutant_layout() {
	local patch=$1 line prefix words suites arch

	suites=$(mutant_header "$patch" Suites)
	arch=$(mutant_header "$patch" Arch)
	for line in "${MUTANT_SUITES[@]}"; do
		read -r prefix words <<<"$line"
		grep -qE "^\+\+\+ b/$prefix" "$patch" || continue
		echo "${arch:-${words%% *}} ${suites:-${words#* }}"
		return
	done
	[[ -n $arch && -n $suites ]] || die "$patch: nothing says what can see it" \
		"expected a change below drivers/iommu/, or lines 'Arch: A' and 'Suites: S' before the diff"
	echo "$arch $suites"
}

# mutant_judge PATCH: one line in mutants.tsv, and on the terminal
mutant_judge() {
	local patch=$1 name arch suites suite tests started=$SECONDS
	local debug=()

	name=${patch#"${OPT_MUTANTS%/}"/}
	name=${name%.patch}
	read -r arch suites <<<"$(mutant_layout "$patch")"
	tests=$(mutant_header "$patch" Test)
	[[ -z $(mutant_header "$patch" Debug) ]] || debug=(--debug)
	MUTANT_VERDICT=survived MUTANT_KILLER=
	for suite in $suites; do
		# What is known to see it is tried first, alone.
		[[ -z $tests || $suite != "${suites%% *}" ]] ||
			mutant_try "$patch" "$name" "$arch" "$suite" "$tests"
		[[ $MUTANT_VERDICT != survived ]] || mutant_try "$patch" "$name" "$arch" "$suite" '*'
		[[ $MUTANT_VERDICT == survived ]] || break
	done
	printf '%s\t%s\t%s\t%s\n' "$name" "$MUTANT_VERDICT" "$MUTANT_KILLER" $((SECONDS - started)) \
		>>"$RUN_DIR/mutants.tsv"
	printf '%-15s %-45s %s\n' "$MUTANT_VERDICT" "$name" "$MUTANT_KILLER"
}

# mutant_try PATCH NAME ARCH SUITE TESTS: sets MUTANT_VERDICT and MUTANT_KILLER
mutant_try() {
	local patch=$1 name=$2 arch=$3 suite=$4 tests=$5 run baseline status=0

	run=$suite$([[ $tests == '*' ]] || cache_key <<<"$tests")
	mutant_run "$RUN_DIR/$name/$run" mutant_space "$ROOT/runner/mutant.bash" "$(realpath "$patch")" \
		"$MUTANT_SOURCE" || status=$?
	case $status in
	0 | 4) return ;;
	1) ;;
	3) MUTANT_VERDICT="does not apply" ;;
	*) MUTANT_VERDICT="could not run" ;;
	esac
	! grep -qs 'has no machine that runs' "$RUN_DIR/$name/$run.log" || { MUTANT_VERDICT=survived; return; }
	! grep -qs 'the kernel does not build' "$RUN_DIR/$name/$run.log" || MUTANT_VERDICT="does not build"
	((status == 1)) || return
	baseline=$RUN_DIR/baseline/$arch${debug[0]-}.$run
	mutant_baseline "$baseline"
	mutant_killer "$RUN_DIR/$name/$run" "$baseline"
}

# mutant_run DIR CMD...: run the tests of mutant_try's caller by CMD, on the kernel that it asks for; results in
# DIR, log beside it
mutant_run() {
	local dir=$1

	shift
	mkdir -p "${dir%/*}" || die "cannot write $RUN_DIR"
	spawn "$@" "$ROOT/run.sh" --kernel "$MUTANT_SOURCE" --arch "$arch" "${debug[@]}" \
		--suite "$suite" --test "$tests" \
		--seed "$OPT_SEED" --timeout "$OPT_TIMEOUT" --jobs "$OPT_JOBS" \
		--results "$(realpath "$RUN_DIR")${dir#"$RUN_DIR"}" >"$dir.log" 2>&1
	reap "$SPAWNED"
}

# mutant_baseline DIR: what these tests say without any patch, once
mutant_baseline() {
	[[ -e $1/results.json ]] || mutant_run "$1" env
	[[ -e $1/results.json ]] || die "the suites do not run on the kernel as it is" "see $1.log"
}

# mutant_killer DIR BASELINE: killed, if something failed that does not fail in the baseline
mutant_killer() {
	MUTANT_KILLER=$(jq -r --slurpfile base "$2/results.json" '
		def failed: [.tests[] | select(.outcome == "fail") | .name];
		(failed - ($base[0] | failed)) | if length == 0 then ""
			elif length == 1 then .[0] else "\(.[0]) and \(length - 1) more" end' \
		"$1/results.json")
	[[ -z $MUTANT_KILLER ]] || MUTANT_VERDICT=killed
}

mutants_report() {
	local status=0

	awk -F '\t' 'NR > 1 { n[$2]++; all++ }
		END {
			printf "%d of %d killed", n["killed"], all
			for (verdict in n)
				if (verdict != "killed")
					printf ", %d %s", n[verdict], verdict
			print ""
			exit n["killed"] != all
		}' "$RUN_DIR/mutants.tsv" || status=1
	echo "$RUN_DIR/mutants.tsv, and the runs beside it; $((SECONDS - RUN_STARTED)) s"
	exit "$status"
}
