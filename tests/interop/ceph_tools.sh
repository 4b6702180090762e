#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# ceph_tools.sh: Ceph's own tools against our server: each ends by itself, with an answer or
# a plain refusal, where maps and statistics are asked for; and the osd map they get is the
# one that a real new monitor gives. See lib.bash.
cd "$(dirname "$0")/../.." || exit 1
. tests/interop/lib.bash || exit 1
for tool in rados rbd osdmaptool; do
    command -v $tool >/dev/null || skip "$tool is not installed (package ceph-common)"
done
# The python that the ceph command runs in has its module rados.
python=$(sed -n '1s/^#! *//p' "$(command -v ceph)")
$python -c 'import rados' 2>/dev/null || skip "there is no module rados (package python3-rados)"

serve first --timeout 5s
options=(-c /dev/null --keyring /dev/null --auth-client-required none -m "$addr")

# ends_with NAME CODE COMMAND...: must end by itself, with that code. How long it took is
# printed ($took), not judged: what hangs is killed after half a minute, and that fails.
ends_with() {
    local name=$1 want=$2 code began=${EPOCHREALTIME/[^0-9]/}
    shift 2
    timeout -k 5 30 "$@" >"$dir/$name.out" 2>"$dir/$name.err" </dev/null
    code=$?
    took=$(((${EPOCHREALTIME/[^0-9]/} - began) / 1000))
    took=$((took / 1000)).$(printf %03d $((took % 1000)))
    [ $code -ne 124 ] && [ $code -ne 137 ] ||
        fail "$name: '$*' hangs" "$dir/$name.out" "$dir/$name.err" "$dir/first.out"
    [ $code -eq "$want" ] ||
        fail "$name: '$*' ended with $code, not $want" "$dir/$name.out" "$dir/$name.err"
}

# ---- what would wait for maps ----

ends_with lspools 0 rados "${options[@]}" lspools
[ ! -s "$dir/lspools.out" ] || fail "there are pools" "$dir/lspools.out"
ok "rados lspools: none, $took s"
ends_with df 0 rados "${options[@]}" df
says df '^total_objects +0$'
ok "rados df: nothing, $took s"
ends_with ls 1 rados "${options[@]}" -p nothing ls
says ls 'No such file or directory'
ok "rados -p nothing ls: no such pool, $took s"
ends_with rbd 2 rbd "${options[@]}" ls
says rbd "error opening default pool 'rbd'"
ok "rbd ls: no such pool, $took s"
ends_with help 0 ceph "${options[@]}" --help
says help 'osd getmap' # that part comes from the server
ok "ceph --help, $took s"
ends_with tell_osd 2 ceph "${options[@]}" tell osd.0 version
says tell_osd 'ENOENT'
ok "ceph tell osd.0: no such osd, $took s"
ends_with tell_mon 0 ceph "${options[@]}" tell mon.0 version
says tell_mon '^msgrlab version '
ok "ceph tell mon.0 version, $took s"
ends_with tell_all 0 ceph "${options[@]}" tell 'mon.*' version
says tell_all '^msgrlab version '
ok "ceph tell mon.* version, $took s"
ends_with tell_unknown 22 ceph "${options[@]}" tell mon.0 config set a b
says tell_unknown 'invalid command|does not know'
ok "ceph tell mon.0 with what is not known here: EINVAL, $took s"
ends_with tell_mds 2 ceph "${options[@]}" tell mds.0 version
says tell_mds 'ENOENT'
ok "ceph tell mds.0: no such mds, $took s"
for command in 'osd ls' 'osd pool create p' 'df' 'pg stat' 'fs ls' 'log hello'; do
    # shellcheck disable=SC2086 # its words
    ends_with unknown 22 ceph "${options[@]}" $command
    says unknown 'invalid command'
done
ok "ceph osd ls, df, pg stat, ...: EINVAL"

cat >"$dir/tool.py" <<'EOF'
import errno, rados, sys

cluster = rados.Rados(conf={"mon_host": sys.argv[1], "auth_client_required": "none",
                            "keyring": "/dev/null"}, name="client.admin")
cluster.connect(timeout=10)
assert cluster.list_pools() == []
assert cluster.get_cluster_stats() == {"kb": 0, "kb_used": 0, "kb_avail": 0, "num_objects": 0}
assert not cluster.pool_exists("p")
assert cluster.wait_for_latest_osdmap() == 0

