#!/usr/bin/env bash
# The simulated world: every scenario runs in it under every driver and schedule, the same
# seed gives the same trace hash, and other seeds give other runs.
set -eu

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
runs=0

fail() {
    echo "FAIL: $*"
    exit 1
}

# hash_of ARGUMENT...: runs a scenario; prints the trace hash.
hash_of() {
    "$MSGRLAB" run "$@" --on sim > "$out/log" 2>&1 || {
        cat "$out/log"
        fail "msgrlab run $* --on sim"
    }
    sed -n 's/^trace hash *//p' "$out/log"
}

for scenario in scenarios/*.lua; do
    : > "$out/hashes"
    for driver in epoll poll select; do
        for schedule in fifo random pct; do
            for seed in 1 2; do
                set -- "$scenario" --driver "$driver" --schedule "$schedule" --seed "$seed"
                first=$(hash_of "$@")
                again=$(hash_of "$@")
                [ -n "$first" ] || fail "no trace hash: msgrlab run $*"
                [ "$first" = "$again" ] || fail "two runs, two hashes: msgrlab run $*"
                echo "$first" >> "$out/hashes"
                runs=$((runs + 2))
            done
        done
    done
    different=$(sort -u "$out/hashes" | wc -l)
    [ "$different" -ge 6 ] || fail "$scenario: only $different different runs of 18"
    echo "ok   $scenario: 18 runs, each twice the same, $different different"
done

for scenario in priorities many_connections partition; do
    for seed in 1 2 3 4 5; do
        for option in --no-trace "--trace $out/trace"; do
            # shellcheck disable=SC2086 # options are words
            "$MSGRLAB" run scenarios/$scenario.lua --on sim --seed "$seed" $option |
                grep -v '^trace' > "$out/summary${option:0:6}"
            runs=$((runs + 1))
        done
        diff "$out/summary--no-t" "$out/summary--trac" ||
            fail "recording changed the run: $scenario, seed $seed"
    done
done
echo "ok   a run is the same whether it is recorded or not"

for how in crash power_loss; do
    for nonce in same new; do
        for after in 20us 300us 1ms; do
            for seed in 1 2 3 4; do
                hash_of tests/interop/sim/node_death.lua --seed "$seed" --set how=$how \
                    --set nonce=$nonce --set after=$after > /dev/null
                runs=$((runs + 1))
            done
        done
    done
done
echo "ok   nodes die and live again"

for schedule in random pct; do
    for policy in stateless_server stateless_registered_server; do
        for seed in $(seq 1 25); do
            hash_of tests/interop/sim/close_storm.lua --schedule $schedule --seed "$seed" \
                --set policy=$policy > "$out/hash"
            runs=$((runs + 1))
        done
    done
done
echo "ok   close_storm: 100 seeds, no leak, no hang"

for script in silent_peer talking_peer listening_peer busy_worker slow_reader; do
    for way in "--stack tcp" "--stack rdma --device hca" "--stack rdma --device rxe"; do
        for schedule in fifo random pct; do
            for seed in 1 2 3; do
                # shellcheck disable=SC2086 # options are words
                hash_of tests/interop/sim/$script.lua $way --schedule $schedule --seed "$seed" > /dev/null
                runs=$((runs + 1))
            done
        done
    done
done
echo "ok   silent peers are left, whatever is sent to them; peers that speak are not"

cat > "$out/forever.lua" <<'LUA'
local a = node { "a" }
wait(expect.event(a, "accept", 1):within("50s"))
LUA
code=0
"$MSGRLAB" run "$out/forever.lua" --on sim > "$out/log" 2>&1 || code=$?
[ "$code" = 1 ] || fail "waiting for nothing ended with $code, not 1"
echo "ok   waiting for what never comes takes no real time, and ends with code 1"
echo "$runs runs"
