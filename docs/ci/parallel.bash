#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# docs/ci/parallel.bash HOST... [-- OPTION...]: one shard of ./run.sh OPTION... on each HOST by ssh, merged
# here. Each HOST needs this checkout at the same path and revision, and root without a password.
set -euo pipefail

hosts=()
while (($#)) && [[ $1 != -- ]]; do
	hosts+=("$1")
	shift
done
shift || true
((${#hosts[@]})) || { echo "usage: $0 HOST... [-- OPTION...]" >&2; exit 2; }
command -v parallel >/dev/null || { echo "$0: needs GNU parallel: apt-get install parallel" >&2; exit 2; }

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
OUT=$ROOT/results/fleet-$(date -u +%Y%m%d-%H%M%S)
REMOTE=/tmp/nit-fleet.$$
SHARDS=${#hosts[@]}
OPTIONS=$([[ $# == 0 ]] || printf '%q ' "$@")
export ROOT OUT REMOTE SHARDS OPTIONS
mkdir -p "$OUT"

# shard NUMBER HOST
# shellcheck disable=SC2029 # expands here, as it should
shard() {
	ssh "$2" "cd $(printf %q "$ROOT") && ./run.sh $OPTIONS --shard $1/$SHARDS --results $REMOTE.$1" || true
	scp -qr "$2:$REMOTE.$1" "$OUT/shard-$1" && ssh "$2" "rm -rf $REMOTE.$1"
}
export -f shard

parallel --link -j "$SHARDS" --joblog "$OUT/joblog" shard :::: <(seq "$SHARDS") ::: "${hosts[@]}"
"$ROOT/run.sh" --merge "$OUT"/shard-* --results "$OUT/merged"
