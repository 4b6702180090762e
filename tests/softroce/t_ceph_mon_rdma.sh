#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_ceph_mon_rdma.sh: real Ceph with ms_type = async+rdma and our RDMA stack, both ways. A real
# monitor is on rxe0; its own client gets the map by RDMA, and so does our client, on rxe1: the
# monitor's dispatcher counted both. Then our server is on rxe0, and the real client pings it
# and says a megabyte to it in SENDs of Ceph's default size. One monitor serves all of it.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1
. tests/softroce/ceph.bash || exit 1

# counted NAME PAIRS WCS: since the last call the monitor's dispatcher has seen at least so many
# new queue pairs, and completions of each kind, none of them with an error.
declare -A last=()
counted() {
    local counter n
    rdma_counters >"$dir/counters.json"
    for counter in created_queue_pair:$2 tx_total_wc:$3 rx_total_wc:$3; do
        n=$(counter_in "${counter%:*}")
        [ $((${n:-0} - ${last[${counter%:*}]:-0})) -ge "${counter#*:}" ] ||
            fail "$1: ${counter%:*} of the monitor is ${n:-missing}" "$dir/counters.json"
        last[${counter%:*}]=$n
    done
    for counter in tx_total_wc_errors rx_total_wc_errors; do
        [ "$(counter_in $counter)" = 0 ] || fail "$1: $counter" "$dir/counters.json"
    done
}

# crossed NAME N: since the last call at least so many packets have left rxe1 by the wire.
crossed() {
    local now
    now=$(wire_packets 1)
    [ $((now - packets)) -ge "$2" ] || fail "$1: only $((now - packets)) packets on the wire"
    packets=$now
}

ours=(--stack rdma --device rxe1 --timeout "${STEP_SECONDS}s")
start_mon
ok "a monitor runs with ms_type = async+rdma: $(ceph-mon --version | cut -d' ' -f1-3)"
counted start 0 0
packets=$(wire_packets 1)

# ---- our client, the real monitor ----

run monmap 0 "$MSGRLAB" peer monmap $mon_addr "${ours[@]}" --trace "$dir/monmap.trace"
counted monmap 1 5
crossed monmap 10
ok "our client gets the MonMap of the real monitor by RDMA: its dispatcher has counted" \
    "$(counter_in created_queue_pair) queue pair(s), $(counter_in tx_total_wc) sends and" \
    "$(counter_in rx_total_wc) receives"

run ping 0 "$MSGRLAB" peer ping $mon_addr "${ours[@]}" --count 5
says ping '^keepalive2 +5 round trips'
says ping '^mon_get_version +5 round trips'
counted ping 1 12
ok "our client pings the real monitor: $(sed -n '2s/  */ /gp' "$dir/ping.out")"

# ---- the real client, our server ----

spawn serve "$MSGRLAB" peer serve 192.0.2.1:0 --stack rdma --device rxe0 \
    --trace "$dir/serve.trace"
server=$spawned
listening() {
    addr=$(sed -n '1s/^listening on \(v2:192\.0\.2\.1:[0-9]*\)\/0$/\1/p' "$dir/serve.out")
    [ -n "$addr" ] || ! is_running "$server"
}
softroce_wait "$STEP_SECONDS" listening && [ -n "$addr" ] ||
    fail "peer serve does not listen" "$dir/serve.out"

packets=$(wire_packets 1)
real_ping real_ping "$addr"
says real_ping '"name":"msgrlab"'
says serve '^session [0-9]+: ping -> ping$'
crossed real_ping 10
ok "the ceph program pings our server by RDMA"

counted before 0 0
packets=$(wire_packets 1)
real_commands dumps "$addr" "mon dump" 1000000 $mon_addr "mon dump" 0
counted "mon dump" 1 5
crossed "mon dump" 977
says serve 'mon_command "mon dump" -> mon_command_ack 0, [0-9]+ bytes$'
says dumps "^0: $addr/0 mon\.msgrlab\$"
tac "$dir/dumps.out" | sed '/^epoch/q' | tac | diff - "$dir/monmap.out" >"$dir/diff.out" ||
    fail "our client got another map" "$dir/diff.out" "$dir/dumps.out"
ok "the real client gets its map from our server, and from the real monitor the one we got"

stop "$server" TERM
code=$?
[ $code -eq 0 ] || fail "peer serve ended with $code" "$dir/serve.out"
says serve '^served [0-9]+ sessions, [0-9]+ messages$'
[ "$(grep -c ': opened by client' "$dir/serve.out")" = \
    "$(grep -c '^session [0-9]*: closed' "$dir/serve.out")" ] ||
    fail "a session was not closed" "$dir/serve.out"
run trace 0 "$MSGRLAB" show "$dir/serve.trace" --view text
says trace 'poll_cq .* bytes=131072 '
ok "our server ends cleanly; it was sent full buffers of 131072 bytes"

# ---- what cannot work ----

run other_stack 6 "$MSGRLAB" peer monmap $mon_addr --timeout 500ms
says other_stack 'no session within 500 ms: .*use --stack rdma$'
run too_long 4 "$MSGRLAB" peer monmap $mon_addr "${ours[@]}" --rdma buffer_size=256
says too_long 'lost in the session: .* --rdma buffer_size= must be at least'
run no_device 4 "$MSGRLAB" peer monmap $mon_addr --stack rdma --device nosuch
says no_device 'nosuch'
run no_stack 2 "$MSGRLAB" peer monmap $mon_addr --stack ib
says no_stack "there is no stack 'ib'; valid: tcp, rdma"
run stray 2 "$MSGRLAB" peer monmap $mon_addr --device rxe1
says stray 'are for --stack rdma'
run bad_rdma 2 "$MSGRLAB" peer monmap $mon_addr --stack rdma --rdma buffers=1
says bad_rdma 'no such option'
ok "the other stack, too small buffers, no such device, wrong options: said so, codes 6 4 2"

stop_mon
ok "the monitor ends"
