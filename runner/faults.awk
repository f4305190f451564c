# SPDX-License-Identifier: GPL-2.0-only
# From "fault<TAB>what" and "fault<TAB>test<TAB>result" to the matrix: lines "fault<TAB>...", then
# what is wrong with it, then the totals. Status 1 if anything is wrong.

what == "faults" { order[++faults] = $1; bug[$1] = $2; next }

# With nothing planted: what can run here at all, and what fails anyway
$1 == "" {
	if ($3 == "not ok")
		sound[$2] = 1
	if ($3 != "skip")
		tests[$2] = 1
	next
}
$3 == "not ok" {
	if (!(($1, $2) in seen))
		seen_by[$1] = seen_by[$1] (seen_by[$1] == "" ? "" : " ") $2
	seen[$1, $2] = 1
	teeth[$2]++
}
END {
	for (i = 1; i <= faults; i++) {
		print "fault", order[i], bug[order[i]], seen_by[order[i]]
		if (seen_by[order[i]] == "") {
			print "SURVIVED  " order[i] "  " bug[order[i]]
			bad++
		} else {
			caught++
		}
	}
	for (test in tests) {
		total++
		if (test in sound) {
			print "FAILS WITHOUT A FAULT  " test
			bad++
		} else if (!(test in teeth)) {
			print "NO TEETH  " test
			bad++
		}
	}
	printf "%d of %d faults caught by %d tests, %d wrong\n", caught, faults, total, bad
	exit bad > 0
}
