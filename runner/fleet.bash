# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Many machines, one result: --shard takes a part of a run, --merge joins the parts. Who starts the
# shards is not our business (docs/ci/ has ways to).

# fleet_shard FILE I N: keep the I-th of N parts of a plan. Programs are dealt out by how long they
# took when tests/durations.tsv was written, the longest first, each to the part that has least.
# Every machine of a fleet deals alike, so each needs the same checkout and options.
fleet_shard() {
	awk -F '\t' -v OFS='\t' -v part="$2" -v parts="$3" '
	function key() { return $1 OFS $3 OFS $4 OFS $6 }	# machine, suite, program, repeat
	FILENAME == durations {
		if (!/^(#|$)/)
			seconds[$1, $2] = $3
		next
	}
	!(key() in cost) {
		names[++n] = key()
		cost[key()] = ($1, $3 "." $4) in seconds ? seconds[$1, $3 "." $4] : 1
	}
	{ lines[++count] = $0; of[count] = key() }
	END {
		# Insertion sort: a few hundred programs; by cost, equal ones by name
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && before(names[j], names[j - 1]); j--) {
				t = names[j]; names[j] = names[j - 1]; names[j - 1] = t
			}
		for (i = 1; i <= n; i++) {
			least = 1
			for (p = 2; p <= parts; p++)
				if (load[p] + 0 < load[least] + 0)
					least = p
			load[least] += cost[names[i]]
			home[names[i]] = least
		}
		for (i = 1; i <= count; i++)
			if (home[of[i]] == part)
				print lines[i]
	}
	function before(a, b) { return cost[a] != cost[b] ? cost[a] > cost[b] : a < b }
	' durations="$ROOT/tests/durations.tsv" "$ROOT/tests/durations.tsv" "$1" >"$1.part" && mv "$1.part" "$1"
}

# fleet_durations RUN_DIR: a new tests/durations.tsv, as this run measured it
fleet_durations() {
	printf '# How long a program took, in seconds: what --shard deals by. Columns: machine, program, s\n'
	printf '# Written by: ./run.sh --durations RESULTS >tests/durations.tsv\n'
	jq -r '.programs | group_by([.machine, .suite, .program])[]
		| [.[0].machine, "\(.[0].suite).\(.[0].program)", (map(.duration_s) | add / length * 10 | round / 10)]
		| @tsv' "$1/results.json"
}

# fleet_files DIR...: FLEET_FILES: what these runs have written
fleet_files() {
	local dir

	FLEET_FILES=()
	for dir; do
		[[ -s $dir/results.json ]] || die "--$OPT_ACTION $dir: no results.json in it" \
			"expected directories that runs have written"
		jq -e '.format == 1' "$dir/results.json" >/dev/null ||
			die "--$OPT_ACTION $dir: results.json is not of format 1" "use the nit that wrote it"
		FLEET_FILES+=("$dir/results.json")
	done
}

# fleet_agree DIR...: do the machines of these runs agree? 1: a difference has no explanation
fleet_agree() {
	fleet_files "$@"
	jq -rn -f "$ROOT/runner/agree.jq" "${FLEET_FILES[@]}" >"$WORK/agree" || die "--agree: this is a bug"
	cat "$WORK/agree"
	! grep -q '^    not explained' "$WORK/agree" || exit 1
}

# fleet_merge DIR...: the results of these runs as those of one, in RUN_DIR
fleet_merge() {
	fleet_files "$@"
	verdict_open
	jq -n -f "$ROOT/runner/merge.jq" --arg run "$(basename "$RUN_DIR")" "${FLEET_FILES[@]}" \
		>"$RUN_DIR/results.json" 2>"$WORK/merge.err" ||
		die "--merge: $(sed -n 's/^jq: error ([^)]*): //p' "$WORK/merge.err")"
	jq .environment "$RUN_DIR/results.json" >"$RUN_DIR/environment.json"
	results_derive "$RUN_DIR" && report_write "$RUN_DIR" "$ROOT" ||
		die "cannot write the results in $RUN_DIR" "is there space?"
	results_summary "$RUN_DIR"
	verdict_status
}
