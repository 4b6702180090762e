# SPDX-License-Identifier: Apache-2.0
#
# ceph.bash: a real monitor that speaks async+rdma, and its own client; sourced by tests after
# test.bash. The monitor is on rxe0, clients on rxe1: what they say crosses the wire.

# Emulated processors are slow: a monitor needs 20 s to start there.
STEP_SECONDS=${CEPH_SECONDS:-90}
unset CEPH_ARGS CEPH_CONF CEPH_KEYRING
mon_v2=3300 mon_v1=6789
mon_addr=v2:192.0.2.1:$mon_v2
fsid=7f3c2c9e-5b3a-4f0e-9d55-0c6f2f1b7a11

for tool in ceph-mon monmaptool ceph; do
    command -v $tool >/dev/null || skip "$tool is not installed (packages ceph-mon, ceph-common)"
done

# Sockets have short names, and the daemon's data should not go through 9p.
mon_dir=$(mktemp -d /dev/shm/mon.XXXXXX)

# ceph_conf DEVICE [LINE...]: a ceph.conf for a process on that device. Its buffers are as large
# as Ceph's are by default (131072 bytes), but there are fewer of them.
ceph_conf() {
    local device=$1
    shift
    cat <<EOF
[global]
fsid = $fsid
auth cluster required = none
auth service required = none
auth client required = none
keyring = /dev/null
mon host = [v2:192.0.2.1:$mon_v2,v1:192.0.2.1:$mon_v1]
mon data = $mon_dir/data
run dir = $mon_dir
admin socket = $mon_dir/\$name.asok
mon data avail crit = 0
mon data avail warn = 0
ms type = async+rdma
ms async rdma device name = $device
ms async rdma port num = 1
ms async rdma gid idx = 1
ms async rdma send buffers = 64
ms async rdma receive buffers = 256
ms async rdma receive queue len = 64
EOF
    printf '%s\n' "$@"
}

# mon_admin COMMAND [ARGUMENT]: by the monitor's own socket. The ceph program does the same, but
# takes many seconds to start on an emulated processor.
mon_admin() {
    /usr/bin/python3 -IS - "$mon_dir/mon.a.asok" "$@" <<'EOF'
import json, socket, struct, sys
command = {"prefix": sys.argv[2], "format": "json-pretty"}
if len(sys.argv) > 3:
    command["logger"] = sys.argv[3]
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
s.sendall(json.dumps(command).encode() + b"\0")
f = s.makefile("rb")
print(f.read(struct.unpack(">I", f.read(4))[0]).decode())
EOF
}

mon_leads() {
    is_running "$mon_pid" || return 0
    [ -S "$mon_dir/mon.a.asok" ] && mon_admin mon_status 2>/dev/null | grep -q '"leader"'
}

# start_mon [LINE...]: with these lines in its ceph.conf; pid in $mon_pid. Fails the test if
# it does not lead within STEP_SECONDS.
start_mon() {
    mkdir -p "$mon_dir/data"
    ceph_conf rxe0 "log file = $dir/mon.log" "mon cluster log file = $dir/cluster.log" "$@" \
        >"$mon_dir/mon.conf"
    ceph_conf rxe1 >"$mon_dir/client.conf"
    run monmap 0 monmaptool --create --clobber --fsid $fsid \
        --addv a "[v2:192.0.2.1:$mon_v2,v1:192.0.2.1:$mon_v1]" "$mon_dir/monmap"
    run mkfs 0 ceph-mon -c "$mon_dir/mon.conf" --mkfs -i a --monmap "$mon_dir/monmap"
    spawn mon ceph-mon -c "$mon_dir/mon.conf" -i a -f
    mon_pid=$spawned
    softroce_wait "$STEP_SECONDS" mon_leads && is_running "$mon_pid" ||
        fail "the monitor does not get to work" "$dir/mon.out" "$dir/mon.log"
}

stop_mon() {
    stop "$mon_pid" TERM
    rm -rf "$mon_dir"
}

# The real client, by rxe1.
real_ceph=(ceph -c "$mon_dir/client.conf" --connect-timeout 60)

# real_commands NAME (ADDR PREFIX BYTES)...: the library below the ceph program says to each
# monitor the command, with so many bytes to go with it; the answers are in $dir/NAME.out. Each
# start of the ceph program costs ten seconds here, this one three.
real_commands() {
    local name=$1
    shift
    cat >"$dir/rados.py" <<'EOF'
import json, sys
import rados
conf, args = sys.argv[1], sys.argv[2:]
while args:
    addr, prefix, size, args = args[0], args[1], int(args[2]), args[3:]
    cluster = rados.Rados(conffile=conf, conf={"mon_host": addr}, name="client.admin")
    cluster.connect(timeout=60)
    result, out, status = cluster.mon_command(json.dumps({"prefix": prefix}), b"x" * size)
    cluster.shutdown()
    if result != 0:
        sys.exit("%s: %s: %d %s" % (addr, prefix, result, status))
    sys.stdout.write(out.decode())
EOF
    run "$name" 0 /usr/bin/python3 -I "$dir/rados.py" "$mon_dir/client.conf" "$@"
}

# real_ping NAME ADDR: the ceph program pings whatever monitor is there. While it does, the one
# of Ceph 16.2 dies of SIGSEGV now and then, whoever answers: that is no verdict.
real_ping() {
    local try code
    for try in 1 2 3; do
        timeout -k 5 "$STEP_SECONDS" "${real_ceph[@]}" -m "$2" ping mon.noname-a \
            >"$dir/$1.out" 2>&1 </dev/null
        code=$?
        [ $code -eq 139 ] || break
        echo "     (the client crashed at try $try)"
    done 2>/dev/null
    [ $code -eq 0 ] || fail "ceph ping ended with $code" "$dir/$1.out"
}

# rdma_counters: of the monitor's dispatcher, as JSON; rdma_counter NAME: one of them.
rdma_counters() {
    mon_admin "perf dump" AsyncMessenger::RDMADispatcher
}
rdma_counter() {
    rdma_counters >"$dir/counters.json"
    counter_in "$1"
}
# counter_in NAME: the same, of those that were taken last.
counter_in() {
    sed -n "s/^ *\"$1\": \([0-9]*\),*$/\1/p" "$dir/counters.json"
}
