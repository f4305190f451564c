# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# One guest: boot it with a list of tests, listen to its port, and boot it again for the rest when it
# dies. guests/init/init.c is the other end; its header comment has the words of the port.

readonly STALL=${NIT_STALL:-180}	# s without a word from the guest: longer than any test may take
readonly PORT_LIMIT=${NIT_PORT_LIMIT:-400000}	# lines of one boot
readonly CONSOLE_LIMIT=${NIT_CONSOLE_LIMIT:-16M}
readonly EXCERPT=60		# console lines attached to a death

# guest_run MACHINE REPEAT TESTS DIR BOOT: TESTS has lines "suite<TAB>program<TAB>test".
# Boots are numbered from BOOT + 1. Writes DIR/{raw,console}/MACHINE.REPEAT.BOOT.log
guest_run() {
	local machine=$1 repeat=$2 tests=$3 dir=$4 boot=$5 raw deadline=$((SECONDS + OPT_TIMEOUT))

	while [[ -s $tests ]]; do
		((++boot))
		raw=$dir/raw/$machine.$repeat.$boot.log
		guest_boot "$machine" "$tests" "$dir" "$machine.$repeat.$boot" "$deadline"
		guest_left "$raw" "$tests" >"$tests.left"
		# A boot that settled nothing will not the next time either.
		! cmp -s "$tests" "$tests.left" || break
		mv "$tests.left" "$tests"
		((SECONDS < deadline)) || break
	done
}

# guest_left RAW TESTS: prints the tests that this boot neither finished nor died in
guest_left() {
	awk -F '\t' '
	FNR == NR {
		split($0, word, " ")
		if (word[2] == "begin") {
			name = word[3]
		} else if (word[2] == "end") {
			ended[name] = 1
		} else if (word[2] == "out" && match($0, / out (not )?ok [0-9]+ /)) {
			result = substr($0, RSTART + RLENGTH)
			sub(/ # .*/, "", result)
			settled[name "." result] = 1
		} else if (word[2] == "out" && match($0, /out # +RUN +/)) {
			result = substr($0, RSTART + RLENGTH)
			sub(/ \.\.\.$/, "", result)
			settled[name "." result] = 1
		}
		next
	}
	!(($1 "." $2 "." $3) in settled) && !(($1 "." $2) in ended)
	' <(tr -d '\r' <"$1") "$2"
}

# guest_plan MACHINE TESTS: prints what guests/init should do
guest_plan() {
	local machine=$1 arch=${MACHINE[$1.arch]}

	printf 'port %s\nenv NIT_SEED=%s\n' "${ARCH[$arch.port]}" "$OPT_SEED"
	[[ -z ${MACHINE[$machine.target]-} ]] || printf 'env NIT_TARGET=%s\n' "${MACHINE[$machine.target]}"
	program_env | sed 's/^/env /'
	[[ -z ${MACHINE[$machine.clock]-} ]] || printf 'env NIT_CLOCK=%s\n' "${MACHINE[$machine.clock]}"
	[[ -z $HARDWARE_PLAN ]] || cat "$HARDWARE_PLAN"
	[[ -z $OPT_COVERAGE ]] || echo 'write /sys/kernel/debug/gcov/reset 1'
	awk -F '\t' '
	{ program = $1 "." $2; path[program] = $1 "/" $2; tests[program] = tests[program] " -r " $3 }
	!seen[program]++ { order[++n] = program }
	END {
		for (i = 1; i <= n; i++)
			print "run " order[i] " /nit/bin/" path[order[i]] tests[order[i]]
	}' "$2"
	[[ -z $OPT_COVERAGE ]] || echo 'send gcov /sys/kernel/debug/gcov'
}

# guest_initramfs MACHINE PLAN TESTS FILE: init, the programs that are needed, and the plan
guest_initramfs() {
	local machine=$1 arch=${MACHINE[$1.arch]} plan=$2 tests=$3 file=$4 tree=$4.d program

	rm -rf "$tree"
	mkdir -p "$tree/nit/bin"
	ln "${PROGRAMS[$arch]}/init" "$tree/init"
	cut -f 1,2 --output-delimiter=/ "$tests" | sort -u | while read -r program; do
		mkdir -p "$tree/nit/bin/${program%/*}"
		ln "${PROGRAMS[$arch]}/$program" "$tree/nit/bin/$program"
	done
	load_files "$arch" "$tests" "$tree" || return
	[[ ! -d ${PROGRAMS[$arch]}/lib ]] || cp -a "${PROGRAMS[$arch]}/lib/." "$tree/"
	cp "$plan" "$tree/nit/plan"
	firmware_tables "$machine" "$tree"
	# What is packed is the same whenever it is: a boot that counts instructions reads the headers, too.
	find "$tree" -exec touch -h -d 2026-01-01 {} +
	(cd "$tree" && find . -mindepth 1 | sed 's,^\./,,' | LC_ALL=C sort |
		cpio -o -H newc --reproducible --quiet) >"$file" || return
	rm -rf "$tree"
}

# guest_memory MACHINE: prints MiB; KASAN's shadow and quarantine take as much again
guest_memory() {
	local memory=${MACHINE[$1.memory]}

	[[ -z $OPT_DEBUG ]] || memory=$((memory * 2))
	echo "$memory"
}

# guest_clock MACHINE: sets CLOCK to QEMU's options of its clock. With "instructions" an instruction is a ns
# to all that the guest can see, from its first on: one boot is like another.
guest_clock() {
	local machine=$1

	CLOCK=(-accel "${ACCEL[${MACHINE[$machine.arch]}]}")
	case ${MACHINE[$machine.clock]-} in
	"") ;;
	instructions)
		CLOCK=(-accel tcg -icount "shift=0,sleep=off" -rtc "base=2026-01-01,clock=vm" -seed "$OPT_SEED")
		;;
	*) die "$machine: clock = ${MACHINE[$machine.clock]} is not known" "there is: instructions" ;;
	esac
}

