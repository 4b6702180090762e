#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# campaign.sh: campaigns and shrinking, as people use the program $MSGRLAB.
#
#   1. planted failures are found, kept, replayed and shrunk
#   2. a worker that dies, Ctrl-C, directories that cannot be written
#   3. shards, verification, coverage, the command line
#   4. the shipped workloads, under every profile
#
# Prints what was not as expected; exit 0 if nothing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
RUN_SECONDS=200
# shellcheck source=tests/interop/cli.bash
. "$here/cli.bash"

# json NAME FILE PYTHON-EXPRESSION-OF-j: true for the file
json() {
    checks=$((checks + 1))
    python3 -c "import json, sys; j = json.load(open(sys.argv[1])); sys.exit(not ($3))" \
        "$2" 2>"$tmp/json" || fail "$1: the JSON is not as expected: $3" "$2"
}

cd "$root" || exit 1
scripts=tests/interop/campaign

# ---- 1. planted failures -------------------------------------------------------------

run order 1 campaign $scripts/order.lua --seeds 1..100 --jobs 2 -o "$tmp/kept" \
    --json "$tmp/order.json" --junit "$tmp/order.xml"
says order "expectation $scripts/order.lua:8 a comes first"
json order "$tmp/order.json" 'j["done"] == 100 and j["code"] == 1 and j["ended"] == "done"'
json order "$tmp/order.json" 'len(j["failures"]) == 1 and j["failures"][0]["repeats"]'
json order "$tmp/order.json" 'j["failures"][0]["class"] == "expectation"'
checks=$((checks + 1))
python3 "$here/junit.py" "$tmp/order.xml" || fail "order: that is not JUnit's XML" "$tmp/order.xml"
record=$(ls "$tmp"/kept/order-expectation-*.rec)
run order-replay 1 replay "$record"
says order-replay "the same run"
run order-shrink 0 shrink "$record" -o "$tmp/order.small.rec" --jobs 2
run order-small 1 replay "$tmp/order.small.rec"
says order-small "the same run"
says order-small "a comes first"
left=$(grep -cE '^[a-z0-9_]+ [^ ]+ [0-9]+ [0-9]+$' "$tmp/order.small.rec")
checks=$((checks + 1))
[ "$left" -le 8 ] || fail "order: $left decisions are left" "$tmp/order.small.rec"
checks=$((checks + 1))
[ "$(grep -c '^# the ' "$tmp/order.small.rec")" -ge 1 ] ||
    fail "order: the small record tells no story" "$tmp/order.small.rec"

# The same campaign finds the same, whatever the number of processes.
run order-again 1 campaign $scripts/order.lua --seeds 1..100 --jobs 3 -o "$tmp/kept2" --quiet
checks=$((checks + 1))
cmp -s "$record" "$tmp/kept2/$(basename "$record")" ||
    fail "order: another number of processes kept another record"

