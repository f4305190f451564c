#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The races of the uAPI suite on the debug kernel (KASAN, lockdep). Not part of the gate: that kernel takes
# longer to build than the others together. `make check CHECK=debug`
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-debug.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

suite_as_tap debug --suite uapi --arch x86_64 --debug --test 'races'
tap_end
