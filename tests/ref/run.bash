#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The vendor suites and the uAPI suite on reference hardware and hypervisor: plain, under sanitizers,
# with what nobody initialised filled; under TSan what has threads.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/tap.bash
source "$ROOT/tests/tap.bash"
OUT=$(mktemp -d "${TMPDIR:-/tmp}/nit-ref.XXXXXX") || exit 2
trap 'rm -rf "$OUT"' EXIT

suite_as_tap ref --target ref
suite_as_tap ref-asan --target ref --sanitize address,undefined
suite_as_tap ref-fill --target ref --sanitize fill
NIT_SUITES=$ROOT/tests suite_as_tap fill --target ref --suite fill --sanitize fill
suite_as_tap ref-uapi --target ref --suite uapi
suite_as_tap ref-uapi-asan --target ref --suite uapi --sanitize address,undefined
suite_as_tap ref-tsan --target ref --sanitize thread --test random
tap_end