# guest_command MACHINE KERNEL INITRAMFS CONSOLE: sets GUEST to the QEMU command line
guest_command() {
	local machine=$1 arch=${MACHINE[$1.arch]} append

	firmware_options "$machine"
	guest_clock "$machine"
	append="console=${ARCH[$arch.console]} panic=-1 oops=panic hung_task_panic=1 loglevel=6"
	# A busy host may keep a CPU of the guest from running for longer than the kernel's 20 s.
	append+=" rcupdate.rcu_cpu_stall_timeout=100 watchdog_thresh=50"
	# shellcheck disable=SC2206 # words
	GUEST=(${QEMU[$arch]} -M "${ARCH[$arch.machine]}" "${CLOCK[@]}"
		-cpu "${MACHINE[$machine.cpu]}" -smp "${MACHINE[$machine.cpus]}" -m "$(guest_memory "$machine")"
		-nodefaults -display none -no-reboot -serial "file:$4" -serial stdio
		-kernel "$2" -initrd "$3" ${MACHINE[$machine.options]-} "${HARDWARE[@]}" "${FIRMWARE[@]}" "${DISK[@]}"
		-append "$append ${ARCH[$arch.append]-} ${MACHINE[$machine.append]-}")
}

# guest_boot MACHINE TESTS DIR NAME DEADLINE: one boot, from start to end
guest_boot() {
	local machine=$1 tests=$2 dir=$3 name=$4 deadline=$5 arch=${MACHINE[$1.arch]}
	local raw=$3/raw/$4.log console=$3/console/$4.log files=$WORK/$4 console_pid

	mkdir -p "$files"
	hardware_start "$machine" "$name" "$dir" "$files"
	load_disk "$machine" "$files/disk" ||
		die "cannot write $files/disk" "is there space? TMPDIR chooses another place"
	guest_plan "$machine" "$tests" >"$files/plan"
	guest_initramfs "$machine" "$files/plan" "$tests" "$files/initramfs" ||
		die "cannot write $files/initramfs" "is there space? TMPDIR chooses another place"
	mkfifo "$files/console"
	guest_console "$files/console" "$console" &
	console_pid=$!
	guest_command "$machine" "${KERNEL[$arch.image]}" "$files/initramfs" "$files/console"
	printf '%q ' "${GUEST[@]}" >"$dir/console/$name.command"
	guest_listen "$raw" "$deadline" "$files/qemu" || echo "$LISTENED" >"$files/died"
	exec {CONSOLE}<>"$files/console"	# for a QEMU that never opened it: the reader must see an end
	exec {CONSOLE}>&-
	wait "$console_pid"
	if ! hardware_ended; then
		echo hardware >"$files/died"
		tail -n 20 "$dir/console/$name.hardware.log" >>"$console"
	fi
	guest_obituary "$raw" "$console" "$files/died"
	rm -rf "$files"
}

