# SPDX-License-Identifier: GPL-2.0-only
# From what was planned and what the guests said to what became of each test.
#
#	awk -f text.awk -f stream.awk what=plan plan.tsv what=kernels KERNELS \
#		what=deviations deviations.tsv what=stream STREAM
#
# KERNELS has lines "arch<TAB>release". STREAM is the raw logs in the order of the boots, each after
# a line "\001machine<TAB>repeat<TAB>boot"; no log contains \001. The words of a log are described
# in guests/init/init.c; the runner adds "console TEXT" and "died REASON".
#
# Prints JSON, an object a line: {"test": {...}} in the order of the plan, {"program": {...}}.
# A test is known by its id, "machine<TAB>repeat<TAB>suite.program.test". The evidence of a test is
# what was said between its RUN line and its result; before a RUN line its owner is "", the next.

BEGIN {
	OUTPUT_LIMIT = 60	# lines kept of what else a test printed
	SPLAT_LIMIT = 150
	split("rules failures notes splat output console", LISTS, " ")
}

what == "plan" {
	split($0, column, "\t")
	plan(column[1], column[2], column[3], column[4], column[5], column[6])
}
what == "kernels" {
	split($0, column, "\t")
	release[column[1]] = column[2]
}
what == "deviations" && !/^(#|[ \t]*$)/ {
	split($0, column, "\t")
	deviation_name[++deviations] = glob_regex(column[1])
	deviation_kernel[deviations] = glob_regex(column[2])
	deviation_rule[deviations] = column[3]
	deviation_reason[deviations] = column[4]
}
what == "stream" {
	if (/^\001/)
		boot_begin(substr($0, 2))
	else
		said($0)
}
END {
	boot_end()
	for (i = 1; i <= tests; i++)
		print_test(order[i])
	for (i = 1; i <= programs; i++)
		print_program(program_order[i])
}

