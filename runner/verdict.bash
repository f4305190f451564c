# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A run's directory of results, from opening it to the exit status. runner/results.bash has the formats.


# Make RUN_DIR. It must be new or empty: results are never mixed, never overwritten.
verdict_open() {
	RUN_STARTED=$SECONDS
	RUN_DATE=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	RUN_REVISION=$(git -C "$ROOT" describe --always --dirty 2>/dev/null)	# the tree may change while it runs
	if [[ -z $OPT_RESULTS ]]; then
		RUN_DIR=$ROOT/results/$(date -u +%Y%m%d-%H%M%S)
		while ! mkdir -p "$ROOT/results" || ! mkdir "$RUN_DIR" 2>/dev/null; do
			[[ -w $ROOT/results ]] || die "cannot write $ROOT/results" "pass --results DIR"
			RUN_DIR+=x
		done
		ln -sfn "${RUN_DIR##*/}" "$ROOT/results/latest"
	else
		RUN_DIR=$OPT_RESULTS
		mkdir -p "$RUN_DIR" 2>/dev/null && [[ -w $RUN_DIR ]] ||
			die "--results $RUN_DIR: cannot be written"
		[[ -z $(ls -A "$RUN_DIR") ]] ||
			die "--results $RUN_DIR: not empty" "results are never mixed: pass a new directory"
	fi
}

# verdict_hardware: of the machines that QEMU has hardware for, and nit-hw has not, as JSON
verdict_hardware() {
	local machine

	cut -f 1 "$RUN_DIR/plan.tsv" | sort -u | while read -r machine; do
		[[ $OPT_TARGET != guest || -n ${MACHINE[$machine.hardware]-} ]] || echo "$machine"
	done | jq -nR --arg qemu "qemu-${QEMU_VERSION-}" '[inputs | { (.): $qemu }] | add // {}'
}

verdict_environment() {
	local arch

	for arch in "${OPT_ARCHES[@]}"; do
		jq -n --arg arch "$arch" --arg accel "${ACCEL[$arch]-}" \
			--arg release "$(verdict_release "$arch")" \
			--arg source "$(verdict_source)" \
			--arg config "${KERNEL[$arch.config]-}" \
			'{ ($arch): { $release, $source, config_hash: $config, $accel } }'
	done | jq -s --arg nit "$RUN_REVISION" --argjson hardware "$(verdict_hardware)" \
		--arg version "$NIT_VERSION" --arg seed "$OPT_SEED" --arg qemu "${QEMU_VERSION-}" \
		--arg command "./run.sh $OPT_COMMAND" --arg date "$RUN_DATE" --arg kernel "$OPT_KERNEL" \
		--arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		--arg host "$(uname -sr)" --arg name "$(uname -n)" \
		--argjson cpus "$(nproc)" --arg target "$OPT_TARGET" \
		--argjson seconds $((SECONDS - RUN_STARTED)) --arg debug "$OPT_DEBUG" --arg fault "$OPT_FAULT" \
		--arg devices "$DEVICES" --arg device "$(device_list "${OPT_DEVICES[@]}")" \
		--arg programs "$OPT_PROGRAMS" --arg patch "${MUTANT_PATCH-}" \
		--arg duration "$OPT_DURATION" --arg stress "$OPT_STRESS" --argjson boot_ms "$(verdict_boot_ms)" \
		'{ nit: $nit, $version, $date, $seed, $command, $target, seconds: $seconds,
		   options: { kernel: $kernel, debug: ($debug != ""), $fault, $patch, $duration, $device,
			stress: ($stress != "") }, $programs,
		   devices: [$devices | split("\n")[] | split("\t") | { bdf: .[0], iommu: .[1], vendor: .[2],
			driver: .[3], has: (.[4] | split(",") - ["-"]) }],
		   kernels: add, accel: (add | map_values(.accel)), $qemu, $hardware, $boot_ms,
		   host: { $name, cpu: $cpu, cpus: $cpus, os: $host } }'
}

# verdict_boot_ms: JSON, by machine: the least milliseconds from QEMU's start to the first word of init
verdict_boot_ms() {
	local file name

	for file in "$RUN_DIR"/raw/*.log; do
		name=$(basename "$file" .log)
		name=${name%.*.*}
		sed -n "s/^0 booted /$name\t/p" "$file" 2>/dev/null
	done | jq -nR 'reduce (inputs / "\t") as [$name, $ms] ({}; .[$name] = ([.[$name], ($ms | tonumber)]
		| map(values) | min))'
}

# verdict_source: where the kernel under test comes from
verdict_source() {
	if [[ $OPT_TARGET == host ]]; then
		uname -v
	else
		printf '%s' "${KERNEL_ORIGIN_IMAGE:-$KERNEL_ORIGIN}"
	fi
}

# verdict_release ARCH: what the booted kernel calls itself
verdict_release() {
	local file release

	for file in "$RUN_DIR"/raw/*.log; do
		grep -qs " boot arch=${1/arm64/aarch64}"$'\r*$' "$file" || continue
		release=$(sed -n 's/^[0-9.]* boot release=//p' "$file" | head -n 1)
		[[ -z $release ]] || break
	done
	printf '%s' "${release:-unknown}"
}

verdict_write() {
	verdict_environment >"$RUN_DIR/environment.json" && results_write "$RUN_DIR" "$ROOT" ||
		die "cannot write the results in $RUN_DIR" "is there space?"
	[[ -z $OPT_COVERAGE ]] || coverage_report "$RUN_DIR"
	report_write "$RUN_DIR" "$ROOT" || die "cannot write the report in $RUN_DIR" "is there space?"
	verdict_booted
	results_summary "$RUN_DIR"
	((OPT_REPEAT == 1)) || results_flakes "$RUN_DIR"
}

# A guest that never spoke is not a test result: it could not run.
verdict_booted() {
	local file

	! grep -qsE '^[0-9.]+ boot ' "$RUN_DIR"/raw/*.log || return 0
	for file in "$RUN_DIR"/raw/*.log; do
		tail -n 12 "$file" | sed 's/^/    | /' >&2
	done
	die "the guest did not boot as far as the test programs; the end of its console is above" \
	    "an image needs: initramfs, a serial port for ${ARCH[${OPT_ARCHES[0]}.port]}," \
	    "CONFIG_IOMMUFD and CONFIG_IOMMUFD_TEST (guests/kernel/*.config)"
}

verdict_status() {
	results_status "$RUN_DIR"
	exit $?
}

verdict_rules() {
	results_rules "$ROOT"
}
