# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Line and branch coverage of drivers/iommu/iommufd: what GCOV counted in the guests of a run.
# Guests send their .gcda files at the end, and after a splat; one that dies cannot, so its counts are
# missing: coverage is never overstated. Functions that no test of the mock driver can reach are in
# coverage.tsv, with the reason, and are not counted.

# coverage_report DIR: writes DIR/coverage/, and prints what is in its table
coverage_report() {
	local dir=$1 work=$WORK/coverage name

	host_need gcov=gcc gcov-tool=gcc perl=perl
	mkdir -p "$work/merged"
	for name in "$dir"/raw/*.log; do
		coverage_unpack "$name" "$work/one" && coverage_merge "$work"
		rm -rf "$work/one"
	done
	mkdir -p "$dir/coverage"
	printf '# file\tlines\tlines_run\tbranches\tbranches_taken\n' >"$dir/coverage/files.tsv"
	for name in "$work"/merged/*.gcda; do
		[[ -e $name ]] || { say "no coverage was sent by the guests"; return 1; }
		coverage_of "$name" "$dir/coverage/missed.txt"
	done >>"$dir/coverage/files.tsv"
	coverage_print "$dir/coverage/files.tsv"
}

# coverage_unpack RAW DIR: the iommufd files that this boot sent; fails if there are none
coverage_unpack() {
	mkdir -p "$2"
	tr -d "\r" <"$1" | perl -slane '
		next unless $F[1] eq "file" && $F[2] eq "gcov";
		my ($name) = $F[3] =~ m{drivers/iommu/iommufd/([^/]+\.gcda)$} or next;
		open(my $out, ">>", "$dir/$name") or die;
		local $\; binmode $out; print {$out} pack("H*", $F[4]);' -- -dir="$2" &&
		compgen -G "$2/*.gcda" >/dev/null
}

coverage_merge() {
	if compgen -G "$1/merged/*.gcda" >/dev/null; then
		gcov-tool merge -o "$1/sum" "$1/merged" "$1/one" && rm -rf "$1/merged" &&
			mv "$1/sum" "$1/merged"
	else
		cp "$1"/one/*.gcda "$1/merged/"
	fi
}

# coverage_of GCDA MISSED: prints "file lines lines_run branches branches_taken", and adds what was not
# run or not taken to the file MISSED; of its own source only, not of the inline functions it includes
coverage_of() {
	local object name lines=${1%.gcda}.lines

	name=$(basename "$1" .gcda)
	object=${KERNEL[${OPT_ARCHES[0]}.build]}/drivers/iommu/iommufd/$name.gcno
	cp "$object" "${1%.gcda}.gcno" || return
	gcov --json-format --stdout --branch-probabilities "$1" 2>/dev/null |
		jq -r --arg name "$name.c" --rawfile unreachable "$ROOT/runner/coverage.tsv" '
		([$unreachable | splits("\n") | split("\t") | select(.[0] == $name)[1]]) as $not_counted
		| .files[] | select(.file | endswith("iommufd/" + $name)) | .lines[]
		| select(.function_name | IN($not_counted[]) | not)
		| [.line_number, .count, (.branches | length),
		   ([.branches[] | select(.count > 0)] | length)] | @tsv' >"$lines"
	awk -v name="$name.c" -v OFS="\t" '
		{ run += $2 > 0; branches += $3; taken += $4 }
		END { print name, NR, run + 0, branches + 0, taken + 0 }' "$lines"
	awk -F "\t" -v name="$name.c" '
		FNR == NR { lines[$1]++; run[$1] += $2; branches[$1] += $3; taken[$1] += $4; next }
		!(FNR in lines) { next }
		!run[FNR] { print name ":" FNR ": not run: " $0; next }
		taken[FNR] < branches[FNR] {
			print name ":" FNR ": " taken[FNR] " of " branches[FNR] " branches: " $0
		}' "$lines" "$KERNEL_SOURCE/drivers/iommu/iommufd/$name.c" >>"$2"
}

coverage_print() {
	awk -F '\t' '
	function row(name, lines, run, branches, taken) {
		printf "  %-18s %6.1f %% of %5d lines %6.1f %% of %5d branches\n", name,
			lines ? 100 * run / lines : 0, lines, branches ? 100 * taken / branches : 0, branches
	}
	/^#/ { next }
	{ row($1, $2, $3, $4, $5); l += $2; r += $3; b += $4; t += $5 }
	END { row("all", l, r, b, t) }' "$1"
}