# guest_console FIFO FILE: keep the console, but not all of a flood
guest_console() {
	{
		head -c "$CONSOLE_LIMIT" >"$2"
		cat >/dev/null
	} <"$1"
}

# guest_listen RAW DEADLINE PID: copy the port until the guest ends. Sets LISTENED to what is wrong.
# QEMU dies with this shell, however that ends; its process id is in the file PID.
guest_listen() {
	local raw=$1 deadline=$2 pid_file=$3 line lines=0 status pid started=${EPOCHREALTIME/[.,]/}
	local part='' heard=$SECONDS starved=''

	LISTENED=
	: >"$raw"
	exec {PORT}< <(exec setpriv --pdeathsig KILL "${GUEST[@]}" </dev/null 2>&1)
	pid=$!
	echo "$pid" >"$pid_file"
	while :; do
		((SECONDS < deadline)) || { LISTENED="timeout"; break; }
		IFS= read -r -t 1 -u "$PORT" line
		status=$?
		if ((status > 128)); then
			part+=$line
			guest_starved "$pid"
			: "${starved:=$STARVED}"
			((SECONDS - heard - (STARVED - starved) < STALL)) || { LISTENED="hang"; break; }
			continue
		elif ((status)); then
			break
		fi
		line=$part$line part='' heard=$SECONDS starved=''
		[[ -z $started || $line != *" boot "* ]] || {
			printf '0 booted %d\n' $(((${EPOCHREALTIME/[.,]/} - started) / 1000))
			started=
		}
		((++lines < PORT_LIMIT)) || { LISTENED="flood"; break; }
		printf '%s\n' "${line%$'\r'}" || { LISTENED="disk"; break; }
	done >>"$raw"
	[[ -z $LISTENED ]] || kill -KILL "$pid" 2>/dev/null
	exec {PORT}<&-
	wait "$pid" 2>/dev/null
	[[ -z $LISTENED ]]
}

# guest_starved PID: sets STARVED to the seconds that the unluckiest thread of it waited for a CPU, which
# others had: a guest that says nothing because it does not run is no hang. 0 where Linux does not tell.
guest_starved() {
	local file waited

	STARVED=0
	for file in /proc/"$1"/task/*/schedstat; do
		{ read -r _ waited _ <"$file"; } 2>/dev/null || continue
		((waited / 1000000000 <= STARVED)) || STARVED=$((waited / 1000000000))
	done
}

# A boot ends well by "done", or by init's reboot after a splat. Else say how it died, with the console.
guest_obituary() {
	local raw=$1 console=$2 died=$3 reason=

	[[ ! -s $died ]] || reason=$(<"$died")
	if [[ -z $reason ]]; then
		! grep -qE '^[0-9.]+ (done|splat)( |$)' "$raw" || return 0
		reason="exit"
		! grep -aqE 'Kernel panic|Oops|BUG:' "$console" || reason=panic
	fi
	{
		guest_excerpt "$console" | sed 's/^/0 console /'
		echo "0 died $reason"
	} >>"$raw"
}

# guest_excerpt CONSOLE: from where the kernel complains, else the last it said
guest_excerpt() {
	local from

	from=$(grep -anE -m 1 'BUG:|Oops|WARNING:|INFO: (task|rcu)|rcu: INFO|Kernel panic|Internal error' "$1")
	if [[ -n $from ]]; then
		tail -n "+${from%%:*}" "$1" | head -n "$EXCERPT"
	else
		tail -n "$EXCERPT" "$1"
	fi | tr -d '\r'
}
