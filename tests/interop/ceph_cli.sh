#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# ceph_cli.sh: the real ceph command against our server: it connects, gets maps, runs
# commands, several times; nothing is left over, and the server ends cleanly. See lib.bash.
cd "$(dirname "$0")/../.." || exit 1
. tests/interop/lib.bash || exit 1

export TZ=XYZ-5:30

# The ceph command, without any file of the system's.
ceph=(ceph -c /dev/null --keyring /dev/null --auth-client-required none --connect-timeout 10)

# client NAME CODE ARG...: runs it against our server.
client() {
    local name=$1 code=$2
    shift 2
    run "$name" "$code" "${ceph[@]}" -m "$addr" "$@"
}

# ping ID: the client calls a monitor it knows by address only noname-a, and tries that for a,
# too. While it pings, the client of Ceph 16.2 dies of SIGSEGV now and then, whoever answers
# (its own monitor: once in 600 on a busy machine, once in 10 for mon.*): that is no verdict.
ping() {
    local try code
    for try in 1 2 3 4 5; do
        timeout -k 5 $STEP_SECONDS "${ceph[@]}" -m "$addr" ping "mon.$1" \
            >"$dir/ping.out" 2>"$dir/ping.err" </dev/null
        code=$?
        [ $code -eq 139 ] || break
        echo "     (the client crashed at try $try)"
    done 2>/dev/null
    [ $code -eq 0 ] || fail "ping mon.$1 ended with $code" "$dir/ping.out" "$dir/ping.err"
    says ping '"name":"msgrlab"'
}

open_fds() {
    find "/proc/$1/fd" -mindepth 1 | wc -l
}

# ---- commands ----

serve first --trace "$dir/serve.trace"
fds=$(open_fds "$server")

for target in noname-a noname-a noname-a a; do
    ping $target
done
ok "ceph ping, four times"

for i in 1 2 3; do
    client "dump_$i" 0 mon dump
done
says dump_1 '^epoch 1$'
says dump_1 "^0: $addr/0 mon\.msgrlab\$"
run monmap 0 "$MSGRLAB" peer monmap "$addr"
same monmap dump_1
same dump_1 dump_3
ok "ceph mon dump, three times; our own client gets the same map"

client dump_json 0 mon dump -f json
run monmap_json 0 "$MSGRLAB" peer monmap "$addr" --json
grep . "$dir/dump_json.out" | diff - "$dir/monmap_json.out" >"$dir/diff" ||
    fail "the JSON maps differ" "$dir/diff"
ok "ceph mon dump -f json"

client status 0 -s
says status 'id: +[0-9a-f-]{36}$'
says status 'mon: 1 daemons, quorum msgrlab'
client status_json 0 status -f json
python3 -c 'import json, sys; assert json.load(sys.stdin)["quorum_names"] == ["msgrlab"]' \
    <"$dir/status_json.out" 2>"$dir/python.err" ||
    fail "ceph status -f json is wrong" "$dir/status_json.out" "$dir/python.err"
client version 0 version
says version '^msgrlab version '
client health 0 health
client fsid 0 fsid
grep -q "$(cat "$dir/fsid.out")" "$dir/dump_1.out" || fail "another fsid" "$dir/fsid.out"
ok "ceph -s, status, version, health, fsid"

client unknown 22 osd dump
says unknown 'invalid command'
# The client refuses what the server did not announce; librados does not.
python=$(sed -n '1s/^#! *//p' "$(command -v ceph)")
timeout $STEP_SECONDS $python - "$addr" >"$dir/rados.out" 2>&1 <<'EOF' || fail "rados" "$dir/rados.out"
import rados, sys
cluster = rados.Rados(conf={"mon_host": sys.argv[1], "auth_client_required": "none",
                            "keyring": "/dev/null"}, name="client.admin")
cluster.connect(timeout=10)
for command in ('{"prefix": "osd dump"}', '{"target": ["mon", ""], "format": "json"}', "{"):
    result, output, status = cluster.mon_command(command, b"")
    assert result == -22 and output == b"" and "does not know" in status, (result, status)
result, output, status = cluster.mon_command(
    '{"a": [{"prefix": "}"}, "\\"]"], "prefix": "fs\\u0069d"}', b"")
assert result == 0 and len(output) == 37, (result, output, status)
cluster.shutdown()
EOF
ok "an unknown command gives EINVAL and says what is known"

run ping 0 "$MSGRLAB" peer ping "$addr" --count 20
says ping '^mon_get_version +20 round trips'
ok "our own client pings our server"

# ---- nothing is left over ----

for ((i = 0; i < 40; i++)); do
    [ "$(open_fds "$server")" -le "$fds" ] && break
    sleep 0.05
done
[ "$(open_fds "$server")" -le "$fds" ] ||
    fail "descriptors are left over: $fds before, $(open_fds "$server") now" "$dir/first.out"
ends first TERM
opened=$(grep -c '^session [0-9]*: opened by client ' "$dir/first.out")
closed=$(grep -c '^session [0-9]*: closed' "$dir/first.out")
[ "$opened" -gt 20 ] && [ "$opened" -eq "$closed" ] ||
    fail "$opened sessions opened, $closed closed" "$dir/first.out"
grep -qE '^session 1: opened by client any:127\.0\.0\.1:0/[0-9]+, global_id 4097, ' \
    "$dir/first.out" || fail "the first client did not get id 4097" "$dir/first.out"
ok "$opened sessions, all closed, no descriptor left; SIGTERM ends the server with 0"

run text 0 "$MSGRLAB" show "$dir/serve.trace" --view text
says text 'R7.*type=50( |$)'
ok "the trace of the server has R7 of MON_COMMAND"

# ---- other ways to serve ----

for driver in poll select; do
    serve "serve_$driver" --driver $driver
    client "dump_$driver" 0 mon dump
    says "dump_$driver" '^epoch 1$'
    ends "serve_$driver" INT
done
ok "ceph mon dump with the drivers poll and select; SIGINT ends the server with 0"

serve serve_20 --msgr20
client dump_20 0 mon dump
says dump_20 '^epoch 1$'
ends serve_20 TERM
ok "a real client over msgr2.0 framing"

serve once --once
client dump_once 0 mon dump
wait "$server"
code=$?
[ $code -eq 0 ] || fail "--once ended with $code" "$dir/once.out"
grep -q '^served 2 sessions, ' "$dir/once.out" || fail "--once" "$dir/once.out"
ok "--once ends by itself after the client"

run for_a_while 0 "$MSGRLAB" peer serve 127.0.0.1:0 --for 200ms
says for_a_while '^served 0 sessions, 0 messages$'
run any_address 2 "$MSGRLAB" peer serve 0.0.0.0:0
says any_address 'give a real IP'
serve holder
run taken 4 "$MSGRLAB" peer serve "$addr"
says taken 'cannot listen on .*in use'
ends holder TERM
ok "--for ends in time; an address that cannot be served is refused"
