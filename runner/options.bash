# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The command line of run.sh. A wrong one ends with exit status 2 and says what would be right.

usage() {
	cat <<-END
	Usage: ./run.sh [OPTION]...
	Test a kernel's nested IOMMU translation and invalidation, and say which promises it keeps.

	What to test
	  --kernel DIR        a kernel source tree: built out of tree, incrementally
	  --kernel FILE       a bzImage or Image, taken as it is
	                      (default: the newest linux-source of Debian $DEBIAN_SUITE-backports)
	  --patch FILE        with this patch; the source is not touched
	  --arch A[,B]        architectures: ${ARCHES[*]} (default: the host's, $HOST_ARCH)
	  --debug             build with KASAN, lockdep, UBSAN, KFENCE, DEBUG_OBJECTS
	  --coverage          build with GCOV for drivers/iommu/iommufd; report lines and branches
	  --sanitize LIST     build the test programs with gcc's -fsanitize=LIST; "fill" in it:
	                      what nobody initialised is filled with a pattern

	Which tests
	  --target T          what carries the tests: guest (default), ref, bare, host
	  --device BDF[,BDF]  --target host: the devices of this machine that are used, bound to vfio-pci
	  --programs DIR      --target host: test programs that --build-programs made; needs no compiler
	  --suite S[,T]       suites: $(suites_all | xargs)
	  --test GLOB         only tests whose name, or a run of whole parts of it, matches
	  --fault NAME        plant this bug in the reference (--target ref; one of the hypervisor, bare, too)
	  --stress            concurrent DMA while everything changes, instead of the other tests; on
	                      --target ref unless another is given
	  --duration SECONDS  of each stress test (default $STRESS_SECONDS), of each test of suite load (default 1)
	  --repeat N          run everything N times; prints the flake rate
	  --seed N            seed of everything random (default 0x5eed1234)
	  --timeout SECONDS   bound of one guest with its reboots (default $TIMEOUT; $((6 * TIMEOUT)) with --debug)
	  --jobs N            guests at a time (default: one for each CPU)
	  --shard I/N         the I-th of N parts, of about the same duration

	Instead of running
	  --list              the tests, one a line
	  --rules             the rules, and which tests stand for them
	  --faults            plant every bug in turn: which tests see it (--target ref)
	  --mutants DIR       patch the kernel with each of DIR/**/*.patch in turn: which tests see it
	  --merge DIR...      the results of several runs (shards, machines) as one
	  --agree DIR...      of several runs: tests that ran on two machines, and where their verdicts differ
	  --durations DIR     how long programs took in a run, as tests/durations.tsv has it
	  --setup             fetch and build everything, run nothing
	  --install-kselftest DIR   install the suites as a kselftest collection
	  --build-programs DIR      build the test programs for the first architecture into DIR
	  --clean-cache       remove $CACHE
	  --help, --version

	Performance (docs/bench.md)
	  --bench             what invalidations cost: suite bench, on --target ref unless another is
	                      given, 4 times over
	  --save-baseline N   the same, and keep it as baseline N
	  --baseline NAME     the same, compared with baseline NAME; the report has it, too
	  --compare A B       two baselines, names or directories of results: what costs more, what less;
	                      with --results DIR as a page, too
	  --baselines DIR     where they are kept (default \$XDG_DATA_HOME/nit/baselines)

	  --results DIR       where the results go (default results/<date>; results/latest points there)

	Environment: NIT_MIRROR (Debian mirror), XDG_CACHE_HOME (cache), TMPDIR (guest images), NO_COLOR,
	NIT_STALL (seconds of silence that count as a hang), and NIT_* of the test programs: docs/tests.md

	Exit status: 0 passed, 1 a test failed, 2 could not run, 4 every test was skipped
	END
}

# Another directory of suites, in the same layout: the project tests its runner with one
SUITES_DIR=${NIT_SUITES:-$ROOT/suites}

readonly TIMEOUT=1200
readonly STRESS_SECONDS=10
readonly TARGETS="guest ref bare host"
readonly DEVICES_MOST=8	# TARGET_DEVICES of harness/target

# What runs where no --suite says otherwise
declare -rA SUITES_OF=([guest]="uapi" [ref]="intel amd arm" [bare]="arm intel amd" [faults]="uapi intel amd arm"
	[host]="intel amd arm")	# of the host: that of its vendor
readonly NIT_VERSION=0.1

suites_all() {
	local dir

	for dir in "$SUITES_DIR"/*/; do
		basename "$dir"
	done
}

options_default() {
	OPT_ACTION=run OPT_KERNEL='' OPT_DEBUG='' OPT_COVERAGE='' OPT_SANITIZE='' OPT_CLEAN_CACHE=''
	OPT_TEST='*' OPT_FAULT='' OPT_REPEAT=1 OPT_SEED=0x5eed1234 OPT_TIMEOUT='' OPT_JOBS=$(nproc)
	OPT_RESULTS='' OPT_DESTDIR='' OPT_MUTANTS='' OPT_PATCH='' OPT_SHARD='' OPT_MERGE=() OPT_TARGET=''
	OPT_BENCH='' OPT_SAVE_BASELINE='' OPT_BASELINES='' OPT_BASELINE='' OPT_COMPARE=()
	OPT_STRESS='' OPT_DURATION='' OPT_DEVICES=() OPT_PROGRAMS='' OPT_SUITES_DEFAULT=''
	OPT_ARCHES=("$HOST_ARCH")
	OPT_SUITES=()
}

options_read() {
	local option value has_value

	options_default
	OPT_COMMAND=$*
	while (($#)); do
		option=$1 value='' has_value=
		shift
		if [[ $option == --*=* ]]; then
			value=${option#*=} option=${option%%=*} has_value=1
		fi
		case $option in
		--debug | --coverage | --stress | --bench | --list | --rules | --faults | --setup | --clean-cache | \
			--help | -h | --version)
			[[ -z $has_value ]] || die "$option takes no value"
			option_flag "$option"
			;;
		--kernel | --patch | --arch | --sanitize | --target | --suite | --test | --fault | --repeat | --seed | \
			--timeout | --jobs | --results | --install-kselftest | --build-programs | --mutants | \
			--shard | --merge | --agree | --durations | --duration | --save-baseline | --baseline | \
			--baselines | --compare | --device | --programs)
			if [[ -z $has_value ]]; then
				(($#)) || die "$option needs a value" "./run.sh --help shows which"
				value=$1
				shift
			fi
			option_value "$option" "$value"
			while [[ $option =~ ^--(merge|agree)$ && $# -gt 0 && $1 != --* ]]; do
				option_value "$option" "$1"
				shift
			done
			if [[ $option == --compare ]]; then
				(($# && ${#OPT_COMPARE[@]} == 1)) || die "--compare needs two baselines, A and B"
				option_value --compare "$1"
				shift
			fi
			;;
		*)
			die "unknown option '$option'" "./run.sh --help lists the options"
			;;
		esac
	done
	options_agree
}

# What was given must fit together; what was not follows from the rest.
options_agree() {
	local what

	if [[ -n $OPT_BENCH ]]; then
		[[ -z $OPT_STRESS ]] || die "--bench measures, --stress runs for a time: one of them"
		[[ $OPT_ACTION == run ]] || die "--bench, --baseline and --save-baseline run tests: drop --$OPT_ACTION"
		OPT_TARGET=${OPT_TARGET:-ref}
		[[ $OPT_TARGET == ref || $OPT_TARGET == guest ]] || die "--bench runs on --target ref or guest"
		((${#OPT_SUITES[@]})) || OPT_SUITES=(bench)
		OPT_JOBS=1
		((OPT_REPEAT > 1)) || OPT_REPEAT=4	# blocks, apart in time: they tell noise from change
	fi
	options_host
	options_stress
	OPT_TARGET=${OPT_TARGET:-guest}
	[[ $OPT_ACTION != faults || -z $OPT_FAULT ]] || die "--faults plants every fault: drop --fault"
	[[ $OPT_ACTION != faults && (-z $OPT_FAULT || $OPT_TARGET == bare) ]] || OPT_TARGET=ref
	[[ -z $OPT_PATCH || ($OPT_TARGET == guest && $OPT_ACTION == run) ]] ||
		die "--patch goes with a run of --target guest"
	[[ -z $OPT_PATCH ]] || OPT_ACTION=patched
	[[ $OPT_ACTION != mutants || ($OPT_TARGET == guest && -z ${OPT_SUITES[*]} && $OPT_TEST == '*') ]] ||
		die "--mutants chooses the suites by what a patch touches: drop --target, --suite, --test"
	if [[ $OPT_TARGET != guest ]]; then
		[[ -z $OPT_DEBUG$OPT_COVERAGE ]] ||
			die "--target $OPT_TARGET builds no kernel: --debug and --coverage need --target guest"
		[[ ${OPT_ARCHES[*]} == "$HOST_ARCH" ]] ||
			die "--target $OPT_TARGET runs on the host's architecture, $HOST_ARCH" "drop --arch"
	fi
	what=$OPT_TARGET
	[[ $OPT_ACTION != faults ]] || what=faults
	((${#OPT_SUITES[@]})) || { OPT_SUITES_DEFAULT=1; read -ra OPT_SUITES <<<"${SUITES_OF[$what]}"; }
	# What a debug kernel checks takes it several times as long.
	OPT_TIMEOUT=${OPT_TIMEOUT:-$((OPT_DEBUG ? 6 * TIMEOUT : TIMEOUT))}
}

# On the machine itself: one program at a time has the devices.
options_host() {
	local suite

	if [[ $OPT_TARGET != host ]]; then
		[[ -z ${OPT_DEVICES[*]-} ]] || die "--device goes with --target host"
		[[ -z $OPT_PROGRAMS ]] || die "--programs goes with --target host"
		return
	fi
	[[ -z $OPT_FAULT && $OPT_ACTION != faults ]] ||
		die "--fault plants a bug in the reference, which --target host does without"
	[[ -z $OPT_STRESS ]] || die "--stress does not run on --target host yet"
	[[ ! -f $OPT_KERNEL ]] || die "--target host tests the running kernel: drop --kernel" \
		"or name a source tree, whose headers the test programs are then compiled with"
	for suite in "${OPT_SUITES[@]}"; do
		[[ " $HOST_SUITES " == *" $suite "* ]] || die "--target host does not run $suite, but: $HOST_SUITES"
	done
	OPT_JOBS=1
}

# A stress test may wait for its control up to four times as long; a guest has all of a suite's.
options_stress() {
	if [[ -z $OPT_STRESS && " ${OPT_SUITES[*]} " == *" load "* ]]; then
		export NIT_LOAD_SECONDS=${OPT_DURATION:-1}
		OPT_TIMEOUT=${OPT_TIMEOUT:-$((TIMEOUT + 80 * NIT_LOAD_SECONDS))}
		export NIT_TEST_TIMEOUT=${NIT_TEST_TIMEOUT:-$((120 + 4 * NIT_LOAD_SECONDS))}
		return
	elif [[ -z $OPT_STRESS ]]; then
		[[ -z $OPT_DURATION ]] || die "--duration goes with --stress, or with --suite load"
		return
	fi
	[[ $OPT_ACTION == run || $OPT_ACTION == list ]] || die "--stress runs, or lists: drop --$OPT_ACTION"
	OPT_DURATION=${OPT_DURATION:-$STRESS_SECONDS}
	OPT_TARGET=${OPT_TARGET:-ref}
	((${#OPT_SUITES[@]})) || read -ra OPT_SUITES <<<"${SUITES_OF[ref]}"
	OPT_TIMEOUT=${OPT_TIMEOUT:-$((TIMEOUT + 40 * OPT_DURATION))}
	export NIT_STRESS_SECONDS=$OPT_DURATION NIT_TEST_TIMEOUT=${NIT_TEST_TIMEOUT:-$((120 + 4 * OPT_DURATION))}
}

option_flag() {
	case $1 in
	--debug) OPT_DEBUG=1 ;;
	--bench) OPT_BENCH=1 ;;
	--coverage) OPT_COVERAGE=1 ;;
	--stress) OPT_STRESS=1 ;;
	--list | --rules | --faults | --setup) OPT_ACTION=${1#--} ;;
	--clean-cache) OPT_CLEAN_CACHE=1 ;;
	--help | -h)
		usage
		exit 0
		;;
	--version)
		echo "nit $NIT_VERSION"
		exit 0
		;;
	esac
}

option_value() {
	local option=$1 value=$2

	[[ -n $value ]] || die "$option: the value is empty"
	case $option in
	--kernel)
		[[ -e $value ]] || die "--kernel $value: no such file or directory" \
			"expected a kernel source tree, or a bzImage or Image"
		OPT_KERNEL=$value
		;;
	--patch)
		[[ -f $value && -r $value ]] || die "--patch $value: no such file" "expected a patch for patch -p1"
		OPT_PATCH=$(realpath "$value")
		;;
	--arch) option_words OPT_ARCHES "$option" "$value" "${ARCHES[*]}" ;;
	--suite) option_words OPT_SUITES "$option" "$value" "$(suites_all | xargs)" ;;
	--target) option_words OPT_TARGET "$option" "$value" "$TARGETS" ;;
	--test) OPT_TEST=$value ;;
	--fault) OPT_FAULT=$value ;;
	--sanitize) OPT_SANITIZE=$value ;;
	--device) option_devices "$value" ;;
	--programs)
		[[ -d $value ]] || die "--programs $value: no such directory" "expected one of --build-programs"
		OPT_PROGRAMS=$value
		;;
	--repeat) option_number OPT_REPEAT "$option" "$value" 1 1000 ;;
	--timeout) option_number OPT_TIMEOUT "$option" "$value" 1 1000000 ;;
	--duration) option_number OPT_DURATION "$option" "$value" 1 1000000 ;;
	--jobs) option_number OPT_JOBS "$option" "$value" 1 1024 ;;
	--seed)
		[[ $value =~ ^(0x[0-9a-fA-F]{1,16}|[0-9]{1,18})$ ]] ||
			die "--seed $value: not a 64-bit number" "for instance --seed 0x5eed1234"
		OPT_SEED=$value
		;;
	--results) OPT_RESULTS=$value ;;
	--shard)
		[[ $value =~ ^([1-9][0-9]{0,3})/([1-9][0-9]{0,3})$ ]] &&
			((BASH_REMATCH[1] <= BASH_REMATCH[2])) ||
			die "--shard $value: expected I/N, I from 1 to N, for instance --shard 2/4"
		OPT_SHARD=$value
		;;
	--save-baseline)
		[[ $value =~ ^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$ ]] ||
			die "$option $value: a name has letters, digits, '.', '_' and '-'"
		OPT_BENCH=1 OPT_SAVE_BASELINE=$value
		;;
	--baseline) OPT_BENCH=1 OPT_BASELINE=$value ;;
	--baselines) OPT_BASELINES=$value ;;
	--compare)
		OPT_ACTION=compare
		OPT_COMPARE+=("$value")
		;;
	--merge | --agree | --durations)
		[[ -d $value ]] || die "$option $value: no such directory" "expected one that a run has written"
		OPT_ACTION=${option#--}
		OPT_MERGE+=("$value")
		;;
	--mutants)
		[[ -d $value ]] || die "--mutants $value: no such directory" "expected one with patches, *.patch"
		OPT_ACTION=mutants
		OPT_MUTANTS=$value
		;;
	--install-kselftest | --build-programs)
		OPT_ACTION=${option#--}
		OPT_DESTDIR=$value
		;;
	esac
}

# option_words VARIABLE OPTION A,B "KNOWN...": each of the words must be known; doubles count once
option_words() {
	local -n words=$1
	local word seen=" "

	words=()
	for word in ${3//,/ }; do
		[[ " $4 " == *" $word "* ]] || die "$2: unknown '$word'" "expected one of: $4"
		[[ $seen == *" $word "* ]] || words+=("$word")
		seen+="$word "
	done
	((${#words[@]})) || die "$2: the value is empty" "expected one of: $4"
}

# option_devices BDF[,BDF]: adds to OPT_DEVICES, spelled as sysfs has them; doubles count once
option_devices() {
	local bdf

	for bdf in ${1//,/ }; do
		bdf=${bdf,,}
		[[ $bdf =~ ^([0-9a-f]{4,6}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$ ]] ||
			die "--device $bdf: not a PCI address" "for instance --device 0000:3b:00.0; lspci -D shows them"
		[[ -n ${BASH_REMATCH[1]} ]] || bdf=0000:$bdf
		[[ " ${OPT_DEVICES[*]} " == *" $bdf "* ]] || OPT_DEVICES+=("$bdf")
	done
	((${#OPT_DEVICES[@]})) || die "--device: the value is empty" "for instance --device 0000:3b:00.0"
	((${#OPT_DEVICES[@]} <= DEVICES_MOST)) || die "--device: more than $DEVICES_MOST devices"
}

option_number() {
	local -n number=$1

	[[ $3 =~ ^[0-9]{1,9}$ ]] && ((10#$3 >= $4 && 10#$3 <= $5)) ||
		die "$2 $3: not a number from $4 to $5"
	number=$((10#$3))
}
