#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# ceph_mon.sh: our client against a real monitor: what it prints is what Ceph's own client
# prints, both framings and all drivers work, the trace shows the session, and what cannot
# work says so. See lib.bash.
cd "$(dirname "$0")/../.." || exit 1
. tests/interop/lib.bash || exit 1

# Times are printed in the local zone: take one that shows mistakes.
export TZ=XYZ-5:30

start_mon
addr=v2:127.0.0.1:$mon_v2
ok "a real monitor runs: $(ceph-mon --version | cut -d' ' -f1-3)"

# ---- monmap ----

run mon_dump 0 "${real_ceph[@]}" mon dump
run monmap 0 "$MSGRLAB" peer monmap "$addr"
same mon_dump monmap
ok "peer monmap prints what ceph mon dump prints, $(wc -l <"$dir/monmap.out") lines"

run monmap_both 0 "$MSGRLAB" peer monmap "[v2:127.0.0.1:$mon_v2,v1:127.0.0.1:$mon_v1]"
same monmap monmap_both
run monmap_bare 0 "$MSGRLAB" peer monmap "127.0.0.1:$mon_v2"
same monmap monmap_bare
ok "the address may be a vector, or have no prefix"

run mon_dump_json 0 "${real_ceph[@]}" mon dump -f json
run monmap_json 0 "$MSGRLAB" peer monmap "$addr" --json
python3 -c '
import json, sys

def contains(whole, part, where):
    """Every member of part is in whole, with the same value."""
    if isinstance(part, dict):
        for key in part:
            contains(whole[key], part[key], where + "." + key)
    elif isinstance(part, list):
        assert len(part) == len(whole), where
        for i, value in enumerate(part):
            contains(whole[i], value, "%s[%d]" % (where, i))
    else:
        assert part == whole, "%s: %r, Ceph says %r" % (where, part, whole)

contains(*[json.load(open(name)) for name in sys.argv[1:]], "monmap")
' "$dir/mon_dump_json.out" "$dir/monmap_json.out" >"$dir/compare.out" 2>&1 ||
    fail "the JSON of peer monmap is not that of ceph mon dump" "$dir/compare.out"
ok "peer monmap --json has the names and values of ceph mon dump -f json"

run monmap_20 0 "$MSGRLAB" peer monmap "$addr" --msgr20
same monmap monmap_20
ok "the same over msgr2.0 framing"

for driver in epoll poll select; do
    run "monmap_$driver" 0 "$MSGRLAB" peer monmap "$addr" --driver $driver
    same monmap "monmap_$driver"
done
ok "the same with each driver"

# ---- ping ----

run ping 0 "$MSGRLAB" peer ping "$addr" --count 20
says ping '^keepalive2 +20 round trips: min .* p50 .* max '
says ping '^mon_get_version +20 round trips: min '
says ping '^osdmap +newest [1-9][0-9]*, oldest [1-9]'
ok "$(tr -s ' ' <"$dir/ping.out" | head -1)"
run ping_20 0 "$MSGRLAB" peer ping "$addr" --count 5 --msgr20
says ping_20 '^keepalive2 +5 round trips'
ok "peer ping over msgr2.0 framing"

# ---- the trace, and the picture of it ----

run traced 0 "$MSGRLAB" peer monmap "$addr" --trace "$dir/mon.trace"
same monmap traced
run text 0 "$MSGRLAB" show "$dir/mon.trace" --view text
says text 'R7.*type=4( |$)'
for frame in HELLO AUTH_REQUEST AUTH_DONE AUTH_SIGNATURE CLIENT_IDENT SERVER_IDENT; do
    says text "frame_(in|out).* $frame "
done
ok "the trace has the handshake, and R7 of MON_MAP"
run picture 0 "$MSGRLAB" show "$dir/mon.trace" --view iopath -o "$dir/mon.svg"
for step in S1 S2 S3 S4 S5 S6 R3 R4 R5 R6 R7; do
    grep -q "\b$step\b" "$dir/mon.svg" || fail "the picture has no $step" "$dir/picture.out"
done
ok "the picture of the session with Ceph names S1..S6 and R3..R7"

# ---- what cannot work ----

free_port
run refused 4 "$MSGRLAB" peer monmap "127.0.0.1:$port"
says refused 'connection refused'
run v1_port 4 "$MSGRLAB" peer monmap "127.0.0.1:$mon_v1"
says v1_port "use the monitor's v2 port"
run v1_address 2 "$MSGRLAB" peer monmap "v1:127.0.0.1:$mon_v1"
says v1_address 'use the v2 address'
run bad_address 2 "$MSGRLAB" peer monmap 127.0.0.1:port
says bad_address "address '127.0.0.1:port'"
run bad_nonce 6 "$MSGRLAB" peer monmap "$addr/77" --timeout 500ms
says bad_nonce 'no session within 500 ms: '
run bad_option 2 "$MSGRLAB" peer monmap "$addr" --count 3
says bad_option "no option '--count'"
ok "refused, v1 port, wrong address, wrong nonce, stray option: said so, codes 4 2 6"

kill -STOP "$mon_pid"
run silent 6 "$MSGRLAB" peer ping "$addr" --timeout 500ms
kill -CONT "$mon_pid"
says silent 'no session within 500 ms: '
run woken 0 "$MSGRLAB" peer ping "$addr" --count 1
ok "a monitor that does not answer: code 6; once it does, all is well again"

for pause in 0.3 2 8; do # until there is a result, however slow the machine
    spawn endless "$MSGRLAB" peer ping "$addr" --count 1000000
    sleep $pause
    stop "$spawned" INT
    code=$?
    [ $code -eq 130 ] || fail "Ctrl-C ended peer ping with $code" "$dir/endless.out"
    grep -q 'keepalive2 .* round trips' "$dir/endless.out" && break
done
says endless 'keepalive2 .* round trips'
ok "Ctrl-C ends a long ping with what was found so far"

stop "$mon_pid" || fail "the monitor did not end well" "$dir/mon.out" "$dir/mon.log"
ok "the monitor ended with exit code 0"
