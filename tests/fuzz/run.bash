#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The reference IOMMUs, and the server of them, against inputs that nobody wrote: guided by coverage where clang is
# (NIT_FUZZ_RUNS inputs each), else at random. To look for more, see the head of iommu_fuzz.c.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-fuzz.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT
cd "$ROOT" || exit 2

readonly RUNS=${NIT_FUZZ_RUNS:-2000}
readonly SEED=${NIT_SEED:-0x5eed1234}
SOURCES=(harness/core/{check,fault,pages,prng}.c harness/{hw,pgtable,vfio_user}/[a-z]*.c)
FLAGS=(-std=gnu11 -g -O1 -pthread -D_GNU_SOURCE -Iharness -fno-sanitize-recover=all)

# fuzz_objects DIR COMPILER FLAG...: the sources, compiled once for all programs
fuzz_objects() {
	local dir=$1 source

	shift
	mkdir -p "$dir"
	for source in "${SOURCES[@]}"; do
		"$@" "${FLAGS[@]}" -c -o "$dir/${source//\//_}.o" "$source" || return
	done
}

# Is there a clang that has libFuzzer?
fuzz_guided() {
	command -v clang >/dev/null &&
		echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
		clang -fsanitize=fuzzer,address,undefined -x c -o "$OUT/probe" - 2>/dev/null
}

# fuzz_random PROGRAM: tests/fuzz/PROGRAM.c
fuzz_random() {
	gcc "${FLAGS[@]}" -fsanitize=address,undefined -DNIT_FUZZ_RANDOM -o "$OUT/$1" \
		"tests/fuzz/$1.c" "$OUT"/random/*.o &&
		timeout 300 "$OUT/$1" "$RUNS" "$SEED"
}

# fuzz_kind KIND PROGRAM
fuzz_kind() {
	clang "${FLAGS[@]}" -fsanitize=fuzzer,address,undefined -DKIND="$1" -o "$OUT/$1" \
		"tests/fuzz/$2.c" "$OUT"/guided/*.o &&
		(cd "$OUT" && timeout 300 "./$1" -runs="$RUNS" -max_total_time=20 -timeout=60 \
			-seed=$((SEED & 0x7fffffff)) -max_len=1024 -len_control=0)
}

if fuzz_guided; then
	tap_check guided fuzz_objects "$OUT/guided" clang -fsanitize=fuzzer-no-link,address,undefined
	for kind in vtd amdvi smmuv3; do
		tap_check "$kind" fuzz_kind "$kind" iommu_fuzz
	done
	tap_check server fuzz_kind server vfio_user_fuzz
else
	tap_check random.objects fuzz_objects "$OUT/random" gcc -fsanitize=address,undefined
	tap_check random.iommu fuzz_random iommu_fuzz
	tap_check random.server fuzz_random vfio_user_fuzz
fi
tap_end
