#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# suite_inside.sh N TEST...: what suite.sh runs on the N-th machine that has soft-RoCE. Counts
# go to $SOFTROCE_OUT/results.N, what the kernel said to complaints.N and dmesg.N; the logs of
# tests/run.sh, of the flavour "softroce", to logs/.
set -u
machine=$1
shift

# The interpreter decides, not the host's load: an emulated processor is slow.
export TEST_SECONDS=${TEST_SECONDS:-240} CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-120}
export FLAVOUR=softroce TEST_JOBS=1 RESULTS=$SOFTROCE_OUT/results.$machine

tests/run.sh "$@"
status=$?

. scenarios/softroce/lib.bash
if ! softroce_wait 5 softroce_is_clean; then
    echo "FAIL  verbs objects are left over:"
    softroce_leftover | sed 's/^/    | /'
    status=1
fi

# A kernel that complained is a finding, even where every test is content.
complaints=$SOFTROCE_OUT/complaints.$machine
dmesg >"$SOFTROCE_OUT/dmesg.$machine"
if grep -E 'WARNING:|BUG:|Oops|refcount_t|general protection' "$SOFTROCE_OUT/dmesg.$machine" \
    >"$complaints"; then
    echo "FAIL  the kernel complained:"
    sed 's/^/    | /' "$complaints"
    status=1
fi
exit $status
