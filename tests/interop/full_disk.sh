#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# full_disk.sh: the program $MSGRLAB when what it writes does not fit: exit code 5 and the
# reason; no file under its final name that looks whole and is not; what was there before
# stays.
#
#   1. standard output: every command, full or closed
#   2. each file that is written, on a disk without room (a limit on the size of files, and a
#      small tmpfs if this user may mount one)
#   3. devices are written to, not replaced
#   4. an interrupted campaign is neither ok nor failed
#
# Prints what was not as expected; exit 0 if nothing.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
# shellcheck source=tests/interop/cli.bash
. "$here/cli.bash"
cd "$root" || exit 1

# ---- 1. standard output ----------------------------------------------------------------

"$msgrlab" run scenarios/hello.lua --trace "$tmp/hello.trace" >/dev/null
"$msgrlab" run scenarios/hello.lua --record "$tmp/hello.rec" >/dev/null

# full NAME ARG...: exit code 5 when standard output is full, and when it is closed
full() {
    local name=$1 code
    shift
    checks=$((checks + 2))
    timeout -k 5 90 "$msgrlab" "$@" >/dev/full 2>"$tmp/$name" </dev/null
    code=$?
    [ $code -eq 5 ] || fail "$name: exit code $code with a full standard output" "$tmp/$name"
    grep -q "No space left on device" "$tmp/$name" || fail "$name: no reason" "$tmp/$name"
    timeout -k 5 90 "$msgrlab" "$@" >&- 2>"$tmp/$name" </dev/null
    code=$?
    [ $code -eq 5 ] || fail "$name: exit code $code with a closed standard output" "$tmp/$name"
}

full help --help
full version --version
for command in run campaign replay shrink show diff faults peer bench doctor; do
    full help-$command $command --help
done
full faults faults
full run run scenarios/hello.lua
full run-linux run scenarios/hello.lua --on linux
full replay replay "$tmp/hello.rec"
full replay-to replay "$tmp/hello.rec" --to 50
full show show "$tmp/hello.trace"
full campaign campaign scenarios/hello.lua --seeds 1..3 --quiet
full doctor doctor

# A command that fails for another reason keeps its own code.
checks=$((checks + 1))
"$msgrlab" run "$here/scripts/expectation_fails.lua" >/dev/full 2>"$tmp/failing"
[ $? -eq 1 ] || fail "a failed run has another code when standard output is full" "$tmp/failing"

# ---- 2. files --------------------------------------------------------------------------

# limited NAME KIB COMMAND...: no file may grow beyond that. Output in $tmp/NAME, which is
# written by another process, with the exit code as its last line.
limited() {
    local name=$1 kib=$2
    shift 2
    (
        ulimit -f "$kib"
        "$@" 2>&1
        echo "exit $?"
    ) </dev/null | cat >"$tmp/$name"
}

# refused NAME: it ended with 5, and said why
refused() {
    checks=$((checks + 2))
    grep -qx "exit 5" "$tmp/$1" || fail "$1: another exit code than 5" "$tmp/$1"
    grep -qE "File too large|No space left on device" "$tmp/$1" || fail "$1: no reason" "$tmp/$1"
}

cat >"$tmp/steps.lua" <<'LUA'
local a, b = node "a", node "b"
local c = a:connect(b)
c:send_many(300, { front = 2000 })
expect.delivered(b, 300)
expect.steps(c:message(300), set.steps or "S1 S2 S3 S4 S5 S6 S7 R1 R2 R3 R4 R5 R6 R7")
LUA
tcp="S1 S2 S3 S4 S5 S6 R3 R4 R5 R6 R7"
disk=$tmp/disk
mkdir "$disk"

# A trace that fills the disk: what it lacks cannot be judged, and is no failed expectation;
# the trace says itself that it is not whole.
limited trace 200 "$msgrlab" run "$tmp/steps.lua" --trace "$disk/x.trace" && refused trace
says trace "cannot be judged: message 300 of a"
says trace "result        trace incomplete"
run show-trace 0 show "$disk/x.trace" && says show-trace "lost: "
checks=$((checks + 1))
grep -qE "lost: 0;" "$tmp/show-trace" && fail "the trace says that it is whole" "$tmp/show-trace"
limited trace-0 0 "$msgrlab" run "$tmp/steps.lua" --trace "$disk/y.trace" && refused trace-0
limited linux 200 "$msgrlab" run "$tmp/steps.lua" --on linux --set steps="$tcp" && refused linux
# What does fail is told first.
sed 's/delivered(b, 300)/delivered(b, 301):within("100ms")/' "$tmp/steps.lua" >"$tmp/fails.lua"
limited fails 200 "$msgrlab" run "$tmp/fails.lua" --trace "$disk/z.trace"
says fails "300 delivered"
says fails "File too large"
says fails "exit 1"

