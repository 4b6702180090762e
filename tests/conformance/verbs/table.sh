#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# table.sh PROGRAM: runs the suite on rxe0 and rxe1 and leaves its table, as a page, in
# build/softroce/verbs-conformance.md. Run by "make verbs-table", inside msgrlab softroce.
set -eu

out=${SOFTROCE_OUT:?run this by msgrlab softroce --out build/softroce}
"$1" -n -o "$out/table" rxe0 rxe1
{
    cat <<'END'
# What a verbs device answers

Every question of `tests/conformance/verbs/` and what soft-RoCE (rdma_rxe) answered, observed by
`make verbs-table`. `make check-softroce` asks again and fails if an answer changed. *a* sends,
*b* receives: queue pairs of two devices on one wire. Lists of numbers are wr_ids in the order
in which they completed.

The column of another kind of device (`hca`, what the InfiniBand specification asks for) is in
[tests/conformance/verbs/rows.h](../tests/conformance/verbs/rows.h), unobserved.

END
    cat "$out/table"
} >"$out/verbs-conformance.md"
