#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# The job definitions here parse, and pass options that run.sh has. Prints what is wrong.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
status=0
for file in "$here"/*.yml "$here"/*.yaml; do
	perl -MYAML::PP -e 'YAML::PP->new->load_file($ARGV[0])' "$file" || status=1
done
options=$("$here/../../run.sh" --help | grep -oE -- '--[a-z-]+' | sort -u)
grep -hoE '\./run\.sh[^;|]*' "$here"/*.yml "$here"/*.yaml "$here"/parallel.bash |
	grep -oE -- '--[a-z-]+' | sort -u | while read -r option; do
	grep -qxF -- "$option" <<<"$options" || { echo "run.sh has no $option"; exit 1; }
done || status=1
exit "$status"
