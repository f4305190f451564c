#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The target `bare`: QEMU as a machine under qtest, then the suites on its IOMMUs.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-bare.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

NIT_SUITES=$ROOT/tests suite_as_tap bare --target bare --suite bare
tap_end
