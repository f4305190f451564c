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

tap_end() {
	echo "1..$TAP_COUNT"
	((TAP_FAILED == 0))
}