# Everything else is whole or not there; what was there before stays.
# kept NAME FILE COMMAND...
kept() {
    local name=$1 file=$2
    shift 2
    run "$name-before" 0 "$@"
    cp "$file" "$tmp/former"
    limited "$name" 0 "$msgrlab" "$@" && refused "$name"
    checks=$((checks + 2))
    cmp -s "$file" "$tmp/former" || fail "$name: the former file is not what it was"
    rm "$file"
    limited "$name-anew" 0 "$msgrlab" "$@" && refused "$name-anew"
    [ -z "$(ls -A "$disk")" ] || fail "$name: something is left: $(ls -A "$disk")"
    rm -rf "${disk:?}"/*
}
rm -f "$disk"/*
kept record "$disk/x.rec" run scenarios/rate.lua --record "$disk/x.rec"
kept pcap "$disk/x.pcapng" run scenarios/rate.lua --pcap "$disk/x.pcapng"
kept show "$disk/x.txt" show "$tmp/hello.trace" -o "$disk/x.txt"
kept dot "$disk/x.dot" show "$tmp/hello.trace" --view iopath -o "$disk/x.dot"
kept json "$disk/x.json" campaign scenarios/rate.lua --seeds 1..3 --coverage --json "$disk/x.json"
kept junit "$disk/x.xml" campaign scenarios/rate.lua --seeds 1..3 --junit "$disk/x.xml"
run order 1 campaign tests/interop/campaign/order.lua --seeds 1..60 -o "$tmp/order.d"
kept shrink "$disk/x.rec" shrink "$tmp"/order.d/*.rec -o "$disk/x.rec" --quiet
# A failure that cannot be kept is a failure all the same, and the reason is said.
limited keep 0 "$msgrlab" campaign tests/interop/campaign/order.lua --seeds 1..60 -o "$disk/kept"
says keep "not kept: cannot write $disk/kept/"
says keep "File too large"
says keep "exit 1"
checks=$((checks + 1))
[ -z "$(ls -A "$disk/kept")" ] || fail "half a record is kept: $(ls "$disk/kept")"
rmdir "$disk/kept"

# Packets up to there are kept, under another name, and the next capture begins anew.
run pcap-whole 0 run scenarios/large_messages.lua --pcap "$disk/x.pcapng"
limited pcap-part 300 "$msgrlab" run "$tmp/fails.lua" --pcap "$disk/new.pcapng"
sed -i '/steps/d' "$tmp/steps.lua"
limited pcap-part 300 "$msgrlab" run "$tmp/steps.lua" --pcap "$disk/x.pcapng" && refused pcap-part
says pcap-part "those before are in $disk/x.pcapng.part"
checks=$((checks + 1))
[ -s "$disk/x.pcapng.part" ] && [ -s "$disk/x.pcapng" ] || fail "the captures are not there"
rm -f "$disk"/*

# The same on a real disk that is full, where this user may make one.
if unshare -m true 2>/dev/null; then
    cat >"$tmp/inside.sh" <<'SH'
cd "$1" || exit 1
mount -t tmpfs -o size=256k none "$2" || exit 1
"$3" run "$4" --trace "$2/x.trace"
echo "exit $?"
rm -f "$2"/*
echo before >"$2/x.txt"
dd if=/dev/zero of="$2/filler" bs=1k 2>/dev/null
for what in "run scenarios/rate.lua --record $2/x.rec" "run scenarios/rate.lua --pcap $2/x.pcapng" \
    "show $5 -o $2/x.txt" "campaign scenarios/rate.lua --seeds 1..2 --quiet --json $2/x.json"; do
    "$3" $what
    echo "exit $?"
done
ls "$2"
cat "$2/x.txt"
SH
    unshare -m sh "$tmp/inside.sh" "$PWD" "$disk" "$msgrlab" "$tmp/steps.lua" \
        "$tmp/hello.trace" >"$tmp/tmpfs" 2>&1 </dev/null
    checks=$((checks + 3))
    [ "$(grep -c '^exit 5$' "$tmp/tmpfs")" -eq 5 ] || fail "tmpfs: five times 5" "$tmp/tmpfs"
    [ "$(grep -c 'No space left on device' "$tmp/tmpfs")" -ge 5 ] || fail "tmpfs: why" "$tmp/tmpfs"
    [ "$(tail -n 3 "$tmp/tmpfs" | tr '\n' ' ')" = "filler x.txt before " ] ||
        fail "tmpfs: something is left, or lost" "$tmp/tmpfs"
fi

# ---- 3. devices ------------------------------------------------------------------------

for device in full null; do
    run device-$device $([ $device = full ] && echo 5 || echo 0) campaign scenarios/rate.lua \
        --seeds 1..2 --quiet --json /dev/$device
    checks=$((checks + 1))
    [ -c /dev/$device ] || fail "/dev/$device was replaced by a file"
done

# ---- 4. interrupted --------------------------------------------------------------------

# stop NAME ARG...: Ctrl-C for a campaign
stop() {
    local name=$1 code
    shift
    checks=$((checks + 1))
    env --default-signal=INT "$msgrlab" campaign "$@" >"$tmp/$name" 2>&1 </dev/null &
    local campaign=$!
    for _ in $(seq 300); do
        grep -q " of .* seeds" "$tmp/$name" && break
        sleep 0.1
    done
    kill -INT $campaign
    wait $campaign
    code=$?
    [ $code -eq 130 ] || fail "$name: exit code $code instead of 130" "$tmp/$name"
    grep -q "result  *ok" "$tmp/$name" && fail "$name: says ok" "$tmp/$name"
}

stop stopped tests/interop/campaign/slow.lua --seeds 1..100000 --jobs 2 \
    --json "$tmp/stopped.json" --must-reach wc:RETRY_EXC_ERR
says stopped "result        interrupted: "
says stopped " of 100000 seeds were run, 0 failed"
checks=$((checks + 1))
grep -q '"code": 130' "$tmp/stopped.json" || fail "the JSON has another code" "$tmp/stopped.json"

echo "$checks checks, $failures failed"
[ $failures -eq 0 ]
