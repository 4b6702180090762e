#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# suite.sh [TEST...]: "make check-softroce": every tests/softroce/t_*.sh and the program of every
# tests/softroce/test_*.c, or those named, where there is soft-RoCE. One machine serves them
# all (vm.sh), one after the other, each with a time limit of its own, and the lines are those
# of tests/run.sh, the last one
#   N passed, N failed, N skipped
# Logs and what the tests leave come back in build/softroce.
#
# Environment: B (build/plain), RESULTS as for tests/run.sh, SUITE_SECONDS (600).
set -u
cd "$(dirname "$0")/../.." || exit 1

export B=${B:-build/plain}
tests=("$@")
if [ $# -eq 0 ]; then
    tests=(tests/softroce/t_*.sh)
    for source in tests/softroce/test_*.c; do
        [ -e "$source" ] && tests+=("$B/${source%.c}")
    done
fi
out=$PWD/build/softroce
results=$out/results

finish() {
    [ -n "${RESULTS:-}" ] && echo "$1 $2 $3" >>"$RESULTS"
    echo "$1 passed, $2 failed, $3 skipped"
    [ "$2" -eq 0 ]
    exit
}

# Where nothing can be installed this cannot run; where it can, make has seen to it.
if ! way=$(tests/softroce/vm.sh -p); then
    echo "SKIP  check-softroce: $way"
    finish 0 0 1
fi
echo "check-softroce runs $way"

rm -rf "$out/logs" "$results"
mkdir -p "$out"
passed=0 failed=0 skipped=0
# add: the counts that a run of tests/run.sh has left.
add() {
    local p=0 f=0 s=0
    [ -s "$results" ] && read -r p f s <"$results"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    rm -f "$results"
}

# The machine itself first: without it nothing else says anything.
if [ $# -eq 0 ]; then
    FLAVOUR=softroce RESULTS=$results tests/run.sh tests/softroce/vm_test.sh |
        grep -v '^[0-9]* passed, '
    add
fi
export MSGRLAB=${MSGRLAB:-$PWD/$B/msgrlab}
tests/softroce/vm.sh -m 1536 -t "${SUITE_SECONDS:-600}" -o "$out" -- \
    tests/softroce/suite_inside.sh "${tests[@]}" | grep -v '^[0-9]* passed, '
status=${PIPESTATUS[0]}

add
# The machine died or ran out of time before anything was counted.
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
    echo "FAIL  check-softroce: ended with exit code $status"
    failed=$((failed + 1))
fi
finish "$passed" "$failed" "$skipped"
