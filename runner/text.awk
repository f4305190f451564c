# SPDX-License-Identifier: GPL-2.0-only
# Text from a guest made safe to print, and JSON made from it. For mawk and gawk, in the C locale.

BEGIN {
	TEXT_LIMIT = 2000	# bytes of a line worth keeping
	for (i = 1; i < 32; i++)
		code[sprintf("%c", i)] = sprintf("\\x%02x", i)
	code[sprintf("%c", 127)] = "\\x7f"
	delete code["\t"]
}

# A guest may print anything; a terminal or an XML parser must not be sent it: \x1b for an escape.
function printable(text,    safe, i, c)
{
	text = substr(text, 1, TEXT_LIMIT)
	if (text !~ /[\001-\010\012-\037\177]/)
		return text
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		safe = safe ((c in code) ? code[c] : c)
	}
	return safe
}

function json(text)
{
	text = printable(text)
	gsub(/["\\]/, "\\\\&", text)
	gsub(/\t/, "\\t", text)
	return "\"" text "\""
}

# Names are identifiers joined by dots; whatever else turns up must not break the formats.
function slug(name)
{
	name = substr(name, 1, 200)
	gsub(/[^A-Za-z0-9_.-]/, "_", name)
	return name
}

# A shell pattern as a regular expression for the whole of a text
function glob_regex(glob,    regex, i, c)
{
	for (i = 1; i <= length(glob); i++) {
		c = substr(glob, i, 1)
		if (c == "*")
			c = ".*"
		else if (c == "?")
			c = "."
		else if (c == "!" && substr(glob, i - 1, 1) == "[")
			c = "^"
		else if (index("\\.+()|{}^$", c))
			c = "\\" c
		regex = regex c
	}
	return "^(" regex ")$"
}
