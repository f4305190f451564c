#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The fault matrix: every bug that can be planted in the reference is seen by a test, every test sees
# one, and nothing fails without. tests/ref/witness.tsv is what makes it short.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-faults.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

tap_check fault-matrix "$ROOT/run.sh" --faults --results "$OUT/faults"
tap_end
