#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# sim_rdma.sh: the RDMA stack in the simulated world: scenarios end well on both virtual
# devices, polling and sleeping, with a shared receive queue and without, and the same seed
# gives the same run.
set -u
# shellcheck source=tests/interop/cli.bash
. "$(dirname "$0")/cli.bash"

hash_of() { sed -n 's/^trace hash *//p' "$tmp/$1"; }

# twice NAME ARG...: runs it twice, to the same end by the same way
twice() {
    local name=$1
    shift
    run "$name" 0 run "$@" && run "$name.again" 0 run "$@" || return
    says "$name" "result        ok"
    checks=$((checks + 1))
    [ -n "$(hash_of "$name")" ] && [ "$(hash_of "$name")" = "$(hash_of "$name.again")" ] ||
        fail "$name: two runs, two hashes: msgrlab run $*"
}

for script in hello priorities many_connections large_messages external_events edge_and_level; do
    for device in hca rxe; do
        for options in polling_us=1000 polling_us=0 support_srq=false,receive_queue_len=32; do
            for seed in 1 2; do
                twice "$script-$device-$options-$seed" "scenarios/$script.lua" --stack rdma \
                    --device $device --rdma $options --seed $seed
            done
        done
    done
done
for seed in 1 2 3; do
    twice "errors-$seed" scenarios/rdma/errors.lua --stack rdma --seed $seed
done
run "errors-rxe" 0 run scenarios/rdma/errors.lua --device rxe --seed 1
# Every completion error, every asynchronous event, every fault of devices: proved.
run proof 0 campaign scenarios/rdma/errors.lua --seeds 1..2 --coverage \
    --json "$tmp/proof.json" -o "$tmp/kept"
run complete 0 faults --group V --coverage "$tmp/proof.json" --complete &&
    says complete "async:QP_LAST_WQE_REACHED"
run incomplete 1 faults --coverage "$tmp/proof.json" --complete &&
    says incomplete "never happened"
run no-coverage 2 faults --complete && says no-coverage "goes with --coverage"
run campaign 0 campaign scenarios/campaigns/churn.lua --stack rdma --profile schedule \
    --seeds 1..200 -o "$tmp/kept"

# Which stack is the default: the one the script names, else that of the world.
default_is() { # NAME STACK ARG...
    local name=$1 stack=$2
    shift 2
    run "$name" 0 run "$@" && says "$name" "stack         $stack"
}
{ echo '-- A script of its own.'; echo '-- stack: tcp'; cat scenarios/hello.lua; } >"$tmp/tcp.lua"
{ cat scenarios/hello.lua; echo '-- stack: tcp'; } >"$tmp/late.lua"
default_is sim-default rdma scenarios/hello.lua
default_is linux-default tcp scenarios/hello.lua --on linux
default_is script-default tcp "$tmp/tcp.lua"
default_is not-in-the-comment rdma "$tmp/late.lua"
default_is asked-for rdma "$tmp/tcp.lua" --stack rdma

# Counters of the stack, for scripts; only where it is RDMA.
echo 'expect.that(stats(node "a", "rdma").tx_total_wc == 0, "nothing was sent")' >"$tmp/stats.lua"
run stats 0 run "$tmp/stats.lua" --stack rdma && says stats "result        ok"
run no-stats 3 run "$tmp/stats.lua" --stack tcp && says no-stats "stats: of what?"

run no-device 2 run scenarios/hello.lua --stack rdma --device mlx5 &&
    says no-device "valid: hca, rxe"

echo "$checks checks, $failures failed"
[ $failures -eq 0 ]
