# SPDX-License-Identifier: GPL-2.0-only
# What compare.jq found, as lines for a person: all that changed, and how many did not.

def percent: if . == null then "from 0" else "\(if . > 0 then "+" else "" end)\(. * 1000 | round / 10) %" end;
def line: "\(.verdict | ascii_upcase)  \(.name) [\(.machine)]: "
	+ if .verdict == "new" or .verdict == "gone" then "\(.a // .b) \(.unit)"
	  else "\(.a) -> \(.b) \(.unit) (\(.change | percent))" end;

if .refused then "not comparable:", (.refused[] | "  " + .)
else (.figures | map(select(.verdict | IN("same", "~") | not)) | sort_by(.verdict == "rise" | not)[] | line),
	"\(.figures | length) figures: "
	+ (.figures | group_by(.verdict) | map("\(length) \(.[0].verdict)") | join(", "))
end
