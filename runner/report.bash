# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# report.html: a run as a page that a person looks at. One file, no script, no network.

# report_write RUN_DIR ROOT
report_write() (
	set -o pipefail
	local run=$1 file inputs=()

	for file in faults.tsv mutants.tsv compared.json; do
		[[ -e $run/$file ]] && inputs+=(--rawfile "${file%.*}" "$run/$file") ||
			inputs+=(--arg "${file%.*}" "")
	done
	jq -r --rawfile rules "$2/rules.tsv" --rawfile css "$RESULTS_LIB/report.css" "${inputs[@]}" \
		--rawfile plots <(plots_write "$run") -L "$RESULTS_LIB" -f "$RESULTS_LIB/report.jq" \
		"$run/results.json" | results_xml >"$run/report.html"
)

# report_compared DIR: the same of compared.json alone
report_compared() (
	set -o pipefail
	jq -r --rawfile css "$RESULTS_LIB/report.css" -L "$RESULTS_LIB" -f "$RESULTS_LIB/compared-page.jq" \
		"$1/compared.json" | results_xml >"$1/report.html"
)
