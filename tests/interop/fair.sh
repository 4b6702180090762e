#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# fair.sh: whatever one peer does, the others go on: the scripts of tests/interop/sim/fair_*,
# on both virtual devices, with and without a shared receive queue, and over TCP; and the
# campaign that draws the mischief by seed.
set -u
# shellcheck source=tests/interop/cli.bash
. "$(dirname "$0")/cli.bash"

# everywhere NAME ARG...: fair_NAME.lua on each stack and device.
everywhere() {
    local name=$1 script=tests/interop/sim/fair_$1.lua options
    shift
    for device in hca rxe; do
        for options in support_srq=true support_srq=false,receive_queue_len=64; do
            run "$name-$device-$options" 0 run "$script" --stack rdma --device $device \
                --rdma $options "$@" && says "$name-$device-$options" "result        ok"
        done
    done
    run "$name-tcp" 0 run "$script" --stack tcp "$@" && says "$name-tcp" "result        ok"
}

everywhere dead_peer --timeout 2000s
everywhere many_dead
everywhere stopped_reader
everywhere half_message --timeout 300s
# More than all memory for what is not read: the connection that keeps it ends.
run stopped-for-good 0 run tests/interop/sim/fair_stopped_reader.lua --stack rdma \
    --set messages=5000 --set every=300ms --set within=1500ms --set ends=1 &&
    says stopped-for-good "result        ok"

for stack in tcp rdma; do
    for profile in none lite chaos; do
        run "campaign-$stack-$profile" 0 campaign scenarios/campaigns/fair.lua --stack $stack \
            --profile $profile --seeds 1..150 --quiet -o "$tmp/kept"
    done
done

echo "$checks checks, $failures failed"
[ $failures -eq 0 ]
