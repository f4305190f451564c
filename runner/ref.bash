# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# --target ref: the test programs run right here, on reference hardware and hypervisor in process.
# They report in the words of guests/init/init.c, so that everything after is one.

readonly REF_MACHINE=in-process
readonly REF_TEST_SECONDS=120	# of one test

# ref_runs SUITE: suites that need no running kernel. suites/uapi has the reference hypervisor in the
# kernel's place, and skips what is about a kernel's own machinery.
ref_runs() {
	[[ $1 != upstream ]]
}

# ref_run MACHINE REPEAT TESTS DIR BOOT: TESTS has lines "suite<TAB>program<TAB>test"
ref_run() {
	NIT_IOMMUFD=reference programs_run reference "$@"
}

# programs_run RELEASE MACHINE REPEAT TESTS DIR BOOT: RELEASE: what is tested, for deviations.tsv. What it
# is tested on is in NIT_IOMMUFD and NIT_TARGET.
programs_run() {
	local release=$1 tests=$4 raw=$5/raw/$2.$3.$(($6 + 1)).log suite program names

	{
		printf '%s boot arch=%s\n%s boot release=%s\n' \
			"$EPOCHREALTIME" "$(uname -m)" "$EPOCHREALTIME" "$release"
		while IFS=$'\t' read -r suite program; do
			mapfile -t names < <(ref_arguments "$suite" "$program" "$tests")
			ref_program "$suite.$program" "${PROGRAMS[$HOST_ARCH]}/$suite/$program" \
				"${names[@]}"
		done < <(cut -f 1,2 "$tests" | LC_ALL=C sort -u)
		printf '%s done\n' "$EPOCHREALTIME"
	} >"$raw"
}

# ref_arguments SUITE PROGRAM TESTS: "-r" and a name for each test of the program
ref_arguments() {
	awk -F '\t' -v suite="$1" -v program="$2" '
		$1 == suite && $2 == program { print "-r"; print $3 }' "$3"
}

# ref_program NAME FILE ARG...: what a program says and how it ends, as lines of the port
ref_program() {
	local name=$1 line pid status=0 since

	shift
	read -r since _ </proc/uptime
	printf '%s begin %s\n' "$EPOCHREALTIME" "$name"
	exec {PORT}< <(NIT_SEED=$OPT_SEED NIT_FAULT=$OPT_FAULT \
		NIT_TEST_TIMEOUT=${NIT_TEST_TIMEOUT:-$REF_TEST_SECONDS} \
		exec timeout -k 1 "$OPT_TIMEOUT" "$@" </dev/null 2>&1)
	pid=$!
	while IFS= read -r line || [[ -n $line ]]; do
		printf '%s out %s\n' "$EPOCHREALTIME" "$line"
	done <&"$PORT"
	exec {PORT}<&-
	wait "$pid" || status=$?
	[[ $OPT_TARGET != host ]] || host_splats "$since"
	printf '%s end %s %s\n' "$EPOCHREALTIME" "$name" "$status"
}