function plan(the_machine, arch, suite, program, test, the_repeat,    id)
{
	machine_arch[the_machine] = arch
	id = the_machine "\t" the_repeat "\t" suite "." program "." test
	if (!(id in planned))
		add_test(id, the_machine, the_repeat, suite, program, test)
	planned[id] = 1
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

function boot_begin(header,    column)
{
	boot_end()
	split(header, column, "\t")
	machine = column[1]
	repeat = column[2]
	boot = machine "\t" repeat
	program = running = last = died = ""
	clock = done = 0
	forget("")
}

# What a guest left unsaid when it ended
function boot_end()
{
	if (boot == "")
		return
	if (running != "") {
		close_test(death_of(running) " while the test ran")
	} else if (died != "" && !done && last != "") {
		blame(last, death_of("") " after the test")
	} else if (died != "" && !done) {
		death[boot] = died
		death_console[boot] = list["console", ""]
	}
	if (list["splat", ""] != "")
		outside_splat()
	if (program != "")
		program_seconds[program_id()] += clock - program_start
	boot = ""
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
	return (died == "" ? "exit" : died) ": the guest went away"
}

# A line of the port: "<uptime> <word> <text>". What is not one was garbled on its way.
function said(line,    uptime, word, text)
{
	if (!match(line, /^[0-9]+(\.[0-9]+)? [a-z]+( |$)/))
		return
	word = substr(line, 1, RLENGTH)
	text = substr(line, RLENGTH + 1)
	uptime = word + 0
	sub(/^[^ ]* /, "", word)
	sub(/ $/, "", word)
	if (uptime > clock)
		clock = uptime
	if (word == "out")
		printed(text)
	else if (word == "splat")
		splat(text)
	else if (word == "begin")
		program_begin(text)
	else if (word == "end")
		program_end(text)
	else if (word == "console")
		console(text)
	else if (word == "died")
		died = printable(text)
	else if (word == "done")
		done = 1
}

function program_id()
{
	return boot "\t" program
}

function program_begin(name)
{
	if (running != "")
		close_test("garbled: no result of the test arrived")
	program = slug(name)
	program_start = clock
	program_results = program_failures = 0
	if (!(program_id() in program_seconds)) {
		program_order[++programs] = program_id()
		program_seconds[program_id()] = program_checks[program_id()] = 0
	}
}

# How a program ended may be a result of its own: a crash, a leak found at exit
function program_end(text,    status)
{
	status = text
	sub(/^.* /, "", status)
	if (program == "")
		return
	if (running != "")
		close_test("exit: the program ended with status " status " while the test ran")
	else if (program_results && !(status ~ /^[04]$/) && !(status == 1 && program_failures))
		blame(last, "exit: the program ended with status " status " after the test")
	if (list["splat", ""] != "" && last != "")
		outside_splat()
	program_status[program_id()] = status
	program_seconds[program_id()] += clock - program_start
	program = ""
}

# A complaint that no test's result followed belongs to the test before it, if there was one.
function outside_splat(    id)
{
	id = last
	if (id == "") {
		id = boot "\t" (program == "" ? "guest.boot" : program) ".outside_tests"
		adopt(id)
	}
	move("splat", "", id)
	first_splat[id] = first_splat[""]
	first_splat[""] = ""
	blame(id, "splat: " first_splat[id])
}

function splat(text)
{
	if (first_splat[running] == "")
		first_splat[running] = printable(text)
	if (++lines["splat", running] <= SPLAT_LIMIT)
		add("splat", running, json(text))
}

# Lines of the console come at the end of a log, before "died".
function console(text)
{
	add("console", running != "" ? running : last, json(text))
}

# A line that a test program printed
function printed(text)
{
	if (text ~ /^(not )?ok [0-9]+ [^#]/)
		result(text)
	else if (text ~ /^# +RUN +[^ ]/)
		run(text)
	else if (text ~ /^# rule /)
		rule(substr(text, 8))
	else if (text ~ /^# check failed: /)
		failure(substr(text, 17))
	else if (text ~ /^# note: /)
		add_few("notes", json(substr(text, 9)))
	else if (text ~ /^# checks [0-9]+$/)
		program_checks[program_id()] += substr(text, 10)
	else if (text ~ /^# .*: Test (terminated|ended|exited) /)
		ending(text)
	else if (text !~ /^# +(OK|FAIL|SKIP|XFAIL|XPASS|PASSED|FAILED|Totals|Starting)/ && running != "")
		add_few("output", json(text))
}

function run(text)
{
	sub(/^# +RUN +/, "", text)
	sub(/ \.\.\.$/, "", text)
	if (running != "")
		close_test("garbled: no result of the test arrived")
	running = test_id(text)
	adopt(running)
	move("splat", "", running)
	first_splat[running] = first_splat[""]
	forget("")
	start[running] = clock
	ran[running] = 1
}

function rule(name)
{
	name = slug(name)
	if (!((running, name) in ruled))
		add("rules", running, json(name))
	ruled[running, name] = 1
}

# "UAPI-01: file.c:6: a == b: expected 1, observed 2"; an expression may contain ": " too.
function failure(text,    rule_name, file, line, expr, values, observed, at, rest)
{
	rest = text
	at = index(rest, ": ")
	rule_name = substr(rest, 1, at - 1)
	rest = substr(rest, at + 2)
	if (!match(rest, /^[^: ]+:[0-9]+: /) || !match(rest, /: expected .*, observed /)) {
		add_few("notes", json(text))
		return
	}
	match(rest, /^[^: ]+:[0-9]+: /)
	file = line = substr(rest, 1, RLENGTH - 2)
	sub(/:[0-9]+$/, "", file)
	sub(/^.*:/, "", line)
	rest = substr(rest, RLENGTH + 1)
	expr = rest
	while ((at = index(rest, ": expected ")) > 0)
		rest = substr(rest, at + 11)
	values = rest
	expr = substr(expr, 1, length(expr) - length(values) - 11)
	at = index(values, ", observed ")
	observed = substr(values, at + 11)
	values = substr(values, 1, at - 1)
	add_few("failures", "{\"rule\":" json(slug(rule_name)) ",\"file\":" json(file) ",\"line\":" line \
		",\"expr\":" json(expr) ",\"expected\":" json(values) ",\"observed\":" json(observed) "}")
	failed_rules[running] = failed_rules[running] " " slug(rule_name)
}

# The harness says how a test that did not simply fail came to its end.
function ending(text)
{
	add_few("output", json(text))
	sub(/^# .*: Test /, "", text)
	if (text !~ /terminated by assertion/)
		end_reason[running] = printable(text)
}

function result(text,    ok, name, directive, at, id)
{
	ok = text ~ /^ok/
	sub(/^(not )?ok [0-9]+ (- )?/, "", text)
	at = index(text, " # ")
	name = at ? substr(text, 1, at - 1) : text
	directive = at ? substr(text, at + 3) : ""
	id = test_id(name)
	# A line cut short is no result: the test that runs has none then.
	if (id != running && !(id in planned) && running != "" && index(running, id) == 1)
		return
	if (running != "" && running != id)
		close_test("garbled: no result of the test arrived")
	if (running == "") {
		adopt(id)
		move_all("", id)
		start[id] = clock
	}
	ran[id] = 1
	running = last = id
	program_results++
	settle_result(id, ok, directive)
	running = ""
}

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
		settle(id, "known", reason)
	else if (ok)
		settle(id, "pass", "")
	else
		settle(id, "fail", directive != "" ? directive : end_reason[id])
	if (ok && word == "XPASS")
		unexpected_pass[id] = 1
	if (!ok)
		program_failures++
}

# The running test ended without a result.
function close_test(reason)
{
	seconds[running] += clock - start[running]
	settle(running, "fail", reason)
	program_failures++
	last = running
	running = ""
}

# Something went wrong after a result that may have been good.
function blame(id, reason)
{
	if (outcome[id] == "fail")
		return
	settle(id, "fail", reason)
	program_failures++
}

# A test may have results of more than one boot: a failure stays a failure.
function settle(id, the_outcome, the_reason)
{
	if (outcome[id] == "fail")
		return
	outcome[id] = the_outcome
	reason_of[id] = printable(the_reason)
}

function test_id(name)
{
	return boot "\t" (program == "" ? "guest.unknown" : program) "." slug(name)
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
	add_test(id, column[1], column[2], suite, the_program, substr(name, length(suite the_program) + 3))
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
}

function move_all(from, to,    i)
{
	for (i in LISTS)
		move(LISTS[i], from, to)
	if (first_splat[to] == "")
		first_splat[to] = first_splat[from]
	failed_rules[to] = failed_rules[to] failed_rules[from]
	end_reason[to] = end_reason[from]
	forget(from)
}

function forget(id,    i)
{
	for (i in LISTS) {
		list[LISTS[i], id] = ""
		lines[LISTS[i], id] = 0
	}
	first_splat[id] = failed_rules[id] = end_reason[id] = ""
}

# What kept a planned test from running is the end of its program, or of its guest.
function not_run(id,    where, column)
{
	outcome[id] = "fail"
	reason_of[id] = "not run"
	where = test_machine[id] "\t" test_repeat[id]
	if ((where "\t" test_suite[id] "." test_program[id]) in program_status) {
		reason_of[id] = "not run: the program ended with status " \
			program_status[where "\t" test_suite[id] "." test_program[id]]
	} else if (where in death) {
		reason_of[id] = "not run: the guest died before it (" death[where] ")"
		list["console", id] = death_console[where]
		death_console[where] = ""	# once is enough
	}
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

function apply_deviations(id,    d, name, kernel)
{
	name = test_suite[id] "." test_program[id] "." test_name[id]
	kernel = release[machine_arch[test_machine[id]]]
	for (d = 1; d <= deviations; d++) {
		if (name !~ deviation_name[d] || kernel !~ deviation_kernel[d])
			continue
		if (outcome[id] == "pass")
			unexpected_pass[id] = 1
		else if (outcome[id] != "fail" || !explains(d, id))
			continue
		else
			outcome[id] = "known"
		return "{\"rule\":" json(deviation_rule[d]) ",\"reason\":" json(deviation_reason[d]) "}"
	}
	return "null"
}

function print_test(id,    i, deviation)
{
	if (!(id in outcome))
		not_run(id)
	deviation = apply_deviations(id)
	printf "{\"test\":{\"name\":%s,\"suite\":%s,\"program\":%s,\"test\":%s,\"machine\":%s,\"arch\":%s",
		json(test_suite[id] "." test_program[id] "." test_name[id]), json(test_suite[id]),
		json(test_program[id]), json(test_name[id]), json(test_machine[id]),
		json(machine_arch[test_machine[id]])
	printf ",\"repeat\":%d,\"outcome\":\"%s\",\"reason\":%s,\"duration_s\":%.3f",
		test_repeat[id], outcome[id], json(reason_of[id]), seconds[id]
	printf ",\"planned\":%s,\"ran\":%s,\"unexpected_pass\":%s,\"deviation\":%s",
		(id in planned) ? "true" : "false", (id in ran) ? "true" : "false",
		(id in unexpected_pass) ? "true" : "false", deviation
	for (i = 1; i <= 6; i++)
		printf ",\"%s\":[%s]", LISTS[i], list[LISTS[i], id]
	print "}}"
}

function print_program(id,    column, suite, name)
{
	split(id, column, "\t")
	suite = name = column[3]
	sub(/\..*/, "", suite)
	sub(/^[^.]*\./, "", name)
	printf "{\"program\":{\"suite\":%s,\"program\":%s,\"machine\":%s,\"repeat\":%d",
		json(suite), json(name), json(column[1]), column[2]
	printf ",\"checks\":%d,\"duration_s\":%.3f,\"status\":%s}}\n", program_checks[id],
		program_seconds[id], program_status[id] ~ /^[0-9]+$/ ? program_status[id] : "null"
}
