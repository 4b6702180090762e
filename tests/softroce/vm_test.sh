#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# vm_test.sh: the virtual machine of softroce.sh itself: exit status, output, what stays and what
# does not, time limit, a kernel that dies, an interrupted run. Runs on the host, before the
# other tests of "make check-softroce".
cd "$(dirname "$0")/../.." || exit 1
set -u

scenarios/softroce/softroce.sh -p >/dev/null || exit 77
mkdir -p build/softroce
dir=$(mktemp -d "$PWD/build/softroce/vm_test.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT

ok() { echo "ok   $*"; }
fail() {
    echo "FAIL $*"
    tail -n 20 "$dir/out" "$dir/err"
    exit 1
}

# vm CODE OPTION... -- COMMAND...: must end with that code.
vm() {
    local want=$1 code
    shift
    scenarios/softroce/softroce.sh -V -m 256 -o "$dir" "$@" >"$dir/out" 2>"$dir/err"
    code=$?
    [ $code -eq "$want" ] || fail "softroce.sh $* ended with $code, not $want"
}

word="two  words" vm 7 -- bash -c 'echo "$1 in $PWD, $word"; echo gone >tests/softroce/gone
    seq 1 30000 | tail -c 100000; echo stays >"$SOFTROCE_OUT/file"; echo to stderr >&2; exit 7' \
    name "an argument"
{ echo "an argument in $PWD, two  words" && seq 1 30000 | tail -c 100000; } |
    cmp - "$dir/out" || fail "the output is not what was printed"
[ "$(cat "$dir/err")" = "to stderr" ] || fail "another text on stderr"
[ "$(cat "$dir/file" 2>&1)" = stays ] || fail "what was written to the output folder is lost"
[ ! -e tests/softroce/gone ] || fail "the machine wrote to the host's files"
ok "exit status, arguments, environment, both outputs, folder; the host's files unchanged"

vm 124 -t 2 -- sleep 300
ok "the time limit"

vm 125 -- bash -c 'echo before; sleep 0.5; echo c >/proc/sysrq-trigger'
grep -q before "$dir/out" || fail "what was printed before is lost"
grep -q 'console: .*Kernel panic' "$dir/err" || fail "nothing of the kernel's last words"
ok "a kernel that dies"

env --default-signal=INT scenarios/softroce/softroce.sh -V -m 256 -o "$dir" -- sleep 300 \
    >"$dir/out" 2>"$dir/err" &
vm=$!
for ((i = 0; i < 600; i++)); do
    qemu=$(pgrep -P "$(pgrep -P $vm -x timeout)" 2>/dev/null) && break
    sleep 0.1
done
[ -n "$qemu" ] || fail "no QEMU came"
kill -INT $vm
wait $vm
code=$?
[ $code -eq 130 ] || fail "an interrupted run ended with $code, not 130"
kill -0 "$qemu" 2>/dev/null && fail "QEMU was left running"
ok "an interrupted run leaves nothing running"
