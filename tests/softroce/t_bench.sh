#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# t_bench.sh: msgrlab bench rdma measures all columns on real verbs and prints each size. What
# the figures are is nobody's business here.
cd "$(dirname "$0")/../.." || exit 1
STEP_SECONDS=${STEP_SECONDS:-150}
. tests/softroce/test.bash || exit 1

# columns NAME SIZE: the five figures and four ratios of that size's row, a line per table.
columns() {
    sed -nE "s/^ +$2 (([ ]+([0-9.]+|-)){9})\$/\\1/p" "$dir/$1.out"
}

# measured NAME SIZE COLUMN...: those columns are above 0 in both tables; the others are there.
measured() {
    local name=$1 size=$2
    shift 2
    columns "$name" "$size" | awk -v wanted="$*" '
        BEGIN { n = split(wanted, column, " ") }
        { for (i = 1; i <= n; i++) if (!($column[i] > 0)) exit bad = 1 }
        END { exit bad || NR != 2 }' ||
        fail "$name: no figures in the rows of $size" "$dir/$name.out"
}

# Of each size: RDMA polling, with events, TCP; perftest polling, with events; four ratios.
# perftest times the processor's counter when it starts. It may fail to, again and again, where
# others use the processor, too; then, and only then, its columns may be empty.
run all 0 "$MSGRLAB" bench rdma --device rxe0 --rounds 1 --count 20 --sizes 64K
says all '^RDMA device rxe0, GID index 1, path MTU 1024;'
perftest="4 5 6 7"
grep -q '^-: ib_send_.* could not tell the time' "$dir/all.out" && perftest=
measured all '64 KiB' 1 2 3 8 9 $perftest
ok "64 KiB: RDMA, TCP and perftest"

run alone 0 env PATH=/nonexistent "$MSGRLAB" bench rdma --rounds 1 --count 20 --sizes 64
measured alone '64 B' 1 2 3 8 9
says alone "^-: no program 'ib_send_lat': install perftest"
ok "64 B, without perftest: its columns are empty, and why"

run nowhere 4 "$MSGRLAB" bench rdma --device rxe7
says nowhere 'rxe7'
ok "a device that is not there"
