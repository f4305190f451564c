# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the runner tells its user, and the long steps that it lets them watch.
# Everything here goes to standard error: standard output is for results.

readonly EXIT_USAGE=2	# "could not run", of run.sh's documented exit statuses

say() {
	printf '%s\n' "$*" >&2
}

# die WHAT [WHAT TO DO]...: an error names what was wrong, what was expected, what to do
die() {
	printf 'run.sh: error: %s\n' "$1" >&2
	shift
	(($# == 0)) || printf '    %s\n' "$@" >&2
	exit "$EXIT_USAGE"
}

# spawn CMD...: start it in a process group of its own, so that job_kill reaches all it starts.
# Sets SPAWNED. Its standard input is empty: nothing here may wait for a keyboard.
declare -A JOBS=()
spawn() {
	set -m
	(
		set +m
		trap - EXIT INT TERM HUP
		"$@"
	) </dev/null &
	set +m
	SPAWNED=$!
	JOBS[$SPAWNED]=1
}

# reap PID: wait for a spawned job; returns its status. wait(1) can be interrupted by a trap.
reap() {
	local status=0

	wait "$1" || status=$?
	unset "JOBS[$1]"
	return "$status"
}

jobs_kill() {
	local pid

	for pid in "${!JOBS[@]}"; do
		kill -TERM -- "-$pid" 2>/dev/null
	done
	for pid in "${!JOBS[@]}"; do
		wait_gone "$pid" 5 || kill -KILL -- "-$pid" 2>/dev/null
		unset "JOBS[$pid]"
	done
}

# wait_gone PGID SECONDS: bounded wait until a process group has no members left
wait_gone() {
	local deadline=$((SECONDS + $2))

	while kill -0 -- "-$1" 2>/dev/null; do
		((SECONDS < deadline)) || return 1
		wait "$1" 2>/dev/null
		sleep 0.05
	done
	return 0
}

# step TITLE ESTIMATE LOG CMD...: one line of progress for a step that takes a while
step() {
	local title=$1 estimate=$2 log=$3 start=$SECONDS status=0

	shift 3
	[[ -t 2 ]] || say "==> $title${estimate:+ (about $estimate)}"
	spawn "$@" >"$log" 2>&1
	[[ ! -t 2 ]] || step_count "$SPAWNED" "==> $title${estimate:+ (about $estimate)}" "$start"
	reap "$SPAWNED" || status=$?
	if ((status)); then
		[[ ! -t 2 ]] || say ""
		say "    failed after $((SECONDS - start)) s; the end of $log:"
		tail -n 15 "$log" | sed 's/^/    | /' >&2
	elif [[ -t 2 ]]; then
		say ""
	elif ((SECONDS - start >= 5)); then
		say "    done in $((SECONDS - start)) s"
	fi
	return "$status"
}

# The live counter is for people only; it reads the clock, it synchronises nothing.
step_count() {
	local pid=$1 title=$2 start=$3

	while kill -0 "$pid" 2>/dev/null; do
		printf '\r%s  %d s ' "$title" $((SECONDS - start)) >&2
		sleep 0.2
	done
	printf '\r%s  %d s ' "$title" $((SECONDS - start)) >&2
}
