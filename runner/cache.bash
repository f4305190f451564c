# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What is fetched or built once lives here, outside the checkout, under a name that says its content.
# Two runs may share the cache: whoever makes an entry holds its lock, the other waits.

CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nit

cache_open() {
	mkdir -p "$CACHE/locks" 2>/dev/null && [[ -w $CACHE ]] ||
		die "cannot write the cache directory $CACHE" \
		    "set XDG_CACHE_HOME to a directory with 5 GB free"
}

# cache_key: a short name for the content on standard input
cache_key() {
	local sum

	sum=$(sha256sum)
	printf '%.12s' "$sum"
}

# cache_lock NAME: wait for an entry and hold it until cache_unlock or exit. Not recursive.
cache_lock() {
	exec {CACHE_LOCK}>>"$CACHE/locks/${1//\//-}"
	if ! flock -n "$CACHE_LOCK"; then
		say "==> waiting for another run that is making $1"
		spawn flock "$CACHE_LOCK"
		reap "$SPAWNED"
	fi
}

cache_unlock() {
	exec {CACHE_LOCK}>&-
}

# cache_provide NAME TITLE ESTIMATE CMD...: make $CACHE/NAME by "CMD... DIR", once.
# It appears under its name only when complete, so an interrupted run leaves nothing half made.
cache_provide() {
	local name=$1 title=$2 estimate=$3 dir=$CACHE/$1

	shift 3
	[[ ! -e $dir/.complete ]] || return 0
	mkdir -p "${dir%/*}" "$CACHE/log"
	cache_lock "$name"
	if [[ ! -e $dir/.complete ]]; then
		rm -rf "$dir" "$dir.part"
		mkdir "$dir.part"
		PARTIAL=$dir.part
		step "$title" "$estimate" "$CACHE/log/${name//\//-}" "$@" "$dir.part" ||
			die "$title failed" "the whole log: $CACHE/log/${name//\//-}"
		touch "$dir.part/.complete"
		mv "$dir.part" "$dir"
		PARTIAL=
	fi
	cache_unlock
}

# What an interrupted cache_provide leaves; called on exit
cache_abandon() {
	[[ -z ${PARTIAL-} ]] || rm -rf "$PARTIAL"
}

# Refuses while another run uses the cache, rather than pull it from under it.
cache_clean() {
	[[ -d $CACHE ]] || return 0
	exec {CACHE_USE}>>"$CACHE/locks/in-use"
	flock -n "$CACHE_USE" || die "another run is using $CACHE" "try again when it has ended"
	rm -rf "$CACHE"
	say "removed $CACHE"
}

# cache_use: keep cache_clean away until this process and its children are gone
cache_use() {
	exec {CACHE_USE}>>"$CACHE/locks/in-use"
	flock -sn "$CACHE_USE" || die "$CACHE is being removed by another run" "try again later"
}
