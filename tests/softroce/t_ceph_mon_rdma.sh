#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_ceph_mon_rdma.sh: a real monitor with ms_type = async+rdma works here: its own client gets
# the map by RDMA, across the wire, and the monitor's dispatcher counted it. This is what our
# own client and server are measured against.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1
. tests/softroce/ceph.bash || exit 1

start_mon
ok "a monitor runs with ms_type = async+rdma: $(ceph-mon --version | cut -d' ' -f1-3)"

before=$(rdma_counter created_queue_pair)
packets=$(wire_packets 1)
run mon_dump 0 "${real_ceph[@]}" mon dump
says mon_dump '^epoch 1$'
says mon_dump "v2:192\.0\.2\.1:$mon_v2"
ok "the real client gets the MonMap"

pairs=$(($(rdma_counter created_queue_pair) - ${before:-0}))
[ "$pairs" -ge 1 ] || fail "the monitor made no queue pair" "$dir/counters.json"
for counter in tx_total_wc rx_total_wc; do
    n=$(counter_in $counter)
    [ "${n:-0}" -ge 5 ] || fail "$counter of the monitor is ${n:-missing}" "$dir/counters.json"
done
crossed=$(($(wire_packets 1) - packets))
[ "$crossed" -ge 10 ] || fail "only $crossed packets crossed the wire"
ok "by RDMA: $pairs queue pairs, $(counter_in tx_total_wc) sends and" \
    "$(counter_in rx_total_wc) receives completed, $crossed packets on the wire"

stop_mon
ok "the monitor ends"
