#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# check.sh MAKE [ARG...]: what "make check" does once the packages are there.
#
# Every step runs even when an earlier one failed, so one run shows everything. A step
# that fails without counting tests (a file that does not compile) is one failure.
# The last line is the sum over all steps:
#   N passed, N failed, N skipped
# and before it is how long each step took.
set -u

make=("$@")
flavours=${FLAVOURS:-plain clang asan tsan}
mkdir -p build/check
export RESULTS=$PWD/build/check/results DEPS=no
: >"$RESULTS"
rm -f build/check/total
broken=() took=()
trap 'exit 130' INT TERM

# step NAME MAKE-ARG...
step() {
    local name=$1 before began=$SECONDS code
    shift
    echo
    echo "==== $name"
    before=$(wc -l <"$RESULTS")
    "${make[@]}" "$@"
    code=$?
    took+=("$(printf '%3d:%02d  %s' $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60)) "$name")")
    [ $code -eq 0 ] && return 0
    broken+=("$name")
    # A runner that got as far as counting has written its failures down itself.
    [ "$(wc -l <"$RESULTS")" -gt "$before" ] || echo "0 1 0" >>"$RESULTS"
}

step tidy tidy
for flavour in $flavours; do
    step "tests, $flavour" FLAVOUR="$flavour" test
done
step "determinism" determinism
step "exhibits" exhibits
step "interop" FLAVOUR=plain interop
step "fuzz corpus, asan" FLAVOUR=asan replay
step "soft-RoCE" FLAVOUR=plain check-softroce
step "fresh machine" CHECK=no WITHOUT= check-fresh
step "fresh machine, a package missing" check-fresh-notices

echo
printf '%s\n' "${took[@]}"
printf '%3d:%02d  minutes in all\n' $((SECONDS / 60)) $((SECONDS % 60))
[ ${#broken[@]} -gt 0 ] && printf 'FAILED: %s\n' "${broken[@]}"
awk '{ p += $1; f += $2; s += $3 }
     END { printf "%d passed, %d failed, %d skipped\n", p, f, s }' "$RESULTS" |
    tee build/check/total
[ ${#broken[@]} -eq 0 ] && ! grep -q '^0 passed' build/check/total
