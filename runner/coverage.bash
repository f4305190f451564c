# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Line and branch coverage of drivers/iommu/iommufd: what GCOV counted in the guests of a run.
# Guests send their .gcda files at the end, and after a splat; one that dies cannot, so its counts are
# missing: coverage is never overstated. What no test of the mock driver can reach is in
# coverage.tsv, with the reason: figures are given with and without it.

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
	printf "# file\tlines\tlines_run\tbranches\tbranches_taken\tlines_listed\tbranches_listed\n" \
		>"$dir/coverage/files.tsv"
	for name in "$work"/merged/*.gcda; do
		[[ -e $name ]] || { say "no coverage was sent by the guests"; return 1; }
		coverage_of "$name" "$dir/coverage"
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

# coverage_of GCDA DIR: prints the row of files.tsv, and adds to DIR/missed.txt and unreachable.txt;
# of its own source only, not of the inline functions it includes
coverage_of() {
	local object name lines=${1%.gcda}.lines

	name=$(basename "$1" .gcda)
	object=${KERNEL[${OPT_ARCHES[0]}.build]}/drivers/iommu/iommufd/$name.gcno
	cp "$object" "${1%.gcda}.gcno" || return
	gcov --json-format --stdout --branch-probabilities "$1" 2>/dev/null |
		jq -r --arg name "$name.c" '
		.files[] | select(.file | endswith("iommufd/" + $name)) | .lines[]
		| [.line_number, .count, (.branches | length),
		   ([.branches[] | select(.count > 0)] | length), .function_name] | @tsv' >"$lines"
	awk -f "$ROOT/runner/coverage.awk" -v name="$name.c" -v missed="$2/missed.txt" \
		-v unreachable="$2/unreachable.txt" part=1 "$ROOT/runner/coverage.tsv" part=2 "$lines" \
		part=3 "$KERNEL_SOURCE/drivers/iommu/iommufd/$name.c"
}

# Two figures each: of everything that gcov counts, and without what was missed and is listed
coverage_print() {
	awk -F '\t' '
	function percent(part, whole) { return sprintf("%5.1f %%", whole ? 100 * part / whole : 100) }
	function row(name, lines, run, branches, taken, lines_off, branches_off) {
		printf "  %-18s %s of %5d lines, %s of %5d branches;   listed off: %s, %s\n", name,
			percent(run, lines), lines, percent(taken, branches), branches,
			percent(run, lines - lines_off), percent(taken, branches - branches_off)
	}
	/^#/ { next }
	{
		row($1, $2, $3, $4, $5, $6, $7)
		l += $2; r += $3; b += $4; t += $5; lo += $6; bo += $7
	}
	END { row("all", l, r, b, t, lo, bo) }' "$1"
}