def refused(call, *args):
    try:
        call(*args)
    except rados.Error as error:
        return error
    raise AssertionError("%s%s was not refused" % (call.__name__, args))

assert refused(cluster.create_pool, "p").errno == errno.EOPNOTSUPP
refused(cluster.delete_pool, "p")
refused(cluster.open_ioctx, "p")
refused(cluster.blocklist_add, "127.0.0.1:0/0")
for result, _, status in (cluster.osd_command(0, '{"prefix": "version"}', b""),
                          cluster.pg_command("1.0", '{"prefix": "query"}', b"")):
    assert result == -errno.ENOENT, (result, status)
cluster.shutdown()
EOF
ends_with python 0 "$python" "$dir/tool.py" "$addr"
ok "Python's rados: pools, statistics, a pool that cannot be made, an osd, $took s"

# Who follows a log sees the state at once, and then waits for what comes: here nothing.
spawn watch ceph "${options[@]}" -w
watch=$spawned
for ((i = 0; i < 600; i++)); do
    grep -q 'mon_subscribe log-info -> nothing' "$dir/first.out" && break
    is_running "$watch" || break
    sleep 0.05
done
grep -q 'mon_subscribe log-info -> nothing' "$dir/first.out" ||
    fail "ceph -w follows no log" "$dir/watch.out" "$dir/first.out"
stop "$watch" INT
grep -q 'quorum msgrlab' "$dir/watch.out" || fail "ceph -w" "$dir/watch.out"
ok "ceph -w shows the state, and follows a log of nothing"

if grep -E ' -> no |unreadable|cannot be answered|which no client' "$dir/first.out" \
    >"$dir/bad"; then
    fail "something was not answered" "$dir/bad"
fi
for asked in 'mon_subscribe osdmap -> osd_map' 'mon_subscribe mgrmap -> mgr_map' \
    'mon_subscribe .*fsmap.* -> fs_map' 'statfs -> statfs_reply' 'getpoolstats ' \
    'poolop create pool 0 p ' 'command "version" -> command_reply 0'; do
    grep -qE -- "$asked" "$dir/first.out" || fail "nobody asked: $asked" "$dir/first.out"
done
ok "every message was answered: $(grep -c ' -> ' "$dir/first.out") of them"

# What the client takes out of the maps.
ends_with debug 0 ceph "${options[@]}" --debug-mgrc 20 --debug-objecter 20 \
    --log-to-stderr=true -s
says debug 'Got map version 1'
says debug 'handle_osd_map decoding full epoch 1'
ok "the client reads the maps of epoch 1"

# ---- the same osd map as a real monitor's ----

ends_with getmap 0 ceph "${options[@]}" osd getmap -o "$dir/ours.osdmap"
start_mon
run real_getmap 0 "${real_ceph[@]}" osd getmap 1 -o "$dir/real.osdmap"
for map in ours real; do
    run "$map.print" 0 osdmaptool --print "$dir/$map.osdmap"
    grep -vE '^(fsid|created|modified) ' "$dir/$map.print.out" >"$dir/$map.same.out"
done
same real.same ours.same
"$python" - "$dir/real.osdmap" "$dir/ours.osdmap" >"$dir/compare.out" 2>&1 <<'EOF' ||
import sys

real, ours = (bytearray(open(name, "rb").read()) for name in sys.argv[1:])
assert len(real) == len(ours), (len(real), len(ours))
for data in real, ours:
    data[12:28] = bytes(16)      # fsid
    data[32:48] = bytes(16)      # created, modified
    data[-4:] = bytes(4)         # crc over these; osdmaptool has checked it
assert real == ours, [i for i in range(len(real)) if real[i] != ours[i]]
EOF
    fail "the osd maps differ" "$dir/compare.out"
stop "$mon_pid" || fail "the monitor did not end well" "$dir/mon.out"
ok "our osd map is that of a new real monitor, byte for byte but for its id and time"

ends first TERM
opened=$(grep -c '^session [0-9]*: opened by ' "$dir/first.out")
closed=$(grep -c '^session [0-9]*: closed' "$dir/first.out")
[ "$opened" -eq "$closed" ] || fail "$opened sessions opened, $closed closed" "$dir/first.out"
ok "$opened sessions, all closed"
