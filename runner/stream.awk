# SPDX-License-Identifier: GPL-2.0-only
# From what was planned and what the guests said to what became of each test.
#
#	awk -f text.awk -f outcome.awk -f stream.awk what=plan plan.tsv what=kernels KERNELS \
#		what=deviations deviations.tsv what=stream STREAM
#
# KERNELS has lines "arch<TAB>release" and "machine<TAB>hardware". STREAM is the raw logs in the order of
# the boots, each after a line "\001machine<TAB>repeat<TAB>boot"; no log contains \001. The words of a log are described
# in guests/init/init.c; the runner adds "console TEXT" and "died REASON".
#
# Prints JSON, an object a line: {"test": {...}} in the order of the plan, {"program": {...}}.
# outcome.awk keeps the tests and their evidence: what was said between a RUN line and its result.

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
	deviation_sometimes[deviations] = column[5] == "sometimes"
}
what == "stream" {
	if (/^\001/)
		boot_begin(substr($0, 2))
	else
		said($0)
}
END {
	boot_end()
	settle_rest()
	for (i = 1; i <= tests; i++)
		print_test(order[i])
	for (i = 1; i <= programs; i++)
		print_program(program_order[i])
}

function plan(the_machine, arch, suite, program, test, the_repeat,    id)
{
	machine_arch[the_machine] = arch
	if (!(the_machine in first_suite))
		first_suite[the_machine] = suite
	id = the_machine "\t" the_repeat "\t" suite "." program "." test
	if (!(id in planned))
		add_test(id, the_machine, the_repeat, suite, program, test)
	planned[id] = 1
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
		death[boot] = death_of("")
		death_where[boot] = outside_tests()
		death_console[boot] = list["console", ""]
	}
	if (list["splat", ""] != "")
		outside_splat()
	if (program != "")
		program_seconds[program_id()] += clock - program_start
	boot = ""
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
	if (word == "boot")
		booted(text)
	else if (word == "out")
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

# "KEY=VALUE"; the architecture is news only where the plan is lost.
function booted(text)
{
	if (text !~ /^arch=/ || machine in machine_arch)
		return
	sub(/^arch=/, "", text)
	machine_arch[machine] = text == "aarch64" ? "arm64" : slug(text)
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
	last = ""
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
	else if (program_results && status !~ /^[04]$/ && !(status == 1 && program_failures))
		blame(last, "exit: the program ended with status " status " after the test")
	if (list["splat", ""] != "")
		outside_splat()
	program_status[program_id()] = status
	program_seconds[program_id()] += clock - program_start
	program = ""
}

# A complaint that no test's result followed belongs to the test before it, if there was one.
function outside_splat(    id)
{
	id = last == "" ? outside_tests() : last
	adopt(id)
	ran[id] = 1
	move("splat", "", id)
	blame(id, "splat: " first_splat[id])
}

# The id of a test that there is not: to fail for what happened where no test ran
function outside_tests()
{
	return boot "\t" (program == "" ? first_suite[machine] ".boot" : program) ".outside_tests"
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
	else if (text ~ /^# figure /)
		figure(substr(text, 10))
	else if (text ~ /^# fio [{]/)
		fio(substr(text, 7))
	else if (text ~ /^# checks [0-9]+$/)
		program_checks[program_id()] += substr(text, 10)
	else if (text ~ /^# .*: Test (terminated|ended|exited) /)
		ending(text)
	else if (running != "" && text !~ /^# +(OK|FAIL|SKIP|XFAIL|XPASS) /)
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
	forget("")
	start[running] = clock
	ran[running] = 1
}

function rule(name)
{
	name = slug(name)
	if (running == "" || !((running, name) in ruled))
		add("rules", running, json(name))
	ruled[running, name] = 1
}

# Numbers with a comma between them
function numbers(text)
{
	return "," text ~ /^(,-?(0|[1-9][0-9]*)(\.[0-9]+)?)+$/
}

# "NAME VALUE[,VALUE]... UNIT [KIND]": samples of a figure; the first says unit and kind. Outside of tests:
# nobody's.
function figure(text,    column, name)
{
	if (running == "" || split(text, column, " ") < 3 || !numbers(column[2]) ||
	    (column[4] != "" && column[4] !~ /^(count|time)$/)) {
		add_few("notes", json("not a figure: " text))
		return
	}
	name = slug(column[1])
	if (!((running, name) in figure_samples)) {
		figure_name[running, ++figures[running]] = name
		figure_kind[running, name] = member("unit", json(column[3])) "," \
			member("kind", json(column[4] == "" ? "time" : column[4]))
	}
	figure_samples[running, name] = figure_samples[running, name] \
		(figure_samples[running, name] == "" ? "" : ",") column[2]
}

# "UAPI-01: file.c:6: a == b: expected 1, observed 2"; an expression may contain ": " too.
function failure(text,    rule_name, place, rest, expr, values, at, item)
{
	at = index(text, ": ")
	rule_name = slug(substr(text, 1, at - 1))
	rest = substr(text, at + 2)
	if (rest !~ /^[^: ]+:[0-9]+: .*: expected .*, observed /) {
		add_few("notes", json(text))
		return
	}
	match(rest, /^[^: ]+:[0-9]+: /)
	split(substr(rest, 1, RLENGTH - 2), place, ":")
	values = rest = substr(rest, RLENGTH + 1)
	while ((at = index(values, ": expected ")) > 0)
		values = substr(values, at + 11)
	expr = substr(rest, 1, length(rest) - length(values) - 11)
	at = index(values, ", observed ")
	item = member("rule", json(rule_name)) "," member("file", json(place[1]))
	item = item "," member("line", place[2] + 0) "," member("expr", json(expr))
	item = item "," member("expected", json(substr(values, 1, at - 1)))
	item = item "," member("observed", json(substr(values, at + 11)))
	add_few("failures", "{" item "}")
	if (!index(failed_rules[running] " ", " " rule_name " "))
		failed_rules[running] = failed_rules[running] " " rule_name
}

# What fio reports is longer than a line worth keeping: in pieces, which results.jq joins.
function fio(report)
{
	for (; report != ""; report = substr(report, TEXT_LIMIT + 1))
		add_few("fio", json(report))
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

# The running test ended without a result.
function close_test(reason)
{
	seconds[running] += clock - start[running]
	settle(running, "fail", reason)
	program_failures++
	last = running
	running = ""
}

function test_id(name)
{
	return boot "\t" (program == "" ? "guest.unknown" : program) "." slug(name)
}
