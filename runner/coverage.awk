# SPDX-License-Identifier: GPL-2.0-only
# Coverage of one source file, from three files, each named after part=N on the command line:
#	1 coverage.tsv	what cannot be reached, and why
#	2 gcov's lines	line, count, branches, branches taken, function
#	3 the source
# Variables: name, missed and unreachable (files to add to). Prints
#	name, lines, lines run, branches, branches taken, lines missed that are listed, branches so
#
# An entry of coverage.tsv stands for a line that has its text, in its function, and for the lines
# below it that are indented deeper: the condition and its body, or the label and what follows. Of
# those, what was run or taken counts as what it is; what was missed, as listed.

BEGIN { FS = OFS = "\t" }

part == 1 {
	if (/^#/ || ($1 != name && $1 != "*"))
		next
	file[++entries] = $1
	of_function[entries] = $2
	text[entries] = $3
	why[entries] = $4
}

part == 2 {
	known[$1] = 1
	run[$1] += $2
	branches[$1] += $3
	taken[$1] += $4
	sub(/\..*/, "", $5)	# .part.0, .constprop.0: the same function
	of_line[$1] = $5
}

part == 3 {
	if (FNR in known)
		here = of_line[FNR]
	if (!entry || column($0) <= depth)
		entry = find($0) ? found : 0
	if (FNR in known)
		count()
}

END {
	print name, lines + 0, lines_run + 0, all + 0, all_taken + 0, listed_lines + 0, listed_branches + 0
	for (i = 1; i <= entries; i++)
		if (file[i] == name && !used[i])
			print name ": nothing is missed: " of_function[i] ": " text[i] >"/dev/stderr"
}

# find(LINE): an entry that starts here; sets found and depth
function find(line)
{
	for (found = 1; found <= entries; found++)
		if ((of_function[found] == "*" || of_function[found] == here) &&
		    (text[found] == "*" || index(line, text[found]))) {
			depth = column(line)
			return 1
		}
	return 0
}

# column(LINE): where its text begins; nowhere, thus deeper than anything, if it is empty
function column(line,    i, at)
{
	for (i = 1; i <= length(line); i++)
		if (substr(line, i, 1) == "\t")
			at += 8 - at % 8
		else if (substr(line, i, 1) == " ")
			at++
		else
			return at + 0
	return 1000
}

function count(    left, what)
{
	lines++
	lines_run += run[FNR] > 0
	all += branches[FNR]
	all_taken += taken[FNR]
	left = branches[FNR] - taken[FNR]
	if (run[FNR] && !left)
		return
	what = name ":" FNR ": " (run[FNR] ? taken[FNR] " of " branches[FNR] " branches" : "not run") ": " $0
	if (!entry) {
		print what >>missed
		return
	}
	listed_lines += !run[FNR]
	listed_branches += left
	used[entry] = 1
	print what "\t[" why[entry] "]" >>unreachable
}
