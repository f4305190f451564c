#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# mutant.bash PATCH TREE CMD...: the inside of a mutant's mount namespace (runner/mutants.bash).
# Exit status 3: the patch does not apply.
(cd "$2" && patch -p1 --batch --no-backup-if-mismatch <"$1") || exit 3
export MUTANT_PATCH=$1
shift 2
exec "$@"
