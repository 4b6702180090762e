#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_verbs.sh: the verbs conformance suite: soft-RoCE still answers as rows.h and the page of
# the documentation say.
cd "$(dirname "$0")/../.." || exit 1
. tests/softroce/test.bash || exit 1

suite=$B/tests/conformance/verbs/verbs_conformance
[ -x "$suite" ] || fail "no program $suite: make check-softroce makes it"
STEP_SECONDS=150

run two_devices 0 "$suite" -n -o "$dir/two_devices.md" rxe0 rxe1
rows=$(grep -c '^| [a-z_]*\.' "$dir/two_devices.md")
[ "$rows" -ge 250 ] || fail "only $rows questions were answered" "$dir/two_devices.out"
ok "rxe0 to rxe1: $rows questions, every answer as expected"

listed=docs/verbs-conformance.md
grep '^| [a-z_]*\.' $listed 2>/dev/null | diff - <(grep '^| [a-z_]*\.' "$dir/two_devices.md") \
    >"$dir/diff.out" || fail "$listed is not what was observed: make verbs-table" "$dir/diff.out"
ok "$listed says the same"

# A suite that cannot fail proves nothing: as another kind of device rxe must fall through.
run as_hca 1 "$suite" -p hca -c lkey rxe0 rxe1
says as_hca 'expected: LOC_PROT_ERR'
ok "expected to be a device that follows the specification, it does not pass"
