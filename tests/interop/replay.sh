#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# replay.sh: records, replays, stops at an event, compares traces; and what is said when
# that cannot be: damaged records, another script, a run that crashed.
set -u
# shellcheck source=tests/interop/cli.bash
. "$(dirname "$0")/cli.bash"

# ---- a run, and the same run ---------------------------------------------------------

for script in scenarios/*.lua tests/interop/sim/close_storm.lua; do
    for options in "--seed 1" "--seed 2 --schedule pct --driver poll" "--seed 3 --schedule fifo"; do
        name=$(basename "$script" .lua)
        # How it ends is the business of other tests; here it must end in the same way again.
        # shellcheck disable=SC2086 # options are words
        timeout -k 5 90 "$msgrlab" run "$script" $options --record "$tmp/$name.rec" \
            >"$tmp/$name.run" 2>&1 </dev/null
        code=$?
        says "$name.run" "record        $tmp/$name.rec: "
        run "$name.again" $code replay "$tmp/$name.rec" &&
            says "$name.again" "replay        the same run" || continue
        a=$(sed -n 's/^trace hash *//p' "$tmp/$name.run")
        b=$(sed -n 's/^trace hash *//p' "$tmp/$name.again")
        [ "$a" = "$b" ] || fail "$name: hashes $a and $b"
    done
done

# A run that fails is recorded; its replay fails in the same way.
cat >"$tmp/fails.lua" <<'LUA'
local a, b = node "a", node "b"
local c = a:connect(b)
for i = 1, 10 do c:send { front = math.random(1, 2000) } end
expect.delivered(b, 11):within("1s")
LUA
run fails 1 run "$tmp/fails.lua" --seed 4 --record "$tmp/fails.rec"
run fails-again 1 replay "$tmp/fails.rec" && says fails-again "replay        the same run"
grep -q '^outcome expectation ' "$tmp/fails.rec" || fail "no outcome in the record" "$tmp/fails.rec"

# --set, --timeout and the rest come from the record.
run set 0 run scenarios/hello.lua --seed 9 --set pings=17 --timeout 20s --record "$tmp/set.rec" &&
    run set-again 0 replay "$tmp/set.rec" && says set-again "34 sent, 34 received" &&
    says set-again "the same run"

# An existing record is replaced, any other file is not.
run replaced 0 run scenarios/hello.lua --record "$tmp/set.rec"
cp scenarios/hello.lua "$tmp/precious.lua"
run precious 5 run scenarios/hello.lua --record "$tmp/precious.lua" && says precious "is no record"
cmp -s scenarios/hello.lua "$tmp/precious.lua" || fail "a file was destroyed by --record"
run nowhere 5 run scenarios/hello.lua --record "$tmp/no/such/dir/x.rec"
run not-sim 2 run scenarios/hello.lua --on linux --record "$tmp/x.rec" && says not-sim "--on sim"

# ---- another run ---------------------------------------------------------------------

# Another choice: the outcome is the same, the trace is not, and nothing explains it.
run odd 0 run scenarios/hello.lua --stack tcp --seed 5 --record "$tmp/odd.rec"
awk '/^jitter/ && !done { $4 = $4 + 1000; done = 1 } { print }' "$tmp/odd.rec" >"$tmp/odd2.rec"
run odd-again 13 replay "$tmp/odd2.rec" && says odd-again "this was another run"
# Fewer choices are a run, too (that is how records are made smaller).
awk '/^jitter/ && !done { done = 1; next } /^end/ { $2 = $2 - 1 } { print }' "$tmp/odd.rec" |
    grep -v '^trace_hash' >"$tmp/less.rec"
run less 0 replay "$tmp/less.rec" && says less "the same run"

# The script has changed: that explains it.
cp scenarios/hello.lua "$tmp/changing.lua"
run changing 0 run "$tmp/changing.lua" --seed 2 --record "$tmp/changing.rec"
echo 'expect.that(1 == 2, "one is two")' >>"$tmp/changing.lua"
run changed 1 replay "$tmp/changing.rec" && says changed "has changed since" &&
    says changed "this was another run"
rm "$tmp/changing.lua"
run gone 5 replay "$tmp/changing.rec" && says gone "there is no script"

# Another program recorded it.
sed 's/^program .*/program 00000000000000000000000000000001/' "$tmp/odd2.rec" >"$tmp/other.rec"
run other 0 replay "$tmp/other.rec" && says other "another build of msgrlab recorded it"

# ---- crashes and hangs -----------------------------------------------------------------

# A crash of the program leaves a record without a log: the seed is enough.
cat >"$tmp/long.lua" <<'LUA'
local a, b = node "a", node "b"
a:connect(b):send { front = 5 }
wait(expect.delivered(b, 1))
print "ready"
for i = 1, 1000000000 do local x = i * i end
LUA
for signal in SEGV ABRT; do
    rm -f "$tmp/crash.rec"
    "$msgrlab" run "$tmp/long.lua" --seed 6 --set instructions=100000000000 \
        --record "$tmp/crash.rec" >"$tmp/crash" 2>&1 </dev/null &
    pid=$!
    sleep 0.5
    kill -$signal $pid
    wait $pid 2>/dev/null
    code=$?
    checks=$((checks + 1))
    [ $code -gt 128 ] || [ $code = 10 ] || fail "a run that got $signal ended with $code" "$tmp/crash"
    says crash "the run crashed. again: msgrlab run $tmp/long.lua --seed 6"
    for line in "outcome crash" "log none" "end 0" "seed 6"; do
        grep -qx "$line" "$tmp/crash.rec" || fail "$signal: no '$line' in the record" "$tmp/crash.rec"
    done
