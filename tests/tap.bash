# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the test scripts share: one line of TAP for each check, and why it failed below it.

TAP_COUNT=0 TAP_FAILED=0

# tap_result STATUS NAME [DETAIL]
tap_result() {
	((++TAP_COUNT))
	if (($1 == 0)); then
		echo "ok $TAP_COUNT $2"
	else
		((++TAP_FAILED))
		echo "not ok $TAP_COUNT $2"
		[[ -z ${3-} ]] || printf "# %s\n" "${3//$'\n'/$'\n'# }"
	fi
}

# tap_check NAME CMD...: passes if the command does; its output explains a failure
tap_check() {
	local name=$1 output status=0

	shift
	output=$("$@" 2>&1) || status=$?
	tap_result "$status" "$name" "$output"
}

tap_skip() {
	echo "ok $((++TAP_COUNT)) $1 # SKIP $2"
}

# suite_as_tap NAME ARG...: one run of run.sh (results in $OUT/NAME); its tests become lines of ours
suite_as_tap() {
	local dir=$OUT/$1 status=0 line

	shift
	"$ROOT/run.sh" --results "$dir" "$@" >"$dir.output" 2>&1 || status=$?
	if [[ ! -s $dir/results.json ]] || ((status == 2)); then
		tap_result 1 "run.sh $*" "$(tail -n 30 "$dir.output")"
		return
	fi
	while IFS= read -r line; do
		((++TAP_COUNT))
		[[ $line != "not ok"* || $line == *"# TODO"* ]] || ((++TAP_FAILED))
		printf '%s\n' "${line/\%/$TAP_COUNT}"
	done < <(jq -r '.tests[] | (.machine + "." + .name) as $name |
		if .outcome == "pass" then "ok % \($name)"
		elif .outcome == "skip" then "ok % \($name) # SKIP \(.reason)"
		elif .outcome == "known" then "not ok % \($name) # TODO \(.reason)"
		else "not ok % \($name)" end' "$dir/results.json")
	((status == 0)) || sed 's/^/# /' "$dir.output"
}

tap_end() {
	echo "1..$TAP_COUNT"
	((TAP_FAILED == 0))
}
