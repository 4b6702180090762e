#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_host.sh: on a machine that has soft-RoCE itself "msgrlab softroce --where any" uses it, and
# leaves nothing there. The machine that the tests run on is one.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1

here=(env -u SOFTROCE "$MSGRLAB" softroce --where any --out "$dir")
way=$(env -u SOFTROCE "$MSGRLAB" softroce --where any --prepare)
if [ "$way" != "on this host: it has rdma_rxe" ]; then
    fail "--prepare says: $way"
fi
ok "$way"

run busy 125 "${here[@]}" -- true
says busy 'sr0 or rxe0 is there already'
ok "devices of somebody else's are left alone"

softroce_down
run devices 7 "${here[@]}" -- bash -c 'rdma link show; exit 7'
[ -e /sys/class/infiniband/rxe0 ] || [ -e /sys/class/net/sr0 ]
left=$?
run slow 124 "${here[@]}" --time 1 -- sleep 30
softroce_up || fail "the devices do not come back"
[ $left -ne 0 ] || fail "devices were left over"
says devices '^link rxe0/1 state ACTIVE'
says devices '^link rxe1/1 state ACTIVE'
ok "two devices while the command runs, none afterwards; exit status and time limit"
