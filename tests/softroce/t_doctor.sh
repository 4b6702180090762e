#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_doctor.sh: msgrlab doctor sees the devices, their ports and GIDs, and a port that is down.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1

run up 0 "$MSGRLAB" doctor
says up '^ok +rxe0 +port 1: 4: ACTIVE, Ethernet$'
says up '^ok +GID +index 1: ::ffff:192\.0\.2\.1, RoCE v2, sr0$'
says up '^ok +GID +index 1: ::ffff:192\.0\.2\.2, RoCE v2, sr1$'
says up '^ok +rdma_rxe '
says up '^ok +locked memory +RLIMIT_MEMLOCK unlimited$'
ok "devices, ports, GIDs, module, memlock"

link_down 1
run down 0 "$MSGRLAB" doctor
says down '^less +rxe1 +port 1: 1: DOWN, Ethernet$'
link_up 1
ok "a port that is down, and what to do"
