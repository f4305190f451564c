# SPDX-License-Identifier: GPL-2.0-only
# What pages are made of: well-formed XML, so that tests can parse it; no script, no network.

def text: tostring | @html;
def element($name; $class): "<\($name)" + (if $class == "" then "" else " class=\"\($class)\"" end)
	+ ">" + . + "</\($name)>";
def cell: element("td"; "");
def number: text | element("td"; "n");
def code: text | element("code"; "");
def row: element("tr"; "");
def id: text | element("td"; "id");
# A name that ends in # heads a column of numbers
def head: map(if endswith("#") then .[:-1] | text | element("th"; "n") else text | element("th"; "") end)
	| add | row;
def table($columns): ($columns | head) + add | element("table"; "") | element("div"; "wide");
def section($id; $title): "<h2 id=\"\($id)\">\($title)</h2>" + .;
def fold($title): "<details><summary>\($title)</summary>" + . + "</details>";

# The body as a page
def page($title; $css):
	"<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"/>"
	+ "<meta name=\"viewport\" content=\"width=device-width\"/>"
	+ "<title>nit \($title | text)</title><style>\($css)</style></head><body>"
	+ "<h1>nit: nested invalidation tests</h1>" + . + "</body></html>";
