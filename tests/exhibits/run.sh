#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh [NAME...]: shows that campaigns find real bugs. Each NAME.patch puts a bug that Ceph
# had into a copy of the sources (NAME.md says which); a campaign that knows nothing of it
# must find it by the checker that NAME.md names, its record must shrink to a few decisions
# and replay, and the program without the patch must pass the same seeds. NAME.md may also
# name a campaign, script and profile, which else is that of the engine.
#
# Environment: SEEDS (how many are tried, 2000), DECISIONS (how many may be left, 8), JOBS
# (2), SHRINK_SECONDS (for one record, 40), KEEP=DIR (records are kept there), MSGRLAB (the
# program without a patch).
#
# Needs a built tree (build/plain); exit code 0 if all of that holds for every exhibit.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
seeds=${SEEDS:-2000} decisions_max=${DECISIONS:-8} jobs=${JOBS:-2}
clean=${MSGRLAB:-$root/build/plain/msgrlab}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
declare -A most=() # of each "SCRIPT PROFILE": the last seed that was needed

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
    for patch in "$here"/*.patch; do
        names+=("$(basename "$patch" .patch)")
    done
fi

# complain NAME WHAT LOG: an exhibit that does not hold.
complain() {
    echo "FAIL  $1: $2"
    [ -f "$3" ] && tail -n 15 "$3" | sed 's/^/    | /'
    failed=1
}

# build NAME: the patched program, from a copy in which only what the patch touches is new.
build() {
    local tree=$work/$1
    mkdir -p "$tree/build/plain"
    (cd "$root" && cp -a Makefile mk engine stacks sim viz scenarios "$tree/")
    (cd "$root/build/plain" && cp -a engine stacks sim viz scenarios ./*.a ./*.list flags \
        "$tree/build/plain/" 2>/dev/null)
    cp "$root"/*.in "$tree/" 2>/dev/null
    patch -d "$tree" -p1 -s -f <"$here/$1.patch" &&
        env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u FLAVOUR make -C "$tree" DEPS=no -j"$jobs" all
}

# campaign_of NAME: sets script and profile.
campaign_of() {
    read -r script profile < <(
        sed -n '/^Campaign:/s/[^`]*`\([^`]*\)`[^`]*/\1 /gp' "$here/$1.md")
    script=${script:-scenarios/campaigns/churn.lua} profile=${profile:-lite}
}

# hunt NAME FROM: looks for a failure from that seed on; sets seed and record.
hunt() {
    local tree=$work/$1 log=$work/$1.log
    rm -rf "$tree/found"
    "$tree/build/plain/msgrlab" campaign "$root/$script" --profile "$profile" \
        --seeds "$2".."$seeds" --jobs "$jobs" --max-failures 1 --quiet \
        -o "$tree/found" >"$log" 2>&1
    seed=$(sed -n 's/^ *seed \([0-9]*\), and .*/\1/p' "$log" | head -n 1)
    record=$(sed -n 's/^ *msgrlab replay //p' "$log" | head -n 1)
    [ -n "$seed" ] && [ -f "$record" ]
}

# shrink NAME: sets before and after, the numbers of decisions. False: not in time.
shrink() {
    local log=$work/$1.log
    timeout "${SHRINK_SECONDS:-40}" "$work/$1/build/plain/msgrlab" shrink "$record" -o "$work/$1/small.rec" \
        --jobs "$jobs" --quiet >"$log" 2>&1 || return
    before=$(sed -n 's/^decisions  *[0-9]* of \([0-9]*\).*/\1/p' "$log")
    after=$(sed -n 's/^decisions  *\([0-9]*\) of .*/\1/p' "$log")
}

# is_named SIGNATURE RULES: one of the first two words of it is a rule: "safety RULE ...",
# "expectation ...", "liveness expectation ...".
is_named() {
    local word
    for word in $(cut -d' ' -f1,2 <<<"$1"); do
        [[ " $2 " == *" $word "* ]] && return 0
    done
    return 1
}

# exhibit NAME: one line of the table. What shrinks badly (a local minimum) gives way to the
# next seed that fails, a few times.
exhibit() {
    local name=$1 log=$work/$1.log signature rules first before after replay=no tries=1
    local script profile
    campaign_of "$name"
    if ! build "$name" >"$log" 2>&1; then
        complain "$name" "the patch does not apply or does not compile" "$log"
        return
    fi
    if ! hunt "$name" 1; then
        complain "$name" "not found in $seeds seeds" "$log"
        return
    fi
    first=$seed
    until shrink "$name" && [ "$after" -le "$decisions_max" ]; do
        tries=$((tries + 1))
        if [ $tries -gt 8 ] || ! hunt "$name" $((seed + 1)); then
            complain "$name" "no record of it shrinks to $decisions_max decisions" "$log"
            return
        fi
    done
    signature=$(sed -n 's/^outcome //p' "$record")
    rules=$(sed -n '/^Checker:/s/[^`]*`\([^`]*\)`[^`]*/\1 /gp' "$here/$name.md")
    is_named "$signature" "$rules" ||
        complain "$name" "found as '$signature', not by one of: $rules" "$log"
    "$work/$name/build/plain/msgrlab" replay "$work/$name/small.rec" >"$log" 2>&1
    grep -q '^replay  *the same run' "$log" && replay=yes
    [ $replay = yes ] || complain "$name" "what was shrunk does not replay" "$log"
    [ "$first" -gt "${most["$script $profile"]:-0}" ] && most["$script $profile"]=$first
    signature=${signature#safety }
    printf '%-25s %-26s %6s %6s %9s %7s   %s\n' "$name" "${signature%% /*}" "$first" \
        "$tries" "$before" "$after" $replay
    [ -n "${KEEP:-}" ] && mkdir -p "$KEEP" && cp "$record" "$KEEP/$name.rec" &&
        cp "$work/$name/small.rec" "$KEEP/$name.small.rec"
    rm -rf "${work:?}/$name"
}

cd "$root" || exit 1
printf '%-25s %-26s %6s %6s %9s %7s   %s\n' exhibit signature seed tries decisions \
    shrunk replayed
for name in "${names[@]}"; do
    exhibit "$name"
done
for campaign in "${!most[@]}"; do
    read -r script profile <<<"$campaign"
    if "$clean" campaign "$script" --profile "$profile" --seeds 1.."${most[$campaign]}" \
        --jobs "$jobs" --quiet -o "$work/clean" >"$work/clean.log" 2>&1; then
        echo "without a patch: $campaign passes seeds 1..${most[$campaign]}"
    else
        complain "without a patch" "$campaign does not pass the same seeds" "$work/clean.log"
    fi
done
exit $failed
