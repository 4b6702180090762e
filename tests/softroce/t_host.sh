#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_host.sh: on a machine that has soft-RoCE itself softroce.sh uses it, and leaves nothing there. The
# machine that the tests run on is one.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1

vm=(env -u SOFTROCE scenarios/softroce/softroce.sh -o "$dir")
way=$(env -u SOFTROCE scenarios/softroce/softroce.sh -p)
if [ "$way" != "on this host: it has rdma_rxe" ]; then
    fail "softroce.sh -p says: $way"
fi
ok "$way"

run busy 126 "${vm[@]}" -- true
says busy 'sr0 or rxe0 is there already'
ok "devices of somebody else's are left alone"

softroce_down
run devices 7 "${vm[@]}" -- bash -c 'rdma link show; exit 7'
[ -e /sys/class/infiniband/rxe0 ] || [ -e /sys/class/net/sr0 ]
left=$?
run slow 124 "${vm[@]}" -t 1 -- sleep 30
softroce_up || fail "the devices do not come back"
[ $left -ne 0 ] || fail "devices were left over"
says devices '^link rxe0/1 state ACTIVE'
says devices '^link rxe1/1 state ACTIVE'
ok "two devices while the command runs, none afterwards; exit status and time limit"
