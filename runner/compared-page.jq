# SPDX-License-Identifier: GPL-2.0-only
# What compare.jq found as a page of its own. Needs --rawfile css, -L runner.
include "page";
include "comparison";

"\(.a.name) and \(.b.name)" as $title
| comparison | page($title; $css)