done
# It does not crash again here, which is another outcome with the same program and script.
sed -i 's/^set instructions.*//; s/^instructions .*/instructions 1000000/' "$tmp/crash.rec"
run crash-again 13 replay "$tmp/crash.rec" && says crash-again "recorded: crash"

# A run that can never go on is a failure with a name, recorded and repeated; `again` is the
# command that does so.
cat >"$tmp/stuck.lua" <<'LUA'
local a, b = node "a", node "b"
local c = a:connect(b)
c:send { front = 5 }
sleep "50s"
LUA
run stuck 6 run "$tmp/stuck.lua" --timeout 1s --record "$tmp/stuck.rec" && says stuck "time limit"
run stuck-again 6 replay "$tmp/stuck.rec" && says stuck-again "the same run"

# ---- stopping at an event ----------------------------------------------------------------

run stop 0 replay "$tmp/odd.rec" --to 100 && says stop "waits for" && says stop "stopped at    100"
[ "$(grep -c ' us  ' "$tmp/stop")" -ge 20 ] || fail "fewer than 20 records are shown" "$tmp/stop"
run all 0 replay "$tmp/odd.rec" --trace "$tmp/odd.trace"
run csv 0 show "$tmp/odd.trace" --view text -o "$tmp/odd.csv"
id=$(sed -n '150p' "$tmp/odd.csv" | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | tail -n 1)
id=${id:-1.1.10}
run stop-id 0 replay "$tmp/odd.rec" --to "$id" && says stop-id "stopped at    $id"
run stop-late 2 replay "$tmp/odd.rec" --to 99999999 && says stop-late "the run ended before"
for bad in 0 -1 x 1.2 1.2.3.4 300.1.1; do
    run stop-bad 2 replay "$tmp/odd.rec" --to $bad
done
run stop-trace 0 replay "$tmp/odd.rec" --to 100 --trace "$tmp/stop.trace"
run stop-show 0 show "$tmp/stop.trace" --view text

# ---- damaged records ----------------------------------------------------------------------

head -c 300 /dev/urandom >"$tmp/garbage.rec"
run garbage 5 replay "$tmp/garbage.rec"
: >"$tmp/empty.rec"
run empty 5 replay "$tmp/empty.rec" && says empty "empty.rec:1: this is no record"
for part in 20 200 500; do
    head -c $part "$tmp/odd.rec" >"$tmp/cut.rec"
    run cut 5 replay "$tmp/cut.rec" && says cut "cut.rec:"
done
sed 's/^msgrlab decisions 1/msgrlab decisions 9/' "$tmp/odd.rec" >"$tmp/version.rec"
run version 5 replay "$tmp/version.rec" && says version "knows version 1"
sed 's/^end .*/end 3/' "$tmp/odd.rec" >"$tmp/count.rec"
run count 5 replay "$tmp/count.rec" && says count "3 were written"
sed 's/^jitter /sneeze /' "$tmp/odd.rec" >"$tmp/site.rec"
run site 5 replay "$tmp/site.rec" && says site "no such site"
sed 's/^on sim/on mars/' "$tmp/odd.rec" >"$tmp/world.rec"
run world 5 replay "$tmp/world.rec" && says world "--on mars"
run missing 5 replay "$tmp/missing.rec"
run directory 5 replay "$tmp"
run nothing 2 replay
run two 2 replay "$tmp/odd.rec" "$tmp/odd.rec"

# ---- diff ---------------------------------------------------------------------------------

run t1 0 run scenarios/hello.lua --stack tcp --seed 1 --trace "$tmp/1.trace"
run t1b 0 run scenarios/hello.lua --stack tcp --seed 1 --trace "$tmp/1b.trace"
run t2 0 run scenarios/hello.lua --stack tcp --seed 2 --trace "$tmp/2.trace"
run t3 0 run scenarios/hello.lua --on linux --trace "$tmp/3.trace"
run same 0 diff "$tmp/1.trace" "$tmp/1b.trace" && says same "the same"
run differ 1 diff "$tmp/1.trace" "$tmp/2.trace" && says differ "the first difference is at record" &&
    says differ "what differs:"
run worlds 1 diff "$tmp/1.trace" "$tmp/3.trace"
run steps 0 diff "$tmp/1.trace" "$tmp/3.trace" --steps && says steps "the same steps: 10 messages"
run t4 0 run scenarios/hello.lua --stack tcp --set pings=6 --trace "$tmp/4.trace"
run steps-more 1 diff "$tmp/1.trace" "$tmp/4.trace" --steps && says steps-more "not there"
run diff-bad 5 diff "$tmp/1.trace" "$tmp/odd.rec" && says diff-bad "odd.rec"
run diff-missing 5 diff "$tmp/1.trace" "$tmp/none.trace" && says diff-missing "none.trace"
run diff-one 2 diff "$tmp/1.trace"
head -c 70000 "$tmp/2.trace" >"$tmp/torn.trace"
run diff-torn 1 diff "$tmp/2.trace" "$tmp/torn.trace" && says diff-torn "records are damaged"

# ---- hashes -------------------------------------------------------------------------------

run h1 0 hashes scenarios/hello.lua --seeds 1..10
run h2 0 hashes scenarios/hello.lua --seeds 1..10 --reuse
cmp -s "$tmp/h1" "$tmp/h2" || fail "a reused process gives other hashes" "$tmp/h2"
[ "$(wc -l <"$tmp/h1")" = 10 ] || fail "not ten lines" "$tmp/h1"
run h3 0 hashes scenarios/partition.lua --seeds 1..20 --replay --profile chaos
run h-bad 2 hashes scenarios/hello.lua --seeds 5..1
run h-none 2 hashes scenarios/hello.lua && says h-none "which seeds?"
run h-missing 5 hashes scenarios/helo.lua --seeds 1..2

echo "$checks checks, $failures failed"
[ $failures -eq 0 ]
