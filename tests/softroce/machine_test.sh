#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# machine_test.sh: the virtual machine of "msgrlab softroce", as installed, for somebody else's
# command: exit code, output, files that come back and that do not, the time limit, another
# user, two at a time, a kernel that dies, runs that are interrupted, terminated, killed. Runs on
# the host, before the tests inside.
cd "$(dirname "$0")/../.." || exit 1
"${MSGRLAB:?}" softroce --prepare >/dev/null || exit 77
. tests/softroce/host.bash

# Each of the machines below has a folder for temporary files of its own, to see what it leaves.
# machine NAME ARG...: in the background, as $user, in the folder $dir/project; pid in $machine.
as=()
machine() {
    local name=$1
    shift
    mkdir -p "$dir/$name.tmp" && chmod 1777 "$dir/$name.tmp"
    (cd "$dir/project" && exec env --default-signal=INT "${as[@]}" TMPDIR="$dir/$name.tmp" \
        "$installed" softroce --memory 256 "$@") >"$dir/$name.out" 2>"$dir/$name.err" &
    machine=$!
}

has_qemu() {
    local file
    for file in $(grep -asl "$dir/$1\.tmp/" /proc/[0-9]*/cmdline); do
        grep -aqs qemu-system-x86_64 "$file" && return
    done
    return 1
}
has_no_qemu() { ! has_qemu "$1"; }

# left_nothing NAME: no QEMU, no file.
left_nothing() {
    await 20 has_no_qemu "$1" || fail "$1: QEMU was left running"
    [ -z "$(ls -A "$dir/$1.tmp")" ] || fail "$1: temporary files were left: $(ls "$dir/$1.tmp")"
}

mkdir "$dir/project" "$dir/back, with a comma"
gcc -o "$dir/project/devices" -x c - -libverbs <<'END' || fail "gcc"
#include <infiniband/verbs.h>
int main(void)
{
    int n = 0;
    return ibv_get_device_list(&n) != NULL && n == 2 ? 7 : 1;
}
END

# ---- two at a time: yours, and that of nobody, who reads a cache of yours ------------------

word="two  words" machine mine --out "$dir/back, with a comma" -- bash -c \
    'echo "$1 in $PWD, $word"; seq 1 30000; echo gone >gone; echo stays >"$SOFTROCE_OUT/file"
     . "$SOFTROCE_LIB" && netem 0 loss 100% || exit 1
     echo to stderr >&2; (sleep 300 &) ; exec ./devices' name "an argument"
mine=$machine

if [ "$(id -u)" -eq 0 ]; then
    mkdir "$dir/cache" && cp -r "$SOFTROCE_CACHE"/softroce-[0-9]* "$dir/cache"
    as=(setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=/usr/bin:/bin
        SOFTROCE_CACHE="$dir/cache")
fi
machine nobody --time 2 -- bash -c 'echo before; trap "" TERM; sleep 300; sleep 300'
nobody=$machine
as=()

wait "$mine"
expect mine $? 7
{ echo "an argument in $dir/project, two  words" && seq 1 30000; } | cmp - "$dir/mine.out" ||
    fail "the output is not what was printed" "$dir/mine.err"
[ "$(cat "$dir/mine.err")" = "to stderr" ] || fail "another text on stderr" "$dir/mine.err"
[ "$(cat "$dir/back, with a comma/file" 2>&1)" = stays ] || fail "what was to come back is lost"
[ ! -e "$dir/project/gone" ] || fail "the machine wrote to the host's files"
left_nothing mine
ok "exit code, arguments, environment, both outputs, two devices, files that come back"

wait "$nobody"
expect nobody $? 124
[ "$(cat "$dir/nobody.out")" = before ] || fail "what was printed before is lost"
says nobody '^softroce: the time of the command is up: 2 s$'
left_nothing nobody
ok "the time limit, of a command that ignores SIGTERM, at the same time, as another user"

# ---- how it may end -----------------------------------------------------------------------

machine dies -- bash -c 'echo before; sleep 0.5; echo c >/proc/sysrq-trigger'
dies=$machine
machine interrupted --out "$dir/interrupted" -- bash -c 'echo >"$SOFTROCE_OUT/started"; sleep 300'
await 120 test -e "$dir/interrupted/started" || fail "no machine came" "$dir/interrupted.err"
kill -INT "$machine"
wait "$machine"
expect interrupted $? 130
left_nothing interrupted
ok "an interrupted run leaves nothing"

machine terminated -- sleep 300
await 60 has_qemu terminated || fail "no QEMU came" "$dir/terminated.err"
kill -TERM "$machine"
wait "$machine"
expect terminated $? 143
left_nothing terminated
machine killed -- sleep 300
await 60 has_qemu killed || fail "no QEMU came" "$dir/killed.err"
kill -KILL "$machine"
wait "$machine" 2>/dev/null
await 20 has_no_qemu killed || fail "killed: QEMU was left running"
ok "a terminated run leaves nothing, and a killed one no QEMU"

wait "$dies"
expect dies $? 125
grep -q before "$dir/dies.out" || fail "what was printed before is lost"
says dies 'console: .*Kernel panic'
says dies '^softroce: the machine died'
left_nothing dies
ok "a kernel that dies: its last words"
