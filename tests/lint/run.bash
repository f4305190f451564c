#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What can be seen without running: shell and C style, licences, and that rules, tests and deviations
# name each other.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
cd "$ROOT" || exit 2

# source_files PATTERN...: tracked and new files, without those that git ignores
source_files() {
	git ls-files --cached --others --exclude-standard -- "$@" | while IFS= read -r file; do
		[[ ! -f $file ]] || printf '%s\n' "$file"
	done
}

lint_shell() {
	local files

	# The parts of the runner are read together, as run.sh sources them.
	mapfile -t files < <(source_files "*.bash" "*.sh" .ci/run | grep -v "^runner/[a-z]*.bash$")
	shellcheck -x -a -S style -P SCRIPTDIR "${files[@]}" runner/completion.bash
}

lint_licences() {
	local file missing=

	while IFS= read -r file; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' || missing+=" $file"
	done < <(source_files '*.[ch]' '*.bash' '*.sh' '*.awk' '*.mk' '*.arch' '*.machine' Makefile .ci/run)
	[[ -z $missing ]] || { echo "no SPDX line:$missing"; return 1; }
}

# Tabs for indentation, no trailing space, at most 100 columns in C and 120 in scripts (a tab is 8)
lint_columns() {
	local file limit

	source_files '*.[ch]' '*.bash' '*.sh' '*.awk' '*.jq' '*.mk' '*.config' | while IFS= read -r file; do
		limit=120
		[[ $file != *.[ch] ]] || limit=100
		expand "$file" | awk -v file="$file" -v limit="$limit" '
			length > limit { print file ":" FNR ": " length " columns" }'
		grep -nE '[[:space:]]+$' "$file" | sed "s,^,$file: trailing space: ,"
		[[ $file != *.[ch] ]] || grep -nE '^ {4}' "$file" | sed "s,^,$file: spaces for a tab: ,"
		:	# what grep did not find is no failure
	done | { ! grep .; }
}

rules_used() {
	grep -rhoE '"[A-Z]+-[0-9]+"' suites harness/oracle | grep -oE '[A-Z]+-[0-9]+' | sort -u
}

rules_listed() {
	grep -vE '^(#|$)' rules.tsv | cut -f 1
}

lint_rules_known() {
	comm -23 <(rules_used) <(rules_listed | sort -u) | { ! grep .; }
}

lint_rules_tested() {
	comm -13 <(rules_used) <(rules_listed | sort -u) | { ! grep .; }
}

lint_rules_form() {
	rules_listed | sort -c && rules_listed | uniq -d | { ! grep .; } &&
		awk -F '\t' '!/^(#|$)/ && (NF != 3 || $2 == "" || $3 == "") { print FILENAME ":" FNR ": " $0; bad = 1 }
			END { exit bad }' rules.tsv
}

# Every deviation names a program there is, a kernel, a listed rule, and why
lint_deviations() {
	local glob kernel rule reason often number=0 bad=0

	while IFS=$'\t' read -r glob kernel rule reason often; do
		((++number))
		[[ $glob != \#* && -n $glob ]] || continue
		rules_listed | grep -qx "$rule" || { echo "line $number: no rule '$rule'"; bad=1; }
		[[ -n $kernel && -n $reason ]] || { echo "line $number: no kernel or no reason"; bad=1; }
		[[ -z $often || $often == sometimes ]] || { echo "line $number: '$often' is not 'sometimes'"; bad=1; }
		[[ $glob =~ ^([a-z]+)\.([a-z0-9_]+)\. && -e suites/${BASH_REMATCH[1]}/${BASH_REMATCH[2]}.c ]] ||
			{ echo "line $number: '$glob' names no test program"; bad=1; }
	done <deviations.tsv
	return "$bad"
}

# A test without a rule is a test that nobody asked for.
lint_tests_have_rules() {
	awk '
	/^TEST(_F)?(_[A-Z]+)?\(/ { name = FILENAME ":" FNR ": " $0; ruled = 0; open = 1 }
	open && /RULE\(/ { ruled = 1 }
	open && /^}/ { if (!ruled) { print name; bad = 1 } open = 0 }
	END { exit bad }' suites/*/*.c
}

tap_check shellcheck lint_shell
tap_check licences lint_licences
tap_check columns lint_columns
tap_check rules-are-listed lint_rules_known
tap_check rules-have-tests lint_rules_tested
tap_check rules-form lint_rules_form
tap_check deviations lint_deviations
tap_check tests-have-rules lint_tests_have_rules
tap_check ci-jobs docs/ci/check.bash
tap_end
