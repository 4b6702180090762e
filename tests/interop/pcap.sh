#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# pcap.sh: what --pcap writes, as Wireshark's tshark reads it: TCP and RoCE v2 without a wrong
# checksum or a packet it cannot decode, the stream of a connection byte by byte, what the
# network lost as retransmissions; and that a capture changes nothing and costs nobody a file.
set -u
# shellcheck source=tests/interop/cli.bash
. "$(dirname "$0")/cli.bash"

command -v tshark >/dev/null || {
    echo "skipped: tshark is not installed (package tshark)"
    exit 77
}
# Its settings must not come from whoever runs this.
export HOME=$tmp XDG_CONFIG_HOME=$tmp

# decoded NAME ARG...: what tshark says of $tmp/NAME.pcapng, in $tmp/NAME.seen
decoded() {
    local name=$1
    shift
    checks=$((checks + 1))
    tshark -n -r "$tmp/$name.pcapng" -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE \
        -o udp.check_checksum:TRUE "$@" >"$tmp/$name.seen" 2>"$tmp/$name.err" ||
        fail "$name: tshark does not read the capture" "$tmp/$name.err"
}

# none NAME FILTER: no packet is like that.
none() {
    decoded "$1" -Y "$2"
    [ ! -s "$tmp/$1.seen" ] || fail "$1: packets with $2" "$tmp/$1.seen"
}

# some NAME FILTER
some() {
    decoded "$1" -Y "$2"
    [ -s "$tmp/$1.seen" ] || fail "$1: no packet with $2"
}

# captured NAME ARG...: a run that keeps its packets; says how many, and tshark finds as many.
captured() {
    local name=$1 said
    shift
    run "$name" 0 run "$@" --pcap "$tmp/$name.pcapng" || return
    decoded "$name"
    said=$(sed -n 's/^packets  *.*: \([0-9]*\)$/\1/p' "$tmp/$name")
    checks=$((checks + 1))
    [ -n "$said" ] && [ "$said" = "$(wc -l <"$tmp/$name.seen")" ] ||
        fail "$name: tshark does not see the $said packets" "$tmp/$name"
    none "$name" "ip.checksum.status == Bad or tcp.checksum.status == Bad or
                  udp.checksum.status == Bad"
}

# ---- TCP ----

captured tcp scenarios/large_messages.lua --stack tcp
none tcp "_ws.malformed or tcp.analysis.retransmission or tcp.analysis.lost_segment"
# What the client said first is the banner.
decoded tcp -q -z follow,tcp,raw,0
checks=$((checks + 1))
grep -qx '63657068207632.*' "$tmp/tcp.seen" || # "ceph v2\n"
    fail "the stream does not begin with the banner" "$tmp/tcp.seen"

captured losses scenarios/network.lua
some losses "tcp.analysis.retransmission"
some losses "tcp.flags.reset == 1"
none losses "_ws.malformed"

# ---- RoCE v2 ----

captured rdma scenarios/large_messages.lua --stack rdma
for opcode in 0 1 2 4 17; do # SEND first, middle, last, only; acknowledgement
    some rdma "infiniband.bth.opcode == $opcode"
done
# A SEND of no bytes, Ceph's FIN, is right, though tshark has nothing to look at: 58 bytes are
# Ethernet, IP, UDP, BTH and ICRC.
none rdma "_ws.malformed and not (infiniband.bth.opcode == 4 and frame.len == 58)"
captured rxe scenarios/priorities.lua --stack rdma --device rxe
none rxe "_ws.malformed and not (infiniband.bth.opcode == 4 and frame.len == 58)"
# The three records of the side channel go by TCP.
decoded rdma -Y "tcp.len > 0" -T fields -e tcp.len
checks=$((checks + 1))
[ "$(tr '\n' ' ' <"$tmp/rdma.seen")" = "65 65 65 " ] ||
    fail "the side channel is not three records of 65 bytes" "$tmp/rdma.seen"

# ---- a capture changes nothing, and can be had later ----

hash_of() { sed -n 's/^trace hash *//p' "$tmp/$1"; }
run bare 0 run scenarios/large_messages.lua --stack rdma --record "$tmp/bare.rec"
checks=$((checks + 1))
[ -n "$(hash_of rdma)" ] && [ "$(hash_of bare)" = "$(hash_of rdma)" ] ||
    fail "another run because it was captured" "$tmp/rdma"
run again 0 replay "$tmp/bare.rec" --pcap "$tmp/again.pcapng"
checks=$((checks + 1))
cmp "$tmp/rdma.pcapng" "$tmp/again.pcapng" >"$tmp/cmp" 2>&1 ||
    fail "the replay has other packets" "$tmp/cmp"

# ---- what cannot be ----

echo "dear diary" >"$tmp/diary"
run other-file 5 run scenarios/hello.lua --pcap "$tmp/diary" &&
    says other-file "is no capture: it stays as it is"
[ "$(cat "$tmp/diary")" = "dear diary" ] || fail "a file was overwritten" "$tmp/diary"
run no-folder 5 run scenarios/hello.lua --pcap "$tmp/nowhere/x.pcapng" &&
    says no-folder "No such file or directory"
run full 5 run scenarios/hello.lua --pcap /dev/full && says full "No space left on device"
run on-linux 2 run scenarios/hello.lua --on linux --pcap "$tmp/x.pcapng" &&
    says on-linux "tcpdump"
run over-it 0 run scenarios/hello.lua --pcap "$tmp/tcp.pcapng"

# Killed in the middle, maybe of a write: what is there can be read, up to the cut, and does
# not have the name of a whole one.
cat >"$tmp/endless.lua" <<'EOF'
local a, b = node { "a" }, node { "b" }
local conn = a:connect(b)
while true do
    conn:send_many(100, { data = 4096 })
    sleep "10ms"
end
EOF
"$msgrlab" run "$tmp/endless.lua" --no-trace --timeout 3600s --pcap "$tmp/killed.pcapng" \
    >"$tmp/killed" 2>&1 &
victim=$!
for ((i = 0; i < 600; i++)); do
    [ "$(stat -c %s "$tmp/killed.pcapng.part" 2>/dev/null || echo 0)" -gt 300000 ] && break
    kill -0 $victim 2>/dev/null || break
    sleep 0.1
done
kill -KILL $victim 2>/dev/null || fail "the run ended by itself" "$tmp/killed"
wait $victim 2>/dev/null
[ ! -e "$tmp/killed.pcapng" ] || fail "half a capture has the name of a whole one"
mv "$tmp/killed.pcapng.part" "$tmp/killed.pcapng"
checks=$((checks + 1))
tshark -n -r "$tmp/killed.pcapng" >"$tmp/killed.seen" 2>"$tmp/killed.err" ||
    grep -q "cut short in the middle of a packet" "$tmp/killed.err" ||
    fail "killed: tshark does not read the capture" "$tmp/killed.err"
checks=$((checks + 1))
[ "$(wc -l <"$tmp/killed.seen")" -gt 50 ] || fail "hardly a packet was kept" "$tmp/killed.seen"

echo "$checks checks, $failures failed"
[ $failures -eq 0 ]
