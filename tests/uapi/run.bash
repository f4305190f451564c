#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The uAPI suite on the default kernel of both architectures, and its races on the debug kernel.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-uapi.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

suite_as_tap both --suite uapi --arch x86_64,arm64
suite_as_tap debug --suite uapi --arch x86_64 --debug --test 'races'
tap_end
