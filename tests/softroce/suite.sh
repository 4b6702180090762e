#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# suite.sh [TEST...]: "make check-softroce": every tests/softroce/t_*.sh and the program of every
# tests/softroce/test_*.c, or those named, where there is soft-RoCE (msgrlab softroce). On a host
# that has it they run one after the other. Otherwise two virtual machines share them, so that
# each has about the same to do, always the same. Each test has a time limit of its own, and the
# lines are those of tests/run.sh, the last one
#   N passed, N failed, N skipped
# What the second machine says comes when it has ended. Logs and what the tests leave come back
# in build/softroce.
#
# The tests *_test.sh, of the machine itself, come first, on the host.
#
# Environment: B (build/plain), MSGRLAB ($B/msgrlab), SOFTROCE_CACHE (build/cache), RESULTS as
# for tests/run.sh, SUITE_SECONDS (600, each machine), SUITE_MACHINES (2; where only one fits, 1).
set -u
cd "$(dirname "$0")/../.." || exit 1

export B=${B:-build/plain}
export MSGRLAB=${MSGRLAB:-$PWD/$B/msgrlab}
export SOFTROCE_CACHE=${SOFTROCE_CACHE:-$PWD/build/cache}
tests=("$@")
if [ $# -eq 0 ]; then
    tests=(tests/softroce/t_*.sh)
    for source in tests/softroce/test_*.c; do
        [ -e "$source" ] && tests+=("$B/${source%.c}")
    done
fi
out=$PWD/build/softroce
memory=1536

finish() {
    [ -n "${RESULTS:-}" ] && echo "$1 $2 $3" >>"$RESULTS"
    echo "$1 passed, $2 failed, $3 skipped"
    [ "$2" -eq 0 ]
    exit
}

# Where nothing can be installed this cannot run; where it can, make has seen to it.
if ! way=$("$MSGRLAB" softroce --where any --prepare); then
    echo "SKIP  check-softroce: see above"
    finish 0 0 1
fi

# ---- what goes where -------------------------------------------------------------------

machines=${SUITE_MACHINES:-2}
available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
if [[ $way == "on this host"* ]] || [ ${#tests[@]} -lt 2 ] || [ "$(nproc)" -lt 2 ] ||
    [ "${available:-0}" -lt $((machines * memory + 512)) ]; then
    machines=1
fi

# seconds_of TEST: about how long it takes in a virtual machine; good enough to share them out.
seconds_of() {
    case ${1##*/} in
    t_bench.sh) echo 14 ;;
    t_ceph_mon_rdma.sh) echo 40 ;;
    t_devices.sh | t_doctor.sh | t_readme.sh) echo 4 ;;
    t_host.sh) echo 10 ;;
    t_loss.sh) echo 30 ;;
    t_pingpong.sh) echo 16 ;;
    t_rdma_stack.sh) echo 50 ;;
    t_scenarios.sh) echo 65 ;;
    t_verbs.sh) echo 38 ;;
    test_rdma_stack) echo 11 ;;
    *) echo 20 ;;
    esac
}

# The longest first, each to the machine that has the least to do. The test of the machine
# itself comes before what the first one does.
shares=("") loads=(0)
[ $machines -eq 2 ] && shares+=("") && loads+=(0)
[ $# -eq 0 ] && loads[0]=90
while read -r seconds test; do
    least=0
    [ $machines -eq 2 ] && [ "${loads[1]}" -lt "${loads[0]}" ] && least=1
    shares[least]+="$test"$'\n'
    loads[least]=$((loads[least] + seconds))
done < <(for test in "${tests[@]}"; do echo "$(seconds_of "$test") $test"; done | sort -k 1,1rn -k 2)

if [ $machines -eq 2 ]; then
    echo "check-softroce runs $way, two of them"
else
    echo "check-softroce runs $way"
fi

# ---- running ---------------------------------------------------------------------------

rm -rf "$out/logs" "$out"/results* "$out"/complaints* "$out"/machine*
mkdir -p "$out"
passed=0 failed=0 skipped=0 processes=()

# They end themselves, and what is in them, when they are told to.
end_all() {
    [ ${#processes[@]} -eq 0 ] && return
    kill "${processes[@]}" 2>/dev/null
    wait "${processes[@]}"
}
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# add FILE: the counts that a run of tests/run.sh has left. False: there are none.
add() {
    local p=0 f=0 s=0
    [ -s "$1" ] && read -r p f s <"$1"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    [ $((p + f + s)) -gt 0 ]
}

# machine N: the N-th one, with its share.
machine() {
    local share
    mapfile -t share < <(printf %s "${shares[$1 - 1]}")
    exec "$MSGRLAB" softroce --where any --memory $memory --time "${SUITE_SECONDS:-600}" \
        --out "$out" -- tests/softroce/suite_inside.sh "$1" "${share[@]}"
}

# account N STATUS: what that machine has counted.
account() {
    local before=$failed
    if ! add "$out/results.$1" || { [ "$2" -ne 0 ] && [ $failed -eq "$before" ]; }; then
        # It died, ran out of time before anything was counted, or left something behind.
        echo "FAIL  check-softroce: machine $1 ended with exit code $2"
        failed=$((failed + 1))
    fi
}

no_totals() { grep --line-buffered -v '^[0-9]* passed, '; }

if [ $machines -eq 2 ]; then
    machine 2 >"$out/machine2" 2>&1 &
    processes+=($!)
fi
exec {to_us}> >(no_totals)
filter=$!

# The machine itself: without it nothing else says anything.
if [ $# -eq 0 ]; then
    FLAVOUR=softroce RESULTS=$out/results.vm tests/run.sh tests/softroce/*_test.sh >&$to_us &
    processes+=($!)
    wait $!
    add "$out/results.vm" || failed=$((failed + 1))
fi
machine 1 >&$to_us &
processes+=($!)
wait $!
status=$?
exec {to_us}>&-
wait $filter
account 1 $status
if [ $machines -eq 2 ]; then
    wait "${processes[0]}"
    status=$?
    no_totals <"$out/machine2"
    account 2 $status
fi
processes=()
finish $passed $failed $skipped
