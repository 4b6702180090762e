#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_pingpong.sh: rdma-core's own example from rxe0 to rxe1: the data crosses the wire, also a
# bad one, and netem does to it what it is asked for.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1

# pingpong NAME COUNT: events, not spinning: there may be one processor only.
pingpong() {
    local name=$1 count=$2 server
    spawn "${name}_server" ibv_rc_pingpong -e -c -d rxe0 -g 1 -m 1024 -s 4096 -n "$count"
    server=$spawned
    softroce_wait 20 listens 18515 || fail "the server does not listen" "$dir/${name}_server.out"
    run "$name" 0 ibv_rc_pingpong -e -c -d rxe1 -g 1 -m 1024 -s 4096 -n "$count" 192.0.2.1
    ended "$server" "${name}_server"
    says "$name" "$count iters in"
}

before=$(wire_packets 0)
pingpong clean 200
sent=$(($(wire_packets 0) - before))
[ "$sent" -ge 1000 ] || fail "only $sent packets crossed the wire"
ok "200 round trips of 4 KiB, $sent packets each way"

netem_both delay 5ms || fail "netem"
pingpong delay 20
us=$(sed -n 's/.*iters in .* = \([0-9]*\)\..* usec.*/\1/p' "$dir/delay.out")
[ "$us" -ge 10000 ] || fail "a round trip took $us us, though 5 ms lie on each way" "$dir/delay.out"
ok "5 ms of delay each way: a round trip takes $us us"

netem_clear
before=$(rxe_counter 1 duplicate_request)
netem 0 duplicate 20% || fail "netem"
pingpong duplicate 100
seen=$(($(rxe_counter 1 duplicate_request) - before))
[ "$seen" -gt 0 ] || fail "rxe1 saw no duplicate"
ok "rxe1 saw $seen duplicates, data correct"

# While packets are lost pingpong must not end: the side that loses its last acknowledgement
# would wait for ever. So the wire heals before.
# suffer NAME WHAT...
suffer() {
    local name=$1 server client
    shift
    spawn "${name}_server" ibv_rc_pingpong -e -c -d rxe0 -g 1 -m 1024 -s 4096 -n 500
    server=$spawned
    softroce_wait 20 listens 18515 || fail "the server does not listen" "$dir/${name}_server.out"
    netem_both "$@" || fail "netem"
    spawn "$name" ibv_rc_pingpong -e -c -d rxe1 -g 1 -m 1024 -s 4096 -n 500 192.0.2.1
    client=$spawned
    softroce_wait 30 has_suffered || fail "nothing was sent again" "$dir/$name.out"
    is_running "$client" || fail "$name was over too soon" "$dir/$name.out"
    netem_clear
    ended "$client" "$name"
    ended "$server" "${name}_server"
    says "$name" '500 iters in'
}

retries() { echo $(($(rxe_counter 0 completer_retry_err) + $(rxe_counter 1 completer_retry_err))); }
has_suffered() { [ $(($(retries) - before)) -ge 3 ]; }

for what in "loss 2%" "corrupt 2%"; do
    before=$(retries)
    suffer "${what% *}" $what
    ok "$what both ways for a while: $(($(retries) - before)) retries, data correct"
done
