#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh BUILD SECONDS: runs every libFuzzer target of BUILD for SECONDS each.
#
# What libFuzzer learns goes to BUILD/corpus/NAME, so the tree stays as it is; the corpus
# in tests/fuzz/corpus/NAME is where it starts from. An input that breaks a target is kept
# in BUILD/crash/NAME-*: add it to the corpus together with the repair.
set -u

build=$1 seconds=$2
export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}
failed=0 run=0

for source in tests/fuzz/fuzz_*.c; do
    [ -e "$source" ] || continue
    name=${source##*/fuzz_}
    name=${name%.c}
    learnt=$build/corpus/$name seed=tests/fuzz/corpus/$name log=$build/logs/fuzz_$name.log
    mkdir -p "$learnt" "$build/crash" "$build/logs"
    [ -d "$seed" ] || seed=
    run=$((run + 1))
    printf 'fuzz  %-16s %s s ... ' "$name" "$seconds"
    # shellcheck disable=SC2086 # $seed may be absent
    if "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -print_final_stats=1 \
        -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$build/crash/$name-" \
        "$learnt" $seed >"$log" 2>&1 </dev/null; then
        awk '/^stat::number_of_executed_units/ { units = $2 }
             / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1) }
             END { printf "ok, %d inputs, coverage %d\n", units, cov }' "$log"
    else
        failed=$((failed + 1))
        echo "FAILED"
        tail -n 60 "$log" | sed 's/^/    | /'
    fi
done

if [ $run -eq 0 ]; then
    echo "fuzz: no targets in tests/fuzz" >&2
    exit 1
fi
echo "$run fuzz targets, $failed failed; what was learnt is in $build/corpus"
[ $failed -eq 0 ]
