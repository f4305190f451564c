# SPDX-License-Identifier: GPL-2.0-only
# What became of each test, and its evidence. stream.awk fills this from what the guests said.
#
# A test is known by its id, "machine<TAB>repeat<TAB>suite.program.test". Evidence is kept in lists
# of JSON, list[KIND, id]. What was said before any test ran has the id "": the next test's.

BEGIN {
	KINDS = split("rules failures notes output splat console fio", KIND, " ")
	OUTPUT_LIMIT = 60	# lines kept of a kind that a test may print without end
	SPLAT_LIMIT = 150
}

function add_test(id, the_machine, the_repeat, suite, program, test)
{
	order[++tests] = id
	test_machine[id] = the_machine
	test_repeat[id] = the_repeat + 0
	test_suite[id] = suite
	test_program[id] = program
	test_name[id] = test
}

# A test that nobody planned is a result all the same.
function adopt(id,    name, column, suite, the_program)
{
	if (id in test_machine)
		return
	split(id, column, "\t")
	name = column[3]
	suite = the_program = name
	sub(/\..*/, "", suite)
	sub(/^[^.]*\./, "", the_program)
	sub(/\..*/, "", the_program)
	name = substr(name, length(suite the_program) + 3)
	add_test(id, column[1], column[2], suite, the_program, name)
}

# A test may have results of more than one boot: a failure stays a failure.
function settle(id, the_outcome, the_reason)
{
	if (outcome[id] == "fail")
		return
	outcome[id] = the_outcome
	reason_of[id] = printable(the_reason)
}

# Something went wrong after a result that may have been good.
function blame(id, reason)
{
	if (outcome[id] == "fail")
		return
	settle(id, "fail", reason)
	program_failures++
}

# The result line of a test: "ok" or not, and what follows " # "
function settle_result(id, ok, directive,    word, reason)
{
	sub(/^ +/, "", directive)
	word = reason = directive
	sub(/ .*/, "", word)
	sub(/^[^ ]+ ?/, "", reason)
	word = toupper(word)
	seconds[id] += clock - start[id]
	if (first_splat[id] != "")
		settle(id, "fail", "splat: " first_splat[id])
	else if (ok && word == "SKIP")
		settle(id, "skip", reason == "" ? "no reason given" : reason)
	else if (word == "XFAIL" || (!ok && word == "TODO"))
		settle(id, "known", reason == "" ? "no reason given" : reason)
	else if (ok)
		settle(id, "pass", "")
	else
		settle(id, "fail", directive != "" ? directive : end_reason[id])
	if (ok && word == "XPASS")
		unexpected_pass[id] = 1
	if (!ok)
		program_failures++
}

# How a guest died, as the runner saw it; it says nothing when the kernel's own report came first.
function death_of(id)
{
	if (died == "" && first_splat[id] != "")
		return "splat: " first_splat[id] "; the guest died"
	if (died == "panic")
		return "panic: the kernel panicked"
	if (died == "hang")
		return "hang: the guest fell silent"
	if (died == "timeout")
		return "timeout: the guest ran out of time"
	if (died == "flood")
		return "flood: the guest never stopped talking"
	if (died == "hardware")
		return "hardware: nit-hw ended before the guest"
	return (died == "" ? "exit" : died) ": the guest went away"
}

# What kept a planned test from running is the end of its program, or of its guest.
function not_run(id,    where, its_program)
{
	where = test_machine[id] "\t" test_repeat[id]
	its_program = where "\t" test_suite[id] "." test_program[id]
	outcome[id] = "fail"
	reason_of[id] = "not run"
	if (its_program in program_status) {
		reason_of[id] = "not run: the program ended with status " \
			program_status[its_program]
	} else if (where in death) {
		reason_of[id] = "not run: " death[where]
		if (!(where in death_told))
			list["console", id] = death_console[where]
		death_told[where] = 1
	}
}

# A guest that died where no test ran, and did better later, has still died.
function settle_rest(    i, where)
{
	for (i = 1; i <= tests; i++)
		if (!(order[i] in outcome))
			not_run(order[i])
	for (where in death) {
		if (where in death_told)
			continue
		adopt(death_where[where])
		ran[death_where[where]] = 1
		list["console", death_where[where]] = death_console[where]
		settle(death_where[where], "fail", death[where] " outside of tests")
	}
}

function add(kind, id, item)
{
	list[kind, id] = list[kind, id] (list[kind, id] == "" ? "" : ",") item
}

