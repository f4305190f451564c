# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a run measured as plots, which gnuplot draws: SVG to stand in report.html.

# plots_write RUN_DIR: nothing, where nothing of a run can be drawn
plots_write() {
	local points program

	points=$(jq -r -L "$RESULTS_LIB" -f "$RESULTS_LIB/plots.jq" "$1/results.json") || return
	[[ -n $points ]] || return 0
	command -v gnuplot >/dev/null || {
		echo "<p>No plots: gnuplot is not installed (Debian: gnuplot-nox).</p>"
		return
	}
	cut -f 2 <<<"$points" | sort -u | while read -r program; do
		plots_latency "$program" < <(plots_points latency "$program" <<<"$points")
		plots_rate "$program" < <(plots_points rate "$program" <<<"$points")
	done
}

# plots_points WHAT PROGRAM <POINTS
plots_points() {
	awk -F '\t' -v what="$1" -v program="$2" '$1 == what && $2 == program' | cut -f 3-
}

# plots_draw COMMANDS DATA: a figure; in COMMANDS $data is the data
plots_draw() {
	echo "<figure>"
	gnuplot <<-END | sed -n '/<svg/,$p'
		set terminal svg size 960,460 dynamic font "sans-serif,12" background "white"
		set datafile separator tab
		set grid
		\$data << DATA
		$2
		DATA
		$1
	END
	echo "</figure>"
}

# plots_latency PROGRAM <POINTS
plots_latency() {
	local data

	data=$(cat)
	[[ -z $data ]] || plots_draw "set title '$1: latency; half of the samples, and from the least to 99 of 100'
		set logscale y
		set ylabel 'ns'
		set xtics rotate by 50 right noenhanced
		set xrange [-0.7:*]
		set offsets 0, 0.7, 0, 0
		set boxwidth 0.6
		plot \$data using 0:3:2:6:5:xtic(1) notitle with candlesticks lc 'web-blue' whiskerbars, \
			\$data using 0:4:4:4:4 title 'median' with candlesticks lc 'black' lw 2" "$data"
}

# plots_rate PROGRAM <POINTS: a line for each label
plots_rate() {
	local data labels

	data=$(cat)
	[[ -n $data ]] || return 0
	labels=$(cut -f 1 <<<"$data" | sort -u | xargs)
	plots_draw "set title '$1: what invalidations leave of DMA'
		set logscale xy
		set xlabel 'page invalidations a second'
		set ylabel 'DMAs a second'
		set key left bottom noenhanced
		plot for [label in '$labels'] \$data using (strcol(1) eq label ? \$2 : NaN):3 \
			with linespoints pt 7 title label" "$data"
}
