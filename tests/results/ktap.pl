#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
# Read KTAP with perl's own TAP parser: every level by itself, without its indentation.
# Prints "outcome path" for each leaf; fails if any level is not valid TAP.
use strict;
use warnings;
use TAP::Parser;

my $problems = 0;

# The lines of one level, then for each result of it the lines of the level below that precede it
sub level {
	my ($path, @lines) = @_;
	my (@own, @below, %nested);

	for my $line (@lines) {
		if ($line =~ /^  (.*)/) {
			push @below, $1;
		} else {
			$nested{$1} = [splice @below] if $line =~ /^(?:not )?ok (\d+)/;
			push @own, $line;
		}
	}
	problem($path, "no version line") if shift @own ne 'KTAP version 1';
	problem($path, "lines after the last result") if @below;

	my $parser = TAP::Parser->new({ tap => join("\n", @own) . "\n" });
	while (my $result = $parser->next) {
		problem($path, "no TAP: " . $result->raw) if $result->is_unknown;
		leaf($path, $result, $nested{ $result->number }) if $result->is_test;
	}
	problem($path, $_) for $parser->parse_errors;
	problem($path, "no plan") unless defined $parser->plan;
}

sub leaf {
	my ($path, $result, $lines) = @_;
	my $name = $result->description;

	# TAP's SKIP and TODO are directives, KTAP's XFAIL is text to this parser.
	my $outcome = $result->has_skip ? 'skip' : $name =~ s/\s+# XFAIL.*// ? 'known'
		: $result->is_ok ? 'pass' : 'fail';
	$name =~ s/^- //;
	problem($path, "not slug-safe: $name") unless $name =~ /^[A-Za-z0-9_.-]+$/;
	return print "$outcome $path$name\n" unless $lines && @$lines;
	level("$path$name/", @$lines);
}

sub problem {
	my ($path, $what) = @_;

	print STDERR "$path: $what\n";
	$problems++;
}

chomp(my @lines = <STDIN>);
level('', @lines);
exit($problems ? 1 : 0);