function add_few(kind, item)
{
	if (++lines[kind, running] <= OUTPUT_LIMIT)
		add(kind, running, item)
}

function move(kind, from, to)
{
	if (list[kind, from] != "")
		add(kind, to, list[kind, from])
	lines[kind, to] += lines[kind, from]
	list[kind, from] = ""
	lines[kind, from] = 0
	if (kind != "splat")
		return
	if (first_splat[to] == "")
		first_splat[to] = first_splat[from]
	first_splat[from] = ""
}

function move_all(from, to,    i)
{
	for (i = 1; i <= KINDS; i++)
		move(KIND[i], from, to)
	failed_rules[to] = failed_rules[to] failed_rules[from]
	end_reason[to] = end_reason[from]
	forget(from)
}

function forget(id,    i)
{
	for (i = 1; i <= KINDS; i++) {
		list[KIND[i], id] = ""
		lines[KIND[i], id] = 0
	}
	first_splat[id] = failed_rules[id] = end_reason[id] = ""
}

# A deviation explains a failure of its own rule only; a test that never ran explains nothing.
function explains(d, id,    i, n, rules)
{
	n = split(failed_rules[id], rules, " ")
	for (i = 1; i <= n; i++)
		if (rules[i] != deviation_rule[d] && rules[i] != "-")
			return 0
	return (id in ran)
}

# Returns the deviation that applies, as JSON. One that shows "sometimes", as races do, leaves a pass
# a pass.
function apply_deviations(id,    d, name, kernel, hardware)
{
	name = test_suite[id] "." test_program[id] "." test_name[id]
	kernel = release[machine_arch[test_machine[id]]]
	hardware = release[test_machine[id]]
	for (d = 1; d <= deviations; d++) {
		if (name !~ deviation_name[d] || (kernel !~ deviation_kernel[d] && hardware !~ deviation_kernel[d]))
			continue
		if (outcome[id] == "pass" && deviation_sometimes[d])
			return "null"
		if (outcome[id] == "pass")
			unexpected_pass[id] = 1
		else if (outcome[id] != "fail" || !explains(d, id))
			continue
		else
			outcome[id] = "known"
		return "{" member("rule", json(deviation_rule[d])) "," \
			member("reason", json(deviation_reason[d])) "}"
	}
	return "null"
}

function member(name, value)
{
	return "\"" name "\":" value
}

function truth(value)
{
	return value ? "true" : "false"
}

function print_test(id,    i, text)
{
	text = member("name", json(test_suite[id] "." test_program[id] "." test_name[id]))
	text = text "," member("suite", json(test_suite[id]))
	text = text "," member("program", json(test_program[id]))
	text = text "," member("test", json(test_name[id]))
	text = text "," member("machine", json(test_machine[id]))
	text = text "," member("arch", json(machine_arch[test_machine[id]]))
	text = text "," member("repeat", test_repeat[id])
	# Before the outcome: it may change it.
	text = text "," member("deviation", apply_deviations(id))
	text = text "," member("outcome", json(outcome[id]))
	text = text "," member("reason", json(reason_of[id]))
	text = text "," member("duration_s", sprintf("%.3f", seconds[id]))
	text = text "," member("planned", truth(id in planned))
	text = text "," member("ran", truth(id in ran))
	text = text "," member("unexpected_pass", truth(id in unexpected_pass))
	for (i = 1; i <= KINDS; i++)
		text = text "," member(KIND[i], "[" list[KIND[i], id] "]")
	text = text "," member("figures", "[" figures_of(id) "]")
	print "{" member("test", "{" text "}") "}"
}

function figures_of(id,    i, name, text)
{
	for (i = 1; i <= figures[id]; i++) {
		name = figure_name[id, i]
		text = text (i > 1 ? "," : "") "{" member("name", json(name)) "," figure_kind[id, name] "," \
			member("samples", "[" figure_samples[id, name] "]") "}"
	}
	return text
}

function print_program(id,    column, suite, name, status, text)
{
	split(id, column, "\t")
	suite = name = column[3]
	sub(/\..*/, "", suite)
	sub(/^[^.]*\./, "", name)
	status = program_status[id] ~ /^[0-9]+$/ ? program_status[id] : "null"
	text = member("suite", json(suite)) "," member("program", json(name))
	text = text "," member("machine", json(column[1])) "," member("repeat", column[2] + 0)
	text = text "," member("checks", program_checks[id] + 0)
	text = text "," member("duration_s", sprintf("%.3f", program_seconds[id]))
	print "{" member("program", "{" text "," member("status", status) "}") "}"
}
