#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_rdma_stack.sh: the network-stack cases over RDMA, and what the RDMA stack promises beyond
# them, in every mode: waiting for events, spinning first, never sleeping; one receive queue
# for all, or one for each.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1

export MSGRLAB_TEST_STACK=rdma MSGRLAB_TEST_DEVICE=rxe0
export CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-60}

# cases NAME PROGRAM OPTIONS: all its cases pass.
cases() {
    STEP_SECONDS=200 MSGRLAB_TEST_RDMA=$3 run "$1" 0 "$B/tests/$2"
    says "$1" '^100%: Checks: [0-9]+, Failures: 0, Errors: 0$'
    ok "$2, $3: $(sed -n 's/.*Checks: \([0-9]*\),.*/\1/p' "$dir/$1.out") cases"
}

cases stack_events conformance/test_network_stack polling_us=0
cases stack_hybrid conformance/test_network_stack polling_us=1000,support_srq=false
# polling_us=0 with a shared receive queue is what the program does by itself.
cases more_own softroce/test_rdma_stack polling_us=0,support_srq=false
cases more_hybrid softroce/test_rdma_stack polling_us=1000
cases more_polling softroce/test_rdma_stack polling_us=forever
