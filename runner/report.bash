# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# report.html: a run as a page that a person looks at. One file, no script, no network.

# report_write RUN_DIR ROOT
report_write() (
	set -o pipefail
	local run=$1 file inputs=()

	for file in faults mutants; do
		[[ -e $run/$file.tsv ]] && inputs+=(--rawfile "$file" "$run/$file.tsv") ||
			inputs+=(--arg "$file" "")
	done
	jq -r --rawfile rules "$2/rules.tsv" --rawfile css "$RESULTS_LIB/report.css" "${inputs[@]}" \
		--rawfile plots <(plots_write "$run") -L "$RESULTS_LIB" -f "$RESULTS_LIB/report.jq" \
		"$run/results.json" | results_xml >"$run/report.html"
)
