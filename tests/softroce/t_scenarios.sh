#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_scenarios.sh: our scenarios over the RDMA stack on real verbs: polling and waiting for
# events, with and without a shared receive queue, with few and small buffers. Each has
# expectations that can fail; none may leave a verbs object behind. And each message takes the
# same steps, S1 to R7, as on the virtual device of kind rxe.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1

# scenario NAME SCRIPT OPTION...: over rxe0, recorded in $dir/NAME.trace.
scenario() {
    local name=$1 script=$2
    shift 2
    run "$name" 0 "$MSGRLAB" run "scenarios/$script.lua" --on linux --stack rdma \
        --device rxe0 --trace "$dir/$name.trace" "$@"
    says "$name" '^result +ok$'
    softroce_wait 5 softroce_is_clean || {
        softroce_leftover >"$dir/left.out"
        fail "$name: verbs objects are left over" "$dir/left.out"
    }
    run "$name.sim" 0 "$MSGRLAB" run "scenarios/$script.lua" --on sim --stack rdma \
        --device rxe --trace "$dir/$name.sim.trace" "$@"
    run "$name.diff" 0 "$MSGRLAB" diff --steps "$dir/$name.trace" "$dir/$name.sim.trace"
    says "$name.diff" '^the same steps: [1-9][0-9]* messages$'
}

scenario hello hello
run steps 0 "$MSGRLAB" show "$dir/hello.trace" --view text
for step in S1 S2 S3 S4 S5 S6 S7 R1 R2 R3 R4 R5 R6 R7; do
    says steps " $step "
done
ok "hello: all fourteen steps are in the trace"

scenario events hello --rdma polling_us=0
ok "hello, waiting for events only"

scenario own_queues hello --rdma support_srq=false
ok "hello, a receive queue for each connection"

scenario small large_messages --rdma \
    buffer_size=4096,send_buffers=16,receive_buffers=64,receive_queue_len=16
ok "large_messages: 12.8 MB through 16 send buffers of 4 KiB"

scenario small_own large_messages --rdma \
    buffer_size=4096,send_buffers=16,receive_buffers=64,receive_queue_len=16,support_srq=false
ok "the same without a shared receive queue"

scenario priorities priorities
ok "priorities"

scenario many many_connections --rdma polling_us=0
ok "many_connections, waiting for events only"

scenario edges edge_and_level
ok "edge_and_level"
