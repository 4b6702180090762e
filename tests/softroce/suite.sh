#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# suite.sh [TEST...]: "make check-softroce": every tests/softroce/t_*.sh, or those named, where
# there is soft-RoCE. One machine serves them all (vm.sh), one after the other, each with
# tests/run.sh's limits, and the lines are those of tests/run.sh, the last one
#   N passed, N failed, N skipped
# Logs and what the tests leave come back in build/softroce.
#
# Environment: B (build/plain), RESULTS as for tests/run.sh, SUITE_SECONDS (600).
set -u
cd "$(dirname "$0")/../.." || exit 1

tests=("$@")
[ $# -gt 0 ] || tests=(tests/softroce/t_*.sh)
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
export B=${B:-build/plain}
export MSGRLAB=${MSGRLAB:-$PWD/$B/msgrlab}
tests/softroce/vm.sh -m 1536 -t "${SUITE_SECONDS:-600}" -o "$out" -- \
    tests/softroce/suite_inside.sh "${tests[@]}" | grep -v '^[0-9]* passed, '
status=${PIPESTATUS[0]}

passed=0 failed=0 skipped=0
[ -s "$results" ] && read -r passed failed skipped <"$results"
# The machine died or ran out of time before anything was counted.
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
    echo "FAIL  check-softroce: ended with exit code $status"
    failed=$((failed + 1))
fi
finish "$passed" "$failed" "$skipped"