run knob 3 campaign $scripts/knob.lua --seeds 1..60 --profile lite -o "$tmp/knob.d"
says knob "mode broken is not supported"
run knob-shrink 0 shrink "$tmp"/knob.d/*.rec -o "$tmp/knob.small.rec" --quiet
says knob-shrink "this world has knob mode at its value 3"
says knob-shrink "decisions     1 of"

# A record that does not fail as it says is no one's failure.
sed 's/a comes first/a comes last/' "$record" >"$tmp/wrong.rec"
run shrink-wrong 13 shrink "$tmp/wrong.rec" -o "$tmp/none.rec"
says shrink-wrong "do not give the failure again"
run shrink-nothing 5 shrink "$tmp/nothing.rec"

# ---- 2. accidents ---------------------------------------------------------------------

# in_background NAME ARG...: a campaign; its number in $campaign
in_background() {
    local name=$1
    shift
    env --default-signal=INT "$msgrlab" campaign "$@" >"$tmp/$name" 2>&1 </dev/null &
    campaign=$!
    for _ in $(seq 100); do # until its workers are there
        [ "$(pgrep -c -P $campaign)" -ge 2 ] && break
        sleep 0.05
    done
    sleep 0.3
}

# ended NAME EXPECTED-EXIT
ended() {
    local code
    wait $campaign
    code=$?
    checks=$((checks + 1))
    [ $code -eq "$2" ] || fail "$1: exit code $code instead of $2" "$tmp/$1"
}

# A worker that is killed costs the seed it was at, which then turns out to be all right.
in_background killed $scripts/slow.lua --seeds 1..600 --jobs 2 -o "$tmp/killed.d" \
    --json "$tmp/killed.json"
kill -KILL "$(pgrep -P $campaign | head -n 1)"
ended killed 13
says killed "crash SIGKILL"
says killed "NOT REPEATED"
json killed "$tmp/killed.json" 'j["done"] == 600 and len(j["failures"]) == 1'
json killed "$tmp/killed.json" 'not j["failures"][0]["repeats"]'

# Ctrl-C and SIGTERM keep what is there.
for signal in INT TERM; do
    in_background stop-$signal $scripts/slow.lua --seeds 1..100000 --jobs 2 \
        -o "$tmp/stop.d" --json "$tmp/stop-$signal.json" --junit "$tmp/stop.xml"
    sleep 1
    kill -$signal $campaign
    ended stop-$signal 130
    says stop-$signal "interrupted"
    json stop-$signal "$tmp/stop-$signal.json" \
        'j["ended"] == "interrupted" and 0 < j["done"] < 100000'
    checks=$((checks + 1))
    pgrep -P $campaign >/dev/null && fail "stop-$signal: workers are left"
done

# A directory that cannot be made loses the record, not the result.
touch "$tmp/file"
run no-dir 1 campaign $scripts/order.lua --seeds 1..60 -o "$tmp/file/kept"
says no-dir "not kept: cannot make $tmp/file"
says no-dir "a comes first"
run no-json 5 campaign $scripts/slow.lua --seeds 1..2 --json "$tmp/file/x.json"
says no-json "cannot write $tmp/file/x.json"

# ---- 3. options -----------------------------------------------------------------------

for shard in 1 2 3; do
    run shard-$shard 0 campaign scenarios/hello.lua --seeds 100..109 --shard $shard/3 \
        --jobs 1 --max-failures 0 -o "$tmp/shards" --json "$tmp/shard-$shard.json"
done
json shards "$tmp/shard-1.json" 'j["done"] == 4'
json shards "$tmp/shard-3.json" 'j["done"] == 3'
run verify 0 campaign scenarios/hello.lua --seeds 1..20 --verify 100%
says verify "20 ran twice"
run coverage 0 campaign scenarios/hello.lua --seeds 1..5 --coverage --must-reach proto:READY
says coverage "S3_QUEUE"
run unreached 1 campaign scenarios/hello.lua --seeds 1..5 --must-reach proto:WAIT
says unreached "never reached proto:WAIT"
run misspelt 2 campaign scenarios/hello.lua --seeds 1..5 --must-reach proto:REDY
says misspelt "did you mean 'proto:READY'?"
run time 0 campaign $scripts/slow.lua --seeds 1..1000000 --time 1s
says time "the time was up"
run help 0 campaign --help
says help "--max-failures"
run shrink-help 0 shrink --help
run no-seeds 2 campaign scenarios/hello.lua
run bad-seeds 2 campaign scenarios/hello.lua --seeds 9..1
run bad-shard 2 campaign scenarios/hello.lua --seeds 1..9 --shard 4/3
run bad-profile 2 campaign scenarios/hello.lua --seeds 1..9 --profile heavy
says bad-profile "valid: none, schedule, lite, chaos"
run no-script 5 campaign nothing.lua --seeds 1..9

# ---- 4. shipped workloads ---------------------------------------------------------------

for script in scenarios/campaigns/*.lua; do
    for profile in none schedule lite chaos; do
        name=$(basename "$script" .lua)-$profile
        run "$name" 0 campaign "$script" --seeds 1..30 --profile $profile -o "$tmp/shipped"
    done
done

echo "$checks checks, $failures failures"
[ $failures -eq 0 ]
