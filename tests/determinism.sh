#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# determinism.sh: the same seed gives the same run, whatever built the program and however
# it is started.
#
#   DETERMINISM_BUILDS  directories of builds, the first is what the others are compared
#                       with (default: build/plain)
#   DETERMINISM_SEEDS   A..B (default: 1..200)
#   DETERMINISM_SCRIPTS scenarios
#   DETERMINISM_WAYS=all  also other ways to start the first two builds: one process for
#                       each run and one for all, memory filled with other bytes, addresses
#                       not randomised, a larger environment, a program started per run
#
# Compares what `msgrlab hashes` prints, a line a seed. Where lines differ, the first such
# seed runs once more on both sides, and `msgrlab diff` shows the first record that is
# another. The last line counts; exit 0 if there are no differences.
set -u

read -ra builds <<<"${DETERMINISM_BUILDS:-build/plain}"
read -ra scripts <<<"${DETERMINISM_SCRIPTS:-scenarios/hello.lua scenarios/partition.lua scenarios/priorities.lua}"
seeds=${DETERMINISM_SEEDS:-1..200}
ways=${DETERMINISM_WAYS:-few}
jobs=$(nproc 2>/dev/null || echo 2)

export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}
export LSAN_OPTIONS=suppressions=tests/lsan.supp:print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}
export TSAN_OPTIONS=suppressions=tests/tsan.supp:halt_on_error=1${TSAN_OPTIONS:+:$TSAN_OPTIONS}

out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
trap 'exit 130' INT TERM
runs=0 differences=0 compared=0

# Words that go before the program, for a way to start it. Also which options of `hashes`.
prefix=() options=()
set_way() {
    prefix=(env) options=(--reuse)
    case $1 in
    reused) ;;
    fresh) options=() ;;
    fill-*) prefix=(env "MALLOC_PERTURB_=${1#fill-}") ;;
    asan-fill) prefix=(env "ASAN_OPTIONS=$ASAN_OPTIONS:max_malloc_fill_size=1000000:malloc_fill_byte=165") ;;
    no-aslr) prefix=(setarch -R) ;;
    environment) prefix=(env "PADDING=$(printf '%60000s' x)" "ANOTHER=1") ;;
    esac
    # The thread sanitizer of older compilers cannot live with much address randomisation.
    case $2 in
    *tsan*) prefix=(setarch -R "${prefix[@]}") ;;
    esac
}

# hashes BUILD SCRIPT WAY: into a file of that name.
file_of() { local n="$1 $2 $3"; echo "$out/${n//[^A-Za-z0-9._-]/_}"; }

one() {
    local build=$1 script=$2 way=$3 file code
    file=$(file_of "$@")
    set_way "$way" "$build"
    if [ "$way" = started ]; then
        started "$build" "$script" >"$file" 2>"$file.err"
    else
        "${prefix[@]}" "$build/msgrlab" hashes "$script" --seeds "$seeds" "${options[@]}" \
            >"$file" 2>"$file.err"
    fi
    code=$?
    echo $code >"$file.code"
}

# A program started for each run, for the first twenty seeds.
started() {
    local seed hash
    for seed in $(seq "${seeds%..*}" "${seeds#*..}" | head -n 20); do
        hash=$("${prefix[@]}" "$1/msgrlab" run "$2" --seed "$seed" 2>&1 | sed -n 's/^trace hash *//p')
        echo "$seed $hash"
    done
}

# differ BUILD SCRIPT WAY SEED: both sides once more, and where they part.
differ() {
    local build=$1 script=$2 way=$3 seed=$4 reference=${builds[0]}
    echo "DIFFERENT: $script, seed $seed: $build ($way) and $reference"
    "$reference/msgrlab" run "$script" --seed "$seed" --trace "$out/a.trace" >/dev/null 2>&1
    set_way "$way" "$build"
    "${prefix[@]}" "$build/msgrlab" run "$script" --seed "$seed" --trace "$out/b.trace" >/dev/null 2>&1
    "$reference/msgrlab" diff "$out/a.trace" "$out/b.trace" | sed 's/^/    /'
}

# compare BUILD SCRIPT WAY
compare() {
    local build=$1 script=$2 way=$3 file reference seed n=0
    file=$(file_of "$@")
    reference=$(file_of "${builds[0]}" "$script" reused)
    if [ "$(cat "$file.code")" != 0 ] || [ ! -s "$file" ]; then
        echo "FAILED: $build/msgrlab hashes $script ($way) ended with $(cat "$file.code")"
        sed 's/^/    /' "$file.err" | head -n 40
        differences=$((differences + 1))
        return
    fi
    if [ "$way" = started ]; then
        head -n 20 "$reference" | cut -d' ' -f1,2 >"$out/wanted"
    else
        cp "$reference" "$out/wanted"
    fi
    n=$(wc -l <"$file")
    runs=$((runs + n))
    compared=$((compared + 1))
    cmp -s "$out/wanted" "$file" && return
    n=$(diff "$out/wanted" "$file" | grep -c '^>')
    differences=$((differences + (n > 0 ? n : 1)))
    seed=$(diff "$out/wanted" "$file" | sed -n 's/^> \([0-9]*\) .*/\1/p' | head -n 1)
    differ "$build" "$script" "$way" "${seed:-${seeds%..*}}"
}

# What is run: "build way", the reference first.
list=("${builds[0]} reused")
for build in "${builds[@]:1}"; do
    list+=("$build reused")
done
if [ "$ways" = all ]; then
    for build in "${builds[@]:0:2}"; do
        for way in fresh fill-0 fill-165 fill-255 no-aslr environment started; do
            list+=("$build $way")
        done
    done
    for build in "${builds[@]}"; do
        case $build in *asan*) list+=("$build asan-fill" "$build fresh") ;; esac
    done
else
    list+=("${builds[0]} fresh" "${builds[0]} fill-165")
fi

for script in "${scripts[@]}"; do
    for item in "${list[@]}"; do
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
            wait -n
        done
        # shellcheck disable=SC2086 # two words
        one ${item% *} "$script" ${item#* } &
    done
done
wait
for script in "${scripts[@]}"; do
    before=$differences
    for item in "${list[@]}"; do
        # shellcheck disable=SC2086 # two words
        compare ${item% *} "$script" ${item#* }
    done
    [ "$before" = "$differences" ] && echo "ok   $script: ${#list[@]} builds and ways"
done
[ "$compared" = $((${#list[@]} * ${#scripts[@]})) ] || differences=$((differences + 1))
n=$((${seeds#*..} - ${seeds%..*} + 1))
echo "$runs runs: $n seeds x ${#scripts[@]} scenarios x ${#builds[@]} builds: $differences differences"
[ "$differences" = 0 ]
