#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The uAPI suite on the default kernel of both architectures.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-uapi.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

suite_as_tap both --suite uapi --arch x86_64,arm64
# Every program of the suite has run: none was lost between source and guest.
every_program() {
	local arch

	for arch in x86_64 arm64; do
		diff <(basename -s .c "$ROOT"/suites/uapi/*.c) \
			<(jq -r --arg arch "$arch" '[.tests[] | select(.arch == $arch and .ran) | .program]
				| unique[]' "$OUT/both/results.json") || return
	done
}

tap_check every-program every_program
tap_end
