#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh PROGRAM...: runs test programs and counts.
#
# A program is one of
#   a Check program   its own "Checks: N, Failures: N, Errors: N" lines are summed
#   a *.sh script     counts one; the binary under test is in $MSGRLAB
#   a replay_NAME     counts one; gets the directory tests/fuzz/corpus/NAME
# Exit code 77 means skipped, the last line printed being the reason. A crash, a time-out
# or a program that ran no check is a failure, and so is an empty list.
#
# Prints a line per program, the output of those that failed, and at the end exactly
#   N passed, N failed, N skipped
#
# Environment: FLAVOUR (plain, asan, ...), MSGRLAB, TEST_JOBS (default: processors),
# TEST_SECONDS (limit per program), RESULTS (a file to append the three numbers to).
set -u

flavour=${FLAVOUR:-plain}
jobs=${TEST_JOBS:-$(nproc 2>/dev/null || echo 2)}
logs=build/$flavour/logs
mkdir -p "$logs"
export MSGRLAB=${MSGRLAB:-$PWD/build/$flavour/msgrlab}

case $flavour in
asan | fuzz | tsan) limit=${TEST_SECONDS:-300} ;;
*) limit=${TEST_SECONDS:-120} ;;
esac

# Check kills a single test after 4 s by default: too little on a loaded machine.
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-30}
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}
export LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}
export TSAN_OPTIONS=suppressions=tests/tsan.supp:halt_on_error=1:second_deadlock_stack=1${TSAN_OPTIONS:+:$TSAN_OPTIONS}

# The thread sanitizer of older compilers cannot live with much address randomisation.
wrap=()
if [ "$flavour" = tsan ] && setarch -R true 2>/dev/null; then
    wrap=(setarch -R)
fi

passed=0 failed=0 skipped=0

# start PROGRAM LOG: runs it to the end, exit code of the program.
start() {
    local program=$1 log=$2 seconds=$limit
    local args=()
    case $program in
    *.sh) seconds=${TEST_SECONDS:-300} ;;
    */replay_*) args=("tests/fuzz/corpus/${program##*/replay_}") ;;
    esac
    # A shell starts background jobs deaf to SIGINT; a test may want to hear it.
    env --default-signal=INT,QUIT timeout -k 10 "$seconds" \
        "${wrap[@]}" "$program" "${args[@]}" >"$log" 2>&1 </dev/null &
    local child=$! code
    trap 'kill $child 2>/dev/null' TERM
    wait $child
    code=$?
    if [ $code -eq 124 ] || [ $code -eq 137 ]; then
        echo "run.sh: killed, or stopped by the time limit of $seconds s" >>"$log"
    elif [ $code -gt 128 ]; then
        echo "run.sh: died of signal $((code - 128))" >>"$log"
    fi
    return $code
}

# seconds FROM TO: the difference of two EPOCHREALTIME values, in tenths.
seconds() {
    local us=$((${2/[.,]/} - ${1/[.,]/}))
    printf '%d.%d' $((us / 1000000)) $((us / 100000 % 10))
}

# report PROGRAM CODE TIME LOG: counts, and prints the line.
report() {
    local program=$1 code=$2 time=$3 log=$4 p=0 f=0 s=0 note=
    case $program in
    *.sh | */replay_*) [ "$code" -eq 0 ] && p=1 ;;
    *) read -r p f < <(awk '/Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
            gsub(/[^0-9]+/, " "); n = split($0, v, " ")
            all += v[n - 2]; bad += v[n - 1] + v[n] }
            END { print all - bad + 0, bad + 0 }' "$log") ;;
    esac
    if [ "$code" -eq 77 ]; then
        p=0 f=0 s=1 note=": $(tail -n 1 "$log")"
    elif [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then
        f=1 note=" (exit code $code)"
    elif [ $((p + f)) -eq 0 ]; then
        f=1 note=" (ran no check)"
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    local word=ok count="$p"
    [ $s -gt 0 ] && word=SKIP
    [ "$f" -gt 0 ] && word=FAIL && count="$p of $((p + f))"
    printf '%-4s  %-44s %8s  %6s s%s\n' $word "${program#build/}" "$count" "$time" "$note"
    if [ "$f" -gt 0 ]; then
        sed 's/^/    | /' "$log"
    fi
}

# Scripts talk to real daemons: they run alone, after the others.
parallel=() serial=()
for program; do
    case $program in
    *.sh) serial+=("$program") ;;
    *) parallel+=("$program") ;;
    esac
done

declare -A name_of=() began_at=()
log_of() { local n=${1#build/"$flavour"/}; echo "$logs/${n//\//_}.log"; }

launch() {
    local now=$EPOCHREALTIME
    start "$1" "$(log_of "$1")" &
    name_of[$!]=$1 began_at[$!]=$now
}

# Waits for whichever ends first.
reap() {
    local pid code
    wait -n -p pid "${!name_of[@]}"
    code=$?
    local program=${name_of[$pid]}
    report "$program" $code "$(seconds "${began_at[$pid]}" "$EPOCHREALTIME")" \
        "$(log_of "$program")"
    unset "name_of[$pid]" "began_at[$pid]"
}

trap 'trap - INT TERM; kill "${!name_of[@]}" 2>/dev/null; exit 130' INT TERM
for program in "${parallel[@]}"; do
    [ ${#name_of[@]} -ge "$jobs" ] && reap
    launch "$program"
done
while [ ${#name_of[@]} -gt 0 ]; do
    reap
done
for program in "${serial[@]}"; do
    launch "$program"
    reap
done

if [ $((passed + failed + skipped)) -eq 0 ]; then
    echo "run.sh: no test was executed" >&2
    failed=1
fi
[ -n "${RESULTS:-}" ] && echo "$passed $failed $skipped" >>"$RESULTS"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
