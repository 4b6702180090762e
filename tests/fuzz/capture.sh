#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# capture.sh [DIR]: makes the corpus of fuzz_frames afresh, in tests/fuzz/corpus/frames or
# in DIR: streams between a real ceph-mon and a real ceph command, cut at frame boundaries,
# and the hand-made inputs of corpus_tool.c. Inputs called learnt-* stay.
#
# Needs ceph-mon, ceph-common, a C compiler and libisal; takes about a minute. Everything
# happens on 127.0.0.1 in a directory that is gone afterwards and, so that no name of this
# machine gets into the corpus, below a host name of its own. The ports can be set:
# RELAY_PORT MON_PORT MON_V1_PORT.
#
#     ceph  -->  relay (corpus_tool)  -->  ceph-mon
#           RELAY_PORT              MON_PORT
set -eu

cd "$(dirname "$0")/../.."

# A host name of our own needs a namespace of our own.
if [ "${CAPTURE_INSIDE:-}" != yes ]; then
    real=$(hostname)
    export CAPTURE_INSIDE=yes CAPTURE_HOSTNAME=$real
    exec unshare --user --map-root-user --uts bash -c 'hostname lab; exec bash "$@"' - \
        tests/fuzz/capture.sh "$@"
fi

out=${1:-tests/fuzz/corpus/frames}
relay_port=${RELAY_PORT:-13300} mon_port=${MON_PORT:-13301} v1_port=${MON_V1_PORT:-16789}
work=$(mktemp -d)
mon=
relay=

stop() {
    [ -z "$relay" ] || kill "$relay" 2>/dev/null || true
    [ -z "$mon" ] || kill "$mon" 2>/dev/null || true
    [ -z "$mon" ] || wait "$mon" 2>/dev/null || true
    relay='' mon=''
}
trap 'stop; rm -rf "$work"' EXIT

tool=$work/corpus_tool
cc -std=gnu11 -D_GNU_SOURCE -O1 -I. tests/fuzz/corpus_tool.c engine/proto/frames.c \
    engine/proto/frames_payload.c engine/proto/entity_addr.c engine/proto/entity_addr_text.c engine/base/crc32c.c \
    -lisal -o "$tool"

# The monitor listens on MON_PORT but calls itself RELAY_PORT, as behind a NAT: a client says
# which address it dialled, and the monitor refuses one that is not its own.
fsid=11111111-2222-3333-4444-555555555555
addrs="[v2:127.0.0.1:$relay_port,v1:127.0.0.1:$v1_port]"
cat >"$work/ceph.conf" <<CONF
[global]
fsid = $fsid
auth cluster required = none
auth service required = none
auth client required = none
mon host = $addrs
mon data = $work/mon
run dir = $work
admin socket = $work/\$name.asok
log file = $work/log
public bind addr = v2:127.0.0.1:$mon_port
CONF
mkdir "$work/mon"
monmaptool --create --fsid $fsid --addv a "$addrs" "$work/monmap" >/dev/null
ceph-mon -c "$work/ceph.conf" --mkfs -i a --monmap "$work/monmap"
ceph-mon -c "$work/ceph.conf" -i a -f >"$work/mon.out" 2>&1 &
mon=$!

# capture REVISION NAME COMMAND...: the streams of one ceph command, as NAME-*.bin. A reply
# may come late from a monitor that still starts up: every command has a generous limit.
capture() {
    local revision=$1 name=$2 streams=$work/streams-$2 stream
    shift 2
    mkdir "$streams"
    "$tool" relay "$revision" "$relay_port" "$mon_port" "$streams" &
    relay=$!
    timeout 60 ceph -c "$work/ceph.conf" "$@" >"$work/ceph.out" 2>&1 || {
        cat "$work/ceph.out" "$work/mon.out" >&2
        echo "capture.sh: ceph $* failed" >&2
        exit 1
    }
    kill "$relay"
    wait "$relay" 2>/dev/null || true
    relay=
    for stream in "$streams"/*-to-*; do
        [ "$(stat -c %s "$stream")" -ge 26 ] || continue
        "$tool" cut "$revision" "$stream" "$out/$name-${stream##*/}"
    done
}

mkdir -p "$out"
find "$out" -name '*.bin' ! -name 'learnt-*' -delete
capture 2.1 status -s
capture 2.1 ping ping mon.a
capture 2.1 monmap mon dump
capture 2.0 status-rev0 -s
capture 2.0 ping-rev0 ping mon.a
stop
"$tool" seeds "$out"

# Equal inputs under several names teach nothing: the first name stays.
sha256sum "$out"/*.bin | sort | awk 'seen[$1]++ { print $2 }' | xargs -r rm -f

for secret in "$CAPTURE_HOSTNAME" "$(uname -r)" "$work" "$HOME"; do
    if grep -rlF -- "$secret" "$out"; then
        echo "capture.sh: the files above contain \"$secret\" of this machine" >&2
        exit 1
    fi
done
echo "$(find "$out" -name '*.bin' | wc -l) inputs, $(du -bs "$out" | cut -f1) bytes in $out"
